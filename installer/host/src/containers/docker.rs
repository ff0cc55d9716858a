//! Docker by its API. `bollard` speaks it asynchronously; this face of it blocks, and may be
//! called from several threads at once (pulls are).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bollard::{
    API_DEFAULT_VERSION,
    errors::Error as EngineError,
    models::{
        ContainerInspectResponse, ContainerMemoryStats, ContainerState, HealthStatusEnum, Ipam,
        IpamConfig, NetworkCreateRequest,
    },
    query_parameters::{
        CreateImageOptionsBuilder, EventsOptionsBuilder, InspectContainerOptions,
        ListContainersOptionsBuilder, ListNetworksOptions, LogsOptionsBuilder,
        RemoveImageOptionsBuilder, RestartContainerOptionsBuilder, StartContainerOptions,
        StatsOptionsBuilder, TagImageOptionsBuilder,
    },
};
use futures_util::{StreamExt as _, future::BoxFuture};
use model::Digest;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::runtime::Runtime;

use super::{
    Container, Containers, Health, Image, Pull, PullNews,
    pull::{Layers, is_transient, tag_of},
};
use crate::{HostError, Result};

/// Where Docker listens on a Debian machine.
const ADDRESS: &str = "unix:///run/docker.sock";
/// Seconds until an answer begins. Restarting a container takes its stop time, a first answer to
/// a pull the registry's, and a start more than two minutes on slow processors that all want.
const TIMEOUT: u64 = 600;
/// A pull in which nothing moves for so long is given up and begun again; layers that are whole
/// are kept by the engine.
const STALL: Duration = Duration::from_secs(180);
/// Pauses before the second and later tries of a pull: half a minute, as a line or a registry that
/// restarts needs.
const PAUSES: [u64; 5] = [1, 2, 4, 8, 15];

/// The Docker engine behind one socket.
pub struct Docker {
    address: String,
    runtime: Runtime,
    /// Made on first use, and kept once the engine has told its API version.
    client: Mutex<Option<bollard::Docker>>,
    /// Nanoseconds of the newest event seen: the next wait begins there, so that what happens
    /// between two waits is not lost.
    seen: Mutex<Option<i64>>,
}

impl Docker {
    /// This machine's engine. It need not run yet: the first question connects.
    ///
    /// # Errors
    /// No event loop can be made.
    pub fn connect() -> Result<Self> {
        Self::at(ADDRESS)
    }

    /// The engine at `unix:///path` or `tcp://host:port`.
    ///
    /// # Errors
    /// No event loop can be made.
    pub fn at(address: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("docker")
            .enable_all()
            .build()
            .map_err(|error| refused("start an event loop", &error))?;
        Ok(Self {
            address: address.to_owned(),
            runtime,
            client: Mutex::new(None),
            seen: Mutex::new(None),
        })
    }

    /// The client, with the newest API version that both sides know: Debian 13's engine is older
    /// than what `bollard` speaks first.
    fn client(&self) -> Result<bollard::Docker, EngineError> {
        if let Some(client) = &*lock(&self.client) {
            return Ok(client.clone());
        }
        let client = if self.address.starts_with("unix://") {
            bollard::Docker::connect_with_unix(&self.address, TIMEOUT, API_DEFAULT_VERSION)?
        } else {
            bollard::Docker::connect_with_http(&self.address, TIMEOUT, API_DEFAULT_VERSION)?
        };
        let client = self.runtime.block_on(client.negotiate_version())?;
        Ok(lock(&self.client).insert(client).clone())
    }

