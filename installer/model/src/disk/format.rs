//! What becomes of a disk whose owner agreed to lose what is on it, and whether that is done.

use serde::{Deserialize, Serialize};

use super::{Consent, Crypt, Unlock, Victim, contents, describe, there};
use crate::{Digest, facts::Disk, paths, seed::rules::Refused};

/// File systems for a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileSystem {
    /// ext4
    Ext4,
    /// XFS
    Xfs,
    /// Btrfs
    Btrfs,
}

impl FileSystem {
    /// As it is written in a seed, in `mount` and in `mkfs.…`, and as its signature is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }
}

/// One partition over the whole disk, with a file system on it.
///
/// Its UUID is computed from the disk ([`Victim::uuid`]) and not drawn at random. So it is known
/// before it exists, and the plan can name it in the mount; and a disk that bears it says by itself
/// that the consent was used up, even to a box that was installed anew and remembers nothing. The
/// place and the file system have no part in it, because a disk is formatted once, not once for
/// each place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Which disk, and that its owner agreed.
    pub consent: Consent,
    /// What is made on it.
    pub filesystem: FileSystem,
    /// Label of the file system, at most 12 characters, which is what XFS takes.
    pub label: String,
    /// UUID of what lies on the partition: the file system, or the container that it is in.
    pub uuid: String,
    /// How the container is unlocked; none: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlock: Option<Unlock>,
}

/// The box's own note of a disk that it formats, made before the first write. No disk is formatted
/// twice: the note outlives the deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formatting {
    /// What was begun.
    pub format: Format,
    /// Nothing is left to do; if not, the power went or a program failed on the way.
    pub finished: bool,
}

impl Formatting {
    /// Whether it is about this disk. Another one under the same serial is told by its UUID, which
    /// model and size have a part in.
    pub fn is_of(&self, disk: &Disk) -> bool {
        let victim = self.format.consent.victim();
        let named = Victim::named(victim.id.as_ref().unwrap_or(&victim.serial), disk);
        named.is_ok_and(|victim| victim.uuid() == self.format.uuid)
    }
}

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due<'a> {
    /// Nothing: it was formatted before.
    Done,
    /// This disk is to be formatted, for the first time or once more after a cut.
    Now(&'a Disk),
}

/// What the UUID of a file system inside a container is computed for.
const INSIDE: &str = "file system in a container";

impl Format {
    /// What is agreed to by `consent`, not encrypted. `label` has at most 12 characters.
    pub fn new(consent: Consent, filesystem: FileSystem, label: impl Into<String>) -> Self {
        let uuid = consent.victim().uuid();
        Self { consent, filesystem, label: label.into(), uuid, unlock: None }
    }

    /// The container, if there is to be one.
    pub fn crypt(&self) -> Option<Crypt> {
        self.unlock.map(|unlock| Crypt { uuid: self.uuid.clone(), unlock })
    }

    /// UUID of the file system. Inside a container it is computed too, so that what a cut left is
    /// known as such while the container is still unlocked.
    pub fn filesystem_uuid(&self) -> String {
        match self.unlock {
            None => self.uuid.clone(),
            Some(_) => self.consent.victim().derived(INSIDE),
        }
    }

    /// Where the box's note of it lies.
    pub fn note(&self) -> String {
        Self::note_of(&self.uuid)
    }

    /// Where the box's note of a disk lies whose file system has this UUID.
    pub fn note_of(uuid: &str) -> String {
        format!("{}/{uuid}.json", paths::FORMATTED)
    }

    /// Whether it is done, and which of the disks that are there now it is to be done to. To be
    /// asked again at the very moment of acting.
    ///
    /// # Errors
    /// The disk is not there, in use, another one, or holds something that nobody agreed to lose.
    pub fn due<'a>(&self, disks: &'a [Disk]) -> Result<Due<'a>, Refused> {
        let victim = self.consent.victim();
        let named: Vec<&Disk> = disks.iter().filter(|disk| victim.names(disk)).collect();
        if let [disk] = named[..] {
            let bears = bears(disk, &self.uuid);
            match &disk.formatting {
                Some(Formatting { finished: false, .. }) => {}
                Some(_) if !bears => return Err(gone(disk, &self.note())),
                None if !bears => {}
                _ => return Ok(Due::Done),
            }
        }
        // A disk that is done is in use, so only what is to be written must be idle.
        let disk = self.consent.find(disks)?;
        match &disk.formatting {
            Some(begun) => begun.format.torn(disk)?,
            None => self.consent.unchanged(disk)?,
        }
        Ok(Due::Now(disk))
    }

    /// Whether all that is on a disk is what was agreed to be lost, or what a cut left of the new.
    fn torn(&self, disk: &Disk) -> Result<(), Refused> {
        let agreed = &self.consent.victim().contents;
        // Also if another try was to be encrypted, or was not.
        let inside = self.consent.victim().derived(INSIDE);
        let new = [&self.uuid, &inside].map(|uuid| format!(" uuid:{uuid}"));
        let explained = |there: &String| {
            let left = ["gpt partition table", "nothing known"];
            agreed.contains(there)
                || left.contains(&there.as_str())
                || new.iter().any(|uuid| there.ends_with(uuid))
        };
        if contents(disk).iter().all(explained) {
            return Ok(());
        }
        Err(Refused::new(
            format!(
                "{} holds {}, and formatting it was begun when it held other things",
                self.consent.victim(),
                there(disk)
            ),
            format!(
                "nothing was written; save what is on it, clear it by `wipefs --all` and remove \
                 `{}`",
                self.note()
            ),
        ))
    }
}

/// Whether something on the disk has this UUID.
pub fn bears(disk: &Disk, uuid: &str) -> bool {
    disk.contents.iter().any(|volume| volume.uuid.as_deref() == Some(uuid))
}

/// What the box made on the disk is not there any more.
pub fn gone(disk: &Disk, note: &str) -> Refused {
    Refused::new(
        format!("what the box formatted {} with is gone from it", describe(disk)),
        format!(
            "consent is good for one time: take `wipe` away to use what is there, or remove \
             `{note}` to have it formatted once more"
        ),
    )
}

impl Victim {
    /// The UUID that its file system gets. It is of version 8 (RFC 9562): a digest of the disk's
    /// own marks, the same whenever and by whichever box it is computed.
    pub fn uuid(&self) -> String {
        self.derived("disk")
    }

    fn derived(&self, what: &str) -> String {
        let digest = Digest::of(format!("homelab {what}\n{self}\n{}\n{}", self.model, self.size));
        let hex = digest.hex();
        // Version and variant take six bits of the digest's.
        let variant = match hex.as_bytes()[16] {
            b'0' | b'4' | b'8' | b'c' => '8',
            b'1' | b'5' | b'9' | b'd' => '9',
            b'2' | b'6' | b'a' | b'e' => 'a',
            _ => 'b',
        };
        format!(
            "{}-{}-8{}-{variant}{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..32]
        )
    }
}
