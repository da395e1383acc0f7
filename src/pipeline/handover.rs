//! The hand-over: full intervals go from a capture thread to the accountant, and empty ones come back. Takes frames'
//! times and the kernel's counters; gives the interval to fill. Must not know what an interval counts.
//!
//! Each capture thread has two intervals. So memory is bounded, and neither side waits for a lock.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::cells::Cells;
use super::violations::KernelReports;
use crate::account::interval::Interval;
use crate::account::snapshot::{Capture, Coverage};
use crate::capture::live::Statistics;
use crate::evidence::PacketRecorder;
use crate::locality::Classifier;
use crate::packet::Timestamp;
use crate::policy::Networks;
use crate::time_grid::TimeGrid;

/// Longest time that a capture thread without frames waits for an empty interval.
const PATIENCE: Duration = Duration::from_secs(2);

/// A message of a capture thread to the accountant.
pub(super) enum WorkerMessage {
    Interval(FullInterval),
    /// The worker hands over nothing more under this name of its interface.
    Left {
        interface: String,
        worker: usize,
    },
}

/// A full interval on its way to the accountant.
pub(super) struct FullInterval {
    pub interface: String,
    pub worker: usize,
    /// The packet time that the thread has reached: only late frames are older. None if the thread captures nothing, or
    /// has not counted a frame yet.
    pub time: Option<Timestamp>,
    pub interval: Box<Interval>,
    /// The kernel's counters since the last hand-over.
    pub capture: Capture,
    /// Ticks since the last hand-over at which there was no empty interval.
    pub delays: u64,
    /// Empty without the kernel path.
    pub reports: KernelReports,
    back: Sender<Box<Interval>>,
}

impl FullInterval {
    /// Empties the interval and gives it back. If the capture thread has ended, the interval is dropped.
    pub(super) fn give_back(mut self, classifier: &Arc<Classifier>, policy: Option<&Arc<Networks>>) {
        self.interval.reset();
        self.interval.classify_by(Arc::clone(classifier));
        self.interval.judge_by(policy.cloned());
        if self.back.send(self.interval).is_err() {
            tracing::trace!(interface = self.interface, "the capture thread has ended");
        }
    }
}

/// A capture thread's end of the hand-over: the interval that it fills, and the channels to and from the accountant.
pub(super) struct Exchange {
    interface: String,
    worker: usize,
    filling: Box<Interval>,
    /// The time cell of that interval. If the accountant is late, the interval has frames of earlier cells too.
    cells: Cells,
    /// True if the interface was captured at the last report.
    is_up: bool,
    /// True if `is_up` has changed since the last hand-over.
    is_up_changed: bool,
    has_ended_cell: bool,
    capture: Capture,
    delays: u64,
    reports: KernelReports,
    full: Sender<WorkerMessage>,
    recorder: Option<PacketRecorder>,
    /// An empty interval, if there is one here.
    spare: Option<Box<Interval>>,
    back: Sender<Box<Interval>>,
    empty: Receiver<Box<Interval>>,
}

impl Exchange {
    pub(super) fn new(
        (interface, worker): (String, usize),
        full: Sender<WorkerMessage>,
        classifier: &Arc<Classifier>,
        grids: Vec<TimeGrid>,
        seed: u64,
    ) -> Self {
        let (back, empty) = channel();
        let interval = || Box::new(Interval::new(Arc::clone(classifier), seed));
        Self {
            interface,
            worker,
            filling: interval(),
            cells: Cells::of(grids),
            is_up: false,
            is_up_changed: false,
            has_ended_cell: false,
            capture: Capture::default(),
            delays: 0,
            reports: KernelReports::default(),
            full,
            recorder: None,
            spare: Some(interval()),
            back,
            empty,
        }
    }

    /// The same exchange, with intervals that are judged by `policy`.
    pub(super) fn judged_by(mut self, policy: Option<&Arc<Networks>>) -> Self {
        for interval in std::iter::once(&mut self.filling).chain(&mut self.spare) {
            interval.judge_by(policy.cloned());
        }
        self
    }

    /// Adds the kernel's counters since the last call. They are handed over with the interval.
    pub(super) fn record(&mut self, since: Statistics, coverage: Coverage) {
        self.capture.received += since.received;
        self.capture.dropped_by_kernel += since.dropped_by_kernel;
        self.capture.dropped_by_interface += since.dropped_by_interface;
        self.capture.coverage.add(coverage);
    }

    /// The violations that the kernel reported. They are handed over with the interval.
    pub(super) fn reports(&mut self) -> &mut KernelReports {
        &mut self.reports
    }

    #[inline]
    pub(super) fn filling(&mut self) -> &mut Interval {
        &mut self.filling
    }

