//! Changes of alerts on their way to who writes them down, on a thread of its own: whoever reads slowly holds nobody up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use super::Tell;
use crate::alert::Change;

/// Changes that wait at most; what comes then is dropped and counted.
pub const WAITING_EVENTS: usize = 1_024;

/// How long what waits at the end may take.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// The near end of the way to the thread.
#[derive(Debug)]
pub struct Queue {
    changes: Option<SyncSender<Change>>,
    dropped: Arc<AtomicU64>,
    ended: Receiver<()>,
}

/// How many changes were dropped because who writes them down is too slow.
#[derive(Debug, Clone, Default)]
pub struct Dropped(Arc<AtomicU64>);

impl Dropped {
    /// Since the start.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Queue {
    /// Starts the thread `events`, which gives every change to `write` until that fails.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(write: impl FnMut(&Change) -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (changes, waiting) = sync_channel(WAITING_EVENTS);
        let (until_end, ended) = channel();
        let body = move || {
            write_all(&waiting, write);
            drop::<Sender<()>>(until_end);
        };
        drop(Builder::new().name("events".to_owned()).spawn(body)?);
        Ok(Self { changes: Some(changes), dropped: Arc::default(), ended })
    }

    /// How many changes were dropped, for who counts that.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        Dropped(Arc::clone(&self.dropped))
    }
}

impl Tell for Queue {
    fn tell(&mut self, change: &Change) {
        let is_sent = self.changes.as_ref().is_some_and(|changes| changes.try_send(change.clone()).is_ok());
        self.dropped.fetch_add(u64::from(!is_sent), Ordering::Relaxed);
    }
}

/// What waits is written down first, if that does not take long.
impl Drop for Queue {
    fn drop(&mut self) {
        self.changes = None;
        if self.ended.recv_timeout(LAST_WRITES) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("alerts lost: standard output is blocked");
        }
    }
}

fn write_all(waiting: &Receiver<Change>, mut write: impl FnMut(&Change) -> io::Result<()>) {
    for change in waiting {
        if let Err(error) = write(&change) {
            tracing::warn!(%error, "cannot write alerts to standard output any more");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Alert, Fingerprint, Peak, Severity, Side, State};
    use crate::detect::{Figures, Kind, Subject};
    use crate::packet::Timestamp;

    fn change(number: i64) -> Change {
        let starts_at = Timestamp::from_nanoseconds(number);
        Change::Fired(Alert {
            fingerprint: Fingerprint(1),
            kind: Kind::Bandwidth,
            rule: "bandwidth".into(),
            subject: Subject::Source([192, 0, 2, 1].into()),
            state: State::Firing,
            severity: Severity::Info,
            side: Side::Outside,
            starts_at,
            ends_at: None,
            span: None,
            figures: Figures::default(),
            peak: Peak { value: 0.0, limit: 0.0, bytes: 0, answered: None, is_estimate: false, at: starts_at },
        })
    }

    #[test]
    fn all_that_waits_is_written_in_order_before_the_end() {
        let (written, lines) = channel();
        let mut queue = Queue::start(move |change| written.send(change.clone()).map_err(io::Error::other)).unwrap();
        (0..100).for_each(|number| queue.tell(&change(number)));
        drop(queue);
        assert_eq!(lines.iter().collect::<Vec<_>>(), (0..100).map(change).collect::<Vec<_>>());
    }

    #[test]
    fn who_writes_slowly_loses_what_does_not_fit_and_holds_nobody_up() {
        let (go_on, wait) = channel::<()>();
        let mut queue = Queue::start(move |_| wait.recv().map_err(io::Error::other)).unwrap();
        let dropped = queue.dropped();
        let told = WAITING_EVENTS as i64 + 10;
        (0..told).for_each(|number| queue.tell(&change(number)));
        // One of them may be out of the queue by now.
        assert!((9..=10).contains(&dropped.count()), "{}", dropped.count());
        drop(go_on);
    }

    #[test]
    fn what_cannot_be_written_counts_as_dropped() {
        let mut queue = Queue::start(|_| Err(io::Error::other("closed"))).unwrap();
        queue.tell(&change(0));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while queue.dropped().count() == 0 && std::time::Instant::now() < deadline {
            queue.tell(&change(1));
        }
        assert!(queue.dropped().count() > 0);
    }
}
