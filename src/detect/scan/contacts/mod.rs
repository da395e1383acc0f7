//! The contacts of each source, answered or not: bounded sets of hosts and of ports.
//!
//! Takes sources and targets; gives marks, which the rules fill, and counts. Must not know the rules.
//!
//! A set is exact up to a size. Beyond it, it keeps a sample of targets, chosen by their hash so that answered and
//! unanswered ones are thinned out alike ([`Keeping::Sample`]); or the latest ones ([`Keeping::Latest`]). When the
//! table of sources is full, a source that comes back often takes the place of one with a single contact; a source with
//! more is never evicted for another. [`pending`] holds the contacts without an outcome.

pub mod askers;
mod mark;
pub mod pending;
mod sets;
mod settled;
mod sketch;
mod target;

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use crate::account::conversation::Address;
use crate::packet::{Protocol, Timestamp};
use crate::tables::hashing;
use crate::tables::index::NOWHERE;
use crate::tables::sampling::{Sampling, Seeds};
use crate::tables::slab::{Keyed, Slab};
use crate::time_grid::Cell;
pub use mark::{Mark, TargetOutcome, Tried};
pub use settled::{ContactOutcome, SettledContact};
use sketch::Sketch;
pub use target::{Aspect, HostPort};

/// The most sources that are examined to find one to evict.
const EVICTION_ATTEMPTS: usize = 32;
/// The targets of a single contact: a host and a port.
const LIGHT: usize = 2;

/// The targets that a set keeps when it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// One in 2, 4, 8 … targets; each counts for as many.
    Sample,
    /// The latest targets, half as many as the set can hold at least.
    Latest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactBounds {
    pub sources: usize,
    /// The most targets of all sources together.
    pub targets: usize,
    /// The most targets in one set, by aspect.
    pub targets_each: [usize; 2],
    /// The targets that a set keeps when it is full.
    pub keeping: Keeping,
}

/// A source after another of its targets was counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    pub address: IpAddr,
    pub is_outside: bool,
    /// At least the number of targets that were counted in the window.
    pub targets: u64,
    /// True if only a sample of the targets is held.
    pub is_sampled: bool,
}

/// A cell before all others.
pub const NEVER: Cell = Cell(i64::MIN);

#[derive(Debug, Clone)]
struct SourceEntry {
    address: IpAddr,
    is_used: bool,
    is_outside: bool,
    /// The time of the latest evidence.
    latest: Timestamp,
    level: [u8; 2],
    length: [u32; 2],
    first: [u32; 2],
    /// At least the number of targets that were counted in the window.
    counted: [u32; 2],
}

impl Keyed for SourceEntry {
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        hash_address(state, self.address)
    }
}

#[derive(Debug)]
pub struct Contacts {
    sampling: Sampling,
    bounds: ContactBounds,
    sources: Slab<SourceEntry, true>,
    marks: Slab<Mark>,
    sketch: Sketch,
    hand: usize,
    evicted: u64,
    lost: u64,
}

impl Contacts {
    /// Empty tables. A set has at most 131,072 targets, twice the largest limit and two, as a set of the latest needs.
    pub fn new(bounds: ContactBounds, seeds: Seeds) -> Self {
        Self {
            sampling: Sampling::new(seeds.sampling),
            bounds: ContactBounds { targets_each: bounds.targets_each.map(|each| each.clamp(4, 131_072)), ..bounds },
            sources: Slab::new(bounds.sources, hashing::state(seeds.tables)),
            marks: Slab::new(bounds.targets, hashing::state(seeds.tables)),
            sketch: Sketch::default(),
            hand: 0,
            evicted: 0,
            lost: 0,
        }
    }

    #[inline]
    fn hash(&self, address: IpAddr) -> u64 {
        hash_address(self.sources.state(), address)
    }

    /// The position of a source, if it has an entry.
    #[inline]
    pub fn find(&self, address: IpAddr) -> Option<u32> {
        self.sources.find(self.hash(address), |source| source.address == address)
    }

    /// True if a source is worth examining although room is short: it has an entry, or was seen suspiciously often.
    #[inline(always)]
    pub fn is_wanted(&mut self, address: IpAddr) -> bool {
        let hash = self.hash(address);
        self.sources.find_again(hash, |source| source.address == address).is_some()
            || self.sketch.count(hash_address(&self.sampling, address))
    }

    /// Reads ahead what [`Contacts::is_wanted`] needs for a source without an entry, so that cache misses overlap.
    #[inline(always)]
    pub(crate) fn touch_newcomer<A: Address>(&self, address: A) {
        self.sketch.touch(hash_of(&self.sampling, address));
    }

