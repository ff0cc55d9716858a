//! Disks and network shares for media, downloads and backups.

use super::{key, key_or_empty};
use crate::{
    facts::{Disk, Facts, Volume},
    questions::{
        Choice, Kind, Place, Question, Value,
        walk::{Mounted, Walk},
    },
    seed::{
        DiskSelector, MountSource,
        rules::{self, Refused},
    },
};

/// What a disk or a share may hold.
pub(super) const PLACES: [&str; 3] = ["media", "downloads", "backups"];
/// File systems that a disk may have, or gets.
const KNOWN: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// Asks for each disk that could hold something, then for shares.
pub(super) fn storage(walk: &mut Walk<'_>) {
    let mut taken = Vec::new();
    let mut not_offered = Vec::new();
    if walk.world.place == Place::Box {
        let world = walk.world;
        for candidate in candidates(&world.facts, world.formats, &mut not_offered) {
            disk(walk, &candidate, &mut taken);
        }
    }
    mounts(walk, taken, &not_offered);
}

/// Whether a disk or share of its own holds the backups.
pub(super) fn holds_backups(walk: &Walk<'_>) -> bool {
    walk.said.texts("storage.taken").iter().any(|place| place == "backups")
}

/// A disk, or a part of one, that could be used.
struct Candidate {
    selector: String,
    /// Its file system; none: it would have to be formatted.
    filesystem: Option<String>,
    /// For consent; none: it cannot be formatted.
    serial: Option<String>,
    about: String,
    empty: bool,
}

/// Whatever can be mounted; what cannot goes to `not_offered`, with the reason.
fn candidates(facts: &Facts, formats: bool, not_offered: &mut Vec<String>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for disk in facts.disks.iter().filter(|disk| !disk.boot && !disk.removable) {
        let about = describe(disk);
        let usable: Vec<&Volume> = disk.contents.iter().filter(|v| is_usable(v)).collect();
        let unique = unique_selector(disk, facts);
        let by_serial = unique.as_ref().is_some_and(|text| text.starts_with("serial:"));
        let serial = (formats && by_serial).then(|| disk.serial.clone());
        let empty = disk.contents.iter().all(|volume| volume.signature.is_none());
        let elsewhere = |at: &String| !at.starts_with("/mnt/");
        let in_use = disk.contents.iter().any(|volume| volume.mounted_at.iter().any(elsewhere));
        match (&usable[..], unique) {
            _ if in_use => not_offered.push(format!("{about}: it is in use")),
            ([volume], Some(selector)) => all.push(Candidate {
                selector,
                filesystem: volume.signature.clone(),
                serial,
                about,
                empty,
            }),
            ([], Some(selector)) if serial.is_some() => {
                all.push(Candidate { selector, filesystem: None, serial, about, empty });
            }
            ([], _) if formats => {
                not_offered.push(format!("{about}: it has no serial of its own to be told by"));
            }
            ([], _) => not_offered.push(format!(
                "{about}: it has no file system of {}, and this version formats no disks",
                KNOWN.join(", ")
            )),
            (several, _) => {
                for volume in several {
                    let Some(uuid) = &volume.uuid else { continue };
                    let label = volume.label.as_deref().unwrap_or(&volume.name);
                    all.push(Candidate {
                        selector: format!("uuid:{uuid}"),
                        filesystem: volume.signature.clone(),
                        serial: None,
                        about: format!("{label} on {about}"),
                        empty: false,
                    });
                }
            }
        }
    }
    all
}

fn is_usable(volume: &Volume) -> bool {
    volume.signature.as_deref().is_some_and(|kind| KNOWN.contains(&kind))
        && volume
            .uuid
            .as_deref()
            .is_some_and(|uuid| rules::selector(&format!("uuid:{uuid}")).is_ok())
}

