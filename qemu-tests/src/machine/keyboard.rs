//! Somebody who types: on a serial line, or on the keyboard of the screen.

use std::{
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
    /// Connects for as long as the machine runs. What the guest says is read and thrown away: QEMU
    /// writes it down, and a line that nobody reads would stop the guest.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(socket: &Path) -> Result<Self> {
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
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while matches!(said.read(&mut buffer), Ok(1..)) {}
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
        let mut keyboard = SerialKeyboard::connect(&path).unwrap();
        let (mut guest, _) = listener.accept().unwrap();
        // More than any buffer between the two takes.
        guest.write_all(&vec![b'x'; 4 << 20]).unwrap();
        keyboard.type_text("plain\n").unwrap();
        let mut typed = [0; 6];
        guest.read_exact(&mut typed).unwrap();
        assert_eq!(&typed, b"plain\r");
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
