//! A file system that is only mounted while it is needed: the EFI and the SEED partition, and a
//! stick with a seed. A cut then finds it clean, and nobody else's programs see what lies on it.

use std::path::{Path, PathBuf};

use crate::{Command, Host, HostError, Result, files, patience::patiently, table::Extent};

/// Where file systems are mounted for a moment.
const PLACE: &str = "/run/homelab/volume";
const OPTIONS: &str = "nodev,nosuid,noexec";
/// FAT knows no permissions: what lies there is for root alone.
const FAT: &str = "umask=0077";

/// What is done with a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is only read.
    Read,
    /// It may be written.
    Write,
}

/// Mounts a FAT file system, calls `work` with its folder, and unmounts it.
///
/// # Errors
/// It cannot be mounted or unmounted, or what `work` returned.
pub fn with_fat(
    host: &Host,
    device: &Path,
    what_for: Use,
    work: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<()> {
    let access = if what_for == Use::Read { "ro" } else { "rw,sync" };
    let options = format!("{access},{OPTIONS},{FAT}");
    with(host, device, &place(device), ("vfat", &options), work)
}

/// Mounts what lies on a part of a disk, whether there is a partition table or not, to be written;
/// calls `work` with its folder, and unmounts it. `kind`: `ext4`, `vfat`.
///
/// # Errors
/// It cannot be mounted or unmounted, or what `work` returned.
pub fn with_part(
    host: &Host,
    disk: &Path,
    part: Extent,
    kind: &str,
    work: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<()> {
    let Extent { start, length } = part;
    let fat = if kind == "vfat" { FAT } else { "rw" };
    let options = format!("rw,{OPTIONS},{fat},loop,offset={start},sizelimit={length}");
    let mut place = place(disk).into_os_string();
    place.push(format!("-{start}"));
    let worked = with(host, disk, Path::new(&place), (kind, &options), work);
    let _ = std::fs::remove_dir(host.path(Path::new(&place)));
    worked
}

fn with(
    host: &Host,
    device: &Path,
    place: &Path,
    (kind, options): (&str, &str),
    work: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<()> {
    let folder = host.path(place);
    files::ensure_folder(&folder, 0o700, (0, 0))?;
    host.runner
        .run(&Command::new("mount").args(["-t", kind, "-o", options]).arg(device).arg(&folder))?;
    let worked = work(&folder);
    let unmount = Command::new("umount").arg(&folder);
    let unmounted =
        patiently(host, || host.runner.run(&unmount), |error| error.tail.contains("busy"));
    worked?;
    unmounted.map(drop).map_err(HostError::from)
}

/// Two file systems at once get two folders.
fn place(device: &Path) -> PathBuf {
    Path::new(PLACE).join(device.file_name().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_unmounted_whatever_happens() {
        let folder = tempfile::tempdir().unwrap();
        let fake = crate::fake::host(folder.path());
        let seen = with_fat(&fake.host(), Path::new("/dev/sda4"), Use::Read, &mut |place| {
            assert!(place.ends_with("run/homelab/volume/sda4"));
            Err(HostError::Other("work failed".into()))
        });
        assert_eq!(seen.unwrap_err().to_string(), "work failed");
        let words: Vec<String> =
            fake.runner.ran().iter().map(|ran| ran.words[..2].join(" ")).collect();
        assert_eq!(words.len(), 2);
        assert_eq!(words[0], "mount -t");
        assert!(words[1].starts_with("umount /"), "{words:?}");
    }
}
