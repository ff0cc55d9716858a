//! A container engine in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use model::Digest;

use super::{FakeClock, lock};
use crate::{
    Clock as _, HostError, Result,
    containers::{Container, Containers, Health, Image, Pull, PullNews},
};

/// Decides what an operation does: its name (`pull`, `image`, `create-network`, `project`, …) and
/// its subject; some text makes it fail with that text.
pub type Gate = Box<dyn FnMut(&str, &str) -> Option<String> + Send>;

/// Images, networks and projects in memory. Pulls succeed unless a failure is scripted; projects
/// have the containers that the test put there.
#[derive(Default)]
pub struct FakeContainers {
    state: Mutex<State>,
    gate: Mutex<Option<Gate>>,
    waiting: Mutex<Option<Box<dyn FnMut() + Send>>>,
    clock: Arc<FakeClock>,
}

#[derive(Default)]
struct State {
    images: BTreeMap<String, Image>,
    networks: BTreeSet<String>,
    projects: BTreeMap<String, Vec<Container>>,
    logs: BTreeMap<String, String>,
    memory: BTreeMap<String, u64>,
    failures: Vec<(String, String, String, Option<usize>)>,
    done: Vec<String>,
}

impl FakeContainers {
    /// An empty engine; whoever waits for its events lets this clock go on.
    pub fn at(clock: Arc<FakeClock>) -> Self {
        Self { clock, ..Self::default() }
    }

    /// `operation` on `subject` (`""`: on any) fails with this message from now on.
    pub fn fail(&self, operation: &str, subject: &str, message: &str) {
        self.add_failure(operation, subject, message, None);
    }

    /// The next `operation` on `subject` (`""`: on any) fails with this message.
    pub fn fail_once(&self, operation: &str, subject: &str, message: &str) {
        self.add_failure(operation, subject, message, Some(1));
    }

    /// All scripted failures are over.
    pub fn heal(&self) {
        lock(&self.state).failures.clear();
        *lock(&self.gate) = None;
    }

    /// Asks `gate` before every operation.
    pub fn gate(&self, gate: impl FnMut(&str, &str) -> Option<String> + Send + 'static) {
        *lock(&self.gate) = Some(Box::new(gate));
    }

    /// Runs at every [`Containers::wait_for_event`], to change the world meanwhile.
    pub fn while_waiting(&self, effect: impl FnMut() + Send + 'static) {
        *lock(&self.waiting) = Some(Box::new(effect));
    }

    /// An image is there, with this digest.
    pub fn add_image(&self, reference: &str, digest: Option<Digest>) {
        let image = Image {
            id: Digest::of(reference).to_string(),
            digests: digest.into_iter().collect(),
            size: 1000,
        };
        lock(&self.state).images.insert(reference.to_owned(), image);
    }

    /// An image is gone.
    pub fn remove_image(&self, reference: &str) {
        lock(&self.state).images.remove(reference);
    }

    /// The project has these containers now.
    pub fn set_project(&self, project: &str, containers: Vec<Container>) {
        lock(&self.state).projects.insert(project.to_owned(), containers);
    }

    /// What runs of the project has this health now.
    pub fn set_health(&self, project: &str, health: Health) {
        let mut state = lock(&self.state);
        let containers = state.projects.get_mut(project).into_iter().flatten();
        for container in containers.filter(|container| container.running) {
            container.health = Some(health);
        }
    }

    /// The container has this log.
    pub fn set_log(&self, container: &str, log: &str) {
        lock(&self.state).logs.insert(container.to_owned(), log.to_owned());
    }

    /// The container has so many bytes in use.
    pub fn set_memory(&self, container: &str, bytes: u64) {
        lock(&self.state).memory.insert(container.to_owned(), bytes);
    }

    /// What was changed so far: `pull traefik:v3.7.11`, `create-network x`, `start traefik`.
    pub fn done(&self) -> Vec<String> {
        lock(&self.state).done.clone()
    }

    /// Forgets what was changed.
    pub fn forget(&self) {
        lock(&self.state).done.clear();
    }

    /// A running container without a health check, for [`Self::set_project`].
    pub fn running(name: &str) -> Container {
        Container {
            name: name.to_owned(),
            service: name.to_owned(),
            id: format!("id-of-{name}"),
            image: format!("image-of-{name}"),
            running: true,
            exit: None,
            health: None,
            started: 1_795_379_580,
            restarts: 0,
            astray: false,
        }
    }

    /// A running container with this health.
    pub fn with_health(name: &str, health: Health) -> Container {
        Container { health: Some(health), ..Self::running(name) }
    }

