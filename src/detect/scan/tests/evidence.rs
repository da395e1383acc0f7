//! Classes of traffic: scanners are found, and other hosts are not.

use std::net::IpAddr;
use std::time::Duration;

use super::harness::*;
use crate::detect::Kind::{HostScan, PortScan};
use crate::detect::scan::{Config, Rule};
use crate::detect::{Figures, Level};
use crate::packet::Protocol;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

fn host(number: usize) -> IpAddr {
    v4(203, 0, (number / 250) as u8, (number % 250) as u8 + 1)
}

fn host6(number: usize) -> IpAddr {
    std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number as u16 + 1).into()
}

#[test]
fn the_sixteenth_unanswered_host_makes_a_scan_one_second_after_its_syn() {
    let scan = |hosts| each(hosts, 0.1, |script, time, number| _ = script.syn(time, A, host(number), 22));
    assert_eq!(found(&scan(15)), []);
    assert_eq!(found(&scan(16)), [(A, HostScan, 0.35 + 1.5 + 1.0)]);
}

#[test]
fn refused_hosts_make_a_scan_at_the_refusal() {
    let scan = |hosts| each(hosts, 0.1, |script, time, number| script.refused(time, A, host(number), 22));
    assert_eq!(found(&scan(15)), []);
    assert_eq!(found(&scan(16)), [(A, HostScan, 0.35 + 1.5 + 0.02)]);
}

#[test]
fn unreachable_hosts_make_a_scan_at_the_error() {
    let script = each(16, 0.1, |script, time, number| {
        let port = script.syn(time, A, host(number), 22);
        script.unreachable(time + 0.3, A, host(number), Protocol::TCP, (port, 22));
    });
    assert_eq!(found(&script), [(A, HostScan, 0.35 + 1.5 + 0.3)]);
}

#[test]
fn more_than_a_hundred_refused_ports_make_a_port_scan() {
    let scan = |ports: usize| each(ports, 0.01, |script, time, number| script.refused(time, A, B, 1 + number as u16));
    assert_eq!(found(&scan(100)), []);
    assert_eq!(found(&scan(101)), [(A, PortScan, 0.35 + 1.0 + 0.02)]);
}

#[test]
fn open_ports_among_refused_ones_do_not_hide_a_port_scan() {
    let script = each(140, 0.01, |script, time, number| {
        if number % 5 == 0 {
            script.connection(time, A, B, 1 + number as u16, 0.05)
        } else {
            script.refused(time, A, B, 1 + number as u16)
        }
    });
    assert_eq!(found(&script).len(), 1);
}

#[test]
fn a_block_scan_is_both() {
    let script = each(16 * 101, 0.005, |script, time, number| {
        _ = script.syn(time, A, host(number % 16), (number / 16) as u16 + 1)
    });
    let kinds: Vec<_> = found(&script).iter().map(|&(_, kind, _)| kind).collect();
    assert_eq!(kinds, [HostScan, PortScan]);
}

#[test]
fn slow_scans_are_found_as_long_as_the_window_holds_enough() {
    let scan = |step: f64| each(40, step, |script, time, number| _ = script.syn(time, A, host(number), 22));
    assert_eq!(found(&scan(0.4)).len(), 1);
    assert_eq!(found(&scan(10.0)).len(), 1);
    assert_eq!(found(&scan(11.4)).len(), 0);
}

#[test]
fn odd_flags_probe() {
    for flags in [0, FIN, FIN | PUSH | 0x20] {
        let script = each(30, 0.1, |script, time, number| script.tcp(time, A, host(number), (40_000, 80), flags));
        assert_eq!(found(&script).len(), 1, "{flags:x}");
    }
    // An ACK may be of an old connection, but a client has another port for each of its connections.
    for flags in [ACK, FIN | ACK] {
        let script = |port: fn(usize) -> u16| {
            each(30, 0.1, |script, time, number| script.tcp(time, A, host(number), (port(number), 80), flags))
        };
        assert_eq!(found(&script(|_| 40_000)), [(A, HostScan, 0.35 + 1.5 + 1.0)], "{flags:x} from one port");
        assert_eq!(found(&script(|number| 40_000 + number as u16)), [], "{flags:x} from a port for each");
    }
}

