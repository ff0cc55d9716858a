//! The seed: what the owner wants, one TOML file of schema 1.
//!
//! [`parse`] turns the text into a [`Seed`] or into every problem it has, each with its place.
//! The fields here are the *checked* shape: whoever holds a `Seed` need not check again.
//!
//! ```text
//! text --toml--> spanned tree --conform--> right shape --v1/*--> Seed
//!                                 ^ keys            shape ^  ^ across
//! ```
//!
//! [`keys`] is the one table of what a seed may say; [`explain`] and [`schema`] are read off it.
//! [`redact`] masks what must not be shown, [`warnings`] finds what is allowed and unwise, and
//! [`write`] is the way back, [`edit`] changes a few words of a text.

mod conform;
pub mod edit;
mod explain;
pub mod keys;
mod parse;
pub mod providers;
mod reader;
mod redact;
pub mod rules;
mod schema;
mod secrets;
mod shape;
mod syntax;
mod types;
mod v1;
mod warnings;
mod write;

pub use explain::explain;
pub use parse::{SCHEMA, parse};
pub use redact::redact;
pub use schema::schema;
pub use types::*;
pub use warnings::warnings;
pub use write::{mount_text, write};

/// `host[:port]` of a registry, as `[images] mirror` takes it.
///
/// # Errors
/// What is wrong with it, and the way out.
pub fn mirror(text: &str) -> Result<String, String> {
    shape::mirror(text).map_err(|wrong| format!("{}; {}", wrong.what, wrong.way_out))
}
