//! Shows the phases of a build: one live line on a terminal, plain lines elsewhere.

use std::{
    io::{IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows phases and remembers how long they took.
#[derive(Clone)]
pub struct Progress {
    live: bool,
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    times: Arc<Mutex<Vec<(String, Duration)>>>,
}

/// A phase that is going on.
pub struct Phase<'a> {
    progress: &'a Progress,
    bar: ProgressBar,
    name: String,
    start: Instant,
}

impl Progress {
    /// Shows on stderr.
    pub fn stderr() -> Self {
        Self::new(std::io::stderr().is_terminal(), Box::new(std::io::stderr()))
    }

    fn new(live: bool, out: Box<dyn Write + Send>) -> Self {
        Self { live, out: Arc::new(Mutex::new(out)), times: Arc::default() }
    }

    /// Begins a phase.
    pub fn phase(&self, name: &str) -> Phase<'_> {
        let target =
            if self.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {prefix:<16} {elapsed:>5} {wide_msg}")
        {
            bar.set_style(style.tick_chars("|/-\\ "));
        }
        bar.set_prefix(name.to_owned());
        if self.live {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Phase { progress: self, bar, name: name.to_owned(), start: Instant::now() }
    }

    /// A line of its own.
    pub fn line(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed stderr must not end a build.
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }

    /// All phases that ended, with their times.
    pub fn times(&self) -> Vec<(String, Duration)> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Phase<'_> {
    /// What is going on, in a few words. Shown on a terminal only.
    pub fn note(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// A line above the live one, while the phase goes on.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| self.progress.line(text));
    }

    /// A line of its own where there is no live one.
    pub fn line_where_nobody_looks(&self, text: &str) {
        if !self.progress.live {
            self.progress.line(&format!("  {:<16} {text}", self.name));
        }
    }

    /// Ends the phase; `result` says what came out.
    pub fn done(self, result: &str) {
        let took = self.start.elapsed();
        self.bar.finish_and_clear();
        let seconds = took.as_secs_f64();
        self.progress.line(&format!("  {:<16} {seconds:>6.1} s  {result}", self.name));
        let mut times = self.progress.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.push((self.name.clone(), took));
    }
}

/// Bytes as a person reads them: `512 B`, `1.5 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(buffer);
            Ok(buffer.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn plain_lines_where_there_is_no_terminal() {
        let sink = Sink::default();
        let progress = Progress::new(false, Box::new(sink.clone()));
        let phase = progress.phase("base");
        phase.note("unpacking");
        phase.done("3 packages");
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(text.starts_with("  base  ") && text.ends_with(" s  3 packages\n"), "{text:?}");
        assert_eq!(progress.times()[0].0, "base");
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!([bytes(512), bytes(1536), bytes(5 << 30)], ["512 B", "1.5 KiB", "5.0 GiB"]);
    }
}
