//! Masqueraded contacts: a router shows the contacts of a host behind it a second time, as its own.
//!
//! Takes the failed targets of a source; removes those that answered the router. A capture of both sides leaves out the
//! answers on the inner side, because it takes them for copies of packets that came in by the outer side, where they
//! had the router's address. Must not know translated ports.

use std::time::Duration;

use super::comparison::{MarkedTarget, has_failed};
use super::contacts::{Aspect, Mark, TargetOutcome};
use super::state::ScanState;
use super::tally::{self, Tally, proving_targets};
use crate::packet::Timestamp;
use crate::time_grid::Cell;

/// The first and the last targets that are looked for among those of other sources. A router has nearly all of them, or a
/// sample.
const EXAMPLES: usize = 16;
const FEWEST: usize = 3;
/// The longest time in which a router forwards the first packet of a contact.
const FORWARDED_WITHIN: Duration = Duration::from_millis(100);

/// Searches among all sources in one cell: after a few, new routers are looked for in the next one.
const MOST_SEARCHES: u32 = 4;
const MOST_KNOWN: usize = 8;

/// Judges a source that seems to scan without the failed targets that answered a router in its place. None without a router.
pub(super) fn without_answered(state: &mut ScanState, cell: Cell, source: u32) -> Option<Tally> {
    let horizon = state.horizon(cell, Aspect::Hosts);
    let router = router_of(state, cell, source, horizon)?;
    let mut marks = proving_targets(state, cell, source, Aspect::Hosts);
    // Of many targets, the router's set is a sample; then those in it stand for the others.
    let weight = state.contacts.weight(router, Aspect::Hosts);
    let counts = |marked: &MarkedTarget<'_>| {
        let mark = state.contacts.mark_of_host(router, marked.1.target.address);
        match mark.and_then(|mark| mark.relation(horizon)) {
            Some(TargetOutcome::Touched | TargetOutcome::Used | TargetOutcome::Known) => false,
            Some(TargetOutcome::Failed) => true,
            None => weight == 1,
        }
    };
    marks.retain(|marked| !has_failed(marked) || counts(marked));
    let failed = marks.iter_mut().filter(|marked| has_failed(marked));
    failed.for_each(|(_, target)| target.weight = target.weight.max(weight));
    Some(tally::of_targets(state, cell, source, Aspect::Hosts, &marks))
}

/// The source that contacted the same hosts at the same times: a known router, or of all the one with the lowest address.
fn router_of(state: &mut ScanState, cell: Cell, source: u32, horizon: Cell) -> Option<u32> {
    let failed = failed(&proving_targets(state, cell, source, Aspect::Hosts));
    let known = state.routers.known.iter().filter_map(|router| state.contacts.find(*router));
    let is_router = |state: &ScanState, router: u32, examples: &[Mark]| {
        let follows = |example: &&Mark| follows(state, router, example, horizon);
        router != source && examples.iter().filter(follows).take(FEWEST).count() == FEWEST
    };
    if let Some(router) = known.into_iter().find(|router| is_router(state, *router, &failed)) {
        return Some(router);
    }
    if state.routers.searches >= MOST_SEARCHES {
        return None;
    }
    state.routers.searches += 1;
    let examples = examples(failed);
    let has_many = |router: &u32| state.contacts.length(*router, Aspect::Hosts) >= FEWEST as u64;
    let routers = state.contacts.sources().filter(has_many).filter(|router| is_router(state, *router, &examples));
    let found = routers.min_by_key(|router| state.contacts.address(*router))?;
    state.routers.known.insert(0, state.contacts.address(found));
    state.routers.known.truncate(MOST_KNOWN);
    Some(found)
}

/// The failed targets in the order of their contacts.
fn failed(marks: &[MarkedTarget<'_>]) -> Vec<Mark> {
    let mut failed: Vec<Mark> = marks.iter().filter(|marked| has_failed(marked)).map(|(mark, _)| **mark).collect();
    failed.sort_unstable_by_key(|mark| (mark.begun, mark.target));
    failed
}

/// Some failed targets: of the last ones, the router's contacts may be known a cell later; of the first ones, it may have met
/// them before.
fn examples(mut failed: Vec<Mark>) -> Vec<Mark> {
    if failed.len() > 2 * EXAMPLES {
        failed.drain(EXAMPLES..failed.len() - EXAMPLES);
    }
    failed
}

fn follows(state: &ScanState, router: u32, example: &Mark, horizon: Cell) -> bool {
    let mark = state.contacts.mark_of_host(router, example.target.address);
    let mark = mark.filter(|mark| mark.relation(horizon).is_some());
    mark.is_some_and(|mark| is_soon_after(example.begun, mark.begun))
}

/// Clocks of two capture threads may differ a little, so the order does not matter.
fn is_soon_after(first: Timestamp, second: Timestamp) -> bool {
    second.since(first).max(first.since(second)) <= FORWARDED_WITHIN
}
