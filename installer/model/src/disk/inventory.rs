//! The disks of a box, what they are used for, and how they are.

use serde::Serialize;

use super::{Health, bears, selector, there};
use crate::{
    facts::Disk,
    plan::{MountWish, Storage},
};

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Kernel name, good for this boot only; none: it is not there.
    pub name: Option<String>,
    /// How a seed selects it.
    pub selector: String,
    /// Model; may be empty.
    pub model: String,
    /// `sata`, `nvme`, `usb`…; may be empty.
    pub bus: String,
    /// Bytes; 0 if it is not there.
    pub size: u64,
    /// What is on it.
    pub contents: String,
    /// What the box uses it for; empty: for nothing.
    pub used_for: Vec<String>,
    /// What it says of itself.
    pub health: Health,
    /// What its file systems say, in sentences; empty: nothing bad.
    pub trouble: Vec<String>,
}

impl Entry {
    /// Something is wrong with it.
    pub fn is_trouble(&self) -> bool {
        self.name.is_none() || self.health.is_trouble() || !self.trouble.is_empty()
    }
}

/// What is known of a disk besides its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What it says of itself.
    pub health: Health,
    /// What its file systems say.
    pub trouble: Vec<String>,
}

/// All disks, and those of the plan that are not there. `look` finds out how a disk is.
pub fn inventory(
    disks: &[Disk],
    storage: Option<&Storage>,
    mut look: impl FnMut(&Disk) -> Looked,
) -> Vec<Entry> {
    let mounts = || storage.into_iter().flat_map(|storage| &storage.mounts);
    let mut entries: Vec<Entry> = disks
        .iter()
        .map(|disk| {
            let Looked { health, trouble } = look(disk);
            Entry {
                name: Some(disk.name.clone()),
                selector: selector(disk),
                model: disk.model.clone(),
                bus: disk.bus.clone(),
                size: disk.size,
                contents: there(disk),
                used_for: used_for(disk, mounts()),
                health,
                trouble,
            }
        })
        .collect();
    for mount in mounts() {
        let Some(wanted) = mount.disk.as_ref().filter(|_| !disks.iter().any(|d| is_of(mount, d)))
        else {
            continue;
        };
        entries.push(Entry {
            name: None,
            selector: wanted.clone(),
            model: String::new(),
            bus: String::new(),
            size: 0,
            contents: mount.uuid().map(|uuid| format!("uuid:{uuid}")).unwrap_or_default(),
            used_for: vec![mount.at.clone()],
            health: Health::unknown("it is not there"),
            trouble: Vec::new(),
        });
    }
    entries
}

fn is_of(mount: &MountWish, disk: &Disk) -> bool {
    mount.uuid().is_some_and(|uuid| bears(disk, uuid))
}

fn used_for<'a>(disk: &Disk, mounts: impl Iterator<Item = &'a MountWish>) -> Vec<String> {
    let mut uses: Vec<String> = Vec::new();
    if disk.boot {
        uses.push("the box itself".to_owned());
    }
    uses.extend(mounts.filter(|mount| is_of(mount, disk)).map(|mount| mount.at.clone()));
    if uses.is_empty() {
        // Somebody else's mounts.
        uses.extend(disk.contents.iter().flat_map(|volume| volume.mounted_at.clone()));
    }
    uses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::lsblk;

    #[test]
    fn disks_are_told_with_their_use_and_missing_ones_too() {
        let mut disks = lsblk::parse(
            r#"{"blockdevices": [
                {"name": "vda", "type": "disk", "size": 64000000000, "log-sec": 512},
                {"name": "sdb", "type": "disk", "size": 4000000000000, "log-sec": 512,
                 "serial": "WD-1", "model": "WDC WD40", "tran": "sata", "children": [
                    {"name": "sdb1", "type": "part", "size": 1, "fstype": "xfs", "uuid": "u-1"}]},
                {"name": "sdc", "type": "disk", "size": 16000000000, "log-sec": 512, "serial": "S1",
                 "tran": "usb"}]}"#,
        )
        .unwrap_or_default();
        disks[0].boot = true;
        let mount = |at: &str, serial: &str, uuid: &str| MountWish {
            at: at.into(),
            what: format!("UUID={uuid}"),
            disk: Some(format!("serial:{serial}")),
            ..MountWish::default()
        };
        let mounts = vec![mount("/mnt/media", "WD-1", "u-1"), mount("/mnt/backups", "WD-2", "u-2")];
        let storage = Storage { grow_root: true, folders: Vec::new(), mounts };
        let mut asked = Vec::new();
        let all = inventory(&disks, Some(&storage), |disk| {
            asked.push(disk.name.clone());
            Looked { health: Health::unknown("it has no SMART"), trouble: Vec::new() }
        });
        assert_eq!(asked, ["vda", "sdb", "sdc"]);
        let uses: Vec<_> =
            all.iter().map(|entry| (entry.selector.as_str(), entry.used_for.join(", "))).collect();
        assert_eq!(
            uses,
            [
                ("no serial", "the box itself".to_owned()),
                ("serial:WD-1", "/mnt/media".to_owned()),
                ("serial:S1", String::new()),
                ("serial:WD-2", "/mnt/backups".to_owned()),
            ]
        );
        assert!(all[3].is_trouble() && !all[1].is_trouble(), "{all:#?}");
    }
}
