//! Who is over a limit at the end of a cell, since when, and on what that rests.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::contacts::{Aspect, Keeping, Mark, Place};
use super::sight::Sight;
use super::trail::Trail;
use super::{Rule, Scene, broadcasts};
use crate::detect::{Detection, Figures, Kind, Level, MAXIMUM_TARGETS, Span, Subject, Target};
use crate::packet::{Protocol, Timestamp};
use crate::time_grid::Cell;

/// What counts of a source at the end of a cell.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Targets that count.
    pub(super) value: u64,
    /// Targets that answered.
    pub(super) answered: u64,
    /// Targets that count but for an answer, or for where they came by.
    marked: u64,
    /// Those that count, with their weights, the first one first.
    counting: Vec<(Timestamp, Place, u64)>,
    /// The first packet of those that count.
    begun: Option<Timestamp>,
    /// A target stands for others that are not held, or the latest targets alone are held.
    is_estimate: bool,
    /// One of them was counted in this cell.
    is_fresh: bool,
    /// One was counted that is of a later cell, for want of room to let it wait: there is more to judge then.
    is_ahead: bool,
}

/// What was said of whom, until it was said that it is over.
#[derive(Debug, Default)]
pub(super) struct OngoingScans {
    since: BTreeMap<(Kind, IpAddr), Timestamp>,
}

impl OngoingScans {
    pub(super) fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// Looks at all that could be over a limit, and at those of whom something was said.
    pub(super) fn judge(&mut self, scene: &mut Scene, sight: &Sight, cell: Cell, detections: &mut Vec<Detection>) {
        let mut to_judge: BTreeMap<(Kind, IpAddr), Option<u32>> = BTreeMap::new();
        for source in std::mem::take(&mut scene.suspects) {
            for aspect in Aspect::BOTH {
                to_judge.insert((kind(aspect), scene.contacts.address(source)), Some(source));
            }
        }
        for &(kind, address) in self.since.keys() {
            to_judge.entry((kind, address)).or_insert_with(|| scene.contacts.find(address));
        }
        for ((kind, address), source) in to_judge {
            let aspect = if kind == Kind::HostScan { Aspect::Hosts } else { Aspect::Ports };
            let tally = source.map_or_else(Tally::default, |source| look(scene, sight, cell, source, aspect));
            detections.extend(self.judge_one(scene, cell, (kind, address), aspect, &tally));
            let is_suspect = || source.is_some_and(|source| scene.suspects.contains(&source));
            if !self.since.contains_key(&(kind, address)) && !is_suspect() {
                scene.trails.forget(aspect, address);
            }
        }
    }

    fn judge_one(
        &mut self,
        scene: &Scene,
        cell: Cell,
        subject: (Kind, IpAddr),
        aspect: Aspect,
        tally: &Tally,
    ) -> Option<Detection> {
        let threshold = threshold(scene, aspect, tally);
        let level = level(tally.value, threshold);
        let known_since = self.since.get(&subject).copied();
        // Answers that leave the window before failures do not make a scanner of who rests.
        if known_since.is_none() && !(level == Level::Over && tally.is_fresh) {
            return None;
        }
        let at = scene.grid.end(cell);
        let since = known_since.unwrap_or_else(|| crossing(scene, cell, tally, threshold));
        if level == Level::Under {
            self.since.remove(&subject);
        } else {
            self.since.insert(subject, since);
        }
        let (kind, address) = subject;
        let rule = scene.config.names[aspect as usize].clone();
        let figures = figures(scene, aspect, address, tally, threshold);
        Some(Detection { kind, rule, subject: Subject::Source(address), level, since, at, figures })
    }
}

/// What a source is called that has too many of an aspect.
const fn kind(aspect: Aspect) -> Kind {
    match aspect {
        Aspect::Hosts => Kind::HostScan,
        Aspect::Ports => Kind::PortScan,
    }
}

/// Counts what a suspect has in the window.
fn look(scene: &mut Scene, sight: &Sight, cell: Cell, source: u32, aspect: Aspect) -> Tally {
    let horizon = scene.horizon(cell, aspect);
    scene.contacts.purge(source, aspect, horizon);
    let tally = tally(scene, sight, cell, source, aspect);
    scene.contacts.set_counted(source, aspect, tally.marked);
    if tally.is_ahead {
        scene.suspects.insert(source);
    }
    tally
}

