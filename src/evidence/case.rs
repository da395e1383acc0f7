//! A case: an alert whose packets are collected, and how far that has come.
//!
//! Takes changes of its alert and selected packets; gives what its file still needs, and what it lacks. Must not know
//! files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Chunk;
use super::detection::DetectionFacts;
use super::selection::{self, SelectedPacket, Witness};
use super::writer::{FileId, FilePart, pcapng};
use crate::alert::Alert;
use crate::detect::{Kind, Subject};
use crate::packet::Timestamp;

/// Part of the window from one witness to the next.
const WITNESSES_IN_WINDOW: u32 = 16;
/// Time before the window in which contacts may have begun that failed in it.
const BEFORE_WINDOW: Duration = Duration::from_secs(10);
/// Time until a failed operation is tried again.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Time for which packets that cannot be written are tried again after the end of the case.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// The state of a case's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileState {
    /// It waits for its file, at least until then.
    Waiting(Instant),
    /// Packets are added.
    Open,
    /// The last packets could not be written; they are tried again then.
    Stalled(Instant),
    /// The file is to be finished, not before then.
    Ended(Instant),
    /// The writer finishes the file.
    Finishing,
}

/// An alert whose packets are collected.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) id: FileId,
    pub(super) alert: Alert,
    /// The configuration when the alert fired.
    pub(super) detection: Arc<DetectionFacts>,
    /// The first moment that the rule looks at.
    start: Timestamp,
    /// True if all packets since the start of the capture are wanted: they are still there, and the rule compares with them.
    has_all: bool,
    /// The newest packet when the alert fired.
    pub(super) fired_at: Timestamp,
    /// The first chunk that arrived after the alert fired.
    pub(super) fired_before: u64,
    pub(super) opened: Instant,
    pub(super) state: FileState,
    /// The number of the next chunk to look at.
    pub(super) cursor: u64,
    /// Chunks before this one had left the ring when the file stalled.
    pub(super) left_before: u64,
    /// Bytes of the file.
    bytes: u64,
    next_witness: Timestamp,
    /// The moment until which packets are wanted, once it is known.
    until: Option<(Timestamp, Instant)>,
    pub(super) gaps: Gaps,
}

/// Packets that the verdict rests on and that the file may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Gaps {
    /// Packets until this moment had left the ring when the file was begun.
    pub(super) left_until: Option<Timestamp>,
    /// Chunks that left the ring before they could be written.
    pub(super) missed_chunks: u64,
    /// True if the file was full before the alert fired.
    pub(super) is_cut: bool,
}

impl Case {
    /// A case for an alert that fires now. `history` is the time that an anomaly compares with.
    pub(super) fn new(
        id: FileId,
        alert: Alert,
        newest: Timestamp,
        next_chunk: u64,
        detection: Arc<DetectionFacts>,
    ) -> Self {
        let start = start_of_window(&alert, detection.anomaly_history);
        Self {
            id,
            detection,
            start,
            has_all: false,
            fired_at: newest.max(alert.starts_at),
            fired_before: next_chunk,
            opened: Instant::now(),
            state: FileState::Waiting(Instant::now()),
            cursor: 0,
            left_before: 0,
            bytes: 0,
            next_witness: start,
            until: None,
            gaps: Gaps::default(),
            alert,
        }
    }

    /// Decides from which moment on packets are wanted. `has_all` is true if no packet has left the ring since the start of
    /// the capture.
    pub(super) fn look_back(&mut self, has_all: bool) {
        self.has_all = has_all && self.alert.kind == Kind::Anomaly;
    }

    /// The first moment of the window; none if it begins with the capture.
    pub(super) fn start(&self) -> Option<Timestamp> {
        (!self.has_all).then_some(self.start)
    }

    /// From this moment on packets are wanted.
    pub(super) fn wanted_from(&self) -> Timestamp {
        self.start().unwrap_or(Timestamp::BEFORE_ALL)
    }

    /// Begins to collect from a chunk on, when packets until `left_until` have left the ring.
    pub(super) fn begin(&mut self, from: u64, left_until: Timestamp) {
        (self.state, self.cursor, self.bytes, self.next_witness) = (FileState::Open, from, 0, self.start);
        let has_left = left_until > Timestamp::BEFORE_ALL && left_until >= self.wanted_from();
        self.gaps = Gaps { left_until: has_left.then_some(left_until), ..Gaps::default() };
    }

    /// Ends the case: later packets are not wanted.
    pub(super) fn end(&mut self, until: Timestamp) {
        self.until.get_or_insert((until, Instant::now()));
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.until.is_some()
    }

    /// True if packets that cannot be written are given up.
    pub(super) fn is_given_up(&self, now: Instant) -> bool {
        self.until.is_some_and(|(_, since)| now.duration_since(since) > LONGEST_DELAY)
    }

    /// True if the next chunk is `number` and packets of it can be taken.
    pub(super) fn is_at(&self, number: u64) -> bool {
        self.state == FileState::Open && self.cursor == number
    }

    /// True if a packet at some time from `first` to `last` may be wanted.
    pub(super) fn wants(&self, first: Timestamp, last: Timestamp) -> bool {
        last >= self.wanted_from() && self.until.is_none_or(|(until, _)| first <= until)
    }

    /// True if a witness from the time from `first` to `last` is wanted. Only scans need them.
    pub(super) fn wants_witness(&self, first: Timestamp, last: Timestamp) -> bool {
        self.alert.kind.is_scan() && last >= self.next_witness && first <= self.fired_at
    }

