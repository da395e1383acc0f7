//! When alerts fire and resolve, and the figures that they keep.

use super::*;

#[test]
fn an_episode_fires_once_and_resolves_once() {
    let mut alerts = Alerts::new(&config(0, 0));
    let levels = [(1, Over), (2, Over), (3, Near), (4, Over), (5, Under)];
    let readings = levels.map(|(second, level)| reading(1, second, level));
    assert_eq!(run(&mut alerts, &readings), [(source(1), true, 1), (source(1), false, 5)]);
    assert_eq!(alerts.view().firing, []);
    assert_eq!(alerts.view().fired_total, BTreeMap::from([((Kind::HostScan, "scan".into()), 1)]));
    assert_eq!(run(&mut alerts, &[reading(1, 50, Over)]), [(source(1), true, 50)], "a new episode");
}

#[test]
fn an_alert_keeps_its_highest_and_its_latest_figures() {
    let target = |host: u8| Target { address: [192, 0, 2, host].into(), protocol: Some(Protocol::TCP), port: Some(22) };
    let mut alerts = Alerts::new(&config(0, 0));
    let mut first = reading(1, 1, Over);
    first.figures.first_targets = vec![target(1)];
    first.figures.last_targets = vec![target(2)];
    let mut second = reading(1, 8, Over);
    second.figures.first_targets = vec![target(3)];
    second.figures.last_targets = vec![target(4)];
    second.figures.answered = Some(7);
    alerts.apply(&[first, second.clone(), reading(1, 9, Near)], at(9));
    let firing = &alerts.view().firing[0];
    assert_eq!((firing.figures.value, firing.starts_at), (95.0, at(1)));
    assert_eq!(
        firing.peak,
        Peak {
            value: 108.0,
            limit: 100.0,
            bytes: 0,
            answered: Some(7),
            scan: None,
            largest_peer: None,
            is_estimate: false,
            at: at(8)
        }
    );
    assert_eq!(firing.figures.first_targets, [target(1)], "what it began with");
    assert_eq!(firing.figures.last_targets, [target(4)]);
    assert_eq!(firing.fingerprint, Fingerprint::of(Kind::HostScan, "scan", &source(1)));
}

#[test]
fn a_bandwidth_alert_has_the_peers_that_were_measured_last_and_then_those_of_its_peak() {
    let target = |host: u8| Target { address: [192, 0, 2, host].into(), protocol: None, port: None };
    let measured = |second, value, peer: Option<u8>| {
        let mut reading = reading(1, second, Over);
        reading.figures.value = value;
        reading.figures.first_targets = peer.map(target).into_iter().collect();
        reading.figures.largest_peer = peer.map(|host| LargestPeer {
            address: target(host).address,
            bytes: 9,
            least_bytes: 9,
            of_bytes: 9,
            peers: 1,
            known_bytes: 9,
        });
        reading
    };
    let mut alerts = Alerts::new(&config(0, 0));
    let peers = |alert: &Alert| (alert.figures.first_targets.clone(), alert.shown().largest_peer.unwrap().address);
    alerts.apply(&[measured(1, 101.0, Some(1)), measured(2, 300.0, Some(2)), measured(3, 200.0, Some(3))], at(3));
    assert_eq!(peers(&alerts.view().firing[0]), (vec![target(3)], target(3).address));
    // Between two measurings an alert keeps its peers, also at a new peak.
    alerts.apply(&[measured(4, 400.0, None), measured(5, 350.0, Some(5))], at(5));
    assert_eq!(peers(&alerts.view().firing[0]), (vec![target(5)], target(5).address));
    let changes = alerts.apply(&[reading(1, 6, Under)], at(6));
    let Change::Resolved(alert) = &changes[0] else { panic!("{changes:?}") };
    assert_eq!(peers(alert), (vec![target(3)], target(3).address), "those of the peak");
}

/// A limit of a scan grows with the contacts that are answered, so that a higher value may be no peak.
#[test]
fn the_peak_is_a_moment_at_which_the_rule_held() {
    let mut alerts = Alerts::new(&config(0, 0));
    let mut near = reading(1, 9, Near);
    (near.figures.value, near.figures.limit) = (150.0, 200.0);
    run(&mut alerts, &[reading(1, 1, Over), near]);
    let firing = &alerts.view().firing[0];
    assert_eq!((firing.peak.value, firing.peak.limit), (101.0, 100.0));
    assert_eq!((firing.figures.value, firing.figures.limit), (150.0, 200.0));
}

