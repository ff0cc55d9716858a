//! What was said about one place: disks or a share that hold something.

use crate::{disk::Unlock, seed::rules::Refused};

/// What a disk or a share may hold.
pub(super) const PLACES: [&str; 3] = ["media", "downloads", "backups"];

/// A mount: disks or a share that shall hold something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    /// Some of [`PLACES`], in their order.
    pub(super) holds: Vec<String>,
    pub(super) source: Source,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A disk; several: a pool.
    Disks(Vec<Member>),
    /// A network share.
    Share {
        /// Where it is.
        remote: String,
        /// If it wants a login: what the names of its questions begin with.
        login: Option<String>,
    },
}

/// A disk of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// As a seed selects it.
    pub(super) selector: String,
    pub(super) fate: Fate,
}

/// What becomes of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// What is on it stays.
    Kept(Kept),
    /// It is formatted; consent for it was typed. [`named`] is what the seed repeats.
    Formatted,
}

/// What is on a disk that is used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its file system.
    pub(super) filesystem: String,
    /// How the container around that is unlocked; none: it is not encrypted.
    pub(super) unlock: Option<Unlock>,
}

impl Kept {
    /// Such as `ext4, encrypted`.
    pub(super) fn in_words(&self) -> String {
        let encrypted = if self.unlock.is_some() { ", encrypted" } else { "" };
        format!("{}{encrypted}", self.filesystem)
    }
}

impl Mounted {
    /// What all disks of the pool must be like: as those that are kept. None: all are formatted.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.members().iter().find_map(|member| match &member.fate {
            Fate::Kept(kept) => Some(kept),
            Fate::Formatted => None,
        })
    }

    /// Its disks; none: it is a share.
    pub(super) fn members(&self) -> &[Member] {
        match &self.source {
            Source::Disks(members) => members,
            Source::Share { .. } => &[],
        }
    }

    /// Whether everything on it is made anew.
    pub(super) fn is_new(&self) -> bool {
        !self.members().is_empty() && self.kept().is_none()
    }

    /// Its disks in a few words.
    pub(super) fn disks(&self) -> String {
        let names: Vec<&str> = self.members().iter().map(|m| named(&m.selector)).collect();
        names.join(" and ")
    }
}

/// The name of a selector: a serial, a name below `/dev/disk/by-id`, a UUID.
pub(super) fn named(selector: &str) -> &str {
    selector.split_once(':').map_or(selector, |(_, name)| name)
}

/// The mount that a disk joins, or a share would take the place of; none: it is one of its own.
///
/// # Errors
/// What it would hold is held by another one.
pub(super) fn joined<'a>(
    mounts: &'a [Mounted],
    holds: &[String],
    disk: bool,
) -> Result<Option<&'a Mounted>, Refused> {
    let shares_place = |mount: &&Mounted| holds.iter().any(|place| mount.holds.contains(place));
    if let Some(mount) = mounts.iter().find(shares_place) {
        if !disk || mount.members().is_empty() {
            let place = holds.iter().find(|place| mount.holds.contains(place));
            let what = format!("`{}` has a disk or share already", place.map_or("", |p| p));
            return Err(Refused::new(what, "only disks can be joined, not shares"));
        }
        if mount.holds != holds {
            let what = format!(
                "this disk would hold {}, and what it would join ({}) holds {}",
                holds.join(" and "),
                mount.disks(),
                mount.holds.join(" and ")
            );
            let hint = format!(
                "to join it, choose the same: {}; otherwise what no other disk holds",
                mount.holds.join(" and ")
            );
            return Err(Refused::new(what, hint));
        }
        return Ok(Some(mount));
    }
    Ok(None)
}

