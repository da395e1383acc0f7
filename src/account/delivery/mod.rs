//! The delivery of snapshots: which snapshot every scraper has read.
//!
//! Takes reports of scrapes; gives the number of the last snapshot that every scraper has read completely. Must not
//! know HTTP.
//!
//! A new row begins to count when every scraper has read a snapshot with its 0. A frozen row is removed when every
//! scraper has read its last value. So rows wait for scrapers. A scraper is a client address, and rows wait for its
//! next scrape
//!
//! - for [`WAIT_AFTER_ONE_SCRAPE`] after its only complete scrape, so that a person's `curl` delays rows only shortly;
//! - for three of its intervals after several complete scrapes, within [`SHORTEST_WAIT`] and [`LONGEST_WAIT`]. Its
//!   interval is the longest of its last four;
//! - while its first scrape is under way, so that this scrape is exact too.
//!
//! If the first scrape of a scraper breaks off or takes too long, rows do not wait for this scraper until it completes
//! a scrape. Otherwise a client that never reads to the end would delay rows for ever. A client can use many addresses,
//! so rows wait for the first scrapes of only a few such addresses an hour.
//!
//! Limits: rows do not wait for a scraper with an interval of over five minutes. Scrapers behind one address count as
//! one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::packet::Timestamp;

/// Rows wait this long for a scraper after the only scrape that it completed.
pub(crate) const WAIT_AFTER_ONE_SCRAPE: Duration = Duration::from_secs(60);

/// The shortest time that rows wait for a scraper after it completed several scrapes.
pub(crate) const SHORTEST_WAIT: Duration = Duration::from_secs(30);
/// The longest time that rows wait for a scraper after it completed several scrapes. A scraper is forgotten after this
/// time: a later scrape does not give its interval.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// Rows wait for this many intervals of a scraper: it may miss one scrape and be late with the next.
const WAITED_INTERVALS: u32 = 3;

/// Number of intervals of a scraper that are kept. The longest counts, because a person may scrape from the same
/// address in between.
const KEPT_INTERVALS: usize = 4;

/// Rows wait this long for a first scrape. `http` ends every scrape earlier.
pub(crate) const FIRST_SCRAPE_TIMEOUT: Duration = Duration::from_secs(60);

/// Time for which a scraper whose first scrape broke off is remembered.
pub(crate) const BROKEN_MEMORY: Duration = Duration::from_secs(60 * 60);

/// The most remembered scrapers whose first scrape broke off. At this number rows wait for no further first scrape. So
/// such scrapers delay rows by at most eight minutes an hour.
pub(crate) const MAXIMUM_BROKEN: usize = 8;

/// The most scrapers. A further one gets snapshots, but rows do not wait for it.
pub(crate) const MAXIMUM_SCRAPERS: usize = 64;

/// The most first scrapes of one scraper that are tracked at the same time. Rows wait for the one with the oldest
/// snapshot.
const MAXIMUM_UNDER_WAY: usize = 16;

/// A scrape as http reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeReport {
    /// The address of the scraper.
    pub client: IpAddr,
    /// The number of the snapshot.
    pub snapshot: u64,
    /// The number of the scrape; no other scrape has it.
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
    /// The scrape ended before the client had received all of it.
    Broken,
}

/// The delivery of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Every scraper has completely received this snapshot or a later one. None without a scraper.
    pub to_all: Option<u64>,
    /// The latest snapshot that any scraper may have received, at least in part.
    pub to_any: u64,
}

/// Numbers of scrapes that have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndedScrapes {
    /// Completely received.
    pub complete: u64,
    /// Broken off.
    pub broken: u64,
    /// Completely received by a client that could not be tracked, so that new rows do not wait for it.
    pub untracked: u64,
}

#[derive(Debug)]
enum Stage {
    /// It has not completed a scrape yet. The first scrapes that are under way, with the snapshot of each.
    New { under_way: BTreeMap<u64, u64> },
    /// It completed a scrape not long ago. The latest snapshot that it has completely received.
    Known { completed: u64 },
    /// It was known, and its next scrape is late. Its intervals are kept, but rows do not wait for it.
    Lapsed,
    /// Its first scrape broke off or took too long.
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
    /// The last intervals, as a ring buffer; 0 if there is none yet.
    intervals: [Duration; KEPT_INTERVALS],
    next: usize,
}

impl ScrapePace {
    /// Adds a scrape that was completed at `now`.
    fn note(&mut self, now: Timestamp) {
        if let Some(last) = self.last.replace(now) {
            self.intervals[self.next] = now.since(last);
            self.next = (self.next + 1) % KEPT_INTERVALS;
        }
    }

