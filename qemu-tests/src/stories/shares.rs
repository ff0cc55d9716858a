//! A box whose media and backups lie on a file server of the LAN.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    file_server::{EXPORT, FileServer, SHARE, USER},
    installed::{Installed, machine_for},
    machine::firmware::Firmware,
    scene::Scene,
    seed::Wish,
    world::GATEWAY,
};

/// Occurs nowhere else.
const PASSWORD: &str = "Zaun-a-share-of-files";
/// The stack is looked after once a minute.
const PATIENCE: Duration = Duration::from_secs(600);

fn mounts() -> String {
    format!(
        "[[storage.mount]]\nat = \"/mnt/media\"\nremote = \"{GATEWAY}:{}\"\n\n\
         [[storage.mount]]\nat = \"/mnt/backups\"\nremote = \"//{GATEWAY}/{}\"\n\
         user = \"{USER}\"\npassword = \"{PASSWORD}\"\n\n",
        EXPORT.0, SHARE.0
    )
}

/// The server is there first.
pub fn comes_up(scene: &mut Scene<'_>) -> Result<()> {
    let mut server = FileServer::lay(&scene.folder, PASSWORD)?;
    server.start()?;
    let mounts = mounts();
    let wish = Wish { stacks: &["core", "backup"], mounts, ..scene.wish("box-shares") };
    let mut spec = machine_for(scene, &wish, Firmware::SeaBios)?;
    // Mounts of a server that is off.
    spec.exempt.push("failed-unit");
    scene.installed = Some(Installed::bring_up(scene, wish, spec)?);
    scene.file_server = Some(server);
    Ok(())
}

/// What the box writes lies on the server, and the password where only root reads it.
pub fn files_lie_on_the_server(scene: &mut Scene<'_>) -> Result<()> {
    let server = scene.file_server.take().context("there is no server")?;
    let ssh = &scene.installed()?.ssh;
    for (at, kind, there) in [("/mnt/media", "nfs4", EXPORT.1), ("/mnt/backups", "cifs", SHARE.1)] {
        ssh.sudo(&format!("sh -c \"echo {kind} > {at}/probe\""))?;
        let found = ssh.run(&format!("findmnt -rno FSTYPE,OPTIONS {at} | tail -n 1"))?;
        ensure!(found.starts_with(kind), "{at}: {found}");
        for word in ["nosuid", "nodev"] {
            ensure!(found.contains(word), "{at} lacks `{word}`: {found}");
        }
        let file = server.at(there).join("probe");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        ensure!(text.trim() == kind, "the server has `{text}`");
    }
    let kept = ssh.sudo("stat -c \"%a %U %n\" /etc/homelab/mounts/smb-*")?;
    ensure!(!kept.is_empty() && kept.lines().all(|line| line.starts_with("600 root ")), "{kept}");
    let open = ssh.run(&format!("grep -rsl {PASSWORD} /etc /proc/mounts /run 2>&1 || true"))?;
    ensure!(open.lines().all(|line| line.contains("ermission denied")), "everybody reads: {open}");
    scene.file_server = Some(server);
    Ok(())
}

/// Without the server the box starts, and what writes there waits.
pub fn starts_without_the_server(scene: &mut Scene<'_>) -> Result<()> {
    let server = scene.file_server.as_mut().context("there is no server")?;
    server.stop();
    let installed = scene.installed()?;
    installed.reboot()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = installed.ssh.finish_as("root", "homelab status", b"")?;
        let mut lines = said.stdout.lines().map(str::trim);
        if lines.any(|line| line.starts_with("held") && line.contains("/mnt/backups")) {
            break;
        }
        ensure!(Instant::now() < deadline, "status does not say that it is held:\n{}", said.stdout);
        thread::sleep(Duration::from_secs(5));
    }
    let names = super::pulled::running(installed)?;
    ensure!(names.is_empty(), "these run without their share: {names}");
    Ok(())
}

/// When it is back, so is the stack.
pub fn goes_on_with_the_server(scene: &mut Scene<'_>) -> Result<()> {
    scene.file_server.as_mut().context("there is no server")?.start()?;
    let installed = scene.installed()?;
    super::pulled::until(installed, true)?;
    let probe = installed.ssh.sudo("cat /mnt/backups/probe")?;
    ensure!(probe.trim() == "cifs", "the probe says `{probe}`");
    Ok(())
}
