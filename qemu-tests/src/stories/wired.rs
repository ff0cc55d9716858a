//! What the services of a box with every stack see of each other, and what they must not see.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    installed::Installed,
    scene::{Scene, until},
};

/// How long what comes by itself may take: several rounds of whoever looks every half minute.
const ROUNDS: Duration = Duration::from_secs(300);

/// The address of a container on the first of its networks.
fn address(installed: &Installed, container: &str) -> Result<String> {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
    let said = installed.ssh.sudo(&format!("docker inspect -f \"{format}\" {container}"))?;
    let first = said.split_whitespace().next();
    first.map(str::to_owned).with_context(|| format!("{container} has no address"))
}

/// What a service answers the box itself. `options` are for `curl`.
pub fn fetch(installed: &Installed, container: &str, page: &str, options: &str) -> Result<String> {
    let address = address(installed, container)?;
    installed.ssh.sudo(&format!(
        "curl --fail-with-body -sS --max-time 60 {options} \"http://{address}:{page}\""
    ))
}

fn json(installed: &Installed, container: &str, page: &str, options: &str) -> Result<Value> {
    let said = fetch(installed, container, page, options)?;
    serde_json::from_str(&said).with_context(|| format!("{container} answers {said}"))
}

/// Prometheus reaches everything that it is told of, and is told of everything.
pub fn no_target_is_down(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    until(ROUNDS, || {
        let said = json(installed, "prometheus", "9090/api/v1/targets?state=active", "")?;
        let targets = said["data"]["activeTargets"].as_array().context("no list of targets")?;
        let job = |target: &Value| target["labels"]["job"].as_str().unwrap_or_default().to_owned();
        let jobs: BTreeSet<String> = targets.iter().map(job).collect();
        for expected in [
            "traefik",
            "authelia",
            "prometheus",
            "alertmanager",
            "loki",
            "node-exporter",
            "cadvisor",
        ] {
            ensure!(jobs.contains(expected), "{expected} is no target: {jobs:?}");
        }
        let down = targets.iter().filter(|target| target["health"] != "up");
        let down: Vec<String> = down
            .map(|target| {
                format!("{} is {}: {}", job(target), target["health"], target["lastError"])
            })
            .collect();
        Ok((!down.is_empty()).then(|| down.join("\n")))
    })
}

/// Prometheus hands its alerts on, and Alertmanager knows whom to tell.
pub fn alerts_have_a_way_out(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let said = json(installed, "prometheus", "9090/api/v1/alertmanagers", "")?;
    let active = said["data"]["activeAlertmanagers"].as_array().map_or(0, Vec::len);
    ensure!(active == 1, "Prometheus knows {said}");
    let rules = json(installed, "prometheus", "9090/api/v1/rules", "")?;
    let groups = rules["data"]["groups"].as_array().map_or(0, Vec::len);
    ensure!(groups > 0, "Prometheus has no rules: {rules}");
    let status = json(installed, "alertmanager", "9093/api/v2/status", "")?;
    let text = status["config"]["original"].as_str().unwrap_or_default();
    ensure!(text.contains("/run/secrets/alertmanager-ntfy"), "it runs with\n{text}");
    // It keeps the address to itself, which may hold a password.
    let file = installed.ssh.sudo("cat /opt/stacks/monitoring/alertmanager/alertmanager.yml")?;
    ensure!(file.contains("https://ntfy.example.org"), "Alertmanager is told:\n{file}");
    Ok(())
}

/// A line that a container writes, and one of the box's journal, are found in Loki by their labels.
pub fn logs_are_found(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let marker = format!("marker-{}", std::process::id());
    // The proxy writes down who asks for what.
    installed.browser()?.get(&format!("{}/{marker}", installed.url("grafana")))?;
    let log = installed.ssh.sudo("docker logs --tail 500 traefik 2>&1")?;
    ensure!(log.contains(&marker), "the marker is not in the container's log:\n{log}");
    let unit = "--unit=marker.service --collect --wait --quiet";
    installed.ssh.sudo(&format!("systemd-run {unit} echo {marker}"))?;
    for labels in [
        "stack=\\\"core\\\",service=\\\"traefik\\\"",
        "stack=\\\"system\\\",service=\\\"marker\\\"",
    ] {
        let query = format!("--get --data-urlencode \"query={{{labels}}} |= \\\"{marker}\\\"\"");
        until(ROUNDS, || {
            let said = json(installed, "loki", "3100/loki/api/v1/query_range", &query)?;
            let streams = said["data"]["result"].as_array().map_or(0, Vec::len);
            Ok((streams == 0).then(|| format!("Loki has no line with {labels}: {said}")))
        })?;
    }
    Ok(())
}

