//! Rules about ports, networks and URLs.

use serde_yaml_ng::Value;

use super::{Findings, Rule, Scope};
use crate::{
    catalogue::{
        CORE,
        stack::{names, scalar},
        wish::{Access, PublishKind},
    },
    plan::Protocol,
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "published-port",
        why: "only the proxy, the resolver and declared media ports are reached from outside",
        excepted: false,
        check: published_port,
    },
    Rule {
        name: "network",
        why: "a service is on the networks that it needs, by their names",
        excepted: false,
        check: network,
    },
    Rule {
        name: "url",
        why: "a URL needs a port behind it and an access level before it",
        excepted: false,
        check: url,
    },
    Rule {
        name: "access-exception",
        why: "each hole in the login has a pattern that fits and a reason",
        excepted: false,
        check: access_exception,
    },
    Rule {
        name: "lazy",
        why: "only what is asked for by its URL can be woken by it",
        excepted: false,
        check: lazy,
    },
];

fn published_port(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let (name, wish) = (&scope.service.name, &scope.service.wish);
    let declared: Vec<(u16, Protocol)> =
        wish.publishes.iter().map(|publish| (publish.port, publish.protocol)).collect();
    let mut published = Vec::new();
    if let Some(Value::Sequence(ports)) = scope.service.compose.get("ports") {
        for entry in ports {
            match port(entry) {
                Some(found) => published.push(found),
                None => {
                    let message = format!("`{}` publishes `{}`", name, scalar(entry));
                    out.add(&["ports"], message, "write `\"80:80\"` or `\"53:53/udp\"`");
                }
            }
        }
    }
    for (number, protocol) in &published {
        if !declared.contains(&(*number, *protocol)) {
            let message =
                format!("`{name}` publishes port {number}/{} undeclared", word(*protocol));
            let hint =
                "go through the proxy by `x-homelab: {url: …}`, or declare it in `publishes`";
            out.add(&["ports"], message, hint);
        }
    }
    for (number, protocol) in &declared {
        if !published.contains(&(*number, *protocol)) {
            let message = format!(
                "`{name}` declares port {number}/{} but does not publish it",
                word(*protocol)
            );
            out.add(&["x-homelab", "publishes"], message, "add it to `ports`");
        }
    }
    if wish.publishes.iter().any(|p| p.kind == PublishKind::Proxy) && scope.stack.name != CORE {
        let message = format!("`{name}` is no reverse proxy");
        out.add(&["x-homelab", "publishes"], message, "there is one, in `core`");
    }
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Port of the box and protocol of an entry of `ports` in its short form `80:80[/udp]`.
fn port(entry: &Value) -> Option<(u16, Protocol)> {
    let text = entry.as_str()?;
    let (ports, protocol) = match text.split_once('/') {
        Some((ports, "udp")) => (ports, Protocol::Udp),
        Some((ports, "tcp")) => (ports, Protocol::Tcp),
        Some(_) => return None,
        None => (text, Protocol::Tcp),
    };
    let (host, container) = ports.split_once(':')?;
    container.parse::<u16>().ok()?;
    Some((host.parse().ok()?, protocol))
}

fn network(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let (name, service) = (&scope.service.name, scope.service);
    let networks = service.networks();
    let alone = service.compose.contains_key("network_mode");
    if networks.is_empty() && !alone && service.wish.url.is_none() {
        let message = format!("`{name}` is on the default network");
        out.add(&["networks"], message, "name its networks, or `network_mode: none`");
    }
    for network in &networks {
        let shared = crate::render::SHARED_NETWORKS.contains(&network.as_str());
        match scope.stack.network(network) {
            None if !shared => {
                let message =
                    format!("`{name}` is on `{network}`, which the file does not declare");
                out.add(&["networks"], message, "");
            }
            Some(_) if !shared && scope.stack.is_external_network(network) => {
                let message = format!("nobody makes the network `{network}`");
                let shared = crate::render::SHARED_NETWORKS.join(", ");
                out.add(&["networks"], message, format!("shared networks: {shared}"));
            }
            _ => {}
        }
    }
    let elsewhere = scalar(service.compose.get("network_mode").unwrap_or(&Value::Null));
    let elsewhere = elsewhere.starts_with("container:");
    let network_of = service.network_of().filter(|_| !elsewhere).map(str::to_owned);
    for other in service.depends_on().into_iter().chain(network_of) {
        let same_stack = scope.stack.service(&other).is_some();
        if !same_stack {
            let message = format!("`{name}` depends on `{other}`, which the stack does not have");
            out.add(&["depends_on"], message, "");
        }
    }
    if let Some(container) = service.compose.get("container_name").map(scalar) {
        if container != *name {
            let message = format!("the container of `{name}` would be called `{container}`");
            out.add(
                &["container_name"],
                message,
                "remove it; containers bear their service's name",
            );
        }
    }
    for key in names(service.compose.get("labels")) {
        let key = key.split('=').next().unwrap_or_default();
        if key.starts_with("traefik.") || key.starts_with("sablier.") {
            let message = format!("`{name}` sets the label `{key}` by hand");
            out.add(&["labels"], message, "it is derived from `x-homelab`");
        }
    }
}

fn url(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let (name, wish) = (&scope.service.name, &scope.service.wish);
    let Some(label) = &wish.url else {
        let mut without = |there: bool, key: &str| {
            if there {
                let message = format!("`{name}` has `{key}` but no `url`");
                out.add(&["x-homelab", key], message, "");
            }
        };
        without(wish.port.is_some(), "port");
        without(wish.access.is_some(), "access");
        without(wish.oidc.is_some(), "oidc");
        without(wish.serves.is_some(), "serves");
        return;
    };
    let good = label == crate::render::APEX
        || !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-');
    if !good {
        let message = format!("`{label}` is no DNS label");
        out.add(&["x-homelab", "url"], message, "use lower-case letters, digits and hyphens");
    }
    if wish.port.is_some() == wish.serves.is_some() {
        let message = format!("`{name}` has a `url` but no `port`");
        out.add(&["x-homelab", "url"], message, "name the port inside the container");
    }
    if wish.access.is_none() {
        let message = format!("`{name}` has a `url` but no `access`");
        out.add(&["x-homelab", "url"], message, "bypass, one_factor or two_factor");
    }
}

fn access_exception(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let (name, wish) = (&scope.service.name, &scope.service.wish);
    let path = ["x-homelab", "access_exceptions"];
    for exception in &wish.access_exceptions {
        if Some(exception.access) == wish.access {
            let level = exception.access.policy();
            out.add(&path, format!("`{name}` excepts paths to `{level}`, which it has anyway"), "");
        }
        if exception.reason.trim().is_empty() {
            out.add(&path, format!("an access exception of `{name}` gives no reason"), "");
        }
        if exception.paths.is_empty() {
            out.add(&path, format!("an access exception of `{name}` names no paths"), "");
        }
        for pattern in &exception.paths {
            if let Err(error) = regex::Regex::new(pattern) {
                let error = error.to_string();
                let last = error.lines().next_back().unwrap_or_default();
                out.add(&path, format!("`{pattern}` is no regular expression: {last}"), "");
            } else if !pattern.starts_with('^') && exception.access == Access::Bypass {
                let message = format!("`{pattern}` fits anywhere in a path");
                out.add(&path, message, "start it with `^`");
            }
        }
    }
}

fn lazy(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let (name, wish) = (&scope.service.name, &scope.service.wish);
    let Some(lazy) = &wish.lazy.0 else { return };
    let path = ["x-homelab", "lazy"];
    if wish.url.is_none() {
        out.add(&path, format!("`{name}` is lazy but has no `url` that could wake it"), "");
    }
    if scope.service.network_of().is_some() || !wish.publishes.is_empty() {
        let message = format!("`{name}` is lazy but is reached past the proxy");
        out.add(&path, message, "");
    }
    let number = lazy.after.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &lazy.after[number.len()..];
    if number.parse::<u32>().is_err() || !matches!(unit, "s" | "m" | "h") {
        out.add(&path, format!("`{}` is no duration", lazy.after), "write `30s`, `15m` or `2h`");
    }
}
