//! The figures of names. Takes counts from the threads; gives them to readers. Must not know metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A source of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSource {
    /// Reverse look-ups.
    Dns,
    /// Lease files.
    Leases,
    /// The hosts file.
    Hosts,
    /// The kernel's neighbour table.
    Neighbours,
    /// The list of vendors.
    Vendors,
    /// The database of countries.
    Country,
    /// The database of autonomous systems.
    Asn,
    /// Processes of this host.
    Processes,
}

impl NameSource {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 8] = [
        Self::Dns,
        Self::Leases,
        Self::Hosts,
        Self::Neighbours,
        Self::Vendors,
        Self::Country,
        Self::Asn,
        Self::Processes,
    ];

    /// The value of the label `source`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Leases => "leases",
            Self::Hosts => "hosts",
            Self::Neighbours => "neighbours",
            Self::Vendors => "vendors",
            Self::Country => "country",
            Self::Asn => "asn",
            Self::Processes => "processes",
        }
    }
}

/// The result of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupResult {
    /// There is a name.
    Found,
    /// There is none.
    Missing,
    /// The source could not be asked or read.
    Failed,
}

impl LookupResult {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Found, Self::Missing, Self::Failed];

    /// The value of the label `result`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }

    pub(super) const fn of(is_found: bool) -> Self {
        if is_found { Self::Found } else { Self::Missing }
    }
}

/// Counters and gauges, which the threads of this room write.
#[derive(Debug, Default)]
pub struct NamesFigures {
    lookups: [[AtomicU64; 3]; 8],
    entries: [AtomicU64; 8],
    /// Entries of files and tables that did not fit.
    refused: AtomicU64,
    memory_bytes: AtomicU64,
}

impl NamesFigures {
    /// The number of look-ups with a result. An address counts once while it is shown; a question of DNS each time.
    pub fn lookups(&self, source: NameSource, result: LookupResult) -> u64 {
        self.lookups[source as usize][result as usize].load(Relaxed)
    }

    /// The number of entries that a source has now.
    pub fn entries(&self, source: NameSource) -> u64 {
        self.entries[source as usize].load(Relaxed)
    }

    /// Entries of files and tables that did not fit since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Memory of all sources and names, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Relaxed)
    }

    pub(super) fn count(&self, source: NameSource, result: LookupResult) {
        self.lookups[source as usize][result as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn count_refused(&self, entries: u64) {
        self.refused.fetch_add(entries, Relaxed);
    }

    pub(super) fn set_entries(&self, source: NameSource, entries: usize) {
        self.entries[source as usize].store(entries as u64, Relaxed);
    }

    pub(super) fn set_memory_bytes(&self, bytes: usize) {
        self.memory_bytes.store(bytes as u64, Relaxed);
    }
}
