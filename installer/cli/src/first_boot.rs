//! First boot: what the unit `homelab-install.service` runs.
//!
//! ```text
//! journal complete? --yes--> start the stacks, look whether all holds, show the addresses, end
//!       | no                 (of a copy onto another disk: forget the seed, start from there)
//! rescue? --yes--> show what failed, wait for a person
//!       |
//! sealed seed? --no--> wait for one, or ask for one (waiting, wizard) --> seal
//!       | yes
//! plan -> the journal's rule -> engine -> report --failed--> card, try again or give up
//! ```
//!
//! The machine is behind [`Machine`], so that all of it can be tested with folders.

mod moved;
mod stopped;
mod waiting;
mod wizard;

use std::{net::IpAddr, sync::Arc, time::Duration};

use engine::{Context, Journal, Medium, Sink};
use host::Host;
use model::{
    catalogue::Catalogue,
    facts::{Facts, NetworkPort},
    paths,
    plan::{Action, Handover, Install, Plan},
    preflight::Finding,
    report::{Report, Verdict},
    secret::SecretRef,
    seed::Seed,
};
use terminal::card::{self, Next, Stop};

use crate::{
    failure::Failure,
    kernel_line::KernelLine,
    lock, sealing,
    secrets::{self, Outside},
    sources::Places,
    talk::Talk,
};

/// Tries after a failure that nobody asked for, in one boot.
const TRIES: u32 = 3;
/// Seconds between them.
const PAUSE: u64 = 300;
/// How long the services of an installed box may take to come up after a start.
const PATIENCE: Duration = Duration::from_secs(300);
/// Told at each later start, which keeps the login of the console back until all is up.
const STARTING: &str = "starting the services; to log in meanwhile: Alt+F2, or SSH";

/// The machine as the first boot needs it.
pub trait Machine: Places {
    /// Files, clock, programs.
    fn host(&self) -> &Host;
    /// Our words on the kernel's command line.
    fn kernel_line(&self) -> KernelLine;
    /// The box's own addresses that another machine can reach.
    fn addresses(&self) -> Vec<IpAddr>;
    /// Its network ports.
    fn ports(&self) -> Vec<NetworkPort>;
    /// What the questions of the setup depend on.
    ///
    /// # Errors
    /// A stack of the owner's is wrong, the image is damaged, or the machine cannot be looked at.
    fn world(&self) -> Result<(Catalogue, Facts), Failure>;
    /// Looks whether machine and network give what a seed needs; changes nothing.
    fn findings(&self, seed: &Seed) -> Vec<Finding>;
    /// FAT file systems that can be pulled out, each with a name such as `sdb1`, to be read only.
    fn sticks(&self) -> Vec<(String, Arc<dyn Medium>)>;
    /// The plan for a seed on this machine.
    ///
    /// # Errors
    /// The seed does not fit the catalogue or the machine.
    fn plan(&self, seed: &Seed) -> Result<Plan, Failure>;
    /// The plan that follows in the copy that `install` makes of the system.
    fn plan_after(&self, install: &Install, seed: &Seed) -> Result<Plan, Failure>;
    /// The SEED partition, to be written.
    fn medium(&self) -> Option<Arc<dyn Medium>>;
    /// When the image was built.
    fn built(&self) -> Option<i64>;
    /// Carries out a plan.
    fn run(&self, plan: &Plan, context: &Context, sink: &mut dyn Sink) -> Report;
    /// Brings up the stacks that had no turn since the start of the box.
    fn start_stacks(&self, plan: &Plan, context: &Context);
    /// Looks whether a plan holds.
    fn verify(&self, plan: &Plan, context: &Context, sink: &mut dyn Sink) -> Report;
    /// Puts a report where people find it.
    ///
    /// # Errors
    /// Where it could not be put, and why.
    fn publish(&self, report: &Report, context: &Context) -> Result<(), String>;
    /// Tells the boot loader that waiting for a seed is no failed attempt.
    ///
    /// # Errors
    /// Why it could not be told.
    fn rest_attempts(&self) -> Result<(), String>;
    /// Whether it runs from something that can be pulled out.
    fn on_a_stick(&self) -> bool;
    /// Starts the machine again.
    ///
    /// # Errors
    /// Why it does not.
    fn restart(&self) -> Result<(), String>;
    /// A shell on a console, until it ends.
    ///
    /// # Errors
    /// Why there is none.
    fn shell(&self, console: &str) -> Result<(), String>;
}

/// The first boot in progress.
pub struct FirstBoot<'a> {
    machine: &'a dyn Machine,
    talk: &'a mut Talk,
    version: &'a str,
}

