//! Starts the services of a stack in their order, and waits until they are well.

use std::{collections::BTreeMap, time::Duration};

use host::{containers::Container, probe};
use model::{
    plan::{ServiceWish, StackWish},
    report::Unit,
};

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::{Progress, Scene},
    steps::stack::{Standing, describe, setup},
};

/// Log lines in an error.
const LINES: usize = 15;
/// Longest wait for an event before we look anyway: one may have come between two looks.
const LOOK: u64 = 5;
/// Seconds that a container may be down, though nobody restarts it, before it counts as failed.
const DOWN: i64 = 10;
/// Seconds in which a service that runs may become well by itself: a busy machine answers a health
/// check too late and the next one in time, which comes after five minutes and may take one.
const PASSING: u64 = 360;

/// What was told last, so that it is not told twice.
#[derive(Default)]
struct Told(Option<String>);

impl Told {
    /// Tells how many services are well and which are waited for, if that has changed.
    fn tell(&mut self, stack: &StackWish, containers: &[Container], progress: &mut Progress<'_>) {
        let names = stack.services.iter().map(|service| &*service.name);
        let (good, waiting): (Vec<_>, Vec<_>) =
            names.partition(|name| is_good(name, stack, containers));
        let note = format!("waiting for {}", waiting.join(", "));
        if !waiting.is_empty() && self.0.as_ref() != Some(&note) {
            let done = good.len() as u64;
            progress.tell(done, stack.services.len() as u64, Unit::Items, note.clone());
            self.0 = Some(note);
        }
    }
}

/// The containers of a stack, looked at again while all run but some are not well. Only what does
/// not pass by itself is a reason to act.
pub(super) fn settled(stack: &StackWish, scene: &Scene<'_>) -> Result<Vec<Container>> {
    let host = scene.host();
    let begun = host.clock.epoch();
    loop {
        let containers = host.containers.project(&stack.name)?;
        let standing = |service: &ServiceWish| {
            let container = containers.iter().find(|c| c.service == service.name)?;
            let standing = Standing::of(service, container);
            (standing == Standing::Good || container.running).then_some(standing)
        };
        let all: Option<Vec<Standing>> = stack.services.iter().map(standing).collect();
        let passing = all.is_some_and(|all| all.contains(&Standing::Coming));
        if !passing || passed(begun, host.clock.epoch()) >= PASSING {
            return Ok(containers);
        }
        host.containers.wait_for_event(Duration::from_secs(LOOK))?;
    }
}

/// Starts each service once those that it comes after are well, and returns when all are healthy, or
/// run if they declare no health check. Only as many become well at a time as the box has processors,
/// and two on the smallest: all at once would keep each other from answering in time. What fails
/// keeps only those from their start that come after it; the first failure is told when the others
/// are well.
pub(super) fn all(stack: &StackWish, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
    let host = scene.host();
    let begun = host.clock.epoch();
    // A box that does not tell how many it has is treated as the smallest.
    let at_a_time = probe::processors(host).unwrap_or(1).max(2);
    let mut told = Told::default();
    let mut awaited: BTreeMap<&str, Awaited> = BTreeMap::new();
    let mut failed: Vec<(&str, Trouble)> = Vec::new();
    loop {
        let containers = host.containers.project(&stack.name)?;
        let (mut coming, mut ready) = (0, Vec::new());
        let mut patience = LOOK;
        for service in &stack.services {
            let name = &*service.name;
            let container = containers.iter().find(|c| c.service == name);
            let Some(container) = container else {
                return Err(Trouble::new(
                    format!("Compose made no container for {name}"),
                    format!("look at `{}/compose.yaml`", stack.folder),
                ));
            };
            if failed.iter().any(|(other, _)| *other == name) {
                continue;
            }
            if Standing::of(service, container) == Standing::Good {
                // If it is ill again later, others may keep it from answering: it has its time anew.
                if let Some(awaited) = awaited.get_mut(name) {
                    *awaited = Awaited::running(service, host.clock.epoch());
                }
            } else if container.running || awaited.contains_key(name) {
                let running = || Awaited::running(service, begun);
                let awaited = awaited.entry(name).or_insert_with(running);
                match awaited.look(service, container, scene, progress) {
                    Ok(left) => {
                        patience = patience.min(left);
                        coming += 1;
                    }
                    Err(trouble) => failed.push((name, trouble)),
                }
            } else if service.after.iter().all(|other| is_good(other, stack, &containers)) {
                ready.push((service, container));
            }
        }
        if coming == 0 && ready.is_empty() {
            return failed.into_iter().next().map_or(Ok(()), |(_, trouble)| Err(trouble));
        }
        for (service, container) in ready.into_iter().take(at_a_time.saturating_sub(coming)) {
            let name = &*service.name;
            let started = host.containers.start(&container.name).because(
                format!("{name} cannot be started"),
                format!("`cd {} && docker compose up -d` shows the same at work", stack.folder),
            );
            match started {
                Ok(()) => drop(awaited.insert(name, Awaited::started(service, host.clock.epoch()))),
                Err(trouble) => failed.push((name, trouble)),
            }
        }
        told.tell(stack, &containers, progress);
        host.containers.wait_for_event(Duration::from_secs(patience))?;
    }
}

