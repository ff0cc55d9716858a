//! `homelab-image flash`: an image onto a disk, read back from it, with a seed if there is one.

mod source;
mod target;

use std::{
    fs::{self, OpenOptions},
    io::Cursor,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use host::{
    Command, Host,
    fat::FixedClock,
    flash::{FlashError, Stage, Target, fit, write},
};
use model::block_map::BlockMap;
use terminal::prompt;

#[cfg(test)]
pub(crate) use self::source::open;
use self::target::{Asked, Place};
use crate::{
    error::{At as _, ImageError, Result},
    map,
    progress::{Phase, Progress, bytes},
    seed,
};

/// Between two notes of how far it is, where nobody looks at a live line.
const EVERY: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct Options {
    /// The image, NAME.raw or NAME.raw.zst
    image: PathBuf,
    /// The whole disk, such as /dev/sdb; everything on it is lost. A file takes it too
    device: PathBuf,
    /// A seed, which goes onto the SEED partition
    #[arg(long)]
    seed: Option<PathBuf>,
    /// Serial of the disk: permits to erase it without a question
    #[arg(long)]
    serial: Option<String>,
}

/// Writes an image to a disk; what to say afterwards.
///
/// # Errors
/// An input is wrong, the disk is not one that may be erased, nobody permits it, or it does not give
/// back what was written. Then nothing on it can be started.
pub fn flash(options: &Options, host: &Host, progress: &Progress) -> Result<String> {
    let Options { image, device, seed, serial } = options;
    // What can be wrong is found before anything is touched.
    let files = seed.as_deref().map(seed::files).transpose()?;
    let map = read_map(image, progress)?;
    let mut place = target::find(host, device, map.size)?;
    if let Some(note) = place.note() {
        progress.line(&note);
    }
    if let Some(asked) = target::permission(&mut place, serial.as_deref())? {
        ask(&asked)?;
    }
    let place = target::find_again(host, place, map.size)?;
    let target = Target::open(&place.path()).map_err(|error| {
        ImageError::Other(format!(
            "`{}` cannot be written: {error}\n    = run this as root, and let nothing use it",
            device.display()
        ))
    })?;

    let begun = Instant::now();
    let mut watch = Watch { progress, phase: None, begun, told: begun, stage: Stage::Write };
    let mut between = |head: &mut [u8]| {
        fit(&target, &place.path(), head, FixedClock::at(host.clock.epoch()))
            .map_err(|error| said(&error))?;
        match &files {
            Some(files) => put_seed(&place.path(), head, files).map_err(|error| said(&error)),
            None => Ok(()),
        }
    };
    let mut source = source::open(image)?;
    let written =
        write(source.as_mut(), &map.extents, &target, &mut between, &mut |s, done, of| {
            watch.tell(s, done, of)
        });
    watch.end();
    written.map_err(|error| failed(&error, device))?;
    drop(target);
    if let Place::Disk { .. } = place {
        // The kernel looks at the new table; where it does not, it will at the next plug.
        let _ = host.runner.run(&Command::new("blockdev").arg("--rereadpt").arg(place.path()));
    }
    let (data, zeros) = map.sums();
    let seed = match seed {
        Some(file) => format!("\n  with the seed {}", file.display()),
        None => String::new(),
    };
    Ok(format!(
        "{place} holds {}, and gave all of it back: {} written, {} zero, {:.1} s{seed}",
        image.display(),
        bytes(data),
        bytes(zeros),
        begun.elapsed().as_secs_f64()
    ))
}

/// The map beside the image; one of the whole image where there is none.
fn read_map(image: &Path, progress: &Progress) -> Result<BlockMap> {
    let beside = map::beside(image).ok_or_else(|| {
        ImageError::Usage(format!(
            "`{}` is no image\n    = name a file that ends in `.raw` or `.raw.zst`",
            image.display()
        ))
    })?;
    let text = match fs::read_to_string(&beside) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let phase = progress.phase("read");
            let map = map::of_everything(source::open(image)?.as_mut()).at("read", image)?;
            phase.done(&format!("{} is not there, so all of the image counts", beside.display()));
            return Ok(map);
        }
        Err(error) => return Err(error).at("read", &beside),
    };
    BlockMap::parse(&text)
        .map_err(|error| ImageError::Usage(format!("{}: {error}", beside.display())))
}

