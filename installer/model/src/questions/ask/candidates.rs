//! Which disks of the box can hold something, or why they cannot.

use crate::{
    disk::{Victim, bears},
    facts::{Disk, Facts, Volume},
    questions::mounted::Kept,
    seed::rules,
};

/// File systems that a disk may have, or gets.
pub(super) const KNOWN: [&str; 3] = ["ext4", "xfs", "btrfs"];
/// What `lsblk` calls a LUKS container.
const LUKS: &str = "crypto_LUKS";

/// A disk, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// As the seed selects it; of one that cannot be used, `disk:` and its kernel name.
    pub(super) selector: String,
    pub(super) about: String,
    /// Why it cannot be used.
    pub(super) refused: Option<String>,
    /// What is on it, if that can be used as it is.
    pub(super) kept: Option<Kept>,
    /// It can be formatted; consent repeats the name in the selector.
    pub(super) formats: bool,
    /// Nothing is on it.
    pub(super) empty: bool,
}

/// All disks but the box's own, the one that `system` selects, and what can be pulled out.
pub(super) fn candidates(facts: &Facts, system: &str, formats: bool) -> Vec<Candidate> {
    let others = facts.disks.iter().filter(|disk| !disk.boot && !disk.removable);
    others
        .filter(|disk| unique_selector(disk, facts).as_deref() != Some(system))
        .flat_map(|disk| of_disk(disk, facts, formats))
        .collect()
}

fn of_disk(disk: &Disk, facts: &Facts, formats: bool) -> Vec<Candidate> {
    let mounts = || disk.contents.iter().flat_map(|volume| &volume.mounted_at);
    // What a cut left of formatting is good for nothing but to be formatted again.
    let begun = disk.formatting.as_ref().is_some_and(|note| !note.finished);
    // Consent is good for one time: one that a box formatted before is used as it is.
    let spent = !begun && made_by_a_box(disk);
    let mounted = mounts().next().is_some();
    let selector = unique_selector(disk, facts);
    let consent = consent(disk, selector.as_deref());
    let formats = formats && !spent && !mounted && consent.is_ok();
    let of = |selector: String, kept: Option<Kept>, formats: bool| Candidate {
        selector,
        about: describe(disk),
        refused: None,
        kept,
        formats,
        empty: is_empty(disk),
    };
    let refused = |why: &str| {
        let candidate = of(format!("disk:{}", disk.name), None, false);
        vec![Candidate { refused: Some(why.to_owned()), ..candidate }]
    };
    if mounts().any(|at| !at.starts_with("/mnt/")) {
        return refused("it is in use");
    }
    if let Some((uuid, kept)) = own_container(disk) {
        let selector = selector.unwrap_or_else(|| format!("uuid:{uuid}"));
        return vec![of(selector, Some(kept), false)];
    }
    let usable: Vec<&Volume> =
        disk.contents.iter().filter(|volume| !begun && is_usable(volume, disk)).collect();
    let kept = |volume: &Volume| {
        volume.signature.clone().map(|filesystem| Kept { filesystem, unlock: None })
    };
    match (&usable[..], selector) {
        ([volume], Some(selector)) => vec![of(selector, kept(volume), formats)],
        ([], Some(selector)) if formats => vec![of(selector, None, true)],
        ([], _) => match consent {
            _ if mounted => refused("it is in use"),
            _ if spent => refused(
                "a box has encrypted it, and its key is not here: see `encrypt` of the seed",
            ),
            Err(why) => refused(why),
            Ok(()) => refused(&format!(
                "it has no file system of {}, and this version formats no disks",
                KNOWN.join(", ")
            )),
        },
        (several, _) => {
            let part = |volume: &&Volume| {
                let selector = format!("uuid:{}", volume.uuid.as_ref()?);
                let label = volume.label.as_deref().unwrap_or(&volume.name);
                let candidate = of(selector, kept(volume), false);
                Some(Candidate { about: format!("{label} on {}", candidate.about), ..candidate })
            };
            several.iter().filter_map(part).collect()
        }
    }
}

/// Whether what lies on the disk was made by this box, or by one that it was in before.
fn made_by_a_box(disk: &Disk) -> bool {
    let made = |name: &String| Victim::named(name, disk).is_ok_and(|v| bears(disk, &v.uuid()));
    if disk.serial.is_empty() { disk.lasting_ids().any(made) } else { made(&disk.serial) }
}

/// A container that this box has made, and has the key of: its UUID, and what is in it.
fn own_container(disk: &Disk) -> Option<(&str, Kept)> {
    let note = disk.formatting.as_ref().filter(|note| note.finished)?;
    let unlock = note.format.unlock.filter(|_| bears(disk, &note.format.uuid))?;
    let filesystem = note.format.filesystem.word().to_owned();
    Some((&note.format.uuid, Kept { filesystem, unlock: Some(unlock) }))
}

