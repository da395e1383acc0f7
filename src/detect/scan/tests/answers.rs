//! Questions to many hosts at once: answers to them are no scan, and a scan is no answer.

use std::net::IpAddr;

use super::harness::*;
use crate::detect::Kind::HostScan;
use crate::detect::scan::Config;
use crate::detect::{DetectionTable, View};
use crate::packet::Protocol;

const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const SERVER_6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const SIZES: [usize; 3] = [16, 30, 200];

fn client(number: usize) -> IpAddr {
    v4(10, 0, (number / 200) as u8, (number % 200) as u8 + 20)
}

fn client6(number: usize) -> IpAddr {
    [0xfe80, 0, 0, 0, 0, 0, 1, number as u16 + 1].into()
}

/// Clients ask a group from `ports.0`, and the server answers each of them from a port of its choice.
fn answered(count: usize, delay: f64, group: IpAddr, ports: (u16, u16), from: u16) -> Script {
    each(count, 0.3, |script, time, number| {
        let is_v4 = group.is_ipv4();
        let (asker, server) = if is_v4 { (client(number), SERVER) } else { (client6(number), SERVER_6) };
        script.udp(time, asker, group, ports);
        script.udp(time + delay, server, asker, (from, ports.0));
    })
}

#[test]
fn answer_to_a_question_that_went_to_a_group_is_no_contact() {
    let groups: [(IpAddr, u16); 6] = [
        (v4(239, 255, 255, 250), 1_900),
        (v4(239, 255, 255, 250), 3_702),
        (v4(224, 0, 0, 252), 5_355),
        (v4(255, 255, 255, 255), 9_999),
        (v4(10, 0, 0, 255), 137),
        ([0xff02, 0, 0, 0, 0, 0, 0, 0xc].into(), 1_900),
    ];
    for (group, port) in groups {
        for count in SIZES {
            for from in [port, 40_123] {
                let script = answered(count, 0.3, group, (50_000, port), from);
                assert_eq!(found(&script), [], "{count} clients asked {group} port {port}, answered from {from}");
            }
        }
    }
}

#[test]
fn same_datagrams_without_a_question_are_a_scan() {
    for count in SIZES {
        let script =
            each(count, 0.3, |script, time, number| script.udp(time, SERVER, client(number), (40_123, 50_000)));
        assert_eq!(found(&script), [(SERVER, HostScan, 0.35 + 4.5 + 1.0)], "{count} hosts");
    }
}

#[test]
fn discovery_ports_answer_though_the_question_was_not_seen() {
    for from in [137, 1_900, 3_702, 5_351, 5_353, 5_355] {
        for to in [from, 50_000] {
            let script = each(30, 0.3, |script, time, number| {
                script.udp(time, SERVER, client(number), (from, to));
                script.udp(time, SERVER_6, client6(number), (from, to));
            });
            assert_eq!(found(&script), [], "from {from} to {to}");
        }
        let script = each(30, 0.3, |script, time, number| script.udp(time, SERVER, client(number), (from, 161)));
        assert_eq!(found(&script).len(), 1, "from {from} to another service");
    }
}

#[test]
fn dhcp_servers_and_relays_are_no_scanners() {
    let script = each(60, 0.3, |script, time, number| {
        script.udp(time, v4(0, 0, 0, 0), v4(255, 255, 255, 255), (68, 67));
        script.udp(time + 0.01, SERVER, client(number), (67, 68));
        // A relay that asks from any port is answered at port 67.
        script.udp(time + 0.02, client(number), v4(10, 9, 9, 9), (40_000, 67));
        script.udp(time + 0.03, v4(10, 9, 9, 9), client(number), (67, 67));
        script.udp(time + 0.04, client6(number), [0xff02, 0, 0, 0, 0, 0, 1, 2].into(), (546, 547));
        script.udp(time + 0.05, SERVER_6, client6(number), (547, 546));
    });
    assert_eq!(found(&script), []);
    let script = each(60, 0.3, |script, time, number| script.udp(time, client(999), client(number), (68, 67)));
    assert_eq!(found(&script).len(), 1, "a search for DHCP servers, host by host");
}

#[test]
fn question_is_answered_within_thirty_seconds() {
    for (delay, scanners) in [(29.9, 0), (30.1, 1)] {
        let script = answered(30, delay, v4(239, 1, 2, 3), (50_000, 7_777), 7_777);
        assert_eq!(found(&script).len(), scanners, "answers after {delay} s");
    }
}

#[test]
fn answer_that_finds_its_port_closed_is_no_contact() {
    let mut script = answered(30, 4.0, v4(239, 255, 255, 250), (50_000, 1_900), 40_123);
    for number in 0..30 {
        let time = 0.35 + number as f64 * 0.3 + 4.001;
        script.unreachable(time, SERVER, client(number), Protocol::UDP, (40_123, 50_000));
    }
    assert_eq!(found(&script), []);
}

#[test]
fn host_that_asks_a_group_is_no_cover_for_a_scan_of_its_other_ports() {
    let script = each(30, 0.3, |script, time, number| {
        script.udp(time, client(number), v4(239, 255, 255, 250), (50_000, 1_900));
        script.udp(time + 0.3, SERVER, client(number), (40_123, 161));
        _ = script.syn(time + 0.3, SERVER_6, client6(number), 22);
    });
    assert_eq!(found(&script).len(), 2);
}

