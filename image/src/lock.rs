//! `homelab-image lock`: digests of `stacks/images.lock`, from the registries.
//!
//! ```text
//! images.lock --model--> images --registry, some at once--> digests --text--> images.lock
//! ```
//!
//! A digest is taken only when the bytes that came have it and when they are an index with an image
//! for every architecture that a box may have. An image that fails leaves its entry as it was; the
//! others are written all the same.

mod registry;
mod text;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use clap::Args;
use model::{
    Digest,
    catalogue::{LOCK_FILE, Lock, lock::LockedImage},
};

use crate::{
    error::{At as _, ImageError, Result},
    progress::{Phase, Progress},
};
use registry::Registry;

/// Images that are asked for at the same time: registries count the questions of one address.
const AT_ONCE: usize = 6;

/// What may be said.
#[derive(Args)]
pub struct Options {
    /// Images as the lock names them, such as `traefik:v3.7.11`; none: all
    references: Vec<String>,
    /// The folder with stacks/
    #[arg(long, default_value = ".")]
    source: PathBuf,
    /// Change nothing, and fail if something would change
    #[arg(long)]
    check: bool,
    /// Ask this registry in place of all others; it has their images as `<registry>/<repository>`
    #[arg(long, value_name = "HOST[:PORT]", value_parser = model::seed::mirror)]
    mirror: Option<String>,
    /// A root certificate (PEM) that the mirror's is trusted by
    #[arg(long, value_name = "FILE", requires = "mirror")]
    mirror_ca: Option<PathBuf>,
}

/// What became of an image.
enum Outcome {
    Same,
    Pinned(Digest),
    Moved { from: Digest, to: Digest },
    Failed(String),
}

/// Asks the registries and writes the lock; what to say at the end.
///
/// # Errors
/// The lock or the arguments are wrong, an image has no digest to be had, or `--check` found that
/// the lock would change.
pub fn lock(options: &Options, progress: &Progress) -> Result<String> {
    let path = options.source.join("stacks").join(LOCK_FILE);
    let before = fs::read_to_string(&path).at("read", &path)?;
    let lock = Lock::parse(&path.to_string_lossy(), &before)?;
    let images = select(&lock, &options.references)?;
    let authority = match &options.mirror_ca {
        Some(file) => Some(fs::read(file).at("read", file)?),
        None => None,
    };
    let registry = Registry::new(options.mirror.as_deref(), authority.as_deref())
        .map_err(ImageError::Usage)?;

    let phase = progress.phase("lock");
    let outcomes = ask(&registry, &images, &phase);
    let summary = summary(&outcomes);
    phase.done(&summary);

    let digests: BTreeMap<String, Digest> = images
        .iter()
        .zip(&outcomes)
        .filter_map(|(image, outcome)| match outcome {
            Outcome::Pinned(to) | Outcome::Moved { to, .. } => {
                Some((image.reference.clone(), to.clone()))
            }
            Outcome::Same | Outcome::Failed(_) => None,
        })
        .collect();
    if !digests.is_empty() && !options.check {
        write(&path, &before, &digests)?;
    }
    let failed: Vec<String> = images
        .iter()
        .zip(&outcomes)
        .filter_map(|(image, outcome)| match outcome {
            Outcome::Failed(reason) => Some(format!("  {}: {reason}", image.reference)),
            _ => None,
        })
        .collect();
    match (failed.is_empty(), options.check && !digests.is_empty()) {
        (true, false) => Ok(format!("{}: {summary}", path.display())),
        (true, true) => Err(ImageError::Other(format!(
            "{} is not what the registries have: {summary}",
            path.display()
        ))),
        (false, _) => Err(ImageError::Other(format!("{summary}\n{}", failed.join("\n")))),
    }
}

/// The entries with these references; all, if there are none.
fn select<'a>(lock: &'a Lock, references: &[String]) -> Result<Vec<&'a LockedImage>> {
    let unknown: Vec<String> = references
        .iter()
        .filter(|reference| lock.image(reference).is_none())
        .map(|reference| format!("`{reference}`"))
        .collect();
    if !unknown.is_empty() {
        let known: Vec<&str> = lock.images.iter().map(|image| image.reference.as_str()).collect();
        return Err(ImageError::Usage(format!(
            "the lock has no {}; it has: {}",
            unknown.join(", "),
            known.join(", ")
        )));
    }
    let wanted =
        |image: &&LockedImage| references.is_empty() || references.contains(&image.reference);
    Ok(lock.images.iter().filter(wanted).collect())
}

/// What became of each image, in their order; told as it happens.
fn ask(registry: &Registry, images: &[&LockedImage], phase: &Phase<'_>) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    let mut outcomes: Vec<(usize, Outcome)> = thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(images.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(image) = images.get(index) else { break };
                    // The receiver ends after the last sender.
                    let _ = sender.send((index, outcome(registry, image)));
                }
            });
        }
        drop(sender);
        let mut done = 0;
        results
            .iter()
            .inspect(|(index, outcome)| {
                done += 1;
                phase.line(&told(&images[*index].reference, outcome));
                phase.note(&format!("{done} of {}", images.len()));
            })
            .collect()
    });
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn outcome(registry: &Registry, image: &LockedImage) -> Outcome {
    match (registry.digest(&image.repository, &image.tag), &image.digest) {
        (Err(reason), _) => Outcome::Failed(reason),
        (Ok(to), None) => Outcome::Pinned(to),
        (Ok(to), Some(from)) if to == *from => Outcome::Same,
        (Ok(to), Some(from)) => Outcome::Moved { from: from.clone(), to },
    }
}

fn told(reference: &str, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Same => format!("  {reference}: the same"),
        Outcome::Pinned(to) => format!("  {reference}: pinned, {to}"),
        Outcome::Moved { from, to } => {
            format!("  {reference}: moved, {} is now {to}", from.short())
        }
        Outcome::Failed(reason) => format!("  {reference}: {reason}"),
    }
}

fn summary(outcomes: &[Outcome]) -> String {
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    format!(
        "{} pinned, {} moved, {} the same, {} failed",
        count(|outcome| matches!(outcome, Outcome::Pinned(_))),
        count(|outcome| matches!(outcome, Outcome::Moved { .. })),
        count(|outcome| matches!(outcome, Outcome::Same)),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
    )
}

/// Replaces the lock as a whole; mode and owner stay.
fn write(path: &Path, before: &str, digests: &BTreeMap<String, Digest>) -> Result<()> {
    let after = text::with_digests(before, digests).map_err(ImageError::Other)?;
    Lock::parse(&path.to_string_lossy(), &after)?;
    let found = fs::metadata(path).at("look at", path)?;
    let owner = (found.uid(), found.gid());
    Ok(host::files::write_atomic(path, after, found.mode() & 0o7777, owner)?)
}
