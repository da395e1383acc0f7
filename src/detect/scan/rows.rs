//! Merged rows → the events that matter now.
//!
//! Takes rows with the last report of their conversations; passes events on to their outcomes. Drops a row as early as
//! it can: most rows are of conversations that were reported in this part of the window, or of a flood for which there
//! is no room. Must not know how an event changes a contact.

use super::connections::{self, RowKind};
use super::discovery;
use super::events::{self, ContactEvent, ContactSignals, EventKind};
use super::reported;
use super::sample::SeenPackets;
use super::state::ScanState;
use crate::account::InterfaceId;
use crate::account::conversation::{Address, ConversationKey, Way};
use crate::account::observer::MergedRow;
use crate::detect::{LastReport, Notes};
use crate::packet::{Protocol, Timestamp};
use crate::time_grid::Cell;

/// Rows of a flood whose sources are read before the first of them is observed, so that the cache misses overlap.
const READ_AHEAD: usize = 32;

impl ScanState {
    /// Takes merged rows and the notes of their conversations.
    pub(super) fn observe_rows<A: Address>(&mut self, merged: &[MergedRow<'_, A>], notes: &mut [Notes]) {
        for (block, notes) in merged.chunks(READ_AHEAD).zip(notes.chunks_mut(READ_AHEAD)) {
            if self.is_short_of_room() {
                for MergedRow { row, .. } in block.iter().filter(|merged| !merged.is_known) {
                    self.contacts.touch_newcomer(row.key.endpoints(row.opener()).0.address);
                }
            }
            for (merged, notes) in block.iter().zip(notes) {
                self.observe_row(merged, &mut notes.reported);
            }
        }
    }

    #[inline(always)]
    fn observe_row<A: Address>(&mut self, merged: &MergedRow<'_, A>, report: &mut LastReport) {
        match RowKind::of(merged) {
            RowKind::Established => self.observe_established(merged, report),
            RowKind::BareBeginning => self.observe_beginning(merged, report),
            RowKind::Opening => self.observe_opening(merged, report),
            RowKind::Datagrams => self.observe_datagrams(merged, report),
            RowKind::Icmp => {
                let interface = self.visibility.position(merged.interface);
                events::of_icmp(merged, interface).into_iter().flatten().for_each(|event| self.accept(&event));
            }
            RowKind::Other => {}
        }
    }

    /// Takes the refusal of a packet of the conversation `key` that went `way`.
    pub(super) fn refuse<A: Address>(
        &mut self,
        key: &ConversationKey<A>,
        way: Way,
        time: Timestamp,
        interface: InterfaceId,
    ) {
        if matches!(key.protocol(), Protocol::TCP | Protocol::UDP | Protocol::ICMP | Protocol::ICMPV6) {
            let interface = self.visibility.position(interface);
            self.accept(&events::of_refusal(key, way, time, interface));
        }
    }

    /// Each conversation reports once in a part of the window that its ends exchange data, and then nothing else matters.
    /// Before that it reports what a pending contact may wait for, and how it was seen.
    #[inline]
    fn observe_established<A: Address>(&mut self, merged: &MergedRow<'_, A>, report: &mut LastReport) {
        let cell = self.cell(events::last_request_or_reply(merged));
        let period = self.period(cell);
        if merged.is_known && reported::is_reported(*report, period) {
            return;
        }
        self.note_seen(merged, cell);
        let signals = connections::established_signals(merged, self.config.used_bytes);
        if signals.has(ContactSignals::EXCHANGED) {
            reported::keep(report, period);
            self.continue_contact(merged, signals);
        } else if merged.is_known {
            if self.may_be_pending() {
                self.continue_contact(merged, signals);
            }
        } else {
            let interface = self.visibility.position(merged.interface);
            connections::of_probe(merged, interface).into_iter().for_each(|event| self.accept(&event));
        }
    }

    /// The beginning of a contact and nothing else. Where room is short, only that of a source that is worth it: of a flood
    /// from invented sources hardly any is, and this is all the work that its rows cause.
    #[inline]
    fn observe_beginning<A: Address>(&mut self, merged: &MergedRow<'_, A>, report: &mut LastReport) {
        let opener = merged.row.opener();
        let (from, to) = merged.row.key.endpoints(opener);
        let (source, target) = (from.address.into(), to.address.into());
        if to.port == 0 || !self.counts((source, from.port), (target, to.port)) {
            return;
        }
        let is_ahead = self.is_ahead(merged.row.ways[opener as usize].last);
        if !merged.is_known && !is_ahead && self.is_short_of_room() && !self.contacts.is_wanted(source) {
            self.unknown += 1;
            return;
        }
        if !is_ahead && self.pending.is_full() && !self.pending.may_hold(from, to, Protocol::TCP) {
            return self.pending.count_lost();
        }
        let interface = self.visibility.position(merged.interface);
        let event = connections::of_beginning(merged, interface);
        // A contact that finds no room has no use for reports.
        if is_ahead || !self.pending.is_full() {
            self.forget_report(report, event.last);
        }
        if !self.defer(&event) {
            self.apply(&event);
        }
    }

    fn observe_opening<A: Address>(&mut self, merged: &MergedRow<'_, A>, report: &mut LastReport) {
        if connections::continues_alone(merged) {
            let cell = self.cell(merged.row.ways[merged.row.opener() as usize].last);
            self.note_seen(merged, cell);
        }
        let interface = self.visibility.position(merged.interface);
        for event in connections::of_opening(merged, interface, self.config.used_bytes).into_iter().flatten() {
            if event.begins {
                self.forget_report(report, event.last);
            }
            self.accept(&event);
        }
    }

    fn observe_datagrams<A: Address>(&mut self, merged: &MergedRow<'_, A>, report: &mut LastReport) {
        let period = self.period(self.cell(events::last_request_or_reply(merged)));
        if merged.is_known && reported::is_reported(*report, period) {
            return;
        }
        let interface = self.visibility.position(merged.interface);
        if let Some(question) = events::of_question(merged, interface) {
            self.ask(&question);
        }
        let Some(event) = events::of_datagrams(merged, interface) else { return };
        if event.begins {
            reported::forget(report, period);
        }
        let exchanges = event.signals.has(ContactSignals::EXCHANGED);
        // A pending contact counts all its datagrams.
        if exchanges && !self.is_ahead(event.last) && !self.is_pending(&event) {
            reported::keep(report, period);
        }
        if event.begins || exchanges || merged.is_known && self.may_be_pending() {
            self.accept(&event);
        }
    }

    /// Notes a question to many hosts, whose answers are no contacts. The asker itself must be a host.
    fn ask(&mut self, question: &ContactEvent) {
        if discovery::is_host(question.source) && !self.defer(question) {
            self.apply(question);
        }
    }

    /// A conversation begins: earlier reports are of another one between the same ends.
    fn forget_report(&self, report: &mut LastReport, time: Timestamp) {
        reported::forget(report, self.period(self.cell(time)));
    }

    /// Notes how a conversation was seen; an event of a later cell is deferred.
    fn note_seen<A: Address>(&mut self, merged: &MergedRow<'_, A>, cell: Cell) {
        let (row, is_seen_both_ways) = (merged.row, merged.seen == [true; 2]);
        let is_forward = row.ways[Way::Forward as usize].packets > 0;
        let way = if is_seen_both_ways {
            merged.request_way
        } else if is_forward {
            Way::Forward
        } else {
            Way::Backward
        };
        let seen = match row.ways[way as usize].packets {
            _ if is_seen_both_ways => SeenPackets::BothWays,
            1 if !merged.is_known => SeenPackets::Once,
            _ => SeenPackets::OneWay,
        };
        let (from, to) = row.key.endpoints(way);
        let ends = [(from.address.into(), from.port), (to.address.into(), to.port)];
        let interface = self.visibility.position(merged.interface);
        if self.visibility.knows(interface, ends, seen, cell) || !ends.iter().all(|end| discovery::is_host(end.0)) {
            return;
        }
        let event = ContactEvent { kind: EventKind::Seen(seen), ..events::plain(merged, way, interface) };
        if !self.defer(&event) {
            self.visibility.note(interface, ends, seen, cell);
        }
    }

    fn continue_contact<A: Address>(&mut self, merged: &MergedRow<'_, A>, signals: ContactSignals) {
        let interface = self.visibility.position(merged.interface);
        self.accept(&events::of_known(merged, interface, signals));
    }

    fn is_pending(&mut self, event: &ContactEvent) -> bool {
        self.pending.find((event.source, event.source_port), &event.target).is_some()
    }

    /// True if the contact of a known conversation may be pending, so that its signals matter.
    #[inline]
    fn may_be_pending(&self) -> bool {
        !self.pending.is_empty() || !self.deferred.events.is_empty()
    }
}
