//! Every preflight on a scripted machine, good and bad, with its exact words.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::{collections::BTreeMap, path::Path};

use engine::Preflight;
use host::fake::{self, FakeHost};
use model::{
    Secret,
    facts::{Disk, Facts, Firmware, NetworkPort, Volume},
    memory::{Budget, Share},
    plan::{PortRule, Protocol},
    preflight::{Authority, Check, Finding, Provider, Registry, Verdict, Wanted},
    secret::SecretRef,
};

const ACME: &str = "https://acme-v02.api.letsencrypt.org/directory";
const DUCKDNS: &str = "https://www.duckdns.org/update";
const MIB: u64 = 1 << 20;

fn facts() -> Facts {
    let volume = |number, size| Volume {
        name: "vda3".into(),
        number,
        size,
        signature: None,
        uuid: None,
        label: None,
        mounted_at: Vec::new(),
    };
    Facts {
        architecture: "x86_64".into(),
        firmware: Firmware::Bios,
        product: String::new(),
        memory: 4096 * MIB,
        processors: 2,
        disks: vec![Disk {
            name: "vda".into(),
            model: String::new(),
            serial: String::new(),
            ids: Vec::new(),
            size: 65536 * MIB,
            sector: 512,
            bus: "virtio".into(),
            removable: false,
            boot: true,
            contents: vec![volume(Some(3), 25536 * MIB), volume(None, 65536 * MIB)],
            ..Disk::default()
        }],
        interfaces: vec![port(
            "enp1s0",
            true,
            &["192.168.1.23/24", "fe80::1/64"],
            &["192.168.1.1"],
        )],
        render_device: false,
        render_group: None,
        tunnel_device: false,
        tpm2: false,
        artefacts: Vec::new(),
        own_artefacts: Vec::new(),
        known: BTreeMap::new(),
    }
}

fn port(name: &str, carrier: bool, addresses: &[&str], gateways: &[&str]) -> NetworkPort {
    NetworkPort {
        name: name.into(),
        mac: "52:54:00:00:00:01".into(),
        wired: true,
        carrier,
        addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
        gateways: gateways.iter().map(|address| address.parse().unwrap()).collect(),
    }
}

/// A seed that needs everything.
fn wanted() -> Wanted {
    let rule = |port, protocol, comment: &str| PortRule {
        port,
        protocol,
        from: Vec::new(),
        comment: comment.into(),
    };
    let share = |service: &str, tier: u64| Share {
        stack: "core".into(),
        service: service.into(),
        tier: tier * MIB,
        limit: None,
        lazy: false,
    };
    Wanted {
        seed: true,
        addresses: Vec::new(),
        registries: vec![Registry { host: "registry-1.docker.io".into(), root: None, images: 12 }],
        authority: Some(Authority { directory: ACME.into(), root: None }),
        provider: Some(Provider { name: "duckdns".into(), url: Some(DUCKDNS) }),
        budget: Some(Budget {
            system: 384 * MIB,
            total: 4096 * MIB,
            services: vec![share("traefik", 128), share("nextcloud", 1024), share("pihole", 256)],
        }),
        missing_images: Some(12),
        ports: Some(vec![
            rule(53, Protocol::Tcp, "pihole: DNS"),
            rule(53, Protocol::Udp, "pihole: DNS"),
            rule(443, Protocol::Tcp, "traefik: HTTPS"),
        ]),
    }
}

