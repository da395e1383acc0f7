//! The peers of a subject over its limit. So an alert about a download from outside names the host inside.
//!
//! Takes new detections and the window of pairs; writes the heaviest peers into the detections. Must not know limits.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Detection, Pair, Subject, Window};
use crate::detect::{Level, MAXIMUM_TARGETS, Target};
use crate::tables::top::{heaviest_first, top_n};

/// Writes the peers with the most bytes into detections, from the position `from` on. Only detections whose rule has
/// just become true get them: an alert keeps the first targets of its episode.
pub(super) fn name(found: &mut [Detection], from: usize, pairs: &Window<Pair>) {
    let is_new = |found: &&mut Detection| found.level == Level::Over && found.since == found.at;
    let mut new: Vec<&mut Detection> = found[from..].iter_mut().filter(is_new).collect();
    if new.is_empty() {
        return;
    }
    let peers = collect(new.iter().map(|found| found.subject), pairs);
    for detection in &mut new {
        let of_subject = peers.get(&detection.subject).into_iter().flatten().copied();
        let heaviest = top_n(of_subject, MAXIMUM_TARGETS, heaviest_first);
        let target = |(address, _)| Target { address, protocol: None, port: None };
        detection.figures.first_targets = heaviest.into_iter().map(target).collect();
    }
}

/// The bytes of each subject with each of its peers.
fn collect(subjects: impl Iterator<Item = Subject>, pairs: &Window<Pair>) -> BTreeMap<Subject, Vec<(IpAddr, u64)>> {
    let mut peers: BTreeMap<Subject, Vec<(IpAddr, u64)>> = subjects.map(|subject| (subject, Vec::new())).collect();
    for (Pair { source, destination }, bytes) in pairs.sums_so_far() {
        for (subject, peer) in [(Subject::Source(source), destination), (Subject::Destination(destination), source)] {
            if let Some(of_subject) = peers.get_mut(&subject) {
                of_subject.push((peer, bytes));
            }
        }
    }
    peers
}