/// Counts what a source has in the window that ends with `cell`.
pub(super) fn tally(scene: &Scene, sight: &Sight, cell: Cell, source: u32, aspect: Aspect) -> Tally {
    let mut tally = sum(scene, sight, cell, source, aspect, |_| false);
    if scene.config.rule == Rule::Evidence && aspect == Aspect::Hosts {
        let failed = tally.counting.iter().map(|(_, place, weight)| (place, *weight));
        if let Some(ones) = broadcasts::ones_at_end(failed) {
            tally = sum(scene, sight, cell, source, aspect, |place| broadcasts::may_be_one(place, ones));
        }
    }
    tally.counting.sort_unstable();
    if scene.contacts.keeping() == Keeping::Latest {
        let kept = scene.contacts.kept_at_least(aspect) as u64;
        tally.is_estimate |= tally.value >= kept;
        tally.value = tally.value.min(kept);
    }
    tally
}

/// Sums up what a source has, without the failed contacts that are left out.
fn sum(
    scene: &Scene,
    sight: &Sight,
    cell: Cell,
    source: u32,
    aspect: Aspect,
    is_left_out: impl Fn(&Place) -> bool,
) -> Tally {
    let (horizon, end) = (scene.horizon(cell, aspect), scene.grid.end(cell));
    let is_by_evidence = scene.config.rule == Rule::Evidence;
    let counts = |mark: &Mark| mark.counted >= horizon && (is_by_evidence || mark.since < end);
    let mut tally = Tally::default();
    for mark in scene.contacts.marks(source, aspect) {
        let weight = mark.weight();
        if mark.counted >= horizon {
            tally.marked += weight;
            tally.is_ahead |= mark.counted > cell || !is_by_evidence && mark.since >= end;
        }
        if mark.answered >= horizon {
            tally.answered += weight;
            tally.is_estimate |= weight > 1;
        } else if counts(mark) && !(is_by_evidence && sight.is_blind(mark.interface)) && !is_left_out(&mark.place) {
            tally.value += weight;
            tally.is_fresh |= mark.counted >= cell;
            tally.is_estimate |= weight > 1;
            tally.begun = Some(tally.begun.map_or(mark.begun, |first| first.min(mark.begun)));
            tally.counting.push((mark.since, mark.place, weight));
        }
    }
    tally
}

/// What the value must be above.
fn threshold(scene: &Scene, aspect: Aspect, tally: &Tally) -> u64 {
    scene.limit(aspect).max(tally.answered)
}

fn level(value: u64, threshold: u64) -> Level {
    if value > threshold {
        Level::Over
    } else if value == 0 || value * 10 < threshold * 9 {
        Level::Under
    } else {
        Level::Near
    }
}

/// When the rule became true: with the contact that made it so; at the end of the cell where none did but something left
/// the window, or by the rule whose contacts have no moment of their own.
fn crossing(scene: &Scene, cell: Cell, tally: &Tally, threshold: u64) -> Timestamp {
    let mut sum = 0;
    let deciding = tally.counting.iter().find(|(_, _, weight)| {
        sum += weight;
        sum > threshold
    });
    match (scene.config.rule, deciding) {
        (Rule::Evidence, Some(&(time, ..))) if scene.grid.cell(time) == cell => time,
        _ => scene.grid.end(cell),
    }
}

fn figures(scene: &Scene, aspect: Aspect, source: IpAddr, tally: &Tally, threshold: u64) -> Figures {
    let targets: Vec<Target> = tally.counting.iter().map(|(_, place, _)| target(place)).collect();
    let is_by_evidence = scene.config.rule == Rule::Evidence;
    let trail = scene.trails.of(aspect, source);
    Figures {
        value: tally.value as f64,
        limit: threshold as f64,
        window: [scene.config.interval, scene.config.port_interval][aspect as usize],
        bytes: 0,
        answered: is_by_evidence.then_some(tally.answered),
        is_estimate: tally.is_estimate,
        span: tally.begun.map(|begun| span(begun, tally, trail)),
        first_targets: first_targets(&targets, tally, trail),
        last_targets: last_targets(&targets, trail.map(|trail| target(&trail.last.1))),
    }
}

/// The time from the first to the last packet. Of a sample the trail knows better what came first.
fn span(begun: Timestamp, tally: &Tally, trail: Option<&Trail>) -> Span {
    let of_trail = trail.filter(|_| tally.is_estimate).and_then(|trail| trail.first.first());
    let first = of_trail.map_or(begun, |(time, _)| begun.min(*time));
    let last = trail.map_or(first, |trail| trail.last.0.max(first));
    Span { first, last, precision: Duration::ZERO }
}

/// The first targets that are held; of a sample those of the trail.
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

fn target(place: &Place) -> Target {
    let has_port = matches!(place.protocol, Protocol::TCP | Protocol::UDP) && place.port != 0;
    Target { address: place.address, protocol: Some(place.protocol), port: has_port.then_some(place.port) }
}
