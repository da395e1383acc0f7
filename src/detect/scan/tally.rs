//! The tally of a source: its targets at the end of a cell, without those that prove nothing, and their comparison.
//!
//! Takes the marks of a source; gives the figures of its clearest group. Must not know earlier verdicts.

use std::collections::BTreeMap;

use super::broadcasts;
use super::comparison::{self, ComparedTarget, Limits, MarkedTarget, TargetComparison, has_failed};
use super::config::Rule;
use super::contacts::{Aspect, HostPort, Mark, TargetOutcome};
use super::state::ScanState;
use crate::packet::Timestamp;
use crate::time_grid::Cell;

/// The targets of a source at the end of a cell, compared.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) comparison: TargetComparison,
    /// Targets with failed contacts that count.
    pub(super) failed: u64,
    /// Targets of the window, whatever the outcome of their contacts.
    pub(super) contacted: u64,
    /// Targets that are or were evidence: a cheap bound for later cells.
    marked: u64,
    /// The targets that count in the comparison, with their weights, the earliest first.
    pub(super) counting: Vec<(Timestamp, HostPort, u64)>,
    /// The time of the latest evidence; before all time if it is unknown.
    pub(super) latest: Timestamp,
    /// The time of their first packet.
    pub(super) begun: Option<Timestamp>,
    /// A target stands for others that are not held, or only the latest targets are held.
    pub(super) is_estimate: bool,
    /// A target that counts in the comparison did so in this cell.
    pub(super) is_fresh: bool,
    /// A target of a later cell was counted already, because its event could not be deferred: there is more to judge then.
    is_ahead: bool,
}

impl Tally {
    pub(super) fn nothing(limit: u64) -> Self {
        Self {
            comparison: TargetComparison::none(limit),
            failed: 0,
            contacted: 0,
            marked: 0,
            counting: Vec::new(),
            latest: Timestamp::BEFORE_ALL,
            begun: None,
            is_estimate: false,
            is_fresh: false,
            is_ahead: false,
        }
    }

