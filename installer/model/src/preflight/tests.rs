//! What a seed asks for. The judges are tested with the looks that feed them, in the engine.

use super::*;
use crate::{
    Digest,
    plan::{FORMAT, Firewall, ImagePull, Images, Plan, PortRule, Protocol, Step, StepId},
    secret::SecretRef,
    seed,
};

fn parse(text: &str) -> seed::Seed {
    seed::parse("seed.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn pull(repository: &str) -> ImagePull {
    ImagePull {
        reference: format!("{repository}:1"),
        repository: repository.to_owned(),
        tag: "1".into(),
        digest: None,
    }
}

const ADMIN: &str = "schema = 1\n[admin]\nname = \"alex\"\nemail = \"alex@example.org\"\n\
                     password = \"correct horse battery\"\n";

#[test]
fn a_lan_only_seed_needs_its_registries() {
    let pulls = ["docker.io/library/traefik", "ghcr.io/a/b", "docker.io/c/d"].map(pull);
    let missing: Vec<&ImagePull> = pulls.iter().collect();
    let wanted = Wanted::of(&parse(ADMIN), None, &missing);
    let registry = |host: &str, images| Registry { host: host.into(), root: None, images };
    assert_eq!(wanted.registries, [registry("registry-1.docker.io", 2), registry("ghcr.io", 1)]);
    assert_eq!(wanted.names(), ["ghcr.io", "registry-1.docker.io"]);
    assert!(wanted.needs_network());
    assert_eq!((wanted.missing_images, wanted.ports), (None, None));
    assert!(!Wanted::of(&parse(ADMIN), None, &[]).needs_network());
}

#[test]
fn a_medium_needs_no_registry() {
    let text = format!("{ADMIN}[images]\nsource = \"bundle\"\n");
    let image = pull("docker.io/library/traefik");
    assert_eq!(Wanted::of(&parse(&text), None, &[&image]).registries, []);
}

#[test]
fn names_of_mirror_authority_and_provider_are_asked_once() {
    let text = format!(
        "{ADMIN}[domain]\nname = \"box.duckdns.org\"\n[domain.dns]\nprovider = \"duckdns\"\n\
         credentials = {{ DUCKDNS_TOKEN = \"t\" }}\n[domain.certificate]\n\
         issuer = \"letsencrypt\"\n[images]\nmirror = \"registry.lan:5000\"\n\
         mirror_ca = {{ file = \"ca.pem\" }}\n"
    );
    let mirrored = pull("registry.lan:5000/docker.io/library/traefik");
    let rule = PortRule {
        port: 443,
        protocol: Protocol::Tcp,
        from: Vec::new(),
        comment: "traefik: HTTPS".into(),
    };
    let step = |id: &str, action| Step { id: StepId::new(id), title: String::new(), action };
    let firewall = Firewall { host: Vec::new(), published: vec![rule.clone()] };
    let images = Images {
        source: seed::ImageSource::Auto,
        pulls: vec![mirrored.clone()],
        artefacts: Vec::new(),
    };
    let plan = Plan {
        format: FORMAT,
        seed: Digest::of("s"),
        catalogue: Digest::of("c"),
        steps: vec![
            step("firewall", crate::plan::Action::Firewall(firewall)),
            step("images", crate::plan::Action::Images(images)),
        ],
    };
    let wanted = Wanted::of(&parse(&text), Some(&plan), &[&mirrored]);
    assert_eq!(
        wanted.registries,
        [Registry {
            host: "registry.lan:5000".into(),
            root: Some(SecretRef::new("mirror-ca")),
            images: 1
        }]
    );
    assert_eq!(wanted.names(), ["acme-v02.api.letsencrypt.org", "registry.lan", "www.duckdns.org"]);
    assert_eq!(wanted.ports, Some(vec![rule]));
    assert_eq!(wanted.missing_images, Some(1));
    assert_eq!(
        wanted.provider.and_then(|provider| provider.url),
        Some("https://www.duckdns.org/update")
    );
}

#[test]
fn hosts_of_urls() {
    for (text, name) in [
        ("https://ca.lan:8443/acme?x", "ca.lan"),
        ("registry.lan:5000", "registry.lan"),
        ("https://[fd00::1]:5000/v2/", "fd00::1"),
        ("10.0.0.1:5000", "10.0.0.1"),
        ("https://x", "x"),
    ] {
        assert_eq!(host(text), name, "{text}");
    }
}

#[test]
fn one_failure_decides_the_exit() {
    let ok = Finding::ok(Check::Link, "");
    let warned = Finding::bad(Check::Clock, Verdict::Warning, "", "", "");
    let failed = Finding::bad(Check::Ports, Verdict::Failed, "", "", "");
    assert_eq!(exit(&[ok.clone(), warned.clone(), Finding::not_asked(Check::Dns, "")]), 0);
    assert_eq!(exit(&[ok, failed, warned]), 3);
}
