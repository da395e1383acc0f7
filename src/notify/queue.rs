//! The queue of one receiver, and the alerts that fire there.
//!
//! Takes notices and the outcome of deliveries; gives the notices that wait. Must not know requests, files or clocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::firing::{FiringAlerts, Naming};
use super::notice::Notice;
use crate::alert::Fingerprint;
use crate::packet::Timestamp;

/// The most notices that wait. Further firing ones are lost, and resolved ones whose firing one is not known to the
/// receiver.
pub(super) const MOST_WAITING: usize = 4_096;

/// The longest age of a notice: over a weekend without the receiver.
pub(super) const LONGEST_AGE: Duration = Duration::from_secs(3 * 86_400);

/// The longest age of the end of an alert that fires at the receiver, where it would fire for ever without its end.
pub(super) const LONGEST_AGE_OF_END: Duration = Duration::from_secs(30 * 86_400);

/// A notice that waits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct QueuedNotice {
    /// Its number in the journal, the same for all receivers; they rise.
    pub number: u64,
    /// The moment of the change, on the clock of the system.
    pub changed_at: Timestamp,
    pub notice: Arc<Notice>,
}

impl QueuedNotice {
    fn fingerprint(&self) -> Fingerprint {
        self.notice.id()
    }
}

/// The result of an admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It will be delivered.
    Waits,
    /// It found no room.
    Lost,
}

/// Notices in their order, and alerts that fire at the receiver.
///
/// Notices that the receiver answers with errors are deferred: they no longer stand before the others. Later notices of
/// the same alerts are put behind them, so that those of an alert keep their order.
///
/// A resolved notice that finds no room is kept aside if its firing one waits or was delivered. It enters the queue as
/// soon as there is room, so that no alert fires for ever. There are at most as many of them as alerts of both kinds.
#[derive(Debug)]
pub(super) struct NoticeQueue {
    most_waiting: usize,
    waiting: VecDeque<QueuedNotice>,
    /// None of their alerts has a notice in `waiting`.
    deferred: VecDeque<QueuedNotice>,
    /// Resolved notices without room in the two lists.
    aside: BTreeMap<Fingerprint, QueuedNotice>,
    /// Number of notices in the two lists for each alert.
    waiting_of: BTreeMap<Fingerprint, usize>,
    /// The alerts of the deferred notices.
    deferred_alerts: BTreeSet<Fingerprint>,
    /// The alerts that fire at the receiver.
    firing: FiringAlerts,
    /// The highest number that is in the journal; later notices are not delivered yet.
    written: u64,
}

impl Default for NoticeQueue {
    fn default() -> Self {
        Self::with_capacity(MOST_WAITING)
    }
}

impl NoticeQueue {
    /// An empty queue of at most so many notices.
    fn with_capacity(most_waiting: usize) -> Self {
        Self {
            most_waiting,
            waiting: VecDeque::new(),
            deferred: VecDeque::new(),
            aside: BTreeMap::new(),
            waiting_of: BTreeMap::new(),
            deferred_alerts: BTreeSet::new(),
            firing: FiringAlerts::default(),
            written: 0,
        }
    }

    /// The queue as the journal has it. The notices come in the order of their numbers.
    pub(super) fn restored(waiting: impl IntoIterator<Item = QueuedNotice>, firing: FiringAlerts) -> Self {
        let mut queue = Self { firing, ..Self::default() };
        for one in waiting {
            queue.written = queue.written.max(one.number);
            queue.push(one);
        }
        queue
    }

    /// The queue that goes on in the place of this one, which is empty then: all notices that wait, in the order of their
    /// numbers, and the alerts that fire at the receiver.
    pub(super) fn hand_over(&mut self) -> Self {
        let mut before = std::mem::take(self);
        let mut waiting: Vec<QueuedNotice> = before.waiting.drain(..).chain(before.deferred.drain(..)).collect();
        waiting.extend(std::mem::take(&mut before.aside).into_values());
        waiting.sort_by_key(|one| one.number);
        Self::restored(waiting, before.firing)
    }

