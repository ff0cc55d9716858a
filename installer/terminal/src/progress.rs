//! A run as lines: events in, lines out. Pure; the caller brings the time.
//!
//! ```text
//!  0:00  16 steps
//!  0:02  [ 2/16] Identity: homelab
//!  0:05          changed, 2.3 s
//!  0:31  [11/16] Images: 12
//!  0:36          12 %, 42.0 MB of 350 MB, 8.1 MB/s, 1 of 12 images, traefik:v..
//!  1:20  verifying that everything holds
//! ```
//!
//! Lines are only ever appended, so that it works on a serial line, in a log and for whoever
//! attaches to the console late.

use std::{collections::HashMap, time::Duration};

use model::{
    plan::StepId,
    report::{Event, Outcome, Phase, Unit, Verdict},
};

use crate::{
    COLUMNS,
    number::{bytes, clock, percent, seconds},
    wrap,
};

/// Columns of the time and what separates it from the text.
const STAMP: usize = 7;

/// Turns the events of a run into lines.
#[derive(Debug)]
pub struct Progress {
    /// At least this long between two progress lines of one step.
    every: Duration,
    steps: Vec<StepId>,
    titles: HashMap<StepId, String>,
    /// The phase that was announced last.
    phase: Option<Phase>,
    /// The step whose title was printed last.
    shown: Option<StepId>,
    /// When its last progress line was printed, and what it said.
    printed: Option<(Duration, String)>,
    /// For the rate: when the step's bytes were first counted, and how many there were.
    origin: Option<(Duration, u64)>,
}

impl Progress {
    /// Progress lines of one step come at least `every` apart.
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            steps: Vec::new(),
            titles: HashMap::new(),
            phase: None,
            shown: None,
            printed: None,
            origin: None,
        }
    }

    /// The lines that an event is worth, `elapsed` after the run began; often none.
    pub fn lines(&mut self, event: &Event, elapsed: Duration) -> Vec<String> {
        let texts = self.texts(event, elapsed);
        texts.into_iter().flat_map(|text| stamped(elapsed, &text)).collect()
    }

    fn texts(&mut self, event: &Event, elapsed: Duration) -> Vec<Text> {
        match event {
            Event::Waiting { reason } => vec![Text::plain(format!("waiting: {reason}"))],
            Event::SeedRefused { problems } => {
                let mut texts = vec![Text::plain("the seed was refused; nothing was changed")];
                texts.extend(problems.iter().map(|line| Text::inner(0, line.clone())));
                texts
            }
            Event::SeedAccepted { digest, source } => {
                vec![Text::plain(format!("seed {} accepted from {source}", digest.short()))]
            }
            Event::Started { steps, plan, .. } => {
                self.steps = steps.iter().map(|step| step.id.clone()).collect();
                self.titles = steps.iter().map(|s| (s.id.clone(), s.title.clone())).collect();
                self.phase = None;
                self.shown = None;
                vec![Text::plain(format!("{} steps, plan {}", steps.len(), plan.short()))]
            }
            Event::Begun { step, phase } => self.begun(step, *phase),
            Event::Progress { step, done, total, unit, note } => {
                self.progress(step, *done, *total, *unit, note, elapsed)
            }
            Event::Ended { step, phase, outcome, seconds } => {
                self.ended(step, *phase, outcome, *seconds)
            }
            Event::Finished { verdict } => vec![Text::plain(verdict_text(verdict))],
        }
    }

    fn begun(&mut self, step: &StepId, phase: Phase) -> Vec<Text> {
        let mut texts = Vec::new();
        if self.phase != Some(phase) {
            match phase {
                Phase::Check => texts.push(Text::plain("checking what can be checked beforehand")),
                Phase::Verify => texts.push(Text::plain("verifying that everything holds")),
                Phase::Guard | Phase::Apply => {}
            }
            self.phase = Some(phase);
        }
        if phase == Phase::Apply {
            texts.extend(self.title(step));
        }
        texts
    }

    /// The step's own line, once.
    fn title(&mut self, step: &StepId) -> Option<Text> {
        if self.shown.as_ref() == Some(step) {
            return None;
        }
        self.shown = Some(step.clone());
        self.printed = None;
        self.origin = None;
        let title = self.titles.get(step).map_or(step.0.as_str(), String::as_str);
        Some(Text { mark: self.mark(step), text: title.to_owned() })
    }

    /// `[ 2/16] `
    fn mark(&self, step: &StepId) -> String {
        let width = self.steps.len().to_string().len();
        match self.steps.iter().position(|id| id == step) {
            Some(index) => format!("[{:>width$}/{}] ", index + 1, self.steps.len()),
            None => String::new(),
        }
    }

    fn inner(&self, step: &StepId, text: String) -> Text {
        Text::inner(self.mark(step).len(), text)
    }

    fn progress(
        &mut self,
        step: &StepId,
        done: u64,
        total: u64,
        unit: Unit,
        note: &str,
        elapsed: Duration,
    ) -> Vec<Text> {
        // While everything is checked or verified, steps come and go too fast to be told.
        let mut texts = match self.phase {
            Some(Phase::Check | Phase::Verify) => Vec::new(),
            _ => self.title(step).into_iter().collect::<Vec<_>>(),
        };
        let (since, from) = *self.origin.get_or_insert((elapsed, done));
        let mut parts = Vec::new();
        match unit {
            Unit::Bytes => {
                if let Some(percent) = percent(done, total) {
                    parts.push(format!("{percent} %"));
                    parts.push(format!("{} of {}", bytes(done), bytes(total)));
                } else if done > 0 {
                    parts.push(bytes(done));
                }
                let time = elapsed.saturating_sub(since).as_secs_f64();
                if time >= 1.0 && done > from {
                    let rate = (done - from) as f64 / time;
                    parts.push(format!("{}/s", bytes(rate as u64)));
                    if total > done {
                        let left = Duration::from_secs_f64((total - done) as f64 / rate);
                        parts.push(format!("{} left", clock(left)));
                    }
                }
            }
            Unit::Items if total > 0 => parts.push(format!("{done} of {total}")),
            Unit::Items if done > 0 => parts.push(done.to_string()),
            // A note without numbers.
            Unit::Items => {}
        }
        if !note.is_empty() {
            parts.push(note.to_owned());
        }
        // One line in any case: a serial line is slow, and the numbers come first.
        let room = COLUMNS - STAMP - self.mark(step).len();
        let text = cut(&parts.join(", "), room);
        let all = total > 0 && done == total;
        let due = match &self.printed {
            None => true,
            Some((at, said)) => *said != text && (all || elapsed.saturating_sub(*at) >= self.every),
        };
        if due {
            self.printed = Some((elapsed, text.clone()));
            texts.push(self.inner(step, text));
        }
        texts
    }

    fn ended(&mut self, step: &StepId, phase: Phase, outcome: &Outcome, took: f64) -> Vec<Text> {
        // Every step ends in every phase; outside `apply` only bad news is news.
        let news = match outcome {
            Outcome::Failed { .. } => true,
            _ => phase == Phase::Apply,
        };
        if !news {
            return Vec::new();
        }
        if *outcome == Outcome::AlreadySo {
            return match self.title(step) {
                Some(title) => vec![Text { text: format!("{}: already so", title.text), ..title }],
                None => vec![self.inner(step, "already so".to_owned())],
            };
        }
        let mut texts: Vec<Text> = self.title(step).into_iter().collect();
        let short = |word: &str| match took {
            took if took < 0.05 => word.to_owned(),
            took => format!("{word}, {}", seconds(took)),
        };
        match outcome {
            Outcome::Changed => texts.push(self.inner(step, short("changed"))),
            Outcome::AlreadySo => {}
            Outcome::Warned { message } => {
                texts.push(self.inner(step, format!("warning: {message}")));
            }
            Outcome::Skipped { reason } => {
                texts.push(self.inner(step, format!("skipped: {reason}")));
            }
            Outcome::Held { reason } => texts.push(self.inner(step, format!("held: {reason}"))),
            Outcome::Failed { causes, hint } => {
                let first = causes.first().map_or("", String::as_str);
                texts.push(self.inner(step, format!("FAILED: {first}")));
                for cause in causes.iter().skip(1) {
                    texts.push(self.inner(step, format!("because: {cause}")));
                }
                if !hint.is_empty() {
                    texts.push(self.inner(step, format!("way out: {hint}")));
                }
            }
        }
        texts
    }
}

