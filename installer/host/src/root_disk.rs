//! The root partition and its file system grow to the end of the disk.
//!
//! Three steps, each of which is seen by its result, so that a cut between any two is no harm: the
//! backup partition table moves to the end of the disk, the partition grows in both tables, the
//! file system grows online.

use std::path::Path;

use model::paths::partition;

use crate::{BootDisk, Command, Host, HostError, Result, files};

/// sysfs counts in these, whatever the disk's sectors are.
const SECTOR: u64 = 512;
/// What may stay free at the end: the backup table and rounding.
const SLACK: u64 = 4 << 20;

/// Does the root file system fill its disk?
///
/// # Errors
/// Root lies on no partition of a disk, or its sizes cannot be read.
pub fn is_grown(host: &Host) -> Result<bool> {
    let disk = BootDisk::find(host)?;
    Ok(partition_is_grown(host, &disk)? && file_system_is_grown(host, &disk)?)
}

/// Grows the root partition and its file system to the end of the disk.
///
/// # Errors
/// A program refused.
pub fn grow(host: &Host) -> Result<()> {
    let disk = BootDisk::find(host)?;
    let number = partition::ROOT.to_string();
    if !partition_is_grown(host, &disk)? {
        host.runner.run(&Command::new("sgdisk").arg("--move-second-header").arg(&disk.disk))?;
        // The kernel is told by `partx` below; it would refuse to read the whole table anew while
        // the disk is in use.
        host.runner.run(
            &Command::new("sfdisk")
                .args(["--no-reread", "--no-tell-kernel", "--force", "--partno", &number])
                .arg(&disk.disk)
                .stdin_text(", +\n"),
        )?;
        host.runner
            .run(&Command::new("partx").args(["--update", "--nr", &number]).arg(&disk.disk))?;
    }
    if !file_system_is_grown(host, &disk)? {
        host.runner.run(&Command::new("resize2fs").arg(disk.partition(partition::ROOT)))?;
    }
    Ok(())
}

fn partition_is_grown(host: &Host, disk: &BootDisk) -> Result<bool> {
    let whole = number(host, &disk.disk, "size")?;
    let root = disk.partition(partition::ROOT);
    let end = number(host, &root, "start")? + number(host, &root, "size")?;
    Ok((end * SECTOR).saturating_add(SLACK) >= whole * SECTOR)
}

fn file_system_is_grown(host: &Host, disk: &BootDisk) -> Result<bool> {
    let root = disk.partition(partition::ROOT);
    let size = number(host, &root, "size")? * SECTOR;
    let said = host.runner.run(&Command::new("dumpe2fs").arg("-h").arg(&root))?.stdout;
    let field = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse::<u64>().ok()).ok_or_else(|| {
            HostError::Other(format!("`dumpe2fs -h {}` does not tell `{name}`", root.display()))
        })
    };
    Ok(field("Block count")? * field("Block size")? + SLACK >= size)
}

/// A number of a block device in sysfs.
fn number(host: &Host, device: &Path, name: &str) -> Result<u64> {
    let device = device.file_name().unwrap_or_default().to_string_lossy();
    let path = host.path(format!("/sys/class/block/{device}/{name}"));
    let text = files::read_text(&path)?;
    text.trim()
        .parse()
        .map_err(|_| HostError::Other(format!("`{}` holds no number: {text}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fake;

    fn size(folder: &Path, device: &str, name: &str, mib: u64) {
        let place = folder.join("sys/class/block").join(device);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(name), format!("{}\n", mib * 2048)).unwrap();
    }

    #[test]
    fn grows_what_is_too_small_and_only_that() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake::boot_disk(folder.path(), "nvme0n1", 3);
        size(folder.path(), "nvme0n1", "size", 8192);
        size(folder.path(), "nvme0n1p3", "start", 322);
        size(folder.path(), "nvme0n1p3", "size", 1000);
        let blocks = |mib: u64| format!("Block count:  {}\nBlock size:   4096\n", mib * 256);
        fake.runner.answer(["dumpe2fs"], &blocks(1000));
        let host = fake.host();
        assert!(!is_grown(&host).unwrap());
        let root = folder.path().to_owned();
        fake.runner.act(["partx"], "", move |_| size(&root, "nvme0n1p3", "size", 7869));
        grow(&host).unwrap();
        let commands = fake.runner.commands();
        let acted: Vec<&str> =
            commands.iter().map(String::as_str).filter(|c| !c.starts_with("dumpe2fs")).collect();
        assert_eq!(
            acted,
            [
                "sgdisk --move-second-header /dev/nvme0n1",
                "sfdisk --no-reread --no-tell-kernel --force --partno 3 /dev/nvme0n1",
                "partx --update --nr 3 /dev/nvme0n1",
                "resize2fs /dev/nvme0n1p3",
            ]
        );
        fake.runner.answer(["dumpe2fs"], &blocks(7869));
        assert!(is_grown(&host).unwrap());
        fake.runner.forget();
        grow(&host).unwrap();
        assert!(fake.runner.commands().iter().all(|command| command.starts_with("dumpe2fs")));
    }
}
