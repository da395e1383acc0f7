//! The delivery to one receiver: batch after batch, attempt after attempt.
//!
//! Takes the receiver's queue; gives requests, and settles notices by their outcome. Must not know other receivers,
//! nor the journal's file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, sleep_until, timeout_at};

use super::attempt::AttemptOutcome;
use super::backoff::{Backoff, RareLog};
use super::batch::{Next, NoticeBatch, Origin, Schedule};
use super::client::HttpClient;
use super::endpoint::ReceiverEndpoint;
use super::figures::{FailureReason, ReceiverFigures};
use super::journal::JournalRecord;
use super::notice::Notice;
use super::queue::{NoticeQueue, QueuedNotice, Settled};
use super::receivers::{Batching, Context, Receiver, Request};
use super::secret::Secret;
use crate::alert::{EvidenceFile, EvidenceIndex};
use crate::packet::Timestamp;

/// Time after the end of an alert until which its evidence file is waited for.
const WAIT_FOR_EVIDENCE: Duration = Duration::from_secs(3);

/// Time after an alert fired until which the name of its evidence file is waited for.
const WAIT_FOR_NAME: Duration = Duration::from_secs(1);

/// Time between two looks at an evidence file.
const LOOK: Duration = Duration::from_millis(50);

/// Time until the next attempt after notices were deferred, and the longest time between two attempts when the program
/// ends and no journal keeps what is left.
const SHORT_DELAY: Duration = Duration::from_secs(1);

/// The part of a receiver that the hand-over and the delivery share.
#[derive(Debug)]
pub(super) struct Lane {
    pub name: String,
    pub batching: Batching,
    pub figures: Arc<ReceiverFigures>,
    queue: Mutex<NoticeQueue>,
    /// New notices can be delivered.
    changed: Notify,
}

impl Lane {
    pub(super) fn new(name: String, batching: Batching, queue: NoticeQueue) -> Self {
        Self::continuing(name, batching, queue, Arc::default())
    }

    /// A lane that goes on with the figures of an earlier one.
    pub(super) fn continuing(
        name: String,
        batching: Batching,
        queue: NoticeQueue,
        figures: Arc<ReceiverFigures>,
    ) -> Self {
        let lane = Self { name, batching, figures, queue: Mutex::new(queue), changed: Notify::new() };
        lane.with_queue(|_| ());
        lane
    }

    /// Calls a function with the queue; the figures follow it.
    pub(super) fn with_queue<T>(&self, work: impl FnOnce(&mut NoticeQueue) -> T) -> T {
        let mut queue: MutexGuard<'_, NoticeQueue> = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut queue);
        self.figures.set_waiting(queue.len());
        result
    }

    /// Lets all notices up to this number be delivered.
    pub(super) fn release(&self, number: u64) {
        self.with_queue(|queue| queue.release(number));
        self.changed.notify_one();
    }
}

/// Records of settled notices, on their way to the journal.
#[derive(Debug)]
pub(super) struct Settlements {
    records: Mutex<Vec<JournalRecord>>,
    work: Arc<Notify>,
}

impl Settlements {
    pub(super) fn new(work: Arc<Notify>) -> Self {
        Self { records: Mutex::default(), work }
    }

    fn put(&self, record: JournalRecord) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        self.work.notify_one();
    }

    pub(super) fn take(&self) -> Vec<JournalRecord> {
        std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The phase of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// The program ends: all that waits goes out at once. With `is_kept` the journal keeps what fails now.
    Draining {
        is_kept: bool,
    },
}

/// The values that all deliveries share.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub evidence: EvidenceIndex,
    pub host: String,
    pub external_url: Option<String>,
    pub runbook_url: Option<String>,
    pub settlements: Settlements,
}

/// The failures of one receiver, and the log lines about it.
#[derive(Debug, Default)]
struct Attempts {
    backoff: Backoff,
    log: RareLog,
    recoveries: RareLog,
    losses: RareLog,
}

/// The delivery to one receiver.
pub(super) struct ReceiverDelivery {
    pub lane: Arc<Lane>,
    pub receiver: Box<dyn Receiver>,
    pub endpoint: ReceiverEndpoint,
    pub client: HttpClient,
    pub timeout: Duration,
    pub surroundings: Arc<Surroundings>,
    pub phase: watch::Receiver<Phase>,
}

