//! Sticks and disks in files, with the real programs.

mod fat;

use std::{
    fs,
    io::{Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
    sync::Arc,
};

use model::{GrubEnvironment, block_map::BLOCK, paths};

use super::*;
use crate::{SystemClock, fake, loop_device::LoopDevice, root_disk, table::Extent, volume};

const MIB: u64 = 1 << 20;
/// Number, start and length in MiB; the last one is root.
const PARTS: [(u32, u64, u64); 4] = [(1, 1, 1), (2, 2, 16), (4, 18, 16), (3, 34, 40)];
const STICK: u64 = 75;
const DISK: u64 = 120;

/// The programs that make a stick, and what else is needed; says which of it is not here.
fn possible() -> bool {
    let missing: Vec<&str> =
        ["sfdisk", "sgdisk", "mkfs.fat", "mke2fs", "debugfs", "tune2fs", "fsfreeze"]
            .into_iter()
            .filter(|program| {
                !["/usr/sbin", "/sbin", "/usr/bin"]
                    .iter()
                    .any(|folder| Path::new(folder).join(program).exists())
            })
            .collect();
    let root = nix::unistd::geteuid().is_root() && Path::new("/dev/loop-control").exists();
    if !missing.is_empty() || !root {
        let programs = if missing.is_empty() { "-".to_owned() } else { missing.join(", ") };
        eprintln!(
            "NOT RUN: a copy of a stick needs root and loop devices ({root}), programs missing: {programs}"
        );
    }
    missing.is_empty() && root
}

struct Bench {
    folder: tempfile::TempDir,
    host: Host,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Host {
            root: "/".into(),
            runner: Arc::new(fat::WithFat::default()),
            clock: Arc::new(SystemClock),
            ..fake::host(folder.path()).host()
        };
        let bench = Self { folder, host };
        bench.make_stick();
        bench
    }

    fn run(&self, command: Command) -> String {
        self.host.runner.run(&command).unwrap().stdout
    }

    /// Names differ from test to test: they name places to mount at.
    fn file(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().file_name().unwrap().to_string_lossy().into_owned();
        self.folder.path().join(format!("{name}{folder}"))
    }

    fn stick(&self) -> PathBuf {
        self.file("stick")
    }

    fn extent(number: u32) -> Extent {
        let (_, start, length) = PARTS.into_iter().find(|part| part.0 == number).unwrap();
        Extent { start: start * MIB, length: length * MIB }
    }

    fn make_stick(&self) {
        let stick = self.stick();
        let file = File::create(&stick).unwrap();
        file.set_len(STICK * MIB).unwrap();
        let lines: Vec<String> = PARTS
            .iter()
            .map(|(number, start, length)| {
                format!("{number}: start={}, size={}, type=linux", start * 2048, length * 2048)
            })
            .collect();
        let script = format!("label: gpt\n{}\n", lines.join("\n"));
        self.run(Command::new("sfdisk").args(["--quiet"]).arg(&stick).stdin_text(script));
        let mut file = fs::OpenOptions::new().write(true).open(&stick).unwrap();
        file.write_all(&[7; 440]).unwrap();
        file.seek(SeekFrom::Start(MIB)).unwrap();
        file.write_all(&[8; 30_000]).unwrap();
        for (number, files) in [
            (
                2,
                vec![("EFI/debian/grubenv", {
                    GrubEnvironment::default().with("attempts", "2").to_block().unwrap()
                })],
            ),
            (4, vec![("seed.toml", b"schema = 1\n".to_vec())]),
        ] {
            let part = self.file("part");
            let _ = fs::remove_file(&part);
            let place = Self::extent(number);
            let kib = (place.length / 1024).to_string();
            self.run(Command::new("mkfs.fat").args(["-F", "16", "-C"]).arg(&part).arg(kib));
            self.put(&part, place);
            volume::with_part(&self.host, &stick, place, "vfat", &mut |folder| {
                for (name, bytes) in &files {
                    fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
                    fs::write(folder.join(name), bytes).unwrap();
                }
                Ok(())
            })
            .unwrap();
        }
        let tree = self.folder.path().join("tree");
        for (path, text) in [
            ("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
            ("/etc/hostname", "homelab\n"),
            ("/etc/ssh/sshd_config", "# ours\n"),
            ("/etc/ssh/ssh_host_rsa_key", "secret"),
            ("/var/lib/systemd/random-seed", "random"),
            ("/var/log/journal/0123/system.journal", "log"),
            ("/var/lib/docker/engine-id", "id"),
            (paths::SEED, "schema = 1\n"),
            ("/etc/homelab/secrets/admin-password", "pw"),
            ("/var/lib/homelab/accepted.json", "{}"),
            ("/var/lib/homelab/disks/WD-1.json", "{}"),
            (paths::JOURNAL, "{}"),
            ("/usr/big", &"many words ".repeat(500_000)),
        ] {
            let path = crate::files::below(&tree, path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let part = self.file("root");
        File::create(&part).unwrap().set_len(Self::extent(3).length).unwrap();
        let words = ["-q", "-F", "-t", "ext4", "-b", "4096", "-O", "metadata_csum_seed", "-d"];
        self.run(Command::new("mke2fs").args(words).arg(&tree).arg(&part));
        self.put(&part, Self::extent(3));
    }

    fn put(&self, part: &Path, place: Extent) {
        let bytes = fs::read(part).unwrap();
        assert_eq!(bytes.len() as u64, place.length);
        let stick = fs::OpenOptions::new().write(true).open(self.stick()).unwrap();
        stick.write_all_at(&bytes, place.start).unwrap();
    }

    /// A disk that is full of noise.
    fn disk(&self) -> PathBuf {
        let path = self.file("disk");
        fs::write(&path, vec![0xa5; usize::try_from(DISK * MIB).unwrap()]).unwrap();
        path
    }

    fn origin(&self, mounted: Option<PathBuf>) -> Origin {
        let stick = self.stick();
        let root = format!("{}?offset={}", stick.display(), Self::extent(3).start);
        Origin { disk: stick, root, mounted }
    }

    /// The text of a file on a part of a disk; none: it is not there.
    fn read(&self, disk: &Path, number: u32, path: &str) -> Option<Vec<u8>> {
        let kind = if number == 3 { "ext4" } else { "vfat" };
        let mut found = None;
        volume::with_part(&self.host, disk, Self::extent(number), kind, &mut |folder| {
            found = fs::read(crate::files::below(folder, path)).ok();
            Ok(())
        })
        .unwrap();
        found
    }
}

fn guids(disk: &Path) -> Vec<String> {
    let (id, partitions) = table::read(&mut File::open(disk).unwrap()).unwrap();
    assert_eq!(partitions.len(), PARTS.len());
    for found in &partitions {
        assert_eq!(found.extent, Bench::extent(found.number));
    }
    let mut all = vec![id.to_string()];
    all.extend(partitions.iter().map(|partition| partition.id.to_string()));
    all
}

#[test]
fn a_copy_is_whole_has_its_own_identifiers_and_was_never_started() {
    if !possible() {
        return;
    }
    let bench = Bench::new();
    let (stick, disk) = (bench.stick(), bench.disk());
    let before = fs::read(&stick).unwrap();
    let mut stages = Vec::new();
    copy(&bench.host, &bench.origin(None), &disk, "a note\n", &mut |stage, done, of| {
        stages.push((stage, done == of));
    })
    .unwrap();
    assert!(fs::read(&stick).unwrap() == before, "the stick is as it was");
    assert!(stages.contains(&(Stage::Write, true)) && stages.contains(&(Stage::ReadBack, true)));

    let (old, new) = (guids(&stick), guids(&disk));
    assert!(new.iter().all(|guid| !old.contains(guid)), "{old:?} {new:?}");
    let bytes = fs::read(&disk).unwrap();
    assert!(bytes[..440] == [7; 440], "the boot code stays");
    let mib = usize::try_from(MIB).unwrap();
    assert!(bytes[mib..mib + 30_000].iter().all(|byte| *byte == 8));
    let noise = bytes.chunks(usize::try_from(BLOCK).unwrap());
    assert!(noise.filter(|block| block.iter().all(|byte| *byte == 0xa5)).count() > 5000);
    // The backup lies at the end of this disk, not where that of the stick was.
    let file = fs::OpenOptions::new().write(true).open(&disk).unwrap();
    file.write_all_at(&[0; 512], 512).unwrap();
    assert_eq!(guids(&disk), new);
    bench.run(Command::new("sfdisk").args(["--verify"]).arg(&stick));

    let uuid = |disk: &Path| {
        let at = format!("{}?offset={}", disk.display(), Bench::extent(3).start);
        let said = bench.run(Command::new("dumpe2fs").args(["-h", &at]));
        said.lines().find_map(|line| line.strip_prefix("Filesystem UUID:")).unwrap().to_owned()
    };
    assert_ne!(uuid(&stick), uuid(&disk));
    let read = |path: &str| bench.read(&disk, 3, path);
    for path in [
        "/etc/hostname",
        "/etc/ssh/sshd_config",
        "/usr/big",
        paths::SEED,
        "/etc/homelab/secrets/admin-password",
        "/var/lib/homelab/accepted.json",
        "/var/lib/homelab/disks/WD-1.json",
    ] {
        assert!(read(path).is_some() && read(path) == bench.read(&stick, 3, path), "{path}");
    }
    for path in [
        "/etc/ssh/ssh_host_rsa_key",
        "/var/lib/systemd/random-seed",
        paths::JOURNAL,
        "/var/log/journal/0123/system.journal",
        "/var/lib/docker/engine-id",
    ] {
        assert!(read(path).is_none(), "{path}");
    }
    assert_eq!(read("/etc/machine-id"), Some(Vec::new()));
    assert_eq!(bench.read(&disk, 4, "/copied.txt"), Some(b"a note\n".to_vec()));
    assert_eq!(bench.read(&disk, 4, "/seed.toml"), Some(b"schema = 1\n".to_vec()));
    let block = bench.read(&disk, 2, "/EFI/debian/grubenv").unwrap();
    assert_eq!(GrubEnvironment::parse(&block).unwrap().get("attempts"), Some("0"));
}

/// As on the box, with another root file system than that of the machine that tests: that of `device`.
fn running_from(bench: &Bench, device: &Path, name: &str) -> Host {
    let root = bench.folder.path().join(name);
    fs::create_dir_all(root.join("proc/self")).unwrap();
    let device = device.file_name().unwrap().to_string_lossy().into_owned();
    let number = fs::read_to_string(format!("/sys/class/block/{device}/dev")).unwrap();
    let mounts = format!("22 1 {} / / rw,relatime - ext4 /dev/root rw\n", number.trim());
    fs::write(root.join("proc/self/mountinfo"), mounts).unwrap();
    for folder in ["dev", "sys"] {
        std::os::unix::fs::symlink(Path::new("/").join(folder), root.join(folder)).unwrap();
    }
    Host { root, ..bench.host.clone() }
}

#[test]
fn a_disk_with_sectors_of_4096_bytes_gets_a_table_and_file_systems_of_its_own_and_root_grows() {
    if !possible() {
        return;
    }
    let bench = Bench::new();
    let Some(device) = LoopDevice::over(&bench.disk(), 4096) else { return };
    let disk = device.path();
    let part = |number| crate::disks::partition(disk, number);
    // Byte by byte the image is nothing that such a disk could be started from.
    fs::OpenOptions::new()
        .write(true)
        .open(disk)
        .unwrap()
        .write_all_at(&fs::read(bench.stick()).unwrap(), 0)
        .unwrap();
    let partitions = || {
        let words = ["--show", "--noheadings", "--output", "NR"];
        bench.run(Command::new("partx").args(words).arg(disk)).split_whitespace().count()
    };
    assert_eq!(partitions(), 0);

    copy(&bench.host, &bench.origin(None), disk, "a note\n", &mut |_, _, _| {}).unwrap();
    let (old, new) = (guids(&bench.stick()), guids(disk));
    assert!(new.iter().all(|guid| !old.contains(guid)), "{old:?} {new:?}");
    assert_eq!(partitions(), PARTS.len());
    // For kernels that know no such tables by themselves.
    bench.run(Command::new("partx").arg("--update").arg(disk));
    bench.run(Command::new("sfdisk").arg("--verify").arg(disk));
    bench.run(Command::new("sgdisk").arg("--verify").arg(disk));
    for number in [2, 4] {
        let mut volume = File::open(part(number)).unwrap();
        assert_eq!(crate::fat::sector(&mut volume).unwrap(), 4096);
        bench.run(Command::new("fsck.vfat").arg("-n").arg(part(number)));
    }
    assert_eq!(bench.read(disk, 4, "/copied.txt"), Some(b"a note\n".to_vec()));
    assert_eq!(bench.read(disk, 4, "/seed.toml"), Some(b"schema = 1\n".to_vec()));
    let block = bench.read(disk, 2, "/EFI/debian/grubenv").unwrap();
    assert_eq!(GrubEnvironment::parse(&block).unwrap().get("attempts"), Some("0"));

    // Not mounted, which takes a check before: a container may not grow what is mounted.
    bench.run(Command::new("e2fsck").args(["-f", "-p"]).arg(part(3)));
    let host = running_from(&bench, &part(3), "before");
    assert!(!root_disk::is_grown(&host).unwrap());
    root_disk::grow(&host).unwrap();
    // What is not mounted gets another device number when it is changed.
    let host = running_from(&bench, &part(3), "after");
    assert!(root_disk::is_grown(&host).unwrap());
    bench.run(Command::new("sgdisk").arg("--verify").arg(disk));
    bench.run(Command::new("e2fsck").args(["-f", "-n"]).arg(part(3)));
    let at = bench.folder.path().join("root");
    fs::create_dir(&at).unwrap();
    bench.run(Command::new("mount").arg(part(3)).arg(&at));
    let big = fs::read(at.join("usr/big")).unwrap();
    let size = nix::sys::statvfs::statvfs(&at).unwrap();
    bench.run(Command::new("umount").arg(&at));
    assert_eq!(Some(big), bench.read(&bench.stick(), 3, "/usr/big"));
    assert!(size.blocks() * size.fragment_size() > 70 * MIB, "{size:?}");
}

#[test]
fn a_running_system_holds_still_while_it_is_copied_and_goes_on_afterwards() {
    if !possible() {
        return;
    }
    let bench = Bench::new();
    let (stick, disk) = (bench.stick(), bench.disk());
    volume::with_part(&bench.host, &stick, Bench::extent(3), "ext4", &mut |root| {
        fs::write(root.join("etc/late"), "written a moment ago").unwrap();
        let origin = bench.origin(Some(root.to_owned()));
        let mut thawed = false;
        copy(&bench.host, &origin, &disk, "", &mut |stage, _, _| {
            if stage == Stage::ReadBack && !thawed {
                // This would wait for ever.
                fs::write(root.join("etc/later"), "x").unwrap();
                thawed = true;
            }
        })
        .unwrap();
        assert!(thawed);
        Ok(())
    })
    .unwrap();
    assert_eq!(bench.read(&disk, 3, "/etc/late"), Some(b"written a moment ago".to_vec()));
    assert_eq!(bench.read(&disk, 3, "/etc/later"), None);
}

#[test]
fn whatever_goes_wrong_leaves_no_table_and_a_system_that_goes_on() {
    if !possible() {
        return;
    }
    let bench = Bench::new();
    let (stick, disk) = (bench.stick(), bench.disk());
    let none = |disk: &Path| {
        let error = table::read(&mut File::open(disk).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("no partition table can be read: "), "{error}");
    };
    // Cut off while it is written: as if the power had gone.
    volume::with_part(&bench.host, &stick, Bench::extent(3), "ext4", &mut |root| {
        let origin = bench.origin(Some(root.to_owned()));
        let cut = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            copy(&bench.host, &origin, &disk, "", &mut |_, _, _| panic!("the power goes"))
        }));
        assert!(cut.is_err());
        none(&disk);
        fs::write(root.join("etc/later"), "x").unwrap();
        Ok(())
    })
    .unwrap();
    // All is written, but what was started there before cannot be forgotten.
    volume::with_part(&bench.host, &stick, Bench::extent(2), "vfat", &mut |folder| {
        fs::write(folder.join("EFI/debian/grubenv"), "nonsense").unwrap();
        Ok(())
    })
    .unwrap();
    let error = copy(&bench.host, &bench.origin(None), &disk, "", &mut |_, _, _| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`EFI/debian/grubenv` on the EFI partition is no environment block of GRUB"
    );
    none(&disk);

    let small = bench.file("small");
    File::create(&small).unwrap().set_len(70 * MIB).unwrap();
    let error = copy(&bench.host, &bench.origin(None), &small, "", &mut |_, _, _| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` has 73400320 bytes, and the system on `{}` needs 78643200",
            small.display(),
            stick.display()
        )
    );
}
