//! Console banner, recovery sheet, seed scrubbed, install attempts cleared.

mod text;

use std::{cell::RefCell, path::Path};

use host::{boot_loader, files};
use model::{paths::partition::SEED_FILE, plan::Handover, secret::SecretRef, seed::redact};

use crate::{
    failure::{Context as _, Result},
    reach,
    scene::{Progress, Scene},
    state::{Applied, Kept as _},
    steps::{Doing, Holding},
};

/// Shown above the login of every console.
const BANNER: &str = "/etc/issue.d/homelab.issue";
/// Secrets that were made on the box.
const SHEET: &str = "/root/homelab-recovery.txt";

pub(crate) struct Doer<'a>(pub &'a Handover);

impl Doing for Doer<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        let banner = self.banner(scene)?;
        let same = files::same(scene.host().path(BANNER), banner, 0o644, (0, 0))?;
        holding.need(same, || format!("`{BANNER}` is not as planned"));
        for name in self.not_shown(scene)? {
            holding.lacks(format!("the secret `{name}` was never on a recovery sheet"));
        }
        if scene.host().path(SHEET).exists() {
            holding.warn(format!(
                "`{SHEET}` holds secrets: save them by `homelab recovery-sheet --to PLACE`, then \
                 remove it"
            ));
        }
        let scrubbed = self.scrubbed(scene)?;
        holding.need(scrubbed, || "the seed on the SEED partition shows secrets".to_owned());
        holding.need(boot_loader::is_installed(scene.host())?, || {
            "the boot loader still counts attempts to install".to_owned()
        });
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, _: &mut Progress<'_>) -> Result<()> {
        let host = scene.host();
        files::ensure_folder(host.path("/etc/issue.d"), 0o755, (0, 0))?;
        files::ensure(host.path(BANNER), self.banner(scene)?, 0o644, (0, 0))?;
        self.write_sheet(scene)?;
        self.scrub(scene)?;
        Ok(boot_loader::set_installed(host)?)
    }
}

impl Doer<'_> {
    fn banner(&self, scene: &Scene<'_>) -> Result<String> {
        let fingerprint = reach::fingerprint(scene)?;
        Ok(text::banner(self.0, fingerprint.as_deref()))
    }

    fn not_shown(&self, scene: &Scene<'_>) -> Result<Vec<&SecretRef>> {
        let shown = Applied::load(scene.host())?.shown;
        Ok(self.0.show_once.iter().filter(|name| !shown.contains(name)).collect())
    }

    /// What is on an earlier sheet that still lies there stays on it.
    fn write_sheet(&self, scene: &Scene<'_>) -> Result<()> {
        let new = self.not_shown(scene)?;
        if new.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        for name in &new {
            lines.push((name.to_string(), scene.secret(name)?));
        }
        let before = scene.read(SHEET)?;
        let sheet = text::sheet(before.as_deref(), &scene.host().clock.now(), &lines);
        files::ensure_folder(scene.host().path("/root"), 0o700, (0, 0))?;
        files::write_atomic(scene.host().path(SHEET), sheet.reveal(), 0o600, (0, 0))?;
        let mut applied = Applied::load(scene.host())?;
        applied.shown.extend(new.into_iter().cloned());
        applied.save(scene.host())
    }

    /// Does the seed on the SEED partition show no secret any more?
    fn scrubbed(&self, scene: &Scene<'_>) -> Result<bool> {
        let clean = RefCell::new(true);
        if let Some(medium) = &scene.context.medium {
            medium.with(&mut |folder: &Path| {
                let text = files::read_text_optional(folder.join(SEED_FILE))?;
                *clean.borrow_mut() = text.is_none_or(|text| redact(&text) == text);
                Ok(())
            })?;
        }
        Ok(clean.into_inner())
    }

    /// The redacted copy has the same length, so it goes over the very bytes of the original:
    /// on FAT a new file would lie elsewhere, and the old one could be read from the raw disk.
    fn scrub(&self, scene: &Scene<'_>) -> Result<()> {
        let Some(medium) = &scene.context.medium else { return Ok(()) };
        medium
            .with(&mut |folder: &Path| {
                let path = folder.join(SEED_FILE);
                match files::read_text_optional(&path)? {
                    Some(text) if redact(&text) != text => {
                        files::overwrite_in_place(&path, redact(&text).as_bytes())
                    }
                    _ => Ok(()),
                }
            })
            .because("the seed on the SEED partition still shows its secrets", "")
    }
}
