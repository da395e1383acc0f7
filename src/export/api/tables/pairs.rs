//! The table of pairs of hosts. Takes pairs; gives them as rows. Must not know other tables.

use std::cmp::Ordering;

use super::{Column, TableContext, TableRow, column};
use crate::export::api::cell::CellValue;
use crate::export::api::flow::RangeFlow;
use crate::export::api::sums::{PairSum, pairs};

/// The traffic between two hosts.
pub(super) struct PairRow(PairSum);

impl TableRow for PairRow {
    const COLUMNS: &'static [Column<Self>] = &[
        column("a", |pair, _| CellValue::Address(pair.0.a)),
        column("b", |pair, _| CellValue::Address(pair.0.b)),
        column("a_name", |pair, context| context.name(pair.0.a)),
        column("b_name", |pair, context| context.name(pair.0.b)),
        column("a_to_b_bytes", |pair, _| CellValue::Count(pair.0.a_to_b.counters.bytes)),
        column("b_to_a_bytes", |pair, _| CellValue::Count(pair.0.b_to_a.counters.bytes)),
        column("bytes", |pair, _| CellValue::Count(pair.0.both().counters.bytes)),
        column("packets", |pair, _| CellValue::Count(pair.0.both().counters.packets)),
        column("bytes_per_second", |pair, context| context.rate(pair.0.both().counters.bytes)),
        column("first_seen", |pair, _| CellValue::time(pair.0.both().first_seen)),
        column("last_seen", |pair, _| CellValue::time(pair.0.both().last_seen)),
    ];

    fn rows(context: &TableContext<'_>) -> Vec<Self> {
        pairs(&context.traffic.flows).into_iter().map(Self).collect()
    }

    fn is_of(flow: &RangeFlow) -> bool {
        flow.both_ends().is_some()
    }

    fn order(&self, other: &Self) -> Ordering {
        (self.0.a, self.0.b).cmp(&(other.0.a, other.0.b))
    }
}
