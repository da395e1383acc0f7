//! The scrapers, and the last snapshot that all of them have read.
//!
//! Takes reports of scrapes; gives the number of the snapshot that has reached every scraper. Must not know HTTP.
//!
//! A new row may start to count, and a frozen row may go, only when every scraper has completely read a snapshot that
//! says so. A scraper is a client address. Rows wait for it
//!
//! - after a single complete scrape for [`AFTER_ONE`]: a person's `curl` delays nothing for long;
//! - after more for three times its own interval, within [`LEAST_PATIENCE`] and [`MOST_PATIENCE`]. Its interval is the
//!   longest of its last four;
//! - while its first scrape is under way, so that this one is exact too.
//!
//! Rows do not wait for a scraper that breaks its first scrape off, or takes too long, until it completes one. Else a
//! client that never reads to the end would hold rows back for ever. Addresses are cheap, so only a few an hour are
//! trusted like this.
//!
//! Limits: rows do not wait for an interval of over five minutes; scrapers that share an address count as one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::packet::Timestamp;

/// Rows wait this long for a client after the only scrape that it completed.
pub(crate) const AFTER_ONE: Duration = Duration::from_secs(60);

/// The least and the most time that rows wait for a client after it completed several scrapes.
pub(crate) const LEAST_PATIENCE: Duration = Duration::from_secs(30);
/// See [`LEAST_PATIENCE`]. A client is remembered for as long: the next scrape within that time gives its interval.
pub(crate) const MOST_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Rows wait for this many intervals of a client: it may miss one scrape, and be late with the next.
const INTERVALS: u32 = 3;

/// The intervals of a client that are kept. The longest counts, because a person may scrape in between from the same
/// address.
const KEPT_INTERVALS: usize = 4;

/// Rows wait this long for a first scrape. `http` ends every scrape earlier.
pub(crate) const FIRST_SCRAPE: Duration = Duration::from_secs(60);

/// Time for which a broken first scrape is remembered.
pub const MEMORY: Duration = Duration::from_secs(60 * 60);

/// The most clients with a broken first scrape that are remembered. Above that, rows wait for no first scrape. So such
/// clients delay rows by eight minutes an hour at most.
pub const MAXIMUM_BROKEN: usize = 8;

/// The most scrapers. A further one is served, but rows do not wait for it.
pub const MAXIMUM_SCRAPERS: usize = 64;

/// The most first scrapes of one scraper that are followed at the same time. Rows wait for the first of them.
const MAXIMUM_FLIGHTS: usize = 16;

/// A scrape as http reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeReport {
    /// The address of the scraper.
    pub client: IpAddr,
    /// The number of the snapshot.
    pub snapshot: u64,
    /// The number of the scrape, which no other has.
    pub scrape: u64,
    /// The progress of the scrape.
    pub progress: ScrapeProgress,
}

/// The progress of a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScrapeProgress {
    /// The request has arrived.
    Begun,
    /// The client has received all of it.
    Complete,
    /// It ended before that.
    Broken,
}

/// The delivery of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Every scraper has completely received this snapshot or a later one; none when there is no scraper.
    pub to_all: Option<u64>,
    /// Some scraper may have received this snapshot, in part at least.
    pub to_any: u64,
}

/// Numbers of scrapes that have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// Completely received.
    pub complete: u64,
    /// Broken off.
    pub broken: u64,
    /// Completely received by a client that could not be tracked, so that new rows do not wait for it.
    pub untracked: u64,
}

#[derive(Debug)]
enum Stage {
    /// Its first scrapes are under way: the snapshot of each.
    New { flights: BTreeMap<u64, u64> },
    /// It has completely received this snapshot.
    Known { completed: u64 },
    /// It was known and has not come back in time. Its pace is kept, but rows do not wait for it.
    Lapsed,
    /// It did not complete its first scrape.
    Broken,
}

#[derive(Debug)]
struct Scraper {
    stage: Stage,
    since: Timestamp,
    pace: ScrapePace,
}

#[derive(Debug, Clone, Copy, Default)]
struct ScrapePace {
    last: Option<Timestamp>,
    /// The last intervals in a ring; 0 for an empty place.
    intervals: [Duration; KEPT_INTERVALS],
    next: usize,
}

impl ScrapePace {
    /// Notes a scrape that was completed at `now`.
    fn note(&mut self, now: Timestamp) {
        if let Some(last) = self.last.replace(now) {
            self.intervals[self.next] = now.since(last);
            self.next = (self.next + 1) % KEPT_INTERVALS;
        }
    }

    /// The time that rows wait for the scraper after its last complete scrape.
    fn patience(&self) -> Duration {
        match self.intervals.iter().max() {
            Some(longest) if !longest.is_zero() => (*longest * INTERVALS).clamp(LEAST_PATIENCE, MOST_PATIENCE),
            _ => AFTER_ONE,
        }
    }
}

/// The scrapers of the last minutes.
#[derive(Debug, Default)]
pub struct Deliveries {
    scrapers: BTreeMap<IpAddr, Scraper>,
    to_any: u64,
    ended: Ended,
}

