//! The values of settings that say what is looked for, whose, and what is left out.

use ipnet::IpNet;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serializer};

use super::limits::{ByteLimit, Window};
use super::nearest::nearest;
use super::value::{Node, Scalars, Value, Written, expected};
use crate::alert::{Exclusion, Severity, SeverityRule, Side};
use crate::detect::Kind;
use crate::detect::anomaly::Method;
use crate::detect::bandwidth::{BandwidthDirection, NetworkLimit};
use crate::detect::scan;

/// One of several words. A word that is none of them is told the nearest one.
fn word_of<T: Value + Copy>(words: &[(&str, T)], text: &str) -> Result<T, String> {
    let known = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    known.ok_or_else(|| match nearest(text, words.iter().map(|(word, _)| *word)) {
        Some(near) => format!("did you mean {near}? {}", expected::<T>()),
        None => expected::<T>(),
    })
}

impl Value for Method {
    const EXPECTED: &'static str = "an anomaly test: cdf, diff, fence, highrank, ks, lowrank or magnitude";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        word_of(&Self::ALL.map(|method| (method.name(), method)), text)
    }

    fn text(&self) -> String {
        self.name().to_owned()
    }
}

impl Value for Kind {
    const EXPECTED: &'static str = "host_scan, port_scan, bandwidth or anomaly";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        word_of(&Self::ALL.map(|kind| (kind.label(), kind)), text)
    }

    fn text(&self) -> String {
        self.label().to_owned()
    }
}

const DIRECTIONS: [(&str, BandwidthDirection); 3] = [
    ("source", BandwidthDirection::Source),
    ("destination", BandwidthDirection::Destination),
    ("both", BandwidthDirection::Both),
];

impl Value for BandwidthDirection {
    const EXPECTED: &'static str = "source, destination or both";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        word_of(&DIRECTIONS, text)
    }

    fn text(&self) -> String {
        let name = match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Both => "both",
        };
        name.to_owned()
    }
}

const SCAN_RULES: [(&str, scan::Rule); 2] = [("evidence", scan::Rule::Evidence), ("contacts", scan::Rule::Contacts)];

impl Value for scan::Rule {
    const EXPECTED: &'static str = "evidence or contacts";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        word_of(&SCAN_RULES, text)
    }

    fn text(&self) -> String {
        let name = match self {
            Self::Evidence => "evidence",
            Self::Contacts => "contacts",
        };
        name.to_owned()
    }
}

impl Value for Severity {
    const EXPECTED: &'static str = "info, warning or critical";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        word_of(&Self::ALL.map(|severity| (severity.label(), severity)), text)
    }

    fn text(&self) -> String {
        self.label().to_owned()
    }
}

impl Value for Side {
    const EXPECTED: &'static str = "inside or outside";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        word_of(&Self::BOTH.map(|side| (side.label(), side)), text)
    }

    fn text(&self) -> String {
        self.label().to_owned()
    }
}

impl Value for SeverityRule {
    const EXPECTED: &'static str = "KIND=SEVERITY or KIND.SIDE=SEVERITY, such as bandwidth=critical or \
                                    host_scan.outside=warning (kinds host_scan, port_scan, bandwidth, anomaly; sides \
                                    inside, outside; severities info, warning, critical)";
    const SCALARS: Scalars = Scalars::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let (of, severity) = text.split_once('=').ok_or_else(expected::<Self>)?;
        let (kind, side) = match of.split_once('.') {
            Some((kind, side)) => (kind, Some(Side::from_text(side.trim())?)),
            None => (of, None),
        };
        Ok(Self { kind: Kind::from_text(kind.trim())?, side, severity: Severity::from_text(severity.trim())? })
    }

    fn text(&self) -> String {
        let side = self.side.map(|side| format!(".{}", side.label())).unwrap_or_default();
        format!("{}{side}={}", self.kind.label(), self.severity.label())
    }
}

/// A TCP or UDP port.
struct Port(u16);

impl Value for Port {
    const EXPECTED: &'static str = "a port from 1 to 65535";
    const SCALARS: Scalars = Scalars::Number;

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|port| *port > 0).map(Self).ok_or_else(expected::<Self>)
    }

    fn text(&self) -> String {
        self.0.to_string()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}

