//! An alert from its packets to its proof: a real scanner, a source over its limit, the webhook that is told, and the
//! capture files with the packets.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::common::webhook::Webhook;
use super::scanners::scan;

const WEBHOOK: &str = "127.0.0.1:9099";
const PAGES: &str = "http://monitor.example:8888";

/// A router in front of a network that drops silently, and a scanner.
struct Networks {
    router: Namespace,
    scanner: Namespace,
}

impl Networks {
    fn new() -> Self {
        let networks = Self { router: Namespace::router(), scanner: Namespace::new() };
        let Self { router, scanner } = &networks;
        connect(&End::new(router, "inside", "10.1.0.1/24"), &End::new(scanner, "eth0", "10.1.0.2/24"));
        router.ip("route add blackhole 10.30.0.0/24");
        scanner.ip("route add default via 10.1.0.1");
        networks
    }
}

/// The settings of the exporter, with a webhook.
fn configuration(folder: &Path) -> PathBuf {
    let path = folder.join("trafficmonitor.yml");
    let text = format!(
        "scan:\n  interval: 5s\nalert:\n  hold: 1s\nnotify:\n  external_url: {PAGES}\n  receivers:\n  - {{name: hook, type: webhook, url: 'http://{WEBHOOK}/'}}\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// The standard output of a program.
fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits for the notification of an end: messages are a minute apart.
fn wait_long<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(180);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "no notification of the end");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn alert(notification: &Value) -> &Value {
    &notification["alerts"][0]
}

/// The message about an alert that fires names the file that is being written, and the page that will serve it.
fn names_its_evidence(firing: &Value, archive: &str) {
    let (fingerprint, annotations) = (firing["fingerprint"].as_str().unwrap(), &firing["annotations"]);
    let file = annotations["evidence"].as_str().unwrap_or_else(|| panic!("no evidence: {firing:#}"));
    assert!(file.starts_with(archive) && file.ends_with(&format!("-10.1.0.2-{fingerprint}.pcapng")), "{file}");
    let link = format!("{PAGES}/alerts/{fingerprint}/evidence");
    assert_eq!(annotations["evidence_url"], link, "{firing:#}");
    assert!(annotations["description"].as_str().unwrap().contains(&link), "{firing:#}");
}

/// The program serves a file at the page of its alert.
fn is_served(monitor: &Monitor<'_>, fingerprint: &str, file: &str) {
    let served = monitor.ask("GET", &format!("/alerts/{fingerprint}/evidence")).unwrap();
    assert_eq!((served.status, served.bytes == std::fs::read(file).unwrap()), (200, true));
}

/// The alerts that `replay` raises from a file with the configuration that its verdict names.
fn raised(file: &Path, verdict: &Value) -> Vec<Value> {
    let configuration = file.with_file_name(verdict["configuration"].as_str().unwrap());
    let arguments = [Path::new("--config.file"), &configuration, file, Path::new("--output"), Path::new("alerts")];
    let arguments = arguments.map(|argument| argument.to_str().unwrap());
    let replayed = printed(PROGRAM, &[&["replay"], &arguments[..]].concat());
    replayed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn scan_is_notified_with_a_file_that_proves_it() {
    let networks = Networks::new();
    let webhook = Webhook::listen(&networks.router, WEBHOOK);
    let folder = TempDir::new().unwrap();
    let (configuration, archive) = (configuration(folder.path()), folder.path().join("archive"));
    std::fs::create_dir(&archive).unwrap();
    let (configuration, archive) = (configuration.to_str().unwrap(), archive.to_str().unwrap());
    let options = ["--config.file", configuration, "-iface", "inside", "-archive_dir", archive];
    let monitor = Monitor::start(&networks.router, &options);
    let output =
        scan(&networks.scanner, "--send-ip -sS -Pn -p22 --max-retries 1 10.30.0.0/26").wait_with_output().unwrap();
    assert!(output.status.success(), "nmap: {}", String::from_utf8_lossy(&output.stderr));

    let is_over = |taken: &[Value]| taken.iter().any(|notification| notification["status"] == "resolved");
    let taken = wait_long(|| Some(webhook.taken()).filter(|taken| is_over(taken)));
    names_its_evidence(alert(&taken[0]), archive);
    let resolved = alert(taken.last().unwrap());
    let annotations = &resolved["annotations"];
    let file = annotations["evidence"].as_str().unwrap_or_else(|| panic!("no evidence: {resolved:#}"));
    let hash = printed("sha256sum", &[file]);
    assert_eq!(annotations["evidence_sha256"].as_str(), hash.split(' ').next());

    let times = printed("tshark", &["-r", file, "-T", "fields", "-e", "frame.time_epoch", "-Y", "ip.src == 10.1.0.2"]);
    let first: f64 = times.lines().next().expect("packets of the scanner").parse().unwrap();
    let verdict: Value =
        serde_json::from_str(&std::fs::read_to_string(Path::new(file).with_extension("json")).unwrap()).unwrap();
    let starts_at = verdict["alert"]["ts"].as_f64().unwrap_or_else(|| panic!("{verdict:#}"));
    assert!(first < starts_at, "the first packet is of {first}, the alert of {starts_at}");
    let packets = printed("tshark", &["-r", file, "-T", "fields", "-e", "frame.number"]).lines().count() as u64;
    assert_eq!(verdict["file"]["packets"].as_u64(), Some(packets));
    assert_eq!(verdict["window"]["complete"].as_bool(), Some(true), "{verdict:#}");

    let fingerprint = resolved["fingerprint"].as_str().unwrap();
    is_served(&monitor, fingerprint, file);
    let found = raised(Path::new(file), &verdict);
    assert!(found.iter().any(|alert| alert["fingerprint"] == fingerprint), "{fingerprint} is not among {found:#?}");
    monitor.stop();

    // The next run has seen no packet of it.
    let monitor = Monitor::start(&networks.router, &options);
    wait_for("the file of the earlier run is found", || {
        monitor.ask("GET", &format!("/alerts/{fingerprint}/evidence")).filter(|answer| answer.status == 200)
    });
    is_served(&monitor, fingerprint, file);
    monitor.stop();
}

/// The verdicts of an archive, with their capture files.
fn verdicts(archive: &Path) -> Vec<(PathBuf, Value)> {
    let paths = std::fs::read_dir(archive).unwrap().map(|entry| entry.unwrap().path());
    let verdicts = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let read = |path: PathBuf| {
        let verdict = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        (path.with_extension("pcapng"), verdict)
    };
    verdicts.map(read).collect()
}

#[test]
fn port_scan_and_sources_over_their_limit_leave_files_that_prove_them() {
    let networks = Networks::new();
    let Networks { router, scanner } = &networks;
    scanner.ip("address add 10.1.0.3/24 dev eth0");
    let folder = TempDir::new().unwrap();
    let archive = folder.path().to_str().unwrap();
    let limits = ["-ByteLimit", "100000", "--bandwidth.direction", "both"];
    let monitor = Monitor::start(router, &[&["-iface", "inside", "-archive_dir", archive][..], &limits].concat());
    let output =
        scan(scanner, "--send-ip -sS -Pn -p1-150 --max-retries 1 10.30.0.1 10.30.0.2").wait_with_output().unwrap();
    assert!(output.status.success(), "nmap: {}", String::from_utf8_lossy(&output.stderr));
    let sender = scanner.udp("10.1.0.3:40000");
    (0..100).for_each(|_| assert_eq!(sender.send_to(&[0x55; 1_300], ("10.30.0.9", 9)).unwrap(), 1_300));
    let fire = |kind: &str, end: &str| {
        let mut lines = monitor.events().lines().map(str::to_owned).collect::<Vec<_>>();
        lines.retain(|line| line.contains(&format!("kind={kind} ")) && line.contains(end));
        !lines.is_empty()
    };
    let expected = [("bandwidth", " src=10.1.0.3 "), ("bandwidth", " dst=10.30.0.9 "), ("port_scan", " src=10.1.0.2 ")];
    wait_for("all three alerts", || expected.iter().all(|(kind, end)| fire(kind, end)).then_some(()));
    monitor.stop();

    let verdicts = verdicts(folder.path());
    let mut found: Vec<String> = verdicts
        .iter()
        .map(|(_, verdict)| {
            let alert = &verdict["alert"];
            format!("{} {} {}", alert["kind"], alert["src"], alert["dst"]).replace('"', "")
        })
        .collect();
    found.sort();
    assert_eq!(found, ["bandwidth 10.1.0.3 null", "bandwidth null 10.30.0.9", "port_scan 10.1.0.2 null"]);
    for (file, verdict) in verdicts {
        assert_eq!(verdict["window"]["complete"], true, "{verdict:#}");
        let (fingerprint, found) = (&verdict["alert"]["fingerprint"], raised(&file, &verdict));
        assert!(found.iter().any(|alert| alert["fingerprint"] == *fingerprint), "{fingerprint}: {found:#?}");
    }
}
