use super::*;

fn container() -> Container {
    Container {
        name: "traefik".into(),
        service: "traefik".into(),
        id: "c1".into(),
        image: "sha256:1".into(),
        running: true,
        exit: None,
        health: Some(Health::Healthy),
        started: 100,
        restarts: 0,
        astray: false,
    }
}

fn service(lazy: bool) -> ServiceWish {
    let configuration = model::Digest::of("");
    ServiceWish {
        name: "traefik".into(),
        deadline: 60,
        lazy,
        configuration,
        end_of_life: None,
        after: Vec::new(),
        network_of: None,
        setup: Vec::new(),
    }
}

#[test]
fn healthy_running_or_asleep_is_good() {
    let well = container();
    let plain = Container { health: None, ..container() };
    let starting = Container { health: Some(Health::Starting), ..container() };
    let stopped = Container { running: false, exit: Some(137), ..container() };
    let astray = Container { astray: true, ..container() };
    let looping = Container { running: false, exit: Some(1), restarts: 5, ..container() };
    for (container, awake, asleep) in [
        (&well, Standing::Good, Standing::Good),
        (&plain, Standing::Good, Standing::Good),
        (&starting, Standing::Coming, Standing::Coming),
        (&stopped, Standing::Coming, Standing::Good),
        (&looping, Standing::Looping, Standing::Good),
        (&astray, Standing::Astray, Standing::Astray),
    ] {
        assert_eq!(Standing::of(&service(false), container), awake, "{container:?}");
        assert_eq!(Standing::of(&service(true), container), asleep, "lazy {container:?}");
    }
}

#[test]
fn what_runs_and_is_not_well_keeps_only_those_after_it_waiting() {
    let of = |name: &str, after: &[&str]| ServiceWish {
        name: name.into(),
        after: after.iter().map(|name| (*name).to_owned()).collect(),
        ..service(false)
    };
    let stack = StackWish {
        name: "wiki".into(),
        folder: "/opt/stacks/wiki".into(),
        services: vec![of("database", &[]), of("wiki", &["database"])],
        digest: model::Digest::of(""),
        needs: Vec::new(),
    };
    let named = |name: &str, container: Container| Container { service: name.into(), ..container };
    let starting = Container { health: Some(Health::Starting), ..container() };
    let stopped = Container { running: false, ..container() };
    let can = |database: &Container, wiki: &Container| {
        let both = [named("database", database.clone()), named("wiki", wiki.clone())];
        start::can_go_on(&stack, &both)
    };
    assert!(can(&container(), &stopped), "it can be started");
    assert!(can(&stopped, &stopped), "the first can");
    assert!(!can(&starting, &stopped), "nothing can but wait");
    assert!(!can(&container(), &starting));
    assert!(can(&container(), &container()), "what else is wrong is no matter of waiting");
    assert!(start::can_go_on(&stack, &[]), "there are none");
}

#[test]
fn states_are_told_in_words() {
    let stopped = Container { running: false, exit: Some(1), restarts: 3, ..container() };
    let created = Container { running: false, exit: Some(0), started: 0, ..container() };
    let unhealthy = Container { health: Some(Health::Unhealthy), restarts: 1, ..container() };
    let astray = Container { astray: true, ..container() };
    assert_eq!(describe(&container()), "is running");
    assert_eq!(describe(&stopped), "exited with 1 after 3 restarts");
    assert_eq!(describe(&created), "was never started");
    assert_eq!(describe(&unhealthy), "is unhealthy after 1 restart");
    assert_eq!(describe(&astray), "lost the network of the container that it uses");
}
