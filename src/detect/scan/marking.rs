//! Outcomes → marks: the outcome of a contact is noted for its host and for its port, as evidence or not.
//!
//! Takes contacts whose outcome is known; changes the marks of their targets. Must not know how an outcome came about.

use std::net::IpAddr;

use super::contacts::{Aspect, SettledContact, TargetOutcome};
use super::networks;
use super::state::ScanState;
use super::verdict;
use crate::detect::Kind;

impl ScanState {
    /// Marks an outcome, for the host and for the port.
    pub(super) fn mark(&mut self, address: IpAddr, contact: &SettledContact) {
        let counts = Aspect::BOTH.map(|aspect| self.counts_as(aspect, address, contact));
        if counts == [false; 2] {
            return;
        }
        let Some(source) = self.contacts.find_or_insert(address) else { return };
        if contact.is_outside {
            self.contacts.set_outside(source);
        }
        for aspect in Aspect::BOTH {
            if counts[aspect as usize] && self.marks_evidence((source, address), aspect, contact) {
                self.contacts.note_evidence(source, contact.time);
                self.follow_trail((source, address), aspect, [contact.first, contact.last], contact.target);
            }
        }
        if contact.is_answered() && !contact.target.is_on_link() {
            self.memory.insert(address, &contact.target);
        }
    }

    /// True if an outcome is marked for the aspect.
    fn counts_as(&self, aspect: Aspect, source: IpAddr, contact: &SettledContact) -> bool {
        let has_port = contact.target.port != 0;
        self.is_analyzed(aspect)
            && (aspect == Aspect::Hosts || has_port)
            && !self.is_excluded_from(verdict::kind(aspect), source, contact)
    }

    fn is_excluded_from(&self, kind: Kind, source: IpAddr, contact: &SettledContact) -> bool {
        self.has_exclusions && {
            let target = (contact.target.address, contact.target.port);
            self.config.excluded_contacts.exclude_from(kind, (source, contact.source_port), target)
        }
    }

    /// Marks an outcome for one aspect; true if it counts as evidence. Only a first contact does: a target that answered the
    /// source before is known, and when it answers again, it is used.
    #[inline]
    fn marks_evidence(&mut self, (source, address): (u32, IpAddr), aspect: Aspect, contact: &SettledContact) -> bool {
        let horizon = self.horizon(self.current().unwrap_or_default(), aspect);
        let target = &contact.target;
        let is_in_groups = !self.is_excluded_from(Kind::GroupScan, address, contact);
        let Some(mark) = self.contacts.mark(source, aspect, *target, horizon) else {
            // It is not in the sample, and may be the first or the last target all the same.
            return contact.may_be_evidence() && !self.memory.contains(address, aspect, target);
        };
        mark.is_in_groups |= is_in_groups;
        let relation = mark.relation(horizon);
        if relation.is_none() {
            (mark.interface, mark.begun) = (contact.interface, contact.first);
        }
        match aspect {
            Aspect::Hosts => mark.tried.add_port(target.protocol, target.port),
            Aspect::Ports => mark.tried.add(networks::tag(target.address)),
        }
        if !contact.may_be_evidence() {
            mark.use_in(contact.cell);
            return false;
        }
        let is_known = match (aspect, relation) {
            (_, Some(TargetOutcome::Used)) | (Aspect::Hosts, Some(TargetOutcome::Known)) => true,
            (Aspect::Hosts, Some(_)) => false,
            _ => self.memory.contains(address, aspect, target),
        };
        if is_known {
            mark.meet_again(contact, horizon);
            return false;
        }
        let was_evidence = matches!(relation, Some(TargetOutcome::Failed | TargetOutcome::Touched));
        let weight = if was_evidence { 0 } else { mark.weight() };
        mark.accuse(contact, was_evidence);
        self.count(source, aspect, weight);
        true
    }
}
