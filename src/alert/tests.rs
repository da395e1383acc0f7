use proptest::prelude::*;

use super::*;
use crate::detect::{Detection, Level, Target};
use crate::packet::Protocol;

const WINDOW: i64 = 10;

/// A firing alert whose peak has the same figures.
pub(crate) fn alert(kind: Kind, subject: Subject, figures: Figures) -> Alert {
    Alert {
        fingerprint: Fingerprint::of(kind, "rule", &subject),
        kind,
        rule: "rule".into(),
        subject,
        state: AlertState::Firing,
        severity: Severity::Warning,
        side: Side::Inside,
        starts_at: at(100),
        ends_at: None,
        span: None,
        peak: Peak {
            value: figures.value,
            limit: figures.limit,
            bytes: figures.bytes,
            answered: figures.answered,
            scan: figures.scan,
            is_estimate: figures.is_estimate,
            at: at(100),
        },
        figures,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanoseconds(seconds * 1_000_000_000)
}

fn source(host: u8) -> Subject {
    Subject::Source([10, 0, 0, host].into())
}

fn config(pending: u64, hold: u64) -> Config {
    Config { pending: Duration::from_secs(pending), hold: Duration::from_secs(hold), ..Config::default() }
}

/// A detection of a rule with limit 100 about a host.
fn reading(host: u8, seconds: i64, level: Level) -> Detection {
    let value = match level {
        Level::Over => 100.0 + seconds as f64,
        Level::Near => 95.0,
        Level::Under => 10.0,
    };
    Detection {
        kind: Kind::HostScan,
        rule: "scan".into(),
        subject: source(host),
        level,
        since: at(seconds),
        at: at(seconds),
        figures: Figures { value, limit: 100.0, window: Duration::from_secs(WINDOW as u64), ..Figures::default() },
    }
}

/// The changes: subject, true if it fires, second of its start or end.
fn summaries(changes: &[Change]) -> Vec<(Subject, bool, i64)> {
    let summary = |change: &Change| match change {
        Change::Fired(alert) => (alert.subject, true, alert.starts_at.seconds()),
        Change::Resolved(alert) => (alert.subject, false, alert.ends_at.unwrap().seconds()),
    };
    changes.iter().map(summary).collect()
}

/// One detection at a time, at its time.
fn run(alerts: &mut Alerts, readings: &[Detection]) -> Vec<(Subject, bool, i64)> {
    readings.iter().flat_map(|reading| summaries(&alerts.apply(std::slice::from_ref(reading), reading.at))).collect()
}

use Level::{Near, Over, Under};

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
        Peak { value: 108.0, limit: 100.0, bytes: 0, answered: Some(7), scan: None, is_estimate: false, at: at(8) }
    );
    assert_eq!(firing.figures.first_targets, [target(1)], "what it began with");
    assert_eq!(firing.figures.last_targets, [target(4)]);
    assert_eq!(firing.fingerprint, Fingerprint::of(Kind::HostScan, "scan", &source(1)));
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
    assert_eq!((alerts.view().pending, alerts.view().firing.len()), (1, 0));
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
    assert_eq!((alerts.view().dropped_total, alerts.view().limit), (2, 2));
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
    assert_eq!((alerts.view().pending, alerts.view().firing.len()), (0, 1));
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
    assert_eq!((alerts.view().pending, alerts.view().firing.len()), (0, 0));
}

