//! A worker's end of the dealing: batches in, intervals out; and the collector that merges them. Must not know how
//! packets are dealt.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::account::fill::Fill;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::decode::NotIp;
use crate::locality::Classifier;
use crate::packet::{Packet, Refusal, Timestamp};
use crate::pipeline::Error;
use crate::pipeline::clock::{ClockObserver, TimeAdvance};
use crate::pipeline::threads::spawn;

/// A packet on its way to its worker.
pub(super) struct Dealt {
    pub packet: Packet,
    pub wire_bytes: u32,
    /// Number of the frame in its interval.
    pub number: u32,
}

/// The packets that the dealer gives to one worker between two checks of how full the intervals are.
pub(super) struct Batch {
    pub packets: Vec<Dealt>,
    pub not_ip: Vec<(NotIp, u32)>,
    /// Refusals, each with the number of its frame in the interval.
    pub refusals: Vec<(Refusal, u32)>,
}

enum Work {
    Count(Batch),
    HandOver,
}

/// The report of a worker on a batch, which it gives back empty.
struct BatchReport {
    fill: Fill,
    batch: Batch,
}

/// The dealer's end: bounded by the number of its batches.
pub(super) struct Share {
    pub filling: Batch,
    spare: Vec<Batch>,
    work: Sender<Work>,
    reports: Receiver<BatchReport>,
    thread: JoinHandle<()>,
}

/// The collector's end: two intervals a worker change hands.
pub(super) struct Intervals {
    full: Receiver<Box<Interval>>,
    back: Sender<Box<Interval>>,
}

impl Share {
    /// Starts a worker that gets its packets in so many batches.
    pub(super) fn start(
        worker: usize,
        classifier: &Arc<Classifier>,
        seed: u64,
        batches: usize,
    ) -> Result<(Self, Intervals), Error> {
        let interval = || Box::new(Interval::new(Arc::clone(classifier), seed));
        let (work, to_do) = channel();
        let (report, reports) = channel();
        let (hand_over, full) = channel();
        let (back, empty) = channel();
        back.send(interval()).map_err(|_| Error::Panicked)?;
        let body = Worker { interval: interval(), to_do, report, hand_over, empty };
        let thread = spawn(&format!("replay-{}", worker + 1), move || body.run())?;
        let spare = (1..batches).map(|_| Batch::empty()).collect();
        Ok((Self { filling: Batch::empty(), spare, work, reports, thread }, Intervals { full, back }))
    }

    pub(super) fn send(&mut self) -> Result<(), Error> {
        let empty = self.spare.pop().unwrap_or_else(Batch::empty);
        let dealt = std::mem::replace(&mut self.filling, empty);
        self.give(Work::Count(dealt))
    }

    /// Ends the worker's interval.
    pub(super) fn hand_over(&mut self) -> Result<(), Error> {
        self.give(Work::HandOver)
    }

    fn give(&self, work: Work) -> Result<(), Error> {
        self.work.send(work).map_err(|_| Error::Panicked)
    }

    /// Waits for the worker to have counted the oldest batch; how full it was then.
    pub(super) fn report(&mut self) -> Result<Fill, Error> {
        let BatchReport { fill, batch } = self.reports.recv().map_err(|_| Error::Panicked)?;
        self.spare.push(batch);
        Ok(fill)
    }

    pub(super) fn join(self) -> Result<(), Error> {
        drop(self.work);
        drop(self.reports);
        self.thread.join().map_err(|_| Error::Panicked)
    }
}

struct Worker {
    interval: Box<Interval>,
    to_do: Receiver<Work>,
    report: Sender<BatchReport>,
    hand_over: Sender<Box<Interval>>,
    empty: Receiver<Box<Interval>>,
}

impl Worker {
    /// The body of the thread: until there is no more to do, or the other threads have ended.
    fn run(mut self) {
        while let Ok(work) = self.to_do.recv() {
            let is_heard = match work {
                Work::Count(batch) => self.count(batch),
                Work::HandOver => self.hand_over(),
            };
            if !is_heard {
                tracing::trace!("the result of counting is not needed any more");
            }
        }
    }

    fn count(&mut self, mut batch: Batch) -> bool {
        for Dealt { packet, wire_bytes, number } in batch.packets.drain(..) {
            self.interval.observe_nth(&packet, wire_bytes, number);
        }
        for (reason, wire_bytes) in batch.not_ip.drain(..) {
            self.interval.observe_not_ip(reason, wire_bytes);
        }
        for (refusal, number) in batch.refusals.drain(..) {
            self.interval.refuse_nth(&refusal, number);
        }
        self.interval.settle();
        self.report.send(BatchReport { fill: self.interval.fill(), batch }).is_ok()
    }

    fn hand_over(&mut self) -> bool {
        let Ok(empty) = self.empty.recv() else { return false };
        self.hand_over.send(std::mem::replace(&mut self.interval, empty)).is_ok()
    }
}

/// The messages of the dealer to the collector.
pub(super) enum ToCollect {
    /// Every worker hands over an interval of this file.
    Intervals(Arc<str>),
    Advance(TimeAdvance),
    /// The packets have ended, with one at `last` in a cell that ends at `end`.
    End {
        end: Timestamp,
        last: Timestamp,
    },
}

pub(super) struct Collector<F: ClockObserver> {
    pub ledger: Ledger<F::Notes>,
    pub observer: F,
    /// One a worker.
    pub full: Vec<Intervals>,
    pub collected: Receiver<ToCollect>,
}

impl<F: ClockObserver> Collector<F> {
    /// The body of the thread: until the dealer has ended. Gives the accounts, and the observer.
    pub(super) fn run(mut self) -> (Ledger<F::Notes>, F) {
        while let Ok(what) = self.collected.recv() {
            match what {
                ToCollect::Intervals(name) => {
                    if !self.merge(&name) {
                        break;
                    }
                }
                ToCollect::Advance(advance) => advance.notify(&mut self.observer),
                ToCollect::End { end, last } => self.observer.finish(end, last),
            }
        }
        (self.ledger, self.observer)
    }

    /// False when a worker has ended before its time.
    fn merge(&mut self, name: &str) -> bool {
        let shares: Result<Vec<_>, _> = self.full.iter().map(|intervals| intervals.full.recv()).collect();
        let Ok(shares) = shares else { return false };
        let interface = self.ledger.interface(name);
        self.ledger.merge_shares(interface, &shares, self.observer.rows());
        self.ledger.make_room();
        for (intervals, mut share) in self.full.iter().zip(shares) {
            share.reset();
            if intervals.back.send(share).is_err() {
                tracing::trace!("the counting thread has ended");
            }
        }
        true
    }
}
