//! The notes of detection, which the ledger stores with each conversation.
//!
//! Takes and gives the positions that detectors looked up, and the activity that was reported last. So most rows need
//! no look-up. No detection depends on them, because the ledger may lose them at any time. Must not know the ledger.

use crate::tables::index::NOWHERE;

/// Notes of one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notes {
    /// For each direction, forward first.
    pub hints: [SlotHints; 2],
    /// The activity that was reported last to the search for scans.
    pub reported: LastReport,
}

/// Table positions that were looked up for one direction of a conversation. They may be stale, so the key at the
/// position is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotHints {
    /// The source, in bandwidth's window.
    pub source: u32,
    /// The pair of source and destination, in the table of anomalies; or a mark that it has no entry there.
    pub pair: u32,
}

impl Default for SlotHints {
    fn default() -> Self {
        Self { source: NOWHERE, pair: NOWHERE }
    }
}

/// An activity and a period of time in one word; only [`super::scan`] reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastReport(pub(super) u32);
