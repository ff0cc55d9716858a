//! Lines that a person types on any console.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, ErrorKind},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

/// A line and where it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Name of the console, such as `ttyS0`.
    pub console: String,
    /// Without its line break.
    pub text: String,
}

/// All consoles' keyboards as one.
pub struct Keyboard {
    sender: Sender<Line>,
    lines: Receiver<Line>,
    consoles: Vec<Arc<File>>,
}

impl Keyboard {
    /// No console: nobody types.
    pub fn none() -> Self {
        let (sender, lines) = channel();
        Self { sender, lines, consoles: Vec::new() }
    }

    /// Listens on one more console, in a thread that ends with the console or the process.
    pub fn add(&mut self, console: impl Into<String>, file: File) {
        let (console, file) = (console.into(), Arc::new(file));
        self.consoles.push(Arc::clone(&file));
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(&*file);
            loop {
                let mut text = String::new();
                match reader.read_line(&mut text) {
                    // Ctrl-D, or a line that hung up: somebody may come back.
                    Ok(0) => std::thread::sleep(Duration::from_secs(1)),
                    Ok(_) => {
                        let text = text.trim_end_matches(['\r', '\n']).to_owned();
                        if sender.send(Line { console: console.clone(), text }).is_err() {
                            return;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::InvalidData => {}
                    // A console that cannot be read (no such UART) has no keyboard.
                    Err(_) => return,
                }
            }
        });
    }

    /// Somebody could type.
    pub fn exists(&self) -> bool {
        !self.consoles.is_empty()
    }

    /// A way to type without a console, for tests.
    #[cfg(test)]
    pub fn hand(&self) -> Sender<Line> {
        self.sender.clone()
    }

    /// The next line, if one comes within this time.
    pub fn line(&self, at_most: Duration) -> Option<Line> {
        self.lines.recv_timeout(at_most).ok()
    }

    /// Forgets what was typed while nobody asked.
    pub fn forget(&self) {
        while self.lines.try_recv().is_ok() {}
    }

    /// The next line, not shown while it is typed.
    pub fn hidden(&self) -> Option<Line> {
        let echo = |on: bool| {
            for file in &self.consoles {
                if let Ok(mut settings) = tcgetattr(file) {
                    settings.local_flags.set(LocalFlags::ECHO, on);
                    // A console that is no terminal shows nothing by itself.
                    let _ = tcsetattr(file, SetArg::TCSANOW, &settings);
                }
            }
        };
        echo(false);
        let line = self.lines.recv().ok();
        echo(true);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_their_console() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tty");
        std::fs::write(&path, "shell\n\n").unwrap();
        let mut keyboard = Keyboard::none();
        assert!(!keyboard.exists());
        keyboard.add("ttyS0", File::open(path).unwrap());
        let line = |text: &str| Some(Line { console: "ttyS0".into(), text: text.into() });
        assert_eq!(keyboard.line(Duration::from_secs(60)), line("shell"));
        assert_eq!(keyboard.line(Duration::from_secs(60)), line(""));
        assert_eq!(keyboard.line(Duration::from_millis(1)), None);
    }
}
