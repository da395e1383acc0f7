//! The example `test-traffic` writes its mix as a capture, and the program shows the figures of the example.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::process::{Command, Output};

use common::replay::replay;
use serde_json::Value;

/// The example with `arguments`, built if it is not.
fn test_traffic(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--example", "test-traffic", "--"]).args(arguments);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs")
}

/// The flows with their counters, without the fields that only the monitor knows.
fn lines(text: &str) -> BTreeSet<String> {
    let parse = |line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("not JSON: {line}: {error}"));
    let known = |line| {
        let mut line = parse(line);
        let fields = line.as_object_mut().expect("an object");
        fields.retain(|name, _| !["type", "service", "direction", "first", "last"].contains(&name.as_str()));
        line.to_string()
    };
    text.lines().map(known).collect()
}

#[test]
fn monitor_shows_the_figures_of_the_example() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mix.pcap");
    let file = file.to_str().unwrap();
    let written = test_traffic(&["--write", file, "--rounds", "7", "--jsonl"]);
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let run = replay([file, "--output", "jsonl"]);
    assert_eq!(run.status, Some(0), "{}", run.messages);
    let (flows, totals) = run.output.trim_end().rsplit_once('\n').expect("flows and totals");
    assert_eq!(lines(flows), lines(&String::from_utf8(written.stdout).unwrap()));
    assert_eq!(run.sums()["non_ip_packets"], 0, "{totals}");
}

#[test]
fn absurd_amounts_are_refused() {
    for absurd in
        [&["--rounds", "0"][..], &["--rounds", "1001"], &["--pause", "60000"], &["--rounds", "1000", "--pause", "1000"]]
    {
        let refused = test_traffic(absurd);
        assert!(!refused.status.success(), "{absurd:?}");
        assert!(!refused.stderr.is_empty(), "{absurd:?}");
        assert!(refused.stdout.is_empty(), "{absurd:?}");
    }
}
