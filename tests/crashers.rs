//! Past findings of the fuzz target `decode`, and frames of every kind in its layout, replayed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::PathBuf;

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

/// With `FUZZ_CORPUS=fuzz/corpus/decode` the frames are written there besides, as seeds for the fuzzer.
#[test]
fn the_layout_reaches_every_frame_of_the_corpus() {
    let seeds = std::env::var_os("FUZZ_CORPUS").map(PathBuf::from);
    let link_types = [&hand::MUST[..], &hand::SHOULD[..]].concat();
    for (at, (name, sample)) in corpus::samples().into_iter().enumerate() {
        let choice = link_types.iter().position(|link_type| *link_type == sample.link_type).unwrap() as u8;
        for wire_change in [0, 1_000, -1, -30] {
            assert_eq!(crasher::difference(&crasher::input(choice, wire_change, &sample.bytes)), None, "{name}");
        }
        if let Some(folder) = &seeds {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(format!("seed-{at:04}")), crasher::input(choice, 0, &sample.bytes)).unwrap();
        }
    }
}
