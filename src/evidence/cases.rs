//! The cases: alerts whose packets are collected, from the ring into files.
//!
//! Takes changes of alerts and reports of the writer; gives jobs to the writer, as far as its queue has space. Must not know
//! where packets come from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::case::{Case, FileState, RETRY_AFTER};
use super::figures::EvidenceCounters;
use super::losses::Losses;
use super::ring::PacketRing;
use super::selection::{self, Subjects};
use super::writer::{Ending, FileId, Job, JobQueue, KILLED, NewFile, WriterReport};
use super::{Chunk, Config, EvidenceSetup, names, verdict};
use crate::alert::{Alert, Fingerprint};
use crate::packet::Timestamp;

/// Files that are open at once. Other cases wait.
const MOST_OPEN: usize = 256;
/// Cases, open or waiting. An alert that finds no space gets no file.
const MOST_CASES: usize = 4_096;

/// All cases, the oldest first.
#[derive(Debug)]
pub(super) struct Cases {
    longest: Duration,
    max_bytes: u64,
    setup: EvidenceSetup,
    counters: Arc<EvidenceCounters>,
    writer: JobQueue,
    cases: BTreeMap<FileId, Case>,
    by_fingerprint: BTreeMap<Fingerprint, FileId>,
    next_id: FileId,
}