/// A machine on which everything is well.
fn good(folder: &Path) -> FakeHost {
    let fake = fake::host(folder);
    std::fs::create_dir_all(folder.join("etc")).unwrap();
    std::fs::write(folder.join("etc/resolv.conf"), "nameserver 192.168.1.1\n").unwrap();
    fake.runner.answer(["timedatectl"], "CanNTP=yes\nNTP=yes\nNTPSynchronized=yes\n");
    fake.runner.answer(["getent"], "104.16.0.1 STREAM x\n");
    fake.runner.answer(["df"], "Avail\n10737418240\n");
    fake.runner.answer(
        ["ss"],
        "tcp LISTEN 0 4096 0.0.0.0:443 0.0.0.0:* users:((\"docker-proxy\",pid=9,fd=7))\n",
    );
    fake.web.answer("https://registry-1.docker.io/v2/", 401, None, "");
    fake.web.answer(ACME, 200, None, r#"{"newNonce": "x", "newOrder": "y"}"#);
    fake.web.answer(DUCKDNS, 200, None, "KO");
    fake
}

/// All findings on a machine that `change` has had its way with.
fn all(change: impl FnOnce(&FakeHost, &mut Facts, &mut Wanted)) -> Vec<Finding> {
    all_with(BTreeMap::new(), change)
}

fn all_with(
    secrets: BTreeMap<SecretRef, Secret>,
    change: impl FnOnce(&FakeHost, &mut Facts, &mut Wanted),
) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let fake = good(folder.path());
    let (mut facts, mut wanted) = (facts(), wanted());
    change(&fake, &mut facts, &mut wanted);
    let host = fake.host();
    let (facts, wanted, secrets) = (&facts, &wanted, &secrets);
    let built = Some(1_793_491_200);
    let findings = Preflight { host: &host, facts, wanted, built, secrets }.findings();
    let order: Vec<Check> = findings.iter().map(|finding| finding.check).collect();
    use Check::*;
    assert_eq!(
        order,
        [
            Link,
            Address,
            Gateway,
            Dns,
            Clock,
            Registry,
            CertificateAuthority,
            DnsProvider,
            Memory,
            Disk,
            Ports
        ],
        "each check is told once, in its place"
    );
    findings
}

/// `verdict: found / means / way out` of one check.
fn told(findings: &[Finding], check: Check) -> String {
    let finding = findings.iter().find(|finding| finding.check == check).unwrap();
    let parts = [&finding.found, &finding.means, &finding.way_out];
    let parts: Vec<&str> =
        parts.into_iter().filter(|p| !p.is_empty()).map(String::as_str).collect();
    format!("{:?}: {}", finding.verdict, parts.join(" / "))
}

fn one(check: Check, change: impl FnOnce(&FakeHost, &mut Facts, &mut Wanted)) -> String {
    told(&all(change), check)
}

#[test]
fn a_machine_on_which_everything_is_well() {
    let findings = all(|_, _, _| {});
    for (check, words) in [
        (Check::Link, "Ok: enp1s0 has a link"),
        (Check::Address, "Ok: 192.168.1.23"),
        (Check::Gateway, "Ok: 192.168.1.1 is there"),
        (
            Check::Dns,
            "Ok: acme-v02.api.letsencrypt.org, registry-1.docker.io and www.duckdns.org found by \
             192.168.1.1",
        ),
        (Check::Clock, "Ok: 2026-11-22T20:33:00Z, set from the network"),
        (Check::Registry, "Ok: answered: registry-1.docker.io (12 images)"),
        (Check::CertificateAuthority, "Ok: https://acme-v02.api.letsencrypt.org/directory answers"),
        (Check::DnsProvider, "Ok: duckdns answers"),
        (
            Check::Memory,
            "Ok: the services need 1792 MiB with the system, and this machine has 4096 MiB",
        ),
        (
            Check::Disk,
            "Ok: 12 images to come need about 4112 MiB, and 50240 MiB are free (40000 MiB of it \
             when root grows to its disk)",
        ),
        (Check::Ports, "Ok: free, or the services' own: 53/tcp, 53/udp, 443/tcp"),
    ] {
        assert_eq!(told(&findings, check), words);
    }
    assert_eq!(model::preflight::exit(&findings), 0);
}

#[test]
fn link() {
    assert_eq!(
        one(Check::Link, |_, facts, _| facts.interfaces.clear()),
        "Failed: this machine has no network port that its kernel knows / images or certificates \
         of the seed cannot be fetched / plug in a USB network adapter, or look with `lspci` \
         which card has no driver"
    );
    let dark = |facts: &mut Facts| {
        facts.interfaces = vec![port("enp1s0", false, &[], &[]), port("enp2s0", false, &[], &[])];
    };
    assert_eq!(
        one(Check::Link, |_, facts, _| dark(facts)),
        "Failed: the ports enp1s0 and enp2s0 have no link / images or certificates of the seed \
         cannot be fetched / plug in the cable at both ends; is the switch on?"
    );
    assert_eq!(
        one(Check::Link, |_, facts, wanted| {
            dark(facts);
            (wanted.registries, wanted.authority) = (Vec::new(), None);
        }),
        "Warning: the ports enp1s0 and enp2s0 have no link / nothing of the seed needs it, but \
         nobody can reach the box / plug in the cable at both ends; is the switch on?"
    );
}

