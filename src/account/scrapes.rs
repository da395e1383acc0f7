//! Who scrapes, and which snapshot has reached all of them.
//!
//! A row may only start to count, and a row that left may only go, when every scraper has completely received a snapshot
//! that says so. A scraper is a client address. It is waited for
//!
//! - for five minutes behind its last completed scrape;
//! - while its first scrape is under way, so that this one is exact too: it will have what it asked for, or nothing.
//!
//! Who breaks its first scrape off, or takes longer than any may, is waited for no more until it completes one. Else who
//! asks again and again and never reads to the end would hold rows back for ever. Addresses are cheap, so few are given
//! that trust in an hour.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::packet::Timestamp;

/// How long a scraper is waited for behind its last completed scrape.
pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long a first scrape is waited for: longer than http lets any take.
pub const FIRST_SCRAPE: Duration = Duration::from_secs(60);

/// How long is remembered who did not complete its first scrape.
pub const MEMORY: Duration = Duration::from_secs(60 * 60);

/// How many may be remembered so, before no first scrape is waited for any more: a minute an hour each.
pub const MAXIMUM_BROKEN: usize = 8;

/// The most scrapers that are known. One that comes on top is served, but rows do not wait for it.
pub const MAXIMUM_SCRAPERS: usize = 64;

/// The most first scrapes under way that are told apart for one scraper; it is waited for the first of them.
const MAXIMUM_FLIGHTS: usize = 16;

/// What http tells of a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeReport {
    /// Who scrapes.
    pub client: IpAddr,
    /// The number of the snapshot.
    pub snapshot: u64,
    /// The number of the scrape, which no other has.
    pub scrape: u64,
    /// How far it has come.
    pub progress: Progress,
}

/// How far a scrape has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It was asked for.
    Begun,
    /// It was completely received.
    Complete,
    /// It ended before.
    Broken,
}

/// How far snapshots have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Every scraper has completely received this snapshot or a later one; none when there is no scraper.
    pub to_all: Option<u64>,
    /// Some scraper may have received this snapshot, in part at least.
    pub to_any: u64,
}

/// How many scrapes have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// Completely received.
    pub complete: u64,
    /// Before that.
    pub broken: u64,
}

/// What is known of a scraper, and since when.
#[derive(Debug)]
enum Standing {
    /// Its first scrapes are under way: the snapshot of each.
    New { flights: BTreeMap<u64, u64> },
    /// It has completely received this snapshot.
    Known { completed: u64 },
    /// It did not complete its first scrape.
    Broken,
}

#[derive(Debug)]
struct Scraper {
    standing: Standing,
    since: Timestamp,
}

/// The scrapers of the last minutes.
#[derive(Debug, Default)]
pub struct Scrapes {
    scrapers: BTreeMap<IpAddr, Scraper>,
    to_any: u64,
    ended: Ended,
}

impl Scrapes {
    /// Takes in what http tells, at `now`.
    pub fn record(&mut self, report: ScrapeReport, now: Timestamp) {
        self.to_any = self.to_any.max(report.snapshot);
        match report.progress {
            Progress::Begun => self.begin(report, now),
            Progress::Complete => self.complete(report, now),
            Progress::Broken => self.break_off(report, now),
        }
    }

    /// How far snapshots have come, at `now`.
    pub fn delivery(&mut self, now: Timestamp) -> Delivery {
        self.forget(now);
        let known = self.scrapers.values().any(|scraper| matches!(scraper.standing, Standing::Known { .. }));
        let waited_for = self.scrapers.values().filter_map(Scraper::has_or_will_have).min();
        Delivery { to_all: waited_for.filter(|_| known), to_any: self.to_any }
    }

    /// How many have ended.
    #[must_use]
    pub fn ended(&self) -> Ended {
        self.ended
    }

    fn begin(&mut self, report: ScrapeReport, now: Timestamp) {
        if let Some(scraper) = self.scrapers.get_mut(&report.client) {
            if let Standing::New { flights } = &mut scraper.standing
                && flights.len() < MAXIMUM_FLIGHTS
            {
                flights.insert(report.scrape, report.snapshot);
            }
            return;
        }
        if self.scrapers.len() < MAXIMUM_SCRAPERS && self.broken().count() < MAXIMUM_BROKEN {
            let standing = Standing::New { flights: BTreeMap::from([(report.scrape, report.snapshot)]) };
            self.scrapers.insert(report.client, Scraper { standing, since: now });
        }
    }

    fn complete(&mut self, report: ScrapeReport, now: Timestamp) {
        self.ended.complete += 1;
        let before = self.scrapers.get(&report.client).map(|scraper| &scraper.standing);
        let completed = match before {
            Some(&Standing::Known { completed }) => completed.max(report.snapshot),
            _ => report.snapshot,
        };
        if before.is_some() || self.scrapers.len() < MAXIMUM_SCRAPERS || self.forget_one_broken() {
            self.scrapers.insert(report.client, Scraper { standing: Standing::Known { completed }, since: now });
        }
    }

