//! Packet logging: capture files of every conversation, on a thread of its own.
//!
//! Takes chunks and alerts from a bounded queue; gives rotating files, which move to the archive with an alert about one of
//! their ends, and go when the conversation ends quietly. Must not know evidence files.

mod conversation;
mod conversation_files;
mod earlier_files;
mod log_files;
mod queue;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, SystemTime};

use super::figures::EvidenceCounters;
use super::selection::{self, Subjects};
use super::writer::savefile;
use super::{Chunk, PacketSource, names};
use crate::alert::{Alert, Fingerprint};
use crate::detect::Subject;
use crate::packet::Packet;
use conversation::{LoggedConversation, LoggedEnds};
use log_files::LogFiles;
pub(super) use log_files::LogSetup;
use queue::LogMessage;
pub(super) use queue::{LogQueue, LogReceiver};

/// Conversations at once. The packets of others are not logged, and counted.
const MOST_CONVERSATIONS: usize = 16_384;
/// Alerts that fire at once.
const MOST_FIRING: usize = 4_096;
/// Time between two looks for conversations that have ended.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Time between two looks for old files without a conversation.
const TIDY_EVERY: Duration = Duration::from_secs(3_600);

/// The conversations whose packets are logged.
#[derive(Debug)]
pub(super) struct PacketLog {
    files: LogFiles,
    counters: Arc<EvidenceCounters>,
    conversations: HashMap<LoggedEnds, LoggedConversation>,
    /// Subjects of alerts that fire, with the beginning of the names of their files.
    firing: HashMap<Fingerprint, (Subject, String)>,
    swept: Instant,
    /// None before the first look.
    tidied: Option<Instant>,
}

/// The records of a chunk for one conversation.
#[derive(Debug, Default)]
struct ChunkRecords {
    bytes: Vec<u8>,
    packets: u64,
}

impl PacketLog {
    pub(super) fn new(setup: LogSetup, counters: Arc<EvidenceCounters>) -> Self {
        Self {
            files: LogFiles::new(setup, Arc::clone(&counters)),
            counters,
            conversations: HashMap::new(),
            firing: HashMap::new(),
            swept: Instant::now(),
            tidied: None,
        }
    }

