//! Folders and mounts.

use super::{FileWish, FolderWish, MountWish, Storage, disks::Disks, make::certificate_folders};
use crate::{
    Problems, paths,
    render::Deployment,
    secret::SecretRef,
    seed::{Mount, MountSource, Seed},
};

/// Whether consent by `wipe` is carried out. As long as it is not, nobody is asked for it.
pub const FORMATS: bool = true;

/// Where the shared data lies, and what may be mounted there.
const PLACES: [&str; 3] = ["media", "downloads", "backups"];
/// The group that all who work on media belong to.
const MEDIA_GROUP: u32 = 4100;

/// Root, folders and mounts; what cannot be mounted goes to `problems`.
pub(super) fn storage(deployment: &Deployment<'_>, problems: &mut Problems) -> Storage {
    let seed = deployment.seed;
    let mut mounts = Vec::new();
    let mut disks = Disks::new(deployment.facts);
    for (index, mount) in seed.mounts.iter().enumerate() {
        mounts.extend(wish(index, mount, &mut disks, problems));
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
    for pool in &mounts {
        // Each disk of a pool begins like the whole: what is made in it may go to any of them.
        let whole = folders.iter().find(|folder| folder.path == pool.at);
        let (mode, owner) = whole.map_or((0o755, (0, 0)), |whole| (whole.mode, whole.owner));
        folders.extend(pool.requires.iter().map(|branch| folder(branch, mode, owner)));
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
                requires: vec![mount.at.clone()],
                ..MountWish::default()
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

/// The step's title: what is destroyed stands in it, since it is what a person agrees to.
pub(super) fn title(storage: &Storage) -> String {
    let mut title = "Storage: root grows to its disk".to_owned();
    match storage.mounts.len() {
        0 => {}
        1 => title += ", 1 mount",
        n => title += &format!(", {n} mounts"),
    }
    for format in storage.formats() {
        title += &format!(", FORMATS {}", format.consent.victim().in_words());
    }
    title
}

fn wish(
    index: usize,
    mount: &Mount,
    disks: &mut Disks<'_>,
    problems: &mut Problems,
) -> Vec<MountWish> {
    let network = |what: &str, kind: &str, options: String, credentials| MountWish {
        at: mount.at.clone(),
        what: what.to_owned(),
        kind: kind.to_owned(),
        options,
        automount: true,
        credentials,
        ..MountWish::default()
    };
    match &mount.source {
        MountSource::Nfs(what) => {
            // A server that is off is told at once and asked again at the next access; by itself
            // mount.nfs would try for two minutes (nfs(5), `retry`) and hold up whoever asks.
            let options = "_netdev,nofail,soft,timeo=150,retry=0,nosuid,nodev".to_owned();
            vec![network(what, "nfs", options, None)]
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
            vec![network(share, "cifs", options, credentials)]
        }
        MountSource::Disks { members, filesystem, encrypt } => {
            disks.mounted(&mount.at, members, *filesystem, *encrypt, problems)
        }
    }
}
