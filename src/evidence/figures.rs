//! The figures of evidence, for metrics.
//!
//! Takes counts from the threads of this room; gives plain values. Must not know the names of metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Waiting;

/// A figure that one thread changes and others read.
#[derive(Debug, Default)]
pub(super) struct Figure(AtomicU64);

impl Figure {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The figures, as the threads count them.
#[derive(Debug, Default)]
pub(super) struct EvidenceCounters {
    pub(super) ring_bytes: Figure,
    pub(super) ring_nanoseconds: Figure,
    pub(super) kept_packets: Figure,
    pub(super) lost_packets: Figure,
    pub(super) open_files: Figure,
    pub(super) written_files: Figure,
    pub(super) refused_files: Figure,
    pub(super) written_packets: Figure,
    pub(super) missed_packets: Figure,
    pub(super) write_errors: Figure,
    pub(super) archive_bytes: Figure,
    pub(super) removed_files: Figure,
    /// Files of an earlier run that are not finished.
    pub(super) leftovers: Figure,
    pub(super) log: LogCounters,
}

impl EvidenceCounters {
    /// Files that keep their temporary names if the program ends now. A logged conversation has one.
    pub(super) fn unfinished_files(&self) -> u64 {
        let all = [&self.open_files, &self.leftovers, &self.log.conversations, &self.log.leftovers];
        all.into_iter().map(Figure::value).sum()
    }
}

/// The figures of packet logging.
#[derive(Debug, Default)]
pub(super) struct LogCounters {
    pub(super) conversations: Figure,
    pub(super) bytes: Figure,
    pub(super) packets: Figure,
    pub(super) lost_packets: Figure,
    pub(super) archived_files: Figure,
    /// Files of an earlier run that are not finished.
    pub(super) leftovers: Figure,
}

/// The figures at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EvidenceFigures {
    /// Bytes of memory of the packet ring.
    pub ring_bytes: u64,
    /// The time from which on the ring holds every packet, until the newest one.
    pub ring_span: Duration,
    /// Packets that reached the ring since the start.
    pub kept_packets: u64,
    /// Packets that were lost before they reached the ring since the start, by the kernel or for want of space.
    pub lost_packets: u64,
    /// Changes of alerts that found no space in the queue since the start.
    pub lost_changes: u64,
    /// Evidence files to which packets are added.
    pub open_files: u64,
    /// Evidence files that were finished since the start.
    pub written_files: u64,
    /// Alerts that got no evidence file since the start, because too many were open or none could be written.
    pub refused_files: u64,
    /// Packets in evidence files since the start.
    pub written_packets: u64,
    /// Packets in chunks that left the ring before an evidence file could take them.
    pub missed_packets: u64,
    /// Failed operations on files since the start.
    pub write_errors: u64,
    /// Bytes of the files in the archive.
    pub archive_bytes: u64,
    /// Files that were removed since the start, because the archive was full.
    pub removed_files: u64,
    /// Conversations whose packets are logged.
    pub log_conversations: u64,
    /// Bytes of the files of these conversations.
    pub log_bytes: u64,
    /// Packets that were logged since the start.
    pub logged_packets: u64,
    /// Packets that could not be logged since the start.
    pub log_lost_packets: u64,
    /// Logged files that were moved to the archive since the start.
    pub log_archived_files: u64,
}

/// Reads the figures. Clones read the same ones.
#[derive(Debug, Clone)]
pub struct FiguresReader {
    pub(super) counters: Arc<EvidenceCounters>,
    pub(super) waiting: Arc<Waiting>,
}

impl FiguresReader {
    /// The figures now.
    pub fn read(&self) -> EvidenceFigures {
        let EvidenceCounters { log, .. } = &*self.counters;
        EvidenceFigures {
            ring_bytes: self.counters.ring_bytes.value(),
            ring_span: Duration::from_nanos(self.counters.ring_nanoseconds.value()),
            kept_packets: self.counters.kept_packets.value(),
            lost_packets: self.counters.lost_packets.value(),
            lost_changes: self.waiting.lost_changes.load(Ordering::Relaxed),
            open_files: self.counters.open_files.value(),
            written_files: self.counters.written_files.value(),
            refused_files: self.counters.refused_files.value(),
            written_packets: self.counters.written_packets.value(),
            missed_packets: self.counters.missed_packets.value(),
            write_errors: self.counters.write_errors.value(),
            archive_bytes: self.counters.archive_bytes.value(),
            removed_files: self.counters.removed_files.value(),
            log_conversations: log.conversations.value(),
            log_bytes: log.bytes.value(),
            logged_packets: log.packets.value(),
            log_lost_packets: log.lost_packets.value(),
            log_archived_files: log.archived_files.value(),
        }
    }
}
