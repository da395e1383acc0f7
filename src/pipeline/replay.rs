//! The same way from a file, on packet time: deterministic, and nothing ever overflows an interval.

mod counting;
mod dealer;
mod looks;
mod span;
mod worker;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::follow::Follow;
use super::{Error, check_workers};
use crate::account::ledger::Ledger;
use crate::capture::file_name;
use crate::capture::savefile::Savefile;
use crate::decode::Decoder;
use crate::locality::Classifier;
use crate::packet::Timestamp;
use counting::Counting;
use looks::FRAMES_AT_ONCE;

/// Reads files into one ledger.
pub struct Replay<F> {
    counting: Counting<F>,
}

impl<F: Follow + Send + 'static> Replay<F> {
    /// Starts with an empty `ledger`, and as many `workers` beside this thread if they are more than one. `follow` is told of
    /// all that is merged and of packet time, always the same however many workers there are. `seed` as for
    /// [`crate::account::interval::Interval::new`].
    ///
    /// # Errors
    /// When the workers are more than make sense, or cannot be started.
    pub fn new(
        ledger: Ledger,
        follow: F,
        classifier: &Arc<Classifier>,
        seed: u64,
        workers: usize,
    ) -> Result<Self, Error> {
        check_workers(workers)?;
        Ok(Self { counting: Counting::new(ledger, follow, classifier, seed, workers)? })
    }

    /// Counts every frame of the file at `path` that `filter` lets through. `on_progress` hears how many
    /// captured bytes were read since it was last called, and may break off.
    ///
    /// # Errors
    /// When the file cannot be opened or read. What came before a fault is counted.
    pub fn read(
        &mut self,
        path: &Path,
        filter: Option<&str>,
        mut on_progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut savefile = Savefile::open(path, filter)?;
        let decoder = Decoder::new(savefile.link_type()).map_err(|source| Error::LinkType {
            origin: file_name(path),
            name: savefile.link_type_name(),
            source,
        })?;
        let name: Arc<str> = file_name(path).into();
        let counting = &mut self.counting;
        loop {
            let (captured_bytes, read) = counting.read(&name, &mut savefile, &decoder);
            let breaks_off = on_progress(captured_bytes).is_break();
            let is_last = breaks_off || !matches!(read, Ok(FRAMES_AT_ONCE));
            counting.look(&name, is_last)?;
            if read? == 0 || breaks_off {
                return Ok(());
            }
        }
    }

    /// The times of the earliest and the latest frame so far, IP or not; none before the first.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.counting.span().ends()
    }

    /// The accounts of all that was read, and who followed it, who is told that it has ended.
    ///
    /// # Errors
    /// When a worker panicked, which is a fault of the program.
    pub fn finish(self) -> Result<(Ledger, F), Error> {
        self.counting.finish()
    }
}

#[cfg(test)]
mod tests;
