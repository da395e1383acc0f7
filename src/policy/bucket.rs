//! The pace of events: a token bucket for each source (as of RFC 2697, with events for bytes).
//!
//! Takes sources, packets and packet times; says which violation becomes an event, and gives the packets that have none.
//! Must not know events.
//!
//! A bucket leaves the table once it is full again, and then gives what no event of its source told. If the table is
//! full, new sources share one bucket, whose suppressed packets belong to no one source.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use super::{Action, EventPace, SuppressedPackets};
use crate::packet::Timestamp;
use crate::tables::hashing::{self, State};

const SECOND: u64 = 1_000_000_000;
/// Before every time.
const ALWAYS: Timestamp = Timestamp::from_nanoseconds(i64::MIN);

/// The tokens of one source. One nanosecond is the unit; an event costs the nanoseconds of its pace.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    tokens: u64,
    /// The latest time that was seen.
    updated: Timestamp,
    /// Packets without an event that no line of the log tells yet. Negative while the kernel has reported packets that
    /// are not counted yet.
    pending: i64,
    /// Packets that [`EventBuckets::try_pay`] has refused since the last event.
    refused: u64,
    /// Time of the last packet that was added to `pending`.
    last: Timestamp,
}

/// The buckets of all sources that are not full, bounded.
#[derive(Debug)]
pub struct EventBuckets {
    /// The treatment of all packets.
    action: Action,
    /// The price of an event.
    price: u64,
    full: u64,
    max_sources: usize,
    by_source: HashMap<IpAddr, Bucket, State>,
    /// The moment at which each bucket is full, with its source.
    full_at: BTreeSet<(Timestamp, IpAddr)>,
    /// The bucket of sources that have none of their own. Its `pending` also has packets whose source is unknown.
    shared: Bucket,
    /// The sum of all negative `pending` of sources, as a positive number.
    debt: i64,
    /// The packets of no one source are given at this time at the earliest.
    shared_from: Timestamp,
    /// Packets of buckets that have left, in order.
    closed: Vec<SuppressedPackets>,
}

impl EventBuckets {
    /// Full buckets for all sources of packets with this treatment. `seed` prevents senders from choosing addresses whose
    /// hashes collide.
    pub fn new(pace: EventPace, seed: u64, action: Action) -> Self {
        let price = SECOND / u64::from(pace.per_second.max(1));
        let full = price * u64::from(pace.burst.max(1));
        Self {
            action,
            price,
            full,
            max_sources: pace.max_sources,
            by_source: HashMap::with_hasher(hashing::state(seed)),
            full_at: BTreeSet::new(),
            shared: Bucket { tokens: full, ..Bucket::default() },
            debt: 0,
            shared_from: ALWAYS,
            closed: Vec::new(),
        }
    }

    /// Takes packets of a source with the times of the first and the last. If they become an event, gives the packets of
    /// the source that had none since its last event.
    pub fn take(&mut self, source: IpAddr, packets: u64, [first, last]: [Timestamp; 2]) -> Option<u64> {
        let (price, full) = (self.price, self.full);
        let Some(bucket) = self.bucket(source, first) else {
            let is_event = self.shared.pay(first, price, full);
            if !is_event {
                self.shared.suppress(packets, last);
            }
            return is_event.then_some(0);
        };
        let before = bucket.full_at(full);
        if bucket.pay(first, price, full) {
            let (after, pending) = (bucket.full_at(full), std::mem::take(&mut bucket.pending));
            self.full_at.remove(&(before, source));
            self.full_at.insert((after, source));
            return Some(pending.unsigned_abs());
        }
        bucket.suppress(packets, last);
        None
    }

    /// Counts packets of a source whose events the kernel makes.
    pub fn count(&mut self, source: IpAddr, packets: u64, [first, last]: [Timestamp; 2]) {
        let Some(bucket) = self.bucket(source, first) else {
            return self.shared.suppress(packets, last);
        };
        let before = bucket.debt();
        bucket.suppress(packets, last);
        let change = bucket.debt() - before;
        self.debt += change;
    }

    /// Pays for an event with these packets if the source has a token; gives the packets that this has refused since the
    /// last event. They may be counted before or after.
    pub fn try_pay(&mut self, source: IpAddr, packets: u64, time: Timestamp) -> Option<u64> {
        if self.has_token(source, time) {
            self.pay(source, packets, time);
            return Some(self.by_source.get_mut(&source).map_or(0, |bucket| std::mem::take(&mut bucket.refused)));
        }
        if let Some(bucket) = self.by_source.get_mut(&source) {
            bucket.refused = bucket.refused.saturating_add(packets);
        }
        None
    }

