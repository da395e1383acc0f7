//! Packets → totals, flows and a view of them for readers.
//!
//! A capture thread fills an [`interval::Interval`]; the accountant merges it into the [`ledger::Ledger`] and publishes
//! [`snapshot::Snapshot`]s. Nothing here reads a clock or knows an interface from a file.

pub mod conversation;
pub mod flow;
mod hashing;
pub mod interval;
pub mod ledger;
pub mod snapshot;

pub use flow::FlowKeying;

/// How flows are told apart, and how many are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What makes a flow.
    pub flow_keying: FlowKeying,
    /// The number of flows that have a row of their own; what comes after them counts in the `other` rows.
    pub max_flows: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { flow_keying: FlowKeying::Service, max_flows: 65_536 }
    }
}
