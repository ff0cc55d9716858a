//! Events as JSON lines to the virtio port on which a virtual machine's monitor listens.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use engine::Sink;
use model::report::Event;
use nix::libc::O_NONBLOCK;

/// Bytes that wait for a listener that is not there yet; beyond that the oldest are lost.
const BACKLOG: usize = 1 << 20;

/// The port. Nobody may listen, so it never blocks: what cannot be written now waits.
pub struct Port<W = File> {
    writer: W,
    waiting: VecDeque<u8>,
}

impl Port {
    /// Opens the port; none if this machine has none.
    pub fn open(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path).ok()?;
        Some(Self::over(file))
    }
}

impl<W: Write> Port<W> {
    /// Over a writer that does not block.
    pub fn over(writer: W) -> Self {
        Self { writer, waiting: VecDeque::new() }
    }

    /// Writes what can be written now; true if nothing is left.
    fn push(&mut self) -> bool {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            match self.writer.write(front) {
                Ok(0) => return false,
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Gives a listener a last chance, at most this long.
    pub fn close(mut self, at_most: Duration) {
        let until = Instant::now() + at_most;
        while !self.push() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl<W: Write> Sink for Port<W> {
    fn event(&mut self, event: &Event) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            self.waiting.extend(line);
        }
        self.push();
        // Whole lines go, so that a late listener begins with a whole one.
        while self.waiting.len() > BACKLOG {
            match self.waiting.iter().position(|byte| *byte == b'\n') {
                Some(end) => drop(self.waiting.drain(..=end)),
                None => self.waiting.clear(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::report::Verdict;

    use super::*;

    /// Takes a few bytes at a time, and none while it is closed.
    #[derive(Default)]
    struct Narrow {
        open: bool,
        got: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if !self.open {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(7);
            self.got.extend_from_slice(&bytes[..count]);
            Ok(count)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_late_listener_hears_everything_in_order() {
        let mut port = Port::over(Narrow::default());
        port.event(&Event::Waiting { reason: "no seed".into() });
        assert!(port.writer.got.is_empty());
        port.writer.open = true;
        port.event(&Event::Finished { verdict: Verdict::NoChange });
        assert_eq!(
            String::from_utf8(port.writer.got).unwrap(),
            "{\"event\":\"waiting\",\"reason\":\"no seed\"}\n\
             {\"event\":\"finished\",\"verdict\":{\"verdict\":\"no-change\"}}\n"
        );
    }

    #[test]
    fn what_nobody_hears_does_not_fill_the_memory() {
        let mut port = Port::over(Narrow::default());
        for _ in 0..100 {
            port.event(&Event::Waiting { reason: "x".repeat(100_000) });
        }
        assert!(port.waiting.len() <= BACKLOG);
        assert_eq!(port.waiting.front(), Some(&b'{'));
    }
}
