//! Bandwidth: sources, destinations or networks with more bytes in a sliding window than a limit.
//!
//! Takes rows and packet time; gives [`Detection`]s. Must not know alerts.
//!
//! The IP bytes of all packets count, of every protocol and direction. A rule holds at the end of a time cell if the
//! cells of one window have more bytes than its limit ([`Window`]). A window consists of whole cells. So if a rule
//! holds, some window of that length has too many bytes; and if a window that is one cell shorter has too many, the
//! rule holds.
//!
//! An address belongs only to the most specific network that contains it.

mod chart;
mod config;
mod limits;
mod networks;
mod peers;
mod window;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::ends::{At, Between, Host, Pair};
use super::{Detection, DetectionTable, Figures, Kind, Notes, Span, Subject, TableUse};
use crate::account::conversation::Address;
use crate::account::observer::{DirectedRow, RowBatch};
use crate::packet::Timestamp;
use crate::tables::sampling::Seeds;
use crate::tables::top::{heaviest_first, top_n};
use chart::pairs;
pub use config::{BandwidthDirection, Config, Error, MAXIMUM_INTERVALS, MAXIMUM_NETWORKS, NetworkLimit};
use limits::{limits_of_hosts, newcomer_bytes};
use networks::RulesByNetwork;
use window::{Occupancy, Window, WindowBounds, WindowReading};

/// Number of rows whose sources are read ahead before the first of them is counted, so that cache misses overlap.
const READ_AHEAD: usize = 64;

/// A limit with the name of its rule. The position among the rules is the class of its subjects in the windows.
#[derive(Debug)]
struct LimitRule {
    name: Arc<str>,
    limit_bytes: u64,
    /// The network whose addresses are summed as one subject.
    total: Option<ipnet::IpNet>,
    /// The position of its interval among the scopes.
    scope: usize,
}

/// The windows of one interval.
#[derive(Debug)]
struct Scope {
    sources: Window<Host>,
    destinations: Option<Window<Host>>,
    totals: Option<Window<u16>>,
    pairs: Option<Window<Pair>>,
    /// The end of the cell at which the peers of all subjects over their limits were measured last.
    measured: Option<Timestamp>,
}

/// Bytes of sources, destinations and networks in their windows.
#[derive(Debug)]
pub struct Bandwidth {
    config: Config,
    direction: BandwidthDirection,
    chart_min_bytes: u64,
    rules: Vec<LimitRule>,
    networks: RulesByNetwork,
    /// True if any network is summed as one subject.
    has_totals: bool,
    scopes: Vec<Scope>,
}

impl Bandwidth {
    /// An empty detector. `seeds` prevent senders from choosing addresses whose hashes collide. Results depend on the
    /// seeds only when a table is full. A configuration that fails [`Config::validate`] is harmless.
    pub fn new(config: &Config, seeds: impl Into<Seeds>) -> Self {
        let seeds = seeds.into();
        let intervals = config.intervals();
        let scope_of = |interval| intervals.iter().position(|known| *known == interval).unwrap_or(0);
        let default = LimitRule {
            name: config.rule.as_str().into(),
            limit_bytes: config.limit_bytes,
            total: None,
            scope: scope_of(config.interval),
        };
        let own = config.networks.iter().take(MAXIMUM_NETWORKS).map(|own| LimitRule {
            name: own.rule.as_ref().unwrap_or(&config.rule).as_str().into(),
            limit_bytes: own.limit_bytes,
            total: own.total.then_some(own.network),
            scope: scope_of(own.interval.unwrap_or(config.interval)),
        });
        let rules: Vec<LimitRule> = std::iter::once(default).chain(own).collect();
        let scopes = intervals.iter().map(|interval| Scope::new(config, *interval, &rules, seeds)).collect();
        let networks = RulesByNetwork::new((1..).zip(&config.networks).map(|(rule, own)| (own.network, rule)));
        let has_totals = rules.iter().any(|rule| rule.total.is_some());
        let Config { direction, chart_min_bytes, .. } = *config;
        Self { config: config.clone(), direction, chart_min_bytes, rules, networks, has_totals, scopes }
    }

