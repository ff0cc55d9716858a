//! Whether the volumes are there that a stack needs.

use host::{Host, mounted, systemd};
use model::plan::{MountWish, Storage};

use crate::failure::Result;

/// What to do about a share that nobody has used yet: looking at it mounts it, which takes its
/// time when the other machine does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unused {
    /// Use it, to see whether it is there.
    Try,
    /// Take it for well.
    Believe,
}

/// Why a place does not have the volume that the plan puts there; none: it has.
pub(crate) fn reason(
    mount: &MountWish,
    storage: &Storage,
    unused: Unused,
    host: &Host,
) -> Result<Option<String>> {
    for at in &mount.requires {
        if let Some(below) = storage.mount(at) {
            if let Some(why) = reason(below, storage, unused, host)? {
                return Ok(Some(why));
            }
        }
    }
    let at = &mount.at;
    if let Some(why) = absent(mount, host) {
        return Ok(Some(why));
    }
    let mut found = mounted::at(host, at)?;
    if found.is_none() && mount.automount {
        if unused == Unused::Believe {
            return Ok(None);
        }
        let unit = format!("{}.mount", systemd::escape_path(at));
        if let Err(error) = systemd::start(host.runner.as_ref(), &unit) {
            return Ok(Some(format!("`{}` for `{at}` cannot be mounted: {error}", mount.what)));
        }
        found = mounted::at(host, at)?;
    }
    let Some(found) = found else {
        return Ok(Some(match mount.uuid() {
            Some(_) => format!("the volume for `{at}` is there, but it is not mounted"),
            None => format!("`{at}` is not mounted"),
        }));
    };
    let right = match (mount.device(), mount.kind.as_str()) {
        (Some(device), _) => found.is(host, &device),
        // Its branches were looked at.
        (None, kind @ "fuse.mergerfs") => found.kind == kind,
        (None, "none") => shows(mount, storage, &found, host)?,
        (None, _) => found.source.trim_end_matches('/') == mount.what.trim_end_matches('/'),
    };
    Ok((!right).then(|| other(mount, &found)))
}

/// Why a disk cannot be mounted at all; none: it is there, or the mount is no disk.
pub(crate) fn absent(mount: &MountWish, host: &Host) -> Option<String> {
    let uuid = mount.uuid()?;
    if host.path(format!("/dev/disk/by-uuid/{uuid}")).exists() {
        return None;
    }
    let at = &mount.at;
    Some(match &mount.disk {
        // A disk that is formatted anew, or another one in the same dock, has the same serial.
        Some(disk) => format!(
            "the disk `{disk}` for `{at}` is not there: nothing has its UUID {uuid} (one with \
             another is selected by `uuid:…`)"
        ),
        None => format!("the disk for `{at}` is not there: nothing has the UUID {uuid}"),
    })
}

/// Is something else mounted at the place of a disk or a pool? A pool of fewer disks is.
pub(crate) fn foreign(mount: &MountWish, host: &Host) -> Result<Option<String>> {
    let Some(found) = mounted::at(host, &mount.at)? else { return Ok(None) };
    let right = match (mount.device(), mount.kind.as_str()) {
        (Some(device), _) => found.is(host, &device),
        (None, kind @ "fuse.mergerfs") => {
            let mut options = mount.options.split(',');
            let name = options.find_map(|option| option.strip_prefix("fsname="));
            found.kind == kind && name.is_none_or(|name| found.source == name)
        }
        (None, _) => true,
    };
    Ok((!right).then(|| other(mount, &found)))
}

fn other(mount: &MountWish, found: &mounted::Mounted) -> String {
    let wanted = match mount.uuid() {
        Some(uuid) => format!("the one with the UUID {uuid}"),
        None => format!("`{}`", mount.what),
    };
    let (at, source, kind) = (&mount.at, &found.source, &found.kind);
    format!("another volume is mounted at `{at}`: `{source}` ({kind}), not {wanted}")
}

