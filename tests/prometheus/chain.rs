//! The whole way of an alert with real parts: exporter, Prometheus with the rules, Alertmanager, and its receiver.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::{Value, json};

use super::common::exporter::wait_for;
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect};
use super::common::webhook::Webhook;
use super::{Prometheus, start, tool, values};

const OPTIONS: [&str; 6] = ["-iface", "near", "--scan.interval", "5s", "--alert.hold", "1s"];
/// More than a source may contact.
const TARGETS: u32 = 40;

pub(super) const ALERTMANAGER: &str = "127.0.0.1:9093";
pub(super) const WEBHOOK: &str = "127.0.0.1:9099";
/// It speaks to no other.
const ALONE: &str = "--cluster.listen-address=";

/// A datagram to each of so many hosts from `first` on, behind a host that is no router and drops silently.
pub(super) fn scan(socket: &UdpSocket, first: u32, targets: u32) {
    let network = Ipv4Addr::new(10, 128, 0, 0).to_bits();
    for target in first..first + targets {
        socket.send_to(b"who is there", (Ipv4Addr::from_bits(network + target), 53)).unwrap();
    }
}

/// The words that run a program of Debian's package which reads its templates where it would be installed: for it alone
/// the package's files stand there.
fn with_templates(name: &str) -> Vec<PathBuf> {
    let program = tool(name);
    let shared = program.ancestors().nth(2).unwrap().join("share");
    let script = "mount --bind \"$0\" /usr/share && exec \"$@\"";
    let words = ["unshare", "--mount", "--", "sh", "-c", script].map(PathBuf::from);
    words.into_iter().chain([shared, program]).collect()
}

/// The inhibit rules of the example, as they stand there.
fn shipped_inhibit_rules() -> String {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/alertmanager.yml");
    let example = std::fs::read_to_string(example).unwrap();
    example[example.find("inhibit_rules:").unwrap()..].to_owned()
}

/// Alertmanager, which notifies the webhook; killed when it is dropped, or when the test is.
pub(super) struct Alertmanager {
    process: Child,
    address: &'static str,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    /// The addresses of the members of a cluster.
    pub(super) const CLUSTER: [&str; 2] = [ALERTMANAGER, "127.0.0.1:9193"];
    /// The addresses at which they speak to each other.
    const GOSSIP: [&str; 2] = ["127.0.0.1:9094", "127.0.0.1:9194"];

    pub(super) fn telling(namespace: &Namespace) -> Self {
        Self::started(namespace, ALERTMANAGER, &[ALONE.to_owned()], &[&format!("http://{ALERTMANAGER}")])
    }

    /// Two that tell each other of which they have notified; the second one waits a second for the first.
    pub(super) fn cluster(namespace: &Namespace) -> [Self; 2] {
        [(0, 1), (1, 0)].map(|(own, other)| {
            let options = [
                format!("--cluster.listen-address={}", Self::GOSSIP[own]),
                format!("--cluster.advertise-address={}", Self::GOSSIP[own]),
                format!("--cluster.peer={}", Self::GOSSIP[other]),
                "--cluster.peer-timeout=1s".to_owned(),
                "--cluster.gossip-interval=50ms".to_owned(),
            ];
            let address = Self::CLUSTER[own];
            Self::started(namespace, address, &options, &[&format!("http://{address}")])
        })
    }

    /// The same over TLS, with a certificate and its key; `authority` has signed it.
    pub(super) fn telling_over_tls(namespace: &Namespace, web_configuration: &Path, authority: &Path) -> Self {
        let option = format!("--web.config.file={}", web_configuration.display());
        let authority = authority.to_str().unwrap();
        let curl = ["--cacert", authority, &format!("https://{ALERTMANAGER}")];
        Self::started(namespace, ALERTMANAGER, &[ALONE.to_owned(), option], &curl)
    }

    /// Started, and asked by curl until it is ready.
    fn started(namespace: &Namespace, address: &'static str, options: &[String], curl: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let configuration = format!(
            "route: {{receiver: webhook, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: webhook, webhook_configs: [{{url: 'http://{WEBHOOK}/'}}]}}]\n{}",
            shipped_inhibit_rules()
        );
        std::fs::write(path("alertmanager.yml"), configuration).unwrap();
        let own_options = [
            format!("--config.file={}", path("alertmanager.yml")),
            format!("--storage.path={}", path("data")),
            format!("--web.listen-address={address}"),
        ];
        let log = folder.path().join("log");
        let options = [&own_options, options].concat();
        let mut process = start(namespace, &with_templates("prometheus-alertmanager"), &options, &log);
        let (url, curl) = curl.split_last().unwrap();
        wait_for("Alertmanager is ready", || {
            let ended = process.try_wait().unwrap();
            assert_eq!(ended, None, "Alertmanager said: {}", std::fs::read_to_string(&log).unwrap_or_default());
            let mut command = Command::new("curl");
            command.args(["--silent", "--fail"]).args(curl).arg(format!("{url}/-/ready"));
            namespace.enter(|| command.output()).unwrap().status.success().then_some(())
        });
        Self { process, address, _folder: folder }
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Alertmanager {
    /// The alerts that it knows of: name, whether another one hides it.
    pub(super) fn alerts(&self, namespace: &Namespace) -> Vec<(String, bool)> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--max-time", "20", &format!("http://{}/api/v2/alerts", self.address)]);
        let output = namespace.enter(|| command.output()).expect("the tests need curl");
        let alerts: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let known = alerts.as_array().into_iter().flatten().map(|alert| {
            let is_hidden = !alert["status"]["inhibitedBy"].as_array().unwrap().is_empty();
            (alert["labels"]["alertname"].as_str().unwrap().to_owned(), is_hidden)
        });
        let mut known: Vec<(String, bool)> = known.collect();
        known.sort();
        known
    }
}

