//! Which steps of which plan are done: what a run that was cut off goes on from.
//!
//! The journal decides *which plan* is carried out. Whether a step is done is asked of the
//! machine itself ([`crate::steps`]), so a journal that is behind by a step does no harm.

use host::{Host, files};
use model::{
    Digest, paths,
    plan::{Plan, StepId},
};
use serde::{Deserialize, Serialize};

use crate::failure::{Context as _, Failure, Result, Trouble};

/// Version of the journal's shape.
pub const FORMAT: u32 = 1;

/// Which steps of which plan are done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// [`FORMAT`]
    pub format: u32,
    /// Digest of the plan.
    pub digest: Digest,
    /// The plan itself.
    pub plan: Plan,
    /// When it was begun, RFC 3339.
    pub started: String,
    /// Steps that held when they were left.
    pub done: Vec<StepId>,
    /// All steps held at the end.
    pub complete: bool,
}

/// Only the part that every format has.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

impl Journal {
    /// A journal with nothing done.
    pub fn new(plan: &Plan, started: String) -> Self {
        Self {
            format: FORMAT,
            digest: plan.digest(),
            plan: plan.clone(),
            started,
            done: Vec::new(),
            complete: false,
        }
    }

    /// The journal of this machine; none if nothing was ever begun.
    ///
    /// # Errors
    /// It is there but cannot be read or understood.
    pub fn load(host: &Host) -> Result<Option<Self>> {
        let Some(bytes) = files::read_optional(host.path(paths::JOURNAL))? else {
            return Ok(None);
        };
        let hint = "nothing is lost: `homelab apply --replace-plan` makes a new plan from the \
                    sealed seed and looks at every step anew";
        let damaged = || format!("the journal `{}` is damaged", paths::JOURNAL);
        let head: Head = serde_json::from_slice(&bytes).because(damaged(), hint)?;
        if head.format != FORMAT {
            let text = format!(
                "the journal `{}` has format {}, this installer knows {FORMAT}",
                paths::JOURNAL,
                head.format
            );
            return Err(Trouble::new(text, hint));
        }
        let journal: Self = serde_json::from_slice(&bytes).because(damaged(), hint)?;
        if journal.digest != journal.plan.digest() {
            return Err(Trouble::new(
                format!("{}: its plan does not have the digest beside it", damaged()),
                hint,
            ));
        }
        Ok(Some(journal))
    }

    /// Replaces the journal, synced.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, host: &Host) -> Result<()> {
        files::ensure_folder(host.path(paths::STATE), 0o755, (0, 0))?;
        let bytes = serde_json::to_vec(self).because("cannot put the journal into words", "")?;
        Ok(files::write_atomic(host.path(paths::JOURNAL), bytes, 0o600, (0, 0))?)
    }
}

/// Which plan is to be carried out: the new one, or the one that was begun and is not finished.
///
/// A finished (or no) journal: the new one. An unfinished one of the same plan: it goes on. An
/// unfinished one that came from the same seed and catalogue: the stored one goes on, since only
/// the machine looks different half-way. `replace`: the new one in any case.
///
/// # Errors
/// [`Failure::Machine`]: the journal is damaged, or another wish is half carried out.
pub fn prepare(host: &Host, new: Plan, replace: bool) -> Result<Plan, Failure> {
    if replace {
        return Ok(new);
    }
    let Some(journal) = Journal::load(host).map_err(Failure::Machine)? else {
        return Ok(new);
    };
    if journal.complete || journal.digest == new.digest() {
        return Ok(new);
    }
    if journal.plan.seed == new.seed && journal.plan.catalogue == new.catalogue {
        return Ok(journal.plan);
    }
    let what = match (journal.plan.seed == new.seed, journal.plan.catalogue == new.catalogue) {
        (false, true) => "seed",
        (true, false) => "catalogue",
        _ => "seed and another catalogue",
    };
    let next = journal.plan.steps.iter().map(|step| &step.id).find(|id| !journal.done.contains(id));
    let place = next.map(|id| format!(" (it stopped at `{id}`)")).unwrap_or_default();
    Err(Failure::Machine(Trouble::new(
        format!(
            "plan {} of {} is not finished{place}, and the new plan {} comes from another {what}",
            journal.digest.short(),
            journal.started,
            new.digest().short(),
        ),
        "run `homelab apply --replace-plan` to drop the unfinished plan and carry out the new one",
    )))
}
