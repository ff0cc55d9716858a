//! The box's own authority and a certificate of it.

use host::{
    authority::{Authority, Certificate, renewal_reason},
    files,
};
use model::{
    Secret, paths,
    plan::{Certificates, FolderFile},
};

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::{Progress, Scene},
    steps::{Doing, Holding},
};

/// An authority with less time than a certificate needs is replaced.
const DAY: i64 = 86_400;

pub(crate) struct Doer<'a>(pub &'a Certificates);

impl Doing for Doer<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        let Some(authority) = self.authority(scene, &mut holding)? else { return Ok(holding) };
        let read = |file: &FolderFile| scene.read(&file.path);
        let (Some(chain), Some(key)) = (read(&self.0.chain)?, read(&self.0.key)?) else {
            holding.lacks("the certificate is missing");
            return Ok(holding);
        };
        let now = scene.host().clock.epoch();
        if let Some(reason) =
            renewal_reason(&chain, &Secret::new(&*key), &self.0.names, &authority, now)
        {
            holding.lacks(format!("the certificate is not good: {reason}"));
        }
        for (file, text) in [(&self.0.chain, &chain), (&self.0.key, &key)] {
            let same = files::same(scene.host().path(&file.path), text, file.mode, file.owner)?;
            holding.need(same, || format!("`{}` has another owner or mode", file.path));
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        let now = scene.host().clock.epoch();
        let path = |name: &str| scene.host().path(format!("{}/{name}", paths::AUTHORITY));
        if self.authority(scene, &mut Holding::default())?.is_none() {
            progress.note("making the box's own certificate authority");
            let authority = Authority::create(&self.0.authority, &self.domain()?, now)?;
            files::ensure_folder(path(""), 0o755, (0, 0))?;
            // The certificate is what says that there is an authority, so it goes first and comes
            // last: whenever the power goes, it never lies beside the key of another.
            files::remove(path("ca.pem"))?;
            files::write_atomic(path("ca.key"), authority.key.reveal(), 0o600, (0, 0))?;
            files::write_atomic(path("ca.pem"), &authority.certificate, 0o644, (0, 0))?;
        }
        let certificate = files::read_text(path("ca.pem"))?;
        let key = Secret::new(files::read_text(path("ca.key"))?);
        let leaf = Authority { certificate, key }.issue(&self.0.names, self.0.days, now).because(
            "the certificate cannot be signed",
            format!(
                "remove `{}` to get a new authority; it must then be trusted anew on every device",
                paths::AUTHORITY
            ),
        )?;
        write(&self.0.key, leaf.key.reveal(), scene)?;
        write(&self.0.chain, &leaf.chain, scene)
    }
}

impl Doer<'_> {
    /// The authority's certificate, if it is good for these names.
    fn authority(&self, scene: &Scene<'_>, holding: &mut Holding) -> Result<Option<String>> {
        let path = |name: &str| format!("{}/{name}", paths::AUTHORITY);
        let (certificate, key) = (scene.read(&path("ca.pem"))?, scene.read(&path("ca.key"))?);
        let (Some(certificate), Some(key)) = (certificate, key) else {
            holding.lacks("the box has no certificate authority");
            return Ok(None);
        };
        if !files::same(scene.host().path(path("ca.key")), key, 0o600, (0, 0))? {
            holding.lacks("the authority's key can be read by others than root");
            return Ok(None);
        }
        let parsed = Certificate::parse(&certificate).because(
            format!("the authority `{}` is damaged", path("ca.pem")),
            "put its backup back, or remove it to get a new one that every device must trust anew",
        )?;
        let left = parsed.not_after - scene.host().clock.epoch();
        if !parsed.permits(&self.0.names) {
            holding.lacks(format!("the authority may not sign for {}", self.0.names.join(", ")));
        } else if left < i64::from(self.0.days) * DAY {
            holding.lacks("the authority ends soon");
        } else {
            return Ok(Some(certificate));
        }
        Ok(None)
    }

    /// The domain that all names lie in.
    fn domain(&self) -> Result<String> {
        let names = self.0.names.iter().map(|name| name.strip_prefix("*.").unwrap_or(name));
        let shortest = names.min_by_key(|name| name.len());
        shortest
            .map(str::to_owned)
            .ok_or_else(|| Trouble::new("the certificate is for no name at all", ""))
    }
}

fn write(file: &FolderFile, text: &str, scene: &Scene<'_>) -> Result<()> {
    let path = scene.host().path(&file.path);
    if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
        files::ensure_folder(folder, 0o755, (0, 0))?;
    }
    Ok(files::write_atomic(path, text, file.mode, file.owner)?)
}
