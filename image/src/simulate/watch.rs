//! Watches a virtual machine until the box in it has come to an end, and ends it.

use std::{
    fs,
    io::Write as _,
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use host::{
    command::{Command, Runner},
    interrupt::Interrupt,
};
use model::report::{Event, Verdict};
use terminal::progress::{Progress, verdict_text};

use crate::error::last_words;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// How long the final page may take to come over the serial line after its event.
const PAGE: Duration = Duration::from_secs(60);
/// Progress lines of one step are at least this far apart.
const EVERY: Duration = Duration::from_secs(5);

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The box is ready.
    Ready,
    /// The box refused the seed.
    Refused(Vec<String>),
    /// A step failed, and which.
    Failed(String),
    /// It took longer than so many seconds.
    TooLong(u64),
    /// Somebody stopped it.
    Stopped,
    /// The virtual machine ended by itself, and what it said.
    Gone(String),
}

/// A virtual machine that is to be watched.
pub struct Watch<'a> {
    /// Runs it.
    pub runner: &'a dyn Runner,
    /// QEMU; what it prints are the events of the box.
    pub command: &'a Command,
    /// The socket on which QEMU is told to end.
    pub control: &'a Path,
    /// The file that the serial console is written to.
    pub console: &'a Path,
    /// How long it may take.
    pub at_most: Duration,
    /// Whether somebody wants to stop it.
    pub interrupt: &'a Interrupt,
}

/// What is known so far.
#[derive(Default)]
struct Heard {
    ending: Option<(Ending, Instant)>,
    /// Words of QEMU's own.
    words: Vec<String>,
}

impl Watch<'_> {
    /// Until the end. `say` gets a line of progress at a time.
    pub fn watch(&self, say: &mut (dyn FnMut(&str) + Send)) -> Ending {
        let begun = Instant::now();
        let heard = Mutex::new(Heard::default());
        let over = AtomicBool::new(false);
        let mut progress = Progress::new(EVERY);
        let mut lines = |line: &str| match serde_json::from_str::<Event>(line) {
            Ok(event) => {
                for line in progress.lines(&event, begun.elapsed()) {
                    say(&line);
                }
                let mut heard = lock(&heard);
                if heard.ending.is_none() {
                    heard.ending = ending(event).map(|ending| (ending, Instant::now()));
                }
            }
            Err(_) => lock(&heard).words.push(line.to_owned()),
        };
        let result = thread::scope(|scope| {
            scope.spawn(|| self.guard(begun, &heard, &over));
            let result = self.runner.run_with_lines(self.command, &mut lines);
            over.store(true, Ordering::SeqCst);
            result
        });
        let Heard { ending, words } = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (ending, result) {
            (Some((ending, _)), _) => ending,
            (None, _) if self.interrupt.came() => Ending::Stopped,
            (None, Err(error)) => {
                let last = words.last().cloned();
                Ending::Gone(last.unwrap_or_else(|| last_words(&error).to_owned()))
            }
            (None, Ok(_)) => Ending::Gone("it was switched off".to_owned()),
        }
    }

    /// Ends the machine when there is nothing more to hear, or nobody wants to any more.
    fn guard(&self, begun: Instant, heard: &Mutex<Heard>, over: &AtomicBool) {
        while !over.load(Ordering::SeqCst) {
            thread::sleep(LOOK);
            let enough = {
                let mut heard = lock(heard);
                if heard.ending.is_none() {
                    let ending = if self.interrupt.came() {
                        Some(Ending::Stopped)
                    } else if begun.elapsed() >= self.at_most {
                        Some(Ending::TooLong(self.at_most.as_secs()))
                    } else {
                        None
                    };
                    heard.ending = ending.map(|ending| (ending, Instant::now()));
                }
                match &heard.ending {
                    None => false,
                    Some((Ending::Stopped | Ending::TooLong(_), _)) => true,
                    Some((_, since)) => since.elapsed() >= PAGE || self.page_is_there(),
                }
            };
            if enough {
                // A machine that does not listen yet is told again at the next look.
                let _ = self.quit();
            }
        }
    }

    fn page_is_there(&self) -> bool {
        let text = fs::read(self.console).unwrap_or_default();
        final_page(&String::from_utf8_lossy(&text)).is_some()
    }

    fn quit(&self) -> std::io::Result<()> {
        let mut socket = UnixStream::connect(self.control)?;
        socket.write_all(b"{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"quit\"}\n")?;
        // It hangs up when it ends; until then it must not find a closed socket.
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        std::io::copy(&mut socket, &mut std::io::sink()).map(drop)
    }
}

/// What an event says about the end.
fn ending(event: Event) -> Option<Ending> {
    match event {
        Event::SeedRefused { problems } => Some(Ending::Refused(problems)),
        Event::Finished { verdict: Verdict::Installed | Verdict::NoChange } => Some(Ending::Ready),
        Event::Finished { verdict } => Some(Ending::Failed(verdict_text(&verdict))),
        _ => None,
    }
}

/// The last whole card on a console that is about an end, not about waiting.
pub fn final_page(console: &str) -> Option<String> {
    let lines: Vec<String> = console.lines().map(plain).collect();
    let rule = "=".repeat(terminal::COLUMNS - 1);
    let rules: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| **line == rule).map(|(at, _)| at).collect();
    let card = rules.windows(2).rfind(|pair| {
        let title = lines.get(pair[0] + 1).map_or("", String::as_str);
        pair[1] > pair[0] + 1 && title.starts_with(" homelab: ")
    })?;
    Some(lines[card[0]..=card[1]].join("\n") + "\n")
}

/// A line without carriage returns and without escape sequences.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            if letters.next_if_eq(&'[').is_some() {
                // Parameters, then one letter that ends it.
                while letters.next_if(|c| !('@'..='~').contains(c)).is_some() {}
            }
            letters.next();
        } else if !letter.is_control() || letter == '\t' {
            plain.push(letter);
        }
    }
    plain
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
