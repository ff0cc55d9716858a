//! A copy of the image on a disk with sectors of another size than those that the image is made for.
//!
//! ```text
//! EFI, SEED: read from the disk -> made anew in memory, same files -> disk, and back
//! table:     head of the image  -> made anew in memory, same bytes -> head; backup -> disk, and back
//! ```
//! The root file system has blocks of 4096 bytes and lies on disks of both kinds as it is. UEFI starts
//! from both; the boot code for BIOS knows sectors of 512 bytes only.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

use model::{
    block_map::{BLOCK, LARGEST},
    paths::partition,
};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{FlashError, Target, read_back};
use crate::{
    HostError, Result,
    fat::{self, FixedClock},
    files::failed,
    table::{self, Guids, Partition, SECTOR},
    usage,
    window::Window,
};

/// Bytes at the end of a disk that hold the backup of the table, and more.
const TAIL: u64 = 64 << 10;

/// Makes a copy of the image on `disk`, which is open as `target`, fit its sectors: all that `write`
/// left there and the head that is still to come. Nothing is to be done where the sectors have the size
/// that the image is made for.
///
/// # Errors
/// There are no partitions of ours, or the disk cannot be read or written.
pub fn fit(target: &Target, disk: &Path, head: &mut [u8], clock: FixedClock) -> Result<()> {
    if target.sector() == SECTOR {
        return Ok(());
    }
    let (_, partitions) = table::read(&mut io::Cursor::new(&*head))?;
    fit_file_systems(target, disk, &partitions, clock)?;
    fit_table(target, head, Guids::Kept)
}

/// Makes the FAT file systems anew whose sectors are not those of the disk: Linux mounts none with
/// smaller ones.
pub(crate) fn fit_file_systems(
    target: &Target,
    disk: &Path,
    partitions: &[Partition],
    clock: FixedClock,
) -> Result<()> {
    let sector = u16::try_from(target.sector()).map_err(|_| {
        HostError::Other(format!("no FAT file system has sectors of {} bytes", target.sector()))
    })?;
    let ours = |place: &&Partition| [partition::EFI, partition::SEED].contains(&place.number);
    for place in partitions.iter().filter(ours) {
        let (start, length) = (place.extent.start, place.extent.length);
        // By the cache: the file system is read in small pieces.
        let file = File::open(disk).map_err(failed("open", disk))?;
        let mut old = Window::new(file, start, length);
        let broken = |error: io::Error| {
            HostError::Other(format!(
                "the file system of partition {} cannot be made for sectors of {sector} bytes: {error}",
                place.number
            ))
        };
        if fat::sector(&mut old).map_err(broken)? == sector {
            continue;
        }
        let new = in_memory(length).map_err(broken)?;
        fat::again(old, &new, sector, clock).map_err(broken)?;
        for blocks in usage::of_fat(&new, 0).map_err(broken)? {
            let (mut at, end) = (blocks.start * BLOCK, (blocks.end * BLOCK).min(length));
            while at < end {
                let mut bytes = vec![0; usize::try_from((end - at).min(LARGEST)).unwrap_or(0)];
                new.read_exact_at(&mut bytes, at).map_err(broken)?;
                put(target, start + at, &bytes)?;
                at += bytes.len() as u64;
            }
        }
    }
    Ok(())
}

/// Makes the table in the head fit the disk, and writes its backup.
pub(crate) fn fit_table(target: &Target, head: &mut [u8], guids: Guids) -> Result<()> {
    let size = target.size();
    let memory = |error| HostError::Other(format!("there is no memory for a table: {error}"));
    let mut ends = in_memory(size).map_err(memory)?;
    ends.write_all_at(head, 0).map_err(memory)?;
    table::fit(&mut ends, target.sector(), guids)?;
    let mut tail = vec![0; usize::try_from(TAIL).unwrap_or(0)];
    ends.read_exact_at(head, 0).map_err(memory)?;
    ends.read_exact_at(&mut tail, size - TAIL).map_err(memory)?;
    put(target, size - TAIL, &tail)
}

/// A file that nobody else sees; what was never written takes no room.
fn in_memory(length: u64) -> io::Result<File> {
    let file = File::from(memfd_create(c"homelab", MFdFlags::MFD_CLOEXEC)?);
    file.set_len(length)?;
    Ok(file)
}

