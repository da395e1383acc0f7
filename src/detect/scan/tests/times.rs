//! Windows, hysteresis, and clocks that are set.

use std::net::IpAddr;

use super::harness::*;
use crate::detect::scan::Config;
use crate::detect::{Kind, Level};
use crate::packet::Timestamp;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn scan(start: f64, hosts: u8) -> Script {
    let mut script = Script::default();
    (0..hosts).for_each(|number| _ = script.syn(start + f64::from(number) * 0.1, A, v4(203, 0, 113, number), 22));
    script
}

#[test]
fn a_scan_is_reported_until_it_left_the_window_and_once_more() {
    let mut bench = Bench::new(&Config::default());
    bench.run(&scan(0.35, 20), TickPlan::PLAIN, 300.0);
    let levels: Vec<Level> = bench.detections.iter().map(|found| found.level).collect();
    let over = levels.iter().filter(|&&level| level == Level::Over).count();
    assert!((168..=171).contains(&over), "{over} s");
    assert!(levels[..over].iter().all(|&level| level == Level::Over));
    assert_eq!(levels.iter().filter(|&&level| level == Level::Under).count(), 1);
    assert_eq!(levels.last(), Some(&Level::Under));
    assert!(bench.detections.iter().all(|found| found.since == at(0.35 + 1.5 + 1.0)));
    assert!(bench.scan.view(5).contacted_hosts.is_empty());
}

#[test]
fn value_just_below_its_limit_is_near() {
    let mut script = scan(0.35, 16);
    script = script.and(scan(100.35, 14));
    let mut bench = Bench::new(&Config::default());
    bench.run(&script, TickPlan::PLAIN, 120.0);
    assert_eq!(bench.detections.last().map(|found| (found.level, found.figures.value)), Some((Level::Near, 14.0)));
}

#[test]
fn the_first_and_last_targets_are_named() {
    let mut bench = Bench::new(&Config::default());
    bench.run(&scan(0.35, 40), TickPlan::PLAIN, 2.0);
    let figures = &bench.detections.last().unwrap().figures;
    assert_eq!((figures.value, figures.limit, figures.answered), (40.0, 15.0, Some(0)));
    assert_eq!(figures.first_targets[0].address, v4(203, 0, 113, 0));
    assert_eq!(figures.last_targets[7].address, v4(203, 0, 113, 39));
    assert_eq!(figures.last_targets[7].port, Some(22));
}

#[test]
fn a_clock_that_is_set_leaves_nothing_stuck() {
    for to in [-3_600.0, 10.0 * 365.0 * 86_400.0, -START] {
        let mut bench = Bench::new(&Config::default());
        bench.run(&scan(0.35, 20), TickPlan::PLAIN, 2.0);
        assert!(!bench.found().is_empty());
        bench.detections.clear();
        bench.scan.restart();
        bench.run(&scan(to + 0.35, 10), TickPlan::PLAIN, 2.0);
        assert_eq!(bench.found(), [], "{to}: what was before the step counts no more");
        assert_eq!(bench.detections.iter().map(|found| found.level).collect::<Vec<_>>(), [Level::Under], "{to}");
        bench.detections.clear();
        bench.run(&scan(to + 20.35, 20), TickPlan::PLAIN, 400.0);
        assert_eq!(bench.found().len(), 1, "{to}");
        assert_eq!(bench.detections.last().map(|found| found.level), Some(Level::Under), "{to}");
    }
}

#[test]
fn conversation_is_reported_again_after_the_clock_was_set_in_the_same_part_of_the_window() {
    let (server, ports) = (v4(203, 0, 113, 1), (50_000, 443));
    let exchange = |script: &mut Script, time: f64| {
        script.tcp(time, A, server, ports, PUSH | ACK);
        script.tcp(time + 0.02, server, A, (ports.1, ports.0), PUSH | ACK);
    };
    let mut before = Script::default();
    before.tcp(0.1, A, server, ports, SYN);
    before.tcp(0.12, server, A, (ports.1, ports.0), SYN | ACK);
    (1..5).for_each(|second| exchange(&mut before, f64::from(second) + 0.1));
    let mut after = Script::default();
    exchange(&mut after, 3.3);
    let mut bench = Bench::new(&Config::default());
    let held = |bench: &Bench| bench.scan.view(5).tables[0].entries;
    assert_eq!(held(bench.run(&before, TickPlan::PLAIN, 1.0)), 1);
    bench.scan.restart();
    assert_eq!(held(&bench), 0);
    assert_eq!(held(bench.run(&after, TickPlan::PLAIN, 1.0)), 1);
}

#[test]
fn clock_that_is_set_unnoticed_leaves_nothing_stuck() {
    for to in [-3_600.0, 3_600.0, 10.0 * 365.0 * 86_400.0] {
        let mut bench = Bench::new(&Config::default());
        bench.run(&scan(0.35, 20), TickPlan::PLAIN, 2.0);
        bench.run(&scan(to, 20), TickPlan::PLAIN, 2.0);
        bench.run(&scan(to + 20.0, 20), TickPlan::PLAIN, 2.0);
        bench.detections.extend(bench.scan.advance(at(to.abs() + 2_000.0)));
        assert_eq!(
            bench.detections.last().map(|found| (found.level, found.kind)),
            Some((Level::Under, Kind::HostScan))
        );
    }
}

#[test]
fn the_ends_of_time_end() {
    let mut bench = Bench::new(&Config::default());
    bench.run(&scan(0.35, 20), TickPlan::PLAIN, 2.0);
    for time in [i64::MAX, i64::MIN, 0, i64::MAX] {
        bench.scan.advance(Timestamp::from_nanoseconds(time));
        bench.scan.restart();
    }
    assert_eq!(bench.scan.view(5).tables[0].entries, 0);
}
