//! Events → outcomes: a contact failed, touched its target or used it, or is unknown; its outcome is marked for its source.
//!
//! Takes events; changes pending contacts and the marks of targets. An event is applied in its cell, in any order, and a
//! contact is judged at the end of the cell of its deadline. So tick and order do not matter. Must not know rows.

use super::config::Config;
use super::contacts::pending::PendingContact;
use super::contacts::{ContactOutcome, HostPort, SettledContact};
use super::discovery;
use super::events::{ContactEvent, ContactSignals, EventKind};
use super::sample::SeenPackets;
use super::state::ScanState;
use super::visibility::SocketAddress;
use crate::packet::{Protocol, Timestamp};
use crate::time_grid::Cell;

/// Datagrams and bytes that a probe may send before its deadline. More are a stream, whose receiver need not answer.
const MOST_DATAGRAMS: u16 = 8;
const MOST_BYTES: u16 = 4_096;

impl ScanState {
    /// Applies an event in its cell, now or later, if its contact counts.
    pub(super) fn accept(&mut self, event: &ContactEvent) {
        if self.counts((event.source, event.source_port), (event.target.address, event.target.port))
            && !self.defer(event)
        {
            self.apply(event);
        }
    }

    /// True if contacts of an address and port with another one count.
    #[inline]
    pub(super) fn counts(&self, from: SocketAddress, to: SocketAddress) -> bool {
        discovery::are_hosts(from.0, to.0) && !(self.has_exclusions && self.is_excluded(from, to))
    }

    #[cold]
    fn is_excluded(&self, from: SocketAddress, to: SocketAddress) -> bool {
        self.config.excluded_ports.contains(&to.1) || self.config.excluded_contacts.exclude(from, to)
    }

    /// True if only contacts of suspicious sources find room.
    #[inline]
    pub(super) fn is_short_of_room(&self) -> bool {
        self.pending.is_nearly_full() || self.contacts.is_full()
    }

    /// Applies an event of the cell that ends next.
    pub(super) fn apply(&mut self, event: &ContactEvent) {
        match event.kind {
            EventKind::Contact => self.apply_to_contact(event),
            EventKind::Question => self.askers.note(event.source, event.source_port, event.last),
            EventKind::Seen(seen) => self.visibility.note(event.interface, ends(event), seen, self.cell(event.last)),
        }
    }

    fn apply_to_contact(&mut self, event: &ContactEvent) {
        if let Some([reply, contact]) = event.split() {
            self.apply_to_contact(&reply);
            return self.apply_to_contact(&contact);
        }
        let is_refusal = event.signals.has(ContactSignals::REFUSED);
        if is_refusal && event.target.protocol == Protocol::UDP {
            _ = self.unmatched.push(event);
            return;
        }
        let waits = is_refusal && self.is_refused_elsewhere(event) && self.unmatched.push(event);
        let is_found = waits || self.update_pending(event) || event.begins && self.is_answer_to_pending(event);
        let (is_answer, exchanged) =
            (event.signals.has(ContactSignals::ANSWERED), event.signals.has(ContactSignals::EXCHANGED));
        let is_answered = (is_answer || is_refusal) && (is_found || event.packets > 0) || exchanged;
        if is_answered && !event.target.is_on_link() {
            self.note_answer(event);
        }
        // A datagram's contact that is still pending counts its own datagrams.
        if exchanged && !(is_found && event.target.protocol == Protocol::UDP) {
            self.refresh(event);
        } else if !is_found && event.begins {
            self.begin_contact(event);
        } else if !is_found && (!event.is_known && (is_answer || is_refusal) || is_answer && is_icmp(&event.target)) {
            // The row of its contact may come later in this cell, by another thread. Each request of a known ICMP
            // conversation may begin a contact.
            self.unmatched.push(event);
        }
    }

    /// True if a refusal came by another interface than its contact. It waits for the end of the cell, because the source's
    /// last packet before it may be in a row that comes later.
    fn is_refused_elsewhere(&mut self, event: &ContactEvent) -> bool {
        let contact = self.pending.find((event.source, event.source_port), &event.target);
        self.unmatched.has_room() && contact.is_some_and(|(_, contact)| contact.interface != event.interface)
    }

    /// Notes that an interface shows answers. An accepted connection counts as a conversation; a refused one does not, so
    /// that a scanner that is refused everywhere does not outweigh the conversations of others.
    fn note_answer(&mut self, event: &ContactEvent) {
        let cell = self.cell(event.last);
        self.visibility.note_answer(event.interface, cell);
        if event.target.protocol == Protocol::TCP && event.signals.has(ContactSignals::ANSWERED) {
            self.visibility.note(event.interface, ends(event), SeenPackets::BothWays, cell);
        }
    }

