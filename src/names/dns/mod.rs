//! Reverse look-ups by DNS. Takes addresses; gives their names, from a bounded cache that its own thread fills. Must not
//! know who shows the names.

mod cache;
mod resolver;
mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::figures::{LookupResult, NameSource, NamesFigures};
use super::stop::StopSignal;
use cache::DnsCache;
use resolver::Resolver;
use wire::Reply;

/// The most questions that are sent at once.
const BATCH: usize = 16;
/// Time from one batch of questions to the next, so at most 20 questions are sent in a second.
const BATCH_INTERVAL: Duration = Duration::from_millis(800);
/// Interval at which a thread without questions looks for addresses.
const IDLE_INTERVAL: Duration = Duration::from_millis(500);

/// The port of DNS.
const DNS_PORT: u16 = 53;
/// The most servers that are asked.
const MOST_SERVERS: usize = 3;

/// The servers of a resolver configuration (resolv.conf(5)). Without any it is the one of this host.
pub(super) fn servers(configuration: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        // A zone after `%` names an interface, which an address alone cannot.
        let address: IpAddr = words.nth(1).filter(|_| line.trim_start().starts_with("nameserver"))?.parse().ok()?;
        Some(SocketAddr::new(address, DNS_PORT))
    };
    let servers: Vec<SocketAddr> = configuration.lines().filter_map(server).take(MOST_SERVERS).collect();
    if servers.is_empty() { vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DNS_PORT)] } else { servers }
}

/// Shared by the thread that asks and the one that publishes.
#[derive(Debug)]
pub(super) struct ReverseDns {
    /// The addresses to name, the most important first.
    wanted: ArcSwap<Vec<IpAddr>>,
    cache: Mutex<DnsCache>,
}

impl ReverseDns {
    /// A cache of at most `capacity` addresses.
    pub(super) fn new(capacity: usize) -> Self {
        Self { wanted: ArcSwap::default(), cache: Mutex::new(DnsCache::new(capacity)) }
    }

    /// Asks for the names of these addresses in place of the ones before.
    pub(super) fn want(&self, addresses: Vec<IpAddr>) {
        self.wanted.store(Arc::new(addresses));
    }

    /// The known names of `addresses`.
    pub(super) fn names(&self, addresses: impl Iterator<Item = IpAddr>) -> HashMap<IpAddr, Box<str>> {
        let cache = self.cache();
        addresses.filter_map(|address| Some((address, cache.name(address)?.into()))).collect()
    }

    /// The number of cached addresses, and their memory in bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let cache = self.cache();
        (cache.len(), cache.memory_bytes())
    }

    fn cache(&self) -> MutexGuard<'_, DnsCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks names up until `stop` is raised.
    pub(super) fn run(&self, servers: Vec<SocketAddr>, figures: &NamesFigures, stop: &StopSignal) {
        let mut resolver = Resolver::new(servers);
        while !stop.is_raised() {
            let due = self.cache().due(&self.wanted.load(), Instant::now(), BATCH);
            if due.is_empty() {
                stop.wait(IDLE_INTERVAL);
                continue;
            }
            let start = Instant::now();
            let replies = resolver.look_up(&due, &|| stop.is_raised());
            let mut cache = self.cache();
            for (address, reply) in replies {
                figures.count(NameSource::Dns, result(&reply));
                cache.put(address, reply, Instant::now());
            }
            drop(cache);
            stop.wait(BATCH_INTERVAL.saturating_sub(start.elapsed()));
        }
    }
}

const fn result(reply: &Reply) -> LookupResult {
    match reply {
        Reply::Name { .. } => LookupResult::Found,
        Reply::NoName => LookupResult::Missing,
        Reply::Failed => LookupResult::Failed,
    }
}

/// True for addresses whose names no server has: of this host, of a link, of groups.
pub(super) fn has_no_name(address: IpAddr) -> bool {
    address.is_loopback()
        || address.is_multicast()
        || address.is_unspecified()
        || match address {
            IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        }
}

#[cfg(test)]
mod tests;
