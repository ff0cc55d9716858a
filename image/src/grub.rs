//! The boot loader: for BIOS a boot sector and a core image whose addresses are patched here, for
//! UEFI the programs that Debian and Microsoft have signed. One menu serves both.
//!
//! The three fields that say where the core image lies are the ones that `grub-bios-setup` would
//! set (GRUB 2.12, `include/grub/i386/pc/boot.h` and `kernel.h`); that program needs a mounted
//! disk, three fields do not.

use std::io::{Read, Seek, SeekFrom, Write};

use host::{
    command::Runner,
    table::{Extent, SECTOR},
};

use crate::{
    debian::Tools,
    error::{At as _, ImageError, Result},
};

/// The menu.
pub const MENU: &str = include_str!("../grub.cfg");
/// Where menu and environment block lie on the EFI partition: the place that is compiled into
/// Debian's signed GRUB. The BIOS core image is told to look there too.
const FOLDER: &str = "EFI/debian";
/// Everything that the menu uses. A signed GRUB has it built in; this one takes it along.
const MODULES: &[&str] = &[
    "biosdisk",
    "part_gpt",
    "fat",
    "ext2",
    "normal",
    "configfile",
    "linux",
    "echo",
    "test",
    "true",
    "regexp",
    "probe",
    "loadenv",
    "serial",
    "terminal",
    "sleep",
    "reboot",
    "halt",
    "ls",
    "cat",
    "minicmd",
];
/// Where boot.img holds the first sector of the core image, 8 bytes.
const BOOT_KERNEL_SECTOR: usize = 0x5c;
/// Where boot.img jumps over forcing the boot drive; two `nop` make it trust the BIOS.
const BOOT_DRIVE_CHECK: usize = 0x66;
/// Where the core image's first sector holds the sector of its rest, 8 bytes.
const CORE_BLOCK_LIST: usize = 0x1f4;
/// Boot code ends where the disk signature and the partition table begin.
const BOOT_CODE: usize = 440;

/// What is written for BIOS: 440 bytes of boot code, and the core image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BiosBoot {
    code: Vec<u8>,
    core: Vec<u8>,
}

impl BiosBoot {
    /// Makes boot code and core image for a BIOS boot partition.
    ///
    /// # Errors
    /// GRUB's tools failed, or the core image does not fit.
    pub fn make(runner: &dyn Runner, tools: &Tools, partition: Extent) -> Result<Self> {
        let scratch = tempfile::tempdir().at("create", "a temporary folder")?;
        let output = scratch.path().join("core.img");
        let command = tools
            .command("usr/bin/grub-mkimage")
            .args(["--format=i386-pc", "--compression=auto"])
            .arg("--directory")
            .arg(tools.path("usr/lib/grub/i386-pc"))
            .arg(format!("--prefix=(,gpt2)/{FOLDER}"))
            .arg("--output")
            .arg(&output)
            .args(MODULES);
        runner.run(&command)?;
        let core = std::fs::read(&output).at("read", output)?;
        Self::patch(&tools.read("usr/lib/grub/i386-pc/boot.img")?, core, partition)
    }

    pub(crate) fn patch(boot: &[u8], mut core: Vec<u8>, partition: Extent) -> Result<Self> {
        if boot.len() != 512 || core.len() < 1024 {
            return Err(ImageError::Other("GRUB's images have another size than expected".into()));
        }
        if core.len() as u64 > partition.length {
            return Err(ImageError::Other(format!(
                "GRUB's core image has {} bytes, its partition only {}",
                core.len(),
                partition.length
            )));
        }
        let mut code = boot[..BOOT_CODE].to_vec();
        let first = partition.start / SECTOR;
        code[BOOT_KERNEL_SECTOR..BOOT_KERNEL_SECTOR + 8].copy_from_slice(&first.to_le_bytes());
        code[BOOT_DRIVE_CHECK..BOOT_DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]);
        core[CORE_BLOCK_LIST..CORE_BLOCK_LIST + 8].copy_from_slice(&(first + 1).to_le_bytes());
        Ok(Self { code, core })
    }

    /// Writes both to the disk.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn write<F: Write + Seek>(&self, disk: &mut F, partition: Extent) -> std::io::Result<()> {
        disk.seek(SeekFrom::Start(0))?;
        disk.write_all(&self.code)?;
        disk.seek(SeekFrom::Start(partition.start))?;
        disk.write_all(&self.core)
    }
}

