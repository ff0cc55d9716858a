//! Seeds written anew: they are read back as the same seed, and give the same plan.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]
#![allow(clippy::disallowed_methods, reason = "tests read their fixtures; the model may not")]

mod support;

use std::{fs, path::Path};

use model::{
    Digest, Secret,
    facts::Facts,
    plan::{Action, Plan, SecretMaking},
    secret::SecretRef,
    seed::{self, AdminPassword, SecretSource, Seed},
};
use proptest::prelude::*;
use support::{LAN_ONLY, catalogue, facts};

/// Reads what was written; it must be good.
fn again(text: &Secret) -> Seed {
    seed::parse("written.toml", text.reveal())
        .unwrap_or_else(|problems| panic!("{problems}\n{}", text.reveal()))
}

/// Without what differs in any case.
fn without_digest(seed: Seed) -> Seed {
    Seed { digest: Digest::of(""), ..seed }
}

#[test]
fn good_seeds_are_read_back_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds/good");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "toml") {
            let read = support::seed(&fs::read_to_string(&path).unwrap());
            let written = seed::write(&read, "A comment\n\nof lines", |_, source| source.clone());
            assert!(written.reveal().starts_with("# A comment\n#\n# of lines\nschema = 1\n"));
            let same = again(&written);
            assert_eq!(without_digest(same), without_digest(read), "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 5, "the good seeds are not found");
}

#[test]
fn each_secret_gets_the_origin_of_its_own_name() {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds/good/full.toml");
    let read = support::seed(&fs::read_to_string(full).unwrap());
    let reference = |name: &SecretRef| SecretSource::File(format!("secrets/{name}").into());
    let written = again(&seed::write(&read, "", |name, _| reference(name)));
    let secrets = written.secrets();
    assert_eq!(secrets.len(), 9);
    for (name, source) in secrets {
        assert_eq!(*source, reference(&name));
    }
}

const MORE: &str = r#"
[domain]
name = "alex-box.duckdns.org"
[domain.dns]
provider = "duckdns"
credentials = { DUCKDNS_TOKEN = "a7c4d0ad-114e-40ef-ba1d-d217904a50f2" }
[domain.certificate]
issuer = "letsencrypt"
email = "alex@example.org"
[vpn]
provider = "mullvad"
protocol = "wireguard"
private_key = "wOEI9rqqbDwnN8/Bpp22sVz48T71vJ4fYmFWujulwUU="
addresses = ["10.64.222.21/32"]
[[network.interface]]
match = "mac:52:54:00:12:34:56"
address = ["192.168.1.10/24"]
gateway = "192.168.1.1"
dns = ["192.168.1.1"]
[[storage.mount]]
at = "/mnt/backups"
remote = "//nas.lan/backups"
user = "homelab"
password = "smb password of the test"
[stacks]
disable = ["plex"]
prefer = ["promtail"]
[backup]
password = "a password of the repository"
"#;

fn plan(seed: &Seed) -> Plan {
    // Room for everything that is deployed with a VPN and a public name.
    let facts = Facts { memory: 16 << 30, ..facts() };
    let plan = model::plan::plan(seed, &catalogue(), &facts);
    Plan { seed: Digest::of(""), ..plan.unwrap_or_else(|problems| panic!("{problems}")) }
}

#[test]
fn secrets_by_reference_give_the_same_plan() {
    let before = support::seed(&format!("{LAN_ONLY}{MORE}"));
    let by_reference =
        |name: &SecretRef, _: &SecretSource| SecretSource::File(format!("secrets/{name}").into());
    let written = seed::write(&before, "", by_reference);
    for text in ["a7c4d0ad", "wOEI9rqq", "smb password", "repository\"", "correct horse"] {
        assert!(!written.reveal().contains(text), "{text}");
    }
    assert_eq!(plan(&again(&written)), plan(&before));
}

/// A secret that the box made is of the seed from then on: only so can the next box read what
/// this one has written with it.
#[test]
fn a_generated_secret_becomes_one_of_the_seed_and_nothing_else_changes() {
    let before = support::seed(LAN_ONLY);
    assert_eq!(before.backup.password, SecretSource::Generate);
    let written = seed::write(&before, "", |name, source| match source {
        SecretSource::Generate => SecretSource::File(format!("secrets/{name}").into()),
        other => other.clone(),
    });
    let name = SecretRef::new("backup-password");
    let mut expected = plan(&before);
    for step in &mut expected.steps {
        match &mut step.action {
            Action::Secrets { wishes } => {
                for wish in wishes.iter_mut().filter(|wish| wish.name == name) {
                    wish.source = SecretMaking::Seed;
                }
            }
            Action::Handover(handover) => handover.show_once.retain(|shown| *shown != name),
            _ => {}
        }
    }
    assert_eq!(plan(&again(&written)), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a password is made of, it is the same afterwards.
    #[test]
    fn any_password_survives(password in "[ -~äß€🔒\"'\\\\]{12,40}", name in "[a-z]{2,8}[.:/ ]x") {
        prop_assume!(seed::rules::password(&Secret::new(&*password)).is_ok());
        let mut before = support::seed(LAN_ONLY);
        before.admin.password = AdminPassword::Plain(SecretSource::Text(Secret::new(&*password)));
        before.images.pins = [(name, Digest::of("x"))].into();
        let written = seed::write(&before, "", |_, source| source.clone());
        match seed::parse("written.toml", written.reveal()) {
            Ok(read) => prop_assert_eq!(without_digest(read), without_digest(before)),
            // A pin must look like an image; the password is never what is complained about.
            Err(problems) => prop_assert!(!problems.to_string().contains("password"), "{}", problems),
        }
    }
}