/// Grafana's sources answer, and its overview is there.
pub fn grafana_sees_its_sources(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let secret = "/opt/stacks/monitoring/secrets/grafana-admin-password";
    let login = format!("--user \"grafana-admin:$(cat {secret})\"");
    let sources = json(installed, "grafana", "3000/api/datasources", &login)?;
    let sources = sources.as_array().context("no list of data sources")?;
    let kinds: BTreeSet<&str> = sources.iter().filter_map(|one| one["type"].as_str()).collect();
    ensure!(kinds.is_superset(&["prometheus", "loki"].into()), "Grafana has {kinds:?}");
    for source in sources {
        let uid = source["uid"].as_str().context("a data source without a uid")?;
        let page = format!("3000/api/datasources/uid/{uid}/health");
        let health = json(installed, "grafana", &page, &login)?;
        ensure!(health["status"] == "OK", "{}: {health}", source["name"]);
    }
    let found = json(installed, "grafana", "3000/api/search?type=dash-db", &login)?;
    let count = found.as_array().map_or(0, Vec::len);
    ensure!(count > 0, "Grafana has no dashboard: {found}");
    let anonymous = fetch(installed, "grafana", "3000/api/datasources", "");
    ensure!(anonymous.is_err(), "Grafana tells its sources to anybody");
    Ok(())
}

/// Uptime Kuma watches every service that has a page and does not sleep.
pub fn uptime_kuma_watches_everything(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let monitors =
        installed.ssh.sudo("cat /opt/stacks/monitoring/uptime-kuma/setup/monitors.json")?;
    let wanted: Value = serde_json::from_str(&monitors).context("the list of monitors")?;
    let wanted = wanted.as_array().context("no list of monitors")?;
    ensure!(wanted.len() > 3, "only {} monitors", wanted.len());
    until(ROUNDS, || {
        let state = json(installed, "uptime-kuma", "3001/stand-in/state", "")?;
        ensure!(state["account"] == "claimed", "{state}");
        let known = state["monitors"].as_array().map_or(&[][..], Vec::as_slice);
        let bad: Vec<String> = wanted
            .iter()
            .filter_map(|one| {
                let name = &one["name"];
                match known.iter().find(|monitor| monitor["name"] == *name) {
                    None => Some(format!("{name} is not watched")),
                    Some(monitor) if monitor["status"] != "up" => {
                        Some(format!("{name} is {}: {}", monitor["status"], monitor["message"]))
                    }
                    Some(_) => None,
                }
            })
            .collect();
        Ok((!bad.is_empty()).then(|| bad.join("\n")))
    })
}

/// Databases, with their ports and whom they serve.
const DATABASES: &[(&str, u16, &str)] = &[
    ("nextcloud-database", 5432, "nextcloud"),
    ("nextcloud-cache", 6379, "nextcloud"),
    ("wordpress-database", 3306, "wordpress"),
];

/// Services that ask for a database which is not theirs, with their stacks.
const OTHERS: &[(&str, &str)] = &[
    ("nextcloud", "productivity"),
    ("wordpress", "productivity"),
    ("sonarr", "media"),
    ("dockge", "infrastructure"),
];

/// No other stack reaches a database, nor does another service of the same one.
pub fn databases_are_out_of_reach(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    for (database, port, owner) in DATABASES {
        let address = address(installed, database)?;
        let reach = |from: &str| {
            let door = format!("/dev/tcp/{address}/{port}");
            let script = format!("docker exec {from} timeout 10 bash -c \"< {door}\"");
            installed.ssh.finish_as("root", &script, b"").map(|said| said.status)
        };
        // Control: the door is there, and the question is asked rightly.
        let status = reach(owner)?;
        ensure!(status == 0, "{owner} does not reach {database}: {status}");
        let has = |stack| installed.wish.stacks.contains(stack);
        for (other, _) in OTHERS.iter().filter(|(other, stack)| other != owner && has(stack)) {
            let status = reach(other)?;
            // What `timeout` says: nobody answered.
            ensure!(status == 124, "{other} asks {database} at {address}:{port}: {status}");
        }
    }
    Ok(())
}

/// The matrix that the box prints holds, and an anonymous visitor from outside sees the same.
pub fn matrix_is_what_a_stranger_sees(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let said = installed.ssh.finish_as("root", "homelab access --json --wake", b"")?;
    let matrix: Value = serde_json::from_str(&said.stdout)
        .with_context(|| format!("`homelab access --json`: {}{}", said.stdout, said.stderr))?;
    let rows = matrix["rows"].as_array().context("the matrix has no rows")?;
    ensure!(rows.len() > 3, "only {} rows", rows.len());
    let cells = |row: &Value| row["cells"].as_array().cloned().unwrap_or_default();
    let bad: Vec<String> = rows
        .iter()
        .flat_map(|row| cells(row).into_iter().map(move |cell| (row["url"].clone(), cell)))
        .filter(|(_, cell)| cell["state"] != "holds")
        .map(|(url, cell)| format!("{url}: {cell}"))
        .collect();
    ensure!(bad.is_empty(), "{}\n{}", matrix["notes"], bad.join("\n"));
    let (browser, portal) = (installed.browser()?, installed.url("auth"));
    let mut wrong = Vec::new();
    for row in rows {
        let url = row["url"].as_str().context("a row without a URL")?;
        let own = cells(row).into_iter().find(|cell| cell["visitor"] == "anonymous");
        let own = own.context("nobody asked as an anonymous visitor")?;
        let answer = browser.get(url)?;
        let away = answer.location.as_deref().is_some_and(|to| to.starts_with(&portal));
        if away != (own["measured"] == "portal") {
            wrong.push(format!("{url}: {} {:?}, but {own}", answer.status, answer.location));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
