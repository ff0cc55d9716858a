//! What several tests of this crate need.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use host::Host;
use nix::{
    pty::{Winsize, openpty},
    sys::termios::{LocalFlags, tcgetattr},
};

/// A scripted host whose files lie below `folder`, with the folders that every system has.
pub fn host_in(folder: &Path) -> Host {
    for name in ["etc", "run", "proc", "var/lib"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    host::fake::host(folder).host()
}

/// A console that a test types on: what is read, and where it is typed.
pub fn pipe() -> (File, File) {
    let (read, write) = nix::unistd::pipe().unwrap();
    (read.into(), write.into())
}

/// Nothing waits for so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A console of 80x24 with a person before it.
pub struct Pty {
    /// Where it is typed, and what is shown there.
    master: File,
    /// What the program under test reads and writes.
    pub slave: File,
    /// The device.
    pub path: PathBuf,
    shown: Arc<Mutex<Vec<u8>>>,
    /// Up to where it was looked at.
    looked: Mutex<usize>,
}

/// A new console.
pub fn pty() -> Pty {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(&size, None).unwrap();
    let (master, slave) = (File::from(pair.master), File::from(pair.slave));
    let path = nix::unistd::ttyname(&slave).unwrap();
    let shown = Arc::new(Mutex::new(Vec::new()));
    let (mut reader, all) = (master.try_clone().unwrap(), shown.clone());
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            all.lock().unwrap_or_else(PoisonError::into_inner).extend(&buffer[..count]);
        }
    });
    Pty { master, slave, path, shown, looked: Mutex::new(0) }
}

impl Pty {
    /// All that was ever shown.
    pub fn said(&self) -> String {
        let bytes = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }

    /// Waits until this is shown, after what was waited for before.
    pub fn shows(&self, text: &str) {
        self.wait(text, |said| Some(said.find(text)? + text.len()));
    }

    /// Waits until something is asked in plain lines on a page with this text, after what was waited
    /// for before; the page.
    pub fn asks(&self, text: &str) -> String {
        self.wait(text, |said| (said.contains(text) && said.ends_with("> ")).then_some(said.len()))
    }

    /// Waits until `end` says up to where what is new was waited for.
    fn wait(&self, what: &str, end: impl Fn(&str) -> Option<usize>) -> String {
        let until = Instant::now() + PATIENCE;
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let said = self.said();
            let new = &said[*looked..];
            if let Some(end) = end(new) {
                *looked += end;
                return new[..end].to_owned();
            }
            assert!(Instant::now() < until, "it never showed `{what}`:\n{new}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Types.
    pub fn keys(&self, keys: &str) {
        (&self.master).write_all(keys.as_bytes()).unwrap();
    }

    /// Types a line.
    pub fn line(&self, line: &str) {
        self.keys(&format!("{line}\r"));
    }

    /// Whether the kernel takes whole lines and shows what is typed, as it did at the beginning.
    pub fn is_as_before(&self) -> bool {
        let flags = tcgetattr(&self.slave).unwrap().local_flags;
        flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }
}
