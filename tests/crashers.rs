//! Past findings of the fuzz target `decode`, and frames of every kind in its layout, replayed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{corpus, crasher, hand};

#[test]
fn past_findings_stay_fixed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/crashers");
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of past findings") {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        assert_eq!(crasher::difference(&input), None, "{}", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "nothing in {folder}");
}

#[test]
fn the_layout_reaches_every_frame_of_the_corpus() {
    let link_types = [&hand::MUST[..], &hand::SHOULD[..]].concat();
    for (name, sample) in corpus::samples() {
        let choice = link_types.iter().position(|link_type| *link_type == sample.link_type).unwrap();
        for wire_change in [0, 1_000, -1, -30] {
            let input = crasher::input(choice as u8, wire_change, &sample.bytes);
            assert_eq!(crasher::difference(&input), None, "{name}");
        }
    }
}

/// Run with `FUZZ_CORPUS=fuzz/corpus/decode` to write the corpus as seeds for the fuzzer; without it, nothing happens.
#[test]
fn the_corpus_can_be_written_as_seeds() {
    let Some(folder) = std::env::var_os("FUZZ_CORPUS").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let link_types = [&hand::MUST[..], &hand::SHOULD[..]].concat();
    for (at, (_, sample)) in corpus::samples().into_iter().enumerate() {
        let choice = link_types.iter().position(|link_type| *link_type == sample.link_type).unwrap();
        std::fs::write(folder.join(format!("seed-{at:04}")), crasher::input(choice as u8, 0, &sample.bytes)).unwrap();
    }
}
