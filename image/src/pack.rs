//! The image in other forms: compressed for the way over a network, and for virtual machines.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use host::command::{Command, Runner};
use tempfile::NamedTempFile;

use crate::{
    error::{At as _, ImageError, Lack, Result},
    progress::{Progress, bytes},
};

/// The level at which our size is compared with that of others.
const LEVEL: i32 = 10;

/// A form besides the raw one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// NAME.raw.zst, for `flash` and any zstd
    Zst,
    /// NAME.qcow2, a disk of a virtual machine
    Qcow2,
}

/// Writes the image in this form beside it.
///
/// # Errors
/// It cannot be read or written, or `qemu-img` is missing or fails. What was there under the name
/// before is then still there.
pub fn pack(
    format: Format,
    image: &Path,
    runner: &dyn Runner,
    progress: &Progress,
) -> Result<PathBuf> {
    let (name, to) = match format {
        Format::Zst => ("zst", image.with_extension("raw.zst")),
        Format::Qcow2 => ("qcow2", image.with_extension("qcow2")),
    };
    let phase = progress.phase(name);
    let folder = image.parent().filter(|folder| !folder.as_os_str().is_empty());
    let unfinished = tempfile::Builder::new()
        .prefix(".packed-")
        .suffix(".unfinished")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .at("create", &to)?;
    match format {
        Format::Zst => zst(image, &unfinished).at("write", &to)?,
        Format::Qcow2 => qcow2(image, unfinished.path(), runner)?,
    }
    unfinished.as_file().sync_all().at("write", &to)?;
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    unfinished.as_file().set_permissions(readable).at("write", &to)?;
    unfinished.persist(&to).map_err(|error| error.error).at("write", &to)?;
    phase.done(&bytes(to.metadata().at("read", &to)?.len()));
    Ok(to)
}

fn zst(image: &Path, to: &NamedTempFile) -> io::Result<()> {
    let mut from = File::open(image)?;
    let mut encoder = zstd::Encoder::new(BufWriter::new(to.as_file()), LEVEL)?;
    // With one worker or more the bytes are always the same; with none they are others.
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    encoder.multithread(u32::try_from(workers).unwrap_or(1))?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(from.metadata()?.len()))?;
    io::copy(&mut from, &mut encoder)?;
    encoder.finish()?.flush()
}

fn qcow2(image: &Path, to: &Path, runner: &dyn Runner) -> Result<()> {
    // One coroutine: the order of the clusters is always the same.
    let command = Command::new("qemu-img")
        .args(["convert", "-q", "-m", "1", "-f", "raw", "-O", "qcow2", "-c"])
        .args(["-o", "compat=1.1,compression_type=zstd"])
        .args([image, to]);
    match runner.run(&command) {
        Err(error) if error.exit == "is not installed" => Err(ImageError::Machine(vec![Lack {
            what: "`qemu-img` is missing, which makes a qcow2".to_owned(),
            remedy: "apt-get install qemu-utils".to_owned(),
        }])),
        ran => Ok(ran.map(drop)?),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read as _};

    use host::SystemRunner;

    use super::*;

    fn image(folder: &Path) -> PathBuf {
        let path = folder.join("a.raw");
        let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn what_is_packed_is_the_image_and_always_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        let pack = || pack(Format::Zst, &image, &SystemRunner, &Progress::stderr()).unwrap();
        let packed = pack();
        assert_eq!(packed, folder.path().join("a.raw.zst"));
        let first = fs::read(&packed).unwrap();
        assert!(first.len() < 6_000_000, "{}", first.len());
        pack();
        assert!(fs::read(&packed).unwrap() == first);
        let mut source = crate::flash::open(&packed).unwrap();
        source.skip(5_000_000).unwrap();
        let mut rest = Vec::new();
        source.read_to_end(&mut rest).unwrap();
        assert!(rest == fs::read(&image).unwrap()[5_000_000..]);
        assert!(crate::flash::open(&packed).unwrap().skip(12_000_001).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn a_qcow2_needs_qemu_img() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        match pack(Format::Qcow2, &image, &SystemRunner, &Progress::stderr()) {
            Ok(packed) => assert_eq!(&fs::read(packed).unwrap()[..4], b"QFI\xfb"),
            Err(error) => {
                println!("not made: `qemu-img` is not installed here");
                assert_eq!(
                    error.to_string(),
                    "this machine cannot do it yet:\n  `qemu-img` is missing, which makes a qcow2\n    \
                     = apt-get install qemu-utils"
                );
            }
        }
    }
}
