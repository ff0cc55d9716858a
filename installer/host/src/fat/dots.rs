//! Puts right what `fatfs` 0.3 does with new folders: it gives `.` and `..` long names, so that
//! they are not the first two entries, and in folders of a FAT32 root `..` names a cluster, which
//! must be 0 (rafalh/rust-fatfs#117; no release has it put right). Systems read such folders, but
//! every checker of file systems complains.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes of an entry of a folder.
const ENTRY: usize = 32;
/// First byte of an entry that is free.
const FREE: u8 = 0xe5;
/// Attributes of a part of a long name.
const LONG_NAME: u8 = 0x0f;
/// Attribute of a folder.
const FOLDER: u8 = 0x10;

/// Where things lie on a volume.
struct Geometry {
    fat: u64,
    wide: bool,
    cluster: u64,
    /// Place of cluster 2.
    data: u64,
    /// Place and length of the root folder (FAT16), or its first cluster (FAT32).
    root: Result<(u64, u64), u32>,
}

/// Mends all folders of the volume that need it.
///
/// # Errors
/// The volume cannot be read or written.
pub fn mend<V: Read + Write + Seek>(volume: &mut V) -> io::Result<()> {
    let geometry = Geometry::read(volume)?;
    let root = match geometry.root {
        Ok((place, length)) => read(volume, place, length)?,
        Err(cluster) => geometry.folder(volume, cluster)?,
    };
    // Entries of a folder, and its cluster as `..` of a folder in it names it.
    let mut open = vec![(root, 0)];
    while let Some((entries, own)) = open.pop() {
        for entry in entries.chunks_exact(ENTRY).take_while(|entry| entry[0] != 0) {
            let is_folder = entry[11] != LONG_NAME && entry[11] & FOLDER != 0;
            if !is_folder || [FREE, b'.'].contains(&entry[0]) {
                continue;
            }
            let cluster = u32::from(word(entry, 20)) << 16 | u32::from(word(entry, 26));
            mend_one(volume, geometry.place(cluster), own)?;
            open.push((geometry.folder(volume, cluster)?, cluster));
        }
    }
    Ok(())
}

/// Long name of `.`, `.`, long name of `..`, `..` become `.`, `..`, free, free.
fn mend_one<V: Read + Write + Seek>(volume: &mut V, place: u64, above: u32) -> io::Result<()> {
    let old = read(volume, place, 4 * ENTRY as u64)?;
    let entry = |number: usize| &old[number * ENTRY..][..ENTRY];
    if entry(0)[11] != LONG_NAME || &entry(1)[..2] != b". " || &entry(3)[..3] != b".. " {
        return Ok(());
    }
    let mut new = [entry(1), entry(3), entry(0), entry(2)].concat();
    new[ENTRY + 20..][..2].copy_from_slice(&above.to_le_bytes()[2..]);
    new[ENTRY + 26..][..2].copy_from_slice(&above.to_le_bytes()[..2]);
    (new[2 * ENTRY], new[3 * ENTRY]) = (FREE, FREE);
    volume.seek(SeekFrom::Start(place))?;
    volume.write_all(&new)
}

impl Geometry {
    fn read<V: Read + Seek>(volume: &mut V) -> io::Result<Self> {
        let boot = read(volume, 0, 512)?;
        let sector = u64::from(word(&boot, 11));
        let fat = u64::from(word(&boot, 14)) * sector;
        let wide = word(&boot, 22) == 0;
        let length = if wide { number(&boot, 36) } else { word(&boot, 22).into() };
        let root = fat + u64::from(boot[16]) * u64::from(length) * sector;
        let root_length = u64::from(word(&boot, 17)) * ENTRY as u64;
        Ok(Self {
            fat,
            wide,
            cluster: u64::from(boot[13]) * sector,
            data: root + root_length,
            root: if wide { Err(number(&boot, 44)) } else { Ok((root, root_length)) },
        })
    }

    fn place(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster.saturating_sub(2)) * self.cluster
    }

    /// All entries of a folder.
    fn folder<V: Read + Seek>(&self, volume: &mut V, first: u32) -> io::Result<Vec<u8>> {
        let mut entries = Vec::new();
        let mut cluster = first;
        // 65 536 entries are the most that a folder may have; a damaged chain may be a circle.
        while entries.len() < 65_536 * ENTRY {
            entries.extend(read(volume, self.place(cluster), self.cluster)?);
            let width = if self.wide { 4 } else { 2 };
            let mut next = read(volume, self.fat + u64::from(cluster) * width, width)?;
            next.resize(4, 0);
            cluster = number(&next, 0) & 0x0fff_ffff;
            if cluster < 2 || cluster >= if self.wide { 0x0fff_fff7 } else { 0xfff7 } {
                break;
            }
        }
        Ok(entries)
    }
}

fn read<V: Read + Seek>(volume: &mut V, place: u64, length: u64) -> io::Result<Vec<u8>> {
    volume.seek(SeekFrom::Start(place))?;
    let mut bytes = Vec::new();
    volume.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from(word(bytes, at)) | u32::from(word(bytes, at + 2)) << 16
}
