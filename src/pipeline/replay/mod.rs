//! Counting and detection from capture files, on packet time: deterministic, and nothing overflows an interval. Takes
//! capture files; gives accounts and detection. Must not know outputs.

mod counting;
mod decoders;
mod dispatcher;
mod frames;
mod worker;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::clock::ClockObserver;
use super::{Error, check_workers};
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::capture::file_name;
use crate::capture::savefile::{Savefile, StopReason};
use crate::packet::Timestamp;
use counting::{Counting, SingleThread};
use decoders::Decoders;
use dispatcher::Dispatcher;
use frames::FRAMES_AT_ONCE;

/// Reads files into one ledger.
pub struct Replay<F: ClockObserver> {
    counting: Counting<F>,
}

impl<F: ClockObserver + Send + 'static> Replay<F> {
    /// Starts with an empty `ledger`, and as many `workers` beside this thread if they are more than one. `observer`
    /// sees all that is merged and packet time, always the same however many workers there are. `interval` makes the
    /// empty intervals that are filled.
    ///
    /// # Errors
    /// When the workers are more than make sense, or cannot be started.
    pub fn new(
        ledger: Ledger<F::Notes>,
        observer: F,
        interval: impl Fn() -> Interval,
        workers: usize,
    ) -> Result<Self, Error> {
        check_workers(workers)?;
        let counting = if workers > 1 {
            Counting::Workers(Box::new(Dispatcher::start(ledger, observer, &interval, workers)?))
        } else {
            Counting::SingleThread(Box::new(SingleThread::new(ledger, observer, interval())))
        };
        Ok(Self { counting })
    }

    /// Counts every frame of the file at `path` that passes `filter`. `on_progress` is called often, also while no more
    /// of the file is there yet, and may stop the reading.
    ///
    /// # Errors
    /// When the file cannot be opened or read. Frames before a fault are counted.
    pub fn read(
        &mut self,
        path: &Path,
        filter: Option<&str>,
        mut on_progress: impl FnMut(&mut Progress<'_, F>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut savefile = Savefile::open(path, filter)?;
        let name: Arc<str> = file_name(path).into();
        let mut decoders = Decoders::of(&savefile, &name)?;
        let counting = &mut self.counting;
        let (mut since_look, mut consumed) = (0, 0);
        loop {
            let (captured_bytes, read) =
                counting.read(&name, &mut savefile, &mut decoders, FRAMES_AT_ONCE - since_look);
            let frames = read.as_ref().map_or(0, |read| read.frames);
            since_look += frames;
            let bytes = savefile.consumed().map_or(captured_bytes, |now| now - std::mem::replace(&mut consumed, now));
            let breaks_off = on_progress(&mut Progress { frames, bytes, name: &name, counting }).is_break();
            let is_last = breaks_off || read.as_ref().map_or(true, |read| read.stop == StopReason::End);
            if is_last || since_look == FRAMES_AT_ONCE {
                counting.check_fill(&name, is_last)?;
                since_look = 0;
            }
            if read?.stop == StopReason::End || breaks_off {
                return Ok(());
            }
        }
    }

    /// The times of the earliest and the latest frame so far, IP or not; none before the first.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.counting.span().ends()
    }

    /// The accounts of all that was read, and the observer after it was told of the end.
    ///
    /// # Errors
    /// When a worker panicked, which is a fault of the program.
    pub fn finish(self) -> Result<(Ledger<F::Notes>, F), Error> {
        self.counting.finish()
    }
}

/// The state of a file that is being read.
pub struct Progress<'a, F: ClockObserver> {
    /// Frames that were read since the last call.
    pub frames: usize,
    /// Bytes of the file that were read since the last call: captured ones, or compressed ones where it is compressed.
    pub bytes: u64,
    name: &'a Arc<str>,
    counting: &'a mut Counting<F>,
}

impl<F: ClockObserver + Send + 'static> Progress<'_, F> {
    /// The accounts of all that was read so far, and the observer. None where workers hold them.
    pub fn accounts(&mut self) -> Option<(&Ledger<F::Notes>, &F)> {
        self.counting.accounts(self.name)
    }

    /// The observer, without the frames of the present interval. None where another thread has it.
    pub fn observer(&self) -> Option<&F> {
        self.counting.observer()
    }
}

#[cfg(test)]
mod tests;
