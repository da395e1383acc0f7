//! A flow in a time range, whether it comes from the table of flows or from the history. Takes a row; gives its fields.
//! Must not know ranges.

use std::net::IpAddr;

use crate::account::flow::{Counters, FlowKey};
use crate::account::snapshot::ShownRow;
use crate::history::HistoryRow;
use crate::locality::Direction;
use crate::names::{HostNames, LocalProcess};
use crate::packet::{Protocol, Timestamp};

/// A flow in a time range, or the sum of light flows that have something in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RangeFlow {
    /// None in a sum of several senders.
    pub source: Option<IpAddr>,
    /// None in a sum of several receivers.
    pub destination: Option<IpAddr>,
    pub protocol: Protocol,
    /// The port of the service, 0 if there is none; none in a sum of several.
    pub port: Option<u16>,
    pub reply: bool,
    pub direction: Direction,
    /// The position of its name; none in the range since the start.
    pub interface: Option<u16>,
    pub counters: Counters,
    pub first_seen: Option<Timestamp>,
    /// None if a row outlives its flow.
    pub last_seen: Option<Timestamp>,
}

impl RangeFlow {
    /// The ends that are known.
    pub(super) fn ends(&self) -> impl Iterator<Item = IpAddr> {
        self.source.into_iter().chain(self.destination)
    }

    /// Both ends, if they are known.
    pub(super) fn both_ends(&self) -> Option<(IpAddr, IpAddr)> {
        self.source.zip(self.destination)
    }

    /// The process that holds the connection, if it is known.
    pub(super) fn process<'a>(&self, names: &'a HostNames) -> Option<&'a LocalProcess> {
        names.process(self.both_ends()?, self.protocol, self.port?)
    }

    /// True if the source is local.
    pub(super) fn is_source_local(&self) -> bool {
        matches!(self.direction, Direction::Outgoing | Direction::Local)
    }

    /// True if the destination is local.
    pub(super) fn is_destination_local(&self) -> bool {
        matches!(self.direction, Direction::Incoming | Direction::Local)
    }
}

impl From<&ShownRow<FlowKey>> for RangeFlow {
    fn from(row: &ShownRow<FlowKey>) -> Self {
        let FlowKey { source, destination, protocol, port, reply, direction } = row.key;
        let (source, destination, port) = (Some(source), Some(destination), Some(port));
        let (counters, first_seen, last_seen) = (row.lifetime, Some(row.first_seen), row.last_seen);
        let interface = None;
        Self { source, destination, protocol, port, reply, direction, interface, counters, first_seen, last_seen }
    }
}

impl From<&HistoryRow> for RangeFlow {
    /// Without the times, which the row has relative to its cell.
    fn from(row: &HistoryRow) -> Self {
        Self {
            source: row.source(),
            destination: row.destination(),
            protocol: row.protocol(),
            port: row.port(),
            reply: row.is_reply(),
            direction: row.direction(),
            interface: None,
            counters: row.counters(),
            first_seen: None,
            last_seen: None,
        }
    }
}
