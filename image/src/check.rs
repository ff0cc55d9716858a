//! Named checks over the finished image. Each reads what was written, not what was meant.

use std::{fs::File, path::Path};

use ext4_view::{Ext4, Ext4Error, Ext4Read};
use host::{
    command::Runner,
    fat,
    table::{self, Extent, Partition, SECTOR},
    window::Window,
};
use model::paths::{self, partition};
use uuid::Uuid;

use crate::{
    debian::Tools,
    error::{At as _, ImageError, Result},
    grub,
    identifiers::Identifiers,
    manifest::{CARD, Card, Manifest},
};

/// The root file system as the checks see it; a test hands in a small stand-in.
pub trait Files {
    /// The content of a file; none if it is not there. Symbolic links are followed.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String>;
    /// Permission bits; none if it is not there. Symbolic links are followed.
    fn mode(&self, path: &str) -> Result<Option<u32>, String>;
    /// Names in a folder; none if it is not there.
    fn list(&self, path: &str) -> Result<Vec<String>, String>;
}

type Check = fn(&dyn Files) -> Result<(), String>;

/// The checks over the root file system.
const ROOT_CHECKS: &[(&str, Check)] = &[
    ("no-ssh-host-keys", no_ssh_host_keys),
    ("machine-id-empty", machine_id_empty),
    ("no-hostname-of-the-builder", no_hostname),
    ("no-random-seed", no_random_seed),
    ("no-logs-and-lists", no_logs_and_lists),
    ("no-passwords", no_passwords),
    ("installer-present", installer_present),
    ("installer-starts", installer_starts),
    ("catalogue-present", catalogue_present),
    ("kernel-present", kernel_present),
];

fn must(good: bool, complaint: &str) -> Result<(), String> {
    if good { Ok(()) } else { Err(complaint.to_owned()) }
}

fn no_ssh_host_keys(root: &dyn Files) -> Result<(), String> {
    match root.list("/etc/ssh")?.iter().find(|name| name.starts_with("ssh_host_")) {
        Some(name) => Err(format!("/etc/ssh/{name} would be the same on every box")),
        None => Ok(()),
    }
}

fn machine_id_empty(root: &dyn Files) -> Result<(), String> {
    must(
        root.read("/etc/machine-id")?.is_some_and(|text| text.is_empty()),
        "/etc/machine-id must be there and empty: systemd fills it on each box",
    )?;
    must(
        root.read("/var/lib/dbus/machine-id")?.is_none_or(|text| text.is_empty()),
        "/var/lib/dbus/machine-id would be the same on every box",
    )
}

fn no_hostname(root: &dyn Files) -> Result<(), String> {
    must(
        root.read("/etc/hostname")?.is_some_and(|text| text == b"homelab\n"),
        "/etc/hostname must say `homelab`, not the name of the machine that built the image",
    )
}

fn no_random_seed(root: &dyn Files) -> Result<(), String> {
    for path in ["/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret"] {
        must(root.read(path)?.is_none(), &format!("{path} would be the same on every box"))?;
    }
    Ok(())
}

fn no_logs_and_lists(root: &dyn Files) -> Result<(), String> {
    for folder in ["/var/log", "/var/lib/apt/lists"] {
        if let Some(path) = file_below(root, folder)? {
            return Err(format!("{path} was left behind by the bootstrap"));
        }
    }
    Ok(())
}

