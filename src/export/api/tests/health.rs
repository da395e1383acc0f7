use serde_json::json;

use super::*;
use crate::account::interval::KernelSums;
use crate::account::snapshot::{Capture, Coverage, CoverageObstacle, InterfaceEntry};
use crate::events::log::EventLogFigures;
use crate::export::api::filter::FlowFilter;

fn interface(name: &str, up: bool, coverage: Coverage) -> InterfaceEntry {
    let capture = Capture { up, coverage, ..Capture::default() };
    InterfaceEntry { name: name.to_owned(), capture: Some(capture), ..InterfaceEntry::default() }
}

/// The status and the sentence of a check.
fn of_check(served: &Served, name: &str) -> (String, String) {
    let health = served.json(Resource::Health, "");
    let check = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone();
    (check["status"].as_str().unwrap().to_owned(), check["sentence"].as_str().unwrap().to_owned())
}

fn with_interfaces(interfaces: Vec<InterfaceEntry>) -> Served {
    let mut served = Served::default();
    served.report.accounts.interfaces = interfaces;
    served.with_a_second()
}

fn covering(delivered: u64) -> Coverage {
    Coverage { is_comparable: true, delivered, on_interface: 1_000, obstacle: None }
}

/// Status and sentence of all checks together.
fn summary(served: &Served) -> (String, String) {
    let health = served.json(Resource::Health, "");
    let line = &served.json(Resource::Snapshot, "")["health"];
    assert_eq!([&line["status"], &line["sentence"]], [&health["status"], &health["sentence"]]);
    let text = |key: &str| health[key].as_str().unwrap().to_owned();
    (text("status"), text("sentence"))
}

#[test]
fn state_of_interfaces_is_one_line_that_explains_itself() {
    let up = |name| interface(name, true, covering(1_000));
    let down = |name| interface(name, false, Coverage::default());
    for (interfaces, status, sentence) in [
        (vec![], "critical", "No interface is captured yet."),
        (vec![up("a")], "ok", "The only interface is captured; no packet was dropped since the start."),
        (vec![up("a"), up("b")], "ok", "All 2 interfaces are captured; no packet was dropped since the start."),
        (vec![up("a"), down("b")], "warning", "b is down; 1 of 2 interfaces are captured."),
        (vec![down("a"), down("b")], "critical", "No interface is captured: a and b are down."),
        (
            vec![up("a"), down("b"), down("c"), down("d")],
            "warning",
            "b, c and 1 more are down; 1 of 4 interfaces are captured.",
        ),
    ] {
        assert_eq!(summary(&with_interfaces(interfaces)), (status.to_owned(), sentence.to_owned()));
    }
}

#[test]
fn low_coverage_is_a_warning_and_then_critical() {
    for (delivered, status) in [(1_000, "ok"), (990, "ok"), (989, "warning"), (900, "warning"), (899, "critical")] {
        let served =
            with_interfaces(vec![interface("a", true, covering(1_000)), interface("b", true, covering(delivered))]);
        let (found, sentence) = summary(&served);
        assert_eq!(found, status, "{delivered}: {sentence}");
    }
    let (_, sentence) = summary(&with_interfaces(vec![interface("a", true, covering(905))]));
    assert_eq!(sentence, "At least 90.5 % of the packets of a were seen.");
    let others = vec![
        interface("a", true, covering(905)),
        interface("b", true, covering(950)),
        interface("any", true, Coverage::default()),
    ];
    let (_, sentence) = summary(&with_interfaces(others));
    let expected = "At least 90.5 % of the packets of each of 2 interfaces were seen (lowest: a); the coverage of 1 other is \
                    not known.";
    assert_eq!(sentence, expected);
}

#[test]
fn coverage_and_drops_without_a_measurement_are_not_known() {
    let idle = Coverage { is_comparable: true, ..Coverage::default() };
    for (coverage, start) in [
        (idle, "Coverage is not known yet: "),
        (
            Coverage { obstacle: Some(CoverageObstacle::Xdp), ..Coverage::default() },
            "Coverage cannot be measured on a (an XDP program",
        ),
    ] {
        let served = with_interfaces(vec![interface("a", true, coverage)]);
        let (status, sentence) = summary(&served);
        let (of_coverage, why) = of_check(&served, "coverage");
        assert_eq!((status.as_str(), of_coverage.as_str()), ("unknown", "unknown"));
        assert!(why.starts_with(start), "{why}");
        assert_eq!(sentence, format!("No packet was dropped since the start. {why}"), "what is known comes first");
    }
    let mut served = with_interfaces(vec![interface("a", true, covering(1_000))]);
    assert_eq!(of_check(&served, "drops").0, "ok");
    served.history = HistoryView::default();
    let expected = ("unknown".to_owned(), "Drops are not known yet: no second has been counted.".to_owned());
    assert_eq!([of_check(&served, "drops"), summary(&served)], [expected.clone(), expected]);
}

