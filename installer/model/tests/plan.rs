//! Seed + catalogue + facts to a plan, and everything that is rendered from it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod support;

use support::{LAN_ONLY, catalogue, catalogue_with, facts, plan, print};

/// With a public name, dynamic DNS and public certificates.
const DUCKDNS: &str = r#"
[domain]
name = "alex-box.duckdns.org"
[domain.dns]
provider = "duckdns"
credentials = { DUCKDNS_TOKEN = "a7c4d0ad-114e-40ef-ba1d-d217904a50f2" }
[domain.certificate]
issuer = "letsencrypt"
email = "alex@example.org"
"#;

const VPN: &str = r#"
[vpn]
provider = "mullvad"
protocol = "wireguard"
private_key = "wOEI9rqqbDwnN8/Bpp22sVz48T71vJ4fYmFWujulwUU="
addresses = ["10.64.222.21/32"]
"#;

const STATIC: &str = r#"
[[network.interface]]
match = "mac:52:54:00:12:34:56"
address = ["192.168.1.10/24"]
gateway = "192.168.1.1"
dns = ["192.168.1.1"]
[[storage.mount]]
at = "/mnt/backups"
remote = "nas.lan:/export/backups"
"#;

fn with(more: &str) -> String {
    format!("{LAN_ONLY}{more}")
}

#[test]
fn a_box_on_the_lan() {
    let plan = plan(LAN_ONLY, &catalogue(), &facts());
    insta::assert_snapshot!("lan-rendered", print(&plan));
    insta::assert_snapshot!("lan-plan", serde_json::to_string_pretty(&plan).unwrap());
}

#[test]
fn a_box_with_a_public_name() {
    let plan = plan(&with(DUCKDNS), &catalogue(), &facts());
    insta::assert_snapshot!("duckdns-rendered", print(&plan));
}

#[test]
fn a_box_with_a_vpn() {
    let plan = plan(&with(VPN), &catalogue(), &facts());
    insta::assert_snapshot!("vpn-rendered", print(&plan));
}

#[test]
fn a_box_with_a_fixed_address_and_a_network_share() {
    let plan = plan(&with(STATIC), &catalogue(), &facts());
    let steps: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| ["network", "storage", "firewall"].contains(&step.id.0.as_str()))
        .collect();
    insta::assert_snapshot!("static-plan", serde_json::to_string_pretty(&steps).unwrap());
}

#[test]
fn an_owners_stack_is_wired_in_and_sleeps_only_with_the_plugin() {
    let own = include_str!("../../../qemu-tests/fixtures/probe-stack/compose.yaml");
    let catalogue = catalogue_with(&[("probe", own)]);
    let mut facts = facts();
    insta::assert_snapshot!("own-rendered", print(&plan(LAN_ONLY, &catalogue, &facts)));
    facts.artefacts.push("sablier-traefik-plugin".to_owned());
    let plan = plan(LAN_ONLY, &catalogue, &facts);
    let lazy = support::rendered(&plan, "/opt/stacks/core/traefik/dynamic/lazy.yml");
    insta::assert_snapshot!("own-lazy", lazy);
}

#[test]
fn a_wish_that_nothing_carries_out_is_refused() {
    let text = with("[install]\ndisk = \"serial:BOX2\"\nwipe = \"BOX2\"\n");
    let problems = model::plan::plan(&support::seed(&text), &catalogue(), &facts()).unwrap_err();
    assert_eq!(
        problems.summary_lines(),
        ["seed.toml: `[install]` is not carried out by this version"]
    );
}
