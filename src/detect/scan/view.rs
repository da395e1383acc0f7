//! The state of the search for scans for readers: the sources with the most contacts, and how full the tables are.
//!
//! Takes the state; gives a bounded view of it. Must not know how it is shown.

use std::net::IpAddr;

use super::contacts::Aspect;
use super::verdict::tally;
use super::{Rule, Scan};
use crate::account::interface::InterfaceId;
use crate::detect::{DetectionTable, TableUse};
use crate::time_grid::Cell;

/// The state of the search for scans, bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanView {
    /// The sources that contacted the most hosts, with the number of hosts.
    pub contacted_hosts: Vec<(IpAddr, u64)>,
    /// The sources that contacted the most ports, with the number of ports.
    pub contacted_ports: Vec<(IpAddr, u64)>,
    /// The sources with the most failed contacts: with hosts, or with ports where these are more.
    pub unanswered_contacts: Vec<(IpAddr, u64)>,
    /// Each interface with true if it shows both ways of conversations.
    pub answers_visible: Vec<(InterfaceId, bool)>,
    /// The tables.
    pub tables: Vec<TableUse>,
    /// Contacts whose outcome is unknown: the interface shows no answers, they are streams, or there was no room.
    pub unknown: u64,
    /// The memory of it all, in bytes.
    pub memory_bytes: usize,
}

impl Scan {
    /// The view, with the `top` sources of each kind, the largest first.
    #[must_use]
    pub fn view(&self, top: usize) -> ScanView {
        let (pending, pending_limit, pending_lost) = self.state.pending.figures();
        let lost = pending_lost + self.state.unmatched.lost + self.state.deferred.lost;
        let (sources, source_limit, evicted) = self.state.contacts.source_figures();
        let (targets, target_limit, targets_lost) = self.state.contacts.target_figures();
        let (askers, asker_limit, forgotten) = self.state.askers.figures(self.state.current_end());
        let table = |table, held, limit, evicted| TableUse { table, held, limit, evicted };
        ScanView {
            contacted_hosts: self.contacted(Aspect::Hosts, top),
            contacted_ports: self.contacted(Aspect::Ports, top),
            unanswered_contacts: self.unanswered(top),
            answers_visible: self.state.visibility.answers_visible(),
            tables: vec![
                table(DetectionTable::ScanSources, sources, source_limit, evicted),
                table(DetectionTable::ScanTargets, targets, target_limit, targets_lost),
                table(DetectionTable::ScanPending, pending, pending_limit, lost),
                table(DetectionTable::ScanAskers, askers, asker_limit, forgotten),
            ],
            unknown: self.state.unknown,
            memory_bytes: self.memory_bytes(),
        }
    }

    /// The memory that the tables take, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.state.memory_bytes()
    }

    fn contacted(&self, aspect: Aspect, top: usize) -> Vec<(IpAddr, u64)> {
        let contacts = &self.state.contacts;
        self.top(
            top,
            |source| contacts.length(source, aspect),
            |source, cell| {
                let tally = tally(&self.state, cell, source, aspect);
                tally.value + tally.answered
            },
        )
    }

    fn unanswered(&self, top: usize) -> Vec<(IpAddr, u64)> {
        if self.state.config.rule == Rule::Contacts {
            return Vec::new();
        }
        let largest = |of: &dyn Fn(Aspect) -> u64| Aspect::BOTH.map(of).into_iter().max().unwrap_or_default();
        let contacts = &self.state.contacts;
        self.top(
            top,
            |source| largest(&|aspect| contacts.counted(source, aspect)),
            |source, cell| largest(&|aspect| tally(&self.state, cell, source, aspect).value),
        )
    }

    /// The sources with the most by `exact`, among twice as many with the most by `bound`.
    fn top(&self, top: usize, bound: impl Fn(u32) -> u64, exact: impl Fn(u32, Cell) -> u64) -> Vec<(IpAddr, u64)> {
        let contacts = &self.state.contacts;
        let mut bounds: Vec<(u64, u32)> =
            contacts.sources().map(|source| (bound(source), source)).filter(|&(bound, _)| bound > 0).collect();
        let candidates = (2 * top).min(bounds.len());
        if candidates < bounds.len() {
            bounds.select_nth_unstable_by(candidates, |left, right| right.cmp(left));
        }
        let cell = self.state.current().unwrap_or_default();
        let mut found: Vec<(IpAddr, u64)> = bounds[..candidates]
            .iter()
            .map(|&(_, source)| (contacts.address(source), exact(source, cell)))
            .filter(|&(_, value)| value > 0)
            .collect();
        found.sort_unstable_by_key(|&(address, value)| (std::cmp::Reverse(value), address));
        found.truncate(top);
        found
    }
}
