//! The unattended install, on both kinds of firmware.

use anyhow::{Context, Result, ensure};
use model::{paths, report::Report};

use crate::{
    guest::web::fingerprint,
    installed::{Installed, machine_for},
    machine::{Patience, Spec, disk::fat_file, firmware::Firmware},
    scene::Scene,
    seed::Wish,
};

/// A box with dynamic DNS, on a BIOS.
pub fn on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    let wish =
        Wish { domain: Some("box-one-test.duckdns.org"), duckdns: true, ..scene.wish("box-one") };
    let mut spec = machine_for(scene, &wish, Firmware::SeaBios)?;
    spec.extras.usb = true;
    comes_up(scene, wish, spec)
}

/// A box with nothing but defaults, on UEFI with Secure Boot.
pub fn on_secure_boot(scene: &mut Scene<'_>) -> Result<()> {
    let wish = scene.wish("box-two");
    let spec = machine_for(scene, &wish, Firmware::OvmfSecureBoot)?;
    comes_up(scene, wish, spec)
}

fn comes_up(scene: &mut Scene<'_>, wish: Wish, spec: Spec) -> Result<()> {
    let installed = Installed::bring_up(scene, wish, spec)?;
    super::identity::remember(scene, &installed)?;
    scene.installed = Some(installed);
    Ok(())
}

/// The firmware says that Secure Boot is on, and the kernel draws its conclusion.
pub fn secure_boot_is_enforced(scene: &mut Scene<'_>) -> Result<()> {
    let ssh = &scene.installed()?.ssh;
    let variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    let bytes = ssh.run(&format!("od -An -tu1 {variable}"))?;
    ensure!(bytes.split_whitespace().last() == Some("1"), "SecureBoot says{bytes}");
    let lockdown = ssh.sudo("cat /sys/kernel/security/lockdown")?;
    ensure!(lockdown.contains("[integrity]"), "the kernel is not locked down: {lockdown}");
    Ok(())
}

/// The report knows only good steps, and the events told the same.
pub fn every_step_is_good(scene: &mut Scene<'_>) -> Result<()> {
    let report = &scene.installed()?.report;
    ensure!(!report.steps.is_empty(), "the report has no steps");
    for step in &report.steps {
        ensure!(step.outcome.is_good(), "{}: {:?}", step.id, step.outcome);
    }
    let ids: Vec<&str> = report.steps.iter().map(|step| step.id.0.as_str()).collect();
    for needed in ["clock", "firewall", "images", "stacks/core", "access", "handover"] {
        ensure!(ids.contains(&needed), "the report has no step `{needed}`: {ids:?}");
    }
    Ok(())
}

/// A person who pulls the stick out sees on any PC what the box says.
pub fn report_lies_on_the_seed_partition(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    // Read through the box's own kernel, which has the partition's latest bytes.
    let disk = "$(lsblk -nro PKNAME $(findmnt -no SOURCE /))";
    let number = paths::partition::SEED;
    let encoded = installed.ssh.sudo(&format!("gzip -1c /dev/{disk}{number} | base64 -w0"))?;
    let packed = decode_base64(encoded.trim())?;
    let mut volume = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut volume)
        .context("the SEED partition arrived torn")?;
    let text = fat_file(&volume, "report.json")?.context("no report.json on SEED")?;
    let there: Report = serde_json::from_slice(&text).context("report.json on SEED")?;
    ensure!(there.verdict == installed.report.verdict, "SEED says {:?}", there.verdict);
    ensure!(there.plan == installed.report.plan, "SEED reports another plan");
    let sheet = fat_file(&volume, "REPORT.TXT")?.context("no REPORT.TXT on SEED")?;
    let sheet = String::from_utf8(sheet).context("REPORT.TXT is no text")?;
    let address = installed.machine.port().ipv4.to_string();
    ensure!(sheet.contains(&address), "REPORT.TXT does not tell the address {address}:\n{sheet}");
    Ok(())
}

fn decode_base64(text: &str) -> Result<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).context("no base64")
}

/// The authority that the box serves is the one whose fingerprint it showed.
pub fn authority_is_the_one_shown(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let shown = installed.report.authority_fingerprint.clone().context("no fingerprint shown")?;
    let real = fingerprint(&installed.authority)?;
    ensure!(shown.eq_ignore_ascii_case(&real), "shown: {shown}\nreal: {real}");
    // In two lines of sixteen pairs.
    let pairs: Vec<&str> = real.split(':').collect();
    for half in pairs.chunks(16).map(|half| half.join(":")) {
        installed.machine.wait_for_line(&half, Patience::BOOT)?;
    }
    Ok(())
}

/// HTTPS answers with a chain that leads to the box's own authority, and to nothing else.
pub fn chain_verifies(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let url = installed.url("auth");
    for address in installed.machine.port().addresses() {
        let answer = installed.browser_at(address, true)?.get(&url)?;
        ensure!(answer.status == 200, "{url} by {address}: {}", answer.status);
        let strange = installed.browser_at(address, false)?.get(&url);
        ensure!(strange.is_err(), "{url} verifies without the box's authority");
    }
    Ok(())
}

/// Plain HTTP only sends on to HTTPS.
pub fn http_redirects(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let url = installed.url("auth");
    for address in installed.machine.port().addresses() {
        let browser = installed.browser_at(address, true)?;
        let answer = browser.get(&url.replacen("https", "http", 1))?;
        ensure!(matches!(answer.status, 301 | 307 | 308), "{}: {answer:?}", address);
        let location = answer.location.unwrap_or_default();
        ensure!(location.trim_end_matches('/') == url, "HTTP redirects to `{location}`");
    }
    Ok(())
}

/// However busy the containers are, what starts and watches them has a share of its own.
pub fn containers_have_a_share_of_their_own(scene: &mut Scene<'_>) -> Result<()> {
    let ssh = &scene.installed()?.ssh;
    let at = ssh.sudo("cat /proc/$(docker inspect -f {{.State.Pid}} traefik)/cgroup")?;
    ensure!(at.trim().starts_with("0::/containers.slice/docker-"), "traefik runs in {at}");
    Ok(())
}
