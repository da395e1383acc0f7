//! Scans: sources that contact many hosts or many ports.
//!
//! By evidence, a contact counts that was refused or stayed unanswered, and a source scans when such contacts outnumber
//! the limit and those that were answered; or by the bare number of contacts. Takes rows, gives [`Detection`]s at the
//! ends of cells of packet time. A row that lies ahead of the cell that is judged next waits for its cell, so that the
//! order in which threads hand over does not matter.

mod all_contacts;
mod broadcasts;
mod contacts;
mod datagrams;
mod established;
mod evidence;
mod groups;
mod outcome;
mod positions;
mod reading;
mod reported;
mod sample;
mod sight;
mod trail;
mod verdict;
mod view;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Detection, Notes};
use crate::account::conversation::{Address, ConversationKey, Way};
use crate::account::interface::InterfaceId;
use crate::account::observer::RowBatch;
use crate::packet::Timestamp;
use crate::tables::sampling::Seeds;
use crate::time_grid::{Cell, TimeGrid};
use contacts::{Aspect, Bounds, Contacts, Keeping};
use evidence::Evidence;
use reading::Word;
use trail::Trails;
use verdict::OngoingScans;
pub use view::{TableUse, View};

/// Which rule finds scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// Contacts that failed count.
    #[default]
    Evidence,
    /// Every destination of a packet counts.
    Contacts,
}

/// What is a scan, and how much is held to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Which rule finds scans.
    pub rule: Rule,
    /// The window of contacted hosts.
    pub interval: Duration,
    /// The window of contacted ports.
    pub port_interval: Duration,
    /// Hosts that may be contacted.
    pub contacted_ips: u32,
    /// Ports that may be contacted.
    pub contacted_ports: u32,
    /// Whether contacted hosts are looked at.
    pub analyze_hosts: bool,
    /// Whether contacted ports are looked at.
    pub analyze_ports: bool,
    /// How long a contact may stay unanswered.
    pub timeout: Duration,
    /// Ports that do not count.
    pub excluded_ports: BTreeSet<u16>,
    /// The names of the rules for hosts and for ports.
    pub names: [Arc<str>; 2],
    /// Sources that are held. When there are more, who has a single contact makes room for who was seen often.
    pub max_sources: usize,
    /// Hosts and ports that are held of all sources together. What finds no room is unknown.
    pub max_contacts: usize,
    /// Contacts whose outcome is open. What finds no room is unknown; from three quarters on only who is suspicious does.
    pub max_waiting: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rule: Rule::Evidence,
            interval: Duration::from_secs(170),
            port_interval: Duration::from_secs(600),
            contacted_ips: 15,
            contacted_ports: 100,
            analyze_hosts: true,
            analyze_ports: true,
            timeout: Duration::from_secs(1),
            excluded_ports: BTreeSet::new(),
            names: ["host_scan".into(), "port_scan".into()],
            max_sources: 32_768,
            max_contacts: 98_304,
            max_waiting: 32_768,
        }
    }
}

impl Config {
    /// Whether either kind of scan is looked for.
    #[must_use]
    pub const fn looks_for_something(&self) -> bool {
        self.analyze_hosts || self.analyze_ports
    }
}

/// Targets that a set holds exactly, at least; and how many times its limit.
const EXACT: usize = 256;
const TIMES_LIMIT: usize = 4;

/// What is the same for all parts: windows, limits, who is held.
#[derive(Debug)]
struct Scene {
    config: Config,
    grid: TimeGrid,
    /// Cells in the windows of hosts and ports.
    cells: [u32; 2],
    contacts: Contacts,
    /// Sources of which something was counted in the cell that ends next, and that could be over a limit: to be looked at
    /// then. Nobody comes to be over one by what is not counted.
    suspects: BTreeSet<u32>,
    /// The last contacts of suspects and of sources that were reported.
    trails: Trails,
    /// The cell that ends next; none before the first.
    current: Option<Cell>,
    /// When that one ends; before all time if there is none.
    current_end: Timestamp,
    /// Words of later cells.
    ahead: Later,
}

