//! A plan against a scripted host: in order, once, and on after a failure or a cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use engine::{Context, Journal, Listener, Silence};
use host::{
    containers::{Container, Containers as _, Health},
    fake::{self, FakeContainers, FakeHost},
    web::Answer,
};
use model::{
    Digest, Secret,
    catalogue::wish::Setup,
    plan::{
        AccessExpectation, AccessProbe, Action, FORMAT, FileSet, FileWish, ImagePull, Images,
        Network, Plan, Render, ServiceWish, StackWish, Step, StepId,
    },
    report::{Event, Outcome, Phase, Report, Verdict},
    secret::SecretRef,
    seed::ImageSource,
};

/// A host whose files belong to whoever runs the test.
struct Bench {
    folder: tempfile::TempDir,
    fake: FakeHost,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake.runner.answer(["ip"], "[]");
        Self { folder, fake }
    }

    fn context(&self) -> Context {
        Context::new(self.fake.host(), "0.1.0")
    }

    fn run(&self, plan: &Plan) -> Report {
        engine::run(plan, &self.context(), &mut Silence)
    }

    fn journal(&self) -> Journal {
        Journal::load(&self.fake.host()).unwrap().unwrap()
    }
}

fn step(name: &str, action: Action) -> Step {
    Step { id: StepId::new(name), title: format!("Step {name}"), action }
}

fn network(name: &str) -> Step {
    let network = Network { name: name.to_owned(), internal: false, subnet: None };
    step(name, Action::Networks { networks: vec![network] })
}

fn plan_of(steps: Vec<Step>, seed: &str) -> Plan {
    Plan { format: FORMAT, seed: Digest::of(seed), catalogue: Digest::of("catalogue"), steps }
}

fn three() -> Plan {
    plan_of(["one", "two", "three"].map(network).into(), "seed")
}

fn outcomes(report: &Report) -> Vec<&Outcome> {
    report.steps.iter().map(|step| &step.outcome).collect()
}

#[test]
fn a_first_run_changes_and_a_second_one_finds_everything_so() {
    let bench = Bench::new();
    let report = bench.run(&three());
    assert_eq!((report.verdict, report.exit), (Verdict::Installed, 0));
    assert!(report.steps.iter().all(|step| step.outcome == Outcome::Changed));
    assert_eq!(
        bench.fake.containers.done(),
        ["create-network one", "create-network two", "create-network three"]
    );
    assert!(bench.journal().complete);
    bench.fake.containers.forget();
    let report = bench.run(&three());
    assert_eq!(report.verdict, Verdict::NoChange);
    assert_eq!(outcomes(&report), [&Outcome::AlreadySo; 3]);
    assert!(bench.fake.containers.done().is_empty());
}

#[test]
fn a_failure_at_any_step_leaves_the_rest_alone_and_the_next_run_goes_on_there() {
    for (index, name) in ["one", "two", "three"].into_iter().enumerate() {
        let bench = Bench::new();
        bench.fake.containers.fail_once("create-network", name, "the engine is tired");
        let report = bench.run(&three());
        assert_eq!(report.exit, 4);
        assert_eq!(report.verdict, Verdict::Failed { step: StepId::new(name) });
        for (at, outcome) in outcomes(&report).into_iter().enumerate() {
            match at.cmp(&index) {
                std::cmp::Ordering::Less => assert_eq!(*outcome, Outcome::Changed),
                std::cmp::Ordering::Equal => {
                    let Outcome::Failed { causes, .. } = outcome else { panic!("{outcome:?}") };
                    assert_eq!(causes[0], format!("step `{name}` failed"));
                    assert_eq!(
                        *causes.last().unwrap(),
                        format!("Docker: cannot create-network {name}: the engine is tired")
                    );
                }
                std::cmp::Ordering::Greater => {
                    let reason = format!("the step `{name}` failed");
                    assert_eq!(*outcome, Outcome::Skipped { reason });
                }
            }
        }
        let journal = bench.journal();
        assert!(!journal.complete);
        assert_eq!(journal.done.len(), index);
        // A new look at the machine may give another plan of the same seed: the begun one goes on.
        let mut other = three();
        other.steps.pop();
        let resumed = engine::prepare(&bench.fake.host(), other, false).unwrap();
        assert_eq!(resumed, three());
        bench.fake.containers.forget();
        let report = bench.run(&resumed);
        assert_eq!(report.exit, 0);
        assert_eq!(bench.fake.containers.done().len(), 3 - index);
        assert!(bench.journal().complete);
    }
}

