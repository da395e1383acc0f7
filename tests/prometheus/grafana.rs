//! Every expression of Grafana's dashboards, asked of a real Prometheus that scrapes two exporters under traffic: a scan, a
//! source that sends too much and is not permitted, and one that sends unlike before.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Prometheus;
use super::chain::{WEBHOOK, scan};
use super::common::client;
use super::common::grafana::{Asked, dashboards};
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::common::webhook::Webhook;

/// By libpcap: with every kind of alert, and everything that writes.
const LIBPCAP: [&str; 29] = [
    "-iface",
    "near",
    "-ByteLimit",
    "100K",
    "-TrafficInterval",
    "20",
    "--bandwidth.direction",
    "both",
    "-transfer_interval",
    "1s",
    "-anom_active_size",
    "1",
    "-anom_n_seasons",
    "3",
    "--anom.alerts",
    // Probes are no anomalies.
    "-filter_ip_CIDR",
    "10.9.0.0/24",
    "-filter_dst",
    // Alerts about the policy fire and resolve again and again, and are delivered.
    "--policy.interval",
    "2",
    "--alert.hold",
    "1s",
    // Rows of hosts that are silent leave soon.
    "--idle-timeout",
    "5s",
    "--alert.severity",
    "host_scan=critical",
    "--log-format",
    "jsonl",
    "-log_packets",
];
const KERNEL_PATH: [&str; 4] = ["-iface", "near", "-daq", "tc"];
const POLICY: [&str; 4] = ["--policy.permitted", "10.0.0.0/8", "--policy.denied", "10.9.0.3/32"];
/// The addresses of both exporters.
const BY_LIBPCAP: &str = "127.0.0.1:8888";
const BY_KERNEL: &str = "127.0.0.1:8889";
/// Metrics that only the kernel path has.
const OF_KERNEL_PATH: [&str; 4] = [
    "trafficmonitor_traffic_wire_packets_total",
    "trafficmonitor_policy_dropped_",
    "trafficmonitor_kernel_messages_lost_total",
    "trafficmonitor_kernel_reattached_total",
];

/// Longest time until every expression has had data. Only failures take that long.
const SETTLES_WITHIN: Duration = Duration::from_secs(240);
const BATCH_PAUSE: Duration = Duration::from_millis(50);
/// Two probes in a second are a scan; each is a conversation whose packets are logged to a file of its own.
const BATCHES_PER_PROBE: u32 = 10;
/// After so many batches a source sends this many times as much.
const QUIET_BATCHES: u32 = 200;
const BURST: usize = 40;
/// After so many batches a host falls silent.
const LAST_WORDS: u32 = 40;
/// A host of the Internet sends so many batches, and is silent for twice as many.
const SPELL: u32 = 100;

// ---- Traffic -------------------------------------------------------------------------------------------------------------

