//! Where everything lies on the disk: the one place that knows partition numbers, order and sizes.
//!
//! ```text
//! LBA 0 boot.img + protective MBR | GPT | 1 BIOS boot | 2 EFI | 4 SEED | 3 root ... | GPT
//! ```
//! Root comes last, so that it can grow to the end of any disk.

use std::io::{Read, Seek, Write};

use gptman::{GPT, GPTPartitionEntry};
use host::table::{Extent, SECTOR};
use model::paths::partition;

use crate::{
    error::{ImageError, Result},
    identifiers::Identifiers,
};

/// Every partition starts and ends at a multiple of this.
pub const MIB: u64 = 1 << 20;

/// Types of the partitions (UEFI specification; Discoverable Partitions Specification).
mod kind {
    use uuid::{Uuid, uuid};

    pub(super) const BIOS_BOOT: Uuid = uuid!("21686148-6449-6e6f-744e-656564454649");
    pub(super) const EFI: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    pub(super) const ROOT_AMD64: Uuid = uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709");
    /// PCs hide EFI partitions from their owners but show this type.
    pub(super) const BASIC_DATA: Uuid = uuid!("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
}

fn after(before: Extent, length: u64) -> Extent {
    Extent { start: before.end(), length }
}

/// Where the partitions lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// GRUB's core image.
    pub bios_boot: Extent,
    /// EFI system partition.
    pub efi: Extent,
    /// SEED partition.
    pub seed: Extent,
    /// Root file system.
    pub root: Extent,
    /// Bytes of the whole disk.
    pub disk: u64,
}

impl Layout {
    /// Lays out a disk; sizes are bytes and get rounded up to whole MiB.
    pub fn new(efi: u64, seed: u64, root: u64) -> Self {
        let round = |bytes: u64| bytes.div_ceil(MIB) * MIB;
        let bios_boot = Extent { start: MIB, length: MIB };
        let efi = after(bios_boot, round(efi));
        let seed = after(efi, round(seed));
        let root = after(seed, round(root));
        // One MiB more for the backup table.
        Self { bios_boot, efi, seed, root, disk: root.start + root.length + MIB }
    }

    /// Writes protective MBR and both partition tables. The boot code in LBA 0 stays.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn write<F: Read + Write + Seek>(self, disk: &mut F, ids: &Identifiers) -> Result<()> {
        let failed =
            |error| ImageError::Other(format!("cannot write the partition table: {error}"));
        let mut table = GPT::new_from(disk, SECTOR, ids.disk.to_bytes_le()).map_err(failed)?;
        let partitions = [
            (partition::BIOS_BOOT, kind::BIOS_BOOT, ids.bios_boot, self.bios_boot, "bios-boot"),
            (partition::EFI, kind::EFI, ids.efi, self.efi, "efi"),
            (partition::ROOT, kind::ROOT_AMD64, ids.root, self.root, "root"),
            (partition::SEED, kind::BASIC_DATA, ids.seed, self.seed, "seed"),
        ];
        for (number, kind, id, extent, name) in partitions {
            table[number] = GPTPartitionEntry {
                partition_type_guid: kind.to_bytes_le(),
                unique_partition_guid: id.to_bytes_le(),
                starting_lba: extent.start / SECTOR,
                ending_lba: (extent.start + extent.length) / SECTOR - 1,
                attribute_bits: 0,
                partition_name: name.into(),
            };
        }
        table.write_into(disk).map_err(failed)?;
        GPT::write_protective_mbr_into(disk, SECTOR).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use host::table::read;

    use super::*;

    #[test]
    fn written_tables_read_back_in_the_order_of_the_design() {
        let layout = Layout::new(3 * MIB, 2 * MIB - 5, 4 * MIB);
        let ids = Identifiers::derive("test");
        let mut disk = Cursor::new(vec![0; usize::try_from(layout.disk).unwrap()]);
        layout.write(&mut disk, &ids).unwrap();
        let (id, partitions) = read(&mut disk).unwrap();
        assert_eq!(id, ids.disk);
        let found: Vec<_> = partitions
            .iter()
            .map(|p| (p.number, p.name.as_str(), p.extent.start / MIB, p.extent.length / MIB))
            .collect();
        assert_eq!(
            found,
            [(1, "bios-boot", 1, 1), (2, "efi", 2, 3), (3, "root", 7, 4), (4, "seed", 5, 2)]
        );
        // The backup alone is enough.
        disk.get_mut()[512..1024].fill(0);
        assert_eq!(read(&mut disk).unwrap().1, partitions);
    }

    #[test]
    fn boot_code_survives() {
        let layout = Layout::new(MIB, MIB, MIB);
        let mut disk = Cursor::new(vec![7; usize::try_from(layout.disk).unwrap()]);
        layout.write(&mut disk, &Identifiers::derive("test")).unwrap();
        assert_eq!(disk.get_ref()[..440], [7; 440]);
        assert_eq!(disk.get_ref()[450], 0xee);
        assert_eq!(disk.get_ref()[510..512], [0x55, 0xaa]);
    }
}
