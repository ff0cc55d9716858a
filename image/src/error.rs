//! What can go wrong, sorted by who has to act.

use std::{io, path::PathBuf};

use host::command::CommandError;
use model::Problems;

/// The result of this crate.
pub type Result<T, E = ImageError> = std::result::Result<T, E>;

/// What went wrong. `Display` never repeats the `source`.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A recipe or a seed is wrong.
    #[error("{0}")]
    Problems(Box<Problems>),
    /// The arguments do not fit what is there.
    #[error("{0}")]
    Usage(String),
    /// This machine lacks something; every lack is listed.
    #[error("this machine cannot do it yet:\n{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Machine(Vec<Lack>),
    /// A program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file could not be read, written, …
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// `read`, `write`, `create`…
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else that is wrong with an input.
    #[error("{0}")]
    Other(String),
    /// Somebody left before the end.
    #[error("{0}")]
    Unfinished(String),
    /// The finished image fails its own checks.
    #[error("the image fails its checks and was not put in place:\n{}", .0.iter().map(|f| format!("  {f}")).collect::<Vec<_>>().join("\n"))]
    Checks(Vec<String>),
}

/// One thing that this machine lacks, with the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What is missing and what for.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "  {}\n    = {}", self.what, self.remedy)
    }
}

impl ImageError {
    /// The exit code: 2 an input is wrong, 3 the machine cannot do it, 4 a step failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Problems(_) | Self::Usage(_) => 2,
            Self::Machine(_) => 3,
            Self::Command(_)
            | Self::File { .. }
            | Self::Other(_)
            | Self::Unfinished(_)
            | Self::Checks(_) => 4,
        }
    }
}

impl From<Problems> for ImageError {
    fn from(problems: Problems) -> Self {
        Self::Problems(Box::new(problems))
    }
}

/// The last line that a failed program wrote; how it ended, if it wrote nothing.
pub fn last_words(error: &CommandError) -> &str {
    error.tail.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or(&error.exit)
}

/// Names the file in an I/O error: `.at("read", path)`.
pub trait At<T> {
    /// Says what was tried on which file.
    ///
    /// # Errors
    /// The same error, with its place.
    fn at(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|source| ImageError::File { action, path: path.into(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lacks_are_shown_with_their_remedies() {
        let error = ImageError::Machine(vec![
            Lack { what: "`a` is missing".into(), remedy: "apt install a".into() },
            Lack { what: "no room".into(), remedy: "free 5 GB".into() },
        ]);
        assert_eq!(
            error.to_string(),
            "this machine cannot do it yet:\n  `a` is missing\n    = apt install a\n  no room\n    \
             = free 5 GB"
        );
        assert_eq!(error.exit_code(), 3);
    }
}
