//! What the kernel tells of devices, as far as it has been worked off.

use std::time::Duration;

use crate::{Command, Host, Result};

/// Longer than a slow disk needs to be looked at.
const SECONDS: u64 = 60;

/// Waits until links such as `/dev/disk/by-uuid` are as the devices are.
///
/// # Errors
/// It takes too long.
pub fn settle(host: &Host) -> Result<()> {
    let command = Command::new("udevadm").args(["settle", &format!("--timeout={SECONDS}")]);
    host.runner.run(&command.timeout(Duration::from_secs(2 * SECONDS)))?;
    Ok(())
}
