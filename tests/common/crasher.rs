//! Inputs of the fuzz target `decode`.
//!
//! The first byte chooses the link type, the next three say how many bytes were on the wire besides those captured
//! (big endian; above 0x800000, how many fewer), the rest is the frame.

use super::agreement::disagreement;
use super::hand;

/// The difference between decoder and hand parser on the input; none if they agree or the input is too short.
pub fn difference(input: &[u8]) -> Option<String> {
    let (&[choice, high, middle, low], frame) = input.split_first_chunk::<4>()?;
    let link_types = [&hand::MUST[..], &hand::SHOULD[..]].concat();
    let link_type = link_types[usize::from(choice) % link_types.len()];
    disagreement(link_type, frame, wire_bytes(frame.len() as u32, u32::from_be_bytes([0, high, middle, low])))
}

fn wire_bytes(captured: u32, change: u32) -> u32 {
    match change {
        0..=0x7f_ffff => captured + change,
        _ => captured.saturating_sub(0x100_0000 - change),
    }
}

/// The input that means `frame` on the link type number `choice` of those that are read.
pub fn input(choice: u8, wire_change: i32, frame: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = wire_change.to_be_bytes();
    [&[choice, high, middle, low], frame].concat()
}