    /// Asks one question. `action` completes "Docker: cannot".
    fn ask<T>(
        &self,
        action: impl FnOnce() -> String,
        question: impl for<'c> FnOnce(&'c bollard::Docker) -> BoxFuture<'c, Result<T, EngineError>>,
    ) -> Result<T> {
        let answer = self.client().and_then(|client| self.runtime.block_on(question(&client)));
        answer.map_err(|error| refused(action(), &error))
    }

    /// One try of a pull.
    fn pull_once(
        &self,
        client: &bollard::Docker,
        pull: &Pull,
        news: &mut dyn FnMut(PullNews),
    ) -> Result<(), EngineError> {
        // The engine takes a digest in place of a tag.
        let version = pull.digest.as_ref().map_or(pull.tag.as_str(), Digest::as_str);
        let options =
            CreateImageOptionsBuilder::new().from_image(&pull.repository).tag(version).build();
        let mut layers = Layers::default();
        self.runtime.block_on(async {
            let mut stream = client.create_image(Some(options), None, None);
            loop {
                match tokio::time::timeout(STALL, stream.next()).await {
                    Err(_) => return Err(EngineError::RequestTimeoutError),
                    Ok(None) => return Ok(()),
                    Ok(Some(line)) => {
                        let line = line?;
                        // An engine that says why in `errorDetail` alone must not pass for success.
                        if let Some(detail) = line.error_detail {
                            let error = detail.message.unwrap_or_default();
                            return Err(EngineError::DockerStreamError { error });
                        }
                        if layers.take(&line) {
                            let (done, total) = layers.sum();
                            news(PullNews::Bytes { done, total });
                        }
                    }
                }
            }
        })
    }
}

impl Containers for Docker {
    fn version(&self) -> Result<String> {
        let version = self.ask(|| "tell its version".into(), |c| Box::pin(c.version()))?;
        Ok(version.version.unwrap_or_default())
    }

    fn image(&self, reference: &str) -> Result<Option<Image>> {
        let name = reference.to_owned();
        let found = self.ask(
            || format!("look at the image {reference}"),
            |client| Box::pin(async move { optional(client.inspect_image(&name).await) }),
        )?;
        Ok(found.map(|image| Image {
            id: image.id.unwrap_or_default(),
            digests: image
                .repo_digests
                .unwrap_or_default()
                .iter()
                .filter_map(|name| name.split_once('@')?.1.parse().ok())
                .collect(),
            size: image.size.and_then(|size| size.try_into().ok()).unwrap_or(0),
        }))
    }

    fn remove_image(&self, reference: &str) -> Result<()> {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        let name = reference.to_owned();
        self.ask(
            || format!("remove the image {reference}"),
            |client| {
                Box::pin(async move {
                    optional(client.remove_image(&name, Some(options), None).await).map(drop)
                })
            },
        )
    }

