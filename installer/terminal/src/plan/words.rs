//! A plan in the words of its owner: what is asked for consent, before anything is changed.

use model::{
    disk,
    plan::{Action, Firewall, Identity, Install, MountWish, Outlook, Plan, Storage},
    preflight::{Finding, Verdict},
    seed::{ImageSource, Seed},
};

use super::{number, sources};
use crate::number::bytes;

/// What will happen, one paragraph each, with what the look at machine and network found. The seed
/// is the one that the plan was made from. With a `copy` the system is moved first, and the plan is
/// the one that follows there.
pub fn words(
    copy: Option<&Install>,
    plan: &Plan,
    seed: &Seed,
    findings: &[Finding],
) -> Vec<String> {
    let mut paragraphs = vec![
        "Nothing on this machine has been changed so far. After `yes`, and not before, this is \
         what happens:"
            .to_owned(),
    ];
    paragraphs.extend(copy.into_iter().flat_map(moved));
    for step in &plan.steps {
        match &step.action {
            Action::Identity(identity) => paragraphs.push(who(identity)),
            Action::Storage(storage) => paragraphs.extend(disks(storage)),
            Action::Firewall(firewall) => paragraphs.push(ports(firewall)),
            _ => {}
        }
    }
    paragraphs.extend(services(plan));
    paragraphs.push(time(plan.outlook(), seed.images.source));
    paragraphs.extend(findings.iter().filter_map(finding));
    paragraphs
}

/// The system goes onto another disk, before all else.
fn moved(install: &Install) -> [String; 3] {
    let victim = install.consent.victim();
    let lost = match victim.contents.is_empty() {
        true => "It is empty.".to_owned(),
        false => format!("EVERYTHING ON IT IS LOST: {}.", victim.contents.join(", ")),
    };
    let model = if victim.model.trim().is_empty() { "disk" } else { victim.model.trim() };
    [
        format!(
            "Disks: the system of this stick is copied onto {victim} ({model}, {}) and read back from \
             there. {lost} The copy writes to no other disk, and the stick stays as it is.",
            disk::size(victim.size)
        ),
        "Power may go at any moment: as long as the copy is not whole, the stick starts again."
            .to_owned(),
        "Then: the machine starts again, from that disk. Pull out the stick when it says so. All that \
         follows happens there, without asking again:"
            .to_owned(),
    ]
}

fn who(identity: &Identity) -> String {
    let keys = match identity.ssh_keys.len() {
        0 => "without SSH keys, so only at the console".to_owned(),
        1 => "by SSH with one key".to_owned(),
        count => format!("by SSH with {count} keys"),
    };
    format!(
        "Name: the box is called {} ({}), time zone {}, keyboard {}. {} may do everything on it, \
         {keys}.",
        identity.hostname, identity.fqdn, identity.timezone, identity.keyboard, identity.admin
    )
}

/// What happens to each disk; the one thing that cannot be undone comes first.
fn disks(storage: &Storage) -> Vec<String> {
    let mut paragraphs = Vec::new();
    for format in storage.formats() {
        paragraphs.push(format!(
            "Disks: {} is FORMATTED. Everything on it is lost.",
            format.consent.victim().in_words()
        ));
    }
    let named = |mount: &MountWish| {
        let encrypted = if mount.crypt.is_some() { ", encrypted" } else { "" };
        format!("{} at {} ({}{encrypted})", volume(mount), mount.at, mount.kind)
    };
    // What shows other mounts once more: pools, and places on a disk for several.
    let (shown, volumes): (Vec<&MountWish>, Vec<&MountWish>) =
        storage.mounts.iter().partition(|mount| !mount.requires.is_empty());
    let (new, there): (Vec<&MountWish>, Vec<&MountWish>) =
        volumes.into_iter().partition(|mount| mount.format.is_some());
    let all = |mounts: Vec<&MountWish>| {
        let verb = if mounts.len() == 1 { "is" } else { "are" };
        let names: Vec<String> = mounts.into_iter().map(named).collect();
        format!("{} {verb}", names.join(", "))
    };
    if !new.is_empty() {
        paragraphs.push(format!("Disks: {} made anew.", all(new)));
    }
    if !there.is_empty() {
        paragraphs.push(format!("Disks: {} used. What lies there already stays.", all(there)));
    }
    for mount in shown {
        let of: Vec<&str> =
            mount.requires.iter().filter_map(|at| storage.mount(at)).map(volume).collect();
        paragraphs.push(match &of[..] {
            [_] => format!("Disks: {} is a folder on {}.", mount.at, mount.requires.join("")),
            of => format!(
                "Disks: {} shows {} as one folder. A disk that dies takes its own files with it.",
                mount.at,
                of.join(" and ")
            ),
        });
    }
    if storage.crypts().next().is_some() {
        paragraphs.push(
            "Disks: keys of the encrypted ones lie on the system's disk. Save them after the install \
             by `homelab recovery-sheet`: who has lost them has lost what is on those disks."
                .to_owned(),
        );
    }
    let own = match storage.grow_root {
        true => "the system grows to the end of the disk that it was started from",
        false => "the disk of the system stays as it is",
    };
    paragraphs.push(format!("Disks: {own}. No disk that is not named here is written to."));
    paragraphs
}

