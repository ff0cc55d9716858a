//! `stack start`: what the unit of a stack that needs volumes runs when they are there, and the unit that
//! tries again what could not be brought up at the start of the box. `stack stop`: what happens when it
//! goes off.

use std::{collections::BTreeSet, time::Duration};

use engine::Context;
use host::Host;
use model::render::stack_mark;

use crate::{
    command_line::{VERSION, say},
    day_two::{Notes, journal, need_root},
    failure::Failure,
    lock,
};

/// Between two tries to get the lock.
const LOOK: Duration = Duration::from_secs(1);
/// Before the second try of what could not be brought up; twice as long before each further one.
const PAUSE: Duration = Duration::from_secs(60);
/// But never longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Brings a stack up if its volumes are there; 4 if they are not, so that systemd tries again.
///
/// # Errors
/// The journal cannot be read, there is no such stack, or nothing of it runs in the end.
pub fn start(host: &Host, name: &str) -> Result<u8, Failure> {
    need_root("stack start")?;
    let Some(_lock) = lock_or_leave(host, name)? else { return Ok(0) };
    let Some(journal) = journal(host)? else { return Ok(0) };
    let context = Context::new(host.clone(), VERSION);
    match engine::start_stack(&journal.plan, &context, name, &mut Notes) {
        Ok(None) => Ok(0),
        Ok(Some(reason)) => {
            say(&format!("{name} is held: {reason}\n"));
            Ok(4)
        }
        Err(failure) => {
            let containers = host.containers.project(name)?;
            if !containers.iter().any(|container| container.running) {
                return Err(failure.into());
            }
            // Part of it runs and writes, so its volumes are watched; `status` tells of the rest.
            say(&Failure::from(failure).text());
            Ok(0)
        }
    }
}

/// Stops all stacks, before the engine is stopped itself.
///
/// # Errors
/// The journal cannot be read, the engine does not answer, or something did not stop.
pub fn stop_all(host: &Host) -> Result<u8, Failure> {
    need_root("stack stop")?;
    // No lock: whoever has it is stopped at the same time.
    if let Some(journal) = journal(host)? {
        engine::stop_stacks(&journal.plan, &Context::new(host.clone(), VERSION))?;
    }
    Ok(0)
}

/// Brings up what could not be brought up at the start of the box, until it is: the way to the VPN may
/// come back an hour after the power. Stacks that were up once are left to their owner.
///
/// # Errors
/// The journal cannot be read, or the container engine does not answer.
pub fn start_again(host: &Host) -> Result<u8, Failure> {
    need_root("stack start")?;
    let mut pause = PAUSE;
    let mut left = down(host)?;
    loop {
        left = try_again(host, left)?;
        if left.is_empty() {
            return Ok(0);
        }
        host.clock.sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        // They may have come up by themselves meanwhile, or are in the plan no more.
        left = &left & &down(host)?;
    }
}

/// The stacks of an installed box that are not up.
fn down(host: &Host) -> Result<BTreeSet<String>, Failure> {
    match journal(host)?.filter(|journal| journal.complete) {
        Some(journal) => Ok(engine::down(&journal.plan, &Context::new(host.clone(), VERSION))?),
        None => Ok(BTreeSet::new()),
    }
}

/// One try; the stacks that are still not up.
fn try_again(host: &Host, mut stacks: BTreeSet<String>) -> Result<BTreeSet<String>, Failure> {
    let Some(journal) = journal(host)? else { return Ok(BTreeSet::new()) };
    let context = Context::new(host.clone(), VERSION);
    for name in stacks.clone() {
        // Only who acts takes the lock: an owner's `apply` must not be turned away by a wait.
        if !engine::can_go_on(&journal.plan, &context, &name)? {
            continue;
        }
        // Whoever is at work on the box brings it up too.
        let Ok(_lock) = lock::take(host, "stack start") else { continue };
        match engine::start_stack(&journal.plan, &context, &name, &mut Notes) {
            Ok(_) => drop(stacks.remove(&name)),
            Err(failure) => say(&Failure::from(failure).text()),
        }
    }
    Ok(stacks)
}

