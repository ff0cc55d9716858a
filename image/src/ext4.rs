//! The root file system: `mke2fs` fills it from a tar stream, at its place inside the image.
//!
//! Everything that two versions of e2fsprogs could see differently is said on the command line;
//! GRUB reads the features in this list, and older GRUBs did not read newer defaults.

use std::{io::Write, path::Path, thread};

use host::{
    command::{Runner, Streams},
    table::Extent,
};

use crate::{
    debian::Tools,
    error::{At as _, ImageError, Result},
    identifiers::Identifiers,
    layout::MIB,
    tree::{Need, Tree, stream},
};

/// Bytes of a block.
const BLOCK: u64 = 4096;
/// Bytes for each inode; the ratio stays when the file system grows.
const BYTES_PER_INODE: u64 = 16_384;
/// Bytes of an inode.
const INODE: u64 = 256;
/// MiB of the journal: enough for a disk that has grown to terabytes.
const JOURNAL_MIB: u64 = 64;

/// `metadata_csum_seed` lets the box change the UUID at once; `orphan_file` is left out.
const FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,\
                        flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,\
                        metadata_csum,metadata_csum_seed";

/// Bytes that a root file system with this content needs.
pub fn size(need: Need, free: u64) -> u64 {
    let content = need.bytes + free + JOURNAL_MIB * MIB;
    // Inode tables grow with the whole, and so do the block groups' own blocks; 1 % covers them
    // and what is kept for the root user.
    let tables = content / BYTES_PER_INODE * INODE;
    let content = content + tables + content / 50 + 8 * MIB;
    content.max(need.inodes * BYTES_PER_INODE * 5 / 4).div_ceil(MIB) * MIB
}

/// Makes the file system inside `image` and fills it with `tree`, whose slices are parts of
/// `base`.
///
/// # Errors
/// The tree cannot be read, or `mke2fs` failed.
pub fn make(
    runner: &dyn Runner,
    tools: &Tools,
    tree: &Tree,
    base: &Path,
    (image, place): (&Path, Extent),
    ids: &Identifiers,
    epoch: i64,
) -> Result<()> {
    let scratch = tempfile::tempdir().at("create", "a temporary folder")?;
    let config = scratch.path().join("mke2fs.conf");
    // Without a file of ours the machine's own would have a say.
    std::fs::write(&config, "[fs_types]\n    ext4 = {\n    }\n").at("write", &config)?;
    // Only the last -E counts, so there is one.
    let extended = format!(
        "offset={},hash_seed={},lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0,\
         resize=4294967295",
        place.start, ids.root_hash_seed
    );
    let command = tools
        .command("usr/sbin/mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-L", "root", "-m", "1"])
        .args(["-b", &BLOCK.to_string()])
        .args(["-I", &INODE.to_string()])
        .args(["-i", &BYTES_PER_INODE.to_string()])
        .args(["-J", &format!("size={JOURNAL_MIB}")])
        .args(["-U", &ids.root_filesystem.to_string()])
        .args(["-O", FEATURES])
        .args(["-E", &extended])
        .args(["-d", "-"])
        .arg(image)
        .arg((place.length / BLOCK).to_string())
        .env("SOURCE_DATE_EPOCH", epoch.to_string())
        .env("MKE2FS_CONFIG", config.to_string_lossy())
        .env("TZ", "UTC");
    let (mut reader, writer) =
        std::os::unix::net::UnixStream::pair().at("create", "a pair of sockets")?;
    thread::scope(|scope| {
        let writing = scope.spawn(move || {
            let mut writer = std::io::BufWriter::with_capacity(1 << 20, writer);
            stream::write(tree, base, &mut writer).and_then(|()| writer.flush())
        });
        let ran =
            runner.run_with(&command, Streams { stdin: Some(&mut reader), ..Streams::default() });
        // A reader that is gone lets the writing thread end.
        drop(reader);
        let wrote = writing.join().map_err(|_| ImageError::Other("the merge panicked".into()))?;
        match (ran, wrote) {
            // If both failed, the program's end is the cause of the broken pipe.
            (Err(error), _) => Err(error.into()),
            (Ok(_), Err(source)) => {
                Err(ImageError::File { action: "merge the files for", path: image.into(), source })
            }
            (Ok(_), Ok(())) => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_content_journal_and_many_small_files() {
        let big = size(Need { inodes: 20_000, bytes: 800 * MIB }, 256 * MIB);
        assert!(big > (800 + 256 + 64) * MIB && big < 1200 * MIB, "{}", big / MIB);
        assert_eq!(big % MIB, 0);
        let many = size(Need { inodes: 1_000_000, bytes: MIB }, MIB);
        assert!(many / BYTES_PER_INODE > 1_000_000);
    }
}
