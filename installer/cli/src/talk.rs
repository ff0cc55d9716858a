//! Everything that the first boot says, to everybody who may listen: consoles, journal, port.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use engine::Sink;
use host::Host;
use model::{paths, report::Event};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    libc::{O_NOCTTY, O_NONBLOCK},
};
use terminal::{console::Consoles, progress::Progress};

use crate::{keyboard::Keyboard, port::Port};

/// Progress lines of one step are at least this far apart: a serial line is slow, a log is read.
const EVERY: Duration = Duration::from_secs(5);

/// All listeners.
pub struct Talk {
    consoles: Consoles,
    /// What is typed.
    pub keyboard: Keyboard,
    /// Standard output, which is the journal's.
    log: Box<dyn Write + Send>,
    port: Option<Port>,
    progress: Progress,
    begun: Instant,
}

impl Talk {
    /// Nobody but a log.
    pub fn to(log: Box<dyn Write + Send>) -> Self {
        Self {
            consoles: Consoles::none(),
            keyboard: Keyboard::none(),
            log,
            port: None,
            progress: Progress::new(EVERY),
            begun: Instant::now(),
        }
    }

    /// With the consoles and the event port of a machine; those that cannot be opened stay silent.
    pub fn on(host: &Host, log: Box<dyn Write + Send>) -> Self {
        let mut talk = Self::to(log);
        for path in host::consoles::active(host).unwrap_or_default() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(file) = open(&path, true) {
                talk.consoles.add(name.clone(), Box::new(file));
            }
            if let Some(file) = open(&path, false) {
                talk.keyboard.add(name, file);
            }
        }
        talk.port = Port::open(&host.path(paths::EVENT_PORT));
        talk
    }

    /// Says a text on every console and in the log.
    pub fn say(&mut self, text: &str) {
        self.consoles.say(text);
        self.log(text);
    }

    /// Says a text on the consoles only, where nothing is kept.
    pub fn show(&mut self, text: &str) {
        self.consoles.say(text);
    }

    /// Says a text in the log only.
    pub fn log(&mut self, text: &str) {
        // A journal that does not take it must not stop an install.
        let _ = self.log.write_all(text.trim_end().as_bytes());
        let _ = self.log.write_all(b"\n");
        let _ = self.log.flush();
    }

    /// Tells an event to the port only, not in words.
    pub fn signal(&mut self, event: &Event) {
        if let Some(port) = &mut self.port {
            port.event(event);
        }
    }

    /// A new run begins: its clock is at zero.
    pub fn restart_clock(&mut self) {
        self.begun = Instant::now();
        self.progress = Progress::new(EVERY);
    }

    /// Gives everybody a last chance to hear what was said.
    pub fn close(self) {
        self.consoles.close(Duration::from_secs(5));
        if let Some(port) = self.port {
            port.close(Duration::from_secs(5));
        }
    }
}

impl Sink for Talk {
    fn event(&mut self, event: &Event) {
        self.signal(event);
        for line in self.progress.lines(event, self.begun.elapsed()) {
            self.say(&line);
        }
    }
}

/// Opens a console without making it ours, and without waiting for a modem's carrier.
fn open(path: &Path, write: bool) -> Option<File> {
    let file = OpenOptions::new()
        .read(!write)
        .write(write)
        .custom_flags(O_NOCTTY | O_NONBLOCK)
        .open(path)
        .ok()?;
    // From here on it may block: each console has a thread of its own.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::empty())).ok()?;
    Some(file)
}