/// A limit as it stands in the file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NetworkLimitEntry {
    network: Node<IpNet>,
    limit: Node<ByteLimit>,
    interval: Node<Window>,
    rule: Node<String>,
    total: Node<bool>,
}

impl Value for NetworkLimit {
    const EXPECTED: &'static str = "a mapping such as {network: 192.0.2.0/24, limit: 5G}";
    const SCALARS: Scalars = Scalars::Nothing;

    fn from_text(_text: &str) -> Result<Self, String> {
        Err(expected::<Self>())
    }

    fn text(&self) -> String {
        self.network.to_string()
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let entry = NetworkLimitEntry::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Self {
            network: required(entry.network, "network")?,
            limit_bytes: required(entry.limit, "limit").map(|ByteLimit(bytes)| bytes)?,
            interval: entry.interval.0.map(|Window(interval)| interval),
            rule: entry.rule.0,
            total: entry.total.0.unwrap_or_default(),
        })
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("network", &Written(&self.network))?;
        map.serialize_entry("limit", &Written(&ByteLimit(self.limit_bytes)))?;
        if let Some(interval) = self.interval {
            map.serialize_entry("interval", &Written(&Window(interval)))?;
        }
        if let Some(rule) = &self.rule {
            map.serialize_entry("rule", &Written(rule))?;
        }
        if self.total {
            map.serialize_entry("total", &true)?;
        }
        map.end()
    }
}

/// A key that is there but empty is as one that is missing.
fn required<T: Value, E: de::Error>(Node(value): Node<T>, key: &'static str) -> Result<T, E> {
    value.ok_or_else(|| E::custom(format!("the key {key} is missing; {}", expected::<T>())))
}

/// An exclusion as it stands in the file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExclusionEntry {
    network: Node<IpNet>,
    port: Node<Port>,
    kind: Node<Kind>,
}

impl Value for Exclusion {
    const EXPECTED: &'static str = "a mapping with some or all of {network: 192.0.2.0/24, port: 53, kind: host_scan}";
    const SCALARS: Scalars = Scalars::Nothing;

    fn from_text(_text: &str) -> Result<Self, String> {
        Err(expected::<Self>())
    }

    fn text(&self) -> String {
        format!("{self:?}")
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let ExclusionEntry { network, port, kind } = ExclusionEntry::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Self { network: network.0, port: port.0.map(|Port(port)| port), kind: kind.0 })
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(network) = &self.network {
            map.serialize_entry("network", &Written(network))?;
        }
        if let Some(port) = self.port {
            map.serialize_entry("port", &Written(&Port(port)))?;
        }
        if let Some(kind) = &self.kind {
            map.serialize_entry("kind", &Written(kind))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written_and_others_find_their_neighbour() {
        for (name, direction) in DIRECTIONS {
            assert_eq!((BandwidthDirection::from_text(name), direction.text().as_str()), (Ok(direction), name));
        }
        for (name, rule) in SCAN_RULES {
            assert_eq!((scan::Rule::from_text(name), rule.text().as_str()), (Ok(rule), name));
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::from_text(kind.label()), Ok(kind));
        }
        for method in Method::ALL {
            assert_eq!(Method::from_text(&method.text()), Ok(method));
        }
        assert!(
            Method::from_text("hirank").unwrap_err().starts_with("did you mean highrank? expected an anomaly test")
        );
        assert_eq!(scan::Rule::from_text("guess"), Err("expected evidence or contacts".to_owned()));
    }

    #[test]
    fn a_severity_names_its_kind_and_perhaps_its_side() {
        for text in ["bandwidth=critical", "host_scan.outside=warning", "anomaly.inside=info"] {
            assert_eq!(SeverityRule::from_text(text).unwrap().text(), text);
        }
        assert_eq!(SeverityRule::from_text("port_scan . inside = info").unwrap().text(), "port_scan.inside=info");
        for (text, problem) in [
            ("bandwidth", "expected KIND=SEVERITY or KIND.SIDE=SEVERITY"),
            ("bandwith=info", "did you mean bandwidth? expected host_scan"),
            ("bandwidth=high", "expected info, warning or critical"),
            ("bandwidth=warnin", "did you mean warning? expected info, warning or critical"),
            ("bandwidth.within=info", "expected inside or outside"),
        ] {
            let error = SeverityRule::from_text(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
