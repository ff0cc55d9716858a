//! The program at a pseudo-terminal of 80x24.

use std::{
    io::{Read, Write},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// A machine that is busy with other tests is slow; nothing waits for so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// A page is written at once; nothing more comes within this time.
const QUIET: Duration = Duration::from_millis(100);

/// A program, what it has written, and what its screen shows.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    written: String,
    /// Keys that were pressed so far; Enter is one.
    pub pressed: usize,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts `homelab-image` in a folder. `term` is its `TERM`.
    pub fn start(term: &str, folder: &Path, arguments: &[&str]) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_homelab-image"));
        command.args(arguments);
        command.cwd(folder);
        command.env("TERM", term);
        // What the program would otherwise guess from this machine.
        command.env("TZ", "Europe/Berlin");
        command.env("XKB_DEFAULT_LAYOUT", "us");
        command.env("HOME", folder);
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let screen = vt100::Parser::new(24, 80, 0);
        let (written, pressed) = (String::new(), 0);
        Self { child, writer, bytes, screen, written, pressed, _master: pair.master }
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        self.pressed += keys.chars().count();
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Types a line.
    pub fn line(&mut self, line: &str) {
        self.keys(&format!("{line}\r"));
    }

    /// Waits until what is there pleases, and is complete.
    fn wait(&mut self, what: &str, pleases: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut quiet = false;
        while !(quiet && pleases(self)) {
            match self.bytes.recv_timeout(QUIET) {
                Ok(bytes) => {
                    quiet = false;
                    self.screen.process(&bytes);
                    self.written.push_str(&String::from_utf8_lossy(&bytes));
                }
                Err(RecvTimeoutError::Timeout) => quiet = true,
                Err(RecvTimeoutError::Disconnected) if pleases(self) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it ended before it showed {what}:\n{}", self.screen())
                }
            }
            assert!(Instant::now() < until, "it never showed {what}:\n{}", self.screen());
        }
    }

    /// Waits until the screen shows all of this; what it shows then.
    pub fn shows(&mut self, texts: &[&str]) -> String {
        self.wait(&format!("{texts:?}"), |terminal| {
            let screen = terminal.screen();
            texts.iter().all(|text| screen.contains(text))
        });
        self.screen()
    }

    /// What was written since the last time, up to a line that waits for input after this text.
    pub fn asks(&mut self, text: &str) -> String {
        self.wait(text, |terminal| {
            let said = &terminal.written;
            said.contains(text) && said.ends_with("> ")
        });
        std::mem::take(&mut self.written).replace('\r', "")
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        let mut lines: Vec<String> =
            self.screen.screen().rows(0, 80).map(|line| line.trim_end().to_owned()).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.join("\n")
    }

    /// Waits for the end: what was written since the last time, and the exit code.
    pub fn end(mut self) -> (String, u32) {
        let until = Instant::now() + PATIENCE;
        while let Ok(bytes) = self.bytes.recv_timeout(PATIENCE) {
            self.screen.process(&bytes);
            self.written.push_str(&String::from_utf8_lossy(&bytes));
            assert!(Instant::now() < until, "it does not end");
        }
        let code = self.child.wait().unwrap().exit_code();
        (self.written.replace('\r', ""), code)
    }
}
