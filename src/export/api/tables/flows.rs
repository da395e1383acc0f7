//! The table of flows: one row for each source, destination, protocol, port and direction. Takes the flows of a range;
//! gives them as rows. Must not know other tables.
//!
//! Light flows of a recent range are added up. Such a row lacks the ends or the port that its flows have not in common.

use std::cmp::Ordering;

use super::{Column, TableContext, TableRow, column, unordered};
use crate::export::api::cell::CellValue;
use crate::export::api::flow::RangeFlow;
use crate::export::api::words::{port_cell, protocol_cell, service_cell};

impl TableRow for RangeFlow {
    const COLUMNS: &'static [Column<Self>] = &[
        column("source", |flow, _| CellValue::address(flow.source)),
        column("destination", |flow, _| CellValue::address(flow.destination)),
        column("protocol", |flow, _| protocol_cell(flow.protocol)),
        column("port", |flow, _| port_cell(flow.port)),
        column("service", |flow, _| service_cell(flow.protocol, flow.port)),
        column("reply", |flow, _| CellValue::Flag(flow.reply)),
        column("direction", |flow, _| CellValue::text(Some(flow.direction.label()))),
        column("interface", |flow, context| CellValue::text(context.traffic.interface(flow))),
        column("bytes", |flow, _| CellValue::Count(flow.counters.bytes)),
        column("packets", |flow, _| CellValue::Count(flow.counters.packets)),
        column("bytes_per_second", |flow, context| context.rate(flow.counters.bytes)),
        column("packets_per_second", |flow, context| context.rate(flow.counters.packets)),
        column("first_seen", |flow, _| CellValue::time(flow.first_seen)),
        column("last_seen", |flow, _| CellValue::time(flow.last_seen)),
        column("source_name", |flow, context| flow.source.map_or(CellValue::Null, |end| context.name(end))),
        column("destination_name", |flow, context| flow.destination.map_or(CellValue::Null, |end| context.name(end))),
        unordered("process", |flow, context| CellValue::Process(flow.process(context.inputs.names))),
    ];

    fn rows(context: &TableContext<'_>) -> Vec<Self> {
        context.traffic.flows.clone()
    }

    fn order(&self, other: &Self) -> Ordering {
        let key = |flow: &Self| {
            let ends = (flow.source, flow.destination);
            (ends, flow.protocol, flow.port, flow.reply, flow.direction, flow.interface)
        };
        key(self).cmp(&key(other))
    }
}
