//! The ledger: all accounts since the start, in totals, interfaces, flows and hosts.
//!
//! Takes intervals and the counters of captures; gives sums and bounded tables to the snapshot builder. Shows each
//! merged row to an observer ([`merge`]). Must not know what the observer looks for, nor the readers of the accounts.

mod merge;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::Config;
use super::InterfaceId;
use super::counter_table::CounterTable;
use super::flow::{Counters, FlowKey, FlowKeying, HostKey};
use super::interfaces::Interfaces;
use super::interval::partial;
use super::interval::{Interval, Row};
use super::observer::{NotPermittedSums, RowObserver, RowlessSums};
use super::refusals::Refused;
use super::snapshot::{Capture, InterfaceEntry, Totals};
use crate::locality::{Classifier, Direction};
use crate::packet::{IpVersion, Protocol, Timestamp};
use crate::policy::Verdict;
use crate::tables::hashing;
use merge::{AccountTables, ByProtocol, Conversations, CounterPositions};

/// The least packet time between two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The accounts since the start. Only the accountant writes them. `N` are the observer's notes on a conversation.
#[derive(Debug)]
pub struct Ledger<N = ()> {
    tables: AccountTables,
    v4: Conversations<Ipv4Addr, N>,
    v6: Conversations<Ipv6Addr, N>,
    totals: Totals,
    pub(super) interfaces: Interfaces,
    /// Ticks at which a capture thread found no empty interval.
    pub(super) handover_delays: u64,
    last_sweep: Timestamp,
    pub(super) overflow: Counters,
    pub(super) refusals_lost: u64,
}

impl<N: Copy + Default> Ledger<N> {
    /// Empty accounts. `seed` as for [`Interval::new`].
    pub fn new(config: &Config, seed: u64) -> Self {
        let state = hashing::state(seed);
        Self {
            tables: AccountTables {
                flow_keying: config.flow_keying,
                flows: CounterTable::new(config.max_flows, state.clone()),
                hosts: CounterTable::new(config.max_hosts, state.clone()),
                by_protocol: ByProtocol::default(),
                latest: Timestamp::default(),
            },
            v4: Conversations::new(config.max_flows, state.clone()),
            v6: Conversations::new(config.max_flows, state),
            totals: Totals::default(),
            interfaces: Interfaces::default(),
            handover_delays: 0,
            last_sweep: Timestamp::default(),
            overflow: Counters::default(),
            refusals_lost: 0,
        }
    }

    /// Adds the interval of one capture thread on `interface`, and shows its rows and refusals to `observer`.
    pub fn merge(&mut self, interface: InterfaceId, interval: &Interval, observer: &mut impl RowObserver<Notes = N>) {
        self.add_sums(interface, interval);
        self.announce(interface, [interval], observer);
        self.add_rows(interface, interval.rows_v4().iter(), interval.rows_v6().iter(), observer);
        show_rowless([interval].into_iter(), observer);
        show_refused(interface, interval.refused_v4().iter(), interval.refused_v6().iter(), observer);
        interval.resolutions().iter().for_each(|resolution| observer.resolve(interface, resolution));
    }

    /// Adds the partial intervals of several threads, with the result of the one interval of a single thread.
    pub fn merge_partial(
        &mut self,
        interface: InterfaceId,
        intervals: &[Box<Interval>],
        observer: &mut impl RowObserver<Notes = N>,
    ) {
        intervals.iter().for_each(|interval| self.add_sums(interface, interval));
        self.announce(interface, intervals.iter().map(AsRef::as_ref), observer);
        self.add_rows(interface, partial::rows_v4(intervals), partial::rows_v6(intervals), observer);
        show_rowless(intervals.iter().map(Box::as_ref), observer);
        show_refused(interface, partial::refused_v4(intervals), partial::refused_v6(intervals), observer);
        let resolutions = intervals.iter().flat_map(|interval| interval.resolutions());
        resolutions.for_each(|resolution| observer.resolve(interface, resolution));
    }

    /// Announces the rows of an interface to the observer.
    fn announce<'a>(
        &self,
        interface: InterfaceId,
        intervals: impl IntoIterator<Item = &'a Interval>,
        observer: &mut impl RowObserver<Notes = N>,
    ) {
        let mut not_permitted = NotPermittedSums::default();
        for interval in intervals {
            not_permitted.all += interval.verdicts().of(Verdict::NotPermitted).packets;
            not_permitted.without_row += interval.overflow().not_permitted();
            not_permitted.dropped += interval.kernel_sums().map_or(0, |sums| sums.dropped.packets);
        }
        let name = self.interfaces.get(interface).map_or("", |interface| &interface.name);
        observer.enter(interface, name, not_permitted);
    }

    fn add_rows<'a>(
        &mut self,
        interface: InterfaceId,
        rows_v4: impl Iterator<Item = &'a Row<Ipv4Addr>> + Clone,
        rows_v6: impl Iterator<Item = &'a Row<Ipv6Addr>> + Clone,
        observer: &mut impl RowObserver<Notes = N>,
    ) {
        let Self { tables, v4, v6, totals, .. } = self;
        tables.latest = Timestamp::default();
        let by_v4 = tables.merge_rows(interface, v4, rows_v4, observer);
        let by_v6 = tables.merge_rows(interface, v6, rows_v6, observer);
        for direction in Direction::ALL {
            let traffic = &mut totals.traffic[direction as usize];
            traffic[IpVersion::V4 as usize].add(by_v4[direction as usize]);
            traffic[IpVersion::V6 as usize].add(by_v6[direction as usize]);
        }
    }
}

