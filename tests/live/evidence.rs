//! An alert from the scan to its proof: a real scanner, the webhook that is told, and the capture file with the packets.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::{End, Namespace, connect};
use super::common::webhook::Webhook;
use super::scanners::scan;

const WEBHOOK: &str = "127.0.0.1:9099";

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
        "scan:\n  interval: 5s\nalert:\n  hold: 1s\nnotify:\n  receivers:\n  - {{name: hook, type: webhook, url: 'http://{WEBHOOK}/'}}\n"
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
    let served = monitor.ask("GET", &format!("/alerts/{fingerprint}/evidence")).unwrap();
    assert_eq!((served.status, served.bytes == std::fs::read(file).unwrap()), (200, true));

    let used = Path::new(archive).join(verdict["configuration"].as_str().unwrap());
    let replayed = printed(PROGRAM, &["replay", "--config.file", used.to_str().unwrap(), file, "--output", "alerts"]);
    let found: Vec<Value> = replayed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(found.iter().any(|alert| alert["fingerprint"] == fingerprint), "{fingerprint} is not among {found:#?}");
    monitor.stop();
}
