//! A real Prometheus scrapes the exporter, and its own checker reads the exposition. Debian's packages are needed
//! under `target/tools` (`scripts/unpack.sh prometheus prometheus-alertmanager`), and root for a network namespace.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, reason = "figures are for people that run the tests")]

mod common;

#[path = "prometheus/chain.rs"]
mod chain;
#[path = "prometheus/churn.rs"]
mod churn;
#[path = "prometheus/fleet.rs"]
mod fleet;
#[path = "prometheus/grafana.rs"]
mod grafana;
#[path = "prometheus/pushed.rs"]
mod pushed;
#[path = "prometheus/tls.rs"]
mod tls;
#[path = "prometheus/transfer.rs"]
mod transfer;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::exporter::{DEADLINE, Exporter, program};
use common::exposition::{family, parse};
use common::flows::{self, Flows};
use common::monitor::Monitor;
use common::namespace::{End, Namespace, connect};
use common::savefile::Savefile;
use common::{client, mix};
use serde_json::Value;

/// A program of Debian's package.
fn tool(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/bin").join(name);
    assert!(path.exists(), "{} is missing; run scripts/unpack.sh prometheus prometheus-alertmanager", path.display());
    path
}

// ---- promtool ------------------------------------------------------------------------------------------------------------

/// promtool's complaints about an exposition, and its exit status.
fn complaints(exposition: &str) -> (Vec<String>, Option<i32>) {
    let mut command = Command::new(tool("promtool"));
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = command.spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap().lines().map(str::to_owned).collect(), output.status.code())
}

/// The two labels that the older program spelt so; promtool complains of each row's.
const CAMEL_CASE: &str = "hosts_src_dst label names should be written in 'snake_case' not 'camelCase'";
/// promtool's exit status for matters of style.
const STYLE: i32 = 3;

/// `replay` of the first frames of the mix, and the page that is served of them.
fn expositions(frames: usize, options: &[&str]) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    let file = Savefile::new(1).frames(&mix::frames()[..frames]).write(folder.path(), "mix.pcap");
    let file = file.to_str().unwrap();
    let replayed = program(["replay", file, "--output", "prometheus"].iter().chain(options)).output().unwrap();
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    let exporter = Exporter::start(["-r", file, "-promHTTP", "127.0.0.1:0"].iter().chain(options));
    exporter.is_ready();
    [String::from_utf8(replayed.stdout).unwrap(), client::get(exporter.address(), "/metrics")]
}

#[test]
fn promtool_complains_of_the_two_labels_of_the_older_family_and_of_nothing_else() {
    for exposition in expositions(1, &[]) {
        assert_eq!(complaints(&exposition), (vec![CAMEL_CASE.to_owned(); 2], Some(STYLE)));
    }
    for exposition in expositions(mix::frames().len(), &["--max-flows", "8"]) {
        let rows = family(&parse(&exposition), "hosts_src_dst").samples.len();
        assert!(rows > 8, "{rows}");
        assert_eq!(complaints(&exposition), (vec![CAMEL_CASE.to_owned(); 2 * rows], Some(STYLE)));
    }
}

#[test]
fn without_the_older_families_promtool_complains_of_nothing() {
    for exposition in expositions(mix::frames().len(), &["--metrics.seed=false"]) {
        assert_eq!(complaints(&exposition), (Vec::new(), Some(0)));
    }
}

// ---- OpenMetrics ---------------------------------------------------------------------------------------------------------

/// The reading of an OpenMetrics text by Python's prometheus_client, a sample an array: family, type, name, labels,
/// value.
fn read_by_prometheus_client(text: &str) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/tools/prometheus-client/bin/python");
    assert!(python.exists(), "{} is missing; run scripts/prometheus-client.sh", python.display());
    let mut command = Command::new(python);
    command.arg(root.join("scripts/openmetrics.py")).env("PYTHONUTF8", "1");
    let mut reader = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = reader.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    writer.join().unwrap().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The page in OpenMetrics of a capture called `name`.