    fn pull_with_news(&self, pull: &Pull, news: &mut dyn FnMut(PullNews)) -> Result<Image> {
        let mut pauses = PAUSES.iter();
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.client().and_then(|client| self.pull_once(&client, pull, news));
            let Err(error) = outcome else { break };
            let message = explained(&error);
            match pauses.next() {
                Some(pause) if is_transient(&message) => {
                    let pause = Duration::from_secs(*pause);
                    news(PullNews::Retry { cause: message, pause });
                    std::thread::sleep(pause);
                }
                _ if tries > 1 => {
                    let message = format!("{message} (tried {tries} times)");
                    return Err(HostError::Containers { action: pull.action(), message });
                }
                _ => return Err(HostError::Containers { action: pull.action(), message }),
            }
        }
        let pulled = match &pull.digest {
            Some(digest) => format!("{}@{digest}", pull.repository),
            None => format!("{}:{}", pull.repository, pull.tag),
        };
        let (repository, tag) = tag_of(&pull.reference);
        let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
        self.ask(
            || format!("tag what was pulled as {}", pull.reference),
            |client| Box::pin(async move { client.tag_image(&pulled, Some(options)).await }),
        )?;
        self.image(&pull.reference)?.ok_or_else(|| HostError::Containers {
            action: pull.action(),
            message: "it said that it has the image, but it has not".to_owned(),
        })
    }

    fn networks(&self) -> Result<Vec<String>> {
        let networks = self.ask(
            || "list networks".into(),
            |client| Box::pin(client.list_networks(None::<ListNetworksOptions>)),
        )?;
        Ok(networks.into_iter().filter_map(|network| network.name).collect())
    }

    fn create_network(&self, name: &str, internal: bool, subnet: Option<&str>) -> Result<()> {
        let ipam = subnet.map(|subnet| Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(subnet.to_owned()),
                ..IpamConfig::default()
            }]),
            ..Ipam::default()
        });
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            internal: Some(internal),
            ipam,
            ..NetworkCreateRequest::default()
        };
        self.ask(
            || format!("create the network {name}"),
            |client| Box::pin(client.create_network(request)),
        )?;
        Ok(())
    }

    fn project(&self, project: &str) -> Result<Vec<Container>> {
        let filters = HashMap::from([(
            "label",
            vec![
                format!("com.docker.compose.project={project}"),
                "com.docker.compose.oneoff=False".to_owned(),
            ],
        )]);
        let filters: HashMap<String, Vec<String>> =
            filters.into_iter().map(|(key, values)| (key.to_owned(), values)).collect();
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let mut found = self.ask(
            || format!("look at the containers of {project}"),
            |client| {
                Box::pin(async move {
                    let mut found = Vec::new();
                    for listed in client.list_containers(Some(options)).await? {
                        let id = listed.id.unwrap_or_default();
                        let look = client.inspect_container(&id, None::<InspectContainerOptions>);
                        // It may have gone since it was listed.
                        let Some(container) = optional(look.await)? else { continue };
                        let owner = match owner_of_network(&container) {
                            Some(owner) => {
                                let look = None::<InspectContainerOptions>;
                                optional(client.inspect_container(owner, look).await)?
                            }
                            None => None,
                        };
                        let astray = is_astray(&container, owner.as_ref());
                        found.push(Container { astray, ..self::container(container) });
                    }
                    Ok(found)
                })
            },
        )?;
        found.sort_by(|a: &Container, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn logs(&self, container: &str, lines: usize) -> Result<String> {
        let options =
            LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let name = container.to_owned();
        self.ask(
            || format!("read the log of {container}"),
            |client| {
                Box::pin(async move {
                    let mut stream = client.logs(&name, Some(options));
                    let mut log = Vec::new();
                    while let Some(line) = stream.next().await {
                        log.extend_from_slice(&line?.into_bytes());
                    }
                    Ok(String::from_utf8_lossy(&log).into_owned())
                })
            },
        )
    }

    fn memory(&self, container: &str) -> Result<Option<u64>> {
        let name = container.to_owned();
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let found = self.ask(
            || format!("tell what memory {container} has"),
            |client| {
                Box::pin(async move {
                    match client.stats(&name, Some(options)).next().await {
                        Some(stats) => optional(stats),
                        None => Ok(None),
                    }
                })
            },
        )?;
        Ok(found.and_then(|stats| in_use(&stats.memory_stats?)))
    }

    fn start(&self, container: &str) -> Result<()> {
        let name = container.to_owned();
        self.ask(
            || format!("start {container}"),
            |client| {
                Box::pin(async move {
                    client.start_container(&name, None::<StartContainerOptions>).await
                })
            },
        )
    }

    fn restart(&self, container: &str) -> Result<()> {
        let name = container.to_owned();
        let options = RestartContainerOptionsBuilder::new().build();
        self.ask(
            || format!("restart {container}"),
            |client| Box::pin(async move { client.restart_container(&name, Some(options)).await }),
        )
    }

    fn wait_for_event(&self, at_most: Duration) -> Result<()> {
        const SECOND: i64 = 1_000_000_000;
        let since = lock(&self.seen).unwrap_or_else(|| nanoseconds_now() - SECOND);
        let filters = HashMap::from([
            ("type", vec!["container"]),
            ("event", vec!["start", "die", "stop", "destroy", "oom", "health_status"]),
        ]);
        let options = EventsOptionsBuilder::new()
            .since(&format!("{}.{:09}", since / SECOND, since % SECOND))
            .filters(&filters)
            .build();
        let newest = self.ask(
            || "watch its containers".into(),
            |client| {
                Box::pin(async move {
                    let mut stream = client.events(Some(options));
                    let mut newest = None;
                    let mut patience = at_most;
                    while let Ok(Some(event)) = tokio::time::timeout(patience, stream.next()).await
                    {
                        newest = newest.max(event?.time_nano);
                        // Events come in bursts; one look at the containers serves them all.
                        patience = Duration::from_millis(50);
                    }
                    Ok(newest)
                })
            },
        )?;
        if let Some(newest) = newest {
            *lock(&self.seen) = Some(newest + 1);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanoseconds_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// "There is no such thing" is an answer.
fn optional<T>(answer: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn refused(action: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> HostError {
    let message = match error.downcast_ref() {
        Some(error) => explained(error),
        None => error.to_string(),
    };
    HostError::Containers { action: action.into(), message }
}

/// The engine's own words, without what `bollard` says around them.
fn explained(error: &EngineError) -> String {
    match error {
        EngineError::DockerResponseServerError { message, .. } => message.clone(),
        EngineError::DockerStreamError { error } => error.clone(),
        EngineError::SocketNotFoundError(path) => {
            format!("it is not running (there is no socket `{path}`)")
        }
        EngineError::RequestTimeoutError => "timeout: it did not answer in time".to_owned(),
        other => {
            let mut innermost: &dyn std::error::Error = other;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            innermost.to_string()
        }
    }
}

fn container(found: ContainerInspectResponse) -> Container {
    let state = found.state.unwrap_or_default();
    let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
    // While it waits for its next restart, the engine calls a container running.
    let running = state.running == Some(true) && state.restarting != Some(true);
    Container {
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        service: labels.get("com.docker.compose.service").cloned().unwrap_or_default(),
        id: found.id.unwrap_or_default(),
        image: found.image.unwrap_or_default(),
        running,
        exit: if running { None } else { state.exit_code },
        health: health(&state),
        started: started(&state),
        restarts: found.restart_count.and_then(|count| count.try_into().ok()).unwrap_or(0),
        astray: false,
    }
}

/// Id of the container whose network this one uses; the engine has written it there in place of
/// the name when it made this one.
fn owner_of_network(container: &ContainerInspectResponse) -> Option<&str> {
    container.host_config.as_ref()?.network_mode.as_ref()?.strip_prefix("container:")
}

/// Has it lost the network that it uses? The engine joins it once, at the start: it does not
/// follow the owner, and does not try again when the owner was not there yet.
fn is_astray(
    container: &ContainerInspectResponse,
    owner: Option<&ContainerInspectResponse>,
) -> bool {
    if owner_of_network(container).is_none() {
        return false;
    }
    let Some(owner) = owner.and_then(|owner| owner.state.as_ref()) else { return true };
    let Some(own) = &container.state else { return false };
    if owner.running != Some(true) {
        // It comes back, and is looked at then.
        return false;
    }
    if own.running == Some(true) {
        started(own) < started(owner)
    } else {
        own.error.as_ref().is_some_and(|error| !error.is_empty())
    }
}

/// As `docker stats` counts it: without the file cache that nobody has looked at for long.
fn in_use(memory: &ContainerMemoryStats) -> Option<u64> {
    let cached = memory.stats.as_ref().and_then(|stats| stats.get("inactive_file").copied());
    memory.usage.map(|usage| usage.saturating_sub(cached.unwrap_or(0)))
}

fn health(state: &ContainerState) -> Option<Health> {
    match state.health.as_ref()?.status? {
        HealthStatusEnum::STARTING => Some(Health::Starting),
        HealthStatusEnum::HEALTHY => Some(Health::Healthy),
        HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
        HealthStatusEnum::EMPTY | HealthStatusEnum::NONE => None,
    }
}

/// One that was never started says `0001-01-01T00:00:00Z`.
fn started(state: &ContainerState) -> i64 {
    let time = state.started_at.as_deref().unwrap_or_default();
    OffsetDateTime::parse(time, &Rfc3339).map_or(0, |time| time.unix_timestamp().max(0))
}

#[cfg(test)]
mod tests;