#[test]
fn another_wish_half_way_is_refused_until_its_owner_says_so() {
    let bench = Bench::new();
    bench.fake.containers.fail_once("create-network", "two", "no");
    bench.run(&three());
    let other = plan_of(vec![network("four")], "another seed");
    let host = bench.fake.host();
    let refused = engine::prepare(&host, other.clone(), false).unwrap_err();
    assert_eq!(refused.exit(), 3);
    assert_eq!(
        refused.causes(),
        [
            "this machine cannot run the plan".to_owned(),
            format!(
                "plan {} of 2026-11-22T20:33:00Z is not finished (it stopped at `two`), and the \
                 new plan {} comes from another seed",
                three().digest().short(),
                other.digest().short()
            )
        ]
    );
    assert_eq!(
        refused.hint(),
        "run `homelab apply --replace-plan` to drop the unfinished plan and carry out the new one"
    );
    assert_eq!(engine::prepare(&host, other.clone(), true).unwrap(), other);
}

/// A busy box may not say in time whether its clock is set from the network.
#[test]
fn a_clock_that_nobody_can_be_asked_about_stops_nothing() {
    let bench = Bench::new();
    let why = "Failed to parse bus message: Connection timed out";
    bench.fake.runner.fail(["timedatectl"], 1, why);
    let report = bench.run(&plan_of(vec![step("clock", Action::Clock), network("one")], "seed"));
    assert_eq!(report.exit, 0);
    let Outcome::Warned { message } = &report.steps[0].outcome else { panic!("{report:?}") };
    assert_eq!(
        *message,
        format!(
            "nobody says whether the clock is right; ask `timedatectl` when the box is quiet: \
             `timedatectl show` exited with 1 after 0.0 s; last output:\n{why}"
        )
    );
    assert_eq!(report.steps[1].outcome, Outcome::Changed);
}

#[test]
fn verify_only_looks() {
    let bench = Bench::new();
    let report = engine::verify(&three(), &bench.context(), &mut Silence);
    assert_eq!(report.exit, 4);
    assert!(bench.fake.containers.done().is_empty());
    assert!(!bench.folder.path().join("var").exists(), "it wrote something");
}

/// A run of one probe whose page fails at these questions; the guard asks the first.
fn run_with_page_that_fails_at(bad: std::ops::Range<usize>) -> Report {
    let bench = Bench::new();
    let url = "https://wiki.home.arpa/".to_owned();
    bench.fake.web.answer(&url, 200, None, "a page");
    let asked = AtomicUsize::new(0);
    bench.fake.web.serve(move |_| {
        let (status, location, body) = (502, None, String::new());
        let (cookies, strict_transport) = (Vec::new(), false);
        let answer = Answer { status, location, body, cookies, strict_transport };
        bad.contains(&(asked.fetch_add(1, Ordering::Relaxed) + 1)).then_some(answer)
    });
    let expect = AccessExpectation::Answers;
    let probe = AccessProbe { service: "wiki".into(), url, expect };
    bench.run(&plan_of(vec![step("access", Action::Access { probes: vec![probe] })], "seed"))
}

#[test]
fn a_page_that_comes_late_at_the_closing_look_is_asked_again() {
    let report = run_with_page_that_fails_at(2..10);
    assert_eq!((report.exit, outcomes(&report)), (0, vec![&Outcome::AlreadySo]));
}

