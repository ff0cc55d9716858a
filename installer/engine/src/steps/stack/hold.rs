//! A stack runs from its turn at the start of the box on; one that needs volumes as long as they are
//! there, and not a moment longer.
//!
//! ```text
//! it is its turn,             --> its mark lies below /run --> containers can be started
//! the right volume is mounted       bound by each of them       its unit runs
//! ```
//!
//! Docker would start all containers at once at each boot, where they keep each other from answering,
//! and after a power cut those without their volume too: the mark is not there then, so it cannot.
//! A stack that needs volumes has a unit, which stops the containers before a volume goes.

use std::time::Duration;

use host::{files, systemd};
use model::{
    plan::{Action, FolderWish, MountWish, Storage},
    render::stack_mark,
};

use super::{COMPOSE, Doer, unit};
use crate::{
    failure::{Context as _, Result},
    hold::{self, Unused},
    scene::{Progress, Scene},
    steps::{Holding, file_set, storage::folder},
};

impl Doer<'_> {
    /// Why the stack cannot run; none: it needs no volume, or has all of them.
    pub(super) fn held(&self, scene: &Scene<'_>) -> Result<Option<String>> {
        // Who runs on a share has used it.
        let unused = if self.is_marked(scene) { Unused::Believe } else { Unused::Try };
        self.reason(unused, scene)
    }

    /// The same without waiting for another machine.
    pub(crate) fn seen_held(&self, scene: &Scene<'_>) -> Result<Option<String>> {
        if let Some(reason) = self.reason(Unused::Believe, scene)? {
            return Ok(Some(reason));
        }
        let shares = self.mounts(scene).into_iter().find(|mount| mount.automount);
        Ok(shares
            .filter(|_| !self.is_marked(scene))
            .map(|share| format!("`{}` for `{}` could not be mounted yet", share.what, share.at)))
    }

    fn reason(&self, unused: Unused, scene: &Scene<'_>) -> Result<Option<String>> {
        let Some(storage) = storage(scene) else { return Ok(None) };
        for mount in self.mounts(scene) {
            if let Some(reason) = hold::reason(mount, storage, unused, scene.host())? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Of a stack that is held: nothing of it may run, and it must come back by itself.
    pub(super) fn look_held(
        &self,
        reason: String,
        scene: &Scene<'_>,
        holding: &mut Holding,
    ) -> Result<()> {
        self.look_enabled(scene, holding)?;
        for container in scene.host().containers.project(&self.0.name)? {
            holding.need(!container.running, || {
                format!("{} runs without its volume", container.service)
            });
        }
        holding.need(!self.is_marked(scene), || {
            format!("`{}` says that the volume is there", stack_mark(&self.0.name))
        });
        holding.held = Some(reason);
        Ok(())
    }

    /// Of a stack that may run: Docker may start it, and its volumes are watched.
    pub(super) fn look_released(&self, scene: &Scene<'_>, holding: &mut Holding) -> Result<()> {
        if !self.0.needs.is_empty() {
            self.look_enabled(scene, holding)?;
            let unit = unit::name(&self.0.name);
            holding.need(self.is_watched(scene)?, || format!("{unit} does not run"));
        }
        let mark = stack_mark(&self.0.name);
        holding.need(self.is_marked(scene), || format!("`{mark}` is not there"));
        Ok(())
    }

    /// Stops what runs, in order.
    pub(crate) fn hold(
        &self,
        reason: &str,
        scene: &Scene<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        self.enable(scene)?;
        let name = unit::name(&self.0.name);
        let running = scene.host().containers.project(&self.0.name)?;
        if running.iter().any(|container| container.running) {
            progress.note(format!("stopping {}: {reason}", self.0.name));
            let stop = self.compose().arg("stop").timeout(Duration::from_secs(COMPOSE));
            scene.run(stop)?;
        }
        // Not from its own start, which it is told of by how that ends.
        if scene.active(&name)? {
            systemd::stop(scene.host().runner.as_ref(), &name)?;
        }
        files::remove(scene.host().path(stack_mark(&self.0.name)))?;
        Ok(())
    }

    /// Lets the containers be started, and has the volumes watched from before the first one on.
    pub(super) fn release(&self, scene: &Scene<'_>) -> Result<()> {
        let is_bound = !self.0.needs.is_empty();
        if is_bound {
            self.enable(scene)?;
            self.make_folders(scene)?;
        }
        let mark = scene.host().path(stack_mark(&self.0.name));
        if let Some(folder) = mark.parent() {
            files::ensure_folder(folder, 0o755, (0, 0))?;
        }
        files::ensure(&mark, "", 0o444, (0, 0))?;
        let name = unit::name(&self.0.name);
        if is_bound && !self.is_watched(scene)? {
            // It finds the mark, and somebody at work, and leaves the rest to us.
            systemd::start(scene.host().runner.as_ref(), &name).because(
                format!("{name} cannot be started"),
                format!("`systemctl status {name}` shows why"),
            )?;
        }
        Ok(())
    }

    /// On a share that did not answer when all other folders were made there are none.
    fn make_folders(&self, scene: &Scene<'_>) -> Result<()> {
        let Some(storage) = storage(scene) else { return Ok(()) };
        let is_needed = |folder: &&FolderWish| self.0.needs.iter().any(|at| folder.is_in(at));
        for wish in storage.folders.iter().filter(is_needed) {
            folder::ensure(wish, storage, scene)?;
        }
        Ok(())
    }

    /// Does its unit run, or is this its start?
    fn is_watched(&self, scene: &Scene<'_>) -> Result<bool> {
        let runner = scene.host().runner.as_ref();
        let state = systemd::property(runner, &unit::name(&self.0.name), "ActiveState")?;
        Ok(matches!(state.as_str(), "active" | "activating"))
    }

    /// Has it had its turn since the box was started, and its volumes since?
    pub(crate) fn is_marked(&self, scene: &Scene<'_>) -> bool {
        scene.host().path(stack_mark(&self.0.name)).exists()
    }

    fn look_enabled(&self, scene: &Scene<'_>, holding: &mut Holding) -> Result<()> {
        let file = unit::file(self.0, &self.mounts(scene));
        let good = file_set::is_so(&file, scene)?;
        holding.need(good, || format!("`{}` is not as planned", file.path));
        let unit = unit::name(&self.0.name);
        holding.need(scene.enabled(&unit)?, || format!("{unit} is not enabled"));
        Ok(())
    }

    fn enable(&self, scene: &Scene<'_>) -> Result<()> {
        let runner = scene.host().runner.as_ref();
        let unit = unit::name(&self.0.name);
        if file_set::ensure(&unit::file(self.0, &self.mounts(scene)), scene)? {
            systemd::daemon_reload(runner)?;
            // Other mounts may want it now.
            systemd::reenable(runner, &unit)?;
        }
        scene.enable(&unit)
    }

    fn mounts<'b>(&self, scene: &Scene<'b>) -> Vec<&'b MountWish> {
        let Some(storage) = storage(scene) else { return Vec::new() };
        self.0.needs.iter().filter_map(|at| storage.mount(at)).collect()
    }
}

fn storage<'b>(scene: &Scene<'b>) -> Option<&'b Storage> {
    scene.plan.steps.iter().find_map(|step| match &step.action {
        Action::Storage(storage) => Some(storage),
        _ => None,
    })
}
