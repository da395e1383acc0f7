//! The exporter pushes its alerts to a real Alertmanager, which shows, groups and resolves them.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;

use super::chain::{ALERTMANAGER, Alertmanager, WEBHOOK, scan};
use super::common::exporter::wait_for;
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect};
use super::common::webhook::Webhook;
use super::tool;

/// The alerts that `amtool alert` lists, one in a line, with its state.
fn listed(namespace: &Namespace) -> Vec<String> {
    let mut command = std::process::Command::new(tool("amtool"));
    command.args([&format!("--alertmanager.url=http://{ALERTMANAGER}"), "alert", "query", "--output", "json"]);
    let output = namespace.enter(|| command.output()).unwrap();
    assert!(output.status.success(), "amtool: {}", String::from_utf8_lossy(&output.stderr));
    let alerts: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let name =
        |alert: &Value| format!("{} {}", alert["labels"]["alertname"], alert["labels"]["source"]).replace('"', "");
    let mut names: Vec<String> = alerts.iter().map(name).collect();
    names.sort();
    names
}

/// A scanner outside, and the host that is watched with the network behind it.
struct Watched {
    inside: Namespace,
    outside: Namespace,
}

impl Watched {
    fn new() -> Self {
        let watched = Self { inside: Namespace::new(), outside: Namespace::new() };
        let Self { inside, outside } = &watched;
        connect(&End::new(inside, "near", "10.9.0.1/24"), &End::new(outside, "far", "10.9.0.2/24"));
        outside.ip("address add 10.9.0.3/24 dev far");
        outside.ip("route add 10.128.0.0/9 via 10.9.0.1");
        watched
    }

    /// The exporter with these receivers. Scans end soon.
    fn monitor(&self, folder: &Path, receivers: &[String]) -> Monitor<'_> {
        let path = folder.join("trafficmonitor.yml");
        let receivers: String = receivers.iter().map(|receiver| format!("  - {receiver}\n")).collect();
        std::fs::write(&path, format!("notify:\n  receivers:\n{receivers}")).unwrap();
        let options =
            ["-iface", "near", "--scan.interval", "5s", "--alert.hold", "1s", "--config.file", path.to_str().unwrap()];
        Monitor::start(&self.inside, &options)
    }
}

#[test]
fn pushed_scans_are_shown_grouped_notified_and_resolved() {
    let watched = Watched::new();
    let Watched { inside, outside } = &watched;
    let webhook = Webhook::listen(inside, WEBHOOK);
    let _alertmanager = Alertmanager::telling(inside);
    let folder = tempfile::tempdir().unwrap();
    let receiver = format!("{{name: pushed, type: alertmanager, url: 'http://{ALERTMANAGER}'}}");
    let monitor = watched.monitor(folder.path(), &[receiver]);

    scan(&outside.udp("10.9.0.2:40053"), 1, 40);
    scan(&outside.udp("10.9.0.3:40053"), 1, 40);
    let both = ["TrafficmonitorHostScan 10.9.0.2", "TrafficmonitorHostScan 10.9.0.3"];
    wait_for("amtool lists both scans", || (listed(inside) == both).then_some(()));
    let is_over = |taken: &[Value]| taken.iter().any(|notification| notification["status"] == "resolved");
    let taken = wait_for("the end of both is notified", || Some(webhook.taken()).filter(|taken| is_over(taken)));
    let last = taken.last().unwrap();
    assert_eq!(last["alerts"].as_array().unwrap().len(), 2, "one group: {last:#}");
    assert_eq!(last["groupLabels"]["alertname"], "TrafficmonitorHostScan");
    assert_eq!(listed(inside), [""; 0], "resolved alerts are listed no more");
    let delivered = |metrics: &super::common::metrics::Metrics| metrics.sum("trafficmonitor_notifications_total");
    assert_eq!(delivered(&monitor.metrics()), 4, "two scans and two ends");
    monitor.stop();
}

/// The certificate of a new authority, and with it the files of a server at 127.0.0.1: certificate and key.
fn authority(folder: &Path, name: &str) -> (PathBuf, [PathBuf; 2]) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // A certificate that bears the name of its issuer would pass for one that has signed itself.
    params.distinguished_name.push(DnType::CommonName, format!("authority {name}"));
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let write = |part: &str, text: String| {
        let path = folder.join(format!("{name}-{part}.pem"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let server = [write("certificate", certificate.pem()), write("key", key.serialize_pem())];
    (write("authority", issuer.pem()), server)
}

#[test]
fn alertmanager_over_tls_needs_a_certificate_of_the_given_authority() {
    let watched = Watched::new();
    let Watched { inside, outside } = &watched;
    let webhook = Webhook::listen(inside, WEBHOOK);
    let folder = tempfile::tempdir().unwrap();
    let (known, [certificate, key]) = authority(folder.path(), "known");
    let (unknown, _) = authority(folder.path(), "unknown");
    let web = folder.path().join("web.yml");
    let server = format!("{{cert_file: {}, key_file: {}}}", certificate.display(), key.display());
    std::fs::write(&web, format!("tls_server_config: {server}\n")).unwrap();
    let _alertmanager = Alertmanager::telling_over_tls(inside, &web, &known);
    let receiver = |name: &str, authority: Option<&Path>| {
        let authority = authority.map_or(String::new(), |path| format!(", ca_file: {}", path.display()));
        format!("{{name: {name}, type: alertmanager, url: 'https://{ALERTMANAGER}'{authority}}}")
    };
    let receivers =
        [receiver("known", Some(&known)), receiver("unknown", Some(&unknown)), receiver("of-the-system", None)];
    let monitor = watched.monitor(folder.path(), &receivers);

    scan(&outside.udp("10.9.0.2:40053"), 1, 40);
    let has = |taken: &[Value], status: &str| taken.iter().any(|notification| notification["status"] == status);
    for status in ["firing", "resolved"] {
        wait_for(status, || has(&webhook.taken(), status).then_some(()));
    }
    let metrics = monitor.metrics();
    assert_eq!(metrics.value("trafficmonitor_notifications_total", &[("receiver", "known")]), Some(2));
    for receiver in ["unknown", "of-the-system"] {
        let of = |name, labels: &[_]| metrics.value(name, &[&[("receiver", receiver)], labels].concat()).unwrap();
        assert!(of("trafficmonitor_notification_attempts_failed_total", &[("reason", "tls")]) > 0, "{receiver}");
        assert_eq!(of("trafficmonitor_notifications_total", &[]), 0, "{receiver}");
        assert_eq!(of("trafficmonitor_notifications_queue", &[]), 2, "{receiver}: nothing is lost yet");
    }
    let ended = monitor.stop();
    for receiver in ["unknown", "of-the-system"] {
        let mut lines = ended.messages.lines().filter(|line| line.contains(&format!("receiver={receiver} ")));
        let line = lines.next().unwrap_or_else(|| panic!("{receiver} is not logged: {}", ended.messages));
        let words = "alerts are not delivered: its certificate is of an unknown authority; give ca_file";
        assert!(line.contains(words), "{line}");
    }
}
