//! The storage step against a scripted host: a disk is formatted once, whatever comes in between.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, Mutex},
};

use engine::{Context, Silence};
use host::{
    Command, Host, Output, Runner,
    command::CommandError,
    fake::{self, FakeHost, ScriptedRunner},
};
use model::{
    Digest,
    disk::{Consent, FileSystem, Format, Unlock},
    facts::{Disk, lsblk},
    plan::{Action, FORMAT, MountWish, Plan, Step, StepId, Storage},
    report::{Outcome, Report, Verdict},
};

const EMPTY: &str = r#"{"name": "sdb", "type": "disk", "size": 4000000000000, "log-sec": 512,
    "serial": "WD-1", "model": "WDC WD40", "rm": false}"#;

/// `lsblk` with the disk and what is on its partition.
fn listing(partition: Option<(&str, &str)>) -> String {
    let disk = match partition {
        None => EMPTY.to_owned(),
        Some((kind, uuid)) => EMPTY.replace(
            "\"rm\": false",
            &format!(
                "\"rm\": false, \"pttype\": \"gpt\", \"children\": [{{\"name\": \"sdb1\", \"type\": \
                 \"part\", \"size\": 1, \"fstype\": \"{kind}\", \"uuid\": \"{uuid}\"}}]"
            ),
        ),
    };
    format!("{{\"blockdevices\": [{disk}]}}")
}

fn disk(partition: Option<(&str, &str)>) -> Disk {
    lsblk::parse(&listing(partition)).unwrap().remove(0)
}

/// Programs of a box with one data disk: `lsblk` shows what they made of it.
struct Programs {
    scripted: Arc<ScriptedRunner>,
    there: Mutex<Option<(String, String)>>,
}

impl Runner for Programs {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        let mut output = self.scripted.run(command)?;
        let mut there = self.there.lock().unwrap();
        let (program, line) = (command.program.to_string_lossy(), command.to_string());
        if program == "lsblk" {
            let shown = there.as_ref().map(|(kind, uuid)| (kind.as_str(), uuid.as_str()));
            output.stdout = listing(shown);
        } else if program == "wipefs" {
            *there = None;
        } else if line.contains("luksFormat") {
            let uuid = line.split("--uuid ").nth(1).unwrap().split(' ').next().unwrap();
            *there = Some(("crypto_LUKS".to_owned(), uuid.to_owned()));
        } else if let Some(kind) =
            program.strip_prefix("mkfs.").filter(|_| !line.contains("mapper"))
        {
            let uuid = line.split("uuid=").nth(1).unwrap().split(' ').next().unwrap();
            *there = Some((kind.to_owned(), uuid.to_owned()));
        }
        Ok(output)
    }
}

struct Bench {
    folder: tempfile::TempDir,
    fake: FakeHost,
    programs: Arc<Programs>,
}

impl Bench {
    fn new(there: Option<(&str, &str)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake::boot_disk(folder.path(), "vda", 3);
        fake.runner.answer(["ip"], "[]");
        let show = |property, value| {
            fake.runner.answer(["systemctl", "show", "--value", property], value);
        };
        show("--property=ActiveState", "active\n");
        show("--property=UnitFileState", "enabled\n");
        fs::create_dir_all(folder.path().join("dev")).unwrap();
        for name in ["sdb", "sdb1"] {
            fs::write(folder.path().join("dev").join(name), "").unwrap();
        }
        let there = there.map(|(kind, uuid)| (kind.to_owned(), uuid.to_owned()));
        let programs = Programs { scripted: fake.runner.clone(), there: Mutex::new(there) };
        Self { folder, fake, programs: Arc::new(programs) }
    }

    fn run(&self, plan: &Plan) -> Report {
        self.fake.runner.forget();
        let host = Host { runner: self.programs.clone(), ..self.fake.host() };
        engine::run(plan, &Context::new(host, "0.1.0"), &mut Silence)
    }

    /// What was done to the disk in the last run.
    fn deeds(&self) -> Vec<String> {
        let programs = ["wipefs", "sfdisk", "partx", "mkfs", "cryptsetup", "systemd-cryptenroll"];
        let mut commands = self.fake.runner.commands();
        commands.retain(|command| programs.iter().any(|program| command.starts_with(program)));
        commands
    }
}

fn wish(there: Option<(&str, &str)>) -> Format {
    Format::new(Consent::given("WD-1", &disk(there)).unwrap(), FileSystem::Xfs, "media")
}

fn plan(format: Format) -> Plan {
    let mount = MountWish {
        at: "/mnt/media".into(),
        what: format!("UUID={}", format.uuid),
        kind: "xfs".into(),
        options: "nofail,nosuid,nodev,noatime".into(),
        automount: false,
        credentials: None,
        format: Some(format),
        ..MountWish::default()
    };
    let storage = Storage { grow_root: false, folders: Vec::new(), mounts: vec![mount] };
    let step = Step {
        id: StepId::new("storage"),
        title: "Storage".into(),
        action: Action::Storage(storage),
    };
    Plan {
        format: FORMAT,
        seed: Digest::of("seed"),
        catalogue: Digest::of("catalogue"),
        steps: vec![step],
    }
}

