//! Rates over time, by direction. Takes the history; gives series as JSON. Must not know how they are drawn.
//!
//! Without a filter the series are exact. With one they are summed from the rows of each cell; the traffic of which it
//! is not known whether it passes the filter is a series of its own. The last cell may be shorter than the others.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::ApiInputs;
use super::alerts::{listed_in, source_of};
use super::filter::{FilterVerdict, FlowFilter};
use super::flow::RangeFlow;
use super::moment::Rfc3339;
use super::query::{BadParameter, Parameters};
use super::traffic::per_second;
use crate::account::flow::Counters;
use crate::alert::Alert;
use crate::history::{DirectionSums, HistoryRange, HistoryView, RowsCell, TotalsCell};
use crate::locality::Direction;
use crate::packet::Timestamp;

pub(super) const PARAMETERS: [&str; 2] = ["range", "filter"];

/// A request for rates over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HistoryQuery {
    range: HistoryRange,
    filter: FlowFilter,
}

impl HistoryQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, BadParameter> {
        Ok(Self {
            range: parameters.choice("range", &HistoryRange::ALL.map(|range| (range.label(), range)))?,
            filter: FlowFilter::parse(parameters.text("filter").unwrap_or_default())?,
        })
    }

    pub(super) fn write<W: Write>(&self, inputs: &ApiInputs<'_>, out: W) -> io::Result<()> {
        let totals = all_totals(inputs.history, self.range);
        let (step, cells) = if self.filter.is_empty() {
            let cells = totals.iter().copied().map(RateCell::of_totals);
            (self.range.totals_step(), joined(cells, inputs.history.totals(self.range).len()))
        } else {
            let cells = inputs.history.all_rows(self.range).map(|cell| self.filtered(cell, &totals, inputs));
            (self.range.rows_step(), joined(cells, inputs.history.rows(self.range).len()))
        };
        let is_filtered = !self.filter.is_empty();
        let begin = cells.first().map(|cell| cell.start);
        let answer = HistoryAnswer {
            range: self.range.label(),
            step_seconds: step.as_secs_f64(),
            number: inputs.history.number,
            times: cells.iter().map(|cell| cell.start.seconds()).collect(),
            bytes_per_second: RateSeries { cells: &cells, value: |counters| counters.bytes },
            packets_per_second: RateSeries { cells: &cells, value: |counters| counters.packets },
            dropped: cells.iter().map(|cell| cell.dropped).collect(),
            unlisted_bytes_per_second: is_filtered
                .then(|| cells.iter().map(|cell| per_second(cell.unlisted_bytes, cell.seconds)).collect()),
            alerts: listed_in(inputs, begin, &self.filter).into_iter().map(AlertSpan::of).collect(),
        };
        Ok(serde_json::to_writer(out, &answer)?)
    }

    /// The rows of a cell that pass the filter. `totals` are the cells of all traffic in the range.
    fn filtered(&self, cell: &RowsCell, totals: &[&TotalsCell], inputs: &ApiInputs<'_>) -> RateCell {
        let (mut traffic, mut unlisted) = (DirectionSums::default(), cell.unlisted);
        for row in &cell.rows {
            let interface = inputs.history.interface(row.interface());
            match self.filter.verdict(&RangeFlow::from(row), Some(interface), inputs) {
                FilterVerdict::Passes => traffic[row.direction() as usize].add(row.counters()),
                FilterVerdict::Undecided => unlisted[row.direction() as usize].add(row.counters()),
                FilterVerdict::Fails => {}
            }
        }
        let during = totals.iter().filter(|totals| totals.start >= cell.start && totals.start < cell.end());
        RateCell {
            start: cell.start,
            seconds: cell.seconds.into(),
            traffic,
            dropped: during.map(|totals| totals.dropped()).sum(),
            unlisted_bytes: unlisted.iter().map(|counters| counters.bytes).sum(),
        }
    }
}

/// The cells of all traffic in a range, and those of seconds since the last of them ended.
fn all_totals(history: &HistoryView, range: HistoryRange) -> Vec<&TotalsCell> {
    let cells = history.totals(range);
    let since = cells.last().map_or(Timestamp::BEFORE_ALL, TotalsCell::end);
    let seconds = history.totals(HistoryRange::FiveMinutes).iter().filter(|cell| cell.start >= since);
    cells.iter().chain(seconds).collect()
}

/// The first cells, which are `full`, and one cell of all that follow, so that a series ends with the last second.
fn joined(mut cells: impl Iterator<Item = RateCell>, full: usize) -> Vec<RateCell> {
    let mut joined: Vec<RateCell> = cells.by_ref().take(full).collect();
    joined.extend(cells.reduce(RateCell::joined));
    joined
}

/// The traffic of one cell.
struct RateCell {
    start: Timestamp,
    seconds: f64,
    traffic: DirectionSums,
    dropped: u64,
    unlisted_bytes: u64,
}

impl RateCell {
    fn of_totals(cell: &TotalsCell) -> Self {
        let (seconds, dropped) = (cell.seconds.into(), cell.dropped());
        Self { start: cell.start, seconds, traffic: cell.traffic, dropped, unlisted_bytes: 0 }
    }

    /// One cell of two that follow each other.
    fn joined(mut self, next: Self) -> Self {
        self.seconds += next.seconds;
        self.traffic.iter_mut().zip(next.traffic).for_each(|(sum, counters)| sum.add(counters));
        self.dropped += next.dropped;
        self.unlisted_bytes += next.unlisted_bytes;
        self
    }
}

#[derive(Serialize)]
struct HistoryAnswer<'a> {
    range: &'static str,
    step_seconds: f64,
    number: u64,
    times: Vec<i64>,
    bytes_per_second: RateSeries<'a>,
    packets_per_second: RateSeries<'a>,
    dropped: Vec<u64>,
    unlisted_bytes_per_second: Option<Vec<f64>>,
    alerts: Vec<AlertSpan>,
}

/// The rates of one value by direction.
struct RateSeries<'a> {
    cells: &'a [RateCell],
    value: fn(&Counters) -> u64,
}

impl Serialize for RateSeries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rate =
            |cell: &RateCell, direction| per_second((self.value)(&cell.traffic[direction as usize]), cell.seconds);
        let series = |direction: Direction| self.cells.iter().map(|cell| rate(cell, direction)).collect::<Vec<f64>>();
        serializer.collect_map(Direction::ALL.map(|direction| (direction.label(), series(direction))))
    }
}

/// The time of an alert.
#[derive(Serialize)]
struct AlertSpan {
    fingerprint: String,
    kind: &'static str,
    severity: &'static str,
    source: Option<IpAddr>,
    starts_at: Rfc3339,
    ends_at: Option<Rfc3339>,
}

impl AlertSpan {
    fn of(alert: &Alert) -> Self {
        Self {
            fingerprint: alert.fingerprint.to_string(),
            kind: alert.kind.label(),
            severity: alert.severity.label(),
            source: source_of(alert),
            starts_at: Rfc3339(alert.starts_at),
            ends_at: alert.ends_at.map(Rfc3339),
        }
    }
}
