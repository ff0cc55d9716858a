//! Our lines of `/etc/crypttab`, by which systemd unlocks disks at the start.

use host::{Command, crypt, files};
use model::{
    disk::{Crypt, Unlock},
    plan::{MountWish, Storage},
};

use super::unit;
use crate::{
    failure::{Context as _, Result, Trouble},
    scene::Scene,
    steps::Holding,
};

const PATH: &str = "/etc/crypttab";
/// What stands above each line of ours; all others belong to the owner.
const MARK: &str = "# Written by homelab.";

/// A disk that cannot be unlocked is told before anything is changed.
pub(super) fn check<'a>(
    mounts: impl Iterator<Item = &'a MountWish>,
    scene: &Scene<'_>,
) -> Result<()> {
    for mount in mounts {
        let Some(crypt) = &mount.crypt else { continue };
        let there = |path: &str| scene.host().path(path).exists();
        if crypt.unlock == Unlock::Tpm2 && !there(crypt::TPM) {
            return Err(Trouble::new(
                format!("`{}`: this machine has no TPM 2.0, or it is turned off", mount.at),
                "turn it on in the firmware, or write `encrypt = \"key\"`",
            ));
        }
        // A key is made with its container.
        if mount.format.is_some() {
            continue;
        }
        if !there(&format!("/dev/disk/by-uuid/{}", crypt.uuid)) {
            return Err(Trouble::new(
                format!(
                    "the disk for `{}` is not there: no LUKS container has the UUID {}",
                    mount.at, crypt.uuid
                ),
                "plug it in, or change `[[storage.mount]]` in the seed",
            ));
        }
        if crypt.unlock == Unlock::Key && !there(&crypt.key()) {
            return Err(Trouble::new(
                format!("the key of the disk for `{}` is not there: `{}`", mount.at, crypt.key()),
                format!(
                    "write it from the recovery sheet into that file, mode 0600 and without a \
                     line's end: `printf %s KEY > {}`",
                    crypt.key()
                ),
            ));
        }
    }
    Ok(())
}

/// What does not hold, and which keys should lie elsewhere.
pub(super) fn look(storage: &Storage, scene: &Scene<'_>, holding: &mut Holding) -> Result<()> {
    let before = scene.read(PATH)?.unwrap_or_default();
    holding.need(merged(&before, storage) == before, || format!("`{PATH}` is not as planned"));
    for crypt in storage.crypts().filter(|crypt| crypt.unlock == Unlock::Tpm2) {
        if scene.host().path(crypt.key()).exists() {
            holding.warn(format!(
                "`{}` opens a disk that the TPM unlocks: save it by `homelab recovery-sheet --to \
                 PLACE`, then remove it",
                crypt.key()
            ));
        }
    }
    Ok(())
}

/// Locks what no mount wants any more, and writes the lines; true if they were others.
pub(super) fn write(storage: &Storage, scene: &Scene<'_>) -> Result<bool> {
    let before = scene.read(PATH)?.unwrap_or_default();
    for name in ours(&before) {
        if storage.crypts().all(|crypt| crypt.name() != name) {
            let unit = unit::of_crypt(name);
            scene.run(Command::new("systemctl").args(["stop", &unit])).because(
                format!("{unit} of an earlier plan cannot be locked"),
                "stop what uses it and run `homelab apply` again",
            )?;
        }
    }
    let text = merged(&before, storage);
    if text == before {
        return Ok(false);
    }
    files::write_atomic(scene.host().path(PATH), text, 0o644, (0, 0))?;
    Ok(true)
}

/// The content of every disk is to be seen, by the very way that each start takes.
pub(super) fn unlock<'a>(
    mounts: impl Iterator<Item = &'a MountWish>,
    scene: &Scene<'_>,
) -> Result<()> {
    let crypts = mounts.filter_map(|mount| mount.crypt.as_ref());
    for crypt in crypts.filter(|crypt| !crypt::is_unlocked(scene.host(), crypt)) {
        let unit = unit::of_crypt(&crypt.name());
        host::systemd::start(scene.host().runner.as_ref(), &unit).because(
            format!("the disk {} cannot be unlocked", crypt.uuid),
            format!("`systemctl status '{unit}'` shows why"),
        )?;
    }
    Ok(())
}

/// Names in the lines below our mark.
fn ours(text: &str) -> impl Iterator<Item = &str> {
    let below = text.lines().zip(text.lines().skip(1));
    below.filter(|(above, _)| *above == MARK).filter_map(|(_, line)| line.split(' ').next())
}

/// The owner's lines as they are, and ours behind them.
fn merged(before: &str, storage: &Storage) -> String {
    let mut text = String::new();
    let mut lines = before.lines();
    while let Some(line) = lines.next() {
        if line == MARK {
            lines.next();
        } else {
            text += line;
            text.push('\n');
        }
    }
    for line in storage.crypts().map(Crypt::line) {
        text += &format!("{MARK}\n{line}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(uuids: &[&str]) -> Storage {
        let mount = |uuid: &&str| MountWish {
            crypt: Some(Crypt { uuid: (*uuid).to_owned(), unlock: Unlock::Tpm2 }),
            ..MountWish::default()
        };
        let mounts = uuids.iter().map(mount).collect();
        Storage { grow_root: false, folders: Vec::new(), mounts }
    }

    #[test]
    fn the_owners_lines_are_kept() {
        let own = "# <target> <source>\nswap /dev/sda5 /dev/urandom swap\n";
        let one = merged(own, &storage(&["u-1"]));
        assert_eq!(
            one,
            format!(
                "{own}# Written by homelab.\nluks-u-1 UUID=u-1 - \
                 luks,nofail,headless=true,tpm2-device=auto,x-systemd.device-timeout=30s\n"
            )
        );
        assert_eq!(merged(&one, &storage(&["u-1"])), one);
        let two = merged(&one, &storage(&["u-2", "u-3"]));
        assert_eq!(ours(&two).collect::<Vec<_>>(), ["luks-u-2", "luks-u-3"]);
        assert_eq!(merged(&two, &storage(&[])), own);
        assert_eq!(merged("", &storage(&[])), "");
    }
}
