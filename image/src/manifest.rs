//! What an image is, as data: inside it, and beside it as a file.

use std::{collections::BTreeMap, io::Read as _};

use model::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    error::{At as _, Result},
    identifiers::Identifiers,
    tree::{Content, Kind, Tree},
};

/// Version of this shape; readers ignore keys that they do not know.
pub const FORMAT: u32 = 1;

/// What an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`]
    pub format: u32,
    /// Name of the recipe's image.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Debian's name of the architecture.
    pub architecture: String,
    /// Debian's suite.
    pub suite: String,
    /// Seconds since 1970: no file is younger.
    pub epoch: i64,
    /// Which seeds the installer in it reads.
    pub seed_schema: SchemaRange,
    /// The identifiers that it was made with. A box replaces every one.
    pub identifiers: Identifiers,
    /// Package to version.
    pub packages: BTreeMap<String, String>,
    /// Path to digest of every file that did not come from Debian.
    pub files: BTreeMap<String, Digest>,
    /// Image reference to digest, from the lock; null where the lock has none.
    pub images: BTreeMap<String, Option<Digest>>,
    /// Artefact to what became of it.
    pub artefacts: BTreeMap<String, ArtefactState>,
}

/// Seeds of these schemas are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRange {
    /// Oldest.
    pub from: u32,
    /// Newest.
    pub to: u32,
}

impl SchemaRange {
    /// What the installer of this build reads.
    pub fn ours() -> Self {
        Self { from: 1, to: model::seed::SCHEMA }
    }
}

/// What became of an artefact at build time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ArtefactState {
    /// It is in the image.
    Present {
        /// Version in the lock.
        version: String,
        /// Digest of its files; see `model::catalogue`.
        digest: Digest,
        /// Does the lock name this digest? Otherwise it was taken as it came.
        locked: bool,
    },
    /// It could not be had. Services that want it do without.
    Missing {
        /// Version in the lock.
        version: String,
        /// Why.
        reason: String,
    },
}

/// The small file on the SEED partition by which a tool on any PC knows whether a seed fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// [`FORMAT`]
    pub format: u32,
    /// `homelab-0.1.0-amd64`.
    pub image: String,
    /// Which seeds the installer in the image reads.
    pub seed_schema: SchemaRange,
}

/// Name of [`Card`]'s file.
pub const CARD: &str = "IMAGE.JSON";

impl Manifest {
    /// As the file holds it.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Package to version, from dpkg's status file.
pub fn packages(status: &str) -> BTreeMap<String, String> {
    let mut packages = BTreeMap::new();
    for paragraph in status.split("\n\n") {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        if let (Some(name), Some(version), Some(state)) =
            (field("Package"), field("Version"), field("Status"))
        {
            if state.ends_with(" installed") {
                packages.insert(name.to_owned(), version.to_owned());
            }
        }
    }
    packages
}

/// Digests of the files at these paths.
///
/// # Errors
/// One cannot be read.
pub fn digests(tree: &Tree, paths: &[String]) -> Result<BTreeMap<String, Digest>> {
    let mut digests = BTreeMap::new();
    for path in paths {
        let Some(node) = tree.get(path) else { continue };
        let digest = match &node.kind {
            Kind::File { content: Content::Bytes(bytes), .. } => Digest::of(bytes),
            Kind::File { content: Content::File { path, .. }, .. } => {
                let mut file = std::fs::File::open(path).at("read", path)?;
                let mut hash = Sha256::new();
                let mut block = vec![0; 1 << 20];
                loop {
                    match file.read(&mut block).at("read", path)? {
                        0 => break Digest::from_hash(&hash.finalize()),
                        count => hash.update(&block[..count]),
                    }
                }
            }
            Kind::Link(target) => Digest::of(target),
            _ => continue,
        };
        digests.insert(format!("/{path}"), digest);
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_a_status_file() {
        let status = "Package: ufw\nStatus: install ok installed\nVersion: 0.36.2-9\nDescription: x\n y\n\n\
                      Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n";
        assert_eq!(packages(status), [("ufw".to_owned(), "0.36.2-9".to_owned())].into());
    }
}
