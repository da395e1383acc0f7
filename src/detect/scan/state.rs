//! The state of the search for scans: contacts with their outcomes or pending, and which interfaces show answers.
//!
//! Takes and gives times as cells of packet time. An event of a later cell is deferred until its cell begins, so that the
//! order in which threads hand over does not matter. Must not know how rows become events or events outcomes.

use std::cell::OnceCell;
use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use super::config::{Config, Rule};
use super::contacts::askers::Askers;
use super::contacts::pending::{PendingContacts, PendingPairs};
use super::contacts::{Aspect, ContactBounds, Contacts, HostPort, Keeping};
use super::events::ContactEvent;
use super::known::KnownTargets;
use super::prefixes::Prefixes;
use super::recent_targets::RecentTargets;
use super::trail::Trails;
use super::visibility::Visibility;
use crate::packet::Timestamp;
use crate::tables::sampling::{Sampling, Seeds};
use crate::time_grid::{Cell, TimeGrid};

/// The fewest targets of a source that are held exactly. More are held as a sample.
const EXACT: usize = 256;
/// At least so many times the limit of a source's targets are held exactly.
const TIMES_LIMIT: usize = 4;

/// The most events that wait in one queue.
const MOST_EVENTS: usize = 16_384;

/// A step of the clock adds this large number to the numbers of periods, so that no report from before the step has the
/// number of a later period.
const ERA: i64 = 0x0123_4567;

/// Everything that is known of sources and their contacts.
#[derive(Debug)]
pub(super) struct ScanState {
    pub(super) config: Config,
    /// True if the configuration excludes any contacts.
    pub(super) has_exclusions: bool,
    pub(super) grid: TimeGrid,
    /// Number of cells in the window of hosts, and in that of ports.
    pub(super) window_cells: [u32; 2],
    pub(super) contacts: Contacts,
    /// Sources that may be over a limit and had a target counted in the current cell. Only a counted target brings a
    /// source over its limit.
    pub(super) suspects: BTreeSet<u32>,
    /// The first and last contacts of suspects and of sources that were reported.
    pub(super) trails: Trails,
    pub(super) prefixes: Prefixes,
    pub(super) pending: PendingContacts,
    /// The pairs with a pending contact at the end of the judged cell, once they are needed.
    pub(super) pending_pairs: OnceCell<PendingPairs>,
    pub(super) routers: MasqueradingRouters,
    pub(super) memory: KnownTargets,
    pub(super) recent_targets: RecentTargets,
    pub(super) visibility: Visibility,
    /// Addresses and ports that asked many hosts at once, by multicast or broadcast: what answers them is no contact.
    pub(super) askers: Askers,
    pub(super) deferred: EventQueue,
    /// Answers and refusals without a pending contact. Another thread may still bring the beginning of the contact.
    pub(super) unmatched: EventQueue,
    pub(super) unknown: u64,
    current: Option<Cell>,
    current_end: Timestamp,
    /// Added to the numbers of periods; changes when the clock is set.
    era: i64,
}

impl ScanState {
    pub(super) fn new(config: &Config, seeds: Seeds) -> Self {
        let windows = [config.interval, config.port_interval];
        let lengths = windows.map(|window| TimeGrid::for_window(window).length());
        let grid = TimeGrid::of(lengths[0].min(lengths[1]));
        let window_cells = windows.map(|window| grid.cells(window));
        Self {
            config: config.clone(),
            has_exclusions: !(config.excluded_ports.is_empty() && config.excluded_contacts.is_empty()),
            grid,
            window_cells,
            contacts: Contacts::new(bounds(config), seeds),
            suspects: BTreeSet::new(),
            trails: Trails::new(seeds.tables),
            prefixes: Prefixes::new(window_cells.into_iter().max().unwrap_or(1), group_limit(config), seeds.tables),
            pending: PendingContacts::new(config.max_waiting, seeds.tables),
            pending_pairs: OnceCell::new(),
            routers: MasqueradingRouters::default(),
            memory: KnownTargets::new(config.memory, seeds),
            recent_targets: RecentTargets::new(seeds),
            visibility: Visibility::new(window_cells[0], Sampling::new(seeds.sampling)),
            askers: Askers::new(config.question_timeout, seeds),
            deferred: EventQueue::default(),
            unmatched: EventQueue::default(),
            unknown: 0,
            current: None,
            current_end: Timestamp::BEFORE_ALL,
            era: 0,
        }
    }