    /// Compares targets, and adds those that count in the clearest comparison.
    pub(super) fn compare(&mut self, marks: &[MarkedTarget<'_>], cell: Cell, aspect: Aspect, limits: &Limits) {
        (self.begun, self.is_fresh) = (None, false);
        self.counting.clear();
        let targets: Vec<ComparedTarget> = marks.iter().map(|(_, target)| *target).collect();
        self.comparison = comparison::clearest(&targets, aspect, limits);
        if self.comparison.value == 0 {
            return;
        }
        let comparison = self.comparison;
        for (mark, _) in marks.iter().filter(|(_, target)| comparison.counts(target, aspect)) {
            self.count(mark, cell);
        }
        self.counting.sort_unstable();
    }

    /// Adds a target that counts.
    fn count(&mut self, mark: &Mark, cell: Cell) {
        self.is_fresh |= mark.counted >= cell;
        self.begun = Some(self.begun.map_or(mark.begun, |first| first.min(mark.begun)));
        self.counting.push((mark.since, mark.target, mark.weight()));
    }
}

pub(super) fn count_again(state: &mut ScanState, cell: Cell, source: u32, aspect: Aspect) -> Tally {
    let horizon = state.horizon(cell, aspect);
    state.contacts.purge(source, aspect, horizon);
    let tally = tally(state, cell, source, aspect);
    state.contacts.set_counted(source, aspect, tally.marked);
    if tally.is_ahead {
        state.suspects.insert(source);
    }
    tally
}

pub(super) fn tally(state: &ScanState, cell: Cell, source: u32, aspect: Aspect) -> Tally {
    let mut tally = match state.config.rule {
        Rule::Evidence => by_evidence(state, cell, source, aspect),
        Rule::Contacts => by_contacts(state, cell, source, aspect),
    };
    tally.counting.sort_unstable();
    tally
}

/// Compares the targets of a source, like with like.
fn by_evidence(state: &ScanState, cell: Cell, source: u32, aspect: Aspect) -> Tally {
    let limits = Limits { limit: state.limit(aspect), factors: state.config.factors };
    let horizon = state.horizon(cell, aspect);
    let mut tally = Tally::nothing(limits.limit);
    for mark in state.contacts.marks(source, aspect) {
        let Some(relation) = mark.relation(horizon) else { continue };
        let weight = mark.weight();
        tally.contacted += if mark.target.is_on_link() { 0 } else { weight };
        tally.is_estimate |= weight > 1;
        if matches!(relation, TargetOutcome::Failed | TargetOutcome::Touched) {
            tally.marked += weight;
            tally.is_ahead |= mark.counted > cell;
            tally.failed += if relation == TargetOutcome::Failed { weight } else { 0 };
        }
    }
    // Clearly fewer than the limit are no scan, however they are compared.
    tally.latest = state.contacts.latest_evidence(source);
    if tally.marked * 10 >= limits.limit * 9 {
        let marks = proving_targets(state, cell, source, aspect);
        tally.compare(&marks, cell, aspect, &limits);
        tally.failed = marks.iter().filter(|marked| has_failed(marked)).map(|(_, target)| target.weight).sum();
    }
    tally
}

/// The tally of a source by some of its targets alone.
pub(super) fn of_targets(
    state: &ScanState,
    cell: Cell,
    source: u32,
    aspect: Aspect,
    marks: &[MarkedTarget<'_>],
) -> Tally {
    let mut tally = by_evidence(state, cell, source, aspect);
    tally.is_estimate |= marks.iter().any(|(_, target)| target.weight > 1);
    tally.compare(marks, cell, aspect, &Limits { limit: state.limit(aspect), factors: state.config.factors });
    tally
}

/// The targets of a source that count in comparisons.
pub(super) fn proving_targets(state: &ScanState, cell: Cell, source: u32, aspect: Aspect) -> Vec<MarkedTarget<'_>> {
    let horizon = state.horizon(cell, aspect);
    let is_blind = |mark: &Mark| mark.is_evidence(horizon) && state.visibility.is_blind(mark.interface);
    let compared = |mark: &Mark| {
        let relation = mark.relation(horizon)?;
        Some(ComparedTarget { target: mark.target, tried: mark.tried, relation, weight: mark.weight() })
    };
    let marks = state.contacts.marks(source, aspect).filter(|mark| !is_blind(mark));
    let mut marks = marks.filter_map(|mark| Some((mark, compared(mark)?))).collect();
    exonerate(state, &mut marks, source, aspect, horizon);
    marks
}

/// Removes the failed targets that prove nothing: datagrams to a host that contacts the source itself, probes from many
/// ports, directed broadcasts, and questions for link addresses whose answers may not be seen.
fn exonerate(state: &ScanState, marks: &mut Vec<MarkedTarget<'_>>, source: u32, aspect: Aspect, horizon: Cell) {
    remove_stray_probes(marks, state.limit(aspect));
    if aspect == Aspect::Ports {
        return;
    }
    if marks.iter().any(|marked| has_failed(marked) && marked.0.is_silent && !marked.0.target.is_on_link()) {
        remove_peers(state, marks, source, horizon);
    }
    if marks.iter().any(|(mark, _)| mark.target.is_on_link()) {
        compare_links(state, marks, source, horizon);
    }
    let failed = marks.iter().filter(|marked| has_failed(marked));
    if let Some(ones) = broadcasts::ones_at_end(failed.map(|(_, target)| (&target.target, target.weight))) {
        marks.retain(|marked| !has_failed(marked) || !broadcasts::may_be_one(&marked.1.target, ones));
    }
}

/// A client that closes forgotten connections has a port for each, and a scanner uses one for all its probes. (Targets are
/// counted without the others that they stand for: a few with one port may be chance.)
fn remove_stray_probes(marks: &mut Vec<MarkedTarget<'_>>, limit: u64) {
    const ENOUGH: u64 = 32;
    let limit = limit.min(ENOUGH);
    let mut by_port: BTreeMap<u16, u64> = BTreeMap::new();
    for (mark, _) in marks.iter().filter(|marked| has_failed(marked) && marked.0.probe_port != 0) {
        *by_port.entry(mark.probe_port).or_default() += 1;
    }
    marks.retain(|marked| {
        let port = marked.0.probe_port;
        !has_failed(marked) || port == 0 || by_port[&port] > limit
    });
}

/// Peers of a protocol that answers from other ports send datagrams to each other, and none seems answered.
fn remove_peers(state: &ScanState, marks: &mut Vec<MarkedTarget<'_>>, source: u32, horizon: Cell) {
    let address = state.contacts.address(source);
    let pending = state.pending_pairs.get_or_init(|| state.pending.pairs());
    marks.retain(|marked| {
        let peer = marked.1.target.address;
        let contacts_source =
            || state.contacts.find(peer).is_some_and(|peer| state.contacts.has_contacted(peer, address, horizon));
        !(has_failed(marked) && marked.0.is_silent) || !(pending.contain(peer, address) || contacts_source())
    });
}

/// Questions for link addresses are compared with the hosts of the link that are known to be there. Without some of these,
/// the answers may go past the capture, as on a switch. A question that was followed by a contact is none of its own, and one
/// for a host that has contacts itself was too early: a DHCP server asks before it gives away an address.
fn compare_links(state: &ScanState, marks: &mut Vec<MarkedTarget<'_>>, source: u32, horizon: Cell) {
    marks.retain(|(mark, target)| {
        let is_question = target.relation == TargetOutcome::Failed && mark.target.is_on_link();
        let is_there_now = || state.contacts.find(target.target.address).is_some();
        !is_question || !(is_there_now() || state.contacts.has_contacted(source, target.target.address, horizon))
    });
    let is_there = |(mark, target): &&MarkedTarget<'_>| {
        target.relation != TargetOutcome::Failed || mark.is_refused && !mark.target.is_on_link()
    };
    let there: Vec<MarkedTarget<'_>> =
        marks.iter().filter(is_there).map(|&(mark, target)| (mark, target.as_used_link())).collect();
    let answers: u64 = there.iter().map(|(_, target)| target.weight).sum();
    if answers >= u64::from(state.config.link_answers) {
        marks.extend(there);
    } else {
        marks.retain(|(mark, _)| !mark.target.is_on_link());
    }
}

/// Counts all targets of a source.
fn by_contacts(state: &ScanState, cell: Cell, source: u32, aspect: Aspect) -> Tally {
    let (horizon, end) = (state.horizon(cell, aspect), state.grid.end(cell));
    let mut tally = Tally::nothing(state.limit(aspect));
    for mark in state.contacts.marks(source, aspect).filter(|mark| mark.counted >= horizon) {
        tally.marked += 1;
        tally.is_ahead |= mark.counted > cell || mark.since >= end;
        if mark.since < end {
            tally.count(mark, cell);
        }
    }
    let kept = state.contacts.kept_at_least(aspect) as u64;
    let counted = tally.counting.len() as u64;
    tally.is_estimate = counted >= kept;
    tally.comparison.value = counted.min(kept);
    tally.comparison.least_value = tally.comparison.value;
    tally.contacted = tally.comparison.value;
    tally
}
