//! A stick that installs itself onto the disk of the machine.

use std::fs::File;

use anyhow::{Context, Result, bail, ensure};
use model::report::{Event, Outcome, Verdict};

use crate::{
    installed::{DISK_SIZE, Installed, machine_for, tell, until_finished},
    machine::{
        Machine, Patience,
        disk::{Bus, Disk},
        firmware::Firmware,
    },
    scene::Scene,
    seed::Wish,
};

const INSTALL: &str = "[install]\ndisk = \"serial:BOX-INNER\"\nwipe = \"BOX-INNER\"\n\n";

/// By BIOS.
pub fn on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    copies_itself(scene, Firmware::SeaBios)
}

/// By UEFI.
pub fn on_ovmf(scene: &mut Scene<'_>) -> Result<()> {
    copies_itself(scene, Firmware::Ovmf)
}

/// The stick copies itself, somebody pulls it out, and the machine goes on from its own disk.
fn copies_itself(scene: &mut Scene<'_>, firmware: Firmware) -> Result<()> {
    let wish = Wish { mounts: INSTALL, ..scene.wish("box-moved") };
    let mut spec = machine_for(scene, &wish, firmware)?;
    spec.disks[0].bus = Bus::Usb;
    let inner = scene.folder.join("inner.raw");
    File::create(&inner)?.set_len(DISK_SIZE << 30)?;
    spec.disks.push(Disk::raw(inner, "BOX-INNER", Bus::Nvme));
    let mut machine = Machine::start(spec)?;
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

/// The firmware knows the disk by name.
pub fn firmware_knows_the_disk(scene: &mut Scene<'_>) -> Result<()> {
    let entries = scene.installed()?.ssh.sudo("efibootmgr")?;
    ensure!(entries.to_lowercase().contains("homelab"), "no entry of ours in:\n{entries}");
    Ok(())
}