    /// The interval in which a frame of `time` counts, and the recorder of packets, where they are kept. If the frame begins
    /// another time cell, the interval of the last one is handed over first.
    #[inline]
    pub(super) fn filling_at(&mut self, time: Timestamp) -> (&mut Interval, Option<&mut PacketRecorder>) {
        if !self.cells.contain(time) {
            self.enter(time);
        }
        (&mut self.filling, self.recorder.as_mut())
    }

    /// Records packets with this recorder from now on. The packets of the last one are handed over first.
    pub(super) fn record_with(&mut self, recorder: Option<PacketRecorder>) {
        let mut last = std::mem::replace(&mut self.recorder, recorder);
        last.iter_mut().for_each(PacketRecorder::hand_over);
    }

    #[cold]
    fn enter(&mut self, time: Timestamp) {
        self.cells.enter(time);
        // A thread with an empty interval reports the time late, by at most a tick.
        if !self.filling.is_empty() {
            self.end_cell();
        }
    }

    /// Ends the time cell by the clock while no frames come. All frames that are older than `clock` by `delay` have
    /// arrived.
    pub(super) fn pass(&mut self, clock: Timestamp, delay: Duration) {
        if self.cells.pass(clock, delay).is_some() {
            self.end_cell();
        }
    }

    fn end_cell(&mut self) {
        self.has_ended_cell = true;
        self.hand_over();
    }

    /// Sets whether the interface is being captured. True while the accountant has not been told of a change.
    pub(super) fn set_up(&mut self, is_up: bool) -> bool {
        self.is_up_changed |= std::mem::replace(&mut self.is_up, is_up) != is_up;
        self.is_up_changed
    }

    /// True if a cell has ended since the last call.
    pub(super) fn has_ended_cell(&mut self) -> bool {
        std::mem::take(&mut self.has_ended_cell)
    }

    /// True if the accountant has given an empty interval back.
    pub(super) fn has_empty(&mut self) -> bool {
        self.spare = self.spare.take().or_else(|| self.empty.try_recv().ok());
        self.spare.is_some()
    }

    /// Hands the filled interval over and goes on with an empty one. If the accountant has given none back yet, filling
    /// goes on and the delay is counted.
    pub(super) fn hand_over(&mut self) {
        self.has_empty();
        match self.spare.take() {
            Some(empty) => self.send(empty, self.cells.start()),
            None => self.delays += 1,
        }
    }

    /// As [`Exchange::hand_over`], but waits for the accountant first. For a thread without frames of its own: the
    /// kernel goes on counting.
    pub(super) fn hand_over_patiently(&mut self) {
        self.spare = self.spare.take().or_else(|| self.empty.recv_timeout(PATIENCE).ok());
        self.hand_over();
    }

    /// Hands the filled interval over while the interface is not captured, so that there is time to wait for the
    /// accountant.
    pub(super) fn hand_over_last(&mut self) {
        self.is_up = false;
        match self.spare.take().or_else(|| self.empty.recv_timeout(PATIENCE).ok()) {
            Some(empty) => self.send(empty, None),
            None => tracing::error!(
                interface = self.interface,
                "the accounting thread does not respond; the last figures of this interface are lost"
            ),
        }
    }

    /// Hands the interval over under the old name of the interface, and goes on under a new one. If the accountant does
    /// not answer, the interval counts under the new name: no frame is lost.
    pub(super) fn rename(&mut self, interface: &str) {
        self.hand_over_last();
        self.leave();
        interface.clone_into(&mut self.interface);
    }

    fn leave(&self) {
        let left = WorkerMessage::Left { interface: self.interface.clone(), worker: self.worker };
        if self.full.send(left).is_err() {
            tracing::trace!(interface = self.interface, "the accounting thread has ended");
        }
    }

