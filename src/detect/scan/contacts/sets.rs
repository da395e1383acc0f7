//! The sets of targets: admission, thinning out and eviction.
//!
//! Takes targets and the start of the window; gives marks within the limits of sets. Must not know the rules.

use std::hash::{BuildHasher, Hasher};

use super::{Aspect, Contacts, EVICTION_ATTEMPTS, HostPort, Keeping, LIGHT, Mark, NOWHERE, SourceEntry, feed};
use crate::packet::Protocol;
use crate::tables::slab::Keyed;
use crate::time_grid::Cell;

impl Mark {
    /// True if it is the mark of a target. Of a port, the host does not matter; of a host, the port does not, but its link
    /// address is another target.
    #[inline]
    pub(super) fn is_of(&self, owner: u32, aspect: Aspect, target: &HostPort) -> bool {
        self.owner == owner
            && self.aspect == aspect
            && match aspect {
                Aspect::Hosts => {
                    self.target.address == target.address && self.target.is_on_link() == target.is_on_link()
                }
                Aspect::Ports => (self.target.protocol, self.target.port) == (target.protocol, target.port),
            }
    }
}

impl Keyed for Mark {
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        hash_target(state, self.owner, self.aspect, &self.target)
    }
}

impl Contacts {
    /// Removes the targets that left the window. A sample that became small continues with a larger part.
    pub(crate) fn purge(&mut self, source: u32, aspect: Aspect, horizon: Cell) {
        self.retain(source, aspect, |mark| mark.is_live(horizon));
        let quarter = self.bounds.targets_each[aspect as usize] / 4;
        let SourceEntry { level, length, .. } = &mut self.sources[source];
        let is_small = (length[aspect as usize] as usize) < quarter;
        if is_small && level[aspect as usize] > 0 {
            level[aspect as usize] -= 1;
        }
    }

    /// Examines the next `count` sources: removes targets that left the windows, and sources without any.
    pub fn sweep(&mut self, count: usize, horizons: [Cell; 2]) {
        for _ in 0..count.min(self.sources.positions()) {
            let at = self.advance_hand();
            let source = &self.sources[at];
            if !source.is_used || source.level != [0; 2] {
                continue;
            }
            Aspect::BOTH
                .iter()
                .for_each(|&aspect| self.retain(at, aspect, |mark| mark.is_live(horizons[aspect as usize])));
            let source = &self.sources[at];
            if source.length == [0; 2] {
                self.remove(at);
            }
        }
    }

    pub(super) fn hash_target(&self, owner: u32, aspect: Aspect, target: &HostPort) -> u64 {
        hash_target(self.marks.state(), owner, aspect, target)
    }

    /// True if a target is in the sample that keeps one in 2 to the power of `level`.
    fn is_in_sample(&self, aspect: Aspect, target: &HostPort, level: u8) -> bool {
        level == 0 || hash_target(&self.sampling, NOWHERE, aspect, target).trailing_zeros() >= u32::from(level)
    }

    pub(super) fn insert(
        &mut self,
        hash: u64,
        owner: u32,
        aspect: Aspect,
        target: HostPort,
        horizon: Cell,
    ) -> Option<u32> {
        let is_full =
            |of: &Self| of.sources[owner].length[aspect as usize] as usize >= of.bounds.targets_each[aspect as usize];
        if is_full(self) {
            self.retain(owner, aspect, |mark| mark.is_live(horizon));
            if is_full(self) {
                self.thin_out(owner, aspect);
            }
        }
        let level = self.sources[owner].level[aspect as usize];
        if !self.is_in_sample(aspect, &target, level) {
            return None;
        }
        if self.marks.len() >= self.bounds.targets && !self.evict_single_contact(owner) {
            self.lost += 1;
            return None;
        }
        let source = &mut self.sources[owner];
        let next = std::mem::replace(&mut source.first[aspect as usize], NOWHERE);
        let mark = Mark::new(owner, next, aspect, level, target);
        let at = self.marks.insert(hash, mark);
        let source = &mut self.sources[owner];
        source.first[aspect as usize] = at;
        source.length[aspect as usize] += 1;
        Some(at)
    }

