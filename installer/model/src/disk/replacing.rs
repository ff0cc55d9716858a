//! A disk of the seed gives its place to another one.

use super::{Victim, bears, describe, is_absent, mount_of, select, size, there, volume};
use crate::{
    facts::{Disk, Facts, Volume},
    seed::{
        DiskSelector, FileSystem, Member, Mount, MountSource, Seed, edit::replace_disk,
        rules::Refused,
    },
};

/// What the new disk is wished to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which one.
    pub disk: DiskSelector,
    /// File system that is on it, or that it gets; none: what is there, or as it is now.
    pub filesystem: Option<FileSystem>,
    /// Everything on it may be lost.
    pub format: bool,
}

/// One disk instead of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement<'a> {
    /// Its place.
    pub at: &'a str,
    /// It is one of several disks there.
    pub pooled: bool,
    /// The old one as the seed selects it, with the consent to format it.
    pub old: &'a Member,
    /// The old one, if it is still there.
    pub old_disk: Option<&'a Disk>,
    /// The new one, with the consent to format it.
    pub new: Member,
    /// The new one.
    pub new_disk: &'a Disk,
    /// The file system of the mount from now on.
    pub filesystem: FileSystem,
}

impl<'a> Replacement<'a> {
    /// `old` of the seed gives way to `new`.
    ///
    /// # Errors
    /// The seed does not use the old disk; the new one is not there, is used already, or cannot be
    /// mounted as it is.
    pub fn of(
        old: &DiskSelector,
        new: Wanted,
        seed: &'a Seed,
        facts: &'a Facts,
    ) -> Result<Self, Refused> {
        let (mount, member) = served(old, seed, facts)?;
        let MountSource::Disks { members, filesystem, encrypt } = &mount.source else {
            return Err(unknown(old, seed));
        };
        let old_disk = match is_absent(&member.selector, facts) {
            true => None,
            false => Some(select(&member.selector, facts)?),
        };
        let new_disk = select(&new.disk, facts)?;
        unused(&new.disk, new_disk, seed, facts)?;
        let pooled = members.len() > 1;
        if pooled {
            like_the_others(mount, *filesystem, new.filesystem)?;
        }
        let wished = match (new.filesystem, &new.disk) {
            (Some(wished), _) => Some(wished),
            (None, _) if pooled || encrypt.is_some() || new.format => Some(*filesystem),
            (None, DiskSelector::Uuid(uuid)) => kind_of(volume(uuid, facts)?.1),
            (None, _) => None,
        };
        let made = mount_of(new_disk, new.disk, &mount.at, wished, *encrypt, new.format)?;
        let MountSource::Disks { mut members, filesystem, .. } = made.source else {
            return Err(unknown(old, seed));
        };
        Ok(Self {
            at: &mount.at,
            pooled,
            old: member,
            old_disk,
            new: members.remove(0),
            new_disk,
            filesystem,
        })
    }

    /// What must be repeated to agree to it: the serial of the new disk, or its name of its own.
    pub fn consent(&self) -> String {
        let disk = self.new_disk;
        match (disk.serial.is_empty(), disk.ids.first()) {
            (false, _) => disk.serial.clone(),
            (true, Some(id)) => id.clone(),
            (true, None) => self.new.selector.to_string(),
        }
    }

    /// Where the old disk is mounted by now, of one that is there.
    pub fn mounted_at(&self) -> Option<&'a str> {
        let mut places = self.old_disk?.contents.iter().flat_map(|volume| &volume.mounted_at);
        places.find(|place| place.starts_with("/mnt/")).map(String::as_str)
    }

    /// Whether what the old disk holds, in bytes, has room on the new one.
    ///
    /// # Errors
    /// It has not.
    pub fn fits(&self, held: u64) -> Result<(), Refused> {
        let room = match &self.new.selector {
            DiskSelector::Uuid(uuid) => {
                let mut all = self.new_disk.contents.iter();
                let found = all.find(|volume| volume.uuid.as_deref() == Some(uuid));
                found.map_or(self.new_disk.size, |volume| volume.size)
            }
            _ => self.new_disk.size,
        };
        // A file system takes some of its disk for itself.
        if held.saturating_add(room / 50) <= room {
            return Ok(());
        }
        Err(Refused::new(
            format!(
                "`{}` is too small: it has {}, and `{}` holds {}",
                self.new.selector,
                size(room),
                self.old.selector,
                size(held)
            ),
            "take a larger one, or make room first",
        ))
    }

    /// What it means, in sentences, each on a line. `copy`: the files are brought over first.
    pub fn in_words(&self, copy: bool) -> String {
        let Self { at, old, new, new_disk, .. } = self;
        let (old, place) = (&old.selector, if self.pooled { "one disk of " } else { "" });
        let from = self.old_disk.map_or_else(|| format!("{old} (not there)"), describe);
        let to = describe(new_disk);
        let holds = there(new_disk);
        let becomes = match &new.wipe {
            Some(_) if self.was_made() => {
                format!(
                    "A box formatted it before, and no disk is twice: it is used as it is: {holds}."
                )
            }
            Some(_) => {
                let kind = self.filesystem.word();
                format!("It is FORMATTED with {kind}: what is on it ({holds}) is lost.")
            }
            None => format!("What is on it is used as it is: {holds}."),
        };
        let data = match (copy, &new.wipe) {
            (true, Some(_)) => {
                format!("All files of {old} are copied to it; others on it are LOST.")
            }
            (true, None) => format!("All files of {old} are copied to it; others on it stay."),
            (false, Some(_)) if !self.was_made() => {
                "Nothing is copied: the new disk starts empty.".to_owned()
            }
            (false, _) => "Nothing is copied: the new disk starts with what is on it.".to_owned(),
        };
        let left = match self.old_disk {
            Some(_) => format!(" {old} is left as it is, with all that it holds."),
            None => String::new(),
        };
        let pause = if copy { "until that is done" } else { "for a moment" };
        format!(
            "{place}{at}\n  from  {from}\n  to    {to}\n{becomes}\n{data}{left}\nWhat uses {at} is \
             stopped {pause}.\n"
        )
    }

    /// A box has formatted the new disk before.
    fn was_made(&self) -> bool {
        let victim = self.new.wipe.as_ref().map(|wipe| Victim::named(wipe, self.new_disk));
        let uuid = victim.and_then(Result::ok).map(|victim| victim.uuid());
        uuid.is_some_and(|uuid| bears(self.new_disk, &uuid))
    }

    /// The seed's text with the new disk in it.
    ///
    /// # Errors
    /// The text is not written as a person would, and must be changed by hand.
    pub fn edited(&self, text: &str) -> Result<String, Refused> {
        replace_disk(text, self.old, &self.new, self.filesystem)
    }
}

