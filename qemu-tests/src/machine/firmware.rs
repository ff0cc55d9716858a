//! The three ways in which a machine starts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What runs before the boot loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// A BIOS.
    SeaBios,
    /// UEFI without Secure Boot.
    Ovmf,
    /// UEFI that enforces Secure Boot with Microsoft's keys.
    OvmfSecureBoot,
}

/// Where Debian's `ovmf` puts its files.
const OVMF: &str = "/usr/share/OVMF";

impl Firmware {
    /// Arguments for QEMU. The variables of UEFI live in `folder`, fresh unless they are there.
    ///
    /// # Errors
    /// The firmware is not installed.
    pub fn arguments(self, folder: &Path) -> Result<Vec<String>> {
        let machine = |options: &str| vec!["-machine".to_owned(), format!("q35{options}")];
        let (code, variables) = match self {
            Self::SeaBios => return Ok(machine("")),
            Self::Ovmf => ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
            Self::OvmfSecureBoot => ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"),
        };
        let own = folder.join("uefi-variables.fd");
        if !own.exists() {
            let source = PathBuf::from(OVMF).join(variables);
            std::fs::copy(&source, &own)
                .with_context(|| format!("cannot copy {}; install `ovmf`", source.display()))?;
        }
        let mut arguments = match self {
            Self::OvmfSecureBoot => {
                let mut arguments = machine(",smm=on");
                // Without these two the guest could write the variables that hold the keys.
                for global in
                    ["driver=cfi.pflash01,property=secure,value=on", "ICH9-LPC.disable_s3=1"]
                {
                    arguments.extend(["-global".to_owned(), global.to_owned()]);
                }
                arguments
            }
            _ => machine(""),
        };
        arguments.extend([
            "-drive".to_owned(),
            format!("if=pflash,unit=0,format=raw,readonly=on,file={OVMF}/{code}"),
            "-drive".to_owned(),
            format!("if=pflash,unit=1,format=raw,file={}", own.display()),
        ]);
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bios_needs_no_files() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Firmware::SeaBios.arguments(folder.path()).unwrap(), ["-machine", "q35"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