#[test]
fn an_hour_is_named_once_it_has_passed() {
    let mut served = with_interfaces(vec![interface("a", true, covering(1_000))]);
    assert!(summary(&served).1.ends_with("no packet was dropped since the start."));
    served.now = at(3_600);
    assert!(summary(&served).1.ends_with("no packet was dropped in the last hour."));
}

#[test]
fn parts_that_are_off_have_no_check() {
    let mut served = with_interfaces(vec![interface("a", true, covering(1_000))]);
    served.program.show_events(EventLogFigures::default());
    let names = |served: &Served| {
        let checks = served.json(Resource::Health, "")["checks"].clone();
        checks.as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let expected =
        ["interfaces", "drops", "coverage", "threads", "tables", "detection", "alerts", "queues", "scrapes", "memory"];
    assert_eq!(names(&served), expected);
    served.settings.detects = false;
    assert!(!names(&served).iter().any(|name| ["detection", "alerts"].contains(&name.as_str())));
    served.program.show_events(EventLogFigures { has_file: true, ..EventLogFigures::default() });
    assert!(names(&served).contains(&"event_log".to_owned()));
}

#[test]
fn losses_are_a_warning_for_an_hour() {
    let mut served = with_interfaces(vec![interface("a", true, covering(1_000))]);
    served.program.count_dropped_report();
    let (status, sentence) = summary(&served);
    assert_eq!(status, "warning");
    assert!(
        sentence.starts_with("1 entries of queues (scrapes) were lost")
            && sentence.ends_with("some within the last hour."),
        "{sentence}"
    );
    served.now = at(10 + 3_600);
    assert_eq!(summary(&served).0, "ok");
}

#[test]
fn packets_that_detection_did_not_see_and_dropped_alerts_are_warnings() {
    let mut served = with_interfaces(vec![interface("a", true, covering(1_000))]);
    assert_eq!(of_check(&served, "detection").1, "Detection saw all packets.");
    assert_eq!(of_check(&served, "alerts").1, "No alert was dropped.");
    served.report.accounts.overflow.packets = 12_000;
    let sums = KernelSums { messages_lost: 30, events_lost: 4, ..KernelSums::default() };
    served.report.accounts.totals.kernel = Some(sums);
    let sentence = "Detection did not see 12030 packets since the start, some within the last hour.";
    assert_eq!(summary(&served), ("warning".to_owned(), sentence.to_owned()));
    served.report.alerts.dropped_total[0] = 7;
    let (status, sentence) = of_check(&served, "alerts");
    assert_eq!(status, "warning");
    assert!(sentence.starts_with("7 alerts were dropped for want of room since the start"));
}

#[test]
fn full_table_is_a_warning() {
    let mut served = with_interfaces(vec![interface("a", true, covering(1_000))]);
    (served.report.accounts.flows.figures.entries, served.report.accounts.flows.figures.limit) = (100, 100);
    assert_eq!(
        summary(&served),
        ("warning".to_owned(), "The table of flows is full (100): further flows count as other.".to_owned())
    );
}

#[test]
fn file_is_well_and_has_no_figures_of_a_capture() {
    let mut served = with_interfaces(vec![InterfaceEntry { name: "a.pcap".to_owned(), ..InterfaceEntry::default() }]);
    served.settings.is_live = false;
    assert_eq!(summary(&served), ("ok".to_owned(), "The capture file is read: 0 frames.".to_owned()));
    let health = served.json(Resource::Health, "");
    assert_eq!(health["interfaces"][0]["up"], Value::Null);
    assert_eq!(served.json(Resource::Snapshot, "")["mode"], json!("file"));
}

#[test]
fn snapshot_counts_flows_hosts_and_alerts() {
    let mut office = office();
    office.report.accounts.flows.figures.entries = 5;
    let snapshot = office.json(Resource::Snapshot, "");
    assert_eq!([&snapshot["flows"], &snapshot["hosts"], &snapshot["number"]], [&json!(5), &json!(5), &json!(3)]);
    assert_eq!(snapshot["totals"]["local"], json!({"bytes": 1_000, "packets": 1}));
    assert_eq!(snapshot["alerts"], json!({"detects": true, "pending": 0, "firing": 0, "severity": null}));
    office.settings.detects = false;
    assert_eq!(office.json(Resource::Snapshot, "")["alerts"]["detects"], json!(false));
    assert_eq!(snapshot["rates"]["incoming"], json!({"bytes_per_second": 0.0, "packets_per_second": 0.0}));
}

#[test]
fn search_completes_the_last_word() {
    let mut office = office();
    office.name("10.0.0.6", HostName { dhcp: Some("printer".into()), ..HostName::default() });
    let texts = |q: &str| {
        let answer = office.json(Resource::Search, &format!("q={}", q.replace(' ', "+")));
        let suggestions = answer["suggestions"].as_array().unwrap().iter();
        suggestions.map(|one| one["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts("10.0"), ["host:10.0.0.5", "host:10.0.0.6"], "the heaviest first");
    assert_eq!(texts("port:22 dst:198"), ["dst:198.51.100.9"]);
    assert_eq!(texts("-port:4"), ["-port:443"]);
    assert_eq!(texts("pri"), ["host:10.0.0.6"]);
    assert_eq!(texts("dir"), ["direction:"]);
    assert_eq!(
        texts("direction:"),
        ["direction:incoming", "direction:outgoing", "direction:local", "direction:transit"]
    );
    assert_eq!(texts("service:h"), ["service:https", "service:http"]);
    assert_eq!(texts("protocol:"), ["protocol:tcp"]);
    assert_eq!(texts("zzz"), Vec::<String>::new());
    // Every suggestion is a filter.
    for text in ["", "1", "p", "s", "port:", "src:", "mac:"].into_iter().flat_map(texts) {
        assert!(text.ends_with(':') || FlowFilter::parse(&text).is_ok(), "{text}");
    }
}

/// The suggestions for a word, each with its label.
fn suggestions(served: &Served, q: &str) -> Vec<[String; 2]> {
    let q: String = q.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let answer = served.json(Resource::Search, &format!("q={q}"));
    let suggestions = answer["suggestions"].as_array().unwrap().iter();
    suggestions.map(|one| [&one["text"], &one["label"]].map(|text| text.as_str().unwrap().to_owned())).collect()
}

#[test]
fn device_is_suggested_once_whatever_its_addresses() {
    let mut office = office();
    let mac = |last: u8| Some(format!("02:00:00:00:00:0{last}").into());
    for address in ["fd00::5", "10.0.0.5", "10.0.0.6"] {
        office.name(address, HostName { mac: mac(5), ..HostName::default() });
    }
    office.name("10.0.0.7", HostName { mac: mac(7), ..HostName::default() });
    office.name("10.0.0.8", HostName { mac: mac(8), dns: Some("nas.lan".into()), ..HostName::default() });
    let expected = [
        ["mac:02:00:00:00:00:05", "02:00:00:00:00:05 (10.0.0.5 and 2 more)"],
        ["mac:02:00:00:00:00:07", "02:00:00:00:00:07 (10.0.0.7)"],
        ["mac:02:00:00:00:00:08", "02:00:00:00:00:08 (nas.lan)"],
    ];
    assert_eq!(suggestions(&office, "mac:02"), expected);
}

#[test]
fn port_of_two_services_is_suggested_once() {
    let mut rows = vec![flow("10.0.0.5", "10.0.0.6", 513, Direction::Local, 300); 2];
    rows[1].key.protocol = Protocol::UDP;
    rows[1].lifetime.bytes = 200;
    assert_eq!(suggestions(&Served::with_flows(rows), "port:5"), [["port:513", "513 (login)"]]);
}

#[test]
fn names_with_blanks_are_completed_in_quotes() {
    let hostile = "a \"b\" -direction:incoming \\ <b>\u{85}\n";
    let names = ["my file.pcap", hostile, "plain", "odd:"];
    let served = with_interfaces(names.map(|name| interface(name, true, Coverage::default())).into());
    let texts = |q: &str| suggestions(&served, q).into_iter().map(|[text, _]| text).collect::<Vec<_>>();
    let quoted = r#"interface:"my file.pcap""#;
    for begun in ["interface:my", "interface:\"my", "interface:\"my fi", "port:443 interface:\"my file.pcap\""] {
        assert_eq!(texts(begun), [quoted], "{begun}");
    }
    assert_eq!(texts("-interface:\"my f"), [format!("-{quoted}")]);
    assert_eq!(texts("interface:plain"), ["interface:plain"]);
    assert_eq!(texts("interface:odd"), ["interface:\"odd:\""]);
    assert_eq!(texts("interface:\"a \\\"b"), ["interface:\"a \\\"b\\\" -direction:incoming \\\\ <b>\u{85}\n\""]);
    assert!(texts("interface:").iter().all(|text| FlowFilter::parse(text).is_ok()));
}
