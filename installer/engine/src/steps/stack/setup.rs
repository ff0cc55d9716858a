//! What is done inside containers: accounts, connections between services.
//!
//! Most of it waits until all services are well. What a service's own health waits for is done as
//! soon as the container runs ([`prepare`]).
//!
//! Each action looks first, so that a second run finds it done. A service that sleeps cannot be
//! looked into, so what was done in it is remembered; it is woken only if that is not what is
//! wanted now.

use std::time::Duration;

use host::{Command, containers::Container};
use model::{
    Digest,
    catalogue::wish::Setup,
    plan::{ServiceWish, StackWish},
};

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::{Progress, Scene},
    state::{Applied, Kept as _},
    steps::Holding,
};

/// Longest time for one action; some make a database first.
const PATIENCE: Duration = Duration::from_secs(600);

/// Says which actions are still to be done.
pub(super) fn look(
    stack: &StackWish,
    containers: &[Container],
    scene: &Scene<'_>,
    holding: &mut Holding,
) -> Result<()> {
    let applied = Applied::load(scene.host())?;
    for service in with_setup(stack) {
        if let Some(container) = awake(service, containers) {
            for setup in &service.setup {
                if !is_done(service, setup, container, scene)? {
                    holding.lacks(format!("{} has not got {}", service.name, setup.purpose));
                }
            }
        } else if service.lazy {
            holding.need(is_remembered(stack, service, &applied), || {
                format!("{} sleeps and was not set up yet", service.name)
            });
        }
    }
    Ok(())
}

/// Does what is not done yet in the services that are awake.
pub(super) fn bring_about(
    stack: &StackWish,
    scene: &Scene<'_>,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let containers = scene.host().containers.project(&stack.name)?;
    for service in with_setup(stack) {
        if let Some(container) = awake(service, &containers) {
            bring_about_in(stack, service, container, scene, progress)?;
        }
    }
    Ok(())
}

/// Does what is not done yet in one service.
fn bring_about_in(
    stack: &StackWish,
    service: &ServiceWish,
    container: &Container,
    scene: &Scene<'_>,
    progress: &mut Progress<'_>,
) -> Result<()> {
    for setup in &service.setup {
        if is_done(service, setup, container, scene)? {
            continue;
        }
        progress.note(format!("{}: {}", service.name, setup.purpose));
        scene.run(inside(service, setup, &setup.run)).because(
            format!("{} cannot be given {}", service.name, setup.purpose),
            format!("`docker logs {}` may tell more; `homelab apply` tries again", service.name),
        )?;
        // What is remembered of a service that sleeps is all that is known of it.
        if service.lazy && !is_done(service, setup, container, scene)? {
            return Err(Trouble::new(
                format!("{} was given {}, but has not got it", service.name, setup.purpose),
                format!("`docker logs {}` may tell more", service.name),
            ));
        }
    }
    remember(stack, service, scene)
}

/// Does what the health of a service that runs waits for. It may have begun this instant and not
/// answer yet, so a failure only says why it is not healthy; the caller asks again.
pub(super) fn prepare(
    service: &ServiceWish,
    scene: &Scene<'_>,
    progress: &mut Progress<'_>,
) -> Option<String> {
    for setup in service.setup.iter().filter(|setup| setup.before_healthy) {
        if scene.host().runner.run(&inside(service, setup, &setup.check)).is_ok() {
            continue;
        }
        progress.note(format!("{}: {}", service.name, setup.purpose));
        if let Err(error) = scene.host().runner.run(&inside(service, setup, &setup.run)) {
            return Some(format!("it cannot be given {}: {error}", setup.purpose));
        }
    }
    None
}

/// Services that sleep and are not known to be set up as they should be.
pub(super) fn asleep_without<'a>(
    stack: &'a StackWish,
    scene: &Scene<'_>,
) -> Result<Vec<&'a ServiceWish>> {
    let applied = Applied::load(scene.host())?;
    let containers = scene.host().containers.project(&stack.name)?;
    let missing = |service: &&ServiceWish| {
        service.lazy
            && awake(service, &containers).is_none()
            && !is_remembered(stack, service, &applied)
    };
    Ok(with_setup(stack).filter(missing).collect())
}

fn remember(stack: &StackWish, service: &ServiceWish, scene: &Scene<'_>) -> Result<()> {
    let mut applied = Applied::load(scene.host())?;
    if !service.lazy || is_remembered(stack, service, &applied) {
        return Ok(());
    }
    let of_stack = applied.setups.entry(stack.name.clone()).or_default();
    of_stack.insert(service.name.clone(), digest(service));
    applied.save(scene.host())
}

fn is_remembered(stack: &StackWish, service: &ServiceWish, applied: &Applied) -> bool {
    let known = applied.setups.get(&stack.name).and_then(|known| known.get(&service.name));
    known == Some(&digest(service))
}

/// Of everything that is done in a service: another one is done again.
fn digest(service: &ServiceWish) -> Digest {
    Digest::of(serde_json::to_vec(&service.setup).unwrap_or_default())
}

fn with_setup(stack: &StackWish) -> impl Iterator<Item = &ServiceWish> {
    stack.services.iter().filter(|service| !service.setup.is_empty())
}

/// The container of a service, if it runs.
fn awake<'a>(service: &ServiceWish, containers: &'a [Container]) -> Option<&'a Container> {
    containers.iter().find(|container| container.service == service.name && container.running)
}

/// Asked until it is so, for each start of the container: what was done in it stays, and a program
/// inside takes seconds.
fn is_done(
    service: &ServiceWish,
    setup: &Setup,
    container: &Container,
    scene: &Scene<'_>,
) -> Result<bool> {
    let start = format!("{} {} {}", container.id, container.started, container.restarts);
    let command = inside(service, setup, &setup.check);
    scene.once(start, serde_json::to_vec(setup).unwrap_or_default(), || {
        match scene.host().runner.run(&command) {
            Ok(_) => Ok(true),
            // From 126 on the shell and the engine speak, not the program.
            Err(error) if error.status.is_some_and(|status| status < 126) => Ok(false),
            Err(error) => Err(host::HostError::from(error).into()),
        }
    })
}

fn inside(service: &ServiceWish, setup: &Setup, words: &[String]) -> Command {
    let command = Command::new("docker").arg("exec").timeout(PATIENCE);
    let command = match &setup.user {
        Some(user) => command.args(["--user", user]),
        None => command,
    };
    command.arg(&service.name).args(words)
}
