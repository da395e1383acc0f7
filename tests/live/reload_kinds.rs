//! A reload of each kind of setting, seen in the metrics of the running program.

use super::common::metrics::{Metrics, Packets, UDP_4};
use super::common::monitor::Monitor;
use super::common::namespace::wait_for;
use super::common::webhook::Webhook;
use super::reload::{Configuration, HASH, post, reload};
use super::traffic::{Pair, send};

const PACKETS: &str = "trafficmonitor_traffic_packets_total";
const FIRING: &str = "trafficmonitor_alert_firing";

/// Sends this number of packets of 528 bytes from the other end.
fn send_packets(pair: &Pair, count: u64) {
    let (client, server) = pair.resolver();
    send(&client, &server, Packets { count, bytes: UDP_4 + 500 });
}

/// Packets of flows that are in no row any more, still pending, in `other` and in rows; and all packets.
fn conserved(metrics: &Metrics) -> (u64, u64) {
    let names = ["flow_packets_total", "flow_retired_packets_total", "flow_pending_packets"];
    (names.iter().map(|name| metrics.sum(&format!("trafficmonitor_{name}"))).sum(), metrics.sum(PACKETS))
}

#[test]
fn limits_of_detectors_and_exclusions_apply_to_the_traffic_that_was_counted_before() {
    let pair = Pair::new();
    let file = Configuration::of("bandwidth: {limit: 1M}\nalert: {hold: 0s}\n");
    let monitor = file.start(&pair, &[]);
    let limit = |metrics: &Metrics| metrics.value("trafficmonitor_bandwidth_limit_bytes", &[]);
    send_packets(&pair, 200);
    let metrics = monitor.wait_for("all packets", |metrics| metrics.sum(PACKETS) == 200);
    assert_eq!((limit(&metrics), metrics.sum(FIRING)), (Some(1_000_000), 0));
    file.accept(&monitor, "bandwidth: {limit: 50K}\nalert: {hold: 0s}\n");
    assert_eq!(limit(&monitor.metrics()), Some(50_000), "at once");
    monitor.wait_for("the alert", |metrics| metrics.sum(FIRING) == 1);
    file.accept(&monitor, "bandwidth: {limit: 50K}\nalert: {hold: 0s, exclusions: [{network: 10.1.0.2}]}\n");
    let metrics = monitor.wait_for("no alert", |metrics| metrics.sum(FIRING) == 0);
    assert_eq!((metrics.sum("trafficmonitor_alerts_total"), metrics.sum(PACKETS)), (1, 200));
    file.accept(&monitor, "scan: {contacted_ips: 7, contacted_ports: 9}\n");
    let metrics = monitor.metrics();
    let of_scan = |kind| metrics.value("trafficmonitor_scan_limit", &[("kind", kind)]);
    assert_eq!((of_scan("host_scan"), of_scan("port_scan")), (Some(7), Some(9)));
    monitor.stop();
}

#[test]
fn windows_of_another_length_start_over_and_detection_ends_and_begins() {
    let pair = Pair::new();
    let file = Configuration::of("bandwidth: {limit: 50K}\n");
    let monitor = file.start(&pair, &[]);
    let window = |metrics: &Metrics| metrics.sum("trafficmonitor_source_window_bytes");
    send_packets(&pair, 200);
    monitor.wait_for("the window", |metrics| window(metrics) == 200 * (UDP_4 + 500));
    file.accept(&monitor, "bandwidth: {limit: 50K, interval: 12}\n");
    assert_eq!(window(&monitor.metrics()), 0);
    send_packets(&pair, 10);
    monitor.wait_for("the new window", |metrics| window(metrics) == 10 * (UDP_4 + 500));
    file.accept(&monitor, "detect: {enabled: false}\n");
    assert_eq!(monitor.metrics().value("trafficmonitor_bandwidth_limit_bytes", &[]), None);
    file.accept(&monitor, "detect: {enabled: true}\n");
    assert!(monitor.metrics().value("trafficmonitor_bandwidth_limit_bytes", &[]).is_some());
    assert_eq!(monitor.metrics().sum(PACKETS), 210);
    monitor.stop();
}

