//! The pure core of the homelab appliance.
//!
//! What is wanted ([`seed`], asked for by [`questions`]), what can be deployed ([`catalogue`]), what
//! is there ([`facts`]), what will be done ([`plan`]) and what was done ([`report`]). Nothing here
//! touches a file, a process, the environment or the clock: everything is computed from arguments,
//! so that all of it can be tested with strings.
//!
//! ```text
//! seed.toml --seed::parse--> Seed ---+
//! stacks/*  --Catalogue::parse-------+--> plan::plan --> Plan --> engine
//! machine   --host::probe--> Facts --+
//! ```

pub mod access;
pub mod account;
pub mod block_map;
pub mod catalogue;
pub mod digest;
pub mod disk;
pub mod facts;
pub mod grub_environment;
pub mod memory;
pub mod notification;
pub mod paths;
pub mod plan;
pub mod preflight;
pub mod problem;
pub mod questions;
pub mod render;
pub mod report;
pub mod secret;
pub mod seed;
pub mod users;

pub use digest::Digest;
pub use grub_environment::GrubEnvironment;
pub use problem::{Problem, Problems};
pub use secret::Secret;