impl Deliveries {
    /// Takes in a report at `now`.
    pub fn record(&mut self, report: ScrapeReport, now: Timestamp) {
        self.to_any = self.to_any.max(report.snapshot);
        match report.progress {
            ScrapeProgress::Begun => self.begin(report, now),
            ScrapeProgress::Complete => self.complete(report, now),
            ScrapeProgress::Broken => self.break_off(report, now),
        }
    }

    /// The delivery of snapshots at `now`.
    pub fn delivery(&mut self, now: Timestamp) -> Delivery {
        self.forget(now);
        let known = self.scrapers.values().any(|scraper| matches!(scraper.stage, Stage::Known { .. }));
        let waited_for = self.scrapers.values().filter_map(Scraper::reading).min();
        Delivery { to_all: waited_for.filter(|_| known), to_any: self.to_any }
    }

    /// True if rows wait for a scraper.
    pub fn is_waiting(&self) -> bool {
        self.scrapers.values().any(|scraper| scraper.reading().is_some())
    }

    /// Numbers of scrapes that have ended.
    pub fn ended(&self) -> Ended {
        self.ended
    }

    fn begin(&mut self, report: ScrapeReport, now: Timestamp) {
        let may_come = self.has_room() && self.broken().count() < MAXIMUM_BROKEN;
        let started = Stage::New { flights: BTreeMap::from([(report.scrape, report.snapshot)]) };
        match self.scrapers.get_mut(&report.client) {
            Some(Scraper { stage: Stage::New { flights }, .. }) if flights.len() < MAXIMUM_FLIGHTS => {
                flights.insert(report.scrape, report.snapshot);
            }
            Some(scraper) if matches!(scraper.stage, Stage::Lapsed) => {
                (scraper.stage, scraper.since) = (started, now);
            }
            None if may_come => {
                self.scrapers
                    .insert(report.client, Scraper { stage: started, since: now, pace: ScrapePace::default() });
            }
            _ => {}
        }
    }

    fn complete(&mut self, report: ScrapeReport, now: Timestamp) {
        self.ended.complete += 1;
        let before = self.scrapers.get(&report.client);
        let completed = match before.map(|scraper| &scraper.stage) {
            Some(&Stage::Known { completed }) => completed.max(report.snapshot),
            _ => report.snapshot,
        };
        let mut pace = before.map(|scraper| scraper.pace).unwrap_or_default();
        pace.note(now);
        if before.is_some() || self.has_room() || self.forget_the_oldest_idle() {
            let stage = Stage::Known { completed };
            self.scrapers.insert(report.client, Scraper { stage, since: now, pace });
        } else {
            self.ended.untracked += 1;
        }
    }

    fn break_off(&mut self, report: ScrapeReport, now: Timestamp) {
        self.ended.broken += 1;
        let Some(scraper) = self.scrapers.get_mut(&report.client) else { return };
        let Stage::New { flights } = &mut scraper.stage else { return };
        flights.remove(&report.scrape);
        if flights.is_empty() {
            (scraper.stage, scraper.since) = (Stage::Broken, now);
        }
    }

    /// Ends the stages whose time is over at `now`.
    fn forget(&mut self, now: Timestamp) {
        self.scrapers.retain(|_, scraper| {
            // A clock that was set back must not prolong it.
            scraper.since = scraper.since.min(now);
            let age = now.since(scraper.since);
            match scraper.stage {
                Stage::New { .. } if age > FIRST_SCRAPE => {
                    (scraper.stage, scraper.since) = (Stage::Broken, now);
                    true
                }
                Stage::New { .. } => true,
                Stage::Known { .. } if age > scraper.pace.patience() => {
                    scraper.stage = Stage::Lapsed;
                    age <= MOST_PATIENCE
                }
                Stage::Known { .. } => true,
                Stage::Lapsed => age <= MOST_PATIENCE,
                Stage::Broken => age <= MEMORY,
            }
        });
    }

    fn has_room(&self) -> bool {
        self.scrapers.len() < MAXIMUM_SCRAPERS
    }

    fn broken(&self) -> impl Iterator<Item = (&IpAddr, &Scraper)> {
        self.scrapers.iter().filter(|(_, scraper)| matches!(scraper.stage, Stage::Broken))
    }

    /// Makes room: forgets the scraper that rows have not waited for longest, if there is one.
    fn forget_the_oldest_idle(&mut self) -> bool {
        let is_idle = |scraper: &Scraper| matches!(scraper.stage, Stage::Broken | Stage::Lapsed);
        let idle = self.scrapers.iter().filter(|(_, scraper)| is_idle(scraper));
        let oldest = idle.min_by_key(|(_, scraper)| scraper.since).map(|(&client, _)| client);
        oldest.is_some_and(|client| self.scrapers.remove(&client).is_some())
    }
}

impl Scraper {
    /// The last snapshot that it has read, or the first that it is reading; none if rows do not wait for it.
    fn reading(&self) -> Option<u64> {
        match &self.stage {
            Stage::New { flights } => flights.values().min().copied(),
            Stage::Known { completed } => Some(*completed),
            Stage::Lapsed | Stage::Broken => None,
        }
    }
}

#[cfg(test)]
mod tests;
