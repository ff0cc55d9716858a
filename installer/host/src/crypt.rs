//! LUKS containers and their keys.

use std::path::{Path, PathBuf};

use model::{disk::Crypt, disk::Unlock, paths};

use crate::{Command, Host, Result, files, random};

/// Characters of a key: 285 bits.
const LENGTH: usize = 48;

/// The device of the machine's TPM 2.0.
pub const TPM: &str = "/dev/tpmrm0";

/// Is its content to be seen?
pub fn is_unlocked(host: &Host, crypt: &Crypt) -> bool {
    host.path(crypt.device()).exists()
}

/// Makes a container on a partition, with the key of the box; the key is made first if it is not
/// there. `label` tells people which one it is.
///
/// # Errors
/// `cryptsetup` failed; the TPM refused.
pub fn make(host: &Host, crypt: &Crypt, partition: &Path, label: &str) -> Result<()> {
    let key = key(host, crypt)?;
    // Stretching is for what people think up. This key cannot be guessed, so it would cost nothing
    // but a second and hundreds of MiB at every start.
    let stretch = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
    let command = Command::new("cryptsetup")
        .args(["--batch-mode", "luksFormat", "--type", "luks2"])
        .args(["--uuid", &crypt.uuid, "--label", &format!("homelab-{label}")])
        .args(stretch)
        .arg("--key-file")
        .arg(&key)
        .arg(partition);
    host.runner.run(&command)?;
    if crypt.unlock == Unlock::Tpm2 {
        let mut with = std::ffi::OsString::from("--unlock-key-file=");
        with.push(&key);
        // Register 7 holds whether Secure Boot is on and whose signatures it takes: a kernel update
        // leaves it as it is, another system that is started from a stick does not.
        host.runner.run(
            &Command::new("systemd-cryptenroll")
                .arg(with)
                .args(["--tpm2-device=auto", "--tpm2-pcrs=7"])
                .arg(partition),
        )?;
    }
    Ok(())
}

/// Unlocks it by the key of the box.
///
/// # Errors
/// `cryptsetup` failed.
pub fn unlock(host: &Host, crypt: &Crypt, partition: &Path) -> Result<()> {
    let command = Command::new("cryptsetup").arg("open").arg("--key-file");
    host.runner.run(&command.arg(key(host, crypt)?).arg(partition).arg(crypt.name()))?;
    Ok(())
}

/// Locks it.
///
/// # Errors
/// It is in use.
pub fn lock(host: &Host, crypt: &Crypt) -> Result<()> {
    host.runner.run(&Command::new("cryptsetup").arg("close").arg(crypt.name()))?;
    Ok(())
}

/// The file with the key, which is made if it is not there.
fn key(host: &Host, crypt: &Crypt) -> Result<PathBuf> {
    let path = host.path(crypt.key());
    if files::read_optional(&path)?.is_none() {
        files::ensure_folder(host.path(paths::KEYS), 0o700, (0, 0))?;
        files::write_atomic(&path, random::alphanumeric(LENGTH)?.reveal(), 0o600, (0, 0))?;
    }
    Ok(path)
}