#[test]
fn exclusions_apply_with_all_that_they_name() {
    let network = |text: &str| Some(text.parse().unwrap());
    let fires = |exclusion: Exclusion, detection: &Detection| {
        let mut alerts = Alerts::new(&Config { exclusions: vec![exclusion], ..config(0, 0) });
        let fired = !alerts.apply(std::slice::from_ref(detection), detection.at).is_empty();
        assert_eq!(alerts.view().excluded_total, u64::from(!fired));
        fired
    };
    let none = Exclusion::default();
    let found = reading(1, 1, Over);
    assert!(!fires(Exclusion { network: network("10.0.0.0/24"), ..none }, &found));
    assert!(fires(Exclusion { network: network("10.0.1.0/24"), ..none }, &found));
    assert!(!fires(Exclusion { kind: Some(Kind::HostScan), ..none }, &found));
    assert!(fires(Exclusion { kind: Some(Kind::PortScan), network: network("10.0.0.0/8"), ..none }, &found));
    assert!(fires(Exclusion { port: Some(22), ..none }, &found), "it names no targets");

    let pair = Subject::Pair { source: [10, 0, 0, 1].into(), destination: [192, 0, 2, 1].into() };
    let of = |subject| Detection { subject, ..reading(1, 1, Over) };
    assert!(!fires(Exclusion { network: network("192.0.2.0/24"), ..none }, &of(pair)));
    assert!(!fires(Exclusion { network: network("10.0.0.0/8"), ..none }, &of(pair)));
    assert!(fires(Exclusion { network: network("172.16.0.0/12"), ..none }, &of(pair)));
    let whole = Subject::Network("10.0.0.0/16".parse().unwrap());
    assert!(!fires(Exclusion { network: network("10.0.0.0/8"), ..none }, &of(whole)));
    assert!(fires(Exclusion { network: network("10.0.0.0/24"), ..none }, &of(whole)));
}

#[test]
fn bandwidth_and_anomalies_are_excluded_by_the_ends_of_their_traffic() {
    let network = |text: &str| Some(text.parse().unwrap());
    let excludes = |exclusion: Exclusion, kind, subject| {
        exclude(&[exclusion], &Detection { kind, subject, ..reading(1, 1, Over) })
    };
    let none = Exclusion::default();
    let from = Exclusion { source: network("10.0.0.0/24"), ..none };
    let to = Exclusion { destination: network("192.0.2.0/24"), ..none };
    let both = Exclusion { destination: to.destination, ..from };
    let (near, far) = ([10, 0, 0, 1].into(), [192, 0, 2, 1].into());
    let there = Subject::Pair { source: near, destination: far };
    let back = Subject::Pair { source: far, destination: near };
    let subjects = [Subject::Source(near), Subject::Source(far), Subject::Destination(far), Subject::Destination(near)];
    let of = |exclusion, kind| subjects.map(|subject| excludes(exclusion, kind, subject));
    assert_eq!(of(from, Kind::Bandwidth), [true, false, false, false]);
    assert_eq!(of(to, Kind::Bandwidth), [false, false, true, false]);
    assert_eq!(of(both, Kind::Bandwidth), [false; 4], "its bytes go to others too");
    for exclusion in [from, to, both, Exclusion { kind: Some(Kind::Anomaly), ..both }] {
        assert!(excludes(exclusion, Kind::Anomaly, there) && !excludes(exclusion, Kind::Anomaly, back));
        let by_port = [Exclusion { port: Some(53), ..exclusion }, Exclusion { source_port: Some(53), ..exclusion }];
        assert!(by_port.into_iter().all(|exclusion| !excludes(exclusion, Kind::Anomaly, there)), "it has no ports");
    }
    assert!(!excludes(from, Kind::Bandwidth, Subject::Network("10.0.0.0/24".parse().unwrap())));
    assert!(!excludes(Exclusion { kind: Some(Kind::Anomaly), ..from }, Kind::Bandwidth, subjects[0]));
    let other = Exclusion { network: network("172.16.0.0/12"), ..from };
    assert!(!excludes(other, Kind::Anomaly, there), "all that it names must apply");
}

