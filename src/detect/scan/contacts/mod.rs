//! Whom each source contacted, answered or not: bounded sets of hosts and of ports, a pair a source.
//!
//! A set is exact up to a size. Beyond it, it keeps a sample of targets, chosen by their hash so that answered and
//! unanswered ones are thinned out alike ([`Keeping::Sample`]); or the latest ones ([`Keeping::Latest`]). When the table
//! of sources is full, who comes back often takes the place of one who has a single contact; a source with more is never
//! given up for another. [`waiting`] holds the contacts that have no outcome yet, [`askers`] the endpoints that asked many
//! hosts at once.

pub mod askers;
mod sets;
mod sketch;
pub mod waiting;

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use crate::account::conversation::Address;
use crate::packet::{Protocol, Timestamp};
use crate::tables::hashing;
use crate::tables::index::NOWHERE;
use crate::tables::sampling::{Sampling, Seeds};
use crate::tables::slab::{Keyed, Slab};
use crate::time_grid::Cell;
use sketch::Sketch;

/// How many sources are looked at for one that can be given up.
const LOOKS_FOR_ROOM: usize = 32;
/// As many targets as a single contact makes: a host and a port.
const LIGHT: usize = 2;

/// What is told apart of whom a source contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Addresses.
    Hosts,
    /// TCP and UDP destination ports, each protocol's own.
    Ports,
}

impl Aspect {
    /// Both, in order.
    pub const BOTH: [Self; 2] = [Self::Hosts, Self::Ports];
}

/// What a set keeps when it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// One in 2, 4, 8 … targets; each stands for as many.
    Sample,
    /// The latest, half as many as it can hold at least.
    Latest,
}

/// How much is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Sources.
    pub sources: usize,
    /// Targets of all sources together.
    pub targets: usize,
    /// Targets in one set, by aspect.
    pub targets_each: [usize; 2],
    /// What a set keeps when it is full.
    pub keeping: Keeping,
}

/// A port of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The host.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port; 0 where there is none.
    pub port: u16,
}

/// A cell before all others.
pub const NEVER: Cell = Cell(i64::MIN);

/// What is known of a target.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    owner: u32,
    next: u32,
    aspect: Aspect,
    level: u8,
    /// Where the contact that counts since [`Mark::since`] came by.
    pub interface: u16,
    /// The contact that counts since [`Mark::since`].
    pub place: Place,
    /// Since when it counts without a break.
    pub since: Timestamp,
    /// The time of the first packet of that contact.
    pub begun: Timestamp,
    /// The last cell in which it was counted.
    pub counted: Cell,
    /// The last cell in which it answered.
    pub answered: Cell,
}

impl Mark {
    /// How many targets it stands for.
    #[must_use]
    pub const fn weight(&self) -> u64 {
        1 << self.level
    }

    fn is_live(&self, horizon: Cell) -> bool {
        self.counted >= horizon || self.answered >= horizon
    }
}

/// A source.
#[derive(Debug, Clone)]
struct Source {
    address: IpAddr,
    is_used: bool,
    level: [u8; 2],
    length: [u32; 2],
    first: [u32; 2],
    /// At least as many targets as were counted in the window.
    counted: [u32; 2],
}

impl Keyed for Source {
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        hash_address(state, self.address)
    }
}

/// The sources and their targets.
#[derive(Debug)]
pub struct Contacts {
    sampling: Sampling,
    bounds: Bounds,
    sources: Slab<Source, true>,
    marks: Slab<Mark>,
    sketch: Sketch,
    hand: usize,
    evicted: u64,
    lost: u64,
}

impl Contacts {
    /// Empty tables. Of a set at most 131,072 targets are held: twice as many as the largest limit, and two, for one that
    /// keeps the latest half.
    #[must_use]
    pub fn new(bounds: Bounds, seeds: Seeds) -> Self {
        Self {
            sampling: Sampling::new(seeds.sampling),
            bounds: Bounds { targets_each: bounds.targets_each.map(|each| each.clamp(4, 131_072)), ..bounds },
            sources: Slab::new(bounds.sources, hashing::state(seeds.tables)),
            marks: Slab::new(bounds.targets, hashing::state(seeds.tables)),
            sketch: Sketch::default(),
            hand: 0,
            evicted: 0,
            lost: 0,
        }
    }

    /// The hash of an address in these tables.
    #[inline]
    fn hash(&self, address: IpAddr) -> u64 {
        hash_address(self.sources.state(), address)
    }

    /// The position of a source that is held.
    #[must_use]
    #[inline]
    pub fn find(&self, address: IpAddr) -> Option<u32> {
        self.sources.find(self.hash(address), |source| source.address == address)
    }

    /// Whether a source is worth looking at though room is short: it is held, or was seen suspiciously often.
    #[inline(always)]
    pub fn is_wanted(&mut self, address: IpAddr) -> bool {
        let hash = self.hash(address);
        self.sources.find_again(hash, |source| source.address == address).is_some()
            || self.sketch.count(hash_address(&self.sampling, address))
    }