    fn has_token(&mut self, source: IpAddr, time: Timestamp) -> bool {
        let (price, full) = (self.price, self.full);
        let mut bucket = match self.bucket(source, time) {
            Some(bucket) => *bucket,
            None => self.shared,
        };
        bucket.refill(time, full);
        bucket.tokens >= price
    }

    /// Pays for an event of the kernel with these packets, as far as there are tokens. They may be counted before or after.
    pub fn pay(&mut self, source: IpAddr, packets: u64, time: Timestamp) {
        let (price, full) = (self.price, self.full);
        let Some(bucket) = self.bucket(source, time) else {
            return self.shared.charge(packets, time, price, full);
        };
        let (before, debt) = (bucket.full_at(full), bucket.debt());
        bucket.charge(packets, time, price, full);
        let (after, change) = (bucket.full_at(full), bucket.debt() - debt);
        self.debt += change;
        self.full_at.remove(&(before, source));
        self.full_at.insert((after, source));
    }

    /// The packets without an event that an event of the kernel tells, `most` at most. To be called once all events are
    /// paid.
    pub fn settle(&mut self, source: IpAddr, most: u64) -> u64 {
        let reported = self.shared.debt();
        let Some(bucket) = self.by_source.get_mut(&source) else { return 0 };
        let told = most.min(u64::try_from(bucket.pending.saturating_sub(reported)).unwrap_or(0));
        bucket.pending = bucket.pending.saturating_sub_unsigned(told);
        told
    }

    /// Counts packets without an event whose sources are unknown.
    pub fn suppress(&mut self, packets: u64, last: Timestamp) {
        self.shared.suppress(packets, last);
    }

    /// Closes the buckets that are full at `watermark`, and gives the packets of no one source, once per second at most.
    pub fn advance(&mut self, watermark: Timestamp) {
        self.close_until(watermark);
        if watermark >= self.shared_from {
            self.shared_from = watermark + Duration::from_nanos(SECOND);
            self.close_shared();
        }
    }

    /// Closes all buckets, because the clock was set or no packet follows.
    pub fn close(&mut self) {
        self.close_until(Timestamp::from_nanoseconds(i64::MAX));
        self.close_shared();
        self.shared_from = ALWAYS;
        let Bucket { pending, .. } = self.shared;
        self.shared = Bucket { tokens: self.full, pending, ..Bucket::default() };
    }

    /// Takes the packets of closed buckets, those that were full first in front.
    pub fn closed(&mut self) -> impl Iterator<Item = SuppressedPackets> + '_ {
        self.closed.drain(..)
    }

    /// The bucket of a source; none if it shares one.
    fn bucket(&mut self, source: IpAddr, time: Timestamp) -> Option<&mut Bucket> {
        if self.by_source.len() >= self.max_sources && !self.by_source.contains_key(&source) {
            self.close_until(time);
            if self.by_source.len() >= self.max_sources {
                return None;
            }
        }
        let bucket = Bucket { tokens: self.full, updated: time, ..Bucket::default() };
        let full_at = &mut self.full_at;
        Some(self.by_source.entry(source).or_insert_with(|| {
            full_at.insert((time, source));
            bucket
        }))
    }

    fn close_until(&mut self, time: Timestamp) {
        while let Some(&(full_at, source)) = self.full_at.first()
            && full_at <= time
        {
            self.full_at.pop_first();
            if let Some(bucket) = self.by_source.remove(&source) {
                self.close_bucket(source, bucket);
            }
        }
    }

    /// Gives what is pending, less the packets that the kernel has reported of buckets that have left.
    fn close_bucket(&mut self, source: IpAddr, Bucket { pending, last, .. }: Bucket) {
        if pending <= 0 {
            self.debt += pending;
            self.shared.pending = self.shared.pending.saturating_add(pending);
            return;
        }
        let reported = self.shared.debt().min(pending);
        self.shared.pending += reported;
        if pending > reported {
            let packets = (pending - reported).unsigned_abs();
            self.closed.push(SuppressedPackets { source: Some(source), last, packets, action: self.action });
        }
    }

    /// Keeps as many packets back as the kernel has reported without being counted yet.
    fn close_shared(&mut self) {
        let Bucket { pending, last, .. } = self.shared;
        let packets = u64::try_from(pending.saturating_sub(self.debt)).unwrap_or(0);
        if packets > 0 {
            self.shared.pending = self.debt;
            self.closed.push(SuppressedPackets { source: None, last, packets, action: self.action });
        }
    }
}

impl Bucket {
    /// The moment at which it is full, unless an event is paid before.
    fn full_at(&self, full: u64) -> Timestamp {
        self.updated + Duration::from_nanos(full - self.tokens)
    }

    fn refill(&mut self, time: Timestamp, full: u64) {
        let passed = time.nanoseconds().saturating_sub(self.updated.nanoseconds());
        self.tokens = self.tokens.saturating_add(u64::try_from(passed).unwrap_or(0)).min(full);
        self.updated = self.updated.max(time);
    }