/// A selector that means this disk and no other one of the machine.
fn unique_selector(disk: &Disk, facts: &Facts) -> Option<String> {
    let others = || facts.disks.iter().filter(|other| other.name != disk.name);
    let by_serial = format!("serial:{}", disk.serial);
    if rules::is_serial(&disk.serial) && !others().any(|other| other.serial == disk.serial) {
        return Some(by_serial);
    }
    let ids = disk.ids.iter().filter(|id| !others().any(|other| other.ids.contains(id)));
    let mut selectors = ids.map(|id| format!("by-id:{id}"));
    selectors.find(|text| rules::selector(text).is_ok())
}

/// Model, serial, size, and what is on it.
fn describe(disk: &Disk) -> String {
    let model = if disk.model.is_empty() { &disk.name } else { &disk.model };
    let serial = if disk.serial.is_empty() { "none" } else { &disk.serial };
    let gigabytes = disk.size / 1_000_000_000;
    let there: Vec<String> = disk
        .contents
        .iter()
        .filter_map(|volume| {
            let kind = volume.signature.as_deref()?;
            Some(match &volume.label {
                Some(label) => format!("{kind} \"{label}\""),
                None => kind.to_owned(),
            })
        })
        .collect();
    let there = if there.is_empty() { "empty".to_owned() } else { there.join(", ") };
    format!("{} (serial {serial}, {gigabytes} GB, {there})", model.trim())
}

/// The end of the serial that is typed as consent.
fn last_four(serial: &str) -> String {
    let letters: Vec<char> = serial.chars().collect();
    letters[letters.len().saturating_sub(4)..].iter().collect()
}

fn disk(walk: &mut Walk<'_>, candidate: &Candidate, taken: &mut Vec<String>) {
    let Candidate { selector, filesystem, serial, about, empty } = candidate;
    let free = |place: &str| {
        let by = taken.iter().any(|other| other == place);
        by.then(|| "another disk holds it".to_owned())
    };
    let options = PLACES.map(|place| Choice::new(place, place).unless(free(place))).to_vec();
    let shared = walk.said.has("storage.shared");
    let fate = match filesystem {
        Some(kind) => format!("Its file system ({kind}) stays as it is."),
        None => "It would have to be formatted: that is asked next.".to_owned(),
    };
    let id = format!("storage.disk.{selector}");
    let holds = walk.texts(
        Question::new(id.clone(), format!("Disk {}", short(selector)), Kind::Several(options))
            .asks(format!("{about}. What shall it hold? Nothing: it is left alone. {fate}"))
            .help(
                "Media and downloads on one disk can share files without copying them. Backups \
                 belong on a disk of their own. What has no disk or share lies on the system's disk.",
            )
            .or_value(Value::Texts(Vec::new()))
            .whole(move |value| match &value {
                Value::Texts(list) if list.len() > 1 && shared => Err(Refused::new(
                    "only one disk or share can hold several things",
                    "choose one thing for this disk",
                )),
                _ => Ok(value),
            }),
    );
    if holds.is_empty() {
        return;
    }
    if holds.len() > 1 {
        walk.said.put("storage.shared", Value::Yes(true));
    }
    let mut wipe = None;
    if let Some(serial) = serial {
        let format = filesystem.is_none()
            || walk.yes(
                Question::new(format!("{id}.format"), "Format it", Kind::YesNo)
                    .asks(format!("{about}. Shall it be formatted? Everything on it is lost then."))
                    .help("`no` keeps what is on it, and uses it as it is.")
                    .or_value(Value::Yes(false)),
            );
        if format {
            consent(walk, &id, about, serial, *empty);
            wipe = Some(serial.clone());
        }
    }
    let kind = filesystem.clone().filter(|_| wipe.is_none()).unwrap_or_else(|| "ext4".to_owned());
    taken.extend(holds.iter().cloned());
    let (source, filesystem) = (selector.clone(), Some(kind));
    walk.said.mounts.push(Mounted { holds, source, filesystem, wipe, login: None });
}