    /// The highest number of its notices; 0 without any.
    pub(super) fn last_number(&self) -> u64 {
        self.waiting.iter().chain(&self.deferred).map(|one| one.number).max().unwrap_or(0)
    }

    /// Number of notices that are not delivered yet.
    pub(super) fn len(&self) -> usize {
        self.listed() + self.aside.len()
    }

    /// Takes a notice. Also returns the number of an earlier notice that was given up because of it.
    pub(super) fn admit(&mut self, one: QueuedNotice) -> (Admission, Option<u64>) {
        let fingerprint = one.fingerprint();
        if self.listed() < self.most_waiting {
            self.push(one);
            return (Admission::Waits, None);
        }
        // An alert that fires again need not be resolved: its receiver still has it as firing.
        let given_up = self.aside.remove(&fingerprint).map(|earlier| earlier.number);
        if one.notice.is_firing || !self.knows(fingerprint) {
            return (Admission::Lost, given_up);
        }
        self.aside.insert(fingerprint, one);
        (Admission::Waits, given_up)
    }

    /// Lets all notices up to this number be delivered: the journal has them.
    pub(super) fn release(&mut self, number: u64) {
        self.written = number;
    }

    /// The notices that can be delivered, in order, without the deferred ones.
    pub(super) fn ready(&self) -> impl Iterator<Item = &QueuedNotice> {
        self.waiting.iter().take_while(|one| one.number <= self.written)
    }

    /// The deferred notices that can be delivered, in order.
    pub(super) fn deferred(&self) -> impl Iterator<Item = &QueuedNotice> {
        self.deferred.iter().take_while(|one| one.number <= self.written)
    }

    /// Removes the first `count` notices, after their delivery or because they were given up. Those of alerts that the
    /// request kept for the next one stay.
    pub(super) fn settle(&mut self, count: usize, is_delivered: bool, unnamed: &UnnamedAlerts) -> Settled {
        let (first, kept) = take_first(&mut self.waiting, count, &unnamed.kept);
        kept.into_iter().rev().for_each(|one| self.waiting.push_front(one));
        self.settle_all(first, is_delivered, &unnamed.counted)
    }

    /// As [`settle`](Self::settle), for the first deferred notices.
    pub(super) fn settle_deferred(&mut self, count: usize, is_delivered: bool, unnamed: &UnnamedAlerts) -> Settled {
        let (first, kept) = take_first(&mut self.deferred, count, &unnamed.kept);
        kept.into_iter().rev().for_each(|one| self.deferred.push_front(one));
        self.settle_all(first, is_delivered, &unnamed.counted)
    }

    /// Defers the first `count` notices, and all others of their alerts.
    pub(super) fn defer(&mut self, count: usize) {
        let alerts = self.waiting.iter().take(count).map(QueuedNotice::fingerprint).collect();
        self.defer_alerts(&alerts);
    }

    /// Puts the first `count` deferred notices, and all others of their alerts, behind the other deferred ones.
    pub(super) fn defer_again(&mut self, count: usize) {
        let alerts = self.deferred.iter().take(count).map(QueuedNotice::fingerprint).collect();
        self.defer_alerts(&alerts);
    }

    fn defer_alerts(&mut self, alerts: &BTreeSet<Fingerprint>) {
        let is_other = |one: &QueuedNotice| !alerts.contains(&one.fingerprint());
        let (mut first, again): (VecDeque<_>, VecDeque<_>) = self.deferred.drain(..).partition(is_other);
        let (rest, new): (VecDeque<_>, VecDeque<_>) = self.waiting.drain(..).partition(is_other);
        first.extend(again.into_iter().chain(new));
        (self.waiting, self.deferred) = (rest, first);
        self.deferred_alerts.extend(alerts);
    }

