//! Sealing: the accepted seed is copied to the root disk before the first change, and every later
//! try uses that copy, whatever became of the medium.
//!
//! The secrets that the seed does not hold itself are kept first; the rename of the sealed seed
//! is the moment that counts. A cut before it leaves an unclaimed box with a few files that the
//! next sealing replaces.

use std::{collections::BTreeMap, path::Path};

use host::{Host, files};
use model::{Digest, Secret, paths, secret::SecretRef};
use serde::{Deserialize, Serialize};

/// Where the accepted seed came from, for `homelab status`.
const ACCEPTED: &str = "/var/lib/homelab/accepted.json";

/// What was accepted, when, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Digest of the text as it was accepted.
    pub digest: Digest,
    /// Where it came from, as a part of a sentence.
    pub source: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// Its owner changed their mind: a plan that was begun from another seed is dropped.
    #[serde(default)]
    pub replaces: bool,
}

/// Seals a seed.
///
/// # Errors
/// The root disk cannot be written.
pub fn seal(
    host: &Host,
    text: &str,
    source: &str,
    foreign: &BTreeMap<SecretRef, Secret>,
) -> host::Result<Accepted> {
    seal_as(host, text, source, foreign, false)
}

/// Seals another seed on a box that is not installed, in place of the one that was sealed.
///
/// # Errors
/// The root disk cannot be written.
pub fn reseal(host: &Host, text: &str, source: &str) -> host::Result<Accepted> {
    seal_as(host, text, source, &BTreeMap::new(), true)
}

/// Whether an unfinished plan of another seed gives way to the sealed one.
pub fn replaces(host: &Host, text: &str) -> bool {
    accepted(host).is_some_and(|found| found.replaces && found.digest == Digest::of(text))
}

fn seal_as(
    host: &Host,
    text: &str,
    source: &str,
    foreign: &BTreeMap<SecretRef, Secret>,
    replaces: bool,
) -> host::Result<Accepted> {
    let (digest, source) = (Digest::of(text), source.to_owned());
    let accepted = Accepted { digest, source, at: host.clock.now(), replaces };
    files::ensure_folder(host.path("/etc/homelab"), 0o755, (0, 0))?;
    files::ensure_folder(host.path(paths::SECRETS), 0o700, (0, 0))?;
    files::ensure_folder(host.path(paths::STATE), 0o755, (0, 0))?;
    for (name, secret) in foreign {
        let path = host.path(paths::SECRETS).join(&name.0);
        files::write_atomic(path, secret.reveal(), 0o600, (0, 0))?;
    }
    let about = serde_json::to_vec_pretty(&accepted)
        .map_err(|error| host::HostError::Other(error.to_string()))?;
    files::write_atomic(host.path(ACCEPTED), about, 0o644, (0, 0))?;
    files::write_atomic(host.path(paths::SEED), text, 0o600, (0, 0))?;
    forget_answers(host)?;
    Ok(accepted)
}

/// Forgets the sealed seed and what was kept with it, where the system goes on with a copy of them: the
/// bytes are overwritten before the names go.
///
/// # Errors
/// Something of it stays.
pub fn unseal(host: &Host) -> host::Result<()> {
    let secrets = host.path(paths::SECRETS);
    let mut all: Vec<_> = files::list(&secrets)?.iter().map(|name| secrets.join(name)).collect();
    all.extend([paths::ANSWERS, paths::SEED].map(|path| host.path(path)));
    for path in all {
        if path.exists() {
            files::overwrite_in_place(&path, &[])?;
            files::remove(&path)?;
        }
    }
    files::remove(host.path(ACCEPTED)).map(drop)
}

/// Removes what was answered in a setup: with a sealed seed it is worth nothing, and secret.
///
/// # Errors
/// It is there and stays.
pub fn forget_answers(host: &Host) -> host::Result<bool> {
    files::remove(host.path(paths::ANSWERS))
}

/// The sealed seed's text; none: nobody has claimed this box.
///
/// # Errors
/// It is there but cannot be read.
pub fn sealed(host: &Host) -> host::Result<Option<String>> {
    files::read_text_optional(host.path(paths::SEED))
}

/// What is known about the sealed seed's origin.
pub fn accepted(host: &Host) -> Option<Accepted> {
    let bytes = files::read_optional(host.path(ACCEPTED)).ok().flatten()?;
    serde_json::from_slice(&bytes).ok()
}

/// A file that the sealed seed names; a relative path lies beside it.
///
/// # Errors
/// Why it cannot be had, in one sentence.
pub fn file(host: &Host, path: &Path) -> Result<String, String> {
    let place = match path.is_absolute() {
        true => host.path(path),
        false => host.path("/etc/homelab").join(path),
    };
    let text = files::read_text_optional(&place).map_err(|error| error.to_string())?;
    text.ok_or_else(|| format!("`{}` is not there", place.display()))
}

/// A secret that was kept.
pub fn kept(host: &Host, name: &SecretRef) -> Option<Secret> {
    let path = host.path(paths::SECRETS).join(&name.0);
    files::read_text_optional(path).ok().flatten().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::testing::host_in;

    #[test]
    fn the_sealed_copy_is_private_whole_and_has_its_origin() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        assert_eq!(sealed(&host).unwrap(), None);
        let foreign = BTreeMap::from([(SecretRef::new("admin-password"), Secret::new("pw"))]);
        let accepted_now = seal(&host, "schema = 1\n", "the SEED partition", &foreign).unwrap();
        assert_eq!(accepted_now.digest, Digest::of("schema = 1\n"));
        assert_eq!(sealed(&host).unwrap().as_deref(), Some("schema = 1\n"));
        assert_eq!(accepted(&host), Some(accepted_now));
        assert_eq!(kept(&host, &SecretRef::new("admin-password")).unwrap().reveal(), "pw");
        for path in [paths::SEED, "/etc/homelab/secrets/admin-password"] {
            let mode = fs::metadata(host.path(path)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{path}");
        }
    }

    #[test]
    fn what_a_cut_left_behind_is_no_seed() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        fs::create_dir_all(host.path("/etc/homelab/secrets")).unwrap();
        fs::write(host.path("/etc/homelab/.homelab-x1"), "schema = 1\n[adm").unwrap();
        fs::write(host.path("/etc/homelab/secrets/admin-password"), "old").unwrap();
        assert_eq!(sealed(&host).unwrap(), None);
        let foreign = BTreeMap::from([(SecretRef::new("admin-password"), Secret::new("new"))]);
        seal(&host, "schema = 1\n", "a stick", &foreign).unwrap();
        assert_eq!(kept(&host, &SecretRef::new("admin-password")).unwrap().reveal(), "new");
    }

    #[test]
    fn a_changed_mind_is_remembered_and_answers_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        seal(&host, "one", "a stick", &BTreeMap::new()).unwrap();
        assert!(!replaces(&host, "one"));
        fs::write(host.path(paths::ANSWERS), "{}").unwrap();
        reseal(&host, "two", "the setup on tty1").unwrap();
        assert!(replaces(&host, "two") && !replaces(&host, "one"));
        assert!(!host.path(paths::ANSWERS).exists());
        // Edited by its owner afterwards: that is for `homelab apply` to find out.
        assert!(!replaces(&host, "three"));
        seal(&host, "two", "a file", &BTreeMap::new()).unwrap();
        assert!(!replaces(&host, "two"));
    }
}
