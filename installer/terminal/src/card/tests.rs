use std::collections::BTreeMap;

use model::{plan::StepId, report::StepReport};

use super::*;

fn step(id: &str, title: &str, outcome: Outcome) -> StepReport {
    StepReport { id: StepId::new(id), title: title.into(), outcome, seconds: 1.0 }
}

fn report(verdict: Verdict, steps: Vec<StepReport>) -> Report {
    let mut report = Report::new("0.1.0", verdict, 0, "2026-11-22T20:00:00Z");
    report.steps = steps;
    report.addresses = vec!["192.168.1.10".into(), "fd00::10".into()];
    report.links = BTreeMap::from([
        ("Login".into(), "https://auth.homelab.home.arpa".into()),
        ("Traefik".into(), "https://traefik.homelab.home.arpa".into()),
    ]);
    report.authority_fingerprint = Some(vec!["AB"; 32].join(":"));
    report
}

fn handover() -> Handover {
    Handover {
        links: BTreeMap::new(),
        portal: "https://auth.homelab.home.arpa".into(),
        admin: "alex".into(),
        domain: "homelab.home.arpa".into(),
        local_authority: true,
        show_once: Vec::new(),
        addresses: Vec::new(),
    }
}

fn port(carrier: bool) -> NetworkPort {
    NetworkPort {
        name: "enp1s0".into(),
        mac: "52:54:00:12:34:56".into(),
        wired: true,
        carrier,
        addresses: Vec::new(),
        gateways: Vec::new(),
    }
}

fn unclaimed() -> Unclaimed<'static> {
    Unclaimed {
        version: "0.1.0",
        ports: &[],
        addresses: &[],
        begun: false,
        stick: false,
        trouble: &[],
    }
}

/// No line is wider than a console, and nothing but ASCII is in it.
fn fits(card: &str) {
    for line in card.lines() {
        assert!(line.len() < COLUMNS && line.is_ascii(), "{line}");
    }
}

#[test]
fn a_box_without_a_seed_says_where_to_put_one() {
    let addresses = ["192.168.1.10".parse().unwrap()];
    let card = waiting(&Unclaimed { addresses: &addresses, ports: &[port(true)], ..unclaimed() });
    fits(&card);
    assert_eq!(
        card,
        "===============================================================================
 homelab 0.1.0: this box waits for its seed

 Press Enter to set it up here: one question comes after the other.
 `plain` and Enter does the same in plain lines, for simple terminals.

 Or put a file `seed.toml` in one of these places; the box looks all the time:

   SEED         the partition with this label on the box's own disk: any PC
                shows it
   HOMELAB-SEED a stick with this label (FAT labels are shorter: HOMELABSEED
                does as well)
   the image    before it is flashed: `homelab-image seed inject IMAGE
                seed.toml`

 Check it beforehand on your PC: `homelab-image seed check seed.toml`

 Network        enp1s0 has a link
 Addresses      192.168.1.10
===============================================================================
"
    );
}

#[test]
fn a_box_on_a_stick_says_how_it_gets_onto_a_disk() {
    let card = waiting(&Unclaimed { stick: true, ..unclaimed() });
    fits(&card);
    assert!(
        card.contains(
            "
 This box runs from a stick. The setup asks whether the system shall be copied
 onto a disk of this machine; in a seed, `[install]` says so. By itself the box
 does not do it.
"
        ),
        "{card}"
    );
    let disk = Victim {
        serial: "BOX2".into(),
        id: None,
        model: "Samsung 980".into(),
        size: 500_000_000_000,
        contents: Vec::new(),
    };
    fits(&moved(&disk, false));
    assert_eq!(
        moved(&disk, true),
        "===============================================================================
 homelab: the system is copied; pull out the stick when it goes dark

 Lies on        `serial:BOX2` (Samsung 980, 500 GB)
 Next           the machine starts again in a moment, from that disk, and goes
                on there
 If not         choose that disk in the setup of the firmware, before the stick
===============================================================================
"
    );
}

#[test]
fn trouble_and_a_missing_cable_are_told() {
    let trouble = ["the SEED partition cannot be read: bad sector".to_owned()];
    let ports = [port(false)];
    let card = waiting(&Unclaimed { ports: &ports, trouble: &trouble, begun: true, ..unclaimed() });
    fits(&card);
    assert!(card.contains(" Press Enter to go on with the setup here"), "{card}");
    assert!(
        card.ends_with(
            " Network        the port enp1s0 has no link: plug in the cable at both ends; is
                the switch on?
 Addresses      none yet: is the network cable plugged in?
 Trouble        the SEED partition cannot be read: bad sector
===============================================================================
"
        ),
        "{card}"
    );
}

