//! What may come between the agreement to format a disk and the end of it: a power cut, and another
//! disk.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, thread, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use model::report::{Event, Outcome, Phase, Verdict};

use super::disks::{DATA, digest, empty, with_data};
use crate::{
    installed::{Installed, machine_for, tell, until_finished},
    machine::{
        Extras, Machine, Patience,
        disk::{Bus, Disk},
        firmware::Firmware,
    },
    program::Program,
    scene::Scene,
    seed::Wish,
};

const SERIAL: &str = "BOX-MEDIA";
const MOUNTS: &str = "[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:BOX-MEDIA\"\n\
    filesystem = \"ext4\"\nwipe = \"BOX-MEDIA\"\n\n";
/// Bytes a second, so that there is a middle of what takes no time: a journal of 16 MiB is zeroed.
const SLOW: u64 = 512 << 10;
/// Bytes after which the power goes: the signature of the file system may lie on the disk or not.
const SOME: u64 = 2 << 20;
/// Bytes of a file on the host that were written, by the unit of `st_blocks`.
const UNIT: u64 = 512;

fn wish(scene: &Scene<'_>) -> Wish {
    Wish { mounts: MOUNTS.to_owned(), ..scene.wish("box-formatted") }
}

fn written(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).with_context(|| path.display().to_string())?.blocks() * UNIT)
}

/// The power goes in the middle of it.
pub fn is_cut(scene: &mut Scene<'_>) -> Result<()> {
    let wish = wish(scene);
    let mut spec = machine_for(scene, &wish, Firmware::SeaBios)?;
    let media = empty(scene, "media")?;
    // Zeroes are written to it: a virtio disk takes them all in one order, and there is no middle.
    spec.disks.push(Disk::raw(media.clone(), SERIAL, Bus::Sata).honest());
    let mut machine = Machine::start(spec)?;
    machine.slow_down(SERIAL, SLOW)?;
    machine.wait("the formatting", Patience::BOOT, |event| {
        tell(scene, event);
        Ok(matches!(event, Event::Begun { step, phase: Phase::Apply } if step.0 == "storage")
            .then_some(()))
    })?;
    while written(&media)? < SOME {
        machine.look_for_badness()?;
        let over = |event: &Event| matches!(event, Event::Ended { step, phase: Phase::Apply, .. } if step.0 == "storage");
        ensure!(!machine.heard().iter().any(over), "it was over before there was a middle of it");
        thread::sleep(Duration::from_millis(100));
    }
    let spec = machine.cut();
    scene.note(&format!("power cut after {} bytes of the file system", written(&media)?));
    let disk = spec.disks.last().context("it has no disk")?;
    let whole = e2fsck(disk)?.finish()?;
    ensure!(whole.status != 0, "the file system is whole already: this was no middle");
    scene.spec = Some(spec);
    Ok(())
}

/// The next start formats it anew, and the box comes up.
pub fn goes_on(scene: &mut Scene<'_>) -> Result<()> {
    let mut machine = Machine::start(scene.spec.take().context("the power was never cut")?)?;
    let verdict = until_finished(scene, &mut machine)?;
    ensure!(verdict == Verdict::Installed, "it ended with {verdict:?}");
    let installed = Installed::reach(scene, machine, wish(scene))?;
    installed.ssh.sudo("sh -c \"findmnt /mnt/media && echo here > /mnt/media/probe\"")?;
    let spec = installed.machine.power_off()?;
    e2fsck(spec.disks.last().context("it has no disk")?)?.run().map(drop)
}

/// Looks at the file system that the box has made, and changes nothing.
fn e2fsck(disk: &Disk) -> Result<Program> {
    let place = format!("{}?offset={}", disk.path.display(), disk.partition(DATA)?.from);
    Ok(Program::new("e2fsck").args(["-f", "-n", &place]))
}

/// Another disk with the same serial comes into the place of the empty one that was agreed on, while
/// the box begins. It holds data.
pub fn another_disk_is_refused(scene: &mut Scene<'_>) -> Result<()> {
    let mut spec = machine_for(scene, &wish(scene), Firmware::SeaBios)?;
    spec.extras = Extras { usb: true, ..Extras::default() };
    spec.disks.push(Disk::raw(empty(scene, "media")?, SERIAL, Bus::Usb));
    let other = with_data(scene, "other")?;
    let before = digest(&other)?;
    let mut machine = Machine::start(spec)?;
    // Not before the first look at the disks, which an empty port would end.
    machine.wait("the look before anything is done", Patience::BOOT, |event| match event {
        Event::SeedRefused { problems } => bail!("refused: {problems:?}"),
        Event::Ended { step, phase: Phase::Check, .. } if step.0 == "storage" => Ok(Some(())),
        _ => Ok(None),
    })?;
    machine.pull_out(SERIAL)?;
    machine.plug_in(Disk::raw(other.clone(), SERIAL, Bus::Usb))?;
    scene.note("another disk is in its place");
    let causes = machine.wait("the refusal of that disk", Patience::INSTALL, |event| {
        tell(scene, event);
        match event {
            Event::Ended { step, outcome, phase: Phase::Guard | Phase::Apply, .. }
                if step.0 == "storage" =>
            {
                match outcome {
                    Outcome::Failed { causes, .. } => Ok(Some(causes.join(": "))),
                    other => bail!("storage ended with {other:?}"),
                }
            }
            _ => Ok(None),
        }
    })?;
    ensure!(
        causes.contains("`serial:BOX-MEDIA` holds ext4")
            && causes.contains("and when it was agreed to format it, empty"),
        "it says: {causes}"
    );
    drop(machine.cut());
    ensure!(digest(&other)? == before, "the other disk was written to");
    Ok(())
}
