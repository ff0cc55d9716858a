//! What the Docker engine tells about containers, as far as Traefik asks: every service of the
//! rendered stacks, with its labels, as if it ran.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use super::{
    http::{Body, Reply},
    network,
    variant::{Variant, Written},
};

/// What Debian 13's engine speaks.
const VERSION: &str = "1.45";
/// What it tells when a health check has passed.
const HEALTHY: &str = "health_status: healthy";
/// How long an answer may be held back.
const PATIENCE: Duration = Duration::from_secs(120);

/// How far the containers have come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The engine tells nothing yet.
    Silent,
    /// All run, and no health check has passed.
    Starting,
    /// All are well.
    Well,
}

/// The engine, which answers as far as its containers have come up.
pub struct Engine {
    containers: Vec<Container>,
    stage: Mutex<Stage>,
    moved: Condvar,
}

/// A container.
pub struct Container {
    /// Its name; also its identifier.
    pub name: String,
    /// Where it is.
    pub address: Ipv4Addr,
    /// The container whose network it shares.
    pub shares: Option<String>,
    /// It sleeps: the engine does not name it among those that run.
    pub asleep: bool,
    labels: BTreeMap<String, String>,
    /// Ports that it publishes.
    ports: Vec<String>,
}

/// All containers of a box, each with an address of its own.
///
/// # Errors
/// A Compose file was not rendered.
pub fn containers(variant: &Variant, written: &Written) -> Result<Vec<Container>> {
    let mut containers: Vec<Container> = Vec::new();
    for stack in variant.stacks() {
        let compose = written.compose(&stack.name)?;
        for service in &stack.services {
            let wish = &compose["services"][service.name.as_str()];
            let shares =
                wish["network_mode"].as_str().and_then(|mode| mode.strip_prefix("container:"));
            let number = u8::try_from(containers.len() + 1).context("too many services")?;
            containers.push(Container {
                name: service.name.clone(),
                address: network::container(number),
                shares: shares.map(str::to_owned),
                asleep: service.lazy,
                labels: labels(&wish["labels"]),
                ports: ports(&wish["ports"]),
            });
        }
    }
    for index in 0..containers.len() {
        let shared = containers[index].shares.clone();
        if let Some(host) = shared.and_then(|name| containers.iter().find(|c| c.name == name)) {
            containers[index].address = host.address;
        }
    }
    Ok(containers)
}

/// `80/tcp` and so on, of `HOST:80` or `HOST:80/tcp`.
fn ports(value: &Yaml) -> Vec<String> {
    let words = value.as_sequence().into_iter().flatten().filter_map(Yaml::as_str);
    words
        .filter_map(|word| word.rsplit(':').next())
        .map(|port| if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") })
        .collect()
}

fn labels(value: &Yaml) -> BTreeMap<String, String> {
    let pairs = value.as_mapping().into_iter().flatten();
    pairs
        .filter_map(|(name, text)| {
            Some((name.as_str()?.to_owned(), text.as_str()?.replace("$$", "$")))
        })
        .collect()
}

impl Container {
    /// The port that its router leads to, by its own labels.
    pub fn port(&self) -> Option<u16> {
        let label = format!("traefik.http.services.{}.loadbalancer.server.port", self.name);
        self.labels.get(&label)?.parse().ok()
    }

    fn told(&self, stage: Stage) -> Value {
        let health = if stage == Stage::Well { "healthy" } else { "starting" };
        let networks = match &self.shares {
            Some(_) => json!({}),
            None => json!({"traefik-network": {"IPAddress": self.address, "NetworkID": "n1"}}),
        };
        let mode = match &self.shares {
            Some(host) => format!("container:{host}"),
            None => "traefik-network".to_owned(),
        };
        let ports: BTreeMap<&String, Value> =
            self.ports.iter().map(|port| (port, Value::Null)).collect();
        json!({
            "Id": self.name, "Names": [format!("/{}", self.name)], "Name": format!("/{}", self.name),
            "State": {"Status": "running", "Running": true, "Health": {"Status": health}},
            "Config": {"Labels": self.labels}, "HostConfig": {"NetworkMode": mode},
            "NetworkSettings": {"Ports": ports, "Networks": networks},
        })
    }

    /// In the list its state is a word and its labels stand at the top.
    fn listed(&self, stage: Stage) -> Value {
        let mut told = self.told(stage);
        told["State"] = json!("running");
        told["Labels"] = json!(self.labels);
        told
    }
}

impl Engine {
    /// One that tells nothing yet.
    pub fn new(containers: Vec<Container>) -> Self {
        Self { containers, stage: Mutex::new(Stage::Silent), moved: Condvar::new() }
    }

    /// From now on it is so far.
    pub fn reaches(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.moved.notify_all();
    }

    /// How far it is, once it is as far as `least` or that takes too long.
    fn stage(&self, least: Stage) -> Stage {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.moved.wait_timeout_while(stage, PATIENCE, |stage| *stage < least);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The answer to a question.
    pub fn answer(&self, path: &str) -> Reply {
        let path = path.split('?').next().unwrap_or_default();
        let path = match path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')) {
            Some((_, rest)) => format!("/{rest}"),
            None => path.to_owned(),
        };
        let mut all = self.containers.iter();
        let told = match path.as_str() {
            "/_ping" => return Reply::body("OK").header("Api-Version", VERSION),
            "/events" => {
                self.stage(Stage::Well);
                let actor = json!({"ID": "traefik", "Attributes": {"name": "traefik"}});
                let event = json!({"Type": "container", "Action": HEALTHY, "Actor": actor});
                return Reply { body: Body::Open(event.to_string()), ..Reply::body("") };
            }
            "/version" => {
                json!({"ApiVersion": VERSION, "MinAPIVersion": "1.24", "Version": "26.1.5"})
            }
            "/containers/json" => {
                let stage = self.stage(Stage::Starting);
                all.filter(|one| !one.asleep).map(|one| one.listed(stage)).collect()
            }
            _ => {
                let name = path.strip_prefix("/containers/").and_then(|p| p.strip_suffix("/json"));
                match all.find(|one| Some(one.name.as_str()) == name) {
                    Some(found) => found.told(self.stage(Stage::Starting)),
                    None => {
                        let message = json!({"message": format!("the checkers know no {path}")});
                        return Reply { status: 404, ..Reply::body(message.to_string()) };
                    }
                }
            }
        };
        Reply::body(told.to_string()).header("Content-Type", "application/json")
    }
}
