//! How the disks are, in Prometheus's text format.

use std::fmt::Write as _;

use super::{
    Entry,
    smart::{Health, State},
};

/// A measure of a disk.
struct Metric {
    name: &'static str,
    help: &'static str,
    value: fn(&Entry) -> Option<i64>,
    /// A disk that does not tell it now has still what it told last.
    lasting: bool,
}

const METRICS: &[Metric] = &[
    Metric {
        name: "homelab_disk_missing",
        help: "1: the box uses this disk, and it is not there.",
        value: |disk| Some(disk.name.is_none().into()),
        lasting: false,
    },
    Metric {
        name: "homelab_disk_asleep",
        help: "1: the disk sleeps and was not woken; what it told last stays.",
        value: |disk| disk.name.as_ref().map(|_| (disk.health.state == State::Asleep).into()),
        lasting: false,
    },
    Metric {
        name: "homelab_disk_failing",
        help: "1: the disk itself says that it is failing (SMART).",
        value: |disk| is(&disk.health, State::Failing),
        lasting: true,
    },
    Metric {
        name: "homelab_disk_worn",
        help: "1: the disk works, with signs that it will not for long (SMART).",
        value: |disk| is(&disk.health, State::Worn),
        lasting: true,
    },
    Metric {
        name: "homelab_disk_temperature_celsius",
        help: "Temperature of the disk.",
        value: |disk| disk.health.temperature,
        lasting: false,
    },
    Metric {
        name: "homelab_disk_power_on_seconds",
        help: "Time that the disk was switched on.",
        value: |disk| number(disk.health.hours.map(|hours| hours.saturating_mul(3600))),
        lasting: true,
    },
    Metric {
        name: "homelab_disk_reallocated_sectors",
        help: "Sectors that were replaced by spare ones.",
        value: |disk| number(disk.health.counts.reallocated),
        lasting: true,
    },
    Metric {
        name: "homelab_disk_pending_sectors",
        help: "Sectors that cannot be read at the moment.",
        value: |disk| number(disk.health.counts.pending),
        lasting: true,
    },
    Metric {
        name: "homelab_disk_uncorrected_errors",
        help: "Errors that the disk could not correct.",
        value: |disk| number(disk.health.counts.uncorrected),
        lasting: true,
    },
    Metric {
        name: "homelab_disk_used_percent",
        help: "Part of the writes that an NVMe disk was made for; may be above 100.",
        value: |disk| number(disk.health.counts.used_percent),
        lasting: true,
    },
    Metric {
        name: "homelab_disk_critical_warning",
        help: "Critical warning of an NVMe disk, a bit for each kind; 0 is none.",
        value: |disk| number(disk.health.counts.critical_warning),
        lasting: true,
    },
];

fn number(count: Option<u64>) -> Option<i64> {
    count.and_then(|count| i64::try_from(count).ok())
}

/// Whether a disk that tells how it is is so.
fn is(health: &Health, state: State) -> Option<i64> {
    tells(health).then(|| (health.state == state).into())
}

fn tells(health: &Health) -> bool {
    matches!(health.state, State::Good | State::Worn | State::Failing)
}

/// All disks. What one that sleeps, or does not tell any more, told last is taken from the text of
/// before: it would else look well for as long as it sleeps.
pub fn text(disks: &[Entry], before: &str) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for Metric { name, help, value, lasting } in METRICS {
        let mut lines = String::new();
        for disk in disks {
            let series = format!("{name}{{{}}} ", labels(disk));
            let last = || {
                let kept = *lasting && !tells(&disk.health) && disk.name.is_some();
                before.lines().filter(|_| kept).find_map(|line| line.strip_prefix(&series))
            };
            let now = value(disk).map(|value| value.to_string());
            if let Some(value) = now.or_else(|| last().map(str::to_owned)) {
                let _ = writeln!(lines, "{series}{value}");
            }
        }
        if !lines.is_empty() {
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{lines}");
        }
    }
    out
}

