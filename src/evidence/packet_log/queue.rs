//! The queue of the packet log.
//!
//! Takes chunks and changes of alerts, as many as fit; gives them in order. Must not know files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::alert::{Alert, Change, Fingerprint};
use crate::evidence::{Chunk, MOST_CHANGES};

/// Chunks that may wait; this bounds the memory that the ring does not count.
const MOST_CHUNKS: usize = 32;

/// A message to the thread of the packet log.
#[derive(Debug)]
pub(super) enum LogMessage {
    Packets(Arc<Chunk>),
    Fired(Box<Alert>),
    Resolved(Fingerprint),
    /// Files that are not finished by then stay unfinished.
    End(Instant),
}

#[derive(Debug, Default)]
struct WaitingMessages {
    chunks: AtomicUsize,
    changes: AtomicUsize,
}

/// The sending end.
#[derive(Debug)]
pub(in crate::evidence) struct LogQueue {
    messages: Sender<LogMessage>,
    waiting: Arc<WaitingMessages>,
}

/// The receiving end.
#[derive(Debug)]
pub(in crate::evidence) struct LogReceiver {
    messages: Receiver<LogMessage>,
    waiting: Arc<WaitingMessages>,
}

impl LogQueue {
    pub(in crate::evidence) fn new() -> (Self, LogReceiver) {
        let (sender, messages) = channel();
        let waiting = Arc::<WaitingMessages>::default();
        (Self { messages: sender, waiting: Arc::clone(&waiting) }, LogReceiver { messages, waiting })
    }

    /// Sends a chunk; false if there is no space for it.
    pub(in crate::evidence) fn send_packets(&self, chunk: &Arc<Chunk>) -> bool {
        takes_one(&self.waiting.chunks, MOST_CHUNKS)
            && self.messages.send(LogMessage::Packets(Arc::clone(chunk))).is_ok()
    }

    /// Sends a change of an alert, if there is space.
    pub(in crate::evidence) fn notify(&self, change: &Change) {
        let message = match change {
            Change::Fired(alert) => LogMessage::Fired(Box::new(alert.clone())),
            Change::Resolved(alert) => LogMessage::Resolved(alert.fingerprint),
        };
        if !takes_one(&self.waiting.changes, MOST_CHANGES) || self.messages.send(message).is_err() {
            tracing::debug!("the packet log is behind: the files of an alert are not archived");
        }
    }

    /// Ends the log after all that it was sent.
    pub(in crate::evidence) fn end(&self, deadline: Instant) {
        if self.messages.send(LogMessage::End(deadline)).is_err() {
            tracing::trace!("the packet log has ended");
        }
    }
}

/// Counts one more that waits; false if there are as many as may be.
fn takes_one(waiting: &AtomicUsize, most: usize) -> bool {
    let has_space = waiting.load(Ordering::Relaxed) < most;
    if has_space {
        waiting.fetch_add(1, Ordering::Relaxed);
    }
    has_space
}

impl LogReceiver {
    /// The next message.
    pub(super) fn receive(&self, timeout: Duration) -> Result<LogMessage, RecvTimeoutError> {
        let message = self.messages.recv_timeout(timeout)?;
        match &message {
            LogMessage::Packets(_) => self.waiting.chunks.fetch_sub(1, Ordering::Relaxed),
            LogMessage::Fired(_) | LogMessage::Resolved(_) => self.waiting.changes.fetch_sub(1, Ordering::Relaxed),
            LogMessage::End(_) => 0,
        };
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Kind, Subject};
    use crate::evidence::tests::{alert, chunk};

    #[test]
    fn chunks_past_the_limit_are_refused_and_changes_still_come() {
        let (queue, receiver) = LogQueue::new();
        let packets = Arc::new(chunk("eth0", &[(1, &[0; 60])]));
        let taken = (0..100).filter(|_| queue.send_packets(&packets)).count();
        queue.notify(&Change::Fired(alert(Kind::HostScan, Subject::Source([10, 0, 0, 1].into()))));
        assert_eq!(taken, MOST_CHUNKS);
        for _ in 0..MOST_CHUNKS {
            assert!(matches!(receiver.receive(Duration::ZERO), Ok(LogMessage::Packets(_))));
        }
        assert!(matches!(receiver.receive(Duration::ZERO), Ok(LogMessage::Fired(_))));
        assert!(receiver.receive(Duration::ZERO).is_err());
        assert!(queue.send_packets(&packets));
    }
}
