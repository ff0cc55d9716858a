//! A disk that is added to a box: what its seed must say.

use super::{FileSystem, Unlock, selector, there};
use crate::{
    facts::{Disk, Volume},
    seed::{DiskSelector, Member, Mount, MountSource, rules::Refused},
};

/// The mount of a disk at a place. Without `format` what is on it is used; with it all of that is
/// lost, which the mount says by repeating the disk's serial.
///
/// # Errors
/// Nothing on the disk can be mounted, or it cannot be told which of several things is meant.
pub fn mount_of(
    disk: &Disk,
    chosen: DiskSelector,
    at: &str,
    filesystem: Option<FileSystem>,
    encrypt: Option<Unlock>,
    format: bool,
) -> Result<Mount, Refused> {
    let filesystem = match (filesystem, format || encrypt.is_some()) {
        (Some(filesystem), _) => filesystem,
        (None, true) => FileSystem::Ext4,
        (None, false) => there_is(disk)?,
    };
    let wipe = match (format, disk.serial.is_empty(), disk.lasting_ids().next()) {
        (false, ..) => None,
        (true, false, _) => Some(disk.serial.clone()),
        (true, true, Some(id)) => Some(id.clone()),
        (true, true, None) => {
            let what = format!("`{}` has neither a serial nor a name of its own", disk.name);
            return Err(Refused::new(what, "format it by hand, and select it by `uuid:…`"));
        }
    };
    let members = vec![Member { selector: chosen, wipe }];
    Ok(Mount {
        at: at.to_owned(),
        holds: Vec::new(),
        source: MountSource::Disks { members, filesystem, encrypt },
    })
}

/// The kind of the one file system on a disk that can be mounted.
fn there_is(disk: &Disk) -> Result<FileSystem, Refused> {
    let kind = |volume: &Volume| {
        let kinds = [FileSystem::Ext4, FileSystem::Xfs, FileSystem::Btrfs];
        kinds.into_iter().find(|kind| volume.signature.as_deref() == Some(kind.word()))
    };
    let kinds: Vec<FileSystem> = disk.contents.iter().filter_map(kind).collect();
    match kinds[..] {
        [kind] => Ok(kind),
        [] => Err(Refused::new(
            format!("`{}` has no file system that can be used: {}", selector(disk), there(disk)),
            "if everything on it may be lost, say `--format`",
        )),
        _ => Err(Refused::new(
            format!("`{}` has {} file systems: {}", selector(disk), kinds.len(), there(disk)),
            "select one by `uuid:…` and name its kind by `--filesystem`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{facts::lsblk, seed::mount_text};

    fn disk(children: &str) -> Disk {
        let json = format!(
            r#"{{"blockdevices": [{{"name": "sdb", "type": "disk", "size": 1, "log-sec": 512,
                "serial": "WD-1", "children": [{children}]}}]}}"#
        );
        lsblk::parse(&json).unwrap_or_default().remove(0)
    }

    const XFS: &str =
        r#"{"name": "sdb1", "type": "part", "size": 1, "fstype": "xfs", "uuid": "u-1"}"#;

    fn lines(disk: &Disk, format: bool) -> Result<String, Refused> {
        let chosen = DiskSelector::Serial("WD-1".to_owned());
        let mount = mount_of(disk, chosen, "/mnt/media", None, None, format)?;
        Ok(mount_text(&mount))
    }

    #[test]
    fn what_is_there_is_used_and_nothing_is_formatted_unless_asked() {
        assert_eq!(
            lines(&disk(XFS), false).unwrap_or_else(|refused| refused.what),
            "[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:WD-1\"\nfilesystem = \"xfs\"\n"
        );
        let refused = lines(&disk(""), false).unwrap_err();
        assert_eq!(refused.what, "`serial:WD-1` has no file system that can be used: empty");
        assert_eq!(refused.hint, "if everything on it may be lost, say `--format`");
        assert_eq!(
            lines(&disk(XFS), true).unwrap_or_else(|refused| refused.what),
            "[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:WD-1\"\nwipe = \"WD-1\"\n\
             filesystem = \"ext4\"\n"
        );
        let two = disk(&format!("{XFS}, {}", XFS.replace("sdb1", "sdb2").replace("u-1", "u-2")));
        assert!(lines(&two, false).unwrap_err().what.contains("has 2 file systems"));
    }
}
