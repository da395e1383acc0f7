//! A masquerading router shows the contacts of the hosts behind it a second time, with the answers.

use std::net::IpAddr;

use super::harness::*;

/// A host behind a router contacts `count` hosts of a network; the inner interface shows no answers. The first `alive` hosts
/// answer the router, which forwards within a millisecond from a port of its own.
fn behind_router(version: Version, count: usize, alive: usize) -> Script {
    let (inner, router) = (version.host(9, 1, 5), version.source(1));
    let mut script = Script::default();
    for number in 0..count {
        let (time, host) = (0.35 + 0.1 * number as f64, version.host(1, 1, number as u8 + 1));
        let mut inside = Script::default();
        inside.tcp(time, inner, host, (40_000 + number as u16, 443), SYN);
        let mut outside = Script::default();
        match number < alive {
            true => outside.connection(time + 0.001, router, host, 443, 0.2),
            false => outside.tcp(time + 0.001, router, host, (50_000 + number as u16, 443), SYN),
        }
        script = script.and(inside.seen_by(1)).and(outside);
    }
    script
}

fn scanners(script: &Script) -> Vec<IpAddr> {
    found(script).into_iter().map(|(address, ..)| address).collect()
}

#[test]
fn answers_to_the_router_count_for_the_host_behind_it() {
    for version in Version::BOTH {
        for count in [17, 60, 200] {
            assert_eq!(found(&behind_router(version, count, count)), [], "{version:?}: {count} hosts");
        }
        assert_eq!(found(&behind_router(version, 60, 50)), [], "{version:?}: few are dead");
    }
}

#[test]
fn scanner_behind_a_router_is_found_on_both_sides() {
    for version in Version::BOTH {
        let mut both = vec![version.host(9, 1, 5), version.source(1)];
        both.sort();
        for (count, alive) in [(40, 0), (40, 10)] {
            assert_eq!(
                scanners(&behind_router(version, count, alive)),
                both,
                "{version:?}: {alive} of {count} are there"
            );
        }
    }
}

#[test]
fn host_that_contacts_the_same_hosts_at_other_times_is_no_router() {
    for version in Version::BOTH {
        let scanner = version.host(9, 1, 5);
        let client = each(40, 0.1, |script, time, number| {
            script.connection(time + 30.0, version.source(1), version.host(1, 1, number as u8 + 1), 443, 0.2);
        });
        let silent = each(40, 0.1, |script, time, number| {
            _ = script.syn(time, scanner, version.host(1, 1, number as u8 + 1), 22);
        });
        assert_eq!(scanners(&client.and(silent)), [scanner], "{version:?}");
    }
}
