//! The step `install` against a scripted host: what it refuses, and when there is nothing to do. The copy
//! itself is tested in `host`, on files, with the real programs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::fs;

use engine::{Context, Silence};
use host::fake::{self, FakeHost};
use model::{
    Digest,
    disk::Consent,
    facts::{Disk, lsblk},
    paths::partition,
    plan::{Action, FORMAT, Install, Plan, Step, StepId},
    report::{Outcome, Report, Verdict},
};

/// A box that runs from `sda`, a stick, with one disk, `nvme0n1`.
struct Bench {
    folder: tempfile::TempDir,
    fake: FakeHost,
}

const EMPTY: &str = r#""pttype": null"#;
const FULL: &str = r#""pttype": "gpt", "children": [{"name": "nvme0n1p4", "type": "part",
    "size": 67108864, "fstype": "vfat", "label": "SEED", "uuid": "12-34", "mountpoints": [null]}]"#;

fn listed(rest: &str) -> String {
    format!(
        r#"{{"blockdevices": [
            {{"name": "sda", "type": "disk", "size": 4000000000, "log-sec": 512, "tran": "usb",
              "serial": "STICK1", "model": "Stick", "rm": true}},
            {{"name": "nvme0n1", "type": "disk", "size": 500000000000, "log-sec": 512,
              "tran": "nvme", "serial": "BOX2", "model": "Fast", "rm": false, {rest}}}]}}"#
    )
}

impl Bench {
    fn new(rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake::boot_disk(folder.path(), "sda", 3);
        for name in ["dev", "run", "var/lib", "etc"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fake.runner.answer(["ip"], "[]");
        fake.runner.answer(["lsblk"], &listed(rest));
        Self { folder, fake }
    }

    fn run(&self, plan: &Plan) -> Report {
        engine::run(plan, &Context::new(self.fake.host(), "0.1.0"), &mut Silence)
    }

    /// What the SEED partition of the disk says.
    fn note(&self, text: &str) {
        let folder = self.folder.path().join("run/homelab/volume/nvme0n1p4");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(partition::COPY_NOTE), text).unwrap();
    }

    /// Nothing was run that writes.
    fn touched_nothing(&self) -> bool {
        let commands = self.fake.runner.commands();
        let harmless = ["lsblk ", "ip ", "mount -t vfat -o ro,", "umount "];
        commands.iter().all(|command| harmless.iter().any(|word| command.starts_with(word)))
    }
}

/// The plan that was made when the disk was listed so.
fn plan(rest: &str) -> Plan {
    let disks: Vec<Disk> = lsblk::parse(&listed(rest)).unwrap();
    let consent = Consent::given("BOX2", &disks[1]).unwrap();
    let action = Action::Install(Install { consent, needs: 1_500_000_000 });
    let step = Step { id: StepId::new("install"), title: "Install".to_owned(), action };
    Plan {
        format: FORMAT,
        seed: Digest::of("seed"),
        catalogue: Digest::of("catalogue"),
        steps: vec![step],
    }
}

fn failed(report: &Report) -> (&[String], &str) {
    match &report.steps[0].outcome {
        Outcome::Failed { causes, hint } => (causes, hint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_disk_that_has_this_very_copy_is_never_written_again() {
    let bench = Bench::new(FULL);
    let plan = plan(FULL);
    bench.note(&format!("words\n{}\nmore\n", plan.seed));
    let report = bench.run(&plan);
    assert_eq!((report.verdict, report.exit), (Verdict::NoChange, 0));
    assert!(bench.touched_nothing(), "{:?}", bench.fake.runner.commands());
}

#[test]
fn what_is_not_what_was_agreed_to_is_refused_before_anything_is_written() {
    // Another copy lies there, and something was plugged in since.
    let bench = Bench::new(FULL);
    bench.note("the digest of another seed\n");
    let report = bench.run(&plan(EMPTY));
    let (causes, hint) = failed(&report);
    assert_eq!(
        causes,
        [
            "step `install` failed",
            "`serial:BOX2` holds vfat uuid:12-34, and when it was agreed to format it, empty"
        ]
    );
    assert_eq!(
        hint,
        "nothing was written; look at what is on it and run `homelab apply --replace-plan`"
    );
    assert!(bench.touched_nothing(), "{:?}", bench.fake.runner.commands());

    let bench = Bench::new(EMPTY);
    bench.fake.runner.answer(["lsblk"], r#"{"blockdevices": []}"#);
    let report = bench.run(&plan(EMPTY));
    assert_eq!(
        failed(&report).0,
        ["this machine cannot run the plan", "`serial:BOX2` is not there any more"]
    );
    assert!(bench.touched_nothing());
}

#[test]
fn a_failed_copy_says_what_failed_and_the_way_out() {
    // What was there when it was agreed to is gone: an earlier copy was cut off.
    let bench = Bench::new(EMPTY);
    for name in ["sda", "nvme0n1"] {
        let disk = fs::File::create(bench.folder.path().join("dev").join(name)).unwrap();
        disk.set_len(4 << 20).unwrap();
    }
    let report = bench.run(&plan(FULL));
    assert_eq!(report.exit, 4);
    let (causes, hint) = failed(&report);
    assert_eq!(
        causes[..2],
        ["step `install` failed", "the system cannot be copied onto `serial:BOX2`"]
    );
    assert!(causes[2].starts_with("no partition table can be read: "), "{causes:?}");
    assert_eq!(hint, "nothing on it can be started; the stick starts again and tries again");
    // Root is not frozen for a stick that cannot be read.
    let commands = bench.fake.runner.commands().join("\n");
    assert!(!commands.contains("fsfreeze"), "{commands}");
}
