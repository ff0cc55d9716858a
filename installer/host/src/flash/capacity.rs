//! Finds disks that say that they are larger than they are.
//!
//! Such a stick either forgets what is written beyond its memory, or puts it where something else
//! lies. So the last block is marked first, then the blocks at 1, 2, 4... GiB from the largest
//! down, each with a mark of its own, and only then all marks are looked for: memory is made in powers
//! of two, and what wraps around has overwritten an earlier mark.

use model::{Digest, block_map::BLOCK};

use super::{FlashError, Target, device::Buffer};

/// Marks are this far apart at least.
const STEP: u64 = 1 << 30;

/// Marks, looks, and makes the marked blocks zero again. Everything before `from` stays as it is.
pub(super) fn check(target: &Target, from: u64) -> Result<(), FlashError> {
    let places = places(target.size(), from);
    for at in &places {
        target.write(*at, &mark(*at))?;
    }
    target.sync()?;
    target.forget_cached();
    let mut found = target.buffer(mark(0).len());
    for at in &places {
        target.read(*at, &mut found)?;
        if *found != *mark(*at) {
            return Err(FlashError::Fake { at: *at });
        }
    }
    for at in &places {
        target.zero(*at, BLOCK)?;
    }
    target.sync()
}

/// Last block first.
fn places(size: u64, from: u64) -> Vec<u64> {
    let mut places: Vec<u64> =
        (size / BLOCK).checked_sub(1).map(|last| last * BLOCK).into_iter().collect();
    let powers = std::iter::successors(Some(STEP), |at| at.checked_mul(2));
    let mut between: Vec<u64> = powers.take_while(|at| at + BLOCK < size).collect();
    between.reverse();
    places.extend(between);
    places.retain(|at| *at >= from);
    places.dedup();
    places
}

/// A block that is found at one place only.
fn mark(at: u64) -> Buffer {
    let mut block = Buffer::new(usize::try_from(BLOCK).unwrap_or(0));
    let text = Digest::of(format!("homelab: the block at byte {at}"));
    for (place, byte) in block.iter_mut().zip(text.as_str().bytes().cycle()) {
        *place = byte;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_block_and_all_powers_of_two_from_above() {
        const GIB: u64 = 1 << 30;
        assert_eq!(places(5 * GIB, 1 << 20), [5 * GIB - BLOCK, 4 * GIB, 2 * GIB, GIB]);
        assert_eq!(places(64 << 20, 1 << 20), [(64 << 20) - BLOCK]);
        assert_eq!(places(1 << 20, 1 << 20), [0; 0]);
        assert_ne!(*mark(1), *mark(2));
    }
}
