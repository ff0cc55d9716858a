//! Doing it again changes nothing, and a reboot loses nothing.

use anyhow::{Result, ensure};
use model::{
    paths,
    report::{Outcome, Verdict},
};

use crate::{
    installed::Installed,
    machine::disk::{Bus, Disk, stick},
    scene::Scene,
};

/// `homelab apply` on an installed box finds that everything holds already.
pub fn second_apply(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let before = containers(installed)?;
    let report = installed.apply()?;
    let changed: Vec<String> = report
        .steps
        .iter()
        .filter(|step| step.outcome == Outcome::Changed)
        .map(|step| step.id.to_string())
        .collect();
    ensure!(changed.is_empty(), "the second time changed {}", changed.join(", "));
    ensure!(report.verdict == Verdict::NoChange, "no step changed, but {:?}", report.verdict);
    let after = containers(installed)?;
    ensure!(before == after, "containers were started again:\n{before}\n{after}");
    Ok(())
}

/// Each container with the time of its start; lazy ones come and go by themselves.
fn containers(installed: &Installed) -> Result<String> {
    installed.ssh.sudo(
        "docker ps -q --filter label=com.docker.compose.project=core | \
         xargs docker inspect -f \"{{.Name}} {{.Id}} {{.State.StartedAt}}\" | sort",
    )
}

/// After a reboot everything is there again, without anybody doing anything: the box finds it so, and
/// its portal answers by each of its addresses.
pub fn reboot(scene: &mut Scene<'_>) -> Result<()> {
    scene.note("reboots");
    let installed = scene.installed()?;
    let verdict = installed.reboot()?;
    ensure!(verdict == Verdict::NoChange, "after the reboot it finds {verdict:?}");
    for address in installed.machine.port().addresses() {
        let answer = installed.browser_at(address, true)?.get(&installed.url("auth"))?;
        ensure!(answer.status == 200, "the portal answers {} by {address}", answer.status);
    }
    let failed = installed.ssh.run("systemctl list-units --failed --plain --no-legend")?;
    ensure!(failed.trim().is_empty(), "units failed:\n{failed}");
    installed.machine.look_for_badness()
}

/// The same with a stick in it that has another seed, which means nothing to an installed box.
pub fn reboot_with_a_stick(scene: &mut Scene<'_>) -> Result<()> {
    let path = scene.folder.join("stick.raw");
    let other = scene.wish("box-stolen").text();
    stick(&path, *b"HOMELABSEED", paths::partition::SEED_FILE, &other)?;
    let installed = scene.installed()?;
    installed.machine.plug_in(Disk::raw(path, "STICK", Bus::Usb))?;
    let digest = format!("sha256sum {}", paths::SEED);
    let before = installed.ssh.sudo(&digest)?;
    reboot(scene)?;
    let installed = scene.installed()?;
    // Control: the stick is there, and would be found.
    let there = installed.ssh.sudo("blkid -L HOMELABSEED")?;
    ensure!(there.contains("/dev/sd"), "the box does not see the stick: {there}");
    ensure!(installed.ssh.sudo(&digest)? == before, "the sealed seed was changed");
    let log = installed.ssh.sudo("journalctl -b -u homelab-install --no-pager")?;
    ensure!(!log.contains("HOMELAB-SEED") && !log.contains("box-stolen"), "it looked:\n{log}");
    Ok(())
}