    fn break_off(&mut self, report: ScrapeReport, now: Timestamp) {
        self.ended.broken += 1;
        let Some(scraper) = self.scrapers.get_mut(&report.client) else { return };
        let Standing::New { flights } = &mut scraper.standing else { return };
        flights.remove(&report.scrape);
        if flights.is_empty() {
            *scraper = Scraper { standing: Standing::Broken, since: now };
        }
    }

    fn forget(&mut self, now: Timestamp) {
        self.scrapers.retain(|_, scraper| {
            // A clock that was set back must not keep it for longer.
            scraper.since = scraper.since.min(now);
            let age = now.since(scraper.since);
            if age > FIRST_SCRAPE && matches!(scraper.standing, Standing::New { .. }) {
                *scraper = Scraper { standing: Standing::Broken, since: now };
            }
            match scraper.standing {
                Standing::New { .. } => true,
                Standing::Known { .. } => age <= PATIENCE,
                Standing::Broken => now.since(scraper.since) <= MEMORY,
            }
        });
    }

    fn broken(&self) -> impl Iterator<Item = (&IpAddr, &Scraper)> {
        self.scrapers.iter().filter(|(_, scraper)| matches!(scraper.standing, Standing::Broken))
    }

    /// Makes room by the one that broke off longest ago, if there is one.
    fn forget_one_broken(&mut self) -> bool {
        let oldest = self.broken().min_by_key(|(_, scraper)| scraper.since).map(|(&client, _)| client);
        oldest.is_some_and(|client| self.scrapers.remove(&client).is_some())
    }
}

