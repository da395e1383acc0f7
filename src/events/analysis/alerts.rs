//! The alerts in a log, by kind and subject. Takes lines of alerts; gives their episodes and highest figures. Must not
//! know thresholds.
//!
//! The line of the start and that of the end of an episode have the same `starts_at`: they count as one.

use std::net::IpAddr;

use ipnet::IpNet;

use super::activity::{AlertLine, EventTally};
use super::distinct::Distinct;
use super::record::LoggedKind;
use crate::events::top::{TopTable, Weighted};
use crate::tables::sampling::mixed;

/// The subject of alerts; of a pair its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum AlertSubject {
    Source(IpAddr),
    Target(IpAddr),
    Network(IpNet),
}

/// All alerts of one kind and subject.
#[derive(Debug, Clone, Default)]
pub(super) struct AlertHistory {
    /// Lines, with the times and places of the first and the last.
    pub(super) tally: EventTally,
    /// Different starts.
    starts: Distinct,
    /// Starts whose lines do not tell when.
    starts_without_time: u64,
    pub(super) resolved: u64,
    /// The highest figure, with its limit and its window in seconds.
    pub(super) peak: f64,
    pub(super) limit: f64,
    pub(super) window_seconds: f64,
    /// The time of the packets, in nanoseconds since the epoch.
    pub(super) active: Option<(i64, i64)>,
}

impl AlertHistory {
    /// Adds a line. True if it is the first one of an episode.
    fn add(&mut self, line: &AlertLine<'_>) -> bool {
        let alert = line.alert;
        self.tally.add_line(line.time, line.place);
        self.resolved += u64::from(alert.is_resolved);
        if self.tally.events == 1 || alert.figure() > self.peak {
            self.peak = alert.figure();
            self.limit = alert.limit.unwrap_or(0.0);
            self.window_seconds = alert.window_seconds.unwrap_or(0.0);
        }
        let (first, last) = alert.active_time(line.time);
        let (earliest, latest) = self.active.unwrap_or((first, last));
        self.active = Some((earliest.min(first), latest.max(last)));
        match alert.starts_at {
            Some(start) => self.starts.add(mixed(start.cast_unsigned())),
            None => {
                self.starts_without_time += u64::from(!alert.is_resolved);
                !alert.is_resolved
            }
        }
    }

    /// Episodes, the start and the end of each taken together.
    pub(super) fn episodes(&self) -> u64 {
        // A log may begin with the end of an episode.
        (self.starts.count() + self.starts_without_time).max(self.resolved.min(1))
    }

    /// The figure per second of its window.
    pub(super) fn peak_per_second(&self) -> f64 {
        self.peak / self.window_seconds.max(1.0)
    }
}

impl Weighted for AlertHistory {
    fn weight(&self) -> u64 {
        self.episodes()
    }
}

/// The alerts of all subjects. Bounded.
#[derive(Debug)]
pub(super) struct AlertTable(TopTable<(LoggedKind, AlertSubject), AlertHistory>);

impl AlertTable {
    pub(super) fn new(capacity: usize) -> Self {
        Self(TopTable::new(capacity))
    }

    /// Adds a line. True if it is the first one of an episode.
    pub(super) fn add(&mut self, subject: AlertSubject, line: &AlertLine<'_>) -> bool {
        self.0.entry((line.kind, subject)).add(line)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LoggedKind, AlertSubject, &AlertHistory)> {
        self.0.iter().map(|((kind, subject), history)| (*kind, *subject, history))
    }

    /// Episodes that an entry may lack; 0 if all are there.
    pub(super) const fn forgotten(&self) -> u64 {
        self.0.forgotten()
    }
}
