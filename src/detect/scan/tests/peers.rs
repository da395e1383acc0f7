//! Peers whose answers come from other ports: overlays and ICE are no sweeps, and a sweep of the same size is found.

use std::net::IpAddr;

use super::harness::*;
use crate::detect::Kind::HostScan;

const VXLAN: u16 = 4_789;

/// Hosts that tunnel to each other, and answer within milliseconds: each way of a flow has a source port of its own, as the
/// hash of the inner packet gives it.
fn mesh(version: Version, hosts: usize) -> Script {
    let mut script = Script::default();
    for pair in 0..hosts * hosts {
        let (from, to) = (pair / hosts, pair % hosts);
        if from < to {
            let time = 0.35 + 0.01 * pair as f64;
            let host = |number: usize| version.host(1, 1, number as u8 + 1);
            script.udp(time, host(from), host(to), (49_152 + pair as u16, VXLAN));
            script.udp(time + 0.004, host(to), host(from), (53_000 + pair as u16, VXLAN));
        }
    }
    script
}

#[test]
fn mesh_of_tunnels_is_silent() {
    for version in Version::BOTH {
        assert_eq!(found(&mesh(version, 40)), [], "{version:?}");
        let one_way = mesh(version, 40).0.into_iter().step_by(2).collect();
        assert!(found(&Script(one_way)).len() > 20, "{version:?}: the same datagrams without those of the peers");
    }
}

#[test]
fn sweep_of_the_same_size_is_found() {
    for version in Version::BOTH {
        let scanner = version.host(1, 1, 200);
        let sweep = each(40, 0.1, |script, time, number| {
            script.udp(time, scanner, version.host(1, 1, number as u8 + 1), (50_000 + number as u16, VXLAN));
        });
        let expected = [(scanner, HostScan, 0.35 + 1.5 + 1.0)];
        assert_eq!(found(&sweep), expected, "{version:?}");
        assert_eq!(found(&mesh(version, 40).and(sweep)), expected, "{version:?}: of the hosts of a mesh");
    }
}

#[test]
fn peers_of_any_protocol_and_port_count() {
    // The peer sends something of its own: a datagram to another port, a connection, or an echo request.
    let acts: [fn(&mut Script, f64, IpAddr, IpAddr); 3] = [
        |script, time, from, to| script.udp(time, from, to, (30_000, 40_000)),
        |script, time, from, to| script.connection(time, from, to, 443, 0.05),
        |script, time, from, to| script.ping(time, from, to, true),
    ];
    for version in Version::BOTH {
        let source = version.source(1);
        for (number, act) in acts.iter().enumerate() {
            let script = each(20, 0.1, |script, time, number| {
                let peer = version.host(1, 1, number as u8 + 1);
                script.udp(time, source, peer, (50_000, 50_001));
                act(script, time + 0.3, peer, source);
            });
            assert_eq!(found(&script), [], "{version:?}: act {number}");
        }
    }
}

#[test]
fn peers_explain_silent_datagrams_alone() {
    for version in Version::BOTH {
        let source = version.source(1);
        let calls_back =
            |script: &mut Script, time: f64, peer: IpAddr| script.udp(time, peer, source, (30_000, 40_000));
        let connections = each(20, 0.1, |script, time, number| {
            let peer = version.host(1, 1, number as u8 + 1);
            _ = script.syn(time, source, peer, 22);
            calls_back(script, time + 0.3, peer);
        });
        assert_eq!(found(&connections).len(), 1, "{version:?}: a SYN is answered on its own ports");
        let refused = each(20, 0.1, |script, time, number| {
            let peer = version.host(1, 1, number as u8 + 1);
            script.udp(time, source, peer, (50_000, 161));
            script.unreachable(time + 0.01, source, peer, crate::packet::Protocol::UDP, (50_000, 161));
            calls_back(script, time + 0.3, peer);
        });
        assert_eq!(found(&refused).len(), 1, "{version:?}: a refusal is no silence");
    }
}

#[test]
fn refusals_make_no_peers() {
    for version in Version::BOTH {
        let source = version.source(1);
        let script = each(20, 0.1, |script, time, number| {
            let host = version.host(1, 1, number as u8 + 1);
            script.udp(time, source, host, (50_000, 161));
            // The same host refuses a connection of the source to another port.
            script.refused(time + 0.2, source, host, 23);
        });
        assert_eq!(found(&script).len(), 1, "{version:?}");
    }
}
