//! Scans by the number of contacts, TrafficAlerted's rule: each packet contacts its destination and its destination port.
//!
//! Takes merged rows; marks the targets of both ways. Must not know which side began, nor outcomes.

use super::contacts::Aspect;
use super::events::{self, ContactEvent};
use super::outcomes::ends;
use super::state::ScanState;
use super::verdict;
use crate::account::conversation::{Address, Way};
use crate::account::observer::MergedRow;
use crate::packet::Protocol;

impl ScanState {
    /// Counts both ways of a row, each in its cell.
    pub(super) fn count_row<A: Address>(&mut self, merged: &MergedRow<'_, A>) {
        for way in Way::BOTH {
            if merged.row.ways[way as usize].packets > 0 {
                let event = events::plain(merged, way, 0);
                if !self.defer(&event) {
                    self.count_contact(&event);
                }
            }
        }
    }

    /// Counts packets of a source to a target, in the cell that ends next.
    pub(super) fn count_contact(&mut self, event: &ContactEvent) {
        let [from, to] = ends(event);
        if self.config.excluded_ports.contains(&to.1) || self.config.excluded_contacts.exclude(from, to) {
            return;
        }
        if self.contacts.is_full() && !self.contacts.is_wanted(event.source) {
            return;
        }
        let Some(source) = self.contacts.find_or_insert(event.source) else { return };
        self.count_target(source, Aspect::Hosts, event);
        if matches!(event.target.protocol, Protocol::TCP | Protocol::UDP) && event.target.port != 0 {
            self.count_target(source, Aspect::Ports, event);
        }
    }

    fn count_target(&mut self, source: u32, aspect: Aspect, event: &ContactEvent) {
        let [from, to] = ends(event);
        if !self.is_analyzed(aspect) || self.config.excluded_contacts.exclude_from(verdict::kind(aspect), from, to) {
            return;
        }
        let cell = self.cell(event.last);
        let horizon = self.horizon(cell, aspect);
        let Some(mark) = self.contacts.mark(source, aspect, event.target, horizon) else { return };
        let was_counted = mark.counted >= horizon;
        if !was_counted || (event.first, event.target) < (mark.since, mark.target) {
            (mark.since, mark.target, mark.begun) = (event.first, event.target, event.first);
        }
        mark.counted = mark.counted.max(cell);
        if !was_counted {
            self.count(source, aspect, 1);
        }
        self.follow_trail((source, event.source), aspect, [event.first, event.last], event.target);
    }
}
