//! The other threads of a replay with several workers: the workers, which count, and the collector, which merges.
//!
//! Takes batches of packets; gives the ledger and its observer. Must not know which worker gets a packet.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::account::fill::Fill;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::decode::NotIp;
use crate::os::threads::Needs;
use crate::packet::{Packet, Refusal, Resolution, Timestamp};
use crate::pipeline::Error;
use crate::pipeline::clock::{ClockObserver, TimeAdvance};
use crate::pipeline::threads::spawn;

/// A packet with the number of its frame.
pub(super) struct NumberedPacket {
    pub packet: Packet,
    pub wire_bytes: u32,
    /// The number of the frame in its interval.
    pub number: u32,
}

/// The packets of one worker between two fill checks.
pub(super) struct Batch {
    pub packets: Vec<NumberedPacket>,
    pub not_ip: Vec<(NotIp, u32)>,
    /// Refusals, each with the number of its frame in the interval.
    pub refusals: Vec<(Refusal, u32)>,
    pub resolutions: Vec<Resolution>,
}

enum WorkerTask {
    Count(Batch),
    HandOver,
}

/// The fill of a worker's interval after it counted a batch, and that batch, empty.
struct BatchReport {
    fill: Fill,
    batch: Batch,
}

/// A running worker, as the dispatcher sees it. The number of its batches bounds the packets that wait.
pub(super) struct WorkerHandle {
    pub filling: Batch,
    spare: Vec<Batch>,
    work: Sender<WorkerTask>,
    reports: Receiver<BatchReport>,
    thread: JoinHandle<()>,
}

/// The full intervals of one worker, as the collector receives them. Each worker has two intervals.
pub(super) struct IntervalReceiver {
    full: Receiver<Box<Interval>>,
    back: Sender<Box<Interval>>,
}

impl WorkerHandle {
    /// Starts a worker that gets its packets in `batches` batches, which are used again.
    pub(super) fn start(
        worker: usize,
        interval: &impl Fn() -> Interval,
        batches: usize,
    ) -> Result<(Self, IntervalReceiver), Error> {
        let interval = || Box::new(interval());
        let (work, to_do) = channel();
        let (report, reports) = channel();
        let (hand_over, full) = channel();
        let (back, empty) = channel();
        back.send(interval()).map_err(|_| Error::Panicked)?;
        let body = Worker { interval: interval(), to_do, report, hand_over, empty };
        let thread = spawn(&format!("replay-{}", worker + 1), Needs::Nothing, move || body.run())?;
        let spare = (1..batches).map(|_| Batch::empty()).collect();
        Ok((Self { filling: Batch::empty(), spare, work, reports, thread }, IntervalReceiver { full, back }))
    }

    /// Sends the filled batch to the worker.
    pub(super) fn send(&mut self) -> Result<(), Error> {
        let empty = self.spare.pop().unwrap_or_else(Batch::empty);
        let filled = std::mem::replace(&mut self.filling, empty);
        self.give(WorkerTask::Count(filled))
    }

    /// Lets the worker hand its interval over to the collector.
    pub(super) fn hand_over(&mut self) -> Result<(), Error> {
        self.give(WorkerTask::HandOver)
    }

    fn give(&self, work: WorkerTask) -> Result<(), Error> {
        self.work.send(work).map_err(|_| Error::Panicked)
    }

    /// Waits until the worker has counted its oldest batch. Gives the fill of its interval after that batch.
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
    to_do: Receiver<WorkerTask>,
    report: Sender<BatchReport>,
    hand_over: Sender<Box<Interval>>,
    empty: Receiver<Box<Interval>>,
}

impl Worker {
    /// The body of the thread. Ends with the dispatcher.
    fn run(mut self) {
        while let Ok(work) = self.to_do.recv() {
            let is_received = match work {
                WorkerTask::Count(batch) => self.count(batch),
                WorkerTask::HandOver => self.hand_over(),
            };
            if !is_received {
                tracing::trace!("the result of counting is not needed any more");
            }
        }
    }

    /// False if the dispatcher has ended.
    fn count(&mut self, mut batch: Batch) -> bool {
        for NumberedPacket { packet, wire_bytes, number } in batch.packets.drain(..) {
            self.interval.observe_nth(&packet, wire_bytes, number);
        }
        for (reason, wire_bytes) in batch.not_ip.drain(..) {
            self.interval.observe_not_ip(reason, wire_bytes);
        }
        for (refusal, number) in batch.refusals.drain(..) {
            self.interval.refuse_nth(&refusal, number);
        }
        batch.resolutions.drain(..).for_each(|resolution| self.interval.resolve(&resolution));
        self.interval.settle();
        self.report.send(BatchReport { fill: self.interval.fill(), batch }).is_ok()
    }

    /// False if the collector has ended.
    fn hand_over(&mut self) -> bool {
        let Ok(empty) = self.empty.recv() else { return false };
        self.interval.close();
        self.hand_over.send(std::mem::replace(&mut self.interval, empty)).is_ok()
    }
}

/// The messages of the dispatcher to the collector.
pub(super) enum CollectorMessage {
    /// Every worker hands over an interval of this file.
    HandOver(Arc<str>),
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
    /// One for each worker.
    pub full: Vec<IntervalReceiver>,
    pub messages: Receiver<CollectorMessage>,
}

impl<F: ClockObserver> Collector<F> {
    /// The body of the thread. Ends with the dispatcher; gives the accounts and the observer.
    pub(super) fn run(mut self) -> (Ledger<F::Notes>, F) {
        while let Ok(message) = self.messages.recv() {
            match message {
                CollectorMessage::HandOver(name) => {
                    if !self.merge(&name) {
                        break;
                    }
                }
                CollectorMessage::Advance(advance) => advance.notify(&mut self.observer),
                CollectorMessage::End { end, last } => self.observer.finish(end, last),
            }
        }
        (self.ledger, self.observer)
    }

    /// Merges one interval of each worker. False if a worker has ended too early.
    fn merge(&mut self, name: &str) -> bool {
        let partial: Result<Vec<_>, _> = self.full.iter().map(|intervals| intervals.full.recv()).collect();
        let Ok(partial) = partial else { return false };
        let interface = self.ledger.interface(name);
        self.ledger.merge_partial(interface, &partial, self.observer.rows());
        self.ledger.make_room();
        for (intervals, mut interval) in self.full.iter().zip(partial) {
            interval.reset();
            if intervals.back.send(interval).is_err() {
                tracing::trace!("the counting thread has ended");
            }
        }
        true
    }
}
