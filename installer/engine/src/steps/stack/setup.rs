//! What is done inside containers: accounts, connections between services.
//!
//! Most of it waits until all services are well. What a service's own health waits for is done as
//! soon as the container runs ([`prepare`]).
//!
//! Each action looks first, so that a second run finds it done. A service that sleeps is left in
//! peace: it was set up before it went to sleep, or is when it is awake.

use std::time::Duration;

use host::{Command, containers::Container};
use model::{
    catalogue::wish::Setup,
    plan::{ServiceWish, StackWish},
};

use crate::{
    failure::{Context as _, Result},
    scene::{Progress, Scene},
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
    for (service, setup) in all(stack) {
        if is_awake(service, containers) && !is_done(service, setup, scene)? {
            holding.lacks(format!("{} has not got {}", service.name, setup.purpose));
        }
    }
    Ok(())
}

/// Does what is not done yet.
pub(super) fn bring_about(
    stack: &StackWish,
    scene: &Scene<'_>,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let containers = scene.host().containers.project(&stack.name)?;
    for (service, setup) in all(stack) {
        if !is_awake(service, &containers) || is_done(service, setup, scene)? {
            continue;
        }
        progress.note(format!("{}: {}", service.name, setup.purpose));
        scene.run(inside(service, setup, &setup.run)).because(
            format!("{} cannot be given {}", service.name, setup.purpose),
            format!("`docker logs {}` may tell more; `homelab apply` tries again", service.name),
        )?;
    }
    Ok(())
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

fn all(stack: &StackWish) -> impl Iterator<Item = (&ServiceWish, &Setup)> {
    stack.services.iter().flat_map(|service| service.setup.iter().map(move |s| (service, s)))
}

fn is_awake(service: &ServiceWish, containers: &[Container]) -> bool {
    containers.iter().any(|container| container.service == service.name && container.running)
}

fn is_done(service: &ServiceWish, setup: &Setup, scene: &Scene<'_>) -> Result<bool> {
    let command = inside(service, setup, &setup.check);
    match scene.host().runner.run(&command) {
        Ok(_) => Ok(true),
        // From 126 on the shell and the engine speak, not the program.
        Err(error) if error.status.is_some_and(|status| status < 126) => Ok(false),
        Err(error) => Err(host::HostError::from(error).into()),
    }
}

fn inside(service: &ServiceWish, setup: &Setup, words: &[String]) -> Command {
    let command = Command::new("docker").arg("exec").timeout(PATIENCE);
    let command = match &setup.user {
        Some(user) => command.args(["--user", user]),
        None => command,
    };
    command.arg(&service.name).args(words)
}