/// How a run ended, in one sentence.
pub fn verdict_text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Installed => "done: every step holds".to_owned(),
        Verdict::NoChange => "nothing to change: every step held before".to_owned(),
        Verdict::Failed { step } => format!("step `{step}` failed"),
        Verdict::Refused => "the seed was refused; nothing was changed".to_owned(),
    }
}

/// A text with what stands before it on its first line.
struct Text {
    mark: String,
    text: String,
}

impl Text {
    fn plain(text: impl Into<String>) -> Self {
        Self { mark: String::new(), text: text.into() }
    }

    fn inner(indent: usize, text: String) -> Self {
        Self { mark: " ".repeat(indent), text }
    }
}

/// A text of at most `room` characters.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(2)).collect();
    format!("{}..", kept.trim_end())
}

/// Time, mark, text; further lines are indented as far.
fn stamped(elapsed: Duration, text: &Text) -> Vec<String> {
    let indent = STAMP + text.mark.len();
    let mut lines = Vec::new();
    for (index, line) in wrap(&text.text, COLUMNS - indent).into_iter().enumerate() {
        lines.push(match index {
            0 => format!("{:>5}  {}{line}", clock(elapsed), text.mark),
            _ => format!("{:indent$}{line}", ""),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use model::{Digest, report::StepInfo};

    use super::*;

    fn started() -> Event {
        let info = |id: &str, title: &str| StepInfo { id: StepId::new(id), title: title.into() };
        Event::Started {
            format: 1,
            plan: Digest::of("plan"),
            steps: vec![
                info("clock", "Clock"),
                info("images", "Images: 12"),
                info("stacks/core", "Stack core: 9 services"),
            ],
        }
    }

    fn progress(step: &str, done: u64, total: u64, unit: Unit, note: &str) -> Event {
        Event::Progress { step: StepId::new(step), done, total, unit, note: note.into() }
    }

    fn begun(step: &str, phase: Phase) -> Event {
        Event::Begun { step: StepId::new(step), phase }
    }

    fn ended(step: &str, phase: Phase, outcome: Outcome, seconds: f64) -> Event {
        Event::Ended { step: StepId::new(step), phase, outcome, seconds }
    }

    /// All lines of a story of (seconds, event).
    fn told(story: Vec<(u64, Event)>) -> String {
        let mut progress = Progress::new(Duration::from_secs(5));
        story
            .iter()
            .flat_map(|(at, event)| progress.lines(event, Duration::from_secs(*at)))
            .map(|line| line + "\n")
            .collect()
    }

    #[test]
    fn a_good_run() {
        use Unit::{Bytes, Items};
        const LONG: &str = "1 of 2 images, ghcr.io/a-long-owner/a-long-name:2026.11.24";
        let story = vec![
            (0, started()),
            (0, begun("clock", Phase::Check)),
            (0, ended("clock", Phase::Check, Outcome::AlreadySo, 0.0)),
            (0, begun("images", Phase::Check)),
            (1, begun("clock", Phase::Guard)),
            (1, ended("clock", Phase::Apply, Outcome::AlreadySo, 0.01)),
            (2, begun("images", Phase::Apply)),
            (2, progress("images", 0, 0, Bytes, "0 of 2 images, traefik:v3.7.11")),
            (2, progress("images", 0, 0, Bytes, "0 of 2 images, sablierapp/sablier:1.16.2")),
            (4, progress("images", 20_000_000, 350_000_000, Bytes, "traefik:v3.7.11")),
            (7, progress("images", 42_000_000, 350_000_000, Bytes, LONG)),
            (42, progress("images", 350_000_000, 350_000_000, Bytes, "")),
            (43, ended("images", Phase::Apply, Outcome::Changed, 41.3)),
            (43, begun("stacks/core", Phase::Apply)),
            (44, progress("stacks/core", 3, 9, Items, "healthy; waiting for authelia")),
            (60, progress("stacks/core", 3, 9, Items, "healthy; waiting for authelia")),
            (75, ended("stacks/core", Phase::Apply, Outcome::Changed, 32.0)),
            (75, begun("clock", Phase::Verify)),
            (75, ended("clock", Phase::Verify, Outcome::AlreadySo, 0.0)),
            (76, Event::Finished { verdict: Verdict::Installed }),
        ];
        assert_eq!(
            told(story),
            " 0:00  3 steps, plan 64879f7d6b96
 0:00  checking what can be checked beforehand
 0:01  [1/3] Clock: already so
 0:02  [2/3] Images: 12
 0:02        0 of 2 images, traefik:v3.7.11
 0:07        12 %, 42.0 MB of 350 MB, 8.4 MB/s, 0:36 left, 1 of 2 images, ghcr..
 0:42        100 %, 350 MB of 350 MB, 8.8 MB/s
 0:43        changed, 41.3 s
 0:43  [3/3] Stack core: 9 services
 0:44        3 of 9, healthy; waiting for authelia
 1:15        changed, 32.0 s
 1:15  verifying that everything holds
 1:16  done: every step holds
"
        );
    }

    #[test]
    fn a_failure_says_why_and_breaks_its_lines() {
        let failed = Outcome::Failed {
            causes: vec![
                "service `authelia` did not become healthy within 120 s after it was started twice"
                    .into(),
                "exit status 1".into(),
            ],
            hint: "see `docker logs authelia`".into(),
        };
        let story = vec![
            (0, started()),
            (9, ended("stacks/core", Phase::Apply, failed, 3.0)),
            (9, Event::Finished { verdict: Verdict::Failed { step: StepId::new("stacks/core") } }),
        ];
        assert_eq!(
            told(story),
            " 0:00  3 steps, plan 64879f7d6b96
 0:09  [3/3] Stack core: 9 services
 0:09        FAILED: service `authelia` did not become healthy within 120 s
             after it was started twice
 0:09        because: exit status 1
 0:09        way out: see `docker logs authelia`
 0:09  step `stacks/core` failed
"
        );
    }

    #[test]
    fn before_there_is_a_plan() {
        let story = vec![
            (0, Event::Waiting { reason: "no seed yet".into() }),
            (1, Event::SeedRefused { problems: vec!["seed.toml:1:1: `schem` is no key".into()] }),
            (
                2,
                Event::SeedAccepted {
                    digest: Digest::of("abc"),
                    source: "the SEED partition".into(),
                },
            ),
        ];
        assert_eq!(
            told(story),
            " 0:00  waiting: no seed yet
 0:01  the seed was refused; nothing was changed
 0:01  seed.toml:1:1: `schem` is no key
 0:02  seed ba7816bf8f01 accepted from the SEED partition
"
        );
    }
}
