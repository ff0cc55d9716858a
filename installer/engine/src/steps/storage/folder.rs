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
