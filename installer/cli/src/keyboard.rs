//! Lines that a person types on any console.
//!
//! Consoles are only read while somebody is asked: a shell that was opened on one of them must
//! get every line that is typed there.

use std::{
    collections::VecDeque,
    fs::File,
    io::Read as _,
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::termios::{InputFlags, LocalFlags, OutputFlags, SetArg, tcgetattr, tcsetattr},
};

/// A line and where it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Name of the console, such as `ttyS0`.
    pub console: String,
    /// Without its line break.
    pub text: String,
}

/// All consoles' keyboards as one.
#[derive(Default)]
pub struct Keyboard {
    consoles: Vec<Console>,
    typed: VecDeque<Line>,
}

struct Console {
    name: String,
    file: File,
    /// What was typed of a line that is not at its end.
    part: Vec<u8>,
    /// Somebody else reads there now.
    lent: bool,
}

impl Keyboard {
    /// No console: nobody types.
    pub fn none() -> Self {
        Self::default()
    }

    /// Listens on one more console.
    pub fn add(&mut self, console: impl Into<String>, file: File) {
        sane(&file);
        let name = console.into();
        self.consoles.push(Console { name, file, part: Vec::new(), lent: false });
    }

    /// Does not read on this console, where somebody else does, until [`Self::take_back`].
    pub fn lend(&mut self, console: &str) {
        for found in self.consoles.iter_mut().filter(|found| found.name == console) {
            found.lent = true;
            // The beginning of a line that was typed for us is no answer to the other one.
            found.part.clear();
        }
    }

    /// Reads there again.
    pub fn take_back(&mut self, console: &str) {
        for found in self.consoles.iter_mut().filter(|found| found.name == console) {
            found.lent = false;
        }
    }

    /// Does not listen there any more.
    pub fn remove(&mut self, console: &str) {
        self.consoles.retain(|found| found.name != console);
    }

    /// Somebody could type.
    pub fn exists(&self) -> bool {
        !self.consoles.is_empty()
    }

    /// The next line, if one comes within this time.
    pub fn line(&mut self, at_most: Duration) -> Option<Line> {
        let until = Instant::now() + at_most;
        loop {
            if let Some(line) = self.typed.pop_front() {
                return Some(line);
            }
            let left = until.saturating_duration_since(Instant::now());
            self.read(left);
            if left.is_zero() && self.typed.is_empty() {
                return None;
            }
        }
    }

    /// Forgets what was typed while nobody asked.
    pub fn forget(&mut self) {
        while self.read(Duration::ZERO) {}
        self.typed.clear();
    }

    /// The next line, not shown while it is typed; none if no console is left.
    pub fn hidden(&mut self) -> Option<Line> {
        self.echo(false);
        let line = loop {
            match self.line(Duration::from_secs(1)) {
                Some(line) => break Some(line),
                None if self.exists() => {}
                None => break None,
            }
        };
        self.echo(true);
        line
    }

