//! The alerts that a receiver gets.
//!
//! Takes a notice, or the severities of all kinds; tells whether the selection of a receiver includes it. Must not know
//! receivers.

use super::config::AlertSelection;
use super::notice::Notice;
use crate::alert::{Severities, Severity, Side};
use crate::detect::Kind;

impl AlertSelection {
    /// True if the receiver gets this alert.
    pub fn accepts(&self, notice: &Notice) -> bool {
        let severity = Severity::ALL.into_iter().find(|severity| severity.label() == notice.severity);
        let is_urgent = self.severity.is_none_or(|least| severity.is_some_and(|severity| severity >= least));
        let is_kind = self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.label() == notice.kind);
        is_urgent && is_kind && (self.networks.is_empty() || self.contains_subject(notice))
    }

    fn contains_subject(&self, notice: &Notice) -> bool {
        let mut addresses = [notice.source, notice.destination].into_iter().flatten();
        let of_address = addresses.any(|address| self.networks.iter().any(|network| network.contains(&address)));
        of_address
            || notice.network.is_some_and(|subject| self.networks.iter().any(|network| network.contains(&subject)))
    }

    /// True if an alert of one of the `detected` kinds can have the severity that is asked for.
    pub fn can_match(&self, severities: &Severities, detected: &[Kind]) -> bool {
        let is_urgent = |kind: Kind| {
            Side::BOTH.into_iter().any(|side| self.severity.is_none_or(|least| severities.of(kind, side) >= least))
        };
        let mut kinds = detected.iter().filter(|kind| self.kinds.is_empty() || self.kinds.contains(kind));
        kinds.any(|kind| is_urgent(*kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::made::notice;

    fn networks(networks: &[&str]) -> AlertSelection {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        AlertSelection { networks, ..AlertSelection::default() }
    }

    #[test]
    fn empty_selection_accepts_every_alert() {
        assert!(AlertSelection::default().accepts(&notice("host_scan")));
        assert!(AlertSelection::default().accepts(&Notice { severity: "info".to_owned(), ..notice("anomaly") }));
    }

    #[test]
    fn kinds_and_least_severity_are_compared() {
        let selection = AlertSelection { kinds: vec![Kind::Bandwidth, Kind::HostScan], ..AlertSelection::default() };
        assert!(selection.accepts(&notice("host_scan")) && !selection.accepts(&notice("port_scan")));
        let selection = AlertSelection { severity: Some(Severity::Warning), ..selection };
        for (severity, is_accepted) in [("info", false), ("warning", true), ("critical", true)] {
            let notice = Notice { severity: severity.to_owned(), ..notice("bandwidth") };
            assert_eq!(selection.accepts(&notice), is_accepted, "{severity}");
        }
    }

    #[test]
    fn network_may_contain_either_end_of_a_pair_or_the_whole_network() {
        let address = |text: &str| Some(text.parse().unwrap());
        let pair = Notice { source: address("192.0.2.1"), destination: address("2001:db8::1"), ..notice("anomaly") };
        for (network, is_accepted) in
            [("192.0.2.0/24", true), ("2001:db8::/32", true), ("198.51.100.0/24", false), ("0.0.0.0/0", true)]
        {
            assert_eq!(networks(&[network]).accepts(&pair), is_accepted, "{network}");
        }
        let group = Notice { source: None, network: Some("203.0.113.0/24".parse().unwrap()), ..notice("group_scan") };
        assert!(networks(&["10.0.0.0/8", "203.0.112.0/20"]).accepts(&group));
        assert!(!networks(&["203.0.113.0/25"]).accepts(&group), "a part of the subject");
    }

    #[test]
    fn selection_that_no_alert_can_match_is_known() {
        let severities = Severities::default();
        let critical = AlertSelection { severity: Some(Severity::Critical), ..AlertSelection::default() };
        assert!(!critical.can_match(&severities, &Kind::ALL));
        let warning = AlertSelection { severity: Some(Severity::Warning), ..AlertSelection::default() };
        assert!(warning.can_match(&severities, &Kind::ALL));
        assert!(!AlertSelection { kinds: vec![Kind::Anomaly], ..warning.clone() }.can_match(&severities, &Kind::ALL));
        assert!(!warning.can_match(&severities, &[Kind::Anomaly]), "no other kind is detected");
        assert!(AlertSelection { kinds: vec![Kind::HostScan], ..warning }.can_match(&severities, &Kind::ALL), "inside");
    }
}
