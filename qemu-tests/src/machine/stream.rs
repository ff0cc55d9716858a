//! What a guest says: files that QEMU appends to and we follow.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use model::report::Event;

/// Follows a growing file.
pub struct Tail {
    path: PathBuf,
    offset: u64,
}

impl Tail {
    /// Follows from the file's present end; a file that is not there yet is empty.
    pub fn from_end(path: &Path) -> Self {
        let offset = std::fs::metadata(path).map_or(0, |data| data.len());
        Self { path: path.to_owned(), offset }
    }

    /// What was added since the last call.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn more(&mut self) -> Result<Vec<u8>> {
        let context = || format!("cannot read {}", self.path.display());
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(context),
        };
        file.seek(SeekFrom::Start(self.offset)).with_context(context)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(context)?;
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }
}

/// Splits bytes into whole lines and keeps what has no end yet.
#[derive(Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// All lines that are complete now, without their ends.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        self.rest.extend_from_slice(bytes);
        let Some(last) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let whole: Vec<u8> = self.rest.drain(..=last).collect();
        String::from_utf8_lossy(&whole)
            .lines()
            .map(|line| line.trim_end_matches('\r').to_owned())
            .collect()
    }
}

/// Reads one line of the event port.
///
/// A guest that is cut off in the middle of a line leaves a torn one, and the next boot's first
/// event follows on the same line: then the part from the last `{"event"` on counts.
pub fn parse_event(line: &str) -> Option<Event> {
    serde_json::from_str(line).ok().or_else(|| {
        let start = line.rfind("{\"event\"")?;
        serde_json::from_str(&line[start..]).ok()
    })
}

#[cfg(test)]
mod tests {
    use model::{
        plan::StepId,
        report::{Phase, Verdict},
    };

    use super::*;

    #[test]
    fn follows_a_file_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut early = Tail::from_end(&path);
        assert_eq!(early.more().unwrap(), b"");
        std::fs::write(&path, "one\n").unwrap();
        let mut late = Tail::from_end(&path);
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(late.more().unwrap(), b"two\n");
        assert_eq!(late.more().unwrap(), b"");
        assert_eq!(early.more().unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn keeps_half_lines() {
        let mut lines = Lines::default();
        assert!(lines.feed(b"ab").is_empty());
        assert_eq!(lines.feed(b"c\r\nd\nef"), ["abc", "d"]);
        assert_eq!(lines.feed(b"\n"), ["ef"]);
    }

    #[test]
    fn reads_events_and_survives_a_torn_line() {
        let whole = r#"{"event":"begun","step":"images","phase":"apply"}"#;
        let begun = Event::Begun { step: StepId::new("images"), phase: Phase::Apply };
        assert_eq!(parse_event(whole), Some(begun.clone()));
        let torn = format!("{}{whole}", &whole[..20]);
        assert_eq!(parse_event(&torn), Some(begun));
        assert_eq!(parse_event("Debian GNU/Linux 13"), None);
        let finished = r#"{"event":"finished","verdict":{"verdict":"installed"}}"#;
        assert_eq!(parse_event(finished), Some(Event::Finished { verdict: Verdict::Installed }));
    }
}
