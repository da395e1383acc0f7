//! The peers of a subject over its limit. So an alert about a download from outside names the host inside.
//!
//! Takes detections and the windows of subjects and pairs; writes the heaviest peers into the detections, with their bytes
//! and those of the subject. Must not know limits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{Detection, Host, Pair, Scope, Subject, Window};
use crate::detect::{LargestPeer, Level, MAXIMUM_TARGETS, Target};
use crate::packet::Timestamp;
use crate::tables::top::{heaviest_first, top_n};

/// Packet time between two measurings of the same subjects. Each looks at every pair.
const PAUSE: Duration = Duration::from_secs(1);

/// A peer with its bytes in the window: at most, and at least.
#[derive(Debug, Clone, Copy)]
struct PeerBytes {
    address: IpAddr,
    most: u64,
    least: u64,
}

/// The peers of one subject since the begin of its window, and all bytes of the subject since then.
#[derive(Debug)]
struct PeersOfSubject {
    begin: Timestamp,
    of_bytes: u64,
    peers: Vec<PeerBytes>,
}

/// Writes the peers with the most bytes into the first detection of each subject over a limit. Within [`PAUSE`] after a
/// measuring of all subjects, only those whose rule has just become true are measured: an alert keeps the peers that it
/// has. Gives the end of the cell if all were measured.
pub(super) fn name(found: &mut [Detection], scope: &Scope) -> Option<Timestamp> {
    let pairs = scope.pairs.as_ref()?;
    let latest = found.iter().map(|found| found.at).max()?;
    let is_due = scope.measured.is_none_or(|before| latest < before || latest.since(before) >= PAUSE);
    let mut named = BTreeSet::new();
    let mut first: Vec<&mut Detection> = found
        .iter_mut()
        .filter(|found| found.level == Level::Over && (is_due || found.since == found.at))
        .filter(|found| named.insert(found.subject))
        .collect();
    if first.is_empty() {
        return None;
    }
    let peers = collect(&first, scope, pairs);
    for detection in &mut first {
        if let Some(of_subject) = peers.get(&detection.subject) {
            of_subject.write_into(detection);
        }
    }
    is_due.then_some(latest)
}

/// The peers of the subjects of detections.
fn collect(detections: &[&mut Detection], scope: &Scope, pairs: &Window<Pair>) -> BTreeMap<Subject, PeersOfSubject> {
    let of = |found: &Detection| PeersOfSubject {
        begin: found.at - found.figures.window,
        of_bytes: found.figures.bytes.saturating_add(scope.bytes_from(found.subject, found.at)),
        peers: Vec::new(),
    };
    let mut peers: BTreeMap<Subject, PeersOfSubject> =
        detections.iter().map(|found| (found.subject, of(found))).collect();
    for (at, Pair { source, destination }) in pairs.keys() {
        for (subject, address) in [(Subject::Source(source), destination), (Subject::Destination(destination), source)]
        {
            let Some(of_subject) = peers.get_mut(&subject) else { continue };
            let [most, least] = pairs.bounds_from(at, of_subject.begin);
            if most > 0 {
                of_subject.peers.push(PeerBytes { address, most, least });
            }
        }
    }
    peers
}

impl PeersOfSubject {
    fn write_into(&self, detection: &mut Detection) {
        let peers = self.peers.iter().map(|peer| (peer.address, peer.most));
        let heaviest = top_n(peers, MAXIMUM_TARGETS, heaviest_first);
        let largest = heaviest.first().and_then(|(first, _)| self.peers.iter().find(|peer| peer.address == *first));
        detection.figures.largest_peer = largest.map(|peer| LargestPeer {
            address: peer.address,
            bytes: peer.most,
            least_bytes: peer.least,
            of_bytes: self.of_bytes,
            peers: self.peers.len(),
            known_bytes: self.peers.iter().fold(0, |sum, peer| sum.saturating_add(peer.most)),
        });
        let target = |(address, _)| Target { address, protocol: None, port: None };
        detection.figures.first_targets = heaviest.into_iter().map(target).collect();
    }
}

impl Scope {
    /// The bytes of a subject from a moment on.
    fn bytes_from(&self, subject: Subject, begin: Timestamp) -> u64 {
        match subject {
            Subject::Source(address) => self.sources.sum_from(Host(address), begin),
            Subject::Destination(address) => {
                self.destinations.as_ref().map_or(0, |window| window.sum_from(Host(address), begin))
            }
            Subject::Pair { .. } | Subject::Network(_) => 0,
        }
    }
}
