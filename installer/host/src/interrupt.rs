//! Somebody wants us to stop: Ctrl-C, a terminal that is closed, a shutdown.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use futures_util::future::select_all;
use tokio::signal::unix::{SignalKind, signal};

use crate::{HostError, Result};

/// Whether somebody has asked us to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches this process. From now on signals no longer kill it: whoever watches must ask
    /// [`Self::came`] often.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn watch() -> Result<Self> {
        let failed =
            |error: std::io::Error| HostError::Other(format!("cannot watch for signals: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let mut signals = Vec::new();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let _inside = runtime.enter();
            signals.push(signal(kind).map_err(failed)?);
        }
        let interrupt = Self::default();
        let told = interrupt.clone();
        let listen = move || {
            runtime.block_on(async move {
                loop {
                    select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
                    told.raise();
                }
            })
        };
        thread::Builder::new().name("signals".into()).spawn(listen).map_err(failed)?;
        Ok(interrupt)
    }

    /// Somebody has asked.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Asks ourselves to stop.
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[test]
    fn a_signal_is_told_and_kills_nobody() {
        let interrupt = Interrupt::watch().unwrap();
        assert!(!interrupt.came());
        raise(Signal::SIGTERM).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while !interrupt.came() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(interrupt.came());
    }
}