fn open_page(name: &str, options: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::rename(mix::write(folder.path(), "mix.pcap"), folder.path().join(name)).unwrap();
    let mut command = program(["-r", name, "-promHTTP", "127.0.0.1:0"].iter().chain(options));
    let exporter = Exporter::spawn(command.current_dir(folder.path()), 1);
    exporter.is_ready();
    let accept = "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let answer = client::ask(exporter.address(), "GET", "/metrics", &[accept]).unwrap();
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    answer.body
}

#[test]
fn an_openmetrics_parser_reads_every_sample() {
    for options in [&[][..], &["--metrics.flow_packets", "--metrics.created"]] {
        let page = open_page("mix.pcap", options);
        let samples = read_by_prometheus_client(&page);
        assert_eq!(samples.len(), page.lines().filter(|line| !line.starts_with('#')).count());
        let of = |ending: &str| samples.iter().filter(|sample| sample[2].as_str().unwrap().ends_with(ending)).count();
        let counters = samples.iter().filter(|sample| sample[1] == "counter").count();
        assert_eq!(of("_total"), counters - of("_created"));
        assert_eq!(of("_created"), if options.is_empty() { 0 } else { of("_total") });
    }
}

#[test]
fn an_openmetrics_parser_gives_hostile_label_values_back_unchanged() {
    for name in [
        "quote\".pcap",
        "\\n is no line feed.pcap",
        "two\nlines\n# EOF\nx 1",
        "{},=#\r\t\u{7f}.pcap",
        "ünï ☃ \"\\\"\n\\\\",
    ] {
        let samples = read_by_prometheus_client(&open_page(name, &["--metrics.created"]));
        let given: Vec<&Value> =
            samples.iter().filter(|sample| sample[0] == "trafficmonitor_interface_frames").collect();
        assert_eq!(given.len(), 2, "{given:?}");
        given.iter().for_each(|sample| assert_eq!(sample[3]["interface"], name));
    }
}

#[test]
fn the_example_of_a_configuration_is_right() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/prometheus.yml");
    let output = Command::new(tool("promtool")).args(["check", "config"]).arg(example).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn promtool_has_nothing_against_the_rules_and_they_do_as_their_cases_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (words, file) in [
        ("check", "alerts.rules.yml"),
        ("test", "tests/rules/alerts.test.yml"),
        ("check", "examples/recording.rules.yml"),
        ("test", "tests/rules/recording.test.yml"),
    ] {
        let output = Command::new(tool("promtool")).args([words, "rules"]).arg(root.join(file)).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&said));
    }
}

// ---- A scrape ------------------------------------------------------------------------------------------------------------

/// A program, by its path or the words that run it, in a network namespace; it does not outlive the test. Its output
/// goes to `log`.
fn start(namespace: &Namespace, program: &[PathBuf], options: &[String], log: &Path) -> Child {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(program).args(options);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(log).unwrap());
    namespace.enter(|| command.spawn()).expect("the tests need setpriv (util-linux)")
}

/// Prometheus in a network namespace, where no other program has its port; killed when it is dropped, or when the
/// test is.
struct Prometheus<'a> {
    namespace: &'a Namespace,
    process: Child,
    folder: tempfile::TempDir,
}

impl<'a> Prometheus<'a> {
    const ADDRESS: &'static str = "127.0.0.1:9090";

    /// Scrapes `target` every second.
    fn scraping(namespace: &'a Namespace, target: &str) -> Self {
        Self::scraping_every(namespace, target, "1s")
    }

    /// Scrapes `target` so often.
    fn scraping_every(namespace: &'a Namespace, target: &str, interval: &str) -> Self {
        Self::configured(namespace, target, interval, "")
    }

    /// As the example of a configuration says: scrapes `localhost:8888` every 15 s.
    fn of_the_example(namespace: &'a Namespace) -> Self {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/prometheus.yml");
        Self::running(namespace, &std::fs::read_to_string(example).unwrap())
    }

