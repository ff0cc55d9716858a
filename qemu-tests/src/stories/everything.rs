//! Boxes with many stacks, judged from outside: all of them, or those of which a scenario is about.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{
    guest::Ssh,
    installed::Installed,
    machine::firmware::Firmware,
    scene::{Scene, until},
    seed::Wish,
    stories::{probe, wired},
    world::GATEWAY,
};

/// The proxy's routes of services that sleep.
const LAZY: &str = "/opt/stacks/core/traefik/dynamic/lazy.yml";

/// Every stack of the catalogue.
pub const STACKS: &[&str] =
    &["core", "infrastructure", "media", "productivity", "monitoring", "backup"];

/// A box with all of it, downloads through a VPN.
pub fn on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    bring_up(scene, Wish { stacks: STACKS, vpn: true, ..scene.wish("box-all") })
}

/// What a box for films needs, downloads through a VPN.
pub const MEDIA: &[&str] = &["core", "media"];

/// A box with that alone.
pub fn media_on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    bring_up(scene, Wish { stacks: MEDIA, vpn: true, ..scene.wish("box-media") })
}

/// What a box needs to keep its logs.
pub const LOGS: &[&str] = &["core", "monitoring"];

/// A box with that alone.
pub fn monitoring_on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    bring_up(scene, Wish { stacks: LOGS, ..scene.wish("box-watched") })
}

/// What a box needs for an owner's files and pages.
pub const PRODUCTIVITY: &[&str] = &["core", "productivity"];

/// A box with that alone.
pub fn productivity_on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    bring_up(scene, Wish { stacks: PRODUCTIVITY, ..scene.wish("box-pages") })
}

/// A box with monitoring alone, on which Promtail sends the logs.
pub fn logs_on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    bring_up(scene, Wish { stacks: LOGS, prefer: &["promtail"], ..scene.wish("box-logs") })
}

/// The service that the seed prefers is there, and not the one that it stands in for.
pub fn promtail_is_in_alloys_place(scene: &mut Scene<'_>) -> Result<()> {
    let states = states(scene.installed()?)?;
    let of = |service: &str| states.get(service).map(String::as_str);
    ensure!((of("promtail"), of("alloy")) == (Some("healthy"), None), "{states:?}");
    Ok(())
}

fn bring_up(scene: &mut Scene<'_>, wish: Wish) -> Result<()> {
    let (installed, ending) = Installed::bring_up_whatever(scene, wish, Firmware::SeaBios)?;
    if let Err(error) = &ending {
        scene.note(&format!("a second try, for the other checks: {error:#}"));
    }
    // Before anything is asked: whatever fails then, what the box can tell is written down.
    let installed = scene.installed.insert(installed);
    if ending.is_err() {
        installed.report = installed.apply()?;
    }
    let memory = installed.ssh.run("free -m | grep Mem")?;
    let each =
        installed.ssh.sudo("docker stats --no-stream --format \"{{.Name}} {{.MemUsage}}\"")?;
    scene.note(&format!("memory of everything together, MiB: {}", memory.trim()));
    each.lines().for_each(|line| scene.note(line));
    ending
}

/// The service's state as `homelab status` tells it.
fn states(installed: &Installed) -> Result<BTreeMap<String, String>> {
    let said = installed.ssh.finish_as("root", "homelab status --json", b"")?;
    let status: Value = serde_json::from_str(&said.stdout).context("`homelab status --json`")?;
    let services = status["services"].as_array().context("the status has no services")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(services.iter().map(|s| (text(&s["service"]), text(&s["state"]))).collect())
}

/// Every container is healthy, or asleep where it may be.
pub fn every_service_is_well(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let states = states(installed)?;
    for (stack, service) in [
        ("core", "traefik"),
        ("infrastructure", "pihole"),
        ("media", "qbittorrent"),
        ("productivity", "nextcloud"),
        ("monitoring", "prometheus"),
        ("backup", "backrest"),
    ] {
        let wanted = installed.wish.stacks.contains(&stack);
        ensure!(states.contains_key(service) == wanted, "{service}, wanted: {wanted}: {states:?}");
    }
    let ill: Vec<_> =
        states.iter().filter(|(_, state)| !matches!(&***state, "healthy" | "asleep")).collect();
    ensure!(ill.is_empty(), "{ill:?}");
    Ok(())
}

