//! Our flash, which reads everything back, against `bmaptool copy`, which does not: the same image
//! onto the same target, by turns, in one run.

use std::{
    fmt::Write as _,
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use host::command::{Command, Runner};

use crate::{
    error::{At as _, ImageError, Result},
    flash::copy,
    map,
    progress::Progress,
};

/// Turns for each program; the fastest one counts.
const TURNS: usize = 3;
/// Bytes of the target behind the image.
const BEHIND: u64 = 64 << 20;

/// Both programs, to a file in the folder of the image and to a loop device over it. The table.
///
/// # Errors
/// The image has no map, a program is missing or fails.
pub fn flash(image: &Path, runner: &dyn Runner, progress: &Progress) -> Result<String> {
    if !map::beside(image).is_some_and(|map| map.is_file()) {
        return Err(ImageError::Usage(format!(
            "`{}` has no block map beside it\n    = name an image as `homelab-image build` makes it",
            image.display()
        )));
    }
    let size = image.metadata().at("read", image)?.len();
    let target = tempfile::Builder::new()
        .prefix(".bench-")
        .suffix(".unfinished")
        .tempfile_in(image.parent().unwrap_or(Path::new(".")))
        .at("create", image)?;
    let file: &File = target.as_file();
    file.set_len(size + BEHIND).at("write", target.path())?;
    let mut text =
        format!("{:<14}{:>16}{:>16}{:>8}\n", "target", "flash [s]", "bmaptool [s]", "ratio");
    text += &row("file", image, target.path(), runner, progress)?;
    let attach = Command::new("losetup").args(["--find", "--show"]).arg(target.path());
    match runner.run(&attach) {
        Ok(output) => {
            let device = PathBuf::from(output.stdout.trim());
            let row = row("loop device", image, &device, runner, progress);
            runner.run(&Command::new("losetup").arg("--detach").arg(&device))?;
            text += &row?;
        }
        Err(error) => {
            progress.line(&format!("no loop device can be had, so it is left out: {error}"))
        }
    }
    Ok(text)
}

fn row(
    name: &str,
    image: &Path,
    target: &Path,
    runner: &dyn Runner,
    progress: &Progress,
) -> Result<String> {
    let theirs = Command::new("bmaptool")
        .args(["copy", "--no-verify", "--bmap"])
        .arg(image.with_extension("raw.bmap"))
        .arg(image)
        .arg(target);
    let mut best = [Duration::MAX; 2];
    for turn in 1..=TURNS {
        let begun = Instant::now();
        copy(image, target)?;
        best[0] = begun.elapsed().min(best[0]);
        let begun = Instant::now();
        runner.run(&theirs)?;
        best[1] = begun.elapsed().min(best[1]);
        progress.line(&format!("  {name}: {turn} of {TURNS} turns"));
    }
    Ok(line(name, best))
}

fn line(name: &str, [ours, theirs]: [Duration; 2]) -> String {
    let (ours, theirs) = (ours.as_secs_f64(), theirs.as_secs_f64());
    let mut text = String::new();
    let _ = writeln!(text, "{name:<14}{ours:>16.2}{theirs:>16.2}{:>8.2}", ours / theirs);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table() {
        let times = [Duration::from_millis(3200), Duration::from_millis(4000)];
        assert_eq!(
            line("file", times),
            format!("file{}3.20{}4.00    0.80\n", " ".repeat(22), " ".repeat(12))
        );
    }
}
