//! Token buckets: limits on how often something happens. Takes moments; tells whether one more is within the limit. Must
//! not know what is limited.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::slots::ClientId;
use super::settings::RequestRate;

/// The most clients whose pace is known. At the limit the one that was active the longest time ago is forgotten.
const MAXIMUM_CLIENTS: usize = 1_024;
/// Checks of passwords of one client: so many at once, then one for each interval.
const CHECKS: RequestRate = RequestRate { interval: Duration::from_secs(1), burst: 10 };

/// A token bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenBucket {
    rate: RequestRate,
    /// The moment at which the bucket is full again.
    full_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(rate: RequestRate, now: Instant) -> Self {
        Self { rate, full_at: now }
    }

    /// Takes a token; false if there is none.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + self.rate.interval;
        let is_within = full_at - now <= self.rate.interval.saturating_mul(self.rate.burst);
        if is_within {
            self.full_at = full_at;
        }
        is_within
    }

    /// Gives a token back.
    fn give_back(&mut self) {
        self.full_at = self.full_at.checked_sub(self.rate.interval).unwrap_or(self.full_at);
    }
}

/// The pace of password checks, by client.
#[derive(Debug, Default)]
pub(super) struct CheckPace(BTreeMap<ClientId, TokenBucket>);

impl CheckPace {
    /// Notes one more check of this client; false if it asks for too many.
    pub(super) fn admit(&mut self, client: ClientId, now: Instant) -> bool {
        if !self.0.contains_key(&client) && self.0.len() >= MAXIMUM_CLIENTS {
            self.forget_one();
        }
        self.0.entry(client).or_insert_with(|| TokenBucket::new(CHECKS, now)).take(now)
    }

    /// Notes that the check was successful: it does not count.
    pub(super) fn forgive(&mut self, client: ClientId) {
        if let Some(bucket) = self.0.get_mut(&client) {
            bucket.give_back();
        }
    }

    fn forget_one(&mut self) {
        let oldest = self.0.iter().min_by_key(|(_, bucket)| bucket.full_at).map(|(client, _)| *client);
        oldest.and_then(|oldest| self.0.remove(&oldest));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(number: u32) -> ClientId {
        IpAddr::from(Ipv4Addr::from_bits(number)).into()
    }

    #[test]
    fn bucket_gives_its_burst_and_then_one_token_per_interval() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(RequestRate { interval: Duration::from_secs(1), burst: 3 }, start);
        let taken = |bucket: &mut TokenBucket, after| {
            let now = start + Duration::from_millis(after);
            (0..5).filter(|_| bucket.take(now)).count()
        };
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 999), 0);
        assert_eq!(taken(&mut bucket, 1_000), 1);
        assert_eq!(taken(&mut bucket, 3_000), 2);
        assert_eq!(taken(&mut bucket, 60_000), 3, "no more than the burst");
    }

    #[test]
    fn clients_have_a_pace_of_their_own_and_right_passwords_do_not_count() {
        let (mut pace, now) = (CheckPace::default(), Instant::now());
        assert_eq!((0..50).filter(|_| pace.admit(client(1), now)).count(), 10);
        for _ in 0..50 {
            assert!(pace.admit(client(2), now));
            pace.forgive(client(2));
        }
    }

    #[test]
    fn number_of_known_clients_is_limited() {
        let (mut pace, now) = (CheckPace::default(), Instant::now());
        for number in 0..5_000 {
            assert!(pace.admit(client(number), now + Duration::from_millis(u64::from(number))));
        }
        assert_eq!(pace.0.len(), MAXIMUM_CLIENTS);
        assert!(pace.0.contains_key(&client(4_999)) && !pace.0.contains_key(&client(0)));
    }
}
