use super::*;
use crate::{Command, Runner as _, SystemRunner};

const NOW: i64 = 1_795_379_580;
const DAY: i64 = 86_400;

fn names() -> Vec<String> {
    vec!["lab.home.arpa".into(), "*.lab.home.arpa".into()]
}

fn authority() -> Authority {
    Authority::create("Homelab lab", "lab.home.arpa", NOW).unwrap()
}

#[test]
fn an_authority_is_bound_to_its_domain() {
    let authority = authority();
    let found = Certificate::parse(&authority.certificate).unwrap();
    assert_eq!(found.subject, "CN=Homelab lab");
    assert_eq!(found.issuer, "CN=Homelab lab");
    assert_eq!(found.permitted, ["lab.home.arpa"]);
    assert_eq!((found.not_before, found.not_after), (NOW - DAY, NOW + 3650 * DAY));
    assert!(found.permits(&names()));
    assert!(!found.permits(&["other.arpa".into()]));
    assert!(!found.permits(&["evil-lab.home.arpa".into()]), "no suffix of a label");
}

#[test]
fn fingerprints_are_hex_pairs() {
    let fingerprint = authority().fingerprint().unwrap();
    assert_eq!(fingerprint.len(), 32 * 3 - 1);
    assert!(fingerprint.split(':').all(|pair| u8::from_str_radix(pair, 16).is_ok()));
}

#[test]
fn a_leaf_is_good_until_a_third_is_left() {
    let authority = authority();
    let leaf = authority.issue(&names(), 397, NOW).unwrap();
    let found = Certificate::parse(&leaf.chain).unwrap();
    assert_eq!(found.names, names());
    assert_eq!(found.issuer, "CN=Homelab lab");
    assert_eq!((found.not_before, found.not_after), (NOW - DAY, NOW + 397 * DAY));
    let reason =
        |now| renewal_reason(&leaf.chain, &leaf.key, &names(), &authority.certificate, now);
    assert_eq!(reason(NOW), None);
    assert_eq!(reason(NOW + 264 * DAY), None);
    assert_eq!(reason(NOW + 265 * DAY).as_deref(), Some("it ends on 2027-12-24"));
    assert_eq!(reason(NOW - 2 * DAY).as_deref(), Some("it is from the future"));
}

#[test]
fn a_leaf_is_made_anew_for_each_reason() {
    let authority = authority();
    let leaf = authority.issue(&names(), 397, NOW).unwrap();
    let other = Authority::create("Homelab lab", "lab.home.arpa", NOW).unwrap();
    let more: Vec<String> = names().into_iter().chain(["extra.lab.home.arpa".into()]).collect();
    let ask = |chain: &str, key, names: &[String], authority: &str| {
        renewal_reason(chain, key, names, authority, NOW).unwrap()
    };
    // Same name, other key: the issuer's name alone proves nothing.
    assert_eq!(
        ask(&leaf.chain, &leaf.key, &names(), &other.certificate),
        "another authority signed it"
    );
    assert_eq!(
        ask(&leaf.chain, &other.key, &names(), &authority.certificate),
        "the key does not belong to it"
    );
    assert_eq!(
        ask(&leaf.chain, &leaf.key, &more, &authority.certificate),
        "it is for *.lab.home.arpa, lab.home.arpa, not for *.lab.home.arpa, extra.lab.home.arpa, \
         lab.home.arpa"
    );
    let damaged = ask("damaged", &leaf.key, &names(), &authority.certificate);
    assert!(damaged.starts_with("the certificate cannot be read: "), "{damaged}");
}

/// Whatever we think of it, OpenSSL must agree, name constraints included.
#[test]
fn openssl_verifies_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, chain) = (folder.path().join("ca.pem"), folder.path().join("chain.pem"));
    let authority = authority();
    std::fs::write(&ca, &authority.certificate).unwrap();
    let verify = |names: &[String], host: &str| {
        std::fs::write(&chain, authority.issue(names, 397, NOW).unwrap().chain).unwrap();
        let time = NOW.to_string();
        let command = Command::new("openssl")
            .args(["verify", "-x509_strict", "-purpose", "sslserver", "-attime", &time])
            .args(["-verify_hostname", host, "-CAfile"])
            .arg(&ca)
            .arg(&chain);
        SystemRunner.run(&command)
    };
    if SystemRunner.run(&Command::new("openssl").arg("version")).is_err() {
        return;
    }
    verify(&names(), "auth.lab.home.arpa").unwrap();
    let foreign = verify(&["bank.example".into()], "bank.example").unwrap_err();
    assert!(foreign.tail.contains("permitted subtree violation"), "{foreign}");
    let address = verify(&["lab.home.arpa".into(), "10.0.0.1".into()], "lab.home.arpa");
    let address = address.unwrap_err();
    assert!(address.tail.contains("excluded subtree violation"), "{address}");
}
