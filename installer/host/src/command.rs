//! The one way to run a program.
//!
//! Everything goes through [`Runner`]; [`SystemRunner`] is the only code of the workspace that
//! makes a process. A program gets a small clean environment, so that neither the owner's locale
//! nor a unit's settings change what it prints, and an stdin that is closed or fed. Its failure
//! carries what a person needs to act: the command to paste, how it ended, its last words.

mod system;

use std::{
    ffi::{OsStr, OsString},
    fmt,
    io::{Read, Write},
    path::PathBuf,
    time::Duration,
};

use model::Secret;

pub use system::SystemRunner;

/// A program to run. The environment is clean (`PATH`, `HOME`, `LANG=C.UTF-8`, what
/// [`Command::env`] adds), stdin is closed unless text is given.
#[derive(Clone, Debug)]
pub struct Command {
    /// Name or path.
    pub program: OsString,
    /// Arguments; never a secret.
    pub arguments: Vec<OsString>,
    /// Text for stdin; may be a secret.
    pub stdin: Option<Secret>,
    /// Additional environment; never a secret.
    pub environment: Vec<(String, String)>,
    /// Working folder.
    pub directory: Option<PathBuf>,
    /// It is killed after this time, with all that it started; none: it may take any.
    pub timeout: Option<Duration>,
}

impl Command {
    /// A program without arguments, looked up in the clean `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            stdin: None,
            environment: Vec::new(),
            directory: None,
            timeout: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Feeds a secret to stdin.
    #[must_use]
    pub fn stdin(mut self, text: Secret) -> Self {
        self.stdin = Some(text);
        self
    }

    /// Feeds a text to stdin.
    #[must_use]
    pub fn stdin_text(self, text: impl Into<String>) -> Self {
        self.stdin(Secret::new(text))
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs it in this folder.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Kills it after this time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// As it can be pasted into a shell. Stdin, which may be a secret, is not shown.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={} ", quoted(OsStr::new(value)))?;
        }
        f.write_str(&quoted(&self.program))?;
        for argument in &self.arguments {
            write!(f, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

/// A word for a shell, quoted only if it must be.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What a program that exited with 0 said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output, invalid UTF-8 replaced. When [`Streams::stdout`] takes it, only its last
    /// 2 KiB.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

/// What is joined to the streams of a long program while it runs.
#[derive(Default)]
pub struct Streams<'a> {
    /// Read to its end and fed to stdin; [`Command::stdin`] is ignored then.
    pub stdin: Option<&'a mut (dyn Read + Send)>,
    /// Gets stdout, byte for byte.
    pub stdout: Option<&'a mut (dyn Write + Send)>,
    /// Is called with each line of stderr, and of stdout unless that goes elsewhere, without the
    /// line's end. A carriage return ends a line too, since programs draw progress with it.
    pub lines: Option<&'a mut (dyn FnMut(&str) + Send)>,
}

/// Runs programs.
pub trait Runner: Send + Sync {
    /// Runs to the end and returns what it said.
    ///
    /// # Errors
    /// It could not be started, was killed, or exited with anything but 0.
    fn run(&self, command: &Command) -> Result<Output, CommandError>;

    /// Like [`Runner::run`], joined to streams meanwhile. A scripted runner, which has nothing to
    /// wait for, hands over the whole output at the end and leaves stdin unread.
    ///
    /// # Errors
    /// Those of [`Runner::run`]; a stream of the caller failed.
    fn run_with(&self, command: &Command, streams: Streams<'_>) -> Result<Output, CommandError> {
        let output = self.run(command)?;
        let elsewhere = streams.stdout.is_some();
        if let Some(stdout) = streams.stdout {
            stdout.write_all(output.stdout.as_bytes()).map_err(|error| CommandError {
                command: command.to_string(),
                exit: format!("could not hand on its output ({error})"),
                status: None,
                seconds: 0.0,
                tail: String::new(),
            })?;
        }
        if let Some(lines) = streams.lines {
            let stdout = if elsewhere { "" } else { &output.stdout };
            for line in stdout.lines().chain(output.stderr.lines()) {
                lines(line);
            }
        }
        Ok(output)
    }

    /// Runs a long program and calls `lines` with each line that it prints.
    ///
    /// # Errors
    /// Those of [`Runner::run`].
    fn run_with_lines(
        &self,
        command: &Command,
        lines: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Output, CommandError> {
        self.run_with(command, Streams { lines: Some(lines), ..Streams::default() })
    }
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
