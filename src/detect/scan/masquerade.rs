//! Masqueraded contacts: a router shows the contacts of a host behind it a second time, as its own.
//!
//! Takes the failed targets of a source; removes those that answered the router. A capture of both sides leaves out the answers
//! on the inner side, because it takes them for copies of packets that came in by the outer side, where they had the router's
//! address. Must not know translated ports.

use std::time::Duration;

use super::comparison::{MarkedTarget, has_failed};
use super::contacts::{Aspect, Mark, TargetOutcome};
use super::state::ScanState;
use crate::packet::Timestamp;
use crate::time_grid::Cell;

/// Targets that are looked for among those of other sources. A router has nearly all of them.
const EXAMPLES: usize = 4;
const FEWEST: usize = 3;
/// The longest time in which a router forwards the first packet of a contact.
const FORWARDED_WITHIN: Duration = Duration::from_millis(100);

/// Removes the failed targets of a source that answered a router in its place.
pub(super) fn credit(state: &ScanState, marks: &mut Vec<MarkedTarget<'_>>, source: u32, horizon: Cell) {
    let mut failed: Vec<&Mark> = marks.iter().filter(|marked| has_failed(marked)).map(|(mark, _)| *mark).collect();
    failed.sort_unstable_by_key(|mark| (mark.begun, mark.target));
    // Of the last ones, the router's contacts may be known a cell later; of the first ones, it may have met them before.
    let examples: Vec<&Mark> = match failed.len() {
        many if many > 2 * EXAMPLES => [&failed[..EXAMPLES], &failed[many - EXAMPLES..]].concat(),
        _ => failed,
    };
    let Some(router) = router_of(state, &examples, source, horizon) else { return };
    let has_answered = |marked: &MarkedTarget<'_>| {
        let mark = state.contacts.mark_of_host(router, marked.1.target.address);
        let outcome = mark.and_then(|mark| mark.relation(horizon));
        matches!(outcome, Some(TargetOutcome::Touched | TargetOutcome::Used | TargetOutcome::Known))
    };
    marks.retain(|marked| !has_failed(marked) || !has_answered(marked));
}

/// The source that contacted the same hosts at the same times; of several the one with the lowest address.
fn router_of(state: &ScanState, examples: &[&Mark], source: u32, horizon: Cell) -> Option<u32> {
    let follows = |router: u32, example: &Mark| {
        let mark = state.contacts.mark_of_host(router, example.target.address);
        let mark = mark.filter(|mark| mark.relation(horizon).is_some());
        mark.is_some_and(|mark| is_soon_after(example.begun, mark.begun))
    };
    let has_many = |router: &u32| *router != source && state.contacts.length(*router, Aspect::Hosts) >= FEWEST as u64;
    let candidates = state.contacts.sources().filter(has_many);
    let mut routers =
        candidates.filter(|router| examples.iter().filter(|example| follows(*router, example)).count() >= FEWEST);
    routers.next()
}

/// Clocks of two capture threads may differ a little, so the order does not matter.
fn is_soon_after(first: Timestamp, second: Timestamp) -> bool {
    second.since(first).max(first.since(second)) <= FORWARDED_WITHIN
}