    fn add_failure(&self, operation: &str, subject: &str, message: &str, times: Option<usize>) {
        lock(&self.state).failures.push((
            operation.to_owned(),
            subject.to_owned(),
            message.to_owned(),
            times,
        ));
    }

    fn pass(&self, operation: &str, subject: &str) -> Result<()> {
        let by_gate = lock(&self.gate).as_mut().and_then(|gate| gate(operation, subject));
        let message = by_gate.or_else(|| {
            let mut state = lock(&self.state);
            let failure = state.failures.iter_mut().find(|(of, on, _, left)| {
                of == operation && (on.is_empty() || on == subject) && *left != Some(0)
            })?;
            if let Some(left) = &mut failure.3 {
                *left -= 1;
            }
            Some(failure.2.clone())
        });
        match message {
            Some(message) => {
                let action = format!("{operation} {subject}").trim_end().to_owned();
                Err(HostError::Containers { action, message })
            }
            None => Ok(()),
        }
    }
}

impl Containers for FakeContainers {
    fn version(&self) -> Result<String> {
        self.pass("version", "")?;
        Ok("26.1.5".to_owned())
    }

    fn image(&self, reference: &str) -> Result<Option<Image>> {
        self.pass("image", reference)?;
        Ok(lock(&self.state).images.get(reference).cloned())
    }

    fn remove_image(&self, reference: &str) -> Result<()> {
        self.pass("remove-image", reference)?;
        let mut state = lock(&self.state);
        state.done.push(format!("remove-image {reference}"));
        state.images.remove(reference);
        Ok(())
    }

    fn pull_with_news(&self, pull: &Pull, news: &mut dyn FnMut(PullNews)) -> Result<Image> {
        news(PullNews::Bytes { done: 0, total: 1000 });
        self.pass("pull", &pull.reference)?;
        let digest = pull.digest.clone();
        let digest =
            digest.unwrap_or_else(|| Digest::of(format!("{}:{}", pull.repository, pull.tag)));
        let image = Image {
            id: Digest::of(digest.as_str()).to_string(),
            digests: vec![digest],
            size: 1000,
        };
        news(PullNews::Bytes { done: 1000, total: 1000 });
        let mut state = lock(&self.state);
        state.done.push(format!("pull {}", pull.reference));
        state.images.insert(pull.reference.clone(), image.clone());
        Ok(image)
    }

    fn networks(&self) -> Result<Vec<String>> {
        self.pass("networks", "")?;
        Ok(lock(&self.state).networks.iter().cloned().collect())
    }

    fn create_network(&self, name: &str, _internal: bool, _subnet: Option<&str>) -> Result<()> {
        self.pass("create-network", name)?;
        let mut state = lock(&self.state);
        state.done.push(format!("create-network {name}"));
        state.networks.insert(name.to_owned());
        Ok(())
    }

    fn project(&self, project: &str) -> Result<Vec<Container>> {
        self.pass("project", project)?;
        Ok(lock(&self.state).projects.get(project).cloned().unwrap_or_default())
    }

    fn logs(&self, container: &str, lines: usize) -> Result<String> {
        self.pass("logs", container)?;
        let state = lock(&self.state);
        let log = state.logs.get(container).map(String::as_str).unwrap_or_default();
        let all: Vec<&str> = log.lines().collect();
        Ok(all[all.len().saturating_sub(lines)..].join("\n"))
    }

    fn memory(&self, container: &str) -> Result<Option<u64>> {
        self.pass("memory", container)?;
        Ok(lock(&self.state).memory.get(container).copied())
    }

    fn start(&self, container: &str) -> Result<()> {
        self.pass("start", container)?;
        let mut state = lock(&self.state);
        state.done.push(format!("start {container}"));
        let found = state.projects.values_mut().flatten().find(|found| found.name == container);
        if let Some(found) = found {
            (found.running, found.exit) = (true, None);
        }
        Ok(())
    }

    fn restart(&self, container: &str) -> Result<()> {
        self.pass("restart", container)?;
        lock(&self.state).done.push(format!("restart {container}"));
        Ok(())
    }

    fn wait_for_event(&self, at_most: Duration) -> Result<()> {
        self.pass("wait", "")?;
        self.clock.sleep(at_most);
        // Taken out while it runs, so that it may script further waits.
        let effect = lock(&self.waiting).take();
        if let Some(mut effect) = effect {
            effect();
            lock(&self.waiting).get_or_insert(effect);
        }
        Ok(())
    }
}
