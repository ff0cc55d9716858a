//! systemd-networkd files, and an address.

use host::{Command, probe, systemd};
use model::plan::{Action, FileSet};

use crate::{
    failure::{Context as _, Result},
    scene::{Progress, Scene},
    steps::{Doing, Holding, file_set},
};

const UNIT: &str = "systemd-networkd.service";
/// Seconds that DHCP is waited for.
const WAIT: u64 = 30;

pub(crate) struct Network<'a>(pub &'a FileSet);

impl Doing for Network<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        file_set::look(self.0, scene, &mut holding)?;
        holding.need(scene.enabled(UNIT)?, || format!("{UNIT} is not enabled"));
        holding.need(scene.active(UNIT)?, || format!("{UNIT} is not running"));
        if holding.is_so() && probe::addresses(scene.host())?.is_empty() {
            holding.warn(if pulls(scene) {
                "no network port has an address, so images can only come from the medium"
            } else {
                "no network port has an address: is a cable plugged in?"
            });
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        file_set::write(self.0, scene)?;
        let failed = "the network cannot be configured";
        if scene.enabled(UNIT)? && scene.active(UNIT)? {
            scene.run(Command::new("networkctl").arg("reload")).because(failed, "")?;
        } else {
            scene.enable(UNIT)?;
            systemd::start(scene.host().runner.as_ref(), UNIT).because(failed, "")?;
        }
        scene.wait_for("waiting for an address", WAIT, progress, || {
            Ok(!probe::addresses(scene.host())?.is_empty())
        })?;
        Ok(())
    }
}

/// The plan fetches images.
fn pulls(scene: &Scene<'_>) -> bool {
    scene
        .plan
        .steps
        .iter()
        .any(|step| matches!(&step.action, Action::Images(images) if !images.pulls.is_empty()))
}
