//! Intervals change hands: full ones to the accountant, empty ones back. Two of them a capture thread, so that neither
//! side ever waits for a lock, and memory is bounded by their number.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::account::interval::Interval;
use crate::account::snapshot::{Capture, Coverage};
use crate::capture::live::Statistics;
use crate::locality::Classifier;

/// How long a capture thread that has nothing to capture waits for an empty interval.
const PATIENCE: Duration = Duration::from_secs(2);

/// A full interval on its way to the accountant.
pub(super) struct Handed {
    pub interface: String,
    pub interval: Box<Interval>,
    /// What the kernel counted since the last one.
    pub capture: Capture,
    /// Ticks since the last one at which there was no empty interval.
    pub delays: u64,
    back: Sender<Box<Interval>>,
}

impl Handed {
    /// Gives the interval back, empty. When the capture thread has ended it is dropped.
    pub(super) fn give_back(mut self, classifier: &Arc<Classifier>) {
        self.interval.reset();
        self.interval.classify_by(Arc::clone(classifier));
        if self.back.send(self.interval).is_err() {
            tracing::trace!(interface = self.interface, "the capture has ended");
        }
    }
}

/// A capture thread's end: the interval being filled and the way to the accountant.
pub(super) struct Exchange {
    interface: String,
    filling: Box<Interval>,
    capture: Capture,
    delays: u64,
    full: Sender<Handed>,
    /// An empty interval, if there is one here.
    spare: Option<Box<Interval>>,
    back: Sender<Box<Interval>>,
    empty: Receiver<Box<Interval>>,
}

impl Exchange {
    pub(super) fn new(interface: String, full: Sender<Handed>, classifier: &Arc<Classifier>, seed: u64) -> Self {
        let (back, empty) = channel();
        let interval = || Box::new(Interval::new(Arc::clone(classifier), seed));
        let spare = Some(interval());
        Self { interface, filling: interval(), spare, capture: Capture::default(), delays: 0, full, back, empty }
    }

    /// Adds what the kernel counted since it was last asked; it goes along with the next interval.
    pub(super) fn record(&mut self, since: Statistics, coverage: Coverage) {
        self.capture.received += since.received;
        self.capture.dropped_by_kernel += since.dropped_by_kernel;
        self.capture.dropped_by_interface += since.dropped_by_interface;
        self.capture.coverage.add(coverage);
    }

    /// The interval being filled.
    #[inline]
    pub(super) fn filling(&mut self) -> &mut Interval {
        &mut self.filling
    }

    /// Whether the accountant has given an empty interval back.
    pub(super) fn has_empty(&mut self) -> bool {
        self.spare = self.spare.take().or_else(|| self.empty.try_recv().ok());
        self.spare.is_some()
    }

    /// At a tick, or when there is an empty interval: hands the one that is filled over for it. If the accountant has none yet, filling goes on and the delay is
    /// counted.
    pub(super) fn hand_over(&mut self, is_up: bool) {
        self.has_empty();
        match self.spare.take() {
            Some(empty) => self.send(empty, is_up),
            None => self.delays += 1,
        }
    }

    /// The same when the interface is not being captured, so that there is time to wait for the accountant.
    pub(super) fn hand_over_last(&mut self) {
        match self.spare.take().or_else(|| self.empty.recv_timeout(PATIENCE).ok()) {
            Some(empty) => self.send(empty, false),
            None => tracing::error!(interface = self.interface, "the accountant does not answer"),
        }
    }

    fn send(&mut self, empty: Box<Interval>, up: bool) {
        let mut interval = std::mem::replace(&mut self.filling, empty);
        interval.settle();
        let handed = Handed {
            interface: self.interface.clone(),
            interval,
            capture: Capture { up, ..std::mem::take(&mut self.capture) },
            delays: std::mem::take(&mut self.delays),
            back: self.back.clone(),
        };
        if self.full.send(handed).is_err() {
            tracing::error!(interface = self.interface, "the accountant has ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_is_full_between_two_ticks_waits_without_being_counted_as_late() {
        let (full, handed) = channel();
        let mut exchange = Exchange::new("eth0".to_owned(), full, &Arc::default(), 0);
        exchange.hand_over(true);
        let first = handed.recv().unwrap();
        // The accountant is late: polls ask, only the tick counts.
        (0..5).for_each(|_| assert!(!exchange.has_empty()));
        exchange.hand_over(true);
        first.give_back(&Arc::default());
        assert!(exchange.has_empty());
        exchange.hand_over(true);
        assert_eq!(handed.recv().unwrap().delays, 1);
    }
}
