//! The identifiers of the boot disk: every box replaces those that it shares with all others of
//! its image.

use std::{collections::BTreeMap, path::Path};

use model::paths::{self, partition};
use serde::Deserialize;

use crate::{BootDisk, Command, Host, HostError, Result, files};

/// What the manifest says that every fresh copy of the image has.
#[derive(Debug, Deserialize)]
struct Image {
    disk: String,
    bios_boot: String,
    efi: String,
    root: String,
    seed: String,
    root_filesystem: String,
    efi_serial: String,
    seed_serial: String,
}

#[derive(Deserialize)]
struct Manifest {
    identifiers: Image,
}

/// The identifiers of the boot disk that are still the image's, such as `the GUID of the disk`.
///
/// # Errors
/// The manifest or the disk cannot be read.
pub fn shared(host: &Host) -> Result<Vec<&'static str>> {
    let Some(image) = image(host)? else { return Ok(Vec::new()) };
    let disk = BootDisk::find(host)?;
    let mut shared = Vec::new();
    let mut compare = |device: &Path, pairs: &[(&str, &str, &'static str)]| -> Result<()> {
        let there = probe(host, device)?;
        for (key, value, name) in pairs {
            if there.get(*key).is_some_and(|found| found.eq_ignore_ascii_case(value)) {
                shared.push(*name);
            }
        }
        Ok(())
    };
    compare(&disk.disk, &[("PTUUID", &image.disk, "the GUID of the disk")])?;
    let id = "PART_ENTRY_UUID";
    compare(
        &disk.partition(partition::BIOS_BOOT),
        &[(id, &image.bios_boot, "the GUID of the BIOS boot partition")],
    )?;
    compare(
        &disk.partition(partition::EFI),
        &[
            (id, &image.efi, "the GUID of the EFI partition"),
            ("UUID", &image.efi_serial, EFI_SERIAL),
        ],
    )?;
    compare(
        &disk.partition(partition::ROOT),
        &[
            (id, &image.root, "the GUID of the root partition"),
            ("UUID", &image.root_filesystem, ROOT_FILE_SYSTEM),
        ],
    )?;
    compare(
        &disk.partition(partition::SEED),
        &[
            (id, &image.seed, "the GUID of the SEED partition"),
            ("UUID", &image.seed_serial, SEED_SERIAL),
        ],
    )?;
    Ok(shared)
}

const EFI_SERIAL: &str = "the serial number of the EFI file system";
const ROOT_FILE_SYSTEM: &str = "the UUID of the root file system";
const SEED_SERIAL: &str = "the serial number of the SEED file system";

/// Replaces the identifiers that are still the image's. A cut leaves some old and some new ones;
/// the next call replaces the rest. Nothing finds the disk by them: GRUB looks up the partition's
/// GUID at each start.
///
/// # Errors
/// A program refused.
pub fn replace_shared(host: &Host) -> Result<()> {
    let disk = BootDisk::find(host)?;
    let shared = shared(host)?;
    let efi = disk.partition(partition::EFI);
    let root = disk.partition(partition::ROOT);
    let seed = disk.partition(partition::SEED);
    if shared.iter().any(|name| name.starts_with("the GUID")) {
        // The backup table goes to the end of a disk that is larger than the image. The kernel
        // takes the new GUIDs partition by partition, since the disk is in use.
        let words = ["--move-second-header", "--randomize-guids"];
        host.runner.run(&Command::new("sgdisk").args(words).arg(&disk.disk))?;
        host.runner.run(&Command::new("partx").arg("--update").arg(&disk.disk))?;
    }
    for (name, command) in [
        (EFI_SERIAL, Command::new("fatlabel").args(["-i", "-r"]).arg(efi)),
        (SEED_SERIAL, Command::new("fatlabel").args(["-i", "-r"]).arg(seed)),
        (ROOT_FILE_SYSTEM, Command::new("tune2fs").args(["-U", "random"]).arg(root)),
    ] {
        if shared.contains(&name) {
            host.runner.run(&command)?;
        }
    }
    Ok(())
}

/// None: this is no image of ours.
fn image(host: &Host) -> Result<Option<Image>> {
    let Some(bytes) = files::read_optional(host.path(paths::MANIFEST))? else { return Ok(None) };
    serde_json::from_slice::<Manifest>(&bytes)
        .map(|manifest| Some(manifest.identifiers))
        .map_err(|error| HostError::Other(format!("`{}` is damaged: {error}", paths::MANIFEST)))
}

/// What lies on a device now, not what udev remembers.
fn probe(host: &Host, device: &Path) -> Result<BTreeMap<String, String>> {
    let command = Command::new("blkid").args(["--probe", "--output", "export"]).arg(device);
    let said = match host.runner.run(&command) {
        Ok(output) => output.stdout,
        // Nothing known lies on it.
        Err(error) if error.status == Some(2) => String::new(),
        Err(error) => return Err(error.into()),
    };
    let pairs = said.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fake;

    const MANIFEST: &str = r#"{"format": 1, "identifiers": {"disk": "d0", "bios_boot": "b0",
        "efi": "e0", "root": "r0", "seed": "s0", "root_filesystem": "f0", "root_hash_seed": "h0",
        "efi_serial": "1111-AAAA", "seed_serial": "2222-BBBB"}}"#;

    #[test]
    fn every_shared_identifier_is_found_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake::boot_disk(folder.path(), "sda", 3);
        let host = fake.host();
        assert!(shared(&host).unwrap().is_empty(), "no manifest, nothing to compare with");
        let manifest = host.path(paths::MANIFEST);
        fs::create_dir_all(manifest.parent().unwrap()).unwrap();
        fs::write(manifest, MANIFEST).unwrap();
        let blkid = |device: &str, said: &str| {
            fake.runner.answer(["blkid", "--probe", "--output", "export", device], said);
        };
        blkid("/dev/sda", "PTUUID=D0\nPTTYPE=gpt\n");
        blkid("/dev/sda1", "PART_ENTRY_UUID=b0\n");
        blkid("/dev/sda2", "UUID=1111-AAAA\nPART_ENTRY_UUID=e0\n");
        blkid("/dev/sda3", "UUID=f0\nPART_ENTRY_UUID=r0\n");
        blkid("/dev/sda4", "UUID=2222-BBBB\nPART_ENTRY_UUID=s0\n");
        assert_eq!(shared(&host).unwrap().len(), 8);
        replace_shared(&host).unwrap();
        let commands = fake.runner.commands().join("\n");
        assert!(commands.contains("sgdisk --move-second-header --randomize-guids /dev/sda\npartx"));
        assert!(commands.contains("fatlabel -i -r /dev/sda4"));
        blkid("/dev/sda", "PTUUID=d9\n");
        blkid("/dev/sda1", "PART_ENTRY_UUID=b9\n");
        blkid("/dev/sda2", "UUID=1111-AAAA\nPART_ENTRY_UUID=e9\n");
        blkid("/dev/sda3", "UUID=f0\nPART_ENTRY_UUID=r9\n");
        blkid("/dev/sda4", "UUID=3333-CCCC\nPART_ENTRY_UUID=s9\n");
        // A cut came after the table.
        assert_eq!(shared(&host).unwrap(), [EFI_SERIAL, ROOT_FILE_SYSTEM]);
        fake.runner.forget();
        replace_shared(&host).unwrap();
        let commands = fake.runner.commands();
        let acted: Vec<&str> =
            commands.iter().map(String::as_str).filter(|c| !c.starts_with("blkid")).collect();
        assert_eq!(acted, ["fatlabel -i -r /dev/sda2", "tune2fs -U random /dev/sda3"]);
    }
}
