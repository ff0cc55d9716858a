//! Makes a copy of a running system one that was never started: what its first start made is its own,
//! and not the copy's.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
};

use model::paths::{self, partition};

use crate::{
    Command, Host, HostError, Result, boot_loader,
    fat::FixedClock,
    files::{self, failed},
    flash::{self, Target},
    table::{Extent, Guids, Partition},
    volume,
};

/// Files of the root file system that go, whatever they are; systemd, the SSH server and we make them
/// again.
const GONE: [&str; 3] = [
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/credential.secret",
    "/var/lib/dbus/machine-id",
];
/// Folders whose content goes: logs, and what Docker made for this one box.
const EMPTIED: [&str; 3] = ["/var/log/journal", "/var/lib/docker", "/var/lib/containerd"];
/// Where SSH host keys lie, and what their names begin with.
const HOST_KEYS: (&str, &str) = ("/etc/ssh", "ssh_host_");
/// Of our own state only this stays: where the sealed seed came from, and which data disks were
/// formatted, so that none is formatted twice.
const KEPT: [&str; 2] = ["/var/lib/homelab/accepted.json", paths::FORMATTED];

/// The copy on `disk`, whose head is not written yet.
pub(super) struct Fresh<'a> {
    pub(super) host: &'a Host,
    pub(super) disk: &'a Path,
    pub(super) target: &'a Target,
    pub(super) partitions: &'a [Partition],
    /// What is left on its SEED partition.
    pub(super) note: &'a str,
}

impl Fresh<'_> {
    /// Makes it fit the sectors of the disk, gives it GUIDs and a UUID of its own, takes away what the
    /// first start made, and looks whether the root file system is whole.
    pub(super) fn make(&self, head: &mut [u8]) -> Result<()> {
        let (disk, clock) = (self.host.path(self.disk), FixedClock::at(self.host.clock.epoch()));
        flash::fit_file_systems(self.target, &disk, self.partitions, clock)?;
        let root = self.place(partition::ROOT)?;
        let whole = format!("{}?offset={}", self.disk.display(), root.start);
        self.host.runner.run(&Command::new("tune2fs").args(["-U", "random", &whole]))?;
        volume::with_part(self.host, self.disk, root, "ext4", &mut |folder| forget(folder))?;
        let efi = self.place(partition::EFI)?;
        volume::with_part(self.host, self.disk, efi, "vfat", &mut boot_loader::forget_attempts)?;
        let seed = self.place(partition::SEED)?;
        volume::with_part(self.host, self.disk, seed, "vfat", &mut |folder| {
            fs::write(folder.join(partition::COPY_NOTE), self.note)
                .map_err(failed("write", Path::new(partition::COPY_NOTE)))
        })?;
        self.target.sync().map_err(|error| HostError::Other(error.to_string()))?;
        self.host.runner.run(&Command::new("e2fsck").args(["-f", "-n", &whole]))?;
        // The stick may still be plugged in when the copy starts: GRUB passes the GUID of the partition
        // that it found on its own disk, so the two may not share any. Last of all: a backup of the table
        // alone is no reason to start from this disk, but why risk it.
        flash::fit_table(self.target, head, Guids::Fresh)
    }

    fn place(&self, number: u32) -> Result<Extent> {
        place(self.partitions, number)
    }
}

/// Where a partition lies.
pub(super) fn place(partitions: &[Partition], number: u32) -> Result<Extent> {
    let found = partitions.iter().find(|partition| partition.number == number);
    found.map(|partition| partition.extent).ok_or_else(|| {
        HostError::Other(format!(
            "the disk that the box runs from has no partition {number}, so it is none of ours"
        ))
    })
}

/// Takes away what the first start made on the root file system in `folder`. The sealed seed stays,
/// with the secrets that were kept beside it: it is what the copy goes on with.
fn forget(folder: &Path) -> Result<()> {
    let at = |path: &str| files::below(folder, path);
    for path in GONE {
        files::remove(at(path))?;
    }
    let (keys, prefix) = HOST_KEYS;
    for name in files::list(at(keys))?.iter().filter(|name| name.starts_with(prefix)) {
        files::remove(at(keys).join(name))?;
    }
    for path in EMPTIED {
        for name in files::list(at(path))? {
            remove_all(&at(path).join(name))?;
        }
    }
    for name in files::list(at(paths::STATE))? {
        let path = at(paths::STATE).join(name);
        if !KEPT.iter().any(|kept| at(kept) == path) {
            remove_all(&path)?;
        }
    }
    // Empty, not gone: so it is in the image, and systemd fills it.
    let id = at("/etc/machine-id");
    let file = OpenOptions::new().write(true).truncate(true).open(&id);
    match file {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        file => file.map(drop).map_err(failed("empty", &id)),
    }
}

/// A file, or a folder with all below it.
fn remove_all(path: &Path) -> Result<()> {
    let about = fs::symlink_metadata(path).map_err(failed("look at", path))?;
    match about.is_dir() {
        true => fs::remove_dir_all(path).map_err(failed("remove", path)),
        false => files::remove(path).map(drop),
    }
}
