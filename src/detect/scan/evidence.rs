//! Contacts and their outcomes: refused, unanswered, answered, or unknown.
//!
//! What a row says of a contact is heard in its cell, in whatever order; the contact is judged when its deadline has
//! passed, at the end of that cell. So neither the tick nor the order of intervals matters.

use std::net::IpAddr;
use std::time::Duration;

use super::contacts::askers::Askers;
use super::contacts::waiting::{Room, Waiting};
use super::outcome::{Outcome, Settled, add, mark, outcome};
use super::reading::{self, About, Signs, Word};
use super::reported::Reported;
use super::sample::Seen;
use super::sight::{End, Sight};
use super::{Config, Later, Scene, groups};
use crate::account::conversation::{Address, ConversationKey, Way};
use crate::account::interface::InterfaceId;
use crate::account::observer::MergedRow;
use crate::detect::{LastReport, Notes};
use crate::packet::{Protocol, Timestamp};
use crate::tables::sampling::{Sampling, Seeds};
use crate::time_grid::Cell;

/// UDP datagrams, and bytes of them, that one contact may send until its deadline and still be a probe. More are a stream
/// to who need not answer.
const MOST_DATAGRAMS: u32 = 8;
const MOST_BYTES: u32 = 4_096;

/// Rows of a flood whose sources are read before the first of them is heard of, so that the cache misses overlap.
const READ_AHEAD: usize = 32;

/// By how much a step of the clock moves the numbers of periods, so that what was heeded before it is not heard after it.
const ERA: i64 = 0x0123_4567;

/// The contacts whose outcome is open, and what helps to tell outcomes.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) room: Room,
    pub(super) sight: Sight,
    pub(super) askers: Askers,
    /// Answers and refusals of contacts that were not heard of when they were: their beginning may come by another thread.
    /// And the refusals of datagrams, which may be answers to a question that comes by another thread.
    unmatched: Later,
    /// What the number of a period begins with: another after the clock stepped.
    era: i64,
    timeout: Duration,
    unknown: u64,
}

impl Evidence {
    pub(super) fn new(config: &Config, cells_in_window: u32, seeds: Seeds) -> Self {
        Self {
            room: Room::new(config.max_waiting, seeds.tables),
            sight: Sight::new(cells_in_window, Sampling::new(seeds.sampling)),
            askers: Askers::new(seeds),
            unmatched: Later::default(),
            era: 0,
            timeout: config.timeout,
            unknown: 0,
        }
    }

