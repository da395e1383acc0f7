//! The evidence thread: keeps the ring, and selects the packets of each case for the writer.
//!
//! Takes messages of capture threads, alerts and the writer; gives jobs to the writer. Must not do work with files.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, mpsc::SyncSender};
use std::time::{Duration, Instant};

use super::case::{Case, FileState, RETRY_AFTER};
use super::figures::EvidenceCounters;
use super::packet_log::LogMessage;
use super::ring::PacketRing;
use super::selection::{self, Subjects};
use super::verdict;
use super::writer::{Ending, FileId, Job, JobQueue, NewFile, WriterReport};
use super::{Chunk, Config, EvidenceSetup, Message, Waiting, names};
use crate::alert::{Alert, Change, Fingerprint};
use crate::detect::Kind;
use crate::packet::Timestamp;

/// Files that are open at once. Other cases wait.
const MOST_OPEN: usize = 256;
/// Cases, open or waiting. An alert that finds no space gets no file.
const MOST_CASES: usize = 4_096;
/// Losses that are remembered apart; older ones are added up.
const MOST_LOSSES: usize = 1_024;
/// Time without messages after which the cases are looked at.
const TICK: Duration = Duration::from_millis(250);
/// Packets that a loss may be noted behind.
const LOSS_SLACK: Duration = Duration::from_secs(10);

/// The state of the evidence thread.
#[derive(Debug)]
pub(super) struct PacketCollector {
    config: Config,
    setup: EvidenceSetup,
    counters: Arc<EvidenceCounters>,
    waiting: Arc<Waiting>,
    ring: PacketRing,
    /// None without an archive: then packets are kept, and no file is written.
    writer: Option<JobQueue>,
    log: Option<SyncSender<LogMessage>>,
    cases: BTreeMap<FileId, Case>,
    by_fingerprint: BTreeMap<Fingerprint, FileId>,
    next_id: FileId,
    losses: VecDeque<(Timestamp, u64)>,
}

impl PacketCollector {
    pub(super) fn new(
        config: Config,
        setup: EvidenceSetup,
        counters: Arc<EvidenceCounters>,
        waiting: Arc<Waiting>,
        writer: Option<JobQueue>,
        log: Option<SyncSender<LogMessage>>,
    ) -> Self {
        Self {
            ring: PacketRing::new(config.ring_bytes.unwrap_or(super::DEFAULT_RING_BYTES)),
            config,
            setup,
            counters,
            waiting,
            writer,
            log,
            cases: BTreeMap::new(),
            by_fingerprint: BTreeMap::new(),
            next_id: 0,
            losses: VecDeque::new(),
        }
    }

