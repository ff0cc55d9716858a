//! A disk that is pulled out while the box uses it, a stranger in its place, and its return.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

use super::disks::{DATA, digest, empty, file};
use crate::{
    installed::{Installed, machine_for},
    machine::{
        disk::{Bus, Disk, root_has},
        firmware::Firmware,
    },
    program::Program,
    scene::Scene,
    seed::Wish,
};

const SERIAL: &str = "BOX-BACKUP";
/// The disk that takes its place.
const LARGER: &str = "BOX-LARGER";
const MOUNTS: &str = "[[storage.mount]]\nat = \"/mnt/backups\"\ndisk = \"serial:BOX-BACKUP\"\n\
    filesystem = \"ext4\"\nwipe = \"BOX-BACKUP\"\n\n";
/// What a container of the stack writes to.
const PROBE: &str = "/mnt/backups/probe";
/// For containers to be stopped or started.
const PATIENCE: Duration = Duration::from_secs(600);

/// A box with a stack that writes to a disk at USB.
pub fn comes_up(scene: &mut Scene<'_>) -> Result<()> {
    let wish =
        Wish { stacks: &["core", "backup"], mounts: MOUNTS.to_owned(), ..scene.wish("box-pulled") };
    let mut spec = machine_for(scene, &wish, Firmware::SeaBios)?;
    spec.disks.push(Disk::raw(empty(scene, "backup")?, SERIAL, Bus::Usb));
    // The kernel complains of writes that find no disk.
    spec.exempt.extend(["file-system", "failed-unit"]);
    scene.installed = Some(Installed::bring_up(scene, wish, spec)?);
    let ssh = &scene.installed()?.ssh;
    ssh.sudo(&format!("sh -c \"echo here > {PROBE} && sync\"")).map(drop)
}

/// Containers of the stack that run, by name.
pub(super) fn running(installed: &Installed) -> Result<String> {
    let said = installed.ssh.sudo(
        "docker ps --filter label=com.docker.compose.project=backup --format \"{{.Names}}\"",
    )?;
    Ok(said.trim().to_owned())
}

/// Waits until the stack runs, or does not.
pub(super) fn until(installed: &mut Installed, runs: bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let names = running(installed)?;
        if names.is_empty() != runs {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{} s later these run: `{names}`", PATIENCE.as_secs());
        }
        installed.machine.look_for_badness()?;
        thread::sleep(Duration::from_secs(3));
    }
}

/// The stack stops, the box says why, and nobody writes to the place where the disk was.
pub fn stack_is_held(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    ensure!(!running(installed)?.is_empty(), "nothing of the stack runs before");
    let disk = installed.machine.pull_out(SERIAL)?;
    ensure!(disk.serial == SERIAL, "another disk was pulled out: {}", disk.serial);
    until(installed, false)?;
    is_held(installed)?;
    let core = installed.browser()?.get(&installed.url("auth"))?;
    ensure!(core.status == 200, "the other stacks suffer: the portal answers {}", core.status);
    Ok(())
}

/// The stack is held and does not run; what the status says of it.
fn is_held(installed: &Installed) -> Result<String> {
    let said = installed.ssh.finish_as("root", "homelab status", b"")?;
    let line = said.stdout.lines().find(|line| line.contains("backup: "));
    let line = line.map(str::trim).unwrap_or_default().to_owned();
    ensure!(
        line.starts_with("held") && line.contains("/mnt/backups"),
        "status does not say that it is held:\n{}",
        said.stdout
    );
    let write = installed.ssh.finish_as("root", "touch /mnt/backups/lost", b"")?;
    ensure!(write.status != 0, "a file can be written to the root disk below /mnt/backups");
    let names = running(installed)?;
    ensure!(names.is_empty(), "these run without their disk: {names}");
    Ok(line)
}

