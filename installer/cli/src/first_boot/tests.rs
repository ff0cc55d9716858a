mod wizard;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
};

use engine::Folder;
use model::{
    Digest,
    facts::{Disk, Volume},
    plan::{FORMAT, Step, StepId},
    preflight::{Check, Verdict as PreflightVerdict},
    report::{Outcome, StepReport},
};

use super::*;

const GOOD: &str = "schema = 1\n[admin]\nname = \"alex\"\npassword = \"correct horse battery\"\n";
const WRONG: &str = "schema = 1\n[admn]\n";

/// A machine of folders that does what its script says.
struct Fake {
    host: Host,
    partition: PathBuf,
    /// Looks at the SEED partition so far, and what is put there before which one.
    looks: Cell<u32>,
    seeds: RefCell<VecDeque<(u32, &'static str)>>,
    rescue: bool,
    /// It has the repository's own catalogue, and makes real plans for 8 GiB and one port.
    real: bool,
    /// What such a machine has for disks.
    disks: Vec<Disk>,
    /// It runs from a stick, and every plan copies it; how a run ends that finds nothing wrong.
    copies: Option<Verdict>,
    /// How the runs end; none left: well.
    ends: RefCell<VecDeque<u8>>,
    /// A run that fails has carried out all, and what failed is the look after it.
    all_done: bool,
    /// Somebody else is done with `homelab apply` when the network is looked at next.
    apply: Cell<bool>,
    log: RefCell<Vec<String>>,
}

impl Fake {
    fn new(folder: &Path) -> Self {
        let partition = folder.join("partition");
        fs::create_dir_all(&partition).unwrap();
        Self {
            host: crate::testing::host_in(&folder.join("root")),
            partition,
            looks: Cell::new(0),
            seeds: RefCell::default(),
            rescue: false,
            real: false,
            disks: Vec::new(),
            copies: None,
            ends: RefCell::default(),
            all_done: false,
            apply: Cell::default(),
            log: RefCell::default(),
        }
    }

    fn note(&self, text: impl Into<String>) {
        self.log.borrow_mut().push(text.into());
    }

    fn keep(&self, plan: &Plan, complete: bool) {
        let mut journal = Journal::new(plan, "2026-11-24T00:00:00Z".to_owned());
        journal.complete = complete;
        journal.save(&self.host).unwrap();
    }

    fn report(&self, exit: u8) -> Report {
        let id = StepId::new("images");
        let verdict = match exit {
            0 => self.copies.clone().unwrap_or(Verdict::Installed),
            _ => Verdict::Failed { step: id.clone() },
        };
        let mut report = Report::new("0.1.0", verdict, exit, "2026-11-24T00:00:00Z");
        if exit != 0 {
            let causes = vec!["the registry is away".to_owned()];
            let outcome = Outcome::Failed { causes, hint: "wait".to_owned() };
            report.steps.push(StepReport { id, title: "Images".into(), outcome, seconds: 1.0 });
        }
        report
    }
}

fn plan() -> Plan {
    let action = Action::Networks { networks: Vec::new() };
    let step = Step { id: StepId::new("networks"), title: "Networks".to_owned(), action };
    Plan {
        format: FORMAT,
        seed: Digest::of(GOOD),
        catalogue: Digest::of("catalogue"),
        steps: vec![step],
    }
}

/// The step of a plan that copies the system of a stick.
fn copy() -> Step {
    let disk = Disk { serial: "BOX2".into(), size: 1, ..Default::default() };
    let consent = model::disk::Consent::given("BOX2", &disk).unwrap();
    let action = Action::Install(model::plan::Install { consent, needs: 1 });
    Step { id: StepId::new("install"), title: "Install".to_owned(), action }
}

impl Places for Fake {
    fn credential(&self) -> Result<Option<String>, String> {
        Ok(None)
    }

    fn fetch(&self, url: &str) -> Result<String, String> {
        Err(format!("nobody asks for {url}"))
    }

    fn seed_partition(&self) -> Option<Arc<dyn Medium>> {
        self.looks.set(self.looks.get() + 1);
        let due = self.seeds.borrow().front().is_some_and(|(look, _)| *look <= self.looks.get());
        if due {
            let (_, text) = self.seeds.borrow_mut().pop_front().unwrap();
            fs::write(self.partition.join("seed.toml"), text).unwrap();
        }
        Some(Arc::new(Folder(self.partition.clone())))
    }

