//! The rules of single values, for those who take the same values elsewhere than in a seed.

use super::{reader::Wrong, shape};
use crate::Secret;

/// Why a value cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Refused {
    /// What is wrong with it.
    pub what: String,
    /// The way out.
    pub hint: String,
}

impl Refused {
    /// Says what is wrong, and the way out.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        Self { what: wrong.what, hint: wrong.way_out }
    }
}

/// A name such as `[admin] name`.
///
/// # Errors
/// Why it is none.
pub fn user_name(text: &str) -> Result<(), Refused> {
    Ok(shape::user_name(text).map(drop)?)
}

/// A mail address such as `[admin] email`.
///
/// # Errors
/// Why it is none.
pub fn email(text: &str) -> Result<(), Refused> {
    Ok(shape::email(text).map(drop)?)
}

/// A password such as `[admin] password`.
///
/// # Errors
/// Why it is too weak, or cannot be typed.
pub fn password(password: &Secret) -> Result<(), Refused> {
    Ok(shape::password(password.reveal())?)
}
