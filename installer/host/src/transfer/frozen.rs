//! A file system that holds still while its blocks are read.

use std::{path::PathBuf, time::Duration};

use crate::{Command, Host, Result, files};

/// Says that the root file system stands still: whoever cleans up after a killed installer thaws it
/// then (`homelab-install.service`).
const MARK: &str = "/run/homelab/frozen";
/// These programs answer at once; what is still to be written can take its time on a slow stick.
const PATIENCE: Duration = Duration::from_secs(300);

/// Programs of Debian's that write to the root file system by themselves.
const CONTAINERS: &[&str] = &["docker.socket", "docker.service", "containerd.service"];

/// A frozen file system: whoever writes to it waits, so nothing of ours may. Goes on when it is dropped.
pub(super) struct Frozen<'a> {
    host: &'a Host,
    at: PathBuf,
}

impl<'a> Frozen<'a> {
    /// Writes out what is still to be written, and stops everything that comes after.
    ///
    /// # Errors
    /// It cannot be frozen.
    pub(super) fn new(host: &'a Host, at: PathBuf) -> Result<Self> {
        // What runs containers is only wanted on the disk that the system moves to. Here it writes as it
        // starts, would wait, and be told off by systemd for taking too long.
        let _ = host.runner.run(&stop(CONTAINERS));
        // The journal goes on in memory, so that whoever logs does not wait.
        let _ = host.runner.run(&journal("--relinquish-var"));
        files::ensure_folder(host.path("/run/homelab"), 0o755, (0, 0))?;
        files::write_atomic(host.path(MARK), "", 0o600, (0, 0))?;
        // From here on a failure thaws: that does no harm to what is not frozen.
        let frozen = Self { host, at };
        host.runner.run(&frozen.command("--freeze"))?;
        Ok(frozen)
    }

    fn command(&self, what: &str) -> Command {
        Command::new("fsfreeze").arg(what).arg(&self.at).timeout(PATIENCE)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _ = self.host.runner.run(&self.command("--unfreeze"));
        let _ = files::remove(self.host.path(MARK));
        let _ = self.host.runner.run(&journal("--flush"));
    }
}

fn stop(units: &[&str]) -> Command {
    Command::new("systemctl").arg("stop").args(units).timeout(PATIENCE)
}

fn journal(what: &str) -> Command {
    Command::new("journalctl").arg(what).timeout(PATIENCE)
}