#[test]
fn order_of_questions_and_answers_within_a_cell_does_not_matter() {
    // The question passes another thread, which may hand it over after the answer, or a cell ahead.
    let refused = |script: &mut Script| {
        for number in 0..30 {
            let time = 0.35 + number as f64 * 0.3 + 0.301;
            script.unreachable(time, SERVER, client(number), Protocol::UDP, (40_123, 50_000));
        }
    };
    let mut answers = Script::default();
    for number in 0..30 {
        answers.udp(0.65 + number as f64 * 0.3, SERVER, client(number), (40_123, 50_000));
    }
    refused(&mut answers);
    let questions = each(30, 0.3, |script, time, number| {
        script.udp(time, client(number), v4(239, 255, 255, 250), (50_000, 1_900));
    });
    let scan = each(40, 0.2, |script, time, number| script.udp(time, SERVER_6, client6(number), (40_000, 161)));
    let script = answers.and(questions.seen_by(1)).and(scan.seen_by(2));
    let run = |cut| Bench::new(&Config::default()).run(&script, cut, 4.0).detections.clone();
    let plain = run(TickPlan::PLAIN);
    let found: Vec<_> = plain.iter().map(|detection| &detection.subject).collect();
    assert!(!found.is_empty() && found.iter().all(|subject| **subject == crate::detect::Subject::Source(SERVER_6)));
    for shuffle in 1..6 {
        assert!(run(TickPlan { shuffle, ..TickPlan::tick_ms(100) }) == plain, "shuffled by {shuffle}");
    }
    for held_back in [1, 3, 7] {
        assert!(run(TickPlan { held_back, ..TickPlan::PLAIN }) == plain, "{held_back} cells at once");
    }
}

#[test]
fn table_of_questions_is_bounded_and_shown() {
    let mut script = Script::default();
    for number in 0..9_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        script.udp(0.001 * f64::from(number), v4(11, a, b, c), v4(239, 1, 1, 1), (5_000, 5_000));
    }
    let askers = |seconds: f64| {
        let mut bench = Bench::new(&Config::default());
        let view: View = bench.run(&script, TickPlan::PLAIN, seconds).scan.view(1);
        view.tables.into_iter().find(|table| table.table == DetectionTable::ScanAskers).unwrap()
    };
    let table = askers(0.0);
    assert_eq!((table.entries, table.limit), (4_096, 4_096));
    assert_eq!(table.evicted, 9_000 - 4_096);
    assert_eq!(askers(60.0).entries, 0);
}

/// A station sends to the last addresses of as many networks, three times each.
fn waker(count: usize, network_bits: u32, ports: Ports) -> Script {
    each(count * 3, 0.4, |script, time, number| {
        let size = 1_u32 << (32 - network_bits);
        let address = 0x0a14_0000 + (number / 3) as u32 * size + size - 1;
        script.udp(time, SERVER, IpAddr::from(address.to_be_bytes()), ports);
    })
}

#[test]
fn station_that_wakes_hosts_in_many_networks_is_no_scanner() {
    for network_bits in 22..=28 {
        for count in [17, 24, 120] {
            assert_eq!(found(&waker(count, network_bits, (40_000, 9))), [], "{count} networks of /{network_bits}");
        }
    }
}

#[test]
fn station_that_pings_broadcast_addresses_is_no_scanner() {
    let script = each(24, 0.4, |script, time, number| {
        script.ping(time, SERVER, v4(10, 20, number as u8, 255), false);
    });
    assert_eq!(found(&script), []);
}

#[test]
fn dead_hosts_of_a_station_count_without_its_broadcasts() {
    let with_dead = |dead: usize| {
        let dead = each(dead, 0.4, |script, time, number| {
            script.udp(time, SERVER, client(number), (40_001, 161));
        });
        found(&waker(24, 24, (40_000, 9)).and(dead)).len()
    };
    assert_eq!([0, 10, 15, 16, 40].map(with_dead), [0, 0, 0, 1, 1]);
}

#[test]
fn sweep_that_meets_broadcast_addresses_is_found_all_the_same() {
    for (step, ports) in [(1, (40_000, 161)), (4, (40_000, 161)), (7, (5_000, 9))] {
        let script = each(300, 0.1, |script, time, number| {
            let address = 0x0a14_0000 + number as u32 * step;
            script.udp(time, SERVER, IpAddr::from(address.to_be_bytes()), ports);
        });
        assert_eq!(found(&script).len(), 1, "every {step}th address");
    }
}

#[test]
fn connections_to_last_addresses_are_contacts() {
    let script = each(24, 0.4, |script, time, number| _ = script.syn(time, SERVER, v4(10, 20, number as u8, 255), 22));
    assert_eq!(found(&script).len(), 1, "no TCP goes to a broadcast address");
}

#[test]
fn broadcasts_to_the_own_network_are_no_contacts() {
    let script = each(15, 0.4, |script, time, number| {
        script.udp(time, SERVER, v4(10, 7, 0, number as u8 + 1), (40_000, 161));
        script.udp(time, SERVER, v4(10, 0, 0, 255), (40_000, 5_000 + number as u16));
        script.ping(time, SERVER, v4(10, 0, 0, 255), false);
    });
    assert_eq!(found(&script), []);
}

#[test]
fn clock_that_is_set_forgets_questions() {
    let mut bench = Bench::new(&Config::default());
    bench.run(&answered(5, 0.3, v4(239, 1, 2, 3), (50_000, 7_777), 7_777), TickPlan::PLAIN, 1.0);
    assert!(
        bench.scan.view(1).tables.iter().any(|table| table.table == DetectionTable::ScanAskers && table.entries == 5)
    );
    bench.scan.restart();
    _ = bench.scan.advance(at(101.0));
    let held = |view: View| view.tables.iter().find(|table| table.table == DetectionTable::ScanAskers).unwrap().entries;
    assert_eq!(held(bench.scan.view(1)), 0);
}
