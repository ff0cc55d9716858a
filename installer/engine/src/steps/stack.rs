//! A Compose project is up and healthy.
//!
//! `docker compose` makes the containers; whether they are well is asked of the engine itself, by
//! events, with a deadline for each service. Services that sleep until asked for are created and
//! left alone.

mod hold;
mod setup;
pub(crate) mod unit;
mod wait;
mod wake;

use std::{
    collections::BTreeMap,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

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

/// Between two looks at the containers while Compose starts them.
const LOOK: Duration = Duration::from_secs(2);
/// Seconds that Compose may take besides the services' own deadlines.
const COMPOSE: u64 = 300;

pub(crate) struct Doer<'a>(pub &'a StackWish);

impl Doing for Doer<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        if let Some(reason) = self.held(scene)? {
            self.look_held(reason, scene, &mut holding)?;
            return Ok(holding);
        }
        self.look_released(scene, &mut holding)?;
        let containers = wait::settled(self.0, scene)?;
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
        let mut told = wait::Told::default();
        if self.0.services.iter().any(|service| service.lazy) {
            progress.note("creating containers");
            let create = ["create", "--pull", "never", "--remove-orphans"];
            self.up(scene, self.compose().args(create), &mut told, progress)?;
        }
        let awake: Vec<&str> =
            self.0.services.iter().filter(|s| !s.lazy).map(|s| &*s.name).collect();
        if !awake.is_empty() {
            progress.note("starting containers");
            let up = ["up", "--detach", "--pull", "never", "--remove-orphans"];
            let names: &[&str] = if awake.len() == self.0.services.len() { &[] } else { &awake };
            self.up(scene, self.compose().args(up).args(names), &mut told, progress)?;
        }
        self.settle_configuration(&before, scene, progress)?;
        wait::until_healthy(self.0, scene, &mut told, progress)?;
        setup::bring_about(self.0, scene, progress)?;
        self.set_up_asleep(&mut told, scene, progress)
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

    /// Runs Compose, and again when it gave up on a service that became well after all: it does so
    /// at the first failed health check, which a busy machine answers too late and the next one in
    /// time. Its failure is told with the service that is at fault, if there is one.
    fn up(
        &self,
        scene: &Scene<'_>,
        command: Command,
        told: &mut wait::Told,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        // Compose itself waits for services that others depend on.
        let seconds = COMPOSE + self.0.services.iter().map(|s| s.deadline).sum::<u64>();
        let command = command.timeout(Duration::from_secs(seconds));
        let end = scene.host().clock.epoch().saturating_add_unsigned(seconds);
        loop {
            let Err(failed) = self.compose_up(scene, &command, told, progress) else {
                return Ok(());
            };
            let Some(bad) = self.at_fault(scene) else {
                return Err(failed.hinted(format!(
                    "`cd {} && docker compose up -d` shows the same at work",
                    self.0.folder
                )));
            };
            let recovered = bad.running
                && scene.host().clock.epoch() < end
                && wait::recovered(self.0, &bad, scene, progress)?;
            if !recovered {
                return Err(wait::told(&bad, &failed.to_string(), scene));
            }
        }
    }

    /// Runs Compose once, and tells meanwhile how many services are well.
    fn compose_up(
        &self,
        scene: &Scene<'_>,
        command: &Command,
        told: &mut wait::Told,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            scope.spawn(move || drop(sender.send(scene.run(command.clone()))));
            loop {
                match receiver.recv_timeout(LOOK) {
                    Ok(outcome) => return outcome.map(drop),
                    // Only news for whoever waits: what cannot be seen now is looked at later.
                    Err(RecvTimeoutError::Timeout) => {
                        if let Ok(containers) = scene.host().containers.project(&self.0.name) {
                            told.tell(self.0, &containers, progress);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Trouble::new("Compose ended without a word", ""));
                    }
                }
            }
        })
    }

    /// The container that kept Compose from its end: rather one that has ended than one that is
    /// only late, and never one that sleeps.
    fn at_fault(&self, scene: &Scene<'_>) -> Option<Container> {
        let mut containers = scene.host().containers.project(&self.0.name).ok()?;
        containers.retain(|container| {
            let service = self.0.services.iter().find(|s| s.name == container.service);
            service.is_none_or(|service| Standing::of(service, container) != Standing::Good)
        });
        let ended = |c: &&Container| !c.running && c.exit.is_some_and(|status| status != 0);
        let ill = |c: &&Container| c.health == Some(Health::Unhealthy);
        containers.iter().find(ended).or_else(|| containers.iter().find(ill)).cloned()
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
        let told = &mut wait::Told::default();
        self.up(scene, self.compose().args(up).args(astray), told, progress)?;
        Ok(true)
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
                scene.host().containers.restart(&container.id)?;
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
