//! The alerts that a receiver gets.
//!
//! Takes a notice, or the kinds that are detected with their severities; gives the answer if the selection of a receiver
//! includes it. Must not know receivers.

use ipnet::IpNet;

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

    /// The reason why no alert of the `detected` kinds can match; none if one can.
    pub fn mismatch(&self, severities: &Severities, detected: &[Kind], local: &[IpNet]) -> Option<SelectionMismatch> {
        let is_urgent = |kind: Kind, side| self.severity.is_none_or(|least| severities.of(kind, side) >= least);
        let kinds = || detected.iter().copied().filter(|kind| self.kinds.is_empty() || self.kinds.contains(kind));
        if !kinds().any(|kind| Side::BOTH.into_iter().any(|side| is_urgent(kind, side))) {
            return Some(SelectionMismatch::Kinds);
        }
        let is_about = |kind, side| is_about_pairs(kind) || self.touches(side, local);
        let can_match =
            kinds().any(|kind| Side::BOTH.into_iter().any(|side| is_about(kind, side) && is_urgent(kind, side)));
        (!can_match).then_some(SelectionMismatch::Networks)
    }

    /// True if the networks contain an address of a side.
    fn touches(&self, side: Side, local: &[IpNet]) -> bool {
        let is_local = |network: &IpNet| local.iter().any(|local| local.contains(network));
        let has_local = |network: &IpNet| is_local(network) || local.iter().any(|local| network.contains(local));
        self.networks.is_empty()
            || match side {
                Side::Inside => self.networks.iter().any(has_local),
                Side::Outside => !self.networks.iter().all(is_local),
            }
    }
}

/// True if the subjects of a kind are pairs. The networks may contain the receiver, and the side is that of the sender.
fn is_about_pairs(kind: Kind) -> bool {
    kind == Kind::Anomaly
}

/// The reason why no alert can match a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectionMismatch {
    /// None that is detected has the kinds and the severity.
    Kinds,
    /// None of its kinds and severity is about its networks.
    Networks,
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
        let mismatch = |selection: &AlertSelection, detected: &[Kind]| selection.mismatch(&severities, detected, &[]);
        let critical = AlertSelection { severity: Some(Severity::Critical), ..AlertSelection::default() };
        assert_eq!(mismatch(&critical, &Kind::ALL), Some(SelectionMismatch::Kinds));
        let warning = AlertSelection { severity: Some(Severity::Warning), ..AlertSelection::default() };
        assert_eq!(mismatch(&warning, &Kind::ALL), None);
        let anomalies = AlertSelection { kinds: vec![Kind::Anomaly], ..warning.clone() };
        assert_eq!(mismatch(&anomalies, &Kind::ALL), Some(SelectionMismatch::Kinds));
        assert_eq!(mismatch(&warning, &[Kind::Anomaly]), Some(SelectionMismatch::Kinds), "no other kind is detected");
        assert_eq!(mismatch(&AlertSelection { kinds: vec![Kind::HostScan], ..warning }, &Kind::ALL), None, "inside");
    }

    #[test]
    fn networks_that_touch_no_side_with_the_severity_are_known() {
        let severities = Severities::default();
        let local: [IpNet; 2] = ["10.0.0.0/8", "fc00::/7"].map(|network| network.parse().unwrap());
        let mismatch = |kind: Kind, severity: Severity, within: &[&str]| {
            let selection = AlertSelection { kinds: vec![kind], severity: Some(severity), ..networks(within) };
            selection.mismatch(&severities, &Kind::ALL, &local)
        };
        for within in [&["8.8.8.0/24"][..], &["8.8.8.0/24", "2001:db8::/32"], &["11.0.0.0/8"]] {
            let found = mismatch(Kind::HostScan, Severity::Warning, within);
            assert_eq!(found, Some(SelectionMismatch::Networks), "scans from outside are for information: {within:?}");
            assert_eq!(mismatch(Kind::HostScan, Severity::Info, within), None, "{within:?}");
            assert_eq!(mismatch(Kind::Bandwidth, Severity::Warning, within), None, "{within:?}");
            assert_eq!(mismatch(Kind::Anomaly, Severity::Info, within), None, "{within:?}");
        }
        for within in [&["10.1.0.0/16"][..], &["8.0.0.0/6"], &["0.0.0.0/0"], &["8.8.8.0/24", "fd00::/8"]] {
            assert_eq!(mismatch(Kind::HostScan, Severity::Warning, within), None, "{within:?}");
        }
    }
}
