//! The tables of the API: flows, hosts, devices, pairs, services and protocols. Takes the flows of a range; gives the
//! rows of one page as JSON or comma-separated values. Must not know requests.
//!
//! A table is a list of columns. Each column is declared once, with the value of a row in it; names, order and both
//! formats follow from that.

mod devices;
mod flows;
mod hosts;
mod pairs;
mod protocols;
mod services;

use std::cmp::Ordering;
use std::io::{self, Write};

use serde::Serialize;

use super::ApiInputs;
use super::amount::Amount;
use super::cell::{CellValue, NamedCells};
use super::flow::RangeFlow;
use super::query::{BadParameter, Parameters};
use super::traffic::{RangeTraffic, TrafficQuery};
use crate::account::flow::Counters;
use crate::export::csv::write_record;
use crate::tables::top::top_n;
use devices::DeviceSum;
use hosts::HostSum;
use pairs::PairRow;
use protocols::ProtocolSum;
use services::ServiceSum;

/// The rows of an answer if it asks for no other number, and the most.
const DEFAULT_ROWS: usize = 100;
const MAXIMUM_ROWS: usize = 10_000;
/// The most rows that are left out before the first one.
const MAXIMUM_OFFSET: usize = 1_000_000;

/// The column that rows are sorted by if an answer asks for no other.
const DEFAULT_SORT: &str = "bytes";

/// The parameters of each table.
pub(super) const PARAMETERS: [&str; 7] = ["range", "filter", "sort", "order", "limit", "offset", "format"];

/// A table of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Flows,
    Hosts,
    Devices,
    Pairs,
    Services,
    Protocols,
}

/// A request for a page of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableQuery {
    table: Table,
    traffic: TrafficQuery,
    sort: String,
    is_descending: bool,
    limit: usize,
    offset: usize,
    is_csv: bool,
}

impl TableQuery {
    pub(super) fn parse(table: Table, parameters: &Parameters) -> Result<Self, BadParameter> {
        let columns: Vec<(&str, &str)> = table.sortable().into_iter().map(|name| (name, name)).collect();
        let sort = match parameters.text("sort") {
            None => DEFAULT_SORT,
            Some(_) => parameters.choice("sort", &columns)?,
        };
        Ok(Self {
            table,
            traffic: TrafficQuery::parse(parameters)?,
            sort: sort.to_owned(),
            is_descending: parameters.choice("order", &[("desc", true), ("asc", false)])?,
            limit: parameters.number("limit", DEFAULT_ROWS, 1, MAXIMUM_ROWS)?,
            offset: parameters.number("offset", 0, 0, MAXIMUM_OFFSET)?,
            is_csv: parameters.choice("format", &[("json", false), ("csv", true)])?,
        })
    }

    /// The name of the file if the answer is one of comma-separated values.
    pub(super) fn file_name(&self) -> Option<String> {
        let range = self.traffic.range.label();
        self.is_csv.then(|| format!("trafficmonitor-{}-{range}.csv", self.table.label()))
    }

    pub(super) fn write<W: Write>(&self, inputs: &ApiInputs<'_>, out: W) -> io::Result<()> {
        match self.table {
            Table::Flows => self.write_rows::<RangeFlow, W>(inputs, out),
            Table::Hosts => self.write_rows::<HostSum, W>(inputs, out),
            Table::Devices => self.write_rows::<DeviceSum, W>(inputs, out),
            Table::Pairs => self.write_rows::<PairRow, W>(inputs, out),
            Table::Services => self.write_rows::<ServiceSum, W>(inputs, out),
            Table::Protocols => self.write_rows::<ProtocolSum, W>(inputs, out),
        }
    }

    fn write_rows<R: TableRow, W: Write>(&self, inputs: &ApiInputs<'_>, out: W) -> io::Result<()> {
        let traffic = RangeTraffic::of(inputs, &self.traffic);
        let context = TableContext { traffic: &traffic, inputs };
        let rows = R::rows(&context);
        let page = self.page(&rows, &context);
        if self.is_csv {
            return write_csv(&page, &context, out);
        }
        let answer = TableAnswer {
            range: self.traffic.range.label(),
            seconds: traffic.seconds,
            number: inputs.number,
            total_rows: rows.len(),
            rows: page.into_iter().map(|row| named_cells(row, &context)).collect(),
            other: traffic.other.plus(without_row::<R>(&traffic.flows)).into(),
        };
        Ok(serde_json::to_writer(out, &answer)?)
    }

