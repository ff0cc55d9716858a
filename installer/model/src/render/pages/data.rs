//! Where the data of a service lies.

use super::super::{backup, stack_folder};
use crate::{
    catalogue::{Mount, Service, Stack, wish::Reading},
    paths,
};

/// Placed by Docker on every box; seen by what filters it, and by what manages containers.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// All folders and volumes of a service and of its parts.
pub(super) fn table(stack: &Stack, service: &Service, parts: &[&Service]) -> String {
    let mut rows = Vec::new();
    for one in std::iter::once(service).chain(parts.iter().copied()) {
        let inside = match one.name == service.name {
            true => String::new(),
            false => format!(" of `{}`", one.name),
        };
        rows.extend(one.mounts().iter().map(|mount| {
            let target = match mount.target == mount.source {
                true => "the same path".to_owned(),
                false => format!("`{}`", mount.target),
            };
            format!("| {} | {target}{inside} | {} |", on_box(stack, mount), usage(one, mount))
        }));
    }
    match rows.is_empty() {
        true => "It keeps nothing.".to_owned(),
        false => {
            format!(
                "| on the box | in the container | what it does there |\n|---|---|---|\n{}",
                rows.join("\n")
            )
        }
    }
}

/// The place of a mount on the box, for a cell.
fn on_box(stack: &Stack, mount: &Mount) -> String {
    if let Some(below) = mount.in_stack() {
        return format!("`{}/{below}`", stack_folder(&stack.name));
    }
    if !mount.is_bind() && !mount.source.starts_with('$') {
        return format!("`{}` (Docker volume)", backup::volume_folder(stack, &mount.source));
    }
    match mount.source.as_str() {
        "${DATA}" => {
            "`/mnt`, or `/mnt/storage` where one disk holds media and downloads".to_owned()
        }
        "${BACKUPS}" => format!(
            "`{}`, or the folder below `/mnt` that `[backup] repository` names",
            backup::PLACE
        ),
        "${AUTHORITIES}" => format!(
            "`{}/ca.pem`, or `{}` with a public certificate",
            paths::AUTHORITY,
            paths::PUBLIC_AUTHORITIES
        ),
        DOCKER_SOCKET => format!("`{DOCKER_SOCKET}`, Docker's own control"),
        path => format!("`{path}`"),
    }
}

/// What it may do there.
fn usage(service: &Service, mount: &Mount) -> String {
    if mount.source == DOCKER_SOCKET {
        // A read-only mount of a socket changes nothing; a filter lets through what it lets through.
        return "asks Docker".to_owned();
    }
    let made = mount.in_stack().is_some_and(|below| {
        service.wish.files.iter().any(|file| {
            let inside = file.path.strip_prefix(below);
            file.read != Reading::Initial
                && inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    });
    let mut text = match (mount.read_only, made) {
        (true, true) => "reads what `homelab apply` made".to_owned(),
        (true, false) => "reads".to_owned(),
        (false, _) => "reads and writes".to_owned(),
    };
    for hidden in covered(service, mount) {
        text += &format!(", but does not see `{hidden}`");
    }
    text
}

/// Paths inside the container that an empty folder in memory hides from it, below this mount.
fn covered(service: &Service, mount: &Mount) -> Vec<String> {
    let below = format!("{}/", mount.target);
    let tmpfs = crate::catalogue::names(service.compose.get("tmpfs"));
    let paths = tmpfs.iter().filter_map(|entry| entry.split(':').next());
    paths.filter(|path| path.starts_with(&below)).map(str::to_owned).collect()
}
