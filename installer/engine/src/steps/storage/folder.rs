//! Folders at their places. On a share it is the other machine that says whose they are.

use host::files;
use model::plan::{FolderWish, MountWish, Storage};

use crate::{failure::Result, scene::Scene};

/// Does it lie on a share?
fn is_shared(folder: &FolderWish, storage: &Storage) -> bool {
    storage.mounts.iter().any(|mount| folder.is_in(&mount.at) && is_share(mount, storage))
}

fn is_share(mount: &MountWish, storage: &Storage) -> bool {
    let mut below = mount.requires.iter().filter_map(|at| storage.mount(at));
    mount.automount || below.any(|below| is_share(below, storage))
}

/// Is it as planned? On a share, only whether it is there.
pub(super) fn is_so(folder: &FolderWish, storage: &Storage, scene: &Scene<'_>) -> Result<bool> {
    let path = scene.host().path(&folder.path);
    match is_shared(folder, storage) {
        true => Ok(path.is_dir()),
        false => Ok(files::folder_is(path, folder.mode, folder.owner)?),
    }
}

/// Makes it so. A new one on a share is given away as far as the other machine lets us: by SMB
/// nothing can be, by NFS often not.
pub(crate) fn ensure(folder: &FolderWish, storage: &Storage, scene: &Scene<'_>) -> Result<()> {
    let path = scene.host().path(&folder.path);
    let shared = is_shared(folder, storage);
    if shared && path.is_dir() {
        return Ok(());
    }
    match files::ensure_folder(&path, folder.mode, folder.owner) {
        Err(_) if shared && path.is_dir() => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_on_a_share_is_shared() {
        let mount = |at: &str, automount, requires: &[&str]| MountWish {
            at: at.into(),
            automount,
            requires: requires.iter().map(|at| (*at).to_owned()).collect(),
            ..MountWish::default()
        };
        let storage = Storage {
            grow_root: false,
            folders: Vec::new(),
            mounts: vec![
                mount("/mnt/storage", true, &[]),
                mount("/mnt/media", false, &["/mnt/storage"]),
                mount("/mnt/backups", false, &[]),
            ],
        };
        for (path, shared) in [
            ("/mnt/storage/media", true),
            ("/mnt/media", true),
            ("/mnt/media/films", true),
            ("/mnt/media-too", false),
            ("/mnt/backups/restic", false),
        ] {
            let folder = FolderWish { path: path.into(), mode: 0o755, owner: (0, 0) };
            assert_eq!(is_shared(&folder, &storage), shared, "{path}");
        }
    }
}