#[test]
fn an_alert_spans_the_packets_that_counted_while_its_rule_held() {
    let with_span = |second, level, first, last| {
        let span = Some(Span { first: at(first), last: at(last), precision: Duration::ZERO });
        let mut reading = reading(1, second, level);
        reading.figures.span = span;
        reading
    };
    let readings =
        [with_span(3, Over, 1, 2), with_span(8, Over, 4, 7), with_span(12, Near, 9, 11), with_span(20, Under, 18, 19)];
    let mut alerts = Alerts::new(&config(0, 0));
    let changes = alerts.apply(&readings, at(20));
    let Change::Resolved(alert) = &changes[1] else { panic!("{changes:?}") };
    assert_eq!(alert.span, Some(Span { first: at(1), last: at(7), precision: Duration::ZERO }));
}

#[test]
fn a_clock_that_steps_leaves_no_span() {
    let mut alerts = Alerts::new(&config(0, 60));
    let mut first = reading(1, 1_000, Over);
    first.figures.span = Some(Span { first: at(1_000), last: at(1_000), precision: Duration::ZERO });
    run(&mut alerts, &[first]);
    alerts.restart(at(0));
    assert_eq!(alerts.view().firing[0].span, None);
}

#[test]
fn targets_that_come_after_the_rule_held_are_not_its_last_ones() {
    let target = |host: u8| Target { address: [192, 0, 2, host].into(), protocol: Some(Protocol::TCP), port: Some(22) };
    let with_last = |second, level, last: &[u8]| {
        let mut reading = reading(1, second, level);
        reading.figures.last_targets = last.iter().map(|host| target(*host)).collect();
        reading
    };
    let mut alerts = Alerts::new(&config(0, 60));
    alerts.apply(&[with_last(1, Over, &[1, 2]), with_last(5, Near, &[3]), with_last(9, Under, &[])], at(9));
    assert_eq!(alerts.view().firing[0].figures.last_targets, [target(1), target(2)]);
}

#[test]
fn severity_and_side_stay_as_they_were_when_the_alert_began() {
    let outside = Subject::Source([203, 0, 113, 7].into());
    let mut alerts = Alerts::new(&config(0, 60));
    let readings = [reading(1, 1, Over), Detection { subject: outside, ..reading(1, 1, Over) }];
    run(&mut alerts, &readings);
    let described =
        |alerts: &Alerts| alerts.view().firing.iter().map(|alert| (alert.side, alert.severity)).collect::<Vec<_>>();
    let expected = [(Side::Inside, Severity::Warning), (Side::Outside, Severity::Info)];
    assert_eq!(described(&alerts), expected);
    alerts.set_classifier(Arc::default());
    run(&mut alerts, &[reading(1, 2, Over)]);
    assert_eq!(described(&alerts), expected, "the labels of its series must not change");
    run(&mut alerts, &[reading(2, 3, Over)]);
    assert_eq!(described(&alerts)[1], (Side::Outside, Severity::Info), "nothing is local any more");
}

#[test]
fn pending_alerts_fire_when_the_rule_has_held_for_so_long() {
    let mut alerts = Alerts::new(&config(5, 0));
    let readings = [(1, Over), (5, Over), (6, Over)].map(|(second, level)| reading(1, second, level));
    assert_eq!(run(&mut alerts, &readings[..2]), []);
    assert_eq!((alerts.view().pending.len(), alerts.view().firing.len()), (1, 0));
    assert_eq!(run(&mut alerts, &readings[2..]), [(source(1), true, 1)]);
}

#[test]
fn a_rule_that_does_not_hold_all_the_time_leaves_nothing_pending() {
    for gap in [Near, Under] {
        let mut alerts = Alerts::new(&config(5, 0));
        let readings = [(1, Over), (3, gap), (4, Over), (8, Over)].map(|(second, level)| reading(1, second, level));
        assert_eq!(run(&mut alerts, &readings), []);
        assert_eq!(run(&mut alerts, &[reading(1, 9, Over)]), [(source(1), true, 4)]);
    }
}

#[test]
fn a_source_at_its_limit_does_not_flap() {
    let mut alerts = Alerts::new(&config(0, 0));
    let readings: Vec<Detection> =
        (0..500).map(|second| reading(1, second, if second % 2 == 0 { Over } else { Near })).collect();
    assert_eq!(run(&mut alerts, &readings), [(source(1), true, 0)]);
    let mut alerts = Alerts::new(&config(0, 60));
    let readings: Vec<Detection> =
        (0..60).map(|second| reading(1, second, if second % 2 == 0 { Over } else { Under })).collect();
    assert_eq!(run(&mut alerts, &readings), [(source(1), true, 0)], "not within the hold either");
}

#[test]
fn an_alert_fires_for_the_hold_at_least_whenever_it_was_said_to_be_under() {
    let mut alerts = Alerts::new(&config(0, 60));
    run(&mut alerts, &[reading(1, 10, Over), reading(1, 20, Under), reading(1, 25, Near)]);
    assert_eq!(summaries(&alerts.apply(&[], at(69))), []);
    assert_eq!(summaries(&alerts.apply(&[], at(1_000))), [(source(1), false, 70)], "at its time, however late");
}