fn is_usable(volume: &Volume, disk: &Disk) -> bool {
    let luks = |volume: &Volume| volume.signature.as_deref() == Some(LUKS);
    // What is seen in a container is gone after the next start, unless something unlocks that.
    let inside = volume.number.is_none() && volume.name != disk.name;
    let uuid = volume.uuid.as_deref().map(|uuid| rules::selector(&format!("uuid:{uuid}")));
    volume.signature.as_deref().is_some_and(|kind| KNOWN.contains(&kind))
        && uuid.is_some_and(|selector| selector.is_ok())
        && !(inside && disk.contents.iter().any(luks))
}

/// Whether consent to format the disk can name it and no other one, as the seed selects it.
fn consent(disk: &Disk, selector: Option<&str>) -> Result<(), &'static str> {
    match selector.map(|text| text.split_once(':').unwrap_or_default()) {
        Some(("serial", _)) => Ok(()),
        // Consent for a disk that has a serial repeats that, whatever the disk is selected by.
        _ if rules::is_serial(&disk.serial) => Err("another disk has the same serial"),
        _ if !disk.serial.is_empty() => Err("its serial has characters that no seed can repeat"),
        Some((_, id)) if rules::is_serial(id) => Ok(()),
        _ => Err(
            "it has neither a serial nor a name in /dev/disk/by-id, so nothing tells it from others",
        ),
    }
}

/// A selector that means this disk and no other one of the machine.
pub(super) fn unique_selector(disk: &Disk, facts: &Facts) -> Option<String> {
    let others = || facts.disks.iter().filter(|other| other.name != disk.name);
    let by_serial = format!("serial:{}", disk.serial);
    if rules::is_serial(&disk.serial) && !others().any(|other| other.serial == disk.serial) {
        return Some(by_serial);
    }
    let ids = disk.lasting_ids().filter(|id| !others().any(|other| other.ids.contains(id)));
    let mut selectors = ids.map(|id| format!("by-id:{id}"));
    selectors.find(|text| rules::selector(text).is_ok())
}

/// The same, if consent to format the disk can repeat it.
///
/// # Errors
/// Why it cannot.
pub(super) fn selector_with_consent(disk: &Disk, facts: &Facts) -> Result<String, &'static str> {
    let selector = unique_selector(disk, facts);
    consent(disk, selector.as_deref()).map(|()| selector.unwrap_or_default())
}

/// Model, serial, size, and what is on it.
pub(super) fn describe(disk: &Disk) -> String {
    let model = if disk.model.is_empty() { &disk.name } else { &disk.model };
    let name = match (disk.serial.as_str(), disk.lasting_ids().next()) {
        ("", Some(id)) => format!("no serial, by-id {id}"),
        ("", None) => "no serial".to_owned(),
        (serial, _) => format!("serial {serial}"),
    };
    let gigabytes = disk.size / 1_000_000_000;
    let there: Vec<String> = disk
        .contents
        .iter()
        .filter_map(|volume| {
            let kind = volume.signature.as_deref()?;
            Some(match &volume.label {
                Some(label) => format!("{kind} \"{label}\""),
                None => kind.to_owned(),
            })
        })
        .collect();
    let there = match (is_empty(disk), there.is_empty()) {
        (true, _) => "empty".to_owned(),
        (false, true) => "nothing known on it".to_owned(),
        (false, false) => there.join(", "),
    };
    format!("{} ({name}, {gigabytes} GB, {there})", model.trim())
}

