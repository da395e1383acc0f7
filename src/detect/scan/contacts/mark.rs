//! The mark of a target: the outcomes of one source's contacts with it in the window.
//!
//! Takes outcomes; gives the relation of the source to the target. Must not know the rules that compare marks.

use super::settled::{ContactOutcome, SettledContact};
use super::{Aspect, HostPort, NEVER};
use crate::packet::{Protocol, Timestamp};
use crate::time_grid::Cell;

/// The relation of a source to a target in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetOutcome {
    /// All contacts failed.
    Failed,
    /// A contact was answered and not used.
    Touched,
    /// A contact was used.
    Used,
    /// The source used or touched the target before this window. The target counts neither as failed nor as used.
    Known,
}

/// A target of a source, with the outcomes of its contacts.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    pub(super) owner: u32,
    pub(super) next: u32,
    pub(super) aspect: Aspect,
    pub(super) level: u8,
    /// The interface of the contact that counts since [`Mark::since`].
    pub interface: u16,
    /// The contact that counts since [`Mark::since`].
    pub target: HostPort,
    /// The time since which it counts without a break.
    pub since: Timestamp,
    /// The time of the first packet of that contact.
    pub begun: Timestamp,
    /// The latest cell with a contact that failed or touched.
    pub counted: Cell,
    /// The cell of the first contact that touched.
    pub touched: Cell,
    /// The number of cells from the first contact that touched to the last one.
    touched_for: u32,
    /// The latest cell with a contact that used the target.
    pub used: Cell,
    /// The ports of a host that were tried, or the networks in which a port was tried.
    pub tried: Tried,
    /// The port from which the source sent its ACK probes; 0 if a contact of another kind counted too.
    pub probe_port: u16,
    /// True if the target was used or touched before the window.
    pub is_known: bool,
    /// True if nothing failed but datagrams without any answer.
    pub is_silent: bool,
    /// True if the target, or a router before it, refused a contact.
    pub is_refused: bool,
    /// True if a contact counts for the source's network too.
    pub is_in_groups: bool,
}

impl Mark {
    /// A mark without outcomes.
    pub(super) const fn new(owner: u32, next: u32, aspect: Aspect, level: u8, target: HostPort) -> Self {
        Self {
            owner,
            next,
            aspect,
            level,
            interface: 0,
            target,
            since: Timestamp::from_nanoseconds(0),
            begun: Timestamp::from_nanoseconds(0),
            counted: NEVER,
            touched: NEVER,
            touched_for: 0,
            used: NEVER,
            tried: Tried::NONE,
            probe_port: 0,
            is_known: false,
            is_silent: true,
            is_refused: false,
            is_in_groups: false,
        }
    }

    /// Number of targets that it stands for.
    pub const fn weight(&self) -> u64 {
        1 << self.level
    }

    pub(super) fn is_live(&self, horizon: Cell) -> bool {
        self.counted >= horizon || self.used >= horizon
    }

    /// The relation in the window that begins at `horizon`; none if it has left the window.
    #[inline]
    pub fn relation(&self, horizon: Cell) -> Option<TargetOutcome> {
        if self.used >= horizon {
            Some(TargetOutcome::Used)
        } else if self.counted < horizon {
            None
        } else if self.touched != NEVER && self.touched < horizon {
            // It is known by now: a later answer in the window was a use.
            Some(if self.last_touched() >= horizon { TargetOutcome::Used } else { TargetOutcome::Known })
        } else if self.is_known {
            Some(TargetOutcome::Known)
        } else if self.touched >= horizon {
            Some(TargetOutcome::Touched)
        } else {
            Some(TargetOutcome::Failed)
        }
    }

    fn last_touched(&self) -> Cell {
        Cell(self.touched.0.saturating_add(self.touched_for.into()))
    }

    /// True if it counts as evidence of a scan in the window that begins at `horizon`.
    pub fn is_evidence(&self, horizon: Cell) -> bool {
        matches!(self.relation(horizon), Some(TargetOutcome::Failed | TargetOutcome::Touched))
    }

    /// Notes that a contact used the target. From then on it is known.
    pub fn use_in(&mut self, cell: Cell) {
        self.used = self.used.max(cell);
        self.is_known = true;
    }

    /// Notes a contact with a known target: an answer is a use, and a failure no evidence.
    pub fn meet_again(&mut self, contact: &SettledContact, horizon: Cell) {
        if contact.outcome == ContactOutcome::Touched {
            self.use_in(contact.cell);
        } else if !self.is_evidence(horizon) {
            self.is_known = true;
            self.counted = self.counted.max(contact.cell);
        }
    }

    /// Notes a first contact, which counts as evidence; `was_evidence` if the target was that before. The order of the
    /// contacts of a cell does not matter.
    #[inline]
    pub fn accuse(&mut self, contact: &SettledContact, was_evidence: bool) {
        if !was_evidence {
            (self.touched, self.touched_for) = (NEVER, 0);
            (self.is_known, self.is_silent, self.is_refused) = (false, true, false);
            self.probe_port = u16::MAX;
        }
        self.is_silent &= contact.is_silent;
        self.is_refused |= contact.is_refused;
        self.probe_port = self.probe_port.min(contact.probe_port);
        let SettledContact { time, first, target, interface, cell, .. } = *contact;
        let is_earlier = || (time, target, interface) < (self.since, self.target, self.interface);
        if !was_evidence || self.counted == cell && is_earlier() {
            (self.since, self.target, self.interface, self.begun) = (time, target, interface, first);
        }
        self.counted = self.counted.max(cell);
        if contact.outcome == ContactOutcome::Touched {
            let (first, last) = if self.touched == NEVER { (cell, cell) } else { (self.touched, self.last_touched()) };
            self.touched = first.min(cell);
            self.touched_for = u32::try_from(last.max(cell).0 - self.touched.0).unwrap_or(u32::MAX);
        }
    }
}

/// Some of the ports or networks that were tried of a target, as numbers; at most three, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried([u32; Self::MOST]);

impl Tried {
    /// More are not told apart.
    pub const MOST: usize = 3;
    /// None yet.
    pub const NONE: Self = Self([u32::MAX; Self::MOST]);

    /// Adds a number. The three lowest are kept, so that the order of contacts does not matter.
    #[inline]
    pub fn add(&mut self, number: u32) {
        if number < self.0[Self::MOST - 1] && !self.0.contains(&number) {
            self.0[Self::MOST - 1] = number;
            self.0.sort_unstable();
        }
    }

    /// Adds the port of a contact.
    pub fn add_port(&mut self, protocol: Protocol, port: u16) {
        self.add(u32::from(protocol.0) << 16 | u32::from(port));
    }

    /// The numbers.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.into_iter().filter(|number| *number != u32::MAX)
    }

    /// The ports: protocol and number.
    pub fn ports(&self) -> impl Iterator<Item = (Protocol, u16)> {
        self.iter().map(|port| (Protocol((port >> 16) as u8), port as u16))
    }

    /// True if three or more were tried.
    pub const fn are_many(&self) -> bool {
        self.0[Self::MOST - 1] != u32::MAX
    }
}
