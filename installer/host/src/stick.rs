//! Files for their owner to take away: into a folder, or onto a stick that is mounted for it.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
};

use model::{
    Secret,
    facts::{Disk, Volume},
};

use crate::{
    Host, HostError, Result, disks,
    files::{self, failed},
    volume::{self, Use},
};

/// Saves files by their names relative to `to`, and reads them back. `to` is a folder, a FAT
/// partition, or a disk with exactly one of them; nothing is ever formatted. Says where they are.
///
/// # Errors
/// `to` is none of these, or belongs to the disk that the box runs from; it cannot be written.
pub fn save(host: &Host, to: &Path, names_and_contents: &[(String, Secret)]) -> Result<String> {
    // A link such as those below /dev/disk counts as what it leads to.
    let place = if to.is_absolute() { host.path(to) } else { to.to_owned() };
    let place = fs::canonicalize(place).map_err(failed("open", to))?;
    let about = fs::metadata(&place).map_err(failed("open", to))?;
    let write = |folder: &Path| -> Result<()> {
        names_and_contents
            .iter()
            .try_for_each(|(name, content)| leave(folder, name, content.reveal().as_bytes()))
    };
    if about.is_dir() {
        write(&place)?;
        return Ok(format!("`{}`", to.display()));
    }
    if !about.file_type().is_block_device() {
        return Err(HostError::Other(format!(
            "`{}` is neither a folder nor a disk; `lsblk` shows the disks",
            to.display()
        )));
    }
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let disks = disks::disks(host)?;
    let volume = partition(&disks, &name).map_err(HostError::Other)?;
    let device = Path::new("/dev").join(&volume.name);
    volume::with_fat(host, &device, Use::Write, &mut |folder| write(folder))?;
    let label = volume.label.as_deref().map(|label| format!(" ({label})")).unwrap_or_default();
    Ok(format!("the partition `{}`{label}; it can be pulled out now", device.display()))
}

/// The one FAT partition that a kernel name means.
fn partition<'d>(disks: &'d [Disk], name: &str) -> Result<&'d Volume, String> {
    let of_disk =
        |disk: &&Disk| disk.name == name || disk.contents.iter().any(|volume| volume.name == name);
    let Some(disk) = disks.iter().find(of_disk) else {
        return Err(format!("`{name}` is no disk that `lsblk` shows"));
    };
    if disk.boot {
        return Err(format!(
            "`{name}` belongs to the disk that the box runs from: what is saved there is lost with \
             it; take a stick"
        ));
    }
    let fat = |volume: &&Volume| volume.signature.as_deref() == Some("vfat");
    let whole = disk.name == name;
    let mut found = disk.contents.iter().filter(|volume| whole || volume.name == name).filter(fat);
    match (found.next(), found.next()) {
        (Some(volume), None) => match volume.mounted_at.first() {
            None => Ok(volume),
            Some(place) => {
                Err(format!("`{name}` is mounted at `{place}` already: name that folder"))
            }
        },
        (None, _) => Err(format!(
            "`{name}` has no FAT file system, and nothing is formatted here; a stick as it comes \
             from the shop has one"
        )),
        (Some(one), Some(other)) => Err(format!(
            "`{name}` has more than one FAT file system: name one of them, such as `/dev/{}` or \
             `/dev/{}`",
            one.name, other.name
        )),
    }
}

/// Replaces a file as a whole, with whatever permissions the file system knows: those of its owner
/// only. Folders below `folder` are made.
fn leave(folder: &Path, name: &str, content: &[u8]) -> Result<()> {
    let path = folder.join(name);
    let fresh = folder.join(format!("{name}.new"));
    let below = path.parent().unwrap_or(folder);
    let write = || {
        DirBuilder::new().recursive(true).mode(0o700).create(below)?;
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)
    };
    write().map_err(failed("write", &path))?;
    files::sync_folder(below)?;
    if fs::read(&path).map_err(failed("read back", &path))? == content {
        return Ok(());
    }
    Err(HostError::Other(format!("`{}` reads back otherwise: the medium is bad", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn volume(name: &str, signature: &str, mounted_at: &[&str]) -> Volume {
        Volume {
            name: name.into(),
            number: Some(1),
            size: 1,
            signature: Some(signature.into()),
            uuid: None,
            label: None,
            mounted_at: mounted_at.iter().map(|place| (*place).to_owned()).collect(),
        }
    }

    fn disk(name: &str, boot: bool, contents: Vec<Volume>) -> Disk {
        Disk {
            name: name.into(),
            model: String::new(),
            serial: String::new(),
            ids: Vec::new(),
            size: 1,
            sector: 512,
            bus: "usb".into(),
            removable: true,
            boot,
            contents,
            ..Disk::default()
        }
    }

    #[test]
    fn a_folder_gets_private_files_and_old_ones_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let host = crate::fake::host(folder.path()).host();
        fs::create_dir(folder.path().join("stick")).unwrap();
        let save = |content: &str| {
            let file = ("secrets/a".to_owned(), Secret::new(content));
            super::save(&host, Path::new("/stick"), &[file]).unwrap()
        };
        assert_eq!(save("one"), "`/stick`");
        save("two");
        let path = folder.path().join("stick/secrets/a");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let place = fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(place.permissions().mode() & 0o777, 0o700);
        assert_eq!(files::list(path.parent().unwrap()).unwrap(), ["a"]);
    }

    #[test]
    fn what_is_no_place_to_save_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let host = crate::fake::host(folder.path()).host();
        fs::write(folder.path().join("file"), "x").unwrap();
        let told = |to: &str| save(&host, Path::new(to), &[]).unwrap_err().to_string();
        assert_eq!(told("/nowhere"), "cannot open `/nowhere`");
        assert_eq!(
            told("/file"),
            "`/file` is neither a folder nor a disk; `lsblk` shows the disks"
        );
    }

    #[test]
    fn a_stick_is_found_and_the_own_disk_is_refused() {
        let all = [
            disk("vda", true, vec![volume("vda4", "vfat", &[])]),
            disk("sda", false, vec![volume("sda1", "vfat", &[]), volume("sda2", "ext4", &[])]),
            disk("sdb", false, vec![volume("sdb1", "vfat", &[]), volume("sdb2", "vfat", &[])]),
            disk("sdc", false, vec![volume("sdc1", "vfat", &["/media/stick"])]),
            disk("sdd", false, vec![volume("sdd1", "ntfs", &[])]),
        ];
        let found = |name: &str| partition(&all, name).map(|volume| volume.name.as_str());
        assert_eq!(found("sda"), Ok("sda1"));
        assert_eq!(found("sdb2"), Ok("sdb2"));
        for (name, words) in [
            ("sdz", "`sdz` is no disk that `lsblk` shows"),
            (
                "vda4",
                "`vda4` belongs to the disk that the box runs from: what is saved there is lost \
                 with it; take a stick",
            ),
            (
                "sdb",
                "`sdb` has more than one FAT file system: name one of them, such as `/dev/sdb1` \
                 or `/dev/sdb2`",
            ),
            ("sdc1", "`sdc1` is mounted at `/media/stick` already: name that folder"),
            (
                "sda2",
                "`sda2` has no FAT file system, and nothing is formatted here; a stick as it \
                 comes from the shop has one",
            ),
            (
                "sdd",
                "`sdd` has no FAT file system, and nothing is formatted here; a stick as it comes \
                 from the shop has one",
            ),
        ] {
            assert_eq!(found(name), Err(words.to_owned()));
        }
    }
}
