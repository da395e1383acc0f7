//! What becomes of contacts by what is heard of them, and how that is written down.

use std::net::IpAddr;

use super::Scene;
use super::contacts::waiting::Waiting;
use super::contacts::{Aspect, NEVER, Place};
use super::reading::{Signs, Word};
use crate::packet::{Protocol, Timestamp};
use crate::time_grid::Cell;

/// What became of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// In a cell.
    Answered(Cell),
    /// Refused, broken off or not answered in time.
    Failed(Timestamp),
}

/// Adds what was heard to a contact.
pub(super) fn add(contact: &mut Waiting, word: &Word, cell: Cell) {
    if word.signs.has(Signs::ANSWERED) && contact.answered == NEVER {
        contact.answered = cell;
    }
    contact.signs |= word.signs.0;
    if word.packets > 0 {
        contact.first = contact.first.min(word.first);
        contact.last = contact.last.max(word.last);
        contact.packets = contact.packets.saturating_add(word.packets);
        contact.bytes = contact.bytes.saturating_add(word.bytes);
    }
}

/// What became of a contact by what was heard of it; none while that is open.
pub(super) fn outcome(contact: &Waiting, failed: Timestamp) -> Option<Outcome> {
    let signs = Signs(contact.signs);
    if !signs.has(Signs::ANSWERED) {
        return signs.has(Signs::REFUSED).then_some(Outcome::Failed(failed));
    }
    if contact.target.protocol != Protocol::TCP || signs.has(Signs::WENT_ON) {
        return Some(Outcome::Answered(contact.answered));
    }
    signs.has(Signs::BROKEN_OFF).then_some(Outcome::Failed(failed))
}

/// A contact whose outcome is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub(super) place: Place,
    pub(super) interface: u16,
    /// The times of the source's first and last packet.
    pub(super) packets: [Timestamp; 2],
    pub(super) outcome: Outcome,
}

/// Writes an outcome down, for the host and for the port.
pub(super) fn mark(scene: &mut Scene, source: IpAddr, settled: &Settled) {
    let has_port = settled.place.port != 0;
    let Some(source) = scene.contacts.hold(source) else { return };
    for aspect in Aspect::BOTH {
        if scene.is_on(aspect) && (aspect == Aspect::Hosts || has_port) {
            mark_aspect(scene, source, aspect, settled);
            if matches!(settled.outcome, Outcome::Failed(_)) {
                scene.follow_trail(source, aspect, settled.packets, settled.place);
            }
        }
    }
}

fn mark_aspect(scene: &mut Scene, source: u32, aspect: Aspect, settled: &Settled) {
    let Settled { place, interface, packets: [begun, _], outcome } = *settled;
    let horizon = scene.horizon(scene.current.unwrap_or_default(), aspect);
    let failed_cell = if let Outcome::Failed(time) = outcome { scene.cell(time) } else { NEVER };
    let Some(mark) = scene.contacts.mark(source, aspect, place, horizon) else { return };
    let time = match outcome {
        Outcome::Answered(cell) => {
            mark.answered = mark.answered.max(cell);
            return;
        }
        Outcome::Failed(time) => time,
    };
    let was_counted = mark.counted >= horizon;
    let is_failing = was_counted && mark.answered < horizon;
    let is_earlier = (time, place, interface) < (mark.since, mark.place, mark.interface);
    if if mark.counted == failed_cell { is_earlier } else { !is_failing } {
        (mark.since, mark.place, mark.interface, mark.begun) = (time, place, interface, begun);
    }
    mark.counted = mark.counted.max(failed_cell);
    let weight = if was_counted { 0 } else { mark.weight() };
    scene.count(source, aspect, weight);
}