    /// Works until the end. The files of conversations that go on are finished, and stay.
    pub(super) fn run(mut self, messages: &LogReceiver) {
        let deadline = loop {
            let has_other_work = self.files.leftovers.count() > 0;
            let received = messages.receive(if has_other_work { Duration::ZERO } else { SWEEP_EVERY });
            let is_idle = received.is_err();
            match received {
                Ok(LogMessage::Packets(chunk)) => self.take_chunk(&chunk),
                Ok(LogMessage::Fired(alert)) => self.take_alert(&alert),
                Ok(LogMessage::Resolved(fingerprint)) => {
                    self.firing.remove(&fingerprint);
                }
                Ok(LogMessage::End(deadline)) => break deadline,
                Err(RecvTimeoutError::Disconnected) => break Instant::now(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.tidy_up(is_idle);
        };
        self.finish(|| Instant::now() >= deadline);
    }

    /// Ends conversations, removes old files and finishes those of an earlier run, each if it is time.
    fn tidy_up(&mut self, is_idle: bool) {
        if self.swept.elapsed() >= SWEEP_EVERY {
            self.sweep(Instant::now());
        }
        if self.tidied.is_none_or(|tidied| tidied.elapsed() >= TIDY_EVERY) {
            self.tidied = Some(Instant::now());
            self.tidy(SystemTime::now());
        }
        self.files.finish_leftovers(is_idle);
    }

    fn take_chunk(&mut self, chunk: &Chunk) {
        let mut by_conversation: HashMap<LoggedEnds, ChunkRecords> = HashMap::new();
        let decoder = selection::decoder(chunk);
        let now = Instant::now();
        for recorded in chunk.iter() {
            let Some((ends, packet)) = selection::ends(&decoder, &recorded) else { continue };
            let key = LoggedEnds::of(chunk.source().link_type.0, ends, packet.as_ref());
            if !self.follow(key, packet.as_ref(), now) {
                self.counters.log.lost_packets.add(1);
                continue;
            }
            let records = by_conversation.entry(key).or_default();
            records.packets += 1;
            savefile::put_packet(&mut records.bytes, &recorded);
        }
        for (key, records) in by_conversation {
            self.write(&key, chunk.source(), &records);
        }
        self.counters.log.conversations.set(self.conversations.len() as u64);
    }

    /// Follows a conversation to this packet; false if there is no space for a new one.
    fn follow(&mut self, key: LoggedEnds, packet: Option<&Packet>, now: Instant) -> bool {
        if !self.conversations.contains_key(&key) {
            if self.conversations.len() >= MOST_CONVERSATIONS {
                return false;
            }
            let archived = self.archived_as(key.addresses());
            self.conversations.insert(key, LoggedConversation::new(&key, archived, now));
        }
        if let Some(conversation) = self.conversations.get_mut(&key) {
            conversation.note(&key, packet, now);
        }
        true
    }

    /// The beginning of the names of archived files, if an alert about one of the addresses fires.
    fn archived_as(&self, ends: [IpAddr; 2]) -> Option<String> {
        let firing = self.firing.values().filter(|(subject, _)| is_about(subject, ends));
        // Names begin with the time, so the least one is that of the oldest alert.
        firing.map(|(_, stem)| stem).min().cloned()
    }

    fn write(&mut self, key: &LoggedEnds, source: &PacketSource, records: &ChunkRecords) {
        let Some(conversation) = self.conversations.get_mut(key) else { return };
        match self.files.append(source, &mut conversation.files, &records.bytes) {
            Ok(()) => self.counters.log.packets.add(records.packets),
            Err(_) => self.counters.log.lost_packets.add(records.packets),
        }
        for removed in self.files.removed() {
            self.conversations.values_mut().for_each(|conversation| conversation.files.forget(&removed));
        }
    }

    /// Moves the files of conversations that the alert is about to the archive.
    fn take_alert(&mut self, alert: &Alert) {
        let stem = names::stem(alert);
        if self.firing.len() < MOST_FIRING {
            self.firing.insert(alert.fingerprint, (alert.subject, stem.clone()));
        }
        for (key, conversation) in &mut self.conversations {
            if is_about(&alert.subject, key.addresses()) {
                // All files of a conversation have the name of its first alert.
                let first = conversation.archived.get_or_insert_with(|| stem.clone());
                self.files.archive(&mut conversation.files, first);
            }
        }
    }

    /// Ends conversations that are closed or idle: quiet ones leave no file. One whose files cannot be moved to the archive
    /// is tried again; after a failure the others wait for the next sweep.
    fn sweep(&mut self, now: Instant) {
        self.swept = now;
        let files = &mut self.files;
        let mut can_archive = true;
        self.conversations.retain(|_, conversation| {
            if !conversation.is_over(now) {
                return true;
            }
            let Some(stem) = &conversation.archived else {
                files.remove(&mut conversation.files);
                return false;
            };
            can_archive = can_archive && files.archive(&mut conversation.files, stem);
            let is_done = can_archive || conversation.is_given_up(now);
            if is_done {
                files.leave(&mut conversation.files);
            }
            !is_done
        });
        self.counters.log.conversations.set(self.conversations.len() as u64);
    }

    /// Removes old files that belong to no conversation.
    fn tidy(&mut self, now: SystemTime) {
        let owned: HashSet<&Path> =
            self.conversations.values().flat_map(|conversation| conversation.files.paths()).collect();
        self.files.remove_left(&owned, now);
    }

    /// Finishes all files until it is late. Those of conversations with an alert come first, and move to the archive. One
    /// sync of the file system follows.
    fn finish(&mut self, is_late: impl Fn() -> bool) {
        self.files.begin_end();
        let conversations = self.conversations.drain().map(|(_, conversation)| conversation);
        let mut left: Vec<LoggedConversation> =
            conversations.filter(|conversation| !conversation.files.is_empty()).collect();
        left.sort_by_key(|conversation| conversation.archived.is_some());
        self.counters.log.conversations.set(left.len() as u64);
        while !is_late()
            && let Some(mut conversation) = left.pop()
        {
            if let Some(stem) = &conversation.archived {
                self.files.archive(&mut conversation.files, stem);
            }
            self.files.leave(&mut conversation.files);
            self.counters.log.conversations.set(left.len() as u64);
        }
        self.files.sync();
        while !is_late() && self.files.leftovers.count() > 0 {
            self.files.finish_leftovers(true);
        }
    }
}

/// True if traffic between two addresses concerns the subject.
fn is_about(subject: &Subject, ends: [IpAddr; 2]) -> bool {
    let mut is_about = false;
    Subjects::of([subject]).concerned(ends, |_| is_about = true);
    is_about
}

#[cfg(test)]
mod tests;
