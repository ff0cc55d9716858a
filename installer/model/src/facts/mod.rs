//! What this machine has: gathered by `host::probe`, kept as a value.

pub mod lsblk;

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::disk::Formatting;

/// The machine as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// `x86_64`, as uname(2) says it.
    pub architecture: String,
    /// How it was started.
    pub firmware: Firmware,
    /// Vendor and product name from DMI; empty when there is none.
    pub product: String,
    /// Bytes of RAM.
    pub memory: u64,
    /// Logical processors.
    pub processors: u32,
    /// Whole disks.
    pub disks: Vec<Disk>,
    /// Network ports, without loopback and virtual ones.
    pub interfaces: Vec<NetworkPort>,
    /// `/dev/dri` exists: hardware transcoding.
    pub render_device: bool,
    /// Number of the group that may use it.
    #[serde(default)]
    pub render_group: Option<u32>,
    /// `/dev/net/tun` can be had.
    pub tunnel_device: bool,
    /// There is a TPM 2.0, and it is turned on.
    #[serde(default)]
    pub tpm2: bool,
    /// Names of the lock's artefacts that lie on the box with the right digest.
    #[serde(default)]
    pub artefacts: Vec<String>,
    /// Those of `artefacts` that lie in [`crate::paths::OWN_ARTEFACTS`], put there by the owner;
    /// the others lie in [`crate::paths::ARTEFACTS`].
    #[serde(default)]
    pub own_artefacts: Vec<String>,
    /// Disks that the box mounted before, by their selector in the seed, with the UUID that it found
    /// there: one that is unplugged now does not keep the box from its plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<String, String>,
}

impl Facts {
    /// A machine of which nothing is known but its memory.
    pub fn of_memory(memory: u64) -> Self {
        Self {
            architecture: "x86_64".to_owned(),
            firmware: Firmware::Uefi,
            product: String::new(),
            memory,
            processors: 1,
            disks: Vec::new(),
            interfaces: Vec::new(),
            render_device: false,
            render_group: None,
            tunnel_device: true,
            tpm2: false,
            artefacts: Vec::new(),
            own_artefacts: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// The disk that the box was started from.
    pub fn boot_disk(&self) -> Option<&Disk> {
        self.disks.iter().find(|disk| disk.boot)
    }
}

/// How the machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// Legacy BIOS.
    Bios,
    /// UEFI without Secure Boot.
    Uefi,
    /// UEFI with Secure Boot enforced.
    UefiSecureBoot,
}

/// A whole disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Kernel name without `/dev/`, good for this boot only.
    pub name: String,
    /// Model; may be empty.
    pub model: String,
    /// Serial; may be empty.
    pub serial: String,
    /// Links below `/dev/disk/by-id`.
    pub ids: Vec<String>,
    /// Bytes.
    pub size: u64,
    /// Logical sector size in bytes.
    pub sector: u32,
    /// `sata`, `nvme`, `usb`, `virtio`, `mmc`…; as `lsblk` says in TRAN.
    pub bus: String,
    /// Removable medium.
    pub removable: bool,
    /// The root file system lies on it.
    pub boot: bool,
    /// What is on it, partitions included.
    pub contents: Vec<Volume>,
    /// Kind of its partition table: `gpt`, `dos`…
    #[serde(default)]
    pub table: Option<String>,
    /// What the box wrote down when it formatted it.
    #[serde(default)]
    pub formatting: Option<Formatting>,
}

impl Disk {
    /// A stick, a card or a disk on a cable: what a system is carried around on, to be pulled out again.
    pub fn is_portable(&self) -> bool {
        self.removable || self.bus == "usb"
    }

    /// Those of [`Self::ids`] that name the device. The others name what lies on it, and go with it.
    pub fn lasting_ids(&self) -> impl Iterator<Item = &String> {
        const CONTENTS: [&str; 3] = ["lvm-pv-uuid-", "dm-", "md-"];
        self.ids.iter().filter(|id| !CONTENTS.iter().any(|kind| id.starts_with(kind)))
    }
}

/// A partition, or the whole disk where a file system lies on it directly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Kernel name without `/dev/`.
    pub name: String,
    /// Partition number; none for the whole disk.
    pub number: Option<u32>,
    /// Bytes.
    pub size: u64,
    /// `ext4`, `vfat`, `LVM2_member`…; none: no known signature.
    pub signature: Option<String>,
    /// File-system UUID.
    pub uuid: Option<String>,
    /// File-system label.
    pub label: Option<String>,
    /// Where it is mounted.
    pub mounted_at: Vec<String>,
}

/// A physical network port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPort {
    /// Kernel name.
    pub name: String,
    /// Lower-case MAC address.
    pub mac: String,
    /// Wired, not wireless.
    pub wired: bool,
    /// A link is there.
    pub carrier: bool,
    /// Addresses with prefix length, link-local ones included.
    pub addresses: Vec<IpNet>,
    /// Default gateways reached by it.
    pub gateways: Vec<IpAddr>,
}