    /// Counts directed rows in blocks of [`READ_AHEAD`].
    pub fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
        let (directed, notes) = rows.directed();
        for block in directed.chunks(READ_AHEAD) {
            // With several intervals it would have to look up the rule of each source first, to find its window.
            if let [Scope { sources, .. }] = &self.scopes[..] {
                block.iter().for_each(|row| sources.touch(notes[row.row as usize].hints[row.way as usize].source));
            }
            for row in block {
                self.count(row, &mut notes[row.row as usize].hints[row.way as usize].source);
            }
        }
    }

    /// Counts a directed row. `hint` is the hint for its source.
    #[inline(always)]
    fn count<A: Address>(&mut self, directed: &DirectedRow<A>, hint: &mut u32) {
        let DirectedRow { source, destination, bytes, last: time, .. } = *directed;
        let of_source = self.networks.rule_of(source.into());
        let of_destination = if self.direction == BandwidthDirection::Source {
            of_source
        } else {
            self.networks.rule_of(destination.into())
        };
        let scope = &mut self.scopes[self.rules[usize::from(of_source)].scope];
        if scope.sources.add_at(hint, At(source), of_source, time, bytes)
            && let Some(pairs) = &mut scope.pairs
        {
            pairs.add(Between(source, destination), 0, time, bytes);
        }
        if self.direction != BandwidthDirection::Source {
            let scope = &mut self.scopes[self.rules[usize::from(of_destination)].scope];
            if let Some(destinations) = &mut scope.destinations {
                destinations.add(At(destination), of_destination, time, bytes);
            }
        }
        if self.has_totals {
            self.count_in_totals(of_source, of_destination, time, bytes);
        }
    }

    #[inline(never)]
    fn count_in_totals(&mut self, of_source: u16, of_destination: u16, time: Timestamp, bytes: u64) {
        if self.direction != BandwidthDirection::Destination {
            self.count_in_total(of_source, time, bytes);
        }
        if self.direction != BandwidthDirection::Source
            && (self.direction, of_destination) != (BandwidthDirection::Both, of_source)
        {
            self.count_in_total(of_destination, time, bytes);
        }
    }

    fn count_in_total(&mut self, rule: u16, time: Timestamp, bytes: u64) {
        let LimitRule { total, scope, .. } = &self.rules[usize::from(rule)];
        if total.is_some()
            && let Some(totals) = &mut self.scopes[*scope].totals
        {
            totals.add(rule, rule, time, bytes);
        }
    }

    /// Judges every cell that has ended at `watermark`. Detections are ordered by time, then by subject.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Detection> {
        let mut found = Vec::new();
        let Self { rules, scopes, .. } = self;
        for scope in scopes {
            scope.advance(watermark, rules, &mut found);
        }
        found.sort_by(|one, other| (one.at, one.subject, &one.rule).cmp(&(other.at, other.subject, &other.rule)));
        found
    }

    /// Empties all windows, because the clock was set to `to`. A subject over its limit counts as near it for one
    /// window.
    pub(crate) fn restart(&mut self, to: Timestamp) {
        for scope in &mut self.scopes {
            scope.sources.restart(to);
            scope.destinations.iter_mut().for_each(|window| window.restart(to));
            scope.totals.iter_mut().for_each(|window| window.restart(to));
            scope.pairs.iter_mut().for_each(|window| window.restart(to));
            scope.measured = None;
        }
    }

    /// The `top` sources with the most bytes in their windows at the end of the last judged cell, the heaviest first;
    /// then as many destinations, if these have limits.
    pub(crate) fn window_bytes(&self, top: usize) -> Vec<(Subject, u64)> {
        let sources = self.scopes.iter().flat_map(|scope| scope.sources.sums());
        let destinations = self.scopes.iter().filter_map(|scope| scope.destinations.as_ref());
        let destinations = destinations.flat_map(Window::sums);
        let sources = sources.map(|(Host(address), bytes)| (Subject::Source(address), bytes));
        let destinations = destinations.map(|(Host(address), bytes)| (Subject::Destination(address), bytes));
        let mut heaviest = top_n(sources, top, heaviest_first);
        heaviest.extend(top_n(destinations, top, heaviest_first));
        heaviest
    }

    /// The use of the tables, each kind for all intervals together.
    pub(crate) fn tables(&self) -> Vec<TableUse> {
        let mut tables: BTreeMap<DetectionTable, TableUse> = BTreeMap::new();
        for (table, Occupancy { entries, limit, evicted, .. }) in self.scopes.iter().flat_map(Scope::tables) {
            let sum = tables.entry(table).or_insert(TableUse { table, entries: 0, limit: 0, evicted: 0 });
            sum.entries += entries;
            sum.limit = sum.limit.saturating_add(limit);
            sum.evicted += evicted;
        }
        tables.into_values().collect()
    }

    /// Memory in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.scopes.iter().map(Scope::memory_bytes).sum()
    }
}

