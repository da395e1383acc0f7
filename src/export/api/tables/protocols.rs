//! The table of protocols above IP. Takes flows; gives sums. Must not know other tables.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Column, TableContext, TableRow, column};
use crate::export::api::cell::CellValue;
use crate::export::api::sums::FlowSum;
use crate::export::api::words::protocol_cell;
use crate::packet::Protocol;

/// The traffic of one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProtocolSum {
    protocol: Protocol,
    all: FlowSum,
}

impl TableRow for ProtocolSum {
    const COLUMNS: &'static [Column<Self>] = &[
        column("protocol", |sum, _| protocol_cell(sum.protocol)),
        column("number", |sum, _| CellValue::Count(sum.protocol.0.into())),
        column("bytes", |sum, _| CellValue::Count(sum.all.counters.bytes)),
        column("packets", |sum, _| CellValue::Count(sum.all.counters.packets)),
        column("bytes_per_second", |sum, context| context.rate(sum.all.counters.bytes)),
        column("first_seen", |sum, _| CellValue::time(sum.all.first_seen)),
        column("last_seen", |sum, _| CellValue::time(sum.all.last_seen)),
    ];

    fn rows(context: &TableContext<'_>) -> Vec<Self> {
        let mut sums: BTreeMap<Protocol, FlowSum> = BTreeMap::new();
        context.traffic.flows.iter().for_each(|flow| sums.entry(flow.protocol).or_default().add(flow));
        sums.into_iter().map(|(protocol, all)| Self { protocol, all }).collect()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.protocol.cmp(&other.protocol)
    }
}
