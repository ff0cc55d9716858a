//! Rules about data: databases, bind mounts, secret files.

use super::{Findings, Rule, Scope};
use crate::catalogue::lock::Reference;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "database",
        why: "a database belongs to its service: in a named volume, on a network without a way out",
        excepted: true,
        check: database,
    },
    Rule {
        name: "mnt-bind",
        why: "a disk that is not mounted must stop the service, not become an empty folder",
        excepted: false,
        check: mnt_bind,
    },
    Rule {
        name: "bind-source",
        why: "a service sees its own folder and the data disks, nothing else of the box",
        excepted: true,
        check: bind_source,
    },
    Rule {
        name: "secret-file",
        why: "a secret file has one reader, and it must be known how it comes to be",
        excepted: false,
        check: secret_file,
    },
    Rule {
        name: "configuration-file",
        why: "a file that is mounted but not made becomes a folder",
        excepted: false,
        check: configuration_file,
    },
    Rule {
        name: "backup",
        why: "what a backup cannot find is missed on the day it is needed",
        excepted: false,
        check: backup,
    },
];

const DATABASES: [&str; 8] =
    ["mariadb", "mysql", "postgres", "redis", "valkey", "mongo", "influxdb", "couchdb"];

/// What the box fills in for folders below `/mnt`: media and downloads, and the repository.
const DISKS: [&str; 2] = ["${DATA}", "${BACKUPS}"];

fn on_disk(source: &str) -> bool {
    source == "/mnt" || source.starts_with("/mnt/") || DISKS.contains(&source)
}

fn database(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let reference = Reference::parse(&scope.service.image);
    let image = reference.repository.rsplit('/').next().unwrap_or_default();
    if !DATABASES.contains(&image) {
        return;
    }
    let name = &scope.service.name;
    let networks = scope.service.networks();
    if networks.is_empty() {
        let message = format!("the database `{name}` is on the default network");
        out.add(&["networks"], message, "give it a network with `internal: true`");
    }
    for network in networks.iter().filter(|network| !scope.stack.is_internal_network(network)) {
        let message = format!("the database `{name}` is on `{network}`, which has a way out");
        out.add(&["networks"], message, "give it a network with `internal: true`");
    }
    for mount in scope.service.mounts().iter().filter(|m| m.is_bind() && !m.read_only) {
        let message = format!("the database `{name}` keeps data in the folder `{}`", mount.source);
        out.add(&["volumes"], message, "use a named volume");
    }
}

fn mnt_bind(scope: &Scope<'_>, out: &mut Findings<'_>) {
    for mount in scope.service.mounts() {
        if on_disk(&mount.source) && !mount.host_path_must_exist {
            let message = format!(
                "`{}` mounts `{}` and would create it when the disk is missing",
                scope.service.name, mount.source
            );
            let hint = "use the long form with `bind: {create_host_path: false}`";
            out.add(&["volumes"], message, hint);
        }
    }
}

fn bind_source(scope: &Scope<'_>, out: &mut Findings<'_>) {
    for mount in scope.service.mounts().iter().filter(|mount| mount.is_bind()) {
        let known = mount.in_stack().is_some_and(|path| !path.split('/').any(|part| part == ".."))
            || (mount.source != "/mnt" && on_disk(&mount.source))
            || mount.source.ends_with("docker.sock");
        if !known {
            let message = format!("`{}` mounts `{}` of the box", scope.service.name, mount.source);
            out.add(&["volumes"], message, "use a path below `./` or `/mnt/`");
        }
    }
}

fn secret_file(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let service = scope.service;
    for secret in service.secrets() {
        let file = scope
            .stack
            .compose
            .get("secrets")
            .and_then(|secrets| secrets.get(&secret)?.get("file")?.as_str().map(str::to_owned));
        let wanted = format!("./secrets/{secret}");
        if file.as_deref() != Some(&wanted) {
            let message = format!("the secret `{secret}` is no file of the stack");
            let hint = format!("add `{secret}: {{file: {wanted}}}` to the file's `secrets`");
            out.add(&["secrets"], message, hint);
        }
        let oidc = secret == crate::render::oidc_secret(&service.name).0;
        if !oidc && !scope.stack.wish.secrets.contains_key(&secret) {
            let message = format!("nobody makes the secret `{secret}`");
            out.add(&["secrets"], message, "say how in the file's `x-homelab: {secrets: …}`");
        }
        let other = scope
            .stack
            .services
            .iter()
            .find(|o| o.owner() != service.owner() && o.secrets().contains(&secret));
        if let Some(other) = other {
            let message = format!(
                "`{}` and `{}` read the secret `{secret}` as different users",
                service.name, other.name
            );
            out.add(&["secrets"], message, "give each a file of its own");
        }
    }
}

fn configuration_file(scope: &Scope<'_>, out: &mut Findings<'_>) {
    for file in &scope.service.wish.files {
        let path = ["x-homelab", "files"];
        match scope.stack.file(&file.path) {
            None => {
                let message = format!("the stack has neither `{0}` nor `{0}.j2`", file.path);
                out.add(&path, message, "");
            }
            Some((text, true)) => {
                let mut environment = minijinja::Environment::new();
                if let Err(error) = environment.add_template(&file.path, text) {
                    out.add(&path, format!("`{}.j2` is no template: {error}", file.path), "");
                }
            }
            Some(_) => {}
        }
        let mounted = scope
            .service
            .mounts()
            .iter()
            .filter_map(|m| m.in_stack().map(str::to_owned))
            .any(|source| file.path == source || file.path.starts_with(&format!("{source}/")));
        if !mounted {
            let message =
                format!("`{}` does not mount its file `{}`", scope.service.name, file.path);
            out.add(&path, message, "add it to `volumes`");
        }
    }
}

fn backup(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let Some(backup) = &scope.service.wish.backup else { return };
    let path = ["x-homelab", "backup"];
    for volume in &backup.volumes {
        let declared = scope.stack.compose.get("volumes").and_then(|all| all.get(volume));
        if declared.is_none() {
            let message = format!("`{volume}` is no volume of the stack");
            out.add(&path, message, "name one of the file's `volumes`");
        }
    }
    for wanted in &backup.paths {
        let inside = wanted
            .strip_prefix("./")
            .is_some_and(|below| !below.is_empty() && !below.split('/').any(|part| part == ".."));
        if !inside {
            let message = format!("`{wanted}` is no path of the stack's folder");
            out.add(&path, message, "write it as `./folder`");
        }
    }
}
