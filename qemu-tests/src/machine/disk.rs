//! Disks of a machine: made from the image, and read again when the machine is off.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use model::paths::partition;

use crate::program::Program;

/// Bytes of a sector of the image, and of most disks.
pub const SECTOR: u64 = 512;

/// A disk that a machine can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The file.
    pub path: PathBuf,
    /// `qcow2` or `raw`.
    pub format: &'static str,
    /// Serial number that the guest sees.
    pub serial: String,
    /// QEMU's cache mode: `unsafe` for speed; `writeback` keeps the guest's flushes, and a power
    /// cut then loses what a real one would.
    pub cache: &'static str,
    /// What it is plugged into.
    pub bus: Bus,
    /// Bytes of a sector, as the guest sees it.
    pub sector: u64,
}

/// What a disk is plugged into, which decides its name in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// `vda`
    Virtio,
    /// `nvme0n1`
    Nvme,
    /// `sda`
    Sata,
    /// `sda` as well, and it can be pulled out.
    Usb,
}

impl Bus {
    /// QEMU's device.
    pub fn device(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-blk-pci",
            Self::Nvme => "nvme",
            // The machine has six ports of its own.
            Self::Sata => "ide-hd",
            Self::Usb => "usb-storage,bus=usb.0,removable=on",
        }
    }
}

impl Disk {
    /// An overlay over `image` that the guest sees as a disk of `gibibytes`.
    ///
    /// # Errors
    /// `qemu-img` failed.
    pub fn overlay(image: &Path, path: &Path, gibibytes: u64, serial: &str) -> Result<Self> {
        let image = image.canonicalize().context("cannot find the image")?;
        Program::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
            .args([image.as_path(), path])
            .arg(format!("{gibibytes}G"))
            .run()?;
        Ok(Self {
            path: path.to_owned(),
            format: "qcow2",
            serial: serial.to_owned(),
            cache: "unsafe",
            bus: Bus::Virtio,
            sector: SECTOR,
        })
    }

    /// A file that is the disk byte for byte.
    pub fn raw(path: PathBuf, serial: &str, bus: Bus) -> Self {
        let serial = serial.to_owned();
        Self { path, format: "raw", serial, cache: "unsafe", bus, sector: SECTOR }
    }

    /// QEMU's name for it: that of its file without the ending.
    pub fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The same disk with the guest's flushes kept.
    pub fn honest(self) -> Self {
        Self { cache: "writeback", ..self }
    }

    /// Bytes `from..from + length` (multiples of 512) as the guest would read them. The machine
    /// must be off.
    ///
    /// # Errors
    /// `qemu-img` failed.
    pub fn read(&self, from: u64, length: u64) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let file = folder.path().join("part");
        let (unit, skip, count) = in_largest_unit(from, length);
        Program::new("qemu-img")
            .args(["dd", "-f", self.format, "-O", "raw"])
            .arg(format!("bs={unit}"))
            // `qemu-img dd` counts from the beginning of the input, skipped part included.
            .args([format!("skip={skip}"), format!("count={}", skip + count)])
            .arg(format!("if={}", self.path.display()))
            .arg(format!("of={}", file.display()))
            .run()?;
        let bytes = std::fs::read(&file).context("cannot read what qemu-img wrote")?;
        if bytes.len() as u64 != length {
            bail!("qemu-img read {} bytes instead of {length}", bytes.len());
        }
        Ok(bytes)
    }

    /// Where a partition lies.
    ///
    /// # Errors
    /// No readable GPT, or no such partition.
    pub fn partition(&self, number: u32) -> Result<Extent> {
        let mut head = std::io::Cursor::new(self.read(0, 1 << 20)?);
        head.seek(SeekFrom::Start(SECTOR)).context("cannot seek")?;
        let table = gptman::GPT::read_from(&mut head, SECTOR).context("the disk has no GPT")?;
        let entry = &table[number];
        if entry.is_unused() {
            bail!("the disk has no partition {number}");
        }
        Ok(Extent {
            from: entry.starting_lba * SECTOR,
            length: (entry.ending_lba + 1 - entry.starting_lba) * SECTOR,
        })
    }

    /// The raw bytes of the SEED partition.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn seed_partition(&self) -> Result<Vec<u8>> {
        let extent = self.partition(partition::SEED)?;
        self.read(extent.from, extent.length)
    }

    /// Both disks show the guest the same bytes.
    ///
    /// # Errors
    /// `qemu-img` failed.
    pub fn same_as(&self, other: &Self) -> Result<bool> {
        let said = Program::new("qemu-img")
            .args(["compare", "-f", self.format, "-F", other.format])
            .args([&self.path, &other.path])
            .finish()?;
        match said.status {
            0 => Ok(true),
            1 => Ok(false),
            _ => bail!("qemu-img compare: {}", said.stderr.trim()),
        }
    }

    /// The whole disk as a sparse raw file, for tools that read file systems.
    ///
    /// # Errors
    /// `qemu-img` failed.
    pub fn to_raw(&self, path: &Path) -> Result<()> {
        Program::new("qemu-img")
            .args(["convert", "-f", self.format, "-O", "raw"])
            .args([self.path.as_path(), path])
            .run()
            .map(drop)
    }
}

/// Bytes of a stick.
const STICK: usize = 8 << 20;

/// Makes a stick as a PC formats it, without partitions, with one file on it.
///
/// # Errors
/// The file cannot be written.
pub fn stick(path: &Path, label: [u8; 11], name: &str, text: &str) -> Result<()> {
    let mut bytes = std::io::Cursor::new(vec![0; STICK]);
    let options = fatfs::FormatVolumeOptions::new().volume_label(label);
    fatfs::format_volume(&mut bytes, options).context("cannot format the stick")?;
    {
        let system = fatfs::FileSystem::new(&mut bytes, fatfs::FsOptions::new())
            .context("cannot open the stick")?;
        let mut file = system.root_dir().create_file(name).context("cannot write to the stick")?;
        file.write_all(text.as_bytes()).context("cannot write to the stick")?;
    }
    std::fs::write(path, bytes.into_inner())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Bytes of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub from: u64,
    /// Number of bytes.
    pub length: u64,
}

