//! With the real tools, on a loop device over a sparse file.

#![allow(clippy::print_stdout, reason = "a test that is not run must say so")]
#![allow(clippy::disallowed_methods, reason = "losetup belongs to the test, not to the box")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use model::disk::{Consent, Unlock};

use super::*;
use crate::{
    Output, Runner, SystemClock, SystemRunner, command::CommandError, fake, loop_device::LoopDevice,
};

/// Big enough for the smallest XFS and btrfs.
const SIZE: u64 = 400 << 20;
const SERIAL: &str = "TEST-LOOP-1";
const UUID: &str = "0a1b2c3d-0000-4000-8000-000200000004";

/// Programs of this machine. `lsblk` shows the loop device, and only that, as a disk. Where udev does
/// not run, nobody need be waited for, and what it would tell `lsblk` is read off the device.
struct Tools {
    name: String,
    serial: Mutex<String>,
    /// The power goes at the so-many-th program that changes something.
    cut: AtomicUsize,
    changed: AtomicUsize,
}

impl Runner for Tools {
    fn run(&self, command: &Command) -> std::result::Result<Output, CommandError> {
        match command.program.to_str() {
            Some("udevadm") => return Ok(Output::default()),
            Some("lsblk") => {
                let device = format!("/dev/{}", self.name);
                let output = SystemRunner.run(&command.clone().arg(device))?;
                let mut said: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
                said["blockdevices"][0]["type"] = "disk".into();
                said["blockdevices"][0]["serial"] = self.serial.lock().unwrap().clone().into();
                probe(&mut said["blockdevices"][0]);
                return Ok(Output { stdout: said.to_string(), ..output });
            }
            _ => {}
        }
        if self.changed.fetch_add(1, Ordering::SeqCst) == self.cut.load(Ordering::SeqCst) {
            return Err(CommandError {
                command: command.to_string(),
                exit: "was killed by SIGKILL".to_owned(),
                status: None,
                seconds: 0.0,
                tail: String::new(),
            });
        }
        SystemRunner.run(command)
    }
}

/// What is on a device of `lsblk` and on its partitions.
fn probe(device: &mut serde_json::Value) {
    let path = format!("/dev/{}", device["name"].as_str().unwrap());
    let blkid = Command::new("blkid").args(["--probe", "--output", "export", &path]);
    // It exits with 2 where nothing is.
    let said = SystemRunner.run(&blkid).unwrap_or_default().stdout;
    for (key, column) in
        [("TYPE", "fstype"), ("UUID", "uuid"), ("LABEL", "label"), ("PTTYPE", "pttype")]
    {
        let value = said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        device[column] = value.into();
    }
    let children = device.get_mut("children").and_then(|list| list.as_array_mut());
    for child in children.into_iter().flatten() {
        probe(child);
    }
}

/// One disk at a time: all of them have the same marks, so their file systems the same UUID, and
/// `mkfs.btrfs` takes none that another device bears.
static ALONE: Mutex<()> = Mutex::new(());

/// A machine with one data disk, on a loop device.
struct Bench {
    folder: tempfile::TempDir,
    device: PathBuf,
    tools: Arc<Tools>,
    _disk: LoopDevice,
    _alone: MutexGuard<'static, ()>,
}

impl Bench {
    /// None, with a word why, where there can be none.
    fn new() -> Option<Self> {
        Self::with_sectors(512)
    }

