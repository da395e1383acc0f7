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

/// Server errors in a row after which the notices of a request are deferred. They come in about 15 s.
const ERRORS_TO_DEFER: u32 = 5;

/// Time between two attempts with deferred notices.
const RETRY_DEFERRED: Duration = Duration::from_secs(60);

/// The notices that a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The first that wait.
    Waiting,
    /// The first that were deferred.
    Deferred,
    /// Alerts that fire at the receiver already.
    Repeated,
}

/// The notices of one request.
#[derive(Debug, PartialEq)]
pub(super) struct NoticeBatch {
    pub origin: Origin,
    /// The latest notice of each alert to name, in their order.
    pub notices: Vec<Arc<Notice>>,
    /// The number of further ones: firing, resolved.
    pub counted: [u64; 2],
    /// The alerts that it does not name.
    pub unnamed: UnnamedAlerts,
    /// The number of the first notices of its origin that it settles; 0 for alerts that are sent again.
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
    deferred: DeferredTurn,
    /// Server errors in a row, and the origin of the requests that had them.
    errors: (Origin, u32),
}

/// The next attempt with deferred notices. One notice that the receiver never accepts is found by halving.
#[derive(Debug, Default)]
struct DeferredTurn {
    due: Option<Instant>,
    /// The most notices of it.
    size: usize,
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
        Self {
            batching,
            burst_began: None,
            last_message: None,
            repetition: Repetition::default(),
            deferred: DeferredTurn::default(),
            errors: (Origin::Waiting, 0),
        }
    }

    /// The next request. With `hurry` nothing is waited for.
    pub(super) fn next(&mut self, queue: &NoticeQueue, now: Instant, hurry: bool) -> Next {
        let due = self.deferred_due(queue, now);
        if !hurry && due.is_some_and(|due| due <= now) {
            return Next::Send(self.deferred_batch(queue));
        }
        match (self.next_waiting(queue, now, hurry), due) {
            (Next::Idle, Some(_)) if hurry => Next::Send(self.deferred_batch(queue)),
            (Next::Idle, Some(due)) => Next::WaitUntil(due),
            (Next::WaitUntil(moment), Some(due)) => Next::WaitUntil(moment.min(due)),
            (next, _) => next,
        }
    }

    /// The next request with notices that are not deferred.
    fn next_waiting(&mut self, queue: &NoticeQueue, now: Instant, hurry: bool) -> Next {
        let send = |waiting: &[&QueuedNotice], named| Next::Send(batch(Origin::Waiting, queue, waiting, named));
        match self.batching {
            Batching::Each => queue.ready().next().map_or(Next::Idle, |one| send(&[one], usize::MAX)),
            Batching::All { most, again } => {
                let waiting: Vec<&QueuedNotice> = queue.ready().take(most).collect();
                if waiting.is_empty() && !hurry {
                    return self.repetition.next(queue, now, most, again);
                }
                if waiting.is_empty() { Next::Idle } else { send(&waiting, usize::MAX) }
            }
            Batching::Group { wait, interval, named } => {
                let waiting: Vec<&QueuedNotice> = queue.ready().collect();
                if waiting.is_empty() {
                    self.burst_began = None;
                    return Next::Idle;
                }
                let began = *self.burst_began.get_or_insert(now);
                let due = (began + wait).max(self.last_message.map_or(began, |last| last + interval));
                if now < due && !hurry { Next::WaitUntil(due) } else { send(&waiting, named) }
            }
        }
    }

    /// The moment of the next attempt with deferred notices; none without such notices.
    fn deferred_due(&mut self, queue: &NoticeQueue, now: Instant) -> Option<Instant> {
        if queue.deferred().next().is_none() {
            self.deferred.due = None;
            return None;
        }
        let due = *self.deferred.due.get_or_insert(now + RETRY_DEFERRED);
        let next_message = match self.batching {
            Batching::Group { interval, .. } => self.last_message.map(|last| last + interval),
            Batching::Each | Batching::All { .. } => None,
        };
        Some(next_message.map_or(due, |moment| due.max(moment)))
    }

    fn deferred_batch(&self, queue: &NoticeQueue) -> NoticeBatch {
        let (most, named) = match self.batching {
            Batching::Each => (1, 1),
            Batching::All { most, .. } => (most, usize::MAX),
            Batching::Group { named, .. } => (usize::MAX, named),
        };
        let first: Vec<&QueuedNotice> = queue.deferred().take(self.deferred.size.clamp(1, most)).collect();
        batch(Origin::Deferred, queue, &first, named)
    }

    /// Notes a failed attempt, which is tried again. True if the notices of the batch are to be deferred.
    pub(super) fn failed(&mut self, batch: &NoticeBatch, is_server_error: bool, now: Instant) -> bool {
        if self.errors.0 != batch.origin {
            self.errors = (batch.origin, 0);
        }
        self.errors.1 += u32::from(is_server_error);
        let is_last = self.errors.1 >= ERRORS_TO_DEFER || (is_server_error && batch.origin == Origin::Deferred);
        if is_last {
            self.errors.1 = 0;
        }
        match batch.origin {
            // After the last attempt the round goes on with the other alerts.
            Origin::Repeated if !is_last => self.repetition.after = self.repetition.before,
            Origin::Waiting | Origin::Deferred if is_last => {
                self.deferred = DeferredTurn { due: Some(now + RETRY_DEFERRED), size: batch.settles.div_ceil(2) };
                self.burst_began = None;
                return true;
            }
            _ => {}
        }
        false
    }

    /// Notes that the receiver has settled a batch.
    pub(super) fn settled(&mut self, batch: &NoticeBatch, now: Instant) {
        self.burst_began = None;
        self.last_message = Some(now);
        self.errors.1 = 0;
        if batch.origin == Origin::Deferred {
            self.deferred = DeferredTurn { due: Some(now), size: self.deferred.size.saturating_mul(2) };
        }
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
        let (counted, unnamed, changed_at) = ([0, 0], UnnamedAlerts::default(), Timestamp::BEFORE_ALL);
        Next::Send(NoticeBatch { origin: Origin::Repeated, notices, counted, unnamed, settles: 0, changed_at })
    }
}

