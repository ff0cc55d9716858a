//! Progress on an interactive terminal: one bar that moves, finished steps as lines above it.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::report::{Event, Unit};

use crate::progress::Progress;

/// Draws events of a run on standard error.
pub struct Bars {
    lines: Progress,
    started: Instant,
    bar: ProgressBar,
}

impl Bars {
    /// Draws from now on. Where standard error is no terminal, nothing is drawn: use
    /// [`Progress`] there.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(plain());
        bar.enable_steady_tick(Duration::from_millis(200));
        // Progress itself is the bar's; the lines only tell beginnings and ends.
        Self { lines: Progress::new(Duration::MAX), started: Instant::now(), bar }
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        if let Event::Progress { done, total, unit, note, .. } = event {
            self.bar.set_style(match (unit, total) {
                (_, 0) => plain(),
                (Unit::Bytes, _) => style(
                    "  {bar:30} {percent:>3} % {bytes} of {total_bytes} {bytes_per_sec} {wide_msg}",
                ),
                (Unit::Items, _) => style("  {bar:30} {pos} of {len} {elapsed} {wide_msg}"),
            });
            self.bar.set_length(*total);
            self.bar.set_position(*done);
            self.bar.set_message(note.clone());
            return;
        }
        if matches!(event, Event::Begun { .. }) {
            self.bar.reset();
            self.bar.set_style(plain());
            self.bar.set_message("");
        }
        for line in self.lines.lines(event, self.started.elapsed()) {
            self.bar.println(line);
        }
        if matches!(event, Event::Finished { .. }) {
            self.bar.finish_and_clear();
        }
    }
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

fn plain() -> ProgressStyle {
    style("  {spinner} {elapsed} {wide_msg}")
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours and constant; a broken one would only cost the drawing.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
