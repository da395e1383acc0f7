//! Keeps recent packets, and writes those of an alert into capture files.
//!
//! Takes chunks of packets from capture threads and changes of alerts; gives capture files with a verdict beside each. All
//! work with files has threads of its own, which capture never waits for. Must not know detection.

mod buffers;
mod case;
mod cases;
mod chunk;
mod collector;
mod config;
mod detection;
mod earlier;
mod figures;
mod losses;
mod names;
mod packet_log;
mod ring;
mod selection;
mod start;
mod verdict;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::Instant;

use crate::alert::{AlertSink, Change};
use crate::packet::Timestamp;
pub use chunk::{Chunk, PacketRecorder, PacketSource, RecordedPacket};
pub use config::{Config, PacketLogConfig};
pub use detection::{DetectionFacts, RunningDetection};
pub use figures::{EvidenceFigures, FiguresReader};
pub use start::{Error, Evidence, EvidenceSetup};
use writer::WriterReport;
pub use writer::{RunningQuota, open_unfinished};

/// Bytes of chunks that may wait for the evidence thread. Packets past it are not kept, and counted.
const MOST_WAITING: usize = 32 << 20;
/// Bytes of the ring unless the configuration has them.
const DEFAULT_RING_BYTES: u64 = 64 << 20;
/// Changes of alerts that may wait.
const MOST_CHANGES: usize = 16_384;

/// A message to the evidence thread.
#[derive(Debug)]
pub(crate) enum Message {
    /// Packets of one interface, in the order of capture.
    Packets(Chunk),
    /// A change of an alert. All packets that it rests on came before it.
    Change(Box<Change>),
    /// Packets of the window were lost before they could be kept: by the kernel, or for want of room.
    Lost {
        /// The time of the loss, on the packets' clock.
        time: Timestamp,
        /// The number of packets.
        packets: u64,
    },
    /// The writer did something, or could not.
    Written(WriterReport),
    /// Nothing more comes: open files are finished.
    End {
        /// Files that are not finished then stay unfinished.
        deadline: Instant,
    },
}

/// The sending end. Clones share the limits; sending never waits.
#[derive(Debug, Clone)]
pub struct EvidenceSender {
    messages: Sender<Message>,
    waiting: Arc<Waiting>,
    most_waiting: usize,
}

/// Makes recorders for capture threads.
#[derive(Debug, Clone)]
pub struct RecorderSettings {
    sender: EvidenceSender,
    packet_bytes: u32,
}

impl RecorderSettings {
    /// Recorders that keep `packet_bytes` of each packet at most.
    pub const fn new(sender: EvidenceSender, packet_bytes: u32) -> Self {
        Self { sender, packet_bytes }
    }

    /// The recorder of packets from `source`.
    pub fn recorder(&self, source: PacketSource) -> PacketRecorder {
        PacketRecorder::new(source, self.packet_bytes, self.sender.clone())
    }

    /// The sending end.
    pub fn sender(&self) -> EvidenceSender {
        self.sender.clone()
    }
}

/// The amounts that wait for the evidence thread, and the numbers of what found no space.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Bytes of chunks.
    pub bytes: AtomicUsize,
    /// Changes of alerts.
    pub changes: AtomicUsize,
    /// Packets that found no room.
    pub lost_packets: AtomicU64,
    /// Changes that found no room.
    pub lost_changes: AtomicU64,
}

impl EvidenceSender {
    pub(crate) fn new(messages: Sender<Message>, waiting: Arc<Waiting>) -> Self {
        Self { messages, waiting, most_waiting: MOST_WAITING }
    }

    /// The same end, with at most `bytes` of chunks that wait, and [`MOST_WAITING`].
    #[must_use]
    pub(crate) fn bounded(self, bytes: usize) -> Self {
        Self { most_waiting: bytes.min(MOST_WAITING), ..self }
    }

    /// Hands over a chunk.
    pub(crate) fn send_packets(&self, chunk: Chunk) {
        let bytes = chunk.memory_bytes();
        if self.waiting.bytes.load(Ordering::Relaxed) + bytes > self.most_waiting {
            self.waiting.lost_packets.fetch_add(chunk.packets().into(), Ordering::Relaxed);
            self.note_lost(u64::from(chunk.packets()), chunk.last());
            return;
        }
        self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.send(Message::Packets(chunk));
    }

    /// Notes that packets were lost.
    pub fn note_lost(&self, packets: u64, time: Timestamp) {
        self.send(Message::Lost { time, packets });
    }

    fn send(&self, message: Message) {
        if self.messages.send(message).is_err() {
            tracing::trace!("the evidence thread has ended");
        }
    }
}

impl AlertSink for EvidenceSender {
    fn notify(&mut self, change: &Change) {
        if self.waiting.changes.load(Ordering::Relaxed) >= MOST_CHANGES {
            self.waiting.lost_changes.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.waiting.changes.fetch_add(1, Ordering::Relaxed);
        self.send(Message::Change(Box::new(change.clone())));
    }
}

#[cfg(test)]
mod tests;
