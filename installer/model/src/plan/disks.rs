//! Disks of the box at their places: what is there is used as it is, unless its owner agreed to
//! lose it.

use super::MountWish;
use crate::{
    Problems,
    disk::{self, Consent, Crypt, Format, Unlock, Victim},
    facts::{Disk, Facts, Volume},
    seed::{DiskSelector, FileSystem, Member, rules::Refused},
};

/// Where each disk of a pool is mounted by itself.
const BRANCHES: &str = "/mnt/.disks";

/// A box whose data disk is missing must still start and say so.
const OPTIONS: &str = "nofail,nosuid,nodev,noatime";

/// Disks that are given their places one after the other.
pub(super) struct Disks<'a> {
    facts: &'a Facts,
    /// Kernel names of those to be formatted, each with its place.
    formatted: Vec<(&'a str, String)>,
}

/// What is mounted, or unlocked first, and what must be done before it exists.
struct Found {
    uuid: String,
    format: Option<Format>,
}

/// What is sought on a disk, or made on it.
#[derive(Clone, Copy)]
struct Wanted {
    filesystem: FileSystem,
    unlock: Option<Unlock>,
}

impl Wanted {
    /// As its signature is called.
    fn signature(self) -> &'static str {
        if self.unlock.is_some() { LUKS } else { self.filesystem.word() }
    }

    fn in_words(self) -> String {
        match self.unlock {
            None => format!("{} file system", self.filesystem.word()),
            Some(_) => "LUKS container".to_owned(),
        }
    }
}

/// What `lsblk` calls a LUKS container.
const LUKS: &str = "crypto_LUKS";

impl<'a> Disks<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        Self { facts, formatted: Vec::new() }
    }

    /// The disks that the seed means, mounted at a place. What cannot be goes to `problems`.
    pub(super) fn mounted(
        &mut self,
        at: &str,
        members: &[Member],
        filesystem: FileSystem,
        unlock: Option<Unlock>,
        problems: &mut Problems,
    ) -> Vec<MountWish> {
        let wanted = Wanted { filesystem, unlock };
        let label = at.rsplit('/').next().unwrap_or_default();
        let mut mounts = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let (place, label) = match members.len() {
                1 => (at.to_owned(), label.to_owned()),
                _ => {
                    let label = format!("{label}-{}", index + 1);
                    (format!("{BRANCHES}/{label}"), label)
                }
            };
            match self.found(at, &label, member, wanted) {
                Ok(found) => mounts.push(wish(place, &member.selector, wanted, found)),
                Err(refused) => {
                    problems.push(None, format!("`{at}`: {}", refused.what), refused.hint);
                }
            }
        }
        if members.len() > 1 {
            mounts.push(pool(at, mounts.iter().map(|mount| mount.at.clone()).collect()));
        }
        mounts
    }

    fn found(
        &mut self,
        at: &str,
        label: &str,
        member: &Member,
        wanted: Wanted,
    ) -> Result<Found, Refused> {
        let selector = &member.selector;
        let known = self.facts.known.get(&selector.to_string());
        let awaited = |uuid: &String| Ok(Found { uuid: uuid.clone(), format: None });
        if let Some(uuid) = known.filter(|_| disk::is_absent(selector, self.facts)) {
            // It was mounted here before, so it is waited for; all else goes on without it.
            return awaited(uuid);
        }
        let disk = disk::select(selector, self.facts)?;
        if let Some((_, by)) = self.formatted.iter().find(|(name, _)| *name == disk.name) {
            let what = format!("`{selector}` is the disk that is formatted for `{by}`");
            return Err(Refused::new(what, "one disk serves one purpose"));
        }
        if let DiskSelector::Uuid(uuid) = selector {
            return Ok(Found { uuid: uuid.clone(), format: None });
        }
        let begun = disk.formatting.as_ref().filter(|note| !note.finished);
        let Some(wipe) = &member.wipe else {
            if begun.is_some() {
                let what = format!("formatting `{selector}` was begun and is not finished");
                let hint = "put its `wipe` back into the seed: what is on it now cannot be used";
                return Err(Refused::new(what, hint));
            }
            let uuid = one_of(disk, selector, wanted)?;
            // Another disk in the same dock, whose serial it has, is not the one that was here.
            return awaited(known.unwrap_or(&uuid));
        };
        // Nor is it one that may be formatted, or used for what the box formatted.
        let stranger = known.filter(|uuid| {
            begun.is_none() && !disk.contents.is_empty() && !disk::bears(disk, uuid)
        });
        if let Some(uuid) = stranger {
            return awaited(uuid);
        }
        let victim = Victim::named(wipe, disk)?;
        let consent = match (begun, &disk.formatting) {
            // What was on it when its owner agreed stands in the note; half of it is gone now.
            (Some(note), _) => note.format.consent.clone(),
            (None, _) if disk::bears(disk, &victim.uuid()) => {
                let uuid = made_before(disk, selector, wanted, &victim)?;
                return Ok(Found { uuid, format: None });
            }
            (None, Some(note)) => {
                // Its owner made something else of it since, by hand.
                let uuid = one_of(disk, selector, wanted)
                    .map_err(|_| disk::gone(disk, &note.format.note()))?;
                return Ok(Found { uuid, format: None });
            }
            (None, None) => Consent::given(wipe, disk)?,
        };
        self.formatted.push((&disk.name, at.to_owned()));
        let format =
            Format { unlock: wanted.unlock, ..Format::new(consent, wanted.filesystem, label) };
        Ok(Found { uuid: format.uuid.clone(), format: Some(format) })
    }
}

