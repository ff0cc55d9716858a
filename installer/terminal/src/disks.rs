//! The disks of a box, for a person.

use std::fmt::Write as _;

use model::disk::{Entry, size};

/// Every disk with what is known of it.
pub fn list(entries: &[Entry]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for entry in entries {
        let Entry { name, selector, model, bus, size: bytes, contents, used_for, .. } = entry;
        let name = name.as_deref().unwrap_or("not there");
        let _ = writeln!(out, "{selector}");
        if entry.name.is_some() {
            let about = [model.as_str(), bus.as_str(), &size(*bytes), name];
            let about: Vec<&str> = about.into_iter().filter(|word| !word.is_empty()).collect();
            entry_line(&mut out, "disk", &about.join(", "));
        } else {
            entry_line(&mut out, "disk", "NOT THERE");
        }
        entry_line(&mut out, "holds", contents);
        let uses = if used_for.is_empty() { "nothing".to_owned() } else { used_for.join(", ") };
        entry_line(&mut out, "used for", &uses);
        if entry.name.is_some() {
            entry_line(&mut out, "health", &health(entry));
        }
        for trouble in &entry.trouble {
            entry_line(&mut out, "trouble", trouble);
        }
        out.push('\n');
    }
    out
}

/// What is wrong with the disks, a line each; none: nothing is.
pub fn troubles(entries: &[Entry]) -> Vec<String> {
    let mut troubles = Vec::new();
    for entry in entries.iter().filter(|entry| entry.is_trouble()) {
        let used = entry.used_for.join(", ");
        if entry.name.is_none() {
            troubles.push(format!("{}, used for {used}, is not there", entry.selector));
        }
        if entry.health.is_trouble() {
            troubles.push(format!("{}: {}", entry.selector, health(entry)));
        }
        troubles.extend(entry.trouble.iter().cloned());
    }
    troubles
}

/// A disk in one line: selector, use, and how it is.
pub fn line(entry: &Entry) -> String {
    let uses =
        if entry.used_for.is_empty() { "unused".to_owned() } else { entry.used_for.join(", ") };
    let state = match &entry.name {
        Some(_) => health(entry),
        None => "NOT THERE".to_owned(),
    };
    let trouble: String = entry.trouble.iter().map(|trouble| format!("; {trouble}")).collect();
    format!("{:<32}{uses}: {state}{trouble}", entry.selector)
}

/// `good, 32 degrees, 1730 hours`.
fn health(entry: &Entry) -> String {
    let health = &entry.health;
    let mut words = vec![health.state.word().to_owned()];
    words.extend(health.temperature.map(|degrees| format!("{degrees} degrees")));
    words.extend(health.hours.map(|hours| format!("{hours} hours")));
    let mut text = words.join(", ");
    if !health.remarks.is_empty() {
        let _ = write!(text, ": {}", health.remarks.join("; "));
    }
    text
}

fn entry_line(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "  {name:<10}{value}");
}

#[cfg(test)]
mod tests {
    use model::disk::{
        Health,
        smart::{Counts, State},
    };

    use super::*;

    fn entry() -> Entry {
        Entry {
            name: Some("sdb".into()),
            selector: "serial:WD-1".into(),
            model: "WDC WD40".into(),
            bus: "sata".into(),
            size: 4_000_000_000_000,
            contents: "xfs uuid:u-1".into(),
            used_for: vec!["/mnt/media".into()],
            health: Health {
                state: State::Good,
                remarks: Vec::new(),
                hours: Some(1730),
                temperature: Some(32),
                counts: Counts::default(),
            },
            trouble: Vec::new(),
        }
    }

    #[test]
    fn disks_are_listed_and_troubles_told() {
        let gone = Entry {
            name: None,
            selector: "serial:WD-2".into(),
            contents: "uuid:u-2".into(),
            used_for: vec!["/mnt/backups".into()],
            health: Health::unknown("it is not there"),
            ..entry()
        };
        let health = Health {
            state: State::Failing,
            remarks: vec!["the disk itself says that it is failing".into()],
            ..entry().health
        };
        let ill = Entry { health, trouble: vec!["`/mnt/media` is full".into()], ..entry() };
        assert_eq!(
            list(&[entry(), gone.clone()]),
            "serial:WD-1\n  disk      WDC WD40, sata, 4000 GB, sdb\n  holds     xfs uuid:u-1\n  \
             used for  /mnt/media\n  health    good, 32 degrees, 1730 hours\n\n\
             serial:WD-2\n  disk      NOT THERE\n  holds     uuid:u-2\n  used for  /mnt/backups\n\n"
        );
        assert!(troubles(&[entry()]).is_empty());
        assert_eq!(
            line(&entry()),
            "serial:WD-1                     /mnt/media: good, 32 degrees, 1730 hours"
        );
        assert_eq!(line(&gone), "serial:WD-2                     /mnt/backups: NOT THERE");
        assert_eq!(
            troubles(&[gone, ill]),
            [
                "serial:WD-2, used for /mnt/backups, is not there",
                "serial:WD-1: FAILING, 32 degrees, 1730 hours: the disk itself says that it is \
                 failing",
                "`/mnt/media` is full",
            ]
        );
    }
}