    /// The time that rows wait for the scraper after its last complete scrape.
    fn wait(&self) -> Duration {
        match self.intervals.iter().max() {
            Some(longest) if !longest.is_zero() => (*longest * WAITED_INTERVALS).clamp(SHORTEST_WAIT, LONGEST_WAIT),
            _ => WAIT_AFTER_ONE_SCRAPE,
        }
    }
}

/// The scrapers of the last minutes.
#[derive(Debug, Default)]
pub struct Deliveries {
    scrapers: BTreeMap<IpAddr, Scraper>,
    to_any: u64,
    ended: EndedScrapes,
}

impl Deliveries {
    /// Takes a report that arrived at `now`.
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
    pub fn ended(&self) -> EndedScrapes {
        self.ended
    }

    fn begin(&mut self, report: ScrapeReport, now: Timestamp) {
        let may_track = self.has_space() && self.broken().count() < MAXIMUM_BROKEN;
        let started = Stage::New { under_way: BTreeMap::from([(report.scrape, report.snapshot)]) };
        match self.scrapers.get_mut(&report.client) {
            Some(Scraper { stage: Stage::New { under_way }, .. }) if under_way.len() < MAXIMUM_UNDER_WAY => {
                under_way.insert(report.scrape, report.snapshot);
            }
            Some(scraper) if matches!(scraper.stage, Stage::Lapsed) => {
                (scraper.stage, scraper.since) = (started, now);
            }
            None if may_track => {
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
        if before.is_some() || self.has_space() || self.forget_the_oldest_not_waited_for() {
            let stage = Stage::Known { completed };
            self.scrapers.insert(report.client, Scraper { stage, since: now, pace });
        } else {
            self.ended.untracked += 1;
        }
    }

    fn break_off(&mut self, report: ScrapeReport, now: Timestamp) {
        self.ended.broken += 1;
        let Some(scraper) = self.scrapers.get_mut(&report.client) else { return };
        let Stage::New { under_way } = &mut scraper.stage else { return };
        under_way.remove(&report.scrape);
        if under_way.is_empty() {
            (scraper.stage, scraper.since) = (Stage::Broken, now);
        }
    }

    /// Ends the stages that have timed out at `now`, and forgets scrapers.
    fn forget(&mut self, now: Timestamp) {
        self.scrapers.retain(|_, scraper| {
            // A clock that was set back must not prolong a stage.
            scraper.since = scraper.since.min(now);
            let age = now.since(scraper.since);
            match scraper.stage {
                Stage::New { .. } if age > FIRST_SCRAPE_TIMEOUT => {
                    (scraper.stage, scraper.since) = (Stage::Broken, now);
                    true
                }
                Stage::New { .. } => true,
                Stage::Known { .. } if age > scraper.pace.wait() => {
                    scraper.stage = Stage::Lapsed;
                    age <= LONGEST_WAIT
                }
                Stage::Known { .. } => true,
                Stage::Lapsed => age <= LONGEST_WAIT,
                Stage::Broken => age <= BROKEN_MEMORY,
            }
        });
    }

    fn has_space(&self) -> bool {
        self.scrapers.len() < MAXIMUM_SCRAPERS
    }

    fn broken(&self) -> impl Iterator<Item = (&IpAddr, &Scraper)> {
        self.scrapers.iter().filter(|(_, scraper)| matches!(scraper.stage, Stage::Broken))
    }

    /// Forgets one scraper that rows do not wait for, the oldest one. False if rows wait for all of them.
    fn forget_the_oldest_not_waited_for(&mut self) -> bool {
        let is_idle = |scraper: &Scraper| matches!(scraper.stage, Stage::Broken | Stage::Lapsed);
        let idle = self.scrapers.iter().filter(|(_, scraper)| is_idle(scraper));
        let oldest = idle.min_by_key(|(_, scraper)| scraper.since).map(|(&client, _)| client);
        oldest.is_some_and(|client| self.scrapers.remove(&client).is_some())
    }
}

impl Scraper {
    /// The last snapshot that it has read, or the oldest that it is reading. None if rows do not wait for it.
    fn reading(&self) -> Option<u64> {
        match &self.stage {
            Stage::New { under_way } => under_way.values().min().copied(),
            Stage::Known { completed } => Some(*completed),
            Stage::Lapsed | Stage::Broken => None,
        }
    }
}

#[cfg(test)]
mod tests;
