//! Floods of alerts: one kind or one side does not take the space of the others.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

/// A detection over its limit about an outside address.
fn outside(kind: Kind, number: u32, seconds: i64) -> Detection {
    about(kind, Ipv4Addr::from_bits(0xc612_0000 + number).into(), seconds)
}

/// A detection over its limit about a local address.
fn inside(kind: Kind, number: u32, seconds: i64) -> Detection {
    about(kind, Ipv4Addr::from_bits(0x0a00_0000 + number).into(), seconds)
}

fn about(kind: Kind, source: IpAddr, seconds: i64) -> Detection {
    Detection { kind, rule: kind.label().into(), subject: Subject::Source(source), ..reading(1, seconds, Over) }
}

fn flood(make: impl Fn(u32) -> Detection, sources: u32) -> Vec<Detection> {
    (0..sources).map(make).collect()
}

#[test]
fn port_scan_is_reported_during_a_flood_of_policy_alerts() {
    let mut alerts = Alerts::new(&Config::default());
    let fired = alerts.apply(&flood(|number| outside(Kind::Policy, number, 1), 20_000), at(1)).len();
    assert_eq!(fired, 100, "the flood is folded");
    assert_eq!(alerts.view().dropped_total[Kind::Policy as usize], 20_000 - 100);
    let later = [outside(Kind::PortScan, 1, 2), inside(Kind::Policy, 1, 2)];
    assert_eq!(alerts.apply(&later, at(2)).len(), 2, "a scan, and a local source that is not permitted");
}

#[test]
fn flood_of_any_kind_from_outside_leaves_space_for_every_kind_on_both_sides() {
    for flooding in Kind::ALL {
        let mut alerts = Alerts::new(&Config::default());
        alerts.apply(&flood(|number| outside(flooding, number, 1), 20_000), at(1));
        for kind in Kind::ALL {
            assert_eq!(alerts.apply(&[inside(kind, 1, 2)], at(2)).len(), 1, "{flooding:?} takes all of {kind:?}");
            let is_fired = !alerts.apply(&[outside(kind, 30_000, 2)], at(2)).is_empty();
            assert_eq!(is_fired, kind != flooding, "{flooding:?}, {kind:?}");
        }
    }
}

#[test]
fn all_kinds_together_stay_within_the_limit_and_none_is_below_its_share() {
    let config = Config { max_alerts: 2_400, ..Config::default() };
    let mut alerts = Alerts::new(&config);
    for (second, kind) in (1..).zip(Kind::ALL) {
        alerts.apply(&flood(|number| outside(kind, number, second), 3_000), at(second));
        alerts.apply(&flood(|number| inside(kind, number, second), 3_000), at(second));
    }
    let view = alerts.view();
    assert_eq!(view.firing.len(), 2_400);
    for kind in Kind::ALL {
        for side in Side::BOTH {
            let active = view.firing.iter().filter(|alert| (alert.kind, alert.side) == (kind, side)).count();
            assert!(active >= 100, "{kind:?} {side:?}: {active}");
        }
    }
}

#[test]
fn space_of_ended_and_forgotten_alerts_is_free_again() {
    let config = Config { max_alerts: 3, ..config(5, 0) };
    let mut alerts = Alerts::new(&config);
    let three = |seconds, level: Level| (1..=3).map(move |host| reading(host, seconds, level));
    // Pending alerts end without firing.
    alerts.apply(&three(1, Over).chain(three(2, Under)).collect::<Vec<_>>(), at(2));
    // The clock is set, which forgets pending alerts.
    alerts.apply(&three(3, Over).collect::<Vec<_>>(), at(3));
    alerts.restart(at(3));
    let fired = alerts.apply(&three(4, Over).chain(three(9, Over)).collect::<Vec<_>>(), at(9));
    assert_eq!(fired.len(), 3);
    let others: Vec<Detection> = (4..=6).map(|host| reading(host, 10, Over)).collect();
    assert_eq!(alerts.apply(&others, at(10)), []);
    alerts.apply(&three(11, Under).collect::<Vec<_>>(), at(11));
    let later = (4..=6).flat_map(|host| [reading(host, 12, Over), reading(host, 17, Over)]);
    assert_eq!(alerts.apply(&later.collect::<Vec<_>>(), at(17)).len(), 3);
}
