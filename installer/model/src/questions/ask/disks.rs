//! The disks of the box: which of them are used, what each holds, and whether they are encrypted.

use super::candidates::{Candidate, candidates};
use crate::{
    disk::Unlock,
    questions::{
        Choice, Kind, Question, Value,
        mounted::{Fate, Member, Mounted, PLACES, Source, joined, named},
        walk::Walk,
    },
    seed::rules::Refused,
};

/// What the names of the questions about one disk begin with.
const DISK: &str = "storage.disk.";

/// Shows all disks, and asks about each that is chosen.
pub(super) fn disks(walk: &mut Walk<'_>) {
    let world = walk.world;
    // The disk that the system goes onto holds nothing else.
    let system = walk.said.text("install.disk").to_owned();
    let all = candidates(&world.facts, &system, world.formats);
    if all.is_empty() {
        return;
    }
    let option = |candidate: &Candidate| {
        Choice::new(&candidate.selector, &candidate.about).unless(candidate.refused.clone())
    };
    // An earlier seed has chosen those that it names.
    let before =
        all.iter().filter(|candidate| walk.knows(&format!("{DISK}{}", candidate.selector)));
    let before = before.map(|candidate| candidate.selector.clone()).collect();
    let chosen = walk.texts(
        Question::new("storage.disks", "Disks", Kind::Several(all.iter().map(option).collect()))
            .asks(
                "Which of these disks shall hold media, downloads or backups? A disk that is not \
                 marked is left alone, and what has no disk lies on the system's.",
            )
            .help(
                "For each marked disk you are asked what it shall hold. Nothing on it is lost before \
                 you have agreed to that, for this very disk. Disks that hold the same become one \
                 folder (a pool, by mergerfs), as large as all of them: a file lies whole on one, and \
                 a disk that dies takes its own files with it. Sticks and cards are not shown.",
            )
            .or_value(Value::Texts(before)),
    );
    for candidate in all.iter().filter(|candidate| chosen.contains(&candidate.selector)) {
        disk(walk, candidate);
    }
    encryption(walk);
}

/// What one disk holds, and whether it is formatted for that.
fn disk(walk: &mut Walk<'_>, candidate: &Candidate) {
    let Candidate { selector, about, kept, formats, empty, .. } = candidate;
    let id = format!("{DISK}{selector}");
    let holds = holds(walk, candidate, &id);
    if holds.is_empty() {
        return;
    }
    let pool = walk.said.mounts.iter().position(|mount| mount.holds == holds);
    let alike = pool.and_then(|at| walk.said.mounts[at].kept()).cloned();
    let fate = match (kept, alike) {
        (Some(kept), Some(alike)) if *kept != alike => {
            let why = format!(
                "{about} will be formatted: it is {}, and the disk that it joins {}.",
                kept.in_words(),
                alike.in_words()
            );
            consent(walk, &id, &why, selector, *empty);
            Fate::Formatted
        }
        (Some(kept), _) if !formats || !wants_format(walk, &id, about) => Fate::Kept(kept.clone()),
        _ => {
            consent(walk, &id, &format!("{about} will be formatted."), selector, *empty);
            Fate::Formatted
        }
    };
    let member = Member { selector: selector.clone(), fate };
    match pool.map(|at| &mut walk.said.mounts[at].source) {
        Some(Source::Disks(members)) => members.push(member),
        _ => walk.said.mounts.push(Mounted { holds, source: Source::Disks(vec![member]) }),
    }
}

fn holds(walk: &mut Walk<'_>, candidate: &Candidate, id: &str) -> Vec<String> {
    let Candidate { selector, about, kept, formats, .. } = candidate;
    let mounts = walk.said.mounts.clone();
    let option = |place: &str| {
        let Some(pool) = mounts.iter().find(|mount| mount.holds.iter().any(|held| held == place))
        else {
            return Choice::new(place, place);
        };
        let unlike = kept.as_ref().filter(|_| !formats).zip(pool.kept());
        let unlike = unlike.filter(|(here, there)| here != there).map(|(here, there)| {
            let (here, there) = (here.in_words(), there.in_words());
            format!("this disk is {here}, and {} {there}", pool.disks())
        });
        Choice::new(place, format!("{place}, as one folder with {}", pool.disks())).unless(unlike)
    };
    let fate = match (kept, formats) {
        (Some(kept), true) => {
            format!("What is on it ({}) can stay: that is asked next.", kept.in_words())
        }
        (Some(kept), false) => format!("What is on it ({}) stays.", kept.in_words()),
        (None, _) => "It must be formatted for that: you are asked before.".to_owned(),
    };
    let options = PLACES.map(option).to_vec();
    let pools = mounts.clone();
    walk.texts(
        Question::new(id, format!("Disk {}", short(selector)), Kind::Several(options))
            .asks(format!("{about}. What shall it hold? {fate} With no mark it is left alone."))
            .help(
                "Media and downloads on one disk can share files without copying them. Backups \
                 belong on a disk of their own. What another disk holds already can be chosen as \
                 well: both are one folder then.",
            )
            .or_value(Value::Texts(Vec::new()))
            .whole(move |value| {
                let Value::Texts(list) = &value else { return Ok(value) };
                joined(&mounts, list, true).map(|_| value)
            })
            .remarks(move |value| match value {
                Value::Texts(list) => match joined(&pools, list, true) {
                    Ok(Some(pool)) => format!(
                        "One folder on {} disks. A disk that dies takes its own files with it.",
                        pool.members().len() + 1
                    ),
                    Ok(None) => String::new(),
                    Err(refused) => refused.hint,
                },
                _ => String::new(),
            }),
    )
}

