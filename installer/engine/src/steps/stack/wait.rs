//! Waits until the services of a stack are well.

use std::{collections::BTreeMap, time::Duration};

use host::containers::Container;
use model::{
    plan::{ServiceWish, StackWish},
    report::Unit,
};

use crate::{
    failure::{Result, Trouble},
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
/// check too late and the next one in time, which comes after two minutes and may take one.
const PASSING: i64 = 200;

/// What was told last, so that it is not told twice.
#[derive(Default)]
pub(super) struct Told(Option<String>);

impl Told {
    /// Tells how many services are well and which are waited for, if that has changed.
    pub(super) fn tell(
        &mut self,
        stack: &StackWish,
        containers: &[Container],
        progress: &mut Progress<'_>,
    ) {
        let is_good = |service: &&ServiceWish| {
            let container = containers.iter().find(|c| c.service == service.name);
            container.is_some_and(|found| Standing::of(service, found) == Standing::Good)
        };
        let (good, waiting): (Vec<_>, Vec<_>) = stack.services.iter().partition(is_good);
        let waiting: Vec<&str> = waiting.iter().map(|service| &*service.name).collect();
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
        if !passing || host.clock.epoch() - begun >= PASSING {
            return Ok(containers);
        }
        host.containers.wait_for_event(Duration::from_secs(LOOK))?;
    }
}

/// Waits for a container that runs but is unhealthy; whether it became well within the time that
/// its service has.
pub(super) fn recovered(
    stack: &StackWish,
    ill: &Container,
    scene: &Scene<'_>,
    progress: &mut Progress<'_>,
) -> Result<bool> {
    let host = scene.host();
    let service = stack.services.iter().find(|service| service.name == ill.service);
    let Some(service) = service else { return Ok(false) };
    let end = host.clock.epoch().saturating_add_unsigned(service.deadline);
    progress
        .note(format!("{} is unhealthy; it has {} s to recover", ill.service, service.deadline));
    loop {
        let containers = host.containers.project(&stack.name)?;
        let now = containers.iter().find(|container| container.id == ill.id);
        match now.map(|container| (Standing::of(service, container), container.running)) {
            Some((Standing::Good, _)) => return Ok(true),
            Some((Standing::Coming, true)) if host.clock.epoch() < end => {
                host.containers.wait_for_event(Duration::from_secs(LOOK))?;
            }
            _ => return Ok(false),
        }
    }
}

/// Returns when every service is healthy, or runs if it declares no health check.
pub(super) fn until_healthy(
    stack: &StackWish,
    scene: &Scene<'_>,
    told: &mut Told,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let host = scene.host();
    let begun = host.clock.epoch();
    let mut down_since: BTreeMap<String, i64> = BTreeMap::new();
    let mut unprepared: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let containers = host.containers.project(&stack.name)?;
        let now = host.clock.epoch();
        let mut all_good = true;
        let mut left = u64::MAX;
        for service in &stack.services {
            let container = containers.iter().find(|c| c.service == service.name);
            let Some(container) = container else {
                return Err(Trouble::new(
                    format!("Compose made no container for {}", service.name),
                    format!("look at `{}/compose.yaml`", stack.folder),
                ));
            };
            match Standing::of(service, container) {
                Standing::Good => {
                    down_since.remove(&service.name);
                    continue;
                }
                Standing::Looping => {
                    return Err(self::told(container, "it does not stay up", scene));
                }
                Standing::Coming | Standing::Astray => {}
            }
            if container.running {
                down_since.remove(&service.name);
                match setup::prepare(service, scene, progress) {
                    Some(why) => unprepared.insert(service.name.clone(), why),
                    None => unprepared.remove(&service.name),
                };
            } else {
                let since = *down_since.entry(service.name.clone()).or_insert(now);
                if container.restarts == 0 && now - since >= DOWN {
                    return Err(self::told(container, "it does not run", scene));
                }
            }
            // From its start, but never from before we asked for it: a restart by the engine
            // gives it no new time.
            let over = u64::try_from(now - begun).unwrap_or_default();
            if over >= service.deadline {
                let mut text = format!("it is not healthy after {} s", service.deadline);
                if let Some(why) = unprepared.get(&service.name) {
                    text += &format!(" and {why}");
                }
                return Err(self::told(container, &text, scene));
            }
            left = left.min(service.deadline - over);
            all_good = false;
        }
        if all_good {
            return Ok(());
        }
        told.tell(stack, &containers, progress);
        host.containers.wait_for_event(Duration::from_secs(left.clamp(1, LOOK)))?;
    }
}

/// A container that failed, with the last lines of its log.
pub(super) fn told(container: &Container, why: &str, scene: &Scene<'_>) -> Trouble {
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
