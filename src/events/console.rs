//! One line per change of an alert, for people and for log collectors: the form of the program's own log. Takes a
//! change; gives a line of text. Must not know where it goes.
//!
//! | field | meaning |
//! |---|---|
//! | `ts` | the packet time at which the alert began to fire, or resolved |
//! | `level` | `info`, `warn` or `error` for the severities info, warning and critical; `info` for an end |
//! | `msg` | `alert firing` or `alert resolved`; with `-explain` the alert in a sentence |
//! | `state`, `kind`, `rule` | as in [`super::json`] |
//! | `severity`, `side` | the urgency; whether the subject is inside or outside the local networks |
//! | `src`, `dst`, `network` | the subject |
//! | `src_name`, `dst_name`, `src_origin`, `dst_origin` | as in [`super::json`] |
//! | `starts_at`, `lasted_seconds`, `traffic_seconds` | only once it has resolved: as in [`super::json`] (`starts_at` is its `ts`) |
//! | `value`, `limit`, `bytes`, `answered` | figures of one moment: the latest, or those of the peak once it has resolved |
//! | `estimate` | `true` if `value` and `answered` are estimates |
//! | `window_seconds` | the window that the figures are of |
//! | `peak` | the highest value of the episode |
//! | `evidence` | of a scan, with `-explain`: which contacts were compared, their outcomes, and the setting that would silence it |
//! | `first_target`, `last_target` | the first and the last target; for bandwidth the peer with the most bytes |
//! | `first_target_name`, `last_target_name` | their names, if they are known |
//! | `processes` | processes of this host that hold the conversations, if they are known |
//! | `fingerprint` | the same in every episode |
//!
//! The line `evidence file written` has the `fingerprint` and `starts_at` of an alert, and `path`, `sha256` and `packets` of
//! its file; `complete` is `true` if the file holds all that the verdict rests on.

use super::line::{LineForm, LogLine, rfc_3339};
use super::{Seconds, put_names, put_subject, state};
use crate::alert::{Alert, Change, EvidenceFile, Fingerprint, Severity};
use crate::detect::Target;
use crate::packet::Timestamp;

/// The form and the message of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// The form, that of the program's own log.
    pub form: LineForm,
    /// Write the alert in a sentence as the message.
    pub explain: bool,
}

/// A change as one line, with its line feed.
pub fn line(change: &Change, style: Style) -> String {
    let alert = change.alert();
    let message = if style.explain { alert.explain() } else { format!("alert {}", state(change)) };
    let time = alert.ends_at.unwrap_or(alert.starts_at);
    let mut line = LogLine::new(style.form, time, level(change), &message);
    line.put_text("state", state(change));
    line.put_text("kind", alert.kind.label());
    line.put_text("rule", &alert.rule);
    line.put_text("severity", alert.severity.label());
    line.put_text("side", alert.side.label());
    put_subject(&mut line, &alert.subject);
    put_names(&mut line, &alert.names);
    put_figures(&mut line, alert);
    put_targets(&mut line, alert);
    if let Some(evidence) = alert.explain_evidence().filter(|_| style.explain) {
        line.put_text("evidence", &evidence);
    }
    line.put_text("fingerprint", &alert.fingerprint.to_string());
    line.finish()
}

/// The line of a finished evidence file.
pub fn evidence_line(alert: Fingerprint, file: &EvidenceFile, time: Timestamp, form: LineForm) -> String {
    let mut line = LogLine::new(form, time, "info", "evidence file written");
    line.put_text("fingerprint", &alert.to_string());
    line.put_text("starts_at", &rfc_3339(file.starts_at));
    line.put_text("path", &file.path.display().to_string());
    line.put_text("sha256", &file.sha256);
    line.put("packets", file.packets);
    line.put("complete", file.is_complete);
    line.finish()
}

const fn level(change: &Change) -> &'static str {
    match change {
        Change::Resolved(_) => "info",
        Change::Fired(alert) => match alert.severity {
            Severity::Info => "info",
            Severity::Warning => "warn",
            Severity::Critical => "error",
        },
    }
}

fn put_figures(line: &mut LogLine, alert: &Alert) {
    let shown = alert.shown();
    if alert.ends_at.is_some() {
        line.put_text("starts_at", &rfc_3339(alert.starts_at));
    }
    if let Some(lasted) = alert.lasted() {
        line.put("lasted_seconds", Seconds::of(lasted));
    }
    if let Some((time, _)) = alert.traffic_time() {
        line.put("traffic_seconds", Seconds::of(time));
    }
    line.put_number("value", shown.value);
    line.put_number("limit", shown.limit);
    line.put("window_seconds", Seconds::of(alert.figures.window));
    line.put_number("peak", alert.peak.value);
    line.put("bytes", shown.bytes);
    shown.answered.iter().for_each(|answered| line.put("answered", answered));
    if shown.is_estimate {
        line.put("estimate", true);
    }
}

