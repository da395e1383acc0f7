//! The way of notices into the queues: first the journal has them, then they are delivered.
//!
//! Takes the inbox and settled notices; gives notices to the queues and records to the journal. Must not know requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::delivery::{Lane, Surroundings, now};
use super::figures::FailureReason;
use super::inbox::{Arrival, Contents, Inbox};
use super::journal::{Journal, JournalRecord};
use super::notice::Notice;
use super::queue::{Admission, QueuedNotice};
use super::receivers::Batching;
use super::restart::Inherited;
use crate::packet::Timestamp;

/// The intake of all receivers.
#[derive(Debug)]
pub(super) struct Intake {
    inbox: Arc<Inbox>,
    surroundings: Arc<Surroundings>,
    lanes: Vec<Arc<Lane>>,
    /// One for each lane.
    inherited: Vec<Inherited>,
    journal: Option<Journal>,
    last_number: u64,
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
        let last_number = journal.as_ref().map_or(0, |journal| journal.state().last_number);
        Self { inbox, surroundings, lanes, inherited, journal, last_number }
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
        let Contents { notices, ends, .. } = self.inbox.take();
        notices.into_iter().for_each(|arrival| self.admit(arrival, &mut records));
        for (fingerprint, end) in ends {
            for receiver in end.receivers {
                let lane = Arc::clone(&self.lanes[usize::from(receiver)]);
                match lane.with_queue(|queue| queue.last_firing(fingerprint)) {
                    Some(firing) => {
                        let notice = Arc::new(firing.resolved_at(end.ends_at));
                        let arrival = Arrival { notice, receivers: [receiver].into(), changed_at: end.changed_at };
                        self.admit(arrival, &mut records);
                    }
                    None => lane.figures.count_lost(FailureReason::QueueFull, 1),
                }
            }
        }
        self.resolve_orphans(&mut records);
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
                let numbers = vec![given_up];
                records.push(JournalRecord::Settled { receiver: lane.name.clone(), numbers, is_delivered: false });
            }
        }
        if !waits_for.is_empty() {
            let QueuedNotice { number, changed_at, notice } = waiting;
            let changed_at = changed_at.nanoseconds();
            records.push(JournalRecord::Waits { number, receivers: waits_for, changed_at, notice });
        }
    }

    /// Resolves the alerts of the last run that have not fired in this one.
    fn resolve_orphans(&mut self, records: &mut Vec<JournalRecord>) {
        let now = now();
        for receiver in 0..self.lanes.len() {
            for fingerprint in self.inherited[receiver].orphans(Instant::now()) {
                let firing = self.lanes[receiver].with_queue(|queue| queue.last_firing(fingerprint));
                if let (Some(firing), Ok(position)) = (firing, u16::try_from(receiver)) {
                    self.admit(orphan(&firing, position, now), records);
                }
            }
        }
    }
}

fn orphan(firing: &Notice, receiver: u16, now: Timestamp) -> Arrival {
    Arrival { notice: Arc::new(firing.resolved_at(now)), receivers: [receiver].into(), changed_at: now }
}

/// An alert that the receiver has as firing fires in this run too: the receiver is not told again.
fn go_on(lane: &Lane, notice: &Arc<Notice>) -> Option<JournalRecord> {
    let is_there = lane.with_queue(|queue| queue.replace_firing(notice));
    is_there.then(|| JournalRecord::Fires { receiver: lane.name.clone(), notice: Arc::clone(notice) })
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