#[test]
fn address() {
    let link_local = |facts: &mut Facts| {
        facts.interfaces = vec![port("enp1s0", true, &["169.254.7.7/16", "fe80::1/64"], &[])];
    };
    let findings = all(|_, facts, _| link_local(facts));
    assert_eq!(
        told(&findings, Check::Address),
        "Failed: no port has an address / images or certificates of the seed cannot be fetched / \
         is there a router that gives addresses (DHCP)? Otherwise write one into \
         `[[network.interface]]` of the seed"
    );
    for check in [
        Check::Gateway,
        Check::Dns,
        Check::Registry,
        Check::CertificateAuthority,
        Check::DnsProvider,
    ] {
        assert_eq!(told(&findings, check), "NotAsked: no address");
    }
    // What does not need the network goes on without it.
    for check in [Check::Clock, Check::Memory, Check::Disk, Check::Ports] {
        assert!(told(&findings, check).starts_with("Ok: "), "{check:?}");
    }
    assert_eq!(
        one(Check::Address, |_, _, wanted| {
            wanted.addresses = vec!["192.168.1.10/24".parse().unwrap()];
        }),
        "Warning: the address 192.168.1.10 of the seed is not set yet / the step `network` sets \
         it; what is asked below is asked from the present address / run `homelab preflight` \
         again after `homelab apply`"
    );
    assert_eq!(
        one(Check::Address, |_, _, wanted| {
            wanted.addresses = vec!["192.168.1.23/24".parse().unwrap()];
        }),
        "Ok: 192.168.1.23"
    );
}

#[test]
fn without_an_address_what_is_not_needed_is_said_as_such() {
    let findings = all(|_, facts, wanted| {
        facts.interfaces[0].addresses.clear();
        (wanted.missing_images, wanted.authority, wanted.provider) = (Some(0), None, None);
        wanted.registries.clear();
    });
    assert_eq!(told(&findings, Check::Registry), "NotAsked: all images are on the box");
    assert_eq!(
        told(&findings, Check::CertificateAuthority),
        "NotAsked: certificates come from the box's own authority"
    );
    assert_eq!(told(&findings, Check::DnsProvider), "NotAsked: the seed names none");
}