    /// Adds an event to its pending contact, and settles that if its outcome is known; false without one.
    fn update_pending(&mut self, event: &ContactEvent) -> bool {
        let found = self.pending.find((event.source, event.source_port), &event.target);
        let Some((at, contact)) = found else { return false };
        if answers_earlier_request(event, contact) {
            return true;
        }
        add(contact, event);
        if let Some(outcome) = outcome(contact, event, &self.config) {
            let contact = self.pending.resolve(at);
            self.settle(&contact, outcome);
        }
        true
    }

    /// True if a datagram that looks like a beginning answers a pending contact: its conversation was forgotten.
    fn is_answer_to_pending(&mut self, event: &ContactEvent) -> bool {
        if event.target.protocol != Protocol::UDP || self.pending.is_empty() {
            return false;
        }
        let target = HostPort { address: event.source, port: event.source_port, ..event.target };
        let (source, source_port) = (event.target.address, event.target.port);
        let signals = ContactSignals::ANSWERED;
        self.update_pending(&ContactEvent { source, source_port, target, signals, packets: 0, bytes: 0, ..*event })
    }

    /// Adds a new contact, which is pending unless its outcome is known at once.
    fn begin_contact(&mut self, event: &ContactEvent) {
        if !event.target.is_on_link() {
            self.recent_targets.note(event.target.address);
        }
        if self.pending.is_full() && event.signals == ContactSignals::default() {
            return self.pending.count_lost();
        }
        if self.is_short_of_room() && !self.contacts.is_wanted(event.source) {
            self.unknown += 1;
            return;
        }
        let mut contact =
            PendingContact::new((event.source, event.source_port), event.target, event.interface, event.first);
        add(&mut contact, event);
        match outcome(&contact, event, &self.config) {
            Some(outcome) => self.settle(&contact, outcome),
            None => self.pending.insert(contact, self.cell(contact.first + self.config.timeout)),
        }
    }

    /// Marks a target that exchanges data with its source as used, in this part of the window.
    fn refresh(&mut self, event: &ContactEvent) {
        if self.contacts.is_full() && self.contacts.find(event.source).is_none() {
            return;
        }
        let cell = self.visibility.block_start(self.cell(event.last));
        let ContactEvent { target, source_port, interface, is_outside, first, last, .. } = *event;
        let settled = SettledContact {
            outcome: ContactOutcome::Used,
            time: last,
            cell,
            first,
            last,
            target,
            source_port,
            interface,
            is_outside,
            probe_port: 0,
            is_silent: false,
            is_refused: false,
        };
        self.mark(event.source, &settled);
    }

    /// Marks the outcome of a contact, known at a time.
    fn settle(&mut self, contact: &PendingContact, (outcome, time): (ContactOutcome, Timestamp)) {
        let has_failed = outcome == ContactOutcome::Failed;
        if has_failed && self.visibility.is_blind(contact.interface) {
            self.unknown += 1;
        } else if !(has_failed && (self.is_answer_to_question(contact) || self.is_of_router(contact))) {
            self.mark(contact.source, &settled(contact, outcome, time, self.cell(time)));
        }
    }

    /// True if a contact is the answer to a question that went to many hosts, and so no contact at all. This is asked
    /// when the contact fails, at the end of a cell: the question may come by another thread.
    fn is_answer_to_question(&self, contact: &PendingContact) -> bool {
        let target = &contact.target;
        target.protocol == Protocol::UDP && self.askers.may_be_answered(target.address, target.port, contact.first)
    }

    /// True if a question for a link address was for a host that anyone contacted: it may be a router's that forwards.
    fn is_of_router(&self, contact: &PendingContact) -> bool {
        contact.target.is_on_link() && self.recent_targets.contains(contact.target.address)
    }

    /// Ends a cell: contacts whose deadline has passed get their outcome.
    pub(super) fn end_cell(&mut self, cell: Cell) {
        self.visibility.judge(cell);
        for event in std::mem::take(&mut self.unmatched.events) {
            self.update_pending(&event);
        }
        while let Some(due) = self.pending.due(cell) {
            for at in due {
                if let Some(contact) = self.pending.take(at) {
                    self.expire(cell, contact);
                }
            }
        }
        self.memory.end_cell(self.grid.start(cell));
    }

    /// Settles a contact whose deadline has passed. One that was tried again later is pending again.
    fn expire(&mut self, cell: Cell, contact: PendingContact) {
        let signals = ContactSignals(contact.signals);
        if signals.has(ContactSignals::ANSWERED) {
            return self.expire_answered(cell, contact);
        }
        let is_stream = contact.target.protocol == Protocol::UDP
            && (contact.packets > MOST_DATAGRAMS || contact.bytes > MOST_BYTES);
        if is_stream || signals.has(ContactSignals::CONTINUED) {
            self.unknown += 1;
            return;
        }
        let timeout = self.config.timeout;
        self.settle(&contact, (ContactOutcome::Failed, contact.first + timeout));
        let due_again = self.grid.cell(contact.last + timeout);
        if due_again > cell {
            self.pending.insert(contact.tried_again(), due_again);
        }
    }

