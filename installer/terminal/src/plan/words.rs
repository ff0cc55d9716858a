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
/// is the one that the plan was made from.
pub fn words(plan: &Plan, seed: &Seed, findings: &[Finding]) -> Vec<String> {
    let mut paragraphs = vec![
        "Nothing on this machine has been changed so far. After `yes`, and not before, this is \
         what happens:"
            .to_owned(),
    ];
    if let Some(install) = plan.install() {
        paragraphs.extend(copy(install, seed));
        paragraphs.extend(findings.iter().filter_map(finding));
        return paragraphs;
    }
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

/// A plan that only moves the system: what is done there comes of the same answers.
fn copy(install: &Install, seed: &Seed) -> Vec<String> {
    let victim = install.consent.victim();
    let lost = match victim.contents.is_empty() {
        true => "It is empty.".to_owned(),
        false => format!("EVERYTHING ON IT IS LOST: {}.", victim.contents.join(", ")),
    };
    let model = if victim.model.trim().is_empty() { "disk" } else { victim.model.trim() };
    vec![
        format!(
            "Disks: the system of this stick is copied onto {victim} ({model}, {}) and read back from \
             there. {lost} No other disk is written to, and the stick stays as it is.",
            disk::size(victim.size)
        ),
        format!(
            "Then: the machine starts again, from that disk, and sets itself up there by your answers \
             without asking: it is called {}, its admin is {}. Pull out the stick when it says so.",
            seed.system.hostname, seed.admin.name
        ),
        "Power may go at any moment: as long as the copy is not whole, the stick starts again."
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
    let named = |mount: &MountWish| format!("{} at {} ({})", mount.what, mount.at, mount.kind);
    let (new, there): (Vec<&MountWish>, Vec<&MountWish>) =
        storage.mounts.iter().partition(|mount| mount.format.is_some());
    if !new.is_empty() {
        let new: Vec<String> = new.into_iter().map(named).collect();
        paragraphs.push(format!("Disks: {} is made anew.", new.join(", ")));
    }
    if !there.is_empty() {
        let there: Vec<String> = there.into_iter().map(named).collect();
        paragraphs
            .push(format!("Disks: {} is used. What lies there already stays.", there.join(", ")));
    }
    let own = match storage.grow_root {
        true => "the system grows to the end of the disk that it was started from",
        false => "the disk of the system stays as it is",
    };
    paragraphs.push(format!("Disks: {own}. No other disk is written to."));
    paragraphs
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
        disk::{Consent, FileSystem, Format},
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
            let install = Action::Install(Install { consent, needs: 1 });
            let plan = Plan { steps: vec![step(install)], ..plan() };
            let text = "schema = 1\n[admin]\npassword = { ask = true }\n";
            words(&plan, &model::seed::parse("seed.toml", text).unwrap(), &[])
        };
        assert_eq!(
            told(Some("dos"))[1..],
            [
                "Disks: the system of this stick is copied onto `serial:BOX2` (Fast, 500 GB) and read \
                 back from there. EVERYTHING ON IT IS LOST: dos partition table. No other disk is \
                 written to, and the stick stays as it is.",
                "Then: the machine starts again, from that disk, and sets itself up there by your \
                 answers without asking: it is called homelab, its admin is admin. Pull out the stick \
                 when it says so.",
                "Power may go at any moment: as long as the copy is not whole, the stick starts again.",
            ]
        );
        assert!(told(None)[1].contains("It is empty."));
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
            words(&plan(), &seed, &findings),
            [
                "Nothing on this machine has been changed so far. After `yes`, and not before, \
                 this is what happens:",
                "Name: the box is called cellar (cellar.home.arpa), time zone Etc/UTC, keyboard \
                 de. alex may do everything on it, without SSH keys, so only at the console.",
                "Disks: serial:S1 (500 GB, empty) is FORMATTED. Everything on it is lost.",
                "Disks: UUID=3-4 at /mnt/backups (xfs) is made anew.",
                "Disks: UUID=1-2 at /mnt/media (ext4) is used. What lies there already stays.",
                "Disks: the system grows to the end of the disk that it was started from. No \
                 other disk is written to.",
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
