//! The pending contacts: those whose outcome is open.
//!
//! Takes contacts and the cells in which they are due; gives them back when they are known or due. Must not know how.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use super::{HostPort, feed};
use crate::account::conversation::{Address, Endpoint};
use crate::packet::{Protocol, Timestamp};
use crate::tables::hashing;
use crate::tables::sampling::Sampling;
use crate::tables::slab::{Keyed, Slab};
use crate::time_grid::Cell;

#[derive(Debug, Clone, Copy)]
pub struct PendingContact {
    pub source: IpAddr,
    pub source_port: u16,
    pub target: HostPort,
    pub interface: u16,
    /// The source is known to be outside the local networks.
    pub is_outside: bool,
    /// The signals so far, in the owner's encoding.
    pub signals: u8,
    pub first: Timestamp,
    /// Time of the source's last attempt.
    pub last: Timestamp,
    /// Packets of the source; these and the numbers below stop at their maximum.
    pub packets: u16,
    /// IP bytes of the source.
    pub bytes: u16,
    /// Packets of the target.
    pub reply_packets: u16,
    /// IP bytes of the target.
    pub reply_bytes: u16,
    is_open: bool,
}

impl PendingContact {
    pub const fn new((source, source_port): (IpAddr, u16), target: HostPort, interface: u16, first: Timestamp) -> Self {
        Self {
            source,
            source_port,
            target,
            interface,
            is_outside: false,
            signals: 0,
            first,
            last: first,
            packets: 0,
            bytes: 0,
            reply_packets: 0,
            reply_bytes: 0,
            is_open: true,
        }
    }

    const fn source_endpoint(&self) -> (IpAddr, u16) {
        (self.source, self.source_port)
    }

    /// The same contact, begun at the source's last attempt.
    #[must_use]
    pub(crate) const fn tried_again(self) -> Self {
        Self { first: self.last, ..self }
    }
}

impl Keyed for PendingContact {
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        hash(state, self.source_endpoint(), &self.target)
    }
}

#[derive(Debug)]
pub struct PendingContacts {
    contacts: Slab<PendingContact>,
    due: BTreeMap<Cell, Vec<u32>>,
    lost: u64,
}

impl PendingContacts {
    pub fn new(limit: usize, seed: u64) -> Self {
        Self { contacts: Slab::new(limit, hashing::state(seed)), due: BTreeMap::new(), lost: 0 }
    }

    /// True if three quarters are used: the rest is for suspicious sources.
    #[inline]
    pub fn is_nearly_full(&self) -> bool {
        self.contacts.used() >= self.contacts.limit() - self.contacts.limit() / 4
    }

    #[inline]
    pub fn is_full(&self) -> bool {
        self.contacts.used() >= self.contacts.limit()
    }

    pub(crate) const fn count_lost(&mut self) {
        self.lost += 1;
    }

    /// True if no contact is pending or due.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// The contact of a source, from one of its ports, with `target`, if it is pending.
    #[inline]
    pub fn find(&mut self, source: (IpAddr, u16), target: &HostPort) -> Option<(u32, &mut PendingContact)> {
        if self.contacts.is_empty() {
            return None;
        }
        let hash = hash(self.contacts.state(), source, target);
        let at =
            self.contacts.find(hash, |contact| contact.target == *target && contact.source_endpoint() == source)?;
        Some((at, &mut self.contacts[at]))
    }

    /// True if a contact between two endpoints may be pending; hardly ever true if it is not.
    #[inline(always)]
    pub(crate) fn may_hold<A: Address>(&self, source: Endpoint<A>, target: Endpoint<A>, protocol: Protocol) -> bool {
        let mut hasher = self.contacts.state().build_hasher();
        source.address.feed(&mut hasher);
        target.address.feed(&mut hasher);
        hasher.write_u64(rest(source.port, protocol, target.port));
        self.contacts.may_contain(hasher.finish())
    }

    /// Adds a contact that is not pending yet, until the end of `due`. Without room it is lost.
    pub fn insert(&mut self, contact: PendingContact, due: Cell) {
        if self.is_full() {
            return self.count_lost();
        }
        let at = self.contacts.insert(contact.hash_under(self.contacts.state()), contact);
        self.due.entry(due).or_default().push(at);
    }

