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
use crate::export::api::role::AddressRole;
use crate::export::api::sums::{AddressKey, FlowSum, map, pairs};
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
    peers: u64,
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
        column("first_seen", |host, _| CellValue::time(host.all.first_seen)),
        column("last_seen", |host, _| CellValue::time(host.all.last_seen)),
        column("alerts", |host, _| CellValue::Count(host.alerts)),
    ];

    fn rows(context: &TableContext<'_>) -> Vec<Self> {
        let mut positions: HashMap<AddressKey, u32, State> = map();
        let mut hosts: Vec<Self> = Vec::new();
        for pair in pairs(&context.traffic.flows) {
            for (address, is_local, _) in pair.ends() {
                let position = *positions.entry(AddressKey(address)).or_insert_with(|| {
                    hosts.push(Self::new(address));
                    hosts.len() as u32 - 1
                });
                let host = &mut hosts[position as usize];
                let (sent, received) = pair.sent_and_received(address);
                host.sent.add(sent);
                host.received.add(received);
                host.all.join(&pair.both());
                host.is_local |= is_local;
                host.peers += 1;
            }
        }
        for (address, alerts) in firing_of(&context.inputs.report.alerts) {
            if let Some(&position) = positions.get(&AddressKey(address)) {
                hosts[position as usize].alerts = alerts;
            }
        }
        hosts.retain(|host| host.role(context.inputs.names) == AddressRole::Host);
        hosts
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
        Self { address, is_local: false, sent: none, received: none, all: FlowSum::default(), peers: 0, alerts: 0 }
    }
}