/// The latest notice of each alert, at most `places` of them by name.
fn batch(origin: Origin, queue: &NoticeQueue, waiting: &[&QueuedNotice], places: usize) -> NoticeBatch {
    let last: BTreeMap<Fingerprint, &Arc<Notice>> = waiting.iter().map(|one| (one.notice.id(), &one.notice)).collect();
    let is_last = |one: &&&QueuedNotice| last.get(&one.notice.id()).is_some_and(|last| Arc::ptr_eq(last, &one.notice));
    let latest: Vec<Arc<Notice>> = waiting.iter().filter(is_last).map(|one| Arc::clone(&one.notice)).collect();
    let choice = choose(queue, latest, places);
    let ids = |notices: &[Arc<Notice>]| notices.iter().map(|notice| notice.id()).collect();
    let firing = choice.counted.iter().filter(|notice| notice.is_firing).count() as u64;
    NoticeBatch {
        origin,
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
            schedule.failed(&first, false, due);
            assert_eq!(first.notices.len(), 2, "sent again, since it failed");
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
        let batch = send(schedule.next(&queue, at, false));
        assert_eq!(keys(&batch), [(1, true), (2, true)]);
        queue.settle_named(2, true);
        schedule.settled(&batch, at);
        assert_eq!(schedule.next(&queue, at, false), Next::Idle);
        add(&mut queue, [resolved(1)]);
        assert_eq!(schedule.next(&queue, at + SECOND, false), Next::WaitUntil(at + 60 * SECOND));
        let batch = send(schedule.next(&queue, at + SECOND, true));
        queue.settle_named(1, true);
        schedule.settled(&batch, at + SECOND);
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
            schedule.settled(&batch, now);
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

    // ---- Receivers that never accept one notice --------------------------------------------------------------------------

    const ALERTMANAGER: Batching = Batching::All { most: 64, again: Duration::from_secs(3_600) };
    const SLACK: Batching =
        Batching::Group { wait: Duration::from_secs(5), interval: Duration::from_secs(60), named: 20 };

    /// A receiver that answers with status 500 as long as a request names a certain alert.
    struct Picky {
        schedule: Schedule,
        queue: NoticeQueue,
        refused: u64,
        now: Instant,
        /// Accepted notices, with the seconds until then.
        accepted: Vec<(u64, u64)>,
        requests: u64,
    }

    impl Picky {
        fn new(batching: Batching, refused: u64, notices: impl IntoIterator<Item = Notice>) -> Self {
            let (schedule, queue, now) = (Schedule::new(batching), queue(notices), Instant::now());
            Self { schedule, queue, refused, now, accepted: Vec::new(), requests: 0 }
        }

        /// Sends requests for some time.
        fn run(&mut self, time: Duration) {
            let (start, mut failures) = (self.now, 0);
            while self.now < start + time {
                match self.schedule.next(&self.queue, self.now, false) {
                    Next::Idle => return,
                    Next::WaitUntil(moment) => self.now = self.now.max(moment),
                    Next::Send(batch) => self.send(&batch, &mut failures, start),
                }
            }
        }

        fn send(&mut self, batch: &NoticeBatch, failures: &mut u32, start: Instant) {
            self.requests += 1;
            let is_deferred = batch.origin == Origin::Deferred;
            if batch.notices.iter().any(|notice| notice.id().0 == self.refused) {
                if !self.schedule.failed(batch, true, self.now) {
                    self.now += SECOND * (1 << (*failures).min(5));
                    *failures += 1;
                } else if is_deferred {
                    self.queue.defer_again(batch.settles);
                } else {
                    self.queue.defer(batch.settles);
                }
                self.now += SECOND;
                return;
            }
            *failures = 0;
            let settled = if is_deferred {
                self.queue.settle_deferred(batch.settles, true, &batch.unnamed)
            } else {
                self.queue.settle(batch.settles, true, &batch.unnamed)
            };
            self.schedule.settled(batch, self.now);
            let seconds = (self.now - start).as_secs();
            self.accepted.extend(settled.notices.iter().map(|one| (one.notice.id().0, seconds)));
        }
    }

    #[test]
    fn notice_that_is_never_accepted_holds_no_other_up() {
        for (batching, longest) in [(Batching::Each, 25), (ALERTMANAGER, 600), (SLACK, 1_200)] {
            let mut picky = Picky::new(batching, 7, (0..20).map(firing));
            picky.run(Duration::from_secs(3_600));
            let last = picky.accepted.iter().map(|(_, seconds)| *seconds).max();
            assert_eq!((picky.accepted.len(), picky.queue.len()), (19, 1), "{batching:?}");
            assert!(last <= Some(longest), "{batching:?}: after {last:?} s");
            assert!(picky.requests < 100, "{batching:?}: {} requests", picky.requests);
            let mut later = Picky { accepted: Vec::new(), ..picky };
            add(&mut later.queue, (20..23).map(firing));
            later.run(Duration::from_secs(120));
            assert_eq!(later.accepted.len(), 3, "{batching:?}: new ones go before it");
        }
    }

    #[test]
    fn deferred_notices_are_delivered_in_order_once_they_are_accepted() {
        for batching in [Batching::Each, ALERTMANAGER, SLACK] {
            let mut picky = Picky::new(batching, 1, [firing(1), firing(2), resolved(1)]);
            picky.run(Duration::from_secs(300));
            assert_eq!(picky.queue.len(), 2, "{batching:?}");
            picky.refused = u64::MAX;
            picky.run(Duration::from_secs(300));
            let keys: Vec<u64> = picky.accepted.iter().map(|(key, _)| *key).collect();
            assert_eq!(keys, [2, 1, 1], "{batching:?}");
            assert!(picky.queue.firing().keys().eq(&[Fingerprint(2)]), "{batching:?}: the end came last");
        }
    }

    #[test]
    fn alert_that_is_refused_when_it_is_sent_again_ends_no_round() {
        let batching = Batching::All { most: 1, again: 60 * SECOND };
        let mut picky = Picky::new(batching, 7, (0..3).map(firing));
        picky.run(Duration::from_secs(30));
        assert_eq!(picky.queue.firing().len(), 3);
        (picky.refused, picky.requests) = (0, 0);
        picky.run(Duration::from_secs(70));
        assert_eq!(picky.requests, u64::from(ERRORS_TO_DEFER) + 2, "the others too");
        assert_eq!((picky.queue.firing().len(), picky.queue.len()), (3, 0));
    }
}
