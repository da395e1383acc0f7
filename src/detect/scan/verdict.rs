//! The verdict on each suspect at the end of a cell: over its limit or not, since when, and by which figures.
//!
//! Takes the marks of a source; gives detections until it is clearly under its limit. Must not know events.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::broadcasts;
use super::comparison::{self, ComparedTarget, Comparison, Limits};
use super::config::Rule;
use super::contacts::{Aspect, HostPort, Mark, Relation};
use super::state::ScanState;
use super::trail::Trail;
use crate::detect::{Detection, Figures, Kind, Level, MAXIMUM_TARGETS, Span, Subject, Target};
use crate::packet::{Protocol, Timestamp};
use crate::time_grid::Cell;

/// The targets of a source at the end of a cell, compared.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) comparison: Comparison,
    /// Targets with failed contacts that count.
    pub(super) failed: u64,
    /// Targets of the window, whatever the outcome of their contacts.
    pub(super) contacted: u64,
    /// Targets that are or were evidence: a cheap bound for later cells.
    marked: u64,
    /// The targets that count in the comparison, with their weights, the earliest first.
    counting: Vec<(Timestamp, HostPort, u64)>,
    /// The time of their first packet.
    begun: Option<Timestamp>,
    /// A target stands for others that are not held, or only the latest targets are held.
    is_estimate: bool,
    /// A target that counts in the comparison did so in this cell.
    is_fresh: bool,
    /// A target of a later cell was counted already, because its event could not be deferred: there is more to judge then.
    is_ahead: bool,
}

impl Tally {
    pub(super) fn nothing(limit: u64) -> Self {
        Self {
            comparison: Comparison::none(limit),
            failed: 0,
            contacted: 0,
            marked: 0,
            counting: Vec::new(),
            begun: None,
            is_estimate: false,
            is_fresh: false,
            is_ahead: false,
        }
    }

    /// Adds a target that counts.
    fn count(&mut self, mark: &Mark, cell: Cell) {
        self.is_fresh |= mark.counted >= cell;
        self.begun = Some(self.begun.map_or(mark.begun, |first| first.min(mark.begun)));
        self.counting.push((mark.since, mark.target, mark.weight()));
    }
}

/// The sources that were reported as over a limit, until they are reported as under it; by kind, with the time since when.
#[derive(Debug, Default)]
pub(super) struct OngoingScans {
    since: BTreeMap<(Kind, IpAddr), Timestamp>,
}

impl OngoingScans {
    pub(super) fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// Judges all suspects and all sources with an ongoing scan.
    pub(super) fn judge(&mut self, state: &mut ScanState, cell: Cell, detections: &mut Vec<Detection>) {
        let mut to_judge: BTreeMap<(Kind, IpAddr), Option<u32>> = BTreeMap::new();
        for source in std::mem::take(&mut state.suspects) {
            for aspect in Aspect::BOTH {
                to_judge.insert((kind(aspect), state.contacts.address(source)), Some(source));
            }
        }
        for &(kind, address) in self.since.keys() {
            to_judge.entry((kind, address)).or_insert_with(|| state.contacts.find(address));
        }
        for ((kind, address), source) in to_judge {
            let aspect = if kind == Kind::HostScan { Aspect::Hosts } else { Aspect::Ports };
            let nothing = Tally::nothing(state.limit(aspect));
            let tally = source.map_or(nothing, |source| count_again(state, cell, source, aspect));
            detections.extend(self.judge_one(state, cell, (kind, address), aspect, &tally));
            let is_suspect = || source.is_some_and(|source| state.suspects.contains(&source));
            if !self.since.contains_key(&(kind, address)) && !is_suspect() {
                state.trails.forget(aspect, address);
            }
        }
    }

    fn judge_one(
        &mut self,
        state: &ScanState,
        cell: Cell,
        subject: (Kind, IpAddr),
        aspect: Aspect,
        tally: &Tally,
    ) -> Option<Detection> {
        let level = tally.comparison.level();
        let known_since = self.since.get(&subject).copied();
        // Answers that leave the window before failures do not make a silent source a scanner.
        if known_since.is_none() && !(level == Level::Over && tally.is_fresh) {
            return None;
        }
        let at = state.grid.end(cell);
        let since = known_since.unwrap_or_else(|| crossing(state, cell, tally));
        if level == Level::Under {
            self.since.remove(&subject);
        } else {
            self.since.insert(subject, since);
        }
        let (kind, address) = subject;
        let rule = state.config.names[aspect as usize].clone();
        let figures = figures(state, aspect, address, tally);
        Some(Detection { kind, rule, subject: Subject::Source(address), level, since, at, figures })
    }
}

const fn kind(aspect: Aspect) -> Kind {
    match aspect {
        Aspect::Hosts => Kind::HostScan,
        Aspect::Ports => Kind::PortScan,
    }
}

