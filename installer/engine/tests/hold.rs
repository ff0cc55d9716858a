//! Stacks that need a volume, on a scripted host whose disk comes and goes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use engine::{Context, Silence};
use host::{
    Command, Host, Output, Runner,
    command::CommandError,
    containers::{Container, Containers as _, Health},
    fake::{self, FakeContainers, FakeHost, ScriptedRunner},
    interrupt::Interrupt,
};
use model::{
    Digest,
    plan::{
        AccessExpectation, AccessProbe, Action, FORMAT, FolderWish, MountWish, Plan, ServiceWish,
        StackWish, Step, StepId, Storage,
    },
    report::{Outcome, Report, Verdict},
};

const UUID: &str = "0b1e-99";
const UNIT: &str = "homelab-stack-media.service";
const MARK: &str = "run/homelab/stacks/media";
const ROOT: &str = "22 1 254:3 / / rw,relatime - ext4 /dev/root rw\n";

/// systemd and Compose, as far as they matter here.
struct Programs {
    scripted: Arc<ScriptedRunner>,
    containers: Arc<FakeContainers>,
    root: PathBuf,
    active: Mutex<BTreeSet<String>>,
}

impl Programs {
    fn compose(&self, stack: &str, runs: bool) {
        let service = if stack == "media" { "sonarr" } else { "wiki" };
        let container = FakeContainers::with_health(service, Health::Healthy);
        let stopped = Container { running: false, exit: Some(0), ..container.clone() };
        self.containers.set_project(stack, vec![if runs { container } else { stopped }]);
    }

    fn mount(&self, device: Option<&str>) {
        let more = device.map(|device| format!("31 22 8:17 / /mnt/media rw - ext4 {device} rw\n"));
        let text = format!("{ROOT}{}", more.unwrap_or_default());
        fs::write(self.root.join("proc/self/mountinfo"), text).unwrap();
    }
}

impl Runner for Programs {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        let mut output = self.scripted.run(command)?;
        let line = command.to_string();
        let words: Vec<&str> = line.split(' ').collect();
        let mut active = self.active.lock().unwrap();
        match words[..] {
            ["systemctl", "show", "--value", "--property=ActiveState", unit] => {
                output.stdout = if active.contains(unit) { "active" } else { "inactive" }.into();
            }
            ["systemctl", "show", "--value", "--property=UnitFileState", _] => {
                output.stdout = "enabled".into();
            }
            ["systemctl", "start", unit] => {
                if unit == "mnt-media.mount" {
                    self.mount(Some("/dev/sdb1"));
                }
                active.insert(unit.to_owned());
            }
            ["systemctl", "stop", unit] => {
                active.remove(unit);
            }
            ["docker", "compose", "--project-name", stack, ..] => {
                if words.contains(&"create") {
                    let runs =
                        self.containers.project(stack).unwrap().iter().any(|found| found.running);
                    self.compose(stack, runs);
                } else if words.contains(&"stop") {
                    self.compose(stack, false);
                } else if words.contains(&"config") {
                    output.stdout = if stack == "media" { "sonarr h\n" } else { "wiki h\n" }.into();
                }
            }
            ["docker", "inspect", ..] => {
                let service = if line.ends_with("sonarr") { "sonarr" } else { "wiki" };
                output.stdout = format!("{service} h image i\n");
            }
            _ => {}
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
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake::boot_disk(folder.path(), "vda", 3);
        fake.runner.answer(["ip"], "[]");
        fs::create_dir_all(folder.path().join("dev/disk/by-uuid")).unwrap();
        let programs = Programs {
            scripted: fake.runner.clone(),
            containers: fake.containers.clone(),
            root: folder.path().to_owned(),
            active: Mutex::default(),
        };
        let mark = folder.path().join(MARK);
        fake.web.serve(move |question| {
            let answers = question.url.contains("wiki") || mark.exists();
            answers.then(|| host::web::Answer { status: 200, ..host::web::Answer::default() })
        });
        Self { folder, fake, programs: Arc::new(programs) }
    }

