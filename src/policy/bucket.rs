//! The pace of events: a token bucket for each source (as of RFC 2697, with events for bytes).
//!
//! Takes sources and packet times; says which violation becomes an event. Must not know events.
//!
//! At its limit the table drops the buckets that are full again, at most once in a second of packet time. If it is still
//! full, new sources share one bucket.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::EventPace;
use crate::packet::Timestamp;
use crate::tables::hashing::{self, State};

const SECOND: u64 = 1_000_000_000;

/// The tokens of one source. One nanosecond is the unit; an event costs the nanoseconds of its pace.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: u64,
    /// The latest time that was seen.
    updated: Timestamp,
    /// Packets without an event since the last one.
    suppressed: u64,
}

/// The buckets of all sources, bounded.
#[derive(Debug)]
pub struct EventBuckets {
    /// The price of an event.
    price: u64,
    full: u64,
    max_sources: usize,
    by_source: HashMap<IpAddr, Bucket, State>,
    /// The bucket of sources that have none of their own.
    shared: Bucket,
    swept: Option<Timestamp>,
}

impl EventBuckets {
    /// Full buckets for all sources. `seed` prevents senders from choosing addresses whose hashes collide.
    pub fn new(pace: EventPace, seed: u64) -> Self {
        let price = SECOND / u64::from(pace.per_second.max(1));
        let full = price * u64::from(pace.burst.max(1));
        Self {
            price,
            full,
            max_sources: pace.max_sources,
            by_source: HashMap::with_hasher(hashing::state(seed)),
            shared: Bucket { tokens: full, updated: Timestamp::default(), suppressed: 0 },
            swept: None,
        }
    }

    /// Takes `packets` of a source at `time`. If they become an event, gives the packets of the source that had none
    /// since its last event.
    pub fn take(&mut self, source: IpAddr, packets: u64, time: Timestamp) -> Option<u64> {
        let (price, full) = (self.price, self.full);
        self.bucket(source, time).take(packets, time, price, full)
    }

    /// Starts again with full buckets, because the clock was set.
    pub fn restart(&mut self) {
        self.by_source.clear();
        self.shared = Bucket { tokens: self.full, updated: Timestamp::default(), suppressed: 0 };
        self.swept = None;
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.by_source.allocation_size()
    }

    fn bucket(&mut self, source: IpAddr, time: Timestamp) -> &mut Bucket {
        if self.by_source.len() >= self.max_sources && !self.by_source.contains_key(&source) {
            self.sweep(time);
            if self.by_source.len() >= self.max_sources {
                return &mut self.shared;
            }
        }
        let full = self.full;
        self.by_source.entry(source).or_insert_with(|| Bucket { tokens: full, updated: time, suppressed: 0 })
    }

    fn sweep(&mut self, time: Timestamp) {
        if self.swept.is_some_and(|swept| time.nanoseconds() < swept.nanoseconds().saturating_add(SECOND as i64)) {
            return;
        }
        self.swept = Some(time);
        let full = self.full;
        self.by_source.retain(|_, bucket| bucket.at(time, full) < full);
    }
}

impl Bucket {
    /// The tokens at `time`.
    fn at(&self, time: Timestamp, full: u64) -> u64 {
        let passed = time.nanoseconds().saturating_sub(self.updated.nanoseconds());
        self.tokens.saturating_add(u64::try_from(passed).unwrap_or(0)).min(full)
    }

    fn take(&mut self, packets: u64, time: Timestamp, price: u64, full: u64) -> Option<u64> {
        self.tokens = self.at(time, full);
        self.updated = self.updated.max(time);
        if self.tokens < price {
            self.suppressed += packets;
            return None;
        }
        self.tokens -= price;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_nanoseconds((seconds * 1e9) as i64)
    }

    fn source(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    fn buckets(max_sources: usize) -> EventBuckets {
        EventBuckets::new(EventPace { burst: 2, per_second: 1, max_sources }, 1)
    }

    #[test]
    fn burst_is_followed_by_the_pace_and_events_tell_what_was_suppressed() {
        let mut buckets = buckets(10);
        let taken = [(0.0, 1), (0.0, 1), (0.0, 5), (0.5, 6), (1.0, 1), (1.1, 1), (10.0, 1), (10.0, 1), (10.0, 1)]
            .map(|(time, packets)| buckets.take(source(1), packets, at(time)));
        assert_eq!(taken, [Some(0), Some(0), None, None, Some(11), None, Some(1), Some(0), None]);
        assert_eq!(buckets.take(source(2), 1, at(10.0)), Some(0), "another source has its own bucket");
    }

    #[test]
    fn older_packets_bring_no_tokens() {
        let mut buckets = buckets(10);
        let taken = [5.0, 5.0, 1.0, 5.5, 6.0].map(|time| buckets.take(source(1), 1, at(time)).is_some());
        assert_eq!(taken, [true, true, false, false, true]);
    }

    #[test]
    fn sources_past_the_limit_share_a_bucket_until_idle_buckets_are_gone() {
        let mut buckets = buckets(2);
        let mut takes = |number, time| buckets.take(source(number), 1, at(time)).is_some();
        assert!((1..=2).all(|number| takes(number, 0.0)));
        assert_eq!([3, 4, 5, 6].map(|number| takes(number, 0.1)), [true, true, false, false]);
        assert_eq!([7, 8].map(|number| takes(number, 1.5)), [true, true], "the first two are idle");
        assert_eq!([7, 8, 7, 8].map(|number| takes(number, 1.5)), [true, true, false, false]);
        assert!(buckets.by_source.len() <= 2);
    }
}
