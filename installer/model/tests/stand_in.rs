//! A service that can stand in for another one: which of the two is deployed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod support;

use std::collections::BTreeSet;

use model::{
    catalogue::Catalogue,
    plan::{Action, Plan, left_out},
};
use support::{LAN_ONLY, PROMTAIL, catalogue, catalogue_with, facts, large, plan, seed, with};

/// `letters`, and `post` that can stand in for it; `reader` needs the one, `stamps` the other.
const OWN: &str = r#"name: mail
x-limits: &limits
  restart: unless-stopped
  security_opt: ["no-new-privileges:true"]
  cap_drop: [ALL]
  read_only: true
  networks: [homelab-network]
  healthcheck: {test: [CMD, /mail, health]}
  deploy: {resources: {limits: {cpus: "0.5", memory: 64M, pids: 32}}}
services:
  letters:
    <<: *limits
    image: example.org/letters:1
    x-homelab: {memory: 32M}
  post:
    <<: *limits
    image: example.org/post:1
    x-homelab: {memory: 32M, instead_of: letters, from_memory: 8G}
  stamps:
    <<: *limits
    image: example.org/stamps:1
    depends_on: [post]
    x-homelab: {memory: 32M}
  reader:
    <<: *limits
    image: example.org/reader:1
    depends_on: [letters]
    x-homelab: {memory: 32M}
networks:
  homelab-network: {external: true}
"#;

fn mail() -> Catalogue {
    catalogue_with(&[("mail", OWN)])
}

fn names(plan: &Plan) -> BTreeSet<String> {
    let stacks = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Stack(stack) => Some(&stack.services),
        _ => None,
    });
    stacks.flatten().map(|service| service.name.clone()).collect()
}

/// Which of the services are deployed on a large box.
fn deployed<'n>(words: &str, catalogue: &Catalogue, of: &[&'n str]) -> Vec<&'n str> {
    let names = names(&plan(&with(&[&format!("[stacks]\n{words}\n")]), catalogue, &large()));
    of.iter().copied().filter(|name| names.contains(*name)).collect()
}

fn refused(words: &str, catalogue: &Catalogue) -> String {
    let text = with(&[&format!("[stacks]\n{words}\n")]);
    model::plan::plan(&seed(&text), catalogue, &large()).unwrap_err().to_string()
}

#[test]
fn the_seed_chooses_one_of_the_two() {
    for (words, expected) in [
        ("", &["alloy"][..]),
        ("prefer = [\"promtail\"]", &["promtail"]),
        ("disable = [\"promtail\"]", &["alloy"]),
        ("disable = [\"alloy\"]", &[]),
        // Chosen first, left out then: the other one does not come back.
        ("prefer = [\"promtail\"]\ndisable = [\"promtail\"]", &[]),
        ("prefer = [\"promtail\"]\ndisable = [\"alloy\"]", &["promtail"]),
        ("prefer = [\"promtail\"]\ndisable = [\"promtail\", \"alloy\"]", &[]),
        ("prefer = [\"promtail\"]\nenable = [\"core\", \"monitoring\"]", &["promtail"]),
        // As with `disable`: of a stack that is not there nothing is chosen.
        ("prefer = [\"promtail\"]\nenable = [\"core\"]", &[]),
    ] {
        assert_eq!(deployed(words, &catalogue(), &["alloy", "promtail"]), expected, "{words}");
    }
}

#[test]
fn a_small_box_leaves_out_the_chosen_one_and_tells_it() {
    let (default, preferred) = (seed(LAN_ONLY), seed(&with(&[PROMTAIL])));
    let logs = |seed| -> Vec<String> {
        let names = left_out(seed, &catalogue(), &facts());
        names.into_iter().filter(|name| ["alloy", "promtail"].contains(&&**name)).collect()
    };
    // Nobody asked for the other one, so it is no news that it is not there.
    assert_eq!(logs(&default), ["alloy"]);
    assert_eq!(logs(&preferred), ["promtail"]);
    let mail = left_out(&preferred_post(), &without_reader(), &facts());
    for name in ["post", "stamps"] {
        assert!(mail.iter().any(|left| left == name), "{mail:?}");
    }
    assert!(!mail.iter().any(|left| left == "letters"), "{mail:?}");
}

