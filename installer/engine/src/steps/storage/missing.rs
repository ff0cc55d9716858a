//! Disks that the box had and that are not there now, and shares that do not answer: everything but
//! what needs them goes on.

use std::collections::BTreeMap;

use host::systemd;
use model::plan::{MountWish, Storage};

use crate::{
    failure::Result,
    hold::{self, Unused},
    scene::Scene,
    state::{Kept as _, Known},
};

/// Mount points whose volume is missing, each with the reason.
pub(super) type Missing<'a> = BTreeMap<&'a str, String>;

/// What cannot be mounted now. A disk that never came is none of these: then the seed, or a cable, is
/// wrong, and its owner waits in front of the box. A share may be off
/// from the start.
pub(super) fn of<'a>(storage: &'a Storage, scene: &Scene<'_>) -> Result<Missing<'a>> {
    let known = Known::load(scene.host())?;
    let mut missing = Missing::new();
    // Whatever stands on another mount comes after it.
    for mount in &storage.mounts {
        let below = mount.requires.iter().find_map(|at| missing.get(at.as_str()));
        let was_here = mount.disk.as_ref().and_then(|disk| known.0.get(disk).map(String::as_str));
        let why = match below {
            Some(why) => Some(why.clone()),
            None if mount.automount => hold::reason(mount, storage, Unused::Try, scene.host())?,
            None => hold::absent(mount, scene.host()).filter(|_| was_here == mount.uuid()),
        };
        if let Some(why) = why {
            missing.insert(&mount.at, why);
        }
    }
    Ok(missing)
}

/// Is the unit about to be started?
pub(super) fn is_coming(unit: &str, scene: &Scene<'_>) -> Result<bool> {
    let job = systemd::property(scene.host().runner.as_ref(), unit, "Job")?;
    Ok(!matches!(job.as_str(), "" | "0"))
}

/// Waits until systemd gives the unit up, if it is about to be started.
pub(super) fn wait(unit: &str, scene: &Scene<'_>) -> Result<()> {
    if is_coming(unit, scene)? {
        // Whether it came is looked at afterwards.
        let _ = systemd::start(scene.host().runner.as_ref(), unit);
    }
    Ok(())
}

/// What is to be noted of disks that are mounted; none: it stands there already.
pub(super) fn known<'a>(
    mounts: impl Iterator<Item = &'a MountWish>,
    scene: &Scene<'_>,
) -> Result<Option<Known>> {
    let before = Known::load(scene.host())?;
    let mut after = before.clone();
    for mount in mounts {
        if let (Some(disk), Some(uuid)) = (&mount.disk, mount.uuid()) {
            after.0.insert(disk.clone(), uuid.to_owned());
        }
    }
    Ok((after != before).then_some(after))
}