#[test]
fn local_networks_change_directions_and_rows_of_another_direction_retire() {
    let pair = Pair::new();
    let file = Configuration::of("export: {flow_packets: true}\n");
    let monitor = file.start(&pair, &[]);
    let of = |metrics: &Metrics, direction: &str| {
        let rows = metrics.labelled("trafficmonitor_flow_packets_total", &["direction", "source"]);
        let rows = rows.iter().filter(|(labels, _)| labels[0] == direction && labels[1] == "10.1.0.2");
        rows.map(|(_, value)| *value as u64).sum::<u64>()
    };
    send_packets(&pair, 50);
    monitor.wait_for("the row", |metrics| of(metrics, "local") == 50);
    file.accept(&monitor, "export: {flow_packets: true}\nlocality: {networks: [192.0.2.0/24]}\n");
    send_packets(&pair, 30);
    let metrics = monitor.wait_for("the other row", |metrics| of(metrics, "incoming") == 30);
    assert_eq!(metrics.sum(PACKETS), 80);
    let metrics = monitor.wait_for("the first row retires", |metrics| {
        let retired = metrics.labelled("trafficmonitor_flow_retired_packets_total", &["direction"]);
        of(metrics, "local") == 0 && retired.iter().any(|(labels, value)| labels[0] == "local" && *value >= 50.0)
    });
    assert_eq!(conserved(&metrics), (80, 80));
    monitor.stop();
}

/// A configuration with alerts about bandwidth, and these receivers.
fn notifying(receivers: &str) -> String {
    format!("bandwidth: {{limit: 50K, interval: 10}}\nalert: {{hold: 0s}}\nnotify:\n  receivers: [{receivers}]\n")
}

#[test]
fn receivers_are_added_changed_and_removed_and_keep_what_they_know() {
    let pair = Pair::new();
    let (one, two) = (Webhook::listen(&pair.host, "127.0.0.1:9001"), Webhook::listen(&pair.host, "127.0.0.1:9002"));
    let receiver =
        |name: &str, port: u16| format!("{{name: {name}, type: webhook, url: \"http://127.0.0.1:{port}/\"}}");
    let file = Configuration::of(&notifying(""));
    let monitor = file.start(&pair, &[]);
    let delivered =
        |metrics: &Metrics, name: &str| metrics.value("trafficmonitor_notifications_total", &[("receiver", name)]);
    assert_eq!(delivered(&monitor.metrics(), "one"), None);
    file.accept(&monitor, &notifying(&receiver("one", 9_001)));
    assert_eq!(delivered(&monitor.metrics(), "one"), Some(0), "it is there at once");
    send_packets(&pair, 200);
    monitor.wait_for("the alert", |metrics| delivered(metrics, "one") == Some(1));
    file.accept(&monitor, &notifying(&format!("{}, {}", receiver("one", 9_001), receiver("two", 9_002))));
    assert_eq!(delivered(&monitor.metrics(), "one"), Some(1), "its figures go on");
    monitor.wait_for("its end", |metrics| delivered(metrics, "one") == Some(2) && delivered(metrics, "two") == Some(1));
    assert_eq!((one.taken().len(), two.taken().len()), (2, 1));
    file.refuse(&monitor, notifying("{name: two, type: webhook}"), "t.yml:4:");
    file.accept(&monitor, &notifying(&receiver("two", 9_002)));
    let metrics = monitor.metrics();
    assert_eq!((delivered(&metrics, "one"), delivered(&metrics, "two")), (None, Some(1)));
    file.accept(&monitor, &notifying(""));
    assert_eq!(delivered(&monitor.metrics(), "two"), None);
    monitor.stop();
}

#[test]
fn removal_of_the_last_receiver_while_it_is_down_is_logged() {
    let pair = Pair::new();
    let file = Configuration::of(&notifying("{name: down, type: webhook, url: \"http://127.0.0.1:9/\"}"));
    let monitor = file.start(&pair, &[]);
    send_packets(&pair, 200);
    let waiting = ("trafficmonitor_notifications_queue", [("receiver", "down")]);
    monitor.wait_for("the alert", |metrics| metrics.value(waiting.0, &waiting.1).is_some_and(|alerts| alerts > 0));
    file.accept(&monitor, &notifying(""));
    let messages = monitor.messages();
    assert!(messages.contains("alerts were not delivered: a reload has removed their receiver"), "{messages}");
    assert!(!messages.contains("give --state.dir"), "{messages}");
    monitor.stop();
}

