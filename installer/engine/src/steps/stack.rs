//! A Compose project is up and healthy.
//!
//! `docker compose` only makes the containers. Here they are started in their order and waited for,
//! by the engine's events and with a deadline for each service: Compose would give up at the first
//! health check that a busy machine answers too late, and ask twice a second for each container.
//! Services that sleep until asked for are made and left alone.

mod hold;
mod setup;
mod start;
pub(crate) mod unit;
mod wake;

use std::{collections::BTreeMap, time::Duration};

use host::{
    Command,
    containers::{Container, Health},
};
use model::plan::{ServiceWish, StackWish};

use crate::{
    failure::{Result, Trouble},
    scene::{Progress, Scene},
    state::{Applied, Kept as _},
    steps::{Doing, Holding},
};

/// Seconds that Compose may take to make or stop containers.
const COMPOSE: u64 = 600;

pub(crate) struct Doer<'a>(pub &'a StackWish);

impl Doing for Doer<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        if let Some(reason) = self.held(scene)? {
            self.look_held(reason, scene, &mut holding)?;
            return Ok(holding);
        }
        self.look_released(scene, &mut holding)?;
        let containers = start::settled(self.0, scene)?;
        for service in &self.0.services {
            match containers.iter().find(|container| container.service == service.name) {
                None => holding.lacks(format!("{} has no container", service.name)),
                Some(container) => {
                    let state = Standing::of(service, container);
                    holding.need(state == Standing::Good, || {
                        format!("{} {}", service.name, describe(container))
                    });
                }
            }
        }
        for orphan in self.orphans(&containers) {
            holding.lacks(format!("{orphan} of an earlier plan has a container"));
        }
        let applied = Applied::load(scene.host())?;
        let known = applied.stacks.get(&self.0.name);
        for service in &self.0.services {
            let started_with = known.and_then(|known| known.get(&service.name));
            holding.need(started_with == Some(&service.configuration), || {
                format!("{} was not started with this configuration", service.name)
            });
        }
        // The dearest looks come last, and only if all others are content.
        if holding.is_so() {
            self.compare_with_compose(&containers, scene, &mut holding)?;
        }
        if holding.is_so() {
            setup::look(self.0, &containers, scene, &mut holding)?;
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        if let Some(reason) = self.held(scene)? {
            return self.hold(&reason, scene, progress);
        }
        self.release(scene)?;
        self.rejoin(scene, progress)?;
        let before = self.ids(scene)?;
        progress.note("creating containers");
        self.make(["create", "--pull", "never", "--remove-orphans"], scene)?;
        self.settle_configuration(&before, scene, progress)?;
        start::all(self.0, scene, progress)?;
        setup::bring_about(self.0, scene, progress)?;
        self.set_up_asleep(scene, progress)
    }
}