/// Formatting needs the last four of the serial typed: a slip of a finger cannot be consent.
fn consent(walk: &mut Walk<'_>, id: &str, about: &str, serial: &str, empty: bool) {
    let four = last_four(serial);
    let lost = if empty { "It is empty." } else { "EVERYTHING ON IT IS LOST." };
    walk.text(
        Question::new(format!("{id}.consent"), "Consent", Kind::Text)
            .asks(format!(
                "{about} will be formatted. {lost} Type the last four characters of its serial."
            ))
            .help(
                "They stand on the label of the disk, and above. Go back to leave the disk alone.",
            )
            .each(move |text| {
                if text.eq_ignore_ascii_case(&four) {
                    return Ok(four.clone());
                }
                let what = format!("`{text}` is not the end of the serial of this disk");
                Err(Refused::new(what, "look at it again, or go back to leave the disk alone"))
            }),
    );
}

/// The name of a selector, or its end.
fn short(selector: &str) -> String {
    let name = selector.split_once(':').map_or(selector, |(_, name)| name);
    match name.char_indices().rev().nth(19) {
        Some((at, _)) if at > 0 => format!("..{}", &name[at + 2..]),
        _ => name.to_owned(),
    }
}

/// Shares, and on a PC disks too, by their names.
fn mounts(walk: &mut Walk<'_>, taken: Vec<String>, not_offered: &[String]) {
    let pc = walk.world.place == Place::Pc;
    let (id, title, asks) = if pc {
        (
            "storage.lines",
            "Disks and shares",
            "Other disks or network shares that shall hold something?",
        )
    } else {
        ("storage.shares", "Network shares", "Network shares that shall hold something?")
    };
    let mut asks = format!("{asks} Such as `media nas.lan:/export/media`.");
    if !not_offered.is_empty() {
        asks += &format!(" Not offered: {}.", not_offered.join("; "));
    }
    let disks = if pc {
        " A disk is written as `serial:...`, with its file system behind it if that is not ext4; on \
         the box itself they are listed. It must have a file system already."
    } else {
        ""
    };
    let before = taken.clone();
    let shared = walk.said.has("storage.shared");
    let lines = walk.texts(
        Question::new(id, title, Kind::List("mount"))
            .asks(asks)
            .help(format!(
                "What it holds (media, downloads, backups; several joined by `+`), a blank, and where \
                 it is: `host:/folder` for NFS, `//host/share` for SMB.{disks} What has no disk or \
                 share lies on the system's disk."
            ))
            .or_value(Value::Texts(Vec::new()))
            .each(move |text| line(text, pc).map(|_| text.to_owned()))
            .whole(move |value| {
                if let Value::Texts(lines) = &value {
                    once(lines, before.clone(), shared)?;
                }
                Ok(value)
            }),
    );
    let mut all = taken;
    for (index, text) in lines.iter().enumerate() {
        let Ok(mut mounted) = line(text, pc) else { continue };
        all.extend(mounted.holds.iter().cloned());
        if let Ok(MountSource::Smb { share, .. }) = rules::remote(&mounted.source) {
            mounted.login = Some(login(walk, index, &share));
        }
        walk.said.mounts.push(mounted);
    }
    walk.said.put("storage.taken", Value::Texts(all));
}

/// A mount as it is typed.
fn line(text: &str, pc: bool) -> Result<Mounted, Refused> {
    let example = "write it as `media nas.lan:/export/media`";
    let Some((holds, source)) = text.split_once(char::is_whitespace) else {
        return Err(Refused::new(format!("`{text}` does not say where it is"), example));
    };
    for place in holds.split('+') {
        if !PLACES.contains(&place) {
            let what = format!("`{place}` is nothing that a disk or share can hold");
            return Err(Refused::new(what, format!("choose from {}", PLACES.join(", "))));
        }
    }
    let holds = holds.split('+').map(str::to_owned).collect();
    let source = source.trim().to_owned();
    let words = ["serial:", "by-id:", "uuid:", "/dev/"];
    if !words.iter().any(|word| source.starts_with(word)) {
        rules::remote(&source)?;
        return Ok(Mounted { holds, source, filesystem: None, wipe: None, login: None });
    }
    if !pc {
        let what = format!("`{source}` is a disk of this box");
        return Err(Refused::new(what, "the disks that can be used are asked for one by one"));
    }
    let last = source.rsplit_once(' ');
    let (disk, kind) = match last.filter(|(_, kind)| KNOWN.contains(kind)) {
        Some((disk, kind)) => (disk.trim_end().to_owned(), kind.to_owned()),
        None => (source, KNOWN[0].to_owned()),
    };
    rules::selector(&disk)?;
    Ok(Mounted { holds, source: disk, filesystem: Some(kind), wipe: None, login: None })
}

