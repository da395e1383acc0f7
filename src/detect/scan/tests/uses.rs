//! Targets that are used, and targets that are touched only: neighbours by the same port, so that touched ones are a scan.

use super::harness::*;
use crate::detect::DetectionTable;
use crate::detect::Kind::HostScan;
use crate::detect::scan::Config;
use crate::packet::Protocol;

/// One host more than twice the limit.
const HOSTS: usize = 31;

/// True if a source that does the same with each of 31 neighbours scans. `act` gets the time, the source and the host.
fn is_scan(version: Version, mut act: impl FnMut(&mut Script, f64, std::net::IpAddr, std::net::IpAddr)) -> bool {
    let source = version.source(1);
    let script = each(HOSTS, 0.05, |script, time, number| {
        act(script, time, source, version.host(1, 1, number as u8 + 1));
    });
    let found = found(&script);
    assert!(found.iter().all(|(address, kind, _)| (*address, *kind) == (source, HostScan)), "{found:?}");
    !found.is_empty()
}

/// A connection that is accepted and closed after `seconds`, with packets in between: seconds, of the client, flags, bytes.
fn accepted(seconds: Option<f64>, between: &[(f64, bool, u8, u32)]) -> [bool; 2] {
    Version::BOTH.map(|version| {
        is_scan(version, |script, time, source, host| {
            let port = script.syn(time, source, host, 443);
            script.tcp(time + 0.02, host, source, (443, port), SYN | ACK);
            script.tcp(time + 0.021, source, host, (port, 443), ACK);
            for &(later, is_clients, flags, bytes) in between {
                let (from, to) = if is_clients { (source, host) } else { (host, source) };
                let ports = if is_clients { (port, 443) } else { (443, port) };
                script.packet(time + later, from, to, Protocol::TCP, ports, flags, bytes);
            }
            seconds.into_iter().for_each(|seconds| script.tcp(time + seconds, source, host, (port, 443), FIN | ACK));
        })
    })
}

#[test]
fn connection_without_data_touches() {
    assert_eq!(accepted(Some(0.05), &[]), [true; 2], "closed at once");
    assert_eq!(accepted(None, &[]), [true; 2], "left open for 10 s");
    let banner = [(0.05, false, PUSH | ACK, 512 - 40)];
    assert_eq!(accepted(Some(0.1), &banner), [true; 2], "512 bytes of the server, with its SYN");
    assert_eq!(accepted(None, &[(0.05, true, RST, 40)]), [true; 2], "reset");
    assert_eq!(accepted(None, &[(0.05, false, RST, 40)]), [true; 2], "reset by the server");
    assert_eq!(accepted(None, &[(0.05, false, FIN | ACK, 40)]), [true; 2], "closed by the server");
}

#[test]
fn connection_with_data_uses() {
    assert_eq!(accepted(Some(0.1), &[(0.05, true, PUSH | ACK, 41)]), [false; 2], "a byte of the client");
    let banner = [(0.05, false, PUSH | ACK, 513 - 40)];
    assert_eq!(accepted(Some(0.1), &banner), [false; 2], "more than 512 bytes of the server");
    assert_eq!(accepted(None, &[(9.9, true, PUSH | ACK, 60)]), [false; 2], "data just before 10 s");
}

#[test]
fn data_after_ten_seconds_end_the_scan() {
    let source = Version::V4.source(1);
    let script = each(HOSTS, 0.05, |script, time, number| {
        let host = Version::V4.host(1, 1, number as u8 + 1);
        let port = script.syn(time, source, host, 443);
        script.tcp(time + 0.02, host, source, (443, port), SYN | ACK);
        script.tcp(time + 0.021, source, host, (port, 443), ACK);
        script.tcp(time + 14.0, source, host, (port, 443), PUSH | ACK);
    });
    let mut bench = Bench::new(&Config::default());
    bench.run(&script, TickPlan::PLAIN, 3.0);
    assert_eq!(bench.found(), [(source, HostScan, at(0.35 + 1.5 + 10.0))]);
    assert_eq!(bench.detections.last().map(|found| found.level), Some(crate::detect::Level::Under));
}