#[test]
fn a_refused_seed_shows_its_problems_and_no_secret() {
    let mut problems = Problems::new("seed.toml", "[admin]\npassword = \"hunter2\"\n");
    problems.push(Some(19..28), "the password is too short", "take at least 12 characters");
    assert_eq!(
        refused(&problems, "the SEED partition of this disk"),
        "===============================================================================
 homelab: the seed has 1 problem; nothing was changed

 seed.toml:2:12: the password is too short
  2 | password = \"*******\"
    |            ^^^^^^^^^
    = take at least 12 characters

 Seed           the SEED partition of this disk
 Next           correct the file; the box tries again as soon as it changes
 Or             press Enter to answer the questions here: what is good in the
                seed is filled in
===============================================================================
"
    );
}

#[test]
fn a_failure_says_what_why_and_what_next() {
    let failed = Outcome::Failed {
        causes: vec![
            "cannot pull traefik:v3.7.11".into(),
            "10.99.0.1:5000 refused the connection (tried 5 times in 61 s, the last time at 20:04)"
                .into(),
        ],
        hint: "is the mirror of the seed switched on?".into(),
    };
    let report = report(
        Verdict::Failed { step: StepId::new("images") },
        vec![
            step("clock", "Clock", Outcome::AlreadySo),
            step("docker", "Docker", Outcome::Changed),
            step("images", "Images: 12", failed),
        ],
    );
    let stop = Stop::of(&report).unwrap();
    let card = stopped(&stop, Next::Retry { seconds: 300, left: 3 });
    fits(&card);
    assert_eq!(
        card,
        "===============================================================================
 homelab: step 3 of 3 failed: Images: 12

 Why            cannot pull traefik:v3.7.11
 because        10.99.0.1:5000 refused the connection (tried 5 times in 61 s,
                the last time at 20:04)
 Already done   the 2 steps before it; they are not done again
 Way out        is the mirror of the seed switched on?
 Report         REPORT.TXT on the SEED partition; `journalctl -u
                homelab-install`

 Next           press Enter to try again now; otherwise it is tried again in 5
                min 0 s (3 tries left)
 Or             type `change` and Enter to change an answer, `shell` and Enter
                for a shell
===============================================================================
"
    );
}

#[test]
fn a_run_that_did_not_fail_has_no_stop() {
    assert_eq!(Stop::of(&report(Verdict::Installed, Vec::new())), None);
}

#[test]
fn rescue_asks() {
    let card = stopped(&rescue_without_report(), Next::Rescue);
    fits(&card);
    assert!(
        card.ends_with(
            " Rescue         several starts did not finish the install, so this one waits
 Next           press Enter to try again
 Or             type `change` and Enter to change an answer, `shell` and Enter
                for a shell
===============================================================================
"
        ),
        "{card}"
    );
}

#[test]
fn the_end_says_where_to_go_and_whom_to_trust() {
    let warned = Outcome::Warned { message: "nothing is lazy: the plugin is not there".into() };
    let report = report(Verdict::Installed, vec![step("images", "Images: 12", warned)]);
    let card = ready(&report, Some(&handover()));
    fits(&card);
    assert_eq!(
        card,
        "===============================================================================
 homelab: the box is ready

 Start here     https://auth.homelab.home.arpa (log in as alex)
 Traefik        https://traefik.homelab.home.arpa
 Addresses      192.168.1.10, fd00::10
 Warning        nothing is lazy: the plugin is not there

 Names          on your devices, homelab.home.arpa and every name below it must
                lead to 192.168.1.10: an entry in the router's DNS
 Trust          certificates come from the box's own authority. Fetch it: `ssh
                alex@192.168.1.10 homelab authority > homelab-ca.pem`, compare
                its SHA-256 fingerprint, then import it as an authority:
                AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB
                AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB
 Later          `homelab status`, `homelab verify`, `homelab apply` on the box;
                `homelab status --qr` shows the address above as a QR code,
                `sudo homelab recovery-sheet --to /dev/sdX1` saves to a stick
                what is needed after a total loss
===============================================================================
"
    );
}

#[test]
fn who_comes_second_is_told_who_was_first_and_how_to_take_over() {
    let card = in_use("ttyS0", "2026-11-22T20:00:00Z");
    fits(&card);
    assert_eq!(
        card,
        "===============================================================================
 homelab: the setup is in use on ttyS0

 Since          2026-11-22T20:00:00Z
 Next           type `take over` and Enter to go on with it here; the answers
                so far come along
===============================================================================
"
    );
}