fn put_targets(line: &mut LogLine, alert: &Alert) {
    let mut put = |key: &str, name_key: &str, target: Option<&Target>| {
        let Some(target) = target else { return };
        line.put_text(key, &target.to_string());
        alert.names.target(target.address).iter().for_each(|name| line.put_text(name_key, name));
    };
    put("first_target", "first_target_name", alert.figures.first_targets.first());
    put("last_target", "last_target_name", alert.figures.last_targets.last());
    let processes: Vec<String> = alert.names.processes.iter().map(ToString::to_string).collect();
    if !processes.is_empty() {
        line.put_text("processes", &processes.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alert::tests::alert as firing;
    use crate::alert::{AlertNames, AlertState, EndNames, Side};
    use crate::detect::{Figures, Kind, LargestPeer, Span, Subject};
    use crate::names::LocalProcess;
    use crate::packet::Protocol;

    fn largest_peer() -> LargestPeer {
        let address = "10.0.0.5".parse().unwrap();
        let bytes = 1_900_000_000;
        LargestPeer {
            address,
            bytes,
            least_bytes: bytes,
            of_bytes: 2_000_000_000,
            peers: 3,
            known_bytes: 2_000_000_000,
        }
    }

    fn alert(rule: &str) -> Alert {
        let subject = Subject::Source("203.0.113.5".parse().unwrap());
        let figures = Figures {
            value: 2e9,
            limit: 1e9,
            window: Duration::from_millis(170_500),
            bytes: 2_000_000_000,
            largest_peer: Some(largest_peer()),
            first_targets: vec![Target { address: "10.0.0.5".parse().unwrap(), protocol: None, port: None }],
            ..Figures::default()
        };
        Alert {
            fingerprint: Fingerprint(0xab),
            rule: rule.into(),
            side: Side::Outside,
            starts_at: Timestamp::from_nanoseconds(1_700_000_012_500_000_000),
            ..firing(Kind::Bandwidth, subject, figures)
        }
    }

    fn written(change: &Change, form: LineForm, explain: bool) -> String {
        line(change, Style { form, explain })
    }

    #[test]
    fn evidence_file_has_a_line_with_its_place_and_hash() {
        let at = |seconds: i64| Timestamp::from_nanoseconds(seconds * 1_000_000_000);
        let file = EvidenceFile {
            starts_at: at(1_700_000_000),
            path: "/archive/a \"b\".pcapng".into(),
            is_finished: true,
            sha256: "00ff".to_owned(),
            packets: 7,
            is_complete: false,
        };
        assert_eq!(
            evidence_line(Fingerprint(0xab), &file, at(1_700_000_060), LineForm::Logfmt),
            "ts=2023-11-14T22:14:20.000000Z level=info msg=\"evidence file written\" fingerprint=00000000000000ab \
             starts_at=2023-11-14T22:13:20.000000Z path=\"/archive/a \\\"b\\\".pcapng\" sha256=00ff packets=7 complete=false\n"
        );
    }

    fn resolved() -> Change {
        let at = |seconds: i64| Timestamp::from_nanoseconds(seconds * 500_000_000 + 1_700_000_000_000_000_000);
        let mut alert = Alert { state: AlertState::Resolved, ends_at: Some(at(201)), ..alert("bandwidth") };
        alert.span = Some(Span { first: at(20), last: at(36), precision: Duration::from_secs(1) });
        // The last figures are not those of the peak.
        (alert.figures.value, alert.figures.bytes, alert.figures.limit) = (5.0, 5, 7.0);
        Change::Resolved(alert)
    }

    #[test]
    fn a_line_has_its_fields() {
        assert_eq!(
            written(&Change::Fired(alert("bandwidth")), LineForm::Logfmt, false),
            "ts=2023-11-14T22:13:32.500000Z level=warn msg=\"alert firing\" state=firing kind=bandwidth rule=bandwidth \
             severity=warning side=outside src=203.0.113.5 value=2000000000 limit=1000000000 window_seconds=170.5 \
             peak=2000000000 bytes=2000000000 first_target=10.0.0.5 fingerprint=00000000000000ab\n"
        );
    }

    #[test]
    fn an_end_has_the_figures_of_the_peak_and_the_time_of_the_packets() {
        assert_eq!(
            written(&resolved(), LineForm::Logfmt, false),
            "ts=2023-11-14T22:15:00.500000Z level=info msg=\"alert resolved\" state=resolved kind=bandwidth \
             rule=bandwidth severity=warning side=outside src=203.0.113.5 starts_at=2023-11-14T22:13:32.500000Z \
             lasted_seconds=88 traffic_seconds=8 value=2000000000 limit=1000000000 window_seconds=170.5 peak=2000000000 bytes=2000000000 \
             first_target=10.0.0.5 fingerprint=00000000000000ab\n"
        );
    }

    #[test]
    fn json_has_the_same_fields() {
        for change in [Change::Fired(alert("bandwidth")), resolved()] {
            let object: serde_json::Value = serde_json::from_str(&written(&change, LineForm::Json, false)).unwrap();
            let logfmt = written(&change, LineForm::Logfmt, false).replace("msg=\"alert ", "msg=\"alert_");
            let keys: Vec<&str> = logfmt.split_whitespace().map(|field| field.split_once('=').unwrap().0).collect();
            let mut of_json: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            of_json.sort_unstable();
            assert_eq!(of_json, sorted);
            assert_eq!(object["value"], 2_000_000_000_u64);
        }
    }

    #[test]
    fn the_message_may_be_a_sentence() {
        let firing = written(&Change::Fired(alert("bandwidth")), LineForm::Logfmt, true);
        let sentence = "203.0.113.5 sent 2 GB in the last 170.5 s (limit 1 GB), most of it to 10.0.0.5";
        assert!(firing.contains(&format!(" msg=\"{sentence}\" state=firing ")), "{firing}");
        let end = written(&resolved(), LineForm::Logfmt, true);
        let sentence = "resolved after 88 s (traffic of about 8 s): 203.0.113.5 sent 2 GB within 170.5 s (limit 1 GB), most of it to 10.0.0.5";
        assert!(end.contains(&format!(" msg=\"{sentence}\" state=resolved ")), "{end}");
    }

    #[test]
    fn the_level_follows_the_severity() {
        for (severity, level) in [(Severity::Info, "info"), (Severity::Warning, "warn"), (Severity::Critical, "error")]
        {
            let line = written(&Change::Fired(Alert { severity, ..alert("bandwidth") }), LineForm::Logfmt, false);
            assert!(line.contains(&format!(" level={level} ")), "{line}");
        }
    }

    #[test]
    fn estimates_and_targets_are_named() {
        let mut alert = Alert { kind: Kind::HostScan, ..alert("host_scan") };
        let target = Target { address: "2001:db8::9".parse().unwrap(), protocol: Some(Protocol::TCP), port: Some(22) };
        alert.figures.is_estimate = true;
        alert.figures.last_targets = vec![target];
        let line = written(&Change::Fired(alert), LineForm::Logfmt, false);
        assert!(line.contains(" estimate=true first_target=10.0.0.5 last_target=[2001:db8::9]:22/tcp "), "{line}");
    }

    #[test]
    fn hostile_names_stay_within_their_field() {
        let hostile = "a\"\n\u{1b}[31mb=c";
        let name = || Some(hostile.into());
        let end = EndNames { name: name(), origin: name() };
        let names = AlertNames {
            source: end.clone(),
            destination: end,
            targets: vec![("10.0.0.5".parse().unwrap(), hostile.into())],
            processes: vec![LocalProcess { pid: 7, name: hostile.into(), container: name() }],
        };
        let line = written(&Change::Fired(Alert { names, ..alert("x") }), LineForm::Logfmt, false);
        let text = r#"a\"\n\u{1b}[31mb=c"#;
        for key in ["src_name", "dst_name", "src_origin", "dst_origin", "first_target_name"] {
            assert!(line.contains(&format!(" {key}=\"{text}\" ")), "{line}");
        }
        assert!(line.contains(&format!(" processes=\"{text} (7) in {text}\" fingerprint=")), "{line}");
        assert_eq!(line.lines().count(), 1);
        for (rule, field) in [("a=b", " rule=\"a=b\" "), ("a\"\n\u{1b}[31mb", " rule=\"a\\\"\\n\\u{1b}[31mb\" ")] {
            let line = written(&Change::Fired(alert(rule)), LineForm::Logfmt, false);
            assert!(line.contains(field), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
    }
}
