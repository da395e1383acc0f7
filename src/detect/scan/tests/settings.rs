//! Each limit of the evidence rule is a setting: another value gives another verdict.

use std::net::IpAddr;
use std::time::Duration;

use super::harness::*;
use crate::detect::scan::Config;
use crate::detect::scan::config::Factors;
use crate::detect::{Kind, Level};
use crate::packet::{Protocol, Resolution};

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// A host of one /24.
fn neighbour(number: u8) -> IpAddr {
    v4(203, 0, 113, 1 + number)
}

/// A host of its own /24 in one /16.
fn of_site(number: u8) -> IpAddr {
    v4(203, 0, number, 1)
}

/// A host of its own /16.
fn far(number: u8) -> IpAddr {
    v4(60 + number, 1, 1, 1)
}

fn bench(config: &Config, script: &Script) -> Bench {
    let mut bench = Bench::new(config);
    bench.run(script, TickPlan::PLAIN, 15.0);
    bench
}

/// True if a host scan of `A` or a grouped scan is found.
fn finds(config: &Config, script: &Script) -> bool {
    let detections = bench(config, script).detections;
    assert!(detections.iter().all(|found| found.kind != Kind::PortScan), "{detections:?}");
    detections.iter().any(|found| found.level == Level::Over)
}

/// The verdict with the defaults must be `expected`, and that with the other value the opposite.
#[track_caller]
fn decides(script: &Script, expected: bool, other: Config) {
    assert_eq!(finds(&Config::default(), script), expected, "with the defaults");
    assert_eq!(finds(&other, script), !expected, "with another value");
}

fn with_factors(change: impl FnOnce(&mut Factors)) -> Config {
    let mut config = Config::default();
    change(&mut config.factors);
    config
}

/// Contacts by `count` hosts, a twentieth of a second apart.
fn each(count: u8, mut contact: impl FnMut(&mut Script, f64, u8)) -> Script {
    let mut script = Script::default();
    (0..count).for_each(|number| contact(&mut script, 0.3 + f64::from(number) * 0.05, number));
    script
}

/// Connections that are accepted and then stay without data.
fn idle_connections(count: u8, reply_bytes: u32) -> Script {
    each(count, |script, time, number| {
        let port = script.syn(time, A, neighbour(number), 22);
        script.tcp(time + 0.02, neighbour(number), A, (22, port), SYN | ACK);
        script.tcp(time + 0.03, A, neighbour(number), (port, 22), ACK);
        if reply_bytes > 0 {
            script.packet(time + 0.04, neighbour(number), A, Protocol::TCP, (22, port), PUSH | ACK, reply_bytes);
        }
    })
}

#[test]
fn contact_fails_after_the_timeout() {
    let script = each(16, |script, time, number| _ = script.syn(time, A, neighbour(number), 22));
    for (timeout, since) in [(1, 2.05), (4, 5.05)] {
        let config = Config { timeout: Duration::from_secs(timeout), ..Config::default() };
        assert_eq!(bench(&config, &script).found(), [(A, Kind::HostScan, at(since))]);
    }
}

#[test]
fn connection_without_data_is_touched_after_its_timeout() {
    let script = idle_connections(31, 0);
    for (timeout, since) in [(10, 11.8), (3, 4.8)] {
        let config = Config { use_timeout: Duration::from_secs(timeout), ..Config::default() };
        assert_eq!(bench(&config, &script).found(), [(A, Kind::HostScan, at(since))]);
    }
}

#[test]
fn bytes_of_the_target_that_are_a_use_are_a_setting() {
    decides(&idle_connections(31, 300), true, Config { used_bytes: 200, ..Config::default() });
    decides(&idle_connections(31, 600), false, Config { used_bytes: 1_000, ..Config::default() });
}

#[test]
fn touched_targets_must_exceed_a_multiple_of_the_limit() {
    decides(&idle_connections(31, 0), true, with_factors(|factors| factors.touched = 3));
    decides(&idle_connections(29, 0), false, with_factors(|factors| factors.touched = 1));
}

