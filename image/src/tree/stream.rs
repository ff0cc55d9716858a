//! The tree as one tar stream, for `mke2fs -d -`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path as HostPath,
};

use tar::{Builder, EntryType, Header};

use super::{Content, Kind, Path, Tree};

/// Writes the tree, folders before what they hold. `base` is the tar that slices belong to.
///
/// # Errors
/// A file cannot be read or has changed its length, or the stream cannot be written.
pub fn write(tree: &Tree, base: &HostPath, to: impl Write) -> io::Result<()> {
    let mut base = BufReader::with_capacity(1 << 18, File::open(base)?);
    let mut position = 0;
    let mut builder = Builder::new(to);
    // Hard links: the first path of an inode carries the bytes, the others name it.
    let mut first: BTreeMap<u64, &Path> = BTreeMap::new();
    // The root itself is made by `mke2fs -E root_owner`.
    for (path, node) in tree.nodes.iter().filter(|(path, _)| !path.is_empty()) {
        let mut header = Header::new_gnu();
        header.set_mode(node.mode);
        header.set_uid(node.uid);
        header.set_gid(node.gid);
        header.set_mtime(node.mtime);
        header.set_size(0);
        if !node.attributes.is_empty() {
            builder.append_pax_extensions(
                node.attributes
                    .iter()
                    .map(|(name, value)| (format!("SCHILY.xattr.{name}"), value))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_slice())),
            )?;
        }
        let name = name(path, node.kind == Kind::Folder);
        match &node.kind {
            Kind::Folder => {
                header.set_entry_type(EntryType::Directory);
                builder.append_data(&mut header, name, io::empty())?;
            }
            Kind::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                builder.append_link(&mut header, name, as_path(target))?;
            }
            Kind::Device { tar_type, major, minor } => {
                header.set_entry_type(EntryType::new(*tar_type));
                header.set_device_major(*major)?;
                header.set_device_minor(*minor)?;
                builder.append_data(&mut header, name, io::empty())?;
            }
            Kind::File { content, inode } => {
                if let Some(earlier) = inode.and_then(|inode| first.get(&inode)) {
                    header.set_entry_type(EntryType::Link);
                    builder.append_link(&mut header, name, as_path(earlier))?;
                    continue;
                }
                if let Some(inode) = inode {
                    first.insert(*inode, path);
                }
                header.set_entry_type(EntryType::Regular);
                header.set_size(content.length());
                match content {
                    Content::Bytes(bytes) => builder.append_data(&mut header, name, &bytes[..])?,
                    Content::File { path, length } => {
                        let file = File::open(path).map_err(|error| named(path, &error))?;
                        let mut exact = Exact { inner: file.take(*length), left: *length };
                        builder.append_data(&mut header, name, &mut exact)?;
                    }
                    Content::Slice { offset, length } => {
                        // A relative seek keeps what is buffered: slices mostly follow each other.
                        let delta = i64::try_from(*offset).unwrap_or(i64::MAX)
                            - i64::try_from(position).unwrap_or(i64::MAX);
                        base.seek_relative(delta)?;
                        position = offset + length;
                        let mut exact = Exact { inner: (&mut base).take(*length), left: *length };
                        builder.append_data(&mut header, name, &mut exact)?;
                    }
                }
            }
        }
    }
    builder.into_inner()?.flush()
}

/// `./` and the path, as tars of file trees have it.
fn name(path: &[u8], folder: bool) -> std::path::PathBuf {
    let mut name = b"./".to_vec();
    name.extend_from_slice(path);
    if folder {
        name.push(b'/');
    }
    as_path(&name).to_owned()
}

fn as_path(bytes: &[u8]) -> &HostPath {
    use std::os::unix::ffi::OsStrExt as _;
    HostPath::new(std::ffi::OsStr::from_bytes(bytes))
}

fn named(path: &HostPath, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Fails instead of ending early: a header has promised that many bytes.
struct Exact<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "a file became shorter while it was read",
            ));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::tree::{Node, base};

    #[test]
    fn what_goes_out_reads_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let tar = folder.path().join("base.tar");
        std::fs::write(&tar, base::tests::sample()).unwrap();
        let mut tree = base::read(File::open(&tar).unwrap()).unwrap();
        tree.put(
            format!("etc/{}", "long".repeat(60)),
            Node::file(0o644, Content::Bytes(b"!".to_vec())),
        );
        tree.clamp_times(1_000_000_000);
        let stream = || {
            let mut out = Vec::new();
            write(&tree, &tar, &mut out).unwrap();
            out
        };
        let out = stream();
        assert!(out == stream());
        let again = base::read(Cursor::new(&out)).unwrap();
        assert_eq!(again.need().inodes, tree.need().inodes - 1);
        for ((path, old), (again_path, new)) in tree.iter().skip(1).zip(again.iter()) {
            assert_eq!(path, again_path);
            assert_eq!((old.mode, old.gid, old.mtime), (new.mode, new.gid, new.mtime));
            assert_eq!(old.attributes, new.attributes);
            assert_eq!(new.mtime, 1_000_000_000);
        }
        // `etc/a` sorts before `etc/z`, so it must carry the bytes now.
        let a = again.get("etc/a").unwrap();
        let Kind::File { content: Content::Slice { offset, length }, .. } = &a.kind else {
            panic!("{a:?}")
        };
        let (start, length) =
            (usize::try_from(*offset).unwrap(), usize::try_from(*length).unwrap());
        assert_eq!(&out[start..start + length], b"abc");
    }
}
