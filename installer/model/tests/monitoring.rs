//! What the monitoring stack derives from everything else that is deployed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod support;

use std::path::Path;

use model::{
    paths,
    plan::{Action, Plan},
};
use serde_json::Value;
use support::{LAN_ONLY, NOTIFICATIONS, PROMTAIL, catalogue, large, plan, rendered, with};

const OWN_AUTHORITY: &str = r#"
[domain]
name = "alex-box.duckdns.org"
[domain.dns]
provider = "duckdns"
credentials = { DUCKDNS_TOKEN = "a7c4d0ad-114e-40ef-ba1d-d217904a50f2" }
[domain.certificate]
issuer = "custom"
directory = "https://ca.example.org/dir"
email = "alex@example.org"
"#;

fn of_stack(path: &str, plan: &Plan) -> String {
    rendered(plan, &format!("/opt/stacks/monitoring/{path}"))
}

fn json(path: &str, plan: &Plan) -> Value {
    serde_json::from_str(&of_stack(path, plan)).unwrap()
}

#[test]
fn whoever_tells_metrics_is_a_target() {
    let catalogue = catalogue();
    let default = plan(LAN_ONLY, &catalogue, &large());
    let targets = of_stack("prometheus/prometheus.yml", &default);
    for (stack, service) in catalogue.services().filter(|(_, s)| s.wish.instead_of.is_none()) {
        let Some(scrape) = &service.wish.scrape else { continue };
        let target = format!("- targets: [\"{}:{}\"]", service.name, scrape.port);
        assert!(targets.contains(&target), "{}: {target}\n{targets}", stack.name);
    }
    for service in ["traefik", "authelia", "sablier", "loki", "alloy", "cadvisor"] {
        assert!(targets.contains(&format!("- job_name: \"{service}\"")), "{service}\n{targets}");
    }
    assert!(!targets.contains("promtail"), "{targets}");
    let preferred = plan(&with(&[PROMTAIL]), &catalogue, &large());
    let targets = of_stack("prometheus/prometheus.yml", &preferred);
    assert!(targets.contains("- targets: [\"promtail:9080\"]"), "{targets}");
    assert!(!targets.contains("alloy"), "{targets}");
}

/// Both read the same two sources and give the same labels, so that dashboards and alerts need not
/// know which of them sends.
#[test]
fn promtail_gives_the_labels_that_alloy_gives() {
    let alloy = of_stack("alloy/config.alloy", &plan(LAN_ONLY, &catalogue(), &large()));
    let promtail = plan(&with(&[PROMTAIL]), &catalogue(), &large());
    let promtail = of_stack("promtail/promtail.yaml", &promtail);
    let promtail: serde_yaml_ng::Value = serde_yaml_ng::from_str(&promtail).unwrap();
    let mut rules = Vec::new();
    for scrape in promtail["scrape_configs"].as_sequence().unwrap() {
        for rule in scrape["relabel_configs"].as_sequence().unwrap() {
            // What Alloy says by `labels`.
            let Some(sources) = rule["source_labels"].as_sequence() else { continue };
            let source = sources[0].as_str().unwrap().to_owned();
            rules.push((source, rule["target_label"].as_str().unwrap().to_owned()));
        }
    }
    let quoted = |line: &str, key: &str| {
        let (name, value) = line.trim().split_once('=')?;
        (name.trim() == key).then(|| value.trim().trim_matches(['[', ']', '"']).to_owned())
    };
    let sources = alloy.lines().filter_map(|line| quoted(line, "source_labels"));
    let targets = alloy.lines().filter_map(|line| quoted(line, "target_label"));
    assert_eq!(rules, sources.zip(targets).collect::<Vec<_>>());
    let labels = &promtail["scrape_configs"][1]["journal"]["labels"];
    for label in ["job", "stack", "service"] {
        let said = format!("{label} = \"{}\"", labels[label].as_str().unwrap());
        assert!(alloy.contains(&said), "{said}");
    }
}

#[test]
fn whoever_says_where_it_answers_is_watched() {
    let plan = plan(LAN_ONLY, &catalogue(), &large());
    let monitors = json("uptime-kuma/setup/monitors.json", &plan);
    let login = serde_json::json!({
        "service": "authelia", "name": "Login", "url": "http://authelia:9091/api/health"
    });
    assert!(monitors.as_array().unwrap().contains(&login), "{monitors}");
}

#[test]
fn without_loki_nothing_asks_for_logs() {
    let titles = |plan: &Plan| -> Vec<String> {
        let board = json("grafana/dashboards/overview.json", plan);
        let panels = board["panels"].as_array().unwrap();
        panels.iter().map(|panel| panel["title"].as_str().unwrap().to_owned()).collect()
    };
    let (small, large) =
        (plan(LAN_ONLY, &catalogue(), &support::facts()), plan(LAN_ONLY, &catalogue(), &large()));
    assert!(titles(&large).contains(&"Lines of logs".to_owned()));
    assert!(!titles(&small).contains(&"Lines of logs".to_owned()));
    assert!(of_stack("grafana/datasources.yml", &large).contains("uid: loki"));
    assert!(!of_stack("grafana/datasources.yml", &small).contains("uid: loki"));
}

