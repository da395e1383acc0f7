//! Only first contacts count: what answered a source before is known to it.

use super::harness::*;
use crate::detect::DetectionTable;
use crate::detect::scan::Config;
use crate::detect::scan::contacts::HostPort;
use crate::packet::Protocol;

#[test]
fn dead_targets_of_a_known_poller_prove_nothing() {
    for version in Version::BOTH {
        let poller = version.source(1);
        let target = |number: usize| version.host(1, 1, number as u8 + 1);
        // Every five minutes; the window is shorter. In the last rounds nothing answers any more.
        let rounds = |alive: usize, dead: usize| {
            let mut script = Script::default();
            for round in 0..alive + dead {
                for number in 0..40 {
                    let time = 0.35 + 300.0 * round as f64 + 0.1 * number as f64;
                    match round < alive {
                        true => script.connection(time, poller, target(number), 9_100, 0.05),
                        false => _ = script.syn(time, poller, target(number), 9_100),
                    }
                }
            }
            script
        };
        assert_eq!(found(&rounds(1, 3)), [], "{version:?}");
        assert_eq!(found(&rounds(0, 1)).len(), 1, "{version:?}: a poller that starts with dead targets");
    }
}

#[test]
fn touched_targets_are_known_when_they_left_the_window() {
    for version in Version::BOTH {
        let poller = version.source(1);
        // Checks that open a port and close it, of 25 hosts: fewer than make a sweep.
        let mut script = Script::default();
        for round in 0..5 {
            for number in 0..25 {
                let time = 0.35 + 120.0 * f64::from(round) + 0.1 * f64::from(number);
                let target = version.host(1, 1, number + 1);
                if round == 0 {
                    script.touched(time, poller, target, 22)
                } else {
                    _ = script.syn(time, poller, target, 22)
                }
            }
        }
        assert_eq!(found(&script), [], "{version:?}");
    }
}

#[test]
fn known_hosts_are_forgotten_after_two_periods() {
    let config = Config { memory: std::time::Duration::from_secs(600), ..Config::default() };
    let poller = Version::V4.source(1);
    let silent_after = |seconds: f64| {
        let mut script = Script::default();
        for number in 0..20 {
            let (time, target) = (0.35 + 0.1 * f64::from(number), Version::V4.host(1, 1, number + 1));
            script.connection(time, poller, target, 443, 0.05);
            _ = script.syn(time + seconds, poller, target, 443);
        }
        found_with(&config, &script).len()
    };
    assert_eq!([silent_after(300.0), silent_after(590.0), silent_after(1_300.0)], [0, 0, 1]);
}

#[test]
fn other_hosts_of_a_poller_are_not_known() {
    let poller = Version::V4.source(1);
    let mut script = each(16, 0.1, |script, time, number| {
        script.connection(time, poller, Version::V4.host(1, 1, number as u8 + 1), 443, 0.05);
    });
    let sweep = each(16, 0.1, |script, time, number| {
        _ = script.syn(time + 300.0, poller, Version::V4.host(1, 2, number as u8 + 1), 443);
    });
    script = script.and(sweep);
    assert_eq!(found(&script).len(), 1);
}

#[test]
fn data_of_a_connection_whose_beginning_was_not_seen_make_its_host_known() {
    for version in Version::BOTH {
        let client = version.source(1);
        let script = |has_data: bool| {
            let mut script = each(20, 0.1, |script, time, number| {
                let server = version.host(1, 1, number as u8 + 1);
                let port = 40_000 + number as u16;
                script.tcp(time, client, server, (port, 443), if has_data { PUSH | ACK } else { ACK });
                if has_data {
                    script.tcp(time + 0.02, server, client, (443, port), ACK);
                }
            });
            for number in 0..20 {
                let server = version.host(1, 1, number + 1);
                _ = script.syn(250.0 + 0.1 * f64::from(number), client, server, 443);
            }
            script
        };
        assert_eq!(found(&script(true)), [], "{version:?}");
        assert_eq!(found(&script(false)).len(), 1, "{version:?}: ACKs without an answer show no use");
    }
}

#[test]
fn full_filter_keeps_what_it_has_and_what_it_does_not_take_is_counted() {
    let poller = Version::V4.source(1);
    let target = |number: usize| Version::V4.host(1, 1, number as u8 + 1);
    for (others, is_first, is_found) in [(400_000, true, false), (600_000, true, false), (600_000, false, true)] {
        let mut bench = Bench::new(&Config::default());
        // The period begins.
        let first =
            each(1, 0.01, |script, time, _| script.connection(time, Version::V4.source(2), target(0), 443, 0.05));
        bench.run(&first, TickPlan::PLAIN, 1.0);
        let alive = each(20, 0.01, |script, time, number| {
            script.connection(time + 10.0, poller, target(number), 443, 0.05);
        });
        if is_first {
            bench.run(&alive, TickPlan::PLAIN, 1.0);
        }
        for number in 0..others {
            let other = HostPort { address: v4(30, 1, 1, 1), protocol: Protocol::TCP, port: 443 };
            bench.scan.state.memory.insert(std::net::Ipv4Addr::from_bits(number).into(), &other);
        }
        if !is_first {
            bench.run(&alive, TickPlan::PLAIN, 1.0);
        }
        let dead = each(20, 0.01, |script, time, number| _ = script.syn(time + 250.0, poller, target(number), 443));
        bench.run(&dead, TickPlan::PLAIN, 3.0);
        assert_eq!(bench.found().len(), usize::from(is_found), "{others} others, targets known first: {is_first}");
        let tables = bench.scan.view(1).tables;
        let known = tables.iter().find(|table| table.table == DetectionTable::ScanKnown).unwrap();
        let is_full = others > 430_000;
        assert_eq!((known.entries > known.limit, known.evicted > 0), (is_full, is_full));
    }
}
