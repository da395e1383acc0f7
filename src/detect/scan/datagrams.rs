//! UDP: contacts by datagrams, questions to many hosts, and the answers to both.
//!
//! Takes UDP rows. An answer to a question that went to many hosts is told when its contact would fail, at the end of a
//! cell: the question may come by another thread.

use super::contacts::Place;
use super::contacts::waiting::Waiting;
use super::evidence::{Evidence, ways};
use super::reading::{self, Signs, Word};
use super::reported::Reported;
use super::{Scene, groups};
use crate::account::conversation::Address;
use crate::account::observer::MergedRow;
use crate::detect::LastReport;
use crate::packet::Protocol;

impl Evidence {
    pub(super) fn see_udp<A: Address>(&mut self, scene: &mut Scene, merged: &MergedRow<'_, A>, note: &mut LastReport) {
        let [there, back] = ways(merged);
        let last = merged.row.ways[(there == 0) as usize ^ merged.request_way as usize].last;
        let period = self.period(scene.cell(last));
        let reported = Reported::of(*note, period);
        if merged.is_known && reported == Reported::Exchange {
            return;
        }
        let interface = self.sight.position(merged.interface);
        if let Some(question) = reading::of_question(merged, interface) {
            self.ask(scene, &question);
        }
        let Some(word) = reading::of_udp(merged, interface) else { return };
        if !merged.is_known {
            if word.begins {
                Reported::forget(note, period);
                self.take(scene, &word);
            }
            return;
        }
        if self.may_wait(scene) {
            self.take(scene, &word);
        }
        if back > 0 && merged.seen == [true; 2] && (there > 0 || reported == Reported::Nothing) {
            self.exchange(scene, merged, note, period, reported);
        }
    }

    /// Notes a question to many hosts: what comes to its sender is an answer. The asker itself must be a host.
    fn ask(&mut self, scene: &mut Scene, question: &Word) {
        if groups::is_host(question.source) && !scene.lets_wait(question) {
            self.askers.note(question.source, question.source_port, question.last);
        }
    }

    /// True if what looks like a beginning is the answer to a contact that waits: its conversation was forgotten.
    pub(super) fn is_answer_to_waiting(&mut self, scene: &mut Scene, word: &Word) -> bool {
        if word.target.protocol != Protocol::UDP || self.room.is_empty() {
            return false;
        }
        let place = Place { address: word.source, port: word.source_port, ..word.target };
        let (source, source_port) = (word.target.address, word.target.port);
        let answer = Word { source, source_port, target: place, signs: Signs::ANSWERED, packets: 0, bytes: 0, ..*word };
        self.tell_waiting(scene, &answer)
    }

    /// True if a contact is the answer to a question that went to many hosts, and so no contact at all.
    pub(super) fn is_answer(&self, contact: &Waiting) -> bool {
        let target = &contact.target;
        target.protocol == Protocol::UDP && self.askers.may_be_answered(target.address, target.port, contact.first)
    }
}
