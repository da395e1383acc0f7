//! Any bytes as a journal of alerts: reading never panics, and what is rewritten says the same.
//!
//! How the input is laid out stands in `tests/common/journal_input.rs`, which replays past findings.

#![no_main]

#[path = "../../tests/common/journal_input.rs"]
#[allow(dead_code)]
mod journal_input;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some(fault) = journal_input::fault(input) {
        panic!("{fault}");
    }
});
