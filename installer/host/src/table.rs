//! Partition tables (GPT), on disks and in images.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
};

use gptman::GPT;
use uuid::Uuid;

use crate::{HostError, Result};

/// Bytes of a sector of the disks that the image is made for. On others it is made to [`fit`].
pub const SECTOR: u64 = 512;
/// Bytes of the protective MBR with the boot code, whatever the sectors are.
const MBR: u64 = 512;
/// No table that is known here reaches farther from its end of the disk: header and 16 KiB of entries.
const REACH: u64 = 64 << 10;

/// Start and length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub start: u64,
    /// Number of bytes.
    pub length: u64,
}

impl Extent {
    /// The first byte behind it.
    pub fn end(self) -> u64 {
        self.start + self.length
    }
}

/// One used entry of a partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Number from 1.
    pub number: u32,
    /// Name in the table.
    pub name: String,
    /// Its own GUID.
    pub id: Uuid,
    /// Where it lies.
    pub extent: Extent,
}

/// Reads a partition table, made for sectors of 512 or 4096 bytes: the GUID of the disk, and the
/// partitions.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn read<F: Read + Seek>(disk: &mut F) -> Result<(Uuid, Vec<Partition>)> {
    let table = GPT::find_from(disk).map_err(|error| unreadable(&error))?;
    let sector = table.sector_size;
    let partitions = table
        .iter()
        .filter(|(_, entry)| entry.is_used())
        .map(|(number, entry)| Partition {
            number,
            name: entry.partition_name.as_str().to_owned(),
            id: Uuid::from_bytes_le(entry.unique_partition_guid),
            extent: Extent {
                start: entry.starting_lba * sector,
                length: (entry.ending_lba + 1 - entry.starting_lba) * sector,
            },
        })
        .collect();
    Ok((Uuid::from_bytes_le(table.header.disk_guid), partitions))
}

/// Whose GUIDs a table that is made to fit a disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guids {
    /// Those that it had.
    Kept,
    /// Ones that no other disk has.
    Fresh,
}

/// Makes the table of a copy fit a disk of the length of `disk` with sectors of so many bytes: the
/// partitions lie at the same bytes, the disk can be used to its end, and the backup lies there. The
/// boot code in LBA 0 stays.
///
/// # Errors
/// There is no table, a partition does not begin and end with a sector, or `disk` cannot be written.
pub fn fit<F: Read + Write + Seek>(disk: &mut F, sector: u64, guids: Guids) -> Result<()> {
    let mut table = GPT::find_from(disk).map_err(|error| unreadable(&error))?;
    let failed =
        |why: String| HostError::Other(format!("the partition table cannot be made anew: {why}"));
    let other = table.sector_size != sector;
    if guids == Guids::Fresh {
        table.header.disk_guid = Uuid::new_v4().to_bytes_le();
    }
    let (old, mut first, mut last) = (table.sector_size, u64::MAX, 0);
    for (number, entry) in table.iter_mut().filter(|(_, entry)| entry.is_used()) {
        if guids == Guids::Fresh {
            entry.unique_partition_guid = Uuid::new_v4().to_bytes_le();
        }
        let (start, end) = (entry.starting_lba * old, (entry.ending_lba + 1) * old);
        if start % sector != 0 || end % sector != 0 {
            return Err(failed(format!(
                "partition {number} does not begin and end with a sector of {sector} bytes"
            )));
        }
        (entry.starting_lba, entry.ending_lba) = (start / sector, end / sector - 1);
        (first, last) = (first.min(start), last.max(end));
    }
    table.sector_size = sector;
    table.header.update_from(disk, sector).map_err(|error| failed(error.to_string()))?;
    if other {
        // Whoever asks for sectors of the old size would still find the old one.
        let clear = |disk: &mut F| {
            let length = disk.seek(SeekFrom::End(0))?;
            clear(disk, MBR..first.min(REACH))?;
            clear(disk, last.max(length.saturating_sub(REACH))..length)
        };
        clear(disk).map_err(|error| failed(error.to_string()))?;
    }
    table.write_into(disk).map_err(|error| failed(error.to_string()))?;
    disk.rewind().map_err(|error| failed(error.to_string()))?;
    GPT::write_protective_mbr_into(disk, sector).map_err(|error| failed(error.to_string()))
}

fn clear<F: Write + Seek>(disk: &mut F, bytes: Range<u64>) -> io::Result<()> {
    disk.seek(SeekFrom::Start(bytes.start))?;
    io::copy(&mut io::repeat(0).take(bytes.end.saturating_sub(bytes.start)), disk).map(drop)
}

