//! Loop devices for tests: a file as a disk, with sectors of any size.

use std::path::{Path, PathBuf};

use crate::{Command, Runner as _, SystemRunner};

/// A loop device, until it is dropped.
pub(crate) struct LoopDevice(PathBuf);

impl LoopDevice {
    /// One over a file, whose logical sectors have so many bytes. None, with a word why, where there can
    /// be none.
    pub(crate) fn over(image: &Path, sector: u32) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("not tested: only root can make loop devices");
            return None;
        }
        let attach = Command::new("losetup")
            .args(["--find", "--show", "--partscan", "--sector-size", &sector.to_string()])
            .arg(image);
        match SystemRunner.run(&attach) {
            Ok(output) => Some(Self(output.stdout.trim().into())),
            Err(error) => {
                println!("not tested: no loop devices ({error})");
                None
            }
        }
    }

    /// Its device.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        if let Err(error) = SystemRunner.run(&Command::new("losetup").arg("--detach").arg(&self.0))
        {
            println!("{error}");
        }
    }
}
