//! Rules about what a container may do to the box.

use serde_yaml_ng::Value;

use super::{Findings, Rule, Scope};
use crate::catalogue::{
    stack::{names, scalar},
    wish::Memory,
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "limits",
        why: "one service must not take the box down with it",
        excepted: false,
        check: limits,
    },
    Rule {
        name: "no-new-privileges",
        why: "a program inside must not become root by a setuid file",
        excepted: true,
        check: no_new_privileges,
    },
    Rule {
        name: "cap-drop",
        why: "Docker's default capabilities are more than nearly every service needs",
        excepted: true,
        check: cap_drop,
    },
    Rule {
        name: "cap-add",
        why: "each capability is a piece of root",
        excepted: true,
        check: cap_add,
    },
    Rule {
        name: "read-only-root",
        why: "what cannot be written cannot be changed by an intruder, nor fill the disk",
        excepted: true,
        check: read_only_root,
    },
    Rule {
        name: "host-namespace",
        why: "a container in the host's namespaces is not contained, and the firewall misses it",
        excepted: true,
        check: host_namespace,
    },
    Rule {
        name: "raw-docker-socket",
        why: "who can write to the socket is root on the box; a read-only mount does not change that",
        excepted: true,
        check: raw_docker_socket,
    },
    Rule {
        name: "secret-in-environment",
        why: "`docker inspect` shows the environment to everybody who may ask Docker",
        excepted: true,
        check: secret_in_environment,
    },
    Rule {
        name: "log-rotation",
        why: "logs must not fill the disk; the daemon rotates, unless a service says otherwise",
        excepted: false,
        check: log_rotation,
    },
    Rule {
        name: "restart",
        why: "`unless-stopped` comes back after a power cut and lets a service sleep",
        excepted: true,
        check: restart,
    },
];

fn limits(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let (name, compose) = (&scope.service.name, &scope.service.compose);
    let limits = ["deploy", "resources", "limits"]
        .iter()
        .try_fold(&Value::Mapping(compose.clone()), |value, key| value.get(*key))
        .cloned()
        .unwrap_or_default();
    let path = ["deploy", "resources", "limits"];
    let memory = limits.get("memory").map(scalar);
    let mut missing: Vec<&str> = Vec::new();
    for key in ["cpus", "memory", "pids"] {
        let derived = key == "memory" && scope.service.wish.memory.is_some();
        if limits.get(key).is_none() && !derived {
            missing.push(key);
        }
    }
    if !missing.is_empty() {
        let message = format!("`{name}` has no limit for {}", missing.join(", "));
        out.add(&path, message, "set them below `deploy.resources.limits`");
    }
    if let Some(memory) = memory {
        match (memory.parse::<Memory>(), scope.service.wish.memory) {
            (Err(message), _) => out.add(&path, message, ""),
            (Ok(limit), Some(need)) if limit < need => {
                let message = format!("`{name}` needs {need} but is limited to {limit}");
                out.add(&path, message, "");
            }
            _ => {}
        }
    }
}

fn no_new_privileges(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let options = names(scope.service.compose.get("security_opt"));
    let set = |o: &String| {
        matches!(
            o.as_str(),
            "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true"
        )
    };
    if !options.iter().any(set) {
        let message = format!("`{}` may gain privileges", scope.service.name);
        out.add(&["security_opt"], message, "add `security_opt: [\"no-new-privileges:true\"]`");
    }
    for option in options.iter().filter(|o| o.ends_with("unconfined")) {
        out.add(&["security_opt"], format!("`{}` runs with `{option}`", scope.service.name), "");
    }
}

fn cap_drop(scope: &Scope<'_>, out: &mut Findings<'_>) {
    if !names(scope.service.compose.get("cap_drop")).iter().any(|cap| cap == "ALL") {
        let message = format!("`{}` keeps Docker's default capabilities", scope.service.name);
        out.add(&["cap_drop"], message, "add `cap_drop: [ALL]`");
    }
}

fn cap_add(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let added = names(scope.service.compose.get("cap_add"));
    if !added.is_empty() {
        let message = format!("`{}` adds {}", scope.service.name, added.join(", "));
        out.add(&["cap_add"], message, "remove them, or give the reason as an exception");
    }
}

fn read_only_root(scope: &Scope<'_>, out: &mut Findings<'_>) {
    if scope.service.compose.get("read_only") != Some(&Value::Bool(true)) {
        let message = format!("`{}` may write to its root", scope.service.name);
        out.add(&["read_only"], message, "add `read_only: true`, with `tmpfs` where it must write");
    }
}

fn host_namespace(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let (name, compose) = (&scope.service.name, &scope.service.compose);
    if compose.get("privileged") == Some(&Value::Bool(true)) {
        out.add(&["privileged"], format!("`{name}` is privileged"), "");
    }
    for key in ["network_mode", "pid", "ipc", "userns_mode", "uts"] {
        if compose.get(key).map(scalar).as_deref() == Some("host") {
            out.add(&[key], format!("`{name}` shares the host's namespace (`{key}: host`)"), "");
        }
    }
}

fn raw_docker_socket(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let socket = |source: &str| {
        source.ends_with("docker.sock") || source == "/run" || source == "/var/run" || source == "/"
    };
    for mount in scope.service.mounts().iter().filter(|mount| socket(&mount.source)) {
        let message =
            format!("`{}` gets the Docker socket by `{}`", scope.service.name, mount.source);
        out.add(&["volumes"], message, "talk to a socket proxy by `DOCKER_HOST`");
    }
}

fn secret_in_environment(scope: &Scope<'_>, out: &mut Findings<'_>) {
    for (key, value) in scope.service.environment() {
        let upper = key.to_ascii_uppercase();
        let names_secret =
            ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY"]
                .iter()
                .any(|word| upper.contains(word));
        let by_file = upper.ends_with("_FILE")
            || upper.ends_with("_SECRETFILE")
            || upper.starts_with("FILE__")
            || value.starts_with("/run/secrets/");
        if names_secret && !by_file {
            let message = format!("`{}` gets a secret by the variable `{key}`", scope.service.name);
            out.add(&["environment", &key], message, "use a file below `/run/secrets`");
        }
    }
}

fn log_rotation(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let Some(logging) = scope.service.compose.get("logging") else { return };
    let driver = logging.get("driver").map_or_else(|| "json-file".to_owned(), scalar);
    let rotated = match driver.as_str() {
        "none" | "journald" => true,
        "json-file" | "local" => ["max-size", "max-file"]
            .iter()
            .all(|key| logging.get("options").is_some_and(|options| options.get(*key).is_some())),
        _ => false,
    };
    if !rotated {
        let message = format!("the logs of `{}` are not rotated", scope.service.name);
        out.add(&["logging"], message, "remove `logging`, or give `max-size` and `max-file`");
    }
}

fn restart(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let policy = scope.service.compose.get("restart").map(scalar).unwrap_or_default();
    if policy != "unless-stopped" {
        let shown = if policy.is_empty() { "no" } else { &policy };
        let message = format!("`{}` has the restart policy `{shown}`", scope.service.name);
        out.add(&["restart"], message, "write `restart: unless-stopped`");
    }
}
