//! The system is copied from the stick that it runs from to a disk of the machine.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use host::{
    BootDisk, boot_entry, disks, files,
    flash::{FlashError, Stage},
    transfer::{self, Origin, TransferError},
    volume::{self, Use},
};
use model::{
    disk, facts::Disk, paths::partition, plan::Install, report::Unit, seed::rules::Refused,
};

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::{Progress, Scene},
    steps::{Doing, Holding},
};

/// Between two words about how far it is.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Doer<'a>(pub &'a Install);

impl Doing for Doer<'_> {
    fn check(&self, scene: &Scene<'_>) -> Result<Vec<String>> {
        self.find(scene).map(|_| Vec::new())
    }

    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        let there = self.is_there(&self.find(scene)?, scene)?;
        holding.need(there, || format!("the system is not on {}", self.0.consent.victim()));
        Ok(holding)
    }

    fn guard(&self, scene: &Scene<'_>) -> Result<()> {
        let disk = self.find(scene)?;
        // A copy that was cut off left nothing there; nothing can be lost on such a disk.
        let nothing = disk.table.is_none() && disk::contents(&disk).is_empty();
        if !nothing {
            self.0.consent.unchanged(&disk).map_err(refused)?;
        }
        Ok(())
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        let host = scene.host();
        let device = device(&self.find(scene)?);
        let origin = Origin::running(host)?;
        progress.note(format!("looking what of {} is in use", origin.disk.display()));
        let note = format!(
            "The system of this disk was copied from a stick, as this seed asked for:\n{}\nA stick \
             with that very seed does not copy itself here again.\n",
            scene.plan.seed
        );
        let mut last = None;
        let mut tell = |stage, done, of| {
            let now = std::time::Instant::now();
            let due = last.is_none_or(|(told, when)| told != stage || now - when >= EVERY);
            if due || done == of {
                last = Some((stage, now));
                let what = match stage {
                    Stage::Write => "writing",
                    Stage::ReadBack => "reading back",
                };
                progress.tell(done, of, Unit::Bytes, what);
            }
        };
        let copied = transfer::copy(host, &origin, &device, &note, &mut tell);
        let hint = copied.as_ref().err().map(|error| way_out(error, &device)).unwrap_or_default();
        copied.because(
            format!("the system cannot be copied onto {}", self.0.consent.victim()),
            hint,
        )?;
        if let Err(error) = boot_entry::make(host, &device) {
            // It finds the disk all the same, unless another system has an entry.
            progress.note(format!("the firmware takes no entry for the disk: {error}"));
        }
        Ok(())
    }
}

impl Doer<'_> {
    /// The disk that was agreed to, as it is now.
    fn find(&self, scene: &Scene<'_>) -> Result<Disk> {
        let disks = disks::disks(scene.host())?;
        self.0.consent.find(&disks).cloned().map_err(refused)
    }

    /// Was this very copy made, to its end? Its head, and with it the table, was written last.
    fn is_there(&self, disk: &Disk, scene: &Scene<'_>) -> Result<bool> {
        let seed = disk.contents.iter().find(|volume| volume.number == Some(partition::SEED));
        if seed.is_none_or(|volume| volume.signature.as_deref() != Some("vfat")) {
            return Ok(false);
        }
        let seed = BootDisk { disk: device(disk) }.partition(partition::SEED);
        let mut note = None;
        volume::with_fat(scene.host(), &seed, Use::Read, &mut |folder| {
            note = files::read_text_optional(folder.join(partition::COPY_NOTE))?;
            Ok(())
        })?;
        let digest = scene.plan.seed.to_string();
        Ok(note.is_some_and(|note| note.lines().any(|line| line == digest)))
    }
}

fn device(disk: &Disk) -> PathBuf {
    Path::new("/dev").join(&disk.name)
}

fn refused(refused: Refused) -> Trouble {
    Trouble::new(refused.what, refused.hint)
}

fn way_out(error: &TransferError, device: &Path) -> String {
    let device = device.display();
    match error {
        TransferError::Host(_) => {
            "nothing on it can be started; the stick starts again and tries again".to_owned()
        }
        TransferError::Flash(FlashError::Source { .. } | FlashError::Damaged { .. }) => {
            "the stick is broken: write the image to another one".to_owned()
        }
        TransferError::Flash(FlashError::Fake { .. } | FlashError::Differs { .. }) => {
            "choose another disk: data on this one would be lost sooner or later".to_owned()
        }
        TransferError::Flash(FlashError::Disk { .. }) => {
            format!("`dmesg` shows what {device} said; try another port or another disk")
        }
        TransferError::Flash(FlashError::Between(_)) => {
            "nothing on it can be started; the stick starts again and tries again".to_owned()
        }
    }
}