/// What a person, or their silence, wants after a failure.
enum Wish {
    Again,
    GiveUp,
    /// Somebody finished the install meanwhile, by `homelab apply`.
    Finished,
}

/// Runs the first boot; what the program exits with.
pub fn install(machine: &dyn Machine, talk: &mut Talk, version: &str) -> u8 {
    FirstBoot { machine, talk, version }.run()
}

impl FirstBoot<'_> {
    fn run(&mut self) -> u8 {
        if let Some(journal) = self.complete() {
            self.start_stacks(&journal.plan);
            return self.end(&journal);
        }
        if self.machine.kernel_line().rescue {
            let stop = self.last_stop();
            match self.after(&stop, Next::Rescue) {
                Wish::Finished => return self.finished_elsewhere(),
                Wish::Again | Wish::GiveUp => {}
            }
        }
        let mut left = TRIES;
        loop {
            let (stop, exit) = match self.attempt() {
                Ok(report) if report.exit == 0 => return 0,
                Ok(report) => {
                    let unknown = || Failure::bug("the run ended without a reason", Vec::new());
                    (Stop::of(&report).unwrap_or_else(|| unknown().stop()), report.exit)
                }
                Err(failure) => (failure.stop(), failure.exit()),
            };
            let next = match left {
                0 => Next::Apply,
                left => Next::Retry { seconds: PAUSE, left },
            };
            match self.after(&stop, next) {
                Wish::Again => left = left.saturating_sub(1),
                Wish::GiveUp => return exit,
                Wish::Finished => return self.finished_elsewhere(),
            }
        }
    }

    fn host(&self) -> &Host {
        self.machine.host()
    }

    /// The journal, if an install is complete.
    fn complete(&self) -> Option<Journal> {
        Journal::load(self.host()).ok().flatten().filter(|journal| journal.complete)
    }

    /// The journal, if an install is complete and was found good: a run whose closing look failed
    /// has done all, and is tried again all the same.
    fn finished(&self) -> Option<Journal> {
        let good = self.last_report().is_some_and(|report| report.exit == 0);
        self.complete().filter(|_| good)
    }

    /// What is left to do when a plan was carried out before.
    fn end(&mut self, journal: &Journal) -> u8 {
        match journal.plan.install() {
            Some(install) => self.moved(install, false),
            None => self.look(journal),
        }
    }

    /// The box was started: its stacks come up in their order.
    fn start_stacks(&mut self, plan: &Plan) {
        // It may be the plan of a copy that was made of this system, and have none.
        if plan.install().is_some() {
            return;
        }
        let mut context = self.context();
        context.patience = PATIENCE;
        self.talk.say(STARTING);
        // Whoever has the lock starts those before its own too; the look tells what is not there.
        if let Ok(_lock) = self.lock() {
            self.machine.start_stacks(plan, &context);
        }
    }

    /// An installed box: looks and shows, changes nothing, and is content in any case. A box whose
    /// photo service is ill must still let its owner log in.
    fn look(&mut self, journal: &Journal) -> u8 {
        let mut context = self.context();
        context.patience = PATIENCE;
        self.talk.restart_clock();
        let report = self.machine.verify(&journal.plan, &context, self.talk);
        match Stop::of(&report) {
            Some(stop) => {
                let text = card::stopped(&stop, Next::Apply);
                self.talk.say(&text);
            }
            None => self.ready(&report, &journal.plan),
        }
        if self.edited(journal) {
            let text = format!(
                "note: {} has changed since it was carried out; see `homelab plan`, then run \
                 `homelab apply`",
                paths::SEED
            );
            self.talk.say(&text);
        }
        self.publish(&report, &context);
        0
    }

    /// The sealed seed is another one than the journal's plan was made from.
    fn edited(&self, journal: &Journal) -> bool {
        let text = sealing::sealed(self.host()).ok().flatten();
        text.is_some_and(|text| model::Digest::of(text) != journal.plan.seed)
    }

    fn finished_elsewhere(&mut self) -> u8 {
        match self.finished() {
            Some(journal) => self.end(&journal),
            None => 0,
        }
    }

    /// One try, from the seed to the report. Told to everybody in any case.
    fn attempt(&mut self) -> Result<Report, Failure> {
        let result = self.try_once();
        if let Err(failure) = &result {
            let mut report = failure.report(self.version, &self.host().clock.now());
            report.addresses = self.machine.addresses().iter().map(ToString::to_string).collect();
            let mut context = Context::new(self.host().clone(), self.version);
            context.medium = self.machine.medium();
            self.publish(&report, &context);
            let verdict = report.verdict;
            self.talk.signal(&model::report::Event::Finished { verdict });
        }
        result
    }

    fn try_once(&mut self) -> Result<Report, Failure> {
        let _lock = self.lock()?;
        if let Some(journal) = self.finished() {
            self.end(&journal);
            return Ok(Report::new(self.version, Verdict::NoChange, 0, &self.host().clock.now()));
        }
        let (plan, secrets) = match sealing::sealed(self.host())? {
            Some(text) => {
                self.say_going_on();
                // The power may have gone before they were removed.
                sealing::forget_answers(self.host())?;
                self.sealed(&text)?
            }
            None => self.wait_for_seed()?,
        };
        let sealed = sealing::sealed(self.host())?;
        let replace = sealed.is_some_and(|text| sealing::replaces(self.host(), &text));
        let plan = match engine::prepare(self.host(), plan.clone(), false) {
            Err(_) if replace => engine::prepare(self.host(), plan, true)?,
            prepared => prepared?,
        };
        let mut context = self.context();
        context.secrets = secrets;
        context.medium = self.machine.medium();
        self.talk.restart_clock();
        let report = self.machine.run(&plan, &context, self.talk);
        self.publish(&report, &context);
        match plan.install() {
            _ if report.exit != 0 => {}
            Some(install) => {
                self.moved(install, report.verdict == Verdict::Installed);
            }
            None => self.ready(&report, &plan),
        }
        Ok(report)
    }

    /// The lock; waits for whoever has it, and says so once.
    fn lock(&mut self) -> Result<lock::Lock, Failure> {
        let mut told = false;
        loop {
            match lock::take(self.host(), "install") {
                Ok(lock) => return Ok(lock),
                Err(busy @ lock::Busy::Held { .. }) => {
                    if !told {
                        self.talk.say(&format!("waiting: {busy}"));
                        told = true;
                    }
                    self.host().clock.sleep(Duration::from_secs(2));
                }
                Err(broken) => return Err(Failure::machine(broken.to_string(), "")),
            }
        }
    }

    /// A start after a cut shall not look like a fresh install.
    fn say_going_on(&mut self) {
        let Some(accepted) = sealing::accepted(self.host()) else { return };
        self.talk.say(&format!(
            "going on with the seed that was accepted at {} from {}",
            accepted.at, accepted.source
        ));
    }

    /// Plan and secrets of the sealed seed.
    fn sealed(&mut self, text: &str) -> Result<(Plan, Secrets), Failure> {
        let seed = model::seed::parse(paths::SEED, text)?;
        let plan = self.machine.plan(&seed)?;
        let mut desk = SealedDesk { host: self.machine.host(), ask: Some(self.talk) };
        let resolved = secrets::resolve(&seed, paths::SEED, &mut desk)?;
        Ok((plan, resolved.all))
    }

    fn context(&self) -> Context {
        let mut context = Context::new(self.host().clone(), self.version);
        context.built = self.machine.built();
        context
    }

    fn publish(&mut self, report: &Report, context: &Context) {
        if let Err(why) = self.machine.publish(report, context) {
            self.talk.say(&format!("warning: {why}"));
        }
    }

    fn ready(&mut self, report: &Report, plan: &Plan) {
        let handover = handover(plan);
        let text = card::ready(report, handover);
        if let Some(handover) = handover {
            self.talk.show_code(&handover.portal, text.lines().count());
        }
        self.talk.say(&text);
    }

    /// What the last run left.
    fn last_report(&self) -> Option<Report> {
        let bytes = host::files::read_optional(self.host().path(paths::REPORT)).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok())
    }

    /// Why the last run stopped.
    fn last_stop(&self) -> Stop {
        let report = self.last_report();
        report.as_ref().and_then(Stop::of).unwrap_or_else(card::rescue_without_report)
    }
}

/// Secrets by name.
type Secrets = std::collections::BTreeMap<SecretRef, model::Secret>;

/// What the plan's handover says.
pub fn handover(plan: &Plan) -> Option<&Handover> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::Handover(handover) => Some(handover),
        _ => None,
    })
}

/// The outside of a sealed seed: files on the box, what was kept, and perhaps a person.
struct SealedDesk<'a, 'b> {
    host: &'a Host,
    ask: Option<&'b mut Talk>,
}

impl Outside for SealedDesk<'_, '_> {
    fn file(&mut self, path: &std::path::Path) -> Result<String, String> {
        sealing::file(self.host, path)
    }

    fn ask(&mut self, name: &SecretRef) -> Result<String, String> {
        match &mut self.ask {
            Some(talk) => waiting::ask(talk, name),
            None => Err("nobody is asked here".to_owned()),
        }
    }

    fn kept(&mut self, name: &SecretRef) -> Option<model::Secret> {
        sealing::kept(self.host, name)
    }
}

#[cfg(test)]
mod tests;
