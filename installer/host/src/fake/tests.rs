use super::*;
use crate::{
    Command, Containers as _, Runner as _,
    containers::{Health, Pull},
};

#[test]
fn the_last_matching_rule_wins_and_once_is_once() {
    let runner = ScriptedRunner::default();
    runner.answer(["systemctl"], "any");
    runner.answer(["systemctl", "is-active"], "active");
    runner.fail_once(["systemctl", "is-active", "docker"], 3, "inactive");
    let ask = |unit: &str| runner.run(&Command::new("systemctl").args(["is-active", unit]));
    assert_eq!(
        ask("docker").unwrap_err().to_string(),
        "`systemctl is-active docker` exited with 3 after 0.0 s; last output:\ninactive"
    );
    assert_eq!(ask("docker").unwrap().stdout, "active");
    assert_eq!(runner.run(&Command::new("systemctl").arg("start")).unwrap().stdout, "any");
    assert_eq!(runner.run(&Command::new("true")).unwrap(), crate::Output::default());
    assert_eq!(runner.commands()[0], "systemctl is-active docker");
    assert_eq!(runner.commands().len(), 4);
}

#[test]
fn stdin_is_kept_for_the_test_alone() {
    let runner = ScriptedRunner::default();
    runner.run(&Command::new("chpasswd").stdin(model::Secret::new("alex:x"))).unwrap();
    assert_eq!(runner.ran()[0].stdin.as_deref(), Some("alex:x"));
    assert_eq!(runner.commands(), ["chpasswd"]);
}

#[test]
fn containers_remember_and_fail_as_told() {
    let containers = FakeContainers::default();
    let pull = Pull {
        repository: "docker.io/library/traefik".into(),
        tag: "v3".into(),
        digest: None,
        reference: "traefik:v3".into(),
    };
    containers.fail_once("pull", "traefik:v3", "no space left on device");
    assert_eq!(
        containers.pull(&pull, &mut |_, _| {}).unwrap_err().to_string(),
        "Docker: cannot pull traefik:v3: no space left on device"
    );
    assert_eq!(containers.image("traefik:v3").unwrap(), None);
    let mut progress = Vec::new();
    let image = containers.pull(&pull, &mut |done, total| progress.push((done, total))).unwrap();
    assert_eq!(progress, [(0, 1000), (1000, 1000)]);
    assert_eq!(containers.image("traefik:v3").unwrap(), Some(image));
    containers.set_project("core", vec![FakeContainers::with_health("traefik", Health::Starting)]);
    assert_eq!(containers.project("core").unwrap()[0].health, Some(Health::Starting));
    assert_eq!(containers.done(), ["pull traefik:v3"]);
}

#[test]
fn the_clock_moves_when_somebody_sleeps() {
    let clock = FakeClock::default();
    assert_eq!(clock.now(), "2026-11-22T20:33:00Z");
    clock.sleep(Duration::from_millis(2500));
    assert_eq!(clock.now(), "2026-11-22T20:33:02Z");
}

#[test]
fn only_scripted_urls_answer() {
    let web = FakeWeb::default();
    let question = |url: &str| Question::local(url, None);
    web.answer("https://a/", 302, Some("https://b/"), "");
    assert_eq!(web.ask(&question("https://a/")).unwrap().location.as_deref(), Some("https://b/"));
    assert_eq!(
        web.ask(&question("https://b/")).unwrap_err().to_string(),
        "https://b/ does not answer: connection refused"
    );
    assert_eq!(web.asked().len(), 2);
}
