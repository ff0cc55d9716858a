//! The disks of the box, one question each.

use super::storage::{KNOWN, PLACES};
use crate::{
    disk::{Victim, bears},
    facts::{Disk, Facts, Volume},
    questions::{
        Choice, Kind, Question, Value,
        walk::{Mounted, Walk},
    },
    seed::rules::{self, Refused},
};

/// A disk, or a part of one, that could be used.
pub(super) struct Candidate {
    selector: String,
    /// Its file system; none: it would have to be formatted.
    filesystem: Option<String>,
    /// For consent; none: it cannot be formatted.
    serial: Option<String>,
    about: String,
    empty: bool,
}

/// Whatever can be mounted; what cannot goes to `not_offered`, with the reason.
pub(super) fn candidates(
    facts: &Facts,
    formats: bool,
    not_offered: &mut Vec<String>,
) -> Vec<Candidate> {
    let mut all = Vec::new();
    for disk in facts.disks.iter().filter(|disk| !disk.boot && !disk.removable) {
        let about = describe(disk);
        // What a cut left of formatting is good for nothing but to be formatted again.
        let begun = disk.formatting.as_ref().is_some_and(|note| !note.finished);
        let usable: Vec<&Volume> =
            disk.contents.iter().filter(|volume| is_usable(volume) && !begun).collect();
        let unique = unique_selector(disk, facts);
        let by_serial = unique.as_ref().is_some_and(|text| text.starts_with("serial:"));
        // Consent is good for one time: one that a box formatted before is used as it is.
        let made = Victim::named(&disk.serial, disk).is_ok_and(|v| bears(disk, &v.uuid()));
        let mounted = disk.contents.iter().any(|volume| !volume.mounted_at.is_empty());
        let spent = made && !begun;
        let serial = (formats && by_serial && !spent && !mounted).then(|| disk.serial.clone());
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
            ([], _) if mounted => not_offered.push(format!("{about}: it is in use")),
            ([], _) if spent => not_offered.push(format!(
                "{about}: a box has encrypted it, which only a seed with `encrypt` can name"
            )),
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

pub(super) fn disk(walk: &mut Walk<'_>, candidate: &Candidate, taken: &mut Vec<String>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Consent, FileSystem, Format, Formatting};

    #[test]
    fn the_last_four_of_a_short_serial_are_all_of_it() {
        assert_eq!(
            (last_four("S4EVNX0R123456").as_str(), last_four("AB").as_str()),
            ("3456", "AB")
        );
    }

    /// What is offered of one disk: `format`, `use`, `either`; or why nothing is.
    fn offered(disk: Disk) -> String {
        let mut not_offered = Vec::new();
        let facts = Facts { disks: vec![disk], ..Facts::of_memory(1) };
        let all = candidates(&facts, true, &mut not_offered);
        match (&all[..], &not_offered[..]) {
            ([one], []) => match (&one.filesystem, &one.serial) {
                (None, Some(_)) => "format".to_owned(),
                (Some(_), None) => "use".to_owned(),
                (Some(_), Some(_)) => "either".to_owned(),
                (None, None) => panic!("nothing can be done with it"),
            },
            ([], [why]) => why.rsplit_once("): ").map_or_else(String::new, |(_, why)| why.into()),
            other => panic!("{}", other.1.join("; ")),
        }
    }

    #[test]
    fn a_disk_is_offered_to_be_formatted_once() {
        let empty = Disk { name: "sdb".into(), serial: "WD-1".into(), size: 1, ..Disk::default() };
        let of = |kind: &str, uuid: &str| Disk {
            contents: vec![Volume {
                name: "sdb1".into(),
                number: Some(1),
                size: 1,
                signature: Some(kind.into()),
                uuid: Some(uuid.into()),
                label: None,
                mounted_at: Vec::new(),
            }],
            ..empty.clone()
        };
        let consent = Consent::given("WD-1", &empty).unwrap();
        let format = Format::new(consent, FileSystem::Ext4, "media");
        let foreign = "0a1b2c3d-0000-4000-8000-000200000004";
        assert_eq!(offered(empty.clone()), "format");
        assert_eq!(offered(of("ntfs", foreign)), "format");
        assert_eq!(offered(of("ext4", foreign)), "either");
        assert_eq!(offered(of("ext4", &format.uuid)), "use");
        assert_eq!(
            offered(of("crypto_LUKS", &format.uuid)),
            "a box has encrypted it, which only a seed with `encrypt` can name"
        );
        let half = Disk {
            formatting: Some(Formatting { format: format.clone(), finished: false }),
            ..of("ext4", &format.uuid)
        };
        assert_eq!(offered(half), "format");
        let mut mounted = of("ext4", foreign);
        mounted.contents[0].mounted_at = vec!["/mnt/media".into()];
        assert_eq!(offered(mounted.clone()), "use");
        mounted.contents[0].signature = Some("ntfs".into());
        assert_eq!(offered(mounted), "it is in use");
    }
}