/// A disk as the seed selects it, or where a share is.
fn volume(mount: &MountWish) -> &str {
    mount.disk.as_deref().unwrap_or(&mount.what)
}

/// What is open, by from where. A port that leads to a container is open on the box as well, and
/// named once.
fn ports(firewall: &Firewall) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for rule in firewall.host.iter().chain(&firewall.published) {
        let port = format!("{} ({})", number(rule), rule.comment);
        let from = sources(rule);
        match groups.iter_mut().find(|(other, _)| *other == from) {
            Some((_, ports)) if ports.contains(&port) => {}
            Some((_, ports)) => ports.push(port),
            None => groups.push((from, vec![port])),
        }
    }
    let open = groups.iter().map(|(from, ports)| format!("From {from}: {}.", ports.join(", ")));
    let open: Vec<String> = open.collect();
    match open.is_empty() {
        true => "Firewall: nothing is open from outside.".to_owned(),
        false => format!("Firewall: open ports. {} All others are closed.", open.join(" ")),
    }
}

fn services(plan: &Plan) -> Vec<String> {
    let mut stacks = Vec::new();
    let mut paragraphs = Vec::new();
    for step in &plan.steps {
        match &step.action {
            Action::Stack(stack) => {
                let names: Vec<&str> = stack.services.iter().map(|s| s.name.as_str()).collect();
                stacks.push(format!("{} ({})", stack.name, names.join(", ")));
            }
            Action::Handover(handover) => {
                let trust = match handover.local_authority {
                    true => "Certificates come from an authority of its own.",
                    false => "Certificates come from a public authority.",
                };
                paragraphs.push(format!(
                    "Names: everything answers below {}, after a login at {}. {trust}",
                    handover.domain, handover.portal
                ));
            }
            _ => {}
        }
    }
    if !stacks.is_empty() {
        paragraphs.insert(0, format!("Services: {}.", stacks.join("; ")));
    }
    paragraphs
}

fn time(outlook: Outlook, source: ImageSource) -> String {
    let Outlook { images, bytes: size, seconds: time } = outlook;
    let (noun, verb) = if images == 1 { ("image", "is") } else { ("images", "are") };
    let from = match source {
        ImageSource::Bundle => format!("{verb} taken from the medium"),
        ImageSource::Registry => format!("{verb} fetched"),
        ImageSource::Auto => format!("{verb} taken from the medium or fetched"),
    };
    let minutes = match time.div_ceil(60) {
        0 | 1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    };
    format!(
        "Time: {images} {noun} {from}, at most {} on the disk. With a line of 50 Mbit/s expect \
         about {minutes}; the real numbers are shown as it goes. Power may go at any moment: the \
         next start goes on.",
        bytes(size),
    )
}

/// What is not well on this machine; what is well needs no words.
fn finding(finding: &Finding) -> Option<String> {
    let word = match finding.verdict {
        Verdict::Failed => "Trouble",
        Verdict::Warning => "Warning",
        Verdict::Ok | Verdict::NotAsked => return None,
    };
    let Finding { check, found, means, way_out, .. } = finding;
    Some(format!("{word} ({}): {found}. It means: {means}. Way out: {way_out}.", check.name()))
}

#[cfg(test)]
mod tests {
    use model::{
        Digest,
        disk::{Consent, Crypt, FileSystem, Format, Unlock},
        facts::Disk,
        plan::{
            FORMAT, Handover, ImagePull, Images, PasswordWish, PortRule, Protocol, ServiceWish,
            StackWish, Step, StepId,
        },
        preflight::Check,
        secret::SecretRef,
    };

    use super::*;

    fn step(action: Action) -> Step {
        Step { id: StepId::new("x"), title: "x".into(), action }
    }

