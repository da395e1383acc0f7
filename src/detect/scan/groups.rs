//! Grouped scanners: sources of one network that each stay below the limits and together exceed them many times.
//!
//! Takes the networks that may be over, with their sources; gives one detection for each. Local networks are left out: their
//! hosts are known and judged alone. Must not know how a single source is judged.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::comparison::{ComparedTarget, Limits, MarkedTarget};
use super::contacts::{Aspect, HostPort, Mark};
use super::prefixes::SourceNetwork;
use super::state::ScanState;
use super::tally::{Tally, proving_targets};
use super::verdict::{OngoingScans, crossing, figures};
use crate::detect::{Detection, Kind, Level, Subject};
use crate::packet::Timestamp;
use crate::time_grid::Cell;

/// The most sources of a network that are compared together: those with the lowest addresses.
const MOST_SOURCES: usize = 1_024;

/// The networks that were reported, until they are reported as under the limit; with the time since when.
#[derive(Debug, Default)]
pub(super) struct OngoingGroups {
    since: BTreeMap<SourceNetwork, Timestamp>,
}

/// Networks are judged at the ends of cells that are so far apart: many sources are compared.
const INTERVAL: Duration = Duration::from_secs(4);

/// The number of cells between two judgements.
fn interval(state: &ScanState) -> u32 {
    state.grid.cells(INTERVAL)
}

fn is_due(state: &ScanState, cell: Cell) -> bool {
    cell.0.rem_euclid(i64::from(interval(state))) == 0
}

impl OngoingGroups {
    pub(super) fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// Judges the networks that may be over the limit and those with an ongoing scan. The sources in `alone` are reported by
    /// themselves.
    pub(super) fn judge(
        &mut self,
        alone: &OngoingScans,
        state: &mut ScanState,
        cell: Cell,
        detections: &mut Vec<Detection>,
    ) {
        if !is_due(state, cell) {
            return;
        }
        let mut suspects = state.prefixes.take_suspects(self.since.keys().copied());
        if suspects.is_empty() || !state.config.looks_for_groups() {
            return;
        }
        for source in state.contacts.sources().filter(|source| state.contacts.is_outside(*source)) {
            let address = state.contacts.address(source);
            if let Some(members) = suspects.get_mut(&SourceNetwork::of(address))
                && !alone.holds(address)
            {
                members.push(source);
            }
        }
        for (network, members) in suspects {
            detections.extend(self.judge_one(state, cell, network, members));
        }
    }

    fn judge_one(
        &mut self,
        state: &ScanState,
        cell: Cell,
        network: SourceNetwork,
        mut members: Vec<u32>,
    ) -> Option<Detection> {
        members.sort_unstable_by_key(|source| state.contacts.address(*source));
        let is_cut = members.len() > MOST_SOURCES;
        members.truncate(MOST_SOURCES);
        let analyzed = Aspect::BOTH.into_iter().filter(|aspect| state.is_analyzed(*aspect));
        let tallies = analyzed.map(|aspect| (aspect, tally(state, cell, &members, aspect)));
        let (aspect, mut tally) =
            tallies.max_by_key(|(aspect, tally)| (tally.comparison.is_over(), *aspect == Aspect::Hosts))?;
        tally.is_estimate |= is_cut;
        let level = if members.len() > 1 { tally.comparison.level() } else { Level::Under };
        let known_since = self.since.get(&network).copied();
        if known_since.is_none() && !(level == Level::Over && tally.is_fresh) {
            return None;
        }
        let since = known_since.unwrap_or_else(|| crossing(state, cell, &tally));
        if level == Level::Under {
            self.since.remove(&network);
        } else {
            self.since.insert(network, since);
        }
        let (at, rule) = (state.grid.end(cell), Arc::clone(&state.config.group_name));
        let of_source = state.limit(aspect);
        let limit = of_source * u64::from(state.config.group_factor);
        let setting = (limit, ("scan.group_factor", of_source));
        let figures = figures(state, aspect, &tally, None, setting);
        let subject = Subject::Network(network.net());
        Some(Detection { kind: Kind::GroupScan, rule, subject, level, since, at, figures })
    }
}

/// The targets of several sources together, each once: it counts as used if one source uses it, and so on.
fn tally(state: &ScanState, cell: Cell, members: &[u32], aspect: Aspect) -> Tally {
    let limit = state.limit(aspect) * u64::from(state.config.group_factor);
    let mut together: BTreeMap<HostPort, MarkedTarget<'_>> = BTreeMap::new();
    for &source in members {
        let targets = proving_targets(state, cell, source, aspect).into_iter();
        for (mark, target) in targets.filter(|(mark, _)| mark.is_in_groups) {
            let key = match aspect {
                Aspect::Hosts => HostPort { protocol: HostPort::LINK, port: 0, ..target.target },
                Aspect::Ports => HostPort { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), ..target.target },
            };
            together.entry(key).and_modify(|known| join(known, (mark, target))).or_insert((mark, target));
        }
    }
    let marks: Vec<MarkedTarget<'_>> = together.into_values().collect();
    let mut tally = Tally::nothing(limit);
    tally.latest = members.iter().map(|source| state.contacts.latest_evidence(*source)).max().unwrap_or(tally.latest);
    tally.is_estimate = marks.iter().any(|(_, target)| target.weight > 1);
    tally.compare(&marks, cell.back(interval(state) - 1), aspect, &Limits { limit, factors: state.config.factors });
    tally
}

/// Adds what another source knows of a target. The earlier mark stands for both.
fn join<'a>(known: &mut MarkedTarget<'a>, (mark, target): (&'a Mark, ComparedTarget)) {
    known.1.relation = known.1.relation.max(target.relation);
    known.1.weight = known.1.weight.max(target.weight);
    target.tried.iter().for_each(|number| known.1.tried.add(number));
    if (mark.since, mark.target) < (known.0.since, known.0.target) {
        known.0 = mark;
    }
}
