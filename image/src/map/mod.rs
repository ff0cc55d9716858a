//! Makes the block map of a finished image: what its file systems have in use, told apart by whether
//! there is anything but zeros.

mod bmap;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use host::{
    command::Runner,
    table,
    usage::{self, split},
};
use model::{
    Digest,
    block_map::{BLOCK, BlockMap, FORMAT, LARGEST},
};
use sha2::{Digest as _, Sha256};

pub use bmap::to_bmap;

use crate::{
    debian::Tools,
    error::{At as _, Result},
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
    let (_, partitions) = table::read(&mut &file)?;
    let ext4 = |place: table::Extent| {
        let name = format!("{}?offset={}", image.display(), place.start);
        usage::of_ext4(runner, tools.command("usr/sbin/debugfs"), &name, place.length)
    };
    let used = usage::used(&file, image, size, &partitions, &ext4)?;
    let extents = usage::extents(&file, &used).at("read", image)?;
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

#[cfg(test)]
mod tests;
