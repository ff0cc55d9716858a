//! Copies an image onto a disk by its block map, and proves that the disk gives it back.
//!
//! ```text
//! head and tail zero -> is the capacity true? -> all but the head -> read back -> caller -> head
//!                                                                                (seed)   and back
//! ```
//! The head with the boot code and the partition table is zero from the first moment to the last, so
//! that a disk whose copy was cut off never starts half an image.

mod capacity;
mod device;
mod pipe;
mod sectors;

use std::io;

use model::{Digest, block_map::Extent};

pub use device::Target;
pub use sectors::fit;
pub(crate) use sectors::{fit_file_systems, fit_table};

/// Bytes at the beginning that are written last.
const HEAD: u64 = 1 << 20;
/// Bytes at the end that are made zero: other tables and signatures lie there.
const TAIL: u64 = 1 << 20;

/// The bytes of an image in their order.
pub trait Source: io::Read + Send {
    /// Leaves out as many bytes.
    ///
    /// # Errors
    /// They are not there, or cannot be read.
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

impl Source for std::fs::File {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let count = i64::try_from(count).map_err(io::Error::other)?;
        io::Seek::seek(self, io::SeekFrom::Current(count)).map(drop)
    }
}

/// What goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The image is written.
    Write,
    /// It is read back from the disk.
    ReadBack,
}

/// Hears how far a stage is: bytes done, of all of them.
pub type Tell<'a> = &'a mut dyn FnMut(Stage, u64, u64);

/// What can go wrong. Until the copy is whole, the disk cannot be started from.
#[derive(Debug, thiserror::Error)]
pub enum FlashError {
    /// The image cannot be read.
    #[error("the image cannot be read at byte {at}: {why}")]
    Source {
        /// Where.
        at: u64,
        /// Why.
        why: io::Error,
    },
    /// The image is damaged, or its map is that of another one.
    #[error(
        "the image is not what its map says at byte {at}: it is damaged, or the map is not its own"
    )]
    Damaged {
        /// Where.
        at: u64,
    },
    /// The disk refuses.
    #[error("the disk cannot be {action} at byte {at}: {why}")]
    Disk {
        /// `written`, `read`
        action: &'static str,
        /// Where.
        at: u64,
        /// Why.
        why: io::Error,
    },
    /// The disk is smaller than it says.
    #[error("the disk lies about its size: what was written at byte {at} is not there")]
    Fake {
        /// Where.
        at: u64,
    },
    /// It does not give back what was written.
    #[error("the disk does not give back what was written at byte {at}: it is broken")]
    Differs {
        /// Where.
        at: u64,
    },
    /// What is done before the head is written.
    #[error("{0}")]
    Between(String),
}

/// Copies an image by the extents of its block map. `between` is called when all but the head is on the disk and was read back, with
/// the head, which it may change: what must not be missing on a disk that can be started from is done
/// there.
///
/// # Errors
/// See [`FlashError`]; the head of the disk is zero then.
pub fn write(
    source: &mut dyn Source,
    extents: &[Extent],
    target: &Target,
    between: &mut dyn FnMut(&mut [u8]) -> Result<(), String>,
    tell: Tell<'_>,
) -> Result<(), FlashError> {
    let mut head = vec![0; usize::try_from(head_length(extents)).unwrap_or(0)];
    target.zero(0, head.len() as u64)?;
    let tail = TAIL.min(target.size().saturating_sub(head.len() as u64));
    target.zero(target.size() - tail, tail)?;
    target.sync()?;
    capacity::check(target, head.len() as u64)?;

    let all: u64 = extents.iter().map(|extent| extent.length).sum();
    let mut done = 0;
    let mut at = 0;
    pipe::run(
        extents,
        |extent, buffer| read_source(source, &mut at, extent, buffer),
        |extent, bytes| {
            let start = usize::try_from(extent.start).unwrap_or(usize::MAX);
            match (head.get_mut(start..start + bytes.len()), &extent.sha256) {
                (Some(place), _) => place.copy_from_slice(bytes),
                (None, Some(_)) => target.write(extent.start, bytes)?,
                (None, None) => target.zero(extent.start, extent.length)?,
            }
            done += extent.length;
            tell(Stage::Write, done, all);
            Ok(())
        },
    )?;
    target.sync()?;
    let rest: Vec<Extent> =
        extents.iter().filter(|extent| extent.start >= head.len() as u64).cloned().collect();
    read_back(target, &rest, tell)?;
    between(&mut head).map_err(FlashError::Between)?;
    target.write(0, &head)?;
    target.sync()?;
    let mut written = target.buffer(head.len());
    target.read(0, &mut written)?;
    if *written != head[..] {
        return Err(FlashError::Differs { at: 0 });
    }
    Ok(())
}

/// Reads back what a map says, from the medium itself.
///
/// # Errors
/// The disk cannot be read, or gives back something else.
pub fn read_back(target: &Target, extents: &[Extent], tell: Tell<'_>) -> Result<(), FlashError> {
    target.forget_cached();
    let all: u64 = extents.iter().map(|extent| extent.length).sum();
    let mut done = 0;
    pipe::run(
        extents,
        |extent, buffer| target.read(extent.start, buffer),
        |extent, bytes| {
            if !is(extent, bytes) {
                return Err(FlashError::Differs { at: extent.start });
            }
            done += extent.length;
            tell(Stage::ReadBack, done, all);
            Ok(())
        },
    )
}

/// Whole extents only: the one that reaches over the end of the first MiB belongs to the head.
fn head_length(extents: &[Extent]) -> u64 {
    let ends = extents.iter().filter(|extent| extent.start < HEAD).map(Extent::end);
    ends.fold(HEAD.min(extents.last().map_or(0, Extent::end)), u64::max)
}

/// Brings the bytes of an extent; `at` is where the source stands.
fn read_source(
    source: &mut dyn Source,
    at: &mut u64,
    extent: &Extent,
    buffer: &mut [u8],
) -> Result<(), FlashError> {
    if extent.sha256.is_none() {
        buffer.fill(0);
        return Ok(());
    }
    let failed = |why| FlashError::Source { at: extent.start, why };
    source.skip(extent.start - *at).map_err(failed)?;
    source.read_exact(buffer).map_err(failed)?;
    *at = extent.end();
    match is(extent, buffer) {
        true => Ok(()),
        false => Err(FlashError::Damaged { at: extent.start }),
    }
}

fn is(extent: &Extent, bytes: &[u8]) -> bool {
    match &extent.sha256 {
        Some(digest) => Digest::of(bytes) == *digest,
        None => bytes.iter().all(|byte| *byte == 0),
    }
}

#[cfg(test)]
mod tests;
