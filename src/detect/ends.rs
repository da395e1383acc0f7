//! Who is told apart by address, as keys and as what is looked up.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use crate::account::conversation::Address;
use crate::tables::lookup::Lookup;

/// An address as a key: fed to the hasher in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host(pub(super) IpAddr);

/// Who sends, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Who sends.
    pub source: IpAddr,
    /// Who receives.
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

/// Who is looked up among [`Host`]s.
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

/// Who sends and to whom, looked up among [`Pair`]s.
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
