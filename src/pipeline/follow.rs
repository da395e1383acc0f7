//! Who follows the packets in their time, beside the ledger.

use crate::account::observer::RowObserver;
use crate::packet::Timestamp;
use crate::time_grid::TimeGrid;

/// Is told of all that is merged, and how packet time goes on.
pub trait Follow: RowObserver {
    /// The grids of which no interval may span two cells. Without any, packet time is not told.
    fn grids(&self) -> Vec<TimeGrid>;

    /// Nothing from before `watermark` will come any more, but for what is late.
    fn advance(&mut self, watermark: Timestamp);

    /// The packets' clock was set, and packet time starts anew at `to`.
    fn step(&mut self, to: Timestamp);

    /// The packets have ended for good, in a cell that ends at `end`.
    fn finish(&mut self, end: Timestamp);
}

/// Nobody.
impl Follow for () {
    fn grids(&self) -> Vec<TimeGrid> {
        Vec::new()
    }

    fn advance(&mut self, _: Timestamp) {}

    fn step(&mut self, _: Timestamp) {}

    fn finish(&mut self, _: Timestamp) {}
}
