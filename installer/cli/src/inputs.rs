//! From files and facts to a plan: what a plan is computed from, read from the box.

use std::{collections::BTreeMap, path::Path};

use engine::state::{Kept as _, Known};
use host::Host;
use model::{
    Digest, Problems,
    catalogue::{Catalogue, lock::LockedArtefact},
    facts::Facts,
    paths,
    plan::Plan,
    seed::Seed,
};

use crate::failure::Failure;

/// A file of a stack that is larger than this is no template of ours.
const LARGEST: u64 = 4 << 20;

/// The catalogue that the image carries, with the owner's own stacks.
///
/// # Errors
/// A stack of the owner's is wrong; or the image is damaged.
pub fn catalogue(host: &Host) -> Result<Catalogue, Failure> {
    let baked = tree(&host.path(paths::CATALOGUE))?;
    if baked.is_empty() {
        return Err(Failure::machine(
            format!("`{}` has no stacks", paths::CATALOGUE),
            "this is no image of ours, or a damaged one: `homelab-image build` makes a new one",
        ));
    }
    let own = tree(&host.path(paths::OWN_STACKS))?;
    Catalogue::parse_with_own(&baked, &own).map_err(|wrong| {
        let of_owner = |problems: &Problems| own.contains_key(&problems.file);
        if wrong.iter().any(of_owner) {
            Failure::Wrong(wrong)
        } else {
            let causes = wrong.iter().flat_map(Problems::summary_lines).collect();
            Failure::bug("the catalogue of this image is wrong", causes)
        }
    })
}

/// All text files below a folder, by their path relative to it; none if there is no such folder.
fn tree(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(place) = waiting.pop() {
        let entries = match std::fs::read_dir(&place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(host::files::failed("read", &place)(error).into()),
        };
        for entry in entries {
            let failed = |error| host::files::failed("read", &place)(error);
            let entry = entry.map_err(failed)?;
            let about = std::fs::metadata(entry.path()).map_err(failed)?;
            let name = entry.file_name();
            // Editors leave hidden files and copies ending in ~ behind.
            let name = name.to_string_lossy();
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            if about.is_dir() {
                waiting.push(entry.path());
            } else if about.len() <= LARGEST {
                let text = host::files::read_text(entry.path())?;
                let path = entry.path();
                let relative = path.strip_prefix(folder).unwrap_or(&path);
                files.insert(relative.to_string_lossy().into_owned(), text);
            }
        }
    }
    Ok(files)
}

/// Says in the facts which artefacts of the lock lie on the box with the right digest, and where.
/// `pins`: digests of the seed that stand in for the lock's.
pub fn add_artefacts(
    facts: &mut Facts,
    host: &Host,
    locked: &[LockedArtefact],
    pins: &BTreeMap<String, Digest>,
) {
    for artefact in locked {
        let wanted = pins.get(&artefact.name).or(artefact.digest.as_ref());
        let here = |place: &str| {
            let folder = host.path(place).join(&artefact.name);
            let there = digest(&folder, &artefact.files);
            // Without a digest to hold it against, being whole is all that can be asked.
            there.is_some_and(|there| wanted.is_none_or(|wanted| *wanted == there))
        };
        if here(paths::OWN_ARTEFACTS) {
            facts.own_artefacts.push(artefact.name.clone());
            facts.artefacts.push(artefact.name.clone());
        } else if here(paths::ARTEFACTS) {
            facts.artefacts.push(artefact.name.clone());
        }
    }
}

/// The digest of an artefact's folder; none if a file is missing.
fn digest(folder: &Path, names: &[String]) -> Option<Digest> {
    let mut files = BTreeMap::new();
    for name in names {
        files.insert(name.clone(), Digest::of(std::fs::read(folder.join(name)).ok()?));
    }
    Some(model::catalogue::lock::artefact_digest(&files))
}

/// The plan for this seed, catalogue and machine.
///
/// # Errors
/// What the owner wrote is wrong for this machine; or the image is damaged.
pub fn plan(host: &Host, seed: &Seed, facts: Facts) -> Result<Plan, Failure> {
    let (catalogue, facts) = gathered(host, seed, facts)?;
    Ok(model::plan::plan(seed, &catalogue, &facts)?)
}

/// What a plan is computed from besides the seed: the catalogue, and the facts with the artefacts
/// that lie on the box and the disks that it had before.
///
/// # Errors
/// A stack of the owner's is wrong; or the image is damaged.
pub fn gathered(host: &Host, seed: &Seed, mut facts: Facts) -> Result<(Catalogue, Facts), Failure> {
    let catalogue = catalogue(host)?;
    add_artefacts(&mut facts, host, &catalogue.lock.artefacts, &seed.images.pins);
    let known = Known::load(host)
        .map_err(|trouble| Failure::machine(trouble.to_string(), trouble.hint()))?;
    facts.known = known.0;
    Ok((catalogue, facts))
}

/// When the image was built, in seconds since the epoch, as its manifest says.
pub fn built(host: &Host) -> Option<i64> {
    let bytes = host::files::read_optional(host.path(paths::MANIFEST)).ok().flatten()?;
    let manifest: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    manifest.get("epoch")?.as_i64()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::host_in;

    #[test]
    fn a_tree_is_read_by_relative_path_without_what_editors_leave() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        fs::create_dir_all(place.join("core/traefik")).unwrap();
        for name in ["core/compose.yaml", "core/traefik/a.j2", "images.lock", ".swp", "core/x~"] {
            fs::write(place.join(name), name).unwrap();
        }
        let files = tree(place).unwrap_or_default();
        assert_eq!(
            files.keys().collect::<Vec<_>>(),
            ["core/compose.yaml", "core/traefik/a.j2", "images.lock"]
        );
        assert!(tree(&place.join("nowhere")).unwrap_or_default().is_empty());
    }

    #[test]
    fn an_image_without_catalogue_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let failure = catalogue(&host_in(folder.path())).unwrap_err();
        assert_eq!(failure.exit(), 3);
        assert!(failure.text().starts_with("error: `/usr/share/homelab/stacks` has no stacks\n"));
    }
}
