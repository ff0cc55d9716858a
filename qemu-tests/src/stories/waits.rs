//! A box without a seed waits, says where one can be put, and can be switched off meanwhile.

use anyhow::{Context, Result, bail, ensure};
use model::{paths::partition, report::Event};

use crate::{
    installed::{DISK_SIZE, MEMORY},
    machine::{
        Machine, Patience, Spec,
        disk::{Disk, fat_file},
        firmware::Firmware,
    },
    scene::Scene,
};

const SNAPSHOT: &str = "waiting";

/// On a BIOS; the machine is kept for the next checks.
pub fn on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    scene.machine = Some(waiting(scene, Firmware::SeaBios)?);
    Ok(())
}

/// On UEFI without Secure Boot; the power button ends it.
pub fn on_ovmf(scene: &mut Scene<'_>) -> Result<()> {
    waiting(scene, Firmware::Ovmf)?.power_off().map(drop)
}

fn waiting(scene: &Scene<'_>, firmware: Firmware) -> Result<Machine> {
    let path = scene.folder.join("disk.qcow2");
    let disk = Disk::overlay(&scene.setup.image, &path, DISK_SIZE, "BOX-DISK-1")?;
    let mut machine = Machine::start(Spec {
        firmware,
        disks: vec![disk],
        boot_from: 0,
        memory: MEMORY,
        port: scene.setup.world.port()?,
        exempt: Vec::new(),
        folder: scene.folder.clone(),
    })?;
    machine.wait("a box that waits", Patience::BOOT, |event| match event {
        Event::Waiting { .. } => Ok(Some(())),
        Event::Started { .. } => bail!("it began something without a seed: {event:?}"),
        _ => Ok(None),
    })?;
    for words in ["this box waits for its seed", "HOMELAB-SEED", "homelab-image seed inject"] {
        machine.wait_for_line(words, Patience::BOOT)?;
    }
    Ok(machine)
}

/// A snapshot of the waiting box goes on where it was: it takes the power button.
pub fn goes_on_from_a_snapshot(scene: &mut Scene<'_>) -> Result<()> {
    let mut machine = scene.machine.take().context("there is no machine")?;
    machine.save(SNAPSHOT)?;
    let machine = Machine::resume(machine.cut(), SNAPSHOT)?;
    scene.spec = Some(machine.power_off()?);
    Ok(())
}

/// A box may wait for years: the boot loader has forgotten this start.
pub fn is_no_failed_attempt(scene: &mut Scene<'_>) -> Result<()> {
    let disk = &scene.spec.as_ref().context("the machine never went off")?.disks[0];
    let efi = disk.partition(partition::EFI)?;
    let volume = disk.read(efi.from, efi.length)?;
    let block = fat_file(&volume, partition::GRUB_ENVIRONMENT)?.context("no environment block")?;
    let block = String::from_utf8(block).context("the environment block is damaged")?;
    ensure!(block.contains("\nattempts=0\n"), "the boot loader counts it: {block}");
    ensure!(!block.contains("state=installed"), "it counts as installed: {block}");
    Ok(())
}
