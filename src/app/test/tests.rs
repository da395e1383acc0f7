//! Alerts of every subject against descriptions of them.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::fired::{FiredAlert, FiredAlerts, MOST_ALERTS};
use super::judge::{Finding, findings};
use super::{CaseResult, FileResult, Outcome, text};
use crate::alert::AlertSink as _;
use crate::alert::{Alert, AlertNames, AlertState, Change, Fingerprint, Peak, Severity, Side};
use crate::cli::cases::{AlertPattern, Expectation, TestCase};
use crate::config::Config;
use crate::detect::{Figures, Kind, Subject};
use crate::packet::Timestamp;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds_and_nanoseconds(seconds, 0)
}

fn alert(kind: Kind, subject: Subject) -> Alert {
    Alert {
        fingerprint: Fingerprint(1),
        kind,
        rule: Arc::from(kind.label()),
        subject,
        state: AlertState::Firing,
        severity: Severity::Info,
        side: Side::Outside,
        starts_at: at(12),
        fired_at: Some(at(12)),
        ends_at: None,
        span: None,
        figures: Figures::default(),
        peak: Peak {
            value: 20.0,
            limit: 15.0,
            bytes: 0,
            answered: None,
            scan: None,
            largest_peer: None,
            is_estimate: false,
            at: at(12),
        },
        names: AlertNames::default(),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn network(text: &str) -> Option<IpNet> {
    Some(text.parse().unwrap())
}

/// A case that expects alerts of these descriptions and no others.
fn expecting(patterns: impl IntoIterator<Item = AlertPattern>) -> TestCase {
    let (severity, side, min_value, after, before) = (None, None, None, None, None);
    let expectation = |pattern| Expectation { pattern, severity, side, min_value, after, before };
    TestCase {
        name: "x".to_owned(),
        captures: Vec::new(),
        config: Config::default(),
        alerts: patterns.into_iter().map(expectation).collect(),
        absent: Vec::new(),
        allows_others: false,
    }
}

fn said(case: &TestCase, alerts: impl IntoIterator<Item = Alert>) -> Vec<String> {
    let fired: Vec<_> =
        alerts.into_iter().map(|alert| FiredAlert { peak: alert.peak.value, alert, peak_sentence: None }).collect();
    let line = |Finding { label, text, .. }: Finding| format!("{label}: {text}");
    findings(case, &fired, at(10)).into_iter().map(line).collect()
}

#[test]
fn each_condition_of_a_description_must_apply() {
    let any = AlertPattern::default;
    let (source, destination) = (address("10.0.0.1"), address("2001:db8::2"));
    let subjects = [
        Subject::Source(source),
        Subject::Destination(destination),
        Subject::Pair { source, destination },
        Subject::Network("10.1.0.0/16".parse().unwrap()),
    ];
    let table = [
        (any(), [true; 4]),
        (AlertPattern { kind: Some(Kind::PortScan), ..any() }, [false; 4]),
        (AlertPattern { rule: Some("anomaly".to_owned()), ..any() }, [true; 4]),
        (AlertPattern { rule: Some("other".to_owned()), ..any() }, [false; 4]),
        (AlertPattern { source: network("10.0.0.1/32"), ..any() }, [true, false, true, false]),
        (AlertPattern { source: network("10.0.0.0/8"), ..any() }, [true, false, true, false]),
        (AlertPattern { source: network("10.0.0.2/32"), ..any() }, [false; 4]),
        (AlertPattern { destination: network("2001:db8::/32"), ..any() }, [false, true, true, false]),
        (
            AlertPattern { source: network("10.0.0.0/8"), destination: network("2001:db8::2/128"), ..any() },
            [false, false, true, false],
        ),
        (AlertPattern { network: network("10.0.0.0/8"), ..any() }, [false, false, false, true]),
        (AlertPattern { network: network("10.1.2.0/24"), ..any() }, [false; 4]),
    ];
    for (pattern, expected) in table {
        let case = expecting([pattern.clone()]);
        let describes = subjects.map(|subject| said(&case, [alert(Kind::Anomaly, subject)]).is_empty());
        assert_eq!(describes, expected, "{pattern:?}");
    }
}

#[test]
fn every_subject_has_a_name() {
    let (source, destination) = (address("10.0.0.1"), address("10.0.0.2"));
    let time = "at 2 s (1970-01-01T00:00:12.000000Z)";
    for (subject, name) in [
        (Subject::Source(source), "of 10.0.0.1"),
        (Subject::Destination(destination), "to 10.0.0.2"),
        (Subject::Pair { source, destination }, "of 10.0.0.1 to 10.0.0.2"),
        (Subject::Network("10.0.0.0/8".parse().unwrap()), "of network 10.0.0.0/8"),
    ] {
        assert_eq!(
            said(&expecting([]), [alert(Kind::Bandwidth, subject)]),
            [format!("unexpected: bandwidth {name} {time}")]
        );
    }
}

#[test]
fn one_alert_that_has_all_is_enough() {
    let source = Subject::Source(address("10.0.0.1"));
    let mut case = expecting([AlertPattern { kind: Some(Kind::HostScan), line: 3, ..AlertPattern::default() }]);
    case.alerts[0].min_value = Some(30.0);
    let (small, mut large) = (alert(Kind::HostScan, source), alert(Kind::HostScan, source));
    large.peak.value = 30.0;
    let difference = "value: host_scan (line 3): it reached 20, expected 30 at least";
    assert_eq!(said(&case, [small.clone()]), [difference]);
    assert_eq!(said(&case, [small, large]), [""; 0]);
}

#[test]
fn an_alert_keeps_the_figures_of_its_beginning_and_the_highest_value() {
    let mut fired = FiredAlerts::default();
    let began = alert(Kind::HostScan, Subject::Source(address("10.0.0.1")));
    let mut ended = began.clone();
    (ended.state, ended.peak.value) = (AlertState::Resolved, 40.0);
    fired.notify(&Change::Fired(began.clone()));
    fired.notify(&Change::Resolved(ended));
    assert_eq!((fired.alerts.len(), fired.more), (1, 0));
    assert_eq!((&fired.alerts[0].alert, fired.alerts[0].peak), (&began, 40.0));
}

#[test]
fn alerts_beyond_the_limit_fail_a_case() {
    let mut fired = FiredAlerts::default();
    let began = Change::Fired(alert(Kind::HostScan, Subject::Source(address("10.0.0.1"))));
    (0..MOST_ALERTS + 2).for_each(|_| fired.notify(&began));
    assert_eq!((fired.alerts.len(), fired.more), (MOST_ALERTS, 2));
    let case = TestCase { allows_others: true, ..expecting([]) };
    let outcome = super::judged(&case, &fired, at(0));
    assert_eq!(text::differences(&outcome), ["too many: 2 alerts fired beyond the 10000 that are compared"]);
}

#[test]
fn counts_are_in_the_right_number() {
    let result = |frames, outcome| CaseResult { name: "x", frames, alerts: 1, outcome };
    assert_eq!(text::case(&result(2, Outcome::Passed)), "  ok    x (2 frames, 1 alert)\n");
    let unreadable = result(0, Outcome::Unreadable("y\u{1b}".to_owned()));
    assert_eq!(text::case(&unreadable), "  FAIL  x\n        y\\u{1b}\n");
    let file = FileResult { path: "x.yml".as_ref(), cases: vec![result(1, Outcome::Passed), unreadable] };
    assert_eq!(text::summary(&[file]), "2 cases: 1 passed, 1 failed\n");
}