/// The same encrypted.
fn encrypted(unlock: Unlock) -> Plan {
    let format = Format { unlock: Some(unlock), ..wish(NTFS) };
    let crypt = format.crypt().unwrap();
    let mut plan = plan(format);
    let Action::Storage(storage) = &mut plan.steps[0].action else { panic!() };
    storage.mounts[0].what = crypt.device();
    storage.mounts[0].crypt = Some(crypt);
    plan
}

fn causes(report: &Report) -> (Vec<String>, String) {
    match &report.steps[0].outcome {
        Outcome::Failed { causes, hint, .. } => (causes.clone(), hint.clone()),
        other => panic!("{other:?}"),
    }
}

const NTFS: Option<(&str, &str)> = Some(("ntfs", "5E0A"));

#[test]
fn a_disk_is_formatted_once_and_then_used() {
    let bench = Bench::new(NTFS);
    let format = wish(NTFS);
    let report = bench.run(&plan(format.clone()));
    assert_eq!(report.verdict, Verdict::Installed, "{report:#?}");
    assert_eq!(
        bench.deeds(),
        [
            "wipefs --all /dev/sdb1".to_owned(),
            "wipefs --all /dev/sdb".to_owned(),
            "sfdisk --quiet --wipe always --wipe-partitions always /dev/sdb".to_owned(),
            "partx --update /dev/sdb".to_owned(),
            format!("mkfs.xfs -q -L media -m uuid={} /dev/sdb1", format.uuid),
        ]
    );
    let commands = bench.fake.runner.commands();
    let at = |what: &str| commands.iter().position(|command| command.starts_with(what)).unwrap();
    assert!(at("mkfs.xfs") < at("chattr +i") && at("chattr +i") < at("systemctl start"));
    let second = bench.run(&plan(format));
    assert_eq!(second.steps[0].outcome, Outcome::AlreadySo, "{second:#?}");
    assert!(bench.deeds().is_empty());
}

#[test]
fn a_failure_in_the_middle_is_made_good_by_the_next_run() {
    for program in ["wipefs", "sfdisk", "partx", "mkfs.xfs"] {
        let bench = Bench::new(NTFS);
        let format = wish(NTFS);
        bench.fake.runner.fail_once([program], 1, "input/output error");
        let (causes, hint) = causes(&bench.run(&plan(format.clone())));
        assert_eq!(causes[1], "`serial:WD-1` cannot be formatted");
        assert!(causes[2].contains("input/output error"), "{causes:?}");
        assert_eq!(hint, "run `homelab apply` again: it begins anew");
        let note = bench.folder.path().join(&format.note()[1..]);
        assert!(fs::read_to_string(&note).unwrap().contains("\"finished\": false"));
        assert_eq!(bench.run(&plan(format)).verdict, Verdict::Installed);
        assert!(fs::read_to_string(&note).unwrap().contains("\"finished\": true"));
    }
}

#[test]
fn what_was_put_on_the_disk_since_the_plan_is_kept() {
    let bench = Bench::new(Some(("ext4", "u-1")));
    let (causes, hint) = causes(&bench.run(&plan(wish(NTFS))));
    assert_eq!(
        causes.last().unwrap(),
        "`serial:WD-1` holds ext4 uuid:u-1, and when it was agreed to format it, ntfs uuid:5E0A"
    );
    assert_eq!(
        hint,
        "nothing was written; look at what is on it and run `homelab apply --replace-plan`"
    );
    assert!(bench.deeds().is_empty());
}

#[test]
fn files_that_the_mount_would_hide_are_told_before_anything_is_lost() {
    let bench = Bench::new(None);
    fs::create_dir_all(bench.folder.path().join("mnt/media")).unwrap();
    fs::write(bench.folder.path().join("mnt/media/film"), "").unwrap();
    let (causes, _) = causes(&bench.run(&plan(wish(None))));
    assert_eq!(
        causes.last().unwrap(),
        "`/mnt/media` holds files, such as `film`, which the mount would hide"
    );
    assert!(bench.deeds().is_empty());
}

