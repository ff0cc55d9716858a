//! What can go wrong between us and the machine.

use std::path::PathBuf;

use crate::command::CommandError;

/// The result of this crate.
pub type Result<T, E = HostError> = std::result::Result<T, E>;

/// What went wrong. `Display` never repeats the `source`.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
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
        source: std::io::Error,
    },
    /// The container engine refused or did not answer.
    #[error("Docker: cannot {action}: {message}")]
    Containers {
        /// `pull traefik:v3.7.11`…
        action: String,
        /// What it said.
        message: String,
    },
    /// A URL did not answer.
    #[error("{url} does not answer: {message}")]
    Web {
        /// Which.
        url: String,
        /// Why.
        message: String,
    },
    /// What a person must decide first; nothing was changed.
    #[error("{what}")]
    Refused {
        /// What is in the way.
        what: String,
        /// The way out.
        hint: String,
    },
    /// Something else that a machine can lack or refuse.
    #[error("{0}")]
    Other(String),
}

/// Whether a message tells of a full disk. Every program passes on the C library's words for
/// `ENOSPC`, some in lower case.
pub fn tells_of_full_disk(message: &str) -> bool {
    message.to_lowercase().contains("no space left on device")
}

impl From<model::seed::rules::Refused> for HostError {
    fn from(refused: model::seed::rules::Refused) -> Self {
        Self::Refused { what: refused.what, hint: refused.hint }
    }
}