#[test]
fn gateway() {
    assert_eq!(
        one(Check::Gateway, |_, facts, _| facts.interfaces[0].gateways.clear()),
        "Failed: there is no default gateway / images or certificates of the seed cannot be \
         fetched / let the router give one by DHCP, or write `gateway` into \
         `[[network.interface]]`"
    );
    let silent = |fake: &FakeHost, address: &str| {
        fake.runner.fail(["curl"], 28, "");
        fake.runner.answer(
            ["ip", "-json", "neighbour"],
            r#"[{"dst": "192.168.1.1", "state": ["REACHABLE"]}]"#,
        );
        let words = ["ip", "-json", "neighbour", "show", "to", address];
        fake.runner.answer(words, r#"[{"state": ["FAILED"]}]"#);
    };
    assert_eq!(
        one(Check::Gateway, |fake, _, _| silent(fake, "192.168.1.1")),
        "Failed: nobody on the network has the gateway's address 192.168.1.1 / images or \
         certificates of the seed cannot be fetched / is the router on, and is this its address?"
    );
    assert_eq!(
        one(Check::Gateway, |fake, facts, _| {
            silent(fake, "192.168.1.2");
            facts.interfaces[0].gateways.push("192.168.1.2".parse().unwrap());
        }),
        "Warning: 192.168.1.1 is there, 192.168.1.2 is not / what goes by the other gateway takes \
         long or fails / switch the other router on, or take it out of the seed"
    );
    assert_eq!(
        one(Check::Gateway, |fake, _, _| {
            fake.runner.fail(["curl"], 28, "");
            fake.runner.missing(["ip"]);
        }),
        "Warning: it cannot be found out: `ip -json neighbour show to 192.168.1.1 dev enp1s0` is \
         not installed after 0.0 s / it may be well all the same / is this an image of ours, with \
         all its programs? See `/usr/share/homelab/manifest.json`"
    );
}

#[test]
fn dns() {
    assert_eq!(
        one(Check::Dns, |fake, _, _| {
            std::fs::remove_file(fake.root.join("etc/resolv.conf")).unwrap();
        }),
        "Failed: the box knows no resolver / images or certificates of the seed cannot be fetched \
         / let the router give one by DHCP, or write `dns` into `[[network.interface]]`"
    );
    let findings = all(|fake, _, _| fake.runner.fail(["getent"], 2, ""));
    assert_eq!(
        told(&findings, Check::Dns),
        "Failed: `acme-v02.api.letsencrypt.org`, `registry-1.docker.io` and `www.duckdns.org` are \
         not found by 192.168.1.1 / images or certificates of the seed cannot be fetched / does \
         the resolver work, and may the box use it? Another one goes into `dns` of \
         `[[network.interface]]`"
    );
    assert_eq!(
        told(&findings, Check::Registry),
        "Failed: registry-1.docker.io was not asked: its name is not found / 12 images cannot be \
         pulled from there / see `dns`"
    );
    assert_eq!(
        told(&findings, Check::CertificateAuthority),
        format!(
            "Failed: {ACME} was not asked: its name is not found / there is no certificate, and \
             browsers warn of every address of the box / see `dns`"
        )
    );
    assert_eq!(
        told(&findings, Check::DnsProvider),
        "Failed: duckdns was not asked: its name is not found / the name is not kept up to date, \
         and no certificate can be had by it / see `dns`"
    );
    assert_eq!(
        one(Check::Dns, |fake, _, _| {
            fake.runner.fail(["getent", "ahosts", "www.duckdns.org"], 2, "");
        }),
        "Failed: `www.duckdns.org` is not found by 192.168.1.1 / images or certificates of the \
         seed cannot be fetched / other names are found, so look at how these are written in the \
         seed, and whether the resolver blocks them"
    );
}

#[test]
fn a_box_that_needs_no_name_asks_for_that_of_its_updates() {
    let updates = ["apt-get", "update", "--print-uris"];
    let without_seed = |printed: &'static str| {
        one(Check::Dns, move |fake, _, wanted| {
            fake.runner.answer(updates, printed);
            *wanted = Wanted::default();
        })
    };
    assert_eq!(
        without_seed("'http://mirror.example/debian/dists/trixie/InRelease' x 0 \n"),
        "Ok: mirror.example found by 192.168.1.1"
    );
    assert_eq!(
        without_seed("'file:/srv/packages/InRelease' x 0 \n"),
        "NotAsked: neither the seed nor the box's updates need a name"
    );
    let broken = one(Check::Dns, |fake, _, wanted| {
        fake.runner.fail(updates, 100, "E: Malformed entry 1");
        *wanted = Wanted::default();
    });
    assert!(broken.starts_with("Warning: ") && broken.contains("E: Malformed entry 1"), "{broken}");
}

#[test]
fn clock() {
    let early = |fake: &FakeHost| fake.clock.set(86_400);
    assert_eq!(
        one(Check::Clock, |fake, _, _| early(fake)),
        "Failed: it says 1970-01-02T00:00:00Z, which is before the image was built / no \
         certificate of others is good at such a time / set it in the firmware's setup; a battery \
         on the mainboard may be empty"
    );
    assert!(
        one(Check::Clock, |fake, _, wanted| {
            early(fake);
            wanted.authority = None;
        })
        .starts_with("Warning: it says 1970-01-02T00:00:00Z")
    );
    let means = "certificates and one-time codes go by the time; nobody has confirmed it";
    assert_eq!(
        one(Check::Clock, |fake, _, _| {
            fake.runner.answer(["timedatectl"], "CanNTP=yes\nNTP=yes\nNTPSynchronized=no\n");
        }),
        format!(
            "Warning: it says 2026-11-22T20:33:00Z; no time server has answered yet / {means} / \
             let the router give or pass time servers (NTP, UDP port 123)"
        )
    );
    assert_eq!(
        one(Check::Clock, |fake, _, _| fake.runner.missing(["timedatectl"])),
        format!(
            "Warning: it says 2026-11-22T20:33:00Z, and no program sets it from the network / \
             {means} / install systemd-timesyncd"
        )
    );
}

