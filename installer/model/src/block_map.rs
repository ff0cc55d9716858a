//! The block map of an image: what of it must be written, what must be zero, and what may be
//! anything.
//!
//! It is made from what the file systems themselves say is in use, not from the holes of the image's
//! file: a hole may lie where a file system counts on zeros, and on a disk that held something else
//! before, what is left out is what was there.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The version of the form.
pub const FORMAT: u32 = 1;
/// Bytes of a block. Extents begin and end at multiples of it; so do images.
pub const BLOCK: u64 = 4096;
/// Bytes of an extent at most: so much is read back and compared at once.
pub const LARGEST: u64 = 4 << 20;

/// Which bytes of an image matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockMap {
    /// [`FORMAT`]
    pub format: u32,
    /// Bytes of the image.
    pub size: u64,
    /// SHA-256 of the whole image.
    pub digest: Digest,
    /// What matters, in order; what lies between may be anything.
    pub extents: Vec<Extent>,
}

/// Bytes of an image that matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// First byte.
    pub start: u64,
    /// Number of bytes, at most [`LARGEST`].
    pub length: u64,
    /// SHA-256 of the bytes; none: all of them are zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

impl Extent {
    /// The first byte behind it.
    pub fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// Why a text is no block map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no block map: {0}")]
pub struct BadMap(String);

impl BlockMap {
    /// Reads one.
    ///
    /// # Errors
    /// It is none, or one that makes no sense.
    pub fn parse(text: &str) -> Result<Self, BadMap> {
        let map: Self = serde_json::from_str(text).map_err(|error| BadMap(error.to_string()))?;
        map.makes_sense().map_err(BadMap)?;
        Ok(map)
    }

    fn makes_sense(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("its format is {}, not {FORMAT}", self.format));
        }
        if self.size % BLOCK != 0 {
            return Err(format!("{} bytes are no whole number of blocks", self.size));
        }
        let mut end = 0;
        for Extent { start, length, .. } in &self.extents {
            let aligned = start % BLOCK == 0 && length % BLOCK == 0;
            if !aligned || *length == 0 || *length > LARGEST || *start < end {
                return Err(format!("an extent at {start} of {length} bytes cannot be"));
            }
            end = start + length;
        }
        if end > self.size {
            return Err(format!("it goes to {end}, and the image ends at {}", self.size));
        }
        Ok(())
    }

    /// As text.
    pub fn to_text(&self) -> String {
        // A line for each extent: what changed between two images can be seen.
        let extents: Vec<String> = self
            .extents
            .iter()
            .map(|extent| serde_json::to_string(extent).unwrap_or_default())
            .collect();
        format!(
            "{{\"format\":{},\"size\":{},\"digest\":\"{}\",\"extents\":[\n{}\n]}}\n",
            self.format,
            self.size,
            self.digest,
            extents.join(",\n")
        )
    }

    /// Bytes that are written from the image, and bytes that are only made zero.
    pub fn sums(&self) -> (u64, u64) {
        let sum = |data: bool| {
            let some = self.extents.iter().filter(|extent| extent.sha256.is_some() == data);
            some.map(|extent| extent.length).sum()
        };
        (sum(true), sum(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(extents: &[(u64, u64, bool)]) -> BlockMap {
        let extent = |(start, length, data): &(u64, u64, bool)| Extent {
            start: start * BLOCK,
            length: length * BLOCK,
            sha256: data.then(|| Digest::of("x")),
        };
        BlockMap {
            format: FORMAT,
            size: 100 * BLOCK,
            digest: Digest::of("image"),
            extents: extents.iter().map(extent).collect(),
        }
    }

    #[test]
    fn a_written_map_reads_back_the_same() {
        let written = map(&[(0, 2, true), (2, 1, false), (50, 50, true)]);
        let text = written.to_text();
        assert_eq!(text.lines().count(), 5);
        assert_eq!(BlockMap::parse(&text), Ok(written.clone()));
        assert_eq!(written.sums(), (52 * BLOCK, BLOCK));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |map: BlockMap| BlockMap::parse(&map.to_text()).unwrap_err().to_string();
        let cannot = |at: u64, length: u64| {
            let (at, length) = (at * BLOCK, length * BLOCK);
            format!("this is no block map: an extent at {at} of {length} bytes cannot be")
        };
        assert_eq!(refused(map(&[(0, 2, true), (1, 1, true)])), cannot(1, 1));
        assert_eq!(refused(map(&[(3, 0, true)])), cannot(3, 0));
        assert_eq!(refused(map(&[(3, 1025, true)])), cannot(3, 1025));
        let crooked = Extent { start: 7, length: BLOCK, sha256: None };
        let crooked = refused(BlockMap { extents: vec![crooked], ..map(&[]) });
        assert_eq!(crooked, "this is no block map: an extent at 7 of 4096 bytes cannot be");
        assert_eq!(
            refused(map(&[(99, 2, true)])),
            "this is no block map: it goes to 413696, and the image ends at 409600"
        );
        assert_eq!(
            refused(BlockMap { format: 2, ..map(&[]) }),
            "this is no block map: its format is 2, not 1"
        );
        assert_eq!(
            refused(BlockMap { size: 5, ..map(&[]) }),
            "this is no block map: 5 bytes are no whole number of blocks"
        );
    }
}
