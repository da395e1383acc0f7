//! The verdict on each suspect at the end of a cell: over its limit or not, since when, and by which figures.
//!
//! Takes the marks of a source; gives detections until it is clearly under its limit. Must not know events.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::broadcasts;
use super::config::Rule;
use super::contacts::{Aspect, HostPort, Keeping, Mark};
use super::state::ScanState;
use super::trail::Trail;
use crate::detect::{Detection, Figures, Kind, Level, MAXIMUM_TARGETS, Span, Subject, Target};
use crate::packet::{Protocol, Timestamp};
use crate::time_grid::Cell;

/// The targets of a source that count at the end of a cell.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) value: u64,
    pub(super) answered: u64,
    /// Targets that were counted, also those that answered since or came by an interface without answers.
    marked: u64,
    /// The targets that count, with their weights, the earliest first.
    counting: Vec<(Timestamp, HostPort, u64)>,
    /// The time of their first packet.
    begun: Option<Timestamp>,
    /// A target stands for others that are not held, or only the latest targets are held.
    is_estimate: bool,
    /// A target was counted in this cell.
    is_fresh: bool,
    /// A target of a later cell was counted already, because its event could not be deferred: there is more to judge then.
    is_ahead: bool,
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
            let tally = source.map_or_else(Tally::default, |source| count_again(state, cell, source, aspect));
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
        let threshold = threshold(state, aspect, tally);
        let level = Level::of(tally.value, threshold);
        let known_since = self.since.get(&subject).copied();
        // Answers that leave the window before failures do not make a silent source a scanner.
        if known_since.is_none() && !(level == Level::Over && tally.is_fresh) {
            return None;
        }
        let at = state.grid.end(cell);
        let since = known_since.unwrap_or_else(|| crossing(state, cell, tally, threshold));
        if level == Level::Under {
            self.since.remove(&subject);
        } else {
            self.since.insert(subject, since);
        }
        let (kind, address) = subject;
        let rule = state.config.names[aspect as usize].clone();
        let figures = figures(state, aspect, address, tally, threshold);
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
    let mut tally = sum(state, cell, source, aspect, |_| false);
    if state.config.rule == Rule::Evidence && aspect == Aspect::Hosts {
        let failed = tally.counting.iter().map(|(_, place, weight)| (place, *weight));
        if let Some(ones) = broadcasts::ones_at_end(failed) {
            tally = sum(state, cell, source, aspect, |place| broadcasts::may_be_one(place, ones));
        }
    }
    tally.counting.sort_unstable();
    if state.contacts.keeping() == Keeping::Latest {
        let kept = state.contacts.kept_at_least(aspect) as u64;
        tally.is_estimate |= tally.value >= kept;
        tally.value = tally.value.min(kept);
    }
    tally
}

/// Counts the targets of a source, without the failed contacts for which `is_left_out` holds.
fn sum(state: &ScanState, cell: Cell, source: u32, aspect: Aspect, is_left_out: impl Fn(&HostPort) -> bool) -> Tally {
    let (horizon, end) = (state.horizon(cell, aspect), state.grid.end(cell));
    let is_by_evidence = state.config.rule == Rule::Evidence;
    let counts = |mark: &Mark| mark.counted >= horizon && (is_by_evidence || mark.since < end);
    let mut tally = Tally::default();
    for mark in state.contacts.marks(source, aspect) {
        let weight = mark.weight();
        if mark.counted >= horizon {
            tally.marked += weight;
            tally.is_ahead |= mark.counted > cell || !is_by_evidence && mark.since >= end;
        }
        if mark.answered >= horizon {
            tally.answered += weight;
            tally.is_estimate |= weight > 1;
        } else if counts(mark)
            && !(is_by_evidence && state.visibility.is_blind(mark.interface))
            && !is_left_out(&mark.target)
        {
            tally.value += weight;
            tally.is_fresh |= mark.counted >= cell;
            tally.is_estimate |= weight > 1;
            tally.begun = Some(tally.begun.map_or(mark.begun, |first| first.min(mark.begun)));
            tally.counting.push((mark.since, mark.target, weight));
        }
    }
    tally
}

/// The value above which a source is over its limit.
fn threshold(state: &ScanState, aspect: Aspect, tally: &Tally) -> u64 {
    state.limit(aspect).max(tally.answered)
}

/// The time at which the rule became true: that of the deciding contact. It is the end of the cell where no contact decided
/// but an answer left the window, or by the rule that counts all contacts.
fn crossing(state: &ScanState, cell: Cell, tally: &Tally, threshold: u64) -> Timestamp {
    let mut sum = 0;
    let deciding = tally.counting.iter().find(|(_, _, weight)| {
        sum += weight;
        sum > threshold
    });
    match (state.config.rule, deciding) {
        (Rule::Evidence, Some(&(time, ..))) if state.grid.cell(time) == cell => time,
        _ => state.grid.end(cell),
    }
}

fn figures(state: &ScanState, aspect: Aspect, source: IpAddr, tally: &Tally, threshold: u64) -> Figures {
    let targets: Vec<Target> = tally.counting.iter().map(|(_, place, _)| target(place)).collect();
    let is_by_evidence = state.config.rule == Rule::Evidence;
    let trail = state.trails.of(aspect, source);
    Figures {
        value: tally.value as f64,
        limit: threshold as f64,
        window: [state.config.interval, state.config.port_interval][aspect as usize],
        bytes: 0,
        answered: is_by_evidence.then_some(tally.answered),
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
