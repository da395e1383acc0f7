//! Who scrapes, and which snapshot has reached all of them.
//!
//! A row may only start to count, and a row that left may only go, when every scraper has completely received a snapshot
//! that says so. A scraper is a client address; it counts from its first request, so that its first scrape is exact
//! too, and for five minutes behind its last completed one. Who asks and never completes is waited for once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::packet::Timestamp;

/// How long a scraper is waited for.
pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The most scrapers that are waited for. One that comes on top is served, but rows do not wait for it.
pub const MAXIMUM_SCRAPERS: usize = 64;

/// What http tells of a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeReport {
    /// Who scrapes.
    pub client: IpAddr,
    /// The number of the snapshot.
    pub snapshot: u64,
    /// Whether it was completely received; else it was only asked for.
    pub is_complete: bool,
}

/// How far snapshots have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Every scraper has completely received this snapshot or a later one; none when there is no scraper.
    pub to_all: Option<u64>,
    /// Some scraper may have received this snapshot, in part at least.
    pub to_any: u64,
}

#[derive(Debug, Clone, Copy)]
struct Scraper {
    completed: u64,
    waited_for_since: Timestamp,
    /// It asked once, was waited for, and did not complete.
    is_given_up: bool,
}

/// The scrapers of the last minutes.
#[derive(Debug, Default)]
pub struct Scrapes {
    scrapers: BTreeMap<IpAddr, Scraper>,
    to_any: u64,
}

impl Scrapes {
    /// Takes in what http tells, at `now`.
    pub fn record(&mut self, report: ScrapeReport, now: Timestamp) {
        self.to_any = self.to_any.max(report.snapshot);
        let known = self.scrapers.contains_key(&report.client);
        if !known && self.scrapers.len() >= MAXIMUM_SCRAPERS && !self.forget_one() {
            return;
        }
        let new = Scraper { completed: 0, waited_for_since: now, is_given_up: false };
        let scraper = self.scrapers.entry(report.client).or_insert(new);
        if report.is_complete {
            scraper.completed = scraper.completed.max(report.snapshot);
            scraper.waited_for_since = now;
            scraper.is_given_up = false;
        }
    }

    /// How far snapshots have come, at `now`.
    pub fn delivery(&mut self, now: Timestamp) -> Delivery {
        // Who once completed and has gone is forgotten; who never completed is remembered, to be waited for no more.
        self.scrapers.retain(|_, scraper| {
            let is_gone = now.since(scraper.waited_for_since) > PATIENCE;
            scraper.is_given_up |= is_gone && scraper.completed == 0;
            !is_gone || scraper.is_given_up
        });
        let waited_for = self.scrapers.values().filter(|scraper| !scraper.is_given_up);
        Delivery { to_all: waited_for.map(|scraper| scraper.completed).min(), to_any: self.to_any }
    }

    /// Makes room by one that was given up, if there is one.
    fn forget_one(&mut self) -> bool {
        let given_up = self.scrapers.iter().find(|(_, scraper)| scraper.is_given_up).map(|(&client, _)| client);
        given_up.is_some_and(|client| self.scrapers.remove(&client).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanoseconds(seconds * 1_000_000_000)
    }

    fn report(client: u32, snapshot: u64, is_complete: bool) -> ScrapeReport {
        ScrapeReport { client: IpAddr::V4(client.into()), snapshot, is_complete }
    }

    #[test]
    fn without_a_scraper_nothing_is_delivered() {
        assert_eq!(Scrapes::default().delivery(at(0)), Delivery { to_all: None, to_any: 0 });
    }

    #[test]
    fn all_have_what_the_slowest_has() {
        let mut scrapes = Scrapes::default();
        scrapes.record(report(1, 7, true), at(0));
        scrapes.record(report(2, 5, true), at(1));
        scrapes.record(report(2, 9, false), at(2));
        assert_eq!(scrapes.delivery(at(3)), Delivery { to_all: Some(5), to_any: 9 });
    }

    #[test]
    fn a_late_report_does_not_set_a_scraper_back() {
        let mut scrapes = Scrapes::default();
        scrapes.record(report(1, 7, true), at(0));
        scrapes.record(report(1, 6, true), at(1));
        assert_eq!(scrapes.delivery(at(1)).to_all, Some(7));
    }

    #[test]
    fn a_scraper_counts_from_its_first_request() {
        let mut scrapes = Scrapes::default();
        scrapes.record(report(1, 7, true), at(0));
        scrapes.record(report(2, 8, false), at(1));
        assert_eq!(scrapes.delivery(at(1)).to_all, Some(0));
    }

    #[test]
    fn who_has_gone_is_waited_for_five_minutes() {
        let mut scrapes = Scrapes::default();
        scrapes.record(report(1, 7, true), at(0));
        scrapes.record(report(2, 9, true), at(200));
        assert_eq!(scrapes.delivery(at(300)).to_all, Some(7));
        assert_eq!(scrapes.delivery(at(301)).to_all, Some(9));
        assert_eq!(scrapes.delivery(at(501)).to_all, None);
    }

    #[test]
    fn who_never_completes_is_waited_for_once() {
        let mut scrapes = Scrapes::default();
        for second in 0..1_000 {
            scrapes.record(report(1, 1, false), at(second));
            scrapes.record(report(2, second as u64 + 1, true), at(second));
            let expected = if second <= 300 { 0 } else { second as u64 + 1 };
            assert_eq!(scrapes.delivery(at(second)).to_all, Some(expected), "{second}");
        }
    }

    #[test]
    fn the_number_of_scrapers_is_bounded() {
        let mut scrapes = Scrapes::default();
        for client in 0..1_000 {
            scrapes.record(report(client, 5, true), at(0));
        }
        assert_eq!(scrapes.scrapers.len(), MAXIMUM_SCRAPERS);
        assert_eq!(scrapes.delivery(at(0)).to_all, Some(5));
    }
}
