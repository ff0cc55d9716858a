//! What a step sees: the machine, the plan it belongs to, and the secrets.

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use host::{Command, Host, Output, files, password, systemd};
use model::{
    Digest, Secret, paths,
    plan::{Action, Plan, StepId},
    report::{Event, Unit},
    secret::{Notation, SecretRef, fill},
};

use crate::{
    Context, Sink,
    failure::{Result, Trouble},
};

/// Programs that only look or flip a switch answer within this time, slow machines included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What a step sees.
pub(crate) struct Scene<'a> {
    /// What the run was given.
    pub context: &'a Context,
    /// The plan that is carried out.
    pub plan: &'a Plan,
    /// Pairs of digests that were found to belong together: of a secret and its hash, of a start of
    /// a container and what was done in it. Finding out costs seconds of a small machine's time, and
    /// every step is looked at more than once.
    known: Mutex<BTreeSet<(Digest, Digest)>>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(context: &'a Context, plan: &'a Plan) -> Self {
        Self { context, plan, known: Mutex::default() }
    }

    /// The machine.
    pub(crate) fn host(&self) -> &'a Host {
        &self.context.host
    }

    /// Runs a program that takes no long time.
    pub(crate) fn run(&self, command: Command) -> Result<Output> {
        let command = if command.timeout.is_some() { command } else { command.timeout(PATIENCE) };
        Ok(self.host().runner.run(&command)?)
    }

    /// Does a unit of systemd run?
    pub(crate) fn active(&self, unit: &str) -> Result<bool> {
        Ok(systemd::is_active(self.host().runner.as_ref(), unit)?)
    }

    /// Is it started at boot?
    pub(crate) fn enabled(&self, unit: &str) -> Result<bool> {
        Ok(systemd::is_enabled(self.host().runner.as_ref(), unit)?)
    }

    /// It is started at boot from now on.
    pub(crate) fn enable(&self, unit: &str) -> Result<()> {
        if !self.enabled(unit)? {
            systemd::enable(self.host().runner.as_ref(), unit)?;
        }
        Ok(())
    }

    /// The text of a file of the box, if there is one.
    pub(crate) fn read(&self, path: &str) -> Result<Option<String>> {
        Ok(files::read_text_optional(self.host().path(path))?)
    }

    /// Where a secret lies.
    pub(crate) fn secret_path(name: &SecretRef) -> String {
        format!("{}/{name}", paths::SECRETS)
    }

    /// A secret of the store.
    pub(crate) fn stored(&self, name: &SecretRef) -> Result<Option<Secret>> {
        Ok(self.read(&Self::secret_path(name))?.map(Secret::new))
    }

    /// A secret: the seed's, or else the store's.
    pub(crate) fn secret(&self, name: &SecretRef) -> Result<Secret> {
        if let Some(secret) = self.context.secrets.get(name) {
            return Ok(secret.clone());
        }
        self.stored(name)?.ok_or_else(|| {
            Trouble::new(
                format!("the secret `{name}` is neither in the seed nor in `{}`", paths::SECRETS),
                "put it into the seed and run `homelab apply`",
            )
        })
    }

    /// A rendered text with its secrets in place.
    pub(crate) fn fill(&self, text: &str) -> Result<Secret> {
        fill(text, |name| self.secret(name))
    }

    /// Like [`Scene::fill`]; none if a secret is not there yet.
    pub(crate) fn fill_if_known(&self, text: &str) -> Result<Option<Secret>> {
        for name in model::secret::placeholders(text) {
            if !self.context.secrets.contains_key(&name) && self.stored(&name)?.is_none() {
                return Ok(None);
            }
        }
        self.fill(text).map(Some)
    }

    /// Does a hash belong to a secret? Found out once a run.
    pub(crate) fn belong(&self, secret: &Secret, hash: &Secret, notation: Notation) -> bool {
        let matches = || Ok(password::matches(secret, hash, notation));
        self.once(secret.reveal(), hash.reveal(), matches).unwrap_or_default()
    }

    /// A hash was just made of a secret.
    pub(crate) fn remember(&self, secret: &Secret, hash: &Secret) {
        self.know((Digest::of(secret.reveal()), Digest::of(hash.reveal())));
    }

    /// Do two belong together? `ask` is called until it says so for the first time in a run.
    ///
    /// # Errors
    /// What `ask` returned.
    pub(crate) fn once(
        &self,
        one: impl AsRef<[u8]>,
        other: impl AsRef<[u8]>,
        ask: impl FnOnce() -> Result<bool>,
    ) -> Result<bool> {
        let pair = (Digest::of(one), Digest::of(other));
        if self.known.lock().is_ok_and(|known| known.contains(&pair)) {
            return Ok(true);
        }
        let belong = ask()?;
        if belong {
            self.know(pair);
        }
        Ok(belong)
    }

    fn know(&self, pair: (Digest, Digest)) {
        if let Ok(mut known) = self.known.lock() {
            known.insert(pair);
        }
    }

    /// Certificates come from the box's own authority.
    pub(crate) fn local_authority(&self) -> bool {
        self.plan.steps.iter().any(|step| matches!(step.action, Action::Certificates(_)))
    }

    /// The certificate of the box's own authority, if it is used and exists.
    pub(crate) fn authority(&self) -> Result<Option<String>> {
        if self.local_authority() {
            self.read(&format!("{}/ca.pem", paths::AUTHORITY))
        } else {
            Ok(None)
        }
    }

    /// Asks `ready` again and again until it says yes or `seconds` are over; true if it did.
    pub(crate) fn wait_until(
        &self,
        seconds: u64,
        mut ready: impl FnMut() -> Result<bool>,
    ) -> Result<bool> {
        let clock = &self.host().clock;
        let end = clock.epoch().saturating_add_unsigned(seconds);
        loop {
            if ready()? {
                return Ok(true);
            }
            if clock.epoch() >= end {
                return Ok(false);
            }
            clock.sleep(Duration::from_secs(1));
        }
    }

    /// The same for something that a person watches: tells what is waited for, since when, and for
    /// how long at most.
    pub(crate) fn wait_for(
        &self,
        what: &str,
        seconds: u64,
        progress: &mut Progress<'_>,
        ready: impl Fn() -> Result<bool>,
    ) -> Result<bool> {
        progress.note(what);
        let mut waited = 0;
        while waited < seconds {
            let part = TOLD.min(seconds - waited);
            if self.wait_until(part, &ready)? {
                return Ok(true);
            }
            waited += part;
            progress.note(format!("{what}: {waited} s of at most {seconds} s"));
        }
        Ok(false)
    }
}

/// Seconds between two words about what is waited for.
const TOLD: u64 = 5;

/// Tells how a step goes on.
pub(crate) struct Progress<'a> {
    step: &'a StepId,
    sink: &'a mut dyn Sink,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(step: &'a StepId, sink: &'a mut dyn Sink) -> Self {
        Self { step, sink }
    }

    /// What is being done, without numbers.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.tell(0, 0, Unit::Items, note);
    }

    /// How much is done, of how much.
    pub(crate) fn tell(&mut self, done: u64, total: u64, unit: Unit, note: impl Into<String>) {
        let step = self.step.clone();
        self.sink.event(&Event::Progress { step, done, total, unit, note: note.into() });
    }
}