impl<N> Ledger<N> {
    /// Limits how far back a later packet may move the first time of its flow, for several threads and a clock that may
    /// be set. A packet that seems older does not change that time.
    pub fn limit_overlap(&mut self, overlap: Duration) {
        self.tables.flows.limit_overlap(overlap);
        self.tables.hosts.limit_overlap(overlap);
    }

    /// Goes on with the limits of `config`. Past a lower limit entries leave as they become idle, and new ones find no space
    /// until then.
    pub fn set_limits(&mut self, config: &Config) {
        self.tables.flows.set_limit(config.max_flows);
        self.tables.hosts.set_limit(config.max_hosts);
        self.v4.set_limit(config.max_flows);
        self.v6.set_limit(config.max_flows);
    }

    /// Counts packets by the verdict of a policy from now on.
    pub fn count_verdicts(&mut self) {
        self.totals.verdicts.get_or_insert_default();
    }

    /// The entry of the interface or file `name`, which is made if there is none. Past the limit all new ones share one
    /// entry.
    pub fn interface(&mut self, name: &str) -> InterfaceId {
        self.interfaces.find_or_register(name)
    }

    /// True if the interface is being captured; none before the first report.
    pub fn is_up(&self, interface: InterfaceId) -> Option<bool> {
        self.interfaces.get(interface)?.capture.map(|capture| capture.up)
    }

    /// Adds the counters of the capture of the interface called `name` since its last report.
    pub fn record_capture(&mut self, interface: InterfaceId, name: &str, since: Capture) {
        self.interfaces.record_capture(interface, name, since);
    }

    /// Notes the memory of the interval that the worker of an interface handed over, in bytes.
    pub fn record_interval(&mut self, interface: InterfaceId, worker: usize, bytes: usize) {
        self.interfaces.record_interval(interface, worker, bytes);
    }

    /// True if [`Ledger::end_interfaces`] would end an interface.
    pub fn would_end_interfaces(&self, exists: impl Fn(&str) -> bool) -> bool {
        self.interfaces.would_end(exists)
    }

    /// Ends the interfaces that do not exist any more, and gives them. From the snapshot `next` on they have no gauges,
    /// and their counters are frozen.
    pub fn end_interfaces(&mut self, exists: impl Fn(&str) -> bool, next: u64) -> Vec<InterfaceId> {
        self.interfaces.end(exists, next)
    }

    /// Moves the counters of ended interfaces to the entry `retired`: of those that ended with a snapshot which every
    /// scraper has read (`is_read`).
    pub fn retire_interfaces(&mut self, is_read: impl Fn(u64) -> bool) {
        self.interfaces.retire(is_read);
    }

    /// Counts ticks at which a capture thread found no empty interval.
    pub fn record_handover_delays(&mut self, delays: u64) {
        self.handover_delays += delays;
    }

    fn add_sums(&mut self, interface: InterfaceId, interval: &Interval) {
        if let Some(interface) = self.interfaces.get_mut(interface) {
            interface.frames.add(interval.frames());
        }
        self.totals.frames.add(interval.frames());
        self.totals.copies.add(interval.copies());
        if let Some(sums) = interval.kernel_sums() {
            self.totals.kernel.get_or_insert_default().add(sums);
        }
        if let Some(verdicts) = &mut self.totals.verdicts {
            verdicts.add_all(interval.verdicts());
        }
        self.refusals_lost += interval.refusals_lost() + interval.resolutions_lost();
        for (total, counted) in self.totals.not_ip.iter_mut().zip(interval.not_ip()) {
            *total += counted;
        }
        for ((direction, protocol, version), counters) in interval.overflow().iter() {
            self.totals.traffic[direction as usize][version as usize].add(counters);
            self.tables.by_protocol.add(direction, protocol, counters);
            self.overflow.add(counters);
        }
    }

    /// Evicts the lightest entries without recent packets from tables that are nearly full. In a live capture every
    /// refresh does that; here the time is that of the latest merged packet. No entry leaves only because it is idle:
    /// the accounts of a file cover all of it, as far as there is space.
    pub fn make_room(&mut self) {
        let now = self.tables.latest;
        let is_due = now < self.last_sweep || now.since(self.last_sweep) >= SWEEP_INTERVAL;
        if is_due && self.is_nearly_full() {
            self.last_sweep = now;
            self.sweep(now, None, &BTreeSet::new(), &BTreeSet::new());
        }
    }

