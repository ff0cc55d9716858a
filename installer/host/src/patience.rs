//! What is busy for a moment only.

use std::time::Duration;

use crate::Host;

/// Tries again for a second what is `busy`. Every process that is started inherits our exclusive
/// hold, or a file of a mount, for the moment before it becomes another program, whoever starts it and for whatever.
pub(crate) fn patiently<T, E>(
    host: &Host,
    mut act: impl FnMut() -> Result<T, E>,
    busy: impl Fn(&E) -> bool,
) -> Result<T, E> {
    for _ in 0..9 {
        match act() {
            Err(error) if busy(&error) => host.clock.sleep(Duration::from_millis(100)),
            done => return done,
        }
    }
    act()
}
