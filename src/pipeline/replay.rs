//! The same way from a file, on packet time: deterministic, and nothing ever overflows an interval.

mod counting;
mod dealer;
mod worker;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::{Error, check_workers};
use crate::account::ledger::Ledger;
use crate::capture::file_name;
use crate::capture::savefile::Savefile;
use crate::decode::Decoder;
use crate::locality::Classifier;
use counting::{Counting, FRAMES_AT_ONCE};

/// Reads files into one ledger.
pub struct Replay {
    counting: Counting,
}

impl Replay {
    /// Starts with an empty `ledger`, and as many `workers` beside this thread if they are more than one. `seed` as for
    /// [`crate::account::interval::Interval::new`].
    ///
    /// # Errors
    /// When the workers are more than make sense, or cannot be started.
    pub fn new(ledger: Ledger, classifier: &Arc<Classifier>, seed: u64, workers: usize) -> Result<Self, Error> {
        check_workers(workers)?;
        Ok(Self { counting: Counting::new(ledger, classifier, seed, workers)? })
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
            let (captured_bytes, read) = counting.read(&mut savefile, &decoder);
            let breaks_off = on_progress(captured_bytes).is_break();
            let is_last = breaks_off || !matches!(read, Ok(FRAMES_AT_ONCE));
            counting.look(&name, is_last)?;
            if read? == 0 || breaks_off {
                return Ok(());
            }
        }
    }

    /// The accounts of all that was read.
    ///
    /// # Errors
    /// When a worker panicked, which is a fault of the program.
    pub fn into_ledger(self) -> Result<Ledger, Error> {
        self.counting.into_ledger()
    }
}
