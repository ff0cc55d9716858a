//! Whether a box that runs from a stick is to be copied onto one of its disks.

use super::{
    candidates::{describe, is_empty, selector_with_consent},
    disks::consent,
};
use crate::{
    facts::{Disk, Facts},
    plan::install::{carries, needs},
    questions::{Choice, Kind, Place, Question, walk::Walk},
};

/// The answer of whoever stays on the stick.
pub(in crate::questions) const STAY: &str = "stick";

/// Asks where the system shall lie, if it runs from something that can be pulled out and there is
/// something else.
pub(super) fn install(walk: &mut Walk<'_>) {
    let facts = &walk.world.facts;
    let Some(boot) = facts.boot_disk().filter(|boot| boot.is_portable()) else { return };
    if walk.world.place != Place::Box {
        return;
    }
    let needs = needs(boot);
    let others = facts.disks.iter().filter(|disk| !disk.boot && !disk.is_portable());
    let judged: Vec<(&Disk, Result<String, String>)> =
        others.map(|disk| (disk, selector(disk, facts, needs))).collect();
    if judged.is_empty() {
        return;
    }
    let stays = format!("run from this stick, {}", boot.model.trim());
    let mut options = vec![Choice::new(STAY, stays.trim_end_matches([',', ' ']))];
    for (disk, selector) in &judged {
        let (value, refused) = match selector {
            Ok(selector) => (selector.clone(), None),
            Err(why) => (format!("disk:{}", disk.name), Some(why.clone())),
        };
        options.push(Choice::new(value, describe(disk)).unless(refused));
    }
    // An empty disk has nothing to lose; where all hold something, nobody is led to erase one.
    let empty = judged.iter().filter(|(disk, _)| is_empty(disk));
    let default = empty.filter_map(|(_, selector)| selector.as_deref().ok()).next();
    let question = Question::new("install.disk", "Install onto", Kind::Choice { options, other: false })
        .asks(
            "This box runs from a stick. Where shall the system lie? On a disk of the machine it is \
             faster and lasts longer; the stick is then free again.",
        )
        .help(
            "The system is copied onto that disk and read back, everything on the disk is lost, and \
             the box starts from there. The stick stays as it is. On a stick, databases and logs wear \
             it out within months.",
        )
        .or(default.unwrap_or(STAY));
    let chosen = walk.text(question);
    let found = judged.iter().find(|(_, selector)| selector.as_ref() == Ok(&chosen));
    if let Some((disk, _)) = found {
        let id = format!("install.{chosen}");
        let what = format!("The system goes onto {}.", describe(disk));
        consent(walk, &id, &what, &chosen, is_empty(disk));
    }
}

/// How the disk is named in the seed; or why the system cannot lie there.
fn selector(disk: &Disk, facts: &Facts, needs: u64) -> Result<String, String> {
    if disk.contents.iter().any(|volume| !volume.mounted_at.is_empty()) {
        return Err("it is in use".to_owned());
    }
    carries(disk, needs, facts.firmware).map_err(|refused| refused.what)?;
    selector_with_consent(disk, facts).map_err(str::to_owned)
}
