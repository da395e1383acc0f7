//! The end of the hand-over at a capture thread. Takes frames' times and the kernel's counters; gives the interval to
//! fill, and sends it when its time cell ends. Must not know the accountant.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::{FullInterval, WorkerMessage};
use crate::account::interval::Interval;
use crate::account::snapshot::{Capture, Coverage};
use crate::capture::live::Statistics;
use crate::evidence::PacketRecorder;
use crate::locality::Classifier;
use crate::packet::Timestamp;
use crate::pipeline::cells::Cells;
use crate::pipeline::violations::KernelReports;
use crate::policy::Networks;
use crate::time_grid::TimeGrid;

/// Longest time that a capture thread without frames waits for an empty interval.
const PATIENCE: Duration = Duration::from_secs(2);

/// A capture thread's end of the hand-over: the interval that it fills, and the channels to and from the accountant.
pub(in crate::pipeline) struct Exchange {
    interface: String,
    worker: usize,
    filling: Box<Interval>,
    /// The local networks by which each interval counts.
    classifier: Arc<Classifier>,
    /// The networks that judge each interval.
    policy: Option<Arc<Networks>>,
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
    pub(in crate::pipeline) fn new(
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
            classifier: Arc::clone(classifier),
            policy: None,
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

    /// The same exchange, with new intervals for at most `most_rows` rows of each IP version.
    pub(in crate::pipeline) fn bounded(mut self, most_rows: usize) -> Self {
        self.filling.bound(most_rows);
        self.spare.iter_mut().for_each(|spare| spare.bound(most_rows));
        self
    }

    /// Counts by these local networks from the next packet on. A conversation keeps its direction within an interval, so
    /// the interval so far is handed over if that is possible now.
    pub(in crate::pipeline) fn classify_by(&mut self, classifier: &Arc<Classifier>) {
        if self.classifier == *classifier {
            return;
        }
        self.filling.settle();
        if !self.filling.is_empty() && self.has_empty() {
            self.hand_over();
        }
        self.filling.classify_by(Arc::clone(classifier));
        self.classifier = Arc::clone(classifier);
    }

    /// Ends intervals with the cells of these grids from the next frame on.
    pub(in crate::pipeline) fn follow_grids(&mut self, grids: &[TimeGrid]) {
        if !self.cells.are_of(grids) {
            self.cells = Cells::of(grids.to_vec());
        }
    }

    /// The same exchange, with intervals that are judged by `policy`.
    pub(in crate::pipeline) fn judged_by(mut self, policy: Option<&Arc<Networks>>) -> Self {
        self.judge_by(policy);
        self
    }

    /// Lets `policy` judge the interval that is being filled, and those after it.
    pub(in crate::pipeline) fn judge_by(&mut self, policy: Option<&Arc<Networks>>) {
        self.filling.judge_by(policy.cloned());
        self.policy = policy.cloned();
    }

    /// Adds the kernel's counters since the last call. They are handed over with the interval.
    pub(in crate::pipeline) fn record(&mut self, since: Statistics, coverage: Coverage) {
        self.capture.received += since.received;
        self.capture.dropped_by_kernel += since.dropped_by_kernel;
        self.capture.dropped_by_interface += since.dropped_by_interface;
        self.capture.coverage.add(coverage);
    }

    /// The violations that the kernel reported. They are handed over with the interval.
    pub(in crate::pipeline) fn reports(&mut self) -> &mut KernelReports {
        &mut self.reports
    }

    #[inline]
    pub(in crate::pipeline) fn filling(&mut self) -> &mut Interval {
        &mut self.filling
    }

    /// The interval in which a frame of `time` counts, and the recorder of packets, where they are kept. If the frame begins
    /// another time cell, the interval of the last one is handed over first.
    #[inline]
    pub(in crate::pipeline) fn filling_at(&mut self, time: Timestamp) -> (&mut Interval, Option<&mut PacketRecorder>) {
        if !self.cells.contain(time) {
            self.enter(time);
        }
        (&mut self.filling, self.recorder.as_mut())
    }

    /// Records packets with this recorder from now on. The packets of the last one are handed over first.
    pub(in crate::pipeline) fn record_with(&mut self, recorder: Option<PacketRecorder>) {
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
    pub(in crate::pipeline) fn pass(&mut self, clock: Timestamp, delay: Duration) {
        if self.cells.pass(clock, delay).is_some() {
            self.end_cell();
        }
    }

    fn end_cell(&mut self) {
        self.has_ended_cell = true;
        self.hand_over();
    }

    /// Sets whether the interface is being captured. True while the accountant has not been told of a change.
    pub(in crate::pipeline) fn set_up(&mut self, is_up: bool) -> bool {
        self.is_up_changed |= std::mem::replace(&mut self.is_up, is_up) != is_up;
        self.is_up_changed
    }

    /// True if a cell has ended since the last call.
    pub(in crate::pipeline) fn has_ended_cell(&mut self) -> bool {
        std::mem::take(&mut self.has_ended_cell)
    }

    /// True if the accountant has given an empty interval back.
    pub(in crate::pipeline) fn has_empty(&mut self) -> bool {
        self.spare = self.spare.take().or_else(|| self.empty.try_recv().ok());
        self.spare.is_some()
    }

    /// Hands the filled interval over and goes on with an empty one. If the accountant has given none back yet, filling
    /// goes on and the delay is counted.
    pub(in crate::pipeline) fn hand_over(&mut self) {
        self.has_empty();
        match self.spare.take() {
            Some(empty) => self.send(empty, self.cells.start()),
            None => self.delays += 1,
        }
    }

    /// As [`Exchange::hand_over`], but waits for the accountant first. For a thread without frames of its own: the
    /// kernel goes on counting.
    pub(in crate::pipeline) fn hand_over_patiently(&mut self) {
        self.spare = self.spare.take().or_else(|| self.empty.recv_timeout(PATIENCE).ok());
        self.hand_over();
    }

    /// Hands the filled interval over while the interface is not captured, so that there is time to wait for the
    /// accountant.
    pub(in crate::pipeline) fn hand_over_last(&mut self) {
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
    pub(in crate::pipeline) fn rename(&mut self, interface: &str) {
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

    fn send(&mut self, mut empty: Box<Interval>, time: Option<Timestamp>) {
        // It was given back before the last change, perhaps.
        empty.classify_by(Arc::clone(&self.classifier));
        empty.judge_by(self.policy.clone());
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