    /// Gives up the notices that are too old.
    pub(super) fn expire(&mut self, now: Timestamp) -> Settled {
        let is_old = |firing: &BTreeMap<_, _>, one: &QueuedNotice| {
            let is_known_end = !one.notice.is_firing && firing.contains_key(&one.fingerprint());
            now.since(one.changed_at) > if is_known_end { LONGEST_AGE_OF_END } else { LONGEST_AGE }
        };
        let mut old = Vec::new();
        for list in [&mut self.waiting, &mut self.deferred] {
            let firing = self.firing.notices();
            let (gone, kept): (VecDeque<_>, VecDeque<_>) = list.drain(..).partition(|one| is_old(firing, one));
            *list = kept;
            old.extend(gone);
        }
        self.settle_all(old, false, &BTreeSet::new())
    }

    /// Notes the outcome of notices that left their list. `counted` are the alerts that the request did not name.
    fn settle_all(
        &mut self,
        notices: Vec<QueuedNotice>,
        is_delivered: bool,
        counted: &BTreeSet<Fingerprint>,
    ) -> Settled {
        let mut settled = Settled::default();
        for one in &notices {
            let fingerprint = one.fingerprint();
            let is_named = !counted.contains(&fingerprint);
            settled.untracked += u64::from(!self.firing.note(&one.notice, is_delivered, is_named));
            settled.counted.extend((!is_named).then_some(one.number));
            self.forget_waiting(fingerprint);
        }
        settled.notices = notices;
        while self.listed() < self.most_waiting
            && let Some((_, one)) = self.aside.pop_first()
        {
            self.push(one);
        }
        settled
    }

    /// Alerts that fire at the receiver, as they were last delivered.
    pub(super) fn firing(&self) -> &BTreeMap<Fingerprint, Arc<Notice>> {
        self.firing.notices()
    }

    /// Replaces the notice of an alert; none if the alert does not fire at the receiver.
    pub(super) fn replace_firing(&mut self, notice: &Arc<Notice>) -> Option<Naming> {
        self.firing.replace(notice)
    }

    /// True if the receiver knows by name that the alert fires: its end has to be named too.
    pub(super) fn knows_by_name(&self, fingerprint: Fingerprint) -> bool {
        self.firing.knows_by_name(fingerprint)
    }

    /// The firing notice of an alert, if it will be firing at the receiver when all that wait are delivered.
    pub(super) fn last_firing(&self, fingerprint: Fingerprint) -> Option<Arc<Notice>> {
        if self.aside.contains_key(&fingerprint) {
            return None;
        }
        let waits = self.waiting_of.contains_key(&fingerprint);
        let mut latest = self.waiting.iter().rev().chain(self.deferred.iter().rev());
        let last = waits.then(|| latest.find(|one| one.fingerprint() == fingerprint)).flatten();
        let last = last.map(|one| &one.notice).or_else(|| self.firing().get(&fingerprint))?;
        last.is_firing.then(|| Arc::clone(last))
    }

    /// The alerts for which [`last_firing`](Self::last_firing) gives a notice.
    pub(super) fn all_firing(&self) -> Vec<Fingerprint> {
        let mut is_firing: BTreeMap<Fingerprint, bool> = self.firing().keys().map(|key| (*key, true)).collect();
        let listed = self.deferred.iter().chain(&self.waiting);
        is_firing.extend(listed.map(|one| (one.fingerprint(), one.notice.is_firing)));
        is_firing.extend(self.aside.keys().map(|key| (*key, false)));
        is_firing.into_iter().filter(|(_, is_firing)| *is_firing).map(|(key, _)| key).collect()
    }

    fn knows(&self, fingerprint: Fingerprint) -> bool {
        self.waiting_of.contains_key(&fingerprint) || self.firing().contains_key(&fingerprint)
    }

    fn listed(&self) -> usize {
        self.waiting.len() + self.deferred.len()
    }

    fn push(&mut self, one: QueuedNotice) {
        *self.waiting_of.entry(one.fingerprint()).or_default() += 1;
        let list =
            if self.deferred_alerts.contains(&one.fingerprint()) { &mut self.deferred } else { &mut self.waiting };
        list.push_back(one);
    }

