//! systemd mount units as text.

use host::systemd::escape_path;
use model::plan::{FileWish, MountWish};

/// Where they lie.
pub(crate) const FOLDER: &str = "/etc/systemd/system";
/// How each begins, to know ours again.
pub(crate) const HEAD: &str = "# Written by homelab.\n";
/// How long a disk may take to come, which is what systemd gives every device. Nothing but what needs the
/// disk waits for it.
const DISK_SECONDS: u32 = 90;
/// How long for one that must also be unlocked.
const CRYPT_SECONDS: u32 = 150;

/// All files of a mount: its unit, an automount if it is mounted on first use, what is said of its
/// device, and its credentials.
pub(crate) fn files(mount: &MountWish) -> Vec<FileWish> {
    let name = escape_path(&mount.at);
    let mut files = vec![file(format!("{FOLDER}/{name}.mount"), mount_unit(mount))];
    if mount.automount {
        files.push(file(format!("{FOLDER}/{name}.automount"), automount_unit(mount)));
    }
    files.extend(devices(mount));
    files.extend(mount.credentials.clone());
    files
}

/// What is said of the devices of a disk: how long each is waited for, and that the disk is mounted
/// again when it is back.
fn devices(mount: &MountWish) -> Vec<FileWish> {
    let (Some(uuid), Some(device)) = (mount.uuid(), mount.device()) else { return Vec::new() };
    let drop_in = |device: &str, settings: String| {
        let path = format!("{FOLDER}/{}.device.d/50-homelab.conf", escape_path(device));
        file(path, format!("{HEAD}[Unit]\n{settings}"))
    };
    let disk = format!("/dev/disk/by-uuid/{uuid}");
    let again = format!("Wants=homelab-remount@{}.service\n", escape_path(&mount.at));
    match mount.crypt.is_some() {
        false => vec![drop_in(&disk, format!("JobRunningTimeoutSec={DISK_SECONDS}\n{again}"))],
        true => vec![
            drop_in(&device, format!("JobRunningTimeoutSec={CRYPT_SECONDS}\n")),
            drop_in(&disk, again),
        ],
    }
}

/// The unit that is enabled and started.
pub(super) fn to_start(mount: &MountWish) -> String {
    let kind = if mount.automount { "automount" } else { "mount" };
    format!("{}.{kind}", escape_path(&mount.at))
}

/// The unit that unlocks a container.
pub(super) fn of_crypt(name: &str) -> String {
    format!("systemd-cryptsetup@{}.service", escape_path(name))
}

/// Where a unit mounts.
pub(super) fn place(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("Where="))
}

fn file(path: String, text: String) -> FileWish {
    FileWish { path, mode: 0o644, owner: (0, 0), text }
}

/// `nofail`: a box whose media disk is gone must still boot, so that one can log in and see why.
fn mount_unit(mount: &MountWish) -> String {
    let mut options: Vec<&str> = mount.options.split(',').filter(|o| !o.is_empty()).collect();
    // FUSE would hand it on to a program that knows no such option.
    if !options.contains(&"nofail") && !mount.kind.starts_with("fuse.") {
        options.push("nofail");
    }
    // systemd orders network file systems after the network by their type.
    let install = match mount.automount {
        true => String::new(),
        false => format!("\n[Install]\nWantedBy={}\n", wanted_by(mount).join(" ")),
    };
    let mut requires = match mount.requires.is_empty() {
        true => String::new(),
        false => format!("RequiresMountsFor={}\n", mount.requires.join(" ")),
    };
    if let Some(crypt) = &mount.crypt {
        // A disk that is pulled out is unmounted before its container is locked.
        let unit = of_crypt(&crypt.name());
        requires += &format!("BindsTo={unit}\nAfter={unit}\n");
    }
    format!(
        "{HEAD}[Unit]\nDescription=Homelab: {}\n{requires}\n\
         [Mount]\nWhat={}\nWhere={}\nType={}\nOptions={}\nTimeoutSec=60\n{install}",
        mount.at,
        mount.what.replace('%', "%%"),
        mount.at,
        mount.kind,
        options.join(",").replace('%', "%%"),
    )
}

/// A start of the box, and the mounts that this one stands on, when they are back.
fn wanted_by(mount: &MountWish) -> Vec<String> {
    let mut by = vec!["multi-user.target".to_owned()];
    by.extend(mount.requires.iter().map(|at| format!("{}.mount", escape_path(at))));
    by
}

fn automount_unit(mount: &MountWish) -> String {
    format!(
        "{HEAD}[Unit]\nDescription=Homelab: {0}, mounted on first use\n\n\
         [Automount]\nWhere={0}\n\n[Install]\nWantedBy=multi-user.target\n",
        mount.at
    )
}

