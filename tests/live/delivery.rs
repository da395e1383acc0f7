//! Alerts on their way to receivers of every type: selections, secrets, receivers that cannot be reached, and a program
//! that is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::common::ip::{Ipv4, tcp, udp};
use super::common::link::Link;
use super::common::metrics::Metrics;
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::wait_for;
use super::common::webhook::{Conduct, Received, Webhook};
use super::output::{LOW_LIMIT, send_at_once, sources};
use super::traffic::Pair;

/// Time for messages that are a minute apart.
const LONG: Duration = Duration::from_secs(240);
const SYN: u8 = 0x02;

fn wait_long<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {LONG:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A figure of each receiver, summed over reasons.
fn by_receiver(metrics: &Metrics, name: &str) -> BTreeMap<String, u64> {
    let mut figures = BTreeMap::new();
    for (labels, value) in metrics.labelled(&format!("trafficmonitor_notification{name}"), &["receiver"]) {
        *figures.entry(labels[0].clone()).or_default() += value as u64;
    }
    figures
}

// ---- The alerts of a request --------------------------------------------------------------------------------------------

/// An alert of a request: kind, source, and whether it fires.
type Told = (String, String, bool);

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The alerts that a request names, whatever the receiver's type.
fn told(of: &str, request: &Received) -> Vec<Told> {
    let body = &request.body;
    let list = |alerts: &Value| alerts.as_array().unwrap_or_else(|| panic!("no list: {body}")).clone();
    match of {
        "alertmanager" => list(body).iter().map(of_alertmanager).collect(),
        "webhook" => list(&body["alerts"]).iter().map(of_webhook).collect(),
        "slack" => list(&body["attachments"]).iter().filter_map(of_slack).collect(),
        "pagerduty" => vec![of_pagerduty(body)],
        _ => vec![of_opsgenie(request)],
    }
}

fn labelled(alert: &Value, is_firing: bool) -> Told {
    (text(&alert["labels"]["kind"]), text(&alert["labels"]["source"]), is_firing)
}

/// An alert is over if its end is not behind the time of its request.
fn of_alertmanager(alert: &Value) -> Told {
    let end = humantime::parse_rfc3339(alert["endsAt"].as_str().unwrap()).unwrap();
    labelled(alert, end > std::time::SystemTime::now() + Duration::from_secs(30))
}

fn of_webhook(alert: &Value) -> Told {
    labelled(alert, alert["status"] == "firing")
}

/// None for the attachment that counts further alerts.
fn of_slack(attachment: &Value) -> Option<Told> {
    let title = text(&attachment["title"]);
    let (state, summary) = title.strip_prefix('[')?.split_once("] ")?;
    let kind = if summary.ends_with("scans hosts") { "host_scan" } else { "bandwidth" };
    Some((kind.to_owned(), summary.split(' ').next()?.to_owned(), !state.starts_with("resolved")))
}

/// A resolving event has the fingerprint alone.
fn of_pagerduty(event: &Value) -> Told {
    let of_payload = |key: &str| event["payload"][key].as_str().unwrap_or_default().to_owned();
    (of_payload("class"), of_payload("source"), event["event_action"] == "trigger")
}

/// A closing request has the alias in its path alone.
fn of_opsgenie(request: &Received) -> Told {
    let body = &request.body;
    let kind = body["details"]["kind"].as_str().unwrap_or_default();
    (kind.to_owned(), body["entity"].as_str().unwrap_or_default().to_owned(), request.path == "/v2/alerts")
}

// ---- Selections and secrets ---------------------------------------------------------------------------------------------

/// Every secret contains it.
const CANARY: &str = "c4n4ry";
const SEVERITIES: [&str; 3] = ["info", "warning", "critical"];

/// A receiver of the test.
struct Addressee {
    name: &'static str,
    of: &'static str,
    /// Its selection, as in the configuration.
    selection: &'static str,
    /// The same, over kind, severity and source.
    accepts: fn(&str, usize, &str) -> bool,
    /// True if the secret comes from the environment, else from a file.
    by_environment: bool,
}

const fn addressee(
    name: &'static str,
    of: &'static str,
    by_environment: bool,
    selection: &'static str,
    accepts: fn(&str, usize, &str) -> bool,
) -> Addressee {
    Addressee { name, of, selection, accepts, by_environment }
}

const WARNING: usize = 1;
const CRITICAL: usize = 2;

const ADDRESSEES: [Addressee; 11] = [
    addressee("slack-scans", "slack", false, ", kinds: [host_scan]", |kind, _, _| kind == "host_scan"),
    addressee("slack-critical", "slack", true, ", severity: critical", |_, severity, _| severity == CRITICAL),
    addressee("page-warning", "pagerduty", false, ", severity: warning", |_, severity, _| severity >= WARNING),
    addressee("page-network", "pagerduty", true, ", networks: [203.0.113.0/24, 10.1.0.0/24]", |_, _, source| {
        source.starts_with("203.0.113.") || source.starts_with("10.1.0.")
    }),
    addressee("genie-all", "opsgenie", false, "", |_, _, _| true),
    addressee("genie-inside", "opsgenie", true, ", kinds: [bandwidth], networks: [10.0.0.0/8]", |kind, _, source| {
        kind == "bandwidth" && source.starts_with("10.")
    }),
    addressee("hook-all", "webhook", true, ", severity: info", |_, _, _| true),
    addressee("hook-scan", "webhook", false, ", kinds: [host_scan], severity: warning", |kind, severity, _| {
        kind == "host_scan" && severity >= WARNING
    }),
    addressee("hook-none", "webhook", false, ", kinds: [port_scan, group_scan]", |_, _, _| false),
    addressee("manager-all", "alertmanager", false, "", |_, _, _| true),
    addressee("manager-outside", "alertmanager", true, ", networks: [198.51.100.0/24]", |_, _, source| {
        source.starts_with("198.51.100.")
    }),
];

impl Addressee {
    fn secret(&self) -> String {
        format!("{CANARY}-{}", self.name)
    }

    fn variable(&self) -> String {
        format!("SECRET_{}", self.name.replace('-', "_").to_uppercase())
    }

    /// The secret: the URL of Slack and webhooks, the key of others, a header of Alertmanager.
    fn content(&self, address: &str) -> String {
        match self.of {
            "slack" | "webhook" => format!("http://{address}/services/{}", self.secret()),
            "alertmanager" if self.by_environment => format!("http://{address}/{}", self.secret()),
            "alertmanager" => format!("Bearer {}", self.secret()),
            _ => self.secret(),
        }
    }

    /// The entry of the configuration; the secret is in a file of the receiver's name, or in its variable.
    fn entry(&self, folder: &Path, address: &str) -> String {
        let file = folder.join(self.name);
        fs::write(&file, self.content(address)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let key = match self.of {
            "pagerduty" => "routing_key",
            "opsgenie" => "api_key",
            _ => "url",
        };
        let secret = match (self.of, self.by_environment) {
            ("alertmanager", false) => {
                format!("url: 'http://{address}', header_files: {{Authorization: {}}}", file.display())
            }
            (_, true) => format!("{key}_env: {}", self.variable()),
            (_, false) => format!("{key}_file: {}", file.display()),
        };
        let base = if key == "url" { String::new() } else { format!(", url: 'http://{address}'") };
        format!("  - {{name: {}, type: {}, {secret}{base}{}}}\n", self.name, self.of, self.selection)
    }
}

/// Frames between these addresses, with these packets in them.
fn frame(source: [u8; 4], destination: [u8; 4], transport: super::common::ip::Transport) -> Vec<u8> {
    let packet = Ipv4::carrying(transport).between(Ipv4Addr::from(source), Ipv4Addr::from(destination));
    Link::ethernet().carrying(&packet.build()).bytes
}

/// Two scanners and two sources over their limit, one of each inside and outside the local networks.
fn send_traffic_of_four_alerts(pair: &Pair) {
    for source in [[10, 1, 0, 2], [198, 51, 100, 7]] {
        let probes: Vec<_> = (1..=40).map(|host| frame(source, [10, 9, 0, host], tcp(50_000, 22, SYN, &[]))).collect();
        send_at_once(pair, &probes);
    }
    for source in [[10, 8, 0, 1], [203, 0, 113, 5]] {
        send_at_once(pair, &vec![frame(source, [10, 1, 0, 1], udp(40_000, 9, &[0x55; 1_300])); 150]);
    }
}

/// The alerts that fired, from the lines on standard output: kind, severity, source.
fn fired(events: &str) -> BTreeSet<(String, usize, String)> {
    let alerts = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let firing = alerts.filter(|alert| alert["state"] == "firing");
    let read = |alert: Value| {
        let severity = SEVERITIES.iter().position(|severity| alert["severity"] == *severity);
        (text(&alert["kind"]), severity.unwrap_or_else(|| panic!("{alert}")), text(&alert["src"]))
    };
    firing.map(read).collect()
}

/// The program with the secrets of the receivers in its environment.
fn with_secrets(addresses: &[String]) -> Command {
    let mut command = Command::new("/usr/bin/env");
    for (one, address) in ADDRESSEES.iter().zip(addresses).filter(|(one, _)| one.by_environment) {
        command.arg(format!("{}={}", one.variable(), one.content(address)));
    }
    command.arg(PROGRAM);
    command
}

#[test]
fn each_receiver_gets_the_alerts_of_its_selection_and_no_secret_is_shown() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    let addresses: Vec<String> = (0..ADDRESSEES.len()).map(|number| format!("127.0.0.1:{}", 9_200 + number)).collect();
    let webhooks: Vec<Webhook> = addresses.iter().map(|address| Webhook::listen(&pair.host, address)).collect();
    let entries: String =
        ADDRESSEES.iter().zip(&addresses).map(|(one, address)| one.entry(folder.path(), address)).collect();
    let path = folder.path().join("trafficmonitor.yml");
    let text = format!(
        "log: {{level: trace, format: json}}\nbandwidth: {{limit: 100000}}\n\
         alert: {{severity: [host_scan.inside=critical, bandwidth.outside=info, host_scan.outside=info]}}\n\
         notify:\n  receivers:\n{entries}"
    );
    fs::write(&path, text).unwrap();
    let options = ["-iface", "eth0", "--config.file", path.to_str().unwrap()];
    let monitor = Monitor::spawn(&pair.host, with_secrets(&addresses), &options).wait_until_ready();
    send_traffic_of_four_alerts(&pair);
    let fired = wait_for("four alerts", || Some(fired(&monitor.events())).filter(|fired| fired.len() == 4));

    let expected: Vec<BTreeSet<Told>> = ADDRESSEES
        .iter()
        .map(|one| {
            let chosen = fired.iter().filter(|(kind, severity, source)| (one.accepts)(kind, *severity, source));
            chosen.map(|(kind, _, source)| (kind.clone(), source.clone(), true)).collect()
        })
        .collect();
    let sizes: Vec<usize> = expected.iter().map(BTreeSet::len).collect();
    assert_eq!(sizes, [2, 1, 2, 2, 4, 1, 4, 1, 0, 4, 1], "{fired:?}");
    let all: u64 = sizes.iter().sum::<usize>() as u64;
    let delivered = |metrics: &Metrics| by_receiver(metrics, "s_total").values().sum::<u64>() == all;
    let metrics = monitor.wait_for("all receivers have their alerts", delivered);
    assert_eq!(metrics.sum("trafficmonitor_notifications_queue"), 0);
    for ((one, webhook), expected) in ADDRESSEES.iter().zip(&webhooks).zip(&expected) {
        let requests = webhook.requests();
        let told: Vec<Told> = requests.iter().flat_map(|request| told(one.of, request)).collect();
        assert_eq!(told.len(), expected.len(), "{}: each alert once: {told:?}", one.name);
        assert_eq!(&told.into_iter().collect::<BTreeSet<_>>(), expected, "{}", one.name);
        for request in &requests {
            let shown = format!("{} {:?} {}", request.path, request.headers, request.body);
            assert!(shown.contains(&one.secret()), "{}: the request has no secret: {shown}", one.name);
        }
    }

    let command_line = fs::read(format!("/proc/{}/cmdline", monitor.pid())).unwrap();
    let mut shown = vec![("cmdline", String::from_utf8(command_line).unwrap()), ("alerts", monitor.events())];
    for page in ["/", "/metrics", "/capabilities", "/active", "/all"] {
        shown.push((page, monitor.ask("GET", page).unwrap().body));
    }
    let printed = with_secrets(&addresses).args(options).arg("config").output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    shown.push(("config", String::from_utf8([printed.stdout, printed.stderr].concat()).unwrap()));
    let ended = monitor.stop();
    assert!(ended.messages.contains("\"level\":\"trace\"") || ended.messages.contains("\"level\":\"debug\""));
    shown.push(("messages", ended.messages));
    for (place, text) in shown {
        assert!(!text.is_empty(), "{place} is empty");
        assert!(!text.contains(CANARY), "{place}: {text}");
    }
}

// ---- Receivers that cannot be reached ------------------------------------------------------------------------------------

#[test]
fn receivers_that_cannot_be_reached_are_counted_and_logged_rarely() {
    let pair = Pair::new();
    pair.host.ip("route add unreachable 10.66.0.0/24");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trafficmonitor.yml");
    // None of them has a name server to ask.
    let urls = [
        ("nothing-listens", "http://127.0.0.1:9", "connection refused"),
        ("no-route", "http://10.66.0.1:9093", "the host is unreachable"),
        ("no-such-name", "http://receiver.invalid", "the name of the host is not found"),
    ];
    let entry =
        |(name, url, _): &(&str, &str, &str)| format!("  - {{name: {name}, type: alertmanager, url: '{url}'}}\n");
    fs::write(&path, format!("notify:\n  receivers:\n{}", urls.iter().map(entry).collect::<String>())).unwrap();
    let arguments = [&["-iface", "eth0", "--config.file", path.to_str().unwrap()][..], &LOW_LIMIT].concat();
    let monitor = Monitor::start(&pair.host, &arguments);
    send_at_once(&pair, &sources(0..1));
    let begun = Instant::now();
    let attempts = |metrics: &Metrics| by_receiver(metrics, "_attempts_failed_total");
    let tried = |metrics: &Metrics| urls.iter().all(|(name, ..)| attempts(metrics)[*name] >= 4);
    monitor.wait_for("four attempts of each", tried);
    let metrics = monitor.metrics();
    let ended = monitor.stop();
    let possible = 1 + begun.elapsed().as_secs() as usize / 10;
    for (name, _, cause) in urls {
        let lines: Vec<&str> =
            ended.messages.lines().filter(|line| line.contains("alerts are not delivered")).collect();
        let of_receiver: Vec<&&str> = lines.iter().filter(|line| line.contains(name)).collect();
        assert!((1..=possible).contains(&of_receiver.len()), "{name}: {lines:#?}");
        assert!(of_receiver[0].contains(cause), "{of_receiver:?}");
        assert_eq!(by_receiver(&metrics, "s_queue")[name], 1, "{name}: it is not given up");
        assert_eq!(by_receiver(&metrics, "s_failed_total")[name], 0, "{name}");
    }
}

// ---- SIGKILL --------------------------------------------------------------------------------------------------------------

const VENDORS: [&str; 5] = ["alertmanager", "slack", "pagerduty", "opsgenie", "webhook"];
/// Alerts that every receiver knows when the program is killed.
const DELIVERED: u16 = 10;
/// Alerts that wait at that moment.
const WAITING: u16 = 100;
const ALL: usize = (DELIVERED + WAITING) as usize;

/// The program with a receiver of each type and a state directory.
fn configuration(folder: &Path) -> String {
    let path = folder.join("trafficmonitor.yml");
    let entry = |(number, of): (usize, &&str)| {
        let key = match *of {
            "pagerduty" => "routing_key: key, ",
            "opsgenie" => "api_key: key, ",
            _ => "",
        };
        format!("  - {{name: {of}, type: {of}, {key}timeout: 5m, url: 'http://{}/'}}\n", address(number))
    };
    let receivers: String = VENDORS.iter().enumerate().map(entry).collect();
    fs::write(&path, format!("alert: {{hold: 1s}}\nnotify:\n  receivers:\n{receivers}")).unwrap();
    path.to_str().unwrap().to_owned()
}

fn address(number: usize) -> String {
    format!("127.0.0.1:{}", 9_300 + number)
}

/// The states that a receiver was told of each alert, by fingerprint and in order.
fn states(of: &str, webhook: &Webhook) -> BTreeMap<String, Vec<bool>> {
    let mut states: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for request in webhook.requests() {
        for (key, (.., is_firing)) in fingerprints(of, &request).into_iter().zip(told(of, &request)) {
            states.entry(key).or_default().push(is_firing);
        }
    }
    states
}

fn fingerprints(of: &str, request: &Received) -> Vec<String> {
    let body = &request.body;
    match of {
        "alertmanager" => {
            body.as_array().unwrap().iter().map(|alert| text(&alert["annotations"]["fingerprint"])).collect()
        }
        "webhook" => body["alerts"].as_array().unwrap().iter().map(|alert| text(&alert["fingerprint"])).collect(),
        "pagerduty" => vec![text(&body["dedup_key"])],
        "opsgenie" if request.path == "/v2/alerts" => vec![text(&body["alias"])],
        "opsgenie" => vec![request.path.split('/').nth(3).unwrap().to_owned()],
        _ => Vec::new(),
    }
}

/// The number of alerts in all messages of a receiver that groups, named or counted.
fn grouped(webhook: &Webhook) -> u64 {
    let of_message = |body: &Value| {
        let named = body["alerts"].as_array().map_or(0, Vec::len) as u64;
        named + body["truncatedAlerts"].as_u64().unwrap_or_default()
    };
    webhook.taken().iter().map(of_message).sum()
}

fn is_over(states: &BTreeMap<String, Vec<bool>>) -> bool {
    states.len() == ALL && states.values().all(|states| states.last() == Some(&false))
}

#[test]
fn killed_program_loses_no_alert_and_leaves_none_firing() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let (path, state_text) = (configuration(folder.path()), state.to_str().unwrap().to_owned());
    let webhooks: Vec<Webhook> =
        (0..VENDORS.len()).map(|number| Webhook::listen(&pair.host, &address(number))).collect();
    let common = [&["-iface", "eth0", "--config.file", &path, "--state.dir", &state_text][..], &LOW_LIMIT].concat();
    let monitor = Monitor::start(&pair.host, &[&common[..], &["-TrafficInterval", "1h"]].concat());
    send_at_once(&pair, &sources(0..DELIVERED));
    let has = |metrics: &Metrics, name: &str, count: u16| {
        let figures = by_receiver(metrics, name);
        figures.len() == VENDORS.len() && figures.values().all(|value| *value == u64::from(count))
    };
    monitor.wait_for("the first alerts are delivered", |metrics| has(metrics, "s_total", DELIVERED));
    for (of, webhook) in VENDORS.iter().zip(&webhooks) {
        // Those that hang may have received what is sent again after the restart.
        webhook.set(if ["slack", "opsgenie"].contains(of) { Conduct::Fails } else { Conduct::Hangs });
    }
    send_at_once(&pair, &sources(DELIVERED..DELIVERED + WAITING));
    monitor.wait_for("a hundred alerts wait for each", |metrics| has(metrics, "s_queue", WAITING));
    let last = format!("10.8.0.{}", DELIVERED + WAITING - 1);
    let journal = || String::from_utf8_lossy(&fs::read(state.join("notify/journal")).unwrap()).into_owned();
    wait_for("the journal has the last one", || journal().contains(&last).then_some(()));
    monitor.signal(libc::SIGKILL);
    monitor.wait();

    webhooks.iter().for_each(|webhook| webhook.set(Conduct::Accepts));
    let short = ["-TrafficInterval", "5s", "--notify.restart_grace", "1m"];
    let monitor = Monitor::start(&pair.host, &[&common[..], &short].concat());
    // Some fire again, and end a little later. The others never do.
    send_at_once(&pair, &sources(DELIVERED / 2..DELIVERED + WAITING / 2));
    for (of, webhook) in VENDORS.iter().zip(&webhooks).filter(|(of, _)| !["slack", "webhook"].contains(of)) {
        let states = wait_long(&format!("all alerts are over at {of}"), || Some(states(of, webhook)).filter(is_over));
        // Alertmanager is told of firing alerts every minute.
        let most = if *of == "alertmanager" { usize::MAX } else { 2 };
        for (alert, states) in states {
            let [firing, over] = [true, false].map(|state| states.iter().filter(|told| **told == state).count());
            assert!((1..=most).contains(&firing) && over == 1, "{of}: {alert}: {states:?}");
        }
    }
    let metrics = wait_long("all is delivered", || {
        Some(monitor.metrics()).filter(|metrics| metrics.sum("trafficmonitor_notifications_queue") == 0)
    });
    assert_eq!(metrics.sum("trafficmonitor_notifications_failed_total"), 0, "none is lost");
    let hook = &webhooks[4];
    let (named, taken) = (states("webhook", hook), hook.taken());
    let left: Vec<_> = named.iter().filter(|(_, states)| states.last() == Some(&true)).collect();
    println!("{} messages of {} alerts, named: {}", taken.len(), grouped(hook), named.len());
    assert!(left.is_empty(), "alerts that the webhook knows by name end by name: {left:?}");
    monitor.stop();
}
