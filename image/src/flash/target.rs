//! Which disk is meant, and whether it may be erased.

use std::{
    fmt, fs,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

use host::{Host, disks};
use model::{
    disk::{self, Consent, sectors},
    facts::Disk,
};

use crate::{
    error::{At as _, ImageError, Result},
    progress::bytes,
};

/// Where the image goes.
#[derive(Debug)]
pub(super) enum Place {
    /// A file that is there already.
    File(PathBuf),
    /// A disk, and the permission to erase it, once it is given.
    Disk {
        /// As it was found.
        disk: Box<Disk>,
        /// By its serial.
        consent: Option<Consent>,
    },
}

/// What is asked before a disk is erased.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The question.
    pub(super) text: String,
    /// The one answer that permits it.
    pub(super) wanted: String,
    /// What to do where nobody can be asked.
    pub(super) instead: String,
}

impl Place {
    /// The device or file.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Disk { disk, .. } => Path::new("/dev").join(&disk.name),
        }
    }

    /// What must be known of a disk with other sectors than those that the image is made for, before
    /// it is erased.
    pub(super) fn note(&self) -> Option<String> {
        let Self::Disk { disk, .. } = self else { return None };
        (disk.sector != sectors::SECTOR).then(|| {
            format!(
                "note: /dev/{} has sectors of {} bytes: UEFI starts from it, and BIOS never does. The \
                 partition table and the file systems of EFI and SEED are made for such sectors on \
                 it\n    = for a machine without UEFI take another disk; {}",
                disk.name,
                disk.sector,
                sectors::SWITCH
            )
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Disk { disk, .. } => write!(f, "/dev/{} ({})", disk.name, named(disk)),
        }
    }
}

/// Model and size.
fn named(disk: &Disk) -> String {
    let model = if disk.model.is_empty() { "no model" } else { disk.model.trim() };
    format!("{model}, {}", disk::size(disk.size))
}

