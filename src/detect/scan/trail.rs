//! The first and the last contacts of each source that may be scanning.
//!
//! Takes contacts that count; gives the targets that a source tried first and last. The table of contacts holds only a sample
//! of many targets, so the trail of a suspect is kept beside it. There are at most as many trails as suspects and reported
//! sources. Must not know limits or outcomes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use super::contacts::{Aspect, HostPort, feed};
use crate::detect::MAXIMUM_TARGETS;
use crate::packet::Timestamp;
use crate::tables::hashing::{self, State};

/// A contact: the time of a packet, and its target.
pub(super) type TrailStep = (Timestamp, HostPort);

#[derive(Debug, Clone)]
pub(super) struct Trail {
    /// The first contacts, each with another target; at most [`MAXIMUM_TARGETS`], the earliest first.
    pub(super) first: Vec<TrailStep>,
    pub(super) last: TrailStep,
}

impl Trail {
    /// The trail of a source with these contacts, the last of which is given too.
    fn new(known: impl Iterator<Item = TrailStep>, last: TrailStep) -> Self {
        let mut first: Vec<TrailStep> = known.collect();
        first.sort_unstable();
        first.truncate(MAXIMUM_TARGETS);
        Self { first, last }
    }

    /// Adds a contact by the times of its first and of its last packet.
    fn follow(&mut self, [begun, last]: [Timestamp; 2], place: HostPort) {
        self.last = self.last.max((last, place));
        let step = (begun, place);
        let is_early = self.first.len() < MAXIMUM_TARGETS || self.first.last().is_some_and(|known| step < *known);
        if is_early && !self.first.iter().any(|(_, known)| *known == place) {
            self.first.insert(self.first.partition_point(|known| *known < step), step);
            self.first.truncate(MAXIMUM_TARGETS);
        }
    }
}

/// The trails by aspect and source.
#[derive(Debug)]
pub(super) struct Trails(HashMap<TrailKey, Trail, State>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TrailKey(Aspect, IpAddr);

/// In few words: each contact of a suspect asks for its trail.
impl Hash for TrailKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        feed(self.1, hasher);
        hasher.write_u8(self.0 as u8);
    }
}

impl Trails {
    /// No trails; `seed` decides their places.
    pub(super) fn new(seed: u64) -> Self {
        Self(HashMap::with_hasher(hashing::state(seed)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a contact of a source that has a trail. A suspect without a trail gets one, with its `known` contacts.
    pub(super) fn follow<I: Iterator<Item = TrailStep>>(
        &mut self,
        (aspect, source): (Aspect, IpAddr),
        packets: [Timestamp; 2],
        place: HostPort,
        known: impl FnOnce() -> Option<I>,
    ) {
        match self.0.entry(TrailKey(aspect, source)) {
            Entry::Occupied(mut trail) => trail.get_mut().follow(packets, place),
            Entry::Vacant(free) => {
                if let Some(known) = known() {
                    free.insert(Trail::new(known, (packets[1], place)));
                }
            }
        }
    }

    pub(super) fn of(&self, aspect: Aspect, source: IpAddr) -> Option<&Trail> {
        self.0.get(&TrailKey(aspect, source))
    }

    pub(super) fn forget(&mut self, aspect: Aspect, source: IpAddr) {
        self.0.remove(&TrailKey(aspect, source));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.len() * (size_of::<(TrailKey, Trail)>() + MAXIMUM_TARGETS * size_of::<TrailStep>())
    }
}