impl ReceiverDelivery {
    /// Delivers until the program ends.
    pub(super) async fn run(mut self) {
        let mut schedule = Schedule::new(self.lane.batching);
        let mut attempts = Attempts::default();
        while let Some(batch) = self.next(&mut schedule).await {
            let (outcome, cause) = self.attempt(&batch).await;
            match outcome {
                AttemptOutcome::Retry(reason, asked) => {
                    let is_deferred = schedule.failed(&batch, reason == FailureReason::ServerError, Instant::now());
                    let delay = if is_deferred { SHORT_DELAY } else { attempts.backoff.next() };
                    let delay = delay.max(asked.unwrap_or_default());
                    self.lane.figures.count_failed_attempt(reason);
                    self.put_off(&batch, is_deferred, &mut attempts);
                    let cause = cause.unwrap_or_else(|| reason.words().to_owned());
                    let next = if is_deferred { "retrying after the others" } else { "retrying" };
                    self.log_failure(&mut attempts.log, &format!("{cause}; {next}"), delay);
                    if !self.pause(delay).await {
                        return;
                    }
                    continue;
                }
                AttemptOutcome::Refused(reason, status) => self.refuse(&batch, reason, status, &mut attempts.log),
                AttemptOutcome::Accepted => {
                    self.accept(&batch);
                    self.log_recovery(&mut attempts);
                }
            }
            attempts.backoff.reset();
            schedule.settled(&batch, Instant::now());
        }
    }

    /// The next batch; none at the end.
    async fn next(&mut self, schedule: &mut Schedule) -> Option<NoticeBatch> {
        loop {
            let is_draining = *self.phase.borrow_and_update() != Phase::Running;
            let next = self.lane.with_queue(|queue| schedule.next(queue, Instant::now(), is_draining));
            let until = match next {
                Next::Send(batch) => return Some(batch),
                _ if is_draining => return None,
                Next::WaitUntil(moment) => Some(moment),
                Next::Idle => None,
            };
            tokio::select! {
                () = self.lane.changed.notified() => {}
                _ = self.phase.changed() => {}
                () = sleep_until(until.unwrap_or_else(Instant::now).into()), if until.is_some() => {}
            }
        }
    }

    /// One request, from its making to its outcome.
    async fn attempt(&self, batch: &NoticeBatch) -> (AttemptOutcome, Option<String>) {
        self.wait_for_evidence(batch).await;
        let deadline = tokio::time::Instant::now() + self.timeout;
        let endpoint = self.endpoint.clone();
        // A file can be on a disk that does not answer.
        let address = tokio::task::spawn_blocking(move || endpoint.address());
        let address = match timeout_at(deadline, address).await {
            Ok(Ok(Ok(address))) => address,
            // No message of a secret contains a part of it.
            Ok(Ok(Err(error))) => return (AttemptOutcome::Retry(FailureReason::Secret, None), Some(error.to_string())),
            _ => return (AttemptOutcome::Retry(FailureReason::Secret, None), None),
        };
        let request = self.request(batch, address.key.as_ref());
        match address.request(request) {
            Ok(request) => self.client.post(request, deadline).await,
            Err(error) => (AttemptOutcome::Retry(FailureReason::Secret, None), Some(error.to_string())),
        }
    }

    /// The receiver's request for a batch.
    fn request(&self, batch: &NoticeBatch, key: Option<&Secret>) -> Request {
        let Surroundings { evidence, host, external_url, runbook_url, .. } = &*self.surroundings;
        let context = Context {
            now: now(),
            host,
            external_url: external_url.as_deref(),
            runbook_url: runbook_url.as_deref(),
            unnamed: batch.counted,
            evidence: &|notice| find(evidence, notice),
            key,
        };
        let notices: Vec<Notice> = batch.notices.iter().map(|notice| notice.as_ref().clone()).collect();
        self.receiver.request(&notices, &context)
    }

    /// Waits until the evidence files of firing alerts have a name, and those of resolved ones are written, for a short time
    /// after the change.
    async fn wait_for_evidence(&self, batch: &NoticeBatch) {
        let evidence = &self.surroundings.evidence;
        let is_late = |after: Duration| now() >= batch.changed_at + after;
        let is_missing = |notice: &Arc<Notice>| match find(evidence, notice) {
            None => notice.is_firing && evidence.expects_files() && !is_late(WAIT_FOR_NAME),
            Some(file) => !notice.is_firing && !file.is_finished && !is_late(WAIT_FOR_EVIDENCE),
        };
        while batch.notices.iter().any(is_missing) {
            sleep(LOOK).await;
        }
    }

