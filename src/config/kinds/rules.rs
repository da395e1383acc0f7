//! The kinds of values that are rules: severities, limits of networks, exclusions from alerts.
//!
//! Takes a text or a mapping; gives a rule. Must not know whether rules contradict each other.

use super::super::given::{Content, Given, RefusedSetting};
use super::addresses::{NETWORK, RULE_NAME};
use super::durations::WINDOW;
use super::keywords::{ALERT_KIND, BOOLEAN, SEVERITY, SIDE};
use super::numbers::{BYTE_LIMIT, PORT};
use super::{Scalars, ValueKind, mistyped, parse_optional};
use crate::alert::{Exclusion, SeverityRule};
use crate::detect::bandwidth::NetworkLimit;

/// The severity of a kind of alerts, on one side or on both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeverityOfKind;

impl ValueKind for SeverityOfKind {
    type Value = SeverityRule;

    fn form(&self) -> String {
        "KIND=SEVERITY or KIND.SIDE=SEVERITY, such as bandwidth=critical or host_scan.outside=warning (kinds host_scan, \
         port_scan, group_scan, bandwidth, anomaly, policy; sides inside, outside; severities info, warning, critical)"
            .to_owned()
    }

    fn parse(&self, text: &str) -> Result<SeverityRule, String> {
        let (of, severity) = text.split_once('=').ok_or_else(|| self.expected())?;
        let (kind, side) = match of.split_once('.') {
            Some((kind, side)) => (kind, Some(SIDE.parse(side.trim())?)),
            None => (of, None),
        };
        Ok(SeverityRule { kind: ALERT_KIND.parse(kind.trim())?, side, severity: SEVERITY.parse(severity.trim())? })
    }

    fn show(&self, rule: &SeverityRule) -> Content {
        let side = rule.side.map(|side| format!(".{}", side.label())).unwrap_or_default();
        Content::Text(format!("{}{side}={}", rule.kind.label(), rule.severity.label()))
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct LimitOfNetwork;

impl LimitOfNetwork {
    pub(super) const KEYS: &[&str] = &["network", "limit", "interval", "rule", "total"];
}

impl ValueKind for LimitOfNetwork {
    type Value = NetworkLimit;

    fn form(&self) -> String {
        "a mapping such as {network: 192.0.2.0/24, limit: 5G}".to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::None
    }

    fn show(&self, limit: &NetworkLimit) -> Content {
        mapping([
            ("network", Some(NETWORK.show(&limit.network))),
            ("limit", Some(BYTE_LIMIT.show(&limit.limit_bytes))),
            ("interval", limit.interval.map(|interval| WINDOW.show(&interval))),
            ("rule", limit.rule.as_ref().map(|rule| RULE_NAME.show(rule))),
            ("total", limit.total.then_some(Content::Bool(true))),
        ])
    }

    fn parse_given(&self, given: &Given) -> Result<NetworkLimit, RefusedSetting> {
        let (mut network, mut limit, mut interval, mut rule, mut total) = (None, None, None, None, None);
        for (key, value) in keys_and_values(self, given)? {
            match known_key(key, Self::KEYS)? {
                "network" => network = parse_optional(&NETWORK, value)?,
                "limit" => limit = parse_optional(&BYTE_LIMIT, value)?,
                "interval" => interval = parse_optional(&WINDOW, value)?,
                "rule" => rule = parse_optional(&RULE_NAME, value)?,
                _ => total = parse_optional(&BOOLEAN, value)?,
            }
        }
        Ok(NetworkLimit {
            network: network.ok_or_else(|| missing(given, "network", &NETWORK))?,
            limit_bytes: limit.ok_or_else(|| missing(given, "limit", &BYTE_LIMIT))?,
            interval,
            rule,
            total: total.unwrap_or_default(),
        })
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ExcludedTraffic;

impl ExcludedTraffic {
    pub(super) const KEYS: &[&str] = &["network", "source", "destination", "port", "source_port", "kind"];
}

impl ValueKind for ExcludedTraffic {
    type Value = Exclusion;

    fn form(&self) -> String {
        "a mapping with some or all of {network: 192.0.2.0/24, source: 192.0.2.0/24, destination: 198.51.100.0/24, port: 53, \
         source_port: 53, kind: host_scan}"
            .to_owned()
    }

    fn scalars(&self) -> Scalars {
        Scalars::None
    }

    fn show(&self, exclusion: &Exclusion) -> Content {
        mapping([
            ("network", exclusion.network.map(|network| NETWORK.show(&network))),
            ("source", exclusion.source.map(|network| NETWORK.show(&network))),
            ("destination", exclusion.destination.map(|network| NETWORK.show(&network))),
            ("port", exclusion.port.map(|port| PORT.show(&port))),
            ("source_port", exclusion.source_port.map(|port| PORT.show(&port))),
            ("kind", exclusion.kind.map(|kind| ALERT_KIND.show(&kind))),
        ])
    }

    fn parse_given(&self, given: &Given) -> Result<Exclusion, RefusedSetting> {
        let mut exclusion = Exclusion::default();
        for (key, value) in keys_and_values(self, given)? {
            match known_key(key, Self::KEYS)? {
                "network" => exclusion.network = parse_optional(&NETWORK, value)?,
                "source" => exclusion.source = parse_optional(&NETWORK, value)?,
                "destination" => exclusion.destination = parse_optional(&NETWORK, value)?,
                "port" => exclusion.port = parse_optional(&PORT, value)?,
                "source_port" => exclusion.source_port = parse_optional(&PORT, value)?,
                _ => exclusion.kind = parse_optional(&ALERT_KIND, value)?,
            }
        }
        Ok(exclusion)
    }
}

/// The mapping of those keys that have a value.
pub(super) fn mapping<const N: usize>(entries: [(&'static str, Option<Content>); N]) -> Content {
    let entries = entries.into_iter().filter_map(|(key, value)| {
        let key = Content::Text(key.to_owned());
        Some((key.into(), value?.into()))
    });
    Content::Mapping(entries.collect())
}

pub(super) fn keys_and_values<'a>(
    kind: &impl ValueKind,
    given: &'a Given,
) -> Result<&'a [(Given, Given)], RefusedSetting> {
    match &given.content {
        Content::Mapping(entries) => Ok(entries),
        _ => Err(mistyped(kind, given)),
    }
}

/// The key in this node, if it is one of `keys`.
pub(crate) fn known_key(node: &Given, keys: &[&'static str]) -> Result<&'static str, RefusedSetting> {
    let known = keys.iter().find(|key| node.text().is_some_and(|text| text == **key));
    known.copied().ok_or_else(|| RefusedSetting::UnknownKey { key: node.clone(), known: keys.to_vec() })
}

/// The refusal of a mapping without a necessary key. An empty value counts as missing.
pub(super) fn missing(given: &Given, key: &str, kind: &impl ValueKind) -> RefusedSetting {
    given.refused(format!("the key {key} is missing; {}", kind.expected()))
}
