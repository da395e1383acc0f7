//! Packets → totals, flows and a view of them for readers.
//!
//! A capture thread fills an [`interval::Interval`]; the accountant merges it into the [`ledger::Ledger`] and publishes
//! [`snapshot::Snapshot`]s. Nothing here reads a clock or knows an interface from a file.

pub mod conversation;
pub mod counter_table;
pub mod delivery;
pub mod fill;
pub mod flow;
pub mod interface;
mod interfaces;
pub mod interval;
pub mod ledger;
pub mod observer;
pub mod refusals;
pub mod series;
pub mod shares;
pub mod snapshot;
pub mod snapshot_builder;

use std::time::Duration;

pub use flow::FlowKeying;

/// How flows are told apart, and how many are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What makes a flow.
    pub flow_keying: FlowKeying,
    /// The number of flows that are held; what comes on top counts as *other*.
    pub max_flows: usize,
    /// The number of flows that are shown to Prometheus; the others count as *other* there.
    pub max_series: usize,
    /// The number of hosts that are held.
    pub max_hosts: usize,
    /// The number of hosts that are shown to Prometheus.
    pub max_host_series: usize,
    /// Live, a flow or host leaves after it rested for so long.
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