impl Scraper {
    /// The snapshot that it has, or will have at first; none when it is not waited for.
    fn has_or_will_have(&self) -> Option<u64> {
        match &self.standing {
            Standing::New { flights } => flights.values().min().copied(),
            Standing::Known { completed } => Some(*completed),
            Standing::Broken => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanoseconds(seconds * 1_000_000_000)
    }

    /// What http tells; the scrapes of one snapshot by one client are one.
    fn report(client: u32, snapshot: u64, progress: Progress) -> ScrapeReport {
        ScrapeReport { client: IpAddr::V4(client.into()), snapshot, scrape: snapshot, progress }
    }

    fn begun(client: u32, snapshot: u64) -> ScrapeReport {
        report(client, snapshot, Progress::Begun)
    }

    fn complete(client: u32, snapshot: u64) -> ScrapeReport {
        report(client, snapshot, Progress::Complete)
    }

    fn broken(client: u32, snapshot: u64) -> ScrapeReport {
        report(client, snapshot, Progress::Broken)
    }

    #[test]
    fn without_a_scraper_nothing_is_delivered() {
        assert_eq!(Scrapes::default().delivery(at(0)), Delivery { to_all: None, to_any: 0 });
    }

    #[test]
    fn one_that_has_only_asked_has_nothing() {
        let mut scrapes = Scrapes::default();
        scrapes.record(begun(1, 7), at(0));
        assert_eq!(scrapes.delivery(at(0)), Delivery { to_all: None, to_any: 7 });
    }

    #[test]
    fn all_have_what_the_slowest_has() {
        let mut scrapes = Scrapes::default();
        scrapes.record(complete(1, 7), at(0));
        scrapes.record(complete(2, 5), at(1));
        scrapes.record(begun(2, 9), at(2));
        assert_eq!(scrapes.delivery(at(3)), Delivery { to_all: Some(5), to_any: 9 });
    }

    #[test]
    fn a_late_report_does_not_set_a_scraper_back() {
        let mut scrapes = Scrapes::default();
        scrapes.record(complete(1, 7), at(0));
        scrapes.record(complete(1, 6), at(1));
        assert_eq!(scrapes.delivery(at(1)).to_all, Some(7));
    }

    #[test]
    fn a_first_scrape_is_waited_for_as_if_it_were_complete() {
        let mut scrapes = Scrapes::default();
        scrapes.record(begun(2, 3), at(0));
        for snapshot in 1..50 {
            scrapes.record(complete(1, snapshot), at(1));
            assert_eq!(scrapes.delivery(at(1)).to_all, Some(snapshot.min(3)));
        }
        scrapes.record(complete(2, 3), at(2));
        assert_eq!(scrapes.delivery(at(2)).to_all, Some(3));
        scrapes.record(complete(2, 48), at(3));
        assert_eq!(scrapes.delivery(at(3)).to_all, Some(48));
    }

    #[test]
    fn of_several_first_scrapes_all_are_waited_for() {
        let mut scrapes = Scrapes::default();
        scrapes.record(complete(1, 9), at(0));
        scrapes.record(begun(2, 3), at(0));
        scrapes.record(begun(2, 5), at(0));
        scrapes.record(broken(2, 3), at(0));
        assert_eq!(scrapes.delivery(at(0)).to_all, Some(5));
        scrapes.record(broken(2, 5), at(0));
        assert_eq!(scrapes.delivery(at(0)).to_all, Some(9));
    }

    #[test]
    fn who_has_gone_is_waited_for_five_minutes() {
        let mut scrapes = Scrapes::default();
        scrapes.record(complete(1, 7), at(0));
        scrapes.record(complete(2, 9), at(200));
        assert_eq!(scrapes.delivery(at(300)).to_all, Some(7));
        assert_eq!(scrapes.delivery(at(301)).to_all, Some(9));
        assert_eq!(scrapes.delivery(at(501)).to_all, None);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_for_longer() {
        let mut scrapes = Scrapes::default();
        scrapes.record(complete(1, 7), at(100_000));
        assert_eq!(scrapes.delivery(at(0)).to_all, Some(7));
        assert_eq!(scrapes.delivery(at(301)).to_all, None);
    }

    #[test]
    fn who_breaks_off_is_not_waited_for_again_until_it_completes() {
        let mut scrapes = Scrapes::default();
        for second in 0..1_000 {
            let snapshot = second as u64 + 1;
            scrapes.record(complete(1, snapshot), at(second));
            scrapes.record(begun(2, snapshot), at(second));
            scrapes.record(broken(2, snapshot), at(second));
            scrapes.record(begun(2, snapshot), at(second));
            assert_eq!(scrapes.delivery(at(second)).to_all, Some(snapshot));
        }
        scrapes.record(complete(2, 1_000), at(1_000));
        scrapes.record(complete(1, 1_001), at(1_000));
        assert_eq!(scrapes.delivery(at(1_000)).to_all, Some(1_000));
    }

    #[test]
    fn who_completes_and_then_breaks_off_for_ever_is_waited_for_five_minutes() {
        let mut scrapes = Scrapes::default();
        scrapes.record(complete(2, 1), at(0));
        for second in 0..1_000 {
            let snapshot = second as u64 + 1;
            scrapes.record(complete(1, snapshot), at(second));
            scrapes.record(begun(2, snapshot), at(second));
            scrapes.record(broken(2, snapshot), at(second));
            let expected = if second <= 300 { 1 } else { snapshot };
            assert_eq!(scrapes.delivery(at(second)).to_all, Some(expected), "{second}");
        }
    }

    #[test]
    fn a_first_scrape_without_end_is_waited_for_a_minute() {
        let mut scrapes = Scrapes::default();
        for second in 0..1_000 {
            let snapshot = second as u64 + 1;
            scrapes.record(complete(1, snapshot), at(second));
            scrapes.record(begun(2, snapshot), at(second));
            let expected = if second <= 60 { 1 } else { snapshot };
            assert_eq!(scrapes.delivery(at(second)).to_all, Some(expected), "{second}");
        }
    }

    #[test]
    fn however_many_addresses_break_off_rows_are_held_back_for_minutes_an_hour() {
        let mut scrapes = Scrapes::default();
        let mut held_back = 0;
        for second in 0..3_600 {
            let snapshot = second as u64 + 1;
            scrapes.record(complete(1, snapshot), at(second));
            scrapes.record(begun(1_000 + second as u32, snapshot), at(second));
            held_back += i64::from(scrapes.delivery(at(second)).to_all != Some(snapshot));
        }
        assert!((1..=60 * (MAXIMUM_BROKEN as i64 + 1)).contains(&held_back), "{held_back} s");
    }

    #[test]
    fn the_number_of_scrapers_is_bounded() {
        for known in [begun, complete] {
            let mut scrapes = Scrapes::default();
            for client in 0..1_000 {
                scrapes.record(known(client, 5), at(0));
            }
            assert_eq!(scrapes.scrapers.len(), MAXIMUM_SCRAPERS);
            scrapes.record(complete(1, 5), at(0));
            assert_eq!(scrapes.delivery(at(0)).to_all, Some(5));
            scrapes.record(begun(1_000, 5), at(61));
            scrapes.record(complete(1_000, 5), at(61));
            assert!(scrapes.scrapers.len() <= MAXIMUM_SCRAPERS);
        }
    }

    #[test]
    fn the_scrapes_of_one_that_are_told_apart_are_bounded() {
        let mut scrapes = Scrapes::default();
        (1..1_000).for_each(|snapshot| scrapes.record(begun(1, snapshot), at(0)));
        let scraper = scrapes.scrapers.values().next().unwrap();
        assert!(matches!(&scraper.standing, Standing::New { flights } if flights.len() == MAXIMUM_FLIGHTS));
    }
}
