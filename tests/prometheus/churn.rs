//! A real Prometheus while flows come and go: its values of rows and *other* add up to the traffic.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::common::exporter::wait_for;
use super::common::metrics::UDP_4;
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect};
use super::{Prometheus, values};

const BUDGETS: [&str; 10] =
    ["-iface", "near", "-promRefresh", "0.2", "--max-series", "60", "--max-flows", "240", "--idle-timeout", "2s"];
const SHOWN: u64 = 60;
/// Flows at once, ten times more than may be shown and more than fit; with every batch some begin and as many end.
const FLOWS_AT_ONCE: u32 = 600;
const NEW_IN_A_BATCH: u32 = 2;
/// Flows that a batch has packets of.
const BATCH: u32 = 30;
/// One in so many is heavy, and has a packet in every batch.
const HEAVY: u32 = 60;
const BATCH_PAUSE: Duration = Duration::from_millis(50);

const SCRAPES: u64 = 300;
const QUIET_SCRAPES: u64 = 30;

const FAMILY: &str = "trafficmonitor_flow_bytes_total";
const WINDOW: &str = "30m";

const IPV4: u64 = 20;
/// GRE, ESP, SCTP and one without a name: protocols whose sums do not exist from the start.
const RARER: [i32; 4] = [47, 50, 132, 253];
/// From which batch on there are packets of them, one after the other.
const RARER_FROM: u32 = 100;

/// Sends batches until it is stopped; gives the IP bytes.
struct Churn {
    is_over: Arc<AtomicBool>,
    sender: JoinHandle<u64>,
}

impl Churn {
    fn start(namespace: &Namespace) -> Self {
        let socket = namespace.udp("10.9.0.2:40053");
        let rarer = RARER.map(|protocol| {
            let raw = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::RAW, Some(protocol.into()));
            namespace.enter(raw).unwrap()
        });
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let sender = std::thread::spawn(move || {
            let mut bytes = 0;
            for number in 0.. {
                if stop.load(Ordering::Acquire) {
                    break;
                }
                bytes += send_batch(&socket, number) + send_rarer(&rarer, number);
                std::thread::sleep(BATCH_PAUSE);
            }
            bytes
        });
        Self { is_over, sender }
    }

    fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::Release);
        self.sender.join().unwrap()
    }
}

/// Behind the host, which is no router and drops silently.
fn destination(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 128, 0, 0).to_bits() + number)
}

/// A packet of each of some flows in turn, and of all heavy ones.
fn send_batch(socket: &UdpSocket, number: u32) -> u64 {
    let first = number * NEW_IN_A_BATCH;
    let light = (0..BATCH).map(|turn| first + (number * BATCH + turn) % FLOWS_AT_ONCE);
    let heavy = (first..first + FLOWS_AT_ONCE).filter(|flow| flow.is_multiple_of(HEAVY));
    let mut bytes = 0;
    for flow in light.chain(heavy) {
        let payload = 20 + (flow * 37 + number * 11) % 700;
        socket.send_to(&vec![0x55; payload as usize], (destination(flow), 53)).unwrap();
        bytes += UDP_4 + u64::from(payload);
    }
    bytes
}

fn send_rarer(sockets: &[socket2::Socket], number: u32) -> u64 {
    let mut bytes = 0;
    for (socket, from) in sockets.iter().zip((1..).map(|protocol| protocol * RARER_FROM)) {
        if number >= from {
            let payload = 100 + number % 50;
            let to = std::net::SocketAddr::from((destination(number / 10), 0));
            socket.send_to(&vec![0; payload as usize], &to.into()).unwrap();
            bytes += IPV4 + u64::from(payload);
        }
    }
    bytes
}

/// The raw samples of every series of `family`: its labels, and its values in order.
fn samples(prometheus: &Prometheus<'_>, family: &str) -> BTreeMap<String, Vec<u64>> {
    let results = prometheus.query(&format!("{family}[{WINDOW}]"));
    let number = |pair: &Value| pair[1].as_str().unwrap().parse::<f64>().unwrap() as u64;
    let of = |result: &Value| result["values"].as_array().unwrap().iter().map(number).collect();
    results.iter().map(|result| (result["metric"].to_string(), of(result))).collect()
}

/// Last minus first; a counter that fell started over at 0.
fn gained(values: &[u64]) -> u64 {
    values.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] }).sum()
}

