//! The jobs of the writer, their queue, and the reports about them.
//!
//! Takes jobs from the evidence thread; the queue says when it has no space. Must not know files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use serde_json::{Map, Value};

use crate::alert::Fingerprint;
use crate::evidence::Chunk;
use crate::evidence::detection::DetectionFacts;
use crate::packet::Timestamp;

/// Jobs that may wait. Each keeps at most one chunk, so this bounds the memory that the ring does not count.
const MOST_JOBS: usize = 16;

/// The number of an evidence file in this run.
pub(in crate::evidence) type FileId = u64;

/// A file to begin.
#[derive(Debug)]
pub(in crate::evidence) struct NewFile {
    pub(in crate::evidence) id: FileId,
    pub(in crate::evidence) fingerprint: Fingerprint,
    pub(in crate::evidence) starts_at: Timestamp,
    /// The name without ending.
    pub(in crate::evidence) stem: String,
    pub(in crate::evidence) comment: String,
    /// The verdict that the file has if the program is killed, without the facts about the file.
    pub(in crate::evidence) verdict: Map<String, Value>,
    /// The configuration that the verdict names.
    pub(in crate::evidence) detection: Arc<DetectionFacts>,
}

/// Packets of a chunk for one file.
#[derive(Debug)]
pub(in crate::evidence) struct FilePart {
    pub(in crate::evidence) id: FileId,
    /// Positions in the chunk, in order.
    pub(in crate::evidence) positions: Vec<u32>,
    /// Bytes in the file.
    pub(in crate::evidence) bytes: u64,
}

/// A file to finish.
#[derive(Debug)]
pub(in crate::evidence) struct Ending {
    pub(in crate::evidence) id: FileId,
    pub(in crate::evidence) fingerprint: Fingerprint,
    pub(in crate::evidence) comment: String,
    pub(in crate::evidence) is_complete: bool,
    /// The verdict, without the facts about the file.
    pub(in crate::evidence) verdict: Map<String, Value>,
}

/// Work for the writer.
#[derive(Debug)]
pub(in crate::evidence) enum Job {
    Begin(Box<NewFile>),
    Append {
        chunk: Arc<Chunk>,
        /// The number of the chunk in the ring.
        number: u64,
        parts: Vec<FilePart>,
    },
    /// The packets come again from the one on that could not be written.
    Resume(FileId),
    Finish(Box<Ending>),
    /// No job follows. Work that is not done by then stays undone.
    End(Instant),
}

/// The outcome of a job.
#[derive(Debug)]
pub(crate) enum WriterReport {
    /// The queue has space again.
    HasSpace,
    NotBegun(FileId),
    /// The packets of this chunk could not be written. Later ones are not taken until [`Job::Resume`].
    Stalled {
        id: FileId,
        /// The number of the chunk.
        chunk: u64,
        /// Packets of the chunk for the file.
        packets: u64,
        /// Bytes in the file.
        bytes: u64,
    },
    /// Packets of a later chunk came while the file was stalled.
    NotTaken {
        id: FileId,
        /// The number of the chunk.
        chunk: u64,
        /// Packets of the chunk for the file.
        packets: u64,
    },
    Finished(FileId),
    NotFinished {
        id: FileId,
        /// True if the file is not there any more.
        is_gone: bool,
    },
}

/// The sending end of the jobs. Only one thread sends.
#[derive(Debug, Clone)]
pub(in crate::evidence) struct JobQueue {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
    /// True if a report is wanted once there is space.
    wants_space: Arc<AtomicBool>,
}

impl JobQueue {
    pub(in crate::evidence) fn new() -> (Self, Receiver<Job>) {
        let (jobs, receiver) = channel();
        (Self { jobs, waiting: Arc::default(), wants_space: Arc::default() }, receiver)
    }

    /// True if a job can be sent. If not, a report will say when.
    pub(in crate::evidence) fn has_space(&self) -> bool {
        let has_space = || self.waiting.load(Ordering::SeqCst) < MOST_JOBS;
        has_space() || {
            self.wants_space.store(true, Ordering::SeqCst);
            has_space()
        }
    }

    /// Sends a job. Ask [`JobQueue::has_space`] first.
    pub(in crate::evidence) fn send(&self, job: Job) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if self.jobs.send(job).is_err() {
            tracing::trace!("the evidence writer has ended");
        }
    }

    /// Notes that a job is done; true if a report about space is wanted.
    pub(super) fn job_is_done(&self) -> bool {
        let left = self.waiting.fetch_sub(1, Ordering::SeqCst) - 1;
        left <= MOST_JOBS / 2 && self.wants_space.swap(false, Ordering::SeqCst)
    }
}