#[test]
fn alerts_go_where_the_seed_says_and_secrets_stay_in_files() {
    let nobody =
        of_stack("alertmanager/alertmanager.yml", &plan(LAN_ONLY, &catalogue(), &support::facts()));
    assert!(nobody.ends_with("  - name: owner\n"), "{nobody}");
    let seed = with(&[NOTIFICATIONS]);
    let told =
        of_stack("alertmanager/alertmanager.yml", &plan(&seed, &catalogue(), &support::facts()));
    for line in [
        "- to: \"alex@homelab.home.arpa\"",
        "smarthost: \"mail.example.org:587\"",
        "auth_password_file: /run/secrets/alertmanager-smtp",
        "- url: \"https://ntfy.example.org/box?template=alertmanager\"",
        "authorization: {type: Bearer, credentials_file: /run/secrets/alertmanager-ntfy}",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

/// Timer, exporter and rules are three places that name the same things.
#[test]
fn what_the_disks_say_finds_its_way_to_an_alert() {
    let plan = plan(LAN_ONLY, &catalogue(), &support::facts());
    let (folder, file) = paths::DISK_METRICS.rsplit_once('/').unwrap();
    assert!(file.ends_with(".prom"), "the exporter reads no others: {file}");
    let compose = of_stack("compose.yaml", &plan);
    assert!(compose.contains("- --collector.textfile.directory=/textfile\n"), "{compose}");
    let below = folder.strip_prefix("/opt/stacks/monitoring").unwrap();
    assert!(compose.contains(&format!("- .{below}:/textfile:ro\n")), "{compose}");
    let folders = plan.steps.iter().find_map(|step| match &step.action {
        Action::Render(render) => Some(&render.folders),
        _ => None,
    });
    let made = folders.unwrap().iter().find(|made| made.path == folder).unwrap();
    assert_eq!((made.mode, made.owner), (0o755, (0, 0)));
    let units = Path::new("../../overlays/homelab/etc/systemd/system");
    let unit = include_str!("../../../overlays/homelab/etc/systemd/system/homelab-disks.service");
    assert!(unit.contains(&format!("ConditionPathIsDirectory={folder}\n")), "{unit}");
    assert!(units.join("timers.target.wants/homelab-disks.timer").is_symlink());

    let rules: serde_json::Value =
        serde_yaml_ng::from_str(&of_stack("prometheus/rules/homelab.yml", &plan)).unwrap();
    let asked = rules["groups"][0]["rules"].as_array().unwrap().iter().filter_map(|rule| {
        let (metric, _) = rule["expr"].as_str()?.split_once(" == 1")?;
        Some((rule["alert"].as_str()?, metric))
    });
    let asked: Vec<_> = asked.collect();
    let expected = [
        ("DiskFailing", "homelab_disk_failing"),
        ("DiskWorn", "homelab_disk_worn"),
        ("DiskMissing", "homelab_disk_missing"),
    ];
    assert_eq!(asked, expected);
    // That the file is still written is asked by its path in the container.
    let file = model::paths::DISK_METRICS.rsplit('/').next().unwrap();
    let compose = of_stack("compose.yaml", &plan);
    assert!(compose.contains("node-exporter/textfile:/textfile:ro"), "{compose}");
    let rules = rules.to_string();
    assert!(rules.contains(&format!("file=\\\"/textfile/{file}\\\"")), "{rules}");
    let told = include_str!("../src/disk/captured/worn-and-missing.prom");
    for (alert, metric) in asked {
        assert!(told.contains(&format!("\n{metric}{{disk=")), "{alert}");
    }
}

#[test]
fn the_portals_authority_is_always_a_file_that_is_there() {
    let mounted = |seed: &str, source: &str| {
        let plan = plan(seed, &catalogue(), &support::facts());
        let compose = of_stack("compose.yaml", &plan);
        assert!(compose.contains(&format!("source: {source}\n")), "{compose}");
        of_stack("grafana/grafana.ini", &plan)
    };
    let local = mounted(LAN_ONLY, "/etc/homelab/ca/ca.pem");
    assert!(local.contains("tls_client_ca = /etc/homelab/authorities.pem\n"), "{local}");
    let public = with(&[OWN_AUTHORITY]);
    let ini = mounted(&public, "/etc/ssl/certs/ca-certificates.crt");
    assert!(ini.contains("tls_client_ca = /etc/homelab/authorities.pem\n"), "{ini}");
}
