//! Text to [`Seed`].
use crate::{Problems, seed::Seed};

/// The schema that this installer writes; it reads all up to it.
pub const SCHEMA: u32 = 1;

/// Parses and checks a seed.
///
/// # Errors
/// Every problem of the text.
pub fn parse(file: &str, text: &str) -> Result<Seed, Problems> {
    Problems::new(file, text).into_result(None)
}