fn wants_format(walk: &mut Walk<'_>, id: &str, about: &str) -> bool {
    walk.yes(
        Question::new(format!("{id}.format"), "Format it", Kind::YesNo)
            .asks(format!("{about}. Shall it be formatted? Everything on it is lost then."))
            .help("`no` keeps what is on it, and uses it as it is.")
            .or_value(Value::Yes(false)),
    )
}

/// Erasing a disk needs the end of its name typed: a slip of a finger cannot be consent. `what` will
/// happen to which disk, as a sentence.
pub(super) fn consent(walk: &mut Walk<'_>, id: &str, what: &str, selector: &str, empty: bool) {
    let four = last_four(named(selector));
    let lost = if empty { "It is empty." } else { "EVERYTHING ON IT IS LOST." };
    let (name, whose) = match selector.starts_with("serial:") {
        true => ("serial", "They stand on the label of the disk, and above."),
        false => ("by-id name", "They stand above: the disk tells no serial."),
    };
    walk.text(
        Question::new(format!("{id}.consent"), "Consent", Kind::Text)
            .asks(format!("{what} {lost} Type the last four characters of its {name}."))
            .help(format!("{whose} Go back to leave the disk alone."))
            .each(move |text| {
                if text.eq_ignore_ascii_case(&four) {
                    return Ok(four.clone());
                }
                let what = format!("`{text}` is not the end of the {name} of this disk");
                Err(Refused::new(what, "look at it again, or go back to leave the disk alone"))
            }),
    );
}

/// Whether what is formatted is encrypted. A pool with a disk that is kept is as that one is.
fn encryption(walk: &mut Walk<'_>) {
    let new: Vec<&Mounted> = walk.said.mounts.iter().filter(|mount| mount.is_new()).collect();
    if new.is_empty() {
        return;
    }
    let names: Vec<String> = new
        .iter()
        .map(|mount| format!("{} on {}", mount.holds.join(" and "), mount.disks()))
        .collect();
    let tpm = match walk.world.facts.tpm2 {
        true => None,
        false => Some("this machine has no TPM 2.0, or it is turned off".to_owned()),
    };
    let options = vec![
        Choice::new("no", "no"),
        Choice::new(Unlock::Key.word(), "yes, unlocked by a key on the system's disk"),
        Choice::new(Unlock::Tpm2.word(), "yes, unlocked by the TPM 2.0 of this machine")
            .unless(tpm),
    ];
    walk.text(
        Question::new(ENCRYPT, "Encryption", Kind::Choice { options, other: false })
            .asks(format!(
                "Shall what is formatted be encrypted? That is {}. Encrypted disks unlock by \
                 themselves at each start. It cannot be changed later without formatting again.",
                names.join("; ")
            ))
            .help(
                "It protects a disk that is sold, sent in or stolen alone. It does not protect from \
                 whoever takes the whole box. With a key on the system's disk, the data is lost with \
                 that disk. With the TPM it is lost with the machine, or when Secure Boot is changed. \
                 Both can be helped: after the install, `homelab recovery-sheet` prints the key, which \
                 opens the disk anywhere. Keep that sheet away from the box.",
            )
            .or("no"),
    );
}

/// The question whether disks that are formatted are encrypted.
pub(in crate::questions) const ENCRYPT: &str = "storage.encrypt";

/// The end of the name that is typed as consent.
fn last_four(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    letters[letters.len().saturating_sub(4)..].iter().collect()
}

/// The name of a selector, or its end.
fn short(selector: &str) -> String {
    let name = named(selector);
    match name.char_indices().rev().nth(24) {
        Some((at, _)) if at > 0 => format!("..{}", &name[at + 2..]),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_of_a_short_serial_are_all_of_it() {
        assert_eq!(
            (last_four("S4EVNX0R123456").as_str(), last_four("AB").as_str()),
            ("3456", "AB")
        );
    }
}
