//! A notice: a change of an alert as receivers and the journal have it.
//!
//! Takes a change; gives plain values that can be written and read again. Must not know receivers.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::alert::{Change, Fingerprint};
use crate::detect::{Figures, Subject, Target};
use crate::packet::Timestamp;
use crate::services::protocol_name;

/// Stands before the sentence of an alert of an earlier run that has not fired again.
const ORPHANED: &str = "resolved: it has not fired again since the restart; last seen: ";

/// A change of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// 16 hexadecimal digits; the same in every episode of the alert.
    pub fingerprint: String,
    /// True if it fires, false if it is resolved.
    pub is_firing: bool,
    /// The kind's word, such as `host_scan`.
    pub kind: String,
    /// The name of the rule.
    pub rule: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// `inside` or `outside` of the local networks.
    pub side: String,
    /// The source that it is about, or the sender of a pair.
    pub source: Option<IpAddr>,
    /// The destination that it is about, or the receiver of a pair.
    pub destination: Option<IpAddr>,
    /// The network that it is about.
    pub network: Option<IpNet>,
    /// The name of the source, if one is known. Hostile text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_name: Option<String>,
    /// The name of the destination, if one is known. Hostile text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_name: Option<String>,
    /// Vendor, country and autonomous system of the source, if any is known. Hostile text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_origin: Option<String>,
    /// Vendor, country and autonomous system of the destination, if any is known. Hostile text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_origin: Option<String>,
    /// The addresses of targets with their names, as far as they are known. Hostile text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_names: Vec<(IpAddr, String)>,
    /// The processes of this host that hold the conversations, as far as they are known. Hostile text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<String>,
    /// Nanoseconds since 1970 on the packets' clock.
    pub starts_at: i64,
    /// As `starts_at`; none while it fires.
    pub ends_at: Option<i64>,
    /// The explanation of the figures, in a sentence.
    pub sentence: String,
    /// The value that is compared with the limit: bytes, targets or a probability.
    pub value: f64,
    /// The highest value of the episode.
    pub peak: f64,
    /// The limit.
    pub limit: f64,
    /// True if the value is an estimate.
    pub is_estimate: bool,
    /// The window, in seconds.
    pub window_seconds: f64,
    /// IP bytes of the subject in the window.
    pub bytes: u64,
    /// Contacts that were answered in the window; none for rules that do not ask.
    pub answered: Option<u64>,
    /// The first targets, as `address` or `address:port/protocol`.
    pub first_targets: Vec<String>,
    /// The last targets.
    pub last_targets: Vec<String>,
}

impl Notice {
    /// The fingerprint as a number.
    pub(super) fn id(&self) -> Fingerprint {
        Fingerprint(u64::from_str_radix(&self.fingerprint, 16).unwrap_or_default())
    }

    /// The moment on the packets' clock at which the alert began.
    pub(super) fn began(&self) -> Timestamp {
        Timestamp::from_nanoseconds(self.starts_at)
    }

    /// The notice that resolves a firing alert at a moment.
    pub(super) fn resolved_at(&self, moment: Timestamp) -> Self {
        Self { is_firing: false, ends_at: Some(moment.nanoseconds().max(self.starts_at)), ..self.clone() }
    }

