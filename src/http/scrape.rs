//! Reports which client has received which snapshot. Takes the fates of answers; gives reports to the accountant. Must
//! not know their contents.
//!
//! A written answer proves little: it waits in the kernel, and its client may be gone. If the client then sends
//! another request on the same connection, or closes it in order, the client has read the answer: a client that
//! closes with unread bytes resets the connection. So a scrape is reported as complete when its connection goes on or
//! ends well, and as broken when it ends in any other way.
//!
//! The space for the second report is reserved with the first, so no report is ever lost. A scrape without space is
//! refused.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender, channel};
use tokio::time::sleep;

use super::slots::ClientId;
use crate::account::delivery::{ScrapeProgress, ScrapeReport};

/// The most reports in the queue to the accountant, which merges all counts. Each scrape under way reserves one.
const WAITING_REPORTS: usize = 1_024;

/// Interval at which deadlines are checked.
const DEADLINE_CHECK: Duration = Duration::from_secs(1);

static NEXT_SCRAPE: AtomicU64 = AtomicU64::new(0);

/// The sending end of the queue of reports to the accountant.
#[derive(Debug, Clone)]
pub struct Reports(Sender<ScrapeReport>);

/// The receiving end of the reports.
#[derive(Debug)]
pub struct ScrapeReports(Receiver<ScrapeReport>);

/// The two ends of the queue of reports.
pub fn reports() -> (Reports, ScrapeReports) {
    let (sender, receiver) = channel(WAITING_REPORTS);
    (Reports(sender), ScrapeReports(receiver))
}

impl ScrapeReports {
    /// The next report, if one waits.
    pub fn try_next(&mut self) -> Option<ScrapeReport> {
        self.0.try_recv().ok()
    }
}

impl Reports {
    /// Reports that `client` is sent the snapshot, and reserves the report of the end.
    fn begin(&self, client: IpAddr, snapshot: u64) -> Result<Flight, ReportQueueFull> {
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
        Ok(Flight { report, end })
    }
}

/// The queue has no space for the two reports of a scrape.
#[derive(Debug)]
pub(super) struct ReportQueueFull;

/// A scrape under way. Dropping it reports it as broken off.
#[derive(Debug)]
struct Flight {
    report: ScrapeReport,
    end: Option<OwnedPermit<ScrapeReport>>,
}

impl Flight {
    fn complete(mut self) {
        self.end(ScrapeProgress::Complete);
    }

    fn end(&mut self, progress: ScrapeProgress) {
        if let Some(permit) = self.end.take() {
            permit.send(ScrapeReport { progress, ..self.report });
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.end(ScrapeProgress::Broken);
    }
}

/// One connection of a client, and the scrape that was last begun on it.
#[derive(Debug)]
pub(super) struct Client {
    address: IpAddr,
    reports: Option<Reports>,
    flight: Mutex<Option<Flight>>,
    deadline: Arc<Mutex<Option<Instant>>>,
}

/// The time at which a connection is cut; none once this is dropped.
pub(super) struct Deadline(Arc<Mutex<Option<Instant>>>);

impl Drop for Deadline {
    fn drop(&mut self) {
        replace(&self.0, None);
    }
}

impl Client {
    pub(super) fn new(address: IpAddr, reports: Option<Reports>) -> Self {
        Self { address: address.to_canonical(), reports, flight: Mutex::default(), deadline: Arc::default() }
    }

    /// The client that its share of limited resources counts for.
    pub(super) fn origin(&self) -> ClientId {
        self.address.into()
    }

    /// The client is sent the snapshot `number` or a later one.
    pub(super) fn is_sent(&self, number: u64) -> Result<(), ReportQueueFull> {
        let flight = self.reports.as_ref().map(|reports| reports.begin(self.address, number)).transpose()?;
        drop(replace(&self.flight, flight));
        Ok(())
    }

    /// The connection goes on, or ended well: the client has received the answer.
    pub(super) fn has_received(&self) {
        if let Some(flight) = replace(&self.flight, None) {
            flight.complete();
        }
    }

    /// The connection is cut unless the returned value is dropped in time.
    pub(super) fn deadline(&self, time: Duration) -> Deadline {
        replace(&self.deadline, Some(Instant::now() + time));
        Deadline(Arc::clone(&self.deadline))
    }

    /// Waits until the connection must be cut.
    pub(super) async fn is_overdue(&self) {
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
