//! What we remember between runs, below [`model::paths::STATE`]: facts about the past that the
//! machine itself cannot tell. Whether something *holds* is never read from here alone.

use std::collections::BTreeMap;

use host::{Host, files};
use model::{Digest, paths, secret::SecretRef};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::failure::{Context as _, Result};

/// A file of our state.
pub trait Kept: Serialize + DeserializeOwned + Default {
    /// Its name below [`paths::STATE`].
    const NAME: &'static str;

    /// What was saved last; the default if nothing was.
    ///
    /// # Errors
    /// The file is there but cannot be read or understood.
    fn load(host: &Host) -> Result<Self> {
        let path = format!("{}/{}", paths::STATE, Self::NAME);
        match files::read_optional(host.path(&path))? {
            None => Ok(Self::default()),
            Some(bytes) => serde_json::from_slice(&bytes).because(
                format!("`{path}` is damaged"),
                format!("remove it with `rm {path}`; what it held is found out anew"),
            ),
        }
    }

    /// Replaces what was saved, synced.
    ///
    /// # Errors
    /// The folder cannot be written.
    fn save(&self, host: &Host) -> Result<()> {
        let path = format!("{}/{}", paths::STATE, Self::NAME);
        files::ensure_folder(host.path(paths::STATE), 0o755, (0, 0))?;
        let mut text = serde_json::to_string_pretty(self)
            .because(format!("cannot put `{path}` into words"), "")?;
        text.push('\n');
        Ok(files::ensure(host.path(&path), text, 0o600, (0, 0)).map(drop)?)
    }
}

/// What was done to the system and leaves no better trace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// Files that the running Docker daemon was started with.
    #[serde(default)]
    pub docker: Option<Digest>,
    /// Rules that the firewall was loaded with last.
    #[serde(default)]
    pub firewall: Option<Digest>,
    /// Stack, service: configuration that its container was started with.
    #[serde(default)]
    pub stacks: BTreeMap<String, BTreeMap<String, Digest>>,
    /// Stack, service that sleeps: the setup that was done in it while it was awake last.
    #[serde(default)]
    pub setups: BTreeMap<String, BTreeMap<String, Digest>>,
    /// The admin's password as it was set last: argon2id of the text, or digest of the crypt(5)
    /// hash. A password changed with `passwd` stays until the seed's changes.
    #[serde(default)]
    pub admin_password: Option<String>,
    /// SSH keys that came from a seed: those that a later seed lacks are taken away again.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
    /// Secrets that were on a recovery sheet.
    #[serde(default)]
    pub shown: Vec<SecretRef>,
}

impl Kept for Applied {
    const NAME: &'static str = "applied.json";
}

/// What we wrote below `/opt/stacks`: path to digests. More than one while writing is under way:
/// the file then has one of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Rendered(pub BTreeMap<String, Vec<Digest>>);

impl Kept for Rendered {
    const NAME: &'static str = "rendered.json";
}

/// Images that are on the disk for good: reference to image id. Docker does not flush the files of
/// a pulled layer, so after a power cut it may know an image whose files are empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Flushed(pub BTreeMap<String, String>);

impl Kept for Flushed {
    const NAME: &'static str = "flushed.json";
}

/// Disks that were mounted here: selector of the seed to the UUID that was found there. Such a disk
/// may be missing later; one that never came is a mistake.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Known(pub BTreeMap<String, String>);

impl Kept for Known {
    const NAME: &'static str = "known-disks.json";
}

/// References without a digest in the lock, and what was pulled for them. A reinstall that starts
/// from this file gets the same images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pinned(pub BTreeMap<String, Digest>);

impl Kept for Pinned {
    const NAME: &'static str = "pinned.json";
}