    /// A box on which everything is installed, with its disk.
    fn installed() -> Self {
        let bench = Self::new();
        bench.plug_in("sdb1");
        let report = bench.run();
        assert_eq!(report.verdict, Verdict::Installed, "{report:#?}");
        bench
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn plug_in(&self, device: &str) {
        fs::write(self.path("dev").join(device), "").unwrap();
        let link = self.path("dev/disk/by-uuid").join(UUID);
        std::os::unix::fs::symlink(Path::new("../..").join(device), link).unwrap();
    }

    /// What the kernel and systemd make of a disk that is pulled out.
    fn pull_out(&self) {
        fs::remove_file(self.path("dev/disk/by-uuid").join(UUID)).unwrap();
        self.programs.mount(None);
        self.programs.active.lock().unwrap().clear();
        self.programs.compose("media", false);
        let _ = fs::remove_file(self.path(MARK));
    }

    fn context(&self) -> Context {
        let host = Host { runner: self.programs.clone(), ..self.fake.host() };
        Context::new(host, "0.1.0")
    }

    fn run(&self) -> Report {
        self.fake.runner.forget();
        engine::run(&plan(), &self.context(), &mut Silence)
    }

    fn verify(&self) -> Report {
        self.fake.runner.forget();
        engine::verify(&plan(), &self.context(), &mut Silence)
    }

    /// What was run and is no look.
    fn did(&self) -> Vec<String> {
        let looks = ["show", "inspect", "config", "ip ", "findmnt", "lsblk", "chattr"];
        let mut all = self.fake.runner.commands();
        all.retain(|command| !looks.iter().any(|look| command.contains(look)));
        all
    }
}

fn stack(name: &str, service: &str, needs: &[&str]) -> Step {
    let service = ServiceWish {
        name: service.into(),
        deadline: 60,
        lazy: false,
        configuration: Digest::of(""),
        end_of_life: None,
        after: Vec::new(),
        network_of: None,
        setup: Vec::new(),
    };
    let wish = StackWish {
        name: name.into(),
        folder: format!("/opt/stacks/{name}"),
        services: vec![service],
        digest: Digest::of(name),
        needs: needs.iter().map(|at| (*at).to_owned()).collect(),
    };
    let id = StepId::new(format!("stacks/{name}"));
    Step { id, title: format!("Stack {name}"), action: Action::Stack(wish) }
}

fn plan() -> Plan {
    let mount = MountWish {
        at: "/mnt/media".into(),
        what: format!("UUID={UUID}"),
        kind: "ext4".into(),
        options: "nofail".into(),
        disk: Some("serial:WD-1".into()),
        ..MountWish::default()
    };
    let storage = Storage { grow_root: false, folders: Vec::new(), mounts: vec![mount] };
    let probe = |service: &str| AccessProbe {
        service: service.into(),
        url: format!("https://{service}.home.arpa/"),
        expect: AccessExpectation::Answers,
    };
    let probes = vec![probe("wiki"), probe("sonarr")];
    Plan {
        format: FORMAT,
        seed: Digest::of("seed"),
        catalogue: Digest::of("catalogue"),
        steps: vec![
            Step {
                id: StepId::new("storage"),
                title: "Storage".into(),
                action: Action::Storage(storage),
            },
            stack("media", "sonarr", &["/mnt/media"]),
            stack("wiki", "wiki", &[]),
            Step {
                id: StepId::new("access"),
                title: "Access".into(),
                action: Action::Access { probes },
            },
        ],
    }
}

fn outcomes(report: &Report) -> Vec<&Outcome> {
    report.steps.iter().map(|step| &step.outcome).collect()
}

const GONE: &str = "the disk `serial:WD-1` for `/mnt/media` is not there: nothing has its UUID \
                    0b1e-99 (one with another is selected by `uuid:…`)";

fn held(reason: &str) -> Outcome {
    Outcome::Held { reason: reason.to_owned() }
}

#[test]
fn a_disk_that_never_came_is_a_mistake() {
    let bench = Bench::new();
    let report = bench.run();
    assert_eq!(report.exit, 3, "{report:#?}");
    let Outcome::Failed { causes, .. } = outcomes(&report)[0] else { panic!("{report:#?}") };
    assert!(causes.last().unwrap().contains("no file system has the UUID 0b1e-99"), "{causes:?}");
    assert!(bench.did().is_empty());
}

#[test]
fn the_volume_is_watched_before_the_first_container_starts() {
    let bench = Bench::installed();
    let did = bench.did();
    let at = |what: &str| {
        did.iter()
            .position(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{what}: {did:#?}"))
    };
    assert!(at("start mnt-media.mount") < at(&format!("reenable {UNIT}")));
    assert!(at(&format!("reenable {UNIT}")) < at(&format!("start {UNIT}")));
    assert!(at(&format!("start {UNIT}")) < at("--project-name media"));
    assert!(bench.path(MARK).exists());
    assert!(bench.path("run/homelab/stacks/wiki").exists());
    let unit = "etc/systemd/system/homelab-stack-wiki.service";
    assert!(!bench.path(unit).exists(), "it needs no volume");
    let report = bench.run();
    assert_eq!(report.verdict, Verdict::NoChange, "{report:#?}");
    assert!(bench.did().is_empty(), "{:#?}", bench.did());
}

/// As after a power cut: the marks are forgotten, and Docker could start nothing.
fn cut(bench: &Bench) {
    fs::remove_dir_all(bench.path("run/homelab/stacks")).unwrap();
    for stack in ["media", "wiki"] {
        bench.programs.compose(stack, false);
    }
    bench.fake.containers.forget();
    bench.fake.runner.forget();
}

#[test]
fn after_a_start_of_the_box_each_stack_has_its_turn() {
    let bench = Bench::installed();
    cut(&bench);
    engine::start_stacks(&plan(), &bench.context(), &mut Silence);
    assert_eq!(bench.fake.containers.done(), ["start sonarr", "start wiki"]);
    assert!(bench.path(MARK).exists() && bench.path("run/homelab/stacks/wiki").exists());
    assert_eq!(bench.run().verdict, Verdict::NoChange);
    // Once: what was stopped since by hand stays so.
    bench.programs.compose("wiki", false);
    bench.fake.containers.forget();
    engine::start_stacks(&plan(), &bench.context(), &mut Silence);
    assert!(bench.fake.containers.done().is_empty());
}

#[test]
fn one_that_cannot_be_started_keeps_no_other_from_its_turn() {
    let bench = Bench::installed();
    cut(&bench);
    bench.fake.containers.fail("start", "sonarr", "no such device");
    engine::start_stacks(&plan(), &bench.context(), &mut Silence);
    assert_eq!(bench.fake.containers.done(), ["start wiki"]);
    cut(&bench);
    bench.fake.containers.heal();
    bench.pull_out();
    engine::start_stacks(&plan(), &bench.context(), &mut Silence);
    assert_eq!(bench.fake.containers.done(), ["start wiki"], "the other is held");
}

#[test]
fn what_is_not_up_is_told_and_whether_there_is_more_to_do_than_to_wait() {
    let bench = Bench::installed();
    let down = || engine::down(&plan(), &bench.context()).unwrap().into_iter().collect::<Vec<_>>();
    let can_go_on = |name: &str| engine::can_go_on(&plan(), &bench.context(), name).unwrap();
    assert!(down().is_empty());
    cut(&bench);
    bench.fake.containers.fail("start", "sonarr", "no such device");
    engine::start_stacks(&plan(), &bench.context(), &mut Silence);
    assert_eq!(down(), ["media"]);
    assert!(can_go_on("media") && !can_go_on("photos"));
    let starting = FakeContainers::with_health("sonarr", Health::Starting);
    bench.fake.containers.set_project("media", vec![starting]);
    assert_eq!(down(), ["media"]);
    assert!(!can_go_on("media"));
    bench.pull_out();
    engine::start_stacks(&plan(), &bench.context(), &mut Silence);
    assert!(down().is_empty(), "it is held");
}

#[test]
fn the_turn_of_a_stack_comes_after_those_before_it() {
    let bench = Bench::installed();
    cut(&bench);
    engine::start_stack(&plan(), &bench.context(), "wiki", &mut Silence).unwrap();
    assert_eq!(bench.fake.containers.done(), ["start sonarr", "start wiki"]);
}

#[test]
fn the_engine_has_its_time_to_come_up() {
    let bench = Bench::installed();
    cut(&bench);
    let mut asked = 0;
    bench.fake.containers.gate(move |operation, _| {
        asked += i32::from(operation == "version");
        (operation == "version" && asked < 4).then(|| "it does not run".to_owned())
    });
    let mut context = bench.context();
    context.patience = std::time::Duration::from_secs(60);
    engine::start_stacks(&plan(), &context, &mut Silence);
    assert_eq!(bench.fake.containers.done().len(), 2);
}

#[test]
fn without_its_disk_the_stack_is_held_and_all_others_run() {
    let bench = Bench::installed();
    bench.pull_out();
    for report in [bench.verify(), bench.run(), bench.run()] {
        assert_eq!((report.exit, &report.verdict), (0, &Verdict::NoChange), "{report:#?}");
        let told = format!("{GONE}; what needs it waits for it");
        assert_eq!(
            outcomes(&report),
            [
                &Outcome::Warned { message: told },
                &held(GONE),
                &Outcome::AlreadySo,
                &Outcome::AlreadySo
            ]
        );
    }
    assert!(!bench.did().iter().any(|line| line.contains("--project-name media")));
    assert_eq!(
        engine::held(&plan(), &bench.context()).unwrap(),
        [("media".to_owned(), GONE.to_owned())].into()
    );
    // systemd mounts it when it is back, and starts the unit of the stack.
    bench.plug_in("sdb1");
    bench.programs.mount(Some("/dev/sdb1"));
    bench.programs.active.lock().unwrap().extend(["mnt-media.mount".into(), UNIT.into()]);
    bench.fake.runner.forget();
    let started = engine::start_stack(&plan(), &bench.context(), "media", &mut Silence);
    assert_eq!(started.unwrap(), None);
    assert!(bench.path(MARK).exists());
    assert_eq!(bench.fake.containers.done().last().unwrap(), "start sonarr");
    let report = bench.verify();
    assert!(outcomes(&report).iter().all(|o| **o == Outcome::AlreadySo), "{report:#?}");
    assert!(engine::held(&plan(), &bench.context()).unwrap().is_empty());
}

#[test]
fn what_still_runs_without_its_volume_is_stopped() {
    let bench = Bench::installed();
    bench.pull_out();
    // Somebody was quicker than systemd.
    bench.programs.compose("media", true);
    fs::write(bench.path(MARK), "").unwrap();
    let seen = bench.verify();
    let Outcome::Failed { causes, .. } = outcomes(&seen)[1] else { panic!("{seen:#?}") };
    assert!(causes.last().unwrap().starts_with("sonarr runs without its volume; "), "{causes:?}");
    let report = bench.run();
    assert_eq!(report.verdict, Verdict::Installed, "{report:#?}");
    assert_eq!(outcomes(&report)[1], &held(GONE));
    let stop = "docker compose --project-name media --project-directory /opt/stacks/media --file \
                /opt/stacks/media/compose.yaml stop";
    assert_eq!(bench.did(), [stop]);
    assert!(!bench.path(MARK).exists());
}

#[test]
fn another_volume_at_the_place_does_not_count() {
    let bench = Bench::installed();
    bench.pull_out();
    bench.programs.mount(Some("/dev/sdz9"));
    bench.programs.active.lock().unwrap().insert("mnt-media.mount".into());
    let report = bench.run();
    assert_eq!(report.exit, 0, "{report:#?}");
    assert_eq!(outcomes(&report)[1], &held(GONE));
    // Its own disk is there too, but something else was mounted over it: that is put right.
    bench.plug_in("sdb1");
    let seen = bench.verify();
    let other = "another volume is mounted at `/mnt/media`: `/dev/sdz9` (ext4), not the one with \
                 the UUID 0b1e-99";
    let Outcome::Failed { causes, .. } = outcomes(&seen)[0] else { panic!("{seen:#?}") };
    assert_eq!(causes.last().unwrap(), other);
    assert_eq!(outcomes(&seen)[1], &held(other));
    let report = bench.run();
    assert_eq!(report.verdict, Verdict::Installed, "{report:#?}");
    let did = bench.did();
    assert_eq!(did[..2], ["systemctl stop mnt-media.mount", "systemctl start mnt-media.mount"]);
    assert!(bench.path(MARK).exists());
}

/// The plan with another disk at the place.
fn replaced() -> Plan {
    let mut plan = plan();
    let Action::Storage(storage) = &mut plan.steps[0].action else { panic!() };
    storage.mounts[0].what = "UUID=0b1e-77".into();
    storage.mounts[0].disk = Some("serial:WD-2".into());
    plan
}

impl Bench {
    fn copy(&self, disk: &str) -> Result<(), engine::Failure> {
        self.fake.runner.forget();
        let never = Interrupt::default();
        let (old, new) = (plan(), replaced());
        engine::copy_disk(&old, &new, disk, true, &self.context(), &never, &mut Silence)
    }
}

#[test]
fn nothing_writes_to_a_disk_that_is_copied() {
    let bench = Bench::installed();
    bench.fake.runner.act(["rsync"], "", {
        let mark = bench.path(MARK);
        move |_| assert!(!mark.exists(), "a container could be started")
    });
    bench.copy("serial:WD-2").unwrap();
    let did = bench.did();
    let first: Vec<&str> = did.iter().map(|line| line.split(" --").next().unwrap()).collect();
    assert_eq!(
        first,
        ["docker compose", &format!("systemctl stop {UNIT}"), "mount", "rsync", "mount", "rsync"]
    );
    assert!(did[0].ends_with("compose.yaml stop") && did[0].contains("-name media"), "{did:#?}");
    assert!(did[3].contains(" --delete ") && did[2].contains("by-uuid/0b1e-77"), "{did:#?}");
    // Whoever carries out the new plan starts it.
    assert!(!bench.path(MARK).exists());
}

#[test]
fn after_a_failed_copy_all_is_as_before() {
    let bench = Bench::installed();
    bench.fake.runner.fail(["rsync"], 23, "rsync: read errors mapping film: Input/output error");
    let failure = bench.copy("serial:WD-2").unwrap_err();
    let causes = failure.causes();
    assert_eq!(causes[1], "`/mnt/media` cannot be copied onto `serial:WD-2`", "{causes:#?}");
    assert!(causes[2].contains("exited with 23"), "{causes:#?}");
    let did = bench.did();
    assert!(did.last().unwrap().contains(" create "), "{did:#?}");
    assert_eq!(bench.fake.containers.done().last().unwrap(), "start sonarr");
    assert!(bench.path(MARK).exists());
    let report = bench.verify();
    assert!(outcomes(&report).iter().all(|o| **o == Outcome::AlreadySo), "{report:#?}");
}

#[test]
fn what_is_not_there_is_not_copied() {
    let bench = Bench::installed();
    let failure = bench.copy("serial:WD-9").unwrap_err();
    assert_eq!(
        failure.causes()[1],
        "the plan does not mount the disk `serial:WD-9` in another one's place"
    );
    bench.pull_out();
    let failure = bench.copy("serial:WD-2").unwrap_err();
    assert_eq!(failure.causes()[1], format!("there is nothing to copy from: {GONE}"));
    assert!(bench.did().is_empty(), "{:#?}", bench.did());
}

#[test]
fn a_stack_that_is_not_deployed_cannot_be_started() {
    let bench = Bench::new();
    let failure = engine::start_stack(&plan(), &bench.context(), "photos", &mut Silence);
    let failure = failure.unwrap_err();
    assert_eq!(failure.exit(), 3);
    assert_eq!(failure.causes()[1], "no stack `photos` is deployed");
}

/// What the plan wants on a share.
const FOLDER: &str = "mnt/backups/restic";

const NFS: &str = "32 22 0:70 / /mnt/backups rw - nfs4 nas.lan:/backups rw\n";

/// A plan of one stack on a share.
fn on_a_share() -> Plan {
    let mut plan = plan();
    let mount = MountWish {
        at: "/mnt/backups".into(),
        what: "nas.lan:/backups".into(),
        kind: "nfs".into(),
        options: "soft".into(),
        automount: true,
        ..MountWish::default()
    };
    let own = fs::metadata("/proc/self").unwrap();
    let owner = (own.uid(), own.gid());
    let folder = FolderWish { path: format!("/{FOLDER}"), mode: 0o755, owner };
    let storage = Storage { grow_root: false, folders: vec![folder], mounts: vec![mount] };
    plan.steps[0].action = Action::Storage(storage);
    plan.steps[1] = stack("media", "sonarr", &["/mnt/backups"]);
    plan.steps.truncate(2);
    plan
}

#[test]
fn a_share_that_does_not_answer_holds_its_stack_until_it_does() {
    let bench = Bench::new();
    let automount = "31 22 0:44 / /mnt/backups rw - autofs systemd-1 rw\n";
    let mounts = bench.path("proc/self/mountinfo");
    fs::write(&mounts, format!("{ROOT}{automount}")).unwrap();
    bench.fake.runner.fail(["systemctl", "start", "mnt-backups.mount"], 1, "Connection timed out");
    let run = |plan: &Plan| engine::run(plan, &bench.context(), &mut Silence);
    let report = run(&on_a_share());
    assert_eq!(report.exit, 0, "{report:#?}");
    let Outcome::Held { reason } = outcomes(&report)[1] else { panic!("{report:#?}") };
    assert!(reason.starts_with("`nas.lan:/backups` for `/mnt/backups` cannot be mounted: "));
    assert!(reason.contains("Connection timed out"), "{reason}");
    let Outcome::Warned { message } = outcomes(&report)[0] else { panic!("{report:#?}") };
    assert_eq!(message, &format!("{reason}; what needs it waits for it"));
    assert!(!bench.path(FOLDER).exists(), "a folder was made beside the share");
    // Who only looks does not wait for it.
    bench.fake.runner.forget();
    assert_eq!(
        engine::held(&on_a_share(), &bench.context()).unwrap()["media"],
        "`nas.lan:/backups` for `/mnt/backups` could not be mounted yet"
    );
    assert!(bench.fake.runner.commands().is_empty());
    // Its unit tries again, and now it answers.
    let answers = mounts.clone();
    bench.fake.runner.act(["systemctl", "start", "mnt-backups.mount"], "", move |_| {
        fs::write(&answers, format!("{ROOT}{automount}{NFS}")).unwrap();
    });
    let started = engine::start_stack(&on_a_share(), &bench.context(), "media", &mut Silence);
    assert_eq!(started.unwrap(), None);
    assert!(bench.path(MARK).exists() && bench.path(FOLDER).exists());
    assert_eq!(run(&on_a_share()).verdict, Verdict::NoChange);
    // One that answers when its unit is there, as on a new box.
    let bench = Bench::new();
    let mounts = bench.path("proc/self/mountinfo");
    let unit = bench.path("etc/systemd/system/mnt-backups.mount");
    let (answers, there) = (mounts.clone(), bench.path(FOLDER));
    bench.fake.runner.act(["systemctl", "start", "mnt-backups.mount"], "", move |_| {
        if unit.exists() {
            fs::write(&answers, format!("{ROOT}{automount}{NFS}")).unwrap();
            // As the other machine has it, which lets nobody change that.
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&there).unwrap();
        }
    });
    let report = engine::run(&on_a_share(), &bench.context(), &mut Silence);
    assert_eq!(report.verdict, Verdict::Installed, "{report:#?}");
    assert_eq!(fs::metadata(bench.path(FOLDER)).unwrap().mode() & 0o777, 0o700);
    // Another share there is another volume.
    let other = NFS.replace("nas.lan", "evil.lan");
    fs::write(&mounts, format!("{ROOT}{automount}{other}")).unwrap();
    let held = engine::held(&on_a_share(), &bench.context()).unwrap();
    assert_eq!(
        held["media"],
        "another volume is mounted at `/mnt/backups`: `evil.lan:/backups` (nfs4), not \
         `nas.lan:/backups`"
    );
}
