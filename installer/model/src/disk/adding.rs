//! A disk that is added to a box: what its seed must say.

use super::{FileSystem, Unlock, replacing::like_the_others, selector, there};
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

/// One more disk for a mount of the seed, like those that are there.
///
/// # Errors
/// The mount is a share; another file system or another encryption is wished than theirs; those of
/// [`mount_of`].
pub fn joining(
    disk: &Disk,
    chosen: DiskSelector,
    mount: &Mount,
    filesystem: Option<FileSystem>,
    encrypt: Option<Unlock>,
    format: bool,
) -> Result<Member, Refused> {
    let at = &mount.at;
    let share = || {
        let hint = "one place takes disks or a share: choose another place";
        Refused::new(format!("a share is mounted at `{at}`"), hint)
    };
    let MountSource::Disks { filesystem: theirs, encrypt: locked, .. } = &mount.source else {
        return Err(share());
    };
    like_the_others(mount, *theirs, filesystem)?;
    if encrypt.is_some() && encrypt != *locked {
        let words = locked
            .map_or("not encrypted".to_owned(), |how| format!("encrypted with `{}`", how.word()));
        let hint = "leave out `--encrypt`: it is made like them";
        return Err(Refused::new(format!("the disks at `{at}` are {words}"), hint));
    }
    let made = mount_of(disk, chosen, at, Some(*theirs), *locked, format)?;
    match made.source {
        MountSource::Disks { mut members, .. } => Ok(members.remove(0)),
        _ => Err(share()),
    }
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
    fn a_disk_joins_those_that_are_there() {
        let chosen = || DiskSelector::Serial("WD-1".to_owned());
        let first = DiskSelector::Serial("WD-0".to_owned());
        let members = vec![Member { selector: first, wipe: None }];
        let disks =
            MountSource::Disks { members, filesystem: FileSystem::Xfs, encrypt: Some(Unlock::Key) };
        let mount = |source| Mount { at: "/mnt/media".to_owned(), holds: Vec::new(), source };
        let join = |source, filesystem, encrypt| {
            joining(&disk(""), chosen(), &mount(source), filesystem, encrypt, true)
        };
        let member = join(disks.clone(), None, None).unwrap_or_else(|refused| panic!("{refused}"));
        assert_eq!(member.wipe.as_deref(), Some("WD-1"));
        let refused =
            |source, filesystem, encrypt| join(source, filesystem, encrypt).unwrap_err().what;
        assert_eq!(
            refused(disks.clone(), Some(FileSystem::Ext4), None),
            "`/mnt/media` has xfs on all its disks, not ext4"
        );
        assert_eq!(
            refused(disks, None, Some(Unlock::Tpm2)),
            "the disks at `/mnt/media` are encrypted with `key`"
        );
        let share = MountSource::Nfs("nas.lan:/media".to_owned());
        assert_eq!(refused(share, None, None), "a share is mounted at `/mnt/media`");
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
