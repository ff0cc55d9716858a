//! The Compose file of a stack, as Compose and Dockge want it.

use serde_yaml_ng::{Mapping, Value};

use super::{
    CONFIGURATION_LABEL, Deployment, PROXY_NETWORK, SHARED_NETWORKS, files::Made, labels,
    stack_mark, variables,
};
use crate::{
    catalogue::{Service, Stack, wish::Condition},
    paths,
    seed::Certificate,
};

/// Where a service goes that shares no VPN's network.
const DETACHED_NETWORK: &str = "media-network";

/// Where a container sees the mark of its stack's volumes.
const STACK_MARK: &str = "/.homelab-stack";

/// The rendered text.
pub(super) fn compose(
    deployment: &Deployment<'_>,
    stack: &Stack,
    services: &[&Service],
    made: &Made,
) -> String {
    let mut root = Mapping::new();
    root.insert("name".into(), stack.name.clone().into());
    let mut rendered: Mapping = services
        .iter()
        .map(|service| {
            let value = render_service(deployment, services, service, made);
            (Value::from(service.name.clone()), Value::Mapping(value))
        })
        .collect();
    rendered.values_mut().filter_map(Value::as_mapping_mut).for_each(|service| {
        bind(service, stack_mark(&stack.name), STACK_MARK.to_owned());
    });
    let networks = networks(stack, &rendered);
    root.insert("services".into(), Value::Mapping(rendered));
    for (key, value) in &stack.compose {
        if !matches!(key.as_str(), Some("name" | "networks" | "secrets")) {
            root.insert(key.clone(), value.clone());
        }
    }
    if !networks.is_empty() {
        root.insert("networks".into(), Value::Mapping(networks));
    }
    let mut secrets = Mapping::new();
    for secret in &made.secrets {
        let file = Value::from(format!("./secrets/{}", secret.name));
        secrets.insert(secret.name.clone().into(), map([("file", file)]));
    }
    if !secrets.is_empty() {
        root.insert("secrets".into(), Value::Mapping(secrets));
    }
    let mut root = Value::Mapping(root);
    variables::fill(&mut root, &variables::values(deployment));
    // A mapping of strings, lists and numbers can always be written.
    let body = serde_yaml_ng::to_string(&root).unwrap_or_default();
    format!("{}{body}", header(stack))
}

fn header(stack: &Stack) -> String {
    let source = match stack.own {
        true => format!("{}/{}", crate::paths::OWN_STACKS, stack.name),
        false => format!("{}/{}", crate::paths::CATALOGUE, stack.name),
    };
    format!(
        "# Made by homelab from {source} and {}.\n\
         # Change the seed (or that file, if it is your own) and run `homelab apply`. What you edit\n\
         # here is kept and reported, never overwritten in silence.\n",
        crate::paths::SEED
    )
}

fn render_service(
    deployment: &Deployment<'_>,
    services: &[&Service],
    service: &Service,
    made: &Made,
) -> Mapping {
    let mut compose = service.compose.clone();
    if deployment.seed.domain.certificate != Certificate::Local {
        without_authority(&mut compose);
    }
    compose.insert("container_name".into(), service.name.clone().into());
    memory_limit(service, &mut compose);
    processor_limit(deployment.facts.processors, &mut compose);
    dependencies(services, service, &mut compose);
    if deployment.is_detached(service) {
        compose.remove("network_mode");
        compose.insert("networks".into(), Value::Sequence(vec![DETACHED_NETWORK.into()]));
    }
    if service.wish.url.is_some() && !compose.contains_key("network_mode") {
        attach(&mut compose);
    }
    if service.wish.transcodes {
        transcoding(deployment, &mut compose);
    }
    secrets(service, made, &mut compose);
    for mount in &service.wish.artefacts {
        if let Some(source) = deployment.artefact(&mount.name) {
            bind(&mut compose, source, mount.at.clone());
        }
    }
    let mut all = existing_labels(&compose);
    for (key, value) in labels::labels(deployment, service) {
        all.insert(key.into(), value.into());
    }
    if made.has_configuration(&service.name) {
        let digest = made.configuration(&service.name);
        all.insert(CONFIGURATION_LABEL.into(), digest.short().into());
    }
    if !all.is_empty() {
        compose.insert("labels".into(), Value::Mapping(all));
    }
    compose
}

/// A box with a public certificate has no authority of its own, and what is not there cannot be
/// mounted.
fn without_authority(compose: &mut Mapping) {
    let Some(Value::Sequence(list)) = compose.get_mut("volumes") else { return };
    list.retain(|entry| {
        let source = entry.get("source").unwrap_or(entry).as_str().unwrap_or_default();
        !source.starts_with(paths::AUTHORITY)
    });
}

/// The graphics device, and the group that may use it.
fn transcoding(deployment: &Deployment<'_>, compose: &mut Mapping) {
    if !deployment.facts.render_device {
        return;
    }
    push(compose, "devices", "/dev/dri:/dev/dri".into());
    if let Some(group) = deployment.facts.render_group {
        push(compose, "group_add", group.to_string().into());
    }
}

/// The tier is the limit where the file names no other.
fn memory_limit(service: &Service, compose: &mut Mapping) {
    let Some(memory) = service.wish.memory else { return };
    let mut value = Value::Mapping(std::mem::take(compose));
    let mut inner = &mut value;
    for key in ["deploy", "resources", "limits"] {
        let Value::Mapping(map) = inner else { break };
        inner = map.entry(key.into()).or_insert_with(|| Value::Mapping(Mapping::new()));
    }
    if let Value::Mapping(limits) = inner {
        let limit = || Value::from(format!("{}M", memory.0 >> 20));
        limits.entry("memory".into()).or_insert_with(limit);
    }
    if let Value::Mapping(map) = value {
        *compose = map;
    }
}