/// Does a bind mount show the folder that it was made of?
fn shows(
    mount: &MountWish,
    storage: &Storage,
    found: &mounted::Mounted,
    host: &Host,
) -> Result<bool> {
    let whole = mount.requires.iter().find_map(|at| storage.mount(at));
    let Some(whole) = whole else { return Ok(true) };
    let below = mount.what.strip_prefix(&whole.at).unwrap_or_default();
    Ok(mounted::at(host, &whole.at)?
        .is_some_and(|whole| found.source == whole.source && found.root.ends_with(below)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use host::fake;

    use super::*;

    fn mount(at: &str, what: &str, kind: &str, requires: &[&str]) -> MountWish {
        MountWish {
            at: at.into(),
            what: what.into(),
            kind: kind.into(),
            requires: requires.iter().map(|at| (*at).to_owned()).collect(),
            ..MountWish::default()
        }
    }

    #[test]
    fn what_stands_on_another_mount_has_its_fate() {
        let folder = tempfile::tempdir().unwrap();
        let host = fake::host(folder.path()).host();
        let mounts = |lines: &str| {
            fs::create_dir_all(folder.path().join("proc/self")).unwrap();
            fs::write(folder.path().join("proc/self/mountinfo"), lines).unwrap();
        };
        for path in ["dev/disk/by-uuid/u-1", "dev/disk/by-uuid/u-2"] {
            fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
            fs::write(folder.path().join(path), "").unwrap();
        }
        let storage = Storage {
            grow_root: false,
            folders: Vec::new(),
            mounts: vec![
                mount("/mnt/storage", "UUID=u-1", "ext4", &[]),
                mount("/mnt/media", "/mnt/storage/media", "none", &["/mnt/storage"]),
                mount("/mnt/.disks/d-1", "UUID=u-1", "ext4", &[]),
                mount("/mnt/.disks/d-2", "UUID=u-2", "ext4", &[]),
                mount("/mnt/d", "x", "fuse.mergerfs", &["/mnt/.disks/d-1", "/mnt/.disks/d-2"]),
            ],
        };
        let why = |at: &str| {
            let mount = storage.mount(at).unwrap();
            reason(mount, &storage, Unused::Believe, &host).unwrap()
        };
        // A file stands for the device here, so the kernel's name of it is that of the file.
        mounts(
            "1 0 8:1 / /mnt/storage rw - ext4 /dev/u-1 rw\n\
             2 0 8:1 /media /mnt/media rw - ext4 /dev/u-1 rw\n\
             3 0 8:1 / /mnt/.disks/d-1 rw - ext4 /dev/u-1 rw\n\
             4 0 8:2 / /mnt/.disks/d-2 rw - ext4 /dev/u-2 rw\n\
             5 0 0:9 / /mnt/d rw - fuse.mergerfs mergerfs:d rw\n",
        );
        for at in ["/mnt/storage", "/mnt/media", "/mnt/d"] {
            assert_eq!(why(at), None, "{at}");
        }
        mounts("1 0 8:1 / /mnt/storage rw - ext4 /dev/u-1 rw\n");
        assert_eq!(why("/mnt/media").unwrap(), "`/mnt/media` is not mounted");
        assert_eq!(
            why("/mnt/d").unwrap(),
            "the volume for `/mnt/.disks/d-1` is there, but it is not mounted"
        );
        // A pool that was mounted with fewer disks, or the one disk that was there before.
        let mut pool = storage.mount("/mnt/d").unwrap().clone();
        pool.options = "nodev,fsname=mergerfs:d:2".to_owned();
        for (line, right) in [("mergerfs:d:2 rw", true), ("mergerfs:d:1 rw", false)] {
            mounts(&format!("5 0 0:9 / /mnt/d rw - fuse.mergerfs {line}\n"));
            assert_eq!(foreign(&pool, &host).unwrap().is_none(), right, "{line}");
        }
        mounts("5 0 8:1 / /mnt/d rw - ext4 /dev/u-1 rw\n");
        assert_eq!(
            foreign(&pool, &host).unwrap().unwrap(),
            "another volume is mounted at `/mnt/d`: `/dev/u-1` (ext4), not `x`"
        );
        fs::remove_file(folder.path().join("dev/disk/by-uuid/u-2")).unwrap();
        mounts("3 0 8:1 / /mnt/.disks/d-1 rw - ext4 /dev/u-1 rw\n");
        assert_eq!(
            why("/mnt/d").unwrap(),
            "the disk for `/mnt/.disks/d-2` is not there: nothing has the UUID u-2"
        );
        mounts(
            "1 0 8:1 / /mnt/storage rw - ext4 /dev/u-1 rw\n\
             2 0 8:9 / /mnt/media rw - vfat /dev/sdz rw\n",
        );
        assert_eq!(
            why("/mnt/media").unwrap(),
            "another volume is mounted at `/mnt/media`: `/dev/sdz` (vfat), not \
             `/mnt/storage/media`"
        );
    }
}