    fn send(&mut self, empty: Box<Interval>, time: Option<Timestamp>) {
        let mut interval = std::mem::replace(&mut self.filling, empty);
        interval.close();
        // Before the interval: an alert that rests on these packets comes after them.
        self.recorder.iter_mut().for_each(PacketRecorder::hand_over);
        self.is_up_changed = false;
        let handed = FullInterval {
            interface: self.interface.clone(),
            worker: self.worker,
            time,
            interval,
            capture: Capture { up: self.is_up, ..std::mem::take(&mut self.capture) },
            delays: std::mem::take(&mut self.delays),
            reports: std::mem::take(&mut self.reports),
            back: self.back.clone(),
        };
        if self.full.send(WorkerMessage::Interval(handed)).is_err() {
            tracing::error!(interface = self.interface, "the accounting thread has stopped");
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next interval that was handed over, if there is one.
    fn next(messages: &Receiver<WorkerMessage>) -> Option<FullInterval> {
        match messages.try_recv().ok()? {
            WorkerMessage::Interval(handed) => Some(handed),
            WorkerMessage::Left { interface, .. } => panic!("{interface} was left"),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds_and_nanoseconds(seconds, 0)
    }

    fn exchange(full: Sender<WorkerMessage>) -> Exchange {
        let grids = vec![TimeGrid::of(Duration::from_secs(1))];
        Exchange::new(("eth0".to_owned(), 0), full, &Arc::default(), grids, 0)
    }

    fn count(exchange: &mut Exchange, time: Timestamp) {
        exchange.filling_at(time).0.observe_not_ip(crate::decode::NotIp::Arp, 60);
    }

    #[test]
    fn an_interval_that_is_full_between_two_ticks_waits_without_being_counted_as_late() {
        let (full, intervals) = channel();
        let mut exchange = exchange(full);
        exchange.hand_over();
        let first = next(&intervals).unwrap();
        // The accountant is late: polls ask, only the tick counts.
        (0..5).for_each(|_| assert!(!exchange.has_empty()));
        exchange.hand_over();
        first.give_back(&Arc::default(), None);
        assert!(exchange.has_empty());
        exchange.hand_over();
        assert_eq!(next(&intervals).unwrap().delays, 1);
    }

    #[test]
    fn an_interval_is_handed_over_when_its_cell_ends() {
        let (full, intervals) = channel();
        let mut exchange = exchange(full);
        let taken = || {
            std::iter::from_fn(|| next(&intervals))
                .map(|handed| {
                    let frames = handed.interval.frames().frames;
                    let time = handed.time;
                    handed.give_back(&Arc::default(), None);
                    (time, frames)
                })
                .collect::<Vec<_>>()
        };
        [10, 10, 9].map(at).into_iter().for_each(|time| count(&mut exchange, time));
        assert!(!exchange.has_ended_cell());
        count(&mut exchange, at(11));
        assert!(exchange.has_ended_cell() && !exchange.has_ended_cell());
        assert_eq!(taken(), [(Some(at(11)), 3)]);
        exchange.hand_over_last();
        assert_eq!(taken(), [(None, 1)]);
    }

    #[test]
    fn silence_ends_cells_too() {
        let (full, intervals) = channel();
        let mut exchange = exchange(full);
        count(&mut exchange, at(10));
        exchange.pass(at(12), Duration::from_secs(2));
        assert!(next(&intervals).is_none(), "the cell may still get some");
        exchange.pass(at(13), Duration::from_secs(2));
        let handed = next(&intervals).unwrap();
        assert_eq!((handed.time, handed.interval.frames().frames), (Some(at(11)), 1));
    }

    #[test]
    fn while_the_accountant_is_late_filling_goes_on_through_cells() {
        let (full, intervals) = channel();
        let mut exchange = exchange(full);
        [10, 11, 11, 12].map(at).into_iter().for_each(|time| count(&mut exchange, time));
        let first = next(&intervals).unwrap();
        assert_eq!((first.time, first.interval.frames().frames), (Some(at(11)), 1));
        first.give_back(&Arc::default(), None);
        count(&mut exchange, at(13));
        let second = next(&intervals).unwrap();
        assert_eq!((second.time, second.interval.frames().frames, second.delays), (Some(at(13)), 3, 1));
    }

    #[test]
    fn frames_before_a_rename_count_under_the_old_name() {
        let (full, intervals) = channel();
        let mut exchange = exchange(full);
        let taken = || {
            let handed = next(&intervals).unwrap();
            let taken = (handed.interface.clone(), handed.interval.frames().frames, handed.capture.up);
            handed.give_back(&Arc::default(), None);
            taken
        };
        let is_left = |name| matches!(intervals.try_recv(), Ok(WorkerMessage::Left { interface, worker: 0 }) if interface == name);
        count(&mut exchange, at(10));
        exchange.set_up(true);
        exchange.rename("wan0");
        assert_eq!(taken(), ("eth0".to_owned(), 1, false));
        assert!(is_left("eth0"));
        count(&mut exchange, at(10));
        assert!(exchange.set_up(true), "it is up under the new name");
        exchange.hand_over();
        assert_eq!(taken(), ("wan0".to_owned(), 1, true));
        drop(exchange);
        assert!(is_left("wan0"), "when the thread ends, however it does");
    }

    #[test]
    fn news_of_an_interface_go_along_once() {
        let (full, intervals) = channel();
        let mut exchange = exchange(full);
        assert!(exchange.set_up(true));
        exchange.hand_over();
        assert!(!exchange.set_up(true));
        let first = next(&intervals).unwrap();
        assert!(first.capture.up);
        // The accountant is late: the change waits for an empty interval.
        assert!(exchange.set_up(false));
        exchange.hand_over();
        assert!(exchange.set_up(false));
        first.give_back(&Arc::default(), None);
        exchange.hand_over();
        let second = next(&intervals).unwrap();
        assert!(!second.capture.up && !exchange.set_up(false));
        second.give_back(&Arc::default(), None);
        assert!(exchange.set_up(true));
        exchange.hand_over();
        next(&intervals).unwrap().give_back(&Arc::default(), None);
        exchange.hand_over_last();
        assert!(!next(&intervals).unwrap().capture.up && exchange.set_up(true));
    }
}
