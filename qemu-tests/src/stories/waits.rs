//! A box without a seed waits, says where one can be put, and can be switched off meanwhile.

use anyhow::{Context, Result, bail, ensure};
use model::{paths::partition, report::Event};

use crate::{
    installed::{DISK_SIZE, MEMORY},
    machine::{
        Extras, Machine, Patience, Spec,
        disk::{Bus, Disk, fat_file, stick},
        firmware::Firmware,
    },
    scene::Scene,
    stories::flash,
};

const SNAPSHOT: &str = "waiting";

/// On a BIOS; the machine is kept for the next checks.
pub fn on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    scene.machine = Some(waiting(scene, Firmware::SeaBios)?);
    Ok(())
}

/// On UEFI without Secure Boot, from a disk that `homelab-image flash` has written: one that was full
/// of noise, so that whatever the block map leaves out is wrong there.
pub fn on_ovmf(scene: &mut Scene<'_>) -> Result<()> {
    scene.machine = Some(waiting(scene, Firmware::Ovmf)?);
    Ok(())
}

/// Somebody plugs a stick with a seed into the box that waits.
pub fn a_stick_is_taken(scene: &mut Scene<'_>) -> Result<()> {
    let mut machine = scene.machine.take().context("there is no machine")?;
    let path = scene.folder.join("stick.raw");
    let seed = scene.wish("box-stick").text();
    stick(&path, *b"HOMELABSEED", partition::SEED_FILE, &seed)?;
    machine.plug_in(Disk::raw(path, "STICK", Bus::Usb))?;
    let source = begun(&mut machine)?;
    ensure!(source.starts_with("the removable volume sd"), "it came from {source}");
    drop(machine.cut());
    Ok(())
}

/// A monitor hands the seed in, and nobody needs to touch a disk.
pub fn a_credential_is_taken(scene: &mut Scene<'_>) -> Result<()> {
    let seed = scene.folder.join("seed.toml");
    std::fs::write(&seed, scene.wish("box-handed").text()).context("cannot write the seed")?;
    let mut spec = spec(scene, Firmware::SeaBios)?;
    spec.extras.credentials = vec![("homelab.seed", seed)];
    let mut machine = Machine::start(spec)?;
    let source = begun(&mut machine)?;
    ensure!(source == "the credential `homelab.seed` of this machine", "it came from {source}");
    drop(machine.cut());
    Ok(())
}

/// Follows a box until its install has begun; where its seed came from.
fn begun(machine: &mut Machine) -> Result<String> {
    let mut from = None;
    machine.wait("an install that begins", Patience::BOOT, |event| match event {
        Event::SeedRefused { problems } => bail!("refused: {problems:?}"),
        Event::SeedAccepted { source, .. } => {
            from = Some(source.clone());
            Ok(None)
        }
        Event::Started { .. } => Ok(Some(())),
        _ => Ok(None),
    })?;
    from.context("it began without having accepted a seed")
}

fn spec(scene: &Scene<'_>, firmware: Firmware) -> Result<Spec> {
    let (image, serial) = (&scene.setup.image, "BOX-DISK-1");
    let disk = match firmware {
        Firmware::Ovmf => flash::onto_noise(image, &scene.folder, DISK_SIZE, serial)?,
        _ => Disk::overlay(image, &scene.folder.join("disk.qcow2"), DISK_SIZE, serial)?,
    };
    Ok(Spec {
        firmware,
        disks: vec![disk],
        boot_from: 0,
        memory: MEMORY,
        port: scene.setup.world.port()?,
        exempt: Vec::new(),
        folder: scene.folder.clone(),
        extras: Extras { usb: firmware == Firmware::Ovmf, ..Extras::default() },
    })
}

fn waiting(scene: &Scene<'_>, firmware: Firmware) -> Result<Machine> {
    let mut machine = Machine::start(spec(scene, firmware)?)?;
    machine.wait("a box that waits", Patience::BOOT, |event| match event {
        Event::Waiting { .. } => Ok(Some(())),
        Event::Started { .. } => bail!("it began something without a seed: {event:?}"),
        _ => Ok(None),
    })?;
    for words in [
        "this box waits for its seed",
        "Press Enter to set it up here",
        "HOMELAB-SEED",
        "homelab-image seed inject",
    ] {
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