#[test]
fn silent_and_refused_datagrams_probe() {
    let script = each(30, 0.1, |script, time, number| script.udp(time, A, host(number), (40_000, 161)));
    assert_eq!(found(&script).len(), 1);
    let script = each(130, 0.01, |script, time, number| {
        let ports = (40_000, 10_000 + number as u16);
        script.udp(time, A, B, ports);
        script.unreachable(time + 0.01, A, B, Protocol::UDP, ports);
    });
    assert_eq!(found(&script).iter().map(|&(_, kind, _)| kind).collect::<Vec<_>>(), [PortScan]);
}

#[test]
fn a_scan_over_ipv6_is_found_alike() {
    let script = each(16, 0.1, |script, time, number| _ = script.syn(time, host6(999), host6(number), 22));
    assert_eq!(found(&script).len(), 1);
}

#[test]
fn a_sweep_whose_handshakes_the_scanner_breaks_off_is_found_though_all_answer() {
    let script = each(30, 0.1, |script, time, number| {
        let port = script.syn(time, A, host(number), 22);
        script.tcp(time + 0.02, host(number), A, (22, port), SYN | ACK);
        script.tcp(time + 0.021, A, host(number), (port, 22), RST);
    });
    assert_eq!(found(&script), [(A, HostScan, 0.35 + 1.5 + 0.021)]);
}

#[test]
fn half_of_the_hosts_must_answer_before_a_scan_hides() {
    let sweep = |alive: usize| {
        each(60, 0.1, |script, time, number| {
            if number < alive {
                script.connection(time, A, host(number), 22, 0.1)
            } else {
                _ = script.syn(time, A, host(number), 22)
            }
        })
    };
    assert_eq!(found(&sweep(29)).len(), 1);
    assert_eq!(found(&sweep(30)).len(), 0);
}

#[test]
fn source_whose_contacts_are_answered_does_not_scan() {
    // A browser, a gateway for many, a resolver, a poller of which some targets are down.
    let browser = each(60, 0.3, |script, time, number| script.connection(time, A, host(number), 443, 3.0));
    assert_eq!(found(&browser), []);
    let gateway = each(3_000, 0.01, |script, time, number| {
        if number % 10 == 0 {
            _ = script.syn(time, A, host(number), 443)
        } else {
            script.connection(time, A, host(number), 443, 0.2)
        }
    });
    assert_eq!(found(&gateway), []);
    // Name servers are spread over the networks of the world.
    let name_server = |number: usize| v4(60 + (number / 250) as u8, (number * 7 % 250) as u8, number as u8, 53);
    let resolver = each(2_000, 0.02, |script, time, number| {
        if number % 15 == 0 {
            script.udp(time, A, name_server(number), (20_000 + number as u16, 53))
        } else {
            script.query(time, A, name_server(number), 53, 0.08)
        }
    });
    assert_eq!(found(&resolver), []);
    let poller = each(600, 0.2, |script, time, number| {
        let target = number % 60;
        if target < 12 {
            _ = script.syn(time, A, host(target), 9_100)
        } else {
            script.connection(time, A, host(target), 9_100, 0.1)
        }
    });
    assert_eq!(found(&poller), []);
}

#[test]
fn peers_that_are_dead_are_fewer_than_those_alive_for_long() {
    // The contacts with living peers began long ago; only their exchanges show that they answer.
    let mut script = each(60, 0.05, |script, time, number| {
        for second in 0..400 {
            let ports = (6_881, 20_000 + number as u16);
            script.udp(time + f64::from(second), A, host(number), ports);
            script.udp(time + f64::from(second) + 0.1, host(number), A, (ports.1, ports.0));
        }
    });
    for number in 0..50 {
        script.udp(230.0 + number as f64 * 3.0, A, host(1_000 + number), (6_881, 30_000 + number as u16));
    }
    assert_eq!(found(&script), []);
}

#[test]
fn retries_and_other_ports_of_a_target_are_one_host() {
    let script =
        each(15 * 8, 0.3, |script, time, number| _ = script.syn(time, A, host(number % 15), 1 + (number / 15) as u16));
    assert_eq!(found(&script), []);
}

#[test]
fn uplink_that_fails_for_seconds_does_not_make_its_users_scanners() {
    let mut script = each(30, 0.3, |script, time, number| script.connection(time, A, host(number), 443, 2.0));
    for number in 0..20 {
        _ = script.syn(20.0 + number as f64 * 0.1, A, host(number + 15), 443);
    }
    assert_eq!(found(&script), []);
}