/// Status and alerts of a notification: status, name, source.
fn notified(notification: &Value) -> Value {
    let alert = |alert: &Value| json!([alert["status"], alert["labels"]["alertname"], alert["labels"]["source"]]);
    let alerts = notification["alerts"].as_array().unwrap().iter().map(alert).collect::<Vec<_>>();
    json!([notification["status"], alerts])
}

#[test]
fn scan_is_notified_once_and_its_end_once() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    let (near, far) = (End::new(&inside, "near", "10.9.0.1/24"), End::new(&outside, "far", "10.9.0.2/24"));
    connect(&near, &far);
    outside.ip("route add 10.128.0.0/9 via 10.9.0.1");
    let webhook = Webhook::listen(&inside, WEBHOOK);
    let _alertmanager = Alertmanager::telling(&inside);
    let monitor = Monitor::start(&inside, &OPTIONS);
    let prometheus = Prometheus::configured(&inside, "127.0.0.1:8888", "1s", &with_rules());
    prometheus.gives("trafficmonitor_alerts_total{rule=\"host_scan\"}", &vec![0], values);

    scan(&outside.udp("10.9.0.2:40053"), 1, TARGETS);
    let is_over = |taken: &[Value]| taken.iter().any(|notification| notification["status"] == "resolved");
    let taken =
        wait_for("the notification of the end of the scan", || Some(webhook.taken()).filter(|taken| is_over(taken)));

    let of_scan = |status: &str| json!([status, [[status, "TrafficmonitorHostScan", "10.9.0.2"]]]);
    assert_eq!(taken.iter().map(notified).collect::<Vec<_>>(), [of_scan("firing"), of_scan("resolved")]);
    let (labels, annotations) = (&taken[0]["alerts"][0]["labels"], &taken[0]["alerts"][0]["annotations"]);
    assert_eq!((&labels["severity"], &labels["side"]), (&json!("warning"), &json!("inside")));
    assert_eq!(annotations["summary"], "10.9.0.2 scans hosts");
    let description = annotations["description"].as_str().unwrap();
    assert!(description.starts_with("10.9.0.2 (inside) scanned "), "{description}");
    assert!(description.contains(" hosts in 5s (limit 15), first 10.128.0.1:53/udp. "), "{description}");
    let runbook = "https://runbooks.example.net/trafficmonitor/runbooks.md#trafficmonitorhostscan";
    assert_eq!(annotations["runbook_url"], runbook);
    prometheus.gives("trafficmonitor_alerts_total{rule=\"host_scan\"}", &vec![1], values);
    prometheus.gives("trafficmonitor_alerts_active{rule=\"host_scan\"}", &vec![0], values);
    prometheus.gives("trafficmonitor_alert_firing", &Vec::new(), values);
    monitor.stop();
}

/// More configuration of Prometheus: the shipped rules, and the address of Alertmanager.
fn with_rules() -> String {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts.rules.yml");
    format!(
        "rule_files: ['{}']\nalerting: {{alertmanagers: [{{static_configs: [{{targets: ['{ALERTMANAGER}']}}]}}]}}\n",
        rules.display()
    )
}

#[test]
fn a_block_scan_hides_the_two_scans_that_it_consists_of() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    let (near, far) = (End::new(&inside, "near", "10.9.0.1/24"), End::new(&outside, "far", "10.9.0.2/24"));
    connect(&near, &far);
    outside.ip("route add 10.128.0.0/9 via 10.9.0.1");
    let alertmanager = Alertmanager::telling(&inside);
    let monitor = Monitor::start(&inside, &["-iface", "near"]);
    let prometheus = Prometheus::configured(&inside, "127.0.0.1:8888", "1s", &with_rules());
    prometheus.gives("trafficmonitor_alerts_total{rule=\"host_scan\"}", &vec![0], values);

    let socket = outside.udp("10.9.0.2:40053");
    for number in 0..120_u32 {
        let host = Ipv4Addr::from_bits(0x0a80_0001 + number % TARGETS);
        socket.send_to(b"?", (host, 20_000 + number as u16)).unwrap();
    }
    let expected = [("BlockScan", false), ("HostScan", true), ("PortScan", true)];
    let expected = expected.map(|(name, is_hidden)| (format!("Trafficmonitor{name}"), is_hidden));
    wait_for("the block scan hides the others", || (alertmanager.alerts(&inside) == expected).then_some(()));
    prometheus.gives("count(ALERTS{alertname=\"TrafficmonitorBlockScan\",severity=\"critical\"})", &vec![1], values);
    monitor.stop();
}
