//! Who has received which snapshot.
//!
//! That an answer was written says little: it waits in the kernel, and its client may be gone. That a client then asks
//! for something else on the same connection, or closes it in order, says that it has read it: a client that closes over
//! unread bytes resets the connection. So a scrape is reported as complete when its connection goes on or ends well, and
//! never when it breaks. A report that comes late or is lost only delays rows.

use std::net::IpAddr;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::slots::Origin;
use crate::account::scrapes::ScrapeReport;

/// Reports that wait for the accountant at most; what comes on top is dropped and counted.
pub const WAITING_REPORTS: usize = 1_024;

/// How often deadlines are looked at.
const DEADLINE_CHECK: Duration = Duration::from_secs(1);

/// The way of reports to the accountant.
#[derive(Debug, Clone)]
pub struct Reports(SyncSender<ScrapeReport>);

impl Reports {
    /// Reports that go to `accountant`.
    #[must_use]
    pub fn to(accountant: SyncSender<ScrapeReport>) -> Self {
        Self(accountant)
    }

    /// Whether there was room for the report, or nobody left to read it.
    fn send(&self, report: ScrapeReport) -> bool {
        !matches!(self.0.try_send(report), Err(TrySendError::Full(_)))
    }
}

/// One connection of a client, and the snapshot that was last sent on it.
#[derive(Debug)]
pub(super) struct Client {
    address: IpAddr,
    reports: Option<Reports>,
    sent: Mutex<Option<u64>>,
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
        Self { address: address.to_canonical(), reports, sent: Mutex::new(None), deadline: Arc::default() }
    }

    /// Whom its share of what is limited counts for.
    pub(super) fn origin(&self) -> Origin {
        self.address.into()
    }

    /// The client is sent the snapshot `number`. False when this could not be reported.
    pub(super) fn is_sent(&self, number: u64) -> bool {
        replace(&self.sent, Some(number));
        self.report(number, false)
    }

    /// The connection goes on, or ended well: what was sent was received. False when this could not be reported.
    pub(super) fn has_received(&self) -> bool {
        replace(&self.sent, None).is_none_or(|number| self.report(number, true))
    }

    fn report(&self, snapshot: u64, is_complete: bool) -> bool {
        let report = ScrapeReport { client: self.address, snapshot, is_complete };
        self.reports.as_ref().is_none_or(|reports| reports.send(report))
    }

    /// The connection is cut unless what is given is dropped in time.
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
