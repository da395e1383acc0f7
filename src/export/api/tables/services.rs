//! The table of services: one row for each protocol and port. Takes flows; gives sums. Must not know other tables.

use std::cmp::Ordering;

use hashbrown::{HashMap, HashSet};

use super::{Column, TableContext, TableRow, column};
use crate::export::api::cell::CellValue;
use crate::export::api::sums::{AddressKey, FlowSum, map, set};
use crate::export::api::words::{port_cell, protocol_cell, service_cell};
use crate::packet::Protocol;
use crate::tables::hashing::State;

/// The traffic of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServiceSum {
    protocol: Protocol,
    /// None for all ports without a row of their own.
    port: Option<u16>,
    all: FlowSum,
    /// Addresses at either end that have a row.
    hosts: u64,
}

impl TableRow for ServiceSum {
    const COLUMNS: &'static [Column<Self>] = &[
        column("protocol", |service, _| protocol_cell(service.protocol)),
        column("port", |service, _| port_cell(service.port)),
        column("service", |service, _| service_cell(service.protocol, service.port)),
        column("bytes", |service, _| CellValue::Count(service.all.counters.bytes)),
        column("packets", |service, _| CellValue::Count(service.all.counters.packets)),
        column("bytes_per_second", |service, context| context.rate(service.all.counters.bytes)),
        column("hosts", |service, _| CellValue::Count(service.hosts)),
        column("first_seen", |service, _| CellValue::time(service.all.first_seen)),
        column("last_seen", |service, _| CellValue::time(service.all.last_seen)),
    ];

    fn rows(context: &TableContext<'_>) -> Vec<Self> {
        let mut positions: HashMap<(Protocol, Option<u16>), u32, State> = map();
        let mut seen: HashSet<(u32, AddressKey), State> = set();
        let mut services: Vec<Self> = Vec::new();
        for flow in &context.traffic.flows {
            let position = *positions.entry((flow.protocol, flow.port)).or_insert_with(|| {
                services.push(Self { protocol: flow.protocol, port: flow.port, all: FlowSum::default(), hosts: 0 });
                services.len() as u32 - 1
            });
            let service = &mut services[position as usize];
            service.all.add(flow);
            for end in flow.ends() {
                service.hosts += u64::from(seen.insert((position, AddressKey(end))));
            }
        }
        services
    }

    fn order(&self, other: &Self) -> Ordering {
        (self.protocol, self.port).cmp(&(other.protocol, other.port))
    }
}