/// Finds the disk or file that is meant, for an image of `need` bytes.
///
/// # Errors
/// It is none that an image may go to.
pub(super) fn find(host: &Host, device: &Path, need: u64) -> Result<Place> {
    // Also what is named by a link below /dev/disk.
    let path = fs::canonicalize(device).at("find", device)?;
    let kind = path.metadata().at("look at", device)?;
    if kind.is_file() {
        return fits(&device.display().to_string(), kind.len(), need).map(|()| Place::File(path));
    }
    if !kind.file_type().is_block_device() {
        return Err(ImageError::Usage(format!(
            "`{}` is neither a disk nor a file",
            device.display()
        )));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let found = judge(&name, disks::disks(host)?, need)?;
    Ok(Place::Disk { disk: Box::new(found), consent: None })
}

/// The disk as it is now, if it is still the one that was agreed to.
///
/// # Errors
/// Another disk has its name now, or it is in use.
pub(super) fn find_again(host: &Host, place: Place, need: u64) -> Result<Place> {
    let Place::Disk { disk, consent } = place else { return Ok(place) };
    let all = disks::disks(host)?;
    if let Some(consent) = &consent {
        consent.find(&all).map_err(|refused| {
            ImageError::Usage(format!("{}\n    = {}", refused.what, refused.hint))
        })?;
    }
    let now = judge(&disk.name, all, need)?;
    if (&now.serial, now.size, &now.model) != (&disk.serial, disk.size, &disk.model) {
        return Err(ImageError::Usage(format!(
            "/dev/{} is another disk now\n    = nothing was written; look at the disks with `lsblk`",
            disk.name
        )));
    }
    Ok(Place::Disk { disk: Box::new(now), consent })
}

/// The disk of this kernel name, if an image may go there.
fn judge(name: &str, all: Vec<Disk>, need: u64) -> Result<Disk> {
    let usage = |text: String| Err(ImageError::Usage(text));
    let part_of = |disk: &&Disk| disk.contents.iter().any(|v| v.name == name && v.number.is_some());
    if let Some(whole) = all.iter().find(part_of) {
        return usage(format!(
            "/dev/{name} is a partition, and an image is for a whole disk\n    = name /dev/{}, which \
             is {}",
            whole.name,
            disk::describe(whole)
        ));
    }
    let Some(found) = all.into_iter().find(|disk| disk.name == name) else {
        return usage(format!("/dev/{name} is no disk that can be written\n    = see `lsblk`"));
    };
    let described = disk::describe(&found);
    if found.boot {
        return usage(format!(
            "/dev/{name} is the disk that this machine runs from: {described}\n    = name another \
             one; see `lsblk`"
        ));
    }
    let mounted: Vec<&str> =
        found.contents.iter().flat_map(|v| &v.mounted_at).map(String::as_str).collect();
    if !mounted.is_empty() {
        return usage(format!(
            "/dev/{name} is in use at {}: {described}\n    = unmount it, if it is really the disk \
             that may be erased",
            mounted.join(", ")
        ));
    }
    if let Err(refused) = sectors::can_hold(&found) {
        return usage(format!("/dev/{name}: {}\n    = {}", refused.what, refused.hint));
    }
    fits(&format!("/dev/{name}"), found.size, need)?;
    Ok(found)
}

fn fits(name: &str, size: u64, need: u64) -> Result<()> {
    if size >= need {
        return Ok(());
    }
    Err(ImageError::Usage(format!(
        "{name} has {}, and the image needs {}\n    = take a larger one",
        bytes(size),
        bytes(need)
    )))
}

/// What still has to be asked; none: the serial was given, or a file is written. A disk that can be
/// pulled out needs a `yes`, another one its serial.
///
/// # Errors
/// The serial is that of another disk.
pub(super) fn permission(place: &mut Place, serial: Option<&str>) -> Result<Option<Asked>> {
    let Place::Disk { disk, consent } = place else { return Ok(None) };
    let described = disk::describe(disk);
    if let Some(serial) = serial {
        let given = Consent::given(serial, disk).map_err(|refused| {
            // The hints speak of a seed.
            ImageError::Usage(format!(
                "{}\n    = nothing was written; see `lsblk -o NAME,SIZE,SERIAL`",
                refused.what
            ))
        })?;
        *consent = Some(given);
        return Ok(None);
    }
    let name = match (disk.serial.is_empty(), disk.ids.first()) {
        (false, _) => disk.serial.clone(),
        (true, Some(id)) => id.clone(),
        (true, None) => disk.name.clone(),
    };
    let instead = match disk.serial.is_empty() && disk.ids.is_empty() {
        false => format!("give --serial {name}, if it may be erased"),
        true => "it has no serial, so it takes a person at a terminal".to_owned(),
    };
    let erased = format!("everything on /dev/{} will be lost: {described}", disk.name);
    Ok(Some(match disk.removable || disk.bus == "usb" {
        true => Asked {
            text: format!("{erased}\nType `yes` to erase it"),
            wanted: "yes".to_owned(),
            instead,
        },
        false => Asked {
            text: format!("{erased}\nIt is built in, so type its serial to erase it, `{name}`"),
            wanted: name,
            instead,
        },
    }))
}

#[cfg(test)]
mod tests {
    use model::facts::Volume;

    use super::*;

    fn disk() -> Disk {
        Disk {
            name: "sdb".into(),
            model: "Stick".into(),
            serial: "S1".into(),
            size: 8_000_000_000,
            sector: 512,
            bus: "usb".into(),
            removable: true,
            ..Disk::default()
        }
    }

    fn volume(at: &[&str]) -> Volume {
        Volume {
            name: "sdb1".into(),
            number: Some(1),
            size: 1,
            signature: Some("vfat".into()),
            uuid: None,
            label: None,
            mounted_at: at.iter().map(|at| (*at).to_owned()).collect(),
        }
    }

    fn refused(name: &str, disk: Disk) -> String {
        judge(name, vec![disk], 4_000_000_000).unwrap_err().to_string()
    }

    #[test]
    fn only_a_whole_idle_disk_that_is_large_enough_is_taken() {
        assert_eq!(judge("sdb", vec![disk()], 4_000_000_000).unwrap(), disk());
        let holding = |at: &[&str]| Disk { contents: vec![volume(at)], ..disk() };
        assert_eq!(
            refused("sdb1", holding(&[])),
            "/dev/sdb1 is a partition, and an image is for a whole disk\n    = name /dev/sdb, which \
             is serial:S1 (Stick, usb, 8 GB, vfat)"
        );
        assert_eq!(
            refused("sdb", holding(&["/media/photos"])),
            "/dev/sdb is in use at /media/photos: serial:S1 (Stick, usb, 8 GB, vfat)\n    = unmount \
             it, if it is really the disk that may be erased"
        );
        assert_eq!(
            refused("sdb", Disk { boot: true, ..disk() }),
            "/dev/sdb is the disk that this machine runs from: serial:S1 (Stick, usb, 8 GB, empty)\n    \
             = name another one; see `lsblk`"
        );
        assert_eq!(
            refused("sdb", Disk { size: 2 << 30, ..disk() }),
            "/dev/sdb has 2.0 GiB, and the image needs 3.7 GiB\n    = take a larger one"
        );
        assert_eq!(
            refused("sdb", Disk { sector: 8192, ..disk() }),
            "/dev/sdb: serial:S1 (Stick, usb, 8 GB, empty) has sectors of 8192 bytes, and the system \
             can lie on those of 512 or 4096\n    = choose another disk; many disks can be switched \
             to sectors of 512 bytes, see `nvme format` or `hdparm --set-sector-size`"
        );
        assert_eq!(
            refused("sr0", disk()),
            "/dev/sr0 is no disk that can be written\n    = see `lsblk`"
        );
    }

    #[test]
    fn who_does_not_start_from_large_sectors_is_told_before() {
        let note = |sector| {
            Place::Disk { disk: Box::new(Disk { sector, ..disk() }), consent: None }.note()
        };
        assert_eq!(note(512), None);
        assert_eq!(
            note(4096).unwrap(),
            "note: /dev/sdb has sectors of 4096 bytes: UEFI starts from it, and BIOS never does. The \
             partition table and the file systems of EFI and SEED are made for such sectors on it\n    \
             = for a machine without UEFI take another disk; many disks can be switched to sectors of \
             512 bytes, see `nvme format` or `hdparm --set-sector-size`"
        );
    }

    fn asked(disk: Disk, serial: Option<&str>) -> Result<Option<Asked>> {
        permission(&mut Place::Disk { disk: Box::new(disk), consent: None }, serial)
    }

    #[test]
    fn a_stick_needs_a_yes_and_a_built_in_disk_its_serial() {
        let built_in = || Disk { removable: false, bus: "sata".into(), ..disk() };
        assert_eq!(
            asked(disk(), None).unwrap().unwrap(),
            Asked {
                text: "everything on /dev/sdb will be lost: serial:S1 (Stick, usb, 8 GB, empty)\nType \
                       `yes` to erase it"
                    .into(),
                wanted: "yes".into(),
                instead: "give --serial S1, if it may be erased".into(),
            }
        );
        let wanted = asked(built_in(), None).unwrap().unwrap();
        assert_eq!(wanted.wanted, "S1");
        assert!(wanted.text.ends_with("It is built in, so type its serial to erase it, `S1`"));
        assert_eq!(asked(built_in(), Some("S1")).unwrap(), None);
        assert_eq!(
            asked(disk(), Some("S2")).unwrap_err().to_string(),
            "consent is for `S2`, but the disk found is serial:S1 (Stick, usb, 8 GB, empty)\n    = \
             nothing was written; see `lsblk -o NAME,SIZE,SERIAL`"
        );
        let nameless = asked(Disk { serial: String::new(), ..built_in() }, None).unwrap().unwrap();
        assert_eq!(nameless.wanted, "sdb");
        assert_eq!(nameless.instead, "it has no serial, so it takes a person at a terminal");
    }
}
