//! The contacts whose outcome is open: bounded, each conversation's own, until it is due.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use super::{Place, feed};
use crate::account::conversation::{Address, Endpoint};
use crate::packet::{Protocol, Timestamp};
use crate::tables::hashing;
use crate::tables::slab::{Keyed, Slab};
use crate::time_grid::Cell;

/// A contact and what was heard of it so far.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Who began it.
    pub source: IpAddr,
    /// From which port; 0 where there is none.
    pub source_port: u16,
    /// With whom.
    pub target: Place,
    /// Where it came by.
    pub interface: u16,
    /// What was heard, as its owner encodes it.
    pub signs: u8,
    /// When it began.
    pub first: Timestamp,
    /// When the source last tried.
    pub last: Timestamp,
    /// The cell of the first answer that is not the last word, where the owner's signs say that there is one.
    pub answered: Cell,
    /// Packets of the source.
    pub packets: u32,
    /// IP bytes of the source.
    pub bytes: u32,
    is_open: bool,
}

impl Waiting {
    /// A contact of which nothing was heard.
    #[must_use]
    pub const fn new((source, source_port): (IpAddr, u16), target: Place, interface: u16, first: Timestamp) -> Self {
        Self {
            source,
            source_port,
            target,
            interface,
            signs: 0,
            first,
            last: first,
            answered: super::NEVER,
            packets: 0,
            bytes: 0,
            is_open: true,
        }
    }

    const fn who(&self) -> (IpAddr, u16) {
        (self.source, self.source_port)
    }

    /// The same from its source's last try on.
    #[must_use]
    pub const fn tried_again(self) -> Self {
        Self { first: self.last, ..self }
    }
}

impl Keyed for Waiting {
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        hash(state, self.who(), &self.target)
    }
}

/// All contacts whose outcome is open.
#[derive(Debug)]
pub struct Room {
    contacts: Slab<Waiting>,
    due: BTreeMap<Cell, Vec<u32>>,
    lost: u64,
}

impl Room {
    /// An empty room for `limit` contacts.
    #[must_use]
    pub fn new(limit: usize, seed: u64) -> Self {
        Self { contacts: Slab::new(limit, hashing::state(seed)), due: BTreeMap::new(), lost: 0 }
    }

    /// Whether three quarters are taken: the rest is for those who are suspicious.
    #[must_use]
    #[inline]
    pub fn is_tight(&self) -> bool {
        self.contacts.used() >= self.contacts.limit() - self.contacts.limit() / 4
    }

    /// Whether no other contact finds room.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.contacts.used() >= self.contacts.limit()
    }

    /// A contact was lost for want of room.
    pub const fn lose(&mut self) {
        self.lost += 1;
    }

    /// Whether none waits, nor is due.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// The contact of a source, from one of its ports, with `target`, if it waits.
    #[inline]
    pub fn find(&mut self, source: (IpAddr, u16), target: &Place) -> Option<(u32, &mut Waiting)> {
        if self.contacts.is_empty() {
            return None;
        }
        let hash = hash(self.contacts.state(), source, target);
        let at = self.contacts.find(hash, |contact| contact.target == *target && contact.who() == source)?;
        Some((at, &mut self.contacts[at]))
    }

    /// Whether a contact between two endpoints may wait: hardly ever where none does.
    #[inline(always)]
    pub fn may_hold<A: Address>(&self, source: Endpoint<A>, target: Endpoint<A>, protocol: Protocol) -> bool {
        let mut hasher = self.contacts.state().build_hasher();
        source.address.feed(&mut hasher);
        target.address.feed(&mut hasher);
        hasher.write_u64(rest(source.port, protocol, target.port));
        self.contacts.may_contain(hasher.finish())
    }

    /// Lets a contact wait that does not yet, until the end of `due`. One for which there is no room is lost: its outcome
    /// stays unknown.
    pub fn insert(&mut self, contact: Waiting, due: Cell) {
        if self.is_full() {
            return self.lose();
        }
        let at = self.contacts.insert(contact.hash_under(self.contacts.state()), contact);
        self.due.entry(due).or_default().push(at);
    }

    /// Ends the wait: the outcome is known. Its place is free when it would have been due.
    pub fn resolve(&mut self, at: u32) -> Waiting {
        let contact = self.contacts[at];
        self.contacts[at].is_open = false;
        self.contacts.hide(at);
        contact
    }

    /// The places of contacts that are due in the first cell with any, if that ends by the end of `cell`: each is to be
    /// taken by [`Room::take`]. (Not the contacts: of a flood they would be megabytes, in every cell.)
    pub fn due(&mut self, cell: Cell) -> Option<Vec<u32>> {
        let first = self.due.first_entry().filter(|first| *first.key() <= cell)?;
        Some(first.remove())
    }

    /// Frees a place that was due; the contact there, unless its outcome is known.
    pub fn take(&mut self, at: u32) -> Option<Waiting> {
        let contact = self.contacts[at].is_open.then(|| self.resolve(at));
        self.contacts.free(at);
        contact
    }

    /// Contacts that wait, their limit, and how many were lost.
    #[must_use]
    pub fn figures(&self) -> (usize, usize, u64) {
        (self.contacts.len(), self.contacts.limit(), self.lost)
    }

    /// The memory that the table takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let due: usize = self.due.values().map(Vec::capacity).sum();
        self.contacts.memory_bytes() + due * size_of::<u32>()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.contacts.clear();
        self.due.clear();
    }
}

fn hash<S: BuildHasher>(state: &S, (source, source_port): (IpAddr, u16), target: &Place) -> u64 {
    let mut hasher = state.build_hasher();
    feed(source, &mut hasher);
    feed(target.address, &mut hasher);
    hasher.write_u64(rest(source_port, target.protocol, target.port));
    hasher.finish()
}

/// All but the addresses.
#[inline(always)]
const fn rest(source_port: u16, protocol: Protocol, port: u16) -> u64 {
    (source_port as u64) << 32 | (protocol.0 as u64) << 16 | port as u64
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn who_waits_may_be_held_and_others_hardly_ever() {
        let mut room = Room::new(1_000, 3);
        let source = |port: u16| Endpoint { address: Ipv4Addr::new(192, 0, 2, 1), port };
        let target = |port: u16| Endpoint { address: Ipv4Addr::new(198, 51, 100, 7), port };
        let place = |port: u16| Place { address: target(port).address.into(), protocol: Protocol::TCP, port };
        for port in 1..=1_000 {
            let who = (source(5).address.into(), source(5).port);
            room.insert(Waiting::new(who, place(port), 0, Timestamp::default()), Cell(1));
        }
        assert!(room.is_full());
        assert!((1..=1_000).all(|port| room.may_hold(source(5), target(port), Protocol::TCP)));
        let others = (1_001..=60_000).filter(|port| room.may_hold(source(5), target(*port), Protocol::TCP));
        assert!(others.count() < 100);
        assert!(!room.may_hold(source(6), target(1), Protocol::TCP));
        assert!(!room.may_hold(source(5), target(1), Protocol::UDP));
    }
}
