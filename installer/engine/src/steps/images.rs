//! Images and artefacts are on the box.
//!
//! Pulls run side by side, since most of the time of one is waiting for the registry. An image
//! without a digest in the lock is pulled by its tag, and what came is pinned: later runs and a
//! reinstall want that very image.
//!
//! What was pulled counts once it is flushed to the disk. An image of which that is not known is
//! pulled again: it may be from the last seconds before a power cut.

mod pull;

use std::time::Duration;

use host::{
    Command, HostError,
    containers::{Image, Pull},
    network,
};
use model::{
    plan::{ImagePull, Images},
    preflight::room::space_for,
};

use crate::{
    failure::{Result, Trouble},
    scene::{Progress, Scene},
    state::{Flushed, Kept as _, Pinned},
    steps::{Doing, Holding},
};

/// Where Docker keeps them.
pub(crate) const STORE: &str = "/var/lib/docker";
/// Flushing an image takes as long as the disk is slow; a USB stick is.
const FLUSH: Duration = Duration::from_secs(1800);

pub(crate) struct Doer<'a>(pub &'a Images);

impl Doing for Doer<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        for pull in self.missing(scene)? {
            holding.lacks(format!("the image {} is not on the box", pull.reference));
        }
        for artefact in &self.0.artefacts {
            if !scene.host().path(&artefact.at).is_dir() {
                holding.warn(format!(
                    "{} {} is not on the box, so what needs it works without; put it into `{}` \
                     and run `homelab apply`",
                    artefact.name,
                    artefact.version,
                    format_args!("{}/{}", model::paths::OWN_ARTEFACTS, artefact.name),
                ));
            }
        }
        Ok(holding)
    }

    fn guard(&self, scene: &Scene<'_>) -> Result<()> {
        // Not in the check: on first boot the root file system has yet to grow.
        let missing = self.missing(scene)?.len() as u64;
        match network::free_bytes(scene.host(), STORE) {
            Ok(free) => need_space(missing, free),
            // `df` that prints no number must not stop an install.
            Err(HostError::Other(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        let mut pinned = Pinned::load(scene.host())?;
        let pulls: Vec<Pull> = self
            .missing(scene)?
            .into_iter()
            .map(|image| Pull {
                repository: image.repository.clone(),
                tag: image.tag.clone(),
                digest: wanted(image, &pinned),
                reference: image.reference.clone(),
            })
            .collect();
        let containers = scene.host().containers.as_ref();
        let mut flushed = Flushed::load(scene.host())?;
        for pull in &pulls {
            let found = containers.image(&pull.reference)?;
            // Otherwise the engine says that it has it already. One that is only of another day
            // stays until the new one is there.
            if found.is_some_and(|found| flushed.0.get(&pull.reference) != Some(&found.id)) {
                containers.remove_image(&pull.reference)?;
            }
        }
        pull::all(containers, &pulls, progress, &mut |pull, image| {
            if pull.digest.is_none() {
                let digest = image.digests.first().ok_or_else(|| {
                    Trouble::new(
                        format!("the registry gave {} without a digest", pull.reference),
                        "pin it in the seed: `[images] pins`",
                    )
                })?;
                pinned.0.insert(pull.reference.clone(), digest.clone());
                pinned.save(scene.host())?;
            }
            scene.run(Command::new("sync").args(["--file-system", STORE]).timeout(FLUSH))?;
            flushed.0.insert(pull.reference.clone(), image.id.clone());
            flushed.save(scene.host())
        })
    }
}

impl Doer<'_> {
    fn missing(&self, scene: &Scene<'_>) -> Result<Vec<&ImagePull>> {
        let pinned = Pinned::load(scene.host())?;
        let flushed = Flushed::load(scene.host())?;
        let mut missing = Vec::new();
        for image in &self.0.pulls {
            let found = scene.host().containers.image(&image.reference)?;
            let good = |found: Image| {
                // An image without any pin may be of another day or of another hand.
                wanted(image, &pinned).is_some_and(|digest| found.digests.contains(&digest))
                    && flushed.0.get(&image.reference) == Some(&found.id)
            };
            if !found.is_some_and(good) {
                missing.push(image);
            }
        }
        Ok(missing)
    }
}

/// The digest that an image must have: the plan's, or what came when its tag was pulled.
fn wanted(image: &ImagePull, pinned: &Pinned) -> Option<model::Digest> {
    image.digest.clone().or_else(|| pinned.0.get(&image.reference).cloned())
}

fn need_space(images: u64, free: u64) -> Result<()> {
    let need = space_for(images);
    if free >= need {
        return Ok(());
    }
    Err(Trouble::new(
        format!(
            "{images} images need about {} MiB below `/var/lib/docker`, where {} MiB are free",
            need >> 20,
            free >> 20
        ),
        "use a larger disk, or name fewer stacks in `[stacks] enable`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_is_told_in_numbers() {
        assert!(need_space(2, 2 << 30).is_ok());
        assert_eq!(
            need_space(10, 1 << 30).unwrap_err().to_string(),
            "10 images need about 3512 MiB below `/var/lib/docker`, where 1024 MiB are free"
        );
    }
}
