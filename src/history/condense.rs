//! Fewer rows for the same traffic: light rows are added up by what they have in common.
//!
//! Takes rows and a number; gives at most that many rows. Must not know cells.
//!
//! There are three steps. The first one opens one end of a row, the second one its last end or its port, the third one
//! both ends and the port. A step is taken only if the rows are still too many. Where two parts could stay, the part with
//! more bytes among the light rows stays: the server of many clients, the source of a scan, the port of a service that
//! many hosts use. Interface, direction, and reply or not always stay.
//!
//! In each step, rows with equal keys form a group. The largest groups are added up first, and no more than necessary. A
//! scan becomes one row, and the few flows of a quiet host keep their rows.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashMap;

use super::cells::DirectionSums;
use super::row::{HistoryRow, RowEnd, RowKey};
use crate::packet::Protocol;
use crate::tables::hashing::{self, State};
use crate::tables::sampling::Sampling;
use crate::tables::top::keep_top;

/// Makes `rows` at most `most` rows, in no particular order. Gives the traffic of the rows that are still too many after
/// the last step. `kept` is the number of the heaviest rows that each step leaves as they are.
pub(super) fn condense(rows: &mut Vec<HistoryRow>, most: usize, kept: [usize; 3], state: &Sampling) -> DirectionSums {
    let state = hashing::state(state.hash_one(rows.len()));
    let mut steps = kept.into_iter().zip([keep_one_end, keep_end_or_port, keep_protocol]);
    while rows.len() > most
        && let Some((kept, fold)) = steps.next()
    {
        let excess = rows.len() - most;
        fold_largest(after_heaviest(rows, kept), excess, fold, &state);
        merge(rows, &state);
    }
    cut(rows, most)
}

/// The heaviest row first, and equal ones by key.
pub(super) fn heaviest_first(one: &HistoryRow, other: &HistoryRow) -> Ordering {
    other.bytes.cmp(&one.bytes).then_with(|| one.key.cmp(&other.key))
}

/// All rows but the `kept` heaviest.
fn after_heaviest(rows: &mut [HistoryRow], kept: usize) -> &mut [HistoryRow] {
    if kept < rows.len() {
        rows.select_nth_unstable_by(kept, heaviest_first);
    }
    &mut rows[kept..]
}

/// A key that a row could have, and the bytes of the row.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    key: RowKey,
    bytes: u64,
}

/// Gives rows the keys of `fold`, the largest groups of equal keys first, until merging saves `excess` rows. A row whose
/// new key no other row has is not changed.
fn fold_largest(rows: &mut [HistoryRow], excess: usize, fold: fn(&mut [Candidate], &State), state: &State) {
    let mut folded: Vec<Candidate> = rows.iter().map(|row| Candidate { key: row.key, bytes: row.bytes }).collect();
    fold(&mut folded, state);
    let mut numbers: HashMap<RowKey, usize, State> = HashMap::with_capacity_and_hasher(rows.len(), state.clone());
    let mut sizes: Vec<usize> = Vec::new();
    let number = |candidate: &Candidate| {
        let number = *numbers.entry(candidate.key).or_insert(sizes.len());
        match sizes.get_mut(number) {
            Some(size) => *size += 1,
            None => sizes.push(1),
        }
        number
    };
    let group_of: Vec<usize> = folded.iter().map(number).collect();
    let least = least_size(&sizes, excess);
    for ((row, candidate), group) in rows.iter_mut().zip(folded).zip(group_of) {
        if sizes[group] >= least {
            row.key = candidate.key;
        }
    }
}

/// The least size of the groups to fold, so that merging them saves `excess` rows; 2 if all groups together save fewer.
fn least_size(sizes: &[usize], excess: usize) -> usize {
    let mut groups: BTreeMap<usize, usize> = BTreeMap::new();
    sizes.iter().for_each(|size| *groups.entry(*size).or_default() += 1);
    let mut merged = 0;
    let enough = groups.iter().rev().find(|&(size, count)| {
        merged += (size - 1) * count;
        merged >= excess
    });
    enough.map_or(2, |(size, _)| *size).max(2)
}

