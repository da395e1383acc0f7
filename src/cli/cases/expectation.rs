//! A mapping in a file of cases → the description of an alert.
//!
//! Takes nodes; gives expectations, or the first mistake. Must not know which alerts there are.

use super::{AlertPattern, Expectation, Moment};
use crate::config::SettingOrigin;
use crate::config::given::{Content, Given, RefusedSetting};
use crate::config::kinds::addresses::{FREE_TEXT, NETWORK};
use crate::config::kinds::durations::WAIT;
use crate::config::kinds::keywords::{ALERT_KIND, SEVERITY, SIDE};
use crate::config::kinds::numbers::BYTES;
use crate::config::kinds::rules::known_key;
use crate::config::kinds::{Scalar, Scalars, ValueKind as _, parse_optional};
use crate::detect::Kind;
use crate::packet::Timestamp;

const PATTERN_KEYS: [&str; 5] = ["kind", "source", "destination", "network", "rule"];
const EXPECTATION_KEYS: [&str; 10] =
    ["kind", "source", "destination", "network", "rule", "severity", "side", "min_value", "after", "before"];

/// A moment, as `after` and `before` have it.
const MOMENT: Scalar<Moment> = Scalar {
    form: "the time since the first packet in seconds or as a duration up to 366d, such as 12.5 or 2m, or a time in UTC \
           such as 2023-11-14T22:13:20Z",
    scalars: Scalars::TextOrNumber,
    parse: |text| {
        let since_first = (WAIT.parse)(text).map(Moment::SinceFirst);
        let at = || humantime::parse_rfc3339(text).ok().map(|time| Moment::At(Timestamp::from(time)));
        since_first.or_else(at)
    },
    show: |_| Content::Null,
    parse_raw: None,
};

const VALUE: Scalar<f64> = Scalar {
    form: "a number from 0, such as 16 or 0.9, or a number of bytes such as 5M",
    scalars: Scalars::TextOrNumber,
    parse: |text| {
        let number = text.parse().ok().or_else(|| BYTES.parse(text).ok().map(|bytes| bytes as f64));
        number.filter(|number: &f64| number.is_finite() && *number >= 0.0)
    },
    show: |_| Content::Null,
    parse_raw: None,
};

/// Reads an alert that must fire: its kind and subject, and more if it is given.
pub(super) fn expectation(node: &Given) -> Result<Expectation, RefusedSetting> {
    let (mut severity, mut side, mut min_value, mut after, mut before) = (None, None, None, None, None);
    let pattern = read_pattern(node, &EXPECTATION_KEYS, |key, value| {
        match key {
            "severity" => severity = parse_optional(&SEVERITY, value)?,
            "side" => side = parse_optional(&SIDE, value)?,
            "min_value" => min_value = parse_optional(&VALUE, value)?,
            "after" => after = parse_optional(&MOMENT, value)?,
            _ => before = parse_optional(&MOMENT, value)?,
        }
        Ok(())
    })?;
    if pattern.kind.is_none() {
        return Err(node.refused(format!("the key kind is missing; {}", ALERT_KIND.expected())));
    }
    if pattern.source.or(pattern.destination).or(pattern.network).is_none() {
        return Err(node.refused("the subject is missing; give source, destination or network"));
    }
    if is_later(after, before) {
        return Err(node.refused("after is later than before; no alert can fire then"));
    }
    Ok(Expectation { pattern, severity, side, min_value, after, before })
}

/// Reads a description of alerts that must not fire.
pub(super) fn pattern(node: &Given) -> Result<AlertPattern, RefusedSetting> {
    let pattern = read_pattern(node, &PATTERN_KEYS, |_, _| Ok(()))?;
    if pattern == (AlertPattern { line: pattern.line, ..AlertPattern::default() }) {
        return Err(node.refused(format!("nothing is described; give some of {}", PATTERN_KEYS.join(", "))));
    }
    Ok(pattern)
}

/// Reads the conditions of a pattern; `read_more` takes the other keys with their values.
fn read_pattern(
    node: &Given,
    keys: &[&'static str],
    mut read_more: impl FnMut(&str, &Given) -> Result<(), RefusedSetting>,
) -> Result<AlertPattern, RefusedSetting> {
    let Content::Mapping(entries) = &node.content else {
        return Err(node.refused("expected a mapping such as {kind: host_scan, source: 192.0.2.1}"));
    };
    let mut pattern = AlertPattern { line: line_of(node), ..AlertPattern::default() };
    for (key, value) in entries {
        match known_key(key, keys)? {
            "kind" => pattern.kind = parse_optional(&ALERT_KIND, value)?,
            "source" => pattern.source = parse_optional(&NETWORK, value)?,
            "destination" => pattern.destination = parse_optional(&NETWORK, value)?,
            "network" => pattern.network = parse_optional(&NETWORK, value)?,
            "rule" => pattern.rule = parse_optional(&FREE_TEXT, value)?,
            key => read_more(key, value)?,
        }
    }
    match pattern.kind.and_then(|kind| foreign_subject(kind, &pattern)) {
        Some(mistake) => Err(node.refused(mistake)),
        None => Ok(pattern),
    }
}

/// The mistake of a subject that alerts of the kind never have: such a pattern would match nothing.
fn foreign_subject(kind: Kind, pattern: &AlertPattern) -> Option<String> {
    let [source, destination, network] =
        [pattern.source, pattern.destination, pattern.network].map(|subject| subject.is_some());
    let (is_foreign, subject) = match kind {
        Kind::HostScan | Kind::PortScan | Kind::Policy => (destination || network, "a source; give source"),
        Kind::GroupScan => (source || destination, "a network as their subject; give network"),
        Kind::Anomaly => (network, "a source and a destination; give these"),
        Kind::Bandwidth => (false, ""),
    };
    is_foreign.then(|| format!("alerts of kind {} have {subject}", kind.label()))
}

fn line_of(node: &Given) -> u64 {
    match node.origin {
        SettingOrigin::File { line, .. } => line,
        _ => 0,
    }
}

/// True if the one moment is known to be later than the other.
fn is_later(one: Option<Moment>, other: Option<Moment>) -> bool {
    match (one, other) {
        (Some(Moment::SinceFirst(one)), Some(Moment::SinceFirst(other))) => one > other,
        (Some(Moment::At(one)), Some(Moment::At(other))) => one > other,
        _ => false,
    }
}
