use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::notify::config::AlertSelection;
use crate::notify::made::{evidence, notice, resolved};
use crate::notify::secret::SecretSource;

mod limits;

const URL: &str = "https://monitor.example.net";

fn vendors() -> [Vendor; 5] {
    let key = SecretSource::Given(Secret::new("canary"));
    [
        Vendor::Alertmanager,
        Vendor::Slack { channel: Some("#net".to_owned()), emoji: Some(":warning:".to_owned()), icon: None },
        Vendor::PagerDuty { routing_key: key.clone() },
        Vendor::Opsgenie { api_key: key },
        Vendor::Webhook,
    ]
}

fn receiver(vendor: Vendor) -> Box<dyn Receiver> {
    of(&ReceiverConfig {
        name: "team".to_owned(),
        vendor,
        url: None,
        timeout: Duration::from_secs(10),
        headers: BTreeMap::new(),
        ca_file: None,
        selection: AlertSelection::default(),
    })
}

/// A request of a host named monitor1, one minute after the alerts began.
fn request(vendor: Vendor, notices: &[Notice], unnamed: [u64; 2]) -> Request {
    let key = Secret::new("canary");
    let context = Context {
        now: Timestamp::from_nanoseconds(1_700_000_060_000_000_000),
        host: "monitor1",
        external_url: Some(URL),
        runbook_url: Some("https://wiki.example.net/runbooks#{alert}"),
        unnamed,
        evidence: &|_| Some(evidence()),
        key: Some(&key),
    };
    receiver(vendor).request(notices, &context)
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// As [`request`], without evidence and links.
fn bare(vendor: Vendor, notices: &[Notice]) -> Request {
    let now = Timestamp::from_nanoseconds(1_700_000_060_000_000_000);
    let context = Context {
        now,
        host: "monitor1",
        external_url: None,
        runbook_url: None,
        unnamed: [0; 2],
        evidence: &|_| None,
        key: None,
    };
    receiver(vendor).request(notices, &context)
}

const EVIDENCE_URL: &str = "https://monitor.example.net/alerts/00000000000000ab/evidence";
const RUNBOOK_URL: &str = "https://wiki.example.net/runbooks#trafficmonitorhostscan";

const DESCRIPTION: &str = "10.0.0.5 tried 22 hosts of 192.0.2.0/24 at 22/tcp in the last 170 s, 20 failed (limit 15): first \
                           192.0.2.1:22/tcp. Rule host_scan at monitor1, severity warning, inside the local networks, \
                           since 2023-11-14T22:13:20Z. Evidence: /var/lib/trafficmonitor/a.pcapng (42 packets, SHA-256 \
                           00ff). Packets: https://monitor.example.net/alerts/00000000000000ab/evidence";

fn labels() -> Value {
    json!({
        "alertname": "TrafficmonitorHostScan",
        "job": "trafficmonitor",
        "instance": "monitor1",
        "kind": "host_scan",
        "rule": "host_scan",
        "severity": "warning",
        "side": "inside",
        "source": "10.0.0.5",
    })
}

fn annotations() -> Value {
    json!({
        "summary": "10.0.0.5 scans hosts",
        "description": DESCRIPTION,
        "value": "20",
        "limit": "15",
        "fingerprint": "00000000000000ab",
        "evidence": "/var/lib/trafficmonitor/a.pcapng",
        "evidence_packets": "42",
        "evidence_complete": "true",
        "evidence_sha256": "00ff",
        "evidence_url": EVIDENCE_URL,
        "runbook_url": RUNBOOK_URL,
    })
}

// ---- Golden requests -----------------------------------------------------------------------------------------------------

/// All texts of a JSON value, without its keys.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(entries) => entries.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn alertmanager_gets_an_array_of_firing_and_resolved_alerts() {
    let request = request(Vendor::Alertmanager, &[notice("host_scan"), resolved("bandwidth")], [0; 2]);
    assert_eq!((request.path.as_str(), request.headers.len()), ("/api/v2/alerts", 0));
    let body = body(&request);
    let firing = json!({
        "labels": labels(),
        "annotations": annotations(),
        "startsAt": "2023-11-14T22:13:20Z",
        "endsAt": "2023-11-14T22:18:20Z",
        "generatorURL": EVIDENCE_URL,
    });
    assert_eq!(body[0], firing);
    assert_eq!(body[1]["labels"]["alertname"], "TrafficmonitorBandwidthExceeded");
    assert_eq!([&body[1]["startsAt"], &body[1]["endsAt"]], ["2023-11-14T22:13:20Z", "2023-11-14T22:16:05Z"]);
}

