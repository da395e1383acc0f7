//! The use of the bounded tables of detection.
//!
//! Takes nothing; gives the vocabulary in which detectors report their tables to readers. Must not know the tables.

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
    /// Pairs with a series of bytes.
    AnomalyPairs,
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
            Self::AnomalyPairs => "anomaly_pairs",
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
    /// Entries that made room for others or found no room.
    pub evicted: u64,
}
