//! Two hands: one brings extents, the other takes them, so that reading, hashing and writing go on at
//! the same time.

use std::{sync::mpsc::sync_channel, thread};

use model::block_map::Extent;

use super::{FlashError, device::Buffer};

/// Extents on their way at most.
const DEPTH: usize = 3;

/// Brings each extent with one closure, in a thread of its own, and takes it with the other, in
/// order. The first failure ends both.
pub(super) fn run(
    extents: &[Extent],
    mut bring: impl FnMut(&Extent, &mut [u8]) -> Result<(), FlashError> + Send,
    mut take: impl FnMut(&Extent, &[u8]) -> Result<(), FlashError>,
) -> Result<(), FlashError> {
    let (full, taken) = sync_channel::<Result<Buffer, FlashError>>(DEPTH);
    let (empty, free) = sync_channel::<Buffer>(DEPTH + 2);
    // Both ends of this hand are gone before the other one is waited for, whether this one ends by a
    // failure or by a panic: it would wait for ever to be taken from otherwise.
    thread::scope(move |scope| {
        let (taken, empty) = (taken, empty);
        scope.spawn(move || {
            for (index, extent) in extents.iter().enumerate() {
                let length = usize::try_from(extent.length).unwrap_or(0);
                let mut buffer = match index < DEPTH + 2 {
                    true => Buffer::new(length),
                    // Whoever takes has given up.
                    false => match free.recv() {
                        Ok(used) => used.of(length),
                        Err(_) => return,
                    },
                };
                let brought = bring(extent, &mut buffer).map(|()| buffer);
                let failed = brought.is_err();
                if full.send(brought).is_err() || failed {
                    return;
                }
            }
        });
        for extent in extents {
            // Nobody leaves without a word: a failure is the last thing that is sent.
            let Ok(buffer) = taken.recv() else { break };
            let buffer = buffer?;
            take(extent, &buffer)?;
            // The other hand may be through.
            let _ = empty.send(buffer);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// More than can be on their way.
    fn many() -> Vec<Extent> {
        (0..100).map(|index| Extent { start: index * 4096, length: 4096, sha256: None }).collect()
    }

    #[test]
    fn whoever_takes_and_fails_ends_the_other_one_too() {
        let failed =
            run(&many(), |_, _| Ok(()), |extent, _| Err(FlashError::Differs { at: extent.start }));
        assert!(matches!(failed, Err(FlashError::Differs { at: 0 })), "{failed:?}");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            run(&many(), |_, _| Ok(()), |_, _| panic!("a bug of whoever takes"))
        }));
        assert!(panicked.is_err());
    }

    #[test]
    fn whoever_brings_and_fails_is_heard() {
        let failed = run(
            &many(),
            |extent, _| match extent.start {
                0 => Ok(()),
                at => Err(FlashError::Damaged { at }),
            },
            |_, _| Ok(()),
        );
        assert!(matches!(failed, Err(FlashError::Damaged { at: 4096 })), "{failed:?}");
    }
}