#[test]
fn end_after_a_restart_says_at_every_receiver_that_the_alert_has_not_fired_again() {
    let orphan = notice("host_scan").orphaned_at(Timestamp::from_nanoseconds(1_700_000_300_000_000_000));
    for vendor in vendors() {
        let body = body(&request(vendor.clone(), std::slice::from_ref(&orphan), [0; 2]));
        let words = "resolved: it has not fired again since the restart; last seen: 10.0.0.5 tried 22 hosts";
        assert!(texts(&body).iter().any(|text| text.contains(words)), "{vendor:?}: {body:#}");
    }
}

#[test]
fn labels_of_alertmanager_are_the_same_from_the_first_request_to_the_last() {
    let later = Notice { value: 99.0, sentence: "other".to_owned(), ..resolved("host_scan") };
    let labels = |notice| body(&request(Vendor::Alertmanager, &[notice], [0; 2]))[0]["labels"].clone();
    assert_eq!(labels(notice("host_scan")), labels(later));
    assert_eq!(labels(notice("host_scan")), labels(named()), "a name may become known while it fires");
}

/// A notice all of whose names are known.
fn named() -> Notice {
    let name = || Some("nas".to_owned());
    Notice {
        source_name: name(),
        source_origin: name(),
        target_names: vec![
            ([192, 0, 2, 1].into(), "nas".to_owned()),
            ("2001:db8:100::1".parse().unwrap(), "vault".to_owned()),
        ],
        processes: vec!["sshd (812)".to_owned()],
        ..notice("host_scan")
    }
}

#[test]
fn every_receiver_is_told_the_names_of_targets_and_processes() {
    for vendor in vendors() {
        let body = body(&request(vendor.clone(), &[named()], [0; 2]));
        let has = |words: &str| texts(&body).iter().any(|text| text.contains(words));
        assert!(has("192.0.2.1 is nas") || has("192.0.2.1 nas"), "{vendor:?}: {body:#}");
        assert!(has("sshd (812)"), "{vendor:?}: {body:#}");
    }
}

#[test]
fn alert_of_alertmanager_never_ends_before_it_starts() {
    let ended = Notice { ends_at: Some(0), ..resolved("host_scan") };
    let unknown = Notice { ends_at: None, ..resolved("host_scan") };
    let body = body(&request(Vendor::Alertmanager, &[ended, unknown], [0; 2]));
    assert_eq!(body[0]["endsAt"], "2023-11-14T22:13:20Z");
    assert_eq!(body[1]["endsAt"], "2023-11-14T22:14:20Z", "the present time");
}

#[test]
fn webhook_gets_the_json_of_alertmanager() {
    let request = request(Vendor::Webhook, &[notice("host_scan"), resolved("host_scan")], [3, 2]);
    assert_eq!(request.path, "");
    let body = body(&request);
    assert_eq!(body["alerts"][0]["annotations"], annotations());
    let alert = |status: &str, ends_at: &str, annotations: &Value| {
        json!({
            "status": status,
            "labels": labels(),
            "annotations": annotations,
            "startsAt": "2023-11-14T22:13:20Z",
            "endsAt": ends_at,
            "generatorURL": EVIDENCE_URL,
            "fingerprint": "00000000000000ab",
        })
    };
    let mut common = annotations();
    common.as_object_mut().unwrap().remove("description");
    let expected = json!({
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 5,
        "status": "firing",
        "receiver": "team",
        "groupLabels": {},
        "commonLabels": labels(),
        "commonAnnotations": common,
        "externalURL": "https://monitor.example.net",
        "alerts": [
            alert("firing", "0001-01-01T00:00:00Z", &annotations()),
            alert("resolved", "2023-11-14T22:16:05Z", &body["alerts"][1]["annotations"]),
        ],
    });
    assert_eq!(body, expected);
}

