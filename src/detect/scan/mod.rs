//! Scans: sources that contact many hosts or many ports.
//!
//! Takes merged rows; gives [`Detection`]s at the ends of cells of packet time. By evidence, failed contacts count: a
//! row becomes [`events`], events change contacts until their [`outcomes`] are known, and the [`verdict`] compares a
//! source's failed contacts with its limit and its answered ones. By contacts, all contacts count ([`all_contacts`]).
//! Must not know alerts.

mod all_contacts;
mod broadcasts;
mod comparison;
mod config;
mod connections;
mod contacts;
mod discovery;
mod events;
mod excluded;
mod groups;
mod interface_positions;
mod known;
mod marking;
mod masquerade;
mod networks;
mod outcomes;
mod prefixes;
mod recent_targets;
mod reported;
mod resolved;
mod rows;
mod sample;
mod state;
mod tally;
mod trail;
mod two_periods;
mod verdict;
mod view;
mod visibility;

use super::{Detection, Notes, View};
use crate::account::InterfaceId;
use crate::account::conversation::{Address, ConversationKey, Way};
use crate::account::observer::RowBatch;
use crate::packet::{Resolution, Timestamp};
use crate::tables::sampling::Seeds;
use crate::time_grid::Cell;
pub use config::{Config, Rule};
pub use excluded::{ExcludedContact, ExcludedContacts, MAXIMUM_EXCLUDED};
use groups::OngoingGroups;
use state::ScanState;
use verdict::OngoingScans;

/// Finds scans.
#[derive(Debug)]
pub struct Scan {
    state: ScanState,
    ongoing: OngoingScans,
    groups: OngoingGroups,
}

impl Scan {
    /// Nothing seen.
    pub fn new(config: &Config, seeds: impl Into<Seeds>) -> Self {
        Self {
            state: ScanState::new(config, seeds.into()),
            ongoing: OngoingScans::default(),
            groups: OngoingGroups::default(),
        }
    }

    /// An empty search with another configuration. Conversations that were reported to this one are reported again.
    pub(crate) fn succeeded_by(&self, config: &Config, seeds: impl Into<Seeds>) -> Self {
        let mut next = Self::new(config, seeds);
        next.state.succeed(&self.state);
        next
    }

    /// Goes on with other limits; false, and nothing is changed, if the windows or the tables are others too.
    pub(crate) fn configure(&mut self, config: &Config) -> bool {
        self.state.configure(config)
    }

    /// Takes merged rows.
    pub fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
        let (merged, notes) = rows.merged();
        match self.state.config.rule {
            Rule::Evidence => self.state.observe_rows(merged, notes),
            Rule::Contacts => merged.iter().for_each(|merged| self.state.count_row(merged)),
        }
    }

    /// Takes the refusal of a packet of the conversation `key` that went `way` by an ICMP error.
    pub fn refuse<A: Address>(&mut self, key: &ConversationKey<A>, way: Way, time: Timestamp, interface: InterfaceId) {
        if self.state.config.rule == Rule::Evidence {
            self.state.refuse(key, way, time, interface);
        }
    }

    /// Takes a message of address resolution.
    pub fn resolve(&mut self, resolution: &Resolution, interface: InterfaceId) {
        if self.state.config.rule == Rule::Evidence {
            self.state.resolve(resolution, interface);
        }
    }

    /// Takes the numbers of packets that the capture of an interface received and dropped since the last call, at `time`.
    pub(crate) fn note_capture(&mut self, interface: InterfaceId, received: u64, dropped: u64, time: Timestamp) {
        let cell = self.state.cell(time);
        self.state.visibility.note_capture(interface, received, dropped, cell);
    }

    /// Forgets an interface that no longer exists.
    pub fn forget_interface(&mut self, interface: InterfaceId) {
        self.state.visibility.forget(interface);
    }

    /// Gives the verdicts of all cells that end by `watermark`: nothing from before it will come any more.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Detection> {
        let next = self.state.grid.cell(watermark);
        let Some(mut cell) = self.start(next) else { return Vec::new() };
        let mut detections = Vec::new();
        while cell < next {
            self.state.end_cell(cell);
            self.ongoing.judge(&mut self.state, cell, &mut detections);
            self.groups.judge(&self.ongoing, &mut self.state, cell, &mut detections);
            cell = self.next_cell(cell, next);
            self.begin(cell);
        }
        detections
    }

    /// The cell that ends next: at first, that of the first row.
    fn start(&mut self, next: Cell) -> Option<Cell> {
        if self.state.current().is_none() {
            let first = self.state.first_deferred().unwrap_or(next).min(next);
            self.begin(first);
        }
        self.state.current()
    }

    /// Begins a cell: applies the events that were deferred until then.
    fn begin(&mut self, cell: Cell) {
        self.state.set_current(Some(cell));
        for event in std::mem::take(&mut self.state.deferred.events) {
            if self.state.grid.cell(event.last) > cell {
                self.state.deferred.events.push_back(event);
                continue;
            }
            match self.state.config.rule {
                Rule::Evidence => self.state.apply(&event),
                Rule::Contacts => self.state.count_contact(&event),
            }
        }
    }

    /// The next cell in which anything may happen, `next` at most.
    fn next_cell(&mut self, cell: Cell, next: Cell) -> Cell {
        let is_idle = self.state.suspects.is_empty() && self.state.is_settled();
        let is_idle = is_idle && self.ongoing.is_empty() && self.groups.is_empty() && self.state.prefixes.is_empty();
        let following = cell.next();
        let to = if is_idle { self.state.first_deferred().unwrap_or(next).clamp(following, next) } else { following };
        self.state.sweep(to, to.0.saturating_sub(cell.0));
        to
    }

    /// The state for readers, with the `top` sources of each kind, the largest first.
    pub fn view(&self, top: usize) -> View {
        self.state.view(top)
    }

    /// The memory that the tables take, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.state.memory_bytes()
    }

    /// Forgets all contacts: the packets' clock was set. Ongoing scans stay.
    pub fn restart(&mut self) {
        self.state.clear();
    }
}

#[cfg(test)]
mod tests;