    fn rule(port: u16, from: &[&str], comment: &str) -> PortRule {
        let from = from.iter().map(|net| net.parse().unwrap()).collect();
        PortRule { port, protocol: Protocol::Tcp, from, comment: comment.into() }
    }

    fn service(name: &str) -> ServiceWish {
        ServiceWish {
            name: name.into(),
            deadline: 60,
            lazy: false,
            configuration: Digest::of("c"),
            end_of_life: None,
            after: Vec::new(),
            network_of: None,
            setup: Vec::new(),
        }
    }

    fn pull(name: &str) -> ImagePull {
        ImagePull {
            reference: format!("{name}:1"),
            repository: format!("docker.io/library/{name}"),
            tag: "1".into(),
            digest: None,
        }
    }

    fn plan() -> Plan {
        let identity = Identity {
            hostname: "cellar".into(),
            fqdn: "cellar.home.arpa".into(),
            timezone: "Etc/UTC".into(),
            locale: "en_US.UTF-8".into(),
            keyboard: "de".into(),
            admin: "alex".into(),
            ssh_keys: Vec::new(),
            password: PasswordWish::Plain(SecretRef::new("admin-password")),
        };
        let mount = MountWish {
            at: "/mnt/media".into(),
            what: "UUID=1-2".into(),
            kind: "ext4".into(),
            options: String::new(),
            automount: false,
            credentials: None,
            ..MountWish::default()
        };
        let blank = Disk { serial: "S1".into(), size: 500_000_000_000, ..Disk::default() };
        let consent = Consent::given("S1", &blank).unwrap();
        let format = Format::new(consent, FileSystem::Xfs, "backups");
        let new = MountWish {
            at: "/mnt/backups".into(),
            what: "UUID=3-4".into(),
            kind: "xfs".into(),
            format: Some(format),
            ..mount.clone()
        };
        let storage = Storage { grow_root: true, folders: Vec::new(), mounts: vec![mount, new] };
        let firewall = Firewall {
            host: vec![rule(22, &["192.168.1.0/24"], "SSH")],
            published: vec![rule(22, &["192.168.1.0/24"], "SSH"), rule(443, &[], "proxy")],
        };
        let images = Images {
            source: ImageSource::Auto,
            pulls: vec![pull("traefik"), pull("authelia")],
            artefacts: Vec::new(),
        };
        let stack = StackWish {
            name: "core".into(),
            folder: "/opt/stacks/core".into(),
            services: vec![service("traefik"), service("authelia")],
            digest: Digest::of("d"),
            needs: Vec::new(),
        };
        let handover = Handover {
            links: [].into(),
            portal: "https://auth.cellar.home.arpa".into(),
            admin: "alex".into(),
            domain: "cellar.home.arpa".into(),
            local_authority: true,
            show_once: Vec::new(),
            addresses: Vec::new(),
        };
        let actions = [
            Action::Identity(identity),
            Action::Storage(storage),
            Action::Firewall(firewall),
            Action::Images(images),
            Action::Stack(stack),
            Action::Handover(handover),
        ];
        Plan {
            format: FORMAT,
            seed: Digest::of("s"),
            catalogue: Digest::of("c"),
            steps: actions.map(step).to_vec(),
        }
    }

    #[test]
    fn a_copy_is_told_with_what_is_lost_and_what_comes_then() {
        let disk = |table: Option<&str>| Disk {
            serial: "BOX2".into(),
            model: "Fast".into(),
            size: 500_000_000_000,
            table: table.map(str::to_owned),
            ..Disk::default()
        };
        let told = |table| {
            let consent = disk::Consent::given("BOX2", &disk(table)).unwrap();
            let copy = Install { consent, needs: 1 };
            let text = "schema = 1\n[admin]\npassword = { ask = true }\n";
            words(Some(&copy), &plan(), &model::seed::parse("seed.toml", text).unwrap(), &[])
        };
        let all = told(Some("dos"));
        assert_eq!(
            all[1..4],
            [
                "Disks: the system of this stick is copied onto `serial:BOX2` (Fast, 500 GB) and read \
                 back from there. EVERYTHING ON IT IS LOST: dos partition table. The copy writes to \
                 no other disk, and the stick stays as it is.",
                "Power may go at any moment: as long as the copy is not whole, the stick starts again.",
                "Then: the machine starts again, from that disk. Pull out the stick when it says so. \
                 All that follows happens there, without asking again:",
            ]
        );
        let text = "schema = 1\n[admin]\npassword = { ask = true }\n";
        let seed = model::seed::parse("seed.toml", text).unwrap();
        assert_eq!(all[4..], words(None, &plan(), &seed, &[])[1..], "the same as on any box");
        assert!(told(None)[1].contains("It is empty."));
    }