#[test]
fn answers_that_leave_the_window_first_do_not_make_a_silent_source_a_scanner() {
    let mut script = each(40, 0.5, |script, time, number| script.connection(time, A, host(number), 443, 0.1));
    for number in 0..20 {
        _ = script.syn(20.0 + number as f64 * 0.1, A, host(100 + number), 443);
    }
    let mut bench = Bench::new(&super::super::Config::default());
    assert_eq!(bench.run(&script, TickPlan::PLAIN, 400.0).found(), []);
}

#[test]
fn one_way_streams_to_many_are_no_probes() {
    let script = each(40 * 100, 0.001, |script, time, number| {
        script.packet(time, A, host(number % 40), Protocol::UDP, (5_004, 6_000 + (number % 40) as u16), 0, 1_200);
    });
    assert_eq!(found(&script), []);
}

#[test]
fn backscatter_makes_no_host_a_scanner() {
    let script = each(300, 0.01, |script, time, number| match number % 3 {
        0 => script.tcp(time, host(number), A, (80, number as u16 + 1), SYN | ACK),
        1 => script.tcp(time, host(number), A, (80, number as u16 + 1), RST | ACK),
        _ => script.unreachable(time, A, host(number), Protocol::TCP, (number as u16 + 1, 80)),
    });
    assert_eq!(found(&script), []);
    // Nor the victim itself, which answers all of it.
    let script = each(300, 0.01, |script, time, number| {
        script.tcp(time, host(number), A, (80, number as u16 + 1), SYN | ACK);
        script.tcp(time + 0.001, A, host(number), (number as u16 + 1, 80), RST);
    });
    assert_eq!(found(&script), []);
    // Nor the server that answers a flood from invented sources.
    let script = each(300, 0.01, |script, time, number| {
        script.tcp(time, host(number), A, (4_000, 80), SYN);
        script.tcp(time + 0.001, A, host(number), (80, 4_000), SYN | ACK);
    });
    assert_eq!(found(&script), []);
}

#[test]
fn late_answers_of_a_server_begin_nothing() {
    // The queries were before the capture, or long ago.
    let script =
        each(300, 0.01, |script, time, number| script.udp(time, A, host(number), (53, 30_000 + number as u16)));
    assert_eq!(found(&script), []);
    let script = each(100, 0.01, |script, time, number| {
        script.query(time, host(number), A, 5_060, 0.1);
        script.udp(time + 20.0, A, host(number), (5_060, 32_768 + (3 * number) as u16));
    });
    assert_eq!(found(&script), []);
}

#[test]
fn groups_and_broadcasts_are_no_hosts() {
    let script = each(200, 0.05, |script, time, number| {
        script.udp(time, A, v4(239, 1, 1, number as u8), (5_353, 5_353));
        script.udp(time, A, v4(255, 255, 255, 255), (68, number as u16 + 1));
    });
    assert_eq!(found(&script), []);
}

#[test]
fn later_fragments_have_no_ports_and_begin_nothing() {
    let script = each(60, 0.05, |script, time, number| script.tcp(time, A, host(number), (0, 0), 0));
    assert_eq!(found(&script), []);
    // The first ones of a scan in tiny fragments have ports, and no flags.
    let script = each(60, 0.05, |script, time, number| {
        script.tcp(time, A, host(number), (40_000, 22), 0);
        script.tcp(time, A, host(number), (0, 0), 0);
    });
    assert_eq!(found(&script).len(), 1);
}

/// Clients whose connections are seen one way only.
fn half_seen() -> Script {
    let script = each(40, 0.1, |script, time, number| {
        script.connection(time, v4(10, 0, 0, number as u8 % 4 + 1), host(number), 443, 20.0);
    });
    script.without_answers_to(&[1, 2, 3, 4].map(|number| v4(10, 0, 0, number)))
}

#[test]
fn connections_that_continue_unanswered_are_seen_one_way_only() {
    assert_eq!(found(&half_seen()), []);
}

