//! What a backup holds, from the `backup` blocks of the deployed services.

use std::collections::BTreeSet;

use super::{Deployment, stack_folder};
use crate::{
    catalogue::{Stack, scalar},
    seed::Backup,
};

/// Where Docker keeps the content of named volumes.
const VOLUMES: &str = "/var/lib/docker/volumes";
/// The place of backups, where the repository is not on the box.
const PLACE: &str = "/mnt/backups";

/// Absolute paths on the box, sorted. Some need not be there yet: a volume comes with the first
/// start of its service.
pub(super) fn paths(deployment: &Deployment<'_>) -> Vec<String> {
    let mut paths = BTreeSet::new();
    for (stack, service) in deployment.services() {
        let Some(backup) = &service.wish.backup else { continue };
        paths.extend(
            backup.volumes.iter().map(|name| format!("{VOLUMES}/{}/_data", volume(stack, name))),
        );
        let folder = stack_folder(&stack.name);
        paths.extend(backup.paths.iter().map(|path| {
            let below = path.trim_start_matches("./").trim_end_matches('/');
            format!("{folder}/{below}")
        }));
    }
    paths.into_iter().collect()
}

/// The folder below `/mnt` that a repository of the box lies in, so that its service sees this
/// disk and no other.
pub(super) fn place(backup: &Backup) -> String {
    match backup.repository.strip_prefix("/mnt/").and_then(|path| path.split('/').next()) {
        Some(first) => format!("/mnt/{first}"),
        None => PLACE.to_owned(),
    }
}

/// Compose puts the stack's name before a volume's, unless the file names it itself.
fn volume(stack: &Stack, name: &str) -> String {
    let declared = stack.compose.get("volumes").and_then(|volumes| volumes.get(name));
    let named = declared.and_then(|volume| volume.get("name")).map(scalar);
    let external = declared.and_then(|volume| volume.get("external")?.as_bool()) == Some(true);
    match (named, external) {
        (Some(named), _) => named,
        (None, true) => name.to_owned(),
        (None, false) => format!("{}_{name}", stack.name),
    }
}
