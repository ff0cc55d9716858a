//! The root file system as a value: every path with its owner, mode and where its bytes are.
//!
//! Debian's tar ([`base`]) and our own files ([`overlay`]) are laid over each other here, unwanted
//! things are taken out ([`clean`]), and one sorted tar stream goes out ([`stream`]). The bytes
//! stay where they are until then.

pub mod base;
pub mod clean;
pub mod overlay;
pub mod stream;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// A path below the root without a leading slash; the root itself is the empty path.
pub type Path = Vec<u8>;

/// All of it. Sorted by bytes, so that a folder always comes before what it holds.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: BTreeMap<Path, Node>,
}

/// One path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Permission bits with set-uid, set-gid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Seconds since 1970.
    pub mtime: u64,
    /// Extended attributes.
    pub attributes: Vec<(String, Vec<u8>)>,
    /// What it is.
    pub kind: Kind,
}

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file. Paths of the same `inode` are hard links of each other.
    File {
        /// Where its bytes are.
        content: Content,
        /// Shared by hard links.
        inode: Option<u64>,
    },
    /// A symbolic link to this.
    Link(Vec<u8>),
    /// A device or pipe, which comes with the base only.
    Device {
        /// The type byte of tar: `3` character, `4` block, `6` pipe.
        tar_type: u8,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// In memory.
    Bytes(Vec<u8>),
    /// All of a file of this machine.
    File {
        /// Which.
        path: PathBuf,
        /// Its length when it was looked at.
        length: u64,
    },
    /// A part of the base tar.
    Slice {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        length: u64,
    },
}

impl Content {
    /// Number of bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } | Self::Slice { length, .. } => *length,
        }
    }
}

/// What a file system must have room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Inodes.
    pub inodes: u64,
    /// Bytes in whole blocks of 4096.
    pub bytes: u64,
}

impl Tree {
    /// Puts a node at a path, replacing what is there. A folder over a folder changes nothing: the
    /// lower one knows its owner and mode. Missing folders above it are made.
    pub fn put(&mut self, path: impl Into<Path>, node: Node) {
        let path = path.into();
        let mut end = 0;
        while let Some(slash) = path[end..].iter().position(|&b| b == b'/') {
            self.nodes.entry(path[..end + slash].to_vec()).or_insert_with(Node::folder);
            end += slash + 1;
        }
        let both_folders = node.kind == Kind::Folder
            && self.nodes.get(&path).is_some_and(|old| old.kind == Kind::Folder);
        if !both_folders {
            self.nodes.insert(path, node);
        }
    }

    /// The node at a path.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path.as_bytes())
    }

    /// Removes a path and all below it.
    pub fn remove(&mut self, path: &[u8]) {
        let below = [path, b"/"].concat();
        self.nodes.retain(|other, _| other != path && !other.starts_with(&below));
    }

    /// All paths in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.nodes.iter()
    }

    /// No time lies after `epoch` any more.
    pub fn clamp_times(&mut self, epoch: u64) {
        for node in self.nodes.values_mut() {
            node.mtime = node.mtime.min(epoch);
        }
    }

    /// What a file system must have room for.
    pub fn need(&self) -> Need {
        const BLOCK: u64 = 4096;
        let mut seen = BTreeSet::new();
        let mut need = Need { inodes: 0, bytes: 0 };
        for node in self.nodes.values() {
            let bytes = match &node.kind {
                Kind::File { inode: Some(inode), .. } if !seen.insert(*inode) => continue,
                Kind::File { content, .. } => content.length(),
                Kind::Folder => BLOCK,
                // Up to 59 bytes lie in the inode itself.
                Kind::Link(target) if target.len() >= 60 => BLOCK,
                Kind::Link(_) | Kind::Device { .. } => 0,
            };
            need.inodes += 1;
            need.bytes += bytes.div_ceil(BLOCK) * BLOCK;
        }
        need
    }
}

impl Node {
    /// A folder of root's, mode 0755. Its time is clamped later.
    pub fn folder() -> Self {
        Self::ours(0o755, Kind::Folder)
    }

    /// A file of root's.
    pub fn file(mode: u32, content: Content) -> Self {
        Self::ours(mode, Kind::File { content, inode: None })
    }

    /// A symbolic link.
    pub fn link(target: impl Into<Vec<u8>>) -> Self {
        Self::ours(0o777, Kind::Link(target.into()))
    }

    fn ours(mode: u32, kind: Kind) -> Self {
        Self { mode, uid: 0, gid: 0, mtime: u64::MAX, attributes: Vec::new(), kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Content {
        Content::Bytes(text.into())
    }

    #[test]
    fn folders_come_into_being_and_keep_their_owner() {
        let mut tree = Tree::default();
        tree.put("var/spool", Node { gid: 8, mode: 0o2775, ..Node::folder() });
        tree.put("var/spool", Node::folder());
        tree.put("var/spool/a/b", Node::file(0o644, bytes("x")));
        assert_eq!(tree.get("var/spool").unwrap().gid, 8);
        let paths: Vec<_> = tree.iter().map(|(path, _)| path.as_slice()).collect();
        assert_eq!(paths, [&b"var"[..], b"var/spool", b"var/spool/a", b"var/spool/a/b"]);
    }

    #[test]
    fn removing_takes_what_lies_below_but_no_namesake() {
        let mut tree = Tree::default();
        for path in ["run/a", "run/b/c", "runner"] {
            tree.put(path, Node::file(0o644, bytes("")));
        }
        tree.remove(b"run");
        assert_eq!(tree.iter().count(), 1);
    }

    #[test]
    fn need_counts_hard_links_once_and_whole_blocks() {
        let mut tree = Tree::default();
        let shared = Kind::File { content: bytes("12345"), inode: Some(9) };
        tree.put("a", Node { kind: shared.clone(), ..Node::folder() });
        tree.put("b", Node { kind: shared, ..Node::folder() });
        tree.put("c", Node::link("a"));
        tree.put("d", Node::folder());
        assert_eq!(tree.need(), Need { inodes: 3, bytes: 8192 });
    }
}