/// Sends in all four directions until it is dropped.
struct Traffic {
    is_over: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Traffic {
    fn start(outside: &Namespace, sink: UdpSocket) -> Self {
        let [scanner, heavy, restless, brief, remote] =
            ["10.9.0.2:40053", "10.9.0.3:40001", "10.9.0.4:40001", "10.9.0.5:40001", "203.0.113.5:40001"]
                .map(|address| outside.udp(address));
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let sender = std::thread::spawn(move || {
            let to = sink.local_addr().unwrap();
            let batches = (0_u32..).take_while(|_| !stop.load(Ordering::Acquire));
            for batch in batches {
                if batch.is_multiple_of(BATCHES_PER_PROBE) {
                    scan(&scanner, batch / BATCHES_PER_PROBE, 1);
                }
                heavy.send_to(&[0; 1_400], to).unwrap();
                let times = if batch < QUIET_BATCHES { 1 } else { BURST };
                for _ in 0..times {
                    restless.send_to(&[0; 100], to).unwrap();
                }
                if batch < LAST_WORDS {
                    brief.send_to(&[0; 100], to).unwrap();
                }
                if (batch / SPELL).is_multiple_of(3) {
                    remote.send_to(&[0; 300], to).unwrap();
                    remote.send_to(&[0; 300], "198.51.100.7:5001").unwrap();
                }
                for receiver in [&heavy, &remote] {
                    sink.send_to(&[0; 200], receiver.local_addr().unwrap()).unwrap();
                }
                std::thread::sleep(BATCH_PAUSE);
            }
        });
        Self { is_over, sender: Some(sender) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        let ended = self.sender.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

// ---- Exporters -----------------------------------------------------------------------------------------------------------

/// The exporter that captures by libpcap, with files in `folder` and a receiver that accepts.
fn by_libpcap<'a>(inside: &'a Namespace, folder: &Path) -> Monitor<'a> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    ["archive", "packets"].iter().for_each(|name| std::fs::create_dir(path(name)).unwrap());
    let receivers = format!("notify:\n  receivers:\n  - {{name: webhook, type: webhook, url: 'http://{WEBHOOK}/'}}\n");
    std::fs::write(path("trafficmonitor.yml"), receivers).unwrap();
    let files = [
        ("-archive_dir", "archive"),
        ("-l", "packets"),
        ("--log-file", "events.jsonl"),
        ("--config.file", "trafficmonitor.yml"),
    ];
    let files: Vec<String> = files.iter().flat_map(|(option, name)| [(*option).to_owned(), path(name)]).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    Monitor::start(inside, &[&LIBPCAP[..], &POLICY, &files].concat())
}

/// The exporter that captures by TC; none, with a visible line, where the kernel refuses its program.
fn by_kernel(inside: &Namespace) -> Option<Monitor<'_>> {
    let monitor = Monitor::spawn_beside(inside, &[&KERNEL_PATH[..], &POLICY].concat());
    let is_refusal = |line: &&str| line.contains("the kernel does not take");
    let messages = wait_for("it captures or ends", || {
        let messages = monitor.messages();
        (messages.contains("capturing") || messages.lines().any(|line| is_refusal(&line))).then_some(messages)
    });
    if let Some(refusal) = messages.lines().find(is_refusal) {
        // One line: scripts/test.sh reads it.
        println!("skipped: {KERNEL_PATH:?}: {refusal}");
        return None;
    }
    Some(monitor.wait_until_ready())
}

/// Prometheus with the project's rules. It scrapes both exporters, and itself as another program.
fn prometheus(inside: &Namespace) -> Prometheus<'_> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts.rules.yml");
    let job = |name: &str, targets: &str| format!("{{job_name: {name}, static_configs: [{{targets: [{targets}]}}]}}");
    let exporters = job("trafficmonitor", &format!("'{BY_LIBPCAP}', '{BY_KERNEL}'"));
    let other = job("prometheus", &format!("'{}'", Prometheus::ADDRESS));
    let configuration = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
         rule_files: ['{}']\nscrape_configs: [{exporters}, {other}]\n",
        rules.display()
    );
    Prometheus::running(inside, &configuration)
}

// ---- Expressions ---------------------------------------------------------------------------------------------------------

/// The values that are chosen in Grafana, in the form in which Grafana writes them into a query.
#[derive(Debug, Clone, Copy)]
struct Choice {
    instance: &'static str,
    interface: &'static str,
    host: &'static str,
}

const ALL: Choice = Choice { instance: ".*", interface: ".*", host: ".*" };
const ONE: Choice =
    Choice { instance: r"127\\.0\\.0\\.1:8888", interface: "near", host: r"(10\\.9\\.0\\.1|203\\.0\\.113\\.5)" };
const ONE_OF_KERNEL: Choice = Choice { instance: r"127\\.0\\.0\\.1:8889", ..ONE };

impl Choice {
    fn fill_in(self, expression: &str) -> String {
        let variables = [
            ("$__rate_interval", "10s"),
            ("$__range", "1m"),
            ("$instance", self.instance),
            ("$interface", self.interface),
            ("$host", self.host),
        ];
        let filled = variables.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
        assert!(!filled.contains('$'), "a variable without a value: {filled}");
        filled
    }
}

fn needs_kernel_path(asked: &Asked) -> bool {
    OF_KERNEL_PATH.iter().any(|name| asked.expression.contains(name))
}

fn has_data(results: &[Value]) -> bool {
    let is_number = |result: &Value| result["value"][1].as_str().is_some_and(|value| value != "NaN");
    !results.is_empty() && results.iter().all(is_number)
}

/// The labels that a legend names.
fn labels_of(legend: &str) -> Vec<&str> {
    legend.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0)).collect()
}

