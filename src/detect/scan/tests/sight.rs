//! Interfaces that show one way of conversations only: they are recognized, and no single host can feign that.

use std::net::IpAddr;

use super::harness::*;
use crate::detect::scan::Config;

const SCANNER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 66, 6, 6));
const LAPTOP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 77));

fn client(number: usize) -> IpAddr {
    v4(10, 0, 1, number as u8 + 1)
}

fn server(number: usize) -> IpAddr {
    v4(198, 51, (number / 250) as u8, (number % 250) as u8 + 1)
}

/// A scan of silent hosts, after the rest of a script had its effect.
fn silent_scan() -> Script {
    each(20, 0.1, |script, time, number| _ = script.syn(time + 20.0, SCANNER, v4(203, 0, 113, number as u8 + 1), 22))
}

/// Clients that fetch from servers, both ways seen.
fn work(clients: usize) -> Script {
    each(clients * 6, 0.5, |script, time, number| {
        script.connection(time, client(number % clients), server(number), 443, 4.0);
    })
}

fn finds_the_scan(script: Script) -> bool {
    let found = found(&script.and(silent_scan()));
    assert!(found.iter().all(|(source, ..)| *source == SCANNER), "{found:?}");
    !found.is_empty()
}

/// Connections of a laptop that was asleep: nothing answers what it sends again and again.
fn dead_connections(count: usize) -> Script {
    each(count, 0.01, |script, time, number| {
        for delay in [0.0, 0.3, 0.9, 2.1, 4.5, 9.3] {
            script.tcp(time + delay, LAPTOP, server(number), (40_000 + number as u16, 443), PUSH | ACK);
        }
    })
}

/// Two ACKs of one source to each of many hosts.
fn stray_pairs(count: usize) -> Script {
    each(count, 0.05, |script, time, number| {
        for delay in [0.0, 2.0] {
            script.tcp(time + delay, LAPTOP, server(number), (40_000 + number as u16, 80), ACK);
        }
    })
}

/// ACKs of ever other sources to one host.
fn flood(count: usize) -> Script {
    each(count, 0.005, |script, time, number| {
        let source = v4(100, (number / 62_500) as u8, (number / 250) as u8, (number % 250) as u8 + 1);
        script.tcp(time, source, server(1), (1_024 + number as u16, 80), ACK);
    })
}

#[test]
fn no_host_makes_an_interface_blind() {
    for clients in [1, 3, 20] {
        for count in [40, 60, 400] {
            assert!(finds_the_scan(work(clients).and(dead_connections(count))), "{clients} clients, laptop {count}");
            assert!(finds_the_scan(work(clients).and(stray_pairs(count))), "{clients} clients, pairs {count}");
        }
        for count in [100, 3_000] {
            assert!(finds_the_scan(work(clients).and(flood(count))), "{clients} clients, flood {count}");
        }
        let all = work(clients).and(dead_connections(60)).and(stray_pairs(60)).and(flood(1_000));
        assert!(finds_the_scan(all), "{clients} clients, all at once");
    }
}

#[test]
fn no_host_makes_a_quiet_interface_blind() {
    assert!(finds_the_scan(dead_connections(40)));
    assert!(finds_the_scan(stray_pairs(60)));
    assert!(finds_the_scan(flood(2_000)));
}

#[test]
fn one_answer_of_any_protocol_proves_that_answers_are_visible() {
    // Each connection of a client has a port of its own; ACKs from one port to many hosts are a scan.
    let sampled = || {
        each(100, 0.1, |script, time, number| {
            script.tcp(time, LAPTOP, server(number), (40_000 + number as u16, 443), ACK);
        })
    };
    assert!(!finds_the_scan(sampled()));
    let with = |act: fn(&mut Script)| {
        let mut script = sampled();
        act(&mut script);
        finds_the_scan(script)
    };
    assert!(with(|script| script.query(5.0, client(1), server(1), 53, 0.05)));
    assert!(with(|script| script.ping(5.0, client(1), server(1), true)));
    assert!(with(|script| script.refused(5.0, client(1), server(1), 22)));
    assert!(with(|script| script.connection(5.0, client(1), server(1), 22, 1.0)));
}

/// A sample of one packet in so many.
fn sampled(script: &Script, one_in: u64) -> Script {
    let mut events = script.0.clone();
    events.sort_by_key(|(_, event)| event.time());
    let mut dice = 7_u64;
    events.retain(|_| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33).is_multiple_of(one_in)
    });
    Script(events)
}