    /// Removes flows and hosts at `now`, as [`CounterTable::sweep`] does, except those kept. Gives the freed positions.
    pub(crate) fn sweep(
        &mut self,
        now: Timestamp,
        idle_timeout: Option<Duration>,
        kept_flows: &BTreeSet<u32>,
        kept_hosts: &BTreeSet<u32>,
    ) -> (Vec<u32>, Vec<u32>) {
        let flows = self.tables.flows.sweep(now, idle_timeout, |position| !kept_flows.contains(&position));
        let hosts = self.tables.hosts.sweep(now, idle_timeout, |position| !kept_hosts.contains(&position));
        self.forget_positions(&flows, &hosts);
        (flows, hosts)
    }

    /// Removes flows and hosts whose packets have another direction by `classifier`. Gives the freed positions.
    pub(super) fn remove_reclassified(&mut self, classifier: &Classifier) -> (Vec<u32>, Vec<u32>) {
        let is_other = |key: &FlowKey| classifier.direction_of(key.source, key.destination) != key.direction;
        let flows = self.tables.flows.remove_where(is_other);
        // The host of a packet is its local end; of transit alone it is none.
        let is_other = |key: &HostKey| classifier.is_local(key.host) == (key.direction == Direction::Transit);
        let hosts = self.tables.hosts.remove_where(is_other);
        self.forget_positions(&flows, &hosts);
        (flows, hosts)
    }

    /// Lets conversations whose positions were freed look them up again.
    fn forget_positions(&mut self, flows: &[u32], hosts: &[u32]) {
        if flows.is_empty() && hosts.is_empty() {
            return;
        }
        let (gone_flows, gone_hosts): (BTreeSet<u32>, BTreeSet<u32>) =
            (flows.iter().copied().collect(), hosts.iter().copied().collect());
        // A conversation that found no space may find some now.
        let is_stale = |positions: CounterPositions| {
            positions.flow().is_none_or(|flow| gone_flows.contains(&flow))
                || positions.host().is_none_or(|host| gone_hosts.contains(&host))
        };
        self.v4.forget_positions(is_stale);
        self.v6.forget_positions(is_stale);
    }

    /// True if a table is so full that a sweep evicts entries.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.tables.flows.is_nearly_full() || self.tables.hosts.is_nearly_full()
    }

    /// The key of a flow.
    pub(crate) fn flow_keying(&self) -> FlowKeying {
        self.tables.flow_keying
    }

    /// The flows.
    pub(crate) fn flows(&self) -> &CounterTable<FlowKey> {
        &self.tables.flows
    }

    /// The hosts.
    pub(crate) fn hosts(&self) -> &CounterTable<HostKey> {
        &self.tables.hosts
    }

    /// Flows and hosts, to mark those that are shown.
    pub(super) fn tables_mut(&mut self) -> (&mut CounterTable<FlowKey>, &mut CounterTable<HostKey>) {
        (&mut self.tables.flows, &mut self.tables.hosts)
    }

    /// All packets and bytes by direction and protocol.
    pub(crate) fn by_protocol(&self) -> BTreeMap<(Direction, Protocol), Counters> {
        self.tables.by_protocol.to_map()
    }

    /// Sums over all frames.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The interfaces and files, in the order of their numbers.
    pub(crate) fn interfaces(&self) -> &[InterfaceEntry] {
        self.interfaces.entries()
    }

    /// Number of conversations that were forgotten because there were too many.
    pub(crate) fn conversations_forgotten(&self) -> u64 {
        self.v4.forgotten() + self.v6.forgotten()
    }

    pub(crate) fn conversation_memory_bytes(&self) -> usize {
        self.v4.memory_bytes() + self.v6.memory_bytes()
    }
}

/// Shows the sums of intervals that no row has to the observer.
fn show_rowless<'a>(intervals: impl Iterator<Item = &'a Interval>, observer: &mut impl RowObserver) {
    let mut sums = RowlessSums::default();
    intervals.for_each(|interval| sums.add(interval));
    observer.count_rowless(&sums);
}

/// Shows refusals to the observer, after the rows, so that their conversations are known.
fn show_refused<'a>(
    interface: InterfaceId,
    refused_v4: impl Iterator<Item = &'a Refused<Ipv4Addr>>,
    refused_v6: impl Iterator<Item = &'a Refused<Ipv6Addr>>,
    observer: &mut impl RowObserver,
) {
    refused_v4.for_each(|refused| observer.refuse(interface, refused));
    refused_v6.for_each(|refused| observer.refuse(interface, refused));
}

#[cfg(test)]
mod tests;
