//! The flows of a time range. Takes the ledger's snapshot or the history; gives the flows that pass a filter, and the
//! rest. Must not know the tables that are made of them.

use super::ApiInputs;
use super::filter::{FilterVerdict, FlowFilter};
use super::flow::RangeFlow;
use super::query::{BadParameter, Parameters};
use crate::account::flow::Counters;
use crate::history::{HistoryRange, RangeRow, RangeRows};
use crate::packet::Timestamp;

/// The shortest time that rates are divided by, in seconds. A shorter one counts as a second.
const SHORTEST: f64 = 0.001;

/// The time range of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeRange {
    /// A range that ends now.
    Recent(HistoryRange),
    /// All since the start.
    All,
}

impl TimeRange {
    /// The word of the range since the start.
    const ALL: &'static str = "all";

    /// The range of the parameter `range`.
    fn parse(parameters: &Parameters) -> Result<Self, BadParameter> {
        let recent = HistoryRange::ALL.map(|range| (range.label(), Self::Recent(range)));
        let [live, five_minutes, hour] = recent;
        parameters.choice("range", &[live, five_minutes, hour, (Self::ALL, Self::All)])
    }

    /// The word of the parameter.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Recent(range) => range.label(),
            Self::All => Self::ALL,
        }
    }
}

/// The parameters `range` and `filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TrafficQuery {
    pub range: TimeRange,
    pub filter: FlowFilter,
}

impl TrafficQuery {
    /// Reads both.
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, BadParameter> {
        let range = TimeRange::parse(parameters)?;
        let filter = FlowFilter::parse(parameters.text("filter").unwrap_or_default())?;
        if range == TimeRange::All && filter.asks_for_interface() {
            return Err(BadParameter::new(
                "filter",
                "interface: needs a range; with range=all interfaces are not known",
            ));
        }
        Ok(Self { range, filter })
    }
}

/// The flows of a range that pass a filter, and the sums of the range.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct RangeTraffic {
    pub flows: Vec<RangeFlow>,
    /// The time that the range covers, in seconds.
    pub seconds: f64,
    /// Traffic of the range that has no row, whatever the filter, and sums of flows of which some may pass it.
    pub other: Counters,
    /// The names of interfaces by position.
    interfaces: Vec<String>,
}

impl RangeTraffic {
    /// The flows that `query` asks for.
    pub(super) fn of(inputs: &ApiInputs<'_>, query: &TrafficQuery) -> Self {
        match query.range {
            TimeRange::All => Self::since_the_start(inputs, &query.filter),
            TimeRange::Recent(range) => Self::recent(inputs, range, &query.filter),
        }
    }

    fn since_the_start(inputs: &ApiInputs<'_>, filter: &FlowFilter) -> Self {
        let accounts = &inputs.report.accounts;
        let (mut flows, mut listed) = (Vec::with_capacity(accounts.flows.rows.len()), Counters::default());
        let (mut first, mut last) = (None, None);
        for row in &accounts.flows.rows {
            let flow = RangeFlow::from(row);
            listed.add(flow.counters);
            first = earlier(first, flow.first_seen);
            last = last.max(flow.last_seen);
            if filter.verdict(&flow, None, inputs) == FilterVerdict::Passes {
                flows.push(flow);
            }
        }
        let is_live = inputs.settings.is_live;
        let (first, last) = if is_live { (Some(inputs.settings.started), Some(inputs.now)) } else { (first, last) };
        let seconds = first.zip(last).map_or(0.0, |(first, last)| last.since(first).as_secs_f64());
        Self { flows, seconds, other: rest(accounts.totals.ip(), listed), interfaces: Vec::new() }
    }

    fn recent(inputs: &ApiInputs<'_>, range: HistoryRange, filter: &FlowFilter) -> Self {
        let RangeRows { covered, rows, unlisted } = inputs.history.rows_of(range);
        let other = unlisted.into_iter().fold(Counters::default(), Counters::plus);
        let mut traffic = Self { seconds: covered.as_secs_f64(), other, ..Self::default() };
        for row in &rows {
            let flow = traffic.flow(row);
            match filter.verdict(&flow, Some(row.interface), inputs) {
                FilterVerdict::Passes => traffic.flows.push(flow),
                FilterVerdict::Undecided => traffic.other.add(flow.counters),
                FilterVerdict::Fails => {}
            }
        }
        traffic
    }

    fn flow(&mut self, row: &RangeRow<'_>) -> RangeFlow {
        let &RangeRow { source, destination, protocol, port, direction, bytes, packets, .. } = row;
        RangeFlow {
            source,
            destination,
            protocol,
            port,
            reply: row.is_reply,
            direction,
            interface: Some(self.position(row.interface)),
            counters: Counters { packets, bytes },
            first_seen: Some(row.first_seen),
            last_seen: Some(row.last_seen),
        }
    }

    /// The position of an interface's name. There are few.
    fn position(&mut self, interface: &str) -> u16 {
        let known = self.interfaces.iter().position(|name| name == interface);
        let position = known.unwrap_or_else(|| {
            self.interfaces.push(interface.to_owned());
            self.interfaces.len() - 1
        });
        u16::try_from(position).unwrap_or(u16::MAX)
    }

    /// The name of a flow's interface.
    pub(super) fn interface(&self, flow: &RangeFlow) -> Option<&str> {
        self.interfaces.get(usize::from(flow.interface?)).map(String::as_str)
    }

    /// Bytes or packets per second.
    pub(super) fn per_second(&self, amount: u64) -> f64 {
        per_second(amount, self.seconds)
    }
}

/// An amount over a time in seconds, to three decimals.
pub(super) fn per_second(amount: u64, seconds: f64) -> f64 {
    let seconds = if seconds < SHORTEST { 1.0 } else { seconds };
    (amount as f64 / seconds * 1_000.0).round() / 1_000.0
}

/// The part of `all` that is not listed. Rows may be newer than the sums, so neither is below 0.
fn rest(all: Counters, listed: Counters) -> Counters {
    let packets = all.packets.saturating_sub(listed.packets);
    Counters { packets, bytes: all.bytes.saturating_sub(listed.bytes) }
}

/// The earlier of two moments that may be unknown.
pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
