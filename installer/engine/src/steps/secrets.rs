//! Secrets exist in the store, one file each.
//!
//! Made in order, so that a hash can be of a secret made just before. A hash stays as long as it
//! belongs to its secret: a new salt on every run would look like a change.

use host::{files, key, password, random};
use model::{
    Secret, paths,
    plan::{SecretMaking, SecretWish},
    report::Unit,
};

use crate::{
    failure::{Result, Trouble},
    scene::{Progress, Scene},
    steps::{Doing, Holding},
};

pub(crate) struct Secrets<'a>(pub &'a [SecretWish]);

impl Doing for Secrets<'_> {
    fn check(&self, scene: &Scene<'_>) -> Result<Vec<String>> {
        // What the seed must give is known before anything is changed.
        for wish in self.0.iter().filter(|wish| wish.source == SecretMaking::Seed) {
            scene.secret(&wish.name)?;
        }
        Ok(Vec::new())
    }

    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        let folder = files::folder_is(scene.host().path(paths::SECRETS), 0o700, (0, 0))?;
        holding.need(folder, || format!("`{}` is not a folder of mode 0700", paths::SECRETS));
        for wish in self.0 {
            if let Some(what) = lack(wish, scene)? {
                holding.lacks(what);
            }
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        files::ensure_folder(scene.host().path(paths::SECRETS), 0o700, (0, 0))?;
        let total = self.0.len() as u64;
        for (done, wish) in self.0.iter().enumerate() {
            if lack(wish, scene)?.is_some() {
                progress.tell(done as u64, total, Unit::Items, wish.name.to_string());
                let secret = make(wish, scene)?;
                let path = scene.host().path(Scene::secret_path(&wish.name));
                files::ensure(path, secret.reveal(), 0o600, (0, 0))?;
            }
        }
        Ok(())
    }
}

/// Why the secret must be made; none: it is good.
fn lack(wish: &SecretWish, scene: &Scene<'_>) -> Result<Option<String>> {
    let name = &wish.name;
    let Some(secret) = scene.stored(name)? else {
        return Ok(Some(format!("the secret `{name}` is missing")));
    };
    let path = scene.host().path(Scene::secret_path(name));
    if !files::same(path, secret.reveal(), 0o600, (0, 0))? {
        return Ok(Some(format!("the secret `{name}` can be read by others than root")));
    }
    let good = match &wish.source {
        SecretMaking::Seed => {
            scene.context.secrets.get(name).is_none_or(|wanted| *wanted == secret)
        }
        // Another length or size in a later plan is no reason to make it anew: databases and
        // sessions hang on the one that is there.
        SecretMaking::Random { .. } | SecretMaking::Hex { .. } | SecretMaking::RsaKey { .. } => {
            !secret.reveal().is_empty()
        }
        // The secret that it is made from may itself not be there yet.
        SecretMaking::Digest { of, notation } => {
            scene.stored(of)?.is_some_and(|of| scene.belong(&of, &secret, *notation))
        }
    };
    Ok((!good).then(|| match &wish.source {
        SecretMaking::Digest { of, .. } => {
            format!("the secret `{name}` is not of the present `{of}`")
        }
        _ => format!("the secret `{name}` is not the planned one"),
    }))
}

fn make(wish: &SecretWish, scene: &Scene<'_>) -> Result<Secret> {
    match &wish.source {
        SecretMaking::Seed => scene.secret(&wish.name),
        SecretMaking::Random { length } => Ok(random::alphanumeric(*length)?),
        SecretMaking::RsaKey { bits } => Ok(key::rsa(*bits)?),
        SecretMaking::Hex { length } => Ok(random::hexadecimal(*length)?),
        SecretMaking::Digest { of, notation } => {
            let secret = scene.stored(of)?.ok_or_else(|| {
                let text = format!("`{}` is to be made from `{of}`, which comes later", wish.name);
                Trouble::new(text, "")
            })?;
            let digest = password::digest(&secret, *notation)?;
            scene.remember(&secret, &digest);
            Ok(digest)
        }
    }
}