    fn removable(&self) -> Vec<(String, Arc<dyn Medium>)> {
        Vec::new()
    }
}

impl Machine for Fake {
    fn host(&self) -> &Host {
        &self.host
    }
    fn kernel_line(&self) -> KernelLine {
        KernelLine { rescue: self.rescue, ..KernelLine::default() }
    }
    fn addresses(&self) -> Vec<IpAddr> {
        vec!["192.168.1.10".parse().unwrap()]
    }
    fn ports(&self) -> Vec<NetworkPort> {
        if self.apply.take() {
            self.keep(&plan(), true);
            self.publish(&self.report(0), &Context::new(self.host.clone(), "0.1.0")).unwrap();
        }
        let port = NetworkPort {
            name: "enp1s0".into(),
            mac: "52:54:00:12:34:56".into(),
            wired: true,
            carrier: true,
            addresses: vec!["192.168.1.10/24".parse().unwrap()],
            gateways: vec!["192.168.1.1".parse().unwrap()],
        };
        if self.real { vec![port] } else { Vec::new() }
    }
    fn world(&self) -> Result<(Catalogue, Facts), Failure> {
        if self.real {
            let (interfaces, disks) = (self.ports(), self.disks.clone());
            let facts = Facts { interfaces, disks, tpm2: true, ..Facts::of_memory(8 << 30) };
            return Ok((crate::inputs::catalogue(&self.host)?, facts));
        }
        let files = [("images.lock".to_owned(), "schema = 1\n".to_owned())].into();
        Ok((Catalogue::parse(&files).map_err(Failure::Wrong)?, Facts::of_memory(4 << 30)))
    }
    fn findings(&self, _: &Seed) -> Vec<Finding> {
        let check = Check::Link;
        if self.real {
            return vec![Finding::ok(check, "enp1s0 has a link")];
        }
        vec![Finding::bad(check, PreflightVerdict::Failed, "no cable", "no images", "plug it in")]
    }
    fn sticks(&self) -> Vec<(String, Arc<dyn Medium>)> {
        vec![("sdb1".to_owned(), Arc::new(Folder(self.partition.clone())))]
    }
    fn plan(&self, seed: &Seed) -> Result<Plan, Failure> {
        if self.real {
            let (catalogue, facts) = self.world()?;
            return Ok(model::plan::plan(seed, &catalogue, &facts)?);
        }
        let steps = match self.copies {
            Some(_) => vec![copy()],
            None => plan().steps,
        };
        Ok(Plan { seed: seed.digest.clone(), steps, ..plan() })
    }
    fn plan_after(&self, install: &Install, seed: &Seed) -> Result<Plan, Failure> {
        let (catalogue, facts) = self.world()?;
        Ok(model::plan::plan(seed, &catalogue, &model::plan::afterwards(install, &facts))?)
    }
    fn medium(&self) -> Option<Arc<dyn Medium>> {
        Some(Arc::new(Folder(self.partition.clone())))
    }
    fn built(&self) -> Option<i64> {
        None
    }
    fn run(&self, plan: &Plan, context: &Context, _: &mut dyn Sink) -> Report {
        let secrets: Vec<String> = context.secrets.keys().map(ToString::to_string).collect();
        self.note(format!("run with {}", secrets.join(", ")));
        let exit = self.ends.borrow_mut().pop_front().unwrap_or(0);
        self.keep(plan, exit == 0 || self.all_done);
        self.report(exit)
    }
    fn start_stacks(&self, _: &Plan, _: &Context) {
        self.note("start");
    }
    fn verify(&self, _: &Plan, _: &Context, _: &mut dyn Sink) -> Report {
        self.note("verify");
        self.report(self.ends.borrow_mut().pop_front().unwrap_or(0))
    }
    fn publish(&self, report: &Report, context: &Context) -> Result<(), String> {
        self.note(format!("publish {}", report.exit));
        let context = Context { medium: None, ..context.clone() };
        engine::publish(&context, report, "").map_err(|trouble| trouble.to_string())
    }
    fn rest_attempts(&self) -> Result<(), String> {
        self.note("rest");
        Ok(())
    }
    fn on_a_stick(&self) -> bool {
        self.copies.is_some()
    }
    fn restart(&self) -> Result<(), String> {
        self.note("restart");
        Ok(())
    }
    fn shell(&self, console: &str) -> Result<(), String> {
        self.note(format!("shell on {console}"));
        Ok(())
    }
}

/// What was said, to be looked at while it is still being said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).unwrap()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Stage {
    _folder: tempfile::TempDir,
    fake: Fake,
    talk: Talk,
    said: Said,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let said = Said::default();
        let talk = Talk::to(Box::new(said.clone()));
        Self { fake: Fake::new(folder.path()), _folder: folder, talk, said }
    }

    fn seeds(self, seeds: &[(u32, &'static str)]) -> Self {
        self.fake.seeds.borrow_mut().extend(seeds);
        self
    }

    /// Types on a serial console, each text once there was time to ask for it: what was typed
    /// before is forgotten. The console lives until the result is dropped.
    fn types(&mut self, texts: &'static [&'static str]) -> JoinHandle<fs::File> {
        let (read, mut keys) = crate::testing::pipe();
        self.talk.keyboard.add("ttyS0", read);
        std::thread::spawn(move || {
            for text in texts {
                std::thread::sleep(Duration::from_millis(300));
                keys.write_all(text.as_bytes()).unwrap();
            }
            keys
        })
    }

    fn install(&mut self) -> u8 {
        install(&self.fake, &mut self.talk, "0.1.0")
    }

    fn log(&self) -> Vec<String> {
        self.fake.log.borrow().clone()
    }
}

