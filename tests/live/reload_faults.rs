//! Reloads under load and with faults: files that are wrong in a thousand ways, directories and pipes in the place of the
//! file, and reloads while one runs.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::common::metrics::Metrics;
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::wait_for;
use super::held::Held;
use super::reload::{Configuration, HASH, RELOADS, SUCCESSFUL, post, refused};
use super::traffic::Pair;

const PACKETS: &str = "trafficmonitor_traffic_packets_total";
/// The rate of packets while the program reloads.
const RATE: u64 = 50_000;

fn entries(monitor: &Monitor<'_>, what: &str) -> usize {
    fs::read_dir(format!("/proc/{}/{what}", monitor.pid())).unwrap().count()
}

/// The numbers of open descriptors and of threads. The connection of a request that was just answered may count.
fn descriptors_and_threads(monitor: &Monitor<'_>) -> (usize, usize) {
    (entries(monitor, "fd"), entries(monitor, "task"))
}

/// Threads that render answers come and go: a few more do not count.
fn expect_no_more(monitor: &Monitor<'_>, before: (usize, usize)) {
    const FEW: usize = 4;
    wait_for("about as many descriptors and threads as before", || {
        let now = descriptors_and_threads(monitor);
        (now.0 <= before.0 + FEW && now.1 <= before.1 + FEW).then_some(())
    });
}

fn reloads(metrics: &Metrics, result: &str) -> u64 {
    metrics.value(RELOADS, &[("result", result)]).unwrap()
}

/// Sends [`RATE`] packets a second while `work` runs; gives their number.
fn under_load(pair: &Pair, work: impl FnOnce()) -> u64 {
    let client = pair.other.udp("10.1.0.2:40053");
    client.connect("10.1.0.1:53").unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let (start, mut sent) = (Instant::now(), 0);
            while !is_over.load(std::sync::atomic::Ordering::Acquire) {
                // Without bursts: a sender that was held up goes on at its rate.
                let due = start.elapsed().as_micros() as u64 * RATE / 1_000_000;
                for _ in 0..due.saturating_sub(sent).min(RATE / 100) {
                    // A full queue of the interface refuses a packet, which is then sent again.
                    while client.send(&[0x55; 31]).is_err() {
                        std::thread::yield_now();
                    }
                    sent += 1;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        work();
        is_over.store(true, std::sync::atomic::Ordering::Release);
        sender.join().unwrap()
    })
}

fn expect_all(monitor: &Monitor<'_>, sent: u64) {
    let metrics = monitor.wait_for("every packet", |metrics| metrics.sum(PACKETS) >= sent);
    assert_eq!((metrics.sum(PACKETS), metrics.delivered()), (sent, sent), "{}", monitor.messages());
}

