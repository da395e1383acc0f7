//! The state of the search for scans for readers: the sources with the most contacts, and how full the tables are.
//!
//! Takes the state; gives a bounded view of it. Must not know how it is shown.

use std::net::IpAddr;

use super::config::Rule;
use super::contacts::Aspect;
use super::state::ScanState;
use super::tally::tally;
use crate::detect::{DetectionTable, TableUse, View};
use crate::tables::top::{heaviest_first, top_n};
use crate::time_grid::Cell;

impl ScanState {
    /// The fields of scans, with the `top` sources of each kind, the largest first.
    pub(super) fn view(&self, top: usize) -> View {
        let (pending, pending_limit, pending_lost) = self.pending.figures();
        let lost = pending_lost + self.unmatched.lost + self.deferred.lost;
        let (sources, source_limit, evicted) = self.contacts.source_figures();
        let (targets, target_limit, targets_lost) = self.contacts.target_figures();
        let (askers, asker_limit, forgotten) = self.askers.figures(self.current_end());
        let (known, known_limit, not_taken) = self.memory.figures();
        let (prefixes, prefix_limit, uncounted) = self.prefixes.figures();
        let table = |table, entries, limit, evicted| TableUse { table, entries, limit, evicted };
        View {
            contacted_hosts: self.contacted(Aspect::Hosts, top),
            contacted_ports: self.contacted(Aspect::Ports, top),
            unanswered_contacts: self.unanswered(top),
            answers_visible: self.visibility.answers_visible(),
            tables: vec![
                table(DetectionTable::ScanSources, sources, source_limit, evicted),
                table(DetectionTable::ScanTargets, targets, target_limit, targets_lost),
                table(DetectionTable::ScanPending, pending, pending_limit, lost),
                table(DetectionTable::ScanAskers, askers, asker_limit, forgotten),
                table(DetectionTable::ScanKnown, known, known_limit, not_taken),
                table(DetectionTable::ScanPrefixes, prefixes, prefix_limit, uncounted),
            ],
            unknown_contacts: self.unknown,
            ..View::default()
        }
    }

    fn contacted(&self, aspect: Aspect, top: usize) -> Vec<(IpAddr, u64)> {
        self.top(
            top,
            |source| self.contacts.length(source, aspect),
            |source, cell| tally(self, cell, source, aspect).contacted,
        )
    }

    fn unanswered(&self, top: usize) -> Vec<(IpAddr, u64)> {
        if self.config.rule == Rule::Contacts {
            return Vec::new();
        }
        let largest = |of: &dyn Fn(Aspect) -> u64| Aspect::BOTH.map(of).into_iter().max().unwrap_or_default();
        self.top(
            top,
            |source| largest(&|aspect| self.contacts.counted(source, aspect)),
            |source, cell| largest(&|aspect| tally(self, cell, source, aspect).failed),
        )
    }

    /// The sources with the most by `exact`, among twice as many with the most by `bound`.
    fn top(&self, top: usize, bound: impl Fn(u32) -> u64, exact: impl Fn(u32, Cell) -> u64) -> Vec<(IpAddr, u64)> {
        let bounds = self.contacts.sources().map(|source| (bound(source), source));
        let bounds = top_n(bounds.filter(|&(bound, _)| bound > 0), 2 * top, |one, other| other.cmp(one));
        let cell = self.current().unwrap_or_default();
        let found = bounds.iter().map(|&(_, source)| (self.contacts.address(source), exact(source, cell)));
        top_n(found.filter(|&(_, value)| value > 0), top, heaviest_first)
    }
}
