//! A service that sleeps is set up once, and then left in peace.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::sync::Arc;

use engine::{Context, Silence};
use host::{
    containers::{Container, Containers as _, Health},
    fake::{self, FakeContainers, FakeHost},
};
use model::{
    Digest,
    catalogue::wish::Setup,
    plan::{Action, FORMAT, Plan, ServiceWish, StackWish, Step, StepId},
    report::{Outcome, Report, Verdict},
};

const UP: &str = "docker compose --project-name reading --project-directory /opt/stacks/reading \
                  --file /opt/stacks/reading/compose.yaml";

const CHECK: [&str; 5] = ["docker", "exec", "books", "/setup", "check"];
const RUN: [&str; 5] = ["docker", "exec", "books", "/setup", "run"];

/// A stack whose one service sleeps, and a Docker that has made its container.
struct Bench {
    _folder: tempfile::TempDir,
    fake: FakeHost,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        let runner = &fake.runner;
        runner.answer(["ip"], "[]");
        set(&fake.containers, false);
        // The first look finds no account, and each one after `/setup run` finds one.
        runner.fail_once(CHECK, 1, "there is no account\n");
        let bench = Self { _folder: folder, fake };
        bench.compose("stop", false);
        // What runs becomes healthy.
        let containers = Arc::clone(&bench.fake.containers);
        bench
            .fake
            .containers
            .while_waiting(move || containers.set_health("reading", Health::Healthy));
        bench.fake.runner.answer([compose().as_slice(), &["config"]].concat(), "books h\n");
        bench.fake.runner.answer(["docker", "inspect"], "books h image i\n");
        bench
    }

    /// From now on this verb of Compose starts or stops the service.
    fn compose(&self, verb: &str, runs: bool) {
        let containers = Arc::clone(&self.fake.containers);
        let words = [compose().as_slice(), &[verb]].concat();
        self.fake.runner.act(words, "", move |_| set(&containers, runs));
    }

    fn run(&self, plan: &Plan) -> Report {
        self.fake.runner.forget();
        engine::run(plan, &Context::new(self.fake.host(), "0.1.0"), &mut Silence)
    }

    /// What was run and is no look.
    fn did(&self) -> Vec<String> {
        let looks = ["config --hash", "docker inspect", "/setup check", "ip "];
        let all = self.fake.runner.commands().into_iter();
        let all = all.filter(|command| !looks.iter().any(|look| command.contains(look)));
        all.map(|command| command.replace(UP, "compose")).collect()
    }

    fn runs(&self) -> bool {
        self.fake.containers.project("reading").unwrap()[0].running
    }
}

fn compose() -> Vec<&'static str> {
    UP.split_whitespace().collect()
}

fn set(containers: &FakeContainers, running: bool) {
    let container = match running {
        true => FakeContainers::with_health("books", Health::Healthy),
        false => Container {
            running: false,
            exit: Some(0),
            ..FakeContainers::with_health("books", Health::Unhealthy)
        },
    };
    containers.set_project("reading", vec![container]);
}

fn plan(purpose: &str) -> Plan {
    let words = |verb: &str| vec!["/setup".to_owned(), verb.to_owned()];
    let setup = Setup {
        purpose: purpose.to_owned(),
        check: words("check"),
        run: words("run"),
        user: None,
        before_healthy: false,
    };
    let service = ServiceWish {
        name: "books".into(),
        deadline: 60,
        lazy: true,
        configuration: Digest::of(""),
        end_of_life: None,
        after: Vec::new(),
        network_of: None,
        setup: vec![setup],
    };
    let stack = StackWish {
        name: "reading".into(),
        folder: "/opt/stacks/reading".into(),
        services: vec![service],
        digest: Digest::of("stack"),
        needs: Vec::new(),
    };
    let step = Step {
        id: StepId::new("stacks/reading"),
        title: "Stack reading".into(),
        action: Action::Stack(stack),
    };
    let (seed, catalogue) = (Digest::of("seed"), Digest::of("catalogue"));
    Plan { format: FORMAT, seed, catalogue, steps: vec![step] }
}

