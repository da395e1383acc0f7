//! The way of notices into the queues: first the journal has them, then they are delivered.
//!
//! Takes the inbox and settled notices; gives notices to the queues and records to the journal. Must not know requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::backoff::RareLog;
use super::config::AlertSelection;
use super::delivery::{Lane, Surroundings, now};
use super::figures::FailureReason;
use super::firing::Naming;
use super::inbox::{AlertEnd, Arrival, Inbox, InboxContents};
use super::journal::{Journal, JournalRecord};
use super::notice::Notice;
use super::queue::{Admission, QueuedNotice};
use super::receivers::Batching;
use super::restart::Inherited;
use crate::alert::Fingerprint;
use crate::packet::Timestamp;

/// The intake of all receivers.
#[derive(Debug)]
pub(super) struct Intake {
    inbox: Arc<Inbox>,
    surroundings: Arc<Surroundings>,
    lanes: Vec<Arc<Lane>>,
    /// One for each lane.
    inherited: Vec<Inherited>,
    /// One for each lane.
    losses: Vec<LossLog>,
    journal: Option<Journal>,
    last_number: u64,
}

/// The log lines about notices that found no room.
#[derive(Debug, Default)]
struct LossLog {
    log: RareLog,
    logged: u64,
}

impl LossLog {
    fn log(&mut self, lane: &Lane, now: Instant) {
        let lost = lane.figures.lost(FailureReason::QueueFull);
        if lost > self.logged && self.log.may_log(now) {
            let (name, new) = (&lane.name, lost - self.logged);
            tracing::warn!(receiver = name, alerts = new, "alerts were lost because the queue of the receiver is full");
            self.logged = lost;
        }
    }
}

impl Intake {
    pub(super) fn new(
        inbox: Arc<Inbox>,
        surroundings: Arc<Surroundings>,
        lanes: Vec<Arc<Lane>>,
        journal: Option<Journal>,
        grace: Duration,
    ) -> Self {
        let inherited = lanes.iter().map(|lane| {
            let alerts = lane.with_queue(|queue| queue.all_firing());
            Inherited::new(alerts, Instant::now(), grace)
        });
        let inherited = inherited.collect();
        let losses = lanes.iter().map(|_| LossLog::default()).collect();
        let last_number = journal.as_ref().map_or(0, |journal| journal.state().last_number);
        Self { inbox, surroundings, lanes, inherited, losses, journal, last_number }
    }

    /// As [`Intake::new`] after a reload of the receivers: the alerts go on, and their ends will come. Those that the new
    /// selection of a receiver leaves out are resolved there at once, because their ends will not come there.
    pub(super) fn continuing(
        inbox: Arc<Inbox>,
        surroundings: Arc<Surroundings>,
        lanes: Vec<Arc<Lane>>,
        journal: Option<Journal>,
        selections: &[AlertSelection],
    ) -> Self {
        let mut intake = Self::new(inbox, surroundings, lanes, journal, Duration::ZERO);
        let left_out = intake.lanes.iter().zip(selections).map(|(lane, selection)| {
            let firing = lane.with_queue(|queue| {
                let notices = queue.all_firing().into_iter().filter_map(|alert| queue.last_firing(alert));
                notices.filter(|notice| !selection.accepts(notice)).map(|notice| notice.id()).collect::<Vec<_>>()
            });
            Inherited::new(firing, Instant::now(), Duration::ZERO)
        });
        intake.inherited = left_out.collect();
        let numbers = intake.lanes.iter().map(|lane| lane.with_queue(|queue| queue.last_number()));
        intake.last_number = numbers.max().unwrap_or(0).max(intake.last_number);
        intake
    }

