//! Who sends to whom: the sources that are worth showing, with their destinations.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::window::{Bounds, Window};
use super::{Bandwidth, Config, Host, Pair, Scope};
use crate::tables::sampling::Seeds;
use crate::tables::top::{heaviest_first, top_n};
use crate::time_grid::TimeGrid;

/// Sources that are shown at most besides those that are asked for, and destinations of each: the heaviest.
const MAXIMUM_TALKERS: usize = 1_000;
const MAXIMUM_DESTINATIONS: usize = 256;

/// A source with its destinations, in its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talker {
    /// Who sends.
    pub source: IpAddr,
    /// All that it sent, in IP bytes.
    pub total_bytes: u64,
    /// To whom, the heaviest first; at most 256, and only those for which there was room. Their windows slide in
    /// coarser steps: what is older than a window may still be in them, for a tenth of it at most.
    pub destinations: Vec<(IpAddr, u64)>,
}

/// A cell of pairs is so many of the sources', as long as ten make up a window. Nobody has a limit here, and they are
/// many.
const COARSENESS: u32 = 10;

/// Bytes by pair.
pub(super) fn pairs(config: &Config, interval: Duration, newcomer_bytes: u64, seeds: Seeds) -> Window<Pair> {
    let bounds = Bounds { subjects: config.max_pairs, cells: config.max_pair_cells, newcomer_bytes };
    let fine = TimeGrid::for_window(interval);
    let grid = TimeGrid::of(fine.length() * (fine.cells(interval) / 10).clamp(1, COARSENESS));
    Window::on(grid, interval, Vec::new(), bounds, seeds)
}

impl Bandwidth {
    /// The sources with `chart_min_bytes` or more in their windows, of each interval the 1,000 heaviest at most, and
    /// those of `named` that have any bytes; with their destinations, the heaviest first. What came since the last
    /// judged cell is in them.
    #[must_use]
    pub fn talkers(&self, named: &BTreeSet<IpAddr>) -> Vec<Talker> {
        let mut talkers: Vec<Talker> =
            self.scopes.iter().flat_map(|scope| scope.talkers(self.chart_min_bytes, named)).collect();
        talkers.sort_unstable_by_key(|talker| (Reverse(talker.total_bytes), talker.source));
        talkers
    }
}

impl Scope {
    fn talkers(&self, min_bytes: u64, named: &BTreeSet<IpAddr>) -> Vec<Talker> {
        let sources = self.sources.sums_so_far().map(|(Host(source), bytes)| (source, bytes));
        let shown = sources.filter(|(source, bytes)| *bytes >= min_bytes || named.contains(source));
        let (mut totals, others): (Vec<_>, Vec<_>) = shown.partition(|(source, _)| named.contains(source));
        totals.extend(top_n(others.into_iter(), MAXIMUM_TALKERS, heaviest_first));
        let mut destinations: BTreeMap<IpAddr, Vec<(IpAddr, u64)>> =
            totals.iter().map(|(source, _)| (*source, Vec::new())).collect();
        for (pair, bytes) in self.pairs.iter().flat_map(Window::sums_so_far) {
            if let Some(of_source) = destinations.get_mut(&pair.source) {
                of_source.push((pair.destination, bytes));
            }
        }
        let talker = |(source, total_bytes)| {
            let of_source = destinations.remove(&source).unwrap_or_default();
            Talker {
                source,
                total_bytes,
                destinations: top_n(of_source.into_iter(), MAXIMUM_DESTINATIONS, heaviest_first),
            }
        };
        totals.into_iter().map(talker).collect()
    }
}
