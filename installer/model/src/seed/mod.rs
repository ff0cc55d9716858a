//! The seed: what the owner wants, one TOML file of schema 1.
//!
//! [`parse`] turns the text into a [`Seed`] or into every problem it has, each with its place.
//! The fields here are the *checked* shape: whoever holds a `Seed` need not check again.

mod parse;
mod types;

pub use parse::{SCHEMA, parse};
pub use types::*;
