//! The bounded cache of reverse look-ups. Takes replies and times; gives names, and the addresses to ask about. Must not
//! read a clock.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::wire::Reply;

/// The shortest and the longest time for which a name is kept, whatever the server says.
const SHORTEST_TTL: Duration = Duration::from_secs(60);
const LONGEST_TTL: Duration = Duration::from_secs(24 * 3_600);
/// The time for which an address is known to have no name.
const NEGATIVE_TTL: Duration = Duration::from_secs(600);
/// The time after which a failed look-up is tried again.
const FAILURE_TTL: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct CachedName {
    name: Option<Box<str>>,
    expires: Instant,
}

/// Names by address, at most `capacity`. At the limit the entry that expires first makes room.
#[derive(Debug)]
pub(super) struct DnsCache {
    entries: HashMap<IpAddr, CachedName>,
    capacity: usize,
}

impl DnsCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), capacity: capacity.max(1) }
    }

    /// The name of an address. One that has expired counts until the next reply.
    pub(super) fn name(&self, address: IpAddr) -> Option<&str> {
        self.entries.get(&address)?.name.as_deref()
    }

    /// The first `most` of the `wanted` addresses that are unknown or have expired. Addresses past the capacity are left
    /// out: they would push each other out of the cache.
    pub(super) fn due(&self, wanted: &[IpAddr], now: Instant, most: usize) -> Vec<IpAddr> {
        let is_due = |address: &IpAddr| self.entries.get(address).is_none_or(|entry| entry.expires <= now);
        wanted.iter().take(self.capacity).copied().filter(is_due).take(most).collect()
    }

    /// Takes a reply. A failure keeps the name that was known before.
    pub(super) fn put(&mut self, address: IpAddr, reply: Reply, now: Instant) {
        let before = self.entries.remove(&address);
        let (name, ttl) = match reply {
            Reply::Name { name, ttl } => (Some(name), ttl.clamp(SHORTEST_TTL, LONGEST_TTL)),
            Reply::NoName => (None, NEGATIVE_TTL),
            Reply::Failed => (before.and_then(|entry| entry.name), FAILURE_TTL),
        };
        if self.entries.len() >= self.capacity {
            let first = self.entries.iter().min_by_key(|(address, entry)| (entry.expires, **address));
            if let Some(first) = first.map(|(address, _)| *address) {
                self.entries.remove(&first);
            }
        }
        self.entries.insert(address, CachedName { name, expires: now + ttl });
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Memory in bytes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        let names: usize = self.entries.values().filter_map(|entry| entry.name.as_ref()).map(|name| name.len()).sum();
        self.entries.capacity() * size_of::<(IpAddr, CachedName)>() + names
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(number: u8) -> IpAddr {
        [10, 0, 0, number].into()
    }

    fn named(name: &str, seconds: u64) -> Reply {
        Reply::Name { name: name.into(), ttl: Duration::from_secs(seconds) }
    }

    #[test]
    fn replies_expire_by_their_kind_and_within_bounds() {
        let now = Instant::now();
        for (reply, name, seconds) in [
            (named("a", 300), Some("a"), 300),
            (named("a", 0), Some("a"), 60),
            (named("a", u64::from(u32::MAX)), Some("a"), 86_400),
            (Reply::NoName, None, 600),
            (Reply::Failed, None, 60),
        ] {
            let mut cache = DnsCache::new(4);
            assert_eq!(cache.due(&[address(1)], now, 9), [address(1)]);
            cache.put(address(1), reply, now);
            assert_eq!(cache.name(address(1)), name);
            let due = |seconds: u64| cache.due(&[address(1)], now + Duration::from_secs(seconds), 9).len();
            assert_eq!((due(seconds - 1), due(seconds)), (0, 1));
        }
    }

    #[test]
    fn failure_keeps_the_name_and_absence_removes_it() {
        let (mut cache, now) = (DnsCache::new(4), Instant::now());
        cache.put(address(1), named("a", 60), now);
        cache.put(address(1), Reply::Failed, now);
        assert_eq!(cache.name(address(1)), Some("a"));
        cache.put(address(1), Reply::NoName, now);
        assert_eq!(cache.name(address(1)), None);
    }

    #[test]
    fn addresses_past_the_capacity_are_not_asked_for() {
        let (cache, now) = (DnsCache::new(2), Instant::now());
        let wanted: Vec<IpAddr> = (1..9).map(address).collect();
        assert_eq!(cache.due(&wanted, now, 9), [address(1), address(2)]);
        assert_eq!(cache.due(&wanted, now, 1), [address(1)]);
    }

    proptest! {
        #[test]
        fn cache_is_bounded_and_has_the_last_reply_of_each_address_it_has(
            capacity in 1_usize..8,
            replies in proptest::collection::vec((0_u8..16, 0_u64..1_000, any::<bool>()), 0..64),
        ) {
            let (mut cache, now) = (DnsCache::new(capacity), Instant::now());
            let mut last = HashMap::new();
            for (number, ttl, has_name) in replies {
                let reply = if has_name { named(&ttl.to_string(), ttl) } else { Reply::NoName };
                cache.put(address(number), reply, now);
                last.insert(address(number), has_name.then(|| ttl.to_string()));
                prop_assert!(cache.len() <= capacity);
                prop_assert_eq!(cache.name(address(number)), last[&address(number)].as_deref());
                for (address, name) in &last {
                    prop_assert!(cache.name(*address).is_none() || cache.name(*address) == name.as_deref());
                }
            }
        }
    }
}