    /// Works until the end, then finishes the open files as far as time allows.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let deadline = loop {
            match messages.recv_timeout(TICK) {
                Ok(Message::End { deadline }) => break deadline,
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break Instant::now(),
            }
            self.advance(Instant::now());
        };
        self.finish(messages, deadline);
    }

    fn finish(&mut self, messages: &Receiver<Message>, deadline: Instant) {
        self.cases.values_mut().for_each(|case| case.end(Timestamp::AFTER_ALL));
        self.advance(Instant::now());
        while !self.cases.is_empty() && Instant::now() < deadline {
            if let Ok(message) = messages.recv_timeout(TICK.min(deadline.saturating_duration_since(Instant::now()))) {
                self.take(message);
            }
            self.advance(Instant::now());
        }
        if let Some(log) = self.log.take()
            && log.try_send(LogMessage::End).is_err()
        {
            tracing::debug!("the packet log ends with its last packets");
        }
        if let Some(writer) = &self.writer {
            writer.send(Job::End);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Packets(chunk) => self.take_chunk(chunk),
            Message::Change(change) => {
                self.waiting.changes.fetch_sub(1, Ordering::Relaxed);
                self.log_change(&change);
                self.take_change(*change);
            }
            Message::Lost { time, packets } => self.take_loss(time, packets),
            Message::Written(report) => self.take_report(&report),
            Message::End { .. } => {}
        }
    }

    fn take_chunk(&mut self, chunk: Chunk) {
        self.waiting.bytes.fetch_sub(chunk.memory_bytes(), Ordering::Relaxed);
        let chunk = Arc::new(chunk);
        if let Some(log) = &self.log
            && log.try_send(LogMessage::Packets(Arc::clone(&chunk))).is_err()
        {
            self.counters.log.lost_packets.add(chunk.packets().into());
        }
        self.counters.kept_packets.add(chunk.packets().into());
        self.ring.add(chunk);
        self.counters.ring_bytes.set(self.ring.bytes());
    }

    fn log_change(&self, change: &Change) {
        let message = match change {
            Change::Fired(alert) => LogMessage::Fired(Box::new(alert.clone())),
            Change::Resolved(alert) => LogMessage::Resolved(alert.fingerprint),
        };
        if let Some(log) = &self.log
            && log.try_send(message).is_err()
        {
            tracing::debug!("the packet log is behind: the files of an alert are not archived");
        }
    }

    fn take_loss(&mut self, time: Timestamp, packets: u64) {
        self.counters.lost_packets.add(packets);
        if self.losses.len() == MOST_LOSSES
            && let Some((older, count)) = self.losses.pop_front()
            && let Some(oldest) = self.losses.front_mut()
        {
            *oldest = (oldest.0.max(older), oldest.1 + count);
        }
        self.losses.push_back((time, packets));
    }

    fn take_change(&mut self, change: Change) {
        match change {
            Change::Fired(alert) => self.open_case(alert),
            Change::Resolved(alert) => {
                let id = self.by_fingerprint.remove(&alert.fingerprint);
                if let Some(case) = id.and_then(|id| self.cases.get_mut(&id)) {
                    case.end(alert.ends_at.unwrap_or(self.ring.newest()));
                    case.alert = alert;
                }
            }
        }
    }

    fn open_case(&mut self, alert: Alert) {
        if self.writer.is_none() {
            return;
        }
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
        let history = self.setup.anomaly_history;
        self.cases.insert(id, Case::new(id, alert, self.ring.newest(), self.ring.next(), history));
    }

    fn take_report(&mut self, report: &WriterReport) {
        let retry = Instant::now() + RETRY_AFTER;
        match *report {
            WriterReport::HasRoom => {}
            WriterReport::NotBegun(id) => self.set_state(id, FileState::Waiting(retry)),
            WriterReport::Stalled { id, chunk, bytes } => {
                if let Some(case) = self.cases.get_mut(&id) {
                    case.stall(chunk, bytes);
                }
            }
            WriterReport::NotFinished { id, is_gone } => {
                let state = if is_gone { FileState::Waiting(retry) } else { FileState::Ended(retry) };
                self.set_state(id, state);
            }
            WriterReport::Finished(id) => self.close(id),
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
    fn advance(&mut self, now: Instant) {
        self.counters.ring_nanoseconds.set(u64::try_from(self.ring.span().as_nanos()).unwrap_or(u64::MAX));
        let Some(writer) = self.writer.clone() else { return };
        if self.cases.is_empty() {
            return;
        }
        self.end_long_cases(now);
        self.begin_files(&writer, now);
        self.resume_files(&writer, now);
        self.add_packets(&writer);
        self.finish_files(&writer, now);
    }

    fn end_long_cases(&mut self, now: Instant) {
        let (longest, newest) = (self.config.longest, self.ring.newest());
        for case in self.cases.values_mut().filter(|case| !case.has_ended()) {
            if newest.since(case.fired_at) > longest || now.duration_since(case.opened) > longest {
                case.end(case.fired_at + longest);
            }
        }
    }

    fn begin_files(&mut self, writer: &JobQueue, now: Instant) {
        let is_open = |case: &&Case| !matches!(case.state, FileState::Waiting(_));
        let mut open = self.cases.values().filter(is_open).count();
        let due = |case: &Case| matches!(case.state, FileState::Waiting(since) if since <= now);
        let waiting: Vec<FileId> = self.cases.values().filter(|case| due(case)).map(|case| case.id).collect();
        for id in waiting {
            let Some(case) = self.cases.get_mut(&id) else { continue };
            if case.has_ended() && self.ring.left_until() >= case.fired_at || case.is_given_up(now) {
                self.counters.refused_files.add(1);
                self.close(id);
                continue;
            }
            if open >= MOST_OPEN || !writer.has_room() {
                continue;
            }
            open += 1;
            if case.alert.kind == Kind::Anomaly && self.ring.first() == 0 {
                // All that was ever captured is there: the history is whole.
                case.start = Timestamp::BEFORE_ALL;
            }
            case.begin(self.ring.first_since(case.start), self.ring.left_until());
            writer.send(Job::Begin(Box::new(NewFile {
                id,
                fingerprint: case.alert.fingerprint,
                starts_at: case.alert.starts_at,
                stem: names::stem(&case.alert),
                comment: verdict::comment(case, &self.setup, None),
            })));
        }
    }

    fn resume_files(&mut self, writer: &JobQueue, now: Instant) {
        for case in self.cases.values_mut() {
            let FileState::Stalled(since) = case.state else { continue };
            if case.is_given_up(now) {
                case.skip_to(self.ring.next());
                case.state = FileState::Ended(now);
            } else if since <= now && writer.has_room() {
                writer.send(Job::Resume(case.id));
                case.state = FileState::Open;
            }
        }
    }

    /// Goes through the chunks that open cases have not seen. Each chunk is decoded once for all cases that are at it.
    fn add_packets(&mut self, writer: &JobQueue) {
        let first = self.ring.first();
        self.cases.values_mut().filter(|case| case.cursor < first).for_each(|case| {
            if case.state == FileState::Open {
                let missed = first - case.cursor;
                self.counters.missed_packets.add(missed);
                case.skip_to(first);
            }
        });
        while let Some(number) = self.next_number()
            && writer.has_room()
        {
            self.add_chunk(number, writer);
        }
    }

    /// The number of the first chunk that an open case has not seen.
    fn next_number(&self) -> Option<u64> {
        let open = self.cases.values().filter(|case| case.state == FileState::Open);
        open.map(|case| case.cursor).min().filter(|number| *number < self.ring.next())
    }

    fn add_chunk(&mut self, number: u64, writer: &JobQueue) {
        let Some(chunk) = self.ring.chunk(number).map(Arc::clone) else { return };
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
        let max_bytes = self.config.max_bytes;
        let parts = readers.iter_mut().zip(&selected.packets);
        let parts = parts.map(|(case, packets)| case.take(packets, &selected.witnesses, max_bytes));
        let parts: Vec<_> = parts.filter(|part| !part.positions.is_empty()).collect();
        if !parts.is_empty() {
            writer.send(Job::Append { chunk, number, parts });
        }
    }

    fn finish_files(&mut self, writer: &JobQueue, now: Instant) {
        let next = self.ring.next();
        let has_left = self.ring.first() > 0;
        for case in self.cases.values_mut() {
            if case.state == FileState::Open && case.has_ended() && case.cursor >= next {
                case.state = FileState::Ended(now);
            }
            if !matches!(case.state, FileState::Ended(since) if since <= now) || !writer.has_room() {
                continue;
            }
            let reasons = verdict::shortcomings(case, lost(&self.losses, case), has_left);
            writer.send(Job::Finish(Box::new(Ending {
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

/// Packets that were lost in the window of a case.
fn lost(losses: &VecDeque<(Timestamp, u64)>, case: &Case) -> u64 {
    let is_within = |time: Timestamp| time >= case.start && time <= case.fired_at + LOSS_SLACK;
    losses.iter().filter(|(time, _)| is_within(*time)).map(|(_, packets)| packets).sum()
}
