//! The clock runs and is set from the network when there is one.
//!
//! A box without Internet, or whose router answers no NTP, works; so a clock that is not
//! synchronised is a warning, and nobody waits long for it.

use host::{Command, Host};

use crate::{
    failure::{Context as _, Result},
    scene::{PATIENCE, Progress, Scene},
    steps::{Doing, Holding},
};

/// Seconds that a fresh synchronisation is waited for.
const WAIT: u64 = 3;

pub(crate) struct Clock;

impl Doing for Clock {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        match State::look(scene) {
            // The service behind it is started for a question, and D-Bus waits 25 s for it, which
            // a busy box may not keep. That is no reason to leave everything else undone.
            Err(error) => holding.warn(format!(
                "nobody says whether the clock is right; ask `timedatectl` when the box is quiet: \
                 {error}"
            )),
            Ok(state) if !state.possible => {
                holding
                    .warn("no program sets the clock from the network; install systemd-timesyncd");
            }
            Ok(state) => {
                if !state.enabled {
                    holding.lacks("the clock is not set from the network");
                }
                if !state.synchronised {
                    holding
                        .warn("the clock is not synchronised yet: no time server answered so far");
                }
            }
        }
        let now = scene.host().clock.epoch();
        if scene.context.built.is_some_and(|built| now < built) {
            holding.lacks("the clock is earlier than the day the image was built");
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        let built = scene.context.built.unwrap_or(i64::MIN);
        if scene.host().clock.epoch() < built {
            // Certificates made now would begin before their authority's software was written;
            // browsers and ACME servers refuse such a clock. The network corrects it later.
            scene
                .run(Command::new("date").args(["--utc", &format!("--set=@{built}")]))
                .because("the clock cannot be set", "set it in the firmware's setup")?;
        }
        let state = State::look(scene)?;
        if state.possible && !state.enabled {
            scene
                .run(Command::new("timedatectl").args(["set-ntp", "true"]))
                .because("network time cannot be switched on", "")?;
        }
        if state.possible && !state.synchronised {
            progress.note("waiting a moment for a time server");
            scene.wait_until(WAIT, || Ok(State::look(scene)?.synchronised))?;
        }
        Ok(())
    }
}

/// What `timedatectl` says.
pub(crate) struct State {
    /// A program is there that sets the clock from the network.
    pub possible: bool,
    enabled: bool,
    /// It has done so.
    pub synchronised: bool,
}

impl State {
    fn look(scene: &Scene<'_>) -> Result<Self> {
        Self::of(scene.host())
    }

    pub(crate) fn of(host: &Host) -> Result<Self> {
        let command = Command::new("timedatectl").arg("show").timeout(PATIENCE);
        let output = host.runner.run(&command)?;
        let says = |line: &str| output.stdout.lines().any(|found| found == line);
        Ok(Self {
            possible: says("CanNTP=yes"),
            enabled: says("NTP=yes"),
            synchronised: says("NTPSynchronized=yes"),
        })
    }
}
