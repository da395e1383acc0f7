//! The verdict on each suspect at the end of a cell: over its limit or not, since when, and by which figures.
//!
//! Takes the marks of a source; gives detections until it is clearly under its limit. Must not know events.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::config::Rule;
use super::contacts::{Aspect, HostPort};
use super::masquerade;
use super::state::ScanState;
use super::tally::{Tally, count_again};
use super::trail::Trail;
use crate::detect::{Detection, Figures, Kind, Level, MAXIMUM_TARGETS, Span, Subject, Target};
use crate::packet::{Protocol, Timestamp};
use crate::time_grid::Cell;

/// The sources that were reported as over a limit, until they are reported as under it; by kind, with the time since when.
#[derive(Debug, Default)]
pub(super) struct OngoingScans {
    since: BTreeMap<(Kind, IpAddr), Timestamp>,
}

impl OngoingScans {
    pub(super) fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// True if a source was reported as over a limit.
    pub(super) fn holds(&self, source: IpAddr) -> bool {
        Aspect::BOTH.into_iter().any(|aspect| self.since.contains_key(&(kind(aspect), source)))
    }

    /// Judges all suspects and all sources with an ongoing scan.
    pub(super) fn judge(&mut self, state: &mut ScanState, cell: Cell, detections: &mut Vec<Detection>) {
        let is_by_evidence = state.config.rule == Rule::Evidence;
        (state.pending_pairs, state.routers.searches) = (OnceCell::new(), 0);
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
            let mut tally = source.map_or(nothing, |source| count_again(state, cell, source, aspect));
            let begins = tally.comparison.is_over() && !self.since.contains_key(&(kind, address));
            if let Some(source) = source.filter(|_| begins && kind == Kind::HostScan && is_by_evidence) {
                tally = masquerade::without_answered(state, cell, source).unwrap_or(tally);
            }
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
        let figures = figures(state, aspect, tally, state.trails.of(aspect, address), limit(state, aspect));
        Some(Detection { kind, rule, subject: Subject::Source(address), level, since, at, figures })
    }
}

/// The limit of an aspect, and the setting of which it is the value.
fn limit(state: &ScanState, aspect: Aspect) -> (u64, (&'static str, u64)) {
    (state.limit(aspect), (["NumberContactedIPs", "NumContactedPorts"][aspect as usize], 1))
}

pub(super) const fn kind(aspect: Aspect) -> Kind {
    match aspect {
        Aspect::Hosts => Kind::HostScan,
        Aspect::Ports => Kind::PortScan,
    }
}

/// The time at which the rule became true: that of the deciding contact. Where an earlier contact decides since another
/// joined its group, it is the time of the latest one in the cell. It is the end of the cell if that has none, or by
/// the rule that counts all contacts.
pub(super) fn crossing(state: &ScanState, cell: Cell, tally: &Tally) -> Timestamp {
    let (mut sum, threshold) = (0, tally.comparison.threshold);
    let deciding = tally.counting.iter().find(|(_, _, weight)| {
        sum += weight;
        sum > threshold
    });
    match (state.config.rule, deciding) {
        (Rule::Evidence, Some(&(time, ..))) if state.grid.cell(time) == cell => time,
        (Rule::Evidence, _) if state.grid.cell(tally.latest) == cell => tally.latest,
        _ => state.grid.end(cell),
    }
}

/// The figures of a tally. `setting` has the name of the setting of the limit, and how many times its value the limit is.
pub(super) fn figures(
    state: &ScanState,
    aspect: Aspect,
    tally: &Tally,
    trail: Option<&Trail>,
    (limit, setting): (u64, (&'static str, u64)),
) -> Figures {
    let comparison = &tally.comparison;
    let is_by_evidence = state.config.rule == Rule::Evidence;
    let of_group = |place: &&HostPort| !is_by_evidence || comparison.has(place, aspect);
    let shown = |place: &HostPort| target(&comparison.shown(*place));
    let places = || tally.counting.iter().map(|(_, place, _)| place);
    // Hosts that count are of the group; a port may have been tried first in another network.
    let targets: Vec<Target> = places().filter(|place| aspect == Aspect::Hosts || of_group(place)).map(shown).collect();
    let addresses: Vec<IpAddr> = places().map(|place| place.address).collect();
    let of_trail = trail.map(|trail| trail.first.iter().map(|(_, place)| place).filter(of_group).map(shown).collect());
    let first: Vec<Target> = of_trail.filter(|_| tally.is_estimate).unwrap_or_else(|| targets.clone());
    let last = trail.map(|trail| &trail.last.1).filter(of_group).map(shown);
    Figures {
        value: comparison.value as f64,
        limit: comparison.threshold as f64,
        window: [state.config.interval, state.config.port_interval][aspect as usize],
        bytes: 0,
        answered: is_by_evidence.then_some(comparison.sums.answered()),
        scan: is_by_evidence.then(|| comparison.evidence(&addresses, limit, setting)),
        is_estimate: tally.is_estimate,
        span: tally.begun.map(|begun| span(begun, tally, trail)),
        largest_peer: None,
        first_targets: first.into_iter().take(MAXIMUM_TARGETS).collect(),
        last_targets: last_targets(&targets, last),
    }
}

/// The time from the first to the last packet. If the targets are a sample, the trail knows the first packet better. Without
/// a trail, the time of the latest evidence stands for the last packet, which was before it.
fn span(begun: Timestamp, tally: &Tally, trail: Option<&Trail>) -> Span {
    let Some(trail) = trail else {
        return Span { first: begun, last: tally.latest.max(begun), precision: WITHOUT_TRAIL };
    };
    let first = trail.first.first().filter(|_| tally.is_estimate).map_or(begun, |(time, _)| begun.min(*time));
    Span { first, last: trail.last.0.max(first), precision: Duration::ZERO }
}

/// The precision of the last packet's time without a trail: evidence is mostly known within a second.
const WITHOUT_TRAIL: Duration = Duration::from_secs(1);

/// The last targets that are held, and behind them the last one of all, which may not be in the sample.
fn last_targets(targets: &[Target], last: Option<Target>) -> Vec<Target> {
    let others = targets.iter().filter(|target| Some(**target) != last).copied();
    let all: Vec<Target> = others.chain(last).collect();
    all[all.len().saturating_sub(MAXIMUM_TARGETS)..].to_vec()
}

fn target(place: &HostPort) -> Target {
    let has_port = matches!(place.protocol, Protocol::TCP | Protocol::UDP) && place.port != 0;
    Target {
        address: place.address,
        protocol: Some(place.protocol).filter(|_| !place.is_on_link()),
        port: has_port.then_some(place.port),
    }
}
