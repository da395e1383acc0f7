//! The opening of the interfaces at the start: a function is called once all are open, and a hopeless one ends the
//! program. Takes the results of first tries; gives that call, or an error. Must not know handles.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use super::Error;
use crate::capture::network::Network;
use crate::capture::{self, Selection};
use crate::kernel;

pub(super) struct FirstTry {
    pub interface: String,
    pub result: Result<(), Error>,
}

/// Counts the interfaces that are still to be opened, and calls a function when none is left.
pub(super) struct Opening {
    left: AtomicUsize,
    on_open: Box<dyn Fn() + Send + Sync>,
}

impl Opening {
    /// Calls `on_open` once, after `interfaces` calls of [`Opening::count_opened`]; at once if there are none.
    pub(super) fn new(interfaces: usize, on_open: Box<dyn Fn() + Send + Sync>) -> Self {
        if interfaces == 0 {
            on_open();
        }
        Self { left: AtomicUsize::new(interfaces), on_open }
    }

    pub(super) fn count_opened(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            (self.on_open)();
        }
    }
}

/// Fails if an interface can never be captured, because of its name or of the rights of this process. An interface that
/// is down may come up later.
pub(super) fn check_first_tries(
    first_tries: &Receiver<FirstTry>,
    network: &Network,
    selection: &Selection,
) -> Result<(), Error> {
    for FirstTry { interface, result } in first_tries {
        let Err(error) = result else { continue };
        let is_down = network.named(&interface).is_some_and(|link| !link.up);
        match error {
            Error::Capture(capture::Error::Permission { .. }) | Error::Kernel(kernel::Error::Permission { .. }) => {
                return Err(error);
            }
            _ if is_down || *selection == Selection::All => {
                tracing::warn!(interface, %error, "cannot capture yet; retrying");
            }
            _ => return Err(error),
        }
    }
    Ok(())
}
