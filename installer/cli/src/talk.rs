//! Everything that the first boot says, to everybody who may listen: consoles, journal, port.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::{fs::OpenOptionsExt as _, net::UnixStream},
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
use terminal::{
    console::{Consoles, rows},
    face::{Face, Looks},
    progress::Progress,
    qr,
};

use crate::{
    door::{self, Door},
    keyboard::Keyboard,
    port::Port,
};

/// Progress lines of one step are at least this far apart: a serial line is slow, a log is read.
const EVERY: Duration = Duration::from_secs(5);
/// How long a console may take to write what was said before somebody else writes there.
const SETTLE: Duration = Duration::from_secs(5);

/// All listeners.
pub struct Talk {
    consoles: Consoles,
    /// What is typed.
    pub keyboard: Keyboard,
    seats: Vec<Seat>,
    door: Option<Door>,
    /// Standard output, which is the journal's.
    log: Box<dyn Write + Send>,
    port: Option<Port>,
    progress: Progress,
    begun: Instant,
}

/// A console at which somebody can sit down.
struct Seat {
    name: String,
    input: File,
    output: File,
    term: String,
    /// Of a terminal that somebody brought.
    line: Option<UnixStream>,
}

impl Talk {
    /// Nobody but a log.
    pub fn to(log: Box<dyn Write + Send>) -> Self {
        Self {
            consoles: Consoles::none(),
            keyboard: Keyboard::none(),
            seats: Vec::new(),
            door: None,
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
            let term = if host::consoles::is_screen(&name) { "linux" } else { "vt220" };
            if let (Some(input), Some(output)) = (open(&path, false), open(&path, true)) {
                // A console that cannot be had twice stays silent, like one that cannot be opened.
                let _ = talk.add(&name, input, output, term);
            }
        }
        talk.port = Port::open(&host.path(paths::EVENT_PORT));
        talk.open_door(host);
        talk
    }

    /// From now on terminals can be brought by `homelab setup`.
    pub fn open_door(&mut self, host: &Host) {
        match Door::open(host) {
            Ok(door) => self.door = Some(door),
            Err(error) => self.log(&format!("warning: `homelab setup` cannot be used: {error}")),
        }
    }

    /// One more console.
    ///
    /// # Errors
    /// Its files cannot be had twice.
    pub fn add(&mut self, name: &str, input: File, output: File, term: &str) -> io::Result<()> {
        self.consoles.add(name, Box::new(output.try_clone()?));
        self.keyboard.add(name, input.try_clone()?);
        let (name, term) = (name.to_owned(), term.to_owned());
        self.seats.push(Seat { name, input, output, term, line: None });
        Ok(())
    }

    /// Takes in the terminals that were brought by `homelab setup` since the last time, and lets
    /// those go whose owner has left. The names of the new ones.
    pub fn attend(&mut self) -> Vec<String> {
        let gone = |seat: &Seat| seat.line.as_ref().is_some_and(|line| !door::is_there(line));
        let left: Vec<String> =
            self.seats.iter().filter(|s| gone(s)).map(|s| s.name.clone()).collect();
        for name in left {
            self.consoles.remove(&name);
            self.keyboard.remove(&name);
            self.seats.retain(|seat| seat.name != name);
        }
        let mut names = Vec::new();
        for caller in self.door.iter().flat_map(Door::callers).collect::<Vec<_>>() {
            // The same terminal may have called before.
            self.keyboard.remove(&caller.name);
            self.consoles.remove(&caller.name);
            self.seats.retain(|seat| seat.name != caller.name);
            if self.add(&caller.name, caller.input, caller.output, &caller.term).is_ok() {
                if let Some(seat) = self.seats.last_mut() {
                    seat.line = Some(caller.line);
                }
                names.push(caller.name);
            }
        }
        names
    }

    /// Whether this console is one of ours, and still there.
    pub fn has(&self, console: &str) -> bool {
        self.seats.iter().any(|seat| seat.name == console)
    }

    /// Leaves a console to a person: nothing is said and read there but by the face, until
    /// [`Self::take_back`]. `plain`: in lines, whatever the terminal can do.
    ///
    /// # Errors
    /// There is no such console, or it does not pass on each key.
    pub fn lend(&mut self, console: &str, plain: bool) -> io::Result<Face> {
        let seat = self.seats.iter().find(|seat| seat.name == console);
        let seat = seat.ok_or_else(|| io::Error::other("the console went away"))?;
        let looks = if plain { Looks::Plain } else { Looks::of(Some(&seat.term)) };
        let (input, output) = (seat.input.try_clone()?, seat.output.try_clone()?);
        self.consoles.lend(console, SETTLE);
        self.keyboard.lend(console);
        match Face::new(input, output, looks) {
            Ok(face) => Ok(face),
            Err(error) => {
                self.take_back(console);
                Err(error)
            }
        }
    }

    /// Speaks and listens again on a console that was lent.
    pub fn take_back(&mut self, console: &str) {
        self.consoles.take_back(console);
        self.keyboard.take_back(console);
    }

    /// Lets the terminal that somebody brought go; a console of the machine stays.
    pub fn hang_up(&mut self, console: &str) {
        let brought = |seat: &Seat| seat.name == console && seat.line.is_some();
        if self.seats.iter().any(brought) {
            self.consoles.remove(console);
            self.keyboard.remove(console);
            self.seats.retain(|seat| !brought(seat));
        }
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

    /// Says a text on one console only.
    pub fn say_on(&mut self, console: &str, text: &str) {
        self.consoles.say_on(console, text);
    }

    /// Shows a URL as a QR code on the screens on which a text of so many lines stays whole beside
    /// it. What a serial line can show is not known.
    pub fn show_code(&mut self, url: &str, lines: usize) {
        let Some(code) = qr::text(url, qr::Form::Blocks) else { return };
        let needed = lines + code.lines().count() + 3;
        let fits = |seat: &&Seat| {
            host::consoles::is_screen(&seat.name) && rows(&seat.output).is_some_and(|r| r >= needed)
        };
        let names: Vec<String> =
            self.seats.iter().filter(fits).map(|seat| seat.name.clone()).collect();
        for name in names {
            self.consoles.say_on(&name, &format!("{code} {url}\n"));
        }
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
        // Whoever comes meanwhile sees how it goes on.
        for name in self.attend() {
            self.say_on(&name, "the install is at work; it goes on by itself:");
        }
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
