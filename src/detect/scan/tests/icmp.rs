//! ICMP: requests for echoes, timestamps, information and masks find hosts alike.

use super::harness::*;
use crate::detect::Kind::HostScan;

/// Requests of a type to some hosts, each answered by a type or not.
fn requests(version: Version, count: usize, request: u8, reply: Option<u8>, each_host: usize) -> Script {
    each(count, 0.1, |script, time, number| {
        let (source, host) = (version.source(1), version.host(1, 1, number as u8 + 1));
        let mut add = |time, from, to, kind| {
            let mut packet = packet(time, from, to, version.icmp(), (0, 0), 0, 40);
            packet.icmp_type = Some(kind);
            script.0.push((0, ScriptEvent::Packet(packet)));
        };
        for at in 0..each_host {
            add(time + at as f64, source, host, request);
            reply.into_iter().for_each(|reply| add(time + at as f64 + 0.02, host, source, reply));
        }
    })
}

const TYPES: [(Version, u8, u8); 6] = [
    (Version::V4, 8, 0),
    (Version::V4, 13, 14),
    (Version::V4, 15, 16),
    (Version::V4, 17, 18),
    (Version::V6, 128, 129),
    (Version::V6, 139, 140),
];

#[test]
fn silent_requests_of_each_type_are_a_scan() {
    for (version, request, _) in TYPES {
        assert_eq!(found(&requests(version, 15, request, None, 1)), [], "type {request}");
        let expected = [(version.source(1), HostScan, 0.35 + 1.5 + 1.0)];
        assert_eq!(found(&requests(version, 16, request, None, 1)), expected, "type {request}");
    }
}

#[test]
fn single_answered_requests_of_each_type_touch_and_three_use() {
    for (version, request, reply) in TYPES {
        assert_eq!(found(&requests(version, 30, request, Some(reply), 1)), [], "type {request}");
        assert_eq!(found(&requests(version, 31, request, Some(reply), 1)).len(), 1, "type {request}");
        assert_eq!(found(&requests(version, 31, request, Some(reply), 3)), [], "type {request}, three times");
    }
}

#[test]
fn messages_that_ask_nothing_begin_no_contact() {
    let replies_and_errors = [(Version::V4, [0, 3, 5, 11, 14, 18]), (Version::V6, [1, 3, 129, 135, 136, 143])];
    for (version, kinds) in replies_and_errors {
        for kind in kinds {
            assert_eq!(found(&requests(version, 60, kind, None, 1)), [], "{version:?} type {kind}");
        }
    }
}