/// `dd` is quick with large blocks only.
fn in_largest_unit(from: u64, length: u64) -> (u64, u64, u64) {
    let unit = [1 << 20, 1 << 16, 1 << 12]
        .into_iter()
        .find(|unit| from % unit == 0 && length % unit == 0)
        .unwrap_or(SECTOR);
    (unit, from / unit, length / unit)
}

/// Reads a file of a FAT file system in memory; none if it is not there.
///
/// # Errors
/// The bytes are no FAT file system.
pub fn fat_file(volume: &[u8], name: &str) -> Result<Option<Vec<u8>>> {
    let mut bytes = volume.to_vec();
    let system = fatfs::FileSystem::new(std::io::Cursor::new(&mut bytes), fatfs::FsOptions::new())
        .context("the SEED partition holds no FAT")?;
    let file = system.root_dir().open_file(name);
    match file {
        Ok(mut file) => {
            let mut text = Vec::new();
            file.read_to_end(&mut text).with_context(|| format!("cannot read {name}"))?;
            Ok(Some(text))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot open {name}")),
    }
}

/// Does a file of the root file system exist? Read by `debugfs`, which needs neither root nor a
/// mount.
///
/// # Errors
/// `debugfs` is missing or the file system unreadable.
pub fn root_has(raw: &Path, root: Extent, path: &str) -> Result<bool> {
    let said = Program::new("/usr/sbin/debugfs")
        .args(["-R", &format!("stat {path}")])
        .arg(format!("{}?offset={}", raw.display(), root.from))
        .finish()?;
    if said.stdout.contains("Inode:") {
        return Ok(true);
    }
    if said.stderr.contains("File not found") || said.stdout.contains("File not found") {
        return Ok(false);
    }
    bail!("debugfs cannot read the root file system: {}", said.stderr.trim())
}

/// Copies a folder of the root file system out, likewise.
///
/// # Errors
/// `debugfs` is missing.
pub fn dump(raw: &Path, root: Extent, path: &str, to: &Path) -> Result<()> {
    Program::new("/usr/sbin/debugfs")
        .args(["-R", &format!("rdump {path} {}", to.display())])
        .arg(format!("{}?offset={}", raw.display(), root.from))
        .run()
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_divide_both() {
        assert_eq!(in_largest_unit(2 << 20, 64 << 20), (1 << 20, 2, 64));
        assert_eq!(in_largest_unit(512, 1024), (512, 1, 2));
        assert_eq!(in_largest_unit(0, 4096), (4096, 0, 1));
    }

    /// 8 MiB with partition 4 at 1 MiB, a FAT with one file in it.
    fn image(path: &Path) {
        let mut fat = std::io::Cursor::new(vec![0; 4 << 20]);
        fatfs::format_volume(&mut fat, fatfs::FormatVolumeOptions::new()).unwrap();
        {
            let system = fatfs::FileSystem::new(&mut fat, fatfs::FsOptions::new()).unwrap();
            let mut file = system.root_dir().create_file("REPORT.TXT").unwrap();
            file.write_all(b"all well").unwrap();
        }
        let mut disk = std::io::Cursor::new(vec![0; 8 << 20]);
        let mut table = gptman::GPT::new_from(&mut disk, SECTOR, [7; 16]).unwrap();
        table[partition::SEED] = gptman::GPTPartitionEntry {
            partition_type_guid: [9; 16],
            unique_partition_guid: [8; 16],
            starting_lba: 2048,
            ending_lba: 2048 + 8191,
            attribute_bits: 0,
            partition_name: "SEED".into(),
        };
        table.write_into(&mut disk).unwrap();
        disk.seek(SeekFrom::Start(1 << 20)).unwrap();
        disk.write_all(&fat.into_inner()).unwrap();
        std::fs::write(path, disk.into_inner()).unwrap();
    }

    #[test]
    fn reads_the_seed_partition_through_an_overlay() {
        if Program::new("qemu-img").arg("--version").run().is_err() {
            return; // The machine layer says that QEMU is missing; this one runs everywhere.
        }
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("image.raw");
        image(&raw);
        let one = Disk::overlay(&raw, &folder.path().join("a.qcow2"), 1, "A").unwrap();
        let two = Disk::overlay(&raw, &folder.path().join("b.qcow2"), 1, "B").unwrap();
        assert!(one.same_as(&two).unwrap());
        let seed = one.seed_partition().unwrap();
        assert_eq!(seed.len(), 4 << 20);
        assert_eq!(fat_file(&seed, "REPORT.TXT").unwrap().as_deref(), Some(&b"all well"[..]));
        assert_eq!(fat_file(&seed, "seed.toml").unwrap(), None);
        assert_eq!(one.partition(3).unwrap_err().to_string(), "the disk has no partition 3");
        Program::new("qemu-io")
            .args(["-c", "write -P 5 3M 64k", "-f", "qcow2"])
            .arg(&two.path)
            .run()
            .unwrap();
        assert!(!one.same_as(&two).unwrap());
    }

    #[test]
    fn a_stick_has_its_label_and_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stick.raw");
        stick(&path, *b"HOMELABSEED", "seed.toml", "schema = 1\n").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(fat_file(&bytes, "seed.toml").unwrap().as_deref(), Some(&b"schema = 1\n"[..]));
        assert!(bytes.windows(11).any(|window| window == b"HOMELABSEED"));
    }
}