/// A service that was started, by us or before, and has not become well so far.
struct Awaited {
    /// When we began to wait, or it was well last: a restart by the engine gives it no new time.
    since: i64,
    /// Seconds that it has from then on.
    patience: u64,
    down_since: Option<i64>,
    unprepared: Option<String>,
}

impl Awaited {
    /// A service that was just started, and is asked all the time whether it is well.
    fn started(service: &ServiceWish, since: i64) -> Self {
        Self { since, patience: service.deadline, down_since: None, unprepared: None }
    }

    /// One that ran before, and is asked every five minutes only.
    fn running(service: &ServiceWish, since: i64) -> Self {
        let patience = service.deadline.max(PASSING);
        Self { patience, ..Self::started(service, since) }
    }

    /// Seconds that it still has; how it failed, if it did.
    fn look(
        &mut self,
        service: &ServiceWish,
        container: &Container,
        scene: &Scene<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<u64> {
        let now = scene.host().clock.epoch();
        if Standing::of(service, container) == Standing::Looping {
            return Err(self::told(container, "it does not stay up", scene));
        }
        if container.running {
            self.down_since = None;
            self.unprepared = setup::prepare(service, scene, progress);
        } else {
            let since = *self.down_since.get_or_insert(now);
            if container.restarts == 0 && now - since >= DOWN {
                return Err(self::told(container, "it does not run", scene));
            }
        }
        let over = passed(self.since, now);
        if over < self.patience {
            return Ok(self.patience - over);
        }
        let mut text = format!("it is not healthy after {} s", self.patience);
        if let Some(why) = &self.unprepared {
            text += &format!(" and {why}");
        }
        Err(self::told(container, &text, scene))
    }
}

/// Seconds from then to now.
fn passed(then: i64, now: i64) -> u64 {
    u64::try_from(now - then).unwrap_or_default()
}

/// Is there more to do for a stack than to wait until what runs of it is well?
pub(super) fn can_go_on(stack: &StackWish, containers: &[Container]) -> bool {
    let mut coming = false;
    for service in &stack.services {
        let container = containers.iter().find(|container| container.service == service.name);
        let Some(container) = container else { return true };
        if Standing::of(service, container) == Standing::Good {
            continue;
        }
        let startable = || service.after.iter().all(|other| is_good(other, stack, containers));
        if !container.running && startable() {
            return true;
        }
        coming |= container.running;
    }
    !coming
}

/// Is the stack's service of this name well? One that the stack does not have keeps nobody waiting.
fn is_good(name: &str, stack: &StackWish, containers: &[Container]) -> bool {
    let service = stack.services.iter().find(|service| service.name == name);
    let container = containers.iter().find(|container| container.service == name);
    service
        .zip(container)
        .is_none_or(|(service, container)| Standing::of(service, container) == Standing::Good)
}

/// A container that failed, with the last lines of its log.
fn told(container: &Container, why: &str, scene: &Scene<'_>) -> Trouble {
    let logs = match scene.host().containers.logs(&container.id, LINES) {
        Ok(logs) if logs.trim().is_empty() => "it logged nothing".to_owned(),
        Ok(logs) => format!("its last log lines:\n{}", logs.trim_end()),
        Err(error) => format!("its log cannot be read ({error})"),
    };
    Trouble::new(
        format!("{} {}: {why}; {logs}", container.service, describe(container)),
        format!("`docker logs {}` shows all of it", container.name),
    )
}
