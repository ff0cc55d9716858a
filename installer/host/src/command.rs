//! The one way to run a program.

use std::{ffi::OsString, path::PathBuf, time::Duration};

/// A program to run. The environment is clean (`PATH`, `LANG=C.UTF-8`, what [`Command::env`]
/// adds), stdin is closed unless text is given.
#[derive(Clone, Debug)]
pub struct Command {
    /// Name or path.
    pub program: OsString,
    /// Arguments; never a secret.
    pub arguments: Vec<OsString>,
    /// Text for stdin; may be a secret.
    pub stdin: Option<model::Secret>,
    /// Additional environment; never a secret.
    pub environment: Vec<(String, String)>,
    /// Working folder.
    pub directory: Option<PathBuf>,
    /// It is killed after this time; none: it may take any.
    pub timeout: Option<Duration>,
}

/// What a program that exited with 0 said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

/// Runs programs.
pub trait Runner: Send + Sync {
    /// Runs to the end and returns what it said.
    ///
    /// # Errors
    /// It could not be started, was killed, or exited with anything but 0.
    fn run(&self, command: &Command) -> Result<Output, CommandError>;
}

/// A program failed. The text has argument list, exit, duration and the last words of both streams.
#[derive(Debug, thiserror::Error)]
#[error("`{command}` {exit} after {seconds:.1} s{tail}")]
pub struct CommandError {
    /// As it can be pasted into a shell; stdin is not shown.
    pub command: String,
    /// `exited with 1`, `was killed by SIGKILL`, `is not installed`, `took longer than 30 s`.
    pub exit: String,
    /// Exit status, if it ended by itself.
    pub status: Option<i32>,
    /// How long it ran.
    pub seconds: f64,
    /// Empty, or `; last output:` and the last 2 KiB of both streams.
    pub tail: String,
}