#[test]
fn sampled_traffic_gives_no_verdict() {
    for clients in [3, 8, 30] {
        let traffic = each(clients * 150, 0.02, |script, time, number| {
            script.connection(time, client(number % clients), server(number % 200), 443, 6.0);
        });
        for one_in in [8, 16, 64] {
            let found = found(&sampled(&traffic, one_in));
            assert_eq!(found, [], "{clients} clients, one packet in {one_in}");
        }
    }
}

#[test]
fn one_way_of_the_traffic_gives_no_verdict() {
    let clients: Vec<IpAddr> = (0..8).map(client).collect();
    let servers: Vec<IpAddr> = (0..48).map(server).collect();
    assert!(!finds_the_scan(work(8).without_answers_to(&clients)), "what clients send");
    assert!(!finds_the_scan(work(8).without_answers_to(&servers)), "what servers send");
    // Short connections, each within one interval.
    let short = || {
        each(48, 0.2, |script, time, number| {
            script.connection(time, client(number % 8), server(number), 443, 0.05);
        })
    };
    assert!(!finds_the_scan(short().without_answers_to(&clients)), "what clients send, in short connections");
    assert!(!finds_the_scan(short().without_answers_to(&servers)), "what servers send, in short connections");
    // Clients that have what they want reset their connections.
    for seconds in [0.05, 0.5] {
        let reset = each(48, 0.2, |script, time, number| {
            let (from, to) = (client(number % 8), server(number));
            let source_port = script.syn(time, from, to, 443);
            for (after, flags) in [(0.01, ACK), (0.02, PUSH | ACK), (seconds, RST | ACK)] {
                script.tcp(time + after, from, to, (source_port, 443), flags);
            }
        });
        assert!(!finds_the_scan(reset), "what clients send that reset their connections after {seconds} s");
    }
}

#[test]
fn most_routes_that_differ_give_no_verdict() {
    // The answers of three servers in four take another way.
    let script = work(24);
    let hidden = |event: &ScriptEvent| {
        let (from, to) = (event.packet().addresses.source(), event.packet().addresses.destination());
        (0..24).any(|number| client(number) == to) && (0..144).any(|number| server(number) == from && number % 4 != 0)
    };
    let script = Script(script.0.into_iter().filter(|(_, event)| !hidden(event)).collect());
    assert!(!finds_the_scan(script));
}

#[test]
fn visibility_returns_when_one_way_conversations_left_the_window() {
    let clients: Vec<IpAddr> = (0..8).map(client).collect();
    let script = work(8).without_answers_to(&clients);
    let mut late = silent_scan();
    late.0.iter_mut().for_each(|(_, event)| {
        let ScriptEvent::Packet(packet) = event else { panic!("{event:?}") };
        packet.time = crate::packet::Timestamp::from_nanoseconds(packet.time.nanoseconds() + 300_000_000_000);
    });
    let mut bench = Bench::new(&Config::default());
    assert_eq!(bench.run(&script.and(late), TickPlan::PLAIN, 3.0).found().len(), 1);
}

#[test]
fn neither_tick_nor_order_changes_what_is_seen() {
    let traffic = work(12).and(dead_connections(45)).and(flood(600)).and(silent_scan());
    let lonely = each(40, 0.3, |script, time, number| {
        script.tcp(time, client(number % 13 + 100), server(number + 200), (40_000, 443), ACK);
    });
    let script = traffic.and(lonely);
    let run = |cut| {
        let mut bench = Bench::new(&Config::default());
        let found = bench.run(&script, cut, 4.0).detections.clone();
        (found, bench.scan.view(3).answers_visible)
    };
    let plain = run(TickPlan::PLAIN);
    assert!(!plain.0.is_empty());
    for milliseconds in [100, 200, 500] {
        assert!(run(TickPlan::tick_ms(milliseconds)) == plain, "{milliseconds} ms");
    }
    for held_back in [1, 3, 7] {
        assert!(run(TickPlan { held_back, ..TickPlan::PLAIN }) == plain, "{held_back} cells at once");
    }
    for shuffle in 1..4 {
        assert!(run(TickPlan { shuffle, ..TickPlan::tick_ms(100) }) == plain, "shuffled by {shuffle}");
    }
}