#[test]
fn webhook_is_resolved_only_if_all_of_the_group_are() {
    let status = |notices: &[Notice], unnamed| body(&request(Vendor::Webhook, notices, unnamed))["status"].clone();
    assert_eq!(status(&[resolved("host_scan")], [0, 4]), "resolved");
    assert_eq!(status(&[resolved("host_scan")], [1, 0]), "firing");
}

#[test]
fn slack_gets_a_message_with_an_attachment() {
    let [_, slack, ..] = vendors();
    let request = request(slack, &[notice("host_scan")], [0; 2]);
    assert_eq!(request.path, "");
    let sentence = "10.0.0.5 tried 22 hosts of 192.0.2.0/24 at 22/tcp in the last 170 s, 20 failed (limit 15): first \
                    192.0.2.1:22/tcp";
    let expected = json!({
        "username": "trafficmonitor",
        "channel": "#net",
        "icon_emoji": ":warning:",
        "text": "1 alert firing at monitor1",
        "parse": "none",
        "link_names": false,
        "mrkdwn": false,
        "attachments": [{
            "color": "warning",
            "fallback": format!("[warning] 10.0.0.5 scans hosts: {sentence}"),
            "title": "[warning] 10.0.0.5 scans hosts",
            "title_link": EVIDENCE_URL,
            "text": sentence,
            "mrkdwn_in": [],
            "fields": [
                {"title": "Rule", "value": "host_scan", "short": true},
                {"title": "Severity", "value": "warning, inside the local networks", "short": true},
                {"title": "Time", "value": "since 2023-11-14T22:13:20Z", "short": false},
                {"title": "Evidence", "value": "/var/lib/trafficmonitor/a.pcapng", "short": false},
                {"title": "SHA-256", "value": "00ff", "short": false},
            ],
            "footer": "trafficmonitor at monitor1",
            "ts": 1_700_000_000,
            "actions": [{"type": "button", "text": "Runbook", "url": RUNBOOK_URL}],
        }],
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn slack_shows_the_severity_as_a_colour_and_the_end_in_green() {
    let color = |notice: Notice| {
        let [_, slack, ..] = vendors();
        body(&request(slack, &[notice], [0; 2]))["attachments"][0]["color"].clone()
    };
    for (severity, expected) in [("info", "#439FE0"), ("warning", "warning"), ("critical", "danger")] {
        assert_eq!(color(Notice { severity: severity.to_owned(), ..notice("bandwidth") }), expected);
        assert_eq!(color(Notice { severity: severity.to_owned(), ..resolved("bandwidth") }), "good");
    }
}

#[test]
fn slack_takes_the_emoji_else_the_icon_else_those_of_the_hook() {
    let sent = |emoji: Option<&str>, icon: Option<&str>| {
        let [emoji, icon] = [emoji, icon].map(|text| text.map(str::to_owned));
        let body = body(&bare(Vendor::Slack { channel: None, emoji, icon }, &[notice("bandwidth")]));
        assert_eq!(body.get("channel"), None);
        assert_eq!(body["attachments"][0].get("title_link"), None);
        (body.get("icon_emoji").cloned(), body.get("icon_url").cloned())
    };
    assert_eq!(sent(Some(":x:"), Some("https://x/y.png")), (Some(json!(":x:")), None));
    assert_eq!(sent(None, Some("https://x/y.png")), (None, Some(json!("https://x/y.png"))));
    assert_eq!(sent(None, None), (None, None));
}

#[test]
fn burst_in_slack_is_named_up_to_20_and_the_rest_is_counted_with_a_link() {
    let named: Vec<Notice> = (0..NAMED).map(|_| notice("host_scan")).collect();
    let [_, slack, ..] = vendors();
    let body = body(&request(slack, &named, [4, 1]));
    assert_eq!(body["text"], "24 alerts firing, 1 resolved at monitor1");
    assert_eq!(body["attachments"].as_array().unwrap().len(), NAMED + 1);
    let rest = &body["attachments"][NAMED];
    assert_eq!(rest["title"], "not named here: 4 alerts firing, 1 resolved");
    assert_eq!(rest["title_link"], "https://monitor.example.net/dashboard");
}

#[test]
fn address_that_looks_like_an_emoji_is_code_in_slack() {
    let address = "2001:db8:100::1";
    let source = Some(address.parse().unwrap());
    let sentence = format!("{address} sent 2 GB in the last 170 s (limit 1 GB)");
    let notice = Notice { source, sentence: sentence.clone(), ..notice("bandwidth") };
    let [_, slack, ..] = vendors();
    let attachment = body(&request(slack, &[notice], [0; 2]))["attachments"][0].clone();
    assert_eq!(attachment["title"], "[warning] bandwidth");
    assert_eq!(attachment["text"], format!("`{sentence}`"));
    assert_eq!(attachment["mrkdwn_in"], json!(["text"]));
}

#[test]
fn pagerduty_gets_an_event_that_triggers_and_one_that_resolves() {
    let [_, _, pagerduty, ..] = vendors();
    let triggered = request(pagerduty.clone(), &[notice("host_scan")], [0; 2]);
    assert_eq!((triggered.path.as_str(), triggered.headers.len()), ("/v2/enqueue", 0));
    let expected = json!({
        "routing_key": "canary",
        "event_action": "trigger",
        "dedup_key": "00000000000000ab",
        "client": "trafficmonitor",
        "client_url": "https://monitor.example.net/dashboard",
        "links": [
            {"href": EVIDENCE_URL, "text": "Packets of the alert"},
            {"href": RUNBOOK_URL, "text": "Runbook"},
        ],
        "payload": {
            "summary": "10.0.0.5 scans hosts: 10.0.0.5 tried 22 hosts of 192.0.2.0/24 at 22/tcp in the last 170 s, 20 failed \
                        (limit 15): first 192.0.2.1:22/tcp",
            "source": "10.0.0.5",
            "severity": "warning",
            "timestamp": "2023-11-14T22:13:20Z",
            "component": "host_scan",
            "group": "monitor1",
            "class": "host_scan",
            "custom_details": details(),
        },
    });
    assert_eq!(body(&triggered), expected);
    let mut resolving = expected;
    resolving["event_action"] = json!("resolve");
    resolving["payload"]["custom_details"]["ends_at"] = json!("2023-11-14T22:16:05Z");
    assert_eq!(body(&request(pagerduty, &[resolved("host_scan")], [0; 2])), resolving, "all of it, with the checksum");
}

#[test]
fn links_without_evidence_lead_to_all_alerts() {
    let context = Context {
        now: Timestamp::from_nanoseconds(0),
        host: "monitor1",
        external_url: Some(URL),
        runbook_url: None,
        unnamed: [0; 2],
        evidence: &|_| None,
        key: None,
    };
    let link = |vendor, pointer: &str| {
        let body = body(&receiver(vendor).request(&[notice("host_scan")], &context));
        body.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {body}")).clone()
    };
    let [alertmanager, slack, pagerduty, _, webhook] = vendors();
    for (vendor, pointer) in [
        (alertmanager, "/0/generatorURL"),
        (slack, "/attachments/0/title_link"),
        (pagerduty, "/links/0/href"),
        (webhook, "/alerts/0/generatorURL"),
    ] {
        let expected = "https://monitor.example.net/dashboard#alert=00000000000000ab";
        assert_eq!(link(vendor, pointer), expected, "{pointer}");
    }
}

fn details() -> Value {
    json!({
        "subject": "10.0.0.5",
        "kind": "host_scan",
        "rule": "host_scan",
        "severity": "warning",
        "side": "inside",
        "value": "20",
        "peak": "20",
        "limit": "15",
        "window_seconds": "170",
        "bytes": "1320",
        "answered": "2",
        "starts_at": "2023-11-14T22:13:20Z",
        "fingerprint": "00000000000000ab",
        "host": "monitor1",
        "first_targets": "192.0.2.1:22/tcp",
        "evidence": "/var/lib/trafficmonitor/a.pcapng",
        "evidence_packets": "42",
        "evidence_complete": "true",
        "evidence_sha256": "00ff",
        "evidence_url": EVIDENCE_URL,
        "runbook_url": RUNBOOK_URL,
    })
}

#[test]
fn opsgenie_gets_an_alert_and_its_end_by_the_alias() {
    let [.., opsgenie, _] = vendors();
    let created = request(opsgenie.clone(), &[notice("host_scan")], [0; 2]);
    assert_eq!(created.path, "/v2/alerts");
    assert_eq!(created.headers, [("authorization", Secret::new("GenieKey canary"))]);
    let expected = json!({
        "message": "10.0.0.5 scans hosts",
        "alias": "00000000000000ab",
        "description": DESCRIPTION,
        "entity": "10.0.0.5",
        "source": "trafficmonitor at monitor1",
        "priority": "P3",
        "tags": ["trafficmonitor", "host_scan", "warning", "inside"],
        "details": details(),
    });
    assert_eq!(body(&created), expected);
    let closed = request(opsgenie, &[resolved("host_scan")], [0; 2]);
    assert_eq!(closed.path, "/v2/alerts/00000000000000ab/close?identifierType=alias");
    assert_eq!(closed.headers, created.headers);
    assert_eq!(body(&closed)["user"], "trafficmonitor");
    let note = body(&closed)["note"].as_str().unwrap().to_owned();
    assert!(note.contains("from 2023-11-14T22:13:20Z to 2023-11-14T22:16:05Z"), "{note}");
    assert!(note.contains("/var/lib/trafficmonitor/a.pcapng (42 packets, SHA-256 00ff)"), "{note}");
}

#[test]
fn priority_and_severity_follow_the_alert() {
    let [_, _, pagerduty, opsgenie, _] = vendors();
    for (severity, of_pagerduty, of_opsgenie) in
        [("info", "info", "P5"), ("warning", "warning", "P3"), ("critical", "critical", "P1"), ("other", "info", "P5")]
    {
        let notice = Notice { severity: severity.to_owned(), ..notice("bandwidth") };
        let notices = [notice];
        assert_eq!(body(&request(pagerduty.clone(), &notices, [0; 2]))["payload"]["severity"], of_pagerduty);
        assert_eq!(body(&request(opsgenie.clone(), &notices, [0; 2]))["priority"], of_opsgenie);
    }
}

#[test]
fn vendors_batch_as_their_interfaces_allow() {
    let [alertmanager, slack, pagerduty, opsgenie, webhook] = vendors().map(receiver);
    assert_eq!(alertmanager.batching(), Batching::All { most: 64, again: Duration::from_secs(60) });
    for grouped in [slack, webhook] {
        let expected = Batching::Group { wait: Duration::from_secs(5), interval: Duration::from_secs(60), named: 20 };
        assert_eq!((grouped.batching(), grouped.default_url()), (expected, None));
    }
    for (each, url) in [(pagerduty, "https://events.pagerduty.com"), (opsgenie, "https://api.opsgenie.com")] {
        assert_eq!((each.batching(), each.default_url()), (Batching::Each, Some(url)));
    }
}

#[test]
fn body_has_no_link_and_no_key_if_there_is_none() {
    for vendor in vendors() {
        let request = bare(vendor.clone(), &[notice("host_scan")]);
        let body = body(&request);
        assert!(texts(&body).iter().all(|text| !text.contains("://")), "{body}");
        assert!(!body.to_string().contains("evidence") && !body.to_string().contains("unbook"), "{body}");
    }
}

#[test]
fn key_is_only_where_the_vendor_expects_it_and_never_in_the_debug_form() {
    for vendor in vendors() {
        let request = request(vendor.clone(), &[notice("host_scan")], [0; 2]);
        let is_in_body = String::from_utf8(request.body.clone()).unwrap().contains("canary");
        assert_eq!(is_in_body, matches!(vendor, Vendor::PagerDuty { .. }));
        assert!(!request.path.contains("canary"));
        let debug = format!("{request:?} {vendor:?}");
        assert!(!debug.contains("canary") && !debug.contains("99, 97, 110"), "{debug}");
    }
}
