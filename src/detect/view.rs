//! The state of detection for readers: the largest values of each kind, and how full the tables are.
//!
//! A plain value that [`super::Detectors`] fills at one moment. Must not know how it is shown.

use std::net::IpAddr;

use super::{Kind, Subject};
use crate::account::InterfaceId;

/// The state of detection at one moment, bounded; the largest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// Bytes in their windows, of sources and of destinations that have a limit.
    pub window_bytes: Vec<(Subject, u64)>,
    /// Hosts that a source contacted in its window.
    pub contacted_hosts: Vec<(IpAddr, u64)>,
    /// Ports that a source contacted in its window.
    pub contacted_ports: Vec<(IpAddr, u64)>,
    /// Contacts of a source that were refused or stayed unanswered.
    pub unanswered_contacts: Vec<(IpAddr, u64)>,
    /// The probability that the traffic from one host to another is an anomaly.
    pub anomalies: Vec<((IpAddr, IpAddr), f64)>,
    /// Each interface, with true if it shows both directions of conversations.
    pub answers_visible: Vec<(InterfaceId, bool)>,
    /// The sources that are charted, with their destinations.
    pub chart: Vec<Talker>,
    /// The tables.
    pub tables: Vec<TableUse>,
    /// Contacts whose outcome is unknown: the interface shows no answers, they are streams, or a table was full.
    pub unknown_contacts: u64,
    /// The limit for addresses without a limit of their own; none without detection of bandwidth.
    pub bandwidth_limit_bytes: Option<u64>,
    /// The limits on contacted hosts and ports, of the kinds of scans that are detected.
    pub scan_limits: Vec<(Kind, u64)>,
    /// True if anomalies raise alerts; none without detection of anomalies.
    pub anomalies_alert: Option<bool>,
    /// Bytes of memory of all detectors.
    pub memory_bytes: u64,
}

/// A source with its destinations, in its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talker {
    /// Sender address.
    pub source: IpAddr,
    /// All bytes that it sent, IP bytes.
    pub total_bytes: u64,
    /// The destinations with their bytes, the heaviest first; at most 256, and only those with an entry. Their windows
    /// slide in coarser steps, so they may include bytes older than a window, by a tenth of it at most.
    pub destinations: Vec<(IpAddr, u64)>,
}

/// A bounded table of a detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DetectionTable {
    /// Destinations with a bandwidth window.
    BandwidthDestinations,
    /// Networks whose bytes are summed as one subject.
    BandwidthNetworks,
    /// Pairs of source and destination with a bandwidth window.
    BandwidthPairs,
    /// Sources with a bandwidth window.
    BandwidthSources,
    /// Sources with contacts.
    ScanSources,
    /// Targets of all sources.
    ScanTargets,
    /// Contacts whose outcome is open.
    ScanPending,
    /// Endpoints that asked many hosts at once.
    ScanAskers,
    /// Bits of the filter of known targets, by pairs of source and target.
    ScanKnown,
    /// Networks of outside sources whose contacts are summed.
    ScanPrefixes,
    /// Pairs with a series of bytes.
    AnomalyPairs,
    /// Sources that are not permitted.
    PolicySources,
}

impl DetectionTable {
    /// The value of the label `table`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::BandwidthDestinations => "bandwidth_destinations",
            Self::BandwidthNetworks => "bandwidth_networks",
            Self::BandwidthPairs => "bandwidth_pairs",
            Self::BandwidthSources => "bandwidth_sources",
            Self::ScanSources => "scan_sources",
            Self::ScanTargets => "scan_targets",
            Self::ScanPending => "scan_waiting",
            Self::ScanAskers => "scan_askers",
            Self::ScanKnown => "scan_known",
            Self::ScanPrefixes => "scan_prefixes",
            Self::AnomalyPairs => "anomaly_pairs",
            Self::PolicySources => "policy_sources",
        }
    }
}

/// The use of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableUse {
    /// The table.
    pub table: DetectionTable,
    /// The number of entries.
    pub entries: usize,
    /// The most entries.
    pub limit: usize,
    /// Number of entries that were evicted or not admitted.
    pub evicted: u64,
}
