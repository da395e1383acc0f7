//! The observer of packet time. Takes the advances and steps of packet time; gives the time grids that intervals must
//! respect. Must not know whether packet time comes from capture threads or from files.

use crate::account::observer::RowObserver;
use crate::packet::Timestamp;
use crate::time_grid::TimeGrid;

/// Observes packet time, and has an observer of merged rows.
pub trait ClockObserver {
    /// The notes of its observer of rows.
    type Notes: Copy + Default + Send + 'static;

    /// The observer of merged rows.
    fn rows(&mut self) -> &mut impl RowObserver<Notes = Self::Notes>;

    /// The time grids: an interval lies in one cell of each. Without a grid, packet time is not observed.
    fn grids(&self) -> Vec<TimeGrid>;

    /// Advances packet time to `watermark`: only late packets are older.
    fn advance(&mut self, watermark: Timestamp);

    /// Starts packet time again at `to`: the packets' clock was set.
    fn step(&mut self, to: Timestamp);

    /// Ends packet time at `end`, the end of the last cell: no packet follows. `last` is the time of the last packet.
    fn finish(&mut self, end: Timestamp, last: Timestamp);
}

/// Observes nothing.
impl ClockObserver for () {
    type Notes = ();

    fn rows(&mut self) -> &mut impl RowObserver<Notes = ()> {
        self
    }

    fn grids(&self) -> Vec<TimeGrid> {
        Vec::new()
    }

    fn advance(&mut self, _: Timestamp) {}

    fn step(&mut self, _: Timestamp) {}

    fn finish(&mut self, _: Timestamp, _: Timestamp) {}
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeAdvance {
    /// Nothing from before this moment will come, except late packets.
    Onward(Timestamp),
    /// The clock was set.
    Step {
        /// Nothing from before this moment of the old time will come any more.
        until: Timestamp,
        /// The moment at which packet time starts again.
        to: Timestamp,
    },
}

impl TimeAdvance {
    pub(super) fn notify(self, observer: &mut impl ClockObserver) {
        match self {
            Self::Onward(watermark) => observer.advance(watermark),
            Self::Step { until, to } => {
                observer.advance(until);
                observer.step(to);
            }
        }
    }
}
