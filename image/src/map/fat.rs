//! What a FAT file system has in use: everything before its clusters, and the clusters that its table
//! does not call free.

use std::io::{self, Read, Seek, SeekFrom};

use super::{Blocks, joined};
use model::block_map::BLOCK;

/// Fewer clusters than this are FAT16 (Microsoft's FAT specification, 3.5).
const FAT32_CLUSTERS: u64 = 65_525;

/// Blocks in use, rounded outwards, counted from the volume's own start.
///
/// # Errors
/// It is no FAT16 or FAT32 file system, or cannot be read.
pub(super) fn used<V: Read + Seek>(volume: &mut V) -> io::Result<Vec<Blocks>> {
    let mut boot = [0; 512];
    volume.seek(SeekFrom::Start(0))?;
    volume.read_exact(&mut boot)?;
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
    volume.seek(SeekFrom::Start(reserved * sector))?;
    volume.read_exact(&mut table)?;
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use fatfs::FatType;

    use super::*;
    use crate::fat::{self, FixedClock, Format};

    fn volume(kind: FatType, megabytes: usize) -> Vec<u8> {
        let mut bytes = vec![0; megabytes << 20];
        let format = Format { label: "TEST", serial: 1, kind, cluster: 2048 };
        let files = [("A.BIN".to_owned(), vec![1; 100_000]), ("B/C.BIN".to_owned(), vec![2; 5000])];
        fat::make(Cursor::new(&mut bytes), format, FixedClock::at(0), &files).unwrap();
        bytes
    }

    /// With noise wherever nothing is in use, the files are still there, and nothing else is needed.
    #[test]
    fn what_is_not_in_use_can_be_anything() {
        for (kind, megabytes) in [(FatType::Fat16, 64), (FatType::Fat32, 256)] {
            let mut bytes = volume(kind, megabytes);
            let used = used(&mut Cursor::new(&bytes)).unwrap();
            let blocks: u64 = used.iter().map(|blocks| blocks.end - blocks.start).sum();
            assert!(blocks * BLOCK < 2 << 20, "{blocks} blocks of {used:?}");
            for (index, block) in bytes.chunks_mut(4096).enumerate() {
                if !used.iter().any(|blocks| blocks.contains(&(index as u64))) {
                    block.fill(0xa5);
                }
            }
            let read = |name: &str| fat::get(Cursor::new(&mut bytes.clone()), name).unwrap();
            assert!(read("A.BIN") == Some(vec![1; 100_000]));
            assert!(read("B/C.BIN") == Some(vec![2; 5000]));
        }
    }

    #[test]
    fn something_else_is_refused() {
        let error = used(&mut Cursor::new(vec![0; 4096])).unwrap_err();
        assert_eq!(error.to_string(), "there is no FAT file system");
    }
}