#[test]
fn filter_changes_between_two_packets() {
    let pair = Pair::new();
    let file = Configuration::of("capture: {filter: udp port 53}\n");
    let monitor = file.start(&pair, &[]);
    send_packets(&pair, 40);
    monitor.wait_for("the packets", |metrics| metrics.sum(PACKETS) == 40);
    file.accept(&monitor, "capture: {filter: udp port 54}\n");
    send_packets(&pair, 40);
    file.accept(&monitor, "capture: {filter: null}\n");
    send_packets(&pair, 7);
    let metrics = monitor.wait_for("the last packets", |metrics| metrics.sum(PACKETS) >= 47);
    assert_eq!((metrics.sum(PACKETS), metrics.delivered()), (47, 47));
    file.refuse(&monitor, "capture: {filter: udp prot 54}\n", "t.yml:1:19");
    monitor.stop();
}

#[test]
fn budgets_grow_and_shrink_and_every_packet_stays_counted() {
    let pair = Pair::new();
    let of = |flows: u32, series: u32| {
        format!(
            "export: {{flow_packets: true}}\naccount: {{max_flows: {flows}, max_series: {series}, max_hosts: 50, max_host_series: 20}}\n"
        )
    };
    let file = Configuration::of(&of(100, 10));
    let monitor = file.start(&pair, &["--detect.enabled=false"]);
    let server = pair.host.udp("10.1.0.1:53");
    let queries_to_ports = |ports: std::ops::Range<u16>| {
        let client = pair.other.udp("10.1.0.2:40053");
        for port in ports {
            client.send_to(&[0x55; 31], ("10.1.0.1", port)).unwrap();
        }
    };
    let rows = |metrics: &Metrics| {
        let rows = metrics.labelled("trafficmonitor_flow_packets_total", &["source"]);
        rows.iter().filter(|(labels, _)| labels[0] != "other").count()
    };
    queries_to_ports(1_000..1_040);
    monitor.wait_for("ten rows", |metrics| metrics.sum(PACKETS) >= 40 && rows(metrics) == 10);
    file.accept(&monitor, &of(1_000, 60));
    let metrics = monitor.metrics();
    for (name, value) in [("flows_limit", 1_000), ("series_limit", 60), ("hosts_limit", 50), ("host_series_limit", 20)]
    {
        assert_eq!(metrics.value(&format!("trafficmonitor_{name}"), &[]), Some(value), "{name}");
    }
    monitor.wait_for("a row for each flow", |metrics| rows(metrics) >= 40);
    file.accept(&monitor, &of(20, 5));
    let metrics = monitor.wait_for("five rows", |metrics| rows(metrics) == 5);
    let (of_flows, all) = conserved(&metrics);
    assert_eq!(of_flows, all);
    file.refuse(&monitor, of(4, 5), "t.yml:2:");
    drop(server);
    monitor.stop();
}

#[test]
fn smaller_quota_of_the_archive_removes_its_oldest_file_at_once() {
    let (pair, archive) = (Pair::new(), tempfile::tempdir().unwrap());
    let of = |quota: &str| {
        format!(
            "bandwidth: {{limit: 50K, interval: 2}}\nalert: {{hold: 0s}}\nevidence: {{packet_bytes: 1500, quota: {quota}}}\n"
        )
    };
    let file = Configuration::of(&of("64MiB"));
    let monitor = file.start(&pair, &["-archive_dir", archive.path().to_str().unwrap()]);
    send_packets(&pair, 4_000);
    let metrics = monitor
        .wait_for("the file", |metrics| metrics.value("trafficmonitor_evidence_files_written_total", &[]) == Some(1));
    let of_archive = |metrics: &Metrics| {
        let value = |name: &str| metrics.value(&format!("trafficmonitor_evidence_{name}"), &[]).unwrap();
        (value("archive_bytes"), value("files_removed_total"))
    };
    let (bytes, removed) = of_archive(&metrics);
    assert!(bytes > 4_000 * 500 && removed == 0, "{bytes} bytes, {removed} removed");
    file.accept(&monitor, &of("1MiB"));
    let (bytes, removed) = of_archive(&monitor.metrics());
    assert!(bytes <= 1 << 20 && removed >= 1, "{bytes} bytes, {removed} removed");
    monitor.stop();
}

#[test]
fn limits_of_networks_and_severities_change() {
    let pair = Pair::new();
    let file = Configuration::of("bandwidth: {limit: 1M}\n");
    let monitor = file.start(&pair, &[]);
    let lab = "{network: 10.1.0.0/24, limit: 50K, rule: lab}";
    file.accept(
        &monitor,
        &format!("bandwidth: {{limit: 1M, networks: [{lab}]}}\nalert: {{severity: [bandwidth=critical]}}\n"),
    );
    send_packets(&pair, 200);
    monitor.wait_for("the alert of the network", |metrics| {
        metrics.value(FIRING, &[("rule", "lab"), ("severity", "critical")]) == Some(1)
    });
    monitor.stop();
}

