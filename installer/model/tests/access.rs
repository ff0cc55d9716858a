//! Who may see what, as the catalogue says it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod support;

use model::{
    access::{Matrix, Visitor, word},
    plan,
};
use support::{LAN_ONLY, catalogue_with, facts, seed};

/// A public page with an admin part, and a page for users with an API of its own.
const GATES: &str = include_str!("support/gates.yaml");

fn matrix(lazy: bool) -> Matrix {
    let seed = seed(&format!("{LAN_ONLY}[stacks]\nenable = [\"core\"]\n"));
    let mut facts = facts();
    if lazy {
        facts.artefacts.push("sablier-traefik-plugin".to_owned());
    }
    plan::matrix(&seed, &catalogue_with(&[("gates", GATES)]), &facts).unwrap()
}

#[test]
fn every_url_and_exception_against_every_visitor() {
    let matrix = matrix(true);
    let mut text = format!("{}\n", matrix.portal);
    for row in &matrix.rows {
        let expected = Visitor::ALL.map(|visitor| {
            format!("{} {}", visitor.name(), word(&row.expects(visitor, &matrix.portal)))
        });
        let exception = row.exception.as_deref().unwrap_or("-");
        let lazy = if row.lazy { ", lazy" } else { "" };
        text += &format!(
            "{} {exception} {:?}{lazy}\n    {}\n",
            row.url,
            row.access,
            expected.join(", ")
        );
    }
    insta::assert_snapshot!("matrix", text);
}

#[test]
fn nothing_sleeps_without_the_plugin() {
    assert!(matrix(false).rows.iter().all(|row| !row.lazy));
}

/// A rule for admins fits nobody else who has logged in, so these would come to the rule of the
/// whole host if they were not refused by one of their own.
#[test]
fn an_admin_path_of_an_open_host_is_refused_to_everybody_else() {
    let seed_text = format!("{LAN_ONLY}[stacks]\nenable = [\"core\"]\n");
    let plan = support::plan(&seed_text, &catalogue_with(&[("gates", GATES)]), &facts());
    let text = support::rendered(&plan, "/opt/stacks/core/authelia/configuration.yml");
    let rules = "    - domain: \"blog.homelab.home.arpa\"
      resources: [\"^/wp-(admin|login\\\\.php)\"]
      subject: \"group:admins\"
      policy: two_factor
    - domain: \"blog.homelab.home.arpa\"
      resources: [\"^/wp-(admin|login\\\\.php)\"]
      policy: deny
";
    assert!(text.contains(rules), "{text}");
    assert!(text.find(rules) < text.find("policy: one_factor"), "{text}");
}