#[test]
fn scans_are_excluded_by_their_contacts_when_ends_are_named() {
    let network = |text: &str| Some(text.parse().unwrap());
    let source = Exclusion { source: network("10.0.0.0/8"), ..Exclusion::default() };
    let entry = |source| ExcludedContact { source, source_port: None, destination: None, port: None, kind: None };
    assert!(!exclude(&[source], &reading(1, 1, Over)));
    assert_eq!(source.contacts(), Some(entry(network("10.0.0.0/8"))));
    let full = Exclusion {
        destination: network("192.0.2.0/24"),
        port: Some(80),
        source_port: Some(5_000),
        kind: Some(Kind::GroupScan),
        ..source
    };
    let contacts = ExcludedContact {
        source: source.source,
        source_port: Some(5_000),
        destination: full.destination,
        port: Some(80),
        kind: full.kind,
    };
    assert_eq!(full.contacts(), Some(contacts));
    // The network of the subject is that of the source too.
    for (subject, both) in
        [("10.1.0.0/16", network("10.1.0.0/16")), ("0.0.0.0/0", network("10.0.0.0/8")), ("10.0.0.0/8", source.source)]
    {
        assert_eq!(Exclusion { network: network(subject), ..source }.contacts(), Some(entry(both)), "{subject}");
    }
    assert_eq!(Exclusion { network: network("11.0.0.0/8"), ..source }.contacts(), None, "no source is in both");
    for kind in [Kind::Bandwidth, Kind::Anomaly] {
        assert_eq!(Exclusion { kind: Some(kind), ..source }.contacts(), None);
    }
    for exclusion in [
        Exclusion { port: Some(80), ..Exclusion::default() },
        Exclusion { network: source.source, ..Exclusion::default() },
        Exclusion { kind: Some(Kind::HostScan), port: Some(80), network: source.source, ..Exclusion::default() },
    ] {
        assert_eq!(exclusion.contacts(), None, "{exclusion:?}");
    }
}

#[test]
fn targets_with_excluded_ports_alone_do_not_alert() {
    let target = |port| Target { address: [192, 0, 2, 1].into(), protocol: Some(Protocol::TCP), port };
    let port = |port| Exclusion { port: Some(port), ..Exclusion::default() };
    let fires = |ports: &[Option<u16>]| {
        let mut detection = reading(1, 1, Over);
        detection.figures.first_targets = ports.iter().map(|port| target(*port)).collect();
        let mut alerts = Alerts::new(&Config { exclusions: vec![port(80), port(443)], ..config(0, 0) });
        !alerts.apply(&[detection], at(1)).is_empty()
    };
    assert!(!fires(&[Some(80), Some(443)]));
    assert!(fires(&[Some(80), Some(22)]));
    assert!(fires(&[Some(80), None]));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let with = |exclusion| Config { exclusions: vec![exclusion], ..Config::default() }.validate();
    assert_eq!(Config::default().validate(), Ok(()));
    assert_eq!(with(Exclusion { port: Some(1), ..Exclusion::default() }), Ok(()));
    assert_eq!(with(Exclusion { port: Some(0), ..Exclusion::default() }), Err(Error::PortZero(1)));
    assert_eq!(with(Exclusion { source_port: Some(0), ..Exclusion::default() }), Err(Error::PortZero(1)));
    assert_eq!(with(Exclusion::default()), Err(Error::ExcludesEverything(1)));
    let contacts = vec![Exclusion { source_port: Some(1), ..Exclusion::default() }; MAXIMUM_EXCLUDED + 1];
    assert_eq!(Config { exclusions: contacts[1..].to_vec(), ..Config::default() }.validate(), Ok(()));
    let number = MAXIMUM_EXCLUDED + 1;
    assert_eq!(Config { exclusions: contacts, ..Config::default() }.validate(), Err(Error::TooManyContacts(number)));
    assert_eq!(Config { max_alerts: 0, ..Config::default() }.validate(), Err(Error::NoRoom));
}

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
            prop_assert!(view.firing.len() + view.pending <= max_alerts);
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

#[test]
fn counters_of_registered_rules_start_at_0() {
    let rules: [(Kind, Arc<str>); 2] = [(Kind::HostScan, "host_scan".into()), (Kind::Bandwidth, "guests".into())];
    let mut alerts = Alerts::new(&Config::default());
    alerts.expect_rules(&rules);
    assert_eq!(alerts.view().fired_total, rules.map(|rule| (rule, 0)).into());
}
