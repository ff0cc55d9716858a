//! From a selector to the one disk that it means.

use super::{bears, describe};
use crate::{
    facts::{Disk, Facts, Volume},
    seed::{DiskSelector, rules::Refused},
};

/// The one disk that the selector means; for `uuid:…` the disk that the file system lies on. Never
/// the disk that the box runs from.
///
/// # Errors
/// No disk or several are meant, or the box's own: what there is stands in the hint.
pub fn select<'a>(selector: &DiskSelector, facts: &'a Facts) -> Result<&'a Disk, Refused> {
    let matching: Vec<&Disk> = match selector {
        DiskSelector::Serial(serial) => {
            facts.disks.iter().filter(|disk| disk.serial == *serial).collect()
        }
        DiskSelector::ById(id) => facts.disks.iter().filter(|disk| disk.ids.contains(id)).collect(),
        DiskSelector::Uuid(uuid) => vec![volume(uuid, facts)?.0],
    };
    match matching[..] {
        [disk] if disk.boot => Err(Refused::new(
            format!("`{selector}` is the disk that the box runs from"),
            candidates(facts),
        )),
        [disk] => Ok(disk),
        [] => Err(Refused::new(format!("no disk is `{selector}`"), candidates(facts))),
        _ => Err(several(selector, matching)),
    }
}

/// No disk of the machine is meant.
pub fn is_absent(selector: &DiskSelector, facts: &Facts) -> bool {
    !facts.disks.iter().any(|disk| match selector {
        DiskSelector::Serial(serial) => disk.serial == *serial,
        DiskSelector::ById(id) => disk.ids.contains(id),
        DiskSelector::Uuid(uuid) => bears(disk, uuid),
    })
}

/// The one file system with this UUID, and a disk that it lies on. A file system of several disks
/// (RAID, btrfs) counts as one, a copy on another disk does not.
///
/// # Errors
/// There is none, or there are several.
pub fn volume<'a>(uuid: &str, facts: &'a Facts) -> Result<(&'a Disk, &'a Volume), Refused> {
    let all = facts.disks.iter().flat_map(|disk| disk.contents.iter().map(move |v| (disk, v)));
    let mut found: Vec<(&Disk, &Volume)> = Vec::new();
    for (disk, volume) in all.filter(|(_, volume)| volume.uuid.as_deref() == Some(uuid)) {
        let btrfs = volume.signature.as_deref() == Some("btrfs");
        let same = |(_, other): &(&Disk, &Volume)| {
            other.name == volume.name || btrfs && other.signature == volume.signature
        };
        if !found.iter().any(same) {
            found.push((disk, volume));
        }
    }
    match found[..] {
        [one] => Ok(one),
        [] => Err(Refused::new(format!("no file system has the UUID `{uuid}`"), candidates(facts))),
        _ => {
            let disks = found.into_iter().map(|(disk, _)| disk).collect();
            let refused = several(&DiskSelector::Uuid(uuid.to_owned()), disks);
            let hint = format!("{}; unplug the copy, or select by `serial:…`", refused.hint);
            Err(Refused::new(refused.what, hint))
        }
    }
}

fn several(selector: &DiskSelector, disks: Vec<&Disk>) -> Refused {
    let names: Vec<String> = disks.iter().map(|disk| describe(disk)).collect();
    Refused::new(
        format!("{} disks are `{selector}`", disks.len()),
        format!("they are {}", names.join("; ")),
    )
}

/// What could be meant: every disk but the box's own.
pub fn candidates(facts: &Facts) -> String {
    let others: Vec<String> = facts.disks.iter().filter(|disk| !disk.boot).map(describe).collect();
    match others.is_empty() {
        true => "this machine has no other disk than its own".to_owned(),
        false => format!("this machine has {}", others.join("; ")),
    }
}
