//! A server of a fleet as the example configures it: it records sums, and sends these to a central store and no rows.
//! And a cluster of two Alertmanagers, which the exporter tells both.

use std::path::Path;
use std::process::{Child, Command};

use serde_json::Value;

use super::chain::{Alertmanager, WEBHOOK, scan};
use super::common::exporter::wait_for;
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect};
use super::common::webhook::Webhook;
use super::{Prometheus, start, tool, value, values};

const STORE: &str = "127.0.0.1:8428";
/// The exporter.
const MONITOR: &str = "127.0.0.1:8888";
const PACKETS: usize = 10;

/// VictoriaMetrics, which takes what is written to it; killed when it is dropped, or when the test is.
struct Store<'a> {
    namespace: &'a Namespace,
    process: Child,
    _folder: tempfile::TempDir,
}

impl<'a> Store<'a> {
    fn start(namespace: &'a Namespace) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = [
            format!("-storageDataPath={}", folder.path().join("data").display()),
            format!("-httpListenAddr={STORE}"),
            // A query sees the newest samples, too.
            "-search.latencyOffset=0s".to_owned(),
        ];
        let process = start(namespace, &[tool("victoria-metrics")], &options, &folder.path().join("log"));
        Self { namespace, process, _folder: folder }
    }

    /// The results of an instant query; none while the store is not up.
    fn query(&self, expression: &str) -> Vec<Value> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--max-time", "20", "--get", "--data-urlencode", &format!("query={expression}")]);
        command.arg(format!("http://{STORE}/api/v1/query"));
        let output = self.namespace.enter(|| command.output()).expect("the tests need curl");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    fn names(&self) -> Vec<String> {
        let results = self.query("count by (__name__) ({__name__!=''})");
        results.iter().map(|result| result["metric"]["__name__"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Store<'_> {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A file of the project with some of its text replaced; each must be there.
fn adapted(file: &str, replacements: &[(&str, &str)]) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    replacements.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{file} has no {from}");
        text.replace(from, to)
    })
}

/// The example with one target, the store of this machine, and seconds for minutes.
fn configuration(folder: &Path) -> String {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    std::fs::write(path("rules.yml"), adapted("examples/recording.rules.yml", &[("interval: 1m", "interval: 1s")]))
        .unwrap();
    std::fs::write(path("north.yml"), format!("[{{targets: ['{MONITOR}'], labels: {{cluster: north}}}}]")).unwrap();
    let replacements = [
        ("_interval: 60s", "_interval: 1s"),
        ("scrape_timeout: 20s", "scrape_timeout: 1s"),
        ("recording.rules.yml", &path("rules.yml")),
        ("  - ../alerts.rules.yml\n", ""),
        ("/etc/prometheus/trafficmonitor/*.yml", &path("north.yml")),
        ("modulus: 4", "modulus: 1"),
        ("https://metrics.example.net/api/v1/push", &format!("http://{STORE}/api/v1/write")),
    ];
    adapted("examples/prometheus-fleet.yml", &replacements)
}

#[test]
fn a_server_of_a_fleet_sends_the_sums_to_the_store_and_keeps_the_rows() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    connect(&End::new(&inside, "near", "10.9.0.1/24"), &End::new(&outside, "far", "10.9.0.2/24"));
    let folder = tempfile::tempdir().unwrap();
    let store = Store::start(&inside);
    let monitor = Monitor::start(&inside, &["-iface", "near"]);
    let prometheus = Prometheus::running(&inside, &configuration(folder.path()));
    prometheus.gives("up", &vec![1], values);
    let socket = outside.udp("10.9.0.2:40053");
    (0..PACKETS).for_each(|_| assert_eq!(socket.send_to(&[0; 100], "10.9.0.1:53").unwrap(), 100));

    let bytes = "sum(cluster_job_direction:trafficmonitor_traffic_bytes:rate5m{cluster='north'}) > 0";
    wait_for("the store has the rate of the cluster", || store.query(bytes).first().map(|_| ()));
    wait_for("the store has the sums by protocol", || {
        let udp = "cluster_job_direction_protocol:trafficmonitor_flow_bytes:rate5m{protocol='udp'} > 0";
        store.query(udp).first().map(|_| ())
    });
    let sent = store.query("up{prometheus='shard-0',replica='a',cluster='north'}");
    assert_eq!(sent.iter().map(value).collect::<Vec<_>>(), [1], "the labels of the server and of the target");
    assert!(prometheus.query("count(trafficmonitor_flow_bytes_total) > 1").len() == 1, "the rows are on the server");
    let rows: Vec<String> = store.names().into_iter().filter(|name| name.starts_with("trafficmonitor_flow")).collect();
    assert!(rows.is_empty(), "the store has rows: {rows:?}");
    assert!(prometheus.query("hosts_src_dst").is_empty(), "the older families are dropped");
    monitor.stop();
}

#[test]
fn a_cluster_of_alertmanagers_that_are_both_told_notifies_once() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    connect(&End::new(&inside, "near", "10.9.0.1/24"), &End::new(&outside, "far", "10.9.0.2/24"));
    outside.ip("route add 10.128.0.0/9 via 10.9.0.1");
    let webhook = Webhook::listen(&inside, WEBHOOK);
    let members = Alertmanager::cluster(&inside);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trafficmonitor.yml");
    let receiver = |(number, address): (usize, &str)| {
        format!("  - {{name: member-{number}, type: alertmanager, url: 'http://{address}'}}\n")
    };
    let receivers: String = Alertmanager::CLUSTER.into_iter().enumerate().map(receiver).collect();
    std::fs::write(&path, format!("notify:\n  receivers:\n{receivers}")).unwrap();
    let options = ["-iface", "near", "--scan.interval", "5s", "--alert.hold", "1s", "--config.file"];
    let monitor = Monitor::start(&inside, &[&options[..], &[path.to_str().unwrap()]].concat());

    scan(&outside.udp("10.9.0.2:40053"), 1, 40);
    for member in &members {
        let known = || (member.alerts(&inside).len() == 1).then_some(());
        wait_for("each member knows the scan", known);
    }
    let of = |taken: &[Value], status: &str| taken.iter().filter(|taken| taken["status"] == status).count();
    let taken = wait_for("its end is notified", || Some(webhook.taken()).filter(|taken| of(taken, "resolved") > 0));
    assert_eq!((of(&taken, "firing"), of(&taken, "resolved")), (1, 1), "{taken:#?}");
    monitor.stop();
}
