//! Files that are whole or not there, whatever happens to the power.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use crate::{HostError, Result};

/// Numeric user and group.
pub type Owner = (u32, u32);

/// Do owners count? Only root may give files away, so without root (in tests on a developer's
/// machine) owners are neither set nor compared. This is the one place that decides it.
fn owners_count() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Wraps an I/O error with what was tried and where.
pub fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HostError {
    let path = path.to_owned();
    move |source| HostError::File { action, path, source }
}

/// Replaces a file as a whole: a temporary file in the same folder gets mode, owner and content,
/// is synced and renamed, and the folder is synced. After a power cut there is the old file or the
/// new one. The folder must exist.
///
/// # Errors
/// The folder does not exist, is full, or is read-only.
pub fn write_atomic(
    path: impl AsRef<Path>,
    bytes: impl AsRef<[u8]>,
    mode: u32,
    owner: Owner,
) -> Result<()> {
    let path = path.as_ref();
    let folder = parent(path);
    let mut file = tempfile::Builder::new()
        .prefix(".homelab-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(failed("write", path))?;
    // Content comes last, so that a secret is never readable by more than in the end.
    settle_owner_and_mode(file.path(), mode, owner).map_err(failed("write", path))?;
    file.write_all(bytes.as_ref()).map_err(failed("write", path))?;
    file.as_file().sync_all().map_err(failed("write", path))?;
    file.persist(path).map_err(|error| failed("write", path)(error.error))?;
    sync_folder(folder)
}

/// The file's bytes, or none if there is no such file.
///
/// # Errors
/// It is there but cannot be read.
pub fn read_optional(path: impl AsRef<Path>) -> Result<Option<Vec<u8>>> {
    let path = path.as_ref();
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// The file's text, or none if there is no such file.
///
/// # Errors
/// It is there but cannot be read, or is not UTF-8.
pub fn read_text_optional(path: impl AsRef<Path>) -> Result<Option<String>> {
    let path = path.as_ref();
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// The file's text.
///
/// # Errors
/// It is not there, cannot be read, or is not UTF-8.
pub fn read_text(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    fs::read_to_string(path).map_err(failed("read", path))
}

/// The folder exists with this mode and owner. Missing parents are made with mode 0755, as root's.
///
/// # Errors
/// A file stands in the way, or the file system is read-only.
pub fn ensure_folder(path: impl AsRef<Path>, mode: u32, owner: Owner) -> Result<()> {
    let path = path.as_ref();
    if folder_is(path, mode, owner)? {
        return Ok(());
    }
    if !path.is_dir() {
        let folder = parent(path);
        if !folder.is_dir() {
            ensure_folder(folder, 0o755, (0, 0))?;
        }
        fs::create_dir(path).map_err(failed("create the folder", path))?;
        sync_folder(folder)?;
    }
    settle_owner_and_mode(path, mode, owner).map_err(failed("set mode and owner of", path))
}

/// Is there a folder with this mode and owner?
///
/// # Errors
/// It cannot be looked at.
pub fn folder_is(path: impl AsRef<Path>, mode: u32, owner: Owner) -> Result<bool> {
    let path = path.as_ref();
    match fs::metadata(path) {
        Ok(found) => Ok(found.is_dir() && matches(&found, mode, owner)),
        Err(error) if absent(&error) => Ok(false),
        Err(error) => Err(failed("look at", path)(error)),
    }
}

/// Removes a file; true if there was one.
///
/// # Errors
/// It is there and stays.
pub fn remove(path: impl AsRef<Path>) -> Result<bool> {
    let path = path.as_ref();
    match fs::remove_file(path) {
        Ok(()) => sync_folder(parent(path)).map(|()| true),
        Err(error) if absent(&error) => Ok(false),
        Err(error) => Err(failed("remove", path)(error)),
    }
}

/// Is there a plain file with exactly this content, mode and owner? A symbolic link is not one.
///
/// # Errors
/// It is there but cannot be read.
pub fn same(
    path: impl AsRef<Path>,
    bytes: impl AsRef<[u8]>,
    mode: u32,
    owner: Owner,
) -> Result<bool> {
    let (path, bytes) = (path.as_ref(), bytes.as_ref());
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if absent(&error) => return Ok(false),
        Err(error) => return Err(failed("look at", path)(error)),
    };
    if !found.is_file() || !matches(&found, mode, owner) || found.len() != bytes.len() as u64 {
        return Ok(false);
    }
    Ok(read_optional(path)?.as_deref() == Some(bytes))
}

/// Writes the file unless [`same`] holds; true if it was written.
///
/// # Errors
/// Those of [`same`] and [`write_atomic`].
pub fn ensure(
    path: impl AsRef<Path>,
    bytes: impl AsRef<[u8]>,
    mode: u32,
    owner: Owner,
) -> Result<bool> {
    let (path, bytes) = (path.as_ref(), bytes.as_ref());
    if same(path, bytes, mode, owner)? {
        return Ok(false);
    }
    write_atomic(path, bytes, mode, owner)?;
    Ok(true)
}

/// Overwrites the bytes of a file where they lie on the medium, for file systems that write in
/// place (FAT): the file is not truncated and keeps its length, so the same clusters are written.
/// `bytes` repeats or is cut as needed to fill the old length; an empty `bytes` writes zeros.
///
/// # Errors
/// The file is not there or cannot be written.
pub fn overwrite_in_place(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let attempt = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).custom_flags(libc_nofollow()).open(path)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let pattern = if bytes.is_empty() { &[0][..] } else { bytes };
        let filling: Vec<u8> = pattern.iter().copied().cycle().take(length).collect();
        file.write_all(&filling)?;
        file.sync_all()
    };
    attempt().map_err(failed("overwrite", path))
}