    /// Notes that a chunk has left the ring; true if it was not read yet and may have had packets that are wanted.
    pub(super) fn misses(&mut self, number: u64, chunk: &Chunk) -> bool {
        if !matches!(self.state, FileState::Open | FileState::Stalled(_)) || self.cursor > number {
            return false;
        }
        self.cursor = number + 1;
        let misses = self.wants(chunk.first(), chunk.last()) && selection::may_concern(&self.alert.subject, chunk);
        self.gaps.missed_chunks += u64::from(misses && number < self.fired_before);
        misses
    }

    /// Skips the chunks before `next`, whose packets cannot be written any more.
    pub(super) fn skip_to(&mut self, next: u64) {
        self.gaps.missed_chunks += next.min(self.fired_before).saturating_sub(self.cursor);
        self.cursor = next;
    }

    /// Goes back to a chunk that could not be written. It may have left the ring since it was handed over: `first` is the
    /// oldest one there.
    pub(super) fn stall(&mut self, chunk: u64, bytes: u64, first: u64) {
        (self.cursor, self.bytes, self.left_before) = (self.cursor.min(chunk), bytes, first);
        self.state = FileState::Stalled(Instant::now() + RETRY_AFTER);
        self.skip_to(first.max(self.cursor));
    }

    /// Takes packets of a chunk as far as they are wanted and fit.
    pub(super) fn take(&mut self, packets: &[SelectedPacket], witnesses: &[Witness], max_bytes: u64) -> FilePart {
        let mut part = FilePart { id: self.id, positions: Vec::new(), bytes: 0 };
        for packet in packets {
            if !self.wants(packet.time, packet.time) {
                continue;
            }
            let bytes = pcapng::packet_bytes(packet.captured as usize) as u64;
            if self.bytes + bytes > max_bytes {
                self.gaps.is_cut |= packet.time <= self.fired_at;
                self.end(packet.time);
                break;
            }
            self.bytes += bytes;
            part.bytes += bytes;
            part.positions.push(packet.position);
        }
        if let Some(witness) = self.witness(witnesses) {
            part.positions.extend(witness.packets.map(|packet| packet.position));
            part.positions.sort_unstable();
            let sizes = witness.packets.map(|packet| pcapng::packet_bytes(packet.captured as usize) as u64);
            let bytes: u64 = sizes.iter().sum();
            (self.bytes, part.bytes) = (self.bytes + bytes, part.bytes + bytes);
        }
        part
    }

    /// The first witness that is wanted and does not concern the subject.
    fn witness(&mut self, witnesses: &[Witness]) -> Option<Witness> {
        let is_wanted = |witness: &&Witness| {
            self.wants_witness(witness.time, witness.time)
                && !concerns(&self.alert.subject, witness.ends)
                && self.wants(witness.time, witness.time)
        };
        let found = *witnesses.iter().find(is_wanted)?;
        self.next_witness = found.time + self.alert.figures.window / WITNESSES_IN_WINDOW;
        Some(found)
    }
}

fn concerns(subject: &Subject, ends: [std::net::IpAddr; 2]) -> bool {
    match subject {
        Subject::Source(address) | Subject::Destination(address) => ends.contains(address),
        Subject::Pair { source, destination } => ends.contains(source) || ends.contains(destination),
        Subject::Network(network) => ends.iter().any(|end| network.contains(end)),
    }
}

/// The moment from which on packets count for the verdict. An anomaly compares with its whole history.
fn start_of_window(alert: &Alert, history: Duration) -> Timestamp {
    let window = if alert.kind == Kind::Anomaly { history.max(alert.figures.window) } else { alert.figures.window };
    let by_window = alert.starts_at - window;
    alert.figures.span.map_or(by_window, |span| by_window.min(span.first)) - BEFORE_WINDOW
}

#[cfg(test)]
mod tests {
    use super::super::tests::{alert, chunk, chunk_about, seconds};
    use super::*;

    fn case() -> Case {
        let subject = Subject::Source([10, 0, 0, 5].into());
        let mut case = Case::new(1, alert(Kind::HostScan, subject), seconds(101), 2, Arc::default());
        case.begin(0, Timestamp::BEFORE_ALL);
        case
    }

    #[test]
    fn chunks_that_left_the_ring_unread_are_missed_if_they_may_be_wanted() {
        let other = chunk("eth0", &[(90, &[0; 60])]);
        let holding = chunk_about([10, 0, 0, 5].into(), 90);
        let mut case = case();
        assert!(!case.misses(0, &other) && case.cursor == 1, "no packet of the subject");
        assert!(!case.misses(0, &holding), "it was read");
        assert!(case.misses(1, &holding) && case.cursor == 2);
        assert!(case.misses(2, &holding));
        assert_eq!(case.gaps.missed_chunks, 1, "only before the alert fired");
    }

    #[test]
    fn packets_that_could_not_be_written_are_read_again() {
        let mut case = case();
        case.cursor = 5;
        case.stall(3, 100, 2);
        assert!(case.cursor == 3 && matches!(case.state, FileState::Stalled(_)));
        case.skip_to(5);
        assert_eq!((case.cursor, case.gaps.missed_chunks), (5, 0));
        case.stall(3, 100, 4);
        assert_eq!((case.cursor, case.left_before, case.gaps.missed_chunks), (4, 4, 0), "after the alert fired");
    }

    #[test]
    fn history_of_an_anomaly_is_longer_than_its_window() {
        let hour = Duration::from_secs(3_600);
        let start = |kind| start_of_window(&alert(kind, Subject::Source([10, 0, 0, 5].into())), hour);
        assert_eq!([Kind::Bandwidth, Kind::Anomaly].map(start), [30, 100 - 3_610].map(seconds));
    }
}
