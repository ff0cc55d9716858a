//! Reads the index of Debian's tar: headers only, the bytes stay in the file.

use std::{
    collections::BTreeMap,
    io::{Read, Seek},
};

use tar::{Archive, EntryType};

use super::{Content, Kind, Node, Path, Tree};
use crate::error::{ImageError, Result};

/// The only extended attribute that `mke2fs -d` carries over. A tree with another one would lose
/// it in silence.
const CAPABILITY: &str = "security.capability";
const SCHILY: &str = "SCHILY.xattr.";

/// Reads all headers of a tar.
///
/// # Errors
/// It is damaged, or has something that an image cannot carry.
pub fn read(tar: impl Read + Seek) -> Result<Tree> {
    let damaged = |error: std::io::Error| ImageError::Other(format!("the base tar: {error}"));
    let mut tree = Tree::default();
    let mut inodes: BTreeMap<Path, u64> = BTreeMap::new();
    let mut archive = Archive::new(tar);
    for entry in archive.entries_with_seek().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = clean(&entry.path_bytes());
        let shown = || String::from_utf8_lossy(&path).into_owned();
        let attributes = attributes(&mut entry)
            .map_err(|error| ImageError::Other(format!("the base tar: `{}`: {error}", shown())))?;
        let header = entry.header().clone();
        let content = Content::Slice { offset: entry.raw_file_position(), length: entry.size() };
        let target = entry.link_name_bytes().map(|name| name.into_owned());
        let kind = match header.entry_type() {
            EntryType::Directory => Kind::Folder,
            EntryType::Regular | EntryType::Continuous => Kind::File { content, inode: None },
            EntryType::Symlink => Kind::Link(target.unwrap_or_default()),
            EntryType::Link => {
                let target = clean(&target.unwrap_or_default());
                let number = inodes.len() as u64;
                let inode = *inodes.entry(target.clone()).or_insert(number);
                let Some(node) = tree.nodes.get_mut(&target) else {
                    return Err(ImageError::Other(format!(
                        "the base tar: `{}` is a hard link to `{}`, which does not come before it",
                        shown(),
                        String::from_utf8_lossy(&target)
                    )));
                };
                if let Kind::File { inode: known, .. } = &mut node.kind {
                    *known = Some(inode);
                }
                let node = node.clone();
                tree.nodes.insert(path, node);
                continue;
            }
            kind @ (EntryType::Char | EntryType::Block | EntryType::Fifo) => Kind::Device {
                tar_type: kind.as_byte(),
                major: header.device_major().map_err(damaged)?.unwrap_or_default(),
                minor: header.device_minor().map_err(damaged)?.unwrap_or_default(),
            },
            EntryType::XGlobalHeader => continue,
            other => {
                return Err(ImageError::Other(format!(
                    "the base tar: `{}` is of a kind that an image cannot carry ({other:?})",
                    shown()
                )));
            }
        };
        let node = Node {
            mode: header.mode().map_err(damaged)? & 0o7777,
            uid: header.uid().map_err(damaged)?,
            gid: header.gid().map_err(damaged)?,
            mtime: header.mtime().map_err(damaged)?,
            attributes,
            kind,
        };
        // Only folders have parents to make; the base lists them itself.
        tree.nodes.insert(path, node);
    }
    Ok(tree)
}

/// Without leading `./` and trailing `/`.
fn clean(path: &[u8]) -> Path {
    let mut path = path;
    loop {
        path = match path {
            [b'.', b'/', rest @ ..] | [b'/', rest @ ..] | [rest @ .., b'/'] => rest,
            [b'.'] => &[],
            _ => return path.to_vec(),
        };
    }
}

fn attributes<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut found = Vec::new();
    for extension in entry.pax_extensions().map_err(|e| e.to_string())?.into_iter().flatten() {
        let extension = extension.map_err(|e| e.to_string())?;
        let key = extension.key().map_err(|e| e.to_string())?;
        if let Some(name) = key.strip_prefix(SCHILY) {
            if name != CAPABILITY {
                return Err(format!(
                    "the extended attribute `{name}` would be lost; only `{CAPABILITY}` is carried"
                ));
            }
            found.push((name.to_owned(), extension.value_bytes().to_vec()));
        }
    }
    Ok(found)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use tar::{Builder, Header};

    use super::*;

    /// A small tar like Debian's: a folder, a file, its hard link, a symbolic link, a capability.
    pub(crate) fn sample() -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        let header = |kind, size, mode| {
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(size);
            header.set_mode(mode);
            header.set_uid(0);
            header.set_gid(42);
            header.set_mtime(2_000_000_000);
            header
        };
        let folder = || header(EntryType::Directory, 0, 0o755);
        builder.append_data(&mut folder(), "./", &[][..]).unwrap();
        builder.append_data(&mut folder(), "./etc/", &[][..]).unwrap();
        builder
            .append_data(&mut header(EntryType::Regular, 3, 0o4711), "./etc/z", &b"abc"[..])
            .unwrap();
        builder.append_link(&mut header(EntryType::Link, 0, 0o4711), "./etc/a", "./etc/z").unwrap();
        builder.append_link(&mut header(EntryType::Symlink, 0, 0o777), "./etc/s", "../x").unwrap();
        builder
            .append_pax_extensions([("SCHILY.xattr.security.capability", &b"\x01\x02"[..])])
            .unwrap();
        builder
            .append_data(&mut header(EntryType::Regular, 1, 0o755), "./etc/ping", &b"p"[..])
            .unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn reads_owner_mode_links_and_capabilities() {
        let tree = read(Cursor::new(sample())).unwrap();
        let paths: Vec<_> = tree.iter().map(|(path, _)| String::from_utf8_lossy(path)).collect();
        assert_eq!(paths, ["", "etc", "etc/a", "etc/ping", "etc/s", "etc/z"]);
        assert_eq!((tree.get("etc/z").unwrap().mode, tree.get("etc/z").unwrap().gid), (0o4711, 42));
        assert_eq!(tree.get("etc/a"), tree.get("etc/z"));
        assert_eq!(tree.get("etc/s").unwrap().kind, Kind::Link(b"../x".to_vec()));
        assert_eq!(
            tree.get("etc/ping").unwrap().attributes,
            [("security.capability".to_owned(), vec![1, 2])]
        );
    }

    #[test]
    fn an_attribute_that_would_be_lost_is_an_error() {
        let mut builder = Builder::new(Vec::new());
        builder.append_pax_extensions([("SCHILY.xattr.user.note", &b"x"[..])]).unwrap();
        let mut header = Header::new_gnu();
        header.set_size(0);
        builder.append_data(&mut header, "./f", &[][..]).unwrap();
        let error = read(Cursor::new(builder.into_inner().unwrap())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the base tar: `f`: the extended attribute `user.note` would be lost; only \
             `security.capability` is carried"
        );
    }
}
