//! A disk is given one partition with a file system, after one last look at it.
//!
//! A note is written and synced before the first byte is destroyed, and written again when the
//! medium holds the whole file system. Whatever happens in between is found by the first note and
//! done again; what is done is found by the second one, or by the UUID on the disk, and never done
//! again.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use model::{
    disk::{Crypt, Due, FileSystem, Format, Formatting, describe},
    facts::Disk,
    paths,
};
use nix::{errno::Errno, fcntl::OFlag};

use crate::{Command, Host, HostError, Result, crypt, disks, files, patience::patiently, udev};

/// Types of the one partition: data of Linux, and the same in a LUKS container.
const LINUX_DATA: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
const LINUX_LUKS: &str = "CA7D7CCB-63ED-4C53-861C-1742536059CC";
/// The number of the one partition.
const DATA: u32 = 1;

/// Whether the disk is formatted already.
///
/// # Errors
/// It may not be formatted as things are: why, and the way out.
pub fn is_done(host: &Host, format: &Format) -> Result<bool> {
    let disks = disks::disks(host)?;
    match format.due(&disks)? {
        Due::Done => Ok(true),
        // What was unlocked when a program failed is locked before the next try.
        Due::Now(_) if left_unlocked(host, format)?.is_some() => Ok(false),
        Due::Now(disk) => exclusive(host, disk).map(|_| false),
    }
}

/// Formats the disk unless it is formatted already; true if it was done. `tell` hears what is being
/// done.
///
/// # Errors
/// It is not the disk that was agreed to, holds other things than were agreed to be lost, or is in
/// use: nothing was written then. A program refused: the next call begins anew.
pub fn format(host: &Host, format: &Format, tell: &mut dyn FnMut(String)) -> Result<bool> {
    if let Some(left) = left_unlocked(host, format)? {
        crypt::lock(host, &left)?;
    }
    udev::settle(host)?;
    let disks = disks::disks(host)?;
    let disk = match format.due(&disks)? {
        Due::Done => return Ok(false),
        Due::Now(disk) => disk,
    };
    // Nobody can mount it, or put it into a RAID, as long as it is held. The programs open it
    // exclusively themselves, so it must be let go before the first of them.
    let held = exclusive(host, disk)?;
    write_note(host, format, false)?;
    drop(held);
    tell(format!("clearing {}", describe(disk)));
    clear(host, disk)?;
    let device = device(&disk.name);
    let kind = if format.unlock.is_some() { LINUX_LUKS } else { LINUX_DATA };
    host.runner.run(
        &Command::new("sfdisk")
            .args(["--quiet", "--wipe", "always", "--wipe-partitions", "always"])
            .arg(&device)
            .stdin_text(format!("label: gpt\ntype={kind}, name=\"homelab-{}\"\n", format.label)),
    )?;
    // The kernel was told by `sfdisk`; this makes sure of it, and changes nothing if it was.
    host.runner.run(&Command::new("partx").arg("--update").arg(&device))?;
    udev::settle(host)?;
    let partition = disks::partition(&device, DATA);
    tell(format!("making {} on {}", format.filesystem.word(), disk.name));
    match format.crypt() {
        None => host.runner.run(&make(format).arg(&partition)).map(drop)?,
        Some(container) => {
            crypt::make(host, &container, &partition, &format.label)?;
            crypt::unlock(host, &container, &partition)?;
            let made = host.runner.run(&make(format).arg(container.device()));
            // It is unlocked again as at every start, which shows that it can be.
            crypt::lock(host, &container)?;
            made?;
        }
    }
    for path in [&partition, &device] {
        sync(&host.path(path))?;
    }
    udev::settle(host)?;
    write_note(host, format, true)?;
    Ok(true)
}