    /// The notice that resolves an alert of an earlier run, which has not fired again in this one. The figures are the
    /// last ones of the earlier run, and the sentence says so.
    pub(super) fn orphaned_at(&self, moment: Timestamp) -> Self {
        let sentence = format!("{ORPHANED}{}", self.sentence);
        Self { sentence, ..self.resolved_at(moment) }
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn size(&self) -> usize {
        let texts = [&self.fingerprint, &self.kind, &self.rule, &self.severity, &self.side, &self.sentence];
        let targets = self.first_targets.iter().chain(&self.last_targets);
        let ends = [&self.source_name, &self.destination_name, &self.source_origin, &self.destination_origin];
        let names = ends.into_iter().flatten().chain(&self.processes);
        size_of::<Self>()
            + texts.iter().map(|text| text.capacity()).sum::<usize>()
            + names.map(String::capacity).sum::<usize>()
            + self.processes.len() * size_of::<String>()
            + self.target_names.iter().map(|(_, name)| size_of::<(IpAddr, String)>() + name.capacity()).sum::<usize>()
            + targets.map(|target| size_of::<String>() + target.capacity()).sum::<usize>()
    }

    /// The notice of a change.
    pub fn of(change: &Change) -> Self {
        let alert = change.alert();
        let (source, destination, network) = match alert.subject {
            Subject::Source(source) => (Some(source), None, None),
            Subject::Destination(destination) => (None, Some(destination), None),
            Subject::Pair { source, destination } => (Some(source), Some(destination), None),
            Subject::Network(network) => (None, None, Some(network)),
        };
        let (shown, names) = (alert.shown(), &alert.names);
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let Figures { window, first_targets, last_targets, .. } = &alert.figures;
        Self {
            fingerprint: alert.fingerprint.to_string(),
            is_firing: matches!(change, Change::Fired(_)),
            kind: alert.kind.label().to_owned(),
            rule: alert.rule.to_string(),
            severity: alert.severity.label().to_owned(),
            side: alert.side.label().to_owned(),
            source,
            destination,
            network,
            source_name: text(&names.source.name),
            destination_name: text(&names.destination.name),
            source_origin: text(&names.source.origin),
            destination_origin: text(&names.destination.origin),
            target_names: names.targets.iter().map(|(address, name)| (*address, name.as_ref().to_owned())).collect(),
            processes: names.processes.iter().map(ToString::to_string).collect(),
            starts_at: alert.starts_at.nanoseconds(),
            ends_at: alert.ends_at.map(Timestamp::nanoseconds),
            sentence: alert.explain(),
            value: shown.value,
            peak: alert.peak.value,
            limit: shown.limit,
            is_estimate: shown.is_estimate,
            window_seconds: window.as_secs_f64(),
            bytes: shown.bytes,
            answered: shown.answered,
            first_targets: first_targets.iter().map(name).collect(),
            last_targets: last_targets.iter().map(name).collect(),
        }
    }
}

/// The name of the alert of a kind, as in the alerting rules for Prometheus.
pub(super) fn alert_name(kind: &str) -> String {
    match kind {
        "bandwidth" => return "TrafficmonitorBandwidthExceeded".to_owned(),
        "policy" => return "TrafficmonitorNotPermitted".to_owned(),
        _ => {}
    }
    let words = kind.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    format!("Trafficmonitor{}", words.collect::<String>())
}

/// `10.0.0.1`, `10.0.0.1:443/tcp` or `[2001:db8::1]:443/tcp`.
fn name(target: &Target) -> String {
    match (target.port, target.protocol) {
        (Some(port), Some(protocol)) => {
            let end = SocketAddr::new(target.address, port);
            protocol_name(protocol).map_or_else(|| format!("{end}/{}", protocol.0), |name| format!("{end}/{name}"))
        }
        _ => target.address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::alert;
    use crate::alert::{AlertNames, EndNames};
    use crate::detect::Kind;
    use crate::names::LocalProcess;

    const NEW: [&str; 4] = ["source_origin", "destination_origin", "target_names", "processes"];

    #[test]
    fn names_outlive_a_restart_and_are_absent_where_none_is_known() {
        let (source, target) = (IpAddr::from([10, 0, 0, 5]), IpAddr::from([192, 0, 2, 1]));
        let change = Change::Fired(alert(Kind::HostScan, Subject::Source(source), Figures::default()));
        let hostile = "a\"<b>\n\u{202e}";
        let text = || Some(hostile.into());
        let end = EndNames { name: text(), origin: text() };
        let names = AlertNames {
            source: end.clone(),
            destination: end,
            targets: vec![(target, hostile.into())],
            processes: vec![LocalProcess { pid: 7, name: hostile.into(), container: None }],
        };
        let named = Notice::of(&change.with_names(names));
        assert_eq!(named.target_names, [(target, hostile.to_owned())]);
        assert_eq!(named.processes, [format!("{hostile} (7)")]);
        let read = |notice: &Notice| serde_json::from_str::<Notice>(&serde_json::to_string(notice).unwrap()).unwrap();
        assert_eq!(read(&named), named);
        assert_eq!(named.fingerprint, Notice::of(&change).fingerprint);
        let plain = Notice::of(&change);
        let written = serde_json::to_value(&plain).unwrap();
        assert!(NEW.iter().all(|key| written.get(key).is_none()), "as a journal of an earlier version");
        assert_eq!(read(&plain), plain);
        assert!(named.size() > plain.size() + 6 * hostile.len());
    }
}
