//! Carries out a plan: check all, then guard and apply each step, then verify all.
//!
//! 1. **check** every step without changing anything: can it be done here? Whatever is missing is
//!    reported at once, and nothing was touched.
//! 2. for each step: look ([`Doing::holds`]). It holds: `AlreadySo`. Else **guard** (a last look
//!    at what may have changed since the check), **apply**, and look again: a step that was
//!    carried out and still does not hold has failed, whatever its programs said.
//! 3. **verify** all steps: a later step may have undone an earlier one.
//!
//! Events: `begun` and `ended` of phase `check` for each step; then `begun guard`, `begun apply`
//! if there is something to do, and one `ended apply` a step (`ended guard` if the guard
//! refused); then `begun` and `ended` of `verify`. A step that fails ends the run; those after it
//! are reported as skipped.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use model::{
    plan::{Action, Plan, Step},
    report::{Event, FORMAT, Outcome, Phase, Report, StepInfo, StepReport, Verdict},
};

use crate::{
    Context, Journal, Sink,
    failure::{Failure, Result, Trouble},
    reach,
    redact::Redactor,
    scene::{Progress, Scene},
    state::{Kept as _, Pinned},
    steps::{Holding, doing},
};

/// Carries out the plan and tells the sink.
pub fn run(plan: &Plan, context: &Context, sink: &mut dyn Sink) -> Report {
    let mut run = Run::new(plan, context, sink);
    run.started();
    if run.check_all() && run.apply_all() {
        run.verify_all(false);
    }
    run.finish()
}

/// Looks whether every step holds, and changes nothing. With [`Context::patience`] it looks again
/// at what does not hold, until that time is over.
pub fn verify(plan: &Plan, context: &Context, sink: &mut dyn Sink) -> Report {
    let mut run = Run::new(plan, context, sink);
    run.started();
    run.verify_all(true);
    run.finish()
}

