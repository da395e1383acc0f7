//! The ring: the latest chunks, as many as fit in its memory.
//!
//! Takes chunks in the order in which they arrive; gives them by number, and the time from which on all are there. Must not
//! know alerts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Chunk;
use crate::packet::Timestamp;

/// Chunks with consecutive numbers.
#[derive(Debug)]
pub(super) struct PacketRing {
    limit_bytes: u64,
    bytes: u64,
    chunks: VecDeque<Arc<Chunk>>,
    /// The number of the oldest chunk.
    first: u64,
    /// The time of the latest packet in the chunks that have left.
    left_until: Timestamp,
    /// The time of the earliest packet so far.
    earliest: Timestamp,
    newest: Timestamp,
}

impl PacketRing {
    pub(super) const fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            bytes: 0,
            chunks: VecDeque::new(),
            first: 0,
            left_until: Timestamp::BEFORE_ALL,
            earliest: Timestamp::AFTER_ALL,
            newest: Timestamp::BEFORE_ALL,
        }
    }

    /// Adds a chunk. Gives the oldest ones, which leave for it, with their numbers; the newest one always stays.
    pub(super) fn add(&mut self, chunk: Arc<Chunk>) -> Vec<(u64, Arc<Chunk>)> {
        self.bytes += chunk.memory_bytes() as u64;
        (self.earliest, self.newest) = (self.earliest.min(chunk.first()), self.newest.max(chunk.last()));
        self.chunks.push_back(chunk);
        let mut left = Vec::new();
        while self.bytes > self.limit_bytes
            && self.chunks.len() > 1
            && let Some(oldest) = self.chunks.pop_front()
        {
            self.bytes -= oldest.memory_bytes() as u64;
            self.left_until = self.left_until.max(oldest.last());
            left.push((self.first, oldest));
            self.first += 1;
        }
        left
    }

    pub(super) fn chunk(&self, number: u64) -> Option<&Arc<Chunk>> {
        self.chunks.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The number of the oldest chunk.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The number of the next chunk.
    pub(super) fn next(&self) -> u64 {
        self.first + self.chunks.len() as u64
    }

    /// The number of the first chunk with a packet at `time` or later.
    pub(super) fn first_since(&self, time: Timestamp) -> u64 {
        let before = self.chunks.iter().take_while(|chunk| chunk.last() < time).count();
        self.first + before as u64
    }

    /// The time of the latest packet that is not there any more; all later ones are there, of all interfaces.
    pub(super) const fn left_until(&self) -> Timestamp {
        self.left_until
    }

    /// The time of the newest packet.
    pub(super) const fn newest(&self) -> Timestamp {
        self.newest
    }

    /// Bytes of memory.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The time for which the ring holds every packet of every interface.
    pub(super) fn span(&self) -> Duration {
        self.newest.since(self.earliest.max(self.left_until))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{chunk, seconds};
    use super::*;

    fn filled(limit_bytes: u64, times: &[i64]) -> PacketRing {
        let mut ring = PacketRing::new(limit_bytes);
        times.iter().for_each(|time| _ = ring.add(Arc::new(chunk("eth0", &[(*time, &[0; 400])]))));
        ring
    }

    fn size() -> u64 {
        chunk("eth0", &[(1, &[0; 400])]).memory_bytes() as u64
    }

    #[test]
    fn oldest_chunks_leave_and_numbers_stay() {
        let ring = filled(3 * size(), &[10, 11, 12, 13, 14]);
        assert_eq!((ring.first(), ring.next(), ring.bytes()), (2, 5, 3 * size()));
        assert!(ring.chunk(1).is_none() && ring.chunk(5).is_none());
        assert_eq!(ring.chunk(2).unwrap().first(), seconds(12));
        assert_eq!((ring.left_until(), ring.newest()), (seconds(11), seconds(14)));
        assert_eq!(ring.span(), Duration::from_secs(3));
    }

    #[test]
    fn ring_reaches_back_as_far_as_every_interface_does() {
        // The chunk of another interface is older than what left.
        let ring = filled(2 * size(), &[20, 10, 21]);
        assert_eq!(ring.first(), 1);
        assert_eq!(ring.span(), Duration::from_secs(1), "a packet of second 20 has left");
        assert_eq!(PacketRing::new(1).span(), Duration::ZERO);
    }

    #[test]
    fn newest_chunk_stays_though_it_is_larger_than_the_ring() {
        let ring = filled(1, &[1, 2]);
        assert_eq!((ring.first(), ring.next()), (1, 2));
    }

    #[test]
    fn chunks_before_a_time_are_skipped() {
        let ring = filled(9 * size(), &[10, 11, 12]);
        assert_eq!([9, 11, 12, 13].map(|time| ring.first_since(seconds(time))), [0, 1, 2, 3]);
    }
}
