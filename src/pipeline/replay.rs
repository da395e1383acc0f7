//! The same way from a file, on packet time: deterministic, and nothing ever overflows an interval.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::capture_loop::count_frame;
use crate::account::interval::Interval;
use crate::account::ledger::{InterfaceId, Ledger};
use crate::capture::file_name;
use crate::capture::savefile::Savefile;
use crate::decode::Decoder;
use crate::locality::Classifier;
use crate::packet::Timestamp;

/// Frames that are read before the interval is looked at again. Together with the rows at which an interval is handed
/// over they stay below its bound.
const FRAMES_AT_ONCE: usize = 4_096;

/// Packet time between two looks for room.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Reads files into one ledger.
pub struct Replay {
    interval: Interval,
    ledger: Ledger,
    last_sweep: Timestamp,
}

impl Replay {
    /// Starts with an empty `ledger`. `seed` as for [`Interval::new`].
    #[must_use]
    pub fn new(ledger: Ledger, classifier: Arc<Classifier>, seed: u64) -> Self {
        Self { interval: Interval::new(classifier, seed), ledger, last_sweep: Timestamp::default() }
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
        let interface = self.ledger.interface(&file_name(path));
        loop {
            let mut captured_bytes = 0;
            let mut time = Timestamp::default();
            let interval = &mut self.interval;
            let read = savefile.read(FRAMES_AT_ONCE, |frame| {
                captured_bytes += frame.captured.len() as u64;
                time = frame.time;
                count_frame(&decoder, None, &frame, interval);
            });
            if interval.is_nearly_full() || !matches!(read, Ok(FRAMES_AT_ONCE)) {
                self.hand_over(interface);
                self.make_room(time);
            }
            if read? == 0 {
                return Ok(());
            }
            if on_progress(captured_bytes).is_break() {
                self.hand_over(interface);
                return Ok(());
            }
        }
    }

    fn hand_over(&mut self, interface: InterfaceId) {
        self.interval.settle();
        self.ledger.merge(interface, &self.interval);
        self.interval.reset();
    }

    /// Lets the lightest of those that rest leave at packet time `now`, where room is short, as every refresh does live.
    /// None leaves for being idle alone: a file's accounts are of all that is in it, as far as there is room.
    fn make_room(&mut self, now: Timestamp) {
        let is_due = now < self.last_sweep || now.since(self.last_sweep) >= SWEEP_INTERVAL;
        if is_due && self.ledger.is_nearly_full() {
            self.last_sweep = now;
            self.ledger.sweep(now, None, &BTreeSet::new(), &BTreeSet::new());
        }
    }

    /// The accounts of all that was read.
    #[must_use]
    pub fn into_ledger(self) -> Ledger {
        self.ledger
    }
}
