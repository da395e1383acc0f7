//! The program's alerts over a capture, as it prints them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;

use super::common::replay::replay;
use super::judge::Found;
use super::labels::Kind;

/// The lines as they were printed.
pub fn lines(file: &Path, options: &[&str]) -> String {
    let file = file.to_str().unwrap();
    let run = replay([file, "--output", "alerts"].iter().chain(options));
    assert_eq!(run.status, Some(0), "the program failed: {}", run.messages);
    run.output
}

/// Each scan that fired: source, kind, and time in seconds, in the order of the lines.
pub fn fired(lines: &str) -> Vec<(IpAddr, Kind, f64)> {
    let read = |line| -> Value { serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")) };
    let fired = lines.lines().map(read).filter(|alert| alert["state"] == "firing");
    fired
        .filter_map(|alert| {
            let kind = Kind::ALL.into_iter().find(|kind| alert["kind"] == kind.word())?;
            let source = alert["src"].as_str().and_then(|source| source.parse().ok());
            let source = source.unwrap_or_else(|| panic!("no source in {alert}"));
            Some((source, kind, alert["ts"].as_f64().unwrap_or_else(|| panic!("no time in {alert}"))))
        })
        .collect()
}

/// The sources that were found, each with the first time.
pub fn found(lines: &str) -> Found {
    let mut found = Found::new();
    for (source, kind, seconds) in fired(lines) {
        found.entry((source, kind)).or_insert((seconds * 1e9).round() as i64);
    }
    found
}

/// Number of alerts of each.
pub fn times(lines: &str) -> BTreeMap<(IpAddr, Kind), usize> {
    let mut times = BTreeMap::new();
    for (source, kind, _) in fired(lines) {
        *times.entry((source, kind)).or_default() += 1;
    }
    times
}