    /// Pays for an event if there are enough tokens.
    fn pay(&mut self, time: Timestamp, price: u64, full: u64) -> bool {
        self.refill(time, full);
        let is_paid = self.tokens >= price;
        self.tokens -= if is_paid { price } else { 0 };
        is_paid
    }

    /// Pays for an event with these packets, as far as there are tokens.
    fn charge(&mut self, packets: u64, time: Timestamp, price: u64, full: u64) {
        self.refill(time, full);
        self.tokens = self.tokens.saturating_sub(price);
        self.pending = self.pending.saturating_sub_unsigned(packets);
    }

    fn suppress(&mut self, packets: u64, last: Timestamp) {
        self.pending = self.pending.saturating_add_unsigned(packets);
        self.last = self.last.max(last);
    }

    /// Packets that the kernel has reported and that are not counted yet.
    fn debt(&self) -> i64 {
        self.pending.min(0).saturating_neg()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_nanoseconds((seconds * 1e9) as i64)
    }

    fn source(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    fn buckets(max_sources: usize) -> EventBuckets {
        EventBuckets::new(EventPace { burst: 2, per_second: 1, max_sources }, 1, Action::Dropped)
    }

    #[test]
    fn burst_is_followed_by_the_pace_and_events_tell_what_was_suppressed() {
        let mut buckets = buckets(10);
        let taken = [(0.0, 1), (0.0, 1), (0.0, 5), (0.5, 6), (1.0, 1), (1.1, 1), (10.0, 1), (10.0, 1), (10.0, 1)]
            .map(|(time, packets)| buckets.take(source(1), packets, [at(time); 2]));
        assert_eq!(taken, [Some(0), Some(0), None, None, Some(11), None, Some(1), Some(0), None]);
        assert_eq!(buckets.take(source(2), 1, [at(10.0); 2]), Some(0), "another source has its own bucket");
    }

    #[test]
    fn packets_that_the_kernel_has_not_read_pay_from_the_bucket_that_its_events_empty() {
        let mut buckets = buckets(1);
        buckets.pay(source(1), 1, at(0.0));
        let paid = [0.0, 0.1, 0.2, 1.0, 1.1].map(|time| buckets.try_pay(source(1), 3, at(time)));
        assert_eq!(paid, [Some(0), None, None, Some(6), None]);
        let shared = [2, 3, 2, 3].map(|number| buckets.try_pay(source(number), 1, at(1.2)));
        assert_eq!(shared, [Some(0), Some(0), None, None], "sources without a bucket share one");
    }

    #[test]
    fn older_packets_bring_no_tokens() {
        let mut buckets = buckets(10);
        let taken = [5.0, 5.0, 1.0, 5.5, 6.0].map(|time| buckets.take(source(1), 1, [at(time); 2]).is_some());
        assert_eq!(taken, [true, true, false, false, true]);
    }

    #[test]
    fn sources_past_the_limit_share_a_bucket_until_idle_buckets_are_gone() {
        let mut buckets = buckets(2);
        let mut takes = |number, time| buckets.take(source(number), 1, [at(time); 2]).is_some();
        assert!((1..=2).all(|number| takes(number, 0.0)));
        assert_eq!([3, 4, 5, 6].map(|number| takes(number, 0.1)), [true, true, false, false]);
        assert_eq!([7, 8].map(|number| takes(number, 1.5)), [true, true], "the first two are idle");
        assert_eq!([7, 8, 7, 8].map(|number| takes(number, 1.5)), [true, true, false, false]);
        assert!(buckets.by_source.len() <= 2);
    }

    fn closed(buckets: &mut EventBuckets) -> Vec<(Option<IpAddr>, f64, u64)> {
        buckets.closed().map(|closed| (closed.source, closed.last.nanoseconds() as f64 / 1e9, closed.packets)).collect()
    }

    #[test]
    fn source_that_falls_silent_gives_its_suppressed_packets_once_its_bucket_is_full() {
        let mut buckets = buckets(10);
        for (number, time, packets) in [(1, 0.0, 1), (1, 0.1, 1), (1, 0.2, 7), (1, 0.3, 8), (2, 0.4, 1)] {
            buckets.take(source(number), packets, [at(time), at(time + 0.05)]);
        }
        buckets.advance(at(1.9));
        assert_eq!(closed(&mut buckets), []);
        buckets.advance(at(2.0));
        assert_eq!(closed(&mut buckets), [(Some(source(1)), 0.35, 15)]);
        assert_eq!(buckets.take(source(1), 1, [at(2.0); 2]), Some(0), "they are told once");
        buckets.take(source(2), 1, [at(2.0); 2]);
        assert_eq!([3, 4].map(|packets| buckets.take(source(1), packets, [at(2.0); 2])), [Some(0), None]);
        buckets.close();
        assert_eq!(closed(&mut buckets), [(Some(source(1)), 2.0, 4)], "the end closes all");
        assert!(buckets.by_source.is_empty() && buckets.full_at.is_empty());
    }

    #[test]
    fn suppressed_packets_of_a_shared_bucket_belong_to_no_one_source() {
        let mut buckets = buckets(1);
        buckets.take(source(1), 1, [at(0.0); 2]);
        let taken = [2, 3, 4, 5].map(|number| buckets.take(source(number), 10, [at(0.5); 2]));
        assert_eq!(taken, [Some(0), Some(0), None, None]);
        buckets.suppress(3, at(0.7));
        buckets.advance(at(0.9));
        assert_eq!(closed(&mut buckets), [(None, 0.7, 23)]);
        buckets.suppress(4, at(0.8));
        buckets.advance(at(1.8));
        assert_eq!(closed(&mut buckets), [], "a line per second is enough");
        buckets.advance(at(1.9));
        assert_eq!(closed(&mut buckets), [(None, 0.8, 4)]);
    }

    #[test]
    fn events_of_the_kernel_tell_what_was_counted_and_not_more() {
        let mut buckets = buckets(10);
        buckets.pay(source(1), 1, at(0.9));
        buckets.suppress(5, at(1.0));
        buckets.advance(at(1.0));
        assert_eq!(closed(&mut buckets), [(None, 1.0, 4)], "one packet may be the one that the event is of");
        buckets.count(source(1), 4, [at(0.9), at(1.9)]);
        buckets.pay(source(1), 1, at(1.8));
        assert_eq!([buckets.settle(source(1), 1), buckets.settle(source(1), 9)], [1, 1]);
        buckets.count(source(1), 2, [at(2.0); 2]);
        buckets.advance(at(9.0));
        assert_eq!(closed(&mut buckets), [(Some(source(1)), 2.0, 2), (None, 1.0, 1)]);
        assert_eq!(buckets.debt, 0);
    }

    proptest! {
        /// Packets of events, suppressed packets that events tell, and packets of closed buckets are all packets.
        #[test]
        fn every_packet_is_told_exactly_once(
            steps in prop::collection::vec((0u32..6, 1u64..5, -500i64..900, 0u8..8), 1..200), max_sources in 0usize..5
        ) {
            let mut buckets = buckets(max_sources);
            let (mut all, mut told, mut milliseconds) = (0, 0, 0);
            for (number, packets, step, act) in steps {
                milliseconds += step;
                let time = at(milliseconds as f64 / 1e3);
                match act {
                    0 => buckets.advance(time),
                    1 => buckets.close(),
                    2 => { all += packets; buckets.suppress(packets, time); }
                    _ => {
                        all += packets;
                        told += buckets.take(source(number), packets, [time; 2]).map_or(0, |suppressed| packets + suppressed);
                    }
                }
                prop_assert_eq!(buckets.by_source.len(), buckets.full_at.len());
                prop_assert!(buckets.by_source.len() <= max_sources);
                told += buckets.closed().map(|closed| closed.packets).sum::<u64>();
            }
            buckets.close();
            told += buckets.closed().map(|closed| closed.packets).sum::<u64>();
            prop_assert_eq!(told, all);
        }

        /// The same if the kernel makes the events, however its reports and its counts are divided.
        #[test]
        fn every_packet_that_the_kernel_counts_is_told_exactly_once(
            intervals in prop::collection::vec(prop::collection::vec((0u32..4, 1u64..6, 0u64..3, 0u64..3, 0u64..9), 0..6), 1..20),
            max_sources in 0usize..4
        ) {
            let mut buckets = buckets(max_sources);
            let (mut all, mut told) = (0, 0);
            let mut early = Vec::new();
            for (second, interval) in intervals.iter().chain([&Vec::new()]).enumerate() {
                let time = at(second as f64);
                for (number, packets) in early.drain(..) {
                    buckets.count(source(number), packets, [time; 2]);
                }
                for &(number, packets, events, late, most) in interval {
                    let events = events.min(packets);
                    let late = late.min(packets);
                    all += packets;
                    buckets.count(source(number), packets - late, [time; 2]);
                    early.push((number, late));
                    told += events;
                    (0..events).for_each(|_| buckets.pay(source(number), 1, time));
                    told += buckets.settle(source(number), most);
                }
                buckets.advance(time);
                told += buckets.closed().map(|closed| closed.packets).sum::<u64>();
            }
            buckets.close();
            told += buckets.closed().map(|closed| closed.packets).sum::<u64>();
            prop_assert_eq!(told, all);
        }
    }
}
