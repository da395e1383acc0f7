//! Inputs of the fuzz target `journal`.
//!
//! If the first byte is even, the rest are the records of a journal. If it is odd, the rest are payloads with a line feed
//! between two of them, and each gets its length and its checksum: else the fuzzer would have to guess the checksum.

use serde_json::Value;
use trafficmonitor::notify::reread_journal;

/// A fault of reading the input; none if it is read as it should be.
pub fn fault(input: &[u8]) -> Option<String> {
    let records = journal(input);
    let (once, unread) = reread_journal(&records);
    let is_whole = input.first().is_some_and(|kind| kind % 2 == 1);
    if unread > records.len() || (is_whole && unread > 0) {
        return Some(format!("{unread} of {} bytes are not read", records.len()));
    }
    let (twice, unread) = reread_journal(&once);
    if unread > 0 {
        return Some(format!("{unread} bytes of those that were written are not read"));
    }
    let (before, after) = (payloads(&once), payloads(&twice));
    let is_same =
        before.len() == after.len() && before.iter().zip(&after).all(|(before, after)| is_same(before, after));
    (!is_same).then(|| format!("written {before:#?}\nread again {after:#?}"))
}

/// The records that a journal has after it was read and rewritten.
pub fn records(input: &[u8]) -> Vec<Value> {
    payloads(&reread_journal(&journal(input)).0)
}

/// The journal that the input means.
fn journal(input: &[u8]) -> Vec<u8> {
    match input.split_first() {
        Some((kind, rest)) if kind % 2 == 1 => rest.split(|byte| *byte == b'\n').flat_map(record).collect(),
        Some((_, rest)) => rest.to_vec(),
        None => Vec::new(),
    }
}

/// The record of a payload.
fn record(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes()[..], &checksum(payload).to_le_bytes(), payload].concat()
}

/// The CRC-32 of IEEE 802.3, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let of_bit = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| of_bit(sum)))
}

/// The payloads of records that were just written.
fn payloads(mut records: &[u8]) -> Vec<Value> {
    let mut payloads = Vec::new();
    while let Some((head, rest)) = records.split_first_chunk::<8>() {
        let (payload, rest) = rest.split_at(u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize);
        payloads.push(serde_json::from_slice(payload).expect("JSON"));
        records = rest;
    }
    payloads
}

/// True if two values are the same; fractions may differ in their last digits.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (Some(near), Some(there)) = (one.as_f64(), other.as_f64()) else { return one == other };
            one == other || (near - there).abs() <= near.abs() * 1e-15
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| is_same(value, other)))
        }
        _ => one == other,
    }
}
