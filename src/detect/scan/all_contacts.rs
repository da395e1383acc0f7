//! TrafficAlerted's rule: every packet contacts its destination and its destination port, whoever began.

use super::Scene;
use super::contacts::Aspect;
use super::reading::{self, Word};
use crate::account::conversation::{Address, Way};
use crate::account::observer::MergedRow;
use crate::packet::Protocol;

/// Counts both ways of a row, each in its cell.
pub(super) fn see<A: Address>(scene: &mut Scene, merged: &MergedRow<'_, A>) {
    for way in Way::BOTH {
        if merged.row.ways[way as usize].packets > 0 {
            let word = reading::word(merged, way, 0);
            if !scene.lets_wait(&word) {
                count(scene, &word);
            }
        }
    }
}

/// Counts packets of a source to a target.
pub(super) fn count(scene: &mut Scene, word: &Word) {
    if scene.config.excluded_ports.contains(&word.target.port) {
        return;
    }
    if scene.contacts.is_full() && !scene.contacts.is_wanted(word.source) {
        return;
    }
    let Some(source) = scene.contacts.hold(word.source) else { return };
    mark(scene, source, Aspect::Hosts, word);
    if matches!(word.target.protocol, Protocol::TCP | Protocol::UDP) && word.target.port != 0 {
        mark(scene, source, Aspect::Ports, word);
    }
}

fn mark(scene: &mut Scene, source: u32, aspect: Aspect, word: &Word) {
    if !scene.is_on(aspect) {
        return;
    }
    let cell = scene.cell(word.last);
    let horizon = scene.horizon(cell, aspect);
    let Some(mark) = scene.contacts.mark(source, aspect, word.target, horizon) else { return };
    let was_counted = mark.counted >= horizon;
    if !was_counted || (word.first, word.target) < (mark.since, mark.place) {
        (mark.since, mark.place, mark.begun) = (word.first, word.target, word.first);
    }
    mark.counted = mark.counted.max(cell);
    if !was_counted {
        scene.count(source, aspect, 1);
    }
    scene.follow_trail(source, aspect, [word.first, word.last], word.target);
}