/// One place, one mount; and one mount for several places at the most.
fn once(lines: &[String], mut taken: Vec<String>, mut shared: bool) -> Result<(), Refused> {
    let mut sources: Vec<DiskSelector> = Vec::new();
    for text in lines {
        let mounted = line(text, true)?;
        if mounted.holds.len() > 1 && std::mem::replace(&mut shared, true) {
            let what = "only one disk or share can hold several things";
            return Err(Refused::new(what, "give each of the others one thing"));
        }
        for place in mounted.holds {
            if taken.contains(&place) {
                let what = format!("`{place}` has a disk or share already");
                return Err(Refused::new(what, "one place takes one disk or share"));
            }
            taken.push(place);
        }
        if let Ok(disk) = rules::selector(&mounted.source) {
            if sources.contains(&disk) {
                let what = format!("`{}` is there twice", mounted.source);
                return Err(Refused::new(what, "join what it holds by `+`"));
            }
            sources.push(disk);
        }
    }
    Ok(())
}

/// What the names of the questions begin with.
fn login(walk: &mut Walk<'_>, index: usize, share: &str) -> String {
    let id = format!("storage.share.{}", index + 1);
    let user = walk.text(
        Question::new(format!("{id}.user"), "Share's user", Kind::Text)
            .asks(format!("User name for {share}? Empty if it is open to guests."))
            .help("As the file server knows it.")
            .or("")
            .each(key_or_empty("storage.mount.user")),
    );
    if !user.is_empty() {
        walk.secret(
            Question::new(
                format!("{id}.password"),
                "Share's password",
                Kind::Secret { twice: false },
            )
            .asks(format!("Password of {user} at {share}? It is not shown while you type."))
            .help("It is kept on the box in a file that only root can read.")
            .each(key("storage.mount.password")),
        );
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_as_they_are_typed() {
        for (text, holds, source, filesystem) in [
            ("media nas.lan:/export/media", "media", "nas.lan:/export/media", None),
            ("media+downloads  //nas.lan/data", "media downloads", "//nas.lan/data", None),
            ("backups serial:WD 12 xfs", "backups", "serial:WD 12", Some("xfs")),
            ("backups serial:WD12", "backups", "serial:WD12", Some("ext4")),
        ] {
            let mounted = line(text, true).unwrap();
            assert_eq!(
                (mounted.holds.join(" ").as_str(), mounted.source.as_str()),
                (holds, source)
            );
            assert_eq!(mounted.filesystem.as_deref(), filesystem);
        }
        for (text, what) in [
            ("media", "`media` does not say where it is"),
            ("films nas.lan:/x", "`films` is nothing that a disk or share can hold"),
            ("media nas.lan", "`nas.lan` is no network share"),
            (
                "media /dev/sdb",
                "`/dev/sdb` is a kernel name, which may mean another disk after the next start",
            ),
        ] {
            assert_eq!(line(text, true).unwrap_err().what, what);
        }
        assert_eq!(
            line("media serial:X", false).unwrap_err().what,
            "`serial:X` is a disk of this box"
        );
    }

    #[test]
    fn the_last_four_of_a_short_serial_are_all_of_it() {
        assert_eq!(
            (last_four("S4EVNX0R123456").as_str(), last_four("AB").as_str()),
            ("3456", "AB")
        );
    }
}