/// Carries out nothing but the plan's certificate, if it does not hold; true if it was made anew.
///
/// # Errors
/// It cannot be made.
pub fn renew(plan: &Plan, context: &Context) -> Result<bool, Failure> {
    let scene = Scene::new(context, plan);
    for step in plan.steps.iter().filter(|step| matches!(step.action, Action::Certificates(_))) {
        let failed = Failure::in_step(&step.id);
        let doing = doing(&step.action);
        if !doing.holds(&scene).map_err(failed)?.is_so() {
            let mut silence = crate::Silence;
            doing.apply(&scene, &mut Progress::new(&step.id, &mut silence)).map_err(failed)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// What each step of a box that was just brought up has to settle: looking at all of it makes a small
/// one so busy that a page may come too late.
const SETTLING: Duration = Duration::from_secs(60);

/// What is known about a step so far.
#[derive(Default)]
struct Entry {
    warnings: Vec<String>,
    held: Option<String>,
    changed: bool,
    failed: Option<Outcome>,
    /// Looked at to the end.
    left: bool,
    seconds: f64,
}

struct Run<'a> {
    scene: Scene<'a>,
    sink: &'a mut dyn Sink,
    begun: String,
    entries: Vec<Entry>,
    /// The first failure's step and exit code.
    failure: Option<(usize, u8)>,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, context: &'a Context, sink: &'a mut dyn Sink) -> Self {
        let begun = context.host.clock.now();
        let entries = plan.steps.iter().map(|_| Entry::default()).collect();
        Self { scene: Scene::new(context, plan), sink, begun, entries, failure: None }
    }

    fn steps(&self) -> &'a [Step] {
        &self.scene.plan.steps
    }

    fn started(&mut self) {
        let steps = self.steps().iter();
        let steps = steps.map(|s| StepInfo { id: s.id.clone(), title: s.title.clone() }).collect();
        let plan = self.scene.plan.digest();
        self.sink.event(&Event::Started { format: FORMAT, plan, steps });
    }

    /// True if every step can be done here.
    fn check_all(&mut self) -> bool {
        for (index, step) in self.steps().iter().enumerate() {
            let start = self.begin(index, Phase::Check);
            let checked = contained(|| doing(&step.action).check(&self.scene));
            let checked = checked.map_err(|error| error.into_failure(Failure::Machine));
            let failed = match checked {
                Ok(warnings) => {
                    self.entries[index].warnings.extend(warnings);
                    None
                }
                Err(failure) => Some(self.fail(index, &failure)),
            };
            self.end(index, Phase::Check, start, failed);
        }
        self.failure.is_none()
    }

    /// True if every step holds.
    fn apply_all(&mut self) -> bool {
        let host = self.scene.host();
        // A damaged journal was refused by `prepare`, unless its owner chose to replace it.
        let known = Journal::load(host).ok().flatten();
        let known = known.filter(|journal| journal.digest == self.scene.plan.digest());
        let fresh = || Journal::new(self.scene.plan, self.begun.clone());
        let mut journal = known.clone().filter(|j| !j.complete).unwrap_or_else(fresh);
        let mut saved = known.as_ref() == Some(&journal);
        for index in 0..self.entries.len() {
            let start = self.begin(index, Phase::Guard);
            if let Err((phase, failure)) = self.bring_about(index, &mut journal, &mut saved) {
                let failed = self.fail(index, &failure);
                self.end(index, phase, start, Some(failed));
                return false;
            }
            let id = &self.steps()[index].id;
            if !journal.done.contains(id) {
                journal.done.push(id.clone());
            }
            self.entries[index].left = true;
            self.end(index, Phase::Apply, start, None);
        }
        journal.complete = true;
        let same = known.is_some_and(|known| known.complete) && !saved;
        if !same {
            if let Err(trouble) = journal.save(host) {
                self.fail(self.entries.len() - 1, &Failure::Machine(trouble));
            }
        }
        self.failure.is_none()
    }

    /// Look, act, look again.
    fn bring_about(
        &mut self,
        index: usize,
        journal: &mut Journal,
        saved: &mut bool,
    ) -> Result<(), (Phase, Failure)> {
        let step = &self.steps()[index];
        let doing = doing(&step.action);
        let failed = |error: Caught| error.into_failure(Failure::in_step(&step.id));
        let before = contained(|| doing.holds(&self.scene));
        let before = before.map_err(|error| (Phase::Guard, failed(error)))?;
        if before.is_so() {
            self.entries[index].warnings.extend(before.warnings);
            self.entries[index].held = before.held;
            return Ok(());
        }
        contained(|| doing.guard(&self.scene)).map_err(|error| (Phase::Guard, failed(error)))?;
        // What the journal says must be on the disk before the first change is.
        let save = |journal: &Journal| journal.save(self.scene.host());
        if !*saved {
            save(journal).map_err(|trouble| (Phase::Guard, Failure::Machine(trouble)))?;
            *saved = true;
        }
        self.sink.event(&Event::Begun { step: step.id.clone(), phase: Phase::Apply });
        let mut progress = Progress::new(&step.id, self.sink);
        let after = contained(|| {
            doing.apply(&self.scene, &mut progress)?;
            doing.holds(&self.scene)
        });
        let after = after.map_err(|error| (Phase::Apply, failed(error)))?;
        if !after.is_so() {
            let trouble = Trouble::new(
                format!("it was carried out, but still {}", after.missing.join("; ")),
                "run `homelab apply` again; if this stays, the report helps to find out why",
            );
            return Err((Phase::Apply, failed(Caught::Trouble(trouble))));
        }
        self.entries[index].changed = true;
        self.entries[index].warnings.extend(after.warnings);
        self.entries[index].held = after.held;
        journal.done.push(step.id.clone());
        save(journal).map_err(|trouble| (Phase::Apply, failed(Caught::Trouble(trouble))))
    }

    /// Looks at every step, also after one that does not hold. `alone`: nothing was applied
    /// before, so all have the start of the box to wait for, and their warnings are not known yet.
    /// Otherwise each step has its own time to settle.
    fn verify_all(&mut self, alone: bool) {
        let clock = self.scene.host().clock.clone();
        let after = |patience: Duration| clock.epoch().saturating_add_unsigned(patience.as_secs());
        let start_is_over = after(self.scene.context.patience);
        for (index, step) in self.steps().iter().enumerate() {
            let start = self.begin(index, Phase::Verify);
            let end = if alone { start_is_over } else { after(SETTLING) };
            let holding = loop {
                let holding = contained(|| doing(&step.action).holds(&self.scene));
                let holds = holding.as_ref().is_ok_and(Holding::is_so);
                if holds || clock.epoch() >= end {
                    break holding;
                }
                clock.sleep(Duration::from_secs(1));
            };
            let failure = Failure::in_step(&step.id);
            let failed = match holding {
                Ok(holding) if holding.is_so() => {
                    // A volume may have come or gone since.
                    self.entries[index].held = holding.held;
                    if alone {
                        self.entries[index].warnings.extend(holding.warnings);
                    }
                    None
                }
                Ok(holding) => {
                    let when = if alone { "" } else { "it held, but after the later steps " };
                    let hint = "run `homelab apply` to bring it about";
                    let text = format!("{when}{}", holding.missing.join("; "));
                    Some(failure(Trouble::new(text, hint)))
                }
                Err(error) => Some(error.into_failure(failure)),
            };
            self.entries[index].left = true;
            let failed = failed.map(|failure| self.fail(index, &failure));
            self.end(index, Phase::Verify, start, failed);
        }
    }

    fn begin(&mut self, index: usize, phase: Phase) -> Instant {
        let step = self.steps()[index].id.clone();
        self.sink.event(&Event::Begun { step, phase });
        Instant::now()
    }

    /// Ends a step in a phase. `failed`: how, without secrets; none: it went well.
    fn end(&mut self, index: usize, phase: Phase, start: Instant, failed: Option<Outcome>) {
        let seconds = start.elapsed().as_secs_f64();
        self.entries[index].seconds += seconds;
        let outcome = match failed {
            Some(failed) => failed,
            None if phase == Phase::Apply => self.outcome(index),
            None if phase == Phase::Verify => self.held(index).unwrap_or(Outcome::AlreadySo),
            None => Outcome::AlreadySo,
        };
        let step = self.steps()[index].id.clone();
        self.sink.event(&Event::Ended { step, phase, outcome, seconds });
    }

    /// Remembers a failure of a step; how it is told, without secrets.
    fn fail(&mut self, index: usize, failure: &Failure) -> Outcome {
        let outcome = Outcome::Failed { causes: failure.causes(), hint: failure.hint().to_owned() };
        let outcome = Redactor::of(self.scene.context).outcome(outcome);
        self.entries[index].failed = Some(outcome.clone());
        self.failure.get_or_insert((index, failure.exit()));
        outcome
    }

    /// How a step stands that waits for a volume; none: it does not.
    fn held(&self, index: usize) -> Option<Outcome> {
        let reason = self.entries[index].held.clone()?;
        Some(Redactor::of(self.scene.context).outcome(Outcome::Held { reason }))
    }

    /// How a step that was left stands, or why it was not come to.
    fn outcome(&self, index: usize) -> Outcome {
        let entry = &self.entries[index];
        if let Some(failed) = &entry.failed {
            return failed.clone();
        }
        if !entry.left {
            let reason = match &self.failure {
                Some((failed, _)) => {
                    format!("the step `{}` failed", self.steps()[*failed].id)
                }
                None => "the run ended before it".to_owned(),
            };
            return Outcome::Skipped { reason };
        }
        if let Some(held) = self.held(index) {
            return held;
        }
        if !entry.warnings.is_empty() {
            let message = entry.warnings.join("; ");
            return Redactor::of(self.scene.context).outcome(Outcome::Warned { message });
        }
        if entry.changed { Outcome::Changed } else { Outcome::AlreadySo }
    }

    fn finish(self) -> Report {
        let host = self.scene.host();
        let verdict = match &self.failure {
            Some((index, _)) => Verdict::Failed { step: self.steps()[*index].id.clone() },
            None if self.entries.iter().any(|entry| entry.changed) => Verdict::Installed,
            None => Verdict::NoChange,
        };
        let exit = self.failure.as_ref().map_or(0, |(_, exit)| *exit);
        let mut report = Report::new(&self.scene.context.installer, verdict, exit, &self.begun);
        report.seed = Some(self.scene.plan.seed.clone());
        report.plan = Some(self.scene.plan.digest());
        for (index, step) in self.steps().iter().enumerate() {
            report.steps.push(StepReport {
                id: step.id.clone(),
                title: step.title.clone(),
                outcome: self.outcome(index),
                seconds: self.entries[index].seconds,
            });
            if let Action::Handover(handover) = &step.action {
                report.links.clone_from(&handover.links);
                report.start = Some(handover.portal.clone());
            }
        }
        // The report of a failed run is worth having even if one of these cannot be found out.
        let addresses = host::probe::addresses(host).unwrap_or_default();
        report.addresses = addresses.iter().map(ToString::to_string).collect();
        report.authority_fingerprint = reach::fingerprint(&self.scene).unwrap_or_default();
        report.pinned = Pinned::load(host).unwrap_or_default().0;
        report.finished = host.clock.now();
        self.sink.event(&Event::Finished { verdict: report.verdict.clone() });
        report
    }
}

/// Why a step's code came back without a result.
enum Caught {
    Trouble(Trouble),
    Panic(String),
}

impl Caught {
    fn into_failure(self, sort: impl FnOnce(Trouble) -> Failure) -> Failure {
        match self {
            Self::Trouble(trouble) => sort(trouble),
            Self::Panic(message) => Failure::Bug(Trouble::new(
                message,
                "`homelab report` shows what to attach; running `homelab apply` again is safe",
            )),
        }
    }
}

/// A bug in one step must not take the report with it: on a box without a screen the report is
/// all there is.
fn contained<T>(work: impl FnOnce() -> Result<T>) -> Result<T, Caught> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Caught::Trouble),
        Err(panic) => Err(Caught::Panic(
            panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a panic without words".to_owned()),
        )),
    }
}
