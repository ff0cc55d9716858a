//! What the boot loader counts: attempts to install, until the box is installed.

use std::path::Path;

use model::{GrubEnvironment, paths::partition};

use crate::{
    BootDisk, Host, HostError, Result, files,
    volume::{self, Use},
};

/// GRUB's variables; the menu in the image uses the same ones.
const STATE: &str = "state";
const INSTALLED: &str = "installed";
const ATTEMPTS: &str = "attempts";

/// Does the boot loader know that the box is installed?
///
/// # Errors
/// The EFI partition of the boot disk cannot be read.
pub fn is_installed(host: &Host) -> Result<bool> {
    let mut installed = false;
    with_block(host, Use::Read, &mut |path| {
        installed = read(path)?.get(STATE) == Some(INSTALLED);
        Ok(())
    })?;
    Ok(installed)
}

/// The box is installed: attempts are no longer counted.
///
/// # Errors
/// The EFI partition of the boot disk cannot be written.
pub fn set_installed(host: &Host) -> Result<()> {
    change(host, |block| block.with(STATE, INSTALLED).with(ATTEMPTS, "0"))
}

/// This start was no failed attempt.
///
/// # Errors
/// The EFI partition of the boot disk cannot be written.
pub fn forgive_attempts(host: &Host) -> Result<()> {
    change(host, |block| block.with(ATTEMPTS, "0"))
}

/// Nobody has tried to install the system whose EFI partition is mounted in `folder`.
///
/// # Errors
/// There is no environment block, or it cannot be written.
pub(crate) fn forget_attempts(folder: &Path) -> Result<()> {
    write(&folder.join(partition::GRUB_ENVIRONMENT), |block| block.with(ATTEMPTS, "0"))
}

fn change(host: &Host, set: impl Fn(GrubEnvironment) -> GrubEnvironment) -> Result<()> {
    with_block(host, Use::Write, &mut |path| write(path, &set))
}

fn write(path: &Path, set: impl Fn(GrubEnvironment) -> GrubEnvironment) -> Result<()> {
    let block = set(read(path)?)
        .to_block()
        .ok_or_else(|| HostError::Other(format!("`{}` is full", partition::GRUB_ENVIRONMENT)))?;
    // GRUB wants the very clusters that it knows, never a new file.
    files::overwrite_in_place(path, &block)
}

fn with_block(host: &Host, what_for: Use, work: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    let device = BootDisk::find(host)?.partition(partition::EFI);
    volume::with_fat(host, &device, what_for, &mut |folder| {
        work(&folder.join(partition::GRUB_ENVIRONMENT))
    })
}

fn read(path: &Path) -> Result<GrubEnvironment> {
    let bytes = files::read_optional(path)?;
    bytes.and_then(|bytes| GrubEnvironment::parse(&bytes)).ok_or_else(|| {
        HostError::Other(format!(
            "`{}` on the EFI partition is no environment block of GRUB",
            partition::GRUB_ENVIRONMENT
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fake;

    #[test]
    fn marks_survive_and_other_variables_stay() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake::boot_disk(folder.path(), "vda", 3);
        let efi = folder.path().join("run/homelab/volume/vda2/EFI/debian");
        fs::create_dir_all(&efi).unwrap();
        let block = GrubEnvironment::default().with("attempts", "2").with("options", "nomodeset");
        fs::write(efi.join("grubenv"), block.to_block().unwrap()).unwrap();
        let host = fake.host();
        assert!(!is_installed(&host).unwrap());
        forgive_attempts(&host).unwrap();
        assert!(!is_installed(&host).unwrap());
        set_installed(&host).unwrap();
        assert!(is_installed(&host).unwrap());
        let after = GrubEnvironment::parse(&fs::read(efi.join("grubenv")).unwrap()).unwrap();
        assert_eq!((after.get("attempts"), after.get("options")), (Some("0"), Some("nomodeset")));
    }

    #[test]
    fn a_damaged_block_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake::boot_disk(folder.path(), "vda", 3);
        assert_eq!(
            is_installed(&fake.host()).unwrap_err().to_string(),
            "`EFI/debian/grubenv` on the EFI partition is no environment block of GRUB"
        );
    }
}
