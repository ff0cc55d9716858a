//! `images.lock`: every image and artefact of the catalogue, pinned.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Digest, Problems};

/// The schema of the lock that is read here.
pub const SCHEMA: u32 = 1;

/// Images and artefacts, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Images.
    pub images: Vec<LockedImage>,
    /// What is not an image but must be on the box at the first start.
    pub artefacts: Vec<LockedArtefact>,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedImage {
    /// As Compose files name it: `traefik:v3.7.11`.
    pub reference: String,
    /// Registry and repository: `docker.io/library/traefik`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// Digest of the image index or manifest.
    pub digest: Option<Digest>,
    /// Why there is no digest yet.
    pub digest_missing: Option<String>,
    /// What is known to be inside and may be used by a health check; empty: not known.
    #[serde(default)]
    pub programs: Vec<String>,
}

/// A folder of files that is fetched when the disk image is built.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedArtefact {
    /// Its name, also of its folder.
    pub name: String,
    /// Its version.
    pub version: String,
    /// A `.tar.gz` by https.
    pub url: String,
    /// Folder inside the archive that is left out of the names.
    #[serde(default)]
    pub strip_prefix: String,
    /// The files that are kept, relative to `strip_prefix`.
    pub files: Vec<String>,
    /// See [`artefact_digest`].
    pub digest: Option<Digest>,
    /// Why there is no digest yet.
    pub digest_missing: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLock {
    schema: u32,
    #[serde(default)]
    image: Vec<toml::Spanned<LockedImage>>,
    #[serde(default)]
    artefact: Vec<toml::Spanned<LockedArtefact>>,
}

impl Lock {
    /// Parses a lock.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let mut problems = Problems::new(file, text);
        let raw: RawLock = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(error) => {
                problems.push(error.span(), error.message().to_owned(), "");
                return problems.into_result(None);
            }
        };
        if raw.schema != SCHEMA {
            let message = format!("schema {} is not the one known here, {SCHEMA}", raw.schema);
            problems.push(None, message, "");
        }
        let mut seen: Vec<String> = Vec::new();
        let mut entry = |name: &str, digest: bool, reason: Option<&str>, span, kind: &str| match (
            digest, reason,
        ) {
            (true, Some(_)) => problems.push(
                Some(span),
                format!("{kind} `{name}` has a digest and a reason for having none"),
                "remove `digest_missing`",
            ),
            (false, None | Some("")) => problems.push(
                Some(span),
                format!("{kind} `{name}` has no digest"),
                "add `digest`, or say in `digest_missing` why there is none",
            ),
            _ if seen.iter().any(|other| other == name) => {
                problems.push(Some(span), format!("{kind} `{name}` stands here twice"), "");
            }
            _ => seen.push(name.to_owned()),
        };
        for image in &raw.image {
            let (span, image) = (image.span(), image.get_ref());
            let reason = image.digest_missing.as_deref();
            entry(&image.reference, image.digest.is_some(), reason, span, "image");
        }
        for artefact in &raw.artefact {
            let (span, artefact) = (artefact.span(), artefact.get_ref());
            let reason = artefact.digest_missing.as_deref();
            entry(&artefact.name, artefact.digest.is_some(), reason, span, "artefact");
        }
        problems.into_result(Some(Self {
            images: raw.image.into_iter().map(toml::Spanned::into_inner).collect(),
            artefacts: raw.artefact.into_iter().map(toml::Spanned::into_inner).collect(),
        }))
    }

    /// The entry of an image by its reference.
    pub fn image(&self, reference: &str) -> Option<&LockedImage> {
        self.images.iter().find(|image| image.reference == reference)
    }

    /// The entry of an artefact by its name.
    pub fn artefact(&self, name: &str) -> Option<&LockedArtefact> {
        self.artefacts.iter().find(|artefact| artefact.name == name)
    }
}

/// Digest of an artefact: SHA-256 over one line a file, `<SHA-256 of the file>  <path>\n`, sorted
/// by path. `files` holds the digest of each listed file by its relative path.
pub fn artefact_digest(files: &BTreeMap<String, Digest>) -> Digest {
    let lines: String =
        files.iter().map(|(path, digest)| format!("{}  {path}\n", digest.hex())).collect();
    Digest::of(lines)
}

/// An image reference taken apart: registry and repository as a registry knows them, and the tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `docker.io/library/traefik` for `traefik:v3.7.11`.
    pub repository: String,
    /// The tag; none if the reference names none.
    pub tag: Option<String>,
}

impl Reference {
    /// Takes a reference apart as Docker does: no dot, colon or `localhost` in the first part
    /// means Docker Hub, and a single name there belongs to `library`.
    pub fn parse(reference: &str) -> Self {
        let name = reference.split('@').next().unwrap_or(reference);
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (name, None),
        };
        let repository = match name.split_once('/') {
            Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => {
                name.to_owned()
            }
            Some(_) => format!("docker.io/{name}"),
            None => format!("docker.io/library/{name}"),
        };
        Self { repository, tag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart_as_docker_does() {
        for (reference, repository, tag) in [
            ("traefik:v3", "docker.io/library/traefik", Some("v3")),
            ("authelia/authelia:4", "docker.io/authelia/authelia", Some("4")),
            ("lscr.io/linuxserver/duckdns:1", "lscr.io/linuxserver/duckdns", Some("1")),
            ("homelab.test/whoami:1", "homelab.test/whoami", Some("1")),
            ("localhost/x", "localhost/x", None),
            ("host:5000/x", "host:5000/x", None),
        ] {
            let parsed = Reference::parse(reference);
            assert_eq!((parsed.repository.as_str(), parsed.tag.as_deref()), (repository, tag));
        }
    }

    #[test]
    fn an_artefact_digest_covers_names_and_contents() {
        let digest = |path: &str, text: &str| {
            artefact_digest(&BTreeMap::from([(path.to_owned(), Digest::of(text))]))
        };
        assert_eq!(
            digest("a", "abc"),
            Digest::of("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n")
        );
        assert_ne!(digest("a", "abc"), digest("b", "abc"));
        assert_ne!(digest("a", "abc"), digest("a", "abd"));
    }

    #[test]
    fn what_is_wrong_with_a_lock_is_said() {
        let image =
            "[[image]]\nreference = \"a:1\"\nrepository = \"docker.io/library/a\"\ntag = \"1\"\n";
        for (text, message) in [
            ("schema = 2".to_owned(), "l: schema 2 is not the one known here, 1"),
            (format!("schema = 1\n{image}"), "l:2:1: image `a:1` has no digest"),
            (
                format!("schema = 1\n{image}digest_missing = \"x\"\n{image}digest_missing = \"x\""),
                "l:7:1: image `a:1` stands here twice",
            ),
        ] {
            let problems = Lock::parse("l", &text).unwrap_err();
            assert_eq!(problems.summary_lines(), [message]);
        }
    }
}
