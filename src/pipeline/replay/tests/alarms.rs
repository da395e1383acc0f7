//! Alerts do not depend on workers, ticks, or the ends of intervals.

use super::*;
use crate::alert::AlertSink;
use crate::alert::{self, Change};
use crate::detect::{self, Detectors, Notes, anomaly, bandwidth, scan};
use crate::events::json;
use crate::pipeline::alarms::Alarms;
use crate::policy;

/// The changes of alerts, as they are printed.
#[derive(Debug, Default)]
struct Printed(Vec<u8>);

impl AlertSink for Printed {
    fn notify(&mut self, change: &Change) {
        json::write(change, false, &mut self.0).unwrap();
    }
}

/// Alarms that observe packet time in smaller steps than they need.
struct Finer {
    alarms: Alarms<Printed>,
    tick: Duration,
}

impl ClockObserver for Finer {
    type Notes = Notes;

    fn rows(&mut self) -> &mut impl RowObserver<Notes = Notes> {
        self.alarms.rows()
    }

    fn grids(&self) -> Vec<TimeGrid> {
        self.alarms.grids().into_iter().chain([TimeGrid::of(self.tick)]).collect()
    }

    fn advance(&mut self, watermark: Timestamp) {
        self.alarms.advance(watermark);
    }

    fn step(&mut self, to: Timestamp) {
        self.alarms.step(to);
    }

    fn finish(&mut self, end: Timestamp, last: Timestamp) {
        self.alarms.finish(end, last);
    }
}

/// Sources over 25 kB in 100 s, scans, anomalies, and sources that are not permitted, all at once.
fn config() -> detect::Config {
    let bandwidth = bandwidth::Config { limit_bytes: 25_000, interval: Duration::from_secs(100), ..Default::default() };
    let anomaly = anomaly::Config { alerts: true, ..Default::default() };
    let policy = policy::Config { limit_packets: 20, ..policy::Config::default() };
    detect::Config {
        bandwidth: Some(bandwidth),
        scan: Some(scan::Config::default()),
        anomaly: Some(anomaly),
        policy: Some(detect::policy::Config::of(&policy)),
        ..detect::Config::default()
    }
}

fn alerts(files: &Files, config: &detect::Config, tick: u64, workers: usize) -> String {
    let alarms = Alarms::new(Detectors::new(config, 1, None), &alert::Config::default(), Printed::default());
    let (_, Finer { alarms, .. }) = files.run(Finer { alarms, tick: Duration::from_millis(tick) }, workers);
    String::from_utf8(alarms.resolve().0).unwrap()
}

/// Traffic in which host 77 tries 40 others, none of which answers, twice with some minutes between.
fn with_scans(seed: u64) -> Vec<(i64, Vec<u8>)> {
    let mut frames = traffic(seed, 10_000);
    let last = frames.iter().map(|(time, _)| *time).max().unwrap();
    for start in [1_020 * SECOND, last + 300 * SECOND] {
        frames.extend((0..40).map(|target| (start + target * SECOND / 7, frame(77, 150 + target as u8, 9, 28))));
    }
    frames.sort_by_key(|(time, _)| time / (SECOND / 4));
    frames
}

#[test]
fn alerts_are_the_same_bytes_for_any_number_of_workers_and_any_tick() {
    let seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let files = Files::of("alarms", &[with_scans(seed)]);
    let expected = alerts(&files, &config(), 1_000, 1);
    for kind in ["bandwidth", "host_scan", "anomaly", "policy"] {
        assert!(expected.contains(&format!("\"kind\":\"{kind}\",\"state\":\"firing\"")), "no {kind}: {expected}");
    }
    for (tick, workers) in [(1_000, 2), (1_000, 4), (500, 1), (100, 1), (37, 3), (2_000, 2)] {
        assert_eq!(alerts(&files, &config(), tick, workers), expected, "tick {tick} ms, {workers} workers");
    }
}

#[test]
fn each_line_fires_or_resolves_a_firing_alert() {
    let files = Files::of("life", &[with_scans(3)]);
    let mut firing = std::collections::BTreeSet::new();
    for line in alerts(&files, &config(), 1_000, 1).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let alert = line["fingerprint"].as_str().unwrap().to_owned();
        let is_as_expected = match line["state"].as_str().unwrap() {
            "firing" => firing.insert(alert),
            _ => firing.remove(&alert),
        };
        assert!(is_as_expected, "{line}");
    }
    assert!(firing.is_empty(), "{firing:?}");
}

#[test]
fn a_clock_that_is_set_fires_nothing_twice() {
    let scan = |start: i64| (0..40).map(move |at| (start + at * SECOND / 7, frame(77, 100 + at as u8, 9, 28)));
    const START: i64 = 1_700_000_000 * SECOND;
    let jumps = [START, START - 3_600 * SECOND, START + 315_360_000 * SECOND, 0];
    let files = Files::of("set", &[jumps.into_iter().flat_map(scan).collect()]);
    let printed = alerts(&files, &config(), 1_000, 1);
    let count = |state: &str| {
        printed.lines().filter(|line| line.contains(&format!("\"kind\":\"host_scan\",\"state\":\"{state}\""))).count()
    };
    assert_eq!((count("firing"), count("resolved")), (1, 1), "{printed}");
}
