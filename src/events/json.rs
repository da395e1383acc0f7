//! One JSON object a line and change, as CONTRACT has alerts:
//! `{"ts":1700000012.5,"src":"203.0.113.5","kind":"host_scan","state":"firing",…}`. Takes a change; gives an object in
//! one line. Must not know where it goes.
//!
//! | key | meaning |
//! |---|---|
//! | `ts` | the moment on the packets' clock at which the rule became true, in seconds; the same when it resolves |
//! | `src`, `dst` | sender and receiver: of a source `src` alone, of a destination `dst` alone, of a pair both |
//! | `network` | the network, where one is meant as a whole; then there is neither `src` nor `dst` |
//! | `src_name`, `dst_name` | names of sender and receiver, if names are looked for and known; text from the network |
//! | `src_origin`, `dst_origin` | vendor, country and autonomous system of sender and receiver, if they are known |
//! | `kind`, `rule` | what is found, and the name of the rule that found it |
//! | `state` | `firing` or `resolved` |
//! | `ends_at` | when it resolved, in seconds; of an alert that the end of a file cuts off, the last packet; not while it fires |
//! | `severity`, `side` | `info`, `warning` or `critical`; `inside` or `outside` the local networks |
//! | `lasted_seconds` | once it has resolved: the time for which it fired, from `ts` to `ends_at` |
//! | `traffic_seconds` | once it has resolved: the time from the first to the last packet that counted, where it is known; a multiple of a time cell for bandwidth |
//! | `value`, `limit`, `window_seconds` | the value (bytes, hosts, ports, a probability), its limit, and its window |
//! | `peak` | the highest value of the episode |
//! | `bytes` | IP bytes of the subject in the window |
//! | `answered` | contacts that were answered in the window; absent for rules that do not ask |
//! | `estimate` | `true` if `value` and `answered` are estimates; else absent |
//! | `first_targets`, `last_targets` | `{"dst":…,"dst_name":…,"proto":…,"dst_port":…}` of the first and the last that counted; all but `dst` where they are known. For bandwidth the first ones are the peers with the most bytes |
//! | `processes` | `{"pid":…,"name":…,"container":…}` of the processes of this host that hold the conversations, if any is known |
//! | `explanation` | the alert in a sentence, if asked for |
//! | `evidence` | of a scan, if asked for: `network`, `proto` and `dst_port` of the targets that were compared, as far as they have one in common; whether these `targets` are hosts or ports; the configured `limit`; how many `failed`, were `touched` and `used`; `touched_count` if touched ones count in `value`; the `setting` that would have silenced the alert with `silencing_value` or more |
//! | `fingerprint` | 16 hexadecimal digits, the same in every episode |
//!
//! `value`, `limit`, `bytes` and `answered` are of one moment: the latest while the alert fires, that of the peak once
//! it has resolved.

use std::io::{self, Write};

use super::line::LogLine;
use super::{Seconds, put_names, put_subject, state};
use crate::alert::{Alert, AlertNames, Change};
use crate::detect::{ScanEvidence, Target};
use crate::names::LocalProcess;

/// Writes a change as one line; with `explains`, also the alert and its evidence in words.
pub fn write<W: Write>(change: &Change, explains: bool, mut out: W) -> io::Result<()> {
    let mut object = object(change);
    if explains {
        object.put_text("explanation", &change.alert().explain());
        if let Some(evidence) = change.alert().shown().scan {
            object.put("evidence", scan_evidence(&evidence));
        }
    }
    out.write_all(object.finish().as_bytes())
}

/// A change as a JSON object, without a line feed.
pub fn text(change: &Change) -> String {
    object(change).close()
}

fn scan_evidence(evidence: &ScanEvidence) -> String {
    let mut object = LogLine::object();
    evidence.network.iter().for_each(|network| object.put_text("network", &network.to_string()));
    if let Some((protocol, port)) = evidence.port {
        object.put("proto", protocol.0);
        object.put("dst_port", port);
    }
    object.put_text("targets", if evidence.counts_ports { "ports" } else { "hosts" });
    object.put("limit", evidence.limit);
    object.put("failed", evidence.failed);
    object.put("touched", evidence.touched);
    object.put("used", evidence.used);
    object.put("touched_count", evidence.counts_touched);
    object.put_text("setting", evidence.setting);
    object.put("silencing_value", evidence.silencing_value);
    object.close()
}

