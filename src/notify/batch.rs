//! The notices of the next request, and the time of it.
//!
//! Takes a queue and the present time; gives a batch or the moment to look again. Must not know requests or clocks.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::notice::Notice;
use super::queue::{NoticeQueue, QueuedNotice};
use super::receivers::Batching;
use crate::alert::Fingerprint;
use crate::packet::Timestamp;

/// The notices of one request.
#[derive(Debug, PartialEq)]
pub(super) struct NoticeBatch {
    /// The latest notice of each alert to name, in their order.
    pub notices: Vec<Arc<Notice>>,
    /// The number of further ones: firing, resolved.
    pub unnamed: [u64; 2],
    /// The number of notices at the head of the queue that it settles; 0 for alerts that are sent again.
    pub settles: usize,
    /// The latest change in it.
    pub changed_at: Timestamp,
}

/// The next thing to do.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Send these now.
    Send(NoticeBatch),
    /// Nothing before this moment, unless new notices come.
    WaitUntil(Instant),
    /// Nothing until new notices come.
    Idle,
}

/// The times of one receiver's requests.
#[derive(Debug)]
pub(super) struct Schedule {
    batching: Batching,
    /// The moment at which the first of the waiting notices was seen.
    burst_began: Option<Instant>,
    /// The moment of the last message to a receiver that groups.
    last_message: Option<Instant>,
    repetition: Repetition,
}

/// A round in which all firing alerts are sent again, some in each request.
#[derive(Debug, Default)]
struct Repetition {
    /// The beginning of the next round.
    due: Option<Instant>,
    /// The last alert that this round has sent.
    after: Option<Fingerprint>,
    /// The same before the last request.
    before: Option<Fingerprint>,
}

impl Schedule {
    pub(super) fn new(batching: Batching) -> Self {
        Self { batching, burst_began: None, last_message: None, repetition: Repetition::default() }
    }

    /// The next request. With `hurry` nothing is waited for.
    pub(super) fn next(&mut self, queue: &NoticeQueue, now: Instant, hurry: bool) -> Next {
        match self.batching {
            Batching::Each => queue.ready().next().map_or(Next::Idle, |one| Next::Send(batch(&[one], usize::MAX))),
            Batching::All { most, again } => {
                let waiting: Vec<&QueuedNotice> = queue.ready().take(most).collect();
                if waiting.is_empty() && !hurry {
                    return self.repetition.next(queue, now, most, again);
                }
                if waiting.is_empty() { Next::Idle } else { Next::Send(batch(&waiting, usize::MAX)) }
            }
            Batching::Group { wait, interval, named } => {
                let waiting: Vec<&QueuedNotice> = queue.ready().collect();
                if waiting.is_empty() {
                    self.burst_began = None;
                    return Next::Idle;
                }
                let began = *self.burst_began.get_or_insert(now);
                let due = (began + wait).max(self.last_message.map_or(began, |last| last + interval));
                if now < due && !hurry { Next::WaitUntil(due) } else { Next::Send(batch(&waiting, named)) }
            }
        }
    }

    /// Notes that the last batch is to be tried again.
    pub(super) fn failed(&mut self) {
        self.repetition.after = self.repetition.before;
    }

    /// Notes that the receiver has settled the last batch.
    pub(super) fn settled(&mut self, now: Instant) {
        self.burst_began = None;
        self.last_message = Some(now);
    }
}

