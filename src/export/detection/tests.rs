use std::net::Ipv4Addr;
use std::sync::Arc;

use super::*;
use crate::alert::{Severity, Side};
use crate::detect::{DetectionTable, Figures, Kind, TableUse, Target};
use crate::export::Format;
use crate::export::tests::{firing, host};
use crate::packet::{Protocol, Timestamp};

fn alert(kind: Kind, rule: &str, subject: Subject, starts_at: i64) -> Alert {
    let starts_at = Timestamp::from_nanoseconds(starts_at);
    Alert { rule: rule.into(), starts_at, ..firing(kind, subject, Figures::default()) }
}

/// The samples, without the lines that introduce families.
fn samples(report: &Report) -> Vec<String> {
    let mut text = Vec::new();
    let mut writer = TextWriter::new(Format::Text, None, &mut text);
    write(report, &mut writer).unwrap();
    writer.finish().unwrap();
    let text = String::from_utf8(text).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn of(family: &Family, report: &Report) -> Vec<String> {
    let is_of = |line: &str| line.strip_prefix(family.name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    samples(report).into_iter().filter(|line| is_of(line)).collect()
}

#[test]
fn each_source_with_activity_has_a_row() {
    let detection = detect::View {
        window_bytes: vec![(Subject::Source(host(1)), 170), (Subject::Destination(host(2)), 90)],
        contacted_hosts: vec![(host(3), 16)],
        contacted_ports: vec![(host(4), 101)],
        unanswered_contacts: vec![(host(5), 15)],
        anomalies: vec![((host(6), host(7)), 0.75)],
        unknown_contacts: 8,
        tables: vec![TableUse { table: DetectionTable::ScanSources, entries: 3, limit: 9, evicted: 2 }],
        ..detect::View::default()
    };
    let report = Report { detection, ..Report::default() };
    let expected = [
        r#"trafficmonitor_source_window_bytes{source="192.0.2.1"} 170"#,
        r#"trafficmonitor_destination_window_bytes{destination="192.0.2.2"} 90"#,
        r#"trafficmonitor_source_contacted_hosts{source="192.0.2.3"} 16"#,
        r#"trafficmonitor_source_contacted_ports{source="192.0.2.4"} 101"#,
        r#"trafficmonitor_source_unanswered_contacts{source="192.0.2.5"} 15"#,
        r#"trafficmonitor_anomaly_probability{source="192.0.2.6",destination="192.0.2.7"} 0.75"#,
        "trafficmonitor_unknown_contacts_total 8",
        r#"trafficmonitor_detection_table_entries{table="scan_sources"} 3"#,
        r#"trafficmonitor_detection_table_limit{table="scan_sources"} 9"#,
        r#"trafficmonitor_detection_table_evicted_total{table="scan_sources"} 2"#,
    ];
    assert_eq!(samples(&report)[..expected.len()], expected);
}

#[test]
fn alerts_are_counted_by_rule_from_0_on() {
    let mut report = Report::default();
    let rule = |kind, name: &str| (kind, Arc::from(name));
    report.alerts.fired_total =
        [(rule(Kind::HostScan, "scans"), 2), (rule(Kind::PortScan, "scans"), 3), (rule(Kind::Bandwidth, "guests"), 0)]
            .into();
    report.alerts.firing = vec![
        alert(Kind::HostScan, "scans", Subject::Source(host(1)), 1),
        alert(Kind::PortScan, "scans", Subject::Source(host(1)), 2),
    ];
    let rows = |family: &Family, [guests, scans]: [u64; 2]| {
        [format!("{}{{rule=\"guests\"}} {guests}", family.name), format!("{}{{rule=\"scans\"}} {scans}", family.name)]
    };
    assert_eq!(of(&family::ALERTS_ACTIVE, &report), rows(&family::ALERTS_ACTIVE, [0, 2]));
    assert_eq!(of(&family::ALERTS_TOTAL, &report), rows(&family::ALERTS_TOTAL, [0, 5]));
}

#[test]
fn firing_alert_names_its_subject() {
    let mut report = Report::default();
    let network = Subject::Network("198.51.100.0/24".parse().unwrap());
    report.alerts.firing = vec![
        alert(Kind::HostScan, "host_scan", Subject::Source(host(1)), 4),
        alert(Kind::Bandwidth, "in\"bound", Subject::Destination(host(2)), 3),
        alert(Kind::Anomaly, "anomaly", Subject::Pair { source: host(3), destination: host(4) }, 2),
        alert(Kind::Bandwidth, "guests", network, 1),
    ];
    let row = |kind, rule, source, destination, network| {
        format!(
            "trafficmonitor_alert_firing{{kind=\"{kind}\",rule=\"{rule}\",source=\"{source}\",\
             destination=\"{destination}\",network=\"{network}\",severity=\"info\",side=\"outside\"}} 1"
        )
    };
    let expected = [
        row("host_scan", "host_scan", "192.0.2.1", "", ""),
        row("bandwidth", "in\\\"bound", "", "192.0.2.2", ""),
        row("anomaly", "anomaly", "192.0.2.3", "192.0.2.4", ""),
        row("bandwidth", "guests", "", "", "198.51.100.0/24"),
    ];
    assert_eq!(of(&family::ALERT_FIRING, &report), expected);
}

#[test]
fn an_alert_has_its_figures_under_the_same_labels() {
    let mut report = Report::default();
    let mut scan = alert(Kind::HostScan, "host_scan", Subject::Source(host(1)), 2);
    (scan.severity, scan.side) = (Severity::Warning, Side::Inside);
    (scan.figures.value, scan.figures.limit) = (40.0, 15.0);
    scan.figures.window = std::time::Duration::from_millis(170_500);
    let target = |number, port| Target { address: host(number), protocol: Some(Protocol::TCP), port };
    scan.figures.first_targets = vec![target(7, Some(22)), target(8, None)];
    report.alerts.firing = vec![scan, alert(Kind::Anomaly, "anomaly", Subject::Source(host(2)), 1)];
    let labels = r#"kind="host_scan",rule="host_scan",source="192.0.2.1",destination="",network="",severity="warning",side="inside""#;
    let row = |family: &Family, more: &str, value: &str| format!("{}{{{labels}{more}}} {value}", family.name);
    for (family, value) in [
        (&family::ALERT_FIRING, "1"),
        (&family::ALERT_VALUE, "40"),
        (&family::ALERT_LIMIT, "15"),
        (&family::ALERT_WINDOW, "170.5"),
    ] {
        assert_eq!(of(family, &report)[0], row(family, "", value));
    }
    let target = row(&family::ALERT_TARGET, ",target=\"192.0.2.7:22/tcp\"", "1");
    assert_eq!(of(&family::ALERT_TARGET, &report), [target], "the first target alone, where there is one");
}

#[test]
fn limits_have_a_row_where_something_is_looked_for() {
    let limits = [&family::BANDWIDTH_LIMIT, &family::SCAN_LIMIT, &family::ANOMALY_ALERTS];
    let rows = |report: &Report| limits.iter().flat_map(|family| of(family, report)).collect::<Vec<_>>();
    assert!(rows(&Report::default()).is_empty());
    let detection =
        detect::Detectors::new(&detect::Config::default(), 1, None).view(&std::collections::BTreeSet::new());
    let expected = [
        "trafficmonitor_bandwidth_limit_bytes 1000000000",
        r#"trafficmonitor_scan_limit{kind="host_scan"} 15"#,
        r#"trafficmonitor_scan_limit{kind="port_scan"} 100"#,
        r#"trafficmonitor_scan_limit{kind="group_scan"} 120"#,
        "trafficmonitor_anomaly_alerts 0",
    ];
    assert_eq!(rows(&Report { detection, ..Report::default() }), expected);
}

#[test]
fn of_very_many_alerts_the_last_have_a_row() {
    let mut report = Report::default();
    let many = MAXIMUM_FIRING_ROWS as u32 + 5;
    let source = |number: u32| Subject::Source(Ipv4Addr::from_bits(0x0a00_0000 + number).into());
    report.alerts.firing =
        (0..many).map(|number| alert(Kind::HostScan, "host_scan", source(number), i64::from(number))).collect();
    let rows = of(&family::ALERT_FIRING, &report);
    assert_eq!(rows.len(), MAXIMUM_FIRING_ROWS);
    assert!(rows[0].contains(&format!("\"{}\"", Ipv4Addr::from_bits(0x0a00_0000 + many - 1))), "{}", rows[0]);
    assert!(!rows.iter().any(|row| row.contains("\"10.0.0.4\"")), "the first are left out");
    assert_eq!(
        of(&family::ALERTS_ACTIVE, &report),
        [format!("trafficmonitor_alerts_active{{rule=\"host_scan\"}} {many}")]
    );
}

#[test]
fn flood_of_one_kind_leaves_rows_to_the_others() {
    let mut report = Report::default();
    let source = |number: u32| Subject::Source(Ipv4Addr::from_bits(0x0a00_0000 + number).into());
    let flood = (1..=2 * MAXIMUM_FIRING_ROWS as u32).map(|number| (Kind::Policy, source(number), i64::from(number)));
    let earlier = [(Kind::PortScan, source(0), 0), (Kind::Bandwidth, source(0), 0)];
    report.alerts.firing =
        earlier.into_iter().chain(flood).map(|(kind, source, at)| alert(kind, kind.label(), source, at)).collect();
    let rows = of(&family::ALERT_FIRING, &report);
    assert_eq!(rows.len(), MAXIMUM_FIRING_ROWS);
    for kind in ["port_scan", "bandwidth"] {
        assert!(rows.iter().any(|row| row.contains(&format!("{{kind=\"{kind}\""))), "{kind} has no row");
    }
}

#[test]
fn alerts_without_space_are_counted_by_kind() {
    let mut report = Report::default();
    report.alerts.dropped_total[Kind::Policy as usize] = 7;
    report.alerts.fired_total = [Kind::HostScan, Kind::Policy].map(|kind| ((kind, kind.label().into()), 0)).into();
    let expected = [("host_scan", 0), ("policy", 7)]
        .map(|(kind, dropped)| format!("trafficmonitor_alerts_dropped_total{{kind=\"{kind}\"}} {dropped}"));
    assert_eq!(of(&family::ALERTS_DROPPED, &report), expected);
}

/// Only a ledger can give the numbers of interfaces.
#[test]
fn visibility_of_answers_is_exported_by_name() {
    let mut ledger = crate::account::ledger::Ledger::<()>::new(&crate::account::Config::default(), 0);
    let [blind, seeing] = ["eth0", "eth1"].map(|name| ledger.interface(name));
    let mut report = Report::from(crate::account::snapshot_builder::plain(&ledger, 0, 0));
    report.detection.answers_visible = vec![(blind, false), (seeing, true)];
    let row = |name, value| format!("trafficmonitor_answers_visible{{interface=\"{name}\"}} {value}");
    assert_eq!(of(&family::ANSWERS_VISIBLE, &report), [row("eth0", 0), row("eth1", 1)]);
}