    /// Reads what is typed within this time; false if that was nothing.
    fn read(&mut self, at_most: Duration) -> bool {
        if self.consoles.iter().all(|console| console.lent) {
            std::thread::sleep(at_most);
            return false;
        }
        let mut asked: Vec<PollFd<'_>> = self
            .consoles
            .iter()
            .filter(|console| !console.lent)
            .map(|console| PollFd::new(console.file.as_fd(), PollFlags::POLLIN))
            .collect();
        // Rounded up: a wait of less than a millisecond must not become a busy one.
        let milliseconds = u16::try_from(at_most.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        // Interrupted by a signal: the caller asks again.
        let _ = poll(&mut asked, PollTimeout::from(milliseconds));
        let events: Vec<PollFlags> =
            asked.iter().map(|one| one.revents().unwrap_or(PollFlags::empty())).collect();
        let mut any = false;
        let mut events = events.into_iter();
        let typed = &mut self.typed;
        self.consoles.retain_mut(|console| {
            if console.lent {
                return true;
            }
            match events.next().unwrap_or(PollFlags::empty()) {
                event if event.contains(PollFlags::POLLIN) => {
                    any = true;
                    console.take(typed)
                }
                // A line that hung up, or no such hardware: it has no keyboard any more.
                event => event.is_empty(),
            }
        });
        any
    }

    fn echo(&self, on: bool) {
        for Console { file, .. } in &self.consoles {
            if let Ok(mut settings) = tcgetattr(file) {
                settings.local_flags.set(LocalFlags::ECHO, on);
                // A console that is no terminal shows nothing by itself.
                let _ = tcsetattr(file, SetArg::TCSANOW, &settings);
            }
        }
    }
}

/// A console that takes whole lines and shows what is typed, whatever a program that was killed has
/// made of it.
fn sane(console: &File) {
    let Ok(mut settings) = tcgetattr(console) else { return };
    settings.local_flags.insert(
        LocalFlags::ICANON
            | LocalFlags::ECHO
            | LocalFlags::ECHOE
            | LocalFlags::ISIG
            | LocalFlags::IEXTEN,
    );
    settings.input_flags.insert(InputFlags::ICRNL);
    settings.output_flags.insert(OutputFlags::OPOST | OutputFlags::ONLCR);
    // A console that refuses stays as it is; that is no reason to stop.
    let _ = tcsetattr(console, SetArg::TCSANOW, &settings);
}

impl Console {
    /// Takes what was typed; false if this console cannot be read. Nothing at all is Ctrl-D.
    fn take(&mut self, typed: &mut VecDeque<Line>) -> bool {
        let mut buffer = [0; 4096];
        let Ok(count) = self.file.read(&mut buffer) else { return false };
        self.part.extend_from_slice(&buffer[..count]);
        while let Some(end) = self.part.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.part.drain(..=end).collect();
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            typed.push_back(Line { console: self.name.clone(), text });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::testing::pipe;

    fn line(console: &str, text: &str) -> Option<Line> {
        Some(Line { console: console.into(), text: text.into() })
    }

    #[test]
    fn lines_know_their_console_and_one_that_hangs_up_is_dropped() {
        let mut keyboard = Keyboard::none();
        assert!(!keyboard.exists());
        let (screen, mut screen_keys) = pipe();
        let (serial, mut serial_keys) = pipe();
        keyboard.add("tty1", screen);
        keyboard.add("ttyS0", serial);
        serial_keys.write_all(b"shell\r\n\nhal").unwrap();
        assert_eq!(keyboard.line(Duration::from_secs(60)), line("ttyS0", "shell"));
        assert_eq!(keyboard.line(Duration::from_secs(60)), line("ttyS0", ""));
        assert_eq!(keyboard.line(Duration::from_millis(1)), None);
        serial_keys.write_all(b"f\n").unwrap();
        drop(serial_keys);
        assert_eq!(keyboard.line(Duration::from_secs(60)), line("ttyS0", "half"));
        screen_keys.write_all(b"here\n").unwrap();
        assert_eq!(keyboard.line(Duration::from_secs(60)), line("tty1", "here"));
        drop(screen_keys);
        assert_eq!(keyboard.hidden(), None);
        assert!(!keyboard.exists());
    }

    #[test]
    fn what_was_typed_before_the_question_is_no_answer() {
        let mut keyboard = Keyboard::none();
        let (screen, mut keys) = pipe();
        keyboard.add("tty1", screen);
        keys.write_all(b"\n\n").unwrap();
        keyboard.forget();
        keys.write_all(b"yes\n").unwrap();
        assert_eq!(keyboard.hidden(), line("tty1", "yes"));
    }

    #[test]
    fn nobody_reads_while_nobody_asks() {
        let mut keyboard = Keyboard::none();
        let (screen, mut keys) = pipe();
        let mut shell = screen.try_clone().unwrap();
        keyboard.add("tty1", screen);
        keys.write_all(b"ls\n").unwrap();
        let mut got = [0; 3];
        shell.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"ls\n");
        assert_eq!(keyboard.line(Duration::ZERO), None);
    }

    #[test]
    fn a_lent_console_is_left_alone() {
        let mut keyboard = Keyboard::none();
        let (screen, mut keys) = pipe();
        let mut other = screen.try_clone().unwrap();
        keyboard.add("tty1", screen);
        keyboard.lend("tty1");
        keys.write_all(b"mine\n").unwrap();
        assert_eq!(keyboard.line(Duration::from_millis(1)), None);
        let mut got = [0; 5];
        other.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"mine\n");
        keyboard.take_back("tty1");
        keys.write_all(b"yours\n").unwrap();
        assert_eq!(keyboard.line(Duration::from_secs(60)), line("tty1", "yours"));
        keyboard.remove("tty1");
        assert!(!keyboard.exists());
    }
}
