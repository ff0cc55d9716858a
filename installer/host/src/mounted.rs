//! What is mounted at a place, and whether it is the volume that belongs there.

use std::fs;

use crate::{Host, Result, files};

/// A mount as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// `ext4`, `nfs4`, `fuse.mergerfs`…
    pub kind: String,
    /// `/dev/sdb1`, `nas.lan:/export`, or whatever the file system calls itself.
    pub source: String,
    /// The folder of that file system which is shown: `/` but for a bind mount.
    pub root: String,
    /// The file system as a whole takes no changes: it is mounted so, or met an error.
    pub read_only: bool,
}

/// What is mounted there; of several the last one, which covers the others. An automount that waits
/// for its first use is nothing.
///
/// # Errors
/// `/proc` cannot be read.
pub fn at(host: &Host, place: &str) -> Result<Option<Mounted>> {
    let mounts = files::read_text(host.path("/proc/self/mountinfo"))?;
    let found = mounts.lines().rev().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, at) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, source) = (after.next()?, after.next()?);
        let read_only = after.next().is_some_and(|options| options.split(',').any(|o| o == "ro"));
        (at == place && kind != "autofs").then(|| Mounted {
            read_only,
            kind: kind.to_owned(),
            source: source.to_owned(),
            root: root.to_owned(),
        })
    });
    Ok(found)
}

impl Mounted {
    /// Is it the volume that this device stands for, such as `/dev/disk/by-uuid/…`? A name that the
    /// volume had before it was unplugged is not.
    pub fn is(&self, host: &Host, device: &str) -> bool {
        let kernel_name = |path: &str| {
            let target = fs::read_link(host.path(path)).ok();
            let target = target.unwrap_or_else(|| path.into());
            target.file_name().map(|name| name.to_string_lossy().into_owned())
        };
        if !host.path(device).exists() {
            return false;
        }
        let source = kernel_name(&self.source);
        if source == kernel_name(device) {
            return true;
        }
        // A btrfs of several disks is mounted by any of them.
        let uuid = device.strip_prefix("/dev/disk/by-uuid/").filter(|_| self.kind == "btrfs");
        uuid.zip(source).is_some_and(|(uuid, source)| {
            host.path(format!("/sys/fs/btrfs/{uuid}/devices/{source}")).exists()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::*;
    use crate::fake;

    const MOUNTS: &str = "\
        23 1 8:3 / / rw,relatime shared:1 - ext4 /dev/sda3 rw\n\
        31 23 8:17 / /mnt/media rw shared:9 - xfs /dev/sdb1 rw\n\
        32 23 253:0 / /mnt/downloads rw - ext4 /dev/mapper/luks-u2 rw\n\
        33 23 0:44 / /mnt/backups rw - autofs systemd-1 rw,fd=44\n\
        34 23 0:60 / /mnt/pool rw - btrfs /dev/sdd rw\n";

    fn machine(folder: &Path) -> Host {
        let make = |path: &str| fs::create_dir_all(folder.join(path)).unwrap();
        for path in ["proc/self", "dev/disk/by-uuid", "dev/mapper", "sys/fs/btrfs/u4/devices/sdd"] {
            make(path);
        }
        fs::write(folder.join("proc/self/mountinfo"), MOUNTS).unwrap();
        for name in ["sdb1", "sdc1", "sde", "dm-0"] {
            fs::write(folder.join("dev").join(name), "").unwrap();
        }
        for (link, target) in [
            ("disk/by-uuid/u1", "../../sdb1"),
            ("disk/by-uuid/u3", "../../sdc1"),
            ("disk/by-uuid/u4", "../../sde"),
            ("mapper/luks-u2", "../dm-0"),
        ] {
            symlink(target, folder.join("dev").join(link)).unwrap();
        }
        fake::host(folder).host()
    }

    #[test]
    fn the_id_of_a_volume_counts_and_not_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let host = machine(folder.path());
        let media = at(&host, "/mnt/media").unwrap().unwrap();
        assert_eq!((media.kind.as_str(), media.root.as_str()), ("xfs", "/"));
        assert!(media.is(&host, "/dev/disk/by-uuid/u1"));
        assert!(!media.is(&host, "/dev/disk/by-uuid/u3"), "another disk");
        assert!(at(&host, "/mnt/downloads").unwrap().unwrap().is(&host, "/dev/mapper/luks-u2"));
        assert!(at(&host, "/mnt/pool").unwrap().unwrap().is(&host, "/dev/disk/by-uuid/u4"));
        assert_eq!(at(&host, "/mnt/backups").unwrap(), None, "an automount is no volume");
        assert_eq!(at(&host, "/mnt").unwrap(), None);
        // Unplugged: udev takes the link away, and the mount may stay for a moment.
        fs::remove_file(folder.path().join("dev/disk/by-uuid/u1")).unwrap();
        assert!(!media.is(&host, "/dev/disk/by-uuid/u1"));
    }
}