/// The sum of all samples of `family` at each scrape, by its time in milliseconds.
fn sums(prometheus: &Prometheus<'_>, family: &str) -> BTreeMap<u64, u64> {
    let mut sums = BTreeMap::new();
    for result in prometheus.query(&format!("{family}[{WINDOW}]")) {
        for pair in result["values"].as_array().unwrap() {
            let time = (pair[0].as_f64().unwrap() * 1_000.0).round() as u64;
            *sums.entry(time).or_default() += pair[1].as_str().unwrap().parse::<f64>().unwrap() as u64;
        }
    }
    sums
}

/// Rows + other + retired + pending = total, for flows and for hosts, at each scrape that Prometheus has stored.
fn adds_up_at_every_scrape(prometheus: &Prometheus<'_>) {
    let totals = sums(prometheus, "trafficmonitor_traffic_bytes_total");
    assert!(totals.len() as u64 > SCRAPES, "{} scrapes", totals.len());
    for of in ["flow", "host"] {
        let parts = ["bytes_total", "retired_bytes_total", "pending_bytes"];
        let parts = parts.map(|part| sums(prometheus, &format!("trafficmonitor_{of}_{part}")));
        let mut were_pending = 0;
        for (time, &total) in &totals {
            let at = |part: &BTreeMap<u64, u64>| part.get(time).copied().unwrap_or_default();
            assert_eq!(parts.iter().map(at).sum::<u64>(), total, "{of}s at {time}");
            were_pending += u64::from(at(&parts[2]) > 0);
        }
        assert!(were_pending > 0, "{of}s: no scrape had pending bytes");
    }
}

/// Number of successful scrapes.
fn scrapes(prometheus: &Prometheus<'_>) -> u64 {
    values(&prometheus.query(&format!("sum_over_time(up[{WINDOW}])"))).first().copied().unwrap_or_default()
}

/// Waits until so many more scrapes have succeeded, each for as long as anything may take.
fn wait_for_scrapes(prometheus: &Prometheus<'_>, more: u64) {
    let before = scrapes(prometheus);
    for number in before + 1..=before + more {
        wait_for("a scrape", || (scrapes(prometheus) >= number).then_some(()));
    }
}

#[test]
fn prometheus_shows_the_sent_bytes_of_flows_that_come_and_go() {
    let (inside, outside) = (Namespace::new(), Namespace::new());
    let (near, far) = (End::new(&inside, "near", "10.9.0.1/24"), End::new(&outside, "far", "10.9.0.2/24"));
    connect(&near, &far);
    outside.ip("route add 10.128.0.0/9 via 10.9.0.1");
    let monitor = Monitor::start(&inside, &BUDGETS);
    let prometheus = Prometheus::scraping_every(&inside, "127.0.0.1:8888", "200ms");
    wait_for_scrapes(&prometheus, QUIET_SCRAPES);

    let churn = Churn::start(&outside);
    wait_for_scrapes(&prometheus, SCRAPES);
    let sent = churn.stop();
    prometheus.gives("sum(trafficmonitor_traffic_bytes_total)", &vec![sent], values);
    wait_for_scrapes(&prometheus, QUIET_SCRAPES);

    let series = samples(&prometheus, FAMILY);
    let shown: u64 = series.values().map(|values| gained(values)).sum();
    let increase = prometheus.query(&format!("sum(increase({FAMILY}[{WINDOW}]))"));
    let increase = increase[0]["value"][1].as_str().unwrap().parse::<f64>().unwrap();
    let beyond = 100.0 * (increase / sent as f64 - 1.0);
    let (rows, other): (Vec<_>, Vec<_>) =
        series.iter().partition(|(labels, _)| !labels.contains(r#""source":"other""#));
    let in_rows: u64 = rows.iter().map(|(_, values)| gained(values)).sum();
    let (counts, others) = (rows.len(), other.len());
    println!("sent {sent} bytes; last minus first of {counts} rows ({in_rows}) and {others} other: {shown} bytes");
    println!("sum(increase(...)): {increase:.0} bytes, {beyond:+.2} %");

    assert_eq!(shown, sent, "last minus first of every series");
    adds_up_at_every_scrape(&prometheus);
    assert!(beyond.abs() < 2.0, "{beyond} %");
    assert!(rows.len() as u64 > 3 * SHOWN, "rows came and went: {}", rows.len());
    assert!(in_rows > sent / 50, "rows counted: {in_rows}");
    for (labels, values) in &series {
        assert_eq!(values[0], 0, "{labels} began with what increase() does not see");
    }
    let of = |protocol: &str| -> u64 {
        let of = other.iter().filter(|(labels, _)| labels.contains(&format!(r#""protocol":"{protocol}""#)));
        of.map(|(_, values)| gained(values)).sum()
    };
    assert!(of("gre") > 0, "a rare protocol has an other row that counts");
    assert_eq!(of("other"), 0, "fewer protocols than may have a row");
    monitor.stop();
}
