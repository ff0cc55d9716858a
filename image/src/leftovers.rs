//! What builds that were cut off left behind. A running build holds a shared lock on the folders
//! that it writes to; whoever finds such a folder without any lock may tidy it up.

use std::{fs, fs::File, path::Path};

use nix::fcntl::{Flock, FlockArg};

use crate::error::{At as _, Result};

/// Names of what is not whole yet begin so, or end so.
const UNFINISHED: (&str, &str) = (".making-", ".unfinished");

/// Tells other builds that this one works in a folder.
#[derive(Debug)]
pub struct InUse {
    _lock: Flock<File>,
}

/// Marks a folder as in use, as long as the result lives. If nobody else uses it, unfinished
/// files and folders in it and in its folders go.
///
/// # Errors
/// The folder cannot be opened or locked.
pub fn enter(folder: &Path) -> Result<InUse> {
    let open = || File::open(folder).at("open", folder);
    if let Ok(alone) = Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
        tidy(folder);
        drop(alone);
    }
    let lock = Flock::lock(open()?, FlockArg::LockShared)
        .map_err(|(_, error)| std::io::Error::from(error))
        .at("lock", folder)?;
    Ok(InUse { _lock: lock })
}

/// What cannot be removed only costs room.
fn tidy(folder: &Path) {
    for entry in walkdir::WalkDir::new(folder).min_depth(1).max_depth(2).into_iter().flatten() {
        let name = entry.file_name().to_string_lossy();
        if !name.starts_with(UNFINISHED.0) && !name.ends_with(UNFINISHED.1) {
            continue;
        }
        let _ = if entry.file_type().is_dir() {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cut_build_left_goes_unless_another_build_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (image, stage, whole) = (
            folder.path().join(".homelab-x.unfinished"),
            folder.path().join("base/.making-x/tree"),
            folder.path().join("base/0123"),
        );
        let fill = || {
            fs::write(&image, "").unwrap();
            fs::create_dir_all(&stage).unwrap();
            fs::create_dir_all(&whole).unwrap();
        };
        fill();
        let first = enter(folder.path()).unwrap();
        assert_eq!((image.exists(), stage.exists(), whole.exists()), (false, false, true));
        fill();
        let second = enter(folder.path()).unwrap();
        assert!(image.exists() && stage.exists(), "they belong to the first build");
        drop((first, second));
        enter(folder.path()).unwrap();
        assert!(!image.exists() && !stage.exists());
    }
}
