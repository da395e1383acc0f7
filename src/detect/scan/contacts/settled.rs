//! A contact whose outcome is known.
//!
//! A plain value. Must not know how the outcome came about or what counts as evidence.

use super::HostPort;
use crate::packet::Timestamp;
use crate::time_grid::Cell;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactOutcome {
    /// Answered and used.
    Used,
    /// Answered and not used.
    Touched,
    /// Refused, aborted or not answered in time.
    Failed,
}

/// A contact of a source whose outcome is known.
#[derive(Debug, Clone, Copy)]
pub struct SettledContact {
    pub outcome: ContactOutcome,
    /// The time at which the outcome was known.
    pub time: Timestamp,
    /// The cell in which it counts.
    pub cell: Cell,
    /// The time of the source's first packet.
    pub first: Timestamp,
    /// The time of the source's last packet.
    pub last: Timestamp,
    pub target: HostPort,
    pub source_port: u16,
    pub interface: u16,
    /// True if the source is outside the local networks.
    pub is_outside: bool,
    /// The source's port if the contact is a probe; else 0.
    pub probe_port: u16,
    /// True if it failed because a datagram had no answer.
    pub is_silent: bool,
    /// True if it failed because it was refused or aborted.
    pub is_refused: bool,
}

impl SettledContact {
    /// True if it may be evidence: it failed, or only touched its target.
    pub fn may_be_evidence(&self) -> bool {
        self.outcome != ContactOutcome::Used
    }

    pub fn is_answered(&self) -> bool {
        self.outcome != ContactOutcome::Failed
    }
}
