//! The lines that the program writes to standard output and to standard error: for each stream a bounded queue and a
//! thread that writes. Takes whole lines from any thread, which never waits for a slow reader; gives bytes. Must not
//! know what the lines say.
//!
//! A line that does not fit into the queue is lost and counted. A line in its place says how many were lost (a gap).

mod alerts;
mod writer;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::events::line::{LineForm, LogLine};
use crate::os::threads::{self, Needs};
use crate::packet::Timestamp;
pub(super) use alerts::{AlertLines, AlertPace};
pub(super) use writer::Blocking;
use writer::{Closed, LineWriter};

/// The most lines in a queue.
pub(super) const MAXIMUM_LINES: usize = 4_096;
/// The most bytes of lines in a queue.
const MAXIMUM_BYTES: usize = 1 << 20;
/// Longest time that a sender waits for space in the queue, if it may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Alert lines, on standard output.
    Alerts,
    /// Log lines, on standard error.
    Log,
}

impl Stream {
    const fn thread(self) -> &'static str {
        match self {
            Self::Alerts => "alert-writer",
            Self::Log => "log-writer",
        }
    }
}

/// The sending end of an output. Clones share one queue.
#[derive(Debug, Clone)]
pub(super) struct LineQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<QueueState>,
    /// Notified when a line was queued, written or lost, and when the output was closed.
    changed: Condvar,
    lost: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct QueueState {
    queued: VecDeque<QueuedLine>,
    /// Bytes of the queued lines.
    bytes: usize,
    /// Number of lines lost after the last queued line.
    lost_after: u64,
    is_writing: bool,
    /// A sender has waited in vain for space, and no line was written since.
    is_stuck: bool,
    /// The reader has closed its end: no line can be written any more.
    is_closed: bool,
}

/// A line with the gap before it; or a gap after the last line.
#[derive(Debug, PartialEq, Eq)]
struct QueuedLine {
    /// Lines lost before this one.
    lost_before: u64,
    /// The line; empty for a gap after the last line.
    line: String,
}

impl QueueState {
    fn has_space_for(&self, line: &str) -> bool {
        self.queued.len() < MAXIMUM_LINES && self.bytes + line.len() <= MAXIMUM_BYTES
    }

    fn has_space_in_half_for(&self, line: &str) -> bool {
        self.queued.len() < MAXIMUM_LINES / 2 && self.bytes + line.len() <= MAXIMUM_BYTES / 2
    }

    fn is_done(&self) -> bool {
        self.is_closed || (self.queued.is_empty() && self.lost_after == 0 && !self.is_writing)
    }

    /// The next line to write; none while all is written.
    fn next(&mut self) -> Option<QueuedLine> {
        if let Some(queued) = self.queued.pop_front() {
            self.bytes -= queued.line.len();
            return Some(queued);
        }
        let lost_before = std::mem::take(&mut self.lost_after);
        (lost_before > 0).then(|| QueuedLine { lost_before, line: String::new() })
    }
}

