//! Root grows to its disk; disks are formatted whose owner agreed to it; folders and mounts exist.

mod crypttab;
pub(crate) mod folder;
mod missing;
pub(crate) mod unit;

use host::{Command, HostError, files, format, mount_point, root_disk, systemd};
use model::plan::{Action, FolderWish, MountWish, Storage};

use self::missing::Missing;
use crate::{
    failure::{Context as _, Result, Trouble},
    hold,
    scene::{Progress, Scene},
    state::Kept as _,
    steps::{Doing, Holding, file_set, stack::unit as stack_unit},
};

pub(crate) struct Doer<'a>(pub &'a Storage);

impl Doing for Doer<'_> {
    fn check(&self, scene: &Scene<'_>) -> Result<Vec<String>> {
        let missing = missing::of(self.0, scene)?;
        for wish in self.there(&missing).filter_map(|mount| mount.format.as_ref()) {
            format::is_done(scene.host(), wish)?;
        }
        crypttab::check(self.there(&missing), scene)?;
        for mount in self.there(&missing) {
            source_exists(mount, scene)?;
        }
        for mount in &self.0.mounts {
            mount_point::check(scene.host(), &mount.at)?;
        }
        Ok(Vec::new())
    }

    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        if self.0.grow_root {
            holding.need(root_disk::is_grown(scene.host())?, || {
                "the root file system does not fill its disk".to_owned()
            });
        }
        let missing = missing::of(self.0, scene)?;
        for wish in self.there(&missing).filter_map(|mount| mount.format.as_ref()) {
            let victim = wish.consent.victim();
            match format::is_done(scene.host(), wish) {
                Ok(done) => holding.need(done, || format!("{victim} is not formatted yet")),
                Err(HostError::Refused { what, .. }) => holding.lacks(what),
                Err(error) => return Err(error.into()),
            }
        }
        for folder in self.folders_before(true).chain(self.folders_inside(&missing)) {
            let good = folder::is_so(folder, self.0, scene)?;
            holding.need(good, || format!("the folder `{}` is not as planned", folder.path));
        }
        for mount in &self.0.mounts {
            for file in unit::files(mount) {
                let good = file_set::is_so(&file, scene)?;
                holding.need(good, || format!("`{}` is not as planned", file.path));
            }
            let unit = unit::to_start(mount);
            holding.need(scene.enabled(&unit)?, || format!("{unit} is not enabled"));
            let gone = missing.get(mount.at.as_str());
            if gone.is_none() || mount.automount {
                let active = scene.active(&unit)?;
                holding.need(active, || format!("`{}` is not mounted", mount.at));
            }
            match gone {
                None => {
                    if let Some(other) = hold::foreign(mount, scene.host())? {
                        holding.lacks(other);
                    }
                }
                // systemd is still waiting for it.
                Some(_) if missing::is_coming(&unit, scene)? => {
                    holding.lacks(format!("`{}` is not mounted yet", mount.at));
                }
                Some(why) => holding.warn(format!("{why}; what needs it waits for it")),
            }
        }
        let known = missing::known(self.there(&missing), scene)?;
        holding.need(known.is_none(), || "it is not noted which disks were mounted".to_owned());
        crypttab::look(self.0, scene, &mut holding)?;
        for unit in self.stale_units(scene)? {
            holding.lacks(format!("{unit} of an earlier plan is there"));
        }
        Ok(holding)
    }

    fn guard(&self, scene: &Scene<'_>) -> Result<()> {
        self.check(scene).map(drop)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        if self.0.grow_root && !root_disk::is_grown(scene.host())? {
            progress.note("growing the root file system");
            root_disk::grow(scene.host()).because("the root file system cannot grow", "")?;
        }
        for unit in self.stale_units(scene)? {
            scene.run(Command::new("systemctl").args(["disable", "--now", &unit])).because(
                format!("{unit} of an earlier plan cannot be unmounted"),
                "stop what uses it and run `homelab apply` again",
            )?;
            let path = format!("{}/{unit}", unit::FOLDER);
            let text = scene.read(&path)?.unwrap_or_default();
            if let Some(at) = unit::place(&text) {
                mount_point::open(scene.host(), at)?;
            }
            files::remove(scene.host().path(path))?;
        }
        let missing = missing::of(self.0, scene)?;
        for wish in self.there(&missing).filter_map(|mount| mount.format.as_ref()) {
            match format::format(scene.host(), wish, &mut |note| progress.note(note)) {
                // It says itself what is in the way, and the way out.
                Err(HostError::Refused { what, hint }) => return Err(Trouble::new(what, hint)),
                done => done.because(
                    format!("{} cannot be formatted", wish.consent.victim()),
                    "run `homelab apply` again: it begins anew",
                )?,
            };
        }
        for folder in self.folders_before(true) {
            folder::ensure(folder, self.0, scene)?;
        }
        let mut changed = crypttab::write(self.0, scene)?;
        let mut rewritten = Vec::new();
        for mount in &self.0.mounts {
            for file in unit::files(mount) {
                if file_set::ensure(&file, scene)? {
                    rewritten.push(&mount.at);
                    changed = true;
                }
            }
        }
        if changed {
            systemd::daemon_reload(scene.host().runner.as_ref())?;
        }
        crypttab::unlock(self.there(&missing), scene)?;
        let runner = scene.host().runner.as_ref();
        for mount in &self.0.mounts {
            let unit = unit::to_start(mount);
            mount_point::close(scene.host(), &mount.at)?;
            // Other mounts may want it now.
            match rewritten.contains(&&mount.at) {
                true => systemd::reenable(runner, &unit)?,
                false => scene.enable(&unit)?,
            }
            // A share is waited for by who wants to use it.
            if missing.contains_key(mount.at.as_str()) && !mount.automount {
                missing::wait(&unit, scene)?;
                continue;
            }
            progress.note(format!("mounting {}", mount.at));
            if let Some(other) = hold::foreign(mount, scene.host())? {
                systemd::stop(runner, &unit).because(
                    format!("{other}, and it cannot be unmounted"),
                    "stop what uses it and run `homelab apply` again",
                )?;
            }
            systemd::start(runner, &unit).because(
                format!("{} cannot be mounted at `{}`", mount.what, mount.at),
                format!("`systemctl status {unit}` shows why"),
            )?;
        }
        // Shares have units now, by which they can be tried.
        let missing = missing::of(self.0, scene)?;
        if let Some(known) = missing::known(self.there(&missing), scene)? {
            known.save(scene.host())?;
        }
        // Folders on a mounted disk can only be made, and given away, when it is mounted.
        for folder in self.folders_inside(&missing) {
            folder::ensure(folder, self.0, scene)?;
        }
        Ok(())
    }
}