#[test]
fn waits_for_a_seed_seals_it_and_runs() {
    let mut stage = Stage::new().seeds(&[(3, GOOD)]);
    assert_eq!(stage.install(), 0);
    assert_eq!(stage.log(), ["rest", "run with admin-password", "publish 0"]);
    let said = stage.said.text();
    assert_eq!(said.matches("this box waits for its seed").count(), 1, "{said}");
    assert!(said.contains("Addresses      192.168.1.10"), "{said}");
    assert_eq!(sealing::sealed(&stage.fake.host).unwrap().as_deref(), Some(GOOD));
}

#[test]
fn a_wrong_seed_is_told_once_reported_and_tried_again_when_it_changes() {
    let mut stage = Stage::new().seeds(&[(1, WRONG), (6, GOOD)]);
    assert_eq!(stage.install(), 0);
    assert_eq!(stage.log(), ["rest", "publish 2", "run with admin-password", "publish 0"]);
    let said = stage.said.text();
    assert_eq!(said.matches("the seed was refused; nothing was changed").count(), 1, "{said}");
    assert!(said.contains("seed.toml:2:2: `admn` is no key of the seed"), "{said}");
}

#[test]
fn an_installed_box_is_only_looked_at_and_lets_its_owner_in_even_if_ill() {
    for (end, word) in [(0, "the box is ready"), (4, "step 1 of 1 failed")] {
        let mut stage = Stage::new().seeds(&[(1, GOOD)]);
        assert_eq!(stage.install(), 0);
        stage.fake.log.borrow_mut().clear();
        stage.fake.ends.borrow_mut().push_back(end);
        assert_eq!(stage.install(), 0);
        assert_eq!(
            stage.log(),
            ["start".to_owned(), "verify".to_owned(), format!("publish {end}")]
        );
        let said = stage.said.text();
        assert!(said.contains(word), "{said}");
        assert_eq!(said.matches(STARTING).count(), 1, "{said}");
    }
}

#[test]
fn an_edited_seed_of_an_installed_box_is_told() {
    let mut stage = Stage::new().seeds(&[(1, GOOD)]);
    stage.install();
    fs::write(stage.fake.host.path(paths::SEED), "schema = 1\n").unwrap();
    stage.install();
    assert!(stage.said.text().contains("note: /etc/homelab/seed.toml has changed"));
}

