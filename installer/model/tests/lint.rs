//! Every rule of the linter: a stack that obeys it, and the same with one line that breaks it.

mod support;

use std::collections::BTreeSet;

use model::catalogue::{Catalogue, lint};
use support::stacks;

/// A stack that obeys every rule.
const GOOD: &str = r#"name: shelf
x-homelab:
  secrets: {shelf-key: {random: 32}}
services:
  shelf:
    image: example.org/shelf:1.2.3
    restart: unless-stopped
    security_opt: ["no-new-privileges:true"]
    cap_drop: [ALL]
    read_only: true
    user: "4100:4100"
    environment: {TZ: "${TZ}"}
    volumes: ["./data:/data"]
    secrets: [shelf-key]
    networks: [homelab-network]
    healthcheck: {test: [CMD, /shelf, health]}
    deploy: {resources: {limits: {cpus: "0.5", memory: 64M, pids: 32}}}
    x-homelab:
      url: shelf
      port: 8080
      access: one_factor
      memory: 32M
networks:
  homelab-network: {external: true}
secrets:
  shelf-key: {file: ./secrets/shelf-key}
"#;

/// Rule, a line of [`GOOD`], and what breaks the rule in its place.
const BAD: &[(&str, &str, &str)] = &[
    ("image-tag", "shelf:1.2.3", "shelf:latest"),
    ("image-tag", "shelf:1.2.3", "shelf"),
    ("healthcheck", "    healthcheck: {test: [CMD, /shelf, health]}\n", ""),
    ("healthcheck", "[CMD, /shelf, health]", "[NONE]"),
    ("limits", "cpus: \"0.5\", ", ""),
    ("limits", "memory: 64M", "memory: 16M"),
    ("no-new-privileges", "    security_opt: [\"no-new-privileges:true\"]\n", ""),
    ("cap-drop", "    cap_drop: [ALL]\n", ""),
    ("cap-add", "    cap_drop: [ALL]\n", "    cap_drop: [ALL]\n    cap_add: [NET_ADMIN]\n"),
    ("read-only-root", "    read_only: true\n", ""),
    ("host-namespace", "    restart:", "    privileged: true\n    restart:"),
    ("host-namespace", "    restart:", "    pid: host\n    restart:"),
    ("raw-docker-socket", "./data:/data", "/var/run/docker.sock:/var/run/docker.sock:ro"),
    ("secret-in-environment", "TZ: \"${TZ}\"", "SHELF_PASSWORD: hunter2"),
    ("log-rotation", "    restart:", "    logging: {driver: json-file}\n    restart:"),
    ("restart", "unless-stopped", "always"),
    ("database", "example.org/shelf:1.2.3", "postgres:17.2"),
    ("mnt-bind", "./data:/data", "/mnt/media:/data"),
    ("bind-source", "./data:/data", "/etc:/data"),
    ("bind-source", "./data:/data", "./../other:/data"),
    ("secret-file", "./secrets/shelf-key", "./data/shelf-key"),
    ("secret-file", "{shelf-key: {random: 32}}", "{}"),
    (
        "configuration-file",
        "      url: shelf\n",
        "      url: shelf\n      files: [{path: data/shelf.conf}]\n",
    ),
    (
        "backup",
        "      memory: 32M\n",
        "      memory: 32M\n      backup: {volumes: [shelf-data], paths: [/mnt/media]}\n",
    ),
    ("published-port", "    restart:", "    ports: [\"8080:8080\"]\n    restart:"),
    (
        "published-port",
        "      url: shelf\n",
        "      url: shelf\n      publishes: [{port: 80, as: proxy, for: all}]\n",
    ),
    ("network", "networks: [homelab-network]", "networks: [elsewhere]"),
    ("network", "    restart:", "    labels: [traefik.enable=true]\n    restart:"),
    ("network", "    restart:", "    container_name: box\n    restart:"),
    ("url", "      port: 8080\n", ""),
    ("url", "      access: one_factor\n", ""),
    ("url", "      url: shelf\n", "      url: Shelf_1\n"),
    (
        "access-exception",
        "      access: one_factor\n",
        "      access: one_factor\n      access_exceptions: \
         [{paths: [api], access: bypass, reason: \"\"}]\n",
    ),
    ("lazy", "      memory: 32M\n", "      memory: 32M\n      lazy: {after: soon}\n"),
    ("variable", "${TZ}", "${TIMEZONE}"),
    (
        "artefact",
        "      memory: 32M\n",
        "      memory: 32M\n      artefacts: [{name: shelf-plugin, at: /plugin}]\n",
    ),
    ("instead-of", "      url: shelf\n", "      url: shelf\n      instead_of: shelves\n"),
    ("instead-of", "      url: shelf\n", "      url: shelf\n      instead_of: shelf\n"),
    ("end-of-life", "      url: shelf\n", "      url: shelf\n      end_of_life: since 2024\n"),
];