#[test]
fn a_page_that_does_not_come_again_fails_the_closing_look() {
    let report = run_with_page_that_fails_at(2..usize::MAX);
    assert_eq!(report.exit, 4);
    let Outcome::Failed { causes, .. } = outcomes(&report)[0] else { panic!("{report:?}") };
    assert_eq!(
        causes[1],
        "it held, but after the later steps https://wiki.home.arpa/: expected an answer of wiki, \
         got 502"
    );
}

#[test]
fn what_is_missing_is_found_before_anything_is_changed() {
    let bench = Bench::new();
    bench.fake.runner.missing(["docker"]);
    let files = model::plan::FileSet { files: Vec::new(), owned_prefix: String::new() };
    let plan = plan_of(vec![network("one"), step("docker", Action::Docker(files))], "seed");
    let report = bench.run(&plan);
    assert_eq!(report.exit, 3);
    assert!(bench.fake.containers.done().is_empty());
    let reason = "the step `docker` failed".to_owned();
    assert_eq!(*outcomes(&report)[0], Outcome::Skipped { reason });
}

#[test]
fn events_tell_the_phases_in_order_and_no_secret() {
    let bench = Bench::new();
    let name = SecretRef::new("token");
    let file = FileWish {
        path: "/opt/stacks/x".to_owned(),
        mode: 0o600,
        owner: (own_user(), own_group()),
        text: format!("token={}\n", name.placeholder()),
    };
    let render = Render {
        folders: vec![model::plan::FolderWish {
            path: "/opt".into(),
            mode: 0o755,
            owner: (own_user(), own_group()),
        }],
        files: vec![FileWish { path: "/opt/x".into(), ..file }],
        initial: Vec::new(),
    };
    let plan = plan_of(vec![step("render", Action::Render(render)), network("hunter2")], "seed");
    bench.fake.containers.fail("create-network", "", "the password is hunter2-secret");
    let mut context = bench.context();
    context.secrets.insert(name, Secret::new("hunter2-secret"));
    let heard: Arc<Mutex<Vec<Event>>> = Arc::default();
    let ears = Arc::clone(&heard);
    let mut sink = Listener(move |event: &Event| ears.lock().unwrap().push(event.clone()));
    let report = engine::run(&plan, &context, &mut sink);
    let heard = heard.lock().unwrap();
    let text = serde_json::to_string(&*heard).unwrap() + &serde_json::to_string(&report).unwrap();
    assert!(!text.contains("hunter2-secret"), "{text}");
    let written = std::fs::read_to_string(bench.folder.path().join("opt/x")).unwrap();
    assert_eq!(written, "token=hunter2-secret\n");
    let begun: Vec<(&str, Phase)> = heard
        .iter()
        .filter_map(|event| match event {
            Event::Begun { step, phase } => Some((step.0.as_str(), *phase)),
            _ => None,
        })
        .collect();
    assert_eq!(
        begun,
        [
            ("render", Phase::Check),
            ("hunter2", Phase::Check),
            ("render", Phase::Guard),
            ("render", Phase::Apply),
            ("hunter2", Phase::Guard),
            ("hunter2", Phase::Apply),
        ]
    );
    assert!(matches!(heard.last(), Some(Event::Finished { verdict: Verdict::Failed { .. } })));
}

#[test]
fn what_is_waited_for_is_told_with_how_long_already_and_how_long_at_most() {
    let bench = Bench::new();
    let files = FileSet { files: Vec::new(), owned_prefix: String::new() };
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = Arc::clone(&heard);
    let mut sink = Listener(move |event: &Event| {
        if let Event::Progress { note, .. } = event {
            ears.lock().unwrap().push(note.clone());
        }
    });
    let plan = plan_of(vec![step("network", Action::Network(files))], "seed");
    engine::run(&plan, &bench.context(), &mut sink);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 7, "{heard:?}");
    assert_eq!(heard[0], "waiting for an address");
    assert_eq!(heard[1], "waiting for an address: 5 s of at most 30 s");
    assert_eq!(heard[6], "waiting for an address: 30 s of at most 30 s");
}