impl Scope {
    fn new(config: &Config, interval: Duration, rules: &[LimitRule], seeds: Seeds) -> Self {
        let limits = limits_of_hosts(rules);
        let (newcomer_bytes, charted) = newcomer_bytes(config, rules);
        let bounds = WindowBounds { subjects: config.max_addresses, cells: config.max_cells, newcomer_bytes };
        let hosts = |limits| Window::new(interval, limits, bounds, seeds);
        let has_sources = config.direction != BandwidthDirection::Destination;
        Self {
            sources: hosts(if has_sources { limits.clone() } else { vec![u64::MAX; rules.len()] }),
            destinations: (config.direction != BandwidthDirection::Source).then(|| hosts(limits)),
            totals: rules.iter().any(|rule| rule.total.is_some()).then(|| totals(interval, rules, seeds)),
            pairs: (!config.no_destinations).then(|| pairs(config, interval, charted, seeds)),
            measured: None,
        }
    }

    fn advance(&mut self, watermark: Timestamp, rules: &[LimitRule], found: &mut Vec<Detection>) {
        let from = found.len();
        read(&mut self.sources, watermark, rules, found, |_, Host(address)| Some(Subject::Source(address)));
        if let Some(destinations) = &mut self.destinations {
            read(destinations, watermark, rules, found, |_, Host(address)| Some(Subject::Destination(address)));
        }
        if let Some(totals) = &mut self.totals {
            read(totals, watermark, rules, found, |rule, _| rule.total.map(Subject::Network));
        }
        self.measured = peers::name(&mut found[from..], self).or(self.measured);
        if let Some(pairs) = &mut self.pairs {
            pairs.advance(watermark, |_| {});
        }
    }

    fn tables(&self) -> impl Iterator<Item = (DetectionTable, Occupancy)> {
        let destinations = self.destinations.as_ref().map(Window::occupancy);
        let tables = [
            (DetectionTable::BandwidthSources, Some(self.sources.occupancy())),
            (DetectionTable::BandwidthDestinations, destinations),
            (DetectionTable::BandwidthNetworks, self.totals.as_ref().map(Window::occupancy)),
            (DetectionTable::BandwidthPairs, self.pairs.as_ref().map(Window::occupancy)),
        ];
        tables.into_iter().filter_map(|(table, occupancy)| Some((table, occupancy?)))
    }

    fn memory_bytes(&self) -> usize {
        self.sources.memory_bytes()
            + self.destinations.as_ref().map_or(0, Window::memory_bytes)
            + self.totals.as_ref().map_or(0, Window::memory_bytes)
            + self.pairs.as_ref().map_or(0, Window::memory_bytes)
    }
}

/// A window for networks: there are few, so each has its entry and all its cells.
fn totals(interval: Duration, rules: &[LimitRule], seeds: Seeds) -> Window<u16> {
    let limits = rules.iter().map(|rule| rule.limit_bytes).collect();
    let bounds = WindowBounds { subjects: 2 * rules.len(), cells: usize::MAX, newcomer_bytes: 0 };
    Window::new(interval, limits, bounds, seeds)
}

/// Adds the readings of a window to `found`, for the cells that have ended at `watermark`.
fn read<K: Copy + Eq + Hash>(
    window: &mut Window<K>,
    watermark: Timestamp,
    rules: &[LimitRule],
    found: &mut Vec<Detection>,
    subject: impl Fn(&LimitRule, K) -> Option<Subject>,
) {
    let (grid, length) = (window.grid(), window.length());
    window.advance(watermark, |reading: WindowReading<K>| {
        let rule = &rules[usize::from(reading.class)];
        let Some(subject) = subject(rule, reading.key) else { return };
        let [first, last] = [reading.first, reading.last].map(|cell| grid.start(cell));
        let figures = Figures {
            value: reading.bytes as f64,
            limit: rule.limit_bytes as f64,
            window: length,
            bytes: reading.bytes,
            span: Some(Span { first, last, precision: grid.length() }),
            ..Figures::default()
        };
        found.push(Detection {
            kind: Kind::Bandwidth,
            rule: Arc::clone(&rule.name),
            subject,
            level: reading.level,
            since: grid.end(reading.since),
            at: grid.end(reading.cell),
            figures,
        });
    });
}

#[cfg(test)]
mod tests;
