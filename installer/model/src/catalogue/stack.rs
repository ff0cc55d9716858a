//! A `compose.yaml` to a [`Stack`].

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_yaml_ng::{Mapping, Value};

use super::{
    TEMPLATE_SUFFIX,
    place::place,
    wish::{Memory, ServiceWish, StackWish},
};
use crate::{Problems, problem::Problem};

/// One stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Name of its folder.
    pub name: String,
    /// The owner's, not the catalogue's.
    pub own: bool,
    /// Its `x-homelab`.
    pub wish: StackWish,
    /// Its services, in the order of the file.
    pub services: Vec<Service>,
    /// The rest of the file without `services` and `x-` keys: networks, volumes, secrets.
    pub compose: Mapping,
    /// Its other files by their path below the stack's folder: templates and plain files.
    pub files: BTreeMap<String, String>,
}

/// One service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Name in the Compose file, also of its container.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Its `x-homelab`.
    pub wish: ServiceWish,
    /// The service as Compose wants it, anchors resolved, without `x-` keys.
    pub compose: Mapping,
}

impl Stack {
    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The template or plain text that the file `path` of a service is made from, and whether it
    /// is a template.
    pub fn file(&self, path: &str) -> Option<(&str, bool)> {
        match self.files.get(&format!("{path}{TEMPLATE_SUFFIX}")) {
            Some(text) => Some((text, true)),
            None => self.files.get(path).map(|text| (text.as_str(), false)),
        }
    }

    /// Networks of the file that every stack shares (`external: true`).
    pub fn is_external_network(&self, name: &str) -> bool {
        self.network(name)
            .is_some_and(|network| network.get("external") == Some(&Value::Bool(true)))
    }

    /// A network of the file without a way out.
    pub fn is_internal_network(&self, name: &str) -> bool {
        self.network(name)
            .is_some_and(|network| network.get("internal") == Some(&Value::Bool(true)))
    }

    /// The network of this name, if the file declares it.
    pub fn network(&self, name: &str) -> Option<&Value> {
        self.compose.get("networks").and_then(|networks| networks.get(name))
    }
}

impl Service {
    /// Names of the networks that it is attached to.
    pub fn networks(&self) -> Vec<String> {
        names(self.compose.get("networks"))
    }

    /// Services that must run before it.
    pub fn depends_on(&self) -> Vec<String> {
        names(self.compose.get("depends_on"))
    }

    /// The service whose network namespace it shares: `service:` in its own stack, `container:` in
    /// another one.
    pub fn network_of(&self) -> Option<&str> {
        let mode = self.compose.get("network_mode")?.as_str()?;
        mode.strip_prefix("service:").or_else(|| mode.strip_prefix("container:"))
    }

    /// Services without which it does not start: [`Self::depends_on`] and [`Self::network_of`].
    pub fn needs(&self) -> impl Iterator<Item = String> {
        self.depends_on().into_iter().chain(self.network_of().map(str::to_owned))
    }

    /// Names of the secret files that it reads.
    pub fn secrets(&self) -> Vec<String> {
        let Some(Value::Sequence(list)) = self.compose.get("secrets") else {
            return Vec::new();
        };
        list.iter()
            .filter_map(|secret| secret.as_str().or_else(|| secret.get("source")?.as_str()))
            .map(str::to_owned)
            .collect()
    }

    /// Its bind mounts and volumes.
    pub fn mounts(&self) -> Vec<Mount> {
        let Some(Value::Sequence(list)) = self.compose.get("volumes") else {
            return Vec::new();
        };
        list.iter().filter_map(Mount::read).collect()
    }