/// Do the fields of a finished disk lead from the boot sector to the core image?
///
/// # Errors
/// Which field does not.
pub fn check<F: Read + Seek>(disk: &mut F, partition: Extent) -> Result<(), String> {
    let mut sector = [0; 512];
    let mut read = |at| {
        disk.seek(SeekFrom::Start(at)).and_then(|_| disk.read_exact(&mut sector)).map(|()| sector)
    };
    let number = |sector: &[u8; 512], at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&sector[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let boot = read(0).map_err(|e| e.to_string())?;
    let core = read(partition.start).map_err(|e| e.to_string())?;
    let first = partition.start / SECTOR;
    if boot[510..] != [0x55, 0xaa] {
        return Err("the first sector has no boot signature".into());
    }
    if number(&boot, BOOT_KERNEL_SECTOR) != first {
        let found = number(&boot, BOOT_KERNEL_SECTOR);
        return Err(format!("the boot code loads sector {found}, the core image is at {first}"));
    }
    if boot[BOOT_DRIVE_CHECK..BOOT_DRIVE_CHECK + 2] != [0x90, 0x90] {
        return Err("the boot code does not trust the drive number of the BIOS".into());
    }
    if number(&core, CORE_BLOCK_LIST) != first + 1 {
        let found = number(&core, CORE_BLOCK_LIST);
        return Err(format!("the core image goes on at sector {found} instead of {}", first + 1));
    }
    Ok(())
}

/// An environment block: 1024 bytes, which GRUB only ever overwrites in place.
pub fn environment(variables: &[(&str, &str)]) -> Vec<u8> {
    let mut block = b"# GRUB Environment Block\n".to_vec();
    for (name, value) in variables {
        block.extend_from_slice(format!("{name}={value}\n").as_bytes());
    }
    block.resize(1024, b'#');
    block
}

/// The files of the EFI partition, in the order in which they are written.
///
/// # Errors
/// The tools tree lacks a signed program.
pub fn efi_files(tools: &Tools) -> Result<Vec<(String, Vec<u8>)>> {
    let signed = [
        ("EFI/BOOT/BOOTX64.EFI", "usr/lib/shim/shimx64.efi.signed"),
        ("EFI/BOOT/grubx64.efi", "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"),
        ("EFI/BOOT/mmx64.efi", "usr/lib/shim/mmx64.efi.signed"),
    ];
    let mut files = Vec::new();
    for (to, from) in signed {
        files.push((to.to_owned(), tools.read(from)?));
    }
    files.push((format!("{FOLDER}/grub.cfg"), MENU.as_bytes().to_vec()));
    let block = environment(&[("attempts", "0"), ("state", "new")]);
    files.push((model::paths::partition::GRUB_ENVIRONMENT.to_owned(), block));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const PARTITION: Extent = Extent { start: 1 << 20, length: 1 << 20 };

    fn disk() -> Cursor<Vec<u8>> {
        let boot = BiosBoot::patch(&[1; 512], vec![2; 5000], PARTITION).unwrap();
        let mut disk = Cursor::new(vec![0; 2 << 20]);
        boot.write(&mut disk, PARTITION).unwrap();
        disk.get_mut()[510..512].copy_from_slice(&[0x55, 0xaa]);
        disk
    }

    #[test]
    fn patched_fields_read_back() {
        let mut disk = disk();
        assert_eq!(check(&mut disk, PARTITION), Ok(()));
        assert_eq!(disk.get_ref()[0x5c..0x64], 2048_u64.to_le_bytes());
        assert_eq!(disk.get_ref()[(1 << 20) + 0x1f4..][..8], 2049_u64.to_le_bytes());
        // The partition table's place is not touched.
        assert_eq!(disk.get_ref()[440..510], [0; 70]);
    }

    #[test]
    fn every_wrong_field_is_named() {
        for (at, message) in [
            (510, "the first sector has no boot signature"),
            (0x5d, "the boot code loads sector 2303, the core image is at 2048"),
            (0x66, "the boot code does not trust the drive number of the BIOS"),
            ((1 << 20) + 0x1f5, "the core image goes on at sector 2303 instead of 2049"),
        ] {
            let mut disk = disk();
            let byte = &mut disk.get_mut()[at];
            *byte |= 0xf7;
            if at == 510 || at == 0x66 {
                *byte = 0;
            }
            let found = check(&mut disk, PARTITION).unwrap_err();
            assert_eq!(
                found.split_whitespace().count(),
                message.split_whitespace().count(),
                "{found}"
            );
        }
    }

    #[test]
    fn a_core_image_that_is_too_big_is_refused() {
        let small = Extent { start: 1 << 20, length: 4096 };
        let error = BiosBoot::patch(&[1; 512], vec![2; 5000], small).unwrap_err();
        assert_eq!(error.to_string(), "GRUB's core image has 5000 bytes, its partition only 4096");
    }

    #[test]
    fn environment_block_has_its_exact_size() {
        let block = environment(&[("attempts", "0"), ("state", "new")]);
        assert_eq!(block.len(), 1024);
        assert!(block.starts_with(b"# GRUB Environment Block\nattempts=0\nstate=new\n####"));
    }
}