impl Repetition {
    fn next(&mut self, queue: &NoticeQueue, now: Instant, most: usize, again: Duration) -> Next {
        if queue.firing().is_empty() {
            *self = Self::default();
            return Next::Idle;
        }
        let due = *self.due.get_or_insert(now + again);
        if now < due {
            return Next::WaitUntil(due);
        }
        let rest = (self.after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let chosen: Vec<_> = queue.firing().range(rest).take(most).collect();
        let Some((last, _)) = chosen.last() else {
            *self = Self { due: Some(now + again), ..Self::default() };
            return Next::WaitUntil(now + again);
        };
        (self.before, self.after) = (self.after, Some(**last));
        let notices = chosen.iter().map(|(_, notice)| Arc::clone(notice)).collect();
        Next::Send(NoticeBatch { notices, unnamed: [0, 0], settles: 0, changed_at: Timestamp::BEFORE_ALL })
    }
}

/// The latest notice of each alert; `named` of them by name, the most urgent first if there are more.
fn batch(waiting: &[&QueuedNotice], named: usize) -> NoticeBatch {
    let last: BTreeMap<Fingerprint, usize> = (0..).zip(waiting).map(|(at, one)| (one.notice.id(), at)).collect();
    let mut latest: Vec<usize> = last.into_values().collect();
    latest.sort_unstable();
    let all = latest.len();
    if all > named {
        latest.sort_by_key(|at| urgency(&waiting[*at].notice));
    }
    let mut unnamed = [0, 0];
    for at in latest.drain(named.min(all)..) {
        unnamed[usize::from(!waiting[at].notice.is_firing)] += 1;
    }
    latest.sort_unstable();
    NoticeBatch {
        notices: latest.iter().map(|at| Arc::clone(&waiting[*at].notice)).collect(),
        unnamed,
        settles: waiting.len(),
        changed_at: waiting.iter().map(|one| one.changed_at).max().unwrap_or(Timestamp::BEFORE_ALL),
    }
}

/// Lower is more urgent.
fn urgency(notice: &Notice) -> (usize, bool) {
    let rank = ["critical", "warning", "info"].iter().position(|word| *word == notice.severity);
    (rank.unwrap_or(usize::MAX), !notice.is_firing)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::notify::tests::notices::{firing, resolved};

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(notices: impl IntoIterator<Item = Notice>) -> NoticeQueue {
        let mut queue = NoticeQueue::default();
        add(&mut queue, notices);
        queue
    }

    fn add(queue: &mut NoticeQueue, notices: impl IntoIterator<Item = Notice>) {
        for notice in notices {
            let (number, changed_at) = (queue.len() as u64, Timestamp::from_nanoseconds(0));
            queue.admit(QueuedNotice { number, changed_at, notice: Arc::new(notice) });
        }
        queue.release(u64::MAX);
    }

    fn send(next: Next) -> NoticeBatch {
        let Next::Send(batch) = next else { panic!("{next:?}") };
        let alerts: BTreeSet<_> = batch.notices.iter().map(|notice| notice.id()).collect();
        assert_eq!(alerts.len(), batch.notices.len(), "an alert is named twice");
        batch
    }

    fn keys(batch: &NoticeBatch) -> Vec<(u64, bool)> {
        batch.notices.iter().map(|notice| (notice.id().0, notice.is_firing)).collect()
    }

    #[test]
    fn each_notice_has_a_request_of_its_own() {
        let mut queue = queue([firing(1), resolved(1)]);
        let mut schedule = Schedule::new(Batching::Each);
        for expected in [(1, true), (1, false)] {
            let batch = send(schedule.next(&queue, Instant::now(), false));
            assert_eq!((keys(&batch), batch.settles), (vec![expected], 1));
            queue.settle(1, true);
        }
        assert_eq!(schedule.next(&queue, Instant::now(), false), Next::Idle);
    }

    #[test]
    fn all_notices_go_together_and_the_latest_of_an_alert_counts() {
        let queue = queue([firing(1), firing(2), resolved(1), firing(3)]);
        let mut schedule = Schedule::new(Batching::All { most: 3, again: SECOND });
        let batch = send(schedule.next(&queue, Instant::now(), false));
        assert_eq!((keys(&batch), batch.settles), (vec![(2, true), (1, false)], 3));
    }

    #[test]
    fn firing_alerts_are_sent_again_round_by_round() {
        let (mut queue, start) = (queue((0..5).map(firing)), Instant::now());
        let mut schedule = Schedule::new(Batching::All { most: 2, again: 60 * SECOND });
        queue.settle(5, true);
        assert_eq!(schedule.next(&queue, start, false), Next::WaitUntil(start + 60 * SECOND));
        for round in 1..3 {
            let due = start + round * 60 * SECOND;
            assert_eq!(schedule.next(&queue, due - SECOND, false), Next::WaitUntil(due));
            let first = send(schedule.next(&queue, due, false));
            schedule.failed();
            assert_eq!(first.notices.len(), 2, "sent anew, since it failed");
            let sent: Vec<_> = (0..3).flat_map(|_| keys(&send(schedule.next(&queue, due, false)))).collect();
            assert_eq!(sent, [0, 1, 2, 3, 4].map(|key| (key, true)));
            assert_eq!(schedule.next(&queue, due, false), Next::WaitUntil(due + 60 * SECOND));
        }
        add(&mut queue, (0..5).map(resolved));
        assert_eq!(send(schedule.next(&queue, start + 240 * SECOND, false)).settles, 2, "new ones first");
        queue.settle(5, true);
        assert_eq!(schedule.next(&queue, start + 240 * SECOND, false), Next::Idle);
    }

    #[test]
    fn burst_becomes_one_message_an_interval() {
        let (mut queue, start) = (queue([firing(1)]), Instant::now());
        let mut schedule = Schedule::new(Batching::Group { wait: 5 * SECOND, interval: 60 * SECOND, named: 20 });
        assert_eq!(schedule.next(&queue, start, false), Next::WaitUntil(start + 5 * SECOND));
        add(&mut queue, [firing(2)]);
        let at = start + 5 * SECOND;
        assert_eq!(keys(&send(schedule.next(&queue, at, false))), [(1, true), (2, true)]);
        queue.settle(2, true);
        schedule.settled(at);
        assert_eq!(schedule.next(&queue, at, false), Next::Idle);
        add(&mut queue, [resolved(1)]);
        assert_eq!(schedule.next(&queue, at + SECOND, false), Next::WaitUntil(at + 60 * SECOND));
        send(schedule.next(&queue, at + SECOND, true));
        queue.settle(1, true);
        schedule.settled(at + SECOND);
        assert_eq!(schedule.next(&queue, at + 2 * SECOND, false), Next::Idle);
        add(&mut queue, [resolved(2)]);
        let quiet = at + 600 * SECOND;
        assert_eq!(schedule.next(&queue, quiet, false), Next::WaitUntil(quiet + 5 * SECOND), "after a quiet time");
    }

    #[test]
    fn most_urgent_alerts_of_a_burst_are_named_and_the_rest_counted() {
        let with = |severity: &str, notice: Notice| Notice { severity: severity.to_owned(), ..notice };
        let queue = queue([
            with("info", firing(1)),
            with("warning", resolved(2)),
            with("critical", firing(3)),
            with("info", resolved(4)),
            with("warning", firing(5)),
        ]);
        let mut schedule = Schedule::new(Batching::Group { wait: Duration::ZERO, interval: SECOND, named: 3 });
        let batch = send(schedule.next(&queue, Instant::now(), false));
        assert_eq!(keys(&batch), [(2, false), (3, true), (5, true)], "in their order");
        assert_eq!((batch.unnamed, batch.settles), ([1, 1], 5));
    }
}
