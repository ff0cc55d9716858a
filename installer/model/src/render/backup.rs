//! What a backup holds, from the `backup` blocks of the deployed services.

use std::collections::BTreeSet;

use super::{Deployment, stack_folder};
use crate::{
    catalogue::{Service, Stack, scalar},
    seed::Backup,
};

/// Where Docker keeps the content of named volumes.
const VOLUMES: &str = "/var/lib/docker/volumes";
/// The place of backups, where the repository is not on the box.
pub(super) const PLACE: &str = "/mnt/backups";

/// Absolute paths on the box, sorted. Some need not be there yet: a volume comes with the first
/// start of its service.
pub(super) fn paths(deployment: &Deployment<'_>) -> Vec<String> {
    let paths: BTreeSet<String> =
        deployment.services().flat_map(|(stack, service)| paths_of(stack, service)).collect();
    paths.into_iter().collect()
}

/// What a backup holds of one service, in the order of its `backup` block, volumes first.
pub(super) fn paths_of(stack: &Stack, service: &Service) -> Vec<String> {
    let Some(backup) = &service.wish.backup else { return Vec::new() };
    let folder = stack_folder(&stack.name);
    let volumes = backup.volumes.iter().map(|name| volume_folder(stack, name));
    let paths = backup.paths.iter().map(|path| {
        let below = path.trim_start_matches("./").trim_end_matches('/');
        format!("{folder}/{below}")
    });
    volumes.chain(paths).collect()
}

/// Where the content of a named volume lies on the box.
pub(super) fn volume_folder(stack: &Stack, name: &str) -> String {
    format!("{VOLUMES}/{}/_data", volume(stack, name))
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
