//! Copies the system that the machine runs from, a stick, onto another disk, where it starts as one
//! that was never started before.
//!
//! ```text
//! freeze root -> what is in use? -> all but the head -> thaw -> read back -> made to fit the -> head
//!                                          sectors, new GUIDs, first start forgotten
//! ```
//! The stick is only read. Whatever goes wrong, the head of the disk stays zero: it starts nothing,
//! and the stick starts again.

mod fresh;
mod frozen;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

use model::paths::partition;

use self::{
    fresh::{Fresh, place},
    frozen::Frozen,
};
use crate::{
    BootDisk, Command, Host, HostError, Result,
    files::failed,
    flash::{self, FlashError, Stage, Target, Tell},
    table, udev, usage,
};

/// Room for the backup table behind the last partition.
pub const BEHIND: u64 = 1 << 20;

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The whole disk, or a file that holds one.
    pub disk: PathBuf,
    /// Its root file system as the programs of e2fsprogs open it: a device, or `FILE?offset=BYTES`.
    pub root: String,
    /// Where that is mounted; none: nowhere.
    pub mounted: Option<PathBuf>,
}

impl Origin {
    /// The disk that this machine runs from.
    ///
    /// # Errors
    /// The root file system lies on no partition of a disk.
    pub fn running(host: &Host) -> Result<Self> {
        let disk = BootDisk::find(host)?;
        let root = disk.partition(partition::ROOT).display().to_string();
        Ok(Self { disk: disk.disk, root, mounted: Some("/".into()) })
    }
}

/// Why a copy is not whole.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// Something that the machine lacks or refuses.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The copy itself.
    #[error(transparent)]
    Flash(#[from] FlashError),
}

/// Copies a system onto a whole disk, of which everything is lost. `note` is left on its SEED
/// partition.
///
/// # Errors
/// The disk is in use or too small, one of the two cannot be read or written, or what was written
/// does not come back. The disk starts nothing then.
pub fn copy(
    host: &Host,
    origin: &Origin,
    to: &Path,
    note: &str,
    tell: Tell<'_>,
) -> Result<(), TransferError> {
    let copied = onto(host, origin, to, note, tell);
    if is_device(host, to) {
        // The kernel looks at the table that is there now; where it does not, the next start does.
        let _ = host.runner.run(&Command::new("blockdev").arg("--rereadpt").arg(to));
        let _ = udev::settle(host);
    }
    copied
}

fn onto(
    host: &Host,
    origin: &Origin,
    to: &Path,
    note: &str,
    tell: Tell<'_>,
) -> Result<(), TransferError> {
    let target = Target::open(&host.path(to)).map_err(failed("open", to))?;
    let disk = host.path(&origin.disk);
    let mut source = File::open(&disk).map_err(failed("open", &disk))?;
    let (_, partitions) = table::read(&mut source)?;
    // Root is the last one. The backup table behind it is made anew for the other disk.
    let end = place(&partitions, partition::ROOT)?.end();
    if target.size() < end + BEHIND {
        return Err(TransferError::Host(HostError::Other(format!(
            "`{}` has {} bytes, and the system on `{}` needs {}",
            to.display(),
            target.size(),
            origin.disk.display(),
            end + BEHIND
        ))));
    }

    let still = origin.mounted.clone().map(|at| Frozen::new(host, at)).transpose()?;
    let mut still = still;
    if is_device(host, &origin.disk) {
        // What the kernel knows of the whole disk may be older than what lies on its partitions.
        let flush = Command::new("blockdev").arg("--flushbufs").arg(&origin.disk);
        host.runner.run(&flush).map_err(HostError::from)?;
    }
    let ext4 = |place: table::Extent| {
        let debugfs = Command::new("debugfs");
        usage::of_ext4(host.runner.as_ref(), debugfs, &origin.root, place.length)
    };
    let used = usage::used(&source, &disk, end, &partitions, &ext4)?;
    let extents = usage::extents(&source, &used).map_err(failed("read", &disk))?;
    std::io::Seek::rewind(&mut source).map_err(failed("read", &disk))?;

    let fresh = Fresh { host, disk: to, target: &target, partitions: &partitions, note };
    let mut between = |head: &mut [u8]| fresh.make(head).map_err(|error| said(&error));
    let mut tell = |stage, done, of| {
        if stage == Stage::ReadBack {
            // Everything was read from the stick.
            still = None;
        }
        tell(stage, done, of);
    };
    flash::write(&mut source, &extents, &target, &mut between, &mut tell)?;
    Ok(())
}

fn is_device(host: &Host, path: &Path) -> bool {
    host.path(path).metadata().is_ok_and(|about| about.file_type().is_block_device())
}

fn said(error: &HostError) -> String {
    match std::error::Error::source(error) {
        Some(why) => format!("{error}: {why}"),
        None => error.to_string(),
    }
}