fn object(change: &Change) -> LogLine {
    let alert = change.alert();
    let (Alert { figures, .. }, shown) = (alert, alert.shown());
    let mut object = LogLine::object();
    object.put("ts", Seconds::at(alert.starts_at));
    put_subject(&mut object, &alert.subject);
    put_names(&mut object, &alert.names);
    object.put_text("kind", alert.kind.label());
    object.put_text("state", state(change));
    object.put_text("rule", &alert.rule);
    if let Some(ends_at) = alert.ends_at {
        object.put("ends_at", Seconds::at(ends_at));
    }
    object.put_text("severity", alert.severity.label());
    object.put_text("side", alert.side.label());
    if let Some(lasted) = alert.lasted() {
        object.put("lasted_seconds", Seconds::of(lasted));
    }
    if let Some((time, _)) = alert.traffic_time() {
        object.put("traffic_seconds", Seconds::of(time));
    }
    object.put_number("value", shown.value);
    object.put_number("limit", shown.limit);
    object.put("window_seconds", Seconds::of(figures.window));
    object.put_number("peak", alert.peak.value);
    object.put("bytes", shown.bytes);
    if let Some(answered) = shown.answered {
        object.put("answered", answered);
    }
    if shown.is_estimate {
        object.put("estimate", true);
    }
    object.put("first_targets", list(&figures.first_targets, |target| target_object(target, &alert.names)));
    object.put("last_targets", list(&figures.last_targets, |target| target_object(target, &alert.names)));
    if !alert.names.processes.is_empty() {
        object.put("processes", list(&alert.names.processes, process_object));
    }
    object.put_text("fingerprint", &alert.fingerprint.to_string());
    object
}

fn list<T>(entries: &[T], object: impl Fn(&T) -> String) -> String {
    format!("[{}]", entries.iter().map(object).collect::<Vec<_>>().join(","))
}

fn target_object(target: &Target, names: &AlertNames) -> String {
    let mut object = LogLine::object();
    object.put_text("dst", &target.address.to_string());
    names.target(target.address).iter().for_each(|name| object.put_text("dst_name", name));
    target.protocol.iter().for_each(|protocol| object.put("proto", protocol.0));
    target.port.iter().for_each(|port| object.put("dst_port", port));
    object.close()
}

