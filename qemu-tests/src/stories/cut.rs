//! The power goes, twice, with an identical twin of the disk attached.
//!
//! The disk keeps the guest's flushes and nothing else: what was not flushed is lost, as on a
//! real machine. The twin sits before the box's own disk, so that whoever takes "the first disk"
//! takes the wrong one.

use anyhow::{Context, Result, bail, ensure};
use model::report::{Event, Phase, Verdict};

use crate::{
    installed::{DISK_SIZE, Installed, machine_for, tell, until_finished},
    machine::{Machine, Patience, Spec, disk::Disk, firmware::Firmware},
    scene::Scene,
    seed::Wish,
};

/// Bytes each second while the cut in the middle of a pull is waited for.
const IN_THE_MIDDLE: u64 = 4 << 20;
/// Host name of this story's box.
const NAME: &str = "box-cut";

fn wish(scene: &Scene<'_>) -> Wish {
    scene.wish(NAME)
}

/// Where the power goes.
enum Point {
    /// Some bytes of the images are there, others not.
    Images,
    /// Some containers of the core stack are up, others not.
    Stacks,
}

/// Follows the run until the point.
fn run_until(scene: &Scene<'_>, machine: &mut Machine, point: &Point) -> Result<()> {
    let wanted = match point {
        Point::Images => "images",
        Point::Stacks => "stacks/core",
    };
    machine.wait(&format!("the middle of {wanted}"), Patience::INSTALL, |event| {
        match event {
            Event::Progress { step, done, total, .. } if step.0 == wanted => {
                return Ok((*done > 0 && done < total).then_some(()));
            }
            Event::Ended { step, phase: Phase::Apply, .. } if step.0 == wanted => {
                bail!("{step} was over before there was a middle of it");
            }
            Event::Finished { verdict } => bail!("the run ended with {verdict:?}"),
            other => tell(scene, other),
        }
        Ok(None)
    })?;
    scene.note(&format!("power cut in {wanted}"));
    Ok(())
}

/// First cut, on a BIOS: while images are being pulled.
pub fn in_images(scene: &mut Scene<'_>) -> Result<()> {
    let spec = machine_for(scene, &wish(scene), Firmware::SeaBios)?;
    let spec = beside_its_twin(scene, spec)?;
    while_pulling(scene, || Machine::start(spec))
}

/// The box with a twin of its one disk, which the machine counts first.
pub(super) fn beside_its_twin(scene: &Scene<'_>, mut spec: Spec) -> Result<Spec> {
    let own = spec.disks.remove(0).honest();
    let image = scene.folder.join("image.raw");
    let twin = scene.folder.join("twin.qcow2");
    let twin = Disk::overlay(&image, &twin, DISK_SIZE, "TWIN-DISK-1")?.honest();
    spec.disks = vec![twin, own];
    spec.boot_from = 1;
    Ok(spec)
}

/// Begins an installation, cuts it while images are pulled, switches on again.
pub(super) fn while_pulling(
    scene: &mut Scene<'_>,
    begin: impl FnOnce() -> Result<Machine>,
) -> Result<()> {
    // On loopback a pull has hardly a middle.
    let registry = &scene.setup.images.registry;
    registry.limit(Some(IN_THE_MIDDLE));
    let machine = begin().and_then(|mut machine| {
        run_until(scene, &mut machine, &Point::Images)?;
        Ok(machine)
    });
    registry.limit(None);
    scene.machine = Some(Machine::start(machine?.cut())?);
    Ok(())
}

/// Second cut: the box went on with the same plan, and loses power while containers start.
pub fn in_stacks(scene: &mut Scene<'_>) -> Result<()> {
    let mut machine = scene.machine.take().context("there is no machine")?;
    run_until(scene, &mut machine, &Point::Stacks)?;
    scene.machine = Some(Machine::start(machine.cut())?);
    Ok(())
}

/// The third start brings the box to its end.
pub fn comes_up_complete(scene: &mut Scene<'_>) -> Result<()> {
    let wish = wish(scene);
    complete(scene, wish)
}

/// The machine brings the box of this wish to its end.
pub(super) fn complete(scene: &mut Scene<'_>, wish: Wish) -> Result<()> {
    let mut machine = scene.machine.take().context("there is no machine")?;
    let verdict = until_finished(scene, &mut machine)?;
    ensure!(verdict == Verdict::Installed, "it ended with {verdict:?}");
    let installed = Installed::reach(scene, machine, wish)?;
    super::identity::remember(scene, &installed)?;
    scene.installed = Some(installed);
    super::install::every_step_is_good(scene)
}

/// Root lies on the disk that the box started from, and fills it.
pub fn grew_its_own_disk(scene: &mut Scene<'_>) -> Result<()> {
    let ssh = &scene.installed()?.ssh;
    let serial = ssh.run("cat /sys/block/$(lsblk -nro PKNAME $(findmnt -no SOURCE /))/serial")?;
    ensure!(serial.trim() == "BOX-DISK-1", "root lies on the disk `{}`", serial.trim());
    let size = ssh.run("findmnt -bno SIZE /")?;
    let size: u64 = size.trim().parse().with_context(|| format!("`{size}` is no size"))?;
    let wanted = (DISK_SIZE - 2) << 30;
    ensure!(size > wanted, "the root file system has {size} bytes only");
    Ok(())
}

/// Nobody wrote to the twin. This is the last check of its story: it pulls the plug.
pub fn twin_is_untouched(scene: &mut Scene<'_>) -> Result<()> {
    let folder = scene.folder.clone();
    let mut installed = scene.installed.take().context("there is no box")?;
    installed.write_down(&folder);
    installed.ssh.disconnect();
    let spec = installed.machine.unplug()?;
    let image = folder.join("image.raw");
    let fresh = Disk::overlay(&image, &folder.join("fresh.qcow2"), DISK_SIZE, "FRESH")?;
    ensure!(spec.disks[0].same_as(&fresh)?, "the twin's bytes changed");
    // Control: the comparison does see a change.
    ensure!(!spec.disks[1].same_as(&fresh)?, "the box's own disk did not change either");
    Ok(())
}
