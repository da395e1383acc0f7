//! Tests of alerts.

use super::*;
use crate::detect::{Detection, Level, Target};
use crate::packet::Protocol;
use Level::{Near, Over, Under};

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
        fired_at: Some(at(100)),
        ends_at: None,
        span: None,
        peak: Peak {
            value: figures.value,
            limit: figures.limit,
            bytes: figures.bytes,
            answered: figures.answered,
            scan: figures.scan,
            largest_peer: figures.largest_peer,
            is_estimate: figures.is_estimate,
            at: at(100),
        },
        figures,
        names: AlertNames::default(),
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

mod drawn;
mod exclusions;
mod floods;
mod lifecycle;
mod resolved;

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

#[test]
fn counters_of_registered_rules_start_at_0() {
    let rules: [(Kind, Arc<str>); 2] = [(Kind::HostScan, "host_scan".into()), (Kind::Bandwidth, "guests".into())];
    let mut alerts = Alerts::new(&Config::default());
    alerts.expect_rules(&rules);
    assert_eq!(alerts.view().fired_total, rules.map(|rule| (rule, 0)).into());
}
