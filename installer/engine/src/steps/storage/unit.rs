//! systemd mount units as text.

use model::plan::{FileWish, MountWish};

/// Where they lie.
pub(super) const FOLDER: &str = "/etc/systemd/system";
/// How each begins, to know ours again.
pub(super) const HEAD: &str = "# Written by homelab.\n";
/// How long a boot waits for a disk that does not come.
const DISK_SECONDS: u32 = 30;

/// All files of a mount: its unit, an automount if it is mounted on first use, how long its
/// device is waited for, and its credentials.
pub(super) fn files(mount: &MountWish) -> Vec<FileWish> {
    let name = escape_path(&mount.at);
    let mut files = vec![file(format!("{FOLDER}/{name}.mount"), mount_unit(mount))];
    if mount.automount {
        files.push(file(format!("{FOLDER}/{name}.automount"), automount_unit(mount)));
    }
    if let Some(uuid) = mount.what.strip_prefix("UUID=") {
        let device = escape_path(&format!("/dev/disk/by-uuid/{uuid}"));
        files.push(file(
            format!("{FOLDER}/{device}.device.d/50-homelab.conf"),
            format!("{HEAD}[Unit]\nJobRunningTimeoutSec={DISK_SECONDS}\n"),
        ));
    }
    files.extend(mount.credentials.clone());
    files
}

/// The unit that is enabled and started.
pub(super) fn to_start(mount: &MountWish) -> String {
    let kind = if mount.automount { "automount" } else { "mount" };
    format!("{}.{kind}", escape_path(&mount.at))
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
    if !options.contains(&"nofail") {
        options.push("nofail");
    }
    // systemd orders network file systems after the network by their type.
    let install = if mount.automount { "" } else { "\n[Install]\nWantedBy=multi-user.target\n" };
    format!(
        "{HEAD}[Unit]\nDescription=Homelab: {}\n\n\
         [Mount]\nWhat={}\nWhere={}\nType={}\nOptions={}\nTimeoutSec=60\n{install}",
        mount.at,
        mount.what.replace('%', "%%"),
        mount.at,
        mount.kind,
        options.join(",").replace('%', "%%"),
    )
}

fn automount_unit(mount: &MountWish) -> String {
    format!(
        "{HEAD}[Unit]\nDescription=Homelab: {0}, mounted on first use\n\n\
         [Automount]\nWhere={0}\n\n[Install]\nWantedBy=multi-user.target\n",
        mount.at
    )
}

/// As `systemd-escape --path` does.
fn escape_path(path: &str) -> String {
    let mut escaped = String::new();
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    for (index, byte) in words.join("/").bytes().enumerate() {
        match byte {
            b'/' => escaped.push('-'),
            b'.' if index == 0 => escaped.push_str("\\x2e"),
            b':' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("\\x{other:02x}")),
        }
    }
    if escaped.is_empty() { "-".to_owned() } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> MountWish {
        MountWish {
            at: "/mnt/media".into(),
            what: "UUID=0b1e-99".into(),
            kind: "ext4".into(),
            options: "noatime".into(),
            automount: false,
            credentials: None,
            format: None,
        }
    }

    #[test]
    fn paths_are_escaped_as_systemd_does() {
        // From `systemd-escape --path`.
        for (path, name) in [
            ("/mnt/media", "mnt-media"),
            ("/", "-"),
            ("/dev/disk/by-uuid/0b1e-99", "dev-disk-by\\x2duuid-0b1e\\x2d99"),
            ("/.hidden/a b", "\\x2ehidden-a\\x20b"),
        ] {
            assert_eq!(escape_path(path), name, "{path}");
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
        assert_eq!(files.len(), 2);
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