#[test]
fn registry() {
    let answers = |status| {
        move |fake: &FakeHost, _: &mut Facts, _: &mut Wanted| {
            fake.web.answer("https://registry-1.docker.io/v2/", status, None, "");
        }
    };
    assert_eq!(
        one(Check::Registry, answers(404)),
        "Failed: registry-1.docker.io answers 404, which no registry does / 12 images cannot be \
         pulled from there / is the name in `[images] mirror` that of a registry?"
    );
    assert_eq!(
        one(Check::Registry, answers(429)),
        "Warning: registry-1.docker.io answers, but wants to be asked less often (429) / 12 \
         images may have to wait / wait an hour, or name a mirror in `[images]`"
    );
    assert_eq!(
        one(Check::Registry, answers(200)),
        "Ok: answered: registry-1.docker.io (12 images)"
    );
    assert_eq!(
        one(Check::Registry, |_, _, wanted| wanted.registries[0].host = "10.0.0.1:5000".into()),
        "Failed: 10.0.0.1:5000 does not answer: connection refused / 12 images cannot be pulled \
         from there / is it switched on, and does a firewall on the way let the box out?"
    );
    for (change, words) in [
        (
            (|wanted: &mut Wanted| wanted.missing_images = None) as fn(&mut Wanted),
            "NotAsked: there is no plan for this machine",
        ),
        (
            |wanted| wanted.registries.clear(),
            "NotAsked: the seed takes images from the medium only",
        ),
        (|wanted| *wanted = Wanted::default(), "NotAsked: there is no seed yet"),
    ] {
        assert_eq!(one(Check::Registry, |_, _, wanted| change(wanted)), words);
    }
}

#[test]
fn a_mirror_is_asked_with_its_own_root() {
    let mirror = |fake: &FakeHost, wanted: &mut Wanted| {
        wanted.registries = vec![Registry {
            host: "registry.lan:5000".into(),
            root: Some(SecretRef::new("mirror-ca")),
            images: 1,
        }];
        fake.web.serve(|question| {
            let asked = question.url == "https://registry.lan:5000/v2/"
                && question.authority.as_deref() == Some("PEM")
                && question.connect == Some("104.16.0.1".parse().unwrap());
            asked.then(|| host::web::Answer { status: 200, ..Default::default() })
        });
    };
    let secrets = BTreeMap::from([(SecretRef::new("mirror-ca"), Secret::new("PEM"))]);
    let findings = all_with(secrets, |fake, _, wanted| mirror(fake, wanted));
    assert_eq!(told(&findings, Check::Registry), "Ok: answered: registry.lan:5000 (1 image)");
    assert_eq!(
        one(Check::Registry, |fake, _, wanted| mirror(fake, wanted)),
        "Failed: registry.lan:5000 does not answer: its root certificate cannot be had / 1 image \
         cannot be pulled from there / `[images] mirror_ca` is the root of a mirror of your own; \
         is the clock right, and does nothing on the way open TLS?"
    );
}

#[test]
fn certificate_authority() {
    let bad = "there is no certificate, and browsers warn of every address of the box";
    assert_eq!(
        one(Check::CertificateAuthority, |fake, _, _| fake.web.answer(ACME, 200, None, "<html>")),
        format!(
            "Failed: {ACME} answers, but is no ACME directory / {bad} / write the URL of the \
             directory itself, such as `https://ca.lan/acme/acme/directory`"
        )
    );
    assert_eq!(
        one(Check::CertificateAuthority, |fake, _, _| fake.web.answer(ACME, 503, None, "")),
        format!(
            "Failed: {ACME} answers 503 / {bad} / look at the authority; a public one shows its \
             state on a page of its own"
        )
    );
    assert_eq!(
        one(Check::CertificateAuthority, |_, _, wanted| {
            let directory = "https://ca.lan/directory".to_owned();
            wanted.authority = Some(Authority { directory, root: None });
        }),
        format!(
            "Failed: https://ca.lan/directory does not answer: connection refused / {bad} / is it \
             switched on, and does a firewall on the way let the box out?"
        )
    );
}

