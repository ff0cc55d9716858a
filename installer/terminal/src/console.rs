//! Writing to several consoles at once, none of which may hold up the work.
//!
//! A serial line is slow, a screen can be stopped with Ctrl-S, a port that the kernel believes in
//! may have no hardware. So each console has a thread and a queue of its own: a queue that is full
//! loses lines, and a console that refuses is dropped; the others go on.

use std::{
    io::Write,
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use dialoguer::console::Term;

/// Rows of a terminal; none: it does not say.
pub fn rows(terminal: &std::fs::File) -> Option<usize> {
    let terminal = Term::read_write_pair(terminal.try_clone().ok()?, terminal.try_clone().ok()?);
    terminal.size_checked().map(|(rows, _)| usize::from(rows)).filter(|rows| *rows > 0)
}

/// Lines that a console may lag behind.
const QUEUE: usize = 1024;

/// A set of consoles.
#[derive(Default)]
pub struct Consoles {
    list: Vec<Console>,
}

struct Console {
    name: String,
    queue: SyncSender<Said>,
    thread: JoinHandle<()>,
    /// Somebody else writes there now: nothing is said, so that it cannot garble that.
    lent: bool,
}

enum Said {
    Line(String),
    /// Whoever waits here learns that everything before it is written.
    Mark(SyncSender<()>),
}

impl Consoles {
    /// No console: everything said is lost.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a console, such as `ttyS0`. The writer may block.
    pub fn add(&mut self, name: impl Into<String>, mut writer: Box<dyn Write + Send>) {
        let (queue, lines) = sync_channel::<Said>(QUEUE);
        let thread = std::thread::spawn(move || {
            while let Ok(said) = lines.recv() {
                match said {
                    Said::Line(line) => {
                        if writer.write_all(line.as_bytes()).and_then(|()| writer.flush()).is_err()
                        {
                            break;
                        }
                    }
                    // Whoever waited may have gone away.
                    Said::Mark(written) => drop(written.send(())),
                }
            }
        });
        self.list.push(Console { name: name.into(), queue, thread, lent: false });
    }

    /// Names of the consoles that still take text.
    pub fn names(&self) -> Vec<&str> {
        self.list.iter().map(|console| console.name.as_str()).collect()
    }

    /// Says a line, or several, on every console that is not lent.
    pub fn say(&mut self, text: &str) {
        self.say_where(text, |_| true);
    }

    /// Says it on one console only.
    pub fn say_on(&mut self, name: &str, text: &str) {
        self.say_where(text, |console| console == name);
    }

    fn say_where(&mut self, text: &str, hears: impl Fn(&str) -> bool) {
        for line in text.lines() {
            let line = format!("{line}\n");
            self.list.retain(|console| {
                console.lent
                    || !hears(&console.name)
                    || !matches!(
                        console.queue.try_send(Said::Line(line.clone())),
                        Err(TrySendError::Disconnected(_))
                    )
            });
        }
    }

    /// Leaves a console to somebody else who writes there: waits until what was said on it is
    /// written, at most this long, and is silent there until [`Self::take_back`].
    pub fn lend(&mut self, name: &str, at_most: Duration) {
        let Some(console) = self.list.iter_mut().find(|console| console.name == name) else {
            return;
        };
        console.lent = true;
        let (written, wait) = sync_channel(1);
        if console.queue.try_send(Said::Mark(written)).is_ok() {
            // A console that is stopped is taken over all the same.
            let _ = wait.recv_timeout(at_most);
        }
    }

    /// Says again what is to be said there.
    pub fn take_back(&mut self, name: &str) {
        for console in self.list.iter_mut().filter(|console| console.name == name) {
            console.lent = false;
        }
    }

    /// Nothing is said on this console any more.
    pub fn remove(&mut self, name: &str) {
        self.list.retain(|console| console.name != name);
    }

    /// Waits until everything said is written, at most this long; then lets the consoles go. A
    /// thread that is still stuck in its console ends with the process.
    pub fn close(self, at_most: Duration) {
        let until = Instant::now() + at_most;
        let threads: Vec<_> = self.list.into_iter().map(|console| console.thread).collect();
        for thread in threads {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            if thread.is_finished() {
                // A writer that panicked has nothing left to say.
                drop(thread.join());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex, mpsc},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Blocks for ever, like a screen that was stopped.
    struct Stopped(mpsc::Receiver<()>);

    impl Write for Stopped {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stopped_console_holds_nobody_up() {
        let (release, stopped) = mpsc::channel();
        let good = Shared::default();
        let mut consoles = Consoles::none();
        consoles.add("tty1", Box::new(Stopped(stopped)));
        consoles.add("ttyS0", Box::new(good.clone()));
        for number in 0..QUEUE / 2 {
            consoles.say(&format!("{number}"));
        }
        assert_eq!(consoles.names(), ["tty1", "ttyS0"]);
        drop(release);
        consoles.close(Duration::from_secs(60));
        let text = String::from_utf8(good.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), QUEUE / 2);
        assert!(text.ends_with("\n511\n"), "{text}");
    }

    #[test]
    fn a_lent_console_is_silent_and_only_one_hears_what_is_for_it() {
        let (one, other) = (Shared::default(), Shared::default());
        let mut consoles = Consoles::none();
        consoles.add("tty1", Box::new(one.clone()));
        consoles.add("ttyS0", Box::new(other.clone()));
        consoles.say("all");
        consoles.lend("tty1", Duration::from_secs(60));
        assert_eq!(&one.0.lock().unwrap()[..], b"all\n", "what was said before is written");
        consoles.say("others");
        consoles.say_on("tty1", "lost");
        consoles.take_back("tty1");
        consoles.say_on("tty1", "back");
        consoles.close(Duration::from_secs(60));
        assert_eq!(&one.0.lock().unwrap()[..], b"all\nback\n");
        assert_eq!(&other.0.lock().unwrap()[..], b"all\nothers\n");
    }
}
