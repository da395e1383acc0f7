//! Any bytes on any link type: the decoder never panics, keeps its invariants and agrees with the hand parser.
//!
//! How the input is laid out stands in `tests/common/crasher.rs`, which replays past findings.

#![no_main]

#[path = "../../tests/common/agreement.rs"]
#[allow(dead_code)]
mod agreement;
#[path = "../../tests/common/crasher.rs"]
#[allow(dead_code)]
mod crasher;
#[path = "../../tests/common/hand.rs"]
#[allow(dead_code)]
mod hand;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some(difference) = crasher::difference(input) {
        panic!("{difference}");
    }
});