    fn thin_out(&mut self, owner: u32, aspect: Aspect) {
        let limit = self.bounds.targets_each[aspect as usize];
        match self.bounds.keeping {
            Keeping::Sample => {
                while self.sources[owner].length[aspect as usize] as usize >= limit {
                    self.sample_less(owner, aspect);
                }
            }
            Keeping::Latest => {
                let key = |mark: &Mark| (mark.counted, mark.since, mark.target);
                let mut order: Vec<_> = self.marks(owner, aspect).map(key).collect();
                order.sort_unstable();
                let oldest_kept = order[order.len() / 2];
                self.retain(owner, aspect, |mark| key(mark) >= oldest_kept);
            }
        }
    }

    fn sample_less(&mut self, owner: u32, aspect: Aspect) {
        let source = &mut self.sources[owner];
        let level = source.level[aspect as usize] + 1;
        source.level[aspect as usize] = level;
        let sampling = self.sampling;
        self.retain(owner, aspect, |mark| {
            mark.level = mark.level.max(level);
            hash_target(&sampling, NOWHERE, aspect, &mark.target).trailing_zeros() >= u32::from(level)
        });
    }

    pub(super) fn retain(&mut self, owner: u32, aspect: Aspect, mut is_kept: impl FnMut(&mut Mark) -> bool) {
        let mut at = std::mem::replace(&mut self.sources[owner].first[aspect as usize], NOWHERE);
        let (mut kept, mut length) = (NOWHERE, 0);
        while at != NOWHERE {
            let mark = &mut self.marks[at];
            let next = mark.next;
            if is_kept(mark) {
                mark.next = kept;
                kept = at;
                length += 1;
            } else {
                self.marks.remove(at);
            }
            at = next;
        }
        let source = &mut self.sources[owner];
        source.first[aspect as usize] = kept;
        source.length[aspect as usize] = length;
        if length == 0 {
            source.level[aspect as usize] = 0;
            source.counted[aspect as usize] = 0;
        }
    }

    pub(super) fn advance_hand(&mut self) -> u32 {
        self.hand = if self.hand + 1 < self.sources.positions() { self.hand + 1 } else { 0 };
        self.hand as u32
    }

    /// Evicts a source with a single contact, except `spared`; false if none of those examined has a single one.
    pub(super) fn evict_single_contact(&mut self, spared: u32) -> bool {
        for _ in 0..EVICTION_ATTEMPTS.min(self.sources.positions()) {
            let at = self.advance_hand();
            let source = &self.sources[at];
            let length = source.length[0] as usize + source.length[1] as usize;
            if source.is_used && at != spared && source.level == [0; 2] && (1..=LIGHT).contains(&length) {
                self.remove(at);
                self.evicted += 1;
                return true;
            }
        }
        false
    }

    pub(super) fn remove(&mut self, at: u32) {
        Aspect::BOTH.iter().for_each(|&aspect| self.retain(at, aspect, |_| false));
        if self.sources.remove(at) {
            self.sources[at].is_used = false;
        }
    }
}

/// The hash of what tells a target from the others of all sets, as [`Mark::is_of`] does.
fn hash_target<S: BuildHasher>(state: &S, owner: u32, aspect: Aspect, target: &HostPort) -> u64 {
    let mut hasher = state.build_hasher();
    let Protocol(protocol) = target.protocol;
    let owner = u64::from(owner) << 32;
    match aspect {
        Aspect::Hosts => {
            feed(target.address, &mut hasher);
            hasher.write_u64(owner | u64::from(target.is_on_link()));
        }
        Aspect::Ports => hasher.write_u64(owner | 1 << 31 | u64::from(protocol) << 16 | u64::from(target.port)),
    }
    hasher.finish()
}
