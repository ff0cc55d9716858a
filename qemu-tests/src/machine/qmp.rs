//! A small client of QEMU's machine protocol (QMP): JSON lines over a Unix socket.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A connection to one machine.
pub struct Qmp<S = UnixStream> {
    stream: BufReader<S>,
}

impl Qmp {
    /// Connects as soon as QEMU listens.
    ///
    /// # Errors
    /// It does not within `at_most`, or does not greet.
    pub fn connect(socket: &Path, at_most: Duration) -> Result<Self> {
        let deadline = Instant::now() + at_most;
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= deadline => {
                    return Err(error)
                        .with_context(|| format!("cannot reach {}", socket.display()));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        // `savevm` of a whole guest answers only when it is done, and disks can be slow.
        stream.set_read_timeout(Some(Duration::from_secs(900))).context("cannot set a timeout")?;
        Self::greet(stream)
    }
}

impl<S: Read + Write> Qmp<S> {
    fn greet(stream: S) -> Result<Self> {
        let mut qmp = Self { stream: BufReader::new(stream) };
        let greeting = qmp.read()?;
        if greeting.get("QMP").is_none() {
            bail!("QMP does not greet but says {greeting}");
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and returns what it returns; events in between are dropped.
    ///
    /// # Errors
    /// QEMU refused, or is gone.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let line = json!({"execute": command, "arguments": arguments}).to_string() + "\n";
        self.stream.get_mut().write_all(line.as_bytes()).context("QMP is gone")?;
        loop {
            let mut answer = self.read().with_context(|| format!("while QMP ran `{command}`"))?;
            if let Some(error) = answer.get("error") {
                bail!("QMP `{command}`: {}", error["desc"].as_str().unwrap_or_default());
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    /// Runs a command of the human monitor, for the few that QMP lacks.
    ///
    /// # Errors
    /// QEMU is gone, or the command said anything: those used here are silent when they succeed.
    pub fn monitor(&mut self, line: &str) -> Result<()> {
        let said = self.execute("human-monitor-command", json!({"command-line": line}))?;
        match said.as_str().unwrap_or_default().trim() {
            // `drive_add` says the second.
            "" | "OK" => Ok(()),
            words => bail!("QEMU monitor `{line}`: {words}"),
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).context("QMP does not answer")? == 0 {
            bail!("QMP hung up");
        }
        serde_json::from_str(&line).with_context(|| format!("QMP said `{}`", line.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads prepared answers, keeps what was written.
    struct Script {
        answers: std::io::Cursor<&'static str>,
        written: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.answers.read(buffer)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.written.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn qmp(answers: &'static str) -> Result<Qmp<Script>> {
        Qmp::greet(Script { answers: std::io::Cursor::new(answers), written: Vec::new() })
    }

    const GREETING: &str = "{\"QMP\": {\"version\": {}}}\n{\"return\": {}}\n";

    #[test]
    fn greets_and_skips_events() {
        let answers = "{\"QMP\": {}}\n{\"return\": {}}\n\
                       {\"event\": \"STOP\", \"data\": {}}\n{\"return\": {\"running\": true}}\n";
        let mut qmp = qmp(answers).unwrap();
        let status = qmp.execute("query-status", json!({})).unwrap();
        assert_eq!(status["running"], true);
        let written = String::from_utf8(qmp.stream.get_ref().written.clone()).unwrap();
        assert_eq!(
            written,
            "{\"execute\":\"qmp_capabilities\",\"arguments\":{}}\n\
             {\"execute\":\"query-status\",\"arguments\":{}}\n"
        );
    }

    #[test]
    fn names_refusals_and_silence() {
        let hang_up = qmp(GREETING).unwrap().execute("stop", json!({})).unwrap_err();
        assert_eq!(format!("{hang_up:#}"), "while QMP ran `stop`: QMP hung up");
        let answers = "{\"QMP\": {}}\n{\"return\": {}}\n\
                       {\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}}\n";
        let refusal = qmp(answers).unwrap().execute("nothing", json!({})).unwrap_err();
        assert_eq!(refusal.to_string(), "QMP `nothing`: no such thing");
        let answers =
            "{\"QMP\": {}}\n{\"return\": {}}\n{\"return\": \"Error: no snapshot\\r\\n\"}\n";
        let monitor = qmp(answers).unwrap().monitor("loadvm x").unwrap_err();
        assert_eq!(monitor.to_string(), "QEMU monitor `loadvm x`: Error: no snapshot");
    }
}
