//! Outcomes → marks: the outcome of a contact is noted for its host and for its port, as evidence or not.
//!
//! Takes contacts whose outcome is known; changes the marks of their targets. Must not know how an outcome came about.

use std::net::IpAddr;

use super::contacts::pending::PendingContact;
use super::contacts::{Aspect, Evidence, HostPort, TargetOutcome};
use super::events::ContactSignals;
use super::networks;
use super::state::ScanState;
use super::verdict;
use crate::detect::Kind;
use crate::packet::{Protocol, Timestamp};
use crate::time_grid::Cell;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContactOutcome {
    /// Answered and used, in a cell.
    Used(Cell),
    /// Answered and not used, as was known at this moment.
    Touched(Timestamp),
    /// Refused, aborted or not answered in time, at this moment.
    Failed(Timestamp),
}

/// A contact whose outcome is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct SettledContact {
    pub(super) target: HostPort,
    pub(super) source_port: u16,
    pub(super) interface: u16,
    pub(super) is_outside: bool,
    /// The times of the source's first and last packet.
    pub(super) packets: [Timestamp; 2],
    /// The source's port if the contact is a probe; else 0.
    pub(super) probe_port: u16,
    /// True if it failed because a datagram had no answer.
    pub(super) is_silent: bool,
    /// True if it failed because it was refused or aborted.
    pub(super) is_refused: bool,
    pub(super) outcome: ContactOutcome,
}

impl SettledContact {
    pub(super) fn new(contact: &PendingContact, outcome: ContactOutcome) -> Self {
        let PendingContact { target, source_port, interface, is_outside, first, last, .. } = *contact;
        let signals = ContactSignals(contact.signals);
        let probe_port = if signals.has(ContactSignals::PROBE) { source_port } else { 0 };
        let is_silent = target.protocol == Protocol::UDP && !signals.has(ContactSignals::REFUSED);
        let is_refused = signals.has(ContactSignals::REFUSED) || signals.has(ContactSignals::ABORTED);
        let packets = [first, last];
        Self { target, source_port, interface, is_outside, packets, probe_port, is_silent, is_refused, outcome }
    }

    /// The evidence that it is at `time`, in `cell`.
    const fn evidence(&self, time: Timestamp, cell: Cell) -> Evidence {
        let Self { target, interface, packets: [begun, _], probe_port, is_silent, is_refused, outcome, .. } = *self;
        let touches = matches!(outcome, ContactOutcome::Touched(_));
        Evidence { touches, time, cell, begun, target, interface, probe_port, is_silent, is_refused }
    }
}

impl ScanState {
    /// Marks an outcome, for the host and for the port.
    pub(super) fn mark(&mut self, address: IpAddr, settled: &SettledContact) {
        let counts_as_host = self.counts_as(Aspect::Hosts, address, settled);
        let counts_as_port = self.counts_as(Aspect::Ports, address, settled);
        if !(counts_as_host || counts_as_port) {
            return;
        }
        let Some(source) = self.contacts.find_or_insert(address) else { return };
        if settled.is_outside {
            self.contacts.set_outside(source);
        }
        let evidence = match settled.outcome {
            ContactOutcome::Used(_) => None,
            ContactOutcome::Touched(time) | ContactOutcome::Failed(time) => {
                Some(settled.evidence(time, self.cell(time)))
            }
        };
        if counts_as_host {
            self.mark_aspect((source, address), Aspect::Hosts, settled, evidence.as_ref());
        }
        if counts_as_port {
            self.mark_aspect((source, address), Aspect::Ports, settled, evidence.as_ref());
        }
        if !matches!(settled.outcome, ContactOutcome::Failed(_)) && !settled.target.is_on_link() {
            self.memory.insert(address, &settled.target);
        }
    }

    /// True if an outcome is marked for the aspect.
    fn counts_as(&self, aspect: Aspect, source: IpAddr, settled: &SettledContact) -> bool {
        let has_port = settled.target.port != 0;
        self.is_analyzed(aspect)
            && (aspect == Aspect::Hosts || has_port)
            && !self.is_excluded_from(verdict::kind(aspect), source, settled)
    }

    fn is_excluded_from(&self, kind: Kind, source: IpAddr, settled: &SettledContact) -> bool {
        let target = (settled.target.address, settled.target.port);
        let excluded = &self.config.excluded_contacts;
        !excluded.is_empty() && excluded.exclude_from(kind, (source, settled.source_port), target)
    }

    /// Marks an outcome for one aspect.
    fn mark_aspect(
        &mut self,
        source: (u32, IpAddr),
        aspect: Aspect,
        settled: &SettledContact,
        evidence: Option<&Evidence>,
    ) {
        if self.marks_evidence(source, aspect, settled, evidence)
            && let Some(evidence) = evidence
        {
            self.contacts.note_evidence(source.0, evidence.time);
            self.follow_trail(source.0, aspect, settled.packets, settled.target);
        }
    }

    /// Marks an outcome; true if it counts as evidence. Only a first contact does: a target that answered the source before
    /// is known, and when it answers again, it is used.
    #[inline]
    fn marks_evidence(
        &mut self,
        (source, address): (u32, IpAddr),
        aspect: Aspect,
        settled: &SettledContact,
        evidence: Option<&Evidence>,
    ) -> bool {
        let horizon = self.horizon(self.current().unwrap_or_default(), aspect);
        let target = &settled.target;
        let is_in_groups = !self.is_excluded_from(Kind::GroupScan, address, settled);
        let Some(mark) = self.contacts.mark(source, aspect, *target, horizon) else {
            // It is not in the sample, and may be the first or the last target all the same.
            return evidence.is_some() && !self.memory.contains(address, aspect, target);
        };
        mark.is_in_groups |= is_in_groups;
        let relation = mark.relation(horizon);
        if relation.is_none() {
            (mark.interface, mark.begun) = (settled.interface, settled.packets[0]);
        }
        match aspect {
            Aspect::Hosts => mark.tried.add_port(target.protocol, target.port),
            Aspect::Ports => mark.tried.add(networks::tag(target.address)),
        }
        let Some(evidence) = evidence else {
            if let ContactOutcome::Used(cell) = settled.outcome {
                mark.use_in(cell);
            }
            return false;
        };
        let is_known = match (aspect, relation) {
            (_, Some(TargetOutcome::Used)) | (Aspect::Hosts, Some(TargetOutcome::Known)) => true,
            (Aspect::Hosts, Some(_)) => false,
            _ => self.memory.contains(address, aspect, target),
        };
        if is_known {
            mark.meet_again(evidence, horizon);
            return false;
        }
        let was_evidence = matches!(relation, Some(TargetOutcome::Failed | TargetOutcome::Touched));
        let weight = if was_evidence { 0 } else { mark.weight() };
        mark.accuse(evidence, was_evidence);
        self.count(source, aspect, weight);
        true
    }
}
