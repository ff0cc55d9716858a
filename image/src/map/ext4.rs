//! What an ext4 file system has in use, as `dumpe2fs` says it: that program knows the groups whose
//! bitmaps were never written.

use host::command::Runner;

use super::{Blocks, joined};
use crate::{
    debian::Tools,
    error::{ImageError, Result},
};
use model::block_map::BLOCK;
use std::path::Path;

/// Blocks in use of the file system that begins at byte `start` of `image`.
///
/// # Errors
/// There is none, or its blocks have another size.
pub(super) fn used(
    runner: &dyn Runner,
    tools: &Tools,
    image: &Path,
    start: u64,
) -> Result<Vec<Blocks>> {
    let command = tools
        .command("usr/sbin/dumpe2fs")
        .arg(format!("{}?offset={start}", image.display()))
        .env("LC_ALL", "C");
    let output = runner.run(&command)?;
    parse(&output.stdout).ok_or_else(|| {
        ImageError::Other(format!("dumpe2fs does not tell what `{}` has in use", image.display()))
    })
}

/// All blocks but those on the lines `Free blocks: 33-127, 130`.
fn parse(text: &str) -> Option<Vec<Blocks>> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().parse::<u64>().ok()
    };
    let (count, free, size) =
        (value("Block count:")?, value("Free blocks:")?, value("Block size:")?);
    if size != BLOCK {
        return None;
    }
    let mut used = Vec::new();
    let (mut at, mut listed) = (0, 0);
    // Those of the groups are indented; the sum in the head is not.
    for line in text.lines().filter_map(|line| line.strip_prefix("  Free blocks:")) {
        for range in line.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if first < at || last < first || last >= count {
                return None;
            }
            used.push(at..first);
            at = last + 1;
            listed += at - first;
        }
    }
    used.push(at..count);
    // A line that was not understood would leave out what is in use, or the other way round.
    (listed == free).then(|| joined(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Block count:              1000\nFree blocks:              105\n\
                        First block:              0\nBlock size:               4096\n\n\
                        Group 0: (Blocks 0-499) csum 0x1 [ITABLE_ZEROED]\n  Block bitmap at 2\n";

    #[test]
    fn what_is_not_free_is_in_use() {
        let text = format!(
            "{HEAD}  Free blocks: 33-127, 130\n  Free inodes: 12-4000\n\
             Group 1: (Blocks 500-999)\n  Free blocks: \nGroup 2:\n  Free blocks: 700-708\n"
        );
        assert_eq!(parse(&text).unwrap(), [0..33, 128..130, 131..700, 709..1000]);
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        for groups in [
            "  Free blocks: 33-127\n",
            "  Free blocks: 33-127, 130\n  Free blocks: 991-1000\n",
            "  Free blocks: 33-127, 120-129\n",
            "  Free blocks: 33-x\n",
        ] {
            assert_eq!(parse(&format!("{HEAD}{groups}")), None, "{groups}");
        }
        assert_eq!(parse(&HEAD.replace("4096", "1024")), None);
    }
}