fn process_object(process: &LocalProcess) -> String {
    let mut object = LogLine::object();
    object.put("pid", process.pid);
    object.put_text("name", &process.name);
    process.container.iter().for_each(|container| object.put_text("container", container));
    object.close()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alert::tests::alert as firing;
    use crate::alert::{AlertState, EndNames, Fingerprint, Severity, Side};
    use crate::detect::{Figures, Kind, Subject};
    use crate::packet::{Protocol, Timestamp};

    fn alert(kind: Kind, rule: &str, subject: Subject) -> Alert {
        let figures =
            Figures { value: 16.0, limit: 15.0, window: Duration::from_secs(170), bytes: 640, ..Figures::default() };
        Alert {
            fingerprint: Fingerprint(0xab),
            rule: rule.into(),
            severity: Severity::Info,
            side: Side::Outside,
            starts_at: Timestamp::from_nanoseconds(1_700_000_012_500_000_000),
            ..firing(kind, subject, figures)
        }
    }

    fn line(change: &Change) -> String {
        let mut out = Vec::new();
        write(change, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn parsed(change: &Change) -> serde_json::Value {
        serde_json::from_str(&line(change)).unwrap()
    }

    #[test]
    fn a_line_has_the_keys_of_the_contract_and_the_figures() {
        let mut alert = alert(Kind::HostScan, "scan", Subject::Source("203.0.113.5".parse().unwrap()));
        let target = Target { address: "192.0.2.1".parse().unwrap(), protocol: Some(Protocol::TCP), port: Some(22) };
        alert.figures.answered = Some(1);
        alert.figures.first_targets = vec![target];
        alert.figures.last_targets = vec![Target { protocol: Some(Protocol::ICMP), port: None, ..target }];
        assert_eq!(
            line(&Change::Fired(alert)),
            concat!(
                r#"{"ts":1700000012.5,"src":"203.0.113.5","kind":"host_scan","state":"firing","rule":"scan","#,
                r#""severity":"info","side":"outside","value":16,"limit":15,"window_seconds":170,"peak":16,"bytes":640,"answered":1,"#,
                r#""first_targets":[{"dst":"192.0.2.1","proto":6,"dst_port":22}],"#,
                r#""last_targets":[{"dst":"192.0.2.1","proto":1}],"fingerprint":"00000000000000ab"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn known_names_stand_beside_the_addresses_as_inert_text() {
        let hostile = "a\"<b>\n\u{1b}[31m\u{202e}";
        let (source, destination) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut alert = alert(Kind::Anomaly, "anomaly", Subject::Pair { source, destination });
        let target = |address| Target { address, protocol: None, port: None };
        (alert.figures.first_targets, alert.figures.last_targets) = (vec![target(destination)], vec![target(source)]);
        let change = Change::Fired(alert);
        let names = AlertNames {
            source: EndNames { name: Some(hostile.into()), origin: None },
            destination: EndNames { name: Some("nas.lan".into()), origin: Some(hostile.into()) },
            targets: vec![(destination, hostile.into())],
            processes: vec![LocalProcess { pid: 7, name: hostile.into(), container: Some(hostile.into()) }],
        };
        let named = change.with_names(names);
        assert_eq!(line(&named).lines().count(), 1);
        assert!(!line(&named).contains(['\u{1b}', '\u{202e}']));
        let object = parsed(&named);
        assert_eq!((&object["src_name"], &object["dst_name"]), (&hostile.into(), &"nas.lan".into()));
        assert_eq!((&object["src_origin"], &object["dst_origin"]), (&serde_json::Value::Null, &hostile.into()));
        assert_eq!(object["first_targets"], serde_json::json!([{"dst": "10.0.0.2", "dst_name": hostile}]));
        assert_eq!(object["last_targets"], serde_json::json!([{"dst": "10.0.0.1"}]));
        assert_eq!(object["processes"], serde_json::json!([{"pid": 7, "name": hostile, "container": hostile}]));
        let keys = ["src_name", "dst_name", "src_origin", "dst_origin", "processes"];
        assert!(keys.iter().all(|key| parsed(&change).get(key).is_none()));
    }

    #[test]
    fn resolved_alert_has_its_end_and_keeps_its_start() {
        let mut alert = alert(Kind::Bandwidth, "bandwidth", Subject::Source("2001:db8::5".parse().unwrap()));
        alert.state = AlertState::Resolved;
        alert.ends_at = Some(Timestamp::from_nanoseconds(1_700_000_100_000_000_000));
        (alert.figures.value, alert.figures.limit) = (1.0, 2.0);
        (alert.peak.value, alert.peak.limit) = (5e12, 1e12);
        let object = parsed(&Change::Resolved(alert));
        assert_eq!((&object["ts"], &object["ends_at"]), (&1_700_000_012.5.into(), &1_700_000_100.into()));
        assert_eq!((&object["state"], &object["value"]), (&"resolved".into(), &5_000_000_000_000_u64.into()));
        assert_eq!(object["limit"], 1_000_000_000_000_u64, "of the same moment as the value");
        assert_eq!(object["lasted_seconds"], 87.5);
        assert_eq!(object["answered"], serde_json::Value::Null);
    }

    #[test]
    fn each_subject_has_its_keys() {
        let (source, destination) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let keys = |subject| {
            let object = parsed(&Change::Fired(alert(Kind::Anomaly, "anomaly", subject)));
            ["src", "dst", "network"].map(|key| object[key].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(keys(Subject::Source(source)), ["10.0.0.1", "", ""]);
        assert_eq!(keys(Subject::Destination(destination)), ["", "10.0.0.2", ""]);
        assert_eq!(keys(Subject::Pair { source, destination }), ["10.0.0.1", "10.0.0.2", ""]);
        assert_eq!(keys(Subject::Network("10.0.0.0/8".parse().unwrap())), ["", "", "10.0.0.0/8"]);
    }

    #[test]
    fn hostile_names_and_numbers_stay_within_one_line_of_json() {
        let name = "a\"b\\c\nd\u{1b}[31m\u{2028}\u{9b}31m\u{202e}é";
        let mut alert = alert(Kind::Bandwidth, name, Subject::Source("10.0.0.1".parse().unwrap()));
        alert.figures.value = f64::NAN;
        alert.figures.limit = f64::INFINITY;
        alert.figures.window = Duration::MAX;
        let change = Change::Fired(alert);
        assert_eq!(line(&change).lines().count(), 1);
        assert!(!line(&change).trim_end().contains(crate::capture::printable::is_unsafe));
        let object = parsed(&change);
        assert_eq!(object["rule"], name);
        assert!(object["value"].is_null() && object["limit"].is_null());
    }
}
