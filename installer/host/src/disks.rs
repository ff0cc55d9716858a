//! The machine's disks, and which of them it was started from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use model::facts::{Disk, lsblk};

use crate::{Command, Host, HostError, Result, files, format};

/// All whole disks, with their links below `/dev/disk/by-id`, with the boot disk marked, and with
/// the box's notes of those that it formatted.
///
/// # Errors
/// `lsblk` failed, or `/dev`, `/proc`, `/sys` or a note cannot be read.
pub fn disks(host: &Host) -> Result<Vec<Disk>> {
    let command = Command::new("lsblk").args(["--json", "--bytes", "--output", lsblk::COLUMNS]);
    let output = host.runner.run(&command)?;
    let mut disks =
        lsblk::parse(&output.stdout).map_err(|error| HostError::Other(error.to_string()))?;
    let links = links(&host.path("/dev/disk/by-id"))?;
    let boot = root_device(host)?.map(|device| device.disk);
    let notes = format::notes(host)?;
    for disk in &mut disks {
        disk.ids =
            links.iter().filter(|(_, name)| *name == disk.name).map(|(id, _)| id.clone()).collect();
        disk.boot = boot.as_deref() == Some(disk.name.as_str());
        disk.formatting = notes.iter().find(|note| note.is_of(disk)).cloned();
    }
    Ok(disks)
}

/// Links of a folder with the kernel name that each points to, sorted.
fn links(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut links = Vec::new();
    for id in files::list(folder)? {
        // One that vanishes meanwhile belongs to a disk that was pulled out.
        if let Ok(target) = fs::read_link(folder.join(&id)) {
            if let Some(name) = target.file_name() {
                links.push((id, name.to_string_lossy().into_owned()));
            }
        }
    }
    Ok(links)
}

/// A mounted device by kernel names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedDevice {
    /// The whole disk: `sda`.
    pub disk: String,
    /// The partition, if it is one.
    pub partition: Option<u32>,
}

/// The device of the root file system. It is followed from the mount by device number, never by
/// label or UUID: those are the same on a twin of the disk. None if root is no disk (a container,
/// a live system) or lies on a stack of devices.
///
/// # Errors
/// `/proc` or `/sys` cannot be read.
pub fn root_device(host: &Host) -> Result<Option<MountedDevice>> {
    let mounts = files::read_text(host.path("/proc/self/mountinfo"))?;
    let Some(number) = device_number_of("/", &mounts) else { return Ok(None) };
    let entry = host.path(format!("/sys/dev/block/{number}"));
    let Ok(target) = fs::read_link(&entry) else { return Ok(None) };
    let partition = files::read_text_optional(entry.join("partition"))?;
    Ok(named(&target, partition.as_deref()))
}

/// `major:minor` of what is mounted at a place; the last mount there covers earlier ones.
fn device_number_of(place: &str, mountinfo: &str) -> Option<String> {
    mountinfo.lines().rev().find_map(|line| {
        let mut fields = line.split(' ').skip(2);
        let (number, _root, at) = (fields.next()?, fields.next()?, fields.next()?);
        (at == place).then(|| number.to_owned())
    })
}

/// `../../devices/…/block/sda/sda3` with the text of its `partition` file.
fn named(target: &Path, partition: Option<&str>) -> Option<MountedDevice> {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    match partition {
        None => Some(MountedDevice { disk: last(target)?, partition: None }),
        Some(number) => Some(MountedDevice {
            disk: last(target.parent()?)?,
            partition: Some(number.trim().parse().ok()?),
        }),
    }
}

/// The disk that the root file system lies on, and the way to its other partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootDisk {
    /// `/dev/sda`
    pub disk: PathBuf,
}

impl BootDisk {
    /// Finds it by the root file system.
    ///
    /// # Errors
    /// The root file system lies on no partition of a disk.
    pub fn find(host: &Host) -> Result<Self> {
        match root_device(host)? {
            Some(MountedDevice { disk, partition: Some(_) }) => {
                Ok(Self { disk: Path::new("/dev").join(disk) })
            }
            _ => Err(HostError::Other(
                "the root file system does not lie on a partition of a disk, so this machine was \
                 not started from a homelab image"
                    .to_owned(),
            )),
        }
    }

    /// The device of a partition: `/dev/sda3`, `/dev/nvme0n1p3`.
    pub fn partition(&self, number: u32) -> PathBuf {
        partition(&self.disk, number)
    }