#[test]
fn time_between_snapshots_changes() {
    let pair = Pair::new();
    let file = Configuration::of("pipeline: {refresh: 600}\n");
    // A blank option is none: the file decides.
    let monitor = file.start(&pair, &["-promRefresh", ""]);
    send_packets(&pair, 5);
    file.accept(&monitor, "pipeline: {refresh: 0.2}\n");
    send_packets(&pair, 7);
    monitor.wait_for("all packets, long before 600 s", |metrics| metrics.sum(PACKETS) == 12);
    monitor.stop();
}

/// The authority may be renewed in its place.
#[test]
fn certificate_authorities_are_read_again_if_their_file_has_other_contents() {
    let (pair, folder) = (Pair::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("ca.pem");
    let renew = || {
        let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&path, authority.cert.pem()).unwrap();
    };
    renew();
    let receiver = format!("{{name: team, type: webhook, url: \"https://127.0.0.1:9/\", ca_file: {}}}", path.display());
    let text = format!("notify: {{receivers: [{receiver}]}}\n");
    let file = Configuration::of(&text);
    let monitor = file.start(&pair, &[]);
    let said = |words: &str| monitor.messages().contains(words);
    file.accept(&monitor, &text);
    wait_for("nothing is new", || said("it is unchanged").then_some(()));
    renew();
    file.accept(&monitor, &text);
    wait_for("the new authority", || said("changed=\"contents of ca_file\"").then_some(()));
    std::fs::write(&path, "no certificate").unwrap();
    file.refuse(&monitor, &text, "ca.pem");
    monitor.stop();
}

#[test]
fn level_of_the_log_and_families_change() {
    let pair = Pair::new();
    let file = Configuration::of("log: {level: warn}\n");
    let monitor = file.start(&pair, &[]);
    assert!(!monitor.messages().contains("level=info"), "{}", monitor.messages());
    file.accept(&monitor, "log: {level: debug}\n");
    let in_force = |monitor: &Monitor<'_>| monitor.messages().matches("and is in force").count();
    wait_for("the line of the reload", || (in_force(&monitor) == 1).then_some(()));
    wait_for("a line for debugging", || monitor.messages().contains("level=debug").then_some(()));
    send_packets(&pair, 3);
    monitor.wait_for("the flow", |metrics| metrics.flows().len() == 1);
    file.accept(&monitor, "log: {level: error}\nexport: {seed_families: false}\n");
    assert_eq!(monitor.metrics().flows().len(), 0);
    file.accept(&monitor, "log: {level: error}\n");
    // The former level had the line of the reload to `error`, and neither level that of the last one.
    assert_eq!((monitor.metrics().flows().len(), in_force(&monitor)), (1, 2));
    monitor.stop();
}

#[test]
fn settings_that_need_a_restart_are_refused_by_name_with_all_others() {
    let pair = Pair::new();
    let file = Configuration::of("bandwidth: {limit: 1M}\n");
    let monitor = file.start(&pair, &[]);
    for (text, name) in [
        ("capture: {workers: 2}", "capture.workers"),
        ("capture: {snap_length: 100}", "capture.snap_length"),
        ("kernel: {daq: tc}", "kernel.daq"),
        ("events: {file: /tmp/x.log}", "events.file"),
        ("alert: {explain: true}", "alert.explain"),
        ("names: {max_hosts: 7}", "names.max_hosts"),
        ("state: {dir: /tmp}", "state.dir"),
    ] {
        let reason = format!(
            "t.yml:2:{}: a new value of {name} needs a restart",
            text.find(": {").unwrap() + 4 + name.split_once('.').unwrap().1.len() + 2
        );
        file.refuse(&monitor, format!("bandwidth: {{limit: 2M}}\n{text}\n"), &reason);
        let limit = monitor.metrics().value("trafficmonitor_bandwidth_limit_bytes", &[]);
        assert_eq!(limit, Some(1_000_000), "all or nothing");
    }
    let before = monitor.metrics().value(HASH, &[]);
    file.accept(&monitor, "# a comment alone changes nothing\nbandwidth: {limit: 1M}\n");
    assert_eq!(monitor.metrics().value(HASH, &[]), before);
    file.accept(&monitor, "bandwidth: {limit: 2M}\n");
    assert_ne!(monitor.metrics().value(HASH, &[]), before);
    reload(&monitor, "it is unchanged");
    assert_eq!(post(&monitor).status, 200);
    monitor.stop();
}
