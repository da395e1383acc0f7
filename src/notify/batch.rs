//! The notices of the next request, and the time of it.
//!
//! Takes a queue and the present time; gives a batch or the moment to look again. Must not know requests or clocks.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::notice::Notice;
use super::queue::{NoticeQueue, QueuedNotice, UnnamedAlerts};
use super::receivers::Batching;
use crate::alert::Fingerprint;
use crate::packet::Timestamp;

/// The notices of one request.
#[derive(Debug, PartialEq)]
pub(super) struct NoticeBatch {
    /// The latest notice of each alert to name, in their order.
    pub notices: Vec<Arc<Notice>>,
    /// The number of further ones: firing, resolved.
    pub counted: [u64; 2],
    /// The alerts that it does not name.
    pub unnamed: UnnamedAlerts,
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
            Batching::Each => {
                queue.ready().next().map_or(Next::Idle, |one| Next::Send(batch(queue, &[one], usize::MAX)))
            }
            Batching::All { most, again } => {
                let waiting: Vec<&QueuedNotice> = queue.ready().take(most).collect();
                if waiting.is_empty() && !hurry {
                    return self.repetition.next(queue, now, most, again);
                }
                if waiting.is_empty() { Next::Idle } else { Next::Send(batch(queue, &waiting, usize::MAX)) }
            }
            Batching::Group { wait, interval, named } => {
                let waiting: Vec<&QueuedNotice> = queue.ready().collect();
                if waiting.is_empty() {
                    self.burst_began = None;
                    return Next::Idle;
                }
                let began = *self.burst_began.get_or_insert(now);
                let due = (began + wait).max(self.last_message.map_or(began, |last| last + interval));
                if now < due && !hurry { Next::WaitUntil(due) } else { Next::Send(batch(queue, &waiting, named)) }
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
        let (counted, unnamed) = ([0, 0], UnnamedAlerts::default());
        Next::Send(NoticeBatch { notices, counted, unnamed, settles: 0, changed_at: Timestamp::BEFORE_ALL })
    }
}

/// The latest notice of each alert, at most `places` of them by name.
fn batch(queue: &NoticeQueue, waiting: &[&QueuedNotice], places: usize) -> NoticeBatch {
    let last: BTreeMap<Fingerprint, &Arc<Notice>> = waiting.iter().map(|one| (one.notice.id(), &one.notice)).collect();
    let is_last = |one: &&&QueuedNotice| last.get(&one.notice.id()).is_some_and(|last| Arc::ptr_eq(last, &one.notice));
    let latest: Vec<Arc<Notice>> = waiting.iter().filter(is_last).map(|one| Arc::clone(&one.notice)).collect();
    let choice = choose(queue, latest, places);
    let ids = |notices: &[Arc<Notice>]| notices.iter().map(|notice| notice.id()).collect();
    let firing = choice.counted.iter().filter(|notice| notice.is_firing).count() as u64;
    NoticeBatch {
        counted: [firing, choice.counted.len() as u64 - firing],
        unnamed: UnnamedAlerts { counted: ids(&choice.counted), kept: ids(&choice.kept) },
        notices: choice.named,
        settles: waiting.len(),
        changed_at: waiting.iter().map(|one| one.changed_at).max().unwrap_or(Timestamp::BEFORE_ALL),
    }
}

/// The notices of a message: to name, to count, and to keep for the next one.
#[derive(Default)]
struct Choice {
    named: Vec<Arc<Notice>>,
    counted: Vec<Arc<Notice>>,
    kept: Vec<Arc<Notice>>,
}

/// Names the most urgent notices and counts the others. Of an alert that the receiver knows by name, the end needs a name
/// too: such ends have half of the places, more if these are free, and wait for the next message if they find none.
fn choose(queue: &NoticeQueue, latest: Vec<Arc<Notice>>, places: usize) -> Choice {
    if latest.len() <= places {
        return Choice { named: latest, ..Choice::default() };
    }
    let needs_name = |notice: &Notice| !notice.is_firing && queue.knows_by_name(notice.id());
    let (ends, mut others): (Vec<_>, Vec<_>) = (0..latest.len()).partition(|at| needs_name(&latest[*at]));
    others.sort_by_key(|at| urgency(&latest[*at]));
    let (now, kept) = ends.split_at(ends.len().min((places / 2).max(places.saturating_sub(others.len()))));
    let (first, counted) = others.split_at(others.len().min(places - now.len()));
    let mut named = [now, first].concat();
    named.sort_unstable();
    let notices = |positions: &[usize]| positions.iter().map(|at| Arc::clone(&latest[*at])).collect();
    Choice { named: notices(&named), counted: notices(counted), kept: notices(kept) }
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
            queue.settle_named(1, true);
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
        queue.settle_named(5, true);
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
        queue.settle_named(5, true);
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
        queue.settle_named(2, true);
        schedule.settled(at);
        assert_eq!(schedule.next(&queue, at, false), Next::Idle);
        add(&mut queue, [resolved(1)]);
        assert_eq!(schedule.next(&queue, at + SECOND, false), Next::WaitUntil(at + 60 * SECOND));
        send(schedule.next(&queue, at + SECOND, true));
        queue.settle_named(1, true);
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
        assert_eq!((batch.counted, batch.settles), ([1, 1], 5));
    }

    #[test]
    fn end_of_an_alert_that_was_named_is_named_too_in_a_later_message_at_the_latest() {
        let mut queue = queue((0..6).map(firing));
        let mut schedule = Schedule::new(Batching::Group { wait: Duration::ZERO, interval: SECOND, named: 4 });
        let mut now = Instant::now();
        let mut message = |queue: &mut NoticeQueue| {
            now += SECOND;
            let batch = send(schedule.next(queue, now, false));
            queue.settle(batch.settles, true, &batch.unnamed);
            schedule.settled(now);
            (keys(&batch), batch.counted)
        };
        assert_eq!(message(&mut queue), ([0, 1, 2, 3].map(|key| (key, true)).to_vec(), [2, 0]));
        add(&mut queue, [5, 4, 3, 2, 1, 0].map(resolved).into_iter().chain((10..14).map(firing)));
        let half = [(3, false), (2, false), (10, true), (11, true)];
        assert_eq!(message(&mut queue), (half.to_vec(), [2, 2]), "the ends of 0 and 1 wait");
        add(&mut queue, [12, 13].map(resolved));
        let rest = [(1, false), (0, false), (12, false), (13, false)];
        assert_eq!(message(&mut queue), (rest.to_vec(), [0, 0]));
        assert_eq!(queue.len(), 0);
        assert_eq!(queue.firing().len(), 2, "10 and 11");
    }

    #[test]
    fn alert_that_fires_again_while_its_end_waits_has_no_end() {
        let mut queue = queue((0..3).map(firing));
        let mut schedule = Schedule::new(Batching::Group { wait: Duration::ZERO, interval: Duration::ZERO, named: 2 });
        let mut message = |queue: &mut NoticeQueue| {
            let batch = send(schedule.next(queue, Instant::now(), false));
            queue.settle(batch.settles, true, &batch.unnamed);
            keys(&batch)
        };
        queue.settle_named(3, true);
        add(&mut queue, (0..3).map(resolved));
        assert_eq!(message(&mut queue), [(0, false), (1, false)]);
        add(&mut queue, [firing(2), firing(7), firing(8)]);
        message(&mut queue);
        assert_eq!(queue.len(), 0);
        assert!(queue.knows_by_name(Fingerprint(2)), "whether it was named again or counted");
    }
}
