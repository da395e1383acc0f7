//! The endpoints that lately asked a multicast or broadcast address: a packet to such an endpoint is an answer.
//!
//! Takes questions; tells if an endpoint may still get answers. Must not know contacts.
//!
//! The table has a fixed size and takes its memory with the first question. Each endpoint has one bucket, and a bucket
//! keeps those that asked last. So the content does not depend on the order in which questions of one cell arrive.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use super::feed;
use crate::packet::Timestamp;
use crate::tables::sampling::{Sampling, Seeds};

const BUCKETS: usize = 256;
const IN_BUCKET: usize = 16;

/// An endpoint and when it asked last. Without a question that is before all time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Asker {
    last: Timestamp,
    address: IpAddr,
    port: u16,
}

impl Asker {
    const NONE: Self =
        Self { last: Timestamp::BEFORE_ALL, address: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), port: 0 };

    fn is(&self, address: IpAddr, port: u16) -> bool {
        self.port == port && self.address == address && self.last != Timestamp::BEFORE_ALL
    }
}

/// The endpoints that asked last, 4,096 at most.
#[derive(Debug)]
pub struct Askers {
    sampling: Sampling,
    /// The time for which a question may be answered.
    timeout: Duration,
    slots: Vec<Asker>,
    evicted: u64,
}

impl Askers {
    pub const LIMIT: usize = BUCKETS * IN_BUCKET;

    /// Sets the time for which a question may be answered.
    pub const fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub const fn new(timeout: Duration, seeds: Seeds) -> Self {
        Self { sampling: Sampling::new(seeds.sampling), timeout, slots: Vec::new(), evicted: 0 }
    }

    pub fn note(&mut self, address: IpAddr, port: u16, time: Timestamp) {
        if self.slots.is_empty() {
            self.slots.resize(Self::LIMIT, Asker::NONE);
        }
        let newcomer = Asker { last: time, address, port };
        let first = self.bucket(address, port);
        let timeout = self.timeout;
        let bucket = &mut self.slots[first..first + IN_BUCKET];
        if let Some(known) = bucket.iter_mut().find(|asker| asker.is(address, port)) {
            known.last = known.last.max(time);
            return;
        }
        let Some(oldest) = bucket.iter_mut().min() else { return };
        let leaves = newcomer.min(*oldest);
        *oldest = newcomer.max(*oldest);
        self.evicted += u64::from(leaves.last >= first_question(time.max(oldest.last), timeout));
    }

    /// True if an endpoint may still get answers at `time`. A later question counts as well: clocks need not agree.
    pub(crate) fn may_be_answered(&self, address: IpAddr, port: u16, time: Timestamp) -> bool {
        if self.slots.is_empty() {
            return false;
        }
        let (first, since) = (self.bucket(address, port), first_question(time, self.timeout));
        self.slots[first..first + IN_BUCKET].iter().any(|asker| asker.is(address, port) && asker.last >= since)
    }

    /// Endpoints that may still get answers at `time`, the limit, and how many left while they still might.
    pub fn figures(&self, time: Timestamp) -> (usize, usize, u64) {
        let first = first_question(time, self.timeout);
        let kept = self.slots.iter().filter(|asker| asker.last > Timestamp::BEFORE_ALL && asker.last >= first).count();
        (kept, Self::LIMIT, self.evicted)
    }

    pub fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Asker>()
    }

    pub fn clear(&mut self) {
        self.slots.fill(Asker::NONE);
    }

    /// The first slot of the bucket of an endpoint.
    fn bucket(&self, address: IpAddr, port: u16) -> usize {
        let mut hasher = self.sampling.build_hasher();
        feed(address, &mut hasher);
        hasher.write_u32(port.into());
        (hasher.finish() >> 32) as usize % BUCKETS * IN_BUCKET
    }
}

/// The earliest question that may still be answered at `time`.
fn first_question(time: Timestamp, timeout: Duration) -> Timestamp {
    let nanoseconds = i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX);
    // Not the moment of an empty slot.
    Timestamp::from_nanoseconds(time.nanoseconds().saturating_sub(nanoseconds).max(i64::MIN + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_nanoseconds(1_700_000_000_000_000_000 + milliseconds * 1_000_000)
    }

    fn askers() -> Askers {
        Askers::new(Duration::from_secs(30), 7.into())
    }

    fn asker(number: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 | number).to_be_bytes())
    }

    #[test]
    fn question_is_answered_within_the_timeout() {
        let mut askers = askers();
        assert!(!askers.may_be_answered(asker(1), 5_000, at(0)));
        askers.note(asker(1), 5_000, at(0));
        assert!(askers.may_be_answered(asker(1), 5_000, at(30_000)));
        assert!(!askers.may_be_answered(asker(1), 5_000, at(30_001)));
        assert!(!askers.may_be_answered(asker(1), 5_001, at(1)));
        assert!(!askers.may_be_answered(asker(2), 5_000, at(1)));
        askers.note(asker(1), 5_000, at(20_000));
        askers.note(asker(1), 5_000, at(10_000));
        assert!(askers.may_be_answered(asker(1), 5_000, at(50_000)), "an older question does not shorten the time");
    }

    #[test]
    fn flood_of_questions_keeps_the_table_at_its_limit_and_is_counted() {
        let mut askers = askers();
        for number in 0..20_000 {
            askers.note(asker(number), 1_900, at(i64::from(number)));
        }
        let (kept, limit, evicted) = askers.figures(at(20_000));
        assert_eq!((kept, limit, kept as u64 + evicted), (4_096, 4_096, 20_000));
        assert!(askers.memory_bytes() <= 160 * 1_024, "{} bytes", askers.memory_bytes());
        assert!(askers.may_be_answered(asker(19_999), 1_900, at(20_000)));
        assert_eq!(askers.figures(at(60_000)).0, 0, "old questions are gone");
    }

    #[test]
    fn table_does_not_depend_on_the_order_of_questions() {
        let questions: Vec<(u32, i64)> =
            (0..9_000).map(|number| (number % 7_000, i64::from(number * 37 % 9_001))).collect();
        let kept = |questions: &mut dyn Iterator<Item = &(u32, i64)>| {
            let mut askers = askers();
            questions.for_each(|&(number, time)| askers.note(asker(number), 3_702, at(time)));
            (0..7_000).filter(|number| askers.may_be_answered(asker(*number), 3_702, at(9_000))).collect::<Vec<_>>()
        };
        let forwards = kept(&mut questions.iter());
        assert!(forwards.len() > 3_000, "{}", forwards.len());
        assert_eq!(forwards, kept(&mut questions.iter().rev()));
    }
}