    /// Removes a contact whose outcome is known. Its position is freed when it would have been due.
    pub fn resolve(&mut self, at: u32) -> PendingContact {
        let contact = self.contacts[at];
        self.contacts[at].is_open = false;
        self.contacts.hide(at);
        contact
    }

    /// The positions of the contacts that are due in the first cell with any, if that ends by the end of `cell`. Each
    /// is then taken by [`PendingContacts::take`]. (Contacts of a flood would be megabytes.)
    pub fn due(&mut self, cell: Cell) -> Option<Vec<u32>> {
        let first = self.due.first_entry().filter(|first| *first.key() <= cell)?;
        Some(first.remove())
    }

    /// Frees a position that was due; gives its contact, unless the outcome is known.
    pub fn take(&mut self, at: u32) -> Option<PendingContact> {
        let contact = self.contacts[at].is_open.then(|| self.resolve(at));
        self.contacts.free(at);
        contact
    }

    /// The pairs of source and target between which a contact is pending.
    pub fn pairs(&self) -> PendingPairs {
        let open = self.contacts.iter().map(|(_, contact)| contact).filter(|contact| contact.is_open);
        let open = open.filter(|contact| !contact.target.is_on_link());
        PendingPairs(open.map(|contact| pair(contact.source, contact.target.address)).collect())
    }

    /// The number of pending contacts, their limit, and the number that were lost.
    pub fn figures(&self) -> (usize, usize, u64) {
        (self.contacts.len(), self.contacts.limit(), self.lost)
    }

    pub fn memory_bytes(&self) -> usize {
        let due: usize = self.due.values().map(Vec::capacity).sum();
        self.contacts.memory_bytes() + due * size_of::<u32>()
    }

    pub fn clear(&mut self) {
        self.contacts.clear();
        self.due.clear();
    }
}

/// Pairs of source and target with a pending contact, by their hashes.
#[derive(Debug, Default)]
pub struct PendingPairs(HashSet<u64>);

impl PendingPairs {
    /// True if a contact of a source with a host is pending.
    pub fn contain(&self, source: IpAddr, host: IpAddr) -> bool {
        self.0.contains(&pair(source, host))
    }
}

fn pair(source: IpAddr, target: IpAddr) -> u64 {
    let mut hasher = Sampling::new(0).build_hasher();
    feed(source, &mut hasher);
    feed(target, &mut hasher);
    hasher.finish()
}

fn hash<S: BuildHasher>(state: &S, (source, source_port): (IpAddr, u16), target: &HostPort) -> u64 {
    let mut hasher = state.build_hasher();
    feed(source, &mut hasher);
    feed(target.address, &mut hasher);
    hasher.write_u64(rest(source_port, target.protocol, target.port));
    hasher.finish()
}

/// The fields beside the addresses, in one word.
#[inline(always)]
const fn rest(source_port: u16, protocol: Protocol, port: u16) -> u64 {
    (source_port as u64) << 32 | (protocol.0 as u64) << 16 | port as u64
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn pending_contacts_may_be_contained_and_others_hardly_ever() {
        let mut pending = PendingContacts::new(1_000, 3);
        let source = |port: u16| Endpoint { address: Ipv4Addr::new(192, 0, 2, 1), port };
        let target = |port: u16| Endpoint { address: Ipv4Addr::new(198, 51, 100, 7), port };
        let at_port = |port: u16| HostPort { address: target(port).address.into(), protocol: Protocol::TCP, port };
        for port in 1..=1_000 {
            let from = (source(5).address.into(), source(5).port);
            pending.insert(PendingContact::new(from, at_port(port), 0, Timestamp::default()), Cell(1));
        }
        assert!(pending.is_full());
        assert!((1..=1_000).all(|port| pending.may_hold(source(5), target(port), Protocol::TCP)));
        let others = (1_001..=60_000).filter(|port| pending.may_hold(source(5), target(*port), Protocol::TCP));
        assert!(others.count() < 100);
        assert!(!pending.may_hold(source(6), target(1), Protocol::TCP));
        assert!(!pending.may_hold(source(5), target(1), Protocol::UDP));
    }
}
