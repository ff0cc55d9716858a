//! The root disk is full in the middle of a pull.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use model::report::{Event, Outcome, Phase, Verdict};

use crate::{
    guest::Ssh,
    installed::{Installed, machine_for, tell, until_finished},
    machine::{Machine, Patience, firmware::Firmware},
    scene::Scene,
    seed::{ADMIN, Wish},
};

/// Bytes each second, so that there is time to fill the disk while images are pulled.
const SLOW: u64 = 2 << 20;
/// Takes all the room that is left, also what is kept for root.
const FILL: &str = "fallocate -l $(($(stat -f -c %f /) * $(stat -f -c %S /) - (32 << 20))) \
    /var/tmp/full; dd if=/dev/zero of=/var/tmp/rest bs=1M 2> /dev/null; sync; df -m /";

fn wish(scene: &Scene<'_>) -> Wish {
    scene.wish("box-full")
}

/// The run ends with what is full, and the way out.
pub fn is_told(scene: &mut Scene<'_>) -> Result<()> {
    let wish = wish(scene);
    let mut machine = Machine::start(machine_for(scene, &wish, Firmware::SeaBios)?)?;
    let registry = &scene.setup.images.registry;
    registry.limit(Some(SLOW));
    let told = fill(scene, &mut machine, &wish);
    registry.limit(None);
    let said = told?;
    ensure!(
        said.contains("no space left on device") && said.contains("(make room: `df -h`"),
        "it says: {said}"
    );
    let verdict = until_finished(scene, &mut machine)?;
    ensure!(verdict != Verdict::Installed, "it is installed on a full disk");
    scene.machine = Some(machine);
    Ok(())
}

/// Fills the disk while images are pulled; causes and hint with which the step ended.
fn fill(scene: &Scene<'_>, machine: &mut Machine, wish: &Wish) -> Result<String> {
    machine.wait("the middle of the images", Patience::INSTALL, |event| {
        tell(scene, event);
        match event {
            Event::Progress { step, done, total, .. } if step.0 == "images" => {
                Ok((*done > 0 && done < total).then_some(()))
            }
            Event::Finished { verdict } => bail!("the run ended with {verdict:?}"),
            _ => Ok(None),
        }
    })?;
    let ssh = log_in(scene, machine, wish)?;
    scene.note(&ssh.sudo(FILL)?);
    machine.wait("the end of the images", Patience::INSTALL, |event| match event {
        Event::Ended { step, outcome, phase: Phase::Apply, .. } if step.0 == "images" => {
            match outcome {
                Outcome::Failed { causes, hint } => {
                    Ok(Some(format!("{} ({hint})", causes.join(": "))))
                }
                other => bail!("all images were there before the disk was full: {other:?}"),
            }
        }
        _ => Ok(None),
    })
}

fn log_in(scene: &Scene<'_>, machine: &Machine, wish: &Wish) -> Result<Ssh> {
    let canaries = wish.canaries();
    let address = machine.port().ipv4.into();
    let mut ssh = Ssh::new(address, ADMIN, canaries.get("admin-password"), &scene.setup.key)?;
    ssh.connect(Duration::from_secs(240)).context("while the box is being installed")?;
    Ok(ssh)
}

/// With room again, the next start brings the box to its end.
pub fn goes_on(scene: &mut Scene<'_>) -> Result<()> {
    let machine = scene.machine.take().context("there is no machine")?;
    let wish = wish(scene);
    log_in(scene, &machine, &wish)?.sudo("rm /var/tmp/full /var/tmp/rest && sync")?;
    let mut machine = Machine::start(machine.cut())?;
    let verdict = until_finished(scene, &mut machine)?;
    ensure!(verdict == Verdict::Installed, "it ended with {verdict:?}");
    scene.installed = Some(Installed::reach(scene, machine, wish)?);
    super::install::every_step_is_good(scene)
}