#[cfg(test)]
mod tests {
    use model::disk::{Crypt, Unlock};

    use super::*;

    fn local() -> MountWish {
        MountWish {
            at: "/mnt/media".into(),
            what: "UUID=0b1e-99".into(),
            kind: "ext4".into(),
            options: "noatime".into(),
            automount: false,
            credentials: None,
            ..MountWish::default()
        }
    }

    #[test]
    fn a_local_disk() {
        let files = files(&local());
        assert_eq!(to_start(&local()), "mnt-media.mount");
        assert_eq!(files[0].path, "/etc/systemd/system/mnt-media.mount");
        assert_eq!(
            files[0].text,
            "# Written by homelab.\n[Unit]\nDescription=Homelab: /mnt/media\n\n\
             [Mount]\nWhat=UUID=0b1e-99\nWhere=/mnt/media\nType=ext4\nOptions=noatime,nofail\n\
             TimeoutSec=60\n\n[Install]\nWantedBy=multi-user.target\n"
        );
        assert_eq!(
            files[1].path,
            "/etc/systemd/system/dev-disk-by\\x2duuid-0b1e\\x2d99.device.d/50-homelab.conf"
        );
        assert_eq!(
            files[1].text,
            "# Written by homelab.\n[Unit]\nJobRunningTimeoutSec=90\n\
             Wants=homelab-remount@mnt-media.service\n"
        );
        assert_eq!(files.len(), 2);
    }

    #[test]
    fn an_encrypted_disk_is_waited_for_until_it_is_unlocked() {
        let crypt = Crypt { uuid: "0b1e".into(), unlock: Unlock::Key };
        let mount = MountWish { what: crypt.device(), crypt: Some(crypt), ..local() };
        let files = files(&mount);
        assert_eq!(
            files[0].text,
            "# Written by homelab.\n[Unit]\nDescription=Homelab: /mnt/media\n\
             BindsTo=systemd-cryptsetup@luks\\x2d0b1e.service\n\
             After=systemd-cryptsetup@luks\\x2d0b1e.service\n\n\
             [Mount]\nWhat=/dev/mapper/luks-0b1e\nWhere=/mnt/media\nType=ext4\n\
             Options=noatime,nofail\nTimeoutSec=60\n\n[Install]\nWantedBy=multi-user.target\n"
        );
        assert_eq!(
            files[1].path,
            "/etc/systemd/system/dev-mapper-luks\\x2d0b1e.device.d/50-homelab.conf"
        );
        assert!(files[1].text.ends_with("[Unit]\nJobRunningTimeoutSec=150\n"));
        assert_eq!(
            files[2].path,
            "/etc/systemd/system/dev-disk-by\\x2duuid-0b1e.device.d/50-homelab.conf"
        );
        assert!(files[2].text.ends_with("[Unit]\nWants=homelab-remount@mnt-media.service\n"));
    }

    #[test]
    fn a_pool_is_mounted_with_all_its_disks_or_not_at_all() {
        let mount = MountWish {
            what: "/mnt/.disks/media-1:/mnt/.disks/media-2".into(),
            kind: "fuse.mergerfs".into(),
            requires: vec!["/mnt/.disks/media-1".into(), "/mnt/.disks/media-2".into()],
            ..local()
        };
        let files = files(&mount);
        assert_eq!(files.len(), 1);
        assert_eq!(
            files[0].text,
            "# Written by homelab.\n[Unit]\nDescription=Homelab: /mnt/media\n\
             RequiresMountsFor=/mnt/.disks/media-1 /mnt/.disks/media-2\n\n\
             [Mount]\nWhat=/mnt/.disks/media-1:/mnt/.disks/media-2\nWhere=/mnt/media\n\
             Type=fuse.mergerfs\nOptions=noatime\nTimeoutSec=60\n\n\
             [Install]\nWantedBy=multi-user.target mnt-.disks-media\\x2d1.mount \
             mnt-.disks-media\\x2d2.mount\n"
        );
    }

    #[test]
    fn a_network_share_is_mounted_on_first_use() {
        let what = "nas.lan:/export".to_owned();
        let share = MountWish { automount: true, kind: "nfs".into(), what, ..local() };
        let files = files(&share);
        assert_eq!(to_start(&share), "mnt-media.automount");
        assert!(!files[0].text.contains("[Install]"), "only its automount starts it");
        assert_eq!(
            files[1].text,
            "# Written by homelab.\n[Unit]\nDescription=Homelab: /mnt/media, mounted on first use\
             \n\n[Automount]\nWhere=/mnt/media\n\n[Install]\nWantedBy=multi-user.target\n"
        );
    }
}
