//! The image as it comes: raw, or compressed by zstd.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _},
    path::Path,
};

use host::flash::Source;

use crate::error::{At as _, Result};

/// What zstd begins with (RFC 8878, 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// An image that can be read.
pub(crate) type Opened = Box<dyn Source>;

/// Opens an image; how it is packed is told by its bytes.
///
/// # Errors
/// It cannot be read.
pub(crate) fn open(image: &Path) -> Result<Opened> {
    let mut file = File::open(image).at("read", image)?;
    let mut magic = Vec::new();
    (&mut file).take(4).read_to_end(&mut magic).at("read", image)?;
    file.rewind().at("read", image)?;
    if magic == ZSTD {
        return Ok(Box::new(Unpacked(zstd::Decoder::new(file).at("unpack", image)?)));
    }
    Ok(Box::new(file))
}

/// What zstd packed.
struct Unpacked(zstd::Decoder<'static, BufReader<File>>);

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Source for Unpacked {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.0).take(count), &mut io::sink())?;
        match skipped == count {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
