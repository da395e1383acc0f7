//! The table of devices: local addresses by the address of their network interface. Takes pairs of hosts and names;
//! gives sums by device. Must not know other tables.
//!
//! A local address whose interface is not known is a device of its own. Groups and broadcast addresses are no devices.

use std::cmp::Ordering;
use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use super::{Column, TableContext, TableRow, column};
use crate::account::flow::Counters;
use crate::export::api::cell::CellValue;
use crate::export::api::flow::RangeFlow;
use crate::export::api::role::AddressRole;
use crate::export::api::sums::{AddressKey, EndSum, FlowSum, PairSum, map, pairs, set, single_ends};
use crate::names::HostNames;
use crate::tables::hashing::State;

/// The traffic of one device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DeviceSum {
    mac: Option<Box<str>>,
    /// In order.
    addresses: Vec<IpAddr>,
    sent: Counters,
    received: Counters,
    all: FlowSum,
    peers: u64,
    /// True if sums of light flows hide others.
    has_more_peers: bool,
}

impl TableRow for DeviceSum {
    const COLUMNS: &'static [Column<Self>] = &[
        column("mac", |device, _| CellValue::text(device.mac.as_deref())),
        column("vendor", |device, context| {
            let of = |address: &IpAddr| context.inputs.names.host(*address)?.vendor.as_deref();
            CellValue::text(device.addresses.iter().find_map(of))
        }),
        column("name", |device, context| {
            CellValue::text(device.addresses.iter().find_map(|address| context.inputs.names.best(*address)))
        }),
        column("addresses", |device, _| CellValue::Addresses(device.addresses.clone())),
        column("sent_bytes", |device, _| CellValue::Count(device.sent.bytes)),
        column("received_bytes", |device, _| CellValue::Count(device.received.bytes)),
        column("bytes", |device, _| CellValue::Count(device.all.counters.bytes)),
        column("packets", |device, _| CellValue::Count(device.all.counters.packets)),
        column("bytes_per_second", |device, context| context.rate(device.all.counters.bytes)),
        column("peers", |device, _| CellValue::Count(device.peers)),
        column("peers_is_lower_bound", |device, _| CellValue::Flag(device.has_more_peers)),
        column("first_seen", |device, _| CellValue::time(device.all.first_seen)),
        column("last_seen", |device, _| CellValue::time(device.all.last_seen)),
    ];

    fn rows(context: &TableContext<'_>) -> Vec<Self> {
        let mut devices = Devices::of(context.inputs.names);
        let pairs = pairs(&context.traffic.flows);
        // All local addresses first, so that two addresses of one device are known as such.
        for (address, is_local, _) in pairs.iter().flat_map(PairSum::ends) {
            if is_local {
                devices.enter(address);
            }
        }
        let singles = single_ends(&context.traffic.flows);
        singles.iter().filter(|sum| sum.is_local).for_each(|sum| devices.enter(sum.end));
        pairs.iter().for_each(|pair| devices.add(pair));
        singles.iter().for_each(|sum| devices.add_single(sum));
        devices.sums.retain(|device| device.is_host(context.inputs.names));
        devices.sums
    }

    fn is_of(flow: &RangeFlow) -> bool {
        let has_source = flow.is_source_local() && flow.source.is_some();
        has_source || flow.is_destination_local() && flow.destination.is_some()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.addresses.cmp(&other.addresses)
    }
}

impl DeviceSum {
    /// False for an address that no host has. Such an address has no interface.
    fn is_host(&self, names: &HostNames) -> bool {
        let has_sent = self.sent.packets > 0;
        let is_host = |address: &IpAddr| AddressRole::of(*address, true, has_sent, names) == AddressRole::Host;
        self.mac.is_some() || self.addresses.iter().any(is_host)
    }
}

/// The devices so far, and the positions of their addresses.
struct Devices<'a> {
    names: &'a HostNames,
    sums: Vec<DeviceSum>,
    by_address: HashMap<AddressKey, u32, State>,
    by_mac: HashMap<&'a str, u32, State>,
    peers: HashSet<(u32, AddressKey), State>,
}

impl<'a> Devices<'a> {
    fn of(names: &'a HostNames) -> Self {
        Self { names, sums: Vec::new(), by_address: map(), by_mac: map(), peers: set() }
    }

    fn enter(&mut self, address: IpAddr) {
        if self.by_address.contains_key(&AddressKey(address)) {
            return;
        }
        let mac = self.names.host(address).and_then(|names| names.mac.as_ref());
        let known = mac.and_then(|mac| self.by_mac.get(&**mac).copied());
        let position = known.unwrap_or(self.sums.len() as u32);
        if known.is_none() {
            self.sums.push(DeviceSum { mac: mac.cloned(), ..DeviceSum::default() });
        }
        if let Some(mac) = mac {
            self.by_mac.insert(mac, position);
        }
        let addresses = &mut self.sums[position as usize].addresses;
        let at = addresses.partition_point(|before| *before < address);
        addresses.insert(at, address);
        self.by_address.insert(AddressKey(address), position);
    }

    fn add_single(&mut self, sum: &EndSum) {
        let Some(&position) = self.by_address.get(&AddressKey(sum.end)) else { return };
        let device = &mut self.sums[position as usize];
        device.sent.add(sum.sent.counters);
        device.received.add(sum.received.counters);
        device.all.join(&sum.both());
        device.has_more_peers = true;
    }

    fn add(&mut self, pair: &PairSum) {
        let position = |address| self.by_address.get(&AddressKey(address)).copied();
        let is_within = pair.a != pair.b && position(pair.a).is_some() && position(pair.a) == position(pair.b);
        for (number, (address, _, peer)) in pair.ends().enumerate() {
            let Some(&position) = self.by_address.get(&AddressKey(address)) else { continue };
            let device = &mut self.sums[position as usize];
            let (sent, received) = pair.sent_and_received(address);
            device.sent.add(sent);
            device.received.add(received);
            // Traffic between two addresses of a device counts once.
            if !(is_within && number == 1) {
                device.all.join(&pair.both());
            }
            device.peers += u64::from(self.peers.insert((position, AddressKey(peer))));
        }
    }
}