#[test]
fn dns_provider() {
    let lost = "the name is not kept up to date";
    assert_eq!(
        one(Check::DnsProvider, |fake, _, _| fake.web.answer(DUCKDNS, 502, None, "")),
        format!(
            "Failed: duckdns answers 502, which is a failure on its side / {lost}, and no \
             certificate can be had by it / wait, and look whether the provider says something \
             about it"
        )
    );
    assert_eq!(
        one(Check::DnsProvider, |_, _, wanted| {
            wanted.authority = None;
            wanted.provider = Some(Provider { name: "x".into(), url: Some("https://x.example/") });
        }),
        format!(
            "Warning: x does not answer: connection refused / {lost} / is it switched on, and \
             does a firewall on the way let the box out?"
        )
    );
    assert_eq!(
        one(Check::DnsProvider, |_, _, wanted| {
            wanted.provider = Some(Provider { name: "x".into(), url: None });
        }),
        "NotAsked: where `x` answers is not known here"
    );
}

#[test]
fn memory() {
    assert_eq!(
        one(Check::Memory, |_, facts, _| facts.memory = 1024 * MIB),
        "Failed: the services need 1792 MiB with the system, and this machine has 1024 MiB / the \
         kernel would kill services at random / leave some out with `[stacks] disable`; the \
         largest are nextcloud 1024 MiB, pihole 256 MiB and traefik 128 MiB"
    );
    assert_eq!(
        one(Check::Memory, |_, _, wanted| *wanted = Wanted::default()),
        "NotAsked: there is no seed yet; this machine has 4096 MiB"
    );
}

#[test]
fn disk() {
    let full = |bytes: &'static str| {
        move |fake: &FakeHost, facts: &mut Facts, _: &mut Wanted| {
            facts.disks[0].contents[0].size = facts.disks[0].size;
            fake.runner.answer(["df"], bytes);
        }
    };
    let way_out = "use a larger disk, or name fewer stacks in `[stacks] enable`";
    assert_eq!(
        one(Check::Disk, full("Avail\n1073741824\n")),
        format!(
            "Failed: 12 images to come need about 4112 MiB, and 1024 MiB are free / the pull \
             would stop half-way with a full disk / {way_out}"
        )
    );
    assert_eq!(
        one(Check::Disk, full("Avail\n6442450944\n")),
        format!(
            "Warning: 12 images to come need about 4112 MiB, and 6144 MiB are free / little is \
             left for what the services write / {way_out}"
        )
    );
    assert_eq!(
        one(Check::Disk, |_, _, wanted| wanted.missing_images = None),
        "NotAsked: the images are not known; 50240 MiB are free (40000 MiB of it when root grows \
         to its disk)"
    );
}

#[test]
fn ports() {
    assert_eq!(
        one(Check::Ports, |fake, _, _| fake.runner.answer(
            ["ss"],
            "udp UNCONN 0 0 127.0.0.1:53 0.0.0.0:* users:((\"dnsmasq\",pid=9,fd=7))\n\
             tcp LISTEN 0 9 0.0.0.0:443 0.0.0.0:*\n",
        )),
        "Failed: 53/udp of pihole is taken by dnsmasq; 443/tcp of traefik is taken by an unknown \
         program / the service cannot start / stop dnsmasq and keep it from starting (`sudo \
         systemctl disable --now NAME`), or leave the service out with `[stacks] disable`"
    );
    assert_eq!(
        one(Check::Ports, |fake, _, _| fake
            .runner
            .answer(["ss"], "tcp LISTEN 0 9 [::]:443 [::]:*\n")),
        "Failed: 443/tcp of traefik is taken by an unknown program / the service cannot start / \
         `sudo ss --listening --numeric --processes` shows more"
    );
    assert_eq!(
        one(Check::Ports, |_, _, wanted| wanted.ports = None),
        "NotAsked: the ports are not known"
    );
}

#[test]
fn a_machine_without_a_seed_is_looked_at_too() {
    let findings = all(|_, facts, wanted| {
        facts.interfaces[0].carrier = false;
        *wanted = Wanted::default();
    });
    assert_eq!(
        told(&findings, Check::Link),
        "Warning: the port enp1s0 has no link / images cannot be fetched, and nobody can reach the \
         box / plug in the cable at both ends; is the switch on?"
    );
    assert!(findings.iter().all(|finding| finding.verdict != Verdict::Failed));
}