#[test]
fn reload_of_all_kinds_at_50_000_packets_a_second_loses_none_and_takes_effect_within_a_second() {
    let pair = Pair::new();
    let _server = pair.host.udp("10.1.0.1:53");
    let texts = [
        "bandwidth: {limit: 1G}\nlocality: {networks: [10.0.0.0/8]}\naccount: {max_series: 100}\n",
        "bandwidth: {limit: 2G, interval: 30}\nlocality: {networks: [192.0.2.0/24]}\nscan: {interval: 20}\n\
         account: {max_series: 7, max_flows: 1000}\ncapture: {filter: udp or tcp}\npipeline: {refresh: 0.2}\n",
    ];
    let file = Configuration::of(texts[0]);
    let monitor = file.start(&pair, &[]);
    let (start, mut took) = (Instant::now(), Vec::new());
    let sent = under_load(&pair, || {
        for round in 1..=10 {
            let start = Instant::now();
            file.accept(&monitor, texts[round % 2]);
            took.push(start.elapsed());
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let rate = sent as f64 / start.elapsed().as_secs_f64();
    expect_all(&monitor, sent);
    took.sort();
    eprintln!("{sent} packets, {rate:.0} a second, reloads took {took:?}");
    assert!(rate > 0.5 * RATE as f64, "{rate} packets a second are too few");
    assert!(took[took.len() / 2] < Duration::from_secs(1), "{took:?}");
    monitor.stop();
}

/// A generator that gives the same numbers in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

const VALID: &str = "\
capture:
  excluded_interfaces: [lo]
locality:
  networks:
    - 10.0.0.0/8
    - fc00::/7
account:
  max_flows: 5000
  idle_timeout: 10m
bandwidth:
  limit: 5G
  interval: 170
  networks:
    - {network: 192.0.2.0/24, limit: 1G, rule: lab}
scan:
  contacted_ips: 20
  timeout: 2s
alert:
  pending: 1s
  hold: 60s
  exclusions:
    - {source: 192.0.2.1, port: 53}
  severity: [host_scan=warning]
anomaly:
  threshold: 0.7
export:
  seed_families: true
pipeline:
  refresh: 100ms
log:
  level: info
";

/// The valid file with one mistake, or with a change that may be valid too.
fn mutated(dice: &mut Dice) -> Vec<u8> {
    let lines: Vec<&str> = VALID.lines().collect();
    let at = dice.below(lines.len());
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    let words = [
        "-1",
        "1e400",
        "5Q",
        "[",
        "]",
        "{a: }",
        "\"",
        "'x",
        "999.0.0.0/8",
        "10.0.0.0/33",
        "yes please",
        "*x",
        "&a",
        "0x1G",
    ];
    let word = words[dice.below(words.len())];
    let line = &mut lines[at];
    match dice.below(9) {
        0 => *line = line.replace(':', ""),
        1 => *line = line.split_once(": ").map_or(format!("{line}x"), |(key, _)| format!("{key}: {word}")),
        2 => *line = format!("\t{line}"),
        3 => *line = line.replacen(char::is_alphabetic, "q", 1),
        4 => line.push_str(word),
        5 => *line = format!(" {line}"),
        6 => {
            let again = line.clone();
            lines.insert(at, again);
        }
        7 => line.insert(dice.below(line.len()), ['\u{0}', '}', '%', '\u{202e}', '@'][at % 5]),
        _ => {
            let mut bytes = lines.join("\n").into_bytes();
            let at = dice.below(bytes.len());
            bytes[at] = [0xff, 0x00, b'{', b':', b'|'][dice.below(5)];
            return bytes;
        }
    }
    (lines.join("\n") + "\n").into_bytes()
}

/// True if a message has file, line and column.
fn has_place(message: &str) -> bool {
    let mut parts = message.split("t.yml:").skip(1).map(|rest| rest.split(':'));
    parts.any(|mut rest| {
        let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
        number(rest.next()) && number(rest.next())
    })
}

fn is_valid(file: &Configuration) -> bool {
    let checked =
        Command::new(PROGRAM).args(["-iface", "lo", "--config.check", "-c"]).arg(file.path()).output().unwrap();
    checked.status.success()
}

#[test]
fn thousand_wrong_files_under_load_change_nothing_and_each_is_refused_with_its_place() {
    const FILES: u32 = 1_030;
    let pair = Pair::new();
    let _server = pair.host.udp("10.1.0.1:53");
    let file = Configuration::of(VALID);
    let monitor = file.start(&pair, &["-promRefresh", "0.1"]);
    // Threads that render stay for minutes.
    file.accept(&monitor, VALID);
    let before = descriptors_and_threads(&monitor);
    let (mut dice, mut wrong, mut valid) = (Dice(1), 0, 0);
    let sent = under_load(&pair, || {
        let mut hash = monitor.metrics().value(HASH, &[]);
        while wrong < FILES {
            let text = mutated(&mut dice);
            file.write(&text);
            let answer = post(&monitor);
            let metrics = monitor.metrics();
            if answer.status == 200 {
                assert!(is_valid(&file), "{}", String::from_utf8_lossy(&text));
                (hash, valid) = (metrics.value(HASH, &[]), valid + 1);
                assert_eq!(metrics.value(SUCCESSFUL, &[]), Some(1));
                continue;
            }
            wrong += 1;
            assert_eq!(answer.status, 500, "{}", answer.body);
            let is_encoding = answer.body.contains("not UTF-8");
            assert!(has_place(&answer.body) || is_encoding, "{}\n{}", answer.body, String::from_utf8_lossy(&text));
            assert_eq!((metrics.value(HASH, &[]), metrics.value(SUCCESSFUL, &[])), (hash, Some(0)));
        }
    });
    eprintln!("{wrong} files refused, {valid} valid, {sent} packets");
    expect_all(&monitor, sent);
    let metrics = monitor.metrics();
    assert_eq!((reloads(&metrics, "refused"), reloads(&metrics, "accepted")), (FILES.into(), 1 + valid));
    file.accept(&monitor, VALID);
    expect_no_more(&monitor, before);
    monitor.stop();
}

#[test]
fn receivers_that_come_and_go_leave_no_descriptor_and_no_thread() {
    let (pair, state) = (Pair::new(), tempfile::tempdir().unwrap());
    let file = Configuration::of("bandwidth: {limit: 1G}\n");
    let monitor = file.start(&pair, &["--state.dir", state.path().to_str().unwrap()]);
    let receivers = |number| {
        format!("notify: {{receivers: [{{name: team{number}, type: webhook, url: \"http://127.0.0.1:9/\"}}]}}\n")
    };
    let rounds = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            file.accept(&monitor, &receivers(number));
            file.accept(&monitor, "bandwidth: {limit: 1G}\n");
        }
    };
    rounds(0..2);
    let before = descriptors_and_threads(&monitor);
    rounds(2..12);
    expect_no_more(&monitor, before);
    monitor.stop();
}

#[test]
fn directory_pipe_or_nothing_in_the_place_of_a_file_is_refused() {
    let pair = Pair::new();
    let file = Configuration::of(VALID);
    let monitor = file.start(&pair, &[]);
    let path = file.path();
    fs::remove_file(&path).unwrap();
    refused(&monitor, "t.yml: cannot read the configuration: No such file or directory");
    fs::create_dir(&path).unwrap();
    refused(&monitor, "t.yml: it is a directory; name a configuration file");
    fs::remove_dir(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused(&monitor, "t.yml: not a regular file, so it cannot be read again; restart the program");
    fs::remove_file(&path).unwrap();
    file.refuse(&monitor, [0xff, 0xfe], "t.yml: not UTF-8");
    // As a full disk leaves it.
    file.refuse(&monitor, "", "t.yml: the file has no setting; restart the program for its defaults");
    let receivers =
        |secret: &str| format!("{VALID}notify:\n  receivers:\n  - {{name: team, type: slack, url_file: {secret}}}\n");
    file.refuse(&monitor, receivers("/nonexistent"), "t.yml:34:5: receiver team: /nonexistent: cannot read");
    file.refuse(&monitor, receivers("/proc"), "t.yml:34:5: receiver team: /proc: ");
    let lines = |monitor: &Monitor<'_>| monitor.messages().matches("the reload is refused").count();
    wait_for("a line for each reason", || (lines(&monitor) == 7).then_some(()));
    file.accept(&monitor, VALID);
    monitor.stop();
}

#[test]
fn receivers_whose_state_directory_another_process_uses_are_refused_and_nothing_changes() {
    let (pair, state) = (Pair::new(), tempfile::tempdir().unwrap());
    let with_state = ["--state.dir", state.path().to_str().unwrap()];
    let file = Configuration::of("bandwidth: {limit: 1M}\n");
    let monitor = file.start(&pair, &with_state);
    let receivers = "notify: {receivers: [{name: team, type: webhook, url: \"http://127.0.0.1:9001/\"}]}\n";
    let of_other = Configuration::of(receivers);
    let path = of_other.path();
    let of_other = [&["-iface", "eth0", "-c", path.to_str().unwrap()][..], &with_state].concat();
    let other = Monitor::start(&pair.other, &of_other);
    let facts = || {
        let metrics = monitor.metrics();
        let deliveries = metrics.value("trafficmonitor_notifications_total", &[("receiver", "team")]);
        (metrics.value("trafficmonitor_bandwidth_limit_bytes", &[]), deliveries)
    };
    let text = format!("bandwidth: {{limit: 2M}}\n{receivers}");
    file.refuse(&monitor, &text, "another process uses it");
    assert_eq!(facts(), (Some(1_000_000), None));
    other.stop();
    file.accept(&monitor, &text);
    assert_eq!(facts(), (Some(2_000_000), Some(0)));
    monitor.stop();
}

#[test]
fn reloads_over_http_have_to_be_enabled_and_are_posted() {
    let pair = Pair::new();
    let file = Configuration::of(VALID);
    let path = file.path();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "-c", path.to_str().unwrap()]);
    let answer = post(&monitor);
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("start with --web.enable-lifecycle, or send SIGHUP"), "{}", answer.body);
    let answer = monitor.ask("GET", "/-/reload").unwrap();
    assert_eq!((answer.status, answer.header("allow")), (405, "POST, PUT"));
    assert_eq!(reloads(&monitor.metrics(), "accepted"), 0);
    monitor.stop();
}

