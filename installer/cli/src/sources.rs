//! Where a seed comes from. Only a box that nobody has claimed looks for one.
//!
//! In this order: a credential of systemd (`homelab.seed`, by SMBIOS or fw_cfg), the kernel
//! command line (`homelab.seed=URL`), `seed.toml` on the SEED partition of the disk that the box
//! was started from, and, only if that partition has none, a removable volume labelled
//! `HOMELAB-SEED`. Never another fixed disk. Two different seeds at once are an error that names
//! both: whoever put the second one there believes that it counts.

use std::{
    path::{Component, Path},
    sync::Arc,
};

use engine::Medium;
use model::{Digest, paths::partition::SEED_FILE};

use crate::kernel_line::KernelLine;

/// What a seed may weigh; more is no seed but a mistake.
pub const LARGEST: u64 = 1 << 20;

/// A seed that was found, not yet looked into.
#[derive(Clone)]
pub struct Found {
    /// Its text.
    pub text: String,
    /// Where it came from, as a part of a sentence: `the SEED partition of the box's own disk`.
    pub source: String,
    /// The medium that it lies on, for files beside it; none: it has no neighbours.
    pub medium: Option<Arc<dyn Medium>>,
}

impl Found {
    /// The digest of its text.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.text)
    }

    /// A file beside the seed.
    ///
    /// # Errors
    /// What is wrong, in one sentence.
    pub fn beside(&self, path: &Path) -> Result<String, String> {
        if !stays_below(path) {
            return Err(format!("`{}` leaves the folder of the seed", path.display()));
        }
        let Some(medium) = &self.medium else {
            return Err(format!(
                "`{}` cannot be had: a seed from {} has no files beside it",
                path.display(),
                self.source
            ));
        };
        read(medium.as_ref(), path)?
            .ok_or_else(|| format!("`{}` is not there beside the seed", path.display()))
    }
}

/// What a look at all places gave.
pub enum Search {
    /// No seed. Why a place could not be read, one sentence each.
    Nothing(Vec<String>),
    /// One seed, or several copies of one.
    One(Found),
    /// Two different ones.
    Two(Found, Found),
}

/// The places, as a test or the machine gives them.
pub trait Places {
    /// The credential `homelab.seed`, if systemd was handed one.
    ///
    /// # Errors
    /// It is there but cannot be read.
    fn credential(&self) -> Result<Option<String>, String>;

    /// Fetches a text of at most [`LARGEST`] bytes.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn fetch(&self, url: &str) -> Result<String, String>;

    /// The SEED partition of the disk that holds `/`, to be read only.
    fn seed_partition(&self) -> Option<Arc<dyn Medium>>;

    /// Removable volumes labelled `HOMELAB-SEED`, each with a name such as `sdb1`, to be read only.
    fn removable(&self) -> Vec<(String, Arc<dyn Medium>)>;
}

/// Looks at all places.
pub fn search(places: &dyn Places, line: &KernelLine) -> Search {
    let mut trouble = Vec::new();
    let mut found = Vec::new();
    match places.credential() {
        Ok(Some(text)) => found.push(Found {
            text,
            source: "the credential `homelab.seed` of this machine".to_owned(),
            medium: None,
        }),
        Ok(None) => {}
        Err(why) => trouble.push(format!("the credential `homelab.seed` cannot be read: {why}")),
    }
    if let Some(url) = &line.seed {
        match from_url(places, url, line.seed_sha256.as_deref()) {
            Ok(text) => found.push(Found {
                text,
                source: format!("{url}, named on the kernel command line"),
                medium: None,
            }),
            Err(why) => trouble.push(why),
        }
    }
    let mut on_partition = false;
    if let Some(medium) = places.seed_partition() {
        match read(medium.as_ref(), Path::new(SEED_FILE)) {
            Ok(Some(text)) => {
                on_partition = true;
                found.push(Found {
                    text,
                    source: "the SEED partition of the box's own disk".to_owned(),
                    medium: Some(medium),
                });
            }
            Ok(None) => {}
            Err(why) => trouble.push(format!("the SEED partition cannot be read: {why}")),
        }
    }
    if !on_partition {
        for (name, medium) in places.removable() {
            match read(medium.as_ref(), Path::new(SEED_FILE)) {
                Ok(Some(text)) => found.push(Found {
                    text,
                    source: format!("the removable volume {name} labelled HOMELAB-SEED"),
                    medium: Some(medium),
                }),
                Ok(None) => trouble.push(format!("the volume {name} has no `{SEED_FILE}`")),
                Err(why) => trouble.push(format!("the volume {name} cannot be read: {why}")),
            }
        }
    }
    // A place that was named but cannot be read may hold another seed: taking the one that can be
    // read would be a guess.
    let named = trouble.iter().any(|line| !line.starts_with("the volume"));
    if named || found.is_empty() {
        return Search::Nothing(trouble);
    }
    let first = found.remove(0);
    match found.into_iter().find(|other| other.text != first.text) {
        Some(other) => Search::Two(first, other),
        None => Search::One(first),
    }
}

/// Fetches a seed and holds it against its hash.
fn from_url(places: &dyn Places, url: &str, sha256: Option<&str>) -> Result<String, String> {
    if !url.starts_with("https://") && sha256.is_none() {
        return Err(format!(
            "the kernel command line names {url}: only https is taken without \
             `homelab.seed_sha256=`"
        ));
    }
    let text = places.fetch(url).map_err(|why| format!("{url} cannot be fetched: {why}"))?;
    match sha256 {
        Some(hash) if Digest::of(&text).hex() != hash => Err(format!(
            "what {url} gave has the SHA-256 {}, the kernel command line asks for {hash}",
            Digest::of(&text).hex()
        )),
        _ => Ok(text),
    }
}

/// Whether a relative path cannot lead out of the folder that it is relative to.
pub fn stays_below(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// A file of a medium as text, at most [`LARGEST`] bytes; none: it is not there.
///
/// # Errors
/// Why it cannot be read.
pub fn read(medium: &dyn Medium, path: &Path) -> Result<Option<String>, String> {
    let mut result = Ok(None);
    let mounted = medium.with(&mut |folder| {
        let place = folder.join(path);
        result = match std::fs::symlink_metadata(&place) {
            // A link on somebody's stick could show any file of the box as "the seed".
            Ok(about) if !about.is_file() => {
                Err(format!("`{}` is not a plain file", path.display()))
            }
            Ok(about) if about.len() > LARGEST => {
                Err(format!("`{}` is larger than 1 MiB", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            _ => match std::fs::read(&place) {
                Ok(bytes) => match String::from_utf8(bytes) {
                    // Editors of Windows begin a file with a byte order mark.
                    Ok(text) => Ok(Some(text.trim_start_matches('\u{feff}').to_owned())),
                    Err(_) => Err(format!("`{}` is not UTF-8 text", path.display())),
                },
                Err(error) => Err(format!("`{}`: {error}", path.display())),
            },
        };
        Ok(())
    });
    mounted.map_err(|error| error.to_string())?;
    result
}

#[cfg(test)]
pub mod tests;
