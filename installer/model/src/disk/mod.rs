//! Which disk is meant, and whether it may be formatted.
//!
//! A selector means exactly one disk or nothing happens; whoever may format a disk holds a
//! [`Consent`], which names that very disk. What is made of it is a [`Format`], and the box writes
//! down a [`Formatting`] before it begins.

mod adding;
mod consent;
mod crypt;
mod format;
mod inventory;
pub mod metrics;
mod replacing;
pub mod sectors;
mod select;
pub mod smart;
#[cfg(test)]
mod tests;

pub use adding::{joining, mount_of};
pub use consent::{Consent, Victim};
pub use crypt::{Crypt, Unlock};
pub use format::{Due, FileSystem, Format, Formatting, bears, gone};
pub use inventory::{Entry, Looked, inventory};
pub use replacing::{Replacement, Wanted, unused};
pub use select::{candidates, is_absent, select, volume};

pub use smart::Health;

use crate::facts::{Disk, Volume};

/// A disk in one line: selector, model, bus, size, and what is on it.
pub fn describe(disk: &Disk) -> String {
    let model = if disk.model.is_empty() { &disk.name } else { &disk.model };
    let bus = if disk.bus.is_empty() { String::new() } else { format!("{}, ", disk.bus) };
    let there = there(disk);
    let size = size(disk.size);
    format!("{} ({}, {bus}{size}, {there})", selector(disk), model.trim())
}

/// Bytes as makers of disks count them: `500 GB`, `64 MB`.
pub fn size(bytes: u64) -> String {
    match bytes / 1_000_000_000 {
        0 => format!("{} MB", bytes / 1_000_000),
        gigabytes => format!("{gigabytes} GB"),
    }
}

/// How the disk is selected in a seed: `serial:…`; `by-id:…` if it has no serial.
pub fn selector(disk: &Disk) -> String {
    match (disk.serial.is_empty(), disk.lasting_ids().next()) {
        (false, _) => format!("serial:{}", disk.serial),
        (true, Some(id)) => format!("by-id:{id}"),
        (true, None) => "no serial".to_owned(),
    }
}

/// What is on a disk: `ext4 uuid:…, vfat`; `empty`.
pub fn there(disk: &Disk) -> String {
    match contents(disk) {
        contents if contents.is_empty() => "empty".to_owned(),
        contents => contents.join(", "),
    }
}

/// What is on a disk, each in a few words; nothing: it bears no known signature.
pub fn contents(disk: &Disk) -> Vec<String> {
    match (&disk.contents[..], &disk.table) {
        ([], Some(table)) => vec![format!("{table} partition table")],
        (volumes, _) => volumes.iter().map(content).collect(),
    }
}

/// A volume in a few words: `ext4 uuid:…`.
pub fn content(volume: &Volume) -> String {
    let kind = volume.signature.as_deref().unwrap_or("nothing known");
    match &volume.uuid {
        Some(uuid) => format!("{kind} uuid:{uuid}"),
        None => kind.to_owned(),
    }
}
