//! Exclusions: detections that never fire.

use super::*;
use crate::alert::exclusion::exclude;
use crate::detect::scan::ExcludedContact;

#[test]
fn alert_that_is_excluded_while_it_fires_ends_after_its_hold_and_no_other_does() {
    let mut alerts = Alerts::new(&config(0, 10));
    assert_eq!(run(&mut alerts, &[reading(1, 1, Over), reading(2, 1, Over)]).len(), 2);
    let network = Some("10.0.0.1/32".parse().unwrap());
    let exclusions = vec![Exclusion { network, ..Exclusion::default() }];
    alerts.configure(&Config { exclusions, ..config(0, 10) });
    let readings: Vec<_> = (2..=15).flat_map(|second| [reading(1, second, Over), reading(2, second, Over)]).collect();
    assert_eq!(run(&mut alerts, &readings), [(source(1), false, 11)]);
    assert_eq!(run(&mut alerts, &[reading(1, 16, Over)]), []);
    alerts.configure(&config(0, 10));
    assert_eq!(run(&mut alerts, &[reading(1, 17, Over)]), [(source(1), true, 17)], "it fires again without exclusion");
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
