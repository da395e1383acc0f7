//! The hand-over of notices from the thread that makes alerts to the thread that delivers them.
//!
//! Takes notices and the receivers that they are for; gives all of them at once. Must not know queues. Taking one never
//! waits for more than a short lock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::notice::Notice;
use crate::alert::Fingerprint;
use crate::packet::Timestamp;

/// The most notices in the inbox. Of further ones only resolved ones are kept, in short.
pub(super) const MOST_NOTICES: usize = 4_096;

/// The most bytes of notices in the inbox.
const MOST_BYTES: usize = 4 << 20;

/// The most resolved notices that are kept in short.
const MOST_ENDS: usize = 20_000;

/// Positions in the list of receivers.
pub(super) type Receivers = Box<[u16]>;

/// A notice as it was handed over.
#[derive(Debug)]
pub(super) struct Arrival {
    pub notice: Arc<Notice>,
    pub receivers: Receivers,
    /// The moment of the change, on the clock of the system.
    pub changed_at: Timestamp,
}

/// A resolved notice without room: its alert no longer fires.
#[derive(Debug)]
pub(super) struct AlertEnd {
    /// On the packets' clock.
    pub ends_at: Timestamp,
    pub receivers: Receivers,
    pub changed_at: Timestamp,
}

/// The contents of the inbox. The ends came after all notices.
#[derive(Debug, Default)]
pub(super) struct InboxContents {
    pub notices: VecDeque<Arrival>,
    pub ends: BTreeMap<Fingerprint, AlertEnd>,
    bytes: usize,
}

/// The inbox. `work` wakes the thread that empties it.
#[derive(Debug)]
pub(super) struct Inbox {
    contents: Mutex<InboxContents>,
    work: Arc<Notify>,
}

impl Inbox {
    pub(super) fn new(work: Arc<Notify>) -> Self {
        Self { contents: Mutex::default(), work }
    }

    /// Takes a notice. Gives the receivers for which a notice was lost, this one or an earlier one.
    pub(super) fn put(&self, arrival: Arrival) -> Vec<Receivers> {
        let lost = self.lock().put(arrival);
        self.work.notify_one();
        lost
    }

    /// Takes everything out.
    pub(super) fn take(&self) -> InboxContents {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, InboxContents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InboxContents {
    fn put(&mut self, arrival: Arrival) -> Vec<Receivers> {
        let size = arrival.notice.size();
        // After the first end no notice fits any more: it would come before that end.
        if self.ends.is_empty() && self.notices.len() < MOST_NOTICES && self.bytes + size <= MOST_BYTES {
            self.bytes += size;
            self.notices.push_back(arrival);
            return Vec::new();
        }
        let Arrival { notice, receivers, changed_at } = arrival;
        let earlier = self.ends.remove(&notice.id()).map(|end| end.receivers);
        let mut lost: Vec<Receivers> = earlier.into_iter().collect();
        if notice.is_firing || self.ends.len() >= MOST_ENDS {
            lost.push(receivers);
        } else {
            let ends_at = Timestamp::from_nanoseconds(notice.ends_at.unwrap_or(notice.starts_at));
            self.ends.insert(notice.id(), AlertEnd { ends_at, receivers, changed_at });
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notices::{firing, resolved};

    fn arrival(notice: Notice) -> Arrival {
        Arrival { notice: Arc::new(notice), receivers: [0, 2].into(), changed_at: Timestamp::from_nanoseconds(0) }
    }

    fn full() -> Inbox {
        let inbox = Inbox::new(Arc::default());
        (0..MOST_NOTICES as u64).for_each(|key| assert!(inbox.put(arrival(firing(key))).is_empty()));
        inbox
    }

    #[test]
    fn full_inbox_loses_firing_notices_and_keeps_ends() {
        let inbox = full();
        assert_eq!(inbox.put(arrival(firing(5_000))), [Receivers::from([0, 2])]);
        assert!(inbox.put(arrival(resolved(7))).is_empty());
        let contents = inbox.take();
        assert_eq!((contents.notices.len(), contents.ends.len()), (MOST_NOTICES, 1));
        assert!(inbox.put(arrival(firing(5_000))).is_empty(), "there is room again");
    }

    #[test]
    fn alert_that_fires_again_without_room_has_no_end() {
        let inbox = full();
        assert!(inbox.put(arrival(resolved(7))).is_empty());
        assert_eq!(inbox.put(arrival(firing(7))).len(), 2, "its end and its new beginning");
        assert!(inbox.take().ends.is_empty());
    }

    #[test]
    fn large_notices_fill_the_inbox_early() {
        let inbox = Inbox::new(Arc::default());
        let large = |key| Notice { sentence: "x".repeat(1 << 20), ..firing(key) };
        let lost: Vec<usize> = (0..6).map(|key| inbox.put(arrival(large(key))).len()).collect();
        assert_eq!(lost, [0, 0, 0, 1, 1, 1]);
        assert!(inbox.take().bytes <= MOST_BYTES);
    }
}
