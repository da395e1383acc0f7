//! The hand-over: full intervals go from a capture thread to the accountant, and empty ones come back. Takes frames'
//! times and the kernel's counters; gives the interval to fill. Must not know what an interval counts.
//!
//! Each capture thread has two intervals. So memory is bounded, and neither side waits for a lock.

mod exchange;

use std::sync::mpsc::Sender;

use super::violations::KernelReports;
use crate::account::interval::Interval;
use crate::account::snapshot::Capture;
use crate::packet::Timestamp;
pub(super) use exchange::Exchange;

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
    pub(super) fn give_back(mut self) {
        self.interval.reset();
        if self.back.send(self.interval).is_err() {
            tracing::trace!(interface = self.interface, "the capture thread has ended");
        }
    }
}

#[cfg(test)]
mod tests;
