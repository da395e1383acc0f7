//! ACK and FIN probes: segments of connections that nothing is known of.

use std::net::IpAddr;

use super::harness::*;
use crate::detect::Kind::{HostScan, PortScan};

/// One segment to each of these hosts, from the port that `port` gives for its number.
fn probes(version: Version, count: usize, flags: u8, port: impl Fn(usize) -> u16) -> Script {
    each(count, 0.1, |script, time, number| {
        script.tcp(time, version.source(1), version.host(1, 1, number as u8 + 1), (port(number), 80), flags);
    })
}

/// The answers of the targets to a script of probes.
fn answered(script: Script, flags: u8) -> Script {
    let mut answers = Script::default();
    for (_, event) in &script.0 {
        let probe = event.packet();
        let time = (probe.time.nanoseconds() - at(0.0).nanoseconds()) as f64 / 1e9;
        let (source, target) = (probe.addresses.source(), probe.addresses.destination());
        answers.tcp(time + 0.02, target, source, (probe.destination_port, probe.source_port), flags);
    }
    script.and(answers)
}

fn scanners(script: &Script) -> Vec<IpAddr> {
    found(script).into_iter().map(|(address, ..)| address).collect()
}

#[test]
fn bare_segments_from_one_port_are_a_scan() {
    for version in Version::BOTH {
        for flags in [ACK, FIN | ACK] {
            let scanner = [version.source(1)];
            assert_eq!(scanners(&probes(version, 16, flags, |_| 40_000)), scanner, "{version:?} {flags:x}");
            assert_eq!(scanners(&probes(version, 15, flags, |_| 40_000)), [] as [IpAddr; 0], "{version:?} {flags:x}");
            let refused = answered(probes(version, 16, flags, |_| 40_000), RST);
            assert_eq!(scanners(&refused), scanner, "{version:?} {flags:x}, refused");
        }
    }
}

#[test]
fn bare_segments_from_many_ports_are_forgotten_connections() {
    for version in Version::BOTH {
        for flags in [ACK, FIN | ACK] {
            let closing = probes(version, 100, flags, |number| 40_000 + number as u16);
            assert_eq!(found(&closing), [], "{version:?} {flags:x}");
            assert_eq!(found(&answered(closing, RST)), [], "{version:?} {flags:x}, refused");
            // Three ports with 15 connections each.
            let closing = probes(version, 45, flags, |number| 40_000 + number as u16 % 3);
            assert_eq!(found(&closing), [], "{version:?} {flags:x}, few ports");
        }
    }
}

#[test]
fn any_other_answer_uses_the_target() {
    for version in Version::BOTH {
        for flags in [ACK, PUSH | ACK, FIN | ACK] {
            assert_eq!(found(&answered(probes(version, 30, ACK, |_| 40_000), flags)), [], "{version:?} {flags:x}");
        }
    }
}

#[test]
fn other_segments_are_no_probes() {
    for version in Version::BOTH {
        let with_data = probes(version, 30, PUSH | ACK, |_| 40_000);
        assert_eq!(found(&with_data), [], "{version:?}: data");
        let twice = probes(version, 30, ACK, |_| 40_000).and(probes(version, 30, ACK, |_| 40_000));
        assert_eq!(found(&twice), [], "{version:?}: two segments in an interval");
        let serves = each(30, 0.1, |script, time, number| {
            script.tcp(time, version.source(1), version.host(1, 1, number as u8 + 1), (443, 50_000), ACK);
        });
        assert_eq!(found(&serves), [], "{version:?}: a server");
        for flags in [RST, RST | ACK, SYN | ACK] {
            assert_eq!(found(&probes(version, 30, flags, |_| 40_000)), [], "{version:?} {flags:x}");
        }
    }
}

#[test]
fn probes_of_ports_from_one_port_are_a_port_scan() {
    for version in Version::BOTH {
        let script = |from_one_port: bool| {
            each(101, 0.02, |script, time, number| {
                let port = if from_one_port { 40_000 } else { 40_000 + number as u16 };
                script.tcp(time, version.source(1), version.host(1, 1, 1), (port, 1 + number as u16), ACK);
            })
        };
        let kinds: Vec<_> = found(&script(true)).iter().map(|&(_, kind, _)| kind).collect();
        assert_eq!(kinds, [PortScan], "{version:?}");
        assert_eq!(found(&script(false)), [], "{version:?}");
    }
}

#[test]
fn probes_do_not_hide_a_scan_of_another_kind() {
    for version in Version::BOTH {
        let closing = probes(version, 100, ACK, |number| 40_000 + number as u16);
        let scan = each(16, 0.1, |script, time, number| {
            _ = script.syn(time, version.source(1), version.host(1, 2, number as u8 + 1), 22);
        });
        let kinds: Vec<_> = found(&closing.and(scan)).iter().map(|&(_, kind, _)| kind).collect();
        assert_eq!(kinds, [HostScan], "{version:?}");
    }
}