impl LineQueue {
    /// Starts the thread that writes the lines of `stream` to `out`. `gap` gives the line for a number of lost lines.
    pub(super) fn start(
        stream: Stream,
        out: impl Write + Send + 'static,
        gap: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), lost: Arc::default() });
        let body = {
            let shared = Arc::clone(&shared);
            move || shared.write_all(LineWriter::new(stream, out), gap)
        };
        // Never joined, because a write that blocks cannot be cancelled: the thread ends with the process.
        drop(threads::spawn(stream.thread(), Needs::Nothing, body)?);
        Ok(Self(shared))
    }

    /// The number of lines lost since the start.
    pub(super) fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.lost)
    }

    /// Queues a line with its line feed. Never waits: a line that does not fit is lost.
    pub(super) fn send(&self, line: String) {
        self.0.queue(self.0.lock(), line);
    }

    /// Queues a line in one half of the queue, so that other lines keep the rest. Gives false if the line is not queued.
    pub(super) fn offer(&self, line: String) -> bool {
        self.queue_in_half(self.0.lock(), line)
    }

    /// As [`LineQueue::offer`], but waits for space as [`LineQueue::send_or_wait`] does.
    pub(super) fn offer_or_wait(&self, line: String) -> bool {
        self.queue_in_half(self.0.wait_while(|state| !state.has_space_in_half_for(&line)), line)
    }

    fn queue_in_half(&self, state: MutexGuard<'_, QueueState>, line: String) -> bool {
        if state.is_closed || !state.has_space_in_half_for(&line) {
            return false;
        }
        self.0.queue(state, line);
        true
    }

    /// Queues a line; waits for space, up to [`LONGEST_WAIT`]. After a wait in vain, no sender waits again until a line
    /// has been written.
    pub(super) fn send_or_wait(&self, line: String) {
        let state = self.0.wait_while(|state| !state.has_space_for(&line));
        self.0.queue(state, line);
    }

    /// Waits until all lines are written, or until `deadline`. Gives the number of unwritten lines.
    pub(super) fn finish(&self, deadline: Instant) -> u64 {
        let mut state = self.0.lock();
        while !state.is_done() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return state.queued.len() as u64 + u64::from(state.is_writing);
            }
            state = self.0.wait(state, left);
        }
        0
    }
}

impl Shared {
    /// Ignores that the lock may be poisoned: no code under the lock panics, so the state is valid.
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, QueueState>, at_most: Duration) -> MutexGuard<'a, QueueState> {
        self.changed.wait_timeout(state, at_most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits while the queue lacks space, up to [`LONGEST_WAIT`].
    fn wait_while(&self, lacks_space: impl Fn(&QueueState) -> bool) -> MutexGuard<'_, QueueState> {
        let deadline = Instant::now() + LONGEST_WAIT;
        let mut state = self.lock();
        while !state.is_closed && !state.is_stuck && lacks_space(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            state.is_stuck = left.is_zero();
            state = self.wait(state, left);
        }
        state
    }

    fn queue(&self, mut state: MutexGuard<'_, QueueState>, line: String) {
        if state.is_closed || !state.has_space_for(&line) {
            state.lost_after += 1;
            self.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            let lost_before = std::mem::take(&mut state.lost_after);
            state.bytes += line.len();
            state.queued.push_back(QueuedLine { lost_before, line });
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The body of the writer thread.
    fn write_all<W: Write>(&self, mut out: LineWriter<W>, gap: impl Fn(u64) -> String) {
        loop {
            let QueuedLine { lost_before, line } = self.next();
            let written = match lost_before {
                0 => Ok(()),
                lost => out.write_line(gap(lost).as_bytes()),
            };
            if let Err(Closed) = written.and_then(|()| out.write_line(line.as_bytes())) {
                return self.close(line);
            }
            let mut state = self.lock();
            state.is_writing = false;
            state.is_stuck = false;
            drop(state);
            self.changed.notify_all();
        }
    }

    fn next(&self) -> QueuedLine {
        let mut state = self.lock();
        loop {
            if let Some(queued) = state.next() {
                state.is_writing = true;
                return queued;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the output, and counts `line` and all queued lines as lost.
    fn close(&self, line: String) {
        let mut state = self.lock();
        let lost = state.queued.len() as u64 + u64::from(!line.is_empty());
        self.lost.fetch_add(lost, Ordering::Relaxed);
        *state = QueueState { is_closed: true, ..QueueState::default() };
        drop(state);
        self.changed.notify_all();
    }
}

/// A copy of a descriptor that bypasses the locks of the standard library's streams. So a write that blocks delays only
/// its own thread.
pub(in crate::app) fn without_lock(descriptor: impl AsFd) -> io::Result<File> {
    descriptor.as_fd().try_clone_to_owned().map(File::from)
}

pub(in crate::app) fn gap(form: LineForm, message: &str, lost: u64) -> String {
    let mut line = LogLine::new(form, Timestamp::from(SystemTime::now()), "warn", message);
    line.put("lines", lost);
    line.finish()
}

#[cfg(test)]
mod tests;
