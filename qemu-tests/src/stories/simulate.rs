//! `homelab-image seed simulate`: somebody's seed on somebody's PC, to its good end.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::{program::Program, scene::Scene, stories::flash::PROGRAM};

/// A machine under emulation, with time for a slow day.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The box of a good seed is installed, its final page is printed, and nothing is left of it but the
/// record of its console. It reaches the mirror through QEMU's own network.
pub fn shows_the_final_page(scene: &mut Scene<'_>) -> Result<()> {
    let wish = scene.wish("box-simulated");
    let seed = scene.folder.join("seed.toml");
    fs::write(&seed, wish.text()).context("cannot write the seed")?;
    let image = scene.setup.image.clone();
    let before = fs::metadata(&image)?.modified()?;
    let said = Program::new(PROGRAM)
        .args(["seed", "simulate", "--image"])
        .args([&image, &seed])
        .timeout(PATIENCE)
        .finish()?;
    fs::write(scene.folder.join("said.txt"), format!("{}\n{}", said.stderr, said.stdout))?;
    ensure!(said.status == 0, "it ended with {}:\n{}", said.status, said.stderr);
    for words in ["homelab: the box is ready", "https://auth.box-simulated.home.arpa"] {
        ensure!(said.stdout.contains(words), "the page lacks `{words}`:\n{}", said.stdout);
    }
    let password = wish.canaries().get("admin-password").to_owned();
    ensure!(!said.stdout.contains(&password) && !said.stderr.contains(&password), "a password");
    ensure!(fs::metadata(&image)?.modified()? == before, "the image was written to");
    let place = image.parent().context("the image lies nowhere")?.join("run");
    let left: Vec<String> = fs::read_dir(place)?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.starts_with("simulate-") && name != "simulate-console.log")
        .collect();
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}
