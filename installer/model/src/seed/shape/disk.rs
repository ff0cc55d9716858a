//! Disks, shares and repositories.

use super::{super::reader::Wrong, names::is_dns_name};
use crate::seed::{DiskSelector, MountSource};

/// What the way out of every wrong selector says.
const SELECTORS: &str =
    "write `serial:…`, `by-id:…` or `uuid:…`; `lsblk -o NAME,SIZE,SERIAL,UUID` lists them";

/// `serial:…`, `by-id:…`, `uuid:…`
pub(in super::super) fn selector(text: &str) -> Result<DiskSelector, Wrong> {
    let bad = |what: &str| Wrong::new(format!("`{text}` {what}"), SELECTORS);
    if let Some(serial) = text.strip_prefix("serial:") {
        return is_serial(serial)
            .then(|| DiskSelector::Serial(serial.to_owned()))
            .ok_or_else(|| bad("has no serial of a disk"));
    }
    if let Some(id) = text.strip_prefix("by-id:") {
        return is_file_name(id)
            .then(|| DiskSelector::ById(id.to_owned()))
            .ok_or_else(|| bad("has no name as in `/dev/disk/by-id`"));
    }
    if let Some(uuid) = text.strip_prefix("uuid:") {
        let uuid = uuid.to_lowercase();
        return is_uuid(&uuid)
            .then_some(DiskSelector::Uuid(uuid))
            .ok_or_else(|| bad("has no UUID of a file system"));
    }
    for (folder, word) in [("/dev/disk/by-id/", "by-id"), ("/dev/disk/by-uuid/", "uuid")] {
        if let Some(name) = text.strip_prefix(folder) {
            let what = format!("`{text}` is a path, not a selector");
            return Err(Wrong::new(what, format!("write `{word}:{name}`")));
        }
    }
    if text.starts_with("/dev/") || is_kernel_name(text) {
        return Err(bad("is a kernel name, which may mean another disk after the next start"));
    }
    Err(bad("selects no disk"))
}

/// `sdb`, `sdb1`, `nvme0n1p2`, `mmcblk0`…
fn is_kernel_name(text: &str) -> bool {
    let letters_then_digits = |rest: &str| {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
        digits.len() < rest.len() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let numbered = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    ["sd", "hd", "vd", "xvd"]
        .iter()
        .any(|kind| text.strip_prefix(kind).is_some_and(letters_then_digits))
        || ["nvme", "mmcblk", "md", "dm-", "loop", "sr"]
            .iter()
            .any(|kind| text.strip_prefix(kind).is_some_and(numbered))
}

fn is_serial(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.trim() == text
        && text.bytes().all(|b| (b.is_ascii_graphic() || b == b' ') && !b"/\"'\\`".contains(&b))
}

/// A serial, as consent repeats it.
pub(in super::super) fn serial(text: &str) -> Result<String, Wrong> {
    if let Some(rest) = text.strip_prefix("serial:") {
        let what = format!("`{text}` is a selector; consent is the serial alone");
        return Err(Wrong::new(what, format!("write `{rest}`")));
    }
    is_serial(text).then(|| text.to_owned()).ok_or_else(|| {
        let way_out = "repeat the serial; `lsblk -o NAME,SIZE,SERIAL` lists them";
        Wrong::new(format!("`{text}` is no serial of a disk"), way_out)
    })
}

/// Whether consent names the disk of the selector, as far as the names alone can tell.
pub(in super::super) fn wipe_matches(disk: &DiskSelector, wipe: &str) -> Result<(), Wrong> {
    match disk {
        DiskSelector::Serial(serial) if serial == wipe => Ok(()),
        DiskSelector::Serial(serial) => Err(Wrong::new(
            format!("consent is for `{wipe}`, but the disk is `{serial}`"),
            "repeat the serial of the very disk that may be formatted",
        )),
        // A disk without serial is named by the link alone.
        DiskSelector::ById(id) if id == wipe => Ok(()),
        // Names by WWN, EUI or NAA hold no serial; the machine compares before it writes.
        DiskSelector::ById(id)
            if ["wwn-", "nvme-eui.", "nvme-nvme.", "scsi-3", "dm-", "md-"]
                .iter()
                .any(|kind| id.starts_with(kind)) =>
        {
            Ok(())
        }
        // udev joins model and serial by `_`, and writes blanks in either as `_`.
        DiskSelector::ById(id) if id.contains(&format!("_{}", wipe.replace(' ', "_"))) => Ok(()),
        DiskSelector::ById(id) => Err(Wrong::new(
            format!("consent is for `{wipe}`, which is not in `{id}`"),
            "repeat the serial of the very disk that may be formatted",
        )),
        DiskSelector::Uuid(_) => Err(Wrong::new(
            "a disk that is found by `uuid:` cannot be formatted: the UUID goes with it",
            "select it by `serial:…` or `by-id:…`",
        )),
    }
}

fn is_file_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && !matches!(text, "." | "..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:+=@-".contains(&b))
}