fn causes(report: &Report) -> Vec<String> {
    match &report.steps[0].outcome {
        Outcome::Failed { causes, .. } => causes.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_is_woken_set_up_and_put_to_sleep_and_the_second_run_leaves_it_asleep() {
    let bench = Bench::new();
    let report = bench.run(&plan("an account"));
    assert_eq!(report.verdict, Verdict::Installed, "{report:?}");
    assert_eq!(
        bench.did(),
        [
            "compose create --pull never --remove-orphans",
            "docker exec books /setup run",
            "compose stop books",
        ]
    );
    assert!(!bench.runs());
    assert_eq!(bench.run(&plan("an account")).verdict, Verdict::NoChange);
    assert!(bench.did().is_empty(), "{:?}", bench.did());
    assert!(!bench.fake.runner.commands().iter().any(|command| command.contains("exec")));
}

#[test]
fn what_it_comes_after_is_woken_before_it_and_sleeps_again_with_it() {
    let bench = Bench::new();
    let mut plan = plan("an account");
    let Action::Stack(stack) = &mut plan.steps[0].action else { unreachable!() };
    let shelf =
        ServiceWish { name: "shelf".into(), setup: Vec::new(), ..stack.services[0].clone() };
    stack.services[0].after = vec!["shelf".into()];
    stack.services.push(shelf);
    let asleep = ["books", "shelf"].map(|name| Container {
        running: false,
        exit: Some(0),
        ..FakeContainers::with_health(name, Health::Unhealthy)
    });
    bench.fake.containers.set_project("reading", asleep.to_vec());
    bench.run(&plan);
    assert_eq!(bench.fake.containers.done(), ["start shelf", "start books"]);
    assert_eq!(bench.did().last().unwrap(), "compose stop books shelf");
}

#[test]
fn another_setup_wakes_it_again() {
    let bench = Bench::new();
    bench.run(&plan("an account"));
    assert_eq!(bench.run(&plan("two accounts")).verdict, Verdict::Installed);
    assert_eq!(bench.did(), ["compose create --pull never --remove-orphans", "compose stop books"]);
}

#[test]
fn a_setup_that_fails_is_told_and_it_sleeps_again_and_the_next_run_tries_anew() {
    let bench = Bench::new();
    bench.fake.runner.fail_once(RUN, 1, "the database is locked\n");
    let report = bench.run(&plan("an account"));
    assert_eq!(report.exit, 4);
    let causes = causes(&report);
    assert_eq!(causes[1], "books cannot be given an account");
    assert!(causes.last().unwrap().contains("the database is locked"), "{causes:?}");
    assert_eq!(bench.did().last().unwrap(), "compose stop books");
    assert!(!bench.runs());
    let verified = engine::verify(
        &plan("an account"),
        &Context::new(bench.fake.host(), "0.1.0"),
        &mut Silence,
    );
    assert_eq!(verified.exit, 4, "what is not set up is not well");
    bench.fake.runner.fail_once(CHECK, 1, "there is no account\n");
    assert_eq!(bench.run(&plan("an account")).verdict, Verdict::Installed);
}

#[test]
fn a_setup_that_only_says_that_it_worked_is_not_believed() {
    let bench = Bench::new();
    bench.fake.runner.fail(CHECK, 1, "there is no account\n");
    let report = bench.run(&plan("an account"));
    assert_eq!(causes(&report)[1], "books was given an account, but has not got it");
    assert!(!bench.runs());
}

#[test]
fn one_that_does_not_become_healthy_is_told_with_its_log() {
    let bench = Bench::new();
    bench.fake.containers.set_log("id-of-books", "no database\n");
    bench.fake.containers.while_waiting(|| ());
    let report = bench.run(&plan("an account"));
    assert_eq!(
        causes(&report)[1],
        "books is unhealthy: it is not healthy after 60 s; its last log lines:\nno database"
    );
    assert!(!bench.runs());
}

#[test]
fn one_that_somebody_uses_is_set_up_and_stays_awake() {
    let bench = Bench::new();
    set(&bench.fake.containers, true);
    assert_eq!(bench.run(&plan("an account")).verdict, Verdict::Installed);
    assert_eq!(
        bench.did(),
        ["compose create --pull never --remove-orphans", "docker exec books /setup run"]
    );
    assert!(bench.runs());
    set(&bench.fake.containers, false);
    assert_eq!(bench.run(&plan("an account")).verdict, Verdict::NoChange);
}