fn count_again(state: &mut ScanState, cell: Cell, source: u32, aspect: Aspect) -> Tally {
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
    let mut marks: Vec<MarkedTarget<'_>> = Vec::new();
    for mark in state.contacts.marks(source, aspect) {
        let Some(relation) = mark.relation(horizon) else { continue };
        let weight = mark.weight();
        tally.contacted += if mark.target.is_on_link() { 0 } else { weight };
        tally.is_estimate |= weight > 1;
        let is_evidence = mark.is_evidence(horizon);
        if is_evidence {
            tally.marked += weight;
            tally.is_ahead |= mark.counted > cell;
        }
        if !(is_evidence && state.visibility.is_blind(mark.interface)) {
            marks.push((mark, ComparedTarget { target: mark.target, ports: mark.ports, relation, weight }));
        }
    }
    // Clearly fewer than the limit are no scan, however they are compared.
    if tally.marked * 10 >= limits.limit * 9 {
        exonerate(state, &mut marks, source, aspect, horizon);
        let targets: Vec<ComparedTarget> = marks.iter().map(|(_, target)| *target).collect();
        tally.comparison = comparison::clearest(&targets, aspect, &limits);
    }
    for (mark, target) in &marks {
        tally.failed += if target.relation == Relation::Failed { target.weight } else { 0 };
        if tally.comparison.value > 0 && tally.comparison.counts(target, aspect) {
            tally.count(mark, cell);
        }
    }
    tally
}

/// A target with what its mark says of it.
type MarkedTarget<'a> = (&'a Mark, ComparedTarget);

fn has_failed((_, target): &MarkedTarget<'_>) -> bool {
    target.relation == Relation::Failed
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
    let pending = state.pending.senders_of_datagrams_to(address);
    marks.retain(|marked| {
        let peer = marked.1.target.address;
        let contacts_source =
            || state.contacts.find(peer).is_some_and(|peer| state.contacts.has_contacted(peer, address, horizon));
        !(has_failed(marked) && marked.0.is_silent) || !(pending.contains(&peer) || contacts_source())
    });
}

/// Questions for link addresses are compared with the hosts of the link that are known to be there. Without some of these,
/// the answers may go past the capture, as on a switch; a question that was followed by a contact is none of its own.
fn compare_links(state: &ScanState, marks: &mut Vec<MarkedTarget<'_>>, source: u32, horizon: Cell) {
    const FEWEST_ANSWERS: u64 = 3;
    marks.retain(|(mark, target)| {
        let is_question = target.relation == Relation::Failed && mark.target.is_on_link();
        !is_question || !state.contacts.has_contacted(source, target.target.address, horizon)
    });
    let is_there = |(mark, target): &&MarkedTarget<'_>| {
        target.relation != Relation::Failed || mark.is_refused && !mark.target.is_on_link()
    };
    let there: Vec<MarkedTarget<'_>> =
        marks.iter().filter(is_there).map(|&(mark, target)| (mark, target.as_used_link())).collect();
    let answers: u64 = there.iter().map(|(_, target)| target.weight).sum();
    if answers >= FEWEST_ANSWERS {
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

/// The time at which the rule became true: that of the deciding contact. It is the end of the cell where no contact decided
/// but an answer left the window, or by the rule that counts all contacts.
fn crossing(state: &ScanState, cell: Cell, tally: &Tally) -> Timestamp {
    let (mut sum, threshold) = (0, tally.comparison.threshold);
    let deciding = tally.counting.iter().find(|(_, _, weight)| {
        sum += weight;
        sum > threshold
    });
    match (state.config.rule, deciding) {
        (Rule::Evidence, Some(&(time, ..))) if state.grid.cell(time) == cell => time,
        _ => state.grid.end(cell),
    }
}

fn figures(state: &ScanState, aspect: Aspect, source: IpAddr, tally: &Tally) -> Figures {
    let targets: Vec<Target> = tally.counting.iter().map(|(_, place, _)| target(place)).collect();
    let is_by_evidence = state.config.rule == Rule::Evidence;
    let trail = state.trails.of(aspect, source);
    Figures {
        value: tally.comparison.value as f64,
        limit: tally.comparison.threshold as f64,
        window: [state.config.interval, state.config.port_interval][aspect as usize],
        bytes: 0,
        answered: is_by_evidence.then_some(tally.comparison.sums.used),
        is_estimate: tally.is_estimate,
        span: tally.begun.map(|begun| span(begun, tally, trail)),
        first_targets: first_targets(&targets, tally, trail),
        last_targets: last_targets(&targets, trail.map(|trail| target(&trail.last.1))),
    }
}

/// The time from the first to the last packet. If the targets are a sample, the trail knows the first packet better.
fn span(begun: Timestamp, tally: &Tally, trail: Option<&Trail>) -> Span {
    let of_trail = trail.filter(|_| tally.is_estimate).and_then(|trail| trail.first.first());
    let first = of_trail.map_or(begun, |(time, _)| begun.min(*time));
    let last = trail.map_or(first, |trail| trail.last.0.max(first));
    Span { first, last, precision: Duration::ZERO }
}

/// The first targets that are held; those of the trail if the targets are a sample.
fn first_targets(targets: &[Target], tally: &Tally, trail: Option<&Trail>) -> Vec<Target> {
    match trail.filter(|_| tally.is_estimate) {
        Some(trail) => trail.first.iter().map(|(_, place)| target(place)).collect(),
        None => targets.iter().take(MAXIMUM_TARGETS).copied().collect(),
    }
}

/// The last targets that are held, and behind them the last one of all, which may not be in the sample.
fn last_targets(targets: &[Target], last: Option<Target>) -> Vec<Target> {
    let others = targets.iter().filter(|target| Some(**target) != last).copied();
    let all: Vec<Target> = others.chain(last).collect();
    all[all.len().saturating_sub(MAXIMUM_TARGETS)..].to_vec()
}

fn target(place: &HostPort) -> Target {
    let has_port = matches!(place.protocol, Protocol::TCP | Protocol::UDP) && place.port != 0;
    Target { address: place.address, protocol: Some(place.protocol), port: has_port.then_some(place.port) }
}
