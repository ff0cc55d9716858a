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

/// Lines that a console may lag behind.
const QUEUE: usize = 1024;

/// A set of consoles.
#[derive(Default)]
pub struct Consoles {
    list: Vec<Console>,
}

struct Console {
    name: String,
    queue: SyncSender<String>,
    thread: JoinHandle<()>,
}

impl Consoles {
    /// No console: everything said is lost.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a console, such as `ttyS0`. The writer may block.
    pub fn add(&mut self, name: impl Into<String>, mut writer: Box<dyn Write + Send>) {
        let (queue, lines) = sync_channel::<String>(QUEUE);
        let thread = std::thread::spawn(move || {
            while let Ok(line) = lines.recv() {
                if writer.write_all(line.as_bytes()).and_then(|()| writer.flush()).is_err() {
                    break;
                }
            }
        });
        self.list.push(Console { name: name.into(), queue, thread });
    }

    /// Names of the consoles that still take text.
    pub fn names(&self) -> Vec<&str> {
        self.list.iter().map(|console| console.name.as_str()).collect()
    }

    /// Says a line, or several, on every console.
    pub fn say(&mut self, text: &str) {
        for line in text.lines() {
            let line = format!("{line}\n");
            self.list.retain(|console| {
                !matches!(console.queue.try_send(line.clone()), Err(TrySendError::Disconnected(_)))
            });
        }
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
}
