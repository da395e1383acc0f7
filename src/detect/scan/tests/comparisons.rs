//! Each comparison of like with like decides alone, and one target less does not.

use super::harness::*;
use crate::detect::scan::Config;

const LIMIT: usize = 4;

/// A contact with the host `number` of `network` in `site`, on `port`.
type Place = ((u8, u8, u8), u16);

/// A case: failed, touched and used places, and true if they are a scan.
struct Case {
    name: &'static str,
    is_scan: bool,
    failed: Vec<Place>,
    touched: Vec<Place>,
    used: Vec<Place>,
}

fn config(analyze_hosts: bool) -> Config {
    Config {
        contacted_ips: LIMIT as u32,
        contacted_ports: LIMIT as u32,
        analyze_hosts,
        analyze_ports: !analyze_hosts,
        ..Config::default()
    }
}

fn is_found(version: Version, case: &Case, analyze_hosts: bool) -> bool {
    let source = version.source(1);
    let mut script = Script::default();
    let host = |(site, network, number): (u8, u8, u8)| version.host(site, network, number);
    // What is used comes first: it outnumbers the others from the beginning on.
    let mut time = 0.35;
    let mut next = || {
        time += 0.1;
        time
    };
    case.used.iter().for_each(|(place, port)| script.connection(next(), source, host(*place), *port, 0.05));
    case.touched.iter().for_each(|(place, port)| script.touched(next(), source, host(*place), *port));
    case.failed.iter().for_each(|(place, port)| _ = script.syn(next(), source, host(*place), *port));
    !found_with(&config(analyze_hosts), &script).is_empty()
}

fn check(cases: &[Case], analyze_hosts: bool) {
    for version in Version::BOTH {
        for case in cases {
            assert_eq!(is_found(version, case, analyze_hosts), case.is_scan, "{version:?}: {}", case.name);
        }
    }
}

/// The first `count` places; hosts of `used` ones have other numbers.
fn places(count: usize, place: impl Fn(u8) -> Place) -> Vec<Place> {
    (0..count).map(|number| place(number as u8 + 1)).collect()
}

/// Three ports of each of these hosts; no other host has them.
fn three_ports_of(count: usize, host: impl Fn(u8) -> (u8, u8, u8)) -> Vec<Place> {
    (0..count * 3).map(|number| (host((number / 3) as u8 + 1), 1_000 + number as u16)).collect()
}

/// A port of its own for each host.
fn own_port(first: u16, number: u8) -> u16 {
    first + u16::from(number)
}

#[test]
fn failed_hosts_of_one_network_by_one_port() {
    let case = |name, is_scan, failed, used| Case {
        name,
        is_scan,
        failed: places(failed, |number| ((1, 1, number), 22)),
        touched: vec![],
        used: places(used, |number| ((1, 1, 100 + number), 22)),
    };
    check(
        &[
            case("over the limit and the used ones", true, 5, 4),
            case("at the limit", false, 4, 0),
            case("as many are used", false, 5, 5),
        ],
        true,
    );
    let elsewhere = Case {
        used: places(20, |number| ((2, number, 1), 443)),
        ..case("used hosts of other networks and ports do not matter", true, 5, 0)
    };
    check(&[elsewhere], true);
}

#[test]
fn touched_hosts_of_one_network_by_one_port() {
    let case = |name, is_scan, failed, touched, used| Case {
        name,
        is_scan,
        failed: places(failed, |number| ((1, 1, 50 + number), 22)),
        touched: places(touched, |number| ((1, 1, number), 22)),
        used: places(used, |number| ((1, 1, 100 + number), 22)),
    };
    check(
        &[
            case("over twice the limit", true, 0, 9, 8),
            case("failed and touched together", true, 3, 6, 8),
            case("at twice the limit", false, 0, 8, 0),
            case("as many are used", false, 0, 9, 9),
        ],
        true,
    );
}

#[test]
fn hosts_of_one_network_of_which_three_ports_were_tried() {
    let case = |name, is_scan, failed, used| Case {
        name,
        is_scan,
        failed: three_ports_of(failed, |number| (1, 1, number)),
        touched: vec![],
        used: (0..used * 3).map(|number| ((1, 1, 100 + (number / 3) as u8), 3_000 + number as u16)).collect(),
    };
    check(
        &[case("over the limit", true, 5, 4), case("at the limit", false, 4, 0), case("as many are used", false, 5, 5)],
        true,
    );
    let two_ports = Case {
        failed: (0..10).map(|number| ((1, 1, 1 + number / 2), 1_000 + u16::from(number))).collect(),
        ..case("two ports of each host", false, 0, 0)
    };
    check(&[two_ports], true);
}

