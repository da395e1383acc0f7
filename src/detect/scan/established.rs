//! TCP in its middle: conversations that neither open nor refuse, which most rows are.
//!
//! Takes such rows. They show whether an interface sees both ways, and that a target still answers. Each conversation is
//! heard once in a part of the window.

use super::Scene;
use super::evidence::{Evidence, ways};
use super::groups;
use super::reading::{self, About, Signs, Word};
use super::reported::Reported;
use super::sample::Seen;
use crate::account::conversation::{Address, Way};
use crate::account::observer::MergedRow;
use crate::detect::LastReport;
use crate::time_grid::Cell;

impl Evidence {
    /// Once in a part of the window each conversation says that its server answers. One that is new says only how it was
    /// seen: its beginning was before the capture, or is not in a sample.
    #[inline]
    pub(super) fn see_established<A: Address>(
        &mut self,
        scene: &mut Scene,
        merged: &MergedRow<'_, A>,
        note: &mut LastReport,
    ) {
        let [there, back] = ways(merged);
        let cell = scene.cell(merged.row.ways[(there == 0) as usize ^ merged.request_way as usize].last);
        let period = self.period(cell);
        let reported = if merged.is_known { Reported::of(*note, period) } else { Reported::Nothing };
        if reported == Reported::Exchange {
            return;
        }
        if merged.is_known && back == 0 && self.may_wait(scene) {
            self.go_on(scene, merged, Signs::WENT_ON);
        }
        self.note_sight(scene, merged, cell);
        let is_seen_both_ways = merged.seen == [true; 2];
        let is_new = there > 0 || reported == Reported::Nothing;
        if merged.is_known && back > 0 && is_seen_both_ways && is_new {
            self.exchange(scene, merged, note, period, reported);
        }
    }

    /// Notes how a conversation was seen: in its cell, if that is still to come.
    pub(super) fn note_sight<A: Address>(&mut self, scene: &mut Scene, merged: &MergedRow<'_, A>, cell: Cell) {
        let (row, is_seen_both_ways) = (merged.row, merged.seen == [true; 2]);
        let is_up = row.ways[Way::Up as usize].packets > 0;
        let way = if is_seen_both_ways {
            merged.request_way
        } else if is_up {
            Way::Up
        } else {
            Way::Down
        };
        let seen = match row.ways[way as usize].packets {
            _ if is_seen_both_ways => Seen::BothWays,
            1 if !merged.is_known => Seen::Once,
            _ => Seen::OneWay,
        };
        let (from, to) = row.key.endpoints(way);
        let ends = [(from.address.into(), from.port), (to.address.into(), to.port)];
        let interface = self.sight.position(merged.interface);
        if self.sight.knows(interface, ends, seen, cell) || !ends.iter().all(|end| groups::is_host(end.0)) {
            return;
        }
        let word = Word { about: About::Sight(seen), ..reading::word(merged, way, interface) };
        if !scene.lets_wait(&word) {
            self.sight.note(interface, ends, seen, cell);
        }
    }

    /// Once in a part of the window, a conversation in which the server speaks says that it does; that its client goes on as
    /// well matters only to a contact that waits.
    pub(super) fn exchange<A: Address>(
        &mut self,
        scene: &mut Scene,
        merged: &MergedRow<'_, A>,
        note: &mut LastReport,
        period: i64,
        reported: Reported,
    ) {
        let goes_on = ways(merged)[0] > 0;
        Reported::keep(note, period, goes_on);
        // Where contacts found no room, the answer may have been lost.
        if reported == Reported::Nothing || scene.contacts.is_full() {
            self.go_on(scene, merged, Signs::EXCHANGES.with(Signs::WENT_ON, goes_on));
        } else if self.may_wait(scene) {
            self.go_on(scene, merged, Signs::WENT_ON);
        }
    }

    fn go_on<A: Address>(&mut self, scene: &mut Scene, merged: &MergedRow<'_, A>, signs: Signs) {
        let interface = self.sight.position(merged.interface);
        self.take(scene, &reading::of_known(merged, interface, signs));
    }
}
