//! Disks that `homelab-image flash` writes.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use model::{block_map::BlockMap, paths::partition};

use crate::{
    machine::disk::{Bus, Disk},
    program::Program,
};

/// The program under test.
pub const PROGRAM: &str = "target/release/homelab-image";
/// Bytes of noise behind the image.
const BEHIND: u64 = 64 << 20;

/// A disk of so many gibibytes that held noise before the image was flashed onto it. Every byte that
/// the map names was compared, and the root file system was found to be whole.
///
/// # Errors
/// The program failed, or something else lies on the disk than in the image.
pub fn onto_noise(image: &Path, folder: &Path, gibibytes: u64, serial: &str) -> Result<Disk> {
    let path = folder.join("flashed.raw");
    let size = image.metadata().context("cannot find the image")?.len();
    noise(&path, size + BEHIND, gibibytes << 30).context("cannot write noise")?;
    Program::new(PROGRAM).arg("flash").args([image, path.as_path()]).run()?;
    compare(image, &path)?;
    let disk = Disk::raw(path, serial, Bus::Virtio);
    let root = disk.partition(partition::ROOT)?.from;
    let looked = format!("{}?offset={root}", disk.path.display());
    Program::new("e2fsck").args(["-f", "-n", &looked]).run().context("the root file system")?;
    Ok(disk)
}

/// A file of which the first bytes are noise.
fn noise(path: &Path, length: u64, size: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut block = vec![0; 1 << 20];
    for _ in 0..length.div_ceil(1 << 20) {
        for word in block.chunks_exact_mut(8) {
            // xorshift64 (Marsaglia 2003): no two blocks are alike, and none is zero.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block)?;
    }
    OpenOptions::new().write(true).open(path)?.set_len(size)
}

/// Compares what the map names.
fn compare(image: &Path, disk: &Path) -> Result<()> {
    let map = image.with_extension("map.json");
    let text = fs::read_to_string(&map).with_context(|| map.display().to_string())?;
    let map = BlockMap::parse(&text)?;
    let (left, right) = (File::open(image)?, File::open(disk)?);
    ensure!(!map.extents.is_empty(), "the map is empty");
    for extent in &map.extents {
        let length = usize::try_from(extent.length)?;
        let (mut wanted, mut found) = (vec![0; length], vec![0; length]);
        left.read_exact_at(&mut wanted, extent.start)?;
        right.read_exact_at(&mut found, extent.start)?;
        ensure!(wanted == found, "byte {} and what follows differ", extent.start);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::{
        Digest,
        block_map::{Extent, FORMAT},
    };

    use super::*;

    #[test]
    fn a_difference_where_it_counts_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (image, disk) = (folder.path().join("a.raw"), folder.path().join("disk"));
        fs::write(&image, vec![1; 8192]).unwrap();
        let extent = Extent { start: 4096, length: 4096, sha256: Some(Digest::of("x")) };
        let extents = vec![extent];
        let map = BlockMap { format: FORMAT, size: 8192, digest: Digest::of("x"), extents };
        fs::write(folder.path().join("a.map.json"), map.to_text()).unwrap();
        noise(&disk, 4096, 16384).unwrap();
        let error = compare(&image, &disk).unwrap_err().to_string();
        assert_eq!(error, "byte 4096 and what follows differ");
        File::options().write(true).open(&disk).unwrap().write_all_at(&[1; 4096], 4096).unwrap();
        compare(&image, &disk).unwrap();
        assert_eq!(disk.metadata().unwrap().len(), 16384);
    }
}