    /// The rows of the page, in order. Rows with equal values are ordered by their keys.
    fn page<'a, R: TableRow>(&self, rows: &'a [R], context: &TableContext<'a>) -> Vec<&'a R> {
        let Some(column) = R::COLUMNS.iter().find(|column| column.name == self.sort) else { return Vec::new() };
        let keyed = rows.iter().map(|row| ((column.cell)(row, context), row));
        let order = |one: &(CellValue<'_>, &R), other: &(CellValue<'_>, &R)| {
            one.0.compare(&other.0, self.is_descending).then_with(|| one.1.order(other.1))
        };
        let first = top_n(keyed, self.offset.saturating_add(self.limit), order);
        first.into_iter().skip(self.offset).map(|(_, row)| row).collect()
    }
}

impl Table {
    /// Its name in paths.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Hosts => "hosts",
            Self::Devices => "devices",
            Self::Pairs => "pairs",
            Self::Services => "services",
            Self::Protocols => "protocols",
        }
    }

    /// The columns that rows can be sorted by.
    fn sortable(self) -> Vec<&'static str> {
        match self {
            Self::Flows => sortable::<RangeFlow>(),
            Self::Hosts => sortable::<HostSum>(),
            Self::Devices => sortable::<DeviceSum>(),
            Self::Pairs => sortable::<PairRow>(),
            Self::Services => sortable::<ServiceSum>(),
            Self::Protocols => sortable::<ProtocolSum>(),
        }
    }
}

fn sortable<R: TableRow>() -> Vec<&'static str> {
    R::COLUMNS.iter().filter(|column| column.is_sortable).map(|column| column.name).collect()
}

/// The inputs of cells.
struct TableContext<'a> {
    traffic: &'a RangeTraffic,
    inputs: &'a ApiInputs<'a>,
}

impl<'a> TableContext<'a> {
    fn rate(&self, amount: u64) -> CellValue<'static> {
        CellValue::Rate(self.traffic.per_second(amount))
    }

    fn name(&self, address: std::net::IpAddr) -> CellValue<'a> {
        CellValue::text(self.inputs.names.best(address))
    }
}

/// A column: its name, and the value of a row.
struct Column<R> {
    name: &'static str,
    is_sortable: bool,
    cell: for<'a> fn(&'a R, &TableContext<'a>) -> CellValue<'a>,
}

/// A column that rows can be sorted by.
const fn column<R>(name: &'static str, cell: for<'a> fn(&'a R, &TableContext<'a>) -> CellValue<'a>) -> Column<R> {
    Column { name, is_sortable: true, cell }
}

/// A column without an order.
const fn unordered<R>(name: &'static str, cell: for<'a> fn(&'a R, &TableContext<'a>) -> CellValue<'a>) -> Column<R> {
    Column { name, is_sortable: false, cell }
}

/// A row of a table.
trait TableRow: Sized + 'static {
    const COLUMNS: &'static [Column<Self>];

    /// All rows of the traffic, in any order.
    fn rows(context: &TableContext<'_>) -> Vec<Self>;

    /// True if a flow counts in a row of this table. All but sums of light flows do.
    fn is_of(_flow: &RangeFlow) -> bool {
        true
    }

    /// The order of the rows' keys.
    fn order(&self, other: &Self) -> Ordering;
}

/// The traffic of flows that count in no row of the table.
fn without_row<R: TableRow>(flows: &[RangeFlow]) -> Counters {
    let without = flows.iter().filter(|flow| !R::is_of(flow));
    without.fold(Counters::default(), |sum, flow| sum.plus(flow.counters))
}

#[derive(Serialize)]
struct TableAnswer<'a> {
    range: &'static str,
    seconds: f64,
    number: u64,
    total_rows: usize,
    rows: Vec<NamedCells<'a>>,
    other: Amount,
}

fn named_cells<'a, R: TableRow>(row: &'a R, context: &TableContext<'a>) -> NamedCells<'a> {
    NamedCells(R::COLUMNS.iter().map(|column| (column.name, (column.cell)(row, context))).collect())
}

fn write_csv<'a, R: TableRow, W: Write>(page: &[&'a R], context: &TableContext<'a>, mut out: W) -> io::Result<()> {
    let columns = R::COLUMNS;
    let heads: Vec<String> = columns.iter().flat_map(|column| heads(column)).collect();
    write_record(&mut out, &heads)?;
    let mut fields = Vec::new();
    for row in page {
        fields.clear();
        columns.iter().for_each(|column| (column.cell)(row, context).push_fields(&mut fields));
        write_record(&mut out, &fields)?;
    }
    Ok(())
}

/// The names of a column in comma-separated values: those of its parts where it has some.
fn heads<R>(column: &Column<R>) -> Vec<String> {
    match column.name {
        "names" => CellValue::Names(None).heads("name"),
        "process" => CellValue::Process(None).heads("process"),
        name => CellValue::Null.heads(name),
    }
}
