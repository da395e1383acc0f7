//! Who counts the frames of a file: this thread alone, or workers that it deals them to. What comes out is the same.

use std::collections::VecDeque;
use std::sync::Arc;

use super::dealer::Dealer;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::account::shares::Fill;
use crate::capture;
use crate::capture::savefile::Savefile;
use crate::decode::Decoder;
use crate::locality::Classifier;
use crate::pipeline::Error;
use crate::pipeline::capture_loop::count_frame;

/// Frames that are read, or dealt, before it is looked how full the interval is.
pub(super) const FRAMES_AT_ONCE: usize = 1_024;

/// An interval is handed over so many looks after it was found to be due: workers need not wait for each other at every one.
/// The rows at which an interval is nearly full and the frames of these looks stay below its bound.
pub(super) const LOOKS_BEHIND: usize = 4;

/// Whether an interval of which this was a look should be merged.
pub(super) fn is_to_be_merged(look: Fill) -> bool {
    look.is_nearly_full() || look.gathers_little()
}

/// Counts frames.
pub(super) enum Counting {
    /// In this thread.
    Alone(Box<Alone>),
    /// In others.
    Dealt(Box<Dealer>),
}

impl Counting {
    pub(super) fn new(ledger: Ledger, classifier: &Arc<Classifier>, seed: u64, workers: usize) -> Result<Self, Error> {
        if workers > 1 {
            return Dealer::start(ledger, classifier, seed, workers).map(|dealer| Self::Dealt(Box::new(dealer)));
        }
        let interval = Interval::new(Arc::clone(classifier), seed);
        Ok(Self::Alone(Box::new(Alone { interval, ledger, looks: VecDeque::new() })))
    }

    /// Reads up to [`FRAMES_AT_ONCE`] frames and counts or deals them; gives the captured bytes, and how many frames there
    /// were as [`Savefile::read`] does.
    pub(super) fn read(&mut self, savefile: &mut Savefile, decoder: &Decoder) -> (u64, Result<usize, capture::Error>) {
        let mut captured_bytes = 0;
        let read = match self {
            Self::Alone(alone) => savefile.read(FRAMES_AT_ONCE, |frame| {
                captured_bytes += frame.captured.len() as u64;
                count_frame(decoder, None, &frame, &mut alone.interval);
            }),
            Self::Dealt(dealer) => savefile.read(FRAMES_AT_ONCE, |frame| {
                captured_bytes += frame.captured.len() as u64;
                dealer.deal(decoder, &frame);
            }),
        };
        (captured_bytes, read)
    }

    /// After up to [`FRAMES_AT_ONCE`] frames of the file `name`: hands the interval over if it is time, or these were its
    /// last.
    pub(super) fn look(&mut self, name: &Arc<str>, is_last: bool) -> Result<(), Error> {
        match self {
            Self::Alone(alone) => {
                alone.look(name, is_last);
                Ok(())
            }
            Self::Dealt(dealer) => dealer.look(name, is_last),
        }
    }

    /// The accounts of all that was counted.
    pub(super) fn into_ledger(self) -> Result<Ledger, Error> {
        match self {
            Self::Alone(alone) => Ok(alone.ledger),
            Self::Dealt(dealer) => dealer.into_ledger(),
        }
    }
}

/// One interval, merged where it is filled.
pub(super) struct Alone {
    interval: Interval,
    ledger: Ledger,
    /// How full the interval was at the last looks.
    looks: VecDeque<Fill>,
}

impl Alone {
    fn look(&mut self, name: &str, is_last: bool) {
        self.interval.settle();
        self.looks.push_back(self.interval.fill());
        let is_behind = self.looks.len() > LOOKS_BEHIND;
        let decisive = if is_behind { self.looks.pop_front() } else { None };
        if is_last || decisive.is_some_and(is_to_be_merged) {
            let interface = self.ledger.interface(name);
            self.ledger.merge(interface, &self.interval);
            self.ledger.make_room();
            self.interval.reset();
            self.looks.clear();
        }
    }
}