/// A disk with the same serial and the same label is not the one: the stack stays held, and no byte
/// of the stranger changes.
pub fn stranger_is_not_used(scene: &mut Scene<'_>) -> Result<()> {
    let own = Disk::raw(file(scene, "backup"), SERIAL, Bus::Usb);
    let offset = own.partition(DATA)?.from.to_string();
    let look = ["-p", "-s", "LABEL", "-o", "value", "-O", &offset];
    let label = Program::new("blkid").args(look).arg(&own.path).run()?;
    let label = label.trim().to_owned();
    ensure!(!label.is_empty(), "the disk has no label");
    let path = empty(scene, "stranger")?;
    Program::new("mke2fs").args(["-q", "-t", "ext4", "-L", &label]).arg(&path).run()?;
    let before = digest(&path)?;
    let installed = scene.installed()?;
    installed.machine.plug_in(Disk::raw(path.clone(), SERIAL, Bus::Usb))?;
    until_seen(installed, &format!("udevadm settle; test -e /dev/disk/by-label/{label}"))?;
    let applied = installed.apply()?;
    let reason = is_held(installed)?;
    ensure!(reason.contains("is selected by `uuid:…`"), "no way out is said: {reason}");
    installed.machine.pull_out(SERIAL)?;
    ensure!(digest(&path)? == before, "the stranger was written to");
    scene
        .note(&format!("with a stranger in its place, a second apply ends: {:?}", applied.verdict));
    Ok(())
}

/// Waits until this command says so.
fn until_seen(installed: &Installed, command: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while installed.ssh.run(command).is_err() {
        ensure!(Instant::now() < deadline, "it never came to this: `{command}`");
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// When the disk is back, so is its file, and the stack starts by itself.
pub fn starts_again(scene: &mut Scene<'_>) -> Result<()> {
    let path = file(scene, "backup");
    let installed = scene.installed()?;
    installed.machine.plug_in(Disk::raw(path, SERIAL, Bus::Usb))?;
    until(installed, true)?;
    has_its_file(installed)?;
    // Its unit is at work until all of it is well, and nobody else may be meanwhile.
    until_seen(installed, "systemctl is-active --quiet homelab-stack-backup.service")
}

/// The file is on the disk, and a container of the stack sees it.
fn has_its_file(installed: &Installed) -> Result<()> {
    let probe = installed.ssh.sudo(&format!("cat {PROBE}"))?;
    ensure!(probe.trim() == "here", "the probe says `{probe}`");
    let inside = installed.ssh.sudo(&format!(
        "cat /proc/$(docker inspect -f \"{{{{.State.Pid}}}}\" \
         $(docker ps -qf label=com.docker.compose.service=backrest))/root{PROBE}"
    ))?;
    ensure!(inside.trim() == "here", "a container sees `{inside}`");
    Ok(())
}

/// Another disk takes its place with all files, and the stack goes on there. The old one is left as
/// it is.
pub fn is_replaced(scene: &mut Scene<'_>) -> Result<()> {
    let new = empty(scene, "larger")?;
    let installed = scene.installed()?;
    installed.machine.plug_in(Disk::raw(new, LARGER, Bus::Usb))?;
    until_seen(installed, &format!("lsblk -dno SERIAL | grep -qx {LARGER}"))?;
    let command = format!(
        "homelab disk replace serial:{SERIAL} serial:{LARGER} --copy --format --consent {LARGER}"
    );
    let said = installed.ssh.finish_as("root", &command, b"")?;
    ensure!(said.status == 0, "{command}:\n{}{}", said.stdout, said.stderr);
    until(installed, true)?;
    has_its_file(installed)?;
    let serial = "lsblk -rnso SERIAL $(findmnt -rno SOURCE /mnt/backups)";
    let serial = installed.ssh.run(serial)?;
    ensure!(serial.trim() == LARGER, "the place has the disk {serial}");
    let old = installed.machine.pull_out(SERIAL)?;
    ensure!(
        root_has(&old.path, old.partition(DATA)?, "/probe")?,
        "the old disk has lost its files"
    );
    Ok(())
}
