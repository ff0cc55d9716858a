//! No two boxes are alike.

use anyhow::{Result, anyhow, ensure};

use crate::{
    installed::{Installed, in_common},
    scene::Scene,
};

/// Keeps a box's identifiers for the comparison.
pub fn remember(scene: &Scene<'_>, installed: &Installed) -> Result<()> {
    let identity = installed.identity()?;
    let mut all = scene.setup.identities.lock().map_err(|_| anyhow!("a test panicked"))?;
    all.insert(scene.name().to_owned(), identity);
    Ok(())
}

/// All boxes that came up from this image in this run, two by two.
pub fn two_boxes_differ(scene: &mut Scene<'_>) -> Result<()> {
    let all = scene.setup.identities.lock().map_err(|_| anyhow!("a test panicked"))?;
    ensure!(
        all.len() >= 2,
        "{} boxes came up in this run; run this together with two of `install` and `cut`",
        all.len()
    );
    for (index, (one, identity)) in all.iter().enumerate() {
        for (other, their) in all.iter().skip(index + 1) {
            let same = in_common(identity, their);
            ensure!(same.is_empty(), "{one} and {other} share {}", same.join(", "));
        }
    }
    Ok(())
}
