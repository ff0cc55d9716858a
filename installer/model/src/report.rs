//! What happened: events while it happens, a report at the end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, plan::StepId};

/// Version of the shapes in this module; readers ignore keys that they do not know.
pub const FORMAT: u32 = 1;

/// One line of the event stream (JSON lines).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// First boot: what the box is doing before there is a plan.
    Waiting {
        /// For what, in one sentence.
        reason: String,
    },
    /// The seed is wrong; nothing was changed.
    SeedRefused {
        /// `file:line:column: what`, one a problem.
        problems: Vec<String>,
    },
    /// The seed was accepted and sealed.
    SeedAccepted {
        /// Digest of its text.
        digest: Digest,
        /// Where it came from.
        source: String,
    },
    /// A run begins.
    Started {
        /// [`FORMAT`]
        format: u32,
        /// Digest of the plan.
        plan: Digest,
        /// All steps to come, in order.
        steps: Vec<StepInfo>,
    },
    /// A step begins in a phase.
    Begun {
        /// Which step.
        step: StepId,
        /// Which phase.
        phase: Phase,
    },
    /// A step goes on.
    Progress {
        /// Which step.
        step: StepId,
        /// How much is done.
        done: u64,
        /// Of how much; 0 if unknown.
        total: u64,
        /// Bytes or things.
        unit: Unit,
        /// What is being done, in a few words.
        note: String,
    },
    /// A step ended in a phase.
    Ended {
        /// Which step.
        step: StepId,
        /// Which phase.
        phase: Phase,
        /// How.
        outcome: Outcome,
        /// How long it took.
        seconds: f64,
    },
    /// The run ended.
    Finished {
        /// How.
        verdict: Verdict,
    },
}

/// What a list of steps shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepInfo {
    /// Its id.
    pub id: StepId,
    /// What it brings about, in a few words.
    pub title: String,
}

/// What `done` and `total` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Things: images, containers, probes.
    Items,
}

/// The four phases of a run. Each goes over all steps before the next begins, except that
/// `guard` and `apply` alternate step by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reads only: can every step be done here?
    Check,
    /// One more look just before acting.
    Guard,
    /// Acting.
    Apply,
    /// Does it hold?
    Verify,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Something was changed, and now it holds.
    Changed,
    /// It held already.
    AlreadySo,
    /// It holds, but the owner should know.
    Warned {
        /// What.
        message: String,
    },
    /// It was not needed or not possible, and that is no failure.
    Skipped {
        /// Why.
        reason: String,
    },
    /// A volume that it needs is not there. It is stopped, and starts by itself when the volume is
    /// back; that is no failure.
    Held {
        /// Which, and what is the matter with it.
        reason: String,
    },
    /// It failed; a second try goes on here.
    Failed {
        /// The chain of causes, outermost first, without secrets.
        causes: Vec<String>,
        /// What the owner can do.
        hint: String,
    },
}

impl Outcome {
    /// Everything but a failure.
    pub fn is_good(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Every step holds, and at least one was changed.
    Installed,
    /// Every step held before.
    NoChange,
    /// A step failed.
    Failed {
        /// Which.
        step: StepId,
    },
    /// The seed was refused before any change.
    Refused,
}

/// The whole of a run, as data: `report.json` on the box and on the SEED partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`]
    pub format: u32,
    /// Version of the installer.
    pub installer: String,
    /// Digest of the seed, if one was accepted.
    pub seed: Option<Digest>,
    /// Digest of the plan, if one was made.
    pub plan: Option<Digest>,
    /// RFC 3339, UTC.
    pub started: String,
    /// RFC 3339, UTC.
    pub finished: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What the program exits with: 0 good, 2 the seed is wrong, 3 the machine cannot do it,
    /// 4 a step failed, 70 a bug.
    #[serde(default)]
    pub exit: u8,
    /// One entry a step, in order.
    pub steps: Vec<StepReport>,
    /// `file:line:column: what` for a refused seed.
    #[serde(default)]
    pub problems: Vec<String>,
    /// Addresses of the box, without prefix lengths.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Title to URL of everything a person can open.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// URL where a person begins: the login of the single sign-on.
    #[serde(default)]
    pub start: Option<String>,
    /// SHA-256 fingerprint of the box's own certificate authority, hex pairs joined by colons.
    #[serde(default)]
    pub authority_fingerprint: Option<String>,
    /// Image references without a digest in the lock, and the digest that was pulled and pinned.
    #[serde(default)]
    pub pinned: BTreeMap<String, Digest>,
}

impl Report {
    /// The report of a run that ended before it had steps; a run fills in the rest.
    pub fn new(installer: impl Into<String>, verdict: Verdict, exit: u8, now: &str) -> Self {
        Self {
            format: FORMAT,
            installer: installer.into(),
            seed: None,
            plan: None,
            started: now.to_owned(),
            finished: now.to_owned(),
            verdict,
            exit,
            steps: Vec::new(),
            problems: Vec::new(),
            addresses: Vec::new(),
            links: BTreeMap::new(),
            start: None,
            authority_fingerprint: None,
            pinned: BTreeMap::new(),
        }
    }
}

/// One step of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its id.
    pub id: StepId,
    /// What it brings about.
    pub title: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Seconds over all phases.
    pub seconds: f64,
}
