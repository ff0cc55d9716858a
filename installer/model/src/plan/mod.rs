//! The plan: the ordered steps from the facts to the wish, as a value.
//!
//! A plan can be printed, compared with a golden file, agreed to and resumed. It holds no secret:
//! texts have placeholders ([`crate::secret::placeholders`]) that the engine fills when it writes.

mod access;
mod action;
mod budget;
mod disks;
pub(crate) mod install;
mod make;
mod outlook;
mod secrets;
mod select;
mod stand_in;
mod storage;
mod system;

pub use access::matrix;
pub use action::*;
pub use budget::{budget, fits, left_out};
pub use install::afterwards;
pub use make::plan;
pub use outlook::Outlook;
pub use storage::FORMATS;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// Version of the shape of a plan.
pub const FORMAT: u32 = 1;

/// Name of a step: `clock`, `identity`, …, `stacks/core`, …, `handover`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl StepId {
    /// Names a step.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ordered steps, with the digests of what they were computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`]
    pub format: u32,
    /// Digest of the seed's text.
    pub seed: Digest,
    /// Digest of the catalogue.
    pub catalogue: Digest,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The copy, if that is all there is to do here.
    pub fn install(&self) -> Option<&Install> {
        self.steps.iter().find_map(|step| match &step.action {
            Action::Install(install) => Some(install),
            _ => None,
        })
    }

    /// Digest of the whole plan. Two plans with one digest do the same.
    pub fn digest(&self) -> Digest {
        Digest::of(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// One thing brought about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// What it brings about, in a few words: `Firewall: 22, 80, 443`.
    pub title: String,
    /// How.
    pub action: Action,
}
