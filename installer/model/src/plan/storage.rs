//! Folders and mounts.

use super::{FileWish, FolderWish, MountWish, Storage, make::certificate_folders};
use crate::{
    Problems, disk,
    facts::{Facts, Volume},
    paths,
    render::Deployment,
    secret::SecretRef,
    seed::{DiskSelector, FileSystem, Mount, MountSource, Seed, rules::Refused},
};

/// Whether consent by `wipe` is carried out. As long as it is not, nobody is asked for it.
pub const FORMATS: bool = false;

/// Where the shared data lies, and what may be mounted there.
const PLACES: [&str; 3] = ["media", "downloads", "backups"];
/// The group that all who work on media belong to.
const MEDIA_GROUP: u32 = 4100;

/// Root, folders and mounts; what cannot be mounted goes to `problems`.
pub(super) fn storage(deployment: &Deployment<'_>, problems: &mut Problems) -> Storage {
    let seed = deployment.seed;
    let mut mounts = Vec::new();
    for (index, mount) in seed.mounts.iter().enumerate() {
        mounts.extend(wish(index, mount, deployment.facts, problems));
    }
    let mut folders = vec![folder(paths::STACKS, 0o755, (0, 0))];
    for folder in certificate_folders(deployment) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    for place in PLACES {
        folders.push(folder(&format!("/mnt/{place}"), 0o2775, (0, MEDIA_GROUP)));
    }
    // What is put there and who plays it agree on these, whichever of them is deployed.
    for kind in ["movies", "series"] {
        folders.push(folder(&format!("/mnt/media/{kind}"), 0o2775, (0, MEDIA_GROUP)));
    }
    for mount in &seed.mounts {
        // One disk for several: each has a folder on it, and its usual place leads there.
        if !PLACES.iter().any(|place| mount.at == format!("/mnt/{place}")) {
            folders.push(folder(&mount.at, 0o755, (0, 0)));
        }
        for held in &mount.holds {
            let at = format!("{}/{held}", mount.at);
            folders.push(folder(&at, 0o2775, (0, MEDIA_GROUP)));
            mounts.push(MountWish {
                at: format!("/mnt/{held}"),
                what: at,
                kind: "none".to_owned(),
                options: "bind".to_owned(),
                automount: false,
                credentials: None,
            });
        }
    }
    Storage { grow_root: true, folders, mounts }
}

fn folder(path: &str, mode: u32, owner: (u32, u32)) -> FolderWish {
    FolderWish { path: path.to_owned(), mode, owner }
}

/// Names of the passwords that mounts need.
pub(super) fn passwords(seed: &Seed) -> Vec<SecretRef> {
    seed.secrets()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.0.starts_with("smb-"))
        .collect()
}

fn wish(index: usize, mount: &Mount, facts: &Facts, problems: &mut Problems) -> Option<MountWish> {
    let network = |what: &str, kind: &str, options: String, credentials| MountWish {
        at: mount.at.clone(),
        what: what.to_owned(),
        kind: kind.to_owned(),
        options,
        automount: true,
        credentials,
    };
    match &mount.source {
        MountSource::Nfs(what) => {
            let options = "_netdev,nofail,soft,timeo=150,nosuid,nodev".to_owned();
            Some(network(what, "nfs", options, None))
        }
        MountSource::Smb { share, user, password } => {
            let mut options = "_netdev,nofail,nosuid,nodev,uid=0".to_owned();
            options += &format!(",gid={MEDIA_GROUP},file_mode=0664,dir_mode=0775");
            let credentials = user.as_ref().map(|user| {
                let path = format!("/etc/homelab/mounts/smb-{}", index + 1);
                options += &format!(",credentials={path}");
                let mut text = format!("username={user}\n");
                if password.is_some() {
                    let secret = SecretRef::new(format!("smb-{}-password", index + 1));
                    text += &format!("password={}\n", secret.placeholder());
                }
                FileWish { path, mode: 0o600, owner: (0, 0), text }
            });
            if credentials.is_none() {
                options += ",guest";
            }
            Some(network(share, "cifs", options, credentials))
        }
        MountSource::Disk { selector, filesystem, wipe } => {
            let uuid = file_system(mount, selector, *filesystem, wipe.is_some(), facts, problems)?;
            Some(MountWish {
                at: mount.at.clone(),
                what: format!("UUID={uuid}"),
                kind: filesystem.word().to_owned(),
                // A box whose data disk is missing must still start and say so.
                options: "nofail,nosuid,nodev,noatime".to_owned(),
                automount: false,
                credentials: None,
            })
        }
    }
}

/// UUID of the one file system that the selector means.
fn file_system(
    mount: &Mount,
    selector: &DiskSelector,
    wanted: FileSystem,
    may_wipe: bool,
    facts: &Facts,
    problems: &mut Problems,
) -> Option<String> {
    let at = &mount.at;
    let refuse = |refused: Refused, problems: &mut Problems| {
        problems.push(None, format!("`{at}`: {}", refused.what), refused.hint);
    };
    let disk = match disk::select(selector, facts) {
        Ok(disk) => disk,
        Err(refused) => {
            refuse(refused, problems);
            return None;
        }
    };
    if let DiskSelector::Uuid(uuid) = selector {
        return Some(uuid.clone());
    }
    let kind = wanted.word();
    let fits = |volume: &&Volume| volume.signature.as_deref() == Some(kind);
    let fitting: Vec<&Volume> = disk.contents.iter().filter(fits).collect();
    match fitting[..] {
        [Volume { uuid: Some(uuid), .. }] => Some(uuid.clone()),
        [] => {
            let hint = match may_wipe {
                // Consent is given, but nothing here formats yet: refuse rather than forget.
                true => "this version formats no disks; make the file system by hand",
                false => "name the file system that is there, or make one by hand",
            };
            let there = match disk.contents.is_empty() {
                true => "nothing".to_owned(),
                false => disk::there(disk),
            };
            let what = format!("`{selector}` has no {kind} file system but {there}");
            refuse(Refused::new(what, hint), problems);
            None
        }
        _ => {
            let names: Vec<String> = fitting.iter().map(|volume| disk::content(volume)).collect();
            let what = format!("`{selector}` has {} {kind} file systems", fitting.len());
            let hint = format!("select one by `uuid:…`: {}", names.join(", "));
            refuse(Refused::new(what, hint), problems);
            None
        }
    }
}