impl Cases {
    pub(super) fn new(
        config: &Config,
        setup: EvidenceSetup,
        counters: Arc<EvidenceCounters>,
        writer: JobQueue,
    ) -> Self {
        Self {
            longest: config.longest,
            max_bytes: config.max_bytes,
            setup,
            counters,
            writer,
            cases: BTreeMap::new(),
            by_fingerprint: BTreeMap::new(),
            next_id: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Ends all cases with the packets so far.
    pub(super) fn end_all(&mut self) {
        self.cases.values_mut().for_each(|case| case.end(Timestamp::AFTER_ALL));
    }

    /// Ends the writer, after all that it was given.
    pub(super) fn end_writer(&self, deadline: Instant) {
        self.writer.send(Job::End(deadline));
    }

    /// Opens a case for an alert that fires.
    pub(super) fn open(&mut self, alert: Alert, ring: &PacketRing) {
        if let Some(before) = self.by_fingerprint.remove(&alert.fingerprint).and_then(|id| self.cases.get_mut(&id)) {
            before.end(alert.starts_at);
        }
        if self.cases.len() >= MOST_CASES {
            self.counters.refused_files.add(1);
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.by_fingerprint.insert(alert.fingerprint, id);
        let detection = self.setup.detection.current();
        self.cases.insert(id, Case::new(id, alert, ring.newest(), ring.next(), detection));
    }

    /// Ends the case of an alert that is resolved.
    pub(super) fn resolve(&mut self, alert: Alert, ring: &PacketRing) {
        let id = self.by_fingerprint.remove(&alert.fingerprint);
        if let Some(case) = id.and_then(|id| self.cases.get_mut(&id)) {
            case.end(alert.ends_at.unwrap_or(ring.newest()));
            case.alert = alert;
        }
    }

    /// Notes that a chunk left the ring. Cases that still wait for it miss its packets.
    pub(super) fn note_left(&mut self, number: u64, chunk: &Chunk) {
        let missed = self.cases.values_mut().filter_map(|case| case.misses(number, chunk).then_some(())).count();
        if missed > 0 {
            self.counters.missed_packets.add(chunk.packets().into());
        }
    }

    /// Takes the outcome of a job.
    pub(super) fn take_report(&mut self, report: &WriterReport, ring: &PacketRing) {
        let retry = Instant::now() + RETRY_AFTER;
        match *report {
            WriterReport::HasSpace => {}
            WriterReport::NotBegun(id) => self.set_state(id, FileState::Waiting(retry)),
            WriterReport::Stalled { id, chunk, packets, bytes } => {
                if let Some(case) = self.cases.get_mut(&id) {
                    case.stall(chunk, bytes, ring.first());
                }
                self.note_not_taken(id, chunk, packets);
            }
            WriterReport::NotTaken { id, chunk, packets } => self.note_not_taken(id, chunk, packets),
            WriterReport::NotFinished { id, is_gone } => {
                let state = if is_gone { FileState::Waiting(retry) } else { FileState::Ended(retry) };
                self.set_state(id, state);
            }
            WriterReport::Finished(id) => self.close(id),
        }
    }

    /// Notes that packets were handed to the writer in vain. If they left the ring meanwhile, they are missed.
    fn note_not_taken(&mut self, id: FileId, chunk: u64, packets: u64) {
        if self.cases.get(&id).is_some_and(|case| chunk < case.left_before) {
            self.counters.missed_packets.add(packets);
        }
    }

    fn set_state(&mut self, id: FileId, state: FileState) {
        if let Some(case) = self.cases.get_mut(&id) {
            case.state = state;
        }
    }

    fn close(&mut self, id: FileId) {
        if let Some(case) = self.cases.remove(&id)
            && self.by_fingerprint.get(&case.alert.fingerprint) == Some(&id)
        {
            self.by_fingerprint.remove(&case.alert.fingerprint);
        }
    }

    /// Does all that can be done now.
    pub(super) fn advance(&mut self, ring: &PacketRing, losses: &Losses, now: Instant) {
        if self.cases.is_empty() {
            return;
        }
        self.end_long_cases(ring, now);
        self.begin_files(ring, now);
        self.resume_files(ring, now);
        self.add_packets(ring);
        self.finish_files(ring, losses, now);
    }

    fn end_long_cases(&mut self, ring: &PacketRing, now: Instant) {
        let (longest, newest) = (self.longest, ring.newest());
        for case in self.cases.values_mut().filter(|case| !case.has_ended()) {
            if newest.since(case.fired_at) > longest || now.duration_since(case.opened) > longest {
                case.end(case.fired_at + longest);
            }
        }
    }

    fn begin_files(&mut self, ring: &PacketRing, now: Instant) {
        let is_open = |case: &&Case| !matches!(case.state, FileState::Waiting(_));
        let mut open = self.cases.values().filter(is_open).count();
        let due = |case: &Case| matches!(case.state, FileState::Waiting(since) if since <= now);
        let waiting: Vec<FileId> = self.cases.values().filter(|case| due(case)).map(|case| case.id).collect();
        for id in waiting {
            let Some(case) = self.cases.get_mut(&id) else { continue };
            if case.has_ended() && ring.left_until() >= case.fired_at || case.is_given_up(now) {
                self.counters.refused_files.add(1);
                self.close(id);
                continue;
            }
            if open >= MOST_OPEN || !self.writer.has_space() {
                continue;
            }
            open += 1;
            case.look_back(ring.first() == 0);
            case.begin(ring.first_since(case.wanted_from()), ring.left_until());
            self.writer.send(Job::Begin(Box::new(NewFile {
                id,
                fingerprint: case.alert.fingerprint,
                starts_at: case.alert.starts_at,
                stem: names::stem(&case.alert),
                comment: verdict::comment(case, &self.setup, None),
                verdict: verdict::verdict(case, &self.setup, &[KILLED.to_owned()]),
                detection: Arc::clone(&case.detection),
            })));
        }
    }

    fn resume_files(&mut self, ring: &PacketRing, now: Instant) {
        for case in self.cases.values_mut() {
            let FileState::Stalled(since) = case.state else { continue };
            if since > now || !self.writer.has_space() {
                continue;
            }
            self.writer.send(Job::Resume(case.id));
            case.state = FileState::Open;
            if case.is_given_up(now) {
                case.skip_to(ring.next());
            }
        }
    }

    /// Goes through the chunks that open cases have not seen. Each chunk is decoded once for all cases that are at it.
    fn add_packets(&mut self, ring: &PacketRing) {
        while let Some(number) = self.next_number(ring)
            && self.writer.has_space()
        {
            self.add_chunk(number, ring);
        }
    }

    /// The number of the first chunk that an open case has not seen.
    fn next_number(&self, ring: &PacketRing) -> Option<u64> {
        let open = self.cases.values().filter(|case| case.state == FileState::Open);
        open.map(|case| case.cursor).min().filter(|number| *number < ring.next())
    }

    fn add_chunk(&mut self, number: u64, ring: &PacketRing) {
        let Some(chunk) = ring.chunk(number).map(Arc::clone) else { return };
        let (earliest, latest) = (chunk.first(), chunk.last());
        let mut readers: Vec<&mut Case> = Vec::new();
        for case in self.cases.values_mut().filter(|case| case.is_at(number)) {
            case.cursor += 1;
            let wants_witness = case.wants_witness(earliest, latest);
            let may_hold = wants_witness || selection::may_concern(&case.alert.subject, &chunk);
            if case.wants(earliest, latest) && may_hold {
                readers.push(case);
            }
        }
        if readers.is_empty() {
            return;
        }
        let subjects = Subjects::of(readers.iter().map(|case| &case.alert.subject));
        let with_witnesses = readers.iter().any(|case| case.wants_witness(earliest, latest));
        let selected = selection::select(&chunk, &subjects, readers.len(), with_witnesses);
        let max_bytes = self.max_bytes;
        let parts = readers.iter_mut().zip(&selected.packets);
        let parts = parts.map(|(case, packets)| case.take(packets, &selected.witnesses, max_bytes));
        let parts: Vec<_> = parts.filter(|part| !part.positions.is_empty()).collect();
        if !parts.is_empty() {
            self.writer.send(Job::Append { chunk, number, parts });
        }
    }

    fn finish_files(&mut self, ring: &PacketRing, losses: &Losses, now: Instant) {
        let next = ring.next();
        for case in self.cases.values_mut() {
            if case.state == FileState::Open && case.has_ended() && case.cursor >= next {
                case.state = FileState::Ended(now);
            }
            if !matches!(case.state, FileState::Ended(since) if since <= now) || !self.writer.has_space() {
                continue;
            }
            let lost_packets = losses.between(case.wanted_from(), case.fired_at);
            let reasons = verdict::shortcomings(case, self.setup.kept_bytes, lost_packets);
            self.writer.send(Job::Finish(Box::new(Ending {
                id: case.id,
                fingerprint: case.alert.fingerprint,
                comment: verdict::comment(case, &self.setup, Some(&reasons)),
                is_complete: reasons.is_empty(),
                verdict: verdict::verdict(case, &self.setup, &reasons),
            })));
            case.state = FileState::Finishing;
        }
    }
}