impl Scene {
    fn limit(&self, aspect: Aspect) -> u64 {
        u64::from([self.config.contacted_ips, self.config.contacted_ports][aspect as usize])
    }

    fn is_on(&self, aspect: Aspect) -> bool {
        [self.config.analyze_hosts, self.config.analyze_ports][aspect as usize]
    }

    /// The first cell of the window that ends with `cell`.
    fn horizon(&self, cell: Cell, aspect: Aspect) -> Cell {
        cell.back(self.cells[aspect as usize] - 1)
    }

    /// The cell of a time, not before the one that ends next.
    #[inline]
    fn cell(&self, time: Timestamp) -> Cell {
        let current = self.current.unwrap_or_default();
        if self.is_ahead(time) { self.grid.cell(time).max(current) } else { current }
    }

    /// Whether a time lies behind the cell that ends next.
    #[inline]
    fn is_ahead(&self, time: Timestamp) -> bool {
        time >= self.current_end
    }

    /// Goes to the cell that ends next.
    fn set_current(&mut self, current: Option<Cell>) {
        self.current = current;
        self.current_end = current.map_or(Timestamp::BEFORE_ALL, |cell| self.grid.end(cell));
    }

    /// Lets a word wait for its cell; false if it is to be heard now: in the cell that ends next, or for want of room.
    #[inline]
    fn lets_wait(&mut self, word: &Word) -> bool {
        self.is_ahead(word.last) && self.ahead.push(word)
    }

    /// The cell of the first word that waits for its cell.
    fn first_ahead(&self) -> Option<Cell> {
        self.ahead.words.iter().map(|word| self.grid.cell(word.last)).min()
    }

    /// A target of a source was counted, which stands for so many that were not yet in the window.
    fn count(&mut self, source: u32, aspect: Aspect, weight: u64) {
        let counted = self.contacts.counted(source, aspect) + weight;
        self.contacts.set_counted(source, aspect, counted);
        if counted > self.limit(aspect) || self.contacts.is_sampled(source, aspect) {
            self.suspects.insert(source);
        }
    }
}

/// Finds scans.
#[derive(Debug)]
pub struct Scan {
    scene: Scene,
    evidence: Evidence,
    reported: OngoingScans,
}

impl Scan {
    /// Nothing seen.
    #[must_use]
    pub fn new(config: &Config, seeds: impl Into<Seeds>) -> Self {
        let seeds = seeds.into();
        let windows = [config.interval, config.port_interval];
        let grid = TimeGrid::of(
            windows.map(|window| TimeGrid::for_window(window).length()).into_iter().min().unwrap_or_default(),
        );
        let cells = windows.map(|window| grid.cells(window));
        let each = [config.contacted_ips, config.contacted_ports].map(|limit| EXACT.max(TIMES_LIMIT * limit as usize));
        let (keeping, each) = match config.rule {
            Rule::Evidence => (Keeping::Sample, each),
            Rule::Contacts => (Keeping::Latest, each.map(|each| 2 * each)),
        };
        let bounds = Bounds { sources: config.max_sources, targets: config.max_contacts, targets_each: each, keeping };
        let contacts = Contacts::new(bounds, seeds);
        Self {
            evidence: Evidence::new(config, cells[0], seeds),
            scene: Scene {
                config: config.clone(),
                grid,
                cells,
                contacts,
                suspects: BTreeSet::new(),
                trails: Trails::default(),
                current: None,
                current_end: Timestamp::BEFORE_ALL,
                ahead: Later::default(),
            },
            reported: OngoingScans::default(),
        }
    }

    /// The cells at whose ends is judged. No row may span two of them.
    #[must_use]
    pub fn grid(&self) -> TimeGrid {
        self.scene.grid
    }

