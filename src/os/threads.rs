//! The threads of the program, each with no more rights than its work needs. Takes the needs of a thread and its body;
//! gives a running thread. Must not know the work.

use std::io;
use std::sync::mpsc::channel;
use std::thread::{Builder, JoinHandle};

pub use super::confinement::Needs;
use super::confinement::{self, Confined};

/// Starts a thread with this name. Once a confinement is installed ([`confinement::install`]), the thread gives up what it
/// does not need before its body runs; this function returns when it has.
///
/// # Errors
/// When the system has no space for another thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    needs: Needs,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let inherited = Confined::of_this_thread();
    let (begun, begins) = channel::<()>();
    let thread = Builder::new().name(name.to_owned()).spawn(move || {
        inherited.adopt();
        confinement::confine_or_note(needs);
        drop(begun);
        body()
    })?;
    // Nothing is sent: the error says that the sender is gone.
    let _gone = begins.recv();
    Ok(thread)
}
