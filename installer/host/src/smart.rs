//! How the disks are: what they say of themselves, and what their file systems say.

use std::time::Duration;

use model::{
    disk::{Looked, smart::Health, smart::parse},
    facts::{Disk, Volume},
};

use crate::{Command, Host, command::Streams, files, mounted, network};

/// A disk that spins up first takes its time.
const PATIENCE: Duration = Duration::from_secs(30);
/// A data disk with less room is told, in parts of a hundred.
const LEAST: u64 = 1;

/// Looks at a disk. One that sleeps is left asleep unless `wake` is set.
pub fn look(host: &Host, disk: &Disk, wake: bool) -> Looked {
    let health = health(host, disk, wake);
    let trouble = disk.contents.iter().flat_map(|volume| volume_trouble(host, volume)).collect();
    Looked { health, trouble }
}

/// What the disk says of itself.
pub fn health(host: &Host, disk: &Disk, wake: bool) -> Health {
    let mut command = Command::new("smartctl").args(["--json", "-H", "-A"]);
    if !wake {
        command = command.arg("--nocheck=standby");
    }
    let command = command.arg(format!("/dev/{}", disk.name)).timeout(PATIENCE);
    let mut said = Vec::new();
    let streams = Streams { stdout: Some(&mut said), ..Streams::default() };
    // It exits with a bit for each kind of bad news, and prints its answer all the same.
    let ended = host.runner.run_with(&command, streams);
    match (ended, String::from_utf8_lossy(&said)) {
        (Err(error), said) if said.trim().is_empty() => Health::unknown(error.to_string()),
        (_, said) => parse(&said),
    }
}

/// What the kernel knows against a file system that is mounted.
fn volume_trouble(host: &Host, volume: &Volume) -> Vec<String> {
    let mut trouble = Vec::new();
    let counter = |path: String| {
        let text = files::read_text_optional(host.path(path)).ok().flatten()?;
        text.trim().parse::<u64>().ok()
    };
    let name = &volume.name;
    match volume.signature.as_deref() {
        Some("ext4") => {
            let errors = counter(format!("/sys/fs/ext4/{name}/errors_count")).unwrap_or(0);
            if errors > 0 {
                trouble.push(format!(
                    "{name}: ext4 found {errors} errors: unmount it and run `e2fsck -f /dev/{name}`"
                ));
            }
        }
        Some("btrfs") => {
            let errors: u64 = btrfs_errors(host, volume);
            if errors > 0 {
                trouble.push(format!(
                    "{name}: btrfs counts {errors} errors: `btrfs device stats /dev/{name}` shows \
                     which"
                ));
            }
        }
        _ => {}
    }
    for at in volume.mounted_at.iter().filter(|at| at.starts_with("/mnt/")) {
        if let Ok(Some(found)) = mounted::at(host, at) {
            if found.read_only {
                trouble.push(format!(
                    "`{at}` can only be read by now: `journalctl -k` shows why the kernel did that"
                ));
            }
        }
        let room = network::free_bytes(host, at).ok();
        if let Some(free) =
            room.filter(|free| free.saturating_mul(100) < volume.size.saturating_mul(LEAST))
        {
            trouble.push(format!("`{at}` is full but for {}", model::disk::size(free)));
        }
    }
    trouble
}

/// Sum of the error counters of every device of a btrfs.
fn btrfs_errors(host: &Host, volume: &Volume) -> u64 {
    let Some(uuid) = &volume.uuid else { return 0 };
    let folder = format!("/sys/fs/btrfs/{uuid}/devinfo");
    let devices = files::list(host.path(&folder)).unwrap_or_default();
    let texts = devices.iter().filter_map(|device| {
        files::read_text_optional(host.path(format!("{folder}/{device}/error_stats")))
            .ok()
            .flatten()
    });
    let errors = |text: String| -> u64 {
        let numbers =
            text.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        numbers.sum::<u64>()
    };
    texts.map(errors).sum()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use model::disk::smart::State;

    use super::*;
    use crate::fake;

    fn disk(kind: &str) -> Disk {
        let volume = Volume {
            name: "sdb1".into(),
            number: Some(1),
            size: 4_000_000_000_000,
            signature: Some(kind.into()),
            uuid: Some("u-1".into()),
            label: None,
            mounted_at: vec!["/mnt/media".into()],
        };
        Disk { name: "sdb".into(), contents: vec![volume], ..Disk::default() }
    }

    #[test]
    fn a_disk_is_asked_and_not_woken() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake.runner.answer(["smartctl"], r#"{"smartctl": {}, "smart_status": {"passed": true}}"#);
        assert_eq!(health(&fake.host(), &disk("xfs"), false).state, State::Good);
        assert_eq!(health(&fake.host(), &disk("xfs"), true).state, State::Good);
        assert_eq!(
            fake.runner.commands(),
            ["smartctl --json -H -A --nocheck=standby /dev/sdb", "smartctl --json -H -A /dev/sdb"]
        );
        fake.runner.missing(["smartctl"]);
        let unknown = health(&fake.host(), &disk("xfs"), false);
        assert_eq!(unknown.state, State::Unknown);
        assert!(unknown.remarks[0].contains("is not installed"), "{unknown:?}");
    }

    #[test]
    fn a_file_system_tells_its_errors() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/self/mountinfo", "31 22 8:17 / /mnt/media rw - ext4 /dev/sdb1 rw\n");
        fake.runner.answer(["df"], "Avail\n2000000000000\n");
        let trouble = |kind: &str| look(&fake.host(), &disk(kind), false).trouble;
        assert!(trouble("ext4").is_empty());
        write("sys/fs/ext4/sdb1/errors_count", "3\n");
        write("proc/self/mountinfo", "31 22 8:17 / /mnt/media rw - ext4 /dev/sdb1 ro,nodev\n");
        fake.runner.answer(["df"], "Avail\n10000000000\n");
        assert_eq!(
            trouble("ext4"),
            [
                "sdb1: ext4 found 3 errors: unmount it and run `e2fsck -f /dev/sdb1`",
                "`/mnt/media` can only be read by now: `journalctl -k` shows why the kernel did that",
                "`/mnt/media` is full but for 10 GB",
            ]
        );
        write(
            "sys/fs/btrfs/u-1/devinfo/1/error_stats",
            "write_errs 2\nread_errs 1\nflush_errs 0\n",
        );
        assert_eq!(
            trouble("btrfs")[0],
            "sdb1: btrfs counts 3 errors: `btrfs device stats /dev/sdb1` shows which"
        );
    }
}
