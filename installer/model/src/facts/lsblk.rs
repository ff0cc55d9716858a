//! What `lsblk` prints, as facts.

use serde::Deserialize;

use super::{Disk, Volume};

/// Columns to ask `lsblk --json --bytes --output` for. All are known since util-linux 2.37.
pub const COLUMNS: &str =
    "NAME,TYPE,SIZE,LOG-SEC,MODEL,SERIAL,TRAN,RM,FSTYPE,UUID,LABEL,PTTYPE,MOUNTPOINTS";

/// Why a text is not what `lsblk` prints.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`lsblk` printed something else than expected: {0}")]
pub struct BadOutput(String);

#[derive(Deserialize)]
struct Listing {
    blockdevices: Vec<Device>,
}

#[derive(Deserialize)]
struct Device {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    size: Option<u64>,
    #[serde(rename = "log-sec")]
    sector: Option<u32>,
    model: Option<String>,
    serial: Option<String>,
    tran: Option<String>,
    #[serde(default)]
    rm: bool,
    fstype: Option<String>,
    uuid: Option<String>,
    label: Option<String>,
    pttype: Option<String>,
    #[serde(default)]
    mountpoints: Vec<Option<String>>,
    #[serde(default)]
    children: Vec<Device>,
}

/// Whole disks from the output of `lsblk --json --bytes --output` [`COLUMNS`]. What only the
/// machine's other files tell ([`Disk::ids`], [`Disk::boot`]) is left empty. Loop devices, RAM
/// disks, optical drives and media without size (empty card readers) are not disks.
///
/// # Errors
/// The text is not such output.
pub fn parse(json: &str) -> Result<Vec<Disk>, BadOutput> {
    let listing: Listing =
        serde_json::from_str(json).map_err(|error| BadOutput(error.to_string()))?;
    Ok(listing.blockdevices.into_iter().filter(is_disk).map(disk).collect())
}

