//! The packets of lost events. Takes their numbers; gives one sum for each treatment. Must not know the queue.

use crate::packet::Timestamp;
use crate::policy::{Action, SuppressedPackets};

/// The sums by treatment, until a line tells them.
#[derive(Debug, Default)]
pub(super) struct LostPackets([Option<SuppressedPackets>; 2]);

impl LostPackets {
    /// Adds the packets that the line of an event would have told. `last` is the time of the last one.
    pub(super) fn add(&mut self, action: Action, packets: u64, last: Timestamp) {
        let first = SuppressedPackets { source: None, last, packets: 0, action };
        let sum = self.0[action as usize].get_or_insert(first);
        sum.packets += packets;
        sum.last = sum.last.max(last);
    }

    /// Takes the sums. They have no source.
    pub(super) fn take(&mut self) -> impl Iterator<Item = SuppressedPackets> + use<> {
        std::mem::take(&mut self.0).into_iter().flatten()
    }
}
