//! Our own files, laid over the base.

use std::{
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::Path,
};

use walkdir::WalkDir;

use super::{Content, Node, Tree};
use crate::error::{At as _, ImageError, Result};

/// Lays a folder of this machine over the tree, below `at` (`""` is the root). Everything belongs
/// to root; of the modes only the executable bit counts, so that the umask of a checkout does not.
///
/// Returns the paths of the files that were laid, in order.
///
/// # Errors
/// The folder cannot be read, or holds a device or pipe.
pub fn lay(tree: &mut Tree, folder: &Path, at: &str) -> Result<Vec<String>> {
    let mut laid = Vec::new();
    for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            ImageError::Other(format!("cannot read `{}`: {error}", folder.display()))
        })?;
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let relative = relative.to_str().ok_or_else(|| {
            ImageError::Other(format!("`{}` is not UTF-8", entry.path().display()))
        })?;
        let target = if at.is_empty() { relative.to_owned() } else { format!("{at}/{relative}") };
        let kind = entry.file_type();
        if kind.is_dir() {
            tree.put(target, Node::folder());
            continue;
        }
        let node = if kind.is_symlink() {
            let link = fs::read_link(entry.path()).at("read", entry.path())?;
            Node::link(link.as_os_str().as_bytes())
        } else if kind.is_file() {
            file(entry.path())?
        } else {
            return Err(ImageError::Other(format!(
                "`{}` is neither file nor folder nor link",
                entry.path().display()
            )));
        };
        tree.put(target.as_str(), node);
        laid.push(target);
    }
    Ok(laid)
}

/// A file of this machine as a node: 0755 if its owner may execute it, 0644 otherwise.
///
/// # Errors
/// It cannot be read.
pub fn file(path: &Path) -> Result<Node> {
    let data = fs::metadata(path).at("read", path)?;
    let mode = if data.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
    Ok(Node::file(mode, Content::File { path: path.to_owned(), length: data.len() }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tree::Kind;

    #[test]
    fn only_the_executable_bit_of_a_checkout_counts() {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        fs::create_dir_all(below("usr/bin")).unwrap();
        for (name, mode) in [("usr/bin/run", 0o700), ("usr/data", 0o660)] {
            fs::write(below(name), "x").unwrap();
            fs::set_permissions(below(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("../data", below("usr/bin/link")).unwrap();
        let mut tree = Tree::default();
        let laid = lay(&mut tree, folder.path(), "").unwrap();
        assert_eq!(laid, ["usr/bin/link", "usr/bin/run", "usr/data"]);
        assert_eq!(tree.get("usr/bin/run").unwrap().mode, 0o755);
        assert_eq!(tree.get("usr/data").unwrap().mode, 0o644);
        assert_eq!(tree.get("usr/bin/link").unwrap().kind, Kind::Link(b"../data".to_vec()));
    }
}