#[test]
fn an_interface_that_shows_no_answers_gives_no_verdict() {
    let scan = each(30, 0.1, |script, time, number| _ = script.syn(time + 10.0, A, host(number), 22));
    let mut bench = Bench::new(&super::super::Config::default());
    let blind = half_seen().and(scan.clone());
    bench.run(&blind.and(scan.clone().seen_by(1)), TickPlan::PLAIN, 2.0);
    let view = bench.scan.view(5);
    assert_eq!(view.answers_visible.iter().map(|&(_, is_visible)| is_visible).collect::<Vec<_>>(), [false, true]);
    assert!(view.unknown_contacts >= 30);
    // The other interface shows the same probes first: then they are judged by it.
    let mut alone = Bench::new(&super::super::Config::default());
    assert_eq!(alone.run(&half_seen().and(scan), TickPlan::PLAIN, 2.0).found(), []);
}

#[test]
fn an_interface_that_drops_gives_no_verdict_until_the_drops_leave_the_window() {
    let scan = each(30, 0.1, |script, time, number| _ = script.syn(time, A, host(number), 22));
    for (dropped, is_found) in [(10, true), (11, false)] {
        let mut bench = Bench::new(&super::super::Config::default());
        let interface = bench.interface(0);
        bench.scan.note_capture(interface, 1_000, dropped, at(0.0));
        assert_eq!(!bench.run(&scan, TickPlan::PLAIN, 2.0).found().is_empty(), is_found, "{dropped} of 1,000");
        let mut later = each(30, 0.1, |script, time, number| _ = script.syn(time + 300.0, A, host(number), 22));
        later.0.retain(|_| true);
        assert!(!bench.run(&later, TickPlan::PLAIN, 2.0).found().is_empty());
    }
}

#[test]
fn neither_the_tick_nor_the_order_of_intervals_matters() {
    let scan = each(40, 0.13, |script, time, number| {
        if number % 3 == 0 {
            script.refused(time, A, host(number), 22)
        } else {
            _ = script.syn(time, A, host(number), 22)
        }
    });
    let browser =
        each(40, 0.211, |script, time, number| script.connection(time, v4(10, 0, 0, 1), host(number), 443, 1.5));
    let others =
        each(60, 0.097, |script, time, number| script.query(time, v4(10, 0, 0, 2), host(number), 53, 0.9)).seen_by(1);
    let script = scan.and(browser).and(others);
    let run = |cut| Bench::new(&super::super::Config::default()).run(&script, cut, 4.0).detections.clone();
    let plain = run(TickPlan::PLAIN);
    assert!(!plain.is_empty());
    for milliseconds in [100, 200, 500] {
        assert!(run(TickPlan::tick_ms(milliseconds)) == plain, "{milliseconds} ms");
    }
    for shuffle in 1..5 {
        let cut = TickPlan { tick: Duration::from_millis(100), held_back: 0, shuffle };
        assert!(run(cut) == plain, "shuffled by {shuffle}");
    }
}

#[test]
fn events_ahead_of_the_watermark_are_deferred_until_their_cell() {
    let script = each(40, 0.13, |script, time, number| {
        if number % 3 == 0 {
            script.refused(time, A, host(number), 22)
        } else {
            _ = script.syn(time, A, host(number), 22)
        }
    });
    let run = |cut| Bench::new(&super::super::Config::default()).run(&script, cut, 4.0).detections.clone();
    let plain = run(TickPlan::PLAIN);
    for held_back in [1, 3, 7] {
        assert!(run(TickPlan { held_back, ..TickPlan::PLAIN }) == plain, "{held_back} cells at once");
    }
}

#[test]
fn a_ping_sweep_is_found_though_all_hosts_answer_and_repeated_pings_are_not() {
    let sweep = |hosts: usize, alive: usize| {
        each(hosts, 0.1, |script, time, number| script.ping(time, A, host(number), number < alive))
    };
    assert_eq!(found(&sweep(17, 1)), [(A, HostScan, 0.35 + 1.6 + 1.0)]);
    assert_eq!(found(&sweep(30, 30)), []);
    assert_eq!(found(&sweep(200, 200)), [(A, HostScan, 0.35 + 3.0 + 3.5)], "each host is touched by one request");
    let monitor = each(200, 0.1, |script, time, number| {
        (0..3).for_each(|second| script.ping(time + f64::from(second), A, host(number), true));
    });
    assert_eq!(found(&monitor), [], "three requests use a host");
    let script = each(16, 0.1, |script, time, number| script.ping(time, host6(999), host6(number), false));
    assert_eq!(found(&script).len(), 1);
    let script = each(16, 0.1, |script, time, number| {
        script.ping(time, A, host(number), false);
        script.unreachable(time + 0.5, A, host(number), Protocol::ICMP, (0, 0));
    });
    assert_eq!(found(&script), [(A, HostScan, 0.35 + 1.5 + 0.5)]);
}