    /// Scrapes `target` so often, with `more` in its configuration.
    fn configured(namespace: &'a Namespace, target: &str, interval: &str, more: &str) -> Self {
        let job = format!("{{job_name: trafficmonitor, static_configs: [{{targets: ['{target}']}}]}}");
        let intervals = ["scrape_interval", "scrape_timeout", "evaluation_interval"];
        let intervals = intervals.map(|name| format!("{name}: {interval}")).join(", ");
        Self::running(namespace, &format!("global: {{{intervals}}}\nscrape_configs: [{job}]\n{more}"))
    }

    fn running(namespace: &'a Namespace, configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("prometheus.yml"), configuration).unwrap();
        let options = [
            format!("--config.file={}", path("prometheus.yml")),
            format!("--storage.tsdb.path={}", path("tsdb")),
            format!("--web.listen-address={}", Self::ADDRESS),
        ];
        let process = start(namespace, &[tool("prometheus")], &options, &folder.path().join("log"));
        Self { namespace, process, folder }
    }

    /// The results of an instant query; none while Prometheus is not up.
    fn query(&self, expression: &str) -> Vec<Value> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--max-time", "20", "--get", "--data-urlencode", &format!("query={expression}")]);
        command.arg(format!("http://{}/api/v1/query", Self::ADDRESS));
        let output = self.namespace.enter(|| command.output()).expect("the tests need curl");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until a query gives the expected result.
    fn gives<T: PartialEq + std::fmt::Debug>(&self, expression: &str, expected: &T, read: impl Fn(&[Value]) -> T) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let given = read(&self.query(expression));
            if given == *expected {
                return;
            }
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                panic!("{expression}: expected {expected:?}, given {given:?}; Prometheus said: {log}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn value(result: &Value) -> u64 {
    let value = result["value"][1].as_str().and_then(|value| value.parse::<f64>().ok());
    value.unwrap_or_else(|| panic!("no value: {result}")) as u64
}

fn values(results: &[Value]) -> Vec<u64> {
    results.iter().map(value).collect()
}

/// The flows that Prometheus knows.
fn flows_of(results: &[Value]) -> Flows {
    let label = |result: &Value, name: &str| result["metric"][name].as_str().unwrap_or_default().to_owned();
    results.iter().map(|result| ((label(result, "addr"), label(result, "port")), value(result))).collect()
}

/// The example that sends known traffic and prints the flows that come of it as JSON lines.
fn send_on(namespace: &Namespace, interface: &str) -> Flows {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--example", "test-traffic"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(build.status().unwrap().success());
    let example = Path::new(env!("CARGO_BIN_EXE_trafficmonitor")).with_file_name("examples").join("test-traffic");
    let mut command = Command::new(example);
    command.args(["--iface", interface, "--rounds", "5", "--pause", "50", "--jsonl"]);
    let output = namespace.enter(|| command.output()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    flows::of_json_lines(&String::from_utf8(output.stdout).unwrap())
}

/// Sends known traffic by the interface `far`; Prometheus has each flow and the sum, to the byte.
fn knows_what_is_sent(prometheus: &Prometheus, outside: &Namespace) {
    prometheus.gives("up", &vec![1], values);
    prometheus.gives("trafficmonitor_capture_up", &vec![1], values);

    let sent = send_on(outside, "far");
    assert!(sent.len() > 5, "{sent:?}");
    prometheus.gives("hosts_src_dst", &sent, flows_of);
    let total = sent.values().sum::<u64>();
    prometheus.gives("sum(trafficmonitor_traffic_bytes_total)", &vec![total], values);
}

#[test]
fn prometheus_knows_every_flow_of_known_traffic_to_the_byte() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    let (near, far) = (End::new(&inside, "near", "10.9.0.1/24"), End::new(&outside, "far", "10.9.0.2/24"));
    connect(&near, &far);
    let monitor = Monitor::start(&inside, &["-iface", "near"]);
    let prometheus = Prometheus::scraping(&inside, "127.0.0.1:8888");
    knows_what_is_sent(&prometheus, &outside);
    prometheus.gives("up", &vec![1], values);
    monitor.stop();
}