    fn accept(&self, batch: &NoticeBatch) {
        let now = now();
        let settled = self.settle(batch, true);
        settled.iter().for_each(|one| self.lane.figures.count_delivered(now.since(one.changed_at)));
    }

    fn refuse(&self, batch: &NoticeBatch, reason: FailureReason, status: u16, log: &mut RareLog) {
        self.lane.figures.count_failed_attempt(reason);
        self.lane.figures.count_lost(reason, self.settle(batch, false).len() as u64);
        if log.may_log(Instant::now()) {
            let (receiver, alerts) = (&self.lane.name, batch.notices.len());
            tracing::warn!(receiver, status, alerts, "the receiver refused alerts; they are not sent again");
        }
    }

    /// After a failed attempt: defers the notices of the batch, and gives up those that are too old.
    fn put_off(&self, batch: &NoticeBatch, is_deferred: bool, attempts: &mut Attempts) {
        if is_deferred {
            self.lane.with_queue(|queue| match batch.origin {
                Origin::Deferred => queue.defer_again(batch.settles),
                Origin::Waiting | Origin::Repeated => queue.defer(batch.settles),
            });
        }
        let old = self.settled(self.lane.with_queue(|queue| queue.expire(now())), false).len();
        self.lane.figures.count_lost(FailureReason::TooOld, old as u64);
        if old > 0 && attempts.losses.may_log(Instant::now()) {
            let receiver = &self.lane.name;
            tracing::warn!(receiver, alerts = old, "alerts are given up: they waited for too long");
        }
    }

    /// Removes the notices of a batch from the queue and, by a record, from the journal.
    fn settle(&self, batch: &NoticeBatch, is_delivered: bool) -> Vec<QueuedNotice> {
        let settled = self.lane.with_queue(|queue| match batch.origin {
            Origin::Deferred => queue.settle_deferred(batch.settles, is_delivered, &batch.unnamed),
            Origin::Waiting | Origin::Repeated => queue.settle(batch.settles, is_delivered, &batch.unnamed),
        });
        self.settled(settled, is_delivered)
    }

    fn settled(&self, settled: Settled, is_delivered: bool) -> Vec<QueuedNotice> {
        self.lane.figures.count_untracked(settled.untracked);
        if !settled.notices.is_empty() {
            let numbers = settled.notices.iter().map(|one| one.number).collect();
            let receiver = self.lane.name.clone();
            let counted = settled.counted;
            self.surroundings.settlements.put(JournalRecord::Settled { receiver, numbers, is_delivered, counted });
        }
        settled.notices
    }

    fn log_failure(&self, log: &mut RareLog, cause: &str, delay: Duration) {
        if log.may_log(Instant::now()) {
            let (receiver, waiting) = (&self.lane.name, self.lane.figures.waiting());
            let retry_seconds = delay.as_secs_f64().round();
            tracing::warn!(receiver, waiting, retry_seconds, "alerts are not delivered: {cause}");
        }
    }

    fn log_recovery(&self, attempts: &mut Attempts) {
        if attempts.backoff.has_failed() && attempts.recoveries.may_log(Instant::now()) {
            tracing::info!(receiver = self.lane.name, "the receiver accepts alerts again");
        }
    }

    /// Waits before the next attempt; false if there is none, because the program ends and the journal keeps the rest.
    async fn pause(&mut self, delay: Duration) -> bool {
        let begin = tokio::time::Instant::now();
        loop {
            let end = match *self.phase.borrow_and_update() {
                Phase::Running => begin + delay,
                Phase::Draining { is_kept: false } => begin + delay.min(SHORT_DELAY),
                Phase::Draining { is_kept: true } => return false,
            };
            tokio::select! {
                () = sleep_until(end) => return true,
                changed = self.phase.changed() => if changed.is_err() { return false },
            }
        }
    }
}

/// The evidence file of an alert's episode.
fn find(evidence: &EvidenceIndex, notice: &Notice) -> Option<EvidenceFile> {
    evidence.find_episode(notice.id(), notice.began())
}

/// The time on the clock of the system.
pub(super) fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}