    /// Takes merged rows.
    pub fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
        let Self { scene, evidence, .. } = self;
        let (merged, notes) = rows.merged();
        match scene.config.rule {
            Rule::Evidence => evidence.see_all(scene, merged, notes),
            Rule::Contacts => merged.iter().for_each(|merged| all_contacts::see(scene, merged)),
        }
    }

    /// Takes in that an ICMP error refused a packet of the conversation `key` that went `way`.
    pub fn refuse<A: Address>(&mut self, key: &ConversationKey<A>, way: Way, time: Timestamp, interface: InterfaceId) {
        if self.scene.config.rule == Rule::Evidence {
            self.evidence.refuse(&mut self.scene, key, way, time, interface);
        }
    }

    /// Takes in how many packets the capture of an interface received and dropped since it last said so, at `time`.
    pub fn note_capture(&mut self, interface: InterfaceId, received: u64, dropped: u64, time: Timestamp) {
        let cell = self.scene.cell(time);
        self.evidence.sight.note_capture(interface, received, dropped, cell);
    }

    /// Forgets an interface that does not exist any more.
    pub fn forget_interface(&mut self, interface: InterfaceId) {
        self.evidence.sight.forget(interface);
    }

    /// Judges all cells that end by `watermark`: before it, nothing will come any more.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Detection> {
        let next = self.scene.grid.cell(watermark);
        let Some(mut cell) = self.start(next) else { return Vec::new() };
        let mut detections = Vec::new();
        while cell < next {
            self.evidence.end(&mut self.scene, cell);
            self.reported.judge(&mut self.scene, &self.evidence.sight, cell, &mut detections);
            cell = self.skip(cell, next);
            self.scene.set_current(Some(cell));
            self.begin(cell);
        }
        detections
    }

    /// The cell that ends next: at first, that of the first row.
    fn start(&mut self, next: Cell) -> Option<Cell> {
        if self.scene.current.is_none() {
            let first = self.scene.first_ahead().unwrap_or(next).min(next);
            self.scene.set_current(Some(first));
            self.begin(first);
        }
        self.scene.current
    }

    /// Begins a cell: hears the words that waited for it.
    fn begin(&mut self, cell: Cell) {
        for word in std::mem::take(&mut self.scene.ahead.words) {
            if self.scene.grid.cell(word.last) > cell {
                self.scene.ahead.words.push_back(word);
                continue;
            }
            match self.scene.config.rule {
                Rule::Evidence => self.evidence.hear(&mut self.scene, &word),
                Rule::Contacts => all_contacts::count(&mut self.scene, &word),
            }
        }
    }

    /// The next cell in which anything may happen, `next` at most.
    fn skip(&mut self, cell: Cell, next: Cell) -> Cell {
        let is_idle = self.scene.suspects.is_empty() && self.evidence.is_idle() && self.reported.is_empty();
        let following = Cell(cell.0.saturating_add(1));
        let to = if is_idle { self.scene.first_ahead().unwrap_or(next).clamp(following, next) } else { following };
        self.sweep(to, to.0.saturating_sub(cell.0));
        to
    }

    /// Looks for what left the windows, at every source once a window.
    fn sweep(&mut self, cell: Cell, cells: i64) {
        let Scene { contacts, cells: window, .. } = &self.scene;
        let positions = contacts.positions();
        let due =
            positions.div_ceil(window[0].min(window[1]) as usize).saturating_mul(usize::try_from(cells).unwrap_or(0));
        let horizons = Aspect::BOTH.map(|aspect| self.scene.horizon(cell, aspect));
        self.scene.contacts.sweep(due.min(positions), horizons);
    }

    /// The packets' clock was set: what is in the windows is of another time.
    pub fn clock_stepped(&mut self, _to: Timestamp) {
        self.scene.contacts.clear();
        self.scene.suspects.clear();
        self.scene.trails.clear();
        self.scene.set_current(None);
        self.scene.ahead.words.clear();
        self.evidence.clear();
    }
}

/// Words of later cells, and those that may yet find their contact, as many as there is room for.
#[derive(Debug, Default)]
struct Later {
    words: VecDeque<Word>,
    lost: u64,
}

/// Words that wait at most.
const MAXIMUM_LATER: usize = 16_384;

impl Later {
    /// Lets a word wait; false when there is no room.
    fn push(&mut self, word: &Word) -> bool {
        if self.words.len() >= MAXIMUM_LATER {
            self.lost += 1;
            return false;
        }
        self.words.push_back(*word);
        true
    }

    fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<Word>()
    }
}

#[cfg(test)]
mod tests;
