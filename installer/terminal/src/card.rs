//! Cards: one screen that says where the box stands and what to do. Pure text.

use std::{fmt::Write as _, net::IpAddr};

use model::{
    Problems,
    disk::{Victim, size},
    facts::NetworkPort,
    plan::Handover,
    preflight::{Wanted, network::link},
    report::{Outcome, Report, Verdict},
};

use crate::{COLUMNS, number, problems::shown, wrap};

/// Width of the left column.
const LABEL: usize = 15;

/// A card in the making: a frame, a title, labelled paragraphs.
struct Card {
    text: String,
}

impl Card {
    fn new(title: &str) -> Self {
        let mut card = Self { text: String::new() };
        card.rule();
        for line in wrap(title, COLUMNS - 1) {
            card.line(&line);
        }
        card
    }

    fn rule(&mut self) {
        self.text.push_str(&"=".repeat(COLUMNS - 1));
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        if !line.is_empty() {
            self.text.push(' ');
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        for line in wrap(text, COLUMNS - 2) {
            self.line(&line);
        }
    }

    /// `Label          text`, broken and indented.
    fn entry(&mut self, label: &str, text: &str) {
        for (index, line) in wrap(text, COLUMNS - 2 - LABEL).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.line(format!("{label:LABEL$}{line}").trim_end());
        }
    }

    fn gap(&mut self) {
        self.line("");
    }

    fn done(mut self) -> String {
        self.rule();
        self.text
    }
}

/// What a box without a seed knows of itself.
#[derive(Debug, Clone, Copy)]
pub struct Unclaimed<'a> {
    /// The installer's version.
    pub version: &'a str,
    /// Its network ports.
    pub ports: &'a [NetworkPort],
    /// Its addresses, without link-local ones.
    pub addresses: &'a [IpAddr],
    /// Somebody began to answer the questions.
    pub begun: bool,
    /// It runs from something that can be pulled out.
    pub stick: bool,
    /// Why a place that was looked at could not be read, one sentence each.
    pub trouble: &'a [String],
}

/// Shown while no seed is there.
pub fn waiting(unclaimed: &Unclaimed<'_>) -> String {
    let Unclaimed { version, ports, addresses, begun, stick, trouble } = unclaimed;
    let mut card = Card::new(&format!("homelab {version}: this box waits for its seed"));
    card.gap();
    card.paragraph(match begun {
        false => "Press Enter to set it up here: one question comes after the other.",
        true => "Press Enter to go on with the setup here: the answers so far are kept.",
    });
    card.paragraph(PLAIN);
    card.gap();
    card.paragraph("Or put a file `seed.toml` in one of these places; the box looks all the time:");
    card.gap();
    card.entry("  SEED", "the partition with this label on the box's own disk: any PC shows it");
    card.entry(
        "  HOMELAB-SEED",
        "a stick with this label (FAT labels are shorter: HOMELABSEED does as well)",
    );
    card.entry("  the image", "before it is flashed: `homelab-image seed inject IMAGE seed.toml`");
    card.gap();
    card.paragraph("Check it beforehand on your PC: `homelab-image seed check seed.toml`");
    card.gap();
    if *stick {
        card.paragraph(
            "This box runs from a stick. The setup asks whether the system shall be copied onto a disk \
             of this machine; in a seed, `[install]` says so. By itself the box does not do it.",
        );
        card.gap();
    }
    card.entry("Network", &network(ports));
    card.entry("Addresses", &address_list(addresses));
    for line in *trouble {
        card.entry("Trouble", line);
    }
    card.done()
}

/// How the setup is begun without moving the cursor.
const PLAIN: &str = "`plain` and Enter does the same in plain lines, for simple terminals.";

/// How the ports are, in a sentence with the way out.
pub fn network(ports: &[NetworkPort]) -> String {
    let finding = link(ports, &Wanted::default());
    match finding.way_out.as_str() {
        "" => finding.found,
        way_out => format!("{}: {way_out}", finding.found),
    }
}

