//! What the ledger tells of each row that it merges, to who watches.

use super::conversation::{Address, Way};
use super::interface::InterfaceId;
use super::interval::Row;
use super::refusals::Refused;
use crate::packet::Timestamp;

/// A conversation in one interval, as the ledger merged it.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a, A> {
    /// What was counted. It lies in one cell of the finest grid in use.
    pub row: &'a Row<A>,
    /// Where it was captured.
    pub interface: InterfaceId,
    /// Whether the conversation is remembered from an earlier interval. One that is not may still be an old one: memory
    /// is bounded.
    pub is_known: bool,
    /// The way of requests, as the conversation's first packet decided it.
    pub request_way: Way,
    /// Whether packets of either way, up first, were seen in this or, as far as it is remembered, an earlier interval.
    pub seen: [bool; 2],
}

/// Who is told of all that is merged.
pub trait Watch {
    /// Takes in a row. Rows of one cell come in no particular order, and those of a capture thread that is ahead before
    /// others of earlier cells.
    fn see<A: Address>(&mut self, sighting: &Sighting<'_, A>);

    /// Takes in many rows, as [`Watch::see`] does one after the other. Who keeps several tables goes through the rows with
    /// each of them in turn: its lines stay in the processor's caches, and the misses of neighbouring rows overlap.
    #[inline]
    fn see_all<A: Address>(&mut self, sightings: &[Sighting<'_, A>]) {
        sightings.iter().for_each(|sighting| self.see(sighting));
    }

    /// Takes in that an ICMP error refused a packet. Its conversation need not have a row in the same interval; if it has
    /// one, that was seen before.
    #[inline]
    fn refuse<A: Address>(&mut self, _interface: InterfaceId, _refused: &Refused<A>) {}

    /// Takes in how many packets of an interface there were and how many of them were lost, so that nobody saw them, since
    /// this was last said; `time` is that of the packets around.
    fn note_lost(&mut self, _interface: InterfaceId, _packets: u64, _lost: u64, _time: Timestamp) {}
}

/// Nobody.
impl Watch for () {
    #[inline]
    fn see<A: Address>(&mut self, _: &Sighting<'_, A>) {}

    #[inline]
    fn see_all<A: Address>(&mut self, _: &[Sighting<'_, A>]) {}
}