    fn forget_waiting(&mut self, fingerprint: Fingerprint) {
        if let Some(count) = self.waiting_of.get_mut(&fingerprint) {
            *count -= 1;
            if *count == 0 {
                self.waiting_of.remove(&fingerprint);
                self.deferred_alerts.remove(&fingerprint);
            }
        }
    }
}

/// Takes the first `count` notices off a list: those to settle, and those of the alerts in `kept`.
fn take_first(
    list: &mut VecDeque<QueuedNotice>,
    count: usize,
    kept: &BTreeSet<Fingerprint>,
) -> (Vec<QueuedNotice>, Vec<QueuedNotice>) {
    list.drain(..count.min(list.len())).partition(|one| !kept.contains(&one.fingerprint()))
}

/// The alerts of a request that it did not name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct UnnamedAlerts {
    /// It counted them.
    pub counted: BTreeSet<Fingerprint>,
    /// The next request names them.
    pub kept: BTreeSet<Fingerprint>,
}

/// Notices that left the queue.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub notices: Vec<QueuedNotice>,
    /// The numbers of those that the request counted and did not name.
    pub counted: Vec<u64>,
    /// Firing alerts that found no room among those that are remembered.
    pub untracked: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::notify::firing::MOST_FIRING;
    use crate::notify::tests::notices::{firing, resolved};

    impl NoticeQueue {
        /// The first notices, each of them named.
        pub(in crate::notify) fn settle_named(&mut self, count: usize, is_delivered: bool) -> Settled {
            self.settle(count, is_delivered, &UnnamedAlerts::default())
        }
    }

    fn one(number: u64, notice: Notice) -> QueuedNotice {
        QueuedNotice { number, changed_at: Timestamp::from_nanoseconds(0), notice: Arc::new(notice) }
    }

    fn full(count: u64) -> NoticeQueue {
        let mut queue = NoticeQueue::default();
        (0..count).for_each(|number| assert_eq!(queue.admit(one(number, firing(number))), (Admission::Waits, None)));
        queue.release(count);
        queue
    }

    fn numbers(queue: &NoticeQueue) -> Vec<u64> {
        queue.ready().map(|one| one.number).collect()
    }

    #[test]
    fn notices_wait_until_the_journal_has_them() {
        let mut queue = NoticeQueue::default();
        queue.admit(one(1, firing(1)));
        queue.admit(one(2, firing(2)));
        assert_eq!(numbers(&queue), [] as [u64; 0]);
        queue.release(1);
        assert_eq!(numbers(&queue), [1]);
        queue.release(2);
        assert_eq!(numbers(&queue), [1, 2]);
    }

    #[test]
    fn full_queue_loses_new_firing_notices() {
        let mut queue = full(MOST_WAITING as u64);
        assert_eq!(queue.admit(one(9_999, firing(9_999))), (Admission::Lost, None));
        assert_eq!(queue.admit(one(9_999, resolved(9_999))), (Admission::Lost, None), "its firing one was lost");
        assert_eq!((queue.len(), numbers(&queue)[0]), (MOST_WAITING, 0));
    }

    #[test]
    fn full_queue_keeps_the_resolved_notice_of_a_delivered_alert() {
        let mut queue = full(1);
        queue.settle_named(1, true);
        for number in 1..=MOST_WAITING as u64 {
            queue.admit(one(number, firing(number)));
        }
        assert_eq!(queue.admit(one(5_000, resolved(0))), (Admission::Waits, None), "delivered");
        assert_eq!(queue.admit(one(5_001, resolved(1))), (Admission::Waits, None), "waits");
        assert_eq!(queue.len(), MOST_WAITING + 2);
        queue.release(5_001);
        queue.settle_named(2, true);
        let last = queue.waiting.iter().skip(MOST_WAITING - 2).map(|one| one.number).collect::<Vec<_>>();
        assert_eq!((last, queue.len()), (vec![5_000, 5_001].into_iter().collect(), MOST_WAITING));
    }

    #[test]
    fn alert_that_fires_again_at_a_full_queue_is_not_resolved() {
        let mut queue = full(MOST_WAITING as u64);
        queue.admit(one(5_000, resolved(7)));
        assert_eq!(queue.last_firing(firing(7).id()), None);
        assert_eq!(queue.admit(one(5_001, firing(7))), (Admission::Lost, Some(5_000)));
        assert_eq!(queue.last_firing(firing(7).id()).map(|notice| notice.is_firing), Some(true));
        assert_eq!(queue.len(), MOST_WAITING);
    }

    #[test]
    fn alerts_fire_from_delivery_to_resolution() {
        let mut queue = full(3);
        queue.settle_named(2, true);
        queue.settle_named(1, false);
        let keys = |queue: &NoticeQueue| queue.firing().keys().map(|key| key.0).collect::<Vec<_>>();
        assert_eq!(keys(&queue), [0, 1], "the third was given up");
        queue.admit(one(4, resolved(0)));
        queue.release(4);
        assert_eq!(queue.all_firing(), [Fingerprint(1)]);
        queue.settle_named(1, true);
        assert_eq!(keys(&queue), [1]);
    }

    fn alerts(notices: impl IntoIterator<Item = u64>) -> BTreeSet<Fingerprint> {
        notices.into_iter().map(Fingerprint).collect()
    }

    fn deferred(queue: &NoticeQueue) -> Vec<u64> {
        queue.deferred().map(|one| one.number).collect()
    }

    #[test]
    fn deferred_notices_are_behind_the_others_and_later_ones_of_their_alerts_behind_them() {
        let mut queue = full(4);
        queue.defer_alerts(&alerts([0, 1]));
        assert_eq!((numbers(&queue), deferred(&queue)), (vec![2, 3], vec![0, 1]));
        queue.admit(one(4, resolved(1)));
        queue.admit(one(5, firing(5)));
        queue.release(5);
        assert_eq!((numbers(&queue), deferred(&queue)), (vec![2, 3, 5], vec![0, 1, 4]));
        assert_eq!(queue.last_firing(Fingerprint(1)), None, "it will have ended");
        queue.defer_alerts(&alerts([1]));
        assert_eq!(deferred(&queue), [0, 1, 4]);
        queue.defer_alerts(&alerts([0]));
        assert_eq!(deferred(&queue), [1, 4, 0], "the other alert first");
        assert_eq!(queue.settle_deferred(2, true, &UnnamedAlerts::default()).notices.len(), 2);
        queue.admit(one(6, firing(1)));
        queue.release(6);
        assert_eq!((numbers(&queue), deferred(&queue)), (vec![2, 3, 5, 6], vec![0]), "its alert is no longer deferred");
    }

    #[test]
    fn old_notices_are_given_up_and_ends_of_delivered_alerts_last() {
        let mut queue = full(1);
        queue.settle_named(1, true);
        for (number, notice) in [(1, resolved(0)), (2, firing(2)), (3, resolved(3)), (4, firing(4))] {
            queue.admit(one(number, notice));
        }
        queue.release(4);
        queue.defer_alerts(&alerts([2]));
        let mut after = |age: Duration| {
            let gone = queue.expire(Timestamp::from_nanoseconds(0) + age).notices;
            gone.iter().map(|one| one.number).collect::<Vec<_>>()
        };
        assert_eq!(after(LONGEST_AGE), [] as [u64; 0]);
        assert_eq!(after(LONGEST_AGE + Duration::from_secs(1)), [3, 4, 2]);
        assert_eq!(after(LONGEST_AGE_OF_END), [] as [u64; 0]);
        assert_eq!(after(LONGEST_AGE_OF_END + Duration::from_secs(1)), [1]);
        assert_eq!((queue.len(), queue.firing().len()), (0, 0));
    }

    /// Changes of some alerts, each the other state than before, and deliveries in between.
    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let alert = (0..6_u64).prop_map(Step::Change);
        let delivery = (0..4_usize, any::<bool>()).prop_map(|(count, of_deferred)| Step::Deliver(count, of_deferred));
        let deferral = (0..6_u64).prop_map(Step::Defer);
        prop::collection::vec(prop_oneof![6 => alert, 2 => delivery, 1 => deferral], 0..120)
    }

    #[derive(Debug, Clone)]
    enum Step {
        Change(u64),
        Deliver(usize, bool),
        Defer(u64),
    }

    /// A receiver, and what became of the notices for it.
    #[derive(Default)]
    struct Model {
        fires: BTreeMap<u64, bool>,
        offered: usize,
        delivered: usize,
        lost: usize,
        /// As the receiver has it.
        received: BTreeMap<u64, bool>,
        /// The number of the last notice of each alert that was received.
        numbers: BTreeMap<u64, u64>,
    }

    impl Model {
        fn change(&mut self, queue: &mut NoticeQueue, alert: u64) {
            let fires = self.fires.entry(alert).or_default();
            *fires = !*fires;
            self.offered += 1;
            let notice = if *fires { firing(alert) } else { resolved(alert) };
            let (admission, given_up) = queue.admit(one(self.offered as u64, notice));
            queue.release(self.offered as u64);
            self.lost += usize::from(admission == Admission::Lost) + usize::from(given_up.is_some());
        }

        fn deliver(&mut self, queue: &mut NoticeQueue, count: usize, of_deferred: bool) {
            let named = UnnamedAlerts::default();
            let settled = if of_deferred {
                queue.settle_deferred(count, true, &named)
            } else {
                queue.settle(count, true, &named)
            };
            for one in settled.notices {
                self.delivered += 1;
                let earlier = self.numbers.insert(one.notice.id().0, one.number);
                assert!(earlier.is_none_or(|earlier| earlier < one.number), "alert {} out of order", one.notice.id());
                self.received.insert(one.notice.id().0, one.notice.is_firing);
            }
        }
    }

    proptest! {
        #[test]
        fn no_alert_fires_for_ever_whatever_is_lost(steps in steps()) {
            let (mut queue, mut model) = (NoticeQueue::with_capacity(3), Model::default());
            for step in steps {
                match step {
                    Step::Change(alert) => model.change(&mut queue, alert),
                    Step::Deliver(count, of_deferred) => model.deliver(&mut queue, count, of_deferred),
                    Step::Defer(alert) => {
                        let is_there = queue.waiting_of.contains_key(&Fingerprint(alert));
                        queue.defer_alerts(&alerts(is_there.then_some(alert)));
                    }
                }
                prop_assert!(queue.listed() <= 3 && queue.aside.len() <= 6);
                let of_deferred: BTreeSet<_> = queue.deferred.iter().map(QueuedNotice::fingerprint).collect();
                prop_assert_eq!(&queue.deferred_alerts, &of_deferred);
                prop_assert!(queue.waiting.iter().all(|one| !of_deferred.contains(&one.fingerprint())));
                prop_assert_eq!(model.delivered + model.lost + queue.len(), model.offered);
                for (alert, fires) in &model.fires {
                    let will_fire = queue.last_firing(Fingerprint(*alert)).is_some();
                    prop_assert!(*fires || !will_fire, "alert {} is over", alert);
                    prop_assert_eq!(will_fire, queue.all_firing().contains(&Fingerprint(*alert)));
                }
            }
            while queue.len() > 0 {
                model.deliver(&mut queue, 1, false);
                model.deliver(&mut queue, 1, true);
            }
            for (alert, fires) in &model.received {
                prop_assert!(!*fires || model.fires[alert], "alert {} fires for ever", alert);
                prop_assert_eq!(*fires, queue.firing().contains_key(&Fingerprint(*alert)));
            }
        }
    }

    #[test]
    fn remembered_alerts_are_bounded() {
        let mut queue = NoticeQueue::default();
        let mut untracked = 0;
        for number in 0..MOST_FIRING as u64 + 5 {
            queue.admit(one(number, firing(number)));
            untracked += queue.settle_named(1, true).untracked;
        }
        assert_eq!((queue.firing().len(), untracked), (MOST_FIRING, 5));
    }
}