/// What the plan says about a URL without a session, seen from another machine.
pub fn every_url_answers_as_declared(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let plan = installed.plan()?;
    let steps = plan["steps"].as_array().context("the plan has no steps")?;
    let access = steps.iter().find(|step| step["id"] == "access").context("no step `access`")?;
    let probes = access["action"]["probes"].as_array().context("no probes")?;
    ensure!(probes.len() > 3, "only {} URLs", probes.len());
    let browser = installed.browser()?;
    let portal = installed.url("auth");
    let mut wrong = Vec::new();
    for probe in probes {
        let url = probe["url"].as_str().context("a probe without a URL")?;
        let answer = browser.get(url)?;
        let away = answer.location.as_deref().is_some_and(|to| to.starts_with(&portal));
        let to_portal = probe["expect"].get("portal").is_some();
        let lost = answer.status == 404 && answer.body.trim() == "404 page not found";
        if away != to_portal || answer.status >= 500 || lost {
            wrong.push(format!("{url}: {} {:?}", answer.status, answer.location));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Memory, processor and process limits, capabilities and privileges, as the engine has them.
pub fn limits_are_in_force(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let said = installed.ssh.sudo("docker inspect $(docker ps -aq)")?;
    let containers: Vec<Value> = serde_json::from_str(&said).context("`docker inspect`")?;
    ensure!(containers.len() > 10, "only {} containers", containers.len());
    let mut wrong = Vec::new();
    for container in &containers {
        let (name, host) = (&container["Name"], &container["HostConfig"]);
        let limited = |key: &str| host[key].as_i64().is_some_and(|limit| limit > 0);
        for key in ["Memory", "NanoCpus", "PidsLimit"] {
            if !limited(key) {
                wrong.push(format!("{name} has no {key}"));
            }
        }
        if host["CapDrop"] != serde_json::json!(["ALL"]) {
            wrong.push(format!("{name} drops {}", host["CapDrop"]));
        }
        if host["Privileged"] != false || host["RestartPolicy"]["Name"] != "unless-stopped" {
            wrong.push(format!("{name}: {} {}", host["Privileged"], host["RestartPolicy"]));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Any name below the domain leads to the box.
pub fn pihole_answers_for_the_domain(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let box_address = installed.machine.port().ipv4;
    for name in [installed.wish.domain(), format!("any.thing.{}", installed.wish.domain())] {
        let answer = ask(box_address, &name)?;
        ensure!(answer == Some(box_address), "{name}: {answer:?}");
    }
    Ok(())
}

/// The address that a resolver knows for a name, by DNS over UDP (RFC 1035, section 4).
fn ask(server: Ipv4Addr, name: &str) -> Result<Option<Ipv4Addr>> {
    // Identifier, recursion desired, one question.
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len())?);
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let socket = UdpSocket::bind((GATEWAY, 0)).context("no socket")?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut answer = [0; 512];
    for _ in 0..3 {
        socket.send_to(&query, SocketAddr::from((server, 53)))?;
        let Ok(length) = socket.recv(&mut answer) else { continue };
        let answer = &answer[..length];
        ensure!(length >= query.len() && answer[..2] == query[..2], "{answer:?} is no answer");
        let count = u16::from_be_bytes([answer[6], answer[7]]);
        // One record without extras: its data are the last four bytes.
        return Ok((count > 0 && length >= query.len() + 4).then(|| {
            let data = &answer[length - 4..];
            Ipv4Addr::new(data[0], data[1], data[2], data[3])
        }));
    }
    bail!("{server} does not answer on 53/udp")
}

/// The start page shows each URL to who has logged in.
pub fn start_page_lists_every_url(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let page = installed.ssh.sudo("docker exec homepage cat /app/config/services.yaml")?;
    // It does not list itself.
    let own = format!("https://{}", installed.wish.domain());
    for url in installed.report.links.values().filter(|url| **url != own) {
        ensure!(page.contains(url.as_str()), "the start page does not list {url}:\n{page}");
    }
    Ok(())
}

/// Accounts are there before the first visitor is.
pub fn nothing_is_unclaimed(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let ssh = &installed.ssh;
    let has = |stack| installed.wish.stacks.contains(&stack);
    if has("productivity") {
        for (service, port) in [("nextcloud", 80), ("gitea", 3000)] {
            let said = wired::fetch(installed, service, &format!("{port}/.stand-in/claim"), "")?;
            ensure!(said.trim() == "claimed", "{service} says {said}");
        }
    }
    if has("infrastructure") {
        let url = "http://127.0.0.1:5001/stand-in/unclaimed";
        let said = ssh.sudo(&format!("docker exec dockge curl -fsS {url}"))?;
        ensure!(said.trim() == "false", "dockge says {said}");
    }
    if has("media") {
        media_is_claimed(ssh)?;
    }
    Ok(())
}

fn media_is_claimed(ssh: &Ssh) -> Result<()> {
    let said =
        ssh.sudo("docker exec jellyfin curl -fsS http://127.0.0.1:8096/System/Info/Public")?;
    let info: Value = serde_json::from_str(&said).context("Jellyfin's answer")?;
    ensure!(info["StartupWizardCompleted"] == true, "jellyfin says {said}");
    for (service, port, version) in
        [("sonarr", 8989, "v3"), ("radarr", 7878, "v3"), ("prowlarr", 9696, "v1")]
    {
        let url = format!("http://127.0.0.1:{port}/api/{version}/system/status");
        let status = format!("docker exec {service} curl -s -o /dev/null -w %{{http_code}} {url}");
        let said = ssh.sudo(&status)?;
        ensure!(said.trim() == "401", "{service} answers {said} without its key");
    }
    Ok(())
}

/// Asks one of the family with its own key, inside its container.
fn api(installed: &Installed, service: &str, address: &str) -> Result<Value> {
    let key = format!("/opt/stacks/media/secrets/{service}-api-key");
    let said = installed.ssh.sudo(&format!(
        "docker exec {service} curl -fsS -H \"X-Api-Key: $(cat {key})\" http://127.0.0.1:{address}"
    ))?;
    serde_json::from_str(&said).with_context(|| format!("{service} answers {said}"))
}

/// Prowlarr knows both, and both know where to download and where to put it.
pub fn media_services_know_each_other(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let applications = api(installed, "prowlarr", "9696/api/v1/applications")?;
    let count = applications.as_array().map_or(0, Vec::len);
    ensure!(count == 2, "Prowlarr knows {applications}");
    for (service, port, folder) in
        [("sonarr", 8989, "/data/media/series"), ("radarr", 7878, "/data/media/movies")]
    {
        let clients = api(installed, service, &format!("{port}/api/v3/downloadclient"))?;
        ensure!(clients.to_string().contains("gluetun"), "{service} downloads by {clients}");
        let roots = api(installed, service, &format!("{port}/api/v3/rootfolder"))?;
        ensure!(roots.to_string().contains(folder), "{service} has {roots}");
    }
    Ok(())
}

/// One mount for both, so that a finished download is not copied.
pub fn hard_links_work(scene: &mut Scene<'_>) -> Result<()> {
    let ssh = &scene.installed()?.ssh;
    ssh.sudo(
        "docker exec sonarr sh -c \"touch /data/downloads/probe && \
         ln /data/downloads/probe /data/media/series/probe && \
         rm /data/downloads/probe /data/media/series/probe\"",
    )?;
    let backups = ssh.sudo("docker exec sonarr ls -A /data/backups 2>&1 || true")?;
    ensure!(backups.is_empty() || backups.contains("denied"), "backups are seen: {backups}");
    Ok(())
}

/// With Gluetun gone there is nothing between downloads and the Internet but a wall; afterwards it
/// is repaired.
pub fn no_way_out_without_the_vpn(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let leave =
        format!("docker exec qbittorrent curl -ks --max-time 20 https://{GATEWAY}:5000/v2/");
    installed.ssh.sudo(&leave).context("it cannot even get out with Gluetun running")?;
    installed.ssh.sudo("docker stop gluetun")?;
    let said = installed.ssh.finish_as("root", &leave, b"")?;
    ensure!(said.status != 0, "qbittorrent reaches {GATEWAY} without Gluetun");
    let report = installed.apply()?;
    ensure!(report.exit == 0, "apply does not repair it: {report:?}");
    let states = states(installed)?;
    for service in ["gluetun", "qbittorrent"] {
        let state = states.get(service);
        ensure!(state.is_some_and(|state| state == "healthy"), "{service}: {state:?}");
    }
    installed.ssh.sudo(&leave).context("afterwards").map(drop)
}

/// The repository was made with the seed's password, and holds a snapshot of the settings.
pub fn backup_was_made(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let said = installed.ssh.sudo("docker exec backrest backrest restic snapshots --json")?;
    let snapshots: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .with_context(|| format!("restic says {said}"))?;
    ensure!(snapshots.as_array().is_some_and(|all| !all.is_empty()), "no snapshot: {said}");
    ensure!(said.contains("/etc/homelab"), "the settings are in no snapshot: {said}");
    Ok(())
}

/// WordPress, which anybody may see, once the plugin that the image lacks is there.
pub fn public_site_sleeps_and_wakes(scene: &mut Scene<'_>) -> Result<()> {
    probe::put_plugin(scene)?;
    let installed = scene.installed()?;
    let report = installed.apply()?;
    ensure!(report.exit == 0, "with the plugin: {report:?}");
    // It sleeps a quarter of an hour after the last request; nobody waits for that twice. The proxy reads
    // the file when it changes, and the next request has the session last as long as it says then.
    installed.ssh.sudo(&format!("sed -i s/15m/1m/ {LAZY}"))?;
    std::thread::sleep(Duration::from_secs(10));
    installed.browser()?.get(&installed.url("wordpress"))?;
    let seen = probe::sleeps_and_wakes(installed, "wordpress", "wp-content");
    installed.ssh.sudo(&format!("sed -i s/1m/15m/ {LAZY}"))?;
    seen
}

/// What everything takes, told by the box itself, against what it may take.
pub fn memory_is_told(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let table = installed.ssh.sudo("homelab status --memory")?;
    table.lines().for_each(|line| scene.note(line));
    ensure!(table.contains("traefik") && table.contains("MiB"), "no memory in:\n{table}");
    Ok(())
}

/// The engine starts again what dies.
pub fn killed_container_comes_back(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    // As a program that dies: `docker kill` counts as the owner's own wish.
    installed.ssh.sudo("kill -9 $(docker inspect -f \"{{.State.Pid}}\" sonarr)")?;
    until(Duration::from_secs(300), || {
        let state = states(installed)?.remove("sonarr");
        let look = "docker inspect -f \"{{.RestartCount}}\" sonarr";
        let restarted = installed.ssh.sudo(look)?.trim() != "0";
        let is_back = restarted && state.as_deref() == Some("healthy");
        Ok((!is_back).then(|| format!("sonarr is {state:?}, restarted: {restarted}")))
    })
}

/// What cannot be started when the box starts comes up once it can, without anybody doing anything.
pub fn tried_again(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    // A file: Docker makes folders that it misses.
    let file = "/opt/stacks/media/secrets/sonarr-api-key";
    installed.ssh.sudo(&format!("mv {file} {file}.away"))?;
    installed.reboot()?;
    let said = "journalctl --boot --unit homelab-start.service --output cat";
    until(Duration::from_secs(1200), || {
        let said = installed.ssh.sudo(said)?;
        let failed = said.contains("sonarr cannot be started");
        Ok((!failed).then(|| format!("it was not tried again: {said}")))
    })?;
    installed.ssh.sudo(&format!("mv {file}.away {file}"))?;
    until(Duration::from_secs(900), || {
        let state = states(installed)?.remove("sonarr");
        Ok((state.as_deref() != Some("healthy")).then(|| format!("sonarr is {state:?}")))
    })
}
