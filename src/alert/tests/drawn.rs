//! Properties of alerts, with readings drawn at random.

use proptest::prelude::*;

use super::*;

/// Host, seconds since the reading before, level.
fn lives() -> impl Strategy<Value = Vec<(u8, i64, u8)>> {
    proptest::collection::vec((0_u8..4, 0_i64..30, 0_u8..3), 0..120)
}

fn readings(lives: Vec<(u8, i64, u8)>) -> Vec<Detection> {
    let mut second = 0;
    let mut readings = Vec::new();
    for (host, later, level) in lives {
        second += later;
        // A detector says one thing of a subject at a time.
        if !readings.iter().any(|known: &Detection| (known.at, known.subject) == (at(second), source(host))) {
            readings.push(reading(host, second, [Over, Near, Under][usize::from(level)]));
        }
    }
    readings
}

proptest! {
    #[test]
    fn no_alert_fires_twice_without_an_end_nor_ends_before_the_hold(
        lives in lives(), pending in 0_u64..20, hold in 0_u64..80, max_alerts in 1_usize..5,
    ) {
        let mut alerts = Alerts::new(&Config { max_alerts, ..config(pending, hold) });
        let mut firing: BTreeMap<Subject, Timestamp> = BTreeMap::new();
        let readings = readings(lives);
        let mut last: BTreeMap<Subject, (Level, Timestamp)> = BTreeMap::new();
        let mut now = at(0);
        for reading in &readings {
            // Changes that are due before this reading.
            let changes = alerts.apply(std::slice::from_ref(reading), reading.at);
            for change in changes {
                let alert = change.alert();
                match &change {
                    Change::Fired(alert) => {
                        prop_assert_eq!(alert.subject, reading.subject);
                        prop_assert_eq!(reading.level, Over);
                        prop_assert!(firing.insert(alert.subject, reading.at).is_none(), "twice");
                        prop_assert_eq!(alert.state, AlertState::Firing);
                        prop_assert!(reading.at.since(alert.starts_at) >= Duration::from_secs(pending));
                    }
                    Change::Resolved(alert) => {
                        let fired = firing.remove(&alert.subject);
                        prop_assert!(fired.is_some(), "it did not fire");
                        let end = alert.ends_at.unwrap();
                        prop_assert!(end.since(fired.unwrap()) >= Duration::from_secs(hold), "before the hold");
                        let mut before = last.get(&alert.subject).copied().unwrap();
                        if alert.subject == reading.subject && reading.at <= end {
                            before = (reading.level, reading.at);
                        }
                        let is_silent = end.since(before.1) >= Duration::from_secs(WINDOW as u64 + hold);
                        prop_assert!(before.0 != Over || is_silent, "over its limit");
                        prop_assert!(now <= end && end <= reading.at);
                    }
                }
                prop_assert_eq!(alert.fingerprint, Fingerprint::of(alert.kind, &alert.rule, &alert.subject));
            }
            last.insert(reading.subject, (reading.level, reading.at));
            now = reading.at;
            let view = alerts.view();
            prop_assert!(view.firing.iter().map(|alert| &alert.subject).eq(firing.keys()));
            prop_assert!(view.firing.len() + view.pending.len() <= max_alerts);
        }
        let ended = alerts.apply(&[], at(1_000_000));
        prop_assert_eq!(ended.len(), firing.len(), "nothing is stuck");
    }

    #[test]
    fn changes_do_not_depend_on_how_often_they_are_read(
        lives in lives(), pending in 0_u64..20, hold in 0_u64..80, ticks in proptest::collection::vec(1_i64..200, 1..20),
    ) {
        let readings = readings(lives);
        let at_once = Alerts::new(&config(pending, hold)).apply(&readings, at(10_000));
        let mut alerts = Alerts::new(&config(pending, hold));
        let (mut in_ticks, mut now, mut rest) = (Vec::new(), 0, readings.as_slice());
        for tick in ticks.iter().cycle() {
            now += tick;
            let (due, later) = rest.split_at(rest.partition_point(|reading| reading.at <= at(now)));
            rest = later;
            in_ticks.extend(alerts.apply(due, at(now)));
            if now >= 10_000 {
                break;
            }
        }
        prop_assert_eq!(at_once, in_ticks);
    }
}