    /// Continues the numbers of periods of a state that this one replaces.
    pub(super) fn succeed(&mut self, before: &Self) {
        self.era = before.era.wrapping_add(ERA);
    }

    /// Goes on with other limits; false, and nothing is changed, if the windows or the tables are others too.
    pub(super) fn configure(&mut self, config: &Config) -> bool {
        let shape = |config: &Config| {
            (config.rule, config.interval, config.port_interval, config.memory, bounds(config), config.max_waiting)
        };
        if shape(&self.config) != shape(config) {
            return false;
        }
        self.has_exclusions = !(config.excluded_ports.is_empty() && config.excluded_contacts.is_empty());
        self.prefixes.set_limit(group_limit(config));
        self.askers.set_timeout(config.question_timeout);
        self.config = config.clone();
        true
    }

    pub(super) fn limit(&self, aspect: Aspect) -> u64 {
        u64::from([self.config.contacted_ips, self.config.contacted_ports][aspect as usize])
    }

    pub(super) fn is_analyzed(&self, aspect: Aspect) -> bool {
        [self.config.analyze_hosts, self.config.analyze_ports][aspect as usize]
    }

    /// The first cell of the window that ends with `cell`.
    pub(super) fn horizon(&self, cell: Cell, aspect: Aspect) -> Cell {
        cell.back(self.window_cells[aspect as usize] - 1)
    }

    /// The cell of a time; the current cell for an earlier time.
    #[inline]
    pub(super) fn cell(&self, time: Timestamp) -> Cell {
        let current = self.current.unwrap_or_default();
        if self.is_ahead(time) { self.grid.cell(time).max(current) } else { current }
    }

    /// True if a time lies after the current cell.
    #[inline]
    pub(super) fn is_ahead(&self, time: Timestamp) -> bool {
        time >= self.current_end
    }

    pub(super) fn current(&self) -> Option<Cell> {
        self.current
    }

    /// The end of the current cell; before all time if there is none.
    pub(super) fn current_end(&self) -> Timestamp {
        self.current_end
    }

    pub(super) fn set_current(&mut self, current: Option<Cell>) {
        self.current = current;
        self.current_end = current.map_or(Timestamp::BEFORE_ALL, |cell| self.grid.end(cell));
        if let Some(cell) = current {
            self.recent_targets.begin_cell(self.grid.start(cell));
        }
    }

    /// The number of the period in which a cell lies, an eighth of the window. A conversation is reported once a period.
    #[inline]
    pub(super) fn period(&self, cell: Cell) -> i64 {
        self.visibility.block(cell).wrapping_add(self.era)
    }

    /// Defers an event of a later cell. False if it must be applied now: it is of the current cell, or the queue is full.
    #[inline]
    pub(super) fn defer(&mut self, event: &ContactEvent) -> bool {
        self.is_ahead(event.last) && self.deferred.push(event)
    }

    /// The earliest cell with a deferred event.
    pub(super) fn first_deferred(&self) -> Option<Cell> {
        self.deferred.events.iter().map(|event| self.grid.cell(event.last)).min()
    }

    /// Counts a target that is new in the window of a source. In a sample, one target stands for `weight` targets.
    pub(super) fn count(&mut self, source: u32, aspect: Aspect, weight: u64) {
        let counted = self.contacts.count(source, aspect, weight);
        if counted.targets > self.limit(aspect) || counted.is_sampled {
            self.suspects.insert(source);
        }
        if counted.is_outside {
            let cell = self.current.unwrap_or_default();
            self.prefixes.count(counted.address, weight, cell);
        }
    }