#[test]
fn reloads_while_one_runs_are_all_answered_and_share_the_next_one() {
    const CLIENTS: u64 = 12;
    let pair = Pair::new();
    let file = Configuration::of("bandwidth: {limit: 1G}\n");
    let monitor = file.start(&pair, &[]);
    file.write("bandwidth: {limit: 2G}\n");
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    // The connection of the answer above may be open still.
    std::thread::sleep(Duration::from_millis(500));
    let before = entries(&monitor, "fd");
    // The first reload waits for this thread.
    let held = Held::hold(monitor.pid(), "accountant");
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| post(&monitor).status)).collect();
        monitor.signal(libc::SIGHUP);
        wait_for("all clients", || (entries(&monitor, "fd") >= before + CLIENTS as usize).then_some(()));
        std::thread::sleep(Duration::from_millis(500));
        held.release();
        for client in clients {
            *statuses.entry(client.join().unwrap()).or_default() += 1;
        }
    });
    assert_eq!(statuses, BTreeMap::from([(200, CLIENTS)]));
    wait_for("the last reload", || {
        let metrics = monitor.metrics();
        (metrics.value("trafficmonitor_bandwidth_limit_bytes", &[]) == Some(2_000_000_000)).then_some(())
    });
    // The one that was held, the one that all share, and one more if a request came late.
    let accepted = reloads(&monitor.metrics(), "accepted");
    assert!((1..=3).contains(&accepted), "{accepted}");
    monitor.stop();
}
