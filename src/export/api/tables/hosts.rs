//! The table of hosts: one row for each address. Takes pairs of hosts; gives sums by host. Must not know other tables.
//!
//! Multicast groups, broadcast addresses and the unspecified address are no hosts: pairs and flows have their traffic.

use std::cmp::Ordering;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::{Column, TableContext, TableRow, column, unordered};
use crate::account::flow::Counters;
use crate::export::api::alerts::firing_of;
use crate::export::api::cell::CellValue;
use crate::export::api::flow::RangeFlow;
use crate::export::api::role::AddressRole;
use crate::export::api::sums::{AddressKey, FlowSum, map, pairs, single_ends};
use crate::names::HostNames;
use crate::tables::hashing::State;

/// The traffic of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostSum {
    address: IpAddr,
    is_local: bool,
    sent: Counters,
    received: Counters,
    /// Each packet counts once, also of a host that talks to itself.
    all: FlowSum,
    /// The other ends that have a row.
    peers: u64,
    /// True if sums of light flows hide others.
    has_more_peers: bool,
    /// Firing alerts about it.
    alerts: u64,
}

impl TableRow for HostSum {
    const COLUMNS: &'static [Column<Self>] = &[
        column("address", |host, _| CellValue::Address(host.address)),
        column("is_local", |host, _| CellValue::Flag(host.is_local)),
        column("name", |host, context| context.name(host.address)),
        unordered("names", |host, context| CellValue::Names(context.inputs.names.host(host.address))),
        column("sent_bytes", |host, _| CellValue::Count(host.sent.bytes)),
        column("received_bytes", |host, _| CellValue::Count(host.received.bytes)),
        column("bytes", |host, _| CellValue::Count(host.all.counters.bytes)),
        column("packets", |host, _| CellValue::Count(host.all.counters.packets)),
        column("bytes_per_second", |host, context| context.rate(host.all.counters.bytes)),
        column("peers", |host, _| CellValue::Count(host.peers)),
        column("peers_is_lower_bound", |host, _| CellValue::Flag(host.has_more_peers)),
        column("first_seen", |host, _| CellValue::time(host.all.first_seen)),
        column("last_seen", |host, _| CellValue::time(host.all.last_seen)),
        column("alerts", |host, _| CellValue::Count(host.alerts)),
    ];

    fn rows(context: &TableContext<'_>) -> Vec<Self> {
        let mut hosts = Hosts::default();
        for pair in pairs(&context.traffic.flows) {
            for (address, is_local, _) in pair.ends() {
                let (sent, received) = pair.sent_and_received(address);
                let host = hosts.at(address);
                host.add(sent, received, &pair.both(), is_local);
                host.peers += 1;
            }
        }
        for sum in single_ends(&context.traffic.flows) {
            let host = hosts.at(sum.end);
            host.add(sum.sent.counters, sum.received.counters, &sum.both(), sum.is_local);
            host.has_more_peers = true;
        }
        for (address, alerts) in firing_of(&context.inputs.report.alerts) {
            if let Some(&position) = hosts.positions.get(&AddressKey(address)) {
                hosts.sums[position as usize].alerts = alerts;
            }
        }
        hosts.sums.retain(|host| host.role(context.inputs.names) == AddressRole::Host);
        hosts.sums
    }

    fn is_of(flow: &RangeFlow) -> bool {
        flow.ends().next().is_some()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.address.cmp(&other.address)
    }
}

impl HostSum {
    fn role(&self, names: &HostNames) -> AddressRole {
        AddressRole::of(self.address, self.is_local, self.sent.packets > 0, names)
    }

    fn new(address: IpAddr) -> Self {
        let none = Counters::default();
        let all = FlowSum::default();
        Self { address, is_local: false, sent: none, received: none, all, peers: 0, has_more_peers: false, alerts: 0 }
    }

    fn add(&mut self, sent: Counters, received: Counters, all: &FlowSum, is_local: bool) {
        self.sent.add(sent);
        self.received.add(received);
        self.all.join(all);
        self.is_local |= is_local;
    }
}

/// The hosts so far, and their positions.
struct Hosts {
    sums: Vec<HostSum>,
    positions: HashMap<AddressKey, u32, State>,
}

impl Default for Hosts {
    fn default() -> Self {
        Self { sums: Vec::new(), positions: map() }
    }
}

impl Hosts {
    fn at(&mut self, address: IpAddr) -> &mut HostSum {
        let position = *self.positions.entry(AddressKey(address)).or_insert_with(|| {
            self.sums.push(HostSum::new(address));
            self.sums.len() as u32 - 1
        });
        &mut self.sums[position as usize]
    }
}
