//! The Docker daemon's configuration, and the daemon running with it.

use host::{Command, systemd};
use model::plan::FileSet;

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::{Progress, Scene},
    state::{Applied, Kept as _},
    steps::{Doing, Holding, file_set},
};

const UNIT: &str = "docker.service";
/// Seconds until the engine must answer after its start.
const WAIT: u64 = 60;

pub(crate) struct Docker<'a>(pub &'a FileSet);

impl Doing for Docker<'_> {
    fn check(&self, scene: &Scene<'_>) -> Result<Vec<String>> {
        scene.run(Command::new("docker").arg("--version")).because(
            "Docker is not installed",
            "this installer runs on its own image; on another system install `docker.io`",
        )?;
        scene.run(Command::new("docker").args(["compose", "version"])).because(
            "Docker Compose is not installed",
            "this installer runs on its own image; on another system install `docker-compose`",
        )?;
        Ok(Vec::new())
    }

    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        file_set::look(self.0, scene, &mut holding)?;
        holding.need(scene.enabled(UNIT)?, || format!("{UNIT} is not enabled"));
        holding.need(scene.active(UNIT)?, || format!("{UNIT} is not running"));
        let started_with = Applied::load(scene.host())?.docker;
        holding.need(started_with == Some(file_set::digest(self.0)), || {
            "the daemon was not started with this configuration".to_owned()
        });
        if holding.is_so() {
            if let Err(error) = scene.host().containers.version() {
                holding.lacks(error.to_string());
            }
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        file_set::write(self.0, scene)?;
        let digest = file_set::digest(self.0);
        let mut applied = Applied::load(scene.host())?;
        scene.enable(UNIT)?;
        progress.note("starting the container engine");
        let same = applied.docker.as_ref() == Some(&digest);
        let start = if same { systemd::start } else { systemd::restart };
        start(scene.host().runner.as_ref(), UNIT)
            .because(format!("{UNIT} does not start"), "`journalctl -u docker` shows why")?;
        let mut last = String::new();
        let answers = scene.wait_until(WAIT, || {
            Ok(match scene.host().containers.version() {
                Ok(_) => true,
                Err(error) => {
                    last = error.to_string();
                    false
                }
            })
        })?;
        if !answers {
            return Err(Trouble::new(
                format!("the container engine does not answer after {WAIT} s: {last}"),
                "`journalctl -u docker` shows why",
            ));
        }
        applied.docker = Some(digest);
        applied.save(scene.host())
    }
}
