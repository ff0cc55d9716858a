//! The entry by which UEFI starts a disk. The firmware finds the disk without one, too, by
//! `EFI/BOOT/BOOTX64.EFI`, but asks its own entries first: one of another system would win.

use std::path::Path;

use model::paths::partition;

use crate::{Command, Host, Result};

/// What the firmware's menu shows.
const LABEL: &str = "Homelab";
/// The boot manager that Microsoft signed, where every firmware looks; GRUB lies beside it.
const LOADER: &str = r"\EFI\BOOT\BOOTX64.EFI";

/// Makes the entry for the EFI partition of a disk, first in the order; earlier ones of ours go. False:
/// this machine was not started by UEFI.
///
/// # Errors
/// The firmware refuses.
pub fn make(host: &Host, disk: &Path) -> Result<bool> {
    if !host.path("/sys/firmware/efi").exists() {
        return Ok(false);
    }
    let listed = host.runner.run(&Command::new("efibootmgr"))?;
    for number in ours(&listed.stdout) {
        let remove = ["--quiet", "--bootnum", number, "--delete-bootnum"];
        host.runner.run(&Command::new("efibootmgr").args(remove))?;
    }
    let part = partition::EFI.to_string();
    let words = ["--quiet", "--create", "--part", &part, "--label", LABEL, "--loader", LOADER];
    host.runner.run(&Command::new("efibootmgr").args(words).arg("--disk").arg(disk))?;
    Ok(true)
}

/// Numbers of the entries with our label: `Boot0003* Homelab<tab>HD(2,GPT,…)`.
fn ours(listed: &str) -> Vec<&str> {
    listed.lines().filter_map(number).collect()
}

fn number(line: &str) -> Option<&str> {
    let (number, rest) = line.strip_prefix("Boot")?.split_at_checked(4)?;
    let label = rest.trim_start_matches('*').trim_start().split('\t').next()?;
    let hex = number.chars().all(|digit| digit.is_ascii_hexdigit());
    (hex && label.trim_end() == LABEL).then_some(number)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fake;

    const LISTED: &str = "BootCurrent: 0001\nTimeout: 0 seconds\nBootOrder: 0001,0000,0003\n\
        Boot0000* UiApp\tFvVol(7cb8)/FvFile(462c)\nBoot0001* UEFI QEMU USB\tPciRoot(0x0)\n\
        Boot0003* Homelab\tHD(2,GPT,a)/\\EFI\\BOOT\\BOOTX64.EFI\n\
        Boot000A  Homelab\tHD(2,GPT,b)\nBoot000B* Homelab old\tHD(2,GPT,b)\n";

    #[test]
    fn a_new_entry_replaces_those_of_ours_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake.runner.answer(["efibootmgr"], LISTED);
        let host = fake.host();
        assert!(!make(&host, Path::new("/dev/nvme0n1")).unwrap(), "started by BIOS");
        assert!(fake.runner.commands().is_empty());
        fs::create_dir_all(host.path("/sys/firmware/efi")).unwrap();
        assert!(make(&host, Path::new("/dev/nvme0n1")).unwrap());
        assert_eq!(
            fake.runner.commands(),
            [
                "efibootmgr",
                "efibootmgr --quiet --bootnum 0003 --delete-bootnum",
                "efibootmgr --quiet --bootnum 000A --delete-bootnum",
                "efibootmgr --quiet --create --part 2 --label Homelab --loader \
                 '\\EFI\\BOOT\\BOOTX64.EFI' --disk /dev/nvme0n1",
            ]
        );
    }
}
