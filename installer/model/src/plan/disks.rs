//! Disks of the box at their places: what is there is used as it is, unless its owner agreed to
//! lose it.

use super::MountWish;
use crate::{
    disk::{self, Consent, Format, Victim},
    facts::{Disk, Facts, Volume},
    seed::{DiskSelector, FileSystem, rules::Refused},
};

/// A box whose data disk is missing must still start and say so.
const OPTIONS: &str = "nofail,nosuid,nodev,noatime";

/// Disks that are given their places one after the other.
pub(super) struct Disks<'a> {
    facts: &'a Facts,
    /// Kernel names of those to be formatted, each with its place.
    formatted: Vec<(&'a str, String)>,
}

/// The file system that is mounted, and what must be done before it exists.
struct Found {
    uuid: String,
    format: Option<Format>,
}

impl<'a> Disks<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        Self { facts, formatted: Vec::new() }
    }

    /// The disk that the selector means, mounted at a place.
    pub(super) fn mounted(
        &mut self,
        at: &str,
        selector: &DiskSelector,
        filesystem: FileSystem,
        wipe: Option<&str>,
    ) -> Result<MountWish, Refused> {
        let found = self.found(at, selector, filesystem, wipe)?;
        Ok(MountWish {
            at: at.to_owned(),
            what: format!("UUID={}", found.uuid),
            kind: filesystem.word().to_owned(),
            options: OPTIONS.to_owned(),
            automount: false,
            credentials: None,
            format: found.format,
        })
    }

    fn found(
        &mut self,
        at: &str,
        selector: &DiskSelector,
        filesystem: FileSystem,
        wipe: Option<&str>,
    ) -> Result<Found, Refused> {
        let disk = disk::select(selector, self.facts)?;
        if let Some((_, by)) = self.formatted.iter().find(|(name, _)| *name == disk.name) {
            let what = format!("`{selector}` is the disk that is formatted for `{by}`");
            return Err(Refused::new(what, "one disk serves one purpose"));
        }
        if let DiskSelector::Uuid(uuid) = selector {
            return Ok(Found { uuid: uuid.clone(), format: None });
        }
        let begun = disk.formatting.as_ref().filter(|note| !note.finished);
        let Some(wipe) = wipe else {
            if begun.is_some() {
                let what = format!("formatting `{selector}` was begun and is not finished");
                let hint = "put its `wipe` back into the seed: what is on it now cannot be used";
                return Err(Refused::new(what, hint));
            }
            let uuid = one_of(disk, selector, filesystem)?;
            return Ok(Found { uuid, format: None });
        };
        let victim = Victim::named(wipe, disk)?;
        let label = at.rsplit('/').next().unwrap_or_default();
        let format = match (begun, &disk.formatting) {
            // What was on it when its owner agreed stands in the note; half of it is gone now.
            (Some(note), _) => Format::new(note.format.consent.clone(), filesystem, label),
            (None, _) if disk::bears(disk, &victim.uuid()) => {
                let uuid = made_before(disk, selector, filesystem, &victim)?;
                return Ok(Found { uuid, format: None });
            }
            (None, Some(note)) => {
                // Its owner made something else of it since, by hand.
                let uuid = one_of(disk, selector, filesystem)
                    .map_err(|_| disk::gone(disk, &note.format.note()))?;
                return Ok(Found { uuid, format: None });
            }
            (None, None) => Format::new(Consent::given(wipe, disk)?, filesystem, label),
        };
        self.formatted.push((&disk.name, at.to_owned()));
        Ok(Found { uuid: format.uuid.clone(), format: Some(format) })
    }
}

/// Consent was used up, by this box or by one that the disk was in before: what the disk bears is
/// kept.
fn made_before(
    disk: &Disk,
    selector: &DiskSelector,
    wanted: FileSystem,
    victim: &Victim,
) -> Result<String, Refused> {
    let uuid = victim.uuid();
    let volume = disk.contents.iter().find(|volume| volume.uuid.as_deref() == Some(&uuid));
    let kind = volume.and_then(|volume| volume.signature.as_deref()).unwrap_or_default();
    if kind == wanted.word() {
        return Ok(uuid);
    }
    let what = format!("`{selector}` was formatted by a box as {kind}, and no disk is twice");
    let hint = format!(
        "write `filesystem = \"{kind}\"`; or clear the disk by `wipefs --all` and remove `{}`",
        Format::note_of(&uuid)
    );
    Err(Refused::new(what, hint))
}

/// UUID of the one file system of this kind on the disk.
fn one_of(disk: &Disk, selector: &DiskSelector, wanted: FileSystem) -> Result<String, Refused> {
    let kind = wanted.word();
    let fits = |volume: &&Volume| volume.signature.as_deref() == Some(kind);
    let fitting: Vec<&Volume> = disk.contents.iter().filter(fits).collect();
    match fitting[..] {
        [Volume { uuid: Some(uuid), .. }] => Ok(uuid.clone()),
        [] => {
            let there = match disk.contents.is_empty() {
                true => "nothing".to_owned(),
                false => disk::there(disk),
            };
            let what = format!("`{selector}` has no {kind} file system but {there}");
            let hint = match consent_of(disk) {
                Some(wipe) => format!(
                    "name the file system that is there; or, if everything on the disk may be \
                     lost, write `wipe = \"{wipe}\"`"
                ),
                None => "name the file system that is there, or make one by hand".to_owned(),
            };
            Err(Refused::new(what, hint))
        }
        _ => {
            let names: Vec<String> = fitting.iter().map(|volume| disk::content(volume)).collect();
            let what = format!("`{selector}` has {} {kind} file systems", fitting.len());
            let hint = format!("select one by `uuid:…`: {}", names.join(", "));
            Err(Refused::new(what, hint))
        }
    }
}

/// What consent to format the disk would have to repeat.
fn consent_of(disk: &Disk) -> Option<&String> {
    if disk.serial.is_empty() { disk.ids.first() } else { Some(&disk.serial) }
}