    /// Remembers first and last contacts of a source that may be over its limit. `packets`: the first and the last time.
    #[inline]
    pub(super) fn follow_trail(
        &mut self,
        (source, address): (u32, IpAddr),
        aspect: Aspect,
        packets: [Timestamp; 2],
        target: HostPort,
    ) {
        if self.trails.is_empty() && !self.suspects.contains(&source) {
            return;
        }
        let horizon = self.horizon(self.current().unwrap_or_default(), aspect);
        let contacts = &self.contacts;
        let known = || {
            let evidence = || contacts.marks(source, aspect).filter(|mark| mark.is_evidence(horizon));
            self.suspects.contains(&source).then(|| evidence().map(|mark| (mark.begun, mark.target)))
        };
        self.trails.follow((aspect, address), packets, target, known);
    }

    /// True if no contact is pending and no event unmatched.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.unmatched.events.is_empty()
    }

    pub(super) fn sweep(&mut self, cell: Cell, cells: i64) {
        let positions = self.contacts.positions();
        let [hosts, ports] = self.window_cells;
        let due = positions.div_ceil(hosts.min(ports) as usize).saturating_mul(usize::try_from(cells).unwrap_or(0));
        let horizons = Aspect::BOTH.map(|aspect| self.horizon(cell, aspect));
        self.contacts.sweep(due.min(positions), horizons);
    }

    /// Forgets everything: the clock was set, and what the windows hold is of another time.
    pub(super) fn clear(&mut self) {
        self.contacts.clear();
        self.suspects.clear();
        self.trails.clear();
        self.prefixes.clear();
        self.pending.clear();
        self.pending_pairs = OnceCell::new();
        self.memory.clear();
        self.recent_targets.clear();
        self.visibility.clear();
        self.askers.clear();
        self.deferred.events.clear();
        self.unmatched.events.clear();
        self.set_current(None);
        self.era = self.era.wrapping_add(ERA);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.contacts.memory_bytes()
            + self.trails.memory_bytes()
            + self.prefixes.memory_bytes()
            + self.pending.memory_bytes()
            + self.memory.memory_bytes()
            + self.recent_targets.memory_bytes()
            + self.visibility.memory_bytes()
            + self.askers.memory_bytes()
            + self.deferred.memory_bytes()
            + self.unmatched.memory_bytes()
    }
}

/// The targets that sources of one network may contact together before they are compared.
fn group_limit(config: &Config) -> u64 {
    let hosts = config.analyze_hosts.then_some(config.contacted_ips);
    let ports = config.analyze_ports.then_some(config.contacted_ports);
    let least = hosts.into_iter().chain(ports).min().unwrap_or(u32::MAX);
    u64::from(least) * u64::from(config.group_factor)
}

fn bounds(config: &Config) -> ContactBounds {
    let exact = [config.contacted_ips, config.contacted_ports].map(|limit| EXACT.max(TIMES_LIMIT * limit as usize));
    let (keeping, targets_each) = match config.rule {
        Rule::Evidence => (Keeping::Sample, exact),
        Rule::Contacts => (Keeping::Latest, exact.map(|exact| 2 * exact)),
    };
    let (sources, targets) = (config.max_sources, config.max_contacts);
    ContactBounds { sources, targets, targets_each, keeping }
}

/// The routers that show the contacts of hosts behind them as their own, as far as they were found.
#[derive(Debug, Default)]
pub(super) struct MasqueradingRouters {
    /// The latest ones, few.
    pub(super) known: Vec<IpAddr>,
    /// Searches among all sources in the current cell.
    pub(super) searches: u32,
}

/// Events that wait, at most [`MOST_EVENTS`].
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    pub(super) events: VecDeque<ContactEvent>,
    pub(super) lost: u64,
}

impl EventQueue {
    /// Adds an event; false, and the event is counted as lost, if there is no room.
    pub(super) fn push(&mut self, event: &ContactEvent) -> bool {
        if !self.has_room() {
            self.lost += 1;
            return false;
        }
        self.events.push_back(*event);
        true
    }

    pub(super) fn has_room(&self) -> bool {
        self.events.len() < MOST_EVENTS
    }

    fn memory_bytes(&self) -> usize {
        self.events.capacity() * size_of::<ContactEvent>()
    }
}