/// The first file below a folder; services want their empty folders with the right owner.
fn file_below(root: &dyn Files, folder: &str) -> Result<Option<String>, String> {
    for name in root.list(folder)? {
        let path = format!("{folder}/{name}");
        // Reading a folder is an error, which is how it is told from a file.
        if root.read(&path).is_ok_and(|content| content.is_some()) {
            return Ok(Some(path));
        }
        if let Some(found) = file_below(root, &path)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn no_passwords(root: &dyn Files) -> Result<(), String> {
    let shadow = root.read("/etc/shadow")?.ok_or("/etc/shadow is missing")?;
    for line in String::from_utf8_lossy(&shadow).lines() {
        let mut fields = line.split(':');
        let (name, hash) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        must(
            hash.starts_with(['*', '!']),
            &format!("the account `{name}` can be logged into with a password"),
        )?;
    }
    Ok(())
}

fn installer_present(root: &dyn Files) -> Result<(), String> {
    let mode = root.mode("/usr/bin/homelab")?.ok_or("/usr/bin/homelab is missing")?;
    must(mode & 0o7777 == 0o755, &format!("/usr/bin/homelab has the mode {mode:o}, not 755"))
}

fn installer_starts(root: &dyn Files) -> Result<(), String> {
    let unit = "homelab-install.service";
    let wanted = root.list("/etc/systemd/system/multi-user.target.wants")?;
    must(wanted.iter().any(|name| name == unit), &format!("{unit} is not enabled"))?;
    must(
        root.read(&format!("/etc/systemd/system/{unit}"))?.is_some(),
        &format!("{unit} is enabled, but not there"),
    )
}

fn catalogue_present(root: &dyn Files) -> Result<(), String> {
    for file in ["images.lock", "core/compose.yaml"] {
        let path = format!("{}/{file}", paths::CATALOGUE);
        must(root.read(&path)?.is_some(), &format!("{path} is missing"))?;
    }
    Ok(())
}

fn kernel_present(root: &dyn Files) -> Result<(), String> {
    for path in ["/vmlinuz", "/initrd.img"] {
        must(
            root.read(path)?.is_some_and(|bytes| bytes.len() > 1 << 20),
            &format!("{path}, which the menu loads, is missing or leads nowhere"),
        )?;
    }
    Ok(())
}

/// Runs every check over a finished image and returns how many there are.
///
/// # Errors
/// All that failed, by name; or the image cannot be read at all.
pub fn run(image: &Path, manifest: &Manifest, runner: &dyn Runner, tools: &Tools) -> Result<usize> {
    let mut file = File::open(image).at("read", image)?;
    let (disk_id, partitions) = table::read(&mut file)?;
    let find = |number| partitions.iter().find(|p| p.number == number).map(|p| p.extent);
    let (Some(bios), Some(efi), Some(root), Some(seed)) = (
        find(partition::BIOS_BOOT),
        find(partition::EFI),
        find(partition::ROOT),
        find(partition::SEED),
    ) else {
        return Err(ImageError::Checks(vec!["partitions: one of the four is missing".into()]));
    };
    let mut results: Vec<(&str, Result<(), String>)> = vec![
        ("partition-order", order(&partitions)),
        ("both-partition-tables", both_tables(&mut file)),
        ("identifiers", identifiers(disk_id, &partitions, &manifest.identifiers)),
        ("grub-fields", grub::check(&mut file, bios)),
        ("efi-files", efi_files(&file, efi)),
        ("seed-partition", seed_partition(&file, seed, manifest)),
        ("root-clean", root_clean(runner, tools, image, root)),
    ];
    let opened = open_root(&file, root);
    match &opened {
        Ok(files) => {
            results.extend(ROOT_CHECKS.iter().map(|(name, check)| (*name, check(files))));
            results.push(("manifest-inside", manifest_inside(files, manifest)));
        }
        Err(error) => results.push(("root-readable", Err(error.clone()))),
    }
    let count = results.len();
    let failed: Vec<String> = results
        .into_iter()
        .filter_map(|(name, result)| Some(format!("{name}: {}", result.err()?)))
        .collect();
    if failed.is_empty() { Ok(count) } else { Err(ImageError::Checks(failed)) }
}

fn order(partitions: &[Partition]) -> Result<(), String> {
    let mut by_place: Vec<_> = partitions.iter().map(|p| (p.extent.start, p.number)).collect();
    by_place.sort_unstable();
    let numbers: Vec<_> = by_place.iter().map(|(_, number)| *number).collect();
    must(
        numbers == [partition::BIOS_BOOT, partition::EFI, partition::SEED, partition::ROOT],
        "root must lie last on the disk, so that it can grow",
    )
}

/// The box tells by these whether it still has the identity of the image.
fn identifiers(disk: Uuid, partitions: &[Partition], wanted: &Identifiers) -> Result<(), String> {
    must(disk == wanted.disk, "the disk has another GUID than the manifest says")?;
    for (number, id) in [
        (partition::BIOS_BOOT, wanted.bios_boot),
        (partition::EFI, wanted.efi),
        (partition::ROOT, wanted.root),
        (partition::SEED, wanted.seed),
    ] {
        must(
            partitions.iter().any(|found| (found.number, found.id) == (number, id)),
            &format!("partition {number} has another GUID than the manifest says"),
        )?;
    }
    Ok(())
}

/// e2fsck sees what `mke2fs` may have got wrong.
fn root_clean(
    runner: &dyn Runner,
    tools: &Tools,
    image: &Path,
    root: Extent,
) -> Result<(), String> {
    let place = format!("{}?offset={}", image.display(), root.start);
    let command = tools.command("usr/sbin/e2fsck").args(["-fn", &place]);
    runner.run(&command).map(drop).map_err(|error| error.to_string())
}

fn both_tables(file: &mut File) -> Result<(), String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let length = file.seek(SeekFrom::End(0)).map_err(|e| e.to_string())?;
    for at in [SECTOR, length - SECTOR] {
        let mut signature = [0; 8];
        file.seek(SeekFrom::Start(at)).map_err(|e| e.to_string())?;
        file.read_exact(&mut signature).map_err(|e| e.to_string())?;
        must(&signature == b"EFI PART", &format!("no partition table at byte {at}"))?;
    }
    Ok(())
}

fn volume(file: &File, place: Extent) -> Result<fat::ReadOnly<Window<File>>, String> {
    let file = file.try_clone().map_err(|e| e.to_string())?;
    Ok(fat::ReadOnly(Window::new(file, place.start, place.length)))
}

fn efi_files(file: &File, efi: Extent) -> Result<(), String> {
    let read = |path: &str| fat::get(volume(file, efi)?, path).map_err(|e| format!("{path}: {e}"));
    for path in ["EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "EFI/BOOT/mmx64.efi"] {
        let content = read(path)?.ok_or(format!("{path} is missing"))?;
        must(content.starts_with(b"MZ"), &format!("{path} is no EFI program"))?;
    }
    must(
        read("EFI/debian/grub.cfg")?.is_some_and(|text| text == grub::MENU.as_bytes()),
        "EFI/debian/grub.cfg is not the menu",
    )?;
    must(
        read(partition::GRUB_ENVIRONMENT)?.is_some_and(|block| block.len() == 1024),
        "the environment block does not have 1024 bytes",
    )
}

fn seed_partition(file: &File, seed: Extent, manifest: &Manifest) -> Result<(), String> {
    let read = |path: &str| fat::get(volume(file, seed)?, path).map_err(|e| format!("{path}: {e}"));
    must(read(partition::SEED_FILE)?.is_none(), "the image carries a seed already")?;
    must(read("README.TXT")?.is_some(), "README.TXT is missing")?;
    let card = read(CARD)?.ok_or(format!("{CARD} is missing"))?;
    let card: Card = serde_json::from_slice(&card).map_err(|e| format!("{CARD}: {e}"))?;
    must(card.seed_schema == manifest.seed_schema, "the card names other seed schemas")
}

fn manifest_inside(root: &dyn Files, manifest: &Manifest) -> Result<(), String> {
    must(
        root.read(paths::MANIFEST)?.is_some_and(|text| text == manifest.to_text().as_bytes()),
        "the manifest inside is not the one beside the image",
    )
}

fn open_root(file: &File, root: Extent) -> Result<Root, String> {
    let file = file.try_clone().map_err(|e| e.to_string())?;
    let reader = Box::new(ReadAt { file, start: root.start });
    Ext4::load(reader).map(Root).map_err(|e| format!("the root file system cannot be read: {e}"))
}

struct ReadAt {
    file: File,
    start: u64,
}

impl Ext4Read for ReadAt {
    fn read(
        &mut self,
        start: u64,
        bytes: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        use std::os::unix::fs::FileExt as _;
        Ok(self.file.read_exact_at(bytes, self.start + start)?)
    }
}

/// The root file system of a real image.
struct Root(Ext4);

/// `NotFound` is a value here.
fn optional<T>(result: Result<T, Ext4Error>) -> Result<Option<T>, String> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Ext4Error::NotFound) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

impl Files for Root {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        optional(self.0.read(path)).map_err(|e| format!("{path}: {e}"))
    }

    fn mode(&self, path: &str) -> Result<Option<u32>, String> {
        Ok(optional(self.0.metadata(path))
            .map_err(|e| format!("{path}: {e}"))?
            .map(|m| m.mode().into()))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, String> {
        let Some(entries) = optional(self.0.read_dir(path)).map_err(|e| format!("{path}: {e}"))?
        else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| format!("{path}: {e}"))?;
            let name = entry.file_name().display().to_string();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests;