/// No mount of the seed uses the disk, whatever it calls it.
///
/// # Errors
/// One does.
pub fn unused(
    selector: &DiskSelector,
    disk: &Disk,
    seed: &Seed,
    facts: &Facts,
) -> Result<(), Refused> {
    match disks(seed).find(|(_, member)| is_same(&member.selector, disk, facts)) {
        None => Ok(()),
        Some((mount, _)) => Err(Refused::new(
            format!("`{selector}` serves `{}` already", mount.at),
            "name a disk that the seed does not use",
        )),
    }
}

/// The disks of a seed, each with its mount.
fn disks(seed: &Seed) -> impl Iterator<Item = (&Mount, &Member)> {
    seed.mounts.iter().flat_map(|mount| {
        let members = match &mount.source {
            MountSource::Disks { members, .. } => members.as_slice(),
            _ => &[],
        };
        members.iter().map(move |member| (mount, member))
    })
}

/// The place that a disk serves: named as in the seed, also if it is gone, or in another way.
fn served<'a>(
    old: &DiskSelector,
    seed: &'a Seed,
    facts: &Facts,
) -> Result<(&'a Mount, &'a Member), Refused> {
    if let Some(found) = disks(seed).find(|(_, member)| member.selector == *old) {
        return Ok(found);
    }
    if is_absent(old, facts) {
        return Err(unknown(old, seed));
    }
    let disk = select(old, facts)?;
    let found: Vec<_> =
        disks(seed).filter(|(_, member)| is_same(&member.selector, disk, facts)).collect();
    match found[..] {
        [found] => Ok(found),
        [] => Err(unknown(old, seed)),
        _ => {
            let names: Vec<String> =
                found.iter().map(|(_, m)| format!("`{}`", m.selector)).collect();
            let what = format!("the seed uses several volumes of `{old}`");
            Err(Refused::new(what, format!("name one of them: {}", names.join(", "))))
        }
    }
}

/// All disks of a pool have one file system.
pub(super) fn like_the_others(
    mount: &Mount,
    filesystem: FileSystem,
    wished: Option<FileSystem>,
) -> Result<(), Refused> {
    match wished.filter(|wished| *wished != filesystem) {
        None => Ok(()),
        Some(wished) => Err(Refused::new(
            format!(
                "`{}` has {} on all its disks, not {}",
                mount.at,
                filesystem.word(),
                wished.word()
            ),
            format!("say `--filesystem {}`, or nothing", filesystem.word()),
        )),
    }
}

fn is_same(selector: &DiskSelector, disk: &Disk, facts: &Facts) -> bool {
    select(selector, facts).is_ok_and(|found| found.name == disk.name)
}

fn kind_of(volume: &Volume) -> Option<FileSystem> {
    let kinds = [FileSystem::Ext4, FileSystem::Xfs, FileSystem::Btrfs];
    kinds.into_iter().find(|kind| volume.signature.as_deref() == Some(kind.word()))
}

fn unknown(old: &DiskSelector, seed: &Seed) -> Refused {
    let all: Vec<String> = disks(seed)
        .map(|(mount, member)| format!("`{}` for {}", member.selector, mount.at))
        .collect();
    let hint = match all.is_empty() {
        true => "it uses none: `homelab disk add` adds one".to_owned(),
        false => format!("it uses {}", all.join(", ")),
    };
    Refused::new(format!("the seed does not use the disk `{old}`"), hint)
}
