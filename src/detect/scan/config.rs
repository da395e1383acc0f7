//! The settings of the search for scans.
//!
//! A plain value. Must not know where its text came from.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The rule that finds scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// Failed contacts count.
    #[default]
    Evidence,
    /// The destination of each packet counts.
    Contacts,
}

/// The limits of scans, and the sizes of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The rule that finds scans.
    pub rule: Rule,
    /// The window of contacted hosts.
    pub interval: Duration,
    /// The window of contacted ports.
    pub port_interval: Duration,
    /// Hosts that may be contacted.
    pub contacted_ips: u32,
    /// Ports that may be contacted.
    pub contacted_ports: u32,
    /// True if contacted hosts are analyzed.
    pub analyze_hosts: bool,
    /// True if contacted ports are analyzed.
    pub analyze_ports: bool,
    /// The longest time until a contact is answered.
    pub timeout: Duration,
    /// Ports that do not count.
    pub excluded_ports: BTreeSet<u16>,
    /// The names of the rules for hosts and for ports.
    pub names: [Arc<str>; 2],
    /// Sources that are held. When there are more, one with a single contact makes room for one that was seen often.
    pub max_sources: usize,
    /// Hosts and ports that are held of all sources together. The outcome of others is unknown.
    pub max_contacts: usize,
    /// Pending contacts. The outcome of others is unknown; from three quarters on only suspicious sources find room.
    pub max_waiting: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rule: Rule::Evidence,
            interval: Duration::from_secs(170),
            port_interval: Duration::from_secs(600),
            contacted_ips: 15,
            contacted_ports: 100,
            analyze_hosts: true,
            analyze_ports: true,
            timeout: Duration::from_secs(1),
            excluded_ports: BTreeSet::new(),
            names: ["host_scan".into(), "port_scan".into()],
            max_sources: 32_768,
            max_contacts: 98_304,
            max_waiting: 32_768,
        }
    }
}

impl Config {
    /// True if either kind of scan is looked for.
    pub const fn looks_for_something(&self) -> bool {
        self.analyze_hosts || self.analyze_ports
    }
}
