//! Artefacts of the lock: fetched by their URL or taken from a local folder or archive, and
//! checked. One that cannot be had is no failure: the image says so, and the box does without.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use model::{
    Digest,
    catalogue::lock::{LockedArtefact, artefact_digest},
};

use crate::{
    cache::{Cache, Inputs},
    error::{At as _, ImageError, Result},
    manifest::ArtefactState,
};

/// Path below the artefact to content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// How long a failed fetch is not tried again.
const PATIENCE: Duration = Duration::from_secs(600);
/// Bytes of the biggest archive that is taken.
const MOST: u64 = 64 << 20;

/// Gets one artefact.
///
/// # Errors
/// What was given or fetched is not what the lock describes. That it could not be fetched is a
/// value.
pub fn get(
    artefact: &LockedArtefact,
    given: Option<&Path>,
    cache: &Cache,
) -> Result<(ArtefactState, Files)> {
    let version = artefact.version.clone();
    let files = match given {
        Some(path) => local(artefact, path)?,
        None => match cached(artefact, cache)? {
            Ok(files) => files,
            Err(reason) => return Ok((ArtefactState::Missing { version, reason }, Files::new())),
        },
    };
    let digest = digest(&files);
    if let Some(locked) = &artefact.digest {
        if *locked != digest {
            return Err(ImageError::Other(format!(
                "the artefact `{}` has the digest {digest}, but stacks/images.lock names {locked}; \
                 what was got is not what the lock describes",
                artefact.name
            )));
        }
    }
    Ok((ArtefactState::Present { version, digest, locked: artefact.digest.is_some() }, files))
}

fn digest(files: &Files) -> Digest {
    artefact_digest(&files.iter().map(|(path, text)| (path.clone(), Digest::of(text))).collect())
}

/// From a folder or a `.tar.gz` of this machine, with or without the lock's `strip_prefix`.
fn local(artefact: &LockedArtefact, path: &Path) -> Result<Files> {
    if path.is_dir() {
        let inner = path.join(&artefact.strip_prefix);
        let folder = if inner.is_dir() { inner } else { path.to_owned() };
        return artefact
            .files
            .iter()
            .map(|name| {
                let file = folder.join(name);
                Ok((name.clone(), fs::read(&file).at("read", file)?))
            })
            .collect();
    }
    let archive = fs::read(path).at("read", path)?;
    unpack(artefact, &archive, &path.display().to_string())
}

fn cached(artefact: &LockedArtefact, cache: &Cache) -> Result<Result<Files, String>> {
    let inputs: Inputs = [
        ("files", artefact.files.join(" ")),
        ("name", artefact.name.clone()),
        ("strip_prefix", artefact.strip_prefix.clone()),
        ("url", artefact.url.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let note = failure_note(cache, artefact);
    if let Some(reason) = recent(&note) {
        return Ok(Err(reason));
    }
    let mut unreachable = None;
    let made = cache.stage("artefact", &inputs, |folder| {
        let archive = fetch(&artefact.url).map_err(|reason| {
            unreachable = Some(reason.clone());
            ImageError::Other(reason)
        })?;
        for (name, content) in unpack(artefact, &archive, &artefact.url)? {
            let file = folder.join("files").join(name);
            let above = file.parent().unwrap_or(folder);
            fs::create_dir_all(above).at("create", above)?;
            fs::write(&file, content).at("write", &file)?;
        }
        Ok(())
    });
    match (made, unreachable) {
        (Ok(folder), _) => Ok(Ok(local(artefact, &folder.join("files"))?)),
        (Err(_), Some(reason)) => {
            // Only to be quick the next time; if it cannot be noted, it is asked again.
            let _ = fs::write(&note, &reason);
            Ok(Err(reason))
        }
        (Err(error), None) => Err(error),
    }
}

fn failure_note(cache: &Cache, artefact: &LockedArtefact) -> PathBuf {
    let key = Digest::of(&artefact.url);
    cache.folder().join("artefact").join(format!("failed-{}", key.short()))
}

fn recent(note: &Path) -> Option<String> {
    let age = fs::metadata(note).ok()?.modified().ok()?.elapsed().ok()?;
    (age < PATIENCE).then(|| fs::read_to_string(note).ok())?
}

/// What lies at an https address.
///
/// # Errors
/// Why it cannot be had.
pub fn fetch(url: &str) -> Result<Vec<u8>, String> {
    // It may be installed already; either way there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failed = |error: reqwest::Error| {
        let mut text = error.without_url().to_string();
        text.truncate(300);
        format!("cannot fetch {url}: {text}")
    };
    let client = reqwest::blocking::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(120))
        .https_only(true)
        .build()
        .map_err(failed)?;
    let answer = client.get(url).send().and_then(|a| a.error_for_status()).map_err(failed)?;
    let mut bytes = Vec::new();
    answer
        .take(MOST)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot fetch {url}: {error}"))?;
    Ok(bytes)
}

