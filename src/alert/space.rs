//! The use of the alert table by kind and side. Takes the alerts that begin and end; says if one more has space. Must
//! not know subjects.
//!
//! Half of the table is reserved in equal shares, one for each kind on each side. So a flood of sources that one
//! kind reports leaves space for the others, and a flood from outside leaves space for alerts about local hosts.

use super::Side;
use crate::detect::Kind;

/// The most alerts of the kind policy on one side. A source is reported after one packet, so forged sources are
/// cheap. Below the number of open evidence files, so that a flood leaves some of them to other alerts.
const MOST_OF_POLICY: usize = 100;

/// The numbers of active alerts.
#[derive(Debug)]
pub(super) struct AlertSpace {
    limit: usize,
    active: [[usize; Side::BOTH.len()]; Kind::ALL.len()],
}

impl AlertSpace {
    /// An empty table of so many alerts.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, active: Default::default() }
    }

    /// Sets the most alerts. Those past it stay.
    pub(super) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// True if an alert may begin: within the share of its kind and side, or in what no share reserves.
    pub(super) fn has_space(&self, kind: Kind, side: Side) -> bool {
        let active = self.active[kind as usize][side as usize];
        active < self.most(kind) && (active < self.share(kind) || self.taken() < self.limit)
    }

    /// The active alerts and the unused parts of all shares.
    fn taken(&self) -> usize {
        let of_kind = |kind: Kind| self.active[kind as usize].map(|active| active.max(self.share(kind)));
        Kind::ALL.into_iter().flat_map(of_kind).sum()
    }

    const fn share(&self, kind: Kind) -> usize {
        let share = self.limit / (2 * Kind::ALL.len() * Side::BOTH.len());
        let most = self.most(kind);
        if share < most { share } else { most }
    }

    const fn most(&self, kind: Kind) -> usize {
        match kind {
            Kind::Policy => MOST_OF_POLICY,
            _ => self.limit,
        }
    }

    pub(super) fn add(&mut self, kind: Kind, side: Side) {
        self.active[kind as usize][side as usize] += 1;
    }

    pub(super) fn remove(&mut self, kind: Kind, side: Side) {
        let active = &mut self.active[kind as usize][side as usize];
        *active = active.saturating_sub(1);
    }
}