#[test]
fn two_datagrams_each_way_touch_and_three_use() {
    let datagrams = |there: usize, back: usize| {
        Version::BOTH.map(|version| {
            is_scan(version, |script, time, source, host| {
                let port = 40_000 + script.0.len() as u16;
                (0..there).for_each(|at| script.udp(time + 0.1 * at as f64, source, host, (port, 3_478)));
                (0..back).for_each(|at| script.udp(time + 0.05 + 0.1 * at as f64, host, source, (3_478, port)));
            })
        })
    };
    assert_eq!([datagrams(1, 1), datagrams(2, 1), datagrams(2, 2)], [[true; 2]; 3]);
    assert_eq!([datagrams(3, 1), datagrams(1, 3)], [[false; 2]; 2]);
}

#[test]
fn datagram_that_follows_after_a_second_uses() {
    for is_back in [false, true] {
        let later = Version::BOTH.map(|version| {
            is_scan(version, |script, time, source, host| {
                let port = 40_000 + script.0.len() as u16;
                script.udp(time, source, host, (port, 3_478));
                script.udp(time + 0.05, host, source, (3_478, port));
                let (from, to, ports) =
                    if is_back { (host, source, (3_478, port)) } else { (source, host, (port, 3_478)) };
                script.udp(time + 1.2, from, to, ports);
            })
        });
        // The hosts are touched for a moment; 31 of them never at once if each is used after a fifth of a second.
        assert_eq!(later, [false; 2], "is_back: {is_back}");
    }
}

#[test]
fn late_answer_shows_that_its_host_is_there() {
    // A server behind a satellite answers after 1.3 s.
    for version in Version::BOTH {
        assert!(
            !is_scan(version, |script, time, source, host| script.query(time, source, host, 53, 1.3)),
            "{version:?}"
        );
        assert!(is_scan(version, |script, time, source, host| script.udp(time, source, host, (40_000, 53))));
    }
}

#[test]
fn fewer_than_three_requests_in_their_time_touch() {
    let requests = |count: usize, gap: f64| {
        Version::BOTH.map(|version| {
            is_scan(version, |script, time, source, host| {
                (0..count).for_each(|at| script.ping(time + gap * at as f64, source, host, true));
            })
        })
    };
    assert_eq!([requests(1, 1.0), requests(2, 1.0), requests(3, 2.6)], [[true; 2]; 3]);
    assert_eq!([requests(3, 1.0), requests(3, 1.7)], [[false; 2]; 2]);
}

#[test]
fn answered_contacts_count_as_used_when_room_is_short() {
    for version in Version::BOTH {
        let source = version.source(1);
        // A source that is known finds room; its connections stay open and wait for their use.
        let mut script = Script::default();
        script.connection(-3.0, source, version.host(2, 1, 1), 443, 0.05);
        let open = each(HOSTS, 0.02, |script, time, number| {
            let (host, port) = (version.host(1, 1, number as u8 + 1), 40_000 + number as u16);
            script.tcp(time, source, host, (port, 443), SYN);
            script.tcp(time + 0.005, host, source, (443, port), SYN | ACK);
            script.tcp(time + 0.006, source, host, (port, 443), ACK);
        });
        let script = script.and(open);
        for (max_waiting, is_found) in [(1_000, true), (32, false)] {
            let mut bench = Bench::new(&Config { max_waiting, ..Config::default() });
            assert_eq!(bench.run(&script, TickPlan::PLAIN, 12.0).found().len(), usize::from(is_found), "{version:?}");
            let tables = bench.scan.view(1).tables;
            let pending = tables.iter().find(|table| table.table == DetectionTable::ScanPending).unwrap();
            assert_eq!((pending.evicted, bench.scan.view(1).unknown_contacts), (0, 0), "none is unknown");
        }
    }
}
