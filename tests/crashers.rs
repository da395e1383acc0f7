//! Past findings of the fuzz targets, and seeds for them in their layout, replayed.
//!
//! With `FUZZ_CORPUS=fuzz/corpus` the seeds are written to the folders of the targets there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};

use common::{corpus, crasher, hand, journal_input};
use serde_json::json;

/// Replays the findings in a folder.
fn replay(folder: &str, fault: impl Fn(&[u8]) -> Option<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder of past findings") {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        assert_eq!(fault(&input), None, "{}", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "nothing in {}", folder.display());
}

/// The folder for the seeds of a target, if they are asked for.
fn seeds(target: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("FUZZ_CORPUS")?).join(target);
    std::fs::create_dir_all(&folder).unwrap();
    Some(folder)
}

#[test]
fn past_findings_stay_fixed() {
    replay("crashers", crasher::difference);
    replay("crashers-journal", journal_input::fault);
}

#[test]
fn the_layout_reaches_every_kind_of_record() {
    let notice = json!({
        "fingerprint": "00000000000000ab", "is_firing": true, "kind": "host_scan", "rule": "host_scan",
        "severity": "warning", "side": "inside", "source": "10.0.0.5", "destination": null, "network": null,
        "starts_at": 1_700_000_000_000_000_000_i64, "ends_at": null, "sentence": "a sentence", "value": 0.1, "peak": 20.0,
        "limit": 15.0, "is_estimate": false, "window_seconds": 170.0, "bytes": 1_320, "answered": 2,
        "first_targets": ["192.0.2.1:22/tcp"], "last_targets": [],
    });
    let waits = json!({"waits": {"number": 1, "receivers": ["one", "two"], "changed_at": 5, "notice": notice}});
    let settled = json!({"settled": {"receiver": "one", "numbers": [1], "is_delivered": true}});
    let fires = json!({"fires": {"receiver": "two", "notice": notice}});
    let records = [waits, settled, fires].map(|record| record.to_string()).join("\n");
    let input = [b"\x01", records.as_bytes()].concat();
    assert_eq!(journal_input::fault(&input), None);
    assert_eq!(journal_input::records(&input).len(), 3, "two alerts fire, one waits");
    if let Some(folder) = seeds("journal") {
        std::fs::write(folder.join("seed"), input).unwrap();
    }
}

#[test]
fn the_layout_reaches_every_frame_of_the_corpus() {
    let folder = seeds("decode");
    let link_types = [&hand::MUST[..], &hand::SHOULD[..]].concat();
    for (at, (name, sample)) in corpus::samples().into_iter().enumerate() {
        let choice = link_types.iter().position(|link_type| *link_type == sample.link_type).unwrap() as u8;
        for wire_change in [0, 1_000, -1, -30] {
            assert_eq!(crasher::difference(&crasher::input(choice, wire_change, &sample.bytes)), None, "{name}");
        }
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("seed-{at:04}")), crasher::input(choice, 0, &sample.bytes)).unwrap();
        }
    }
}