    pub(super) fn see_all<A: Address>(&mut self, scene: &mut Scene, merged: &[MergedRow<'_, A>], notes: &mut [Notes]) {
        for (block, notes) in merged.chunks(READ_AHEAD).zip(notes.chunks_mut(READ_AHEAD)) {
            if self.is_short_of_room(scene) {
                for MergedRow { row, .. } in block.iter().filter(|merged| !merged.is_known) {
                    scene.contacts.touch_newcomer(row.key.endpoints(row.opener()).0.address);
                }
            }
            for (merged, notes) in block.iter().zip(notes) {
                self.see(scene, merged, &mut notes.reported);
            }
        }
    }

    #[inline(always)]
    fn see<A: Address>(&mut self, scene: &mut Scene, merged: &MergedRow<'_, A>, note: &mut LastReport) {
        match merged.row.key.protocol() {
            Protocol::TCP if reading::is_established(&merged.row.ways) => self.see_established(scene, merged, note),
            Protocol::TCP => self.see_opening(scene, merged, note),
            Protocol::UDP => self.see_udp(scene, merged, note),
            Protocol::ICMP | Protocol::ICMPV6 => {
                let interface = self.sight.position(merged.interface);
                reading::of_icmp(merged, interface).into_iter().flatten().for_each(|word| self.take(scene, &word));
            }
            _ => {}
        }
    }

    /// TCP that opens or refuses, or begins as no connection does.
    fn see_opening<A: Address>(&mut self, scene: &mut Scene, merged: &MergedRow<'_, A>, note: &mut LastReport) {
        if reading::is_bare_beginning(merged) {
            return self.see_beginning(scene, merged, note);
        }
        if reading::goes_on_alone(merged) {
            let cell = scene.cell(merged.row.ways[merged.row.opener() as usize].last);
            self.note_sight(scene, merged, cell);
        }
        let interface = self.sight.position(merged.interface);
        for word in reading::of_tcp(merged, interface).into_iter().flatten() {
            if word.begins {
                self.forget(scene, note, word.last);
            }
            self.take(scene, &word);
        }
    }

    /// A SYN, or what no connection begins with, and nothing else. Where room is short only of who is worth it: of a flood
    /// from invented sources hardly anybody is, and this is all that is done for it.
    #[inline]
    fn see_beginning<A: Address>(&mut self, scene: &mut Scene, merged: &MergedRow<'_, A>, note: &mut LastReport) {
        let opener = merged.row.opener();
        let (from, to) = merged.row.key.endpoints(opener);
        let (source, port, target) = (from.address.into(), to.port, to.address.into());
        if port == 0 || !counts(scene, source, target, port) {
            return;
        }
        let is_ahead = scene.is_ahead(merged.row.ways[opener as usize].last);
        if !merged.is_known && !is_ahead && self.is_short_of_room(scene) && !scene.contacts.is_wanted(source) {
            self.unknown += 1;
            return;
        }
        if !is_ahead && self.room.is_full() && !self.room.may_hold(from, to, Protocol::TCP) {
            return self.room.lose();
        }
        let interface = self.sight.position(merged.interface);
        let word = Word { begins: true, ..reading::word(merged, opener, interface) };
        // Who finds no room is not told of what follows.
        if is_ahead || !self.room.is_full() {
            self.forget(scene, note, word.last);
        }
        if !scene.lets_wait(&word) {
            self.hear(scene, &word);
        }
    }

    /// A conversation begins: what was heard of one between the same ends is of another.
    fn forget(&self, scene: &Scene, note: &mut LastReport, time: Timestamp) {
        Reported::forget(note, self.period(scene.cell(time)));
    }

    /// The period in which a cell lies: a part of the window.
    #[inline]
    pub(super) fn period(&self, cell: Cell) -> i64 {
        self.sight.block(cell).wrapping_add(self.era)
    }

    /// Whether any contact could wait for what a row of a known conversation says.
    #[inline]
    pub(super) fn may_wait(&self, scene: &Scene) -> bool {
        !self.room.is_empty() || !scene.ahead.words.is_empty()
    }

    pub(super) fn refuse<A: Address>(
        &mut self,
        scene: &mut Scene,
        key: &ConversationKey<A>,
        way: Way,
        time: Timestamp,
        interface: InterfaceId,
    ) {
        if matches!(key.protocol(), Protocol::TCP | Protocol::UDP | Protocol::ICMP | Protocol::ICMPV6) {
            let interface = self.sight.position(interface);
            self.take(scene, &reading::of_refusal(key, way, time, interface));
        }
    }

    /// Hears a word in its cell: now, or when that comes.
    pub(super) fn take(&mut self, scene: &mut Scene, word: &Word) {
        if counts(scene, word.source, word.target.address, word.target.port) && !scene.lets_wait(word) {
            self.hear(scene, word);
        }
    }

    pub(super) fn hear(&mut self, scene: &mut Scene, word: &Word) {
        match word.about {
            About::Contact => self.hear_contact(scene, word),
            About::Question => self.askers.note(word.source, word.source_port, word.last),
            About::Sight(seen) => self.sight.note(word.interface, ends(word), seen, scene.cell(word.last)),
        }
    }

    fn hear_contact(&mut self, scene: &mut Scene, word: &Word) {
        let is_refusal = word.signs.has(Signs::REFUSED);
        if is_refusal && word.target.protocol == Protocol::UDP {
            _ = self.unmatched.push(word);
            return;
        }
        let is_found = self.tell_waiting(scene, word) || word.begins && self.is_answer_to_waiting(scene, word);
        let (is_answer, exchanges) = (word.signs.has(Signs::ANSWERED), word.signs.has(Signs::EXCHANGES));
        if (is_answer || is_refusal) && (is_found || word.packets > 0) || exchanges {
            self.note_answer(scene, word);
        }
        if exchanges || !is_found && !word.begins && is_answer && word.is_known {
            self.refresh(scene, word);
        } else if !is_found && word.begins {
            self.begin_contact(scene, word);
        } else if !is_found && !word.is_known && (is_answer || is_refusal) {
            self.unmatched.push(word);
        }
    }

    /// Notes that an interface shows answers. An accepted connection counts as a conversation; a refused one does not, so
    /// that a scanner that is refused everywhere does not outweigh the conversations of others.
    fn note_answer(&mut self, scene: &Scene, word: &Word) {
        let cell = scene.cell(word.last);
        self.sight.note_answer(word.interface, cell);
        if word.target.protocol == Protocol::TCP && word.signs.has(Signs::ANSWERED) {
            self.sight.note(word.interface, ends(word), Seen::BothWays, cell);
        }
    }

    /// Tells the contact that waits of what was heard; false if none does.
    pub(super) fn tell_waiting(&mut self, scene: &mut Scene, word: &Word) -> bool {
        let Some((at, waiting)) = self.room.find((word.source, word.source_port), &word.target) else { return false };
        add(waiting, word, scene.cell(word.last));
        if let Some(outcome) = outcome(waiting, word.failed) {
            let contact = self.room.resolve(at);
            self.settle(scene, &contact, outcome);
        }
        true
    }

    /// Whether contacts are noted of those alone who are worth it.
    #[inline]
    fn is_short_of_room(&self, scene: &Scene) -> bool {
        self.room.is_tight() || scene.contacts.is_full()
    }

    /// Notes a new contact, and settles it at once where its outcome is known.
    fn begin_contact(&mut self, scene: &mut Scene, word: &Word) {
        if self.room.is_full() && word.signs == Signs::default() {
            return self.room.lose();
        }
        if self.is_short_of_room(scene) && !scene.contacts.is_wanted(word.source) {
            self.unknown += 1;
            return;
        }
        let mut contact = Waiting::new((word.source, word.source_port), word.target, word.interface, word.first);
        add(&mut contact, word, scene.cell(word.last));
        match outcome(&contact, word.failed) {
            Some(outcome) => self.settle(scene, &contact, outcome),
            None => self.room.insert(contact, scene.cell(after(contact.first, self.timeout))),
        }
    }

    /// A target that exchanges packets with its source answers, in this part of the window.
    fn refresh(&mut self, scene: &mut Scene, word: &Word) {
        if scene.contacts.is_full() && scene.contacts.find(word.source).is_none() {
            return;
        }
        let cell = self.sight.block_start(scene.cell(word.last));
        let (place, interface, packets) = (word.target, word.interface, [word.first, word.last]);
        mark(scene, word.source, &Settled { place, interface, packets, outcome: Outcome::Answered(cell) });
    }

    fn settle(&mut self, scene: &mut Scene, contact: &Waiting, outcome: Outcome) {
        let has_failed = matches!(outcome, Outcome::Failed(_));
        if has_failed && self.sight.is_blind(contact.interface) {
            self.unknown += 1;
        } else if !(has_failed && self.is_answer(contact)) {
            let Waiting { target: place, interface, first, last, .. } = *contact;
            mark(scene, contact.source, &Settled { place, interface, packets: [first, last], outcome });
        }
    }

    /// Ends a cell: contacts that are due get their outcome.
    pub(super) fn end(&mut self, scene: &mut Scene, cell: Cell) {
        self.sight.judge(cell);
        for word in std::mem::take(&mut self.unmatched.words) {
            self.tell_waiting(scene, &word);
        }
        while let Some(due) = self.room.due(cell) {
            for at in due {
                if let Some(contact) = self.room.take(at) {
                    self.judge(scene, cell, contact);
                }
            }
        }
    }

    fn judge(&mut self, scene: &mut Scene, cell: Cell, contact: Waiting) {
        let signs = Signs(contact.signs);
        let is_stream = contact.target.protocol == Protocol::UDP
            && (contact.packets > MOST_DATAGRAMS || contact.bytes > MOST_BYTES);
        if signs.has(Signs::ANSWERED) {
            return self.settle(scene, &contact, Outcome::Answered(contact.answered));
        }
        if is_stream || signs.has(Signs::WENT_ON) {
            self.unknown += 1;
            return;
        }
        self.settle(scene, &contact, Outcome::Failed(after(contact.first, self.timeout)));
        let due_again = scene.grid.cell(after(contact.last, self.timeout));
        if due_again > cell {
            self.room.insert(contact.tried_again(), due_again);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.room.is_empty() && self.unmatched.words.is_empty()
    }

    /// The contacts that wait and their limit, those that were lost for want of room, and those whose outcome is unknown.
    pub(super) fn figures(&self) -> (usize, usize, u64, u64) {
        let (held, limit, lost) = self.room.figures();
        (held, limit, lost + self.unmatched.lost, self.unknown)
    }

    /// The endpoints that asked many hosts of late, their limit, and how many had to leave too early.
    pub(super) fn askers(&self, now: Timestamp) -> (usize, usize, u64) {
        self.askers.figures(now)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let answers = self.unmatched.memory_bytes() + self.askers.memory_bytes();
        self.room.memory_bytes() + self.sight.memory_bytes() + answers
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.room.clear();
        self.sight.clear();
        self.askers.clear();
        self.unmatched.words.clear();
        self.era = self.era.wrapping_add(ERA);
    }
}

/// Whether contacts with a port of a host count.
#[inline]
fn counts(scene: &Scene, source: IpAddr, target: IpAddr, port: u16) -> bool {
    !scene.config.excluded_ports.contains(&port) && groups::are_hosts(source, target)
}

/// The ends of the conversation of a word.
fn ends(word: &Word) -> [End; 2] {
    [(word.source, word.source_port), (word.target.address, word.target.port)]
}

/// How many packets went the way of requests and back.
#[inline]
pub(super) fn ways<A: Address>(merged: &MergedRow<'_, A>) -> [u32; 2] {
    let way = merged.request_way;
    [way, way.reversed()].map(|way| merged.row.ways[way as usize].packets)
}

fn after(time: Timestamp, duration: Duration) -> Timestamp {
    let nanoseconds = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanoseconds(time.nanoseconds().saturating_add(nanoseconds))
}