#[test]
fn an_encrypted_disk_gets_a_key_and_a_line_of_crypttab() {
    let bench = Bench::new(NTFS);
    let crypttab = bench.folder.path().join("etc/crypttab");
    fs::create_dir_all(crypttab.parent().unwrap()).unwrap();
    fs::write(&crypttab, "swap /dev/sda5 /dev/urandom swap\n").unwrap();
    let plan = encrypted(Unlock::Key);
    let format = wish(NTFS);
    let uuid = &format.uuid;
    let report = bench.run(&plan);
    assert_eq!(report.verdict, Verdict::Installed, "{report:#?}");
    let key = bench.folder.path().join(format!("etc/homelab/keys/{uuid}.key"));
    assert_eq!(
        bench.deeds()[4..],
        [
            format!(
                "cryptsetup --batch-mode luksFormat --type luks2 --uuid {uuid} --label \
                 homelab-media --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file {} /dev/sdb1",
                key.display()
            ),
            format!("cryptsetup open --key-file {} /dev/sdb1 luks-{uuid}", key.display()),
            format!(
                "mkfs.xfs -q -L media -m uuid={} /dev/mapper/luks-{uuid}",
                Format { unlock: Some(Unlock::Key), ..format.clone() }.filesystem_uuid()
            ),
            format!("cryptsetup close luks-{uuid}"),
        ]
    );
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let made = fs::read_to_string(&key).unwrap();
    assert!(made.len() == 48 && !bench.fake.runner.commands().join("").contains(&made));
    assert_eq!(
        fs::read_to_string(&crypttab).unwrap(),
        format!(
            "swap /dev/sda5 /dev/urandom swap\n# Written by homelab.\nluks-{uuid} UUID={uuid} \
             /etc/homelab/keys/{uuid}.key luks,nofail,headless=true,x-systemd.device-timeout=30s\n"
        )
    );
    let unit = format!("systemd-cryptsetup@luks\\x2d{}.service", uuid.replace('-', "\\x2d"));
    let commands = bench.fake.runner.commands();
    let at = |what: &str| commands.iter().position(|command| command.contains(what)).unwrap();
    assert!(
        at("daemon-reload") < at(&unit) && at(&unit) < at("start mnt-media.mount"),
        "{commands:#?}"
    );
    assert_eq!(bench.run(&plan).steps[0].outcome, Outcome::AlreadySo);
    assert!(bench.deeds().is_empty());
    // A failure between key and file system keeps the key.
    let bench = Bench::new(NTFS);
    bench.fake.runner.fail_once(["mkfs.xfs"], 1, "input/output error");
    assert_eq!(bench.run(&plan).exit, 4);
    assert_eq!(bench.deeds().last().unwrap(), &format!("cryptsetup close luks-{uuid}"));
    let key = bench.folder.path().join(format!("etc/homelab/keys/{uuid}.key"));
    let first = fs::read_to_string(&key).unwrap();
    assert_eq!(bench.run(&plan).verdict, Verdict::Installed);
    assert_eq!(fs::read_to_string(&key).unwrap(), first);
}

#[test]
fn a_disk_that_could_not_be_unlocked_is_refused_before_anything_is_changed() {
    let bench = Bench::new(NTFS);
    let (said, hint) = causes(&bench.run(&encrypted(Unlock::Tpm2)));
    assert_eq!(
        said.last().unwrap(),
        "`/mnt/media`: this machine has no TPM 2.0, or it is turned off"
    );
    assert_eq!(hint, "turn it on in the firmware, or write `encrypt = \"key\"`");
    assert!(bench.deeds().is_empty());
    fs::write(bench.folder.path().join("dev/tpmrm0"), "").unwrap();
    let report = bench.run(&encrypted(Unlock::Tpm2));
    assert_eq!(report.verdict, Verdict::Installed, "{report:#?}");
    let uuid = wish(NTFS).uuid;
    let key = format!("/etc/homelab/keys/{uuid}.key");
    let file = bench.folder.path().join(&key[1..]);
    let enrol = format!(
        "systemd-cryptenroll --unlock-key-file={} --tpm2-device=auto --tpm2-pcrs=7 /dev/sdb1",
        file.display()
    );
    assert!(bench.deeds().contains(&enrol), "{:#?}", bench.deeds());
    let Outcome::Warned { message } = &report.steps[0].outcome else { panic!("{report:#?}") };
    assert_eq!(
        message,
        &format!(
            "`{key}` opens a disk that the TPM unlocks: save it by `homelab recovery-sheet --to \
             PLACE`, then remove it"
        )
    );

    // Formatted before: the container and its key must be there.
    let mut plan = encrypted(Unlock::Key);
    let Action::Storage(storage) = &mut plan.steps[0].action else { panic!() };
    storage.mounts[0].format = None;
    let bench = Bench::new(None);
    assert_eq!(
        causes(&bench.run(&plan)).0.last().unwrap(),
        &format!("the disk for `/mnt/media` is not there: no LUKS container has the UUID {uuid}")
    );
    let links = bench.folder.path().join("dev/disk/by-uuid");
    fs::create_dir_all(&links).unwrap();
    fs::write(links.join(&uuid), "").unwrap();
    let (said, hint) = causes(&bench.run(&plan));
    assert_eq!(
        said.last().unwrap(),
        &format!("the key of the disk for `/mnt/media` is not there: `{key}`")
    );
    assert_eq!(
        hint,
        format!(
            "write it from the recovery sheet into that file, mode 0600 and without a line's end: \
             `printf %s KEY > {key}`"
        )
    );
}