#[test]
fn echo_requests_and_their_window_are_settings() {
    let pings = |times: &'static [f64]| {
        each(31, |script, time, number| times.iter().for_each(|at| script.ping(time + at, A, neighbour(number), true)))
    };
    decides(&pings(&[0.0, 0.7]), true, Config { echo_requests: 2, ..Config::default() });
    decides(&pings(&[0.0, 0.7, 1.4]), false, Config { echo_requests: 4, ..Config::default() });
    let slow = pings(&[0.0, 2.5, 5.0]);
    decides(&slow, true, Config { echo_window: Duration::from_secs(6), ..Config::default() });
}

#[test]
fn datagrams_that_only_touch_are_a_setting() {
    let queries = each(31, |script, time, number| script.query(time, A, neighbour(number), 161, 0.02));
    decides(&queries, true, Config { touching_datagrams: 0, ..Config::default() });
}

#[test]
fn targets_stay_known_for_the_memory() {
    let used = each(20, |script, time, number| script.connection(time, A, neighbour(number), 22, 1.0));
    let mut failing = Script::default();
    (0..20).for_each(|number| _ = failing.syn(400.0 + f64::from(number) * 0.05, A, neighbour(number), 22));
    decides(&used.and(failing), false, Config { memory: Duration::from_secs(60), ..Config::default() });
}

#[test]
fn questions_are_answered_within_their_timeout() {
    let mut script = Script::default();
    for number in 0..20 {
        script.udp(0.3, neighbour(number), v4(239, 255, 255, 250), (50_000, 7_000));
        script.udp(10.0, A, neighbour(number), (40_000, 50_000));
    }
    decides(&script, false, Config { question_timeout: Duration::from_secs(5), ..Config::default() });
}

#[test]
fn link_addresses_are_judged_beside_hosts_that_are_there() {
    let finds = |link_answers| {
        let mut bench = Bench::new(&Config { link_answers, ..Config::default() });
        let interface = bench.interface(0);
        for number in 0..22 {
            let question =
                Resolution { time: at(0.3), asker: v4(203, 0, 113, 250), target: neighbour(number), is_answer: false };
            bench.scan.resolve(&question, interface);
            if number < 2 {
                bench.scan.resolve(&Resolution { time: at(0.31), is_answer: true, ..question }, interface);
            }
        }
        bench.scan.advance(at(5.0)).iter().any(|found| found.level == Level::Over)
    };
    assert_eq!([2, 3].map(finds), [true, false], "two hosts answered");
}

#[test]
fn groups_must_exceed_a_multiple_of_the_limit() {
    let script = each(132, |script, time, number| {
        _ = script.syn(time, v4(192, 0, 2, 1 + number / 11), neighbour(number), 22);
    });
    decides(&script, true, Config { group_factor: 9, ..Config::default() });
    assert!(!finds(&Config { group_factor: 0, ..Config::default() }, &script), "0 disables it");
}

#[test]
fn factors_of_wider_groups_are_settings() {
    let probes = |host: fn(u8) -> IpAddr| {
        each(20, |script, time, number| _ = script.syn(time, A, host(number), 1_000 + u16::from(number)))
    };
    decides(&probes(neighbour), false, with_factors(|factors| factors.any_port = 1));
    decides(&probes(of_site), false, with_factors(|factors| factors.site = 1));
    decides(&probes(far), false, with_factors(|factors| factors.everywhere = 1));
}

#[test]
fn answered_targets_outweigh_a_multiple_of_failed_ones() {
    let mixed = |port: fn(u8) -> u16| {
        each(30, move |script, time, number| match number % 3 {
            0 => script.connection(time, A, far(number), port(number), 1.0),
            _ => _ = script.syn(time, A, far(number), port(number)),
        })
    };
    decides(&mixed(|_| 22), false, with_factors(|factors| factors.answered = 1));
    let everywhere = |answered_everywhere| {
        with_factors(|factors| (factors.everywhere, factors.answered_everywhere) = (1, answered_everywhere))
    };
    let script = mixed(|number| 1_000 + u16::from(number));
    assert_eq!([1, 2].map(|factor| finds(&everywhere(factor), &script)), [true, false]);
}

#[test]
fn port_is_compared_alone_from_its_share_on() {
    // Sixteen of 76 failed hosts are more than a fifth and less than a quarter.
    let script = each(76, |script, time, number| {
        _ = script.syn(time, A, far(number), if number < 60 { 1_000 + u16::from(number) } else { 22 });
    });
    decides(&script, false, with_factors(|factors| factors.port_share = 5));
}
