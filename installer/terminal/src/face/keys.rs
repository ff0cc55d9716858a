//! What is typed at one console.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::AsFd as _,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::termios::{
        InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
    },
};

/// Milliseconds after an escape within which the rest of a sequence comes; at 9600 baud each byte
/// takes one.
const SEQUENCE: u16 = 60;

/// Milliseconds between two looks at the rest of the world while a key is waited for.
pub(super) const LOOK: u16 = 200;

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Letter(char),
    Enter,
    Backspace,
    /// Takes the whole line away.
    Clear,
    Up,
    Down,
    Escape,
    /// Ctrl-C, Ctrl-D, or nobody is there any more.
    Gone,
    /// One that means nothing here.
    Other,
}

/// A keyboard. When it goes out of use, the console is as it was before.
pub(super) struct Keys {
    file: File,
    before: Option<Termios>,
    raw: bool,
}

impl Keys {
    /// Reads from this console; `raw`: key by key.
    pub(super) fn new(file: File, raw: bool) -> io::Result<Self> {
        let before = tcgetattr(&file).ok();
        if let Some(mut settings) = before.clone().filter(|_| raw) {
            settings.local_flags.remove(
                LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG | LocalFlags::IEXTEN,
            );
            settings.input_flags.remove(InputFlags::IXON);
            settings.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
            settings.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
            tcsetattr(&file, SetArg::TCSADRAIN, &settings)?;
        }
        Ok(Self { file, before, raw })
    }

    /// Keys come one by one, and the kernel shows nothing of them.
    pub(super) fn is_raw(&self) -> bool {
        self.raw
    }

    /// The next key; waits for it.
    pub(super) fn key(&mut self) -> io::Result<Key> {
        let Some(byte) = self.byte()? else { return Ok(Key::Gone) };
        Ok(match byte {
            3 | 4 => Key::Gone,
            b'\r' | b'\n' => Key::Enter,
            8 | 127 => Key::Backspace,
            21 => Key::Clear,
            27 => self.sequence()?,
            0..32 => Key::Other,
            first => self.letter(first)?,
        })
    }

    /// What follows an escape: nothing, or the rest of a function key.
    fn sequence(&mut self) -> io::Result<Key> {
        if !self.more(SEQUENCE)? {
            return Ok(Key::Escape);
        }
        if !matches!(self.byte()?, Some(b'[' | b'O')) {
            return Ok(Key::Other);
        }
        // Parameters, then one byte that ends it.
        while self.more(SEQUENCE)? {
            match self.byte()? {
                Some(b'A') => return Ok(Key::Up),
                Some(b'B') => return Ok(Key::Down),
                Some(b'0'..=b'9' | b';' | b'[') => {}
                _ => break,
            }
        }
        Ok(Key::Other)
    }

    /// A character of one to four bytes.
    fn letter(&mut self, first: u8) -> io::Result<Key> {
        let length = match first {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
            _ => 1,
        };
        let mut bytes = vec![first];
        while bytes.len() < length {
            match self.byte()? {
                Some(byte) => bytes.push(byte),
                None => return Ok(Key::Gone),
            }
        }
        let letter = std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next());
        Ok(letter.map_or(Key::Other, Key::Letter))
    }

    /// The next byte; none at the end.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        let mut one = [0];
        loop {
            match self.file.read(&mut one) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(one[0])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What a terminal says whose other end is closed.
                Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether something comes within so many milliseconds; the end of the input counts.
    pub(super) fn more(&self, at_most: u16) -> io::Result<bool> {
        let mut asked = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        match poll(&mut asked, PollTimeout::from(at_most)) {
            Ok(count) => Ok(count > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The next line, as the kernel lets it be edited; none at the end.
    pub(super) fn line(&mut self) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                None if bytes.is_empty() => return Ok(None),
                None | Some(b'\n') => break,
                Some(byte) => bytes.push(byte),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(Some(text.trim_end_matches('\r').to_owned()))
    }

    /// Whether the kernel shows what is typed.
    pub(super) fn echo(&self, on: bool) {
        if let (Some(mut settings), false) = (self.before.clone(), self.raw) {
            settings.local_flags.set(LocalFlags::ECHO, on);
            // A console that refuses shows what is typed; that is no reason to stop.
            let _ = tcsetattr(&self.file, SetArg::TCSADRAIN, &settings);
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The console may be gone.
            let _ = tcsetattr(&self.file, SetArg::TCSADRAIN, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn typed(bytes: &[u8]) -> Keys {
        let (read, write) = nix::unistd::pipe().unwrap();
        File::from(write).write_all(bytes).unwrap();
        Keys::new(File::from(read), true).unwrap()
    }

    #[test]
    fn keys_of_all_kinds_of_terminals() {
        let mut keys = typed(b"a\xc3\xa4\x1b[A\x1bOB\x1b[3~\x7f\x15\r\x01\xff\x03\x1b");
        let expected = [
            Key::Letter('a'),
            Key::Letter('\u{e4}'),
            Key::Up,
            Key::Down,
            Key::Other,
            Key::Backspace,
            Key::Clear,
            Key::Enter,
            Key::Other,
        ];
        for key in expected {
            assert_eq!(keys.key().unwrap(), key);
        }
        // Four bytes that are no character.
        assert_eq!(keys.key().unwrap(), Key::Gone);
    }

    #[test]
    fn lines_end_with_the_input() {
        let mut keys = typed(b"one\r\ntwo\n\nthree");
        let mut lines = Vec::new();
        while let Some(line) = keys.line().unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "two", "", "three"]);
    }
}