/// Writes whole sectors, and reads them back from the medium.
fn put(target: &Target, at: u64, bytes: &[u8]) -> Result<()> {
    let mut extents = Vec::new();
    usage::split(at, bytes, &mut extents);
    let written = || -> Result<(), FlashError> {
        target.write(at, bytes)?;
        target.sync()?;
        read_back(target, &extents, &mut |_, _, _| {})
    };
    written().map_err(|error| HostError::Other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Cursor};

    use gptman::{GPT, GPTPartitionEntry};
    use model::block_map::Extent;

    use super::*;
    use crate::{
        fat::{FatType, Format},
        flash::write,
        loop_device::LoopDevice,
        usage::Blocks,
    };

    const MIB: u64 = 1 << 20;
    /// Number, start and length in MiB.
    const PARTS: [(u32, u64, u64); 3] = [(2, 1, 20), (4, 21, 20), (3, 41, 2)];

    /// An image of 44 MiB, with what must be on a disk.
    fn image() -> (Vec<u8>, Vec<Extent>) {
        let mut image = Cursor::new(vec![0; 44 << 20]);
        let mut table = GPT::new_from(&mut image, SECTOR, [1; 16]).unwrap();
        for (number, start, length) in PARTS {
            table[number] = GPTPartitionEntry {
                partition_type_guid: [2; 16],
                unique_partition_guid: [u8::try_from(number).unwrap(); 16],
                starting_lba: start * 2048,
                ending_lba: (start + length) * 2048 - 1,
                attribute_bits: 0,
                partition_name: "part".into(),
            };
            let format = Format {
                label: "LABEL",
                serial: number,
                kind: FatType::Fat16,
                sector: 512,
                cluster: 2048,
            };
            if number != partition::ROOT {
                let volume = Window::new(&mut image, start * MIB, length * MIB);
                let files = [(format!("folder/{number}.txt"), vec![9; 70_000])];
                fat::make(volume, format, FixedClock::at(0), &files).unwrap();
            }
        }
        table.write_into(&mut image).unwrap();
        GPT::write_protective_mbr_into(&mut image, SECTOR).unwrap();
        let mut bytes = image.into_inner();
        bytes[..440].fill(7);
        bytes[41 << 20..43 << 20].fill(8);
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &bytes).unwrap();
        let (_, partitions) = table::read(&mut file).unwrap();
        let root = |place: table::Extent| -> Result<Vec<Blocks>> {
            Ok(std::iter::once(0..place.length / BLOCK).collect())
        };
        let size = bytes.len() as u64;
        let used = usage::used(&file, Path::new("image"), size, &partitions, &root).unwrap();
        let extents = usage::extents(&file, &used).unwrap();
        (bytes, extents)
    }

    fn copy(image: &[u8], extents: &[Extent], disk: &Path) -> Result<(), FlashError> {
        let target = Target::open(disk).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        fs::write(&path, image).unwrap();
        let mut between = |head: &mut [u8]| {
            fit(&target, disk, head, FixedClock::at(0)).map_err(|error| error.to_string())
        };
        let mut source = File::open(path).unwrap();
        write(&mut source, extents, &target, &mut between, &mut |_, _, _| {})
    }

    /// A disk of 60 MiB that is full of noise.
    fn disk(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("disk");
        fs::write(&path, vec![0xa5; 60 << 20]).unwrap();
        path
    }

    #[test]
    fn on_a_disk_with_sectors_of_4096_bytes_all_is_made_for_them() {
        let (image, extents) = image();
        let folder = tempfile::tempdir().unwrap();
        let file = disk(folder.path());
        let Some(device) = LoopDevice::over(&file, 4096) else { return };
        copy(&image, &extents, device.path()).unwrap();
        let mut there = File::open(device.path()).unwrap();
        assert_eq!(GPT::read_from(&mut there, 4096).unwrap().header.disk_guid, [1; 16]);
        assert!(GPT::read_from(&mut there, 512).is_err());
        let (_, before) = table::read(&mut Cursor::new(&image)).unwrap();
        let (_, after) = table::read(&mut there).unwrap();
        assert_eq!(after, before, "the same places and GUIDs");
        for (number, start, length) in PARTS.into_iter().filter(|part| part.0 != 3) {
            let mut volume = Window::new(&there, start * MIB, length * MIB);
            assert_eq!(fat::sector(&mut volume).unwrap(), 4096);
            io::Seek::rewind(&mut volume).unwrap();
            let file = fat::get(fat::ReadOnly(volume), &format!("folder/{number}.txt")).unwrap();
            assert_eq!(file.unwrap(), [9; 70_000]);
        }
        let bytes = fs::read(device.path()).unwrap();
        assert!(bytes[41 << 20..43 << 20] == image[41 << 20..43 << 20], "root lies as it is");
        assert!(bytes[..440] == [7; 440], "the boot code stays");
        let noise = bytes.chunks(4096).filter(|block| block.iter().all(|byte| *byte == 0xa5));
        assert!(noise.count() > 5000, "what may be anything is not written");
    }

    #[test]
    fn on_a_disk_with_sectors_of_512_bytes_the_image_lies_as_it_is() {
        let (image, extents) = image();
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path());
        copy(&image, &extents, &disk).unwrap();
        let bytes = fs::read(&disk).unwrap();
        for extent in &extents {
            let (from, to) = (extent.start as usize, extent.end() as usize);
            assert!(bytes[from..to] == image[from..to], "at {from}");
        }
    }

    #[test]
    fn a_file_system_that_cannot_be_read_is_named_and_leaves_no_head() {
        let (mut image, mut extents) = image();
        // The boot sector of SEED, which the map counts as it is.
        image[21 << 20..(21 << 20) + 4096].fill(0);
        let damaged = extents.iter_mut().find(|extent| extent.start == 21 * MIB).unwrap();
        let (from, to) = (damaged.start as usize, damaged.end() as usize);
        damaged.sha256 = Some(model::Digest::of(&image[from..to]));
        let folder = tempfile::tempdir().unwrap();
        let file = disk(folder.path());
        let Some(device) = LoopDevice::over(&file, 4096) else { return };
        let why = copy(&image, &extents, device.path()).unwrap_err().to_string();
        let words = "the file system of partition 4 cannot be made for sectors of 4096 bytes: ";
        assert!(why.starts_with(words), "{why}");
        let head = fs::read(device.path()).unwrap();
        assert!(head[..MIB as usize].iter().all(|byte| *byte == 0));
    }
}