    /// Waits for the next moment at which [`step`](Self::step) has something to do, besides new work.
    pub(super) async fn wait(&self) {
        let journal = self.journal.as_ref().and_then(Journal::wakes_at);
        match self.inherited.iter().filter_map(Inherited::ends_at).chain(journal).min() {
            Some(moment) => sleep_until(moment.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Takes all that is there, writes it to the journal, and lets it be delivered.
    pub(super) async fn step(&mut self) {
        let mut records = self.surroundings.settlements.take();
        let InboxContents { notices, ends, .. } = self.inbox.take();
        notices.into_iter().for_each(|arrival| self.admit(arrival, &mut records));
        ends.into_iter().for_each(|(fingerprint, end)| self.admit_end(fingerprint, end, &mut records));
        self.resolve_orphans(&mut records);
        self.losses.iter_mut().zip(&self.lanes).for_each(|(losses, lane)| losses.log(lane, Instant::now()));
        self.commit(&records).await;
    }

    async fn commit(&mut self, records: &[JournalRecord]) {
        if let Some(journal) = &mut self.journal {
            journal.append(records).await;
        }
        self.lanes.iter().for_each(|lane| lane.release(self.last_number));
        if let Some(journal) = &mut self.journal
            && !records.is_empty()
        {
            journal.sync().await;
        }
    }

    /// Admits a notice to the queues of its receivers.
    fn admit(&mut self, arrival: Arrival, records: &mut Vec<JournalRecord>) {
        self.last_number += 1;
        let Arrival { notice, receivers, changed_at } = arrival;
        let waiting = QueuedNotice { number: self.last_number, changed_at, notice };
        let mut waits_for = Vec::new();
        for receiver in receivers {
            let (lane, inherited) = (&self.lanes[usize::from(receiver)], &mut self.inherited[usize::from(receiver)]);
            if inherited.goes_on(&waiting.notice) && !matches!(lane.batching, Batching::All { .. }) {
                records.extend(go_on(lane, &waiting.notice));
            } else if let Some(given_up) = admit_to(lane, &waiting, &mut waits_for) {
                let (receiver, numbers, counted) = (lane.name.clone(), vec![given_up], Vec::new());
                records.push(JournalRecord::Settled { receiver, numbers, is_delivered: false, counted });
            }
        }
        if !waits_for.is_empty() {
            let QueuedNotice { number, changed_at, notice } = waiting;
            let changed_at = changed_at.nanoseconds();
            records.push(JournalRecord::Waits { number, receivers: waits_for, changed_at, notice });
        }
    }

    /// Resolves an alert at the receivers that have it as firing.
    fn admit_end(&mut self, fingerprint: Fingerprint, end: AlertEnd, records: &mut Vec<JournalRecord>) {
        for receiver in end.receivers {
            let lane = &self.lanes[usize::from(receiver)];
            match lane.with_queue(|queue| queue.last_firing(fingerprint)) {
                Some(firing) => self.admit(arrival(firing.resolved_at(end.ends_at), receiver, end.changed_at), records),
                None => lane.figures.count_lost(FailureReason::QueueFull, 1),
            }
        }
    }

    /// Resolves the alerts of the last run that have not fired in this one.
    fn resolve_orphans(&mut self, records: &mut Vec<JournalRecord>) {
        let now = now();
        for receiver in 0..self.lanes.len() {
            for fingerprint in self.inherited[receiver].orphans(Instant::now()) {
                let firing = self.lanes[receiver].with_queue(|queue| queue.last_firing(fingerprint));
                if let (Some(firing), Ok(position)) = (firing, u16::try_from(receiver)) {
                    self.admit(arrival(firing.orphaned_at(now), position, now), records);
                }
            }
        }
    }
}

fn arrival(notice: Notice, receiver: u16, changed_at: Timestamp) -> Arrival {
    Arrival { notice: Arc::new(notice), receivers: [receiver].into(), changed_at }
}

/// Notes an alert that fires at the receiver since the last run and in this one too. Nothing is sent.
fn go_on(lane: &Lane, notice: &Arc<Notice>) -> Option<JournalRecord> {
    let naming = lane.with_queue(|queue| queue.replace_firing(notice))?;
    let (receiver, is_counted) = (lane.name.clone(), naming == Naming::Counted);
    Some(JournalRecord::Fires { receiver, notice: Arc::clone(notice), is_counted })
}

/// Gives the number of an earlier notice that was given up.
fn admit_to(lane: &Lane, waiting: &QueuedNotice, waits_for: &mut Vec<String>) -> Option<u64> {
    let (admission, given_up) = lane.with_queue(|queue| queue.admit(waiting.clone()));
    let lost = u64::from(given_up.is_some()) + u64::from(admission == Admission::Lost);
    lane.figures.count_lost(FailureReason::QueueFull, lost);
    if admission == Admission::Waits {
        waits_for.push(lane.name.clone());
    }
    given_up
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::EvidenceIndex;
    use crate::notify::delivery::Settlements;
    use crate::notify::firing::FiringAlerts;
    use crate::notify::inbox::MOST_NOTICES;
    use crate::notify::queue::NoticeQueue;
    use crate::notify::tests::notices::{firing, resolved};

    /// An intake with a receiver at which these alerts fire.
    fn intake(alerts: &[u64]) -> (Arc<Inbox>, Arc<Lane>, Intake) {
        let mut fires = FiringAlerts::default();
        alerts.iter().for_each(|key| fires.insert(&Arc::new(firing(*key)), false));
        let lane = Lane::new("one".to_owned(), Batching::Each, NoticeQueue::restored([], fires));
        let (lane, inbox) = (Arc::new(lane), Arc::new(Inbox::new(Arc::default())));
        let surroundings = Arc::new(Surroundings {
            evidence: EvidenceIndex::default(),
            host: "host".to_owned(),
            external_url: None,
            runbook_url: None,
            settlements: Settlements::new(Arc::default()),
        });
        let lanes = vec![Arc::clone(&lane)];
        let intake = Intake::new(Arc::clone(&inbox), surroundings, lanes, None, Duration::from_secs(60));
        (inbox, lane, intake)
    }

    fn put(inbox: &Inbox, notice: Notice) {
        inbox.put(Arrival { notice: Arc::new(notice), receivers: [0].into(), changed_at: now() });
    }

    #[tokio::test]
    async fn end_that_found_no_room_in_the_inbox_resolves_its_alert() {
        let (inbox, lane, mut intake) = intake(&[1]);
        (0..MOST_NOTICES as u64).for_each(|key| put(&inbox, firing(10 + key)));
        put(&inbox, resolved(1));
        put(&inbox, resolved(2));
        intake.step().await;
        let last = lane.with_queue(|queue| (queue.len(), queue.last_firing(Fingerprint(1))));
        assert_eq!(last, (MOST_NOTICES + 1, None));
        assert_eq!(lane.figures.lost(FailureReason::QueueFull), 1, "the receiver does not know the other");
        lane.with_queue(|queue| queue.settle_named(MOST_NOTICES, true));
        let rest = lane.with_queue(|queue| queue.settle_named(1, true)).notices;
        let rest: Vec<_> = rest.iter().map(|one| (one.notice.id().0, one.notice.ends_at)).collect();
        assert_eq!(rest, [(1, resolved(1).ends_at)]);
    }

    #[tokio::test]
    async fn alert_that_goes_on_after_a_restart_is_not_sent_again() {
        let (inbox, lane, mut intake) = intake(&[1]);
        put(&inbox, Notice { starts_at: 7, ..firing(1) });
        put(&inbox, firing(2));
        intake.step().await;
        let waiting = lane.with_queue(|queue| queue.ready().map(|one| one.notice.id().0).collect::<Vec<_>>());
        assert_eq!(waiting, [2]);
        let started = lane.with_queue(|queue| queue.firing()[&Fingerprint(1)].starts_at);
        assert_eq!(started, 7, "its end will be that of the new episode");
    }
}
