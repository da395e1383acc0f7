//! The signal that ends the threads of this room. Takes nothing; gives waits that end early. Must not know the threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Raised once, by the owner of the threads.
#[derive(Debug, Default)]
pub(super) struct StopSignal {
    is_raised: Mutex<bool>,
    raised: Condvar,
}

impl StopSignal {
    fn state(&self) -> MutexGuard<'_, bool> {
        self.is_raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn raise(&self) {
        *self.state() = true;
        self.raised.notify_all();
    }

    pub(super) fn is_raised(&self) -> bool {
        *self.state()
    }

    /// Waits for the signal, at most so long.
    pub(super) fn wait(&self, longest: Duration) {
        drop(self.raised.wait_timeout_while(self.state(), longest, |is_raised| !*is_raised));
    }
}