/// Shown on all other consoles while somebody answers the questions at one.
pub fn in_use(console: &str, since: &str) -> String {
    let mut card = Card::new(&format!("homelab: the setup is in use on {console}"));
    card.gap();
    card.entry("Since", since);
    card.entry(
        "Next",
        "type `take over` and Enter to go on with it here; the answers so far come along",
    );
    card.done()
}

/// Shown when a seed is there but wrong. The values of secret keys are covered.
pub fn refused(problems: &Problems, source: &str) -> String {
    let count = problems.list.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    let mut card = Card::new(&format!("homelab: the seed has {count} {noun}; nothing was changed"));
    card.gap();
    // Not wrapped: the underline belongs to the line above it.
    for line in shown(problems).lines() {
        card.line(line);
    }
    card.gap();
    card.entry("Seed", source);
    card.entry("Next", "correct the file; the box tries again as soon as it changes");
    card.entry(
        "Or",
        "press Enter to answer the questions here: what is good in the seed is filled in",
    );
    card.done()
}

/// What stopped a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What failed, such as ``step `images` failed``.
    pub what: String,
    /// Why, outermost cause first.
    pub causes: Vec<String>,
    /// What was done before; empty if nothing.
    pub done: String,
    /// What the owner can do; empty if nothing is known.
    pub hint: String,
}

impl Stop {
    /// From the report of a run that failed; none if it did not.
    pub fn of(report: &Report) -> Option<Self> {
        let Verdict::Failed { step: id } = &report.verdict else { return None };
        let total = report.steps.len();
        let position = report.steps.iter().position(|step| step.id == *id);
        let (what, causes, hint) = match position.map(|at| (at, &report.steps[at])) {
            Some((at, step)) => {
                let (causes, hint) = match &step.outcome {
                    Outcome::Failed { causes, hint } => (causes.clone(), hint.clone()),
                    _ => (Vec::new(), String::new()),
                };
                (format!("step {} of {total} failed: {}", at + 1, step.title), causes, hint)
            }
            None => (format!("step `{id}` failed"), Vec::new(), String::new()),
        };
        let done = match report.steps.iter().take(position.unwrap_or(0)).count() {
            0 => "nothing yet".to_owned(),
            1 => "the step before it; it is not done again".to_owned(),
            n => format!("the {n} steps before it; they are not done again"),
        };
        Some(Self { what, causes, done, hint })
    }
}

/// What happens after a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is tried again by itself.
    Retry {
        /// In this many seconds.
        seconds: u64,
        /// How many tries are left, this one included.
        left: u32,
    },
    /// The program ends; the owner runs it again.
    Apply,
    /// Rescue: three boots did not finish the install.
    Rescue,
}

/// What can be typed on a console of a box that is not installed.
const CHANGE: &str = "type `change` and Enter to change an answer, `shell` and Enter for a shell";

/// Shown when something stopped the install.
pub fn stopped(stop: &Stop, next: Next) -> String {
    let mut card = Card::new(&format!("homelab: {}", stop.what));
    card.gap();
    for (index, cause) in stop.causes.iter().enumerate() {
        card.entry(if index == 0 { "Why" } else { "because" }, cause);
    }
    if !stop.done.is_empty() {
        card.entry("Already done", &stop.done);
    }
    if !stop.hint.is_empty() {
        card.entry("Way out", &stop.hint);
    }
    card.entry("Report", "REPORT.TXT on the SEED partition; `journalctl -u homelab-install`");
    card.gap();
    match next {
        Next::Retry { seconds, left } => {
            card.entry(
                "Next",
                &format!(
                    "press Enter to try again now; otherwise it is tried again in {} ({left} {} \
                     left)",
                    number::seconds(seconds as f64),
                    if left == 1 { "try" } else { "tries" },
                ),
            );
            card.entry("Or", CHANGE);
        }
        Next::Apply => card.entry("Next", "`homelab apply` goes on where it stopped"),
        Next::Rescue => {
            card.entry("Rescue", "several starts did not finish the install, so this one waits");
            card.entry("Next", "press Enter to try again");
            card.entry("Or", CHANGE);
        }
    }
    card.done()
}

