//! When every interface that is captured from the start has been opened.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Error;

/// The result of the first try to open an interface.
pub(super) struct FirstTry {
    pub interface: String,
    pub result: Result<(), Error>,
}

/// Counts the interfaces that are still to be opened, and says when none is left.
pub(super) struct Opening {
    left: AtomicUsize,
    on_open: Box<dyn Fn() + Send + Sync>,
}

impl Opening {
    /// Calls `on_open` once, when [`Opening::one_is_open`] has been called `interfaces` times; at once where there are
    /// none.
    pub(super) fn new(interfaces: usize, on_open: Box<dyn Fn() + Send + Sync>) -> Self {
        if interfaces == 0 {
            on_open();
        }
        Self { left: AtomicUsize::new(interfaces), on_open }
    }

    /// One more is open.
    pub(super) fn one_is_open(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            (self.on_open)();
        }
    }
}
