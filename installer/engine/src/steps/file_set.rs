//! Files of a service of the system: network, Docker.

use std::path::Path;

use host::files;
use model::{
    Digest,
    plan::{FileSet, FileWish},
};

use crate::{failure::Result, scene::Scene, steps::Holding};

/// What of the set does not hold.
pub(crate) fn look(set: &FileSet, scene: &Scene<'_>, holding: &mut Holding) -> Result<()> {
    for file in &set.files {
        let same = is_so(file, scene)?;
        holding.need(same, || format!("`{}` is not as planned", file.path));
    }
    for path in stale(set, scene)? {
        holding.lacks(format!("`{path}` of an earlier plan is there"));
    }
    Ok(())
}

/// Does the file lie there with this text, mode and owner?
pub(crate) fn is_so(file: &FileWish, scene: &Scene<'_>) -> Result<bool> {
    match scene.fill_if_known(&file.text)? {
        Some(text) => {
            let path = scene.host().path(&file.path);
            Ok(files::same(path, text.reveal(), file.mode, file.owner)?)
        }
        None => Ok(false),
    }
}

/// Writes a file unless it is there already; true if it was written.
pub(crate) fn ensure(file: &FileWish, scene: &Scene<'_>) -> Result<bool> {
    let path = scene.host().path(&file.path);
    if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
        files::ensure_folder(folder, 0o755, (0, 0))?;
    }
    Ok(files::ensure(path, scene.fill(&file.text)?.reveal(), file.mode, file.owner)?)
}

/// Makes the set as it should be.
pub(crate) fn write(set: &FileSet, scene: &Scene<'_>) -> Result<()> {
    for file in &set.files {
        ensure(file, scene)?;
    }
    for path in stale(set, scene)? {
        files::remove(scene.host().path(path))?;
    }
    Ok(())
}

/// Digest of what the set says, secrets' names instead of secrets.
pub(crate) fn digest(set: &FileSet) -> Digest {
    Digest::of(serde_json::to_vec(&set.files).unwrap_or_default())
}

/// Files of ours that no plan wants any more.
fn stale(set: &FileSet, scene: &Scene<'_>) -> Result<Vec<String>> {
    let Some((folder, prefix)) = set.owned_prefix.rsplit_once('/') else {
        return Ok(Vec::new());
    };
    let names = files::list(scene.host().path(folder))?;
    let owned = names.into_iter().filter(|name| name.starts_with(prefix));
    let paths = owned.map(|name| Path::new(folder).join(name).to_string_lossy().into_owned());
    Ok(paths.filter(|path| !set.files.iter().any(|file| file.path == *path)).collect())
}
