//! The disk that an image goes to; a file serves as well.

use std::{
    fs::{self, File, OpenOptions},
    io,
    ops::{Deref, DerefMut},
    os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, PosixFadviseAdvice, fallocate, posix_fadvise},
    libc::{O_DIRECT, O_EXCL},
    sys::stat::{major, minor},
};

use super::FlashError;
use crate::table::SECTOR;

/// Every address and length of what goes past the cache is a multiple of this.
const ALIGN: usize = 4096;
/// Zeros that are written at once.
const ZEROS: u64 = 4 << 20;

/// A disk or a file that is written from end to end.
pub struct Target {
    /// Past the cache, where that is possible.
    file: File,
    size: u64,
    sector: u64,
}

impl Target {
    /// Opens a disk for nobody else, or a file.
    ///
    /// # Errors
    /// It is not there, is in use, or may not be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let about = path.metadata()?;
        let device = about.file_type().is_block_device();
        let sector = if device { sector(about.rdev())? } else { SECTOR };
        // On a device this fails while it, or a partition of it, is mounted or otherwise held.
        let alone = if device { O_EXCL } else { 0 };
        let open = |flags| OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
        let file = match open(alone | O_DIRECT) {
            // Not every file system can do without its cache.
            Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => open(alone)?,
            file => file?,
        };
        let size = io::Seek::seek(&mut &file, io::SeekFrom::End(0))?;
        Ok(Self { file, size, sector })
    }

    /// Bytes of it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of a logical sector: no less can be read or written at once. A file is as a disk for
    /// which the image is made.
    pub fn sector(&self) -> u64 {
        self.sector
    }

    /// The file itself. What is read and written by it must be aligned.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// A buffer of so many bytes that can be read into.
    pub(super) fn buffer(&self, length: usize) -> Buffer {
        Buffer::new(length)
    }

    /// Writes whole blocks.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Result<(), FlashError> {
        let failed = |why| FlashError::Disk { action: "written", at, why };
        if bytes.as_ptr().align_offset(ALIGN) == 0 {
            return self.file.write_all_at(bytes, at).map_err(failed);
        }
        let mut aligned = Buffer::new(bytes.len());
        aligned.copy_from_slice(bytes);
        self.file.write_all_at(&aligned, at).map_err(failed)
    }

    /// Makes whole blocks zero; the disk may do that by itself.
    pub(super) fn zero(&self, at: u64, length: u64) -> Result<(), FlashError> {
        let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        if let (Ok(from), Ok(count)) = (i64::try_from(at), i64::try_from(length)) {
            // Linux refuses this on a disk that cannot promise zeros afterwards (`blkdev_fallocate`).
            if length > 0 && fallocate(&self.file, punch, from, count).is_ok() {
                return Ok(());
            }
        }
        let zeros = Buffer::new(usize::try_from(ZEROS.min(length)).unwrap_or(0));
        let mut done = 0;
        while done < length {
            let count = usize::try_from((length - done).min(ZEROS)).unwrap_or(0);
            self.write(at + done, &zeros[..count])?;
            done += count as u64;
        }
        Ok(())
    }

    /// Reads whole blocks.
    pub(super) fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), FlashError> {
        self.file.read_exact_at(buffer, at).map_err(|why| FlashError::Disk {
            action: "read",
            at,
            why,
        })
    }

    /// All that was written is on the medium.
    pub(crate) fn sync(&self) -> Result<(), FlashError> {
        self.file.sync_all().map_err(|why| FlashError::Disk { action: "written", at: 0, why })
    }

    /// What is read next comes from the medium. Where the cache is passed by there is nothing to
    /// forget.
    pub(super) fn forget_cached(&self) {
        let _ = posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    }
}

/// As the kernel tells it of a whole disk.
fn sector(device: u64) -> io::Result<u64> {
    let (major, minor) = (major(device), minor(device));
    let text =
        fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/queue/logical_block_size"))?;
    text.trim().parse().map_err(io::Error::other)
}

/// Bytes that begin at an address that a disk takes.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    begin: usize,
    length: usize,
}

impl Buffer {
    /// Zeros.
    pub(super) fn new(length: usize) -> Self {
        let bytes = vec![0; length + ALIGN];
        let begin = bytes.as_ptr().align_offset(ALIGN);
        Self { bytes, begin, length }
    }

    /// One of this length, this one if it is long enough. What is in it is old.
    pub(super) fn of(self, length: usize) -> Self {
        match self.begin + length <= self.bytes.len() {
            true => Self { length, ..self },
            false => Self::new(length),
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.begin..self.begin + self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.begin..self.begin + self.length]
    }
}