fn libc_nofollow() -> i32 {
    nix::fcntl::OFlag::O_NOFOLLOW.bits()
}

/// Names of a folder's entries, sorted; empty if there is no such folder.
///
/// # Errors
/// It is there but cannot be read.
pub fn list(folder: impl AsRef<Path>) -> Result<Vec<String>> {
    let folder = folder.as_ref();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("list", folder))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Makes a rename, a new file or a removal inside this folder last.
///
/// # Errors
/// The medium failed.
pub fn sync_folder(folder: impl AsRef<Path>) -> Result<()> {
    let folder = folder.as_ref();
    File::open(folder).and_then(|file| file.sync_all()).map_err(failed("sync", folder))
}

/// The folder that a path lies in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// `a/b` where `a` is a file does not exist either.
fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn matches(found: &fs::Metadata, mode: u32, owner: Owner) -> bool {
    found.mode() & 0o7777 == mode && (!owners_count() || (found.uid(), found.gid()) == owner)
}

/// Owner first: changing it clears set-user-id bits.
fn settle_owner_and_mode(path: &Path, mode: u32, owner: Owner) -> io::Result<()> {
    if owners_count() {
        chown(path, Some(owner.0), Some(owner.1))?;
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Adds the way from `root` to an absolute path, as [`crate::Host::path`] does.
pub(crate) fn below(root: &Path, absolute: impl AsRef<Path>) -> PathBuf {
    let absolute = absolute.as_ref();
    root.join(absolute.strip_prefix("/").unwrap_or(absolute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mine() -> Owner {
        (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
    }

    #[test]
    fn a_written_file_is_the_same_and_leaves_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(ensure(&path, "one", 0o640, mine()).unwrap());
        assert!(!ensure(&path, "one", 0o640, mine()).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(list(folder.path()).unwrap(), ["secret"]);
    }

    #[test]
    fn content_mode_length_and_kind_are_compared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(!same(&path, "", 0o600, mine()).unwrap(), "not there");
        write_atomic(&path, "one", 0o600, mine()).unwrap();
        assert!(!same(&path, "two", 0o600, mine()).unwrap());
        assert!(!same(&path, "one ", 0o600, mine()).unwrap());
        assert!(!same(&path, "one", 0o644, mine()).unwrap());
        assert!(same(&path, "one", 0o600, mine()).unwrap());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(!same(&link, "one", 0o600, mine()).unwrap(), "a link is no plain file");
    }

    #[test]
    fn owners_are_set_and_compared_as_root() {
        if !owners_count() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomic(&path, "one", 0o4755, (1000, 999)).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (1000, 999, 0o4755));
        assert!(!same(&path, "one", 0o4755, (1000, 1000)).unwrap());
    }

    #[test]
    fn what_is_absent_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read_optional(&path).unwrap(), None);
        assert_eq!(read_text_optional(path.join("below")).unwrap(), None);
        assert!(!remove(&path).unwrap());
        assert!(list(&path).unwrap().is_empty());
        write_atomic(&path, "x", 0o600, mine()).unwrap();
        assert_eq!(read_text_optional(path.join("below")).unwrap(), None, "a file is no folder");
        assert!(remove(&path).unwrap());
        assert_eq!(read_text_optional(&path).unwrap(), None);
    }

    #[test]
    fn errors_name_action_path_and_cause() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/file");
        let error = write_atomic(&path, "x", 0o600, mine()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write `{}`", path.display()));
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.starts_with("No such file or directory"), "{cause}");
    }

    #[test]
    fn folders_are_made_with_their_parents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c");
        assert!(!folder_is(&path, 0o700, mine()).unwrap());
        ensure_folder(&path, 0o700, mine()).unwrap();
        assert!(folder_is(&path, 0o700, mine()).unwrap());
        assert!(!folder_is(&path, 0o755, mine()).unwrap());
        ensure_folder(&path, 0o755, mine()).unwrap();
        assert!(folder_is(&path, 0o755, mine()).unwrap());
        let mode = fs::metadata(folder.path().join("a/b")).unwrap().mode() & 0o7777;
        assert_eq!(mode, 0o755);
    }

    #[test]
    fn overwriting_keeps_length_and_inode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed.toml");
        fs::write(&path, "password = \"hunter2\"").unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        overwrite_in_place(&path, b"").unwrap();
        assert_eq!(fs::read(&path).unwrap(), [0; 20]);
        overwrite_in_place(&path, b"#\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "#\n".repeat(10));
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
    }
}
