//! A part of a file as if it were a file of its own: how the FAT code sees a partition.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// `length` bytes of `inner` from `start`.
#[derive(Debug)]
pub struct Window<F> {
    inner: F,
    start: u64,
    length: u64,
    position: u64,
}

impl<F> Window<F> {
    /// Opens a window; its position is 0.
    pub fn new(inner: F, start: u64, length: u64) -> Self {
        Self { inner, start, length, position: 0 }
    }

    /// How many of `wanted` bytes lie before the end.
    fn clip(&self, wanted: usize) -> usize {
        let left = self.length.saturating_sub(self.position);
        usize::try_from(left).unwrap_or(usize::MAX).min(wanted)
    }
}

impl<F: Read + Seek> Read for Window<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.clip(buffer.len());
        self.inner.seek(SeekFrom::Start(self.start + self.position))?;
        let count = self.inner.read(&mut buffer[..count])?;
        self.position += count as u64;
        Ok(count)
    }
}

impl<F: Write + Seek> Write for Window<F> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.clip(buffer.len());
        self.inner.seek(SeekFrom::Start(self.start + self.position))?;
        let count = self.inner.write(&buffer[..count])?;
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<F> Seek for Window<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            SeekFrom::End(delta) => self.length.checked_add_signed(delta),
        };
        self.position = target.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "seek before the start of the partition")
        })?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn reads_and_writes_only_its_part() {
        let mut bytes = *b"aaXXXXbb";
        let mut window = Window::new(Cursor::new(&mut bytes[..]), 2, 4);
        assert_eq!(window.write(b"123456").unwrap(), 4);
        assert_eq!(window.write(b"7").unwrap(), 0);
        window.seek(SeekFrom::End(-2)).unwrap();
        let mut rest = String::new();
        window.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "34");
        assert!(window.seek(SeekFrom::Current(-9)).is_err());
        assert_eq!(&bytes, b"aa1234bb");
    }
}