/// Docker refuses a limit above what the box has.
fn processor_limit(processors: u32, compose: &mut Mapping) {
    let resources = compose.get_mut("deploy").and_then(|deploy| deploy.get_mut("resources"));
    let limits = resources.and_then(|resources| resources.get_mut("limits"));
    let Some(cpus) = limits.and_then(|limits| limits.get_mut("cpus")) else { return };
    let wanted = cpus.as_f64().or_else(|| cpus.as_str()?.parse().ok()).unwrap_or_default();
    if wanted > f64::from(processors) {
        *cpus = Value::from(format!("{processors}.0"));
    }
}

/// What is not deployed cannot be waited for.
fn dependencies(services: &[&Service], service: &Service, compose: &mut Mapping) {
    let deployed = |name: &str| services.iter().any(|other| other.name == name);
    let gone: Vec<String> =
        service.depends_on().into_iter().filter(|name| !deployed(name)).collect();
    if gone.is_empty() {
        return;
    }
    let empty = match compose.get_mut("depends_on") {
        Some(Value::Mapping(map)) => {
            map.retain(|key, _| !key.as_str().is_some_and(|key| gone.iter().any(|g| g == key)));
            map.is_empty()
        }
        Some(Value::Sequence(list)) => {
            list.retain(|key| !key.as_str().is_some_and(|key| gone.iter().any(|g| g == key)));
            list.is_empty()
        }
        _ => false,
    };
    if empty {
        compose.remove("depends_on");
    }
}

/// The proxy must reach it.
fn attach(compose: &mut Mapping) {
    match compose.get_mut("networks") {
        Some(Value::Mapping(map)) => {
            map.entry(PROXY_NETWORK.into()).or_insert_with(|| Value::Mapping(Mapping::new()));
        }
        Some(Value::Sequence(list)) => {
            if !list.iter().any(|name| name == PROXY_NETWORK) {
                list.push(PROXY_NETWORK.into());
            }
        }
        _ => {
            let list = vec![Value::from(PROXY_NETWORK)];
            compose.insert("networks".into(), Value::Sequence(list));
        }
    }
}

/// Secret files that exist stay; those that are derived come in addition.
fn secrets(service: &Service, made: &Made, compose: &mut Mapping) {
    let mine = || made.secrets.iter().filter(|secret| secret.service == service.name);
    if let Some(Value::Sequence(list)) = compose.get_mut("secrets") {
        list.retain(|entry| {
            let name = entry.as_str().or_else(|| entry.get("source")?.as_str());
            name.is_some_and(|name| mine().any(|secret| secret.name == name))
        });
        if list.is_empty() {
            compose.remove("secrets");
        }
    }
    for secret in mine() {
        if secret.added {
            push(compose, "secrets", secret.name.clone().into());
        }
        if let Some(variable) = &secret.variable {
            let value = format!("/run/secrets/{}", secret.name);
            match compose.get_mut("environment") {
                Some(Value::Mapping(map)) => {
                    map.insert(variable.clone().into(), value.into());
                }
                Some(Value::Sequence(list)) => list.push(format!("{variable}={value}").into()),
                _ => {
                    compose.insert("environment".into(), map([(variable.as_str(), value.into())]));
                }
            }
        }
    }
}

/// Networks that the rendered services use: those of the file, and the shared ones.
fn networks(stack: &Stack, services: &Mapping) -> Mapping {
    let mut used: Vec<String> = Vec::new();
    for service in services.values() {
        for name in crate::catalogue::names(service.get("networks")) {
            if !used.contains(&name) {
                used.push(name);
            }
        }
    }
    used.sort();
    used.into_iter()
        .map(|name| {
            let value = match stack.network(&name) {
                _ if SHARED_NETWORKS.contains(&name.as_str()) => map([("external", true.into())]),
                Some(value) => value.clone(),
                None => Value::Null,
            };
            (Value::from(name), value)
        })
        .collect()
}

fn existing_labels(compose: &Mapping) -> Mapping {
    match compose.get("labels") {
        Some(Value::Mapping(map)) => map.clone(),
        Some(Value::Sequence(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(|label| label.split_once('=').unwrap_or((label, "")))
            .map(|(key, value)| (Value::from(key), Value::from(value)))
            .collect(),
        _ => Mapping::new(),
    }
}

/// Something of the box that must be there, to be read.
fn bind(compose: &mut Mapping, source: String, target: String) {
    let bind = map([
        ("type", "bind".into()),
        ("source", source.into()),
        ("target", target.into()),
        ("read_only", true.into()),
        ("bind", map([("create_host_path", false.into())])),
    ]);
    push(compose, "volumes", bind);
}

fn push(compose: &mut Mapping, key: &str, value: Value) {
    match compose.get_mut(key) {
        Some(Value::Sequence(list)) => list.push(value),
        _ => {
            compose.insert(key.into(), Value::Sequence(vec![value]));
        }
    }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Mapping(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

/// Does the seed have what a service waits for?
pub(crate) fn holds(condition: &Condition, seed: &crate::seed::Seed) -> bool {
    match condition {
        Condition::Vpn => seed.vpn.is_some(),
        Condition::Dns(provider) => {
            seed.domain.dns.as_ref().is_some_and(|dns| dns.provider == *provider)
        }
    }
}
