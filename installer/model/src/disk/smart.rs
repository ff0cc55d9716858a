//! What a disk says of its own health (SMART), as `smartctl --json -H -A` prints it.

use serde::{Deserialize, Serialize};

/// How a disk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It finds nothing wrong with itself.
    Good,
    /// It works, but there are signs that it will not for long.
    Worn,
    /// It says that it is failing.
    Failing,
    /// It sleeps, and was not woken for the question.
    Asleep,
    /// It does not tell: many USB bridges and all virtual disks.
    Unknown,
}

impl State {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Worn => "worn",
            Self::Failing => "FAILING",
            Self::Asleep => "asleep",
            Self::Unknown => "not told",
        }
    }
}

/// What a disk says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How it stands.
    pub state: State,
    /// What is wrong, or why it is not known.
    pub remarks: Vec<String>,
    /// Hours that it was switched on.
    pub hours: Option<u64>,
    /// Degrees Celsius.
    pub temperature: Option<i64>,
    /// What it counts.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What a disk counts, as far as it does: a SATA disk sectors and errors, an NVMe disk the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Sectors that were replaced by spare ones (attribute 5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reallocated: Option<u64>,
    /// Sectors that cannot be read at the moment (attribute 197).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<u64>,
    /// Errors that could not be corrected (attribute 187; of NVMe: media errors).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncorrected: Option<u64>,
    /// Part of the writes that it was made for, in percent; may be above 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_percent: Option<u64>,
    /// NVMe's critical warning, a bit for each kind; 0 is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_warning: Option<u64>,
}

impl Health {
    /// It cannot be found out.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self {
            state: State::Unknown,
            remarks: vec![why.into()],
            hours: None,
            temperature: None,
            counts: Counts::default(),
        }
    }

    /// Its owner should act.
    pub fn is_trouble(&self) -> bool {
        matches!(self.state, State::Worn | State::Failing)
    }
}

#[derive(Deserialize)]
struct Said {
    smartctl: Program,
    smart_status: Option<Status>,
    ata_smart_attributes: Option<Attributes>,
    nvme_smart_health_information_log: Option<Nvme>,
    power_on_time: Option<Hours>,
    temperature: Option<Temperature>,
}

#[derive(Deserialize)]
struct Program {
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    string: String,
}

#[derive(Deserialize)]
struct Status {
    passed: bool,
}

#[derive(Deserialize)]
struct Attributes {
    table: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    id: u32,
    name: String,
    #[serde(default)]
    when_failed: String,
    raw: Raw,
}

#[derive(Deserialize)]
struct Raw {
    value: u64,
}

#[derive(Deserialize)]
struct Nvme {
    critical_warning: Option<u64>,
    available_spare: Option<u64>,
    available_spare_threshold: Option<u64>,
    percentage_used: Option<u64>,
    media_errors: Option<u64>,
}

#[derive(Deserialize)]
struct Hours {
    hours: u64,
}

#[derive(Deserialize)]
struct Temperature {
    current: i64,
}

/// What `smartctl` printed. Its exit status is no failure: it has a bit for each kind of bad news.
pub fn parse(json: &str) -> Health {
    let said: Said = match serde_json::from_str(json) {
        Ok(said) => said,
        Err(error) => return Health::unknown(format!("`smartctl` printed no answer: {error}")),
    };
    let nvme = said.nvme_smart_health_information_log.as_ref();
    let mut remarks: Vec<String> =
        said.ata_smart_attributes.iter().flat_map(|all| &all.table).filter_map(ata).collect();
    remarks.extend(nvme.map(nvme_remarks).unwrap_or_default());
    // Bit 1 of the warning is about temperature, which passes; the others do not.
    let critical = nvme.is_some_and(|nvme| nvme.critical_warning.unwrap_or(0) & !0b10 != 0);
    let state = match &said.smart_status {
        Some(Status { passed: false }) => State::Failing,
        _ if critical => State::Failing,
        Some(_) if remarks.is_empty() => State::Good,
        _ if !remarks.is_empty() => State::Worn,
        _ => {
            let messages: Vec<String> =
                said.smartctl.messages.into_iter().map(|message| message.string).collect();
            if messages.iter().any(|message| message.contains("STANDBY")) {
                State::Asleep
            } else {
                remarks.extend(messages);
                if remarks.is_empty() {
                    remarks.push("it has no SMART".to_owned());
                }
                State::Unknown
            }
        }
    };
    if state == State::Failing {
        remarks.insert(0, "the disk itself says that it is failing".to_owned());
    }
    let counted = |wanted: u32| {
        let mut all = said.ata_smart_attributes.iter().flat_map(|all| &all.table);
        all.find(|attribute| attribute.id == wanted).map(Attribute::count)
    };
    let counts = Counts {
        reallocated: counted(5),
        pending: counted(197),
        uncorrected: counted(187).or(nvme.and_then(|nvme| nvme.media_errors)),
        used_percent: nvme.and_then(|nvme| nvme.percentage_used),
        critical_warning: nvme.and_then(|nvme| nvme.critical_warning),
    };
    Health {
        state,
        remarks,
        hours: said.power_on_time.map(|time| time.hours),
        temperature: said.temperature.map(|temperature| temperature.current),
        counts,
    }
}

