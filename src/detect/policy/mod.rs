//! Policy: sources that are not permitted and send.
//!
//! Takes merged rows with their verdicts, and packet time; gives [`Detection`]s. Must not know which networks are
//! permitted, nor alerts.
//!
//! A rule holds at the end of a time cell if the source sent more packets than the limit in the cells of one window. A
//! long window is kept in a hundred pieces and may be longer by one of them.

mod config;
mod sender;

use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Detection, DetectionTable, Figures, Kind, Level, Notes, Span, Subject, TableUse, Target};
use crate::account::conversation::{Address, OneWay};
use crate::account::flow::Counters;
use crate::account::observer::RowBatch;
use crate::packet::Timestamp;
use crate::tables::hashing::{self, State};
use crate::tables::sampling::Seeds;
use crate::time_grid::{Cell, TimeGrid};
pub use config::Config;
use sender::{Pieces, Sender, WindowSums};

/// The sources that are not permitted, with their packets in the window.
#[derive(Debug)]
pub struct Policy {
    config: Config,
    grid: TimeGrid,
    /// The number of cells in the window.
    cells: u32,
    pieces: Pieces,
    senders: HashMap<IpAddr, Sender, State>,
    /// The last cell that was judged.
    judged: Option<Cell>,
    /// Before this cell, less than a window has passed since the clock was set.
    known_from: Option<Cell>,
    /// Rows of sources that found no space.
    refused: u64,
}

impl Policy {
    /// An empty detector. `seeds` prevent senders from choosing addresses whose hashes collide.
    pub fn new(config: &Config, seeds: Seeds) -> Self {
        let grid = config.grid();
        let cells = grid.cells(config.interval);
        Self {
            grid,
            cells,
            pieces: Pieces::of(cells),
            senders: HashMap::with_hasher(hashing::state(seeds.tables)),
            judged: None,
            known_from: None,
            refused: 0,
            config: config.clone(),
        }
    }

    /// Goes on with another limit or name; false, and nothing is changed, if the window is another one too.
    pub(crate) fn configure(&mut self, config: &Config) -> bool {
        let is_same = self.config.interval == config.interval;
        if is_same {
            self.config = config.clone();
        }
        is_same
    }

    /// Adds the rows of sources that are not permitted.
    pub fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
        for merged in rows.merged().0 {
            let row = merged.row;
            row.each_way(|way, counted| {
                if !counted.is_permitted() {
                    let (source, destination) = row.key.endpoints(way);
                    let port = (destination.port != 0).then_some(destination.port);
                    let protocol = Some(row.key.protocol());
                    let target = Target { address: destination.address.into(), protocol, port };
                    self.add(source.address.into(), counted, target);
                }
            });
        }
    }

    fn add(&mut self, source: IpAddr, counted: &OneWay, target: Target) {
        if self.senders.len() >= self.config.max_sources && !self.senders.contains_key(&source) {
            self.refused += 1;
            return;
        }
        // A late row counts in the first cell that is not judged.
        let cell = self.grid.cell(counted.last).max(self.judged.map_or(Cell(i64::MIN), Cell::next));
        let OneWay { packets, bytes, first, last, .. } = *counted;
        let sender = self.senders.entry(source).or_default();
        sender.add(cell, Counters { packets: packets.into(), bytes });
        sender.note_target(target, [first, last]);
    }

    /// The detections of all cells that have ended at `watermark`, in the order of cells and sources.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Detection> {
        let target = self.grid.cell(watermark).back(1);
        let mut found = Vec::new();
        let mut from = self.judged.map_or(Cell(i64::MIN), Cell::next);
        while let Some(cell) = self.next_cell(from).filter(|cell| *cell <= target) {
            self.judge(cell, &mut found);
            from = cell.next();
        }
        self.judged = self.judged.max(Some(target));
        self.move_windows(target);
        found
    }

    /// The next cell from `from` on in which a level can change.
    fn next_cell(&self, from: Cell) -> Option<Cell> {
        let next = |sender: &Sender| if sender.since.is_some() { Some(from) } else { sender.next_cell() };
        self.senders.values().filter_map(next).min()
    }

    fn judge(&mut self, cell: Cell, found: &mut Vec<Detection>) {
        self.judged = Some(cell);
        self.move_windows(cell);
        let is_known = self.known_from.is_none_or(|from| cell >= from);
        let mut of_cell = BTreeMap::new();
        for (source, sender) in &mut self.senders {
            let sums = sender.sums();
            let level = match Level::of(sums.map_or(0, |sums| sums.packets), self.config.limit_packets) {
                Level::Under if !is_known => Level::Near,
                level => level,
            };
            if level == Level::Over {
                sender.since.get_or_insert(cell);
            }
            let Some(since) = sender.since else { continue };
            let figures = figures(&self.config, self.grid, self.cells, sums, sender);
            let [since, at] = [since, cell].map(|cell| self.grid.end(cell));
            let (rule, subject) = (self.config.rule.clone(), Subject::Source(*source));
            of_cell.insert(*source, Detection { kind: Kind::Policy, rule, subject, level, since, at, figures });
            if level == Level::Under {
                sender.end_episode();
            }
        }
        found.extend(of_cell.into_values());
    }

    /// Moves all windows so that they end with `cell`, and forgets the sources without packets.
    fn move_windows(&mut self, cell: Cell) {
        let pieces = self.pieces;
        self.senders.retain(|_, sender| {
            sender.advance(cell, pieces);
            !sender.is_idle()
        });
    }

    /// Empties all windows, because the clock was set to `to`. A source over its limit is near it until a whole window is
    /// known.
    pub fn restart(&mut self, to: Timestamp) {
        self.senders.values_mut().for_each(Sender::forget_packets);
        self.senders.retain(|_, sender| !sender.is_idle());
        let cell = self.grid.cell(to);
        self.judged = Some(cell.back(1));
        self.known_from = Some(Cell(cell.0.saturating_add(i64::from(self.cells) - 1)));
    }

    /// The use of its table.
    pub fn table(&self) -> TableUse {
        TableUse {
            table: DetectionTable::PolicySources,
            entries: self.senders.len(),
            limit: self.config.max_sources,
            evicted: self.refused,
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.senders.allocation_size() + self.senders.values().map(Sender::memory_bytes).sum::<usize>()
    }
}

fn figures(config: &Config, grid: TimeGrid, cells: u32, sums: Option<WindowSums>, sender: &Sender) -> Figures {
    let [first_targets, last_targets] = sender.targets();
    // By cells: a late packet counts in a later cell than that of its time.
    let span = |WindowSums { cells: [first, last], .. }| Span {
        first: grid.start(first),
        last: grid.start(last),
        precision: grid.length(),
    };
    Figures {
        value: sums.map_or(0.0, |sums| sums.packets as f64),
        limit: config.limit_packets as f64,
        window: grid.length().saturating_mul(cells),
        bytes: sums.map_or(0, |sums| sums.bytes),
        span: sums.map(span),
        first_targets,
        last_targets,
        ..Figures::default()
    }
}

#[cfg(test)]
mod tests;