fn is_uuid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// `host:/export` or `//host/share`; user and password of SMB are added by the section.
pub(in super::super) fn remote(text: &str) -> Result<MountSource, Wrong> {
    let bad = |way_out: String| Wrong::new(format!("`{text}` is no network share"), way_out);
    if let Some(rest) = text.strip_prefix("\\\\") {
        return Err(bad(format!("write `//{}`", rest.replace('\\', "/"))));
    }
    for scheme in ["smb://", "cifs://"] {
        if let Some(rest) = text.strip_prefix(scheme) {
            return Err(bad(format!("write `//{rest}`")));
        }
    }
    if let Some((host, path)) = text.strip_prefix("nfs://").and_then(|rest| rest.split_once('/')) {
        return Err(bad(format!("write `{host}:/{path}`")));
    }
    let examples = || "write `nas.lan:/export/media` (NFS) or `//nas.lan/media` (SMB)".to_owned();
    let (host, path, smb) = match text.strip_prefix("//") {
        Some(rest) => rest.split_once('/').map(|(host, path)| (host, path, true)),
        None => text.split_once(":/").map(|(host, path)| (host, path, false)),
    }
    .ok_or_else(|| bad(examples()))?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good_host = match bare {
        Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok() || is_dns_name(&host.to_lowercase()),
    };
    // `%` and `\` mean something to systemd, quotes to mount units and credentials.
    let good_path = path.chars().all(|c| !c.is_control() && !"\"'\\%$,".contains(c))
        && path.trim() == path
        && path.split('/').all(|part| part != "..")
        && (!smb || !path.trim_end_matches('/').is_empty());
    match (good_host && good_path, smb) {
        (true, true) => Ok(MountSource::Smb { share: text.to_owned(), user: None, password: None }),
        (true, false) => Ok(MountSource::Nfs(text.to_owned())),
        (false, _) => Err(bad(examples())),
    }
}

/// A restic repository that needs nothing but its address and password.
pub(in super::super) fn repository(text: &str) -> Result<String, Wrong> {
    let what = |why: &str| format!("`{text}` {why}");
    if text.starts_with("rest:http://") {
        return Err(Wrong::new(
            what("is not encrypted on the way"),
            "use https: `rest:https://backup.lan:8000/`",
        ));
    }
    let clean = !text.is_empty()
        && text.len() <= 512
        && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"'\\`$".contains(&b));
    if let Some(path) = text.strip_prefix('/') {
        let inside = clean && path.starts_with("mnt/") && path.len() > "mnt/".len();
        let straight = text[1..].split('/').all(|part| !part.is_empty() && part != "..");
        return (inside && straight).then(|| text.to_owned()).ok_or_else(|| {
            Wrong::new(
                what("is no folder below `/mnt`"),
                "write it as `/mnt/backups/restic`, on another disk than the system",
            )
        });
    }
    let target = text.strip_prefix("sftp:").or_else(|| text.strip_prefix("rest:https://"));
    match target {
        Some(target)
            if clean
                && target
                    .split_once('@')
                    .is_some_and(|(user, _)| user.trim_start_matches("//").contains(':')) =>
        {
            Err(Wrong::new(
                "a password in the address of the repository would be readable for everybody",
                "leave it out; `sftp:` uses the box's SSH key",
            ))
        }
        Some(target) if clean && target.len() > 2 => Ok(text.to_owned()),
        _ => Err(Wrong::new(
            what("is no repository that the box can reach by itself"),
            "write a folder below `/mnt`, `sftp:user@host:/folder` or `rest:https://host:8000/`",
        )),
    }
}
