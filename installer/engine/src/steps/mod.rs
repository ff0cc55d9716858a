//! What a step does: look, and act. One file for each variant of [`Action`].

pub(crate) mod access;
mod certificates;
pub(crate) mod clock;
mod docker;
mod file_set;
mod firewall;
mod handover;
mod identity;
pub(crate) mod images;
mod install;
mod network;
mod networks;
mod render;
mod secrets;
pub(crate) mod stack;
pub(crate) mod storage;

use model::plan::Action;

use crate::{
    failure::Result,
    scene::{Progress, Scene},
};

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    /// What does not hold, in words that follow "but still": `sshd is not running`.
    pub missing: Vec<String>,
    /// What holds and should be known to the owner.
    pub warnings: Vec<String>,
    /// It cannot be had without a volume that is not there: which, and why. Nothing of it runs.
    pub held: Option<String>,
}

impl Holding {
    /// Everything holds.
    pub(crate) fn is_so(&self) -> bool {
        self.missing.is_empty()
    }

    /// Something does not hold.
    pub(crate) fn lacks(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }

    /// Something does not hold if `holds` is false.
    pub(crate) fn need(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.missing.push(what());
        }
    }

    /// The owner should know.
    pub(crate) fn warn(&mut self, what: impl Into<String>) {
        self.warnings.push(what.into());
    }
}

/// The doing of a step. All but `apply` only read.
pub(crate) trait Doing {
    /// Before anything is changed: can it be done here? Returns what the owner should know.
    ///
    /// # Errors
    /// It cannot: a program or a disk is missing.
    fn check(&self, _scene: &Scene<'_>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Does it hold?
    ///
    /// # Errors
    /// It cannot be found out.
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding>;

    /// Just before acting: is it still harmless?
    ///
    /// # Errors
    /// It is not.
    fn guard(&self, _scene: &Scene<'_>) -> Result<()> {
        Ok(())
    }

    /// Brings it about. Must be able to go on from anything that an earlier call left behind.
    ///
    /// # Errors
    /// What went wrong.
    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()>;
}

/// The doing of an action.
pub(crate) fn doing<'a>(action: &'a Action) -> Box<dyn Doing + 'a> {
    match action {
        Action::Install(install) => Box::new(install::Doer(install)),
        Action::Clock => Box::new(clock::Clock),
        Action::Identity(identity) => Box::new(identity::Doer(identity)),
        Action::Network(files) => Box::new(network::Network(files)),
        Action::Storage(storage) => Box::new(storage::Doer(storage)),
        Action::Firewall(firewall) => Box::new(firewall::Doer(firewall)),
        Action::Docker(files) => Box::new(docker::Docker(files)),
        Action::Networks { networks } => Box::new(networks::Networks(networks)),
        Action::Secrets { wishes } => Box::new(secrets::Secrets(wishes)),
        Action::Certificates(wish) => Box::new(certificates::Doer(wish)),
        Action::Render(render) => Box::new(render::Doer(render)),
        Action::Images(images) => Box::new(images::Doer(images)),
        Action::Stack(stack) => Box::new(stack::Doer(stack)),
        Action::Access { probes } => Box::new(access::Access(probes)),
        Action::Handover(handover) => Box::new(handover::Doer(handover)),
    }
}
