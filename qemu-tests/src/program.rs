//! The one place of this crate that runs programs.
//!
//! Everything runs inside the private PID namespace of [`crate::world`], so whatever a test leaves
//! behind dies with it; [`Service`] is only the tidy way.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// A program to run, a thin builder over [`std::process::Command`].
pub struct Program {
    command: std::process::Command,
    shown: String,
    stdin: Vec<u8>,
    timeout: Option<Duration>,
}

/// How a program ended and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Exit status; -1 when a signal ended it.
    pub status: i32,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

impl Program {
    /// Names a program.
    #[allow(
        clippy::disallowed_methods,
        reason = "this crate may not use `host`; its runner is here"
    )]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let shown = program.as_ref().to_string_lossy().into_owned();
        let mut command = std::process::Command::new(program);
        command.env("LC_ALL", "C.UTF-8");
        Self { command, shown, stdin: Vec::new(), timeout: None }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.shown.push(' ');
        self.shown.push_str(&argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<T: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = T>) -> Self {
        arguments.into_iter().fold(self, |program, argument| program.arg(argument))
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the working folder.
    pub fn directory(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Bytes for standard input; it is empty otherwise.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Kills the program after this time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Runs with the terminal of this process and returns the exit status.
    ///
    /// # Errors
    /// It could not be started.
    pub fn foreground(mut self) -> Result<i32> {
        let status =
            self.command.status().with_context(|| format!("cannot start `{}`", self.shown))?;
        Ok(status.code().unwrap_or(-1))
    }

    /// Runs to the end, whatever its exit status.
    ///
    /// # Errors
    /// It could not be started, or took longer than its timeout.
    pub fn finish(mut self) -> Result<Said> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.start()?;
        let stdin = child.stdin.take();
        let input = std::mem::take(&mut self.stdin);
        // A program that does not read its input ends the pipe early; its exit status says why.
        let writer = thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&input)));
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        let status = self.reap(&mut child);
        drop(writer.join());
        let text = |thread: thread::JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&thread.join().unwrap_or_default()).into_owned()
        };
        let (stdout, stderr) = (text(stdout), text(stderr));
        Ok(Said { status: status?, stdout, stderr })
    }

    /// Runs to the end, whatever its exit status; what it says is shown at once and kept in `log`.
    /// Standard error goes to the terminal only.
    ///
    /// # Errors
    /// It could not be started, or the log not be written.
    pub fn finish_aloud(mut self, log: &Path) -> Result<Said> {
        let mut file = std::fs::File::create(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        self.command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = self.start()?;
        let mut stdout = String::new();
        if let Some(pipe) = child.stdout.take() {
            for line in BufReader::new(pipe).split(b'\n') {
                let line = line.with_context(|| format!("cannot hear `{}`", self.shown))?;
                let line = String::from_utf8_lossy(&line).into_owned() + "\n";
                print!("{line}");
                file.write_all(line.as_bytes()).context("cannot write a log")?;
                stdout.push_str(&line);
            }
        }
        Ok(Said { status: self.reap(&mut child)?, stdout, stderr: String::new() })
    }

    /// Runs to the end and returns standard output.
    ///
    /// # Errors
    /// It could not be started, took too long or exited with anything but 0.
    pub fn run(self) -> Result<String> {
        let shown = self.shown.clone();
        let said = self.finish()?;
        if said.status != 0 {
            bail!(
                "`{shown}` exited with {}\n{}{}",
                said.status,
                tail(&said.stdout),
                tail(&said.stderr)
            );
        }
        Ok(said.stdout)
    }

    /// Starts it in the background; both streams go to the file `log`.
    ///
    /// # Errors
    /// The log cannot be written or the program not be started.
    pub fn service(mut self, log: &Path) -> Result<Service> {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let stderr = file.try_clone().context("cannot duplicate a file")?;
        self.command.stdin(Stdio::null()).stdout(file).stderr(stderr);
        Ok(Service { child: self.start()?, shown: self.shown, log: log.to_owned() })
    }

    fn start(&mut self) -> Result<Child> {
        self.command.spawn().with_context(|| format!("cannot start `{}`", self.shown))
    }

    fn reap(&self, child: &mut Child) -> Result<i32> {
        let Some(timeout) = self.timeout else {
            return Ok(child.wait().context("cannot wait for a program")?.code().unwrap_or(-1));
        };
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = child.try_wait().context("cannot wait for a program")? {
                return Ok(status.code().unwrap_or(-1));
            }
            if Instant::now() >= deadline {
                drop(child.kill());
                drop(child.wait());
                bail!("`{}` took longer than {} s", self.shown, timeout.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is still worth showing.
            drop(pipe.read_to_end(&mut bytes));
        }
        bytes
    })
}

/// The last 4 KiB of a text, from the beginning of a line.
pub fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(4096);
    if from == 0 {
        return text;
    }
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].split_once('\n').map_or(&text[from..], |(_, rest)| rest)
}

/// A program in the background; it is killed when this is dropped.
pub struct Service {
    child: Child,
    shown: String,
    log: std::path::PathBuf,
}

impl Service {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended; -1 for a signal.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().map(|status| status.code().unwrap_or(-1))
    }

    /// An error with the log's end, if it is not running.
    ///
    /// # Errors
    /// It has ended.
    pub fn must_run(&mut self) -> Result<()> {
        match self.ended() {
            None => Ok(()),
            Some(status) => {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                bail!("`{}` ended with {status}\n{}", self.shown, tail(&log))
            }
        }
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// It still runs after `at_most`.
    pub fn wait(&mut self, at_most: Duration) -> Result<i32> {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("`{}` still runs after {} s", self.shown, at_most.as_secs());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_failed_and_its_last_words() {
        let error = Program::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]).run();
        assert_eq!(
            error.unwrap_err().to_string(),
            "`sh -c echo out; echo err >&2; exit 3` exited with 3\nout\nerr\n"
        );
    }

    #[test]
    fn stdin_arrives_and_a_slow_program_is_killed() {
        assert_eq!(Program::new("cat").stdin("abc").run().unwrap(), "abc");
        let slow = Program::new("sleep").arg("60").timeout(Duration::from_millis(50)).run();
        assert_eq!(slow.unwrap_err().to_string(), "`sleep 60` took longer than 0 s");
    }

    #[test]
    fn a_tail_begins_with_a_whole_line() {
        let text = format!("{}\n{}\nlast", "a".repeat(5000), "é".repeat(3000));
        assert_eq!(tail(&text), "last");
        assert_eq!(tail("short"), "short");
    }
}
