//! Reports which client has received which snapshot. Takes the beginning and the end of each scrape; gives reports to
//! the accountant. Must not know what an answer contains.
//!
//! An answer that the kernel has taken may still not reach its client. The client has read it if it sends another
//! request on the same connection, or closes the connection in order: a client that closes with unread bytes resets the
//! connection. Then the scrape is reported as complete; after any other end, as broken.
//!
//! Each scrape gives two reports. Space for both is reserved at its beginning, so no report is lost. A scrape without
//! space is refused.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender, channel};
use tokio::time::sleep;

use super::slots::ClientId;
use crate::account::delivery::{ScrapeProgress, ScrapeReport};

/// The most reports in the queue to the accountant. Each running scrape reserves one.
const MAXIMUM_REPORTS: usize = 1_024;

/// Interval at which deadlines are checked.
const DEADLINE_CHECK: Duration = Duration::from_secs(1);

static NEXT_SCRAPE: AtomicU64 = AtomicU64::new(0);

/// The sending end of the queue of scrape reports. The accountant has the other end.
#[derive(Debug, Clone)]
pub struct Reports(Sender<ScrapeReport>);

/// The receiving end of the queue of scrape reports.
#[derive(Debug)]
pub struct ScrapeReports(Receiver<ScrapeReport>);

/// The two ends of the queue of reports.
pub fn reports() -> (Reports, ScrapeReports) {
    let (sender, receiver) = channel(MAXIMUM_REPORTS);
    (Reports(sender), ScrapeReports(receiver))
}

impl ScrapeReports {
    /// The next report, if there is one. Never waits.
    pub fn try_next(&mut self) -> Option<ScrapeReport> {
        self.0.try_recv().ok()
    }
}

impl Reports {
    /// Reports that a scrape of `snapshot` by `client` begins, and reserves the report of its end.
    fn begin(&self, client: IpAddr, snapshot: u64) -> Result<RunningScrape, ReportQueueFull> {
        let reserve = || match self.0.clone().try_reserve_owned() {
            Ok(permit) => Ok(Some(permit)),
            // The receiver is gone.
            Err(TrySendError::Closed(_)) => Ok(None),
            Err(TrySendError::Full(_)) => Err(ReportQueueFull),
        };
        let (now, end) = (reserve()?, reserve()?);
        let scrape = NEXT_SCRAPE.fetch_add(1, Ordering::Relaxed);
        let report = ScrapeReport { client, snapshot, scrape, progress: ScrapeProgress::Begun };
        if let Some(permit) = now {
            permit.send(report);
        }
        Ok(RunningScrape { report, end })
    }
}

/// The queue has no space for the two reports of a scrape.
#[derive(Debug)]
pub(super) struct ReportQueueFull;

/// A scrape whose end is not known yet. If it is dropped, it is reported as broken.
#[derive(Debug)]
struct RunningScrape {
    report: ScrapeReport,
    /// The space for the report of the end; none after that report, or if nothing receives reports.
    end: Option<OwnedPermit<ScrapeReport>>,
}

impl RunningScrape {
    fn complete(mut self) {
        self.end(ScrapeProgress::Complete);
    }

    fn end(&mut self, progress: ScrapeProgress) {
        if let Some(permit) = self.end.take() {
            permit.send(ScrapeReport { progress, ..self.report });
        }
    }
}

impl Drop for RunningScrape {
    fn drop(&mut self) {
        self.end(ScrapeProgress::Broken);
    }
}

/// The client of one connection, and the scrape that was begun last on that connection.
#[derive(Debug)]
pub(super) struct Client {
    address: IpAddr,
    reports: Option<Reports>,
    running: Mutex<Option<RunningScrape>>,
    deadline: Arc<Mutex<Option<Instant>>>,
}

/// A guard: the connection is closed at its deadline unless this is dropped before.
pub(super) struct Deadline(Arc<Mutex<Option<Instant>>>);

impl Drop for Deadline {
    fn drop(&mut self) {
        replace(&self.0, None);
    }
}

impl Client {
    pub(super) fn new(address: IpAddr, reports: Option<Reports>) -> Self {
        Self { address: address.to_canonical(), reports, running: Mutex::default(), deadline: Arc::default() }
    }

    /// The identity under which the client's slots are counted.
    pub(super) fn origin(&self) -> ClientId {
        self.address.into()
    }

    /// Begins a scrape of the snapshot `number` or a later one. A scrape before it that is still running is broken.
    pub(super) fn begin_scrape(&self, number: u64) -> Result<(), ReportQueueFull> {
        let running = self.reports.as_ref().map(|reports| reports.begin(self.address, number)).transpose()?;
        drop(replace(&self.running, running));
        Ok(())
    }

    /// Completes the running scrape: the client has received its answer.
    pub(super) fn complete_scrape(&self) {
        if let Some(running) = replace(&self.running, None) {
            running.complete();
        }
    }

    /// Starts a deadline after `time`. Drop the guard before it, or the connection is closed.
    pub(super) fn deadline(&self, time: Duration) -> Deadline {
        replace(&self.deadline, Some(Instant::now() + time));
        Deadline(Arc::clone(&self.deadline))
    }

    /// Waits until a deadline has passed.
    pub(super) async fn wait_until_overdue(&self) {
        loop {
            sleep(DEADLINE_CHECK).await;
            let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return;
            }
        }
    }
}

fn replace<T>(place: &Mutex<Option<T>>, value: Option<T>) -> Option<T> {
    std::mem::replace(&mut *place.lock().unwrap_or_else(PoisonError::into_inner), value)
}
