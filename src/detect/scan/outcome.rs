//! Outcomes, and how they are written down.

use std::net::IpAddr;

use super::Scene;
use crate::account::contacts::{Aspect, NEVER, Place};
use crate::account::grid::Cell;
use crate::packet::Timestamp;

/// What became of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// In a cell.
    Answered(Cell),
    /// Refused, broken off or not answered in time.
    Failed(Timestamp),
}

/// Writes an outcome down, for the host and for the port.
pub(super) fn mark(scene: &mut Scene, source: IpAddr, place: Place, interface: u16, outcome: Outcome) {
    let has_port = place.port != 0;
    let Some(source) = scene.contacts.hold(source) else { return };
    for aspect in Aspect::BOTH {
        if scene.is_on(aspect) && (aspect == Aspect::Hosts || has_port) {
            mark_aspect(scene, source, aspect, place, interface, outcome);
        }
    }
}

fn mark_aspect(scene: &mut Scene, source: u32, aspect: Aspect, place: Place, interface: u16, outcome: Outcome) {
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
        (mark.since, mark.place, mark.interface) = (time, place, interface);
    }
    mark.counted = mark.counted.max(failed_cell);
    let weight = if was_counted { 0 } else { mark.weight() };
    scene.count(source, aspect, weight);
}