#[test]
fn a_failure_is_tried_again_from_the_sealed_seed_and_then_given_up() {
    let mut stage = Stage::new().seeds(&[(1, GOOD)]);
    stage.fake.ends.borrow_mut().extend([4, 4, 4, 4, 4]);
    assert_eq!(stage.install(), 4);
    let runs = stage.log().iter().filter(|line| line.starts_with("run")).count();
    assert_eq!(runs, 4, "one, and three more after a pause");
    assert_eq!(stage.fake.looks.get(), 1, "the sealed seed is used, not the partition's");
    let said = stage.said.text();
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("tried again in 5 min 0 s (3 tries left)"), "{said}");
    assert!(said.contains("`homelab apply` goes on where it stopped"), "{said}");
}

#[test]
fn a_failed_look_at_a_box_with_all_carried_out_is_tried_again_after_the_pause() {
    let mut stage = Stage::new().seeds(&[(1, GOOD)]);
    stage.fake.all_done = true;
    stage.fake.ends.borrow_mut().push_back(4);
    let begun = stage.fake.host.clock.epoch();
    assert_eq!(stage.install(), 0);
    let run = "run with admin-password";
    assert_eq!(stage.log(), [run, "publish 4", run, "publish 0"]);
    assert!(stage.fake.host.clock.epoch() - begun >= 300, "it waits as it says");
}

#[test]
fn who_finishes_it_by_hand_meanwhile_ends_the_pause() {
    for all_done in [false, true] {
        let mut stage = Stage::new().seeds(&[(1, GOOD)]);
        stage.fake.all_done = all_done;
        stage.fake.ends.borrow_mut().push_back(4);
        stage.fake.apply.set(true);
        assert_eq!(stage.install(), 0);
        let run = "run with admin-password";
        assert_eq!(stage.log(), [run, "publish 4", "publish 0", "verify", "publish 0"]);
        assert!(stage.said.text().contains("the box is ready"));
    }
}

#[test]
fn a_failure_that_goes_away_ends_well() {
    let mut stage = Stage::new().seeds(&[(1, GOOD)]);
    stage.fake.ends.borrow_mut().push_back(4);
    assert_eq!(stage.install(), 0);
    assert!(stage.said.text().contains("the registry is away"));
}

#[test]
fn rescue_waits_for_a_person_and_has_a_shell() {
    let mut stage = Stage::new().seeds(&[(1, GOOD)]);
    stage.fake.rescue = true;
    let typist = stage.types(&["shell\n", "\n"]);
    assert_eq!(stage.install(), 0);
    drop(typist.join().unwrap());
    assert_eq!(stage.log(), ["shell on ttyS0", "run with admin-password", "publish 0"]);
    assert!(stage.said.text().contains("several starts did not finish the install"));
}

#[test]
fn a_copy_starts_from_its_disk_and_the_stick_forgets_the_seed() {
    let mut stage = Stage::new().seeds(&[(3, GOOD)]);
    stage.fake.copies = Some(Verdict::Installed);
    assert_eq!(stage.install(), 0);
    assert_eq!(stage.log(), ["rest", "run with admin-password", "publish 0", "rest", "restart"]);
    let said = stage.said.text();
    assert!(said.contains("pull out the stick"), "{said}");
    assert!(said.contains("This box runs from a stick"), "{said}");
    assert_eq!(sealing::sealed(&stage.fake.host).unwrap(), None);
    assert!(Journal::load(&stage.fake.host).unwrap().is_none());
}

#[test]
fn a_stick_that_is_started_again_after_its_copy_waits_to_be_pulled_out() {
    let mut stage = Stage::new().seeds(&[(1, GOOD)]);
    stage.fake.copies = Some(Verdict::NoChange);
    let typist = stage.types(&["\n"]);
    assert_eq!(stage.install(), 0);
    drop(typist.join().unwrap());
    assert_eq!(stage.log(), ["run with admin-password", "publish 0", "rest", "restart"]);
    assert!(stage.said.text().contains("was copied before"), "{}", stage.said.text());
}

#[test]
fn a_copy_whose_end_was_cut_off_is_ended_at_the_next_start() {
    let mut stage = Stage::new();
    sealing::seal(&stage.fake.host, GOOD, "a stick", &[].into()).unwrap();
    stage.fake.keep(&Plan { steps: vec![copy()], ..plan() }, true);
    let typist = stage.types(&["\n"]);
    assert_eq!(stage.install(), 0);
    drop(typist.join().unwrap());
    assert_eq!(stage.log(), ["rest", "restart"]);
    assert_eq!(sealing::sealed(&stage.fake.host).unwrap(), None);
}
