//! Permission to format, as a value that names the disk.

use serde::{Deserialize, Serialize};

use super::{contents, describe, size, there};
use crate::{facts::Disk, seed::rules::Refused};

/// Permission to destroy what is on one disk. It is made from the words of a seed and the disk that
/// was found, and in no other way; with its plan it can be written and read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Consent(Victim);

/// The disk that may be formatted, as it was when that was agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victim {
    /// Serial; empty if the disk has none.
    pub serial: String,
    /// Name below `/dev/disk/by-id`, of a disk without serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Model; may be empty.
    pub model: String,
    /// Bytes.
    pub size: u64,
    /// What was on it, as [`super::contents`] says it.
    pub contents: Vec<String>,
}

impl Consent {
    /// Permission for `disk`, if `wipe` of the seed repeats its serial; a disk without one is named
    /// as below `/dev/disk/by-id`.
    ///
    /// # Errors
    /// Another disk is named; it is the box's own, or in use.
    pub fn given(wipe: &str, disk: &Disk) -> Result<Self, Refused> {
        let victim = Victim::named(wipe, disk)?;
        idle(disk)?;
        Ok(Self(victim))
    }

    /// Whom it names.
    pub fn victim(&self) -> &Victim {
        &self.0
    }

    /// The disk among those that are there now. To be asked again at the very moment of acting:
    /// between a plan and its deed a person can plug in another disk.
    ///
    /// # Errors
    /// It is gone, there are two, it is another one by size or model, or it is in use.
    pub fn find<'a>(&self, disks: &'a [Disk]) -> Result<&'a Disk, Refused> {
        const AGAIN: &str = "nothing was written; look at the disks and run `homelab apply` again";
        let victim = &self.0;
        let matching: Vec<&Disk> = disks.iter().filter(|disk| victim.names(disk)).collect();
        let disk = match matching[..] {
            [disk] => disk,
            [] => return Err(Refused::new(format!("{victim} is not there any more"), AGAIN)),
            _ => {
                let names: Vec<String> = matching.iter().map(|disk| describe(disk)).collect();
                let what = format!("{} disks call themselves {victim}", matching.len());
                return Err(Refused::new(what, format!("they are {}", names.join("; "))));
            }
        };
        if (disk.size, &disk.model) != (victim.size, &victim.model) {
            let was = format!("{} {}", size(victim.size), victim.model);
            let is = format!("{} {}", size(disk.size), disk.model);
            let what =
                format!("{victim} is another disk now: {}, and it was {}", is.trim(), was.trim());
            return Err(Refused::new(what, AGAIN));
        }
        idle(disk)?;
        Ok(disk)
    }

    /// Whether there is on the disk what was there when its owner agreed.
    ///
    /// # Errors
    /// Something else is on it.
    pub fn unchanged(&self, disk: &Disk) -> Result<(), Refused> {
        if contents(disk) == self.0.contents {
            return Ok(());
        }
        let was = match self.0.contents.is_empty() {
            true => "empty".to_owned(),
            false => self.0.contents.join(", "),
        };
        Err(Refused::new(
            format!("{} holds {}, and when it was agreed to format it, {was}", self.0, there(disk)),
            "nothing was written; look at what is on it and run `homelab apply --replace-plan`",
        ))
    }
}

/// The box's own disk and one in use are never formatted, whatever was agreed to.
fn idle(disk: &Disk) -> Result<(), Refused> {
    if disk.boot {
        let what = format!("{} is the disk that the box runs from", describe(disk));
        return Err(Refused::new(what, "name another disk"));
    }
    let mounted = disk.contents.iter().flat_map(|volume| &volume.mounted_at);
    let mounted: Vec<&str> = mounted.map(String::as_str).collect();
    if !mounted.is_empty() {
        let what = format!("{} is in use: {}", describe(disk), mounted.join(", "));
        return Err(Refused::new(what, "unmount it, if it really may be formatted"));
    }
    Ok(())
}

impl Victim {
    /// In a few words with what is lost: `serial:WD-1 (WDC WD40, 4000 GB, empty)`.
    pub fn in_words(&self) -> String {
        let name = self.to_string();
        let lost = match self.contents.is_empty() {
            true => "empty".to_owned(),
            false => format!("{} is lost", self.contents.join(", ")),
        };
        let about = [self.model.clone(), size(self.size), lost];
        let about: Vec<String> = about.into_iter().filter(|word| !word.is_empty()).collect();
        format!("{} ({})", name.trim_matches('`'), about.join(", "))
    }

    /// What `wipe` of the seed names, which must be `disk`.
    ///
    /// # Errors
    /// It names another one.
    pub fn named(wipe: &str, disk: &Disk) -> Result<Self, Refused> {
        let id = disk.serial.is_empty().then(|| wipe.to_owned());
        let named = match &id {
            None => disk.serial == wipe,
            Some(id) => disk.lasting_ids().any(|known| known == id),
        };
        if !named {
            let what = format!("consent is for `{wipe}`, but the disk found is {}", describe(disk));
            let hint = match (disk.serial.is_empty(), disk.lasting_ids().next()) {
                (false, _) => format!("if it may be formatted, write `wipe = \"{}\"`", disk.serial),
                (true, Some(id)) => format!("if it may be formatted, write `wipe = \"{id}\"`"),
                (true, None) => {
                    "a disk without a serial and a name below `/dev/disk/by-id` is never formatted"
                        .to_owned()
                }
            };
            return Err(Refused::new(what, hint));
        }
        Ok(Self {
            serial: disk.serial.clone(),
            id,
            model: disk.model.clone(),
            size: disk.size,
            contents: contents(disk),
        })
    }

    /// Whether the disk calls itself so.
    pub fn names(&self, disk: &Disk) -> bool {
        match &self.id {
            Some(id) => disk.serial.is_empty() && disk.ids.contains(id),
            None => !self.serial.is_empty() && disk.serial == self.serial,
        }
    }
}

/// As it is selected in a seed.
impl std::fmt::Display for Victim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.id {
            Some(id) => write!(f, "`by-id:{id}`"),
            None => write!(f, "`serial:{}`", self.serial),
        }
    }
}