/// The kernel's name is among them since other marks may be the same on two disks, or none; the
/// exporter would take no series at all if there were one twice.
fn labels(disk: &Entry) -> String {
    let device = disk.name.as_deref().unwrap_or_default();
    let uses = match disk.used_for.is_empty() {
        true => "nothing".to_owned(),
        false => disk.used_for.join(", "),
    };
    let all = [
        ("disk", disk.selector.as_str()),
        ("device", device),
        ("model", &disk.model),
        ("used_for", &uses),
    ];
    let all: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    all.join(",")
}

/// As a label's value is written.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{super::smart::parse, *};

    fn disk(name: &str, serial: &str, health: Health) -> Entry {
        Entry {
            name: Some(name.into()),
            selector: format!("serial:{serial}"),
            model: "WDC \"Red\" WD40".into(),
            bus: "sata".into(),
            size: 4_000_000_000_000,
            contents: "xfs uuid:u-1".into(),
            used_for: vec!["/mnt/media".into()],
            health,
            trouble: Vec::new(),
        }
    }

    fn lines(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn every_disk_is_told_as_prometheus_reads_it() {
        let worn = parse(include_str!("captured/sata-worn.json"));
        let gone = Entry {
            name: None,
            model: String::new(),
            used_for: vec!["/mnt/backups".into()],
            health: Health::unknown("it is not there"),
            ..disk("", "WD-2", worn.clone())
        };
        assert_eq!(
            text(&[disk("sdb", "WD-1", worn), gone], ""),
            include_str!("captured/worn-and-missing.prom")
        );
        let failing = parse(include_str!("captured/nvme-failing.json"));
        let nvme = text(&[disk("nvme0n1", "S1", failing)], "");
        let marks =
            r#"{disk="serial:S1",device="nvme0n1",model="WDC \"Red\" WD40",used_for="/mnt/media"}"#;
        for (name, value) in [
            ("failing", 1),
            ("worn", 0),
            ("temperature_celsius", 47),
            ("uncorrected_errors", 7),
            ("used_percent", 112),
            ("critical_warning", 5),
        ] {
            let line = format!("homelab_disk_{name}{marks} {value}");
            assert!(lines(&nvme).contains(&line.as_str()), "{line}\n{nvme}");
        }
    }

    #[test]
    fn a_disk_that_sleeps_keeps_what_it_told_last() {
        let worn = parse(include_str!("captured/sata-worn.json"));
        let asleep = parse(include_str!("captured/asleep.json"));
        let mute = Health::unknown("it has no SMART");
        let before = text(&[disk("sdb", "WD-1", worn.clone())], "");
        for (health, sleeps) in [(asleep.clone(), 1), (mute.clone(), 0)] {
            let after = text(&[disk("sdb", "WD-1", health)], &before);
            let all = lines(&after);
            assert_eq!(all.len(), 7, "{after}");
            let has = |name: &str, value: i64| {
                all.iter().any(|l| l.starts_with(name) && l.ends_with(&format!(" {value}")))
            };
            assert!(has("homelab_disk_asleep", sleeps) && has("homelab_disk_worn", 1), "{after}");
            assert!(has("homelab_disk_pending_sectors", 8), "{after}");
            assert!(!after.contains("temperature"), "{after}");
        }
        // Another disk has not told it, and one that is gone tells nothing.
        let other = text(&[disk("sdb", "WD-9", asleep)], &before);
        assert_eq!(lines(&other).len(), 2, "{other}");
        let gone = Entry { name: None, ..disk("sdb", "WD-1", mute) };
        assert_eq!(lines(&text(&[gone], &before)).len(), 1);
        // What it tells itself counts.
        let good = parse(include_str!("captured/sata-good.json"));
        let after = text(&[disk("sdb", "WD-1", good)], &before);
        assert!(
            lines(&after).iter().any(|l| l.starts_with("homelab_disk_worn") && l.ends_with(" 0"))
        );
    }

    #[test]
    fn disks_with_the_same_marks_are_two_series() {
        let mute = Health::unknown("it has no SMART");
        let two = [disk("vda", "", mute.clone()), disk("vdb", "", mute)];
        let text = text(&two, "");
        let mut all = lines(&text);
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!((all.len(), count), (4, 4), "{text}");
    }
}