fn unpack(artefact: &LockedArtefact, archive: &[u8], from: &str) -> Result<Files> {
    let damaged = |error: std::io::Error| {
        ImageError::Other(format!(
            "the archive of the artefact `{}` ({from}) cannot be read: {error}",
            artefact.name
        ))
    };
    let mut files = Files::new();
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
        let path = path.strip_prefix(&artefact.strip_prefix).unwrap_or(&path);
        let path = path.trim_start_matches('/');
        if artefact.files.iter().any(|name| name == path) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(damaged)?;
            files.insert(path.to_owned(), content);
        }
    }
    let missing: Vec<_> = artefact
        .files
        .iter()
        .filter(|name| !files.contains_key(*name))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        Ok(files)
    } else {
        Err(ImageError::Other(format!(
            "the artefact `{}` ({from}) lacks {}",
            artefact.name,
            missing.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn locked(digest: Option<Digest>) -> LockedArtefact {
        LockedArtefact {
            name: "plugin".into(),
            version: "v1".into(),
            url: "https://127.0.0.1:1/plugin.tar.gz".into(),
            strip_prefix: "plugin-1".into(),
            files: vec!["main.go".into(), ".traefik.yml".into()],
            digest,
            digest_missing: None,
        }
    }

    fn archive(folder: &Path, names: &[&str]) -> PathBuf {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(2);
            header.set_mode(0o644);
            builder.append_data(&mut header, format!("plugin-1/{name}"), &b"x\n"[..]).unwrap();
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&builder.into_inner().unwrap()).unwrap();
        let path = folder.join("plugin.tar.gz");
        fs::write(&path, gzip.finish().unwrap()).unwrap();
        path
    }

    #[test]
    fn archive_and_folder_give_the_same_files_and_only_the_listed_ones() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let archive = archive(folder.path(), &["main.go", ".traefik.yml", "main_test.go"]);
        let (state, files) = get(&locked(None), Some(&archive), &cache).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), [".traefik.yml", "main.go"]);
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        for name in [".traefik.yml", "main.go"] {
            fs::write(tree.join(name), "x\n").unwrap();
        }
        assert_eq!(get(&locked(None), Some(&tree), &cache).unwrap(), (state.clone(), files));
        let ArtefactState::Present { digest, locked: false, .. } = state else {
            panic!("{state:?}")
        };
        let (state, _) = get(&locked(Some(digest.clone())), Some(&tree), &cache).unwrap();
        assert_eq!(state, ArtefactState::Present { version: "v1".into(), digest, locked: true });
    }

    #[test]
    fn another_digest_and_missing_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let wanted = Digest::of("other");
        let whole = archive(folder.path(), &["main.go", ".traefik.yml"]);
        let error = get(&locked(Some(wanted)), Some(&whole), &cache).unwrap_err().to_string();
        assert!(error.starts_with("the artefact `plugin` has the digest sha256:"), "{error}");
        let part = archive(folder.path(), &["main.go"]);
        let error = get(&locked(None), Some(&part), &cache).unwrap_err().to_string();
        assert!(error.ends_with(") lacks .traefik.yml"), "{error}");
    }

    #[test]
    fn what_cannot_be_fetched_is_missing_and_not_asked_again_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let (state, files) = get(&locked(None), None, &cache).unwrap();
        let ArtefactState::Missing { reason, .. } = &state else { panic!("{state:?}") };
        assert!(reason.starts_with("cannot fetch https://127.0.0.1:1/plugin.tar.gz: "), "{reason}");
        assert!(files.is_empty());
        assert!(recent(&failure_note(&cache, &locked(None))).is_some());
    }
}
