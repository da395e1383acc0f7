//! Questions for link addresses: a sweep of one's own network, and routers that ask for others.

use std::net::IpAddr;

use super::harness::*;
use crate::detect::Kind::HostScan;
use crate::detect::scan::Config;

/// A source asks for each of `count` neighbours; the first `alive` ones are there.
fn sweep(version: Version, count: usize, alive: usize) -> Script {
    each(count, 0.1, |script, time, number| {
        script.resolve(time, version.host(1, 1, 250), version.host(1, 1, number as u8 + 1), number < alive);
    })
}

fn scanners(script: &Script) -> Vec<IpAddr> {
    found(script).into_iter().map(|(address, ..)| address).collect()
}

#[test]
fn sweep_of_the_own_network_is_found() {
    for version in Version::BOTH {
        let scanner = version.host(1, 1, 250);
        // Three answers and sixteen dead addresses.
        assert_eq!(found(&sweep(version, 19, 3)), [(scanner, HostScan, 0.35 + 1.8 + 1.0)], "{version:?}");
        assert_eq!(found(&sweep(version, 18, 3)), [], "{version:?}: at the limit");
        assert_eq!(scanners(&sweep(version, 200, 60)), [scanner], "{version:?}");
        assert_eq!(found(&sweep(version, 40, 20)), [], "{version:?}: as many are there");
    }
}

#[test]
fn without_three_answers_there_is_no_verdict() {
    // Behind a switch the answers to another host are not seen.
    for version in Version::BOTH {
        for alive in 0..3 {
            assert_eq!(found(&sweep(version, 100, alive)), [], "{version:?}: {alive} answers");
        }
    }
}

#[test]
fn hosts_that_were_contacted_show_that_answers_are_visible() {
    for version in Version::BOTH {
        let scanner = version.host(1, 1, 250);
        let contacts = each(3, 0.1, |script, time, number| {
            script.connection(time, scanner, version.host(1, 1, 200 + number as u8), 22, 0.05);
        });
        assert_eq!(scanners(&sweep(version, 40, 0).and(contacts)), [scanner], "{version:?}");
        // A sweep that pings or connects to what it finds: silent contacts prove no sight.
        let silent = each(3, 0.1, |script, time, number| {
            _ = script.syn(time, scanner, version.host(1, 1, 200 + number as u8), 22);
        });
        assert_eq!(found(&sweep(version, 40, 0).and(silent)), [], "{version:?}");
    }
}

#[test]
fn router_that_forwards_a_sweep_is_no_scanner() {
    for version in Version::BOTH {
        let (router, scanner) = (version.host(1, 1, 250), version.source(9));
        let script = each(60, 0.1, |script, time, number| {
            let host = version.host(1, 1, number as u8 + 1);
            let port = 40_000 + number as u16;
            script.tcp(time, scanner, host, (port, 22), SYN);
            script.resolve(time + 0.001, router, host, number < 6);
            if number < 6 {
                script.tcp(time + 0.002, host, scanner, (22, port), RST | ACK);
            }
        });
        assert_eq!(scanners(&script), [scanner], "{version:?}");
    }
}

#[test]
fn question_that_a_contact_follows_is_none_of_its_own() {
    // A monitor asks for its targets and pings them; one in three is dead, and was asked for only.
    for version in Version::BOTH {
        let monitor = version.host(1, 1, 250);
        let script = each(45, 0.3, |script, time, number| {
            let (host, is_alive) = (version.host(1, 1, number as u8 + 1), number % 3 != 0);
            script.resolve(time, monitor, host, is_alive);
            if is_alive {
                (0..3).for_each(|at| script.ping(time + 0.01 + f64::from(at), monitor, host, true));
            }
        });
        assert_eq!(found(&script), [], "{version:?}");
    }
}

#[test]
fn repeated_questions_for_one_host_are_one_target() {
    for version in Version::BOTH {
        let script = each(300, 0.1, |script, time, number| {
            script.resolve(time, version.host(1, 1, 250), version.host(1, 1, (number % 15) as u8 + 1), false);
        });
        let alive = each(5, 0.1, |script, time, number| {
            script.resolve(time, version.host(1, 1, 250), version.host(1, 1, 200 + number as u8), true);
        });
        assert_eq!(found(&script.and(alive)), [], "{version:?}");
    }
}

#[test]
fn questions_of_several_hosts_are_each_its_own() {
    for version in Version::BOTH {
        let script = each(200, 0.05, |script, time, number| {
            let asker = version.host(1, 1, 240 + (number % 14) as u8);
            script.resolve(time, asker, version.host(1, 1, number as u8 + 1), number % 4 == 0);
        });
        assert_eq!(found(&script), [], "{version:?}");
    }
}

#[test]
fn neither_tick_nor_order_changes_a_sweep() {
    for version in Version::BOTH {
        let work = each(40, 0.13, |script, time, number| {
            script.connection(time, version.host(1, 1, 249), version.host(2, 1, number as u8 + 1), 443, 1.5);
        });
        let script = sweep(version, 60, 10).and(work.seen_by(1));
        let run = |cut| Bench::new(&Config::default()).run(&script, cut, 4.0).detections.clone();
        let plain = run(TickPlan::PLAIN);
        assert!(!plain.is_empty());
        for milliseconds in [100, 200, 500] {
            assert!(run(TickPlan::tick_ms(milliseconds)) == plain, "{version:?}: {milliseconds} ms");
        }
        for held_back in [1, 3, 7] {
            assert!(run(TickPlan { held_back, ..TickPlan::PLAIN }) == plain, "{version:?}: {held_back} cells at once");
        }
        for shuffle in 1..5 {
            assert!(run(TickPlan { shuffle, ..TickPlan::tick_ms(100) }) == plain, "{version:?}: shuffled by {shuffle}");
        }
    }
}