#[test]
fn hosts_of_one_network_by_any_ports() {
    let case = |name, is_scan, failed, touched, used| Case {
        name,
        is_scan,
        failed: places(failed, |number| ((1, 1, number), own_port(1_000, number))),
        touched: places(touched, |number| ((1, 1, 100 + number), own_port(2_000, number))),
        used: places(used, |number| ((1, 1, 200 + number), own_port(3_000, number))),
    };
    check(
        &[
            case("failed ones over four times the limit", true, 17, 0, 16),
            case("failed ones at four times the limit", false, 16, 0, 6),
            case("as many are used", false, 17, 0, 17),
            case("failed and touched ones over eight times the limit", true, 3, 30, 6),
            case("touched ones at eight times the limit", false, 0, 32, 0),
        ],
        true,
    );
}

#[test]
fn failed_hosts_of_any_networks_by_one_port() {
    let case = |name, is_scan, failed, touched, used, others| Case {
        name,
        is_scan,
        failed: [
            places(others, |number| ((100 + number, 1, 1), own_port(1_000, number))),
            places(failed, |number| ((1, number, 1), 22)),
        ]
        .concat(),
        touched: places(touched, |number| ((1, 50 + number, 1), 22)),
        used: places(used, |number| ((1, 100 + number, 1), 22)),
    };
    check(
        &[
            case("over the limit and three times the answered ones", true, 5, 0, 1, 0),
            case("touched ones count as answered", true, 5, 1, 0, 0),
            case("at the limit", false, 4, 0, 0, 0),
            case("a third is answered", false, 6, 1, 1, 0),
            case("a quarter of all failures", true, 5, 0, 0, 15),
            case("less than a quarter of all failures", false, 5, 0, 0, 16),
        ],
        true,
    );
}

#[test]
fn failed_hosts_of_any_networks_of_which_three_ports_were_tried() {
    let case = |name, is_scan, failed, used| Case {
        name,
        is_scan,
        failed: three_ports_of(failed, |number| (1, number, 1)),
        touched: vec![],
        used: (0..used * 3).map(|number| ((1, 100 + (number / 3) as u8, 1), 3_000 + number as u16)).collect(),
    };
    check(
        &[
            case("over the limit", true, 5, 1),
            case("at the limit", false, 4, 0),
            case("a third is answered", false, 6, 2),
        ],
        true,
    );
}

#[test]
fn failed_hosts_of_one_site() {
    let case = |name, is_scan, failed, used| Case {
        name,
        is_scan,
        failed: places(failed, |number| ((1, number, 1), own_port(1_000, number))),
        touched: vec![],
        used: places(used, |number| ((1, 100 + number, 1), own_port(3_000, number))),
    };
    check(
        &[
            case("over four times the limit", true, 17, 5),
            case("at four times the limit", false, 16, 0),
            case("a third is answered", false, 18, 6),
        ],
        true,
    );
}

#[test]
fn failed_hosts_anywhere() {
    let case = |name, is_scan, failed, used| Case {
        name,
        is_scan,
        failed: places(failed, |number| ((number, 1, 1), own_port(1_000, number))),
        touched: vec![],
        used: places(used, |number| ((100 + number, 1, 1), own_port(3_000, number))),
    };
    check(
        &[
            case("over sixteen times the limit", true, 65, 7),
            case("at sixteen times the limit", false, 64, 0),
            case("a ninth is answered", false, 65, 8),
        ],
        true,
    );
}

#[test]
fn ports_of_one_network() {
    let case = |name, is_scan, failed, touched, used| Case {
        name,
        is_scan,
        failed: places(failed, |number| ((1, 1, 1), own_port(1_000, number))),
        touched: places(touched, |number| ((1, 1, 1), own_port(2_000, number))),
        used: places(used, |number| ((1, 1, 1), own_port(3_000, number))),
    };
    check(
        &[
            case("failed ones over the limit", true, 5, 0, 4),
            case("failed ones at the limit", false, 4, 0, 0),
            case("as many are used", false, 5, 0, 5),
            case("touched ones over twice the limit", true, 0, 9, 8),
            case("touched ones at twice the limit", false, 0, 8, 0),
        ],
        false,
    );
}

#[test]
fn ports_of_many_networks() {
    let case = |name, is_scan, failed: u8, networks: u8| Case {
        name,
        is_scan,
        failed: (0..failed * networks).map(|number| ((1, 1 + number, 1), own_port(1_000, number / networks))).collect(),
        touched: vec![],
        used: vec![],
    };
    check(
        &[
            case("over the limit", true, 5, 3),
            case("at the limit", false, 4, 3),
            case("each in two networks of its own", false, 6, 2),
        ],
        false,
    );
}
