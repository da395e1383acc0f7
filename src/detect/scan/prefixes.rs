//! The networks of sources, and how much evidence the sources of each add up to.
//!
//! Takes evidence as it is counted; gives the networks of which the sources together may be over their limit. It counts at
//! least what the window holds, so no network is overlooked; the sources of these networks are compared afterwards. Must not
//! know targets.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::tables::hashing::{self, State};
use crate::time_grid::Cell;

/// The most networks that are counted. The evidence of others is lost for this purpose.
const MOST: usize = 8_192;

/// The network of a source, a /24 or over IPv6 a /64: the first 64 bits of the IPv6 address. IPv4 networks have the bits of
/// IPv6 multicast addresses, which are no sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SourceNetwork(u64);

impl SourceNetwork {
    const IPV4: u64 = 0xffff << 48;

    pub(super) fn of(source: IpAddr) -> Self {
        match source {
            IpAddr::V4(address) => Self(Self::IPV4 | u64::from(address.to_bits() >> 8)),
            IpAddr::V6(address) => Self((address.to_bits() >> 64) as u64),
        }
    }

    pub(super) fn net(self) -> IpNet {
        if self.0 & Self::IPV4 == Self::IPV4 {
            Ipv4Net::new_assert(Ipv4Addr::from_bits((self.0 as u32) << 8), 24).into()
        } else {
            Ipv6Net::new_assert(Ipv6Addr::from_bits(u128::from(self.0) << 64), 64).into()
        }
    }
}

/// The evidence of a network in this window and in the one before, counted from fixed moments.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    window: i64,
    now: u32,
    before: u32,
}

impl Counts {
    fn enter(&mut self, window: i64) {
        if window > self.window {
            self.before = if window == self.window + 1 { self.now } else { 0 };
            (self.window, self.now) = (window, 0);
        }
    }

    const fn sum(self) -> u64 {
        self.now as u64 + self.before as u64
    }
}

/// The counted networks.
#[derive(Debug)]
pub(super) struct Prefixes {
    cells_in_window: i64,
    /// The cell that was asked for last, with its window.
    recent: (Cell, i64),
    limit: u64,
    counts: HashMap<SourceNetwork, Counts, State>,
    /// Networks over the limit of which evidence was counted in the current cell.
    suspects: BTreeSet<SourceNetwork>,
    /// The window in which those that had left were removed last.
    swept: i64,
    lost: u64,
}

impl Prefixes {
    /// Sets the limit of a network.
    pub(super) const fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    pub(super) fn new(cells_in_window: u32, limit: u64, seed: u64) -> Self {
        Self {
            cells_in_window: cells_in_window.into(),
            recent: (Cell(0), 0),
            limit,
            counts: HashMap::with_hasher(hashing::state(seed)),
            suspects: BTreeSet::new(),
            swept: i64::MIN,
            lost: 0,
        }
    }

    /// Counts evidence of a source; one target stands for `weight`.
    pub(super) fn count(&mut self, source: IpAddr, weight: u64, cell: Cell) {
        let (network, window) = (SourceNetwork::of(source), self.window(cell));
        if self.swept < window {
            self.swept = window;
            self.counts.retain(|_, counts| counts.window + 1 >= window);
        }
        let is_full = self.counts.len() >= MOST;
        let counts = match self.counts.entry(network) {
            Entry::Vacant(_) if is_full => {
                self.lost += 1;
                return;
            }
            entry => entry.or_default(),
        };
        counts.enter(window);
        counts.now = counts.now.saturating_add(u32::try_from(weight).unwrap_or(u32::MAX));
        if counts.sum() > self.limit {
            self.suspects.insert(network);
        }
    }

    /// The number of the window in which a cell lies. Most calls are for the same cell as the one before.
    fn window(&mut self, cell: Cell) -> i64 {
        if self.recent.0 != cell {
            self.recent = (cell, cell.0.div_euclid(self.cells_in_window));
        }
        self.recent.1
    }

    /// The networks to examine, by their sources; those of the current cell and `ongoing` ones.
    pub(super) fn take_suspects(
        &mut self,
        ongoing: impl Iterator<Item = SourceNetwork>,
    ) -> BTreeMap<SourceNetwork, Vec<u32>> {
        let suspects = std::mem::take(&mut self.suspects);
        suspects.into_iter().chain(ongoing).map(|network| (network, Vec::new())).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.suspects.is_empty()
    }

    /// Networks, their limit, and how often one found no room.
    pub(super) fn figures(&self) -> (usize, usize, u64) {
        (self.counts.len(), MOST, self.lost)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.counts.capacity() * (size_of::<(SourceNetwork, Counts)>() + 1)
    }

    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.suspects.clear();
        self.swept = i64::MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_without_evidence_in_two_windows_leave() {
        let mut prefixes = Prefixes::new(40, 100, 7);
        for number in 0..20_000_u32 {
            // 100 networks in each window.
            let cell = Cell(i64::from(number) * 40 / 100);
            prefixes.count(Ipv4Addr::from_bits(number << 8).into(), 1, cell);
            assert!(prefixes.figures().0 <= 200, "{:?}", prefixes.figures());
        }
        assert_eq!(prefixes.figures().2, 0, "each one found room");
    }

    #[test]
    fn evidence_of_two_windows_adds_up() {
        let mut prefixes = Prefixes::new(40, 100, 7);
        let source = Ipv4Addr::new(11, 0, 0, 1).into();
        let is_suspect = |prefixes: &mut Prefixes, weight, cell| {
            prefixes.count(source, weight, Cell(cell));
            !prefixes.take_suspects(std::iter::empty()).is_empty()
        };
        assert!(!is_suspect(&mut prefixes, 60, 0));
        assert!(is_suspect(&mut prefixes, 41, 40), "the next window");
        assert!(!is_suspect(&mut prefixes, 59, 80), "41 and 59 are not over the limit");
        assert!(!is_suspect(&mut prefixes, 100, 160), "a window without evidence lies between");
    }
}
