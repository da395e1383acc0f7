//! The chart: the heaviest sources with their destinations.
//!
//! Takes the windows of sources and pairs; gives talkers, the heaviest first. Must not know how they are written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::window::{Window, WindowBounds};
use super::{Bandwidth, Config, Host, Pair, Scope};
use crate::detect::Talker;
use crate::tables::sampling::Seeds;
use crate::tables::top::{heaviest_first, top_n};
use crate::time_grid::TimeGrid;

/// The most sources of the chart besides the named ones.
const MAXIMUM_TALKERS: usize = 1_000;
/// The most destinations of each source.
const MAXIMUM_DESTINATIONS: usize = 256;

/// A cell of pairs is as long as this many cells of sources, but at most a tenth of a window. Pairs are many, so they
/// get coarser cells.
const COARSENESS: u32 = 10;

pub(super) fn pairs(config: &Config, interval: Duration, newcomer_bytes: u64, seeds: Seeds) -> Window<Pair> {
    let bounds = WindowBounds { subjects: config.max_pairs, cells: config.max_pair_cells, newcomer_bytes };
    let fine = TimeGrid::for_window(interval);
    let grid = TimeGrid::of(fine.length() * (fine.cells(interval) / 10).clamp(1, COARSENESS));
    Window::on(grid, interval, Vec::new(), bounds, seeds)
}

impl Bandwidth {
    /// The sources with at least `chart_min_bytes` in their windows, the 1,000 heaviest of each interval at most, and
    /// those of `named` with any bytes. Each has its destinations, the heaviest first. Bytes not judged yet are
    /// included.
    pub(crate) fn talkers(&self, named: &BTreeSet<IpAddr>) -> Vec<Talker> {
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
            let of_source = destinations.remove(&source).unwrap_or_default().into_iter();
            Talker { source, total_bytes, destinations: top_n(of_source, MAXIMUM_DESTINATIONS, heaviest_first) }
        };
        totals.into_iter().map(talker).collect()
    }
}
