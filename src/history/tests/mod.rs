//! Tests of the history. Rows come through a ledger, as in a capture.

mod cells;
mod clocks;
mod condensed;
mod limits;
mod sums;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use crate::account::flow::Counters;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::account::observer::{NotPermittedSums, RowObserver};
use crate::account::{self, InterfaceId};
use crate::decode::NotIp;
use crate::locality::{self, Classifier, Direction};
use crate::packet::{Addresses, Packet, Protocol, TcpFlags};
use HistoryRange::{FiveMinutes, Hour, Live};

const SEED: u64 = 7;
const SECOND: i64 = 1_000_000_000;
/// A second in which a cell of 60 s begins.
const START: i64 = 1_700_000_040;

/// The history as an observer of the ledger.
struct Observed(History);

impl RowObserver for Observed {
    type Notes = ();

    fn enter(&mut self, _: InterfaceId, name: &str, _: NotPermittedSums) {
        self.0.enter(name);
    }

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, ()>) {
        self.0.observe(rows);
    }

    fn count_rowless(&mut self, sums: &RowlessSums) {
        self.0.count_rowless(sums);
    }
}

/// A capture of several interfaces into one ledger with a history.
struct Traffic {
    ledger: Ledger,
    observed: Observed,
    intervals: Vec<Interval>,
}

impl Traffic {
    fn of(interfaces: usize) -> Self {
        let classifier = Arc::new(Classifier::new(&locality::Config::default(), []));
        let intervals = (0..interfaces).map(|_| Interval::new(Arc::clone(&classifier), SEED)).collect();
        let observed = Observed(History::new(FlowKeying::Service, SEED));
        Self { ledger: Ledger::new(&account::Config::default(), SEED), observed, intervals }
    }

    fn count(&mut self, interface: usize, packet: &Packet) {
        self.intervals[interface].observe(packet, packet.bytes + 14);
    }

    fn merge(&mut self, interface: usize) {
        let interval = &mut self.intervals[interface];
        interval.close();
        let id = self.ledger.interface(&format!("eth{interface}"));
        self.ledger.merge(id, interval, &mut self.observed);
        interval.reset();
    }

    /// Counts packets on the first interface and merges them.
    fn take(&mut self, packets: impl IntoIterator<Item = Packet>) {
        packets.into_iter().for_each(|packet| self.count(0, &packet));
        self.merge(0);
    }

    fn history(&mut self) -> &mut History {
        &mut self.observed.0
    }

    fn advance(&mut self, seconds: i64) {
        self.history().advance(at(seconds));
    }

    fn view(&self) -> HistoryView {
        self.observed.0.view()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds_and_nanoseconds(seconds, 0)
}

/// The address of a local host.
fn local(host: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + host)
}

/// A UDP packet between two ports.
fn packet(nanoseconds: i64, source: impl Into<IpAddr>, destination: impl Into<IpAddr>, bytes: u32) -> Packet {
    let addresses = match (source.into(), destination.into()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Addresses::V4 { source, destination },
        (IpAddr::V6(source), IpAddr::V6(destination)) => Addresses::V6 { source, destination },
        (source, destination) => panic!("{source} and {destination} have different versions"),
    };
    Packet {
        time: Timestamp::from_nanoseconds(nanoseconds),
        addresses,
        protocol: Protocol::UDP,
        source_port: 50_000,
        destination_port: 53,
        tcp_flags: TcpFlags(0),
        has_payload: false,
        icmp_type: None,
        outgoing: false,
        bytes,
    }
}

/// A packet from local host 1 to local host 2.
fn local_packet(nanoseconds: i64, bytes: u32) -> Packet {
    packet(nanoseconds, local(1), local(2), bytes)
}

/// The bytes of all directions, cell by cell.
fn bytes(cells: &[TotalsCell]) -> Vec<u64> {
    cells.iter().map(|cell| cell.ip().bytes).collect()
}

/// All traffic of the cells of rows in a range.
fn traffic(view: &HistoryView, range: HistoryRange) -> DirectionSums {
    view.all_rows(range).fold(DirectionSums::default(), |mut sums, cell| {
        add_sums(&mut sums, &cell.traffic());
        sums
    })
}
