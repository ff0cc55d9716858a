//! The map for other tools: `bmaptool` of Yocto and Debian reads this form (version 2.0 of
//! <https://github.com/yoctoproject/bmaptool>). It knows two states only, so what must be zero is
//! written like what holds data.

use std::fmt::Write as _;

use model::{
    Digest,
    block_map::{BLOCK, BlockMap, Extent},
};

/// The map as XML.
pub fn to_bmap(map: &BlockMap) -> String {
    let mapped: u64 = map.extents.iter().map(|extent| extent.length / BLOCK).sum();
    let text = |checksum: &str| {
        let mut text = format!(
            "<?xml version=\"1.0\" ?>\n<bmap version=\"2.0\">\n    <ImageSize> {} </ImageSize>\n    \
             <BlockSize> {BLOCK} </BlockSize>\n    <BlocksCount> {} </BlocksCount>\n    \
             <MappedBlocksCount> {mapped} </MappedBlocksCount>\n    \
             <ChecksumType> sha256 </ChecksumType>\n    \
             <BmapFileChecksum> {checksum} </BmapFileChecksum>\n    <BlockMap>\n",
            map.size,
            map.size / BLOCK,
        );
        for extent in &map.extents {
            let (first, last) = (extent.start / BLOCK, extent.end() / BLOCK - 1);
            let place = if first == last { first.to_string() } else { format!("{first}-{last}") };
            let digest = digest(extent);
            let _ = writeln!(text, "        <Range chksum=\"{}\"> {place} </Range>", digest.hex());
        }
        text.push_str("    </BlockMap>\n</bmap>\n");
        text
    };
    // The file's own checksum is that of the file with zeros in its place.
    let own = Digest::of(text(&"0".repeat(64)));
    text(own.hex())
}

fn digest(extent: &Extent) -> Digest {
    match &extent.sha256 {
        Some(digest) => digest.clone(),
        None => Digest::of(vec![0; usize::try_from(extent.length).unwrap_or(0)]),
    }
}
