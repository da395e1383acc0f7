//! Neither the tick nor the order of threads matters to any part of the rule.

use std::net::IpAddr;

use super::harness::*;
use crate::detect::scan::Config;

/// Scanners of each kind and hosts that are none, over one version of IP.
fn everything(version: Version) -> Script {
    let host = |network: u8, number: usize| version.host(1, network, (number % 240) as u8 + 1);
    let source = |number: u8| version.source(number);
    let silent = each(40, 0.13, |script, time, number| _ = script.syn(time, source(1), host(1, number), 22));
    let refused = each(40, 0.17, |script, time, number| script.refused(time, source(2), host(2, number), 23));
    let touched = each(50, 0.11, |script, time, number| script.touched(time, source(3), host(3, number), 80));
    let held_open = each(50, 0.11, |script, time, number| {
        let (to, port) = (host(4, number), 40_000 + number as u16);
        script.tcp(time, source(4), to, (port, 80), SYN);
        script.tcp(time + 0.9, to, source(4), (80, port), SYN | ACK);
        script.tcp(time + 0.901, source(4), to, (port, 80), ACK);
        if number % 3 == 0 {
            script.tcp(time + 6.0, source(4), to, (port, 80), PUSH | ACK);
        }
    });
    let pings = each(60, 0.1, |script, time, number| {
        (0..1 + number % 3).for_each(|at| script.ping(time + 1.1 * at as f64, source(5), host(5, number), true));
    });
    let datagrams = each(60, 0.1, |script, time, number| {
        let delay = [0.05, 0.9, 1.3][number % 3];
        script.query(time, source(6), host(6, number), 53, delay);
        script.udp(time, source(7), host(7, number), (40_000, 161));
    });
    let probes = each(40, 0.1, |script, time, number| {
        script.tcp(time, source(8), host(8, number), (40_000, 80), ACK);
        script.tcp(time, source(9), host(9, number), (40_000 + number as u16, 80), FIN | ACK);
    });
    let ports =
        each(150, 0.05, |script, time, number| script.refused(time, source(10), host(10, 0), 1 + number as u16));
    let known = each(80, 0.4, |script, time, number| match number < 20 {
        true => script.connection(time, source(11), host(11, number), 443, 0.2),
        false => _ = script.syn(time + 175.0, source(11), host(11, number % 20), 443),
    });
    let asker = version.host(1, 12, 250);
    let links = each(60, 0.1, |script, time, number| script.resolve(time, asker, host(12, number), number % 5 == 0));
    [silent, refused, touched, held_open, pings, datagrams, probes, ports, known, links]
        .into_iter()
        .fold(Script::default(), Script::and)
}

/// The answers of each script are seen by another interface.
fn split(script: Script, clients: &[IpAddr]) -> Script {
    let interface = |event: &ScriptEvent| match event {
        ScriptEvent::Packet(packet) if packet.protocol == crate::packet::Protocol::TCP => {
            usize::from(clients.contains(&packet.addresses.destination()))
        }
        _ => 0,
    };
    Script(script.0.into_iter().map(|(_, event)| (interface(&event), event)).collect())
}

#[test]
fn neither_tick_nor_order_changes_any_finding() {
    for version in Version::BOTH {
        let clients: Vec<IpAddr> = [1, 3, 11].map(|number| version.source(number)).to_vec();
        for script in [everything(version), split(everything(version), &clients)] {
            let run = |cut| Bench::new(&Config::default()).run(&script, cut, 4.0).detections.clone();
            let plain = run(TickPlan::PLAIN);
            let mut found: Vec<IpAddr> = found(&script)
                .iter()
                .map(|(address, ..)| *address)
                .filter(|address| *address != version.host(1, 12, 250))
                .collect();
            found.sort();
            let expected = [1, 2, 3, 4, 5, 6, 7, 8, 10].map(|number| version.source(number));
            assert_eq!(found, expected, "{version:?}");
            for milliseconds in [100, 200, 500] {
                assert!(run(TickPlan::tick_ms(milliseconds)) == plain, "{version:?}: {milliseconds} ms");
            }
            for held_back in [1, 3, 7] {
                assert!(
                    run(TickPlan { held_back, ..TickPlan::PLAIN }) == plain,
                    "{version:?}: {held_back} cells at once"
                );
            }
            for shuffle in 1..4 {
                let cut = TickPlan { shuffle, ..TickPlan::tick_ms(100) };
                assert!(run(cut) == plain, "{version:?}: shuffled by {shuffle}");
            }
        }
    }
}
