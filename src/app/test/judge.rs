//! The alerts of a case against the expected ones. Takes a case and the alerts that fired; gives the differences in
//! words. Must not know how results are written.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::fired::FiredAlert;
use crate::alert::Alert;
use crate::cli::cases::{AlertPattern, Expectation, Moment, TestCase};
use crate::detect::Subject;
use crate::events::line::rfc_3339;
use crate::packet::{Seconds, Timestamp};

/// A difference between the alerts and the expected ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The kind of difference: `missing`, `late`, `early`, `severity`, `side`, `value`, `unexpected`, `not absent`.
    pub label: &'static str,
    pub text: String,
    /// The alert's own sentence; none where no alert fired.
    pub sentence: Option<String>,
}

/// All differences: of the expected alerts in the order of the case, then of the others in the order in which they
/// fired. `first` is the time of the first packet.
pub(super) fn findings(case: &TestCase, fired: &[FiredAlert], first: Timestamp) -> Vec<Finding> {
    let expected = case.alerts.iter().flat_map(|expectation| unmet(expectation, fired, first));
    let others = fired.iter().filter_map(|fired| unwanted(case, &fired.alert, first));
    expected.chain(others).collect()
}

/// The differences of an expected alert: none if an alert of its pattern has all that is expected, else those of the
/// first one.
fn unmet(expectation: &Expectation, fired: &[FiredAlert], first: Timestamp) -> Vec<Finding> {
    let pattern = &expectation.pattern;
    let mut nearest = None;
    for fired in fired.iter().filter(|fired| describes(pattern, &fired.alert)) {
        let differences = differences(expectation, fired, first);
        if differences.is_empty() {
            return differences;
        }
        nearest.get_or_insert(differences);
    }
    let missing = || vec![Finding { label: "missing", text: described(pattern), sentence: None }];
    nearest.unwrap_or_else(missing)
}

fn differences(expectation: &Expectation, fired: &FiredAlert, first: Timestamp) -> Vec<Finding> {
    let Expectation { pattern, severity, side, min_value, after, before } = expectation;
    let FiredAlert { alert, peak, peak_sentence } = fired;
    let at = alert.starts_at;
    let is_past = |limit: &Moment| at > time_of(*limit, first);
    let is_before = |limit: &Moment| at < time_of(*limit, first);
    let began = format!("it began {}", When(at, first));
    let differences = [
        before.filter(is_past).map(|limit| ("late", format!("{began}, expected {} at the latest", Limit(limit)))),
        after.filter(is_before).map(|limit| ("early", format!("{began}, expected {} at the earliest", Limit(limit)))),
        severity
            .filter(|severity| *severity != alert.severity)
            .map(|expected| ("severity", format!("it is {}, expected {}", alert.severity.label(), expected.label()))),
        side.filter(|side| *side != alert.side)
            .map(|expected| ("side", format!("it is {}, expected {}", alert.side.label(), expected.label()))),
        min_value
            .filter(|least| peak < least)
            .map(|least| ("value", format!("it reached {peak}, expected {least} at least"))),
    ];
    let finding = |(label, difference)| Finding {
        label,
        text: format!("{}: {difference}", described(pattern)),
        // The highest value stands in the sentence about the peak.
        sentence: peak_sentence.clone().filter(|_| label == "value").or_else(|| Some(alert.explain())),
    };
    differences.into_iter().flatten().map(finding).collect()
}

/// The finding about an alert that must not fire, if it is one.
fn unwanted(case: &TestCase, alert: &Alert, first: Timestamp) -> Option<Finding> {
    let text = format!("{} {}", named(alert), When(alert.starts_at, first));
    let sentence = Some(alert.explain());
    if let Some(pattern) = case.absent.iter().find(|pattern| describes(pattern, alert)) {
        let text = format!("{text}, absent is {}", described(pattern));
        return Some(Finding { label: "not absent", text, sentence });
    }
    let is_expected = case.alerts.iter().any(|expectation| describes(&expectation.pattern, alert));
    (!is_expected && !case.allows_others).then_some(Finding { label: "unexpected", text, sentence })
}

/// True if each condition of the pattern applies to the alert.
fn describes(pattern: &AlertPattern, alert: &Alert) -> bool {
    let (mut source, mut destination, mut network) = (None, None, None);
    match alert.subject {
        Subject::Source(address) => source = Some(address),
        Subject::Destination(address) => destination = Some(address),
        Subject::Pair { source: one, destination: other } => (source, destination) = (Some(one), Some(other)),
        Subject::Network(subject) => network = Some(subject),
    }
    let has = |within: Option<IpNet>, address: Option<IpAddr>| {
        within.is_none_or(|within| address.is_some_and(|address| within.contains(&address)))
    };
    pattern.kind.is_none_or(|kind| kind == alert.kind)
        && pattern.rule.as_ref().is_none_or(|rule| **rule == *alert.rule)
        && has(pattern.source, source)
        && has(pattern.destination, destination)
        && pattern.network.is_none_or(|within| network.is_some_and(|network| within.contains(&network)))
}

fn time_of(moment: Moment, first: Timestamp) -> Timestamp {
    match moment {
        Moment::SinceFirst(duration) => first + duration,
        Moment::At(time) => time,
    }
}

/// `host_scan of 10.0.0.1`.
fn named(alert: &Alert) -> String {
    let kind = alert.kind.label();
    match alert.subject {
        Subject::Source(source) => format!("{kind} of {source}"),
        Subject::Destination(destination) => format!("{kind} to {destination}"),
        Subject::Pair { source, destination } => format!("{kind} of {source} to {destination}"),
        Subject::Network(network) => format!("{kind} of network {network}"),
    }
}

/// `host_scan of 10.0.0.1 (line 7)`.
fn described(pattern: &AlertPattern) -> String {
    let AlertPattern { kind, source, destination, network, rule, line } = pattern;
    let parts = [
        Some(kind.map_or("any alert", |kind| kind.label()).to_owned()),
        source.map(|source| format!("of {}", short(source))),
        destination.map(|destination| format!("to {}", short(destination))),
        network.map(|network| format!("of network {network}")),
        rule.as_ref().map(|rule| format!("by rule {rule}")),
        Some(format!("(line {line})")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A network; an address where it has only one.
fn short(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// `at 12.5 s (2023-11-14T22:13:32.500000Z)`: a moment, and the time of the first packet.
struct When(Timestamp, Timestamp);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} s ({})", Seconds::of(self.0.since(self.1)), rfc_3339(self.0))
    }
}

/// `at 12.5 s`, `at 2023-11-14T22:13:32.500000Z`.
struct Limit(Moment);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Moment::SinceFirst(duration) => write!(f, "at {} s", Seconds::of(duration)),
            Moment::At(time) => write!(f, "at {}", rfc_3339(time)),
        }
    }
}