fn own_user() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid()
}

fn own_group() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().gid()
}

#[test]
fn an_image_counts_once_it_is_flushed() {
    let bench = Bench::new();
    let runner = &bench.fake.runner;
    runner.answer(["df"], "Avail\n99000000000\n");
    runner.answer(["sync", "--file-system", "/var/lib/docker"], "");
    runner.fail_once(["sync", "--file-system", "/var/lib/docker"], 1, "sync: the power is going\n");
    let pull = ImagePull {
        reference: "traefik:v3.7.11".into(),
        repository: "docker.io/library/traefik".into(),
        tag: "v3.7.11".into(),
        digest: Some(Digest::of("traefik")),
    };
    let images = Images { source: ImageSource::Registry, pulls: vec![pull], artefacts: Vec::new() };
    let plan = plan_of(vec![step("images", Action::Images(images))], "seed");
    assert_eq!(bench.run(&plan).exit, 4);
    assert_eq!(bench.fake.containers.done(), ["pull traefik:v3.7.11"]);
    // The engine has it, but its files may be empty.
    bench.fake.containers.forget();
    assert_eq!(bench.run(&plan).exit, 0);
    assert_eq!(
        bench.fake.containers.done(),
        ["remove-image traefik:v3.7.11", "pull traefik:v3.7.11"]
    );
    bench.fake.containers.forget();
    assert_eq!(bench.run(&plan).verdict, Verdict::NoChange);
    assert!(bench.fake.containers.done().is_empty());
}

/// One stack with one service, as a plan.
fn plan_of_one_service(bench: &Bench) -> Plan {
    let service = ServiceWish {
        name: "traefik".into(),
        deadline: 60,
        lazy: false,
        configuration: Digest::of(""),
        end_of_life: None,
        after: Vec::new(),
        network_of: None,
        setup: Vec::new(),
    };
    let stack = StackWish {
        name: "core".into(),
        folder: "/opt/stacks/core".into(),
        services: vec![service],
        digest: Digest::of("core"),
        needs: Vec::new(),
    };
    bench.fake.runner.answer(["docker", "compose"], "");
    bench.fake.runner.answer(["docker", "inspect"], "");
    plan_of(vec![step("stacks/core", Action::Stack(stack))], "seed")
}

#[test]
fn a_health_check_that_was_late_changes_nothing() {
    let bench = Bench::new();
    let plan = plan_of_one_service(&bench);
    let containers = &bench.fake.containers;
    containers.set_project("core", vec![FakeContainers::with_health("traefik", Health::Healthy)]);
    assert_eq!(bench.run(&plan).verdict, Verdict::Installed);
    // Unhealthy when it is looked at, and well again with the next check.
    containers.set_project("core", vec![FakeContainers::with_health("traefik", Health::Unhealthy)]);
    let fake = bench.fake.clone();
    containers.while_waiting(move || {
        let healthy = FakeContainers::with_health("traefik", Health::Healthy);
        fake.containers.set_project("core", vec![healthy]);
    });
    assert_eq!(bench.run(&plan).verdict, Verdict::NoChange);
}

#[test]
fn a_service_that_stays_ill_is_acted_upon() {
    let bench = Bench::new();
    let plan = plan_of_one_service(&bench);
    let ill = FakeContainers::with_health("traefik", Health::Unhealthy);
    bench.fake.containers.set_project("core", vec![ill]);
    let report = bench.run(&plan);
    assert_eq!(report.exit, 4);
    let commands = bench.fake.runner.commands();
    assert!(commands.iter().any(|command| command.contains(" create ")), "{commands:?}");
}

/// The same with a second service, which comes after the first.
fn plan_of_two_services(bench: &Bench) -> Plan {
    let mut plan = plan_of_one_service(bench);
    let Action::Stack(stack) = &mut plan.steps[0].action else { unreachable!() };
    let second = ServiceWish {
        name: "authelia".into(),
        after: vec!["traefik".into()],
        ..stack.services[0].clone()
    };
    stack.services.insert(0, second);
    plan
}

