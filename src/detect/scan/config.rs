//! The settings of the search for scans.
//!
//! A plain value. Must not know where its text came from.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::excluded::ExcludedContacts;

/// The rule that finds scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// Failed contacts count.
    #[default]
    Evidence,
    /// The destination of each packet counts.
    Contacts,
}

/// The factors of the comparisons: how many times the limit, or the used targets, evidence must exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factors {
    /// Times the limit, where touched targets count as well as failed ones.
    pub touched: u32,
    /// Times the limit, for hosts of one network by any ports.
    pub any_port: u32,
    /// Times the limit, for all hosts of a site.
    pub site: u32,
    /// Times the limit, for all hosts.
    pub everywhere: u32,
    /// Times the answered targets, for hosts of several networks.
    pub answered: u32,
    /// Times the answered targets, for all hosts.
    pub answered_everywhere: u32,
    /// At least one in so many of all failed targets must be by the one port that is compared.
    pub port_share: u32,
}

impl Default for Factors {
    fn default() -> Self {
        Self { touched: 2, any_port: 4, site: 4, everywhere: 16, answered: 3, answered_everywhere: 9, port_share: 4 }
    }
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
    /// The longest time from the beginning of a TCP contact that was answered until it is used.
    pub use_timeout: Duration,
    /// IP bytes of a TCP target; with more its contact is used, as with any data of the source.
    pub used_bytes: u32,
    /// Requests of ICMP within `echo_window`; with so many the target is used, with fewer touched.
    pub echo_requests: u32,
    /// The time in which requests of ICMP are counted.
    pub echo_window: Duration,
    /// Datagrams each way; with more a UDP target is used, with so many touched.
    pub touching_datagrams: u32,
    /// The time for which a target that answered stays known; at most twice as long.
    pub memory: Duration,
    /// The time within which a question to a multicast or broadcast address is answered.
    pub question_timeout: Duration,
    /// Hosts of the link that are known to be there, without which unanswered messages of address resolution prove nothing.
    pub link_answers: u32,
    /// Routers: they ask for the link addresses of hosts to which others send, so that their questions are no contacts.
    pub routers: Vec<IpAddr>,
    /// The factor by which the sources of one network together must exceed the limits; 0 disables the search for them.
    pub group_factor: u32,
    /// The factors by which groups of targets are compared.
    pub factors: Factors,
    /// Ports that do not count.
    pub excluded_ports: BTreeSet<u16>,
    /// Contacts that do not count for some reason besides their port.
    pub excluded_contacts: ExcludedContacts,
    /// The names of the rules for hosts and for ports.
    pub names: [Arc<str>; 2],
    /// The name of the rule for the sources of one network together.
    pub group_name: Arc<str>,
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
            use_timeout: Duration::from_secs(10),
            used_bytes: 512,
            echo_requests: 3,
            echo_window: Duration::from_millis(3_500),
            touching_datagrams: 2,
            memory: Duration::from_secs(3_600),
            question_timeout: Duration::from_secs(30),
            link_answers: 3,
            routers: Vec::new(),
            group_factor: 8,
            factors: Factors::default(),
            excluded_ports: BTreeSet::new(),
            excluded_contacts: ExcludedContacts::default(),
            names: ["host_scan".into(), "port_scan".into()],
            group_name: "group_scan".into(),
            max_sources: 32_768,
            max_contacts: 98_304,
            max_waiting: 32_768,
        }
    }
}

impl Config {
    /// The longest time until the outcome of a contact is known.
    pub fn longest_wait(&self) -> Duration {
        self.timeout.max(self.use_timeout).max(self.echo_window)
    }

    /// True if sources of one network are compared together: contacts without outcomes prove nothing of them.
    pub const fn looks_for_groups(&self) -> bool {
        self.group_factor > 0 && matches!(self.rule, Rule::Evidence)
    }

    /// True if either kind of scan is looked for.
    pub const fn looks_for_something(&self) -> bool {
        self.analyze_hosts || self.analyze_ports
    }
}