#[test]
fn monitors_that_ping_each_other_are_no_scanners() {
    let mut script = Script::default();
    for pair in 0..20 * 20 {
        let (from, to) = (pair / 20, pair % 20);
        if from != to {
            (0..20).for_each(|second| script.ping(f64::from(second) + from as f64 * 0.001, host(from), host(to), true));
        }
    }
    assert_eq!(found(&script), []);
}

/// The first detection over the limit after all of the script was judged; its window still holds all of it.
fn whole(script: &Script, config: &Config, cut: TickPlan) -> Figures {
    let mut bench = Bench::new(config);
    bench.run(script, cut, 3.0);
    let over = bench.detections.into_iter().rfind(|found| found.level == Level::Over);
    over.unwrap().figures
}

#[test]
fn a_small_scan_is_exact_and_spans_its_first_to_its_last_packet() {
    let script = each(40, 0.1, |script, time, number| _ = script.syn(time, A, host(number), 22));
    let figures = whole(&script, &Config::default(), TickPlan::PLAIN);
    assert!(!figures.is_estimate);
    let span = figures.span.unwrap();
    assert_eq!((span.first, span.last, span.precision), (at(0.35), at(0.35 + 3.9), Duration::ZERO));
}

#[test]
fn a_scan_that_mixes_refusals_and_silence_spans_its_packets_and_not_their_outcomes() {
    let script = each(40, 0.1, |script, time, number| match number {
        39 => script.refused(time, A, host(number), 22),
        _ => _ = script.syn(time, A, host(number), 22),
    });
    let span = whole(&script, &Config::default(), TickPlan::PLAIN).span.unwrap();
    assert_eq!((span.first, span.last), (at(0.35), at(0.35 + 3.9)));
}

/// The table holds only a sample of so many targets, and the true last one is not in it.
#[test]
fn of_a_large_scan_the_figures_are_estimates_and_the_last_target_is_the_true_one() {
    for (count, step) in [(3_001, 0.01), (3_002, 0.0001), (3_003, 0.003)] {
        let script = each(count, step, |script, time, number| _ = script.syn(time, A, host(number), 22));
        for cut in [TickPlan::PLAIN, TickPlan { shuffle: 5, held_back: 2, ..TickPlan::tick_ms(300) }] {
            let figures = whole(&script, &Config::default(), cut);
            assert!(figures.is_estimate);
            assert_eq!(figures.last_targets.last().unwrap().address, host(count - 1), "{step}");
            let first: Vec<IpAddr> = figures.first_targets.iter().map(|target| target.address).collect();
            assert_eq!(first, (0..8).map(host).collect::<Vec<_>>(), "{step}");
            assert_eq!(figures.last_targets.len(), 8);
            let span = figures.span.unwrap();
            assert_eq!((span.first, span.last), (at(0.35), at(0.35 + (count - 1) as f64 * step)));
        }
    }
}

#[test]
fn by_contacts_the_last_target_and_the_span_are_true_as_well() {
    let script = each(3_000, 0.01, |script, time, number| _ = script.syn(time, A, host(number), 22));
    let config = Config { rule: Rule::Contacts, ..Config::default() };
    let figures = whole(&script, &config, TickPlan::PLAIN);
    assert!(figures.is_estimate, "the latest targets alone are held");
    assert_eq!(figures.last_targets.last().unwrap().address, host(2_999));
    assert_eq!(figures.span.unwrap().last, at(0.35 + 29.99));
}

#[test]
fn a_source_that_is_under_its_limit_leaves_no_trail() {
    let script = each(40, 0.1, |script, time, number| _ = script.syn(time, A, host(number), 22));
    let mut bench = Bench::new(&Config::default());
    bench.run(&script, TickPlan::PLAIN, 5.0);
    assert!(!bench.scan.state.trails.is_empty());
    bench.run(&each(1, 1.0, |script, time, _| script.query(time + 400.0, B, A, 53, 0.02)), TickPlan::PLAIN, 5.0);
    assert!(bench.scan.state.trails.is_empty());
}
