//! Addresses and pairs of addresses as keys of tables, and as lookup keys of one IP version.
//!
//! Takes addresses; feeds them to hashers in as few words as they have. Must not know the tables.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use crate::account::conversation::Address;
use crate::tables::lookup::Lookup;

/// An address as a key. A hasher gets it in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host(pub(super) IpAddr);

/// A sender and a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The sender.
    pub source: IpAddr,
    /// The receiver.
    pub destination: IpAddr,
}

impl Hash for Host {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self.0 {
            IpAddr::V4(address) => address.feed(hasher),
            IpAddr::V6(address) => address.feed(hasher),
        }
    }
}

impl Hash for Pair {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        Host(self.source).hash(hasher);
        Host(self.destination).hash(hasher);
    }
}

/// A lookup key among [`Host`]s.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<A>(pub(super) A);

impl<A: Address> Lookup<Host> for At<A> {
    #[inline(always)]
    fn feed<H: Hasher>(&self, hasher: &mut H) {
        self.0.feed(hasher);
    }

    #[inline(always)]
    fn is(&self, key: &Host) -> bool {
        self.0.is(key.0)
    }

    #[inline(always)]
    fn key(self) -> Host {
        Host(self.0.into())
    }
}

/// A lookup key among [`Pair`]s: source and destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between<A>(pub(super) A, pub(super) A);

impl<A: Address> Lookup<Pair> for Between<A> {
    #[inline(always)]
    fn feed<H: Hasher>(&self, hasher: &mut H) {
        self.0.feed(hasher);
        self.1.feed(hasher);
    }

    #[inline(always)]
    fn is(&self, key: &Pair) -> bool {
        self.0.is(key.source) && self.1.is(key.destination)
    }

    #[inline(always)]
    fn key(self) -> Pair {
        Pair { source: self.0.into(), destination: self.1.into() }
    }
}