fn preferred_post() -> model::seed::Seed {
    seed(&with(&["[stacks]\nprefer = [\"post\"]\n"]))
}

fn without_reader() -> Catalogue {
    catalogue_with(&[("mail", &OWN.replace("depends_on: [letters]", "depends_on: []"))])
}

#[test]
fn what_needs_the_one_that_is_not_chosen_is_left_out_or_told() {
    let all = ["letters", "post", "stamps", "reader"];
    // Nobody can have meant `stamps` without `post`.
    assert_eq!(deployed("", &mail(), &all), ["letters", "reader"]);
    let chosen = "prefer = [\"post\"]\ndisable = [\"reader\"]";
    assert_eq!(deployed(chosen, &mail(), &all), ["post", "stamps"]);
    assert_eq!(
        refused("prefer = [\"post\"]", &mail()),
        "seed.toml: `reader` needs `letters`, but `[stacks] prefer` names `post`\n   = take `post` \
         out of `prefer`, or disable `reader` too\n"
    );
    assert_eq!(
        refused("prefer = [\"post\"]\ndisable = [\"post\", \"reader\"]", &mail()),
        "seed.toml: `stamps` needs `post`, which `[stacks] disable` names\n   = enable `post`, or \
         disable `stamps` too\n"
    );
    assert_eq!(
        refused("prefer = [\"promtail\"]\ndisable = [\"loki\"]", &catalogue()),
        "seed.toml: `promtail` needs `loki`, which `[stacks] disable` names\n   = enable `loki`, or \
         disable `promtail` too\n"
    );
    let neither = "prefer = [\"promtail\"]\ndisable = [\"loki\", \"promtail\"]";
    assert_eq!(deployed(neither, &catalogue(), &["loki", "alloy", "promtail"]), [""; 0]);
}

#[test]
fn a_name_that_chooses_nothing_is_refused_with_those_that_do() {
    assert_eq!(
        refused("prefer = [\"grafana\"]", &catalogue()),
        "seed.toml: `[stacks] prefer` names `grafana`, which stands in for no other service\n   = \
         take `grafana` out of it; what can be named: `promtail` (instead of `alloy`)\n"
    );
    assert_eq!(
        refused("prefer = [\"vector\"]", &catalogue()),
        "seed.toml: `[stacks] prefer` names the service `vector`, which this image does not have\n   \
         = take `vector` out of it; what can be named: `promtail` (instead of `alloy`)\n"
    );
    assert_eq!(
        refused("prefer = [\"promtial\"]", &catalogue()),
        "seed.toml: `[stacks] prefer` names the service `promtial`, which this image does not \
         have\n   = did you mean `promtail`?\n"
    );
    let two = OWN.replace("  stamps:\n", "  stamps:\n    # too\n").replace(
        "    depends_on: [post]\n    x-homelab: {memory: 32M}",
        "    x-homelab: {memory: 32M, instead_of: letters}",
    );
    let two = catalogue_with(&[("mail", &two.replace("depends_on: [letters]", "depends_on: []"))]);
    assert_eq!(
        refused("prefer = [\"post\", \"stamps\"]", &two),
        "seed.toml: `[stacks] prefer` names `post` and `stamps`, both instead of `letters`\n   = \
         take `post` or `stamps` out of it\n"
    );
}

#[test]
fn the_plan_tells_what_is_end_of_life() {
    let end = |words: &str| -> Vec<(String, String)> {
        let plan = plan(&with(&[words]), &catalogue(), &large());
        let stacks = plan.steps.into_iter().filter_map(|step| match step.action {
            Action::Stack(stack) => Some(stack.services),
            _ => None,
        });
        stacks.flatten().filter_map(|s| Some((s.name, s.end_of_life?))).collect()
    };
    assert_eq!(end(""), []);
    let text = "since 2 March 2026; its makers fix nothing in it any more and name Alloy as \
                successor";
    assert_eq!(end(PROMTAIL), [("promtail".to_owned(), text.to_owned())]);
}
