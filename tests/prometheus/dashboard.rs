//! Every expression of Grafana's dashboard, asked of a real Prometheus that scrapes the exporter under traffic: a scan, a
//! source that sends too much, and one that sends unlike before.

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
use super::chain::scan;
use super::common::exporter::DEADLINE;
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect};

const OPTIONS: [&str; 13] = [
    "-iface",
    "near",
    "-ByteLimit",
    "100K",
    "-TrafficInterval",
    "20",
    "-transfer_interval",
    "1s",
    "-anom_active_size",
    "1",
    "-anom_n_seasons",
    "3",
    "--anom.alerts",
];

const BATCH_PAUSE: Duration = Duration::from_millis(50);
/// Hosts that a batch probes.
const PROBES: u32 = 2;
/// After so many batches a source sends this many times as much.
const QUIET_BATCHES: u32 = 200;
const BURST: usize = 40;

// ---- Traffic -------------------------------------------------------------------------------------------------------------

/// Sends until it is dropped.
struct Traffic {
    is_over: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Traffic {
    fn start(outside: &Namespace, sink: UdpSocket) -> Self {
        let [scanner, heavy, restless] =
            ["10.9.0.2:40053", "10.9.0.3:40001", "10.9.0.4:40001"].map(|address| outside.udp(address));
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let sender = std::thread::spawn(move || {
            let to = sink.local_addr().unwrap();
            let batches = (0..).take_while(|_| !stop.load(Ordering::Acquire));
            for batch in batches {
                scan(&scanner, batch * PROBES, PROBES);
                heavy.send_to(&[0; 1_400], to).unwrap();
                let times = if batch < QUIET_BATCHES { 1 } else { BURST };
                for _ in 0..times {
                    restless.send_to(&[0; 100], to).unwrap();
                }
                sink.send_to(&[0; 200], heavy.local_addr().unwrap()).unwrap();
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

// ---- Expressions ---------------------------------------------------------------------------------------------------------

/// The texts behind a key, wherever it stands.
fn texts(value: &Value, key: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| texts(value, key, found)),
        Value::Object(entries) => {
            for (name, value) in entries {
                match value {
                    Value::String(text) if name == key => drop(found.insert(text.clone())),
                    _ => texts(value, key, found),
                }
            }
        }
        _ => {}
    }
}

/// The expressions of the dashboard: of panels, annotations, and the values of variables.
fn expressions() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/trafficmonitor.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut expressions = BTreeSet::new();
    texts(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 30, "{expressions:?}");
    let mut queries = BTreeSet::new();
    texts(&dashboard["templating"], "query", &mut queries);
    let of_variables = queries.iter().filter_map(|query| query.strip_prefix("label_values(")?.strip_suffix(')'));
    let of_variables = of_variables.map(|query| {
        let (metric, label) = query.rsplit_once(',').unwrap();
        format!("count by ({}) ({metric})", label.trim())
    });
    let of_variables: Vec<String> = of_variables.collect();
    assert_eq!(of_variables.len(), 2, "{queries:?}");
    expressions.extend(of_variables);
    expressions
}

/// As Grafana asks it, with everything chosen or with the one that there is.
fn filled_in(expression: &str, instance: &str, interface: &str) -> String {
    let variables =
        [("$__rate_interval", "10s"), ("$__range", "1m"), ("$instance", instance), ("$interface", interface)];
    let filled = variables.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!filled.contains('$'), "a variable without a value: {filled}");
    filled
}

fn has_data(results: &[Value]) -> bool {
    let is_number = |result: &Value| result["value"][1].as_str().is_some_and(|value| value != "NaN");
    !results.is_empty() && results.iter().all(is_number)
}

/// Waits until every expression has had data.
fn all_have_data(prometheus: &Prometheus<'_>, mut expressions: BTreeSet<String>) {
    let deadline = Instant::now() + DEADLINE;
    while !expressions.is_empty() {
        expressions.retain(|expression| !has_data(&prometheus.query(expression)));
        assert!(Instant::now() < deadline, "without data: {expressions:#?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn every_expression_of_the_dashboard_has_data() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    let (near, far) = (End::new(&inside, "near", "10.9.0.1/24"), End::new(&outside, "far", "10.9.0.2/24"));
    connect(&near, &far);
    ["10.9.0.3/24", "10.9.0.4/24"].iter().for_each(|more| drop(outside.ip(&format!("address add {more} dev far"))));
    outside.ip("route add 10.128.0.0/9 via 10.9.0.1");
    // The interface's count is compared with the captured frames only where the interface joins no frames.
    for (end, name) in [(&inside, "near"), (&outside, "far")] {
        let features = ["tso", "gso", "gro"].map(|feature| [feature, "off"]).concat();
        let mut ethtool = Command::new("ethtool");
        assert!(end.enter(|| ethtool.args(["-K", name]).args(features).status()).unwrap().success());
    }
    let monitor = Monitor::start(&inside, &OPTIONS);
    let prometheus = Prometheus::scraping(&inside, "127.0.0.1:8888");
    let traffic = Traffic::start(&outside, inside.udp("10.9.0.1:5001"));

    let expressions = expressions();
    let filled = |instance: &str, interface: &str| {
        expressions.iter().map(|expression| filled_in(expression, instance, interface)).collect::<BTreeSet<_>>()
    };
    all_have_data(&prometheus, filled(".*", ".*"));
    all_have_data(&prometheus, filled("127.0.0.1:8888", "near"));

    let kinds = ["host_scan", "bandwidth", "anomaly"];
    let firing = kinds.map(|kind| format!("trafficmonitor_alert_firing{{kind=\"{kind}\"}}"));
    all_have_data(&prometheus, firing.into());
    drop(traffic);
    monitor.stop();
}