impl Doer<'_> {
    fn compose(&self) -> Command {
        let folder = &self.0.folder;
        Command::new("docker").args(["compose", "--project-name", &self.0.name]).args([
            "--project-directory",
            folder,
            "--file",
            &format!("{folder}/compose.yaml"),
        ])
    }

    /// Has Compose make containers.
    fn make<'w>(&self, words: impl IntoIterator<Item = &'w str>, scene: &Scene<'_>) -> Result<()> {
        let command = self.compose().args(words).timeout(Duration::from_secs(COMPOSE));
        scene.run(command).map(drop).map_err(|failed| {
            let folder = &self.0.folder;
            failed.hinted(format!("`cd {folder} && docker compose up -d` shows the same at work"))
        })
    }

    /// Makes those containers anew that lost the network of the container that they use. Whether
    /// there were any.
    pub(crate) fn rejoin(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<bool> {
        let containers = scene.host().containers.project(&self.0.name)?;
        let astray: Vec<&str> =
            containers.iter().filter(|c| c.astray).map(|c| &*c.service).collect();
        if astray.is_empty() {
            return Ok(false);
        }
        progress.note(format!("giving {} its network again", astray.join(", ")));
        // A start would look for the old owner's id.
        let up = ["up", "--detach", "--pull", "never", "--no-deps", "--force-recreate"];
        self.make(up.into_iter().chain(astray), scene)?;
        Ok(true)
    }

    /// Is there more to do than to wait until what runs is well?
    pub(crate) fn can_go_on(&self, scene: &Scene<'_>) -> Result<bool> {
        Ok(start::can_go_on(self.0, &scene.host().containers.project(&self.0.name)?))
    }

    /// Service to container id.
    fn ids(&self, scene: &Scene<'_>) -> Result<BTreeMap<String, String>> {
        let containers = scene.host().containers.project(&self.0.name)?;
        Ok(containers.into_iter().map(|container| (container.service, container.id)).collect())
    }

    /// A container that was there before and reads its configuration only when it starts is
    /// started anew when that has changed. What is saved after each keeps a cut from doing it
    /// twice.
    fn settle_configuration(
        &self,
        before: &BTreeMap<String, String>,
        scene: &Scene<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        let mut applied = Applied::load(scene.host())?;
        let containers = scene.host().containers.project(&self.0.name)?;
        for service in &self.0.services {
            let known = applied.stacks.get(&self.0.name).and_then(|s| s.get(&service.name));
            if known == Some(&service.configuration) {
                continue;
            }
            let container = containers.iter().find(|c| c.service == service.name);
            let Some(container) = container else { continue };
            if container.running && before.get(&service.name) == Some(&container.id) {
                progress.note(format!("restarting {}", service.name));
                scene.host().containers.restart(&container.name)?;
            }
            applied
                .stacks
                .entry(self.0.name.clone())
                .or_default()
                .insert(service.name.clone(), service.configuration.clone());
            applied.save(scene.host())?;
        }
        Ok(())
    }

    fn orphans<'b>(&self, containers: &'b [Container]) -> Vec<&'b str> {
        let wanted = |name: &str| self.0.services.iter().any(|service| service.name == name);
        containers.iter().map(|c| &*c.service).filter(|name| !wanted(name)).collect()
    }

    /// Was each container made from the present Compose file and the present image?
    fn compare_with_compose(
        &self,
        containers: &[Container],
        scene: &Scene<'_>,
        holding: &mut Holding,
    ) -> Result<()> {
        if containers.is_empty() {
            return Ok(());
        }
        let planned = scene.run(self.compose().args(["config", "--hash", "*"]))?.stdout;
        let planned: BTreeMap<&str, &str> =
            planned.lines().filter_map(|line| line.split_once(' ')).collect();
        let format = "{{index .Config.Labels \"com.docker.compose.service\"}} \
                      {{index .Config.Labels \"com.docker.compose.config-hash\"}} \
                      {{.Config.Image}} {{.Image}}";
        let inspect = Command::new("docker").args(["inspect", "--format", format]);
        let made = scene.run(inspect.args(containers.iter().map(|c| &*c.id)))?.stdout;
        for line in made.lines() {
            let [service, hash, reference, image] = line.split_whitespace().collect::<Vec<_>>()[..]
            else {
                return Err(Trouble::new(format!("`docker inspect` printed `{line}`"), ""));
            };
            holding.need(planned.get(service) == Some(&hash), || {
                format!("{service} was made from another Compose file")
            });
            let now = scene.host().containers.image(reference)?;
            holding.need(now.is_none_or(|now| now.id == image), || {
                format!("{service} was made from an older {reference}")
            });
        }
        Ok(())
    }
}

/// How a container stands to what is wanted of its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Good,
    /// It may still become good.
    Coming,
    /// The engine starts it again and again.
    Looping,
    /// It has no network and finds none by itself.
    Astray,
}

/// So many restarts are no bad start any more.
const LOOP: u64 = 5;

impl Standing {
    fn of(service: &ServiceWish, container: &Container) -> Self {
        let sleeps = service.lazy && !container.running;
        let healthy = matches!(container.health, None | Some(Health::Healthy));
        if container.astray {
            Self::Astray
        } else if sleeps || container.running && healthy {
            Self::Good
        } else if container.restarts >= LOOP {
            Self::Looping
        } else {
            Self::Coming
        }
    }
}

/// `is starting`, `exited with 1 after 5 restarts`…
fn describe(container: &Container) -> String {
    let state = match (container.running, container.health, container.exit) {
        _ if container.astray => {
            return "lost the network of the container that it uses".to_owned();
        }
        (true, Some(Health::Unhealthy), _) => "is unhealthy".to_owned(),
        (true, Some(Health::Starting), _) => "is not healthy yet".to_owned(),
        (true, _, _) => "is running".to_owned(),
        (false, _, Some(status)) if container.started > 0 => format!("exited with {status}"),
        (false, _, _) => "was never started".to_owned(),
    };
    match container.restarts {
        0 => state,
        1 => format!("{state} after 1 restart"),
        more => format!("{state} after {more} restarts"),
    }
}

#[cfg(test)]
mod tests;