/// As Compose makes it.
fn made(name: &str) -> Container {
    let health = Some(Health::Starting);
    Container { running: false, exit: Some(0), started: 0, health, ..FakeContainers::running(name) }
}

fn causes(report: &Report) -> Vec<String> {
    match &report.steps[0].outcome {
        Outcome::Failed { causes, .. } => causes.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_is_started_once_those_before_it_are_well() {
    let bench = Bench::new();
    let plan = plan_of_two_services(&bench);
    bench.fake.containers.set_project("core", vec![made("authelia"), made("traefik")]);
    let (fake, mut seen) = (bench.fake.clone(), Vec::new());
    bench.fake.containers.while_waiting(move || {
        seen.push(fake.containers.done());
        // What runs becomes well, three looks later.
        if seen.len() % 3 == 0 {
            fake.containers.set_health("core", Health::Healthy);
        }
        let first = vec!["start traefik".to_owned()];
        assert!(seen.len() > 3 || seen.iter().all(|done| *done == first), "{seen:?}");
    });
    let report = bench.run(&plan);
    assert_eq!(report.exit, 0, "{report:?}");
    assert_eq!(bench.fake.containers.done(), ["start traefik", "start authelia"]);
}

#[test]
fn nothing_is_started_after_one_that_does_not_become_well() {
    let bench = Bench::new();
    let plan = plan_of_two_services(&bench);
    bench.fake.containers.set_project("core", vec![made("authelia"), made("traefik")]);
    bench.fake.containers.set_log("id-of-traefik", "no certificate\n");
    let report = bench.run(&plan);
    assert_eq!(
        causes(&report)[1],
        "traefik is not healthy yet: it is not healthy after 60 s; its last log lines:\n\
         no certificate"
    );
    assert_eq!(bench.fake.containers.done(), ["start traefik"]);
}

#[test]
fn a_service_that_recovers_in_its_time_is_waited_for() {
    let bench = Bench::new();
    let plan = plan_of_two_services(&bench);
    bench.fake.containers.set_project("core", vec![made("authelia"), made("traefik")]);
    let (fake, mut looks) = (bench.fake.clone(), 0);
    bench.fake.containers.while_waiting(move || {
        looks += 1;
        let health = if looks < 4 { Health::Unhealthy } else { Health::Healthy };
        fake.containers.set_health("core", health);
    });
    let report = bench.run(&plan);
    assert_eq!(report.exit, 0, "{report:?}");
}

#[test]
fn what_ends_at_once_is_told_and_what_cannot_be_started_too() {
    let bench = Bench::new();
    let plan = plan_of_one_service(&bench);
    let ended = Container { exit: Some(1), started: 1, ..made("traefik") };
    bench.fake.containers.set_project("core", vec![ended.clone()]);
    let fake = bench.fake.clone();
    bench.fake.containers.while_waiting(move || {
        fake.containers.set_project("core", vec![ended.clone()]);
    });
    assert_eq!(
        causes(&bench.run(&plan))[1],
        "traefik exited with 1: it does not run; it logged nothing"
    );

    let bench = Bench::new();
    let plan = plan_of_one_service(&bench);
    bench.fake.containers.set_project("core", vec![made("traefik")]);
    bench.fake.containers.fail("start", "", "port is already allocated");
    let report = bench.run(&plan);
    assert_eq!(
        causes(&report)[1..],
        ["traefik cannot be started", "Docker: cannot start traefik: port is already allocated"]
    );
}

/// Five services that know nothing of each other, and were just made.
fn five_services(bench: &Bench) -> Plan {
    let mut plan = plan_of_one_service(bench);
    let Action::Stack(stack) = &mut plan.steps[0].action else { unreachable!() };
    let names = ["a", "b", "c", "d", "e"];
    let service = |name: &str| ServiceWish { name: name.into(), ..stack.services[0].clone() };
    stack.services = names.map(service).into();
    bench.fake.containers.set_project("core", names.map(made).into());
    plan
}

#[test]
fn what_fails_keeps_no_other_from_its_start() {
    for message in ["it ends at once", "no such device"] {
        let bench = Bench::new();
        let plan = five_services(&bench);
        let cannot = message == "no such device";
        if cannot {
            bench.fake.containers.fail("start", "a", message);
        }
        let fake = bench.fake.clone();
        bench.fake.containers.while_waiting(move || {
            let mut containers = fake.containers.project("core").unwrap();
            if containers[0].running {
                containers[0] = Container { exit: Some(1), started: 1, ..made("a") };
            }
            fake.containers.set_project("core", containers);
            fake.containers.set_health("core", Health::Healthy);
        });
        let report = bench.run(&plan);
        assert_eq!(report.exit, 4);
        let said =
            if cannot { "a cannot be started" } else { "a exited with 1: it does not run; " };
        assert!(causes(&report)[1].starts_with(said), "{report:?}");
        let containers = bench.fake.containers.project("core").unwrap();
        let running: Vec<&str> =
            containers.iter().filter(|c| c.running).map(|c| &*c.name).collect();
        assert_eq!(running, ["b", "c", "d", "e"]);
    }
}

#[test]
fn one_that_ran_before_has_until_its_next_check_to_become_well() {
    for (well_after, exit) in [(350, 0), (400, 4)] {
        let bench = Bench::new();
        let plan = plan_of_two_services(&bench);
        let ill = FakeContainers::with_health("traefik", Health::Unhealthy);
        bench.fake.containers.set_project("core", vec![made("authelia"), ill]);
        let fake = bench.fake.clone();
        let begun = fake.host().clock.epoch();
        bench.fake.containers.while_waiting(move || {
            if fake.host().clock.epoch() - begun >= well_after {
                fake.containers.set_health("core", Health::Healthy);
            }
        });
        let report = bench.run(&plan);
        assert_eq!(report.exit, exit, "well after {well_after} s: {report:?}");
        if exit != 0 {
            assert_eq!(
                causes(&report)[1],
                "traefik is unhealthy: it is not healthy after 360 s; it logged nothing"
            );
        }
    }
}

#[test]
fn one_that_comes_and_goes_is_waited_for_no_longer_than_one_that_never_came() {
    let bench = Bench::new();
    let mut plan = plan_of_two_services(&bench);
    let Action::Stack(stack) = &mut plan.steps[0].action else { unreachable!() };
    stack.services[0].deadline = 300;
    bench.fake.containers.set_project("core", vec![made("authelia"), made("traefik")]);
    let (fake, looks) = (bench.fake.clone(), Arc::new(Mutex::new(0)));
    let counted = Arc::clone(&looks);
    bench.fake.containers.while_waiting(move || {
        let mut looks = counted.lock().unwrap();
        *looks += 1;
        let health = if *looks % 2 == 0 { Health::Unhealthy } else { Health::Healthy };
        let mut containers = fake.containers.project("core").unwrap();
        containers[1].health = Some(health);
        fake.containers.set_project("core", containers);
    });
    let report = bench.run(&plan);
    assert_eq!(
        causes(&report)[1],
        "authelia is not healthy yet: it is not healthy after 300 s; it logged nothing"
    );
    // 5 s each, and one in which the other is well.
    assert_eq!(*looks.lock().unwrap(), 61);
}

#[test]
fn one_that_did_not_stay_up_before_gets_a_second_chance_once() {
    let bench = Bench::new();
    let plan = plan_of_one_service(&bench);
    let looping = Container { exit: Some(1), started: 1, restarts: 9, ..made("traefik") };
    bench.fake.containers.set_project("core", vec![looping.clone()]);
    let fake = bench.fake.clone();
    bench.fake.containers.while_waiting(move || {
        // The engine, which counts on, has stopped it again.
        fake.containers.set_project("core", vec![looping.clone()]);
    });
    assert_eq!(
        causes(&bench.run(&plan))[1],
        "traefik exited with 1 after 9 restarts: it does not stay up; it logged nothing"
    );
    assert_eq!(bench.fake.containers.done(), ["start traefik"]);
}

#[test]
fn only_as_many_are_started_at_a_time_as_there_are_processors() {
    for (processors, first) in [(1, 2), (2, 2), (3, 3)] {
        let bench = Bench::new();
        let plan = five_services(&bench);
        let text = "processor\t: 0\n".repeat(processors);
        std::fs::create_dir_all(bench.folder.path().join("proc")).unwrap();
        std::fs::write(bench.folder.path().join("proc/cpuinfo"), text).unwrap();
        let (fake, started) = (bench.fake.clone(), Arc::new(Mutex::new(Vec::new())));
        let counts = Arc::clone(&started);
        bench.fake.containers.while_waiting(move || {
            counts.lock().unwrap().push(fake.containers.done().len());
            // One becomes well at each look.
            let mut containers = fake.containers.project("core").unwrap();
            let waits = |c: &&mut Container| c.running && c.health != Some(Health::Healthy);
            if let Some(container) = containers.iter_mut().find(waits) {
                container.health = Some(Health::Healthy);
            }
            fake.containers.set_project("core", containers);
        });
        let report = bench.run(&plan);
        assert_eq!(report.exit, 0, "{report:?}");
        let expected: Vec<usize> = (0..5).map(|look| (first + look).min(5)).collect();
        assert_eq!(*started.lock().unwrap(), expected, "{processors} processors");
    }
}

#[test]
fn what_was_well_has_its_time_anew_when_others_keep_it_from_answering() {
    let bench = Bench::new();
    let plan = five_services(&bench);
    let (fake, looks) = (bench.fake.clone(), Arc::new(Mutex::new(0)));
    let counted = Arc::clone(&looks);
    bench.fake.containers.while_waiting(move || {
        let mut looks = counted.lock().unwrap();
        *looks += 1;
        // 25 s for two of them, so the last is started after 50 of 60 s.
        if *looks % 5 == 0 {
            fake.containers.set_health("core", Health::Healthy);
        }
        if *looks == 13 {
            let mut containers = fake.containers.project("core").unwrap();
            containers[0].health = Some(Health::Unhealthy);
            fake.containers.set_project("core", containers);
        }
    });
    let report = bench.run(&plan);
    assert_eq!(report.exit, 0, "{report:?}");
    assert_eq!(*looks.lock().unwrap(), 15);
}

#[test]
fn a_service_that_sleeps_is_not_started() {
    let bench = Bench::new();
    let mut plan = plan_of_one_service(&bench);
    let Action::Stack(stack) = &mut plan.steps[0].action else { unreachable!() };
    let asleep = ServiceWish { name: "books".into(), lazy: true, ..stack.services[0].clone() };
    stack.services.insert(0, asleep);
    let ended = Container { running: false, exit: Some(143), ..FakeContainers::running("books") };
    let well = FakeContainers::with_health("traefik", Health::Healthy);
    bench.fake.containers.set_project("core", vec![ended, well]);
    let report = bench.run(&plan);
    assert_eq!(report.exit, 0, "{report:?}");
    // That one may have read an older configuration.
    assert_eq!(bench.fake.containers.done(), ["restart traefik"]);
}

/// A service to be claimed in the container, and no other.
fn plan_of_a_claim(before_healthy: bool) -> Plan {
    let setup = Setup {
        purpose: "its account".into(),
        check: vec!["claimed".into()],
        run: vec!["claim".into()],
        user: None,
        before_healthy,
    };
    let service = ServiceWish {
        name: "jellyfin".into(),
        deadline: 60,
        lazy: false,
        configuration: Digest::of(""),
        end_of_life: None,
        after: Vec::new(),
        network_of: None,
        setup: vec![setup],
    };
    let stack = StackWish {
        name: "media".into(),
        folder: "/opt/stacks/media".into(),
        services: vec![service],
        digest: Digest::of("media"),
        needs: Vec::new(),
    };
    plan_of(vec![step("stacks/media", Action::Stack(stack))], "seed")
}

fn count(bench: &Bench, end: &str) -> usize {
    bench.fake.runner.commands().iter().filter(|command| command.ends_with(end)).count()
}

#[test]
fn what_the_health_of_a_service_waits_for_is_done_before_it() {
    let bench = Bench::new();
    let plan = plan_of_a_claim(true);
    let (runner, containers) = (&bench.fake.runner, Arc::clone(&bench.fake.containers));
    containers
        .set_project("media", vec![FakeContainers::with_health("jellyfin", Health::Starting)]);
    runner.fail(["docker", "exec", "jellyfin", "claimed"], 1, "");
    // It does not answer at once; then the account makes it healthy.
    let fake = bench.fake.clone();
    runner.act(["docker", "exec", "jellyfin", "claim"], "", move |_| {
        let healthy = FakeContainers::with_health("jellyfin", Health::Healthy);
        fake.containers.set_project("media", vec![healthy]);
    });
    runner.fail_once(["docker", "exec", "jellyfin", "claim"], 7, "no answer yet\n");
    bench.run(&plan);
    assert!(count(&bench, "jellyfin claim") >= 2, "{:?}", bench.fake.runner.commands());
    let containers = bench.fake.host().containers.project("media").unwrap();
    assert_eq!(containers[0].health, Some(Health::Healthy));
}

#[test]
fn what_was_done_in_a_container_is_asked_once_for_each_of_its_starts() {
    for (restarts, asked) in [(false, 1), (true, 2)] {
        let bench = Bench::new();
        let plan = plan_of_a_claim(false);
        bench.fake.containers.set_project("media", vec![FakeContainers::running("jellyfin")]);
        assert_eq!(bench.run(&plan).exit, 0);
        assert_eq!(count(&bench, "jellyfin claimed"), 1, "carrying out and two looks");
        bench.fake.runner.forget();
        if restarts {
            let fake = bench.fake.clone();
            bench.fake.runner.act(["docker", "compose"], "", move |_| {
                let again =
                    Container { started: 1_800_000_000, ..FakeContainers::running("jellyfin") };
                fake.containers.set_project("media", vec![again]);
            });
        }
        assert_eq!(bench.run(&plan).exit, 0);
        assert_eq!(count(&bench, "jellyfin claimed"), asked, "restarts: {restarts}");
    }
}

#[test]
fn a_container_that_lost_its_network_is_made_anew_and_no_other() {
    let bench = Bench::new();
    let mut plan = plan_of_one_service(&bench);
    let context = bench.context();
    let lost = Container { astray: true, ..FakeContainers::running("traefik") };
    bench.fake.containers.set_project("core", vec![lost]);
    // Of a service with a network of its own nothing is asked.
    assert!(!engine::rejoin(&plan, &context, &mut Silence).unwrap());
    let Action::Stack(stack) = &mut plan.steps[0].action else { panic!("no stack") };
    stack.services[0].network_of = Some("gluetun".to_owned());
    assert!(engine::is_astray(&plan, &context).unwrap());
    assert!(bench.fake.runner.commands().is_empty(), "a look makes nothing");
    assert!(engine::rejoin(&plan, &context, &mut Silence).unwrap());
    assert_eq!(
        bench.fake.runner.commands(),
        ["docker compose --project-name core --project-directory /opt/stacks/core --file \
          /opt/stacks/core/compose.yaml up --detach --pull never --no-deps --force-recreate traefik"]
    );
    bench.fake.runner.forget();
    bench.fake.containers.set_project("core", vec![FakeContainers::running("traefik")]);
    assert!(!engine::is_astray(&plan, &context).unwrap());
    assert!(!engine::rejoin(&plan, &context, &mut Silence).unwrap());
    assert!(bench.fake.runner.commands().is_empty());
}