/// Writes an image with its map to a target that nobody asks about.
///
/// # Errors
/// The map or the image cannot be read, or the target cannot be written.
pub fn copy(image: &Path, to: &Path) -> Result<()> {
    let map = read_map(image, &Progress::stderr())?;
    let target = Target::open(to).at("open", to)?;
    let mut source = source::open(image)?;
    write(source.as_mut(), &map.extents, &target, &mut |_| Ok(()), &mut |_, _, _| {})
        .map_err(|error| failed(&error, to))
}

/// Asks the person at this terminal.
fn ask(asked: &Asked) -> Result<()> {
    let Asked { text, wanted, instead } = asked;
    if !prompt::possible() {
        return Err(ImageError::Usage(format!(
            "{text}\n    = nobody can be asked here: {instead}"
        )));
    }
    let typed = prompt::line(text).at("ask at", "the terminal")?;
    match typed.trim() == wanted {
        true => Ok(()),
        false => Err(ImageError::Unfinished("left; nothing was written".to_owned())),
    }
}

/// Puts the seed onto the SEED partition, whose place the head says.
fn put_seed(disk: &Path, head: &[u8], files: &seed::Beside) -> Result<()> {
    let place = seed::place(&mut Cursor::new(head), disk)?;
    // Past no cache: what is written to a file system comes in small pieces.
    let file = OpenOptions::new().read(true).write(true).open(disk).at("open", disk)?;
    seed::put(&file, disk, place, files)
}

fn said(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|why| format!(": {why}"));
    format!("{error}{}", source.unwrap_or_default())
}

fn failed(error: &FlashError, device: &Path) -> ImageError {
    let device = device.display();
    let way_out = match error {
        FlashError::Source { .. } | FlashError::Damaged { .. } => {
            "build or fetch the image again, with its map".to_owned()
        }
        FlashError::Fake { .. } | FlashError::Differs { .. } => {
            format!("use another disk; data on {device} would be lost sooner or later")
        }
        FlashError::Disk { .. } => format!("see `dmesg` for what {device} said; try another port"),
        FlashError::Between(_) => "correct that, and flash again".to_owned(),
    };
    ImageError::Other(format!(
        "{device}: {error}\n    = nothing on it can be started now; {way_out}"
    ))
}

/// Shows how far it is.
struct Watch<'p> {
    progress: &'p Progress,
    phase: Option<Phase<'p>>,
    begun: Instant,
    told: Instant,
    stage: Stage,
}

impl Watch<'_> {
    fn tell(&mut self, stage: Stage, done: u64, of: u64) {
        if self.phase.is_none() || self.stage != stage {
            self.end();
            let name = match stage {
                Stage::Write => "write",
                Stage::ReadBack => "read back",
            };
            (self.phase, self.stage) = (Some(self.progress.phase(name)), stage);
            (self.begun, self.told) = (Instant::now(), Instant::now());
        }
        let Some(phase) = &self.phase else { return };
        let text = how_far(done, of, self.begun.elapsed());
        if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            phase.line_where_nobody_looks(&text);
        }
        phase.note(&text);
    }

    fn end(&mut self) {
        if let Some(phase) = self.phase.take() {
            phase.done("");
        }
    }
}

/// `312.0 MiB of 1.1 GiB, 84.1 MiB/s, 9 s left`
fn how_far(done: u64, of: u64, taken: Duration) -> String {
    let milliseconds = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = done.saturating_mul(1000) / milliseconds;
    let left = (of - done.min(of)).checked_div(rate);
    let left = left.map_or_else(|| "?".to_owned(), |seconds| seconds.to_string());
    format!("{} of {}, {}/s, {left} s left", bytes(done), bytes(of), bytes(rate))
}

#[cfg(test)]
mod tests;
