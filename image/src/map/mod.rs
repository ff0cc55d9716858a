//! Makes the block map of a finished image: what its file systems have in use, told apart by whether
//! there is anything but zeros.

mod bmap;
mod ext4;
mod fat;

use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use host::command::Runner;
use model::{
    Digest,
    block_map::{BLOCK, BlockMap, Extent, FORMAT, LARGEST},
    paths::partition,
};
use sha2::{Digest as _, Sha256};

pub use bmap::to_bmap;

use crate::{
    debian::Tools,
    error::{At as _, ImageError, Result},
    layout::{self, Partition},
    window::Window,
};

/// What the name of a map ends in, after that of its image without `.raw`.
pub const SUFFIX: &str = ".map.json";

/// Where the map of an image lies, `NAME.raw` or `NAME.raw.zst`; none: its name is another one.
pub fn beside(image: &Path) -> Option<PathBuf> {
    let name = image.file_name()?.to_str()?;
    let stem = name.strip_suffix(".raw.zst").or_else(|| name.strip_suffix(".raw"))?;
    Some(image.with_file_name(format!("{stem}{SUFFIX}")))
}

/// The map of an image of ours with this digest.
///
/// # Errors
/// The image is none of ours, or cannot be read.
pub fn make(image: &Path, digest: &Digest, runner: &dyn Runner, tools: &Tools) -> Result<BlockMap> {
    let file = File::open(image).at("read", image)?;
    let size = file.metadata().at("read", image)?.len();
    let (_, partitions) = layout::read(&mut &file)?;
    let used =
        used(&file, image, size, &partitions, &|place| ext4::used(runner, tools, image, place))?;
    let extents = extents(&file, &used).at("read", image)?;
    Ok(BlockMap { format: FORMAT, size, digest: digest.clone(), extents })
}

/// The map of an image of which nothing is known: all of it counts.
///
/// # Errors
/// It cannot be read, or is no whole number of blocks.
pub fn of_everything(image: &mut dyn Read) -> io::Result<BlockMap> {
    let (mut extents, mut at, mut hash) = (Vec::new(), 0, Sha256::new());
    loop {
        let mut bytes = Vec::new();
        (&mut *image).take(LARGEST).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            let digest = Digest::from_hash(&hash.finalize());
            return Ok(BlockMap { format: FORMAT, size: at, digest, extents });
        }
        if bytes.len() as u64 % BLOCK != 0 {
            return Err(io::Error::other(format!(
                "it is no whole number of blocks of {BLOCK} bytes"
            )));
        }
        hash.update(&bytes);
        split(at, &bytes, &mut extents);
        at += bytes.len() as u64;
    }
}

/// Blocks.
type Blocks = Range<u64>;

/// Blocks of the image that must be as they are, in order. `ext4` knows those of a file system.
fn used(
    file: &File,
    image: &Path,
    size: u64,
    partitions: &[Partition],
    ext4: &dyn Fn(layout::Extent) -> Result<Vec<Blocks>>,
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
                let file = file.try_clone().at("read", image)?;
                fat::used(&mut Window::new(file, start, length)).at("read", image)?
            }
            _ => std::iter::once(0..length / BLOCK).collect(),
        };
        let first = start / BLOCK;
        used.extend(inside.into_iter().map(|blocks| first + blocks.start..first + blocks.end));
    }
    used.push(end / BLOCK..size / BLOCK);
    if let Some(wrong) = used.iter().find(|blocks| blocks.end > size / BLOCK) {
        return Err(ImageError::Other(format!(
            "a file system of `{}` says that it has block {} in use, which the image does not have",
            image.display(),
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

/// Splits blocks in use by whether they hold anything.
fn extents(file: &File, used: &[Blocks]) -> io::Result<Vec<Extent>> {
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

/// The extents of bytes that begin at `start` and are no more than one may have.
fn split(start: u64, bytes: &[u8], extents: &mut Vec<Extent>) {
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
mod tests;
