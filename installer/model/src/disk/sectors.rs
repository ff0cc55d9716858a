//! Which sectors a disk for the system may have, and who starts from it.

use super::describe;
use crate::{
    facts::{Disk, Firmware},
    seed::rules::Refused,
};

/// Bytes of a sector of the disks that the image is made for. Everything starts from these.
pub const SECTOR: u32 = 512;
/// Bytes of a larger one that the copy on a disk can be made for. UEFI starts from these; BIOS has no
/// partition table and no boot code that would know them.
const LARGE_SECTOR: u32 = 4096;
/// How a disk gets sectors of another size; it loses everything by that.
pub const SWITCH: &str = "many disks can be switched to sectors of 512 bytes, see `nvme format` or \
                          `hdparm --set-sector-size`";

/// Whether the system can lie on sectors of this size.
///
/// # Errors
/// It cannot.
pub fn can_hold(disk: &Disk) -> Result<(), Refused> {
    if [SECTOR, LARGE_SECTOR].contains(&disk.sector) {
        return Ok(());
    }
    let what = format!(
        "{} has sectors of {} bytes, and the system can lie on those of {SECTOR} or {LARGE_SECTOR}",
        describe(disk),
        disk.sector
    );
    Err(Refused::new(what, format!("choose another disk; {SWITCH}")))
}

/// Whether a machine that was started in this way starts from sectors of this size.
///
/// # Errors
/// It does not.
pub fn can_start(disk: &Disk, firmware: Firmware) -> Result<(), Refused> {
    if disk.sector == SECTOR || firmware != Firmware::Bios {
        return Ok(());
    }
    let what = format!(
        "{} has sectors of {} bytes, and this machine was started by BIOS, which starts from those of \
         {SECTOR} only",
        describe(disk),
        disk.sector
    );
    let hint = format!(
        "start the stick by UEFI, which the firmware's setup may have to be told, or choose another \
         disk; {SWITCH}"
    );
    Err(Refused::new(what, hint))
}