impl Attribute {
    /// The low 32 bits count; some makers keep other numbers above them.
    fn count(&self) -> u64 {
        self.raw.value & 0xffff_ffff
    }
}

/// What an attribute of a SATA disk says against it.
fn ata(attribute: &Attribute) -> Option<String> {
    let Attribute { id, name, when_failed, .. } = attribute;
    if when_failed == "now" {
        return Some(format!("{name} is below its limit"));
    }
    let count = attribute.count();
    let what = match id {
        5 => "sectors were replaced by spare ones",
        187 => "errors could not be corrected",
        197 => "sectors cannot be read at the moment",
        198 => "sectors could not be read",
        _ => return None,
    };
    (count > 0).then(|| format!("{count} {what}"))
}

fn nvme_remarks(nvme: &Nvme) -> Vec<String> {
    let mut remarks = Vec::new();
    if let (Some(spare), Some(limit)) = (nvme.available_spare, nvme.available_spare_threshold) {
        if spare < limit {
            remarks
                .push(format!("{spare} % of its spare cells are left, and {limit} % is its limit"));
        }
    }
    if let Some(used) = nvme.percentage_used.filter(|used| *used >= 100) {
        remarks.push(format!("{used} % of the writes that it was made for are used up"));
    }
    if let Some(errors) = nvme.media_errors.filter(|errors| *errors > 0) {
        remarks.push(format!("{errors} times data could not be read or written"));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_tells_how_it_is() {
        let good = parse(include_str!("captured/sata-good.json"));
        let expected = Health {
            state: State::Good,
            remarks: Vec::new(),
            hours: Some(1730),
            temperature: Some(32),
            counts: Counts { reallocated: Some(0), pending: Some(0), ..Counts::default() },
        };
        assert_eq!(good, expected);
        let worn = parse(include_str!("captured/sata-worn.json"));
        assert_eq!(worn.state, State::Worn);
        assert_eq!(
            worn.remarks,
            ["104 sectors were replaced by spare ones", "8 sectors cannot be read at the moment"]
        );
        let counts = Counts { reallocated: Some(104), pending: Some(8), ..Counts::default() };
        assert_eq!(worn.counts, counts);
        let failing = parse(include_str!("captured/nvme-failing.json"));
        assert_eq!((failing.state, failing.hours), (State::Failing, Some(32798)));
        assert_eq!(
            failing.remarks,
            [
                "the disk itself says that it is failing",
                "3 % of its spare cells are left, and 10 % is its limit",
                "112 % of the writes that it was made for are used up",
                "7 times data could not be read or written"
            ]
        );
        let counts = Counts {
            uncorrected: Some(7),
            used_percent: Some(112),
            critical_warning: Some(5),
            ..Counts::default()
        };
        assert_eq!(failing.counts, counts);
        assert!(failing.is_trouble() && worn.is_trouble() && !good.is_trouble());
    }

    #[test]
    fn a_disk_that_does_not_tell_is_no_trouble() {
        let usb = parse(include_str!("captured/usb-without-smart.json"));
        assert_eq!(usb.state, State::Unknown);
        assert_eq!(usb.remarks, ["/dev/sda: Unknown USB bridge [0x048d:0x1234 (0x200)]"]);
        let asleep = parse(include_str!("captured/asleep.json"));
        assert_eq!((asleep.state, asleep.remarks.len()), (State::Asleep, 0));
        let mute = parse(r#"{"smartctl": {"exit_status": 4}, "device": {"name": "/dev/vda"}}"#);
        assert_eq!(mute, Health::unknown("it has no SMART"));
        assert_eq!(parse("").state, State::Unknown);
        assert!(![usb, asleep, mute].iter().any(Health::is_trouble));
    }
}
