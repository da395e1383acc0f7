//! Accounting: counts packets in totals, flows and hosts, and makes snapshots of them for readers.
//!
//! A capture thread fills an [`interval::Interval`]; the accountant merges it into the [`ledger::Ledger`] and publishes
//! [`snapshot::Snapshot`]s. Must not read a clock, nor know whether packets come from an interface or a file.

pub mod conversation;
pub mod counter_table;
pub mod delivery;
pub mod fill;
pub mod flow;
mod interfaces;
pub mod interval;
pub mod ledger;
pub mod observer;
pub mod refusals;
pub mod series;
pub mod snapshot;
pub mod snapshot_builder;

use std::time::Duration;

pub use flow::FlowKeying;

/// The key of flows, and the limits of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The key of a flow.
    pub flow_keying: FlowKeying,
    /// The most flows; others count as *other*.
    pub max_flows: usize,
    /// The most flows that are shown to Prometheus; the others count as *other* there.
    pub max_series: usize,
    /// The most hosts.
    pub max_hosts: usize,
    /// The most hosts that are shown to Prometheus.
    pub max_host_series: usize,
    /// Live, a flow or host leaves after this time without packets.
    pub idle_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flow_keying: FlowKeying::Service,
            max_flows: 65_536,
            max_series: 10_000,
            max_hosts: 16_384,
            max_host_series: 1_000,
            idle_timeout: Duration::from_secs(15 * 60),
        }
    }
}

/// Later than every snapshot.
const NEVER: u64 = u64::MAX;

/// The number of an interface in the ledger. It is never used again, so frames of one interface are not credited to
/// another that comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct InterfaceId(u64);
