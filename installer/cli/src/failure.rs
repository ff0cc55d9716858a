//! What a command ends with when it does not end well, sorted by who has to act.

use model::{
    Problems,
    plan::StepId,
    report::{Outcome, Report, StepReport, Verdict},
};
use terminal::card::Stop;

/// Why a command could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// What the owner wrote is wrong, the seed or a stack of their own: exit 2.
    Wrong(Vec<Problems>),
    /// The machine, an earlier run or ourselves.
    Stopped {
        /// 3: the machine cannot do it; 4: a step failed; 70: a bug.
        exit: u8,
        /// What failed, why, and the way out.
        stop: Stop,
    },
}

impl Failure {
    /// The machine cannot do it.
    pub fn machine(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::stopped(3, what, Vec::new(), hint)
    }

    /// What was to be done at the machine, and why it could not.
    pub fn trouble(trouble: &engine::Trouble) -> Self {
        let mut causes = trouble.causes().into_iter();
        let what = causes.next().unwrap_or_default();
        Self::stopped(3, what, causes.collect(), trouble.hint())
    }

    /// A bug of ours, or a damaged image.
    pub fn bug(what: impl Into<String>, causes: Vec<String>) -> Self {
        let hint = "this is a bug in the installer, please report it with `homelab report`";
        Self::stopped(70, what, causes, hint)
    }

    fn stopped(
        exit: u8,
        what: impl Into<String>,
        causes: Vec<String>,
        hint: impl Into<String>,
    ) -> Self {
        let stop = Stop { what: what.into(), causes, done: String::new(), hint: hint.into() };
        Self::Stopped { exit, stop }
    }

    /// What the program exits with.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Wrong(_) => 2,
            Self::Stopped { exit, .. } => *exit,
        }
    }

    /// As text for standard error: problems with their place, or the failure with its causes.
    pub fn text(&self) -> String {
        match self {
            Self::Wrong(all) => {
                all.iter().map(terminal::problems::shown).collect::<Vec<_>>().join("\n")
            }
            Self::Stopped { stop, .. } => {
                let mut text = format!("error: {}\n", stop.what);
                for cause in &stop.causes {
                    text.push_str(&format!("  because: {cause}\n"));
                }
                if !stop.hint.is_empty() {
                    text.push_str(&format!("hint: {}\n", stop.hint));
                }
                text
            }
        }
    }

    /// As a card's content.
    pub fn stop(&self) -> Stop {
        match self {
            Self::Wrong(all) => Stop {
                what: "the seed or a stack of your own is wrong".to_owned(),
                causes: all.iter().flat_map(Problems::summary_lines).collect(),
                done: String::new(),
                hint: "correct the file, then run `homelab apply`".to_owned(),
            },
            Self::Stopped { stop, .. } => stop.clone(),
        }
    }

    /// As the report of a run that had no steps yet.
    pub fn report(&self, installer: &str, now: &str) -> Report {
        match self {
            Self::Wrong(all) => {
                let mut report = Report::new(installer, Verdict::Refused, self.exit(), now);
                report.problems = all.iter().flat_map(Problems::summary_lines).collect();
                report
            }
            Self::Stopped { exit, stop } => {
                let id = StepId::new("plan");
                let verdict = Verdict::Failed { step: id.clone() };
                let mut report = Report::new(installer, verdict, *exit, now);
                let mut causes = vec![stop.what.clone()];
                causes.extend(stop.causes.iter().cloned());
                let outcome = Outcome::Failed { causes, hint: stop.hint.clone() };
                let title = "Make the plan".to_owned();
                report.steps.push(StepReport { id, title, outcome, seconds: 0.0 });
                report
            }
        }
    }
}

impl From<engine::Failure> for Failure {
    fn from(failure: engine::Failure) -> Self {
        if let engine::Failure::Seed(problems) = failure {
            return Self::Wrong(vec![problems]);
        }
        let mut causes = failure.causes();
        let what = if causes.is_empty() { failure.to_string() } else { causes.remove(0) };
        Self::stopped(failure.exit(), what, causes, failure.hint())
    }
}

impl From<host::HostError> for Failure {
    fn from(error: host::HostError) -> Self {
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(&error);
        while let Some(source) = next {
            causes.push(source.to_string());
            next = source.source();
        }
        let hint = match &error {
            host::HostError::Refused { hint, .. } => hint.as_str(),
            _ => "",
        };
        Self::stopped(3, error.to_string(), causes, hint)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Wrong(vec![problems])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_error_names_its_cause_once() {
        let error = host::HostError::File {
            action: "write",
            path: "/etc/hosts".into(),
            source: std::io::Error::other("disk on fire"),
        };
        let failure = Failure::from(error);
        assert_eq!(failure.exit(), 3);
        assert_eq!(failure.text(), "error: cannot write `/etc/hosts`\n  because: disk on fire\n");
    }

    #[test]
    fn a_stop_without_steps_is_a_report_all_the_same() {
        let failure = Failure::machine("there is no seed", "put one there");
        let report = failure.report("0.1.0", "2026-11-22T20:00:00Z");
        assert_eq!(report.exit, 3);
        assert_eq!(report.verdict, Verdict::Failed { step: StepId::new("plan") });
        let stop = Stop::of(&report).unwrap();
        assert_eq!(stop.causes, ["there is no seed"]);
        assert_eq!(stop.hint, "put one there");
    }
}
