//! What no two boxes may share: machine-id, SSH host keys, identifiers of the boot disk.
//!
//! systemd and the SSH server make the first two at the first start; a cut in just that moment can
//! leave them half-made, so they are looked at here again.

use host::{Command, files, identifiers};

use crate::{
    failure::{Context as _, Result},
    scene::{Progress, Scene},
    steps::Holding,
};

const MACHINE_ID: &str = "/etc/machine-id";
/// The kinds that `ssh-keygen -A` makes and `sshd` offers.
const HOST_KEYS: [&str; 3] = ["ecdsa", "ed25519", "rsa"];

pub(super) fn look(scene: &Scene<'_>, holding: &mut Holding) -> Result<()> {
    holding.need(has_machine_id(scene)?, || format!("`{MACHINE_ID}` holds no id"));
    for key in bad_host_keys(scene)? {
        holding.lacks(format!("`{key}` is no key"));
    }
    for name in identifiers::shared(scene.host())? {
        holding.lacks(format!("{name} is the image's own, which other boxes have too"));
    }
    Ok(())
}

pub(super) fn make(scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
    if !has_machine_id(scene)? {
        scene.run(Command::new("systemd-machine-id-setup"))?;
    }
    let bad = bad_host_keys(scene)?;
    if !bad.is_empty() {
        progress.note("making SSH host keys");
        for key in bad {
            files::remove(scene.host().path(&key))?;
            files::remove(scene.host().path(format!("{key}.pub")))?;
        }
        scene.run(Command::new("ssh-keygen").arg("-A"))?;
        scene.run(Command::new("systemctl").args(["try-restart", "ssh.service"]))?;
    }
    if !identifiers::shared(scene.host())?.is_empty() {
        progress.note("giving the disk identifiers of its own");
        identifiers::replace_shared(scene.host())
            .because("the disk cannot get identifiers of its own", "")?;
    }
    Ok(())
}

fn has_machine_id(scene: &Scene<'_>) -> Result<bool> {
    let id = scene.read(MACHINE_ID)?.unwrap_or_default();
    let id = id.trim();
    Ok(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Host keys that are not there, or that were cut off while they were written.
fn bad_host_keys(scene: &Scene<'_>) -> Result<Vec<String>> {
    let mut bad = Vec::new();
    for kind in HOST_KEYS {
        let path = format!("/etc/ssh/ssh_host_{kind}_key");
        let whole = |text: String| {
            text.starts_with("-----BEGIN") && text.trim_end().ends_with("PRIVATE KEY-----")
        };
        let public = scene.read(&format!("{path}.pub"))?.is_some_and(|text| text.ends_with('\n'));
        if !public || !scene.read(&path)?.is_some_and(whole) {
            bad.push(path);
        }
    }
    Ok(bad)
}