/// Each label of the legend is there, and no two series have the same legend.
fn legend_fits(asked: &Asked, results: &[Value]) {
    let labels = labels_of(&asked.legend);
    let legend = |result: &Value| labels.iter().map(|label| result["metric"][label].to_string()).collect::<Vec<_>>();
    for label in &labels {
        let has_label = results.iter().any(|result| result["metric"][label].is_string());
        assert!(has_label, "{asked:?}: no series has the label {label}");
    }
    let legends: BTreeSet<Vec<String>> = results.iter().map(legend).collect();
    let is_legend = !asked.legend.is_empty();
    assert!(!is_legend || legends.len() == results.len(), "{asked:?}: several series have one legend: {results:#?}");
}

/// No series of another program.
fn is_of_exporter(asked: &Asked, results: &[Value]) {
    let jobs = results.iter().filter_map(|result| result["metric"]["job"].as_str());
    let others: BTreeSet<&str> = jobs.filter(|job| *job != "trafficmonitor").collect();
    assert!(others.is_empty(), "{asked:?}: series of {others:?}");
}

/// The results of an instant query, without a program between: there are hundreds.
fn results(inside: &Namespace, expression: &str) -> Vec<Value> {
    let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let address = Prometheus::ADDRESS.parse().unwrap();
    let answer = inside.enter(|| client::request(address, "GET", &format!("/api/v1/query?query={encoded}")));
    assert_eq!(answer.status, 200, "{expression}: {}", answer.body);
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    answer["data"]["result"].as_array().unwrap().clone()
}

/// Waits until every expression has had data.
fn all_have_data(inside: &Namespace, asked: impl IntoIterator<Item = Asked>, choice: Choice) {
    let mut missing: BTreeSet<Asked> = asked.into_iter().collect();
    assert!(!missing.is_empty());
    let deadline = Instant::now() + SETTLES_WITHIN;
    while !missing.is_empty() {
        missing.retain(|asked| {
            let results = results(inside, &choice.fill_in(&asked.expression));
            if !has_data(&results) {
                return true;
            }
            legend_fits(asked, &results);
            is_of_exporter(asked, &results);
            false
        });
        assert!(Instant::now() < deadline, "without data with {choice:?}: {missing:#?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn every_expression_of_the_dashboards_has_data() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    let (near, far) = (End::new(&inside, "near", "10.9.0.1/24"), End::new(&outside, "far", "10.9.0.2/24"));
    connect(&near, &far);
    let more = ["10.9.0.3/24", "10.9.0.4/24", "10.9.0.5/24", "203.0.113.5/32"];
    more.iter().for_each(|more| drop(outside.ip(&format!("address add {more} dev far"))));
    ["10.128.0.0/9", "198.51.100.0/24"]
        .iter()
        .for_each(|network| drop(outside.ip(&format!("route add {network} via 10.9.0.1"))));
    inside.ip("route add 203.0.113.0/24 via 10.9.0.2");
    // The interface's count is compared with the captured frames only where the interface joins no frames.
    for (end, name) in [(&inside, "near"), (&outside, "far")] {
        let features = ["tso", "gso", "gro"].map(|feature| [feature, "off"]).concat();
        let mut ethtool = Command::new("ethtool");
        assert!(end.enter(|| ethtool.args(["-K", name]).args(features).status()).unwrap().success());
    }
    let _webhook = Webhook::listen(&inside, WEBHOOK);
    let folder = tempfile::tempdir().unwrap();
    let monitor = by_libpcap(&inside, folder.path());
    let kernel = by_kernel(&inside);
    let prometheus = prometheus(&inside);
    let traffic = Traffic::start(&outside, inside.udp("10.9.0.1:5001"));

    prometheus.gives("count(up)", &vec![3], super::values);
    let (of_kernel, of_both): (Vec<Asked>, Vec<Asked>) =
        dashboards().iter().flat_map(|dashboard| dashboard.asked()).partition(needs_kernel_path);
    assert!(of_both.len() > 150 && of_kernel.len() > 4, "{} {}", of_both.len(), of_kernel.len());
    all_have_data(&inside, of_both.clone(), ALL);
    all_have_data(&inside, of_both, ONE);
    if kernel.is_some() {
        all_have_data(&inside, of_kernel.clone(), ALL);
        all_have_data(&inside, of_kernel, ONE_OF_KERNEL);
    }

    for kind in ["host_scan", "bandwidth", "anomaly", "policy"] {
        let firing = format!("trafficmonitor_alert_firing{{kind=\"{kind}\"}}");
        prometheus.gives(&format!("count({firing}) > bool 0"), &vec![1], super::values);
    }
    drop(traffic);
    [Some(monitor), kernel].into_iter().flatten().for_each(|monitor| drop(monitor.stop()));
}