    /// Environment as pairs; the value is empty where Compose takes it from outside.
    pub fn environment(&self) -> Vec<(String, String)> {
        match self.compose.get("environment") {
            Some(Value::Mapping(map)) => {
                map.iter().map(|(key, value)| (scalar(key), scalar(value))).collect()
            }
            Some(Value::Sequence(list)) => list
                .iter()
                .map(scalar)
                .map(|pair| match pair.split_once('=') {
                    Some((key, value)) => (key.to_owned(), value.to_owned()),
                    None => (pair, String::new()),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Numeric user and group that its folders belong to: `user`, or `PUID` and `PGID` where it
    /// starts as root and becomes another user itself; root if the file names none.
    pub fn owner(&self) -> (u32, u32) {
        if let Some(user) = self.compose.get("user").map(scalar) {
            let (user, group) = user.split_once(':').unwrap_or((&user, &user));
            return (user.parse().unwrap_or(0), group.parse().unwrap_or(0));
        }
        let environment = self.environment();
        let number = |name: &str| {
            let value = environment.iter().find(|(key, _)| key == name);
            value.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
        };
        (number("PUID"), number("PGID"))
    }

    /// Memory above which the kernel kills it, if the file sets a limit.
    pub fn memory_limit(&self) -> Option<Memory> {
        let limits = self.compose.get("deploy")?.get("resources")?.get("limits")?;
        scalar(limits.get("memory")?).parse().ok()
    }

    /// Name for people.
    pub fn title(&self) -> &str {
        self.wish.title.as_deref().unwrap_or(&self.name)
    }
}

/// One entry of `volumes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Host path (`/…`, `./…`) or name of a volume.
    pub source: String,
    /// Path inside the container.
    pub target: String,
    /// Read-only.
    pub read_only: bool,
    /// `bind.create_host_path: false` is said.
    pub host_path_must_exist: bool,
}

impl Mount {
    fn read(value: &Value) -> Option<Self> {
        if let Some(text) = value.as_str() {
            let mut parts = text.split(':');
            let (source, target) = (parts.next()?, parts.next()?);
            return Some(Self {
                source: source.to_owned(),
                target: target.to_owned(),
                read_only: parts.next().is_some_and(|o| o.split(',').any(|o| o == "ro")),
                host_path_must_exist: false,
            });
        }
        let create = value.get("bind").and_then(|bind| bind.get("create_host_path"));
        Some(Self {
            source: value.get("source")?.as_str()?.to_owned(),
            target: value.get("target")?.as_str()?.to_owned(),
            read_only: value.get("read_only") == Some(&Value::Bool(true)),
            host_path_must_exist: create == Some(&Value::Bool(false)),
        })
    }

    /// A path of the host and not a named volume.
    pub fn is_bind(&self) -> bool {
        self.source.starts_with(['/', '.', '~'])
    }

    /// Its path below the stack's folder, without `./`.
    pub fn in_stack(&self) -> Option<&str> {
        self.source.strip_prefix("./")
    }
}

/// Keys of a mapping or strings of a list.
pub(crate) fn names(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Mapping(map)) => map.keys().map(scalar).collect(),
        Some(Value::Sequence(list)) => list.iter().map(scalar).collect(),
        _ => Vec::new(),
    }
}

/// A scalar as Compose would pass it on.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Reads a stack; what is wrong with its shape goes to `problems`.
pub(super) fn read(
    name: &str,
    text: &str,
    files: &BTreeMap<String, String>,
    own: bool,
    problems: &mut Problems,
) -> Option<Stack> {
    let mut root: Value = match serde_yaml_ng::from_str(text) {
        Ok(root) => root,
        Err(error) => {
            let span = error.location().map(|at| at.index()..at.index() + 1);
            problems.push(span, format!("this is no YAML: {error}"), "");
            return None;
        }
    };
    if let Err(error) = root.apply_merge() {
        problems.push(None, format!("a merge key cannot be resolved: {error}"), "");
        return None;
    }
    let Value::Mapping(mut root) = root else {
        problems.push(None, "a Compose file is a mapping", "start it with `services:`");
        return None;
    };
    let wish = match root.remove("x-homelab") {
        Some(value) => block(value, &["x-homelab"], text, problems)?,
        None => StackWish::default(),
    };
    root.retain(|key, _| !key.as_str().is_some_and(|key| key.starts_with("x-")));
    let Some(Value::Mapping(services)) = root.remove("services") else {
        problems.push(None, "there are no `services`", "");
        return None;
    };
    let services = services
        .into_iter()
        .filter_map(|(key, value)| service(&scalar(&key), value, text, problems))
        .collect();
    let folder = format!("{name}/");
    let files = files
        .iter()
        .filter_map(|(path, text)| Some((path.strip_prefix(&folder)?.to_owned(), text.clone())))
        .filter(|(path, _)| path != super::COMPOSE_FILE)
        .collect();
    Some(Stack { name: name.to_owned(), own, wish, services, compose: root, files })
}

fn service(name: &str, value: Value, text: &str, problems: &mut Problems) -> Option<Service> {
    let Value::Mapping(mut compose) = value else {
        problems.push(place(text, &["services", name]), format!("`{name}` says nothing"), "");
        return None;
    };
    let wish = match compose.remove("x-homelab") {
        Some(value) => block(value, &["services", name, "x-homelab"], text, problems)?,
        None => ServiceWish::default(),
    };
    compose.retain(|key, _| !key.as_str().is_some_and(|key| key.starts_with("x-")));
    let image = compose.get("image").map(scalar).unwrap_or_default();
    Some(Service { name: name.to_owned(), image, wish, compose })
}

/// An `x-homelab` block as its type.
fn block<T: DeserializeOwned>(
    value: Value,
    path: &[&str],
    text: &str,
    problems: &mut Problems,
) -> Option<T> {
    match serde_yaml_ng::from_value(value) {
        Ok(wish) => Some(wish),
        Err(error) => {
            problems.list.push(block_problem(&error.to_string(), path, text));
            None
        }
    }
}

/// Makes serde's sentence one that a person can act on.
fn block_problem(message: &str, path: &[&str], text: &str) -> Problem {
    let outer = place(text, path);
    let Some((_, rest)) = message.split_once("unknown field `") else {
        let message = format!("`x-homelab`: {message}");
        return Problem { span: outer, message, hint: String::new() };
    };
    let (key, known) = rest.split_once('`').unwrap_or((rest, ""));
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let hint = match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known keys: {}", known.join(", ")),
    };
    let inner = [path, &[key]].concat();
    Problem {
        span: place(text, &inner).or(outer),
        message: format!("`{key}` is no key of `x-homelab`"),
        hint,
    }
}

/// The name that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().min(word.len()) / 4)
        .min()
        .map(|(_, name)| name)
}