    /// A contact that was answered waits for its use, as long as there is room; then it touched its target.
    fn expire_answered(&mut self, cell: Cell, contact: PendingContact) {
        let wait = match contact.target.protocol {
            Protocol::TCP if ContactSignals(contact.signals).has(ContactSignals::CONTINUED) => self.config.use_timeout,
            Protocol::TCP | Protocol::UDP => self.config.timeout,
            _ => self.config.echo_window,
        };
        let deadline = contact.first + wait;
        let is_used = contact.target.protocol == Protocol::UDP
            && u32::from(contact.packets.max(contact.reply_packets)) > self.config.touching_datagrams;
        if is_used {
            self.settle(&contact, (ContactOutcome::Used, contact.first));
        } else if self.grid.cell(deadline) <= cell {
            self.settle(&contact, (ContactOutcome::Touched, deadline));
        } else if self.pending.is_nearly_full() {
            self.settle(&contact, (ContactOutcome::Used, contact.first));
        } else {
            self.pending.insert(contact, self.grid.cell(deadline));
        }
    }
}

/// True if an ICMP reply came before the first request of the contact. The thread of its interface is the later one.
fn answers_earlier_request(event: &ContactEvent, contact: &PendingContact) -> bool {
    is_icmp(&contact.target) && event.packets == 0 && event.replied < contact.first
}

fn is_icmp(target: &HostPort) -> bool {
    matches!(target.protocol, Protocol::ICMP | Protocol::ICMPV6)
}

fn add(contact: &mut PendingContact, event: &ContactEvent) {
    contact.signals |= event.signals.0;
    contact.is_outside |= event.is_outside;
    contact.reply_packets = sum(contact.reply_packets, event.reply_packets.into());
    contact.reply_bytes = sum(contact.reply_bytes, event.reply_bytes);
    if event.packets > 0 {
        contact.first = contact.first.min(event.first);
        contact.last = contact.last.max(event.last);
        contact.packets = sum(contact.packets, event.packets.into());
        contact.bytes = sum(contact.bytes, event.bytes);
    }
}

/// The sum, at most as large as it can be.
fn sum(sum: u16, more: u64) -> u16 {
    sum.saturating_add(u16::try_from(more).unwrap_or(u16::MAX))
}

fn settled(contact: &PendingContact, outcome: ContactOutcome, time: Timestamp, cell: Cell) -> SettledContact {
    let PendingContact { target, source_port, interface, is_outside, first, last, .. } = *contact;
    let signals = ContactSignals(contact.signals);
    SettledContact {
        outcome,
        time,
        cell,
        first,
        last,
        target,
        source_port,
        interface,
        is_outside,
        probe_port: if signals.has(ContactSignals::PROBE) { source_port } else { 0 },
        is_silent: target.protocol == Protocol::UDP && !signals.has(ContactSignals::REFUSED),
        is_refused: signals.has(ContactSignals::REFUSED) || signals.has(ContactSignals::ABORTED),
    }
}

/// The outcome of a contact after an event, and the time at which it was known; none while it is open.
fn outcome(contact: &PendingContact, event: &ContactEvent, config: &Config) -> Option<(ContactOutcome, Timestamp)> {
    let signals = ContactSignals(contact.signals);
    if !signals.has(ContactSignals::ANSWERED) {
        return signals.has(ContactSignals::REFUSED).then_some((ContactOutcome::Failed, event.failed));
    }
    match contact.target.protocol {
        Protocol::TCP => outcome_of_answered(contact, event, config),
        // A datagram's contact is settled at its deadline.
        Protocol::UDP => None,
        HostPort::LINK => Some((ContactOutcome::Used, event.last)),
        _ => (u32::from(contact.packets) >= config.echo_requests).then_some((ContactOutcome::Used, event.last)),
    }
}

/// The outcome of an answered TCP contact.
fn outcome_of_answered(
    contact: &PendingContact,
    event: &ContactEvent,
    config: &Config,
) -> Option<(ContactOutcome, Timestamp)> {
    let signals = ContactSignals(contact.signals);
    let is_closed = [ContactSignals::CLOSED, ContactSignals::REFUSED, ContactSignals::ABORTED];
    if signals.has(ContactSignals::PROBE)
        || signals.has(ContactSignals::SENT)
        || u32::from(contact.reply_bytes) > config.used_bytes
    {
        Some((ContactOutcome::Used, event.last))
    } else if signals.has(ContactSignals::ABORTED) && !signals.has(ContactSignals::CONTINUED) {
        Some((ContactOutcome::Failed, event.failed))
    } else if is_closed.into_iter().any(|signal| signals.has(signal)) {
        Some((ContactOutcome::Touched, event.last))
    } else {
        None
    }
}

pub(super) fn ends(event: &ContactEvent) -> [SocketAddress; 2] {
    [(event.source, event.source_port), (event.target.address, event.target.port)]
}