/// Adds a mount, or its disks to the pool that they join.
///
/// # Errors
/// As [`joined`]; or the disks of a pool would not be alike, or one is there twice.
pub(super) fn add(mounts: &mut Vec<Mounted>, new: Mounted) -> Result<(), Refused> {
    for member in new.members() {
        let twice = |other: &Member| other.selector == member.selector;
        if mounts.iter().any(|mount| mount.members().iter().any(twice)) {
            let what = format!("`{}` is there twice", member.selector);
            return Err(Refused::new(what, "join what it holds by `+`"));
        }
    }
    let Some(pool) = joined(mounts, &new.holds, !new.members().is_empty())? else {
        mounts.push(new);
        return Ok(());
    };
    if let (Some(there), Some(here)) = (pool.kept(), new.kept()) {
        if there != here {
            return Err(unlike(there, here));
        }
    }
    let holds = new.holds.clone();
    if let Some(Mounted { source: Source::Disks(members), .. }) =
        mounts.iter_mut().find(|mount| mount.holds == holds)
    {
        members.extend(new.members().iter().cloned());
    }
    Ok(())
}

/// Why two disks cannot be joined as they are.
fn unlike(there: &Kept, here: &Kept) -> Refused {
    let what = format!(
        "this disk is {}, and the one that it would join {}",
        here.in_words(),
        there.in_words()
    );
    Refused::new(
        what,
        "the disks of a pool have the same file system, and all or none are encrypted",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(holds: &[&str], selector: &str, fate: Fate) -> Mounted {
        let members = vec![Member { selector: selector.to_owned(), fate }];
        let holds = holds.iter().map(|place| (*place).to_owned()).collect();
        Mounted { holds, source: Source::Disks(members) }
    }

    fn kept(filesystem: &str, unlock: Option<Unlock>) -> Fate {
        Fate::Kept(Kept { filesystem: filesystem.to_owned(), unlock })
    }

    fn share(place: &str) -> Mounted {
        let source = Source::Share { remote: "nas.lan:/x".to_owned(), login: None };
        Mounted { holds: vec![place.to_owned()], source }
    }

    #[test]
    fn disks_that_hold_the_same_are_one_pool() {
        let mut mounts = Vec::new();
        add(&mut mounts, disk(&["media", "downloads"], "serial:A", Fate::Formatted)).unwrap();
        assert!(mounts[0].is_new());
        add(&mut mounts, disk(&["media", "downloads"], "serial:B", kept("xfs", None))).unwrap();
        assert_eq!((mounts.len(), mounts[0].disks().as_str()), (1, "A and B"));
        assert_eq!(mounts[0].kept().unwrap().filesystem, "xfs", "the new one becomes like it");
        assert!(!mounts[0].is_new());
        add(&mut mounts, share("backups")).unwrap();
        for (new, what, hint) in [
            (
                disk(&["media", "downloads"], "serial:C", kept("ext4", None)),
                "this disk is ext4, and the one that it would join xfs",
                "the disks of a pool have the same file system, and all or none are encrypted",
            ),
            (
                disk(&["media", "downloads"], "serial:C", kept("xfs", Some(Unlock::Key))),
                "this disk is xfs, encrypted, and the one that it would join xfs",
                "the disks of a pool have the same file system, and all or none are encrypted",
            ),
            (
                disk(&["media"], "serial:C", Fate::Formatted),
                "this disk would hold media, and what it would join (A and B) holds media and downloads",
                "to join it, choose the same: media and downloads; otherwise what no other disk \
                 holds",
            ),
            (
                disk(&["backups"], "serial:C", Fate::Formatted),
                "`backups` has a disk or share already",
                "only disks can be joined, not shares",
            ),
            (
                share("media"),
                "`media` has a disk or share already",
                "only disks can be joined, not shares",
            ),
            (
                disk(&["media", "downloads"], "serial:A", Fate::Formatted),
                "`serial:A` is there twice",
                "join what it holds by `+`",
            ),
        ] {
            let before = mounts.clone();
            let refused = add(&mut mounts, new).unwrap_err();
            assert_eq!((refused.what.as_str(), refused.hint.as_str()), (what, hint));
            assert_eq!(mounts, before);
        }
    }
}
