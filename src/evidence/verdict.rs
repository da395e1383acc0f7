//! The texts of an evidence file: its comment and its verdict.
//!
//! Takes a case and what its file lacks; gives text and JSON. Must not know files.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::EvidenceSetup;
use super::case::Case;
use super::writer::{FORM, configuration_name, seconds_since_1970};
use crate::alert::{AlertState, Change};
use crate::capture::printable;
use crate::detect::Kind;
use crate::events::line::rfc_3339;

/// With fewer bytes of a packet, some of its headers may be missing: Ethernet with two tags has 22 bytes, IPv6 with
/// extensions about 80, TCP 20.
const FEWEST_BYTES: u32 = 128;

/// The reasons why a window is not complete; none if it is.
pub(super) fn shortcomings(case: &Case, kept_bytes: u32, lost_packets: u64) -> Vec<String> {
    let mut reasons = Vec::new();
    if kept_bytes < FEWEST_BYTES {
        reasons.push(format!("packets were cut to {kept_bytes} bytes, which may lack headers"));
    }
    if let Some(left) = case.gaps.left_until {
        let held = case.fired_at.since(left);
        let wanted = case.fired_at.since(case.wanted_from());
        reasons.push(format!("the ring reached back {} of {}", seconds(held), seconds(wanted)));
    }
    if lost_packets > 0 {
        reasons.push(format!("{lost_packets} packets were lost in the window"));
    }
    if case.gaps.missed_chunks > 0 {
        reasons.push("packets left the ring before they could be written".to_owned());
    }
    if case.gaps.is_cut {
        reasons.push("the file was full before the alert fired".to_owned());
    }
    if case.alert.kind == Kind::Anomaly && case.start().is_some() {
        reasons.push("the rule compares with traffic from before the ring".to_owned());
    }
    if case.alert.shown().is_estimate {
        reasons.push("the figures are estimates".to_owned());
    }
    reasons
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// The comment of the section. `reasons` is none while the file is being written.
pub(super) fn comment(case: &Case, setup: &EvidenceSetup, reasons: Option<&[String]>) -> String {
    let alert = &case.alert;
    let shown = alert.shown();
    let window = match reasons {
        None => "not known; the file was not finished".to_owned(),
        Some([]) => "complete".to_owned(),
        Some(reasons) => format!("not complete: {}", reasons.join("; ")),
    };
    let lines = [
        format!("Packets of an alert of trafficmonitor {} on {}", setup.version, setup.host),
        alert.explain(),
        format!("kind {}, rule {}, fingerprint {}", alert.kind.label(), alert.rule, alert.fingerprint),
        format!("severity {}, side {}", alert.severity.label(), alert.side.label()),
        format!("value {}, limit {}, window {}", shown.value, shown.limit, seconds(alert.figures.window)),
        format!("from {} to {}, fired at {}", start(case), end(case), rfc_3339(case.fired_at)),
        format!("window {window}"),
        format!("configuration {}", configuration_name(&case.detection.configuration)),
    ];
    lines.map(|line| printable(&line)).join("\n")
}

fn start(case: &Case) -> String {
    case.start().map_or_else(|| "the start of the capture".to_owned(), rfc_3339)
}

fn end(case: &Case) -> String {
    case.alert.ends_at.map_or_else(|| "now".to_owned(), rfc_3339)
}

/// The verdict, without the facts about the file.
pub(super) fn verdict(case: &Case, setup: &EvidenceSetup, reasons: &[String]) -> Map<String, Value> {
    let change = match case.alert.state {
        AlertState::Resolved => Change::Resolved(case.alert.clone()),
        AlertState::Pending | AlertState::Firing => Change::Fired(case.alert.clone()),
    };
    let alert = (setup.describe_alert)(&change);
    let fields = json!({
        "form": FORM,
        "version": setup.version,
        "host": setup.host,
        "explanation": case.alert.explain(),
        "alert": serde_json::from_str::<Value>(&alert).ok(),
        "window": {
            "start": case.start().map(seconds_since_1970),
            "fired": seconds_since_1970(case.fired_at),
            "complete": reasons.is_empty(),
            "reasons": reasons,
        },
        "configuration": configuration_name(&case.detection.configuration),
    });
    if let Value::Object(fields) = fields { fields } else { Map::new() }
}