fn wish(at: String, disk: &DiskSelector, wanted: Wanted, found: Found) -> MountWish {
    let crypt = wanted.unlock.map(|unlock| Crypt { uuid: found.uuid.clone(), unlock });
    MountWish {
        at,
        what: match &crypt {
            None => format!("UUID={}", found.uuid),
            // Which file system is in a container is not seen before it is unlocked.
            Some(crypt) => crypt.device(),
        },
        kind: wanted.filesystem.word().to_owned(),
        options: OPTIONS.to_owned(),
        format: found.format,
        crypt,
        disk: Some(disk.to_string()),
        ..MountWish::default()
    }
}

/// The files of several disks as one folder. Each file lies whole on one disk, so that a disk that
/// dies takes its own files with it and no others. It is not shown with a disk missing: services
/// would take the files on that one for deleted, and forget them.
fn pool(at: &str, branches: Vec<String>) -> MountWish {
    let name = at.rsplit('/').next().unwrap_or_default();
    // New files go to the disk with the most room, and elsewhere when that has less than is kept
    // free; the kernel caches the files of the disks, so not once more those of the pool.
    let options = [
        "nosuid,nodev,allow_other,category.create=mfs,moveonenospc=true,minfreespace=4G",
        "cache.files=off,dropcacheonclose=true",
        // It shows in the kernel's list of mounts, so that one with too few disks is known as such.
        &format!("fsname=mergerfs:{name}:{}", branches.len()),
    ];
    MountWish {
        at: at.to_owned(),
        what: branches.join(":"),
        kind: "fuse.mergerfs".to_owned(),
        options: options.join(","),
        requires: branches,
        ..MountWish::default()
    }
}

/// Consent was used up, by this box or by one that the disk was in before: what the disk bears is
/// kept.
fn made_before(
    disk: &Disk,
    selector: &DiskSelector,
    wanted: Wanted,
    victim: &Victim,
) -> Result<String, Refused> {
    let uuid = victim.uuid();
    let volume = disk.contents.iter().find(|volume| volume.uuid.as_deref() == Some(&uuid));
    let kind = volume.and_then(|volume| volume.signature.as_deref()).unwrap_or_default();
    if kind == wanted.signature() {
        return Ok(uuid);
    }
    let what = format!("`{selector}` was formatted by a box as {kind}, and no disk is twice");
    let instead = match (kind, wanted.unlock) {
        (LUKS, _) => "write `encrypt = \"key\"`".to_owned(),
        (kind, None) => format!("write `filesystem = \"{kind}\"`"),
        (kind, Some(_)) => format!("write `filesystem = \"{kind}\"` without `encrypt`"),
    };
    let note = Format::note_of(&uuid);
    let hint = format!("{instead}; or clear the disk by `wipefs --all` and remove `{note}`");
    Err(Refused::new(what, hint))
}

/// UUID of the one thing on the disk that is wanted.
fn one_of(disk: &Disk, selector: &DiskSelector, wanted: Wanted) -> Result<String, Refused> {
    let kind = wanted.in_words();
    let fits = |volume: &&Volume| volume.signature.as_deref() == Some(wanted.signature());
    let fitting: Vec<&Volume> = disk.contents.iter().filter(fits).collect();
    match fitting[..] {
        [Volume { uuid: Some(uuid), .. }] => Ok(uuid.clone()),
        [] => {
            let there = match disk.contents.is_empty() {
                true => "nothing".to_owned(),
                false => disk::there(disk),
            };
            let what = format!("`{selector}` has no {kind} but {there}");
            let hint = match consent_of(disk) {
                Some(wipe) => format!(
                    "name the file system that is there; or, if everything on the disk may be \
                     lost, consent by repeating `{wipe}` in `wipe`"
                ),
                None => "name the file system that is there, or make one by hand".to_owned(),
            };
            Err(Refused::new(what, hint))
        }
        _ => {
            let names: Vec<String> = fitting.iter().map(|volume| disk::content(volume)).collect();
            let what = format!("`{selector}` has {} {kind}s", fitting.len());
            let hint = format!("select one by `uuid:…`: {}", names.join(", "));
            Err(Refused::new(what, hint))
        }
    }
}

/// What consent to format the disk would have to repeat.
fn consent_of(disk: &Disk) -> Option<&String> {
    if disk.serial.is_empty() { disk.lasting_ids().next() } else { Some(&disk.serial) }
}