    #[test]
    fn a_pool_and_places_on_it_are_told_as_folders() {
        let disk = |serial: &str| Disk {
            serial: serial.into(),
            model: "WD40".into(),
            size: 4_000_000_000_000,
            ..Disk::default()
        };
        let branch = |at: &str, serial: &str| {
            let consent = Consent::given(serial, &disk(serial)).unwrap();
            let format = Format::new(consent, FileSystem::Ext4, "storage");
            MountWish {
                at: at.into(),
                kind: "ext4".into(),
                crypt: Some(Crypt { uuid: format.uuid.clone(), unlock: Unlock::Key }),
                format: Some(format),
                disk: Some(format!("serial:{serial}")),
                ..MountWish::default()
            }
        };
        let above = |at: &str, kind: &str, requires: &[&str]| MountWish {
            at: at.into(),
            kind: kind.into(),
            requires: requires.iter().map(|at| (*at).to_owned()).collect(),
            ..MountWish::default()
        };
        let (one, two) = ("/mnt/.disks/storage-1", "/mnt/.disks/storage-2");
        let mounts = vec![
            branch(one, "A"),
            branch(two, "B"),
            above("/mnt/storage", "fuse.mergerfs", &[one, two]),
            above("/mnt/media", "none", &["/mnt/storage"]),
        ];
        assert_eq!(
            disks(&Storage { grow_root: true, folders: Vec::new(), mounts }),
            [
                "Disks: serial:A (WD40, 4000 GB, empty) is FORMATTED. Everything on it is lost.",
                "Disks: serial:B (WD40, 4000 GB, empty) is FORMATTED. Everything on it is lost.",
                "Disks: serial:A at /mnt/.disks/storage-1 (ext4, encrypted), serial:B at \
                 /mnt/.disks/storage-2 (ext4, encrypted) are made anew.",
                "Disks: /mnt/storage shows serial:A and serial:B as one folder. A disk that dies \
                 takes its own files with it.",
                "Disks: /mnt/media is a folder on /mnt/storage.",
                "Disks: keys of the encrypted ones lie on the system's disk. Save them after the \
                 install by `homelab recovery-sheet`: who has lost them has lost what is on those \
                 disks.",
                "Disks: the system grows to the end of the disk that it was started from. No disk \
                 that is not named here is written to.",
            ]
        );
    }

    #[test]
    fn everything_that_matters_before_a_yes() {
        let text = "schema = 1\n[admin]\npassword = { ask = true }\n";
        let seed = model::seed::parse("seed.toml", text).unwrap();
        let findings = [
            Finding::ok(Check::Link, "enp1s0 has a link"),
            Finding::bad(Check::Dns, Verdict::Failed, "no name is found", "no images", "wait"),
        ];
        assert_eq!(
            words(None, &plan(), &seed, &findings),
            [
                "Nothing on this machine has been changed so far. After `yes`, and not before, \
                 this is what happens:",
                "Name: the box is called cellar (cellar.home.arpa), time zone Etc/UTC, keyboard \
                 de. alex may do everything on it, without SSH keys, so only at the console.",
                "Disks: serial:S1 (500 GB, empty) is FORMATTED. Everything on it is lost.",
                "Disks: UUID=3-4 at /mnt/backups (xfs) is made anew.",
                "Disks: UUID=1-2 at /mnt/media (ext4) is used. What lies there already stays.",
                "Disks: the system grows to the end of the disk that it was started from. No \
                 disk that is not named here is written to.",
                "Firewall: open ports. From 192.168.1.0/24: 22/tcp (SSH). From everywhere: \
                 443/tcp (proxy). All others are closed.",
                "Services: core (traefik, authelia).",
                "Names: everything answers below cellar.home.arpa, after a login at \
                 https://auth.cellar.home.arpa. Certificates come from an authority of its own.",
                "Time: 2 images are taken from the medium or fetched, at most 629 MB on the disk. \
                 With a line of 50 Mbit/s expect about 2 minutes; the real numbers are shown as \
                 it goes. Power may go at any moment: the next start goes on.",
                "Trouble (dns): no name is found. It means: no images. Way out: wait.",
            ]
        );
    }
}
