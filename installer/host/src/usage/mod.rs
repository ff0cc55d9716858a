//! What of a disk counts: the blocks that its file systems have in use, and all of what lies between
//! them. Told by the file systems' own tables, never by holes.

mod ext4;
mod fat;

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt as _, path::Path};

use model::{
    Digest,
    block_map::{BLOCK, Extent, LARGEST},
    paths::partition,
};

pub use ext4::used as of_ext4;
pub use fat::used as of_fat;

use crate::{
    HostError, Result,
    files::failed,
    table::{self, Partition},
};

/// Blocks of [`BLOCK`] bytes.
pub type Blocks = Range<u64>;

/// Blocks of a disk or an image of `size` bytes that must be as they are, in order. `ext4` knows those
/// of the root file system.
///
/// # Errors
/// A file system cannot be read, or says that it has something in use that is not there.
pub fn used(
    file: &File,
    name: &Path,
    size: u64,
    partitions: &[Partition],
    ext4: &dyn Fn(table::Extent) -> Result<Vec<Blocks>>,
) -> Result<Vec<Blocks>> {
    let mut places: Vec<&Partition> = partitions.iter().collect();
    places.sort_by_key(|place| place.extent.start);
    let mut used = Vec::new();
    let mut end = 0;
    for place in places {
        let (start, length) = (place.extent.start, place.extent.length);
        // Between partitions lie the tables, and nothing that is worth leaving out.
        used.push(end / BLOCK..start / BLOCK);
        end = start + length;
        let inside = match place.number {
            partition::ROOT => ext4(place.extent)?,
            partition::EFI | partition::SEED => {
                fat::used(file, start).map_err(failed("read", name))?
            }
            _ => std::iter::once(0..length / BLOCK).collect(),
        };
        let first = start / BLOCK;
        used.extend(inside.into_iter().map(|blocks| first + blocks.start..first + blocks.end));
    }
    used.push(end / BLOCK..size / BLOCK);
    if let Some(wrong) = used.iter().find(|blocks| blocks.end > size / BLOCK) {
        return Err(HostError::Other(format!(
            "a file system of `{}` says that it has block {} in use, which is not there",
            name.display(),
            wrong.end - 1
        )));
    }
    Ok(joined(used))
}

/// In order, without gaps of nothing.
fn joined(mut ranges: Vec<Blocks>) -> Vec<Blocks> {
    ranges.retain(|blocks| !blocks.is_empty());
    ranges.sort_by_key(|blocks| blocks.start);
    let mut joined: Vec<Blocks> = Vec::new();
    for blocks in ranges {
        match joined.last_mut() {
            Some(last) if blocks.start <= last.end => last.end = last.end.max(blocks.end),
            _ => joined.push(blocks),
        }
    }
    joined
}

/// The extents of blocks in use, told apart by whether they hold anything.
///
/// # Errors
/// They cannot be read.
pub fn extents(file: &File, used: &[Blocks]) -> io::Result<Vec<Extent>> {
    let largest = LARGEST / BLOCK;
    let mut extents = Vec::new();
    let mut buffer = Vec::new();
    for blocks in used {
        let mut at = blocks.start;
        while at < blocks.end {
            let count = (blocks.end - at).min(largest);
            buffer.resize(usize::try_from(count * BLOCK).unwrap_or(0), 0);
            file.read_exact_at(&mut buffer, at * BLOCK)?;
            split(at * BLOCK, &buffer, &mut extents);
            at += count;
        }
    }
    Ok(extents)
}

/// Adds the extents of bytes that begin at `start` and are no more than one may have.
pub fn split(start: u64, bytes: &[u8], extents: &mut Vec<Extent>) {
    let block = usize::try_from(BLOCK).unwrap_or(4096);
    let zero: Vec<bool> =
        bytes.chunks(block).map(|bytes| bytes.iter().all(|byte| *byte == 0)).collect();
    let mut offset = 0;
    for run in zero.chunk_by(|a, b| a == b) {
        let bytes = &bytes[offset..offset + run.len() * block];
        extents.push(Extent {
            start: start + offset as u64,
            length: bytes.len() as u64,
            sha256: (!run[0]).then(|| Digest::of(bytes)),
        });
        offset += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_else_than_a_fat_is_refused() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        let error = of_fat(&file, 0).unwrap_err();
        assert_eq!(error.to_string(), "there is no FAT file system");
    }

    #[test]
    fn what_touches_is_joined_and_nothing_else() {
        assert_eq!(joined(vec![5..6, 0..2, 2..2, 1..3, 9..9]), [0..3, 5..6]);
    }
}