/// Nothing is on it, not even a partition table.
pub(super) fn is_empty(disk: &Disk) -> bool {
    disk.table.is_none() && disk.contents.iter().all(|volume| volume.signature.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Consent, FileSystem, Format, Formatting, Unlock};

    const UUID: &str = "0a1b2c3d-0000-4000-8000-000200000004";

    fn empty() -> Disk {
        let ids = vec!["lvm-pv-uuid-a".to_owned(), "wwn-0x5000c500a1b2c3d4".to_owned()];
        Disk { name: "sdb".into(), serial: "WD-1".into(), ids, size: 1, ..Disk::default() }
    }

    fn with(kind: &str, uuid: &str) -> Disk {
        let volume = Volume {
            name: "sdb1".into(),
            number: Some(1),
            size: 1,
            signature: Some(kind.into()),
            uuid: Some(uuid.into()),
            label: None,
            mounted_at: Vec::new(),
        };
        Disk { contents: vec![volume], table: Some("gpt".into()), ..empty() }
    }

    /// What can be done with the first disk, by which selector; or why nothing can.
    fn offered(disks: &[Disk]) -> String {
        let facts = Facts { disks: disks.to_vec(), ..Facts::of_memory(1) };
        let all = candidates(&facts, "", true);
        let first = &all[0];
        let kept = first.kept.as_ref().map(Kept::in_words);
        match (&first.refused, kept, first.formats) {
            (Some(why), None, false) => format!("{}: {why}", first.selector),
            (None, None, true) => format!("{}: format", first.selector),
            (None, Some(kept), false) => format!("{}: use {kept}", first.selector),
            (None, Some(kept), true) => format!("{}: use {kept}, or format", first.selector),
            _ => panic!("{first:?}"),
        }
    }

    #[test]
    fn a_disk_is_offered_to_be_formatted_once() {
        let format =
            Format::new(Consent::given("WD-1", &empty()).unwrap(), FileSystem::Xfs, "media");
        let noted = |disk: Disk, format: &Format, finished: bool| Disk {
            formatting: Some(Formatting { format: format.clone(), finished }),
            ..disk
        };
        for (disk, expected) in [
            (empty(), "serial:WD-1: format"),
            (with("ntfs", UUID), "serial:WD-1: format"),
            (with("ext4", UUID), "serial:WD-1: use ext4, or format"),
            (with("xfs", &format.uuid), "serial:WD-1: use xfs"),
            (noted(with("xfs", &format.uuid), &format, false), "serial:WD-1: format"),
            (
                with("crypto_LUKS", &format.uuid),
                "disk:sdb: a box has encrypted it, and its key is not here: see `encrypt` of the \
                 seed",
            ),
        ] {
            assert_eq!(offered(&[disk]), expected);
        }
        let locked = Format { unlock: Some(Unlock::Key), ..format };
        let mut own = noted(with("crypto_LUKS", &locked.uuid), &locked, true);
        assert_eq!(offered(&[own.clone()]), "serial:WD-1: use xfs, encrypted");
        // Unlocked, what is in it is seen; the disk is used by its container all the same.
        let inside =
            Volume { name: "luks-x".into(), number: None, ..with("xfs", UUID).contents.remove(0) };
        own.contents.push(Volume { mounted_at: vec!["/mnt/media".into()], ..inside.clone() });
        assert_eq!(offered(&[own]), "serial:WD-1: use xfs, encrypted");
        // In a container of somebody else's it is not there at the next start.
        let mut foreign = with("crypto_LUKS", UUID);
        foreign.contents.push(inside);
        assert_eq!(offered(&[foreign]), "serial:WD-1: format");
    }

    #[test]
    fn a_disk_in_use_is_not_offered() {
        let mut mounted = with("ext4", UUID);
        mounted.contents[0].mounted_at = vec!["/mnt/media".into()];
        assert_eq!(offered(&[mounted.clone()]), "serial:WD-1: use ext4");
        mounted.contents[0].signature = Some("ntfs".into());
        assert_eq!(offered(&[mounted.clone()]), "disk:sdb: it is in use");
        mounted.contents[0].mounted_at = vec!["/srv".into()];
        mounted.contents[0].signature = Some("ext4".into());
        assert_eq!(offered(&[mounted]), "disk:sdb: it is in use");
    }

    #[test]
    fn a_disk_without_a_serial_goes_by_another_name_that_lasts() {
        let nameless = Disk { serial: String::new(), ..empty() };
        assert_eq!(
            offered(std::slice::from_ref(&nameless)),
            "by-id:wwn-0x5000c500a1b2c3d4: format"
        );
        assert_eq!(
            describe(&nameless),
            "sdb (no serial, by-id wwn-0x5000c500a1b2c3d4, 0 GB, empty)"
        );
        let consent = Consent::given("wwn-0x5000c500a1b2c3d4", &nameless).unwrap();
        let uuid = Format::new(consent, FileSystem::Ext4, "media").uuid;
        let spent = Disk { serial: String::new(), ..with("ext4", &uuid) };
        assert_eq!(offered(&[spent]), "by-id:wwn-0x5000c500a1b2c3d4: use ext4");
        // The name of what lies on it would go when it is formatted.
        let ids = vec!["lvm-pv-uuid-a".to_owned()];
        let anonymous = Disk { ids: ids.clone(), ..nameless };
        assert_eq!(
            offered(std::slice::from_ref(&anonymous)),
            "disk:sdb: it has neither a serial nor a name in /dev/disk/by-id, so nothing tells it \
             from others"
        );
        let there = Disk { serial: String::new(), ids, ..with("ext4", UUID) };
        assert_eq!(offered(&[there]), format!("uuid:{UUID}: use ext4"));
        let twin = Disk { name: "sdc".into(), ids: Vec::new(), ..empty() };
        assert_eq!(offered(&[empty(), twin.clone()]), "disk:sdb: another disk has the same serial");
        let there = with("ext4", UUID);
        assert_eq!(offered(&[there, twin]), "by-id:wwn-0x5000c500a1b2c3d4: use ext4");
        let odd = Disk { serial: "a/b".into(), ..empty() };
        assert_eq!(offered(&[odd]), "disk:sdb: its serial has characters that no seed can repeat");
    }
}
