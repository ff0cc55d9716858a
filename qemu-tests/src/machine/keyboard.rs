//! Somebody who types: on a serial line, or on the keyboard of the screen.

use std::{
    fs::OpenOptions,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// QEMU makes the socket while it starts.
const PATIENCE: Duration = Duration::from_secs(30);

/// The other end of a serial line.
pub struct SerialKeyboard {
    line: UnixStream,
}

impl SerialKeyboard {
    /// Connects for as long as the machine runs. What the guest says is added to `log`. QEMU's own
    /// log of such a socket would have some letters twice: it also notes what the socket does not
    /// take at once and is sent again.
    ///
    /// # Errors
    /// Nobody listens there, or the log cannot be opened.
    pub fn connect(socket: &Path, log: &Path) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        let line = loop {
            match UnixStream::connect(socket) {
                Ok(line) => break line,
                Err(error) if Instant::now() >= deadline => {
                    return Err(error)
                        .with_context(|| format!("cannot reach {}", socket.display()));
                }
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        };
        let mut said = line.try_clone().context("cannot listen to the serial line")?;
        let log = OpenOptions::new().create(true).append(true).open(log);
        let mut log = log.context("cannot open the log of the serial line")?;
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = said.read(&mut buffer) {
                // A line that nobody reads would stop the guest, so a full disk ends nothing.
                let _ = log.write_all(&buffer[..length]);
            }
        });
        Ok(Self { line })
    }

    /// Types as a terminal does: Enter is a carriage return.
    ///
    /// # Errors
    /// The machine is off.
    pub fn type_text(&mut self, text: &str) -> Result<()> {
        let bytes = text.replace('\n', "\r");
        self.line.write_all(bytes.as_bytes()).context("the serial line is gone")
    }
}

/// The keys of an American keyboard that make a letter, as QEMU names them; none: it has none here.
pub fn keys(letter: char) -> Option<Vec<String>> {
    let key = |name: &str| Some(vec![name.to_owned()]);
    match letter {
        'a'..='z' | '0'..='9' => key(&letter.to_string()),
        'A'..='Z' => Some(vec!["shift".to_owned(), letter.to_ascii_lowercase().to_string()]),
        '\n' => key("ret"),
        ' ' => key("spc"),
        '-' => key("minus"),
        '.' => key("dot"),
        '/' => key("slash"),
        '<' => Some(vec!["shift".to_owned(), "comma".to_owned()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn enter_is_a_carriage_return_and_what_is_said_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial");
        let listener = UnixListener::bind(&path).unwrap();
        let log = folder.path().join("serial.log");
        std::fs::write(&log, "before\n").unwrap();
        let mut keyboard = SerialKeyboard::connect(&path, &log).unwrap();
        let (mut guest, _) = listener.accept().unwrap();
        // More than any buffer between the two takes.
        guest.write_all(&vec![b'x'; 4 << 20]).unwrap();
        keyboard.type_text("plain\n").unwrap();
        let mut typed = [0; 6];
        guest.read_exact(&mut typed).unwrap();
        assert_eq!(&typed, b"plain\r");
        let written = || std::fs::metadata(&log).unwrap().len();
        let deadline = Instant::now() + PATIENCE;
        while written() < (4 << 20) + 7 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(written(), (4 << 20) + 7);
    }

    #[test]
    fn letters_and_their_keys() {
        let words = |text: &str| -> Vec<String> {
            text.chars().map(|letter| keys(letter).unwrap().join("+")).collect()
        };
        assert_eq!(words("aZ-0\n<"), ["a", "shift+z", "minus", "0", "ret", "shift+comma"]);
        assert_eq!(keys('\u{e4}'), None);
    }
}
