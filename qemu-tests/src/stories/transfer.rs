//! A stick that installs itself onto the disk of the machine.

use std::fs::File;

use anyhow::{Context, Result, bail, ensure};
use model::report::{Event, Outcome, Verdict};

use crate::{
    installed::{DISK_SIZE, Installed, machine_for, tell, until_finished},
    machine::{
        Machine, Patience,
        disk::{Bus, Disk, SECTOR},
        firmware::Firmware,
    },
    scene::Scene,
    seed::Wish,
};

/// Serial of the disk of the machine.
const INNER: &str = "BOX-INNER";
/// Bytes a second, so that there is a middle.
const SLOW: u64 = 32 << 20;
/// Bytes that are written last: with them the disk can be started from.
const HEAD: u64 = 1 << 20;
const INSTALL: &str = "[install]\ndisk = \"serial:BOX-INNER\"\nwipe = \"BOX-INNER\"\n\n";

/// By BIOS. The first try loses its power.
pub fn is_cut(scene: &mut Scene<'_>) -> Result<()> {
    let mut machine = begins(scene, Firmware::SeaBios)?;
    machine.slow_down(INNER, SLOW)?;
    machine.wait("the middle of the copy", Patience::INSTALL, |event| match event {
        Event::Progress { step, done, total, .. } if step.0 == "install" => {
            Ok((*done > 0 && done < total).then_some(()))
        }
        Event::Finished { verdict } => bail!("it was over before its middle: {verdict:?}"),
        event => {
            tell(scene, event);
            Ok(None)
        }
    })?;
    let spec = machine.cut();
    let inner = spec.disks.last().context("no inner disk")?;
    scene.note("power cut while the system is copied");
    let head = inner.read(0, HEAD)?;
    ensure!(head.iter().all(|byte| *byte == 0), "half a system can be started");
    scene.spec = Some(spec);
    Ok(())
}

/// The stick begins again, and comes to its end.
pub fn copies_itself_after_the_cut(scene: &mut Scene<'_>) -> Result<()> {
    let machine = Machine::start(scene.spec.take().context("the power was never cut")?)?;
    goes_on(scene, machine)
}

/// By UEFI.
pub fn on_ovmf(scene: &mut Scene<'_>) -> Result<()> {
    let machine = begins(scene, Firmware::Ovmf)?;
    goes_on(scene, machine)
}

/// By UEFI, onto a disk with sectors of 4096 bytes, as many NVMe disks can be set to.
pub fn on_large_sectors(scene: &mut Scene<'_>) -> Result<()> {
    let machine = begins_on(scene, Firmware::Ovmf, 4096)?;
    goes_on(scene, machine)
}

/// By UEFI with Secure Boot.
pub fn on_secure_boot(scene: &mut Scene<'_>) -> Result<()> {
    let machine = begins(scene, Firmware::OvmfSecureBoot)?;
    goes_on(scene, machine)
}

fn wish(scene: &Scene<'_>) -> Wish {
    Wish { mounts: INSTALL.to_owned(), ..scene.wish("box-moved") }
}

/// A machine with an empty disk, and the stick.
fn begins(scene: &Scene<'_>, firmware: Firmware) -> Result<Machine> {
    begins_on(scene, firmware, SECTOR)
}

/// The same, with sectors of so many bytes.
fn begins_on(scene: &Scene<'_>, firmware: Firmware, sector: u64) -> Result<Machine> {
    let mut spec = machine_for(scene, &wish(scene), firmware)?;
    spec.disks[0].bus = Bus::Usb;
    let inner = scene.folder.join("inner.raw");
    File::create(&inner)?.set_len(DISK_SIZE << 30)?;
    spec.disks.push(Disk { sector, ..Disk::raw(inner, INNER, Bus::Nvme).honest() });
    Machine::start(spec)
}

/// The stick copies itself, somebody pulls it out, and the machine goes on from its own disk.
fn goes_on(scene: &mut Scene<'_>, mut machine: Machine) -> Result<()> {
    machine.wait("the copy onto the inner disk", Patience::INSTALL, |event| {
        tell(scene, event);
        match event {
            Event::SeedRefused { problems } => bail!("refused: {problems:?}"),
            Event::Ended { step, outcome: Outcome::Failed { causes, .. }, .. } => {
                bail!("{step}: {causes:?}")
            }
            Event::Finished { verdict: Verdict::Installed } => Ok(Some(())),
            Event::Finished { verdict } => bail!("the copy ended with {verdict:?}"),
            _ => Ok(None),
        }
    })?;
    machine.wait_for_line("pull out the stick when it goes dark", Patience::BOOT)?;
    // The firmware would choose the stick once more, as many do. It is pulled out when nothing runs.
    machine.wait_for_line("reboot: Restarting system", Patience::BOOT)?;
    let mut spec = machine.cut();
    spec.disks.remove(0);
    scene.note("the stick is pulled out");
    let mut machine = Machine::start(spec)?;
    let verdict = until_finished(scene, &mut machine)?;
    ensure!(verdict == Verdict::Installed, "it ended with {verdict:?}");
    let wish = wish(scene);
    scene.installed = Some(Installed::reach(scene, machine, wish)?);
    Ok(())
}

/// Root lies on the inner disk, and fills it.
pub fn runs_from_the_inner_disk(scene: &mut Scene<'_>) -> Result<()> {
    let ssh = &scene.installed()?.ssh;
    let disk = ssh.run("lsblk -nro PKNAME $(findmnt -no SOURCE /)")?;
    let disk = disk.trim();
    ensure!(disk.starts_with("nvme"), "root lies on {disk}");
    let serial = ssh.run(&format!("lsblk -dno SERIAL /dev/{disk}"))?;
    ensure!(serial.trim() == "BOX-INNER", "root lies on the disk {serial}");
    let size = ssh.run("df --output=size -BG / | tail -n 1")?;
    let size: u64 = size.trim().trim_end_matches('G').parse().context("df")?;
    ensure!(size + 2 > DISK_SIZE, "root has {size} GiB of {DISK_SIZE}");
    Ok(())
}

/// The disk has the sectors that the firmware started from.
pub fn sectors_are_large(scene: &mut Scene<'_>) -> Result<()> {
    let command = "lsblk -dno LOG-SEC /dev/$(lsblk -nro PKNAME $(findmnt -no SOURCE /))";
    let bytes = scene.installed()?.ssh.run(command)?;
    ensure!(bytes.trim() == "4096", "a sector has {} bytes", bytes.trim());
    Ok(())
}

/// The firmware knows the disk by name.
pub fn firmware_knows_the_disk(scene: &mut Scene<'_>) -> Result<()> {
    let entries = scene.installed()?.ssh.sudo("efibootmgr")?;
    ensure!(entries.to_lowercase().contains("homelab"), "no entry of ours in:\n{entries}");
    Ok(())
}