/// The container that an earlier try left unlocked.
fn left_unlocked(host: &Host, format: &Format) -> Result<Option<Crypt>> {
    let begun = notes(host)?.into_iter().find(|note| note.format.uuid == format.uuid);
    let container = begun.filter(|note| !note.finished).and_then(|note| note.format.crypt());
    Ok(container.filter(|container| crypt::is_unlocked(host, container)))
}

/// Erases the signatures of everything that lies on the disk, so that nothing of it shows up again
/// in the new partition.
fn clear(host: &Host, disk: &Disk) -> Result<()> {
    let partitions = disk.contents.iter().filter(|volume| volume.number.is_some());
    for name in partitions.map(|volume| &volume.name).chain([&disk.name]) {
        let command = Command::new("wipefs").arg("--all").arg(device(name));
        patiently(host, || host.runner.run(&command), |error| error.tail.contains("busy"))?;
    }
    Ok(())
}

/// The program that makes the file system; the device is its last word. None of them is forced: what
/// they find in their way was not there a moment ago.
fn make(format: &Format) -> Command {
    let (label, uuid) = (format.label.as_str(), format.filesystem_uuid());
    let program = Command::new(format!("mkfs.{}", format.filesystem.word()));
    match format.filesystem {
        // Five percent for root are for a system's disk; on one for films they are many films.
        FileSystem::Ext4 => program.args(["-q", "-m", "1", "-L", label, "-U", &uuid]),
        FileSystem::Xfs => program.args(["-q", "-L", label, "-m", &format!("uuid={uuid}")]),
        FileSystem::Btrfs => program.args(["-q", "-L", label, "-U", &uuid]),
    }
}

/// The disk, which nobody else has open exclusively: it is not mounted, not swap, not part of a
/// RAID, LVM or LUKS.
fn exclusive(host: &Host, disk: &Disk) -> Result<File> {
    let path = host.path(device(&disk.name));
    let flags = OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let open = || OpenOptions::new().read(true).custom_flags(flags.bits()).open(&path);
    let busy = |error: &io::Error| error.raw_os_error() == Some(Errno::EBUSY as i32);
    patiently(host, open, busy).map_err(|error| match busy(&error) {
        true => HostError::Refused {
            what: format!(
                "{} is in use: something on it is mounted, or belongs to RAID, LVM or LUKS",
                describe(disk)
            ),
            hint: format!("`lsblk /dev/{}` shows what; stop it, if it may be lost", disk.name),
        },
        false => files::failed("open", &path)(error),
    })
}

fn device(name: &str) -> PathBuf {
    Path::new("/dev").join(name)
}

/// What was written is on the medium, not in a cache.
fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(files::failed("sync", path))
}

fn write_note(host: &Host, format: &Format, finished: bool) -> Result<()> {
    files::ensure_folder(host.path(paths::FORMATTED), 0o700, (0, 0))?;
    let note = Formatting { format: format.clone(), finished };
    let text = serde_json::to_vec_pretty(&note)
        .map_err(|error| HostError::Other(format!("a note cannot be written: {error}")))?;
    files::write_atomic(host.path(format.note()), text, 0o600, (0, 0))
}

/// The notes of all disks that were formatted.
///
/// # Errors
/// One cannot be read. It is not passed over: a disk without its note could be formatted twice.
pub fn notes(host: &Host) -> Result<Vec<Formatting>> {
    let mut notes = Vec::new();
    for name in files::list(host.path(paths::FORMATTED))? {
        // What a cut left of a file in the making is none.
        if !name.ends_with(".json") || name.starts_with('.') {
            continue;
        }
        let path = host.path(paths::FORMATTED).join(&name);
        let note = serde_json::from_str(&files::read_text(&path)?).map_err(|error| {
            HostError::Refused {
                what: format!("`{}` is damaged: {error}", path.display()),
                hint: "it tells which disk was formatted; remove it only if that disk may be lost"
                    .to_owned(),
            }
        })?;
        notes.push(note);
    }
    Ok(notes)
}

#[cfg(test)]
mod tests;
