//! Root grows to its disk; disks are formatted whose owner agreed to it; folders and mounts exist.

mod crypttab;
mod unit;

use host::{Command, HostError, files, format, mount_point, root_disk, systemd};
use model::plan::{FolderWish, MountWish, Storage};

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::{Progress, Scene},
    steps::{Doing, Holding, file_set},
};

pub(crate) struct Doer<'a>(pub &'a Storage);

impl Doing for Doer<'_> {
    fn check(&self, scene: &Scene<'_>) -> Result<Vec<String>> {
        for wish in self.0.formats() {
            format::is_done(scene.host(), wish)?;
        }
        crypttab::check(self.0, scene)?;
        for mount in &self.0.mounts {
            source_exists(mount, scene)?;
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
        for wish in self.0.formats() {
            let victim = wish.consent.victim();
            match format::is_done(scene.host(), wish) {
                Ok(done) => holding.need(done, || format!("{victim} is not formatted yet")),
                Err(HostError::Refused { what, .. }) => holding.lacks(what),
                Err(error) => return Err(error.into()),
            }
        }
        for folder in self.folders_before(true).chain(self.folders_before(false)) {
            let path = scene.host().path(&folder.path);
            let good = files::folder_is(path, folder.mode, folder.owner)?;
            holding.need(good, || format!("the folder `{}` is not as planned", folder.path));
        }
        for mount in &self.0.mounts {
            for file in unit::files(mount) {
                let good = file_set::is_so(&file, scene)?;
                holding.need(good, || format!("`{}` is not as planned", file.path));
            }
            let unit = unit::to_start(mount);
            holding.need(scene.enabled(&unit)?, || format!("{unit} is not enabled"));
            holding.need(scene.active(&unit)?, || format!("`{}` is not mounted", mount.at));
        }
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
        for wish in self.0.formats() {
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
            files::ensure_folder(scene.host().path(&folder.path), folder.mode, folder.owner)?;
        }
        let mut changed = crypttab::write(self.0, scene)?;
        for file in self.0.mounts.iter().flat_map(unit::files) {
            changed |= file_set::ensure(&file, scene)?;
        }
        if changed {
            systemd::daemon_reload(scene.host().runner.as_ref())?;
        }
        crypttab::unlock(self.0, scene)?;
        for mount in &self.0.mounts {
            let unit = unit::to_start(mount);
            progress.note(format!("mounting {}", mount.at));
            mount_point::close(scene.host(), &mount.at)?;
            scene.enable(&unit)?;
            systemd::start(scene.host().runner.as_ref(), &unit).because(
                format!("{} cannot be mounted at `{}`", mount.what, mount.at),
                format!("`systemctl status {unit}` shows why"),
            )?;
        }
        // Folders on a mounted disk can only be made, and given away, when it is mounted.
        for folder in self.folders_before(false) {
            files::ensure_folder(scene.host().path(&folder.path), folder.mode, folder.owner)?;
        }
        Ok(())
    }
}

impl Doer<'_> {
    /// Folders that do (`true`) or do not lie outside every mount.
    fn folders_before(&self, outside: bool) -> impl Iterator<Item = &FolderWish> {
        let inside = |folder: &&FolderWish| {
            self.0.mounts.iter().any(|mount| {
                folder.path == mount.at || folder.path.starts_with(&format!("{}/", mount.at))
            })
        };
        self.0.folders.iter().filter(move |folder| inside(folder) != outside)
    }

    /// Mount units of ours that no mount wants.
    fn stale_units(&self, scene: &Scene<'_>) -> Result<Vec<String>> {
        let wanted: Vec<String> =
            self.0.mounts.iter().flat_map(unit::files).map(|file| file.path).collect();
        let mut stale = Vec::new();
        for name in files::list(scene.host().path(unit::FOLDER))? {
            let path = format!("{}/{name}", unit::FOLDER);
            let mount = name.ends_with(".mount") || name.ends_with(".automount");
            if mount && !wanted.contains(&path) {
                let text = scene.read(&path)?.unwrap_or_default();
                if text.starts_with(unit::HEAD) {
                    stale.push(name);
                }
            }
        }
        // An automount starts its mount again, so it goes first.
        stale.sort_by_key(|name| !name.ends_with(".automount"));
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
