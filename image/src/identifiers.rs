//! The identifiers that an image is made with. They are computed from what the image is, so that
//! two builds agree; the box replaces every one of them on its first boot.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Every identifier of an image. Boxes that still have one of these have not got their own yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifiers {
    /// GUID of the disk.
    pub disk: Uuid,
    /// GUID of the BIOS boot partition.
    pub bios_boot: Uuid,
    /// GUID of the EFI partition.
    pub efi: Uuid,
    /// GUID of the root partition.
    pub root: Uuid,
    /// GUID of the SEED partition.
    pub seed: Uuid,
    /// UUID of the root file system.
    pub root_filesystem: Uuid,
    /// Seed of the root file system's directory hashes.
    pub root_hash_seed: Uuid,
    /// Serial number of the EFI file system, eight hex digits as `blkid` shows them: `1234-ABCD`.
    pub efi_serial: String,
    /// Serial number of the SEED file system, likewise.
    pub seed_serial: String,
}

impl Identifiers {
    /// The identifiers of the image that is called `identity`, such as `homelab 0.1.0 amd64`.
    pub fn derive(identity: &str) -> Self {
        let uuid = |role| uuid(identity, role);
        Self {
            disk: uuid("disk"),
            bios_boot: uuid("bios-boot"),
            efi: uuid("efi"),
            root: uuid("root"),
            seed: uuid("seed"),
            root_filesystem: uuid("root-filesystem"),
            root_hash_seed: uuid("root-hash-seed"),
            efi_serial: serial(identity, "efi-serial"),
            seed_serial: serial(identity, "seed-serial"),
        }
    }
}

/// `1234-ABCD` as the number that stands in the file system.
pub fn serial_number(serial: &str) -> u32 {
    u32::from_str_radix(&serial.replace('-', ""), 16).unwrap_or_default()
}

fn hash(identity: &str, role: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in ["homelab-image identifiers 1", identity, role] {
        hash.update(part);
        hash.update([0]);
    }
    hash.finalize().into()
}

fn uuid(identity: &str, role: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash(identity, role)[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn serial(identity: &str, role: &str) -> String {
    let hash = hash(identity, role);
    format!("{:02X}{:02X}-{:02X}{:02X}", hash[0], hash[1], hash[2], hash[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_name_same_identifiers_and_all_differ() {
        let one = Identifiers::derive("homelab 1 amd64");
        assert_eq!(one, Identifiers::derive("homelab 1 amd64"));
        let uuids = [
            one.disk,
            one.bios_boot,
            one.efi,
            one.root,
            one.seed,
            one.root_filesystem,
            one.root_hash_seed,
        ];
        let distinct: std::collections::BTreeSet<_> = uuids.iter().collect();
        assert_eq!(distinct.len(), uuids.len());
        assert_ne!(one.disk, Identifiers::derive("homelab 2 amd64").disk);
        // RFC 9562: version 8 says that the bits are our own.
        assert!(uuids.iter().all(|uuid| uuid.get_version_num() == 8));
    }

    #[test]
    fn serial_is_written_and_read() {
        assert_eq!(serial_number("1234-ABCD"), 0x1234_ABCD);
        assert_eq!(Identifiers::derive("x").efi_serial.len(), 9);
    }
}
