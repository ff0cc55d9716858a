//! What an ext4 file system has in use, as `debugfs` says it: it knows the groups whose bitmaps were
//! never written, and it can look at a file system in the middle of a file.

use model::block_map::BLOCK;

use super::{Blocks, joined};
use crate::{Command, HostError, Result, command::Runner};

/// Blocks in use of an ext4 file system of `length` bytes that `debugfs` can open as `name`: a device,
/// or `FILE?offset=BYTES`.
///
/// # Errors
/// There is none, or it does not fill its place.
pub fn used(runner: &dyn Runner, debugfs: Command, name: &str, length: u64) -> Result<Vec<Blocks>> {
    let count = length / BLOCK;
    // It refuses to be asked for block 0, where the superblock lies.
    let command = debugfs
        .args(["-R", &format!("testb 1 {}", count.saturating_sub(1))])
        .arg(name)
        .env("LC_ALL", "C");
    let output = runner.run(&command)?;
    parse(&output.stdout, count).ok_or_else(|| {
        HostError::Other(format!(
            "debugfs does not tell which of the {count} blocks of the root file system of `{name}` \
             are in use"
        ))
    })
}

/// `Block 12 marked in use`, `Block 13 not in use`: a line for each block but the first.
fn parse(text: &str, count: u64) -> Option<Vec<Blocks>> {
    let mut used = Vec::from_iter(Some(0..1));
    let mut next = 1;
    for line in text.lines().filter_map(|line| line.strip_prefix("Block ")) {
        let (number, state) = line.split_once(' ')?;
        // One that is left out, or told twice, would be taken for the other state.
        if number.parse() != Ok(next) {
            return None;
        }
        match state {
            "marked in use" => used.push(next..next + 1),
            "not in use" => {}
            _ => return None,
        }
        next += 1;
    }
    (next == count).then(|| joined(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Block 1 marked in use\nBlock 2 not in use\nBlock 3 not in use\n\
                        Block 4 marked in use\n";

    #[test]
    fn what_is_marked_is_in_use() {
        assert_eq!(parse(TEXT, 5).unwrap(), [0..2, 4..5]);
    }

    #[test]
    fn what_does_not_tell_of_each_block_is_refused() {
        assert_eq!(parse(TEXT, 6), None, "the last one is missing");
        assert_eq!(parse(TEXT, 4), None, "one too many");
        for (there, instead) in
            [("Block 2 not in use\n", ""), ("Block 3", "Block 2"), ("not in use", "lost")]
        {
            assert_eq!(parse(&TEXT.replacen(there, instead, 1), 5), None, "{instead}");
        }
    }
}
