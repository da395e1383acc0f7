//! The evidence thread: keeps the ring, and selects the packets of each case for the writer.
//!
//! Takes messages of capture threads, alerts and the writer; gives jobs to the writer. Must not do work with files.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::cases::Cases;
use super::figures::EvidenceCounters;
use super::losses::Losses;
use super::packet_log::LogQueue;
use super::ring::PacketRing;
use super::{Chunk, Message, Waiting};
use crate::alert::Change;

/// Time without messages after which the cases are looked at.
const TICK: Duration = Duration::from_millis(250);
/// The state of the evidence thread.
#[derive(Debug)]
pub(super) struct PacketCollector {
    counters: Arc<EvidenceCounters>,
    waiting: Arc<Waiting>,
    ring: PacketRing,
    losses: Losses,
    /// None without an archive: then packets are kept, and no file is written.
    cases: Option<Cases>,
    log: Option<LogQueue>,
}

impl PacketCollector {
    pub(super) fn new(
        ring_bytes: u64,
        counters: Arc<EvidenceCounters>,
        waiting: Arc<Waiting>,
        cases: Option<Cases>,
        log: Option<LogQueue>,
    ) -> Self {
        Self { counters, waiting, ring: PacketRing::new(ring_bytes), losses: Losses::default(), cases, log }
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
        // No packet and no change comes after the end.
        self.log.iter().for_each(|log| log.end(deadline));
        self.cases.iter_mut().for_each(Cases::end_all);
        self.advance(Instant::now());
        while self.cases.as_ref().is_some_and(|cases| !cases.is_empty()) && Instant::now() < deadline {
            if let Ok(message) = messages.recv_timeout(TICK.min(deadline.saturating_duration_since(Instant::now()))) {
                self.take(message);
            }
            self.advance(Instant::now());
        }
        self.cases.iter().for_each(|cases| cases.end_writer(deadline));
    }

    fn advance(&mut self, now: Instant) {
        self.counters.ring_nanoseconds.set(u64::try_from(self.ring.span().as_nanos()).unwrap_or(u64::MAX));
        if let Some(cases) = &mut self.cases {
            cases.advance(&self.ring, &self.losses, now);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Packets(chunk) => self.take_chunk(chunk),
            Message::Change(change) => {
                self.waiting.changes.fetch_sub(1, Ordering::Relaxed);
                self.log.iter().for_each(|log| log.notify(&change));
                self.take_change(*change);
            }
            Message::Lost { time, packets } => {
                self.counters.lost_packets.add(packets);
                self.losses.add(time, packets);
            }
            Message::Written(report) => {
                if let Some(cases) = &mut self.cases {
                    cases.take_report(&report, &self.ring);
                }
            }
            Message::End { .. } => {}
        }
    }

    fn take_chunk(&mut self, chunk: Chunk) {
        self.waiting.bytes.fetch_sub(chunk.memory_bytes(), Ordering::Relaxed);
        let chunk = Arc::new(chunk);
        if let Some(log) = &self.log
            && !log.send_packets(&chunk)
        {
            self.counters.log.lost_packets.add(chunk.packets().into());
        }
        self.counters.kept_packets.add(chunk.packets().into());
        for (number, left) in self.ring.add(chunk) {
            self.cases.iter_mut().for_each(|cases| cases.note_left(number, &left));
        }
        self.counters.ring_bytes.set(self.ring.bytes());
    }

    fn take_change(&mut self, change: Change) {
        let Some(cases) = &mut self.cases else { return };
        match change {
            Change::Fired(alert) => cases.open(alert, &self.ring),
            Change::Resolved(alert) => cases.resolve(alert, &self.ring),
        }
    }
}