    /// Reads what [`Contacts::is_wanted`] will need of who is not held, so that the misses of several overlap.
    #[inline(always)]
    pub fn touch_newcomer<A: Address>(&self, address: A) {
        self.sketch.touch(hash_of(&self.sampling, address));
    }

    /// Whether no source finds room but in the place of another.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.sources.len() >= self.bounds.sources || self.marks.len() + LIGHT > self.bounds.targets
    }

    /// The position of a source, which is held from here on; none if there is no room.
    pub fn hold(&mut self, address: IpAddr) -> Option<u32> {
        let hash = self.hash(address);
        if let Some(found) = self.sources.find_again(hash, |source| source.address == address) {
            return Some(found);
        }
        if self.sources.len() >= self.bounds.sources && !self.give_up_a_light_one(NOWHERE) {
            self.lost += 1;
            return None;
        }
        let source =
            Source { address, is_used: true, level: [0; 2], length: [0; 2], first: [NOWHERE; 2], counted: [0; 2] };
        Some(self.sources.insert(hash, source))
    }

    /// What a set keeps when it is full.
    #[must_use]
    pub fn keeping(&self) -> Keeping {
        self.bounds.keeping
    }

    /// How many targets of a set are certainly held.
    #[must_use]
    pub fn kept_at_least(&self, aspect: Aspect) -> usize {
        self.bounds.targets_each[aspect as usize] / 2
    }

    /// The address of a source.
    #[must_use]
    pub fn address(&self, source: u32) -> IpAddr {
        self.sources[source].address
    }

    /// At least as many targets as were counted in the window: a cheap bound.
    #[must_use]
    pub fn counted(&self, source: u32, aspect: Aspect) -> u64 {
        u64::from(self.sources[source].counted[aspect as usize])
    }

    /// Says how many were counted, or adds to it: who counts knows best.
    pub fn set_counted(&mut self, source: u32, aspect: Aspect, counted: u64) {
        self.sources[source].counted[aspect as usize] = u32::try_from(counted).unwrap_or(u32::MAX);
    }

    /// Whether a set is a sample.
    #[must_use]
    pub fn is_sampled(&self, source: u32, aspect: Aspect) -> bool {
        self.sources[source].level[aspect as usize] > 0
    }

    /// The mark of a target of `source`, made if there is none. `horizon` is the first cell of the window. None if the set
    /// is a sample without it, or there is no room.
    pub fn mark(&mut self, source: u32, aspect: Aspect, place: Place, horizon: Cell) -> Option<&mut Mark> {
        let hash = self.hash_target(source, aspect, &place);
        let found = self.marks.find(hash, |mark| mark.is_of(source, aspect, &place));
        let at = match found {
            Some(at) => at,
            None => self.insert(hash, source, aspect, place, horizon)?,
        };
        Some(&mut self.marks[at])
    }

    /// The marks of a source.
    pub fn marks(&self, source: u32, aspect: Aspect) -> impl Iterator<Item = &Mark> {
        let mut at = self.sources[source].first[aspect as usize];
        std::iter::from_fn(move || {
            let mark = self.marks.get(at)?;
            at = mark.next;
            Some(mark)
        })
    }

    /// The positions of all sources.
    pub fn sources(&self) -> impl Iterator<Item = u32> {
        self.sources.iter().filter(|(_, source)| source.is_used).map(|(at, _)| at)
    }

    /// How many positions there are, used or not.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.sources.positions()
    }

    /// About how many targets a source has.
    #[must_use]
    pub fn length(&self, source: u32, aspect: Aspect) -> u64 {
        let Source { length, level, .. } = &self.sources[source];
        u64::from(length[aspect as usize]) << level[aspect as usize]
    }

    /// Sources held, their limit, and how many were given up for others or found no room.
    #[must_use]
    pub fn source_figures(&self) -> (usize, usize, u64) {
        (self.sources.len(), self.bounds.sources, self.evicted)
    }

    /// Targets held, their limit, and how many found no room.
    #[must_use]
    pub fn target_figures(&self) -> (usize, usize, u64) {
        (self.marks.len(), self.bounds.targets, self.lost)
    }

    /// The memory that the tables take, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.sources.memory_bytes() + self.marks.memory_bytes() + self.sketch.memory_bytes()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sources.clear();
        self.marks.clear();
        self.sketch.clear();
        self.hand = 0;
    }
}

#[inline]
fn hash_address<S: BuildHasher>(state: &S, address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => hash_of(state, address),
        IpAddr::V6(address) => hash_of(state, address),
    }
}

#[inline]
fn hash_of<S: BuildHasher, A: Address>(state: &S, address: A) -> u64 {
    let mut hasher = state.build_hasher();
    address.feed(&mut hasher);
    hasher.finish()
}

/// Feeds an address to a hasher in as few words as it has.
#[inline]
pub fn feed<H: Hasher>(address: IpAddr, hasher: &mut H) {
    match address {
        IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
        IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
    }
}

#[cfg(test)]
mod tests;
