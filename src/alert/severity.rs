//! The severity of alerts. Takes the kind of a detection and the side of its subject; gives a severity. Must not know
//! figures.

use crate::detect::{Kind, Subject};
use crate::locality::Classifier;

/// The urgency of an alert, in the words of Prometheus' alerting rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For information.
    Info,
    /// Needs attention within a day.
    Warning,
    /// Needs attention at once.
    Critical,
}

impl Severity {
    /// All, the least urgent first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The value of the label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The side of a subject: inside or outside of the local networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The subject is local.
    Inside,
    /// The subject is not local.
    Outside,
}

impl Side {
    /// Both, inside first.
    pub const BOTH: [Self; 2] = [Self::Inside, Self::Outside];

    /// The value of the label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Outside => "outside",
        }
    }

    /// The side of a subject. A pair has the side of its sender, a network that of its first address.
    pub(crate) fn of(subject: &Subject, classifier: &Classifier) -> Self {
        let address = match *subject {
            Subject::Source(address) | Subject::Destination(address) => address,
            Subject::Pair { source, .. } => source,
            Subject::Network(network) => network.network(),
        };
        if classifier.is_local(address) { Self::Inside } else { Self::Outside }
    }
}

/// An entry of the setting `alert.severity`: the severity of a kind, on one side or on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeverityRule {
    /// The kind of detections.
    pub kind: Kind,
    /// The side of the subjects; none means both sides.
    pub side: Option<Side>,
    /// The severity.
    pub severity: Severity,
}

/// The severities of all kinds, each on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Severities([[Severity; 2]; Kind::ALL.len()]);

impl Default for Severities {
    /// Warning for bandwidth, for sources that are not permitted and for scans from inside. Info for anomalies and for
    /// scans from outside, which are common.
    fn default() -> Self {
        let by_side = |kind| match kind {
            Kind::Bandwidth | Kind::Policy => [Severity::Warning; 2],
            Kind::HostScan | Kind::PortScan | Kind::GroupScan => [Severity::Warning, Severity::Info],
            Kind::Anomaly => [Severity::Info; 2],
        };
        Self(Kind::ALL.map(by_side))
    }
}

impl Severities {
    /// The severity of a kind on a side.
    pub(crate) const fn of(&self, kind: Kind, side: Side) -> Severity {
        self.0[kind as usize][side as usize]
    }

    /// These severities, changed by `rules`. Later rules override earlier ones.
    #[must_use]
    pub fn with(mut self, rules: &[SeverityRule]) -> Self {
        for rule in rules {
            for side in Side::BOTH.into_iter().filter(|side| rule.side.is_none_or(|only| only == *side)) {
                self.0[rule.kind as usize][side as usize] = rule.severity;
            }
        }
        self
    }

    /// The rules that give these severities again: one rule for a kind with the same severity on both sides, else two.
    pub fn rules(&self) -> Vec<SeverityRule> {
        let of_kind = |kind| {
            let sides = Side::BOTH.map(|side| self.of(kind, side));
            let rule = move |side: Option<Side>, severity| SeverityRule { kind, side, severity };
            match sides {
                [inside, outside] if inside == outside => vec![rule(None, inside)],
                _ => Side::BOTH.into_iter().zip(sides).map(|(side, severity)| rule(Some(side), severity)).collect(),
            }
        };
        Kind::ALL.into_iter().flat_map(of_kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locality;

    fn source(text: &str) -> Subject {
        Subject::Source(text.parse().unwrap())
    }

    #[test]
    fn scans_from_inside_are_warnings_and_from_outside_information() {
        let severities = Severities::default();
        for scan in [Kind::HostScan, Kind::PortScan, Kind::GroupScan] {
            assert_eq!(Side::BOTH.map(|side| severities.of(scan, side)), [Severity::Warning, Severity::Info]);
        }
        assert_eq!(Side::BOTH.map(|side| severities.of(Kind::Bandwidth, side)), [Severity::Warning; 2]);
        assert_eq!(Side::BOTH.map(|side| severities.of(Kind::Anomaly, side)), [Severity::Info; 2]);
    }

    #[test]
    fn a_rule_without_a_side_is_for_both_and_the_last_rule_wins() {
        let rule = |kind, side, severity| SeverityRule { kind, side, severity };
        let severities = Severities::default().with(&[
            rule(Kind::HostScan, None, Severity::Critical),
            rule(Kind::HostScan, Some(Side::Outside), Severity::Warning),
        ]);
        assert_eq!(Side::BOTH.map(|side| severities.of(Kind::HostScan, side)), [Severity::Critical, Severity::Warning]);
        assert_eq!(severities.of(Kind::PortScan, Side::Outside), Severity::Info, "others stay");
    }

    #[test]
    fn the_rules_of_severities_give_them_back() {
        let severities = Severities::default().with(&[SeverityRule {
            kind: Kind::Anomaly,
            side: Some(Side::Inside),
            severity: Severity::Critical,
        }]);
        assert_eq!(Severities([[Severity::Info; 2]; Kind::ALL.len()]).with(&severities.rules()), severities);
    }

    #[test]
    fn a_subject_is_inside_when_it_is_local() {
        let classifier = Classifier::new(&locality::Config::default(), ["203.0.113.1".parse().unwrap()]);
        let side = |subject: &Subject| Side::of(subject, &classifier);
        assert_eq!(side(&source("10.0.0.1")), Side::Inside);
        assert_eq!(side(&source("203.0.113.1")), Side::Inside, "an address of this host");
        assert_eq!(side(&source("203.0.113.2")), Side::Outside);
        assert_eq!(side(&source("fd00::1")), Side::Inside);
        assert_eq!(side(&source("2001:db8::1")), Side::Outside);
        let (source, destination) = ("203.0.113.2".parse().unwrap(), "10.0.0.1".parse().unwrap());
        assert_eq!(side(&Subject::Pair { source, destination }), Side::Outside);
        assert_eq!(side(&Subject::Destination(destination)), Side::Inside);
        assert_eq!(side(&Subject::Network("192.168.0.0/16".parse().unwrap())), Side::Inside);
    }
}