    /// The kernel name of the disk: `sda`.
    pub fn name(&self) -> String {
        self.disk.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The device of a partition of a disk: `/dev/sda3`, `/dev/nvme0n1p3`.
pub fn partition(disk: &Path, number: u32) -> PathBuf {
    let mut path = disk.to_owned().into_os_string();
    if path.to_string_lossy().ends_with(|last: char| last.is_ascii_digit()) {
        path.push("p");
    }
    path.push(number.to_string());
    path.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::fake::{self, FakeHost};

    const MOUNTS: &str = "\
        21 1 0:5 / /dev rw shared:2 - devtmpfs udev rw\n\
        23 1 8:3 / / rw,relatime shared:1 - ext4 /dev/sda3 rw\n\
        24 23 8:2 / /boot/efi rw - vfat /dev/sda2 rw\n";

    #[test]
    fn partitions_are_named_by_the_kernels_rule() {
        for (disk, third) in [
            ("/dev/sda", "/dev/sda3"),
            ("/dev/vda", "/dev/vda3"),
            ("/dev/nvme0n1", "/dev/nvme0n1p3"),
            ("/dev/mmcblk0", "/dev/mmcblk0p3"),
        ] {
            assert_eq!(BootDisk { disk: disk.into() }.partition(3), PathBuf::from(third));
        }
    }

    #[test]
    fn the_last_mount_at_a_place_counts() {
        assert_eq!(device_number_of("/", MOUNTS).as_deref(), Some("8:3"));
        let covered = format!("22 1 0:2 / / rw - rootfs rootfs rw\n{MOUNTS}");
        assert_eq!(device_number_of("/", &covered).as_deref(), Some("8:3"));
        assert_eq!(device_number_of("/mnt", MOUNTS), None);
    }

    fn machine(folder: &Path) -> FakeHost {
        let make = |path: &str| fs::create_dir_all(folder.join(path)).unwrap();
        make("proc/self");
        fs::write(folder.join("proc/self/mountinfo"), MOUNTS).unwrap();
        make("sys/dev/block");
        make("sys/devices/pci/block/sda/sda3");
        fs::write(folder.join("sys/devices/pci/block/sda/sda3/partition"), "3\n").unwrap();
        symlink("../../devices/pci/block/sda/sda3", folder.join("sys/dev/block/8:3")).unwrap();
        make("dev/disk/by-id");
        symlink("../../sda", folder.join("dev/disk/by-id/ata-QEMU_HARDDISK_QM1")).unwrap();
        symlink("../../sda3", folder.join("dev/disk/by-id/ata-QEMU_HARDDISK_QM1-part3")).unwrap();
        fake::host(folder)
    }

    #[test]
    fn the_boot_disk_is_followed_from_the_mount() {
        let folder = tempfile::tempdir().unwrap();
        let host = machine(folder.path()).host();
        assert_eq!(
            root_device(&host).unwrap(),
            Some(MountedDevice { disk: "sda".into(), partition: Some(3) })
        );
        let boot = BootDisk::find(&host).unwrap();
        assert_eq!(boot.partition(4), PathBuf::from("/dev/sda4"));
        assert_eq!(boot.name(), "sda");
    }

    #[test]
    fn a_machine_without_a_disk_below_root_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let host = machine(folder.path()).host();
        fs::write(folder.path().join("proc/self/mountinfo"), "1 0 0:31 / / rw - overlay o rw\n")
            .unwrap();
        assert_eq!(
            BootDisk::find(&host).unwrap_err().to_string(),
            "the root file system does not lie on a partition of a disk, so this machine was not \
             started from a homelab image"
        );
    }

    #[test]
    fn disks_get_their_links_and_the_boot_mark() {
        let folder = tempfile::tempdir().unwrap();
        let fake = machine(folder.path());
        fake.runner.answer(
            ["lsblk", "--json", "--bytes", "--output"],
            r#"{"blockdevices": [
                {"name": "sda", "type": "disk", "size": 100, "log-sec": 512, "rm": false},
                {"name": "sdb", "type": "disk", "size": 100, "log-sec": 512, "rm": false}]}"#,
        );
        let disks = disks(&fake.host()).unwrap();
        assert_eq!(disks[0].ids, ["ata-QEMU_HARDDISK_QM1"]);
        assert!(disks[0].boot);
        assert!(disks[1].ids.is_empty());
        assert!(!disks[1].boot);
    }
}
