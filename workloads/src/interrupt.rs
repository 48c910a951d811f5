//! Ctrl-C, as a flag that the workload checks between operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::error::Error;

/// The signals that end a workload early, cleanly.
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Set once a signal asked the workload to stop.
///
/// Clones share the flag. A workload starts nothing new once it is set, finishes what is in flight, cleans up and reports.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    /// The signal's number, 0 while there was none.
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// An interrupt that no signal sets; [`Interrupt::raise`] does.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes SIGINT, SIGTERM and SIGHUP set the flag instead of ending the process.
    ///
    /// # Errors
    ///
    /// [`Error::Signals`] when the kernel refuses the handler.
    pub fn install() -> Result<Self, Error> {
        let interrupt = Self::new();
        for signal in SIGNALS {
            let number = usize::try_from(signal).unwrap_or(usize::MAX);
            signal_hook::flag::register_usize(signal, Arc::clone(&interrupt.signal), number)
                .map_err(|source| Error::Signals { source })?;
        }
        Ok(interrupt)
    }

    /// Sets the flag as `signal` would.
    pub fn raise(&self, signal: i32) {
        let number = usize::try_from(signal).unwrap_or(usize::MAX);
        self.signal.store(number, Ordering::Relaxed);
    }

    /// Whether the workload is to stop.
    pub fn is_set(&self) -> bool {
        // Relaxed: nothing but the flag itself is handed over.
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// The signal that set it.
    pub fn signal(&self) -> Option<i32> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            number => i32::try_from(number).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_flag() {
        let interrupt = Interrupt::new();
        let clone = interrupt.clone();
        assert!(!clone.is_set());
        interrupt.raise(SIGTERM);
        assert!(clone.is_set());
        assert_eq!(clone.signal(), Some(SIGTERM));
    }
}
