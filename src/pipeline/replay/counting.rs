//! Counts the frames of files, in this thread or in several workers, with the same result. Takes frames; gives the
//! ledger and its observer. Must not know the formats of files.

use std::collections::VecDeque;
use std::sync::Arc;

use super::decoders::Decoders;
use super::dispatcher::Dispatcher;
use super::frames::{CHECKS_BEHIND, FrameSpan, is_to_be_merged};
use crate::account::fill::Fill;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::capture;
use crate::capture::savefile::{FramesRead, Savefile, StopReason};
use crate::decode::Decoder;
use crate::packet::{Frame, Timestamp};
use crate::pipeline::Error;
use crate::pipeline::capture_loop::count_frame;
use crate::pipeline::cells::Cells;
use crate::pipeline::clock::ClockObserver;

/// Counts frames, and passes packet time to an observer.
pub(super) enum Counting<F: ClockObserver> {
    SingleThread(Box<SingleThread<F>>),
    Workers(Box<Dispatcher<F>>),
}

impl<F: ClockObserver + Send + 'static> Counting<F> {
    /// Reads up to `count` frames and counts them. Gives their captured bytes, and the result of [`Savefile::read`].
    pub(super) fn read(
        &mut self,
        name: &Arc<str>,
        savefile: &mut Savefile,
        decoders: &mut Decoders,
        count: usize,
    ) -> (u64, Result<FramesRead, Error>) {
        let mut captured_bytes = 0;
        let read = match self {
            Self::SingleThread(single) => single.read(name, savefile, decoders, count, &mut captured_bytes),
            Self::Workers(dispatcher) => {
                let mut dispatched = Ok(());
                let read = savefile.read(count, |link_type, frame| {
                    captured_bytes += frame.captured.len() as u64;
                    if dispatched.is_ok() {
                        dispatched = dispatcher.dispatch(name, &decoders.get(link_type), &frame);
                    }
                });
                if let Err(error) = dispatched {
                    return (captured_bytes, Err(error));
                }
                read
            }
        };
        (captured_bytes, read.map_err(Error::from))
    }

    /// The accounts so far, with all frames of the file `name` until now, and the observer. None if workers count.
    pub(super) fn accounts(&mut self, name: &str) -> Option<(&Ledger<F::Notes>, &F)> {
        match self {
            Self::SingleThread(single) => {
                single.merge(name);
                Some((&single.ledger, &single.observer))
            }
            Self::Workers(_) => None,
        }
    }

    /// The observer, without the frames of the present interval. None if workers count.
    pub(super) fn observer(&self) -> Option<&F> {
        match self {
            Self::SingleThread(single) => Some(&single.observer),
            Self::Workers(_) => None,
        }
    }

    /// Hands the interval over if that is due. Called after every [`super::frames::FRAMES_AT_ONCE`] frames, and at the
    /// end of a file.
    pub(super) fn check_fill(&mut self, name: &Arc<str>, is_last: bool) -> Result<(), Error> {
        match self {
            Self::SingleThread(single) => {
                single.check_fill(name, is_last);
                Ok(())
            }
            Self::Workers(dispatcher) => dispatcher.check_fill(name, is_last),
        }
    }

    pub(super) fn span(&self) -> FrameSpan {
        match self {
            Self::SingleThread(single) => single.span,
            Self::Workers(dispatcher) => dispatcher.span,
        }
    }

    /// The accounts of all that was counted, and the observer.
    pub(super) fn finish(self) -> Result<(Ledger<F::Notes>, F), Error> {
        match self {
            Self::SingleThread(single) => {
                let SingleThread { ledger, mut observer, cells, span, .. } = *single;
                if cells.start().is_some()
                    && let Some(last) = span.last()
                {
                    observer.finish(cells.end(), last);
                }
                Ok((ledger, observer))
            }
            Self::Workers(dispatcher) => dispatcher.finish(),
        }
    }
}

/// One interval, merged where it is filled.
pub(super) struct SingleThread<F: ClockObserver> {
    interval: Interval,
    ledger: Ledger<F::Notes>,
    observer: F,
    cells: Cells,
    span: FrameSpan,
    /// The fill of the interval at the last fill checks.
    fills: VecDeque<Fill>,
}

impl<F: ClockObserver> SingleThread<F> {
    pub(super) fn new(ledger: Ledger<F::Notes>, observer: F, interval: Interval) -> Self {
        let cells = Cells::of(observer.grids());
        Self { interval, ledger, observer, cells, span: FrameSpan::EMPTY, fills: VecDeque::new() }
    }

    fn read(
        &mut self,
        name: &str,
        savefile: &mut Savefile,
        decoders: &mut Decoders,
        count: usize,
        captured_bytes: &mut u64,
    ) -> Result<FramesRead, capture::Error> {
        let decoder = decoders.get(savefile.link_type());
        let mut frames = 0;
        while frames < count
            && let Some(frame) = savefile.next_plain()
        {
            frames += 1;
            *captured_bytes += self.count(name, &decoder, &frame);
        }
        if frames == count {
            return Ok(FramesRead { frames, stop: StopReason::Count });
        }
        let others = savefile.read(count - frames, |link_type, frame| {
            *captured_bytes += self.count_apart(name, &decoders.get(link_type), &frame);
        });
        others.map(|others| FramesRead { frames: frames + others.frames, ..others })
    }

    /// As [`SingleThread::count`], but never inlined: the rare frames do not need a second copy of it.
    #[inline(never)]
    fn count_apart(&mut self, name: &str, decoder: &Decoder, frame: &Frame<'_>) -> u64 {
        self.count(name, decoder, frame)
    }

    /// Counts a frame; gives its captured bytes.
    #[inline(always)]
    fn count(&mut self, name: &str, decoder: &Decoder, frame: &Frame<'_>) -> u64 {
        if !self.cells.contain(frame.time) {
            self.enter(name, frame.time);
        }
        self.span.include(frame.time);
        count_frame(decoder, None, frame, &mut self.interval);
        frame.captured.len() as u64
    }

    #[cold]
    fn enter(&mut self, name: &str, time: Timestamp) {
        let advance = self.cells.enter(time);
        self.span.restart_after(advance);
        if !self.interval.is_empty() {
            self.merge(name);
        }
        advance.notify(&mut self.observer);
    }

    fn check_fill(&mut self, name: &str, is_last: bool) {
        self.interval.settle();
        self.fills.push_back(self.interval.fill());
        let is_behind = self.fills.len() > CHECKS_BEHIND;
        let decisive = if is_behind { self.fills.pop_front() } else { None };
        if is_last || decisive.is_some_and(is_to_be_merged) {
            self.merge(name);
        }
    }

    fn merge(&mut self, name: &str) {
        self.interval.close();
        let interface = self.ledger.interface(name);
        self.ledger.merge(interface, &self.interval, self.observer.rows());
        self.ledger.make_room();
        self.interval.reset();
        self.fills.clear();
    }
}