/// The lock; none: whoever has it is at this very stack, has found its volumes and does the rest.
fn lock_or_leave(host: &Host, name: &str) -> Result<Option<lock::Lock>, Failure> {
    let mark = host.path(stack_mark(name));
    loop {
        match lock::take(host, "stack start") {
            Ok(lock) => return Ok(Some(lock)),
            Err(lock::Busy::Held { .. }) if mark.exists() => return Ok(None),
            Err(lock::Busy::Held { .. }) => host.clock.sleep(LOOK),
            Err(broken) => return Err(Failure::machine(broken.to_string(), "")),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::Journal;
    use host::{containers::Container, fake::FakeContainers};
    use model::{
        Digest,
        plan::{Action, FORMAT, Plan, ServiceWish, StackWish, Step, StepId},
    };

    use super::*;
    use crate::testing::host_in;

    /// An installed box of one stack.
    fn plan() -> Plan {
        let service = ServiceWish {
            name: "wiki".into(),
            deadline: 60,
            lazy: false,
            configuration: Digest::of(""),
            end_of_life: None,
            after: Vec::new(),
            network_of: None,
            setup: Vec::new(),
        };
        let stack = StackWish {
            name: "wiki".into(),
            folder: "/opt/stacks/wiki".into(),
            services: vec![service],
            digest: Digest::of("wiki"),
            needs: Vec::new(),
        };
        let action = Action::Stack(stack);
        let step = Step { id: StepId::new("stacks/wiki"), title: "Wiki".into(), action };
        let (seed, catalogue) = (Digest::of("seed"), Digest::of("catalogue"));
        Plan { format: FORMAT, seed, catalogue, steps: vec![step] }
    }

    #[test]
    fn what_is_not_up_is_tried_again_if_nobody_else_is_at_work() {
        let folder = tempfile::tempdir().unwrap();
        host_in(folder.path());
        let fake = host::fake::host(folder.path());
        let host = fake.host();
        let stopped = Container { running: false, ..FakeContainers::running("wiki") };
        fake.containers.set_project("wiki", vec![stopped]);
        assert!(matches!(down(&host), Ok(none) if none.is_empty()), "nothing is installed");
        let mut journal = Journal::new(&plan(), "2026-11-24T00:00:00Z".to_owned());
        journal.complete = true;
        journal.save(&host).unwrap();
        let left = down(&host).unwrap_or_default();
        assert_eq!(left, BTreeSet::from(["wiki".to_owned()]));
        let again = |left: &BTreeSet<String>| try_again(&host, left.clone()).unwrap_or_default();
        let held = lock::take(&host, "apply").unwrap();
        assert_eq!(again(&left), left);
        assert!(fake.containers.done().is_empty(), "somebody else is at work");
        drop(held);
        fake.containers.fail("start", "wiki", "no route");
        assert_eq!(again(&left), left);
        fake.containers.heal();
        again(&left);
        assert_eq!(fake.containers.done(), ["start wiki"]);
    }

    #[test]
    fn what_runs_is_stopped_before_the_engine_is() {
        let folder = tempfile::tempdir().unwrap();
        host_in(folder.path());
        let fake = host::fake::host(folder.path());
        let host = fake.host();
        assert_eq!(stop_all(&host).unwrap_or(9), 0, "nothing is installed");
        Journal::new(&plan(), "2026-11-24T00:00:00Z".to_owned()).save(&host).unwrap();
        let stopped = Container { running: false, ..FakeContainers::running("asleep") };
        fake.containers.set_project("wiki", vec![stopped.clone()]);
        assert_eq!(stop_all(&host).unwrap_or(9), 0);
        assert!(fake.runner.commands().is_empty(), "nothing runs");
        let running = ["wiki", "wiki-db"].map(FakeContainers::running);
        fake.containers.set_project("wiki", [&running[..], &[stopped]].concat());
        fake.runner.answer(["docker", "stop"], "");
        assert_eq!(stop_all(&host).unwrap_or(9), 0);
        assert_eq!(fake.runner.commands(), ["docker stop wiki wiki-db"]);
    }

    #[test]
    fn who_is_at_work_and_has_found_the_volume_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        std::fs::create_dir_all(host.path("/run/homelab/stacks")).unwrap();
        let held = lock::take(&host, "apply").unwrap();
        std::fs::write(host.path("/run/homelab/stacks/media"), "").unwrap();
        assert!(lock_or_leave(&host, "media").unwrap_or_default().is_none());
        drop(held);
        assert!(lock_or_leave(&host, "media").unwrap_or_default().is_some());
    }
}