fn unreadable(error: &gptman::Error) -> HostError {
    HostError::Other(format!("no partition table can be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use gptman::GPTPartitionEntry;

    use super::*;

    const MIB: u64 = 1 << 20;
    const END: usize = 8 << 20;

    /// A disk of 6 MiB for sectors of 512 bytes; its partition 3 begins at `start`, in such sectors.
    fn disk(start: u64) -> Cursor<Vec<u8>> {
        let mut disk = Cursor::new(vec![0; 6 << 20]);
        let mut table = GPT::new_from(&mut disk, SECTOR, [1; 16]).unwrap();
        for (number, starting_lba, ending_lba) in [(1, 2048, 4095), (3, start, 8191)] {
            table[number] = GPTPartitionEntry {
                partition_type_guid: [2; 16],
                unique_partition_guid: [u8::try_from(number).unwrap(); 16],
                starting_lba,
                ending_lba,
                attribute_bits: 0,
                partition_name: "part".into(),
            };
        }
        table.write_into(&mut disk).unwrap();
        GPT::write_protective_mbr_into(&mut disk, SECTOR).unwrap();
        disk.get_mut()[..440].fill(7);
        // The other one is larger, and nothing lies at its end yet.
        disk.get_mut().truncate(5 << 20);
        disk.get_mut().resize(END, 0);
        disk
    }

    fn signatures(disk: &Cursor<Vec<u8>>) -> Vec<usize> {
        let found = disk.get_ref().chunks(512).enumerate();
        found.filter(|(_, bytes)| bytes.starts_with(b"EFI PART")).map(|(at, _)| at * 512).collect()
    }

    #[test]
    fn partitions_lie_at_the_same_bytes_whatever_the_sectors_are() {
        let mut disk = disk(4096);
        let before = read(&mut disk).unwrap();
        for (sector, size) in [(4096_u64, 4096), (512, 512), (4096, 4096)] {
            fit(&mut disk, sector, Guids::Kept).unwrap();
            assert_eq!(read(&mut disk).unwrap(), before);
            assert_eq!(signatures(&disk), [size, END - size], "and no other table");
            let table = GPT::read_from(&mut disk, sector).unwrap();
            // The entries behind the header, and before it at the end.
            let entries = 16384 / sector;
            let sectors = END as u64 / sector;
            assert_eq!(table.header.first_usable_lba, 2 + entries);
            assert_eq!(table.header.last_usable_lba, sectors - entries - 2);
            assert_eq!(table.header.backup_lba, sectors - 1);
            let bytes = disk.get_ref();
            assert!(bytes[..440] == [7; 440], "the boot code stays");
            assert_eq!((bytes[450], &bytes[510..512]), (0xee, &[0x55, 0xaa][..]));
            assert_eq!(
                u64::from(u32::from_le_bytes(bytes[458..462].try_into().unwrap())),
                sectors - 1
            );
        }
    }

    #[test]
    fn the_backup_alone_is_enough_and_guids_are_new_when_they_shall_be() {
        let mut disk = disk(4096);
        let before = read(&mut disk).unwrap();
        fit(&mut disk, 4096, Guids::Fresh).unwrap();
        disk.get_mut()[4096..8192].fill(0);
        let (id, partitions) = read(&mut disk).unwrap();
        assert_ne!(id, before.0);
        for (new, old) in partitions.iter().zip(&before.1) {
            assert_ne!(new.id, old.id);
            assert_eq!((new.number, new.extent), (old.number, old.extent));
        }
        assert_eq!(partitions[0].extent, Extent { start: MIB, length: MIB });
    }

    #[test]
    fn what_does_not_lie_on_whole_sectors_or_in_the_disk_is_refused() {
        let said =
            |disk: &mut Cursor<Vec<u8>>| fit(disk, 4096, Guids::Kept).unwrap_err().to_string();
        assert_eq!(
            said(&mut disk(4097)),
            "the partition table cannot be made anew: partition 3 does not begin and end with a \
             sector of 4096 bytes"
        );
        let mut small = disk(4096);
        small.get_mut().truncate(4 << 20);
        assert!(said(&mut small).starts_with("the partition table cannot be made anew: "),);
        assert!(
            said(&mut Cursor::new(vec![0; END])).starts_with("no partition table can be read: ")
        );
    }
}