/// Shown in rescue mode when nothing is known about what failed.
pub fn rescue_without_report() -> Stop {
    Stop {
        what: "the install did not finish".to_owned(),
        causes: vec!["the last starts ended before they could write a report".to_owned()],
        done: String::new(),
        hint: "try once more and watch where it stops; check power and disk".to_owned(),
    }
}

/// Shown when the system lies on another disk. `now`: the copy was made in this very start.
pub fn moved(disk: &Victim, now: bool) -> String {
    let model = if disk.model.trim().is_empty() { "disk" } else { disk.model.trim() };
    let disk = format!("{disk} ({model}, {})", size(disk.size));
    let mut card = Card::new(match now {
        true => "homelab: the system is copied; pull out the stick when it goes dark",
        false => "homelab: the system was copied before; pull out the stick",
    });
    card.gap();
    card.entry("Lies on", &disk);
    match now {
        true => {
            card.entry(
                "Next",
                "the machine starts again in a moment, from that disk, and goes on there",
            );
            card.entry("If not", "choose that disk in the setup of the firmware, before the stick");
        }
        false => {
            card.entry("So", "the machine was started from the stick again; nothing was written");
            card.entry("Next", "pull out the stick and press Enter: the machine starts again");
            card.entry("Or", "choose that disk in the setup of the firmware, before the stick");
            card.entry(
                "Anew",
                "to copy the system there once more, change the seed or erase the disk first",
            );
        }
    }
    card.done()
}

/// Shown at the end. `report` has addresses, links and the fingerprint, `handover` who may log in
/// where.
pub fn ready(report: &Report, handover: Option<&Handover>) -> String {
    let mut card = Card::new("homelab: the box is ready");
    card.gap();
    if let Some(handover) = handover {
        card.entry("Start here", &format!("{} (log in as {})", handover.portal, handover.admin));
    }
    for (title, url) in &report.links {
        if handover.is_none_or(|handover| handover.portal != *url) {
            card.entry(title, url);
        }
    }
    let addresses: Vec<IpAddr> =
        report.addresses.iter().filter_map(|text| text.parse().ok()).collect();
    card.entry("Addresses", &address_list(&addresses));
    for step in &report.steps {
        match &step.outcome {
            Outcome::Warned { message } => card.entry("Warning", message),
            Outcome::Held { reason } => card.entry("Held", &format!("{}: {reason}", step.id)),
            _ => {}
        }
    }
    if let Some(handover) = handover {
        let address = report.addresses.first().map_or("ADDRESS", String::as_str);
        card.gap();
        card.entry(
            "Names",
            &format!(
                "on your devices, {domain} and every name below it must lead to {address}: an \
                 entry in the router's DNS",
                domain = handover.domain
            ),
        );
        if let Some(print) =
            report.authority_fingerprint.as_ref().filter(|_| handover.local_authority)
        {
            card.entry(
                "Trust",
                &format!(
                    "certificates come from the box's own authority. Fetch it: `ssh {}@{address} \
                     homelab authority > homelab-ca.pem`, compare its SHA-256 fingerprint, then \
                     import it as an authority:",
                    handover.admin
                ),
            );
            for half in fingerprint_lines(print) {
                card.entry("", &half);
            }
        }
    }
    card.entry(
        "Later",
        "`homelab status`, `homelab verify`, `homelab apply` on the box; `homelab status --qr` \
         shows the address above as a QR code, `sudo homelab recovery-sheet --to /dev/sdX1` saves \
         to a stick what is needed after a total loss",
    );
    card.done()
}

/// Addresses in a sentence.
fn address_list(addresses: &[IpAddr]) -> String {
    if addresses.is_empty() {
        return "none yet: is the network cable plugged in?".to_owned();
    }
    let mut text = String::new();
    for (index, address) in addresses.iter().enumerate() {
        let _ = write!(text, "{}{address}", if index > 0 { ", " } else { "" });
    }
    text
}

/// A fingerprint of 32 pairs in two lines of 16.
fn fingerprint_lines(print: &str) -> Vec<String> {
    let pairs: Vec<&str> = print.split(':').collect();
    pairs.chunks(16).map(|chunk| chunk.join(":")).collect()
}

#[cfg(test)]
mod tests;
