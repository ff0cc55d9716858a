//! `[install]`: the system is copied from the stick that it runs from to a disk of the machine.

use super::Install;
use crate::{
    disk::{self, Consent, sectors},
    facts::{Disk, Facts, Firmware},
    seed::{DiskConsent, DiskSelector, rules::Refused},
};

/// What lies before the first partition and behind the last one: the two tables.
const TABLES: u64 = 2 << 20;

/// The copy that is to be made; none: the box runs from that disk already.
///
/// # Errors
/// The box runs from no stick; the disk is not there, is in use or does not fit; this machine does not
/// start from it; or consent is for another one.
pub(super) fn install(wish: &DiskConsent, facts: &Facts) -> Result<Option<Install>, Refused> {
    let Some(boot) = facts.boot_disk() else {
        let what = "the disk that the box runs from is not known, so it cannot be copied";
        return Err(Refused::new(what, "start the box from a stick with the image"));
    };
    if is(&wish.disk, boot) {
        return Ok(None);
    }
    if !boot.is_portable() {
        let what = format!("the box runs from {}, which is no stick", disk::describe(boot));
        let hint = "remove `[install]`, or start the box from a stick with this seed";
        return Err(Refused::new(what, hint));
    }
    let found = disk::select(&wish.disk, facts)?;
    let needs = needs(boot);
    carries(found, needs, facts.firmware)?;
    Ok(Some(Install { consent: Consent::given(&wish.wipe, found)?, needs }))
}

/// Bytes that the system needs on another disk, before it grows there.
pub(crate) fn needs(boot: &Disk) -> u64 {
    let partitions = boot.contents.iter().filter(|volume| volume.number.is_some());
    TABLES + partitions.map(|volume| volume.size).sum::<u64>()
}

/// Whether the system can lie on a disk, and this machine starts from it.
///
/// # Errors
/// The system lies on no sectors of this size, nothing starts from them, or the disk is too small.
pub(crate) fn carries(found: &Disk, needs: u64, firmware: Firmware) -> Result<(), Refused> {
    sectors::can_hold(found)?;
    sectors::can_start(found, firmware)?;
    if found.size < needs {
        let what = format!(
            "{} is too small: the system needs {}",
            disk::describe(found),
            disk::size(needs)
        );
        return Err(Refused::new(what, "choose another disk"));
    }
    Ok(())
}

/// The machine as it is when it runs from the copy: what the plan for the rest is made from.
pub fn afterwards(install: &Install, facts: &Facts) -> Facts {
    let mut facts = facts.clone();
    for disk in &mut facts.disks {
        disk.boot = install.consent.victim().names(disk);
        if disk.boot {
            disk.contents.clear();
        }
    }
    facts
}

fn is(selector: &DiskSelector, disk: &Disk) -> bool {
    match selector {
        DiskSelector::Serial(serial) => !serial.is_empty() && disk.serial == *serial,
        DiskSelector::ById(id) => disk.ids.contains(id),
        DiskSelector::Uuid(_) => false,
    }
}