impl Doer<'_> {
    /// Mounts whose volume is there, or was never there and is waited for in vain.
    fn there<'b>(&'b self, missing: &'b Missing<'_>) -> impl Iterator<Item = &'b MountWish> {
        self.0.mounts.iter().filter(|mount| !missing.contains_key(mount.at.as_str()))
    }

    /// Folders that do (`true`) or do not lie outside every mount.
    fn folders_before(&self, outside: bool) -> impl Iterator<Item = &FolderWish> {
        let inside = |folder: &&FolderWish| self.0.mounts.iter().any(|m| folder.is_in(&m.at));
        self.0.folders.iter().filter(move |folder| inside(folder) != outside)
    }

    /// Folders on mounts that can be mounted.
    fn folders_inside<'b>(
        &'b self,
        missing: &'b Missing<'_>,
    ) -> impl Iterator<Item = &'b FolderWish> {
        let to_be_seen = |folder: &&FolderWish| !missing.keys().any(|at| folder.is_in(at));
        self.folders_before(false).filter(to_be_seen)
    }

    /// Units of ours that no mount, and no stack that needs one, wants.
    fn stale_units(&self, scene: &Scene<'_>) -> Result<Vec<String>> {
        let mut wanted: Vec<String> =
            self.0.mounts.iter().flat_map(unit::files).map(|file| file.path).collect();
        wanted.extend(scene.plan.steps.iter().filter_map(|step| match &step.action {
            Action::Stack(stack) if !stack.needs.is_empty() => Some(stack_unit::path(&stack.name)),
            _ => None,
        }));
        let mut stale = Vec::new();
        for name in files::list(scene.host().path(unit::FOLDER))? {
            let path = format!("{}/{name}", unit::FOLDER);
            let mount = name.ends_with(".mount") || name.ends_with(".automount");
            if (mount || stack_unit::is_one(&name)) && !wanted.contains(&path) {
                let text = scene.read(&path)?.unwrap_or_default();
                if text.starts_with(unit::HEAD) {
                    stale.push(name);
                }
            }
        }
        // A stack is stopped before its mounts go, and an automount starts its mount again.
        stale.sort_by_key(|name| (!stack_unit::is_one(name), !name.ends_with(".automount")));
        Ok(stale)
    }
}

/// A disk that is not plugged in is told before anything is changed.
fn source_exists(mount: &MountWish, scene: &Scene<'_>) -> Result<()> {
    let Some(uuid) = mount.what.strip_prefix("UUID=") else { return Ok(()) };
    if mount.format.is_some() {
        // It may not exist yet; its disk was looked at.
        return Ok(());
    }
    let device = format!("/dev/disk/by-uuid/{uuid}");
    if scene.host().path(&device).exists() {
        return Ok(());
    }
    Err(Trouble::new(
        format!("the disk for `{}` is not there: no file system has the UUID {uuid}", mount.at),
        "plug it in, or change `[[storage.mount]]` in the seed",
    ))
}
