//! Makes [`Snapshot`]s of the ledger. Takes the ledger and the delivery of earlier snapshots; gives the next snapshot.
//! Must not know its readers.
//!
//! In a live capture, rows appear and leave as [`super::series`] says, for exact rates in Prometheus. The accounts of
//! files are *plain*: a row has all that its flow counted, and none is pending or retired.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Config;
use super::counter_table::{CounterEntry, CounterTable};
use super::delivery::Delivery;
use super::flow::{Counters, FlowKey, HostKey, SeriesKey};
use super::ledger::Ledger;
use super::series::{Rest, Series};
use super::snapshot::{self, InterfaceEntry, Shown, ShownRow, Snapshot, TableFigures};
use crate::locality::Classifier;
use crate::packet::Timestamp;
use crate::tables::top::keep_top;

type GroupTotals<K> = BTreeMap<<K as SeriesKey>::Group, Counters>;

/// Makes live snapshots; keeps the rows from one to the next.
#[derive(Debug)]
pub struct SnapshotBuilder {
    flows: Series<FlowKey>,
    hosts: Series<HostKey>,
    idle_timeout: Duration,
    number: u64,
    inputs: Option<Inputs>,
}

/// The inputs of a snapshot. While they stay the same, the next snapshot equals the last one.
#[derive(Debug, PartialEq, Eq)]
struct Inputs {
    totals: snapshot::Totals,
    interfaces: Vec<InterfaceEntry>,
    handover_delays: u64,
    refusals_lost: u64,
    delivery: Delivery,
    /// True if the snapshot before had the same inputs too. If it had not, the next one may still differ: a delivery
    /// can end the protection of rows, and entries may then leave.
    has_settled: bool,
    /// Numbers of flows and hosts that are idle, protected rows included: only a delivery ends the protection.
    idle_count: [usize; 2],
}

impl SnapshotBuilder {
    /// A builder without rows.
    pub fn new(config: &Config) -> Self {
        Self {
            flows: Series::new(config.max_series),
            hosts: Series::new(config.max_host_series),
            idle_timeout: config.idle_timeout,
            number: 0,
            inputs: None,
        }
    }

    /// Goes on with the limits and the idle timeout of `config`. Rows past a lower limit freeze with the next snapshot, the
    /// lightest first.
    pub fn configure(&mut self, config: &Config) {
        self.flows.set_limit(config.max_series);
        self.hosts.set_limit(config.max_host_series);
        self.idle_timeout = config.idle_timeout;
        self.inputs = None;
    }

    /// Removes flows and hosts whose packets have another direction now, by `classifier`. Their rows freeze with the next
    /// snapshot.
    pub fn retire_reclassified<N>(&mut self, ledger: &mut Ledger<N>, classifier: &Classifier) {
        let (flows, hosts) = ledger.remove_reclassified(classifier);
        if flows.is_empty() && hosts.is_empty() {
            return;
        }
        let next = self.next_number();
        self.flows.freeze_evicted(&flows, ledger.flows(), next);
        self.hosts.freeze_evicted(&hosts, ledger.hosts(), next);
        self.inputs = None;
    }

    /// True if the next snapshot would equal the last one: nothing was counted or delivered, and no entry may leave.
    pub fn is_unchanged<N>(&self, ledger: &Ledger<N>, delivery: Delivery, now: Timestamp) -> bool {
        self.inputs.as_ref() == Some(&self.inputs(ledger, delivery, now))
    }

    fn inputs<N>(&self, ledger: &Ledger<N>, delivery: Delivery, now: Timestamp) -> Inputs {
        let timeout = Some(self.idle_timeout);
        Inputs {
            totals: ledger.totals().clone(),
            interfaces: ledger.interfaces().to_vec(),
            handover_delays: ledger.handover_delays,
            refusals_lost: ledger.refusals_lost,
            delivery,
            has_settled: true,
            idle_count: [ledger.flows().idle_count(now, timeout), ledger.hosts().idle_count(now, timeout)],
        }
    }

    /// The number of the next snapshot.
    pub fn next_number(&self) -> u64 {
        self.number + 1
    }

    /// True if pending bytes would be added to a row if the next snapshot were made with this `delivery`.
    pub fn would_count(&self, delivery: Delivery) -> bool {
        delivery.to_all.is_some_and(|to_all| self.flows.would_count(to_all) || self.hosts.would_count(to_all))
    }

