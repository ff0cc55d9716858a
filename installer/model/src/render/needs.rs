//! Which mounts of the seed a stack cannot do without.

use super::{Deployment, variables};
use crate::catalogue::{Mount, Service, names};

/// Mount points, sorted: those that a service binds, and those that it writes to through a folder
/// above them. Who only reads a folder above, such as a watcher of all disks, can do without.
pub(super) fn of(deployment: &Deployment<'_>, services: &[&Service]) -> Vec<String> {
    let mounts = &deployment.seed.mounts;
    let mut places: Vec<String> = mounts.iter().map(|mount| mount.at.clone()).collect();
    let held = mounts.iter().flat_map(|mount| &mount.holds);
    places.extend(held.map(|held| format!("/mnt/{held}")));
    places.sort();
    places.dedup();
    if places.is_empty() {
        return places;
    }
    let values = variables::values(deployment);
    places.retain(|place| services.iter().any(|service| needs(service, place, &values)));
    places
}

fn needs(service: &Service, place: &str, values: &variables::Values) -> bool {
    let mounts = service.mounts();
    mounts.iter().filter(|mount| mount.is_bind() || mount.source.starts_with("${")).any(|mount| {
        let mut source = mount.source.as_str().into();
        variables::fill(&mut source, values);
        let source = source.as_str().unwrap_or_default();
        if is_in(source, place) {
            return true;
        }
        let Some(below) = place.strip_prefix(source).filter(|_| is_in(place, source)) else {
            return false;
        };
        !mount.read_only && !covers(service, &mounts, &format!("{}{below}", mount.target))
    })
}

/// Something else lies over this path of the container.
fn covers(service: &Service, mounts: &[Mount], path: &str) -> bool {
    let empty = names(service.compose.get("tmpfs"));
    let empty = empty.iter().map(|entry| entry.split(':').next().unwrap_or_default());
    empty.chain(mounts.iter().map(|mount| mount.target.as_str())).any(|at| at == path)
}

/// Is it that folder, or below it?
fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|below| below.is_empty() || below.starts_with('/'))
}