fn is_disk(device: &Device) -> bool {
    // `lsblk` calls zram, network block devices and floppies disks too, and the boot areas of an
    // eMMC, which are a few MiB of the same chip.
    const NO_DISKS: [&str; 4] = ["zram", "nbd", "fd", "ram"];
    let name = device.name.as_str();
    device.kind == "disk"
        && device.size.unwrap_or(0) > 0
        && !NO_DISKS.iter().any(|prefix| name.starts_with(prefix))
        && !(name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb")))
}

fn disk(device: Device) -> Disk {
    let mut contents = Vec::new();
    collect(&device, &device.name, &mut contents);
    Disk {
        model: clean(device.model.as_deref()),
        serial: clean(device.serial.as_deref()),
        ids: Vec::new(),
        size: device.size.unwrap_or(0),
        sector: device.sector.unwrap_or(512),
        bus: bus(&device),
        removable: device.rm,
        boot: false,
        contents,
        table: device.pttype,
        formatting: None,
        name: device.name,
    }
}

/// The disk itself if something lies on it directly, its partitions, and what is stacked on those
/// (LVM, LUKS, RAID) as far as it bears a signature or is mounted: whoever asks whether a disk is
/// in use must hear of it.
fn collect(device: &Device, disk: &str, contents: &mut Vec<Volume>) {
    let number = partition_number(&device.name, disk);
    let mounted_at: Vec<String> = device.mountpoints.iter().flatten().cloned().collect();
    if number.is_some() || device.fstype.is_some() || !mounted_at.is_empty() {
        contents.push(Volume {
            name: device.name.clone(),
            number,
            size: device.size.unwrap_or(0),
            signature: device.fstype.clone(),
            uuid: device.uuid.clone(),
            label: device.label.clone(),
            mounted_at,
        });
    }
    for child in &device.children {
        collect(child, disk, contents);
    }
}

/// `lsblk` tells no bus for virtio before 2.39, nor for eMMC and Xen.
fn bus(device: &Device) -> String {
    let by_name = || {
        let known = [("vd", "virtio"), ("mmcblk", "mmc"), ("nvme", "nvme"), ("xvd", "xen")];
        known.iter().find(|(prefix, _)| device.name.starts_with(prefix)).map(|(_, bus)| *bus)
    };
    device.tran.as_deref().or_else(by_name).unwrap_or_default().to_owned()
}

/// The number of a partition by the kernel's rule: the disk's name, `p` if that ends in a digit,
/// the number.
pub fn partition_number(name: &str, disk: &str) -> Option<u32> {
    let rest = name.strip_prefix(disk)?;
    let digits =
        if disk.ends_with(|c: char| c.is_ascii_digit()) { rest.strip_prefix('p')? } else { rest };
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Firmware pads its strings with spaces.
fn clean(text: Option<&str>) -> String {
    text.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_numbers_follow_the_kernels_rule() {
        for (name, disk, number) in [
            ("sda3", "sda", Some(3)),
            ("vda12", "vda", Some(12)),
            ("nvme0n1p3", "nvme0n1", Some(3)),
            ("mmcblk0p4", "mmcblk0", Some(4)),
            ("sda", "sda", None),
            ("sdaa", "sda", None),
            ("nvme0n1", "nvme0n1", None),
            ("nvme0n12", "nvme0n1", None),
            ("sdb1", "sda", None),
            ("vg-root", "sda", None),
        ] {
            assert_eq!(partition_number(name, disk), number, "{name} on {disk}");
        }
    }

    #[test]
    fn a_virtual_machine_of_the_image() {
        let disks = parse(include_str!("captured/vm-virtio.json")).unwrap();
        let [disk, second] = &disks[..] else { panic!("{disks:#?}") };
        assert_eq!((disk.name.as_str(), disk.bus.as_str()), ("vda", "virtio"));
        assert_eq!((disk.size, disk.sector, disk.removable), (8_589_934_592, 512, false));
        assert_eq!((disk.model.as_str(), disk.serial.as_str()), ("", ""));
        let contents: Vec<_> = disk
            .contents
            .iter()
            .map(|v| (v.number, v.signature.as_deref(), v.label.as_deref(), &v.mounted_at[..]))
            .collect();
        assert_eq!(
            contents,
            [
                (Some(1), None, None, &[][..]),
                (Some(2), Some("vfat"), Some("EFI"), &["/boot/efi".to_owned()][..]),
                (Some(4), Some("vfat"), Some("SEED"), &[][..]),
                (Some(3), Some("ext4"), Some("root"), &["/".to_owned()][..]),
            ]
        );
        assert_eq!((second.name.as_str(), second.serial.as_str()), ("vdb", "DATA1"));
        assert!(second.contents.is_empty(), "a blank disk");
    }

    #[test]
    fn a_mini_pc_with_nvme_stick_and_card_reader() {
        let disks = parse(include_str!("captured/mini-pc-nvme-usb.json")).unwrap();
        let names: Vec<&str> = disks.iter().map(|disk| disk.name.as_str()).collect();
        assert_eq!(names, ["sda", "nvme0n1", "mmcblk0"], "no empty reader, loop, zram, boot area");
        let [stick, nvme, card] = &disks[..] else { panic!() };
        assert_eq!((stick.bus.as_str(), stick.removable), ("usb", true));
        assert_eq!(stick.contents[0].number, None, "a file system without partitions");
        assert_eq!(stick.contents[0].label.as_deref(), Some("HOMELAB-SEED"));
        assert_eq!(nvme.serial, "S4EVNX0R123456");
        assert_eq!(nvme.model, "Samsung SSD 970 EVO 500GB");
        let stacked: Vec<_> = nvme.contents.iter().map(|v| (v.name.as_str(), v.number)).collect();
        assert_eq!(
            stacked,
            [("nvme0n1p1", Some(1)), ("nvme0n1p2", Some(2)), ("crypt", None), ("vg-data", None)]
        );
        assert_eq!(nvme.contents[3].mounted_at, ["/srv"]);
        assert_eq!(card.bus, "mmc");
    }

    #[test]
    fn something_else_is_refused() {
        assert_eq!(
            parse("{}").unwrap_err().to_string(),
            "`lsblk` printed something else than expected: missing field `blockdevices` at line 1 \
             column 2"
        );
    }
}