    /// The next snapshot at `now`, by the `delivery` of earlier ones. Removes idle entries from the ledger.
    pub fn next<N>(&mut self, ledger: &mut Ledger<N>, delivery: Delivery, now: Timestamp) -> Snapshot {
        self.number += 1;
        let kept = (self.flows.protected(), self.hosts.protected());
        let (flows, hosts) = ledger.sweep(now, Some(self.idle_timeout), &kept.0, &kept.1);
        self.flows.freeze_evicted(&flows, ledger.flows(), self.number);
        self.hosts.freeze_evicted(&hosts, ledger.hosts(), self.number);
        let (flow_totals, host_totals) = (ledger.by_protocol(), ledger.totals().by_direction());
        let (flow_table, host_table) = ledger.tables_mut();
        self.flows.advance(flow_table, &flow_totals, delivery, self.number, now);
        self.hosts.advance(host_table, &host_totals, delivery, self.number, now);
        let inputs = self.inputs(ledger, delivery, now);
        let has_settled = self.inputs.take().is_some_and(|before| Inputs { has_settled: true, ..before } == inputs);
        self.inputs = Some(Inputs { has_settled, ..inputs });
        self.snapshot(ledger, &flow_totals, &host_totals)
    }

    fn snapshot<N>(
        &self,
        ledger: &Ledger<N>,
        flow_totals: &GroupTotals<FlowKey>,
        host_totals: &GroupTotals<HostKey>,
    ) -> Snapshot {
        let flows = shown(&self.flows, ledger.flows(), flow_totals);
        let hosts = shown(&self.hosts, ledger.hosts(), host_totals);
        let series = self.flows.memory_bytes() + self.hosts.memory_bytes();
        let memory = memory(ledger, series, flows.memory_bytes() + hosts.memory_bytes());
        Snapshot { number: self.number, flows, hosts, memory, ..common(ledger) }
    }
}

fn shown<K: SeriesKey>(series: &Series<K>, table: &CounterTable<K>, totals: &GroupTotals<K>) -> Shown<K> {
    let Rest { other, pending } = series.rest(table, totals);
    Shown {
        rows: series.rows(table).collect(),
        other: other.by_group,
        rarer_other: other.rarer,
        retired: series.retired().clone(),
        pending,
        figures: figures(table, series.limit()),
        is_plain: false,
    }
}

/// The accounts with plain values: the heaviest `max_rows` flows and hosts at most, the rest as *other*.
pub fn plain<N>(ledger: &Ledger<N>, max_rows: usize, max_host_rows: usize) -> Snapshot {
    Snapshot {
        flows: plain_rows(ledger.flows(), max_rows, ledger.by_protocol()),
        hosts: plain_rows(ledger.hosts(), max_host_rows, ledger.totals().by_direction()),
        ..common(ledger)
    }
}

fn plain_rows<K: SeriesKey>(
    table: &CounterTable<K>,
    max_rows: usize,
    mut other: BTreeMap<K::Group, Counters>,
) -> Shown<K> {
    // By position, to copy only a few bytes of each entry, and all of it only if it is shown.
    let mut weights: Vec<(u64, u32)> = table.weights().collect();
    let key = |position| table.entry(position).key;
    keep_top(&mut weights, max_rows, |one, next| next.0.cmp(&one.0).then_with(|| key(one.1).cmp(&key(next.1))));
    let entries: Vec<CounterEntry<K>> = weights.iter().map(|&(_, position)| table.entry(position)).collect();
    for entry in &entries {
        if let Some(rest) = other.get_mut(&entry.key.group()) {
            *rest = rest.less(entry.counters);
        }
    }
    other.retain(|_, counters| !counters.is_empty());
    let row = |entry: CounterEntry<K>| ShownRow {
        key: entry.key,
        first_seen: entry.first_seen,
        last_seen: Some(entry.last_seen),
        shown_since: entry.first_seen,
        lifetime: entry.counters,
        value: entry.counters,
    };
    Shown {
        rows: entries.into_iter().map(row).collect(),
        other,
        figures: figures(table, max_rows),
        is_plain: true,
        ..Shown::default()
    }
}

fn figures<K: SeriesKey>(table: &CounterTable<K>, max_rows: usize) -> TableFigures {
    TableFigures { entries: table.len(), limit: table.limit(), row_limit: max_rows, evicted: table.evicted() }
}

fn common<N>(ledger: &Ledger<N>) -> Snapshot {
    Snapshot {
        flow_keying: ledger.flow_keying(),
        totals: ledger.totals().clone(),
        interfaces: ledger.interfaces().to_vec(),
        interfaces_retired_unread: ledger.interfaces.retired_unread(),
        handover_delays: ledger.handover_delays,
        overflow: ledger.overflow,
        refusals_lost: ledger.refusals_lost,
        conversations_forgotten: ledger.conversations_forgotten(),
        ..Snapshot::default()
    }
}

fn memory<N>(ledger: &Ledger<N>, series: usize, snapshot: usize) -> Vec<(&'static str, u64)> {
    let parts = [
        ("flows", ledger.flows().memory_bytes()),
        ("hosts", ledger.hosts().memory_bytes()),
        ("conversations", ledger.conversation_memory_bytes()),
        ("intervals", ledger.interfaces.interval_memory_bytes()),
        ("series", series),
        ("snapshot", snapshot),
    ];
    parts.map(|(part, bytes)| (part, bytes as u64)).to_vec()
}

#[cfg(test)]
mod tests;
