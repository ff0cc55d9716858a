//! Partition tables (GPT), on disks and in images.

use std::io::{Read, Seek, SeekFrom, Write};

use gptman::GPT;
use uuid::Uuid;

use crate::{HostError, Result};

/// Bytes of a sector. The image is made for disks with these; one with larger ones needs another.
pub const SECTOR: u64 = 512;

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

/// Reads a partition table: the GUID of the disk, and the partitions.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn read<F: Read + Seek>(disk: &mut F) -> Result<(Uuid, Vec<Partition>)> {
    let table = GPT::read_from(disk, SECTOR).map_err(|error| unreadable(&error))?;
    let partitions = table
        .iter()
        .filter(|(_, entry)| entry.is_used())
        .map(|(number, entry)| Partition {
            number,
            name: entry.partition_name.as_str().to_owned(),
            id: Uuid::from_bytes_le(entry.unique_partition_guid),
            extent: Extent {
                start: entry.starting_lba * SECTOR,
                length: (entry.ending_lba + 1 - entry.starting_lba) * SECTOR,
            },
        })
        .collect();
    Ok((Uuid::from_bytes_le(table.header.disk_guid), partitions))
}

/// Gives the table of a copy GUIDs that no other disk has, and makes it fit a disk of the length of
/// `disk`: usable to its end, with the backup there. The boot code in LBA 0 stays.
///
/// # Errors
/// There is no table, or `disk` cannot be written.
pub fn renew<F: Read + Write + Seek>(disk: &mut F) -> Result<()> {
    let mut table = GPT::read_from(disk, SECTOR).map_err(|error| unreadable(&error))?;
    let failed =
        |error| HostError::Other(format!("the partition table cannot be made anew: {error}"));
    table.header.disk_guid = Uuid::new_v4().to_bytes_le();
    for (_, entry) in table.iter_mut().filter(|(_, entry)| entry.is_used()) {
        entry.unique_partition_guid = Uuid::new_v4().to_bytes_le();
    }
    table.header.update_from(disk, SECTOR).map_err(failed)?;
    table.write_into(disk).map_err(failed)?;
    disk.seek(SeekFrom::Start(0))
        .map_err(|error| HostError::Other(format!("the disk cannot be written: {error}")))?;
    GPT::write_protective_mbr_into(disk, SECTOR).map_err(failed)
}

fn unreadable(error: &gptman::Error) -> HostError {
    HostError::Other(format!("no partition table can be read: {error}"))
}
