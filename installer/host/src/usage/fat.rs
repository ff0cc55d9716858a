//! What a FAT file system has in use: everything before its clusters, and the clusters that its table
//! does not call free.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use model::block_map::BLOCK;

use super::{Blocks, joined};

/// Fewer clusters than this are FAT16 (Microsoft's FAT specification, 3.5).
const FAT32_CLUSTERS: u64 = 65_525;

/// Blocks in use of the volume that begins at `start`, rounded outwards, counted from there.
///
/// # Errors
/// It is no FAT16 or FAT32 file system, or cannot be read.
pub fn used(disk: &File, start: u64) -> io::Result<Vec<Blocks>> {
    let mut boot = [0; 512];
    disk.read_exact_at(&mut boot, start)?;
    let word = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    let double = |at: usize| word(at) | word(at + 2) << 16;
    // Either the short field or, where it is zero, the long one.
    let either = |short: u64, long: u64| if short == 0 { long } else { short };
    let (sector, per_cluster, reserved) = (word(11), u64::from(boot[13]), word(14));
    let (tables, roots) = (u64::from(boot[16]), word(17));
    let (sectors, per_table) = (either(word(19), double(32)), either(word(22), double(36)));
    if boot[510..] != [0x55, 0xaa] || sector == 0 || per_cluster == 0 || per_table == 0 {
        return Err(io::Error::other("there is no FAT file system"));
    }
    let first = reserved + tables * per_table + (roots * 32).div_ceil(sector);
    let clusters = sectors.saturating_sub(first) / per_cluster;
    let wide = clusters >= FAT32_CLUSTERS;
    let entry = if wide { 4 } else { 2 };
    let mut table = vec![0; usize::try_from((clusters + 2) * entry).unwrap_or(0)];
    disk.read_exact_at(&mut table, start + reserved * sector)?;
    let outwards = |start: u64, end: u64| start / BLOCK..end.div_ceil(BLOCK);
    let mut used = vec![outwards(0, first * sector)];
    for (index, bytes) in (0..clusters).zip(table.chunks(entry as usize).skip(2)) {
        // The four highest bits of an entry of FAT32 do not count.
        let free = match *bytes {
            [a, b, c, d] => [a, b, c, d & 0x0f] == [0; 4],
            _ => bytes.iter().all(|byte| *byte == 0),
        };
        if !free {
            let start = (first + index * per_cluster) * sector;
            used.push(outwards(start, start + per_cluster * sector));
        }
    }
    Ok(joined(used))
}
