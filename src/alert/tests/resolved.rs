//! Alerts that are over, and the life of each.

use std::collections::BTreeSet;

use super::*;

fn at_seconds(timeline: &[(Timestamp, AlertEvent)]) -> Vec<(i64, AlertEvent)> {
    timeline.iter().map(|(time, event)| (time.seconds(), *event)).collect()
}

#[test]
fn last_resolved_alerts_are_kept_and_older_ones_counted() {
    let mut alerts = Alerts::new(&config(0, 0));
    let episodes = MAXIMUM_RESOLVED as i64 + 5;
    for episode in 0..episodes {
        run(&mut alerts, &[reading(1, 10 * episode, Over), reading(1, 10 * episode + 1, Under)]);
    }
    let view = alerts.view();
    let starts: Vec<i64> = view.resolved.iter().map(|alert| alert.starts_at.seconds()).collect();
    assert_eq!(starts, (5..episodes).map(|episode| 10 * episode).collect::<Vec<_>>());
    assert_eq!(view.resolved.forgotten(), 5);
    assert!(view.resolved.iter().all(|alert| alert.state == AlertState::Resolved && alert.ends_at.is_some()));
}

#[test]
fn views_share_the_resolved_alerts_and_differ_when_another_one_resolves() {
    let mut alerts = Alerts::new(&config(0, 0));
    run(&mut alerts, &[reading(1, 1, Over), reading(1, 2, Under)]);
    let [one, other] = [(); 2].map(|()| alerts.view().resolved);
    assert!(one == other && one.iter().zip(other.iter()).all(|(one, other)| Arc::ptr_eq(one, other)));
    run(&mut alerts, &[reading(2, 3, Over), reading(2, 4, Under)]);
    let later = alerts.view().resolved;
    assert!(one != later);
    assert!(Arc::ptr_eq(one.iter().next().unwrap(), later.iter().next().unwrap()));
}

#[test]
fn memory_of_forgotten_alerts_is_used_again_once_no_reader_has_them() {
    let mut alerts = Alerts::new(&config(0, 0));
    let most = MAXIMUM_RESOLVED as i64;
    let resolve = |alerts: &mut Alerts, episodes: std::ops::Range<i64>| {
        for episode in episodes {
            run(alerts, &[reading(1, 10 * episode, Over), reading(1, 10 * episode + 1, Under)]);
        }
        alerts.view().resolved
    };
    let addresses = |alerts: &ResolvedAlerts| alerts.iter().map(Arc::as_ptr).collect::<BTreeSet<_>>();
    let starts = |alerts: &ResolvedAlerts| alerts.iter().map(|alert| alert.starts_at.seconds()).collect::<Vec<_>>();
    let first = addresses(&resolve(&mut alerts, 0..most));
    let memory = alerts.view().memory_bytes;
    let read = resolve(&mut alerts, most..2 * most);
    assert_eq!(addresses(&read), first);
    let later = resolve(&mut alerts, 2 * most..3 * most);
    assert!(addresses(&later).is_disjoint(&addresses(&read)));
    // Memory for a few more alerts is kept for later.
    assert!(alerts.view().memory_bytes < 12 * memory / 10, "{memory} bytes before");
    assert_eq!(starts(&read), (most..2 * most).map(|episode| 10 * episode).collect::<Vec<_>>());
    assert_eq!(starts(&later), (2 * most..3 * most).map(|episode| 10 * episode).collect::<Vec<_>>());
}

#[test]
fn timeline_has_the_moments_of_an_alert_in_order() {
    let mut alerts = Alerts::new(&config(5, 0));
    run(&mut alerts, &[reading(1, 1, Over)]);
    let pending = &alerts.view().pending;
    assert_eq!((pending[0].state, pending[0].fired_at), (AlertState::Pending, None));
    assert_eq!(at_seconds(&pending[0].timeline()), [(1, AlertEvent::Pending), (1, AlertEvent::Peak)]);
    run(&mut alerts, &[6, 12, 20].map(|second| reading(1, second, Over)));
    let firing = [(1, AlertEvent::Pending), (6, AlertEvent::Fired), (20, AlertEvent::Peak)];
    assert_eq!(at_seconds(&alerts.view().firing[0].timeline()), firing);
    run(&mut alerts, &[reading(1, 30, Under)]);
    let resolved = [&firing[..], &[(30, AlertEvent::Resolved)]].concat();
    assert_eq!(at_seconds(&alerts.view().resolved.iter().next().unwrap().timeline()), resolved);
}

#[test]
fn peak_before_the_alert_fires_comes_before_it_in_the_timeline() {
    let mut alerts = Alerts::new(&config(5, 0));
    let mut highest = reading(1, 3, Over);
    highest.figures.value = 1_000.0;
    run(&mut alerts, &[reading(1, 1, Over), highest, reading(1, 9, Over)]);
    let expected = [(1, AlertEvent::Pending), (3, AlertEvent::Peak), (9, AlertEvent::Fired)];
    assert_eq!(at_seconds(&alerts.view().firing[0].timeline()), expected);
}

#[test]
fn alert_that_fires_at_once_has_its_peak_behind_its_start() {
    let mut alerts = Alerts::new(&config(0, 60));
    run(&mut alerts, &[reading(1, 1, Over)]);
    let expected = [(1, AlertEvent::Pending), (1, AlertEvent::Fired), (1, AlertEvent::Peak)];
    assert_eq!(at_seconds(&alerts.view().firing[0].timeline()), expected);
}

#[test]
fn end_of_the_packets_leaves_the_resolved_alerts() {
    let mut alerts = Alerts::new(&config(0, 60));
    run(&mut alerts, &[reading(1, 1, Over)]);
    alerts.finish(at(2));
    assert_eq!(alerts.view().resolved.iter().len(), 1);
}

#[test]
fn memory_counts_alerts_and_their_targets_and_stays_bounded() {
    let target = Target { address: [192, 0, 2, 1].into(), protocol: Some(Protocol::TCP), port: Some(22) };
    let with_targets = |second: i64, level| {
        let mut reading = reading(1, second, level);
        reading.figures.first_targets = vec![target; 8];
        reading.figures.last_targets = vec![target; 8];
        reading
    };
    let mut alerts = Alerts::new(&config(0, 0));
    let mut memory = Vec::new();
    for episode in 0..3 * MAXIMUM_RESOLVED as i64 {
        run(&mut alerts, &[with_targets(10 * episode, Over), with_targets(10 * episode + 1, Under)]);
        memory.push(alerts.view().memory_bytes);
    }
    let full = memory[0];
    assert!(full >= (MAXIMUM_RESOLVED * (size_of::<Alert>() + 16 * size_of::<Target>())) as u64);
    assert!(full < 2 << 20, "{full} bytes");
    assert!(memory.iter().all(|bytes| *bytes == full), "taken with the first one");
}
