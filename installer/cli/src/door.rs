//! The way by which a logged-in person's terminal becomes one more console of the installer:
//! `homelab setup` names its terminal on a socket that only root can open, and the installer reads
//! and writes there itself, so that there is one setup, whoever sits where.
//!
//! The connection is the sign of life of both ends: a terminal whose `homelab setup` has gone is no
//! console any more, and an installer that has ended lets the command end.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    os::unix::{
        fs::OpenOptionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use host::{Host, files};
use model::paths;
use nix::libc::O_NOCTTY;
use serde::{Deserialize, Serialize};

/// How long the one line of a caller may take; both ends run on this machine.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// What a caller says about its terminal.
#[derive(Debug, Serialize, Deserialize)]
struct Card {
    /// Its device.
    terminal: PathBuf,
    /// Its `TERM`.
    term: String,
}

/// Waits for callers.
pub struct Door {
    listener: UnixListener,
}

/// A terminal that somebody brought.
pub struct Caller {
    /// Such as `pts/0`.
    pub name: String,
    /// What is typed.
    pub input: File,
    /// What is shown.
    pub output: File,
    /// Its `TERM`.
    pub term: String,
    /// Closed: `homelab setup` has gone.
    pub line: UnixStream,
}

impl Door {
    /// Opens the door of this machine.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn open(host: &Host) -> host::Result<Self> {
        let path = host.path(paths::SETUP_SOCKET);
        let folder = path.parent().unwrap_or(Path::new("/"));
        // Nobody but root comes as far as the socket.
        files::ensure_folder(folder, 0o700, (0, 0))?;
        // Of an installer that was killed.
        files::remove(&path)?;
        let listen = || -> std::io::Result<UnixListener> {
            let listener = UnixListener::bind(&path)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        Ok(Self { listener: listen().map_err(files::failed("listen on", &path))? })
    }

    /// Whoever called since the last time; one whose terminal cannot be opened hangs up.
    pub fn callers(&self) -> Vec<Caller> {
        let mut callers = Vec::new();
        while let Ok((line, _)) = self.listener.accept() {
            callers.extend(caller(line));
        }
        callers
    }
}

fn caller(line: UnixStream) -> Option<Caller> {
    line.set_nonblocking(false).ok()?;
    line.set_read_timeout(Some(HANDSHAKE)).ok()?;
    let mut said = String::new();
    BufReader::new(line.try_clone().ok()?).read_line(&mut said).ok()?;
    let card: Card = serde_json::from_str(&said).ok()?;
    // Never as our own terminal: its Ctrl-C is not for us.
    let open = |write: bool| {
        let mut options = OpenOptions::new();
        options.read(!write).write(write).custom_flags(O_NOCTTY).open(&card.terminal).ok()
    };
    let name = card.terminal.strip_prefix("/dev").unwrap_or(&card.terminal).display().to_string();
    let (input, output) = (open(false)?, open(true)?);
    line.set_nonblocking(true).ok()?;
    Some(Caller { name, input, output, term: card.term, line })
}

/// Whether a caller is still there.
pub fn is_there(mut line: &UnixStream) -> bool {
    match line.read(&mut [0; 1]) {
        Ok(0) => false,
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// Brings this terminal to the installer, and waits until one of the two has had enough.
///
/// # Errors
/// The installer does not listen, or hung up.
pub fn call(host: &Host, terminal: &Path, term: &str) -> std::io::Result<()> {
    let mut line = UnixStream::connect(host.path(paths::SETUP_SOCKET))?;
    let card = Card { terminal: terminal.to_owned(), term: term.to_owned() };
    let text = serde_json::to_string(&card).map_err(std::io::Error::other)?;
    line.write_all(format!("{text}\n").as_bytes())?;
    let mut rest = Vec::new();
    line.read_to_end(&mut rest).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::testing::{self, host_in};

    /// Waits until somebody has called.
    fn called(door: &Door) -> Caller {
        loop {
            if let Some(caller) = door.callers().pop() {
                return caller;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_terminal_is_handed_over_and_both_ends_know_when_the_other_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        assert_eq!(
            call(&host, Path::new("/dev/pts/0"), "").unwrap_err().kind(),
            ErrorKind::NotFound
        );
        let door = Door::open(&host).unwrap();
        let place = host.path(paths::SETUP_SOCKET);
        let mode = std::fs::metadata(place.parent().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let pty = testing::pty();
        let (terminal, host) = (pty.path.clone(), host.clone());
        let client = std::thread::spawn(move || call(&host, &terminal, "xterm"));
        let mut caller = called(&door);
        assert!(caller.name.starts_with("pts/"), "{}", caller.name);
        assert_eq!(caller.term, "xterm");
        assert!(is_there(&caller.line));
        caller.output.write_all(b"hello\n").unwrap();
        pty.shows("hello");
        drop(caller);
        client.join().unwrap().unwrap();
    }

    #[test]
    fn who_hangs_up_is_not_there_and_who_talks_nonsense_gets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        let door = Door::open(&host).unwrap();
        let connect = || UnixStream::connect(host.path(paths::SETUP_SOCKET)).unwrap();
        let pty = testing::pty();
        let mut line = connect();
        writeln!(line, "{{\"terminal\": {:?}, \"term\": \"\"}}", pty.path).unwrap();
        let caller = called(&door);
        assert!(is_there(&caller.line));
        drop(line);
        assert!(!is_there(&caller.line));
        let mut nonsense = connect();
        nonsense.write_all(b"GET / HTTP/1.1\n").unwrap();
        assert!(door.callers().is_empty());
        // An installer that was killed leaves its socket behind.
        drop(door);
        assert!(Door::open(&host).is_ok());
    }
}
