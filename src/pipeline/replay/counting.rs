//! Counts the frames of a file: in this thread alone, or by workers. The result is the same.

use std::collections::VecDeque;
use std::sync::Arc;

use super::dealer::Dealer;
use super::decoders::Decoders;
use super::looks::{LOOKS_BEHIND, is_to_be_merged};
use super::span::Span;
use crate::account::fill::Fill;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::capture;
use crate::capture::savefile::{FramesRead, Savefile};
use crate::decode::Decoder;
use crate::locality::Classifier;
use crate::packet::{Frame, Timestamp};
use crate::pipeline::Error;
use crate::pipeline::capture_loop::count_frame;
use crate::pipeline::cells::Cells;
use crate::pipeline::follow::Follow;

/// Counts frames, and reports the progress of packet time to `follow`.
pub(super) enum Counting<F> {
    /// In this thread.
    Alone(Box<Alone<F>>),
    /// In others.
    Dealt(Box<Dealer<F>>),
}

impl<F: Follow + Send + 'static> Counting<F> {
    pub(super) fn new(
        ledger: Ledger,
        follow: F,
        classifier: &Arc<Classifier>,
        seed: u64,
        workers: usize,
    ) -> Result<Self, Error> {
        if workers > 1 {
            return Dealer::start(ledger, follow, classifier, seed, workers)
                .map(|dealer| Self::Dealt(Box::new(dealer)));
        }
        let interval = Interval::new(Arc::clone(classifier), seed);
        let cells = Cells::of(follow.grids());
        Ok(Self::Alone(Box::new(Alone { interval, ledger, follow, cells, span: Span::EMPTY, looks: VecDeque::new() })))
    }

    /// Reads up to `count` frames of the file `name` and counts or deals them; gives the captured bytes, and what
    /// [`Savefile::read`] does.
    pub(super) fn read(
        &mut self,
        name: &Arc<str>,
        savefile: &mut Savefile,
        decoders: &mut Decoders,
        count: usize,
    ) -> (u64, Result<FramesRead, Error>) {
        let mut captured_bytes = 0;
        let read = match self {
            Self::Alone(alone) => alone.read(name, savefile, decoders, count, &mut captured_bytes),
            Self::Dealt(dealer) => {
                let mut dealt = Ok(());
                let read = savefile.read(count, |link_type, frame| {
                    captured_bytes += frame.captured.len() as u64;
                    if dealt.is_ok() {
                        dealt = dealer.deal(name, &decoders.get(link_type), &frame);
                    }
                });
                if let Err(error) = dealt {
                    return (captured_bytes, Err(error));
                }
                read
            }
        };
        (captured_bytes, read.map_err(Error::from))
    }

    /// The accounts of all that this thread counted so far of the file `name`, and the follower.
    pub(super) fn accounts(&mut self, name: &str) -> Option<(&Ledger, &F)> {
        match self {
            Self::Alone(alone) => {
                alone.interval.settle();
                alone.merge(name);
                Some((&alone.ledger, &alone.follow))
            }
            Self::Dealt(_) => None,
        }
    }

    /// After [`super::looks::FRAMES_AT_ONCE`] frames of the file `name`, or its last ones: hands the interval over if it
    /// is time.
    pub(super) fn look(&mut self, name: &Arc<str>, is_last: bool) -> Result<(), Error> {
        match self {
            Self::Alone(alone) => {
                alone.look(name, is_last);
                Ok(())
            }
            Self::Dealt(dealer) => dealer.look(name, is_last),
        }
    }

    /// The time that the frames so far took.
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Alone(alone) => alone.span,
            Self::Dealt(dealer) => dealer.span(),
        }
    }

    /// The accounts of all counted frames, and the clock observer.
    pub(super) fn finish(self) -> Result<(Ledger, F), Error> {
        match self {
            Self::Alone(alone) => {
                let Alone { ledger, mut follow, cells, .. } = *alone;
                if cells.start().is_some() {
                    follow.finish(cells.end());
                }
                Ok((ledger, follow))
            }
            Self::Dealt(dealer) => dealer.finish(),
        }
    }
}

/// One interval, merged where it is filled.
pub(super) struct Alone<F> {
    interval: Interval,
    ledger: Ledger,
    follow: F,
    cells: Cells,
    span: Span,
    /// Fill of the interval at the last checks.
    looks: VecDeque<Fill>,
}

impl<F: Follow> Alone<F> {
    /// As [`Counting::read`].
    fn read(
        &mut self,
        name: &str,
        savefile: &mut Savefile,
        decoders: &mut Decoders,
        count: usize,
        captured_bytes: &mut u64,
    ) -> Result<FramesRead, capture::Error> {
        savefile.read(count, |link_type, frame| {
            *captured_bytes += self.count(name, &decoders.get(link_type), &frame);
        })
    }

    /// Counts a frame; gives its captured bytes.
    #[inline(always)]
    fn count(&mut self, name: &str, decoder: &Decoder, frame: &Frame<'_>) -> u64 {
        if !self.cells.hold(frame.time) {
            self.enter(name, frame.time);
        }
        self.span.include(frame.time);
        count_frame(decoder, None, frame, &mut self.interval);
        frame.captured.len() as u64
    }

    /// Goes to the cell of `time`.
    #[cold]
    fn enter(&mut self, name: &str, time: Timestamp) {
        let turn = self.cells.enter(time);
        if !self.interval.is_empty() {
            self.interval.settle();
            self.merge(name);
        }
        turn.tell(&mut self.follow);
    }

    fn look(&mut self, name: &str, is_last: bool) {
        self.interval.settle();
        self.looks.push_back(self.interval.fill());
        let is_behind = self.looks.len() > LOOKS_BEHIND;
        let decisive = if is_behind { self.looks.pop_front() } else { None };
        if is_last || decisive.is_some_and(is_to_be_merged) {
            self.merge(name);
        }
    }

    fn merge(&mut self, name: &str) {
        let interface = self.ledger.interface(name);
        self.ledger.merge(interface, &self.interval, &mut self.follow);
        self.ledger.make_room();
        self.interval.reset();
        self.looks.clear();
    }
}