/// Adds up the rows with equal keys.
fn merge(rows: &mut Vec<HistoryRow>, state: &State) {
    let mut positions: HashMap<RowKey, usize, State> = HashMap::with_capacity_and_hasher(rows.len(), state.clone());
    let mut merged = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        let position = *positions.entry(row.key).or_insert(merged);
        if position == merged {
            rows[merged] = row;
            merged += 1;
        } else {
            rows[position].add(&row);
        }
    }
    rows.truncate(merged);
}

/// Bytes by a part of the rows.
struct Weights<P>(HashMap<P, u64, State>);

impl<P: Hash + Eq> Weights<P> {
    /// The bytes of the parts of each row.
    fn of(rows: &[Candidate], state: &State, parts: impl Fn(&RowKey) -> [Option<P>; 2]) -> Self {
        let mut weights = HashMap::with_capacity_and_hasher(rows.len(), state.clone());
        for row in rows {
            for part in parts(&row.key).into_iter().flatten() {
                *weights.entry(part).or_default() += row.bytes;
            }
        }
        Self(weights)
    }

    fn get(&self, part: &P) -> u64 {
        self.0.get(part).copied().unwrap_or_default()
    }
}

/// Opens the end with fewer bytes; of equal ones, that of the server.
fn keep_one_end(rows: &mut [Candidate], state: &State) {
    let weights = Weights::of(rows, state, RowKey::ends);
    for Candidate { key, .. } in rows {
        let [Some(source), Some(destination)] = key.ends() else { continue };
        let keeps_source = match weights.get(&source).cmp(&weights.get(&destination)) {
            Ordering::Less => false,
            Ordering::Equal => !key.is_reply(),
            Ordering::Greater => true,
        };
        *key = if keeps_source { key.with_open_destination() } else { key.with_open_source() };
    }
}

/// A part that stays in the second step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum EndOrPort {
    End(RowEnd, Protocol),
    Port(Protocol, u16),
}

/// Opens the port or the last end, whichever has fewer bytes; of equal ones, the port.
fn keep_end_or_port(rows: &mut [Candidate], state: &State) {
    keep_one_end(rows, state);
    let weights = Weights::of(rows, state, end_or_port);
    for Candidate { key, .. } in rows {
        let [Some(end), Some(port)] = end_or_port(key) else { continue };
        let keeps_end = weights.get(&end) >= weights.get(&port);
        *key = if keeps_end { key.with_open_port() } else { key.with_open_source().with_open_destination() };
    }
}

/// The end that a row of one end keeps, and its port. A row without the one or the other has nothing to choose.
fn end_or_port(key: &RowKey) -> [Option<EndOrPort>; 2] {
    let ((protocol, port), [source, destination]) = (key.service(), key.ends());
    let end = source.xor(destination);
    [end.map(|end| EndOrPort::End(end, protocol)), port.map(|port| EndOrPort::Port(protocol, port))]
}

/// Opens both ends and the port.
fn keep_protocol(rows: &mut [Candidate], _: &State) {
    for Candidate { key, .. } in rows {
        *key = key.with_open_source().with_open_destination().with_open_port();
    }
}

/// Keeps the heaviest rows; gives the traffic of the others.
fn cut(rows: &mut Vec<HistoryRow>, most: usize) -> DirectionSums {
    let all = sums(rows);
    keep_top(rows, most, heaviest_first);
    let kept = sums(rows);
    std::array::from_fn(|direction| all[direction].less(kept[direction]))
}

fn sums(rows: &[HistoryRow]) -> DirectionSums {
    let mut sums = DirectionSums::default();
    rows.iter().for_each(|row| sums[row.direction() as usize].add(row.counters()));
    sums
}