    /// The same with a disk whose logical sectors have so many bytes.
    fn with_sectors(sector: u32) -> Option<Self> {
        let missing = ["sfdisk", "wipefs", "partx", "mkfs.xfs", "mkfs.btrfs"]
            .into_iter()
            .find(|name| SystemRunner.run(&Command::new(name).arg("--version")).is_err_and(absent));
        if let Some(name) = missing {
            println!("not tested: `{name}` is not installed here");
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("disk.img");
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        let disk = LoopDevice::over(&image, sector)?;
        for name in ["dev", "proc", "sys"] {
            symlink(Path::new("/").join(name), folder.path().join(name)).unwrap();
        }
        let device = disk.path().to_owned();
        let tools = Arc::new(Tools {
            name: device.file_name().unwrap().to_string_lossy().into_owned(),
            serial: Mutex::new(SERIAL.to_owned()),
            cut: AtomicUsize::new(usize::MAX),
            changed: AtomicUsize::new(0),
        });
        Some(Self { folder, device, tools, _disk: disk, _alone: alone })
    }

    fn host(&self) -> Host {
        let mut host = fake::host(self.folder.path()).host();
        host.runner = self.tools.clone();
        host.clock = Arc::new(SystemClock);
        host
    }

    fn disk(&self) -> Disk {
        disks::disks(&self.host()).unwrap().remove(0)
    }

    /// As a plan has it.
    fn agreed(&self, filesystem: FileSystem) -> Format {
        Format::new(Consent::given(SERIAL, &self.disk()).unwrap(), filesystem, "media")
    }

    fn format(&self, wish: &Format) -> Result<bool> {
        format(&self.host(), wish, &mut |_| {})
    }

    fn partition(&self) -> PathBuf {
        disks::partition(&self.device, 1)
    }

    fn run(&self, program: &str, words: &[&str]) -> String {
        SystemRunner.run(&Command::new(program).args(words)).unwrap().stdout
    }

    /// Somebody makes a file system by hand, on the disk as a whole.
    fn by_hand(&self) {
        let device = self.device.to_str().unwrap();
        self.run("mkfs.ext4", &["-q", "-F", "-U", UUID, device]);
    }

    /// Mounts the new file system, calls `work` with its folder, and unmounts it.
    fn mounted<T>(&self, work: impl FnOnce(&Path) -> T) -> T {
        let place = self.folder.path().join("mnt");
        fs::create_dir_all(&place).unwrap();
        let (device, place) = (self.partition(), place.to_str().unwrap());
        self.run("mount", &[device.to_str().unwrap(), place]);
        let done = work(Path::new(place));
        self.run("umount", &[place]);
        done
    }
}

fn absent(error: CommandError) -> bool {
    error.exit == "is not installed"
}

fn refused(result: Result<bool>) -> (String, String) {
    match result {
        Err(HostError::Refused { what, hint }) => (what, hint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_file_system_is_made_once_and_keeps_its_files() {
    let kinds = [FileSystem::Ext4, FileSystem::Xfs, FileSystem::Btrfs];
    for (kind, sector) in kinds.into_iter().flat_map(|kind| [(kind, 512), (kind, 4096)]) {
        let Some(bench) = Bench::with_sectors(sector) else { return };
        bench.by_hand();
        let wish = bench.agreed(kind);
        assert!(!is_done(&bench.host(), &wish).unwrap());
        assert!(bench.format(&wish).unwrap(), "{kind:?}");
        let disk = bench.disk();
        assert_eq!(disk.sector, sector);
        let [volume] = &disk.contents[..] else { panic!("{disk:#?}") };
        assert_eq!(volume.signature.as_deref(), Some(kind.word()));
        assert_eq!(volume.uuid.as_deref(), Some(wish.uuid.as_str()));
        assert_eq!((volume.label.as_deref(), volume.number), (Some("media"), Some(1)));
        assert!(disk.formatting.unwrap().finished);
        bench.mounted(|place| fs::write(place.join("film"), "moving").unwrap());
        assert!(is_done(&bench.host(), &wish).unwrap());
        assert!(!bench.format(&wish).unwrap(), "not a second time");
        // A box that is installed anew knows nothing of it, and has the same seed.
        fs::remove_file(bench.host().path(wish.note())).unwrap();
        let again = bench.agreed(kind);
        assert_eq!(again.uuid, wish.uuid);
        assert!(!bench.format(&again).unwrap(), "the disk says so itself");
        let film = bench.mounted(|place| {
            assert!(is_done(&bench.host(), &wish).unwrap(), "also while it is in use");
            fs::read_to_string(place.join("film")).unwrap()
        });
        assert_eq!(film, "moving");
    }
}

#[test]
fn a_cut_at_any_program_is_followed_by_formatting_again() {
    for cut in 0.. {
        let Some(bench) = Bench::new() else { return };
        bench.by_hand();
        let wish = bench.agreed(FileSystem::Ext4);
        bench.tools.cut.store(cut, Ordering::SeqCst);
        let first = bench.format(&wish);
        if first.is_ok() {
            // `wipefs`, `sfdisk`, `partx`, `mkfs.ext4`
            assert_eq!(cut, 4);
            return;
        }
        assert!(first.unwrap_err().to_string().ends_with("was killed by SIGKILL after 0.0 s"));
        let note = bench.disk().formatting.unwrap();
        assert!(!note.finished && note.format == wish);
        assert!(bench.format(&wish).unwrap(), "cut at {cut}");
        assert!(bench.disk().formatting.unwrap().finished);
        bench.mounted(|place| fs::write(place.join("film"), "moving").unwrap());
    }
}

#[test]
fn a_cut_behind_the_last_program_is_not_trusted() {
    for kind in [FileSystem::Ext4, FileSystem::Xfs, FileSystem::Btrfs] {
        let Some(bench) = Bench::new() else { return };
        let wish = bench.agreed(kind);
        assert!(bench.format(&wish).unwrap());
        write_note(&bench.host(), &wish, false).unwrap();
        bench.mounted(|place| fs::write(place.join("half"), "").unwrap());
        assert!(bench.format(&wish).unwrap());
        assert!(!bench.mounted(|place| place.join("half").exists()), "{kind:?}");
    }
}

#[test]
fn what_appeared_on_the_disk_since_is_not_lost() {
    let Some(bench) = Bench::new() else { return };
    let wish = bench.agreed(FileSystem::Ext4);
    bench.by_hand();
    assert_eq!(
        refused(bench.format(&wish)),
        (
            format!(
                "`serial:{SERIAL}` holds ext4 uuid:{UUID}, and when it was agreed to format it, empty"
            ),
            "nothing was written; look at what is on it and run `homelab apply --replace-plan`"
                .into()
        )
    );
    assert!(!bench.host().path(wish.note()).exists(), "not even a note");
    // The same after a cut: it is neither what was lost nor what was begun.
    write_note(&bench.host(), &wish, false).unwrap();
    assert_eq!(
        refused(bench.format(&wish)),
        (
            format!(
                "`serial:{SERIAL}` holds ext4 uuid:{UUID}, and formatting it was begun when it held \
                 other things"
            ),
            format!(
                "nothing was written; save what is on it, clear it by `wipefs --all` and remove `{}`",
                wish.note()
            )
        )
    );
    let device = bench.device.to_str().unwrap();
    assert!(bench.run("blkid", &["--probe", device]).contains(UUID), "it is untouched");
}

#[test]
fn another_disk_and_one_in_use_are_refused() {
    let Some(bench) = Bench::new() else { return };
    bench.by_hand();
    let wish = bench.agreed(FileSystem::Ext4);
    let again = "nothing was written; look at the disks and run `homelab apply` again";
    *bench.tools.serial.lock().unwrap() = "TEST-LOOP-2".to_owned();
    assert_eq!(
        refused(bench.format(&wish)),
        (format!("`serial:{SERIAL}` is not there any more"), again.into())
    );
    *bench.tools.serial.lock().unwrap() = SERIAL.to_owned();
    let place = bench.folder.path().join("mnt");
    fs::create_dir(&place).unwrap();
    let place = place.to_str().unwrap();
    bench.run("mount", &[bench.device.to_str().unwrap(), place]);
    let in_use = refused(bench.format(&wish));
    bench.run("umount", &[place]);
    assert!(in_use.0.ends_with(&format!("is in use: {place}")), "{in_use:?}");
    // Held by something that is no mount.
    let disk = bench.disk();
    let held = exclusive(&bench.host(), &disk).unwrap();
    let busy = refused(bench.format(&wish));
    drop(held);
    assert!(busy.0.contains("is in use: something on it is mounted, or belongs to RAID"));
    assert_eq!(
        busy.1,
        format!("`lsblk /dev/{}` shows what; stop it, if it may be lost", disk.name)
    );
    assert!(!bench.host().path(wish.note()).exists());
    // A smaller one under the same name.
    let image = bench.folder.path().join("disk.img");
    File::options().write(true).open(image).unwrap().set_len(SIZE / 2).unwrap();
    bench.run("losetup", &["--set-capacity", bench.device.to_str().unwrap()]);
    assert_eq!(
        refused(bench.format(&wish)),
        (format!("`serial:{SERIAL}` is another disk now: 209 MB, and it was 419 MB"), again.into())
    );
}

#[test]
fn a_damaged_note_is_no_leave_to_format_again() {
    let folder = tempfile::tempdir().unwrap();
    let host = fake::host(folder.path()).host();
    assert!(notes(&host).unwrap().is_empty());
    let place = host.path(paths::FORMATTED);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join(".homelab-x.json"), "").unwrap();
    assert!(notes(&host).unwrap().is_empty(), "a file in the making is no note");
    fs::write(place.join("u.json"), "{}").unwrap();
    let error = notes(&host).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` is damaged: missing field `format` at line 1 column 2",
            place.join("u.json").display()
        )
    );
}

/// A container is made by the real `cryptsetup`; it is unlocked too where the kernel can.
#[test]
fn an_encrypted_disk_opens_by_the_key_of_the_box_and_by_no_other() {
    [512, 4096].into_iter().for_each(encrypt);
}

fn encrypt(sector: u32) {
    let Some(bench) = Bench::with_sectors(sector) else { return };
    let version = Command::new("cryptsetup").arg("--version");
    if SystemRunner.run(&version).is_err_and(absent) {
        println!("not tested: `cryptsetup` is not installed here");
        return;
    }
    let wish = Format { unlock: Some(Unlock::Key), ..bench.agreed(FileSystem::Ext4) };
    let container = wish.crypt().unwrap();
    let key = bench.host().path(container.key());
    if fs::read_to_string("/proc/misc").unwrap().contains("device-mapper") {
        assert!(bench.format(&wish).unwrap());
        assert!(!crypt::is_unlocked(&bench.host(), &container), "it is locked again");
        assert!(is_done(&bench.host(), &wish).unwrap());
    } else {
        println!("not tested: unlocking, since this kernel has no device mapper");
        crypt::make(&bench.host(), &container, &bench.device, "media").unwrap();
    }
    let disk = bench.disk();
    let [volume] = &disk.contents[..] else { panic!("{disk:#?}") };
    assert_eq!(volume.signature.as_deref(), Some("crypto_LUKS"));
    assert_eq!(volume.uuid.as_deref(), Some(wish.uuid.as_str()));
    let device = device(&volume.name);
    let opens = |key: &Path| {
        let command = Command::new("cryptsetup").args(["open", "--test-passphrase", "--key-file"]);
        SystemRunner.run(&command.arg(key).arg(&device)).is_ok()
    };
    assert!(opens(&key));
    let other = bench.folder.path().join("other.key");
    fs::write(&other, "A".repeat(48)).unwrap();
    assert!(!opens(&other));
    // It can be typed too.
    let typed = fs::read_to_string(&key).unwrap();
    let command = Command::new("cryptsetup").args(["open", "--test-passphrase"]).arg(&device);
    SystemRunner.run(&command.stdin_text(typed)).unwrap();
}