#[test]
fn source_over_its_limit_again_at_the_last_moment_goes_on_firing() {
    let mut alerts = Alerts::new(&config(0, 60));
    run(&mut alerts, &[reading(1, 10, Over), reading(1, 20, Under)]);
    assert_eq!(summaries(&alerts.apply(&[reading(1, 70, Over)], at(70))), []);
    assert_eq!(run(&mut alerts, &[reading(1, 71, Under)]), [(source(1), false, 71)]);
}

#[test]
fn a_detector_that_falls_silent_leaves_no_alert_behind() {
    let mut alerts = Alerts::new(&config(0, 60));
    run(&mut alerts, &[reading(1, 0, Over), reading(1, 100, Over)]);
    assert_eq!(summaries(&alerts.apply(&[], at(100 + WINDOW + 60 - 1))), []);
    assert_eq!(summaries(&alerts.apply(&[], at(100 + WINDOW + 60))), [(source(1), false, 170)]);
}

#[test]
fn changes_come_in_the_order_of_time() {
    let mut alerts = Alerts::new(&config(0, 5));
    let readings = [reading(2, 9, Over), reading(1, 9, Over), reading(3, 1, Under), reading(3, 0, Over)];
    let expected = [(source(3), true, 0), (source(3), false, 5), (source(1), true, 9), (source(2), true, 9)];
    assert_eq!(summaries(&alerts.apply(&readings, at(10))), expected);
}

#[test]
fn kinds_and_rules_alert_each_for_itself() {
    let mut alerts = Alerts::new(&config(0, 0));
    let ports = Detection { kind: Kind::PortScan, ..reading(1, 1, Over) };
    let other = Detection { rule: "other".into(), ..reading(1, 1, Over) };
    assert_eq!(alerts.apply(&[reading(1, 1, Over), ports, other], at(1)).len(), 3);
}

#[test]
fn alerts_past_the_limit_are_counted_and_fire_once_another_resolves() {
    let mut alerts = Alerts::new(&Config { max_alerts: 2, ..config(0, 0) });
    let readings = [reading(1, 1, Over), reading(2, 1, Over), reading(3, 1, Over), reading(3, 2, Over)];
    assert_eq!(run(&mut alerts, &readings).len(), 2);
    assert_eq!((alerts.view().dropped_total[Kind::HostScan as usize], alerts.view().limit), (2, 2));
    let mut late = reading(3, 4, Over);
    late.since = at(1);
    assert_eq!(
        run(&mut alerts, &[reading(1, 3, Under), late]),
        [(source(1), false, 3), (source(3), true, 1)],
        "existing alerts live on, and a later one says since when"
    );
}

#[test]
fn a_clock_that_steps_makes_no_second_alert() {
    for to in [0, 6_400, 315_700_000] {
        let mut alerts = Alerts::new(&config(0, 60));
        run(&mut alerts, &[reading(1, 10_000, Over), reading(1, 10_001, Under), reading(2, 10_001, Over)]);
        alerts.restart(at(to));
        let readings = [reading(1, to + 1, Near), reading(2, to + 1, Near), reading(1, to + 50, Over)];
        assert_eq!(run(&mut alerts, &readings), []);
        let readings = [reading(2, to + 58, Under), reading(1, to + 59, Under)];
        assert_eq!(run(&mut alerts, &readings), []);
        let ended = summaries(&alerts.apply(&[], at(to + 60)));
        // An end never lies before its start.
        let expected = [(source(1), false, (to + 60).max(10_000)), (source(2), false, (to + 60).max(10_001))];
        assert_eq!(ended, expected);
    }
}

#[test]
fn a_clock_that_steps_leaves_no_alert_behind() {
    let mut alerts = Alerts::new(&config(30, 60));
    run(&mut alerts, &[reading(1, 1_000, Over), reading(1, 1_030, Over), reading(2, 1_030, Over)]);
    alerts.restart(at(0));
    assert_eq!((alerts.view().pending.len(), alerts.view().firing.len()), (0, 1));
    assert_eq!(summaries(&alerts.apply(&[], at(60 + WINDOW))).len(), 1);
}

#[test]
fn the_end_of_the_packets_ends_all() {
    let mut alerts = Alerts::new(&config(5, 60));
    let readings = [reading(1, 0, Over), reading(1, 5, Over), reading(1, 6, Under), reading(2, 60, Over)];
    run(&mut alerts, &readings);
    run(&mut alerts, &[reading(2, 65, Over), reading(3, 65, Over)]);
    assert_eq!(summaries(&alerts.finish(at(66))), [(source(2), false, 66)]);
    assert_eq!(alerts.finish(at(67)), []);
    assert_eq!((alerts.view().pending.len(), alerts.view().firing.len()), (0, 0));
}