    /// True if a new source finds room only in the place of another.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.sources.len() >= self.bounds.sources || self.marks.len() + LIGHT > self.bounds.targets
    }

    /// The position of a source, which gets an entry if it has none; none if there is no room.
    pub fn find_or_insert(&mut self, address: IpAddr) -> Option<u32> {
        let hash = self.hash(address);
        if let Some(found) = self.sources.find_again(hash, |source| source.address == address) {
            return Some(found);
        }
        if self.sources.len() >= self.bounds.sources && !self.evict_single_contact(NOWHERE) {
            self.lost += 1;
            return None;
        }
        let source = SourceEntry {
            address,
            is_used: true,
            is_outside: false,
            latest: Timestamp::BEFORE_ALL,
            level: [0; 2],
            length: [0; 2],
            first: [NOWHERE; 2],
            counted: [0; 2],
        };
        Some(self.sources.insert(hash, source))
    }

    pub(crate) fn kept_at_least(&self, aspect: Aspect) -> usize {
        self.bounds.targets_each[aspect as usize] / 2
    }

    pub fn address(&self, source: u32) -> IpAddr {
        self.sources[source].address
    }

    /// At least the number of targets that were counted in the window: a cheap bound.
    pub fn counted(&self, source: u32, aspect: Aspect) -> u64 {
        u64::from(self.sources[source].counted[aspect as usize])
    }

    /// Counts a target that stands for `weight` targets.
    pub(crate) fn count(&mut self, source: u32, aspect: Aspect, weight: u64) -> Counted {
        let SourceEntry { address, is_outside, level, counted, .. } = &mut self.sources[source];
        let counted = &mut counted[aspect as usize];
        *counted = counted.saturating_add(u32::try_from(weight).unwrap_or(u32::MAX));
        let (targets, is_sampled) = (u64::from(*counted), level[aspect as usize] > 0);
        Counted { address: *address, is_outside: *is_outside, targets, is_sampled }
    }

    pub(crate) fn set_counted(&mut self, source: u32, aspect: Aspect, counted: u64) {
        self.sources[source].counted[aspect as usize] = u32::try_from(counted).unwrap_or(u32::MAX);
    }

    /// The mark of a target of `source`, made if there is none. `horizon` is the first cell of the window; a mark that
    /// left the window starts over. None if the set is a sample without the target, or there is no room.
    pub fn mark(&mut self, source: u32, aspect: Aspect, target: HostPort, horizon: Cell) -> Option<&mut Mark> {
        let hash = self.hash_target(source, aspect, &target);
        let found = self.marks.find(hash, |mark| mark.is_of(source, aspect, &target));
        let at = match found {
            Some(at) => at,
            None => self.insert(hash, source, aspect, target, horizon)?,
        };
        let mark = &mut self.marks[at];
        if !mark.is_live(horizon) {
            *mark = Mark::new(mark.owner, mark.next, mark.aspect, mark.level, target);
        }
        Some(mark)
    }

    /// The mark of a host, if a source has one.
    pub fn mark_of_host(&self, source: u32, host: IpAddr) -> Option<&Mark> {
        let target = HostPort { address: host, protocol: Protocol(0), port: 0 };
        let hash = self.hash_target(source, Aspect::Hosts, &target);
        let at = self.marks.find(hash, |mark| mark.is_of(source, Aspect::Hosts, &target))?;
        Some(&self.marks[at])
    }

    /// True if a source has a contact with a host in the window, of whatever outcome.
    pub fn has_contacted(&self, source: u32, host: IpAddr, horizon: Cell) -> bool {
        self.mark_of_host(source, host).is_some_and(|mark| mark.is_live(horizon))
    }

    pub fn marks(&self, source: u32, aspect: Aspect) -> impl Iterator<Item = &Mark> {
        let mut at = self.sources[source].first[aspect as usize];
        std::iter::from_fn(move || {
            let mark = self.marks.get(at)?;
            at = mark.next;
            Some(mark)
        })
    }

    /// The number of targets for which each new one in the set of a source stands.
    pub fn weight(&self, source: u32, aspect: Aspect) -> u64 {
        1 << self.sources[source].level[aspect as usize]
    }

    /// Notes that there was evidence against a source at `time`.
    pub fn note_evidence(&mut self, source: u32, time: Timestamp) {
        let latest = &mut self.sources[source].latest;
        *latest = time.max(*latest);
    }

    /// The time of the latest evidence against a source.
    pub fn latest_evidence(&self, source: u32) -> Timestamp {
        self.sources[source].latest
    }

    /// Notes that a source is outside the local networks.
    pub fn set_outside(&mut self, source: u32) {
        self.sources[source].is_outside = true;
    }

    /// True if a source is known to be outside the local networks.
    pub fn is_outside(&self, source: u32) -> bool {
        self.sources[source].is_outside
    }

    pub fn sources(&self) -> impl Iterator<Item = u32> {
        self.sources.iter().filter(|(_, source)| source.is_used).map(|(at, _)| at)
    }

    /// The number of positions, used or not.
    pub fn positions(&self) -> usize {
        self.sources.positions()
    }

    /// The estimated number of targets of a source.
    pub fn length(&self, source: u32, aspect: Aspect) -> u64 {
        let SourceEntry { length, level, .. } = &self.sources[source];
        u64::from(length[aspect as usize]) << level[aspect as usize]
    }

    /// The number of sources, their limit, and the number that were evicted.
    pub(crate) fn source_figures(&self) -> (usize, usize, u64) {
        (self.sources.len(), self.bounds.sources, self.evicted)
    }

    /// The number of targets, their limit, and the number that found no room.
    pub(crate) fn target_figures(&self) -> (usize, usize, u64) {
        (self.marks.len(), self.bounds.targets, self.lost)
    }

    pub fn memory_bytes(&self) -> usize {
        self.sources.memory_bytes() + self.marks.memory_bytes() + self.sketch.memory_bytes()
    }

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

/// Feeds an address to a hasher in few words.
#[inline]
pub fn feed<H: Hasher>(address: IpAddr, hasher: &mut H) {
    match address {
        IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
        IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
    }
}

#[cfg(test)]
mod tests;