/// What the linter says of an owner's stack with this Compose file.
fn said(text: &str) -> String {
    let own = [("shelf/compose.yaml".to_owned(), text.to_owned())].into();
    match Catalogue::parse_with_own(&stacks(), &own) {
        Ok(_) => String::new(),
        Err(wrong) => wrong.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_stack_that_obeys_is_taken() {
    assert_eq!(said(GOOD), "");
}

#[test]
fn each_broken_rule_is_told_with_its_place_and_a_way_out() {
    let mut all = String::new();
    for (rule, from, to) in BAD {
        assert!(GOOD.contains(from), "{rule}: `{from}` is not in the good stack");
        let said = said(&GOOD.replacen(from, to, 1));
        assert!(said.contains(rule), "`{to}` should break {rule}, but it is told\n{said}");
        all.push_str(&format!("==> {rule}\n{said}\n"));
    }
    insta::assert_snapshot!("lint-messages", all);
}

#[test]
fn an_image_that_the_lock_does_not_have_is_told() {
    let mut files = stacks();
    let core = files.get_mut("core/compose.yaml").unwrap();
    *core = core.replace("traefik:v3.7.11", "traefik:v3.7.12");
    let wrong = Catalogue::parse(&files).unwrap_err();
    let lines: Vec<String> = wrong.iter().flat_map(model::Problems::summary_lines).collect();
    assert!(lines.iter().any(|line| line.contains("image-lock")), "{lines:?}");
}

#[test]
fn a_health_check_that_is_made_often_or_given_up_soon_is_told() {
    for (from, to, says) in [
        (
            "interval: 300s",
            "interval: 299s",
            "`interval` of the health check of `socket-proxy` is `299s`",
        ),
        ("timeout: 60s", "timeout: 1m", "`timeout` of the health check of `socket-proxy` is `1m`"),
        (
            "start_period: 300s",
            "start_period: 299s",
            "`start_period` of the health check of `socket-proxy` is `299s`",
        ),
    ] {
        let mut files = stacks();
        let core = files.get_mut("core/compose.yaml").unwrap();
        *core = core.replacen(from, to, 1);
        let wrong = Catalogue::parse(&files).unwrap_err();
        let lines: Vec<String> = wrong.iter().flat_map(model::Problems::summary_lines).collect();
        assert!(lines.iter().any(|line| line.contains(says)), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("health-pace")), "{lines:?}");
    }
}

#[test]
fn an_exception_needs_a_rule_and_a_need() {
    let with = |exception: &str| {
        said(&GOOD.replace(
            "      url: shelf\n",
            &format!("      url: shelf\n      exceptions: {{{exception}}}\n"),
        ))
    };
    let unneeded = with("cap-add: it likes to");
    assert!(unneeded.contains("cap-add"), "{unneeded}");
    let unknown = with("cap-ad: it likes to");
    assert!(unknown.contains("cap-ad") && unknown.contains("cap-add"), "{unknown}");
    let broken = GOOD.replace("    cap_drop: [ALL]\n", "").replace(
        "      url: shelf\n",
        "      url: shelf\n      exceptions: {cap-drop: it starts as root}\n",
    );
    assert_eq!(said(&broken), "");
}

#[test]
fn a_stand_in_and_the_other_one_work_alone() {
    let second = |wish: &str, more: &str| {
        let (_, first) = GOOD.split_once("  shelf:\n").unwrap();
        let (first, rest) = first.split_once("networks:\n  homelab").unwrap();
        let second = first
            .replace("url: shelf", &format!("url: board\n      instead_of: {wish}"))
            .replace("    secrets: [shelf-key]\n", "")
            .replace("    restart:", &format!("{more}    restart:"));
        said(&GOOD.replace(
            &format!("{first}networks:\n  homelab{rest}"),
            &format!("{first}  board:\n{second}networks:\n  homelab{rest}"),
        ))
    };
    assert_eq!(second("shelf", ""), "");
    let needing = second("shelf", "    depends_on: [shelf]\n");
    let message =
        "[instead-of] one of `board` and `shelf` needs the other, but only one is deployed";
    assert!(needing.contains(message), "{needing}");
    let of_each_other =
        said(&GOOD.replace("      url: shelf\n", "      url: shelf\n      instead_of: board\n"));
    assert!(of_each_other.contains("[instead-of] the stack has no service `board`"));
}

#[test]
fn no_rule_is_without_a_stack_that_breaks_it() {
    let broken: BTreeSet<&str> =
        BAD.iter().map(|(rule, _, _)| *rule).chain(["image-lock", "health-pace"]).collect();
    let rules: BTreeSet<&str> = lint::rules().map(|rule| rule.name).collect();
    assert_eq!(broken, rules);
}
