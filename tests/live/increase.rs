//! Ten times more flows than fit, and scrapers that come, break off and come back: the values that they see add up.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::Socket;

use super::common::client;
use super::common::exposition::{Family, family, parse, sum};
use super::common::metrics::UDP_4;
use super::common::monitor::Monitor;
use super::common::namespace::wait_for;
use super::traffic::Pair;

const HELD: u64 = 400;
const SHOWN: u64 = 100;
const HOSTS_HELD: u64 = 200;
const HOSTS_SHOWN: u64 = 40;
const BUDGETS: [&str; 14] = [
    "-iface",
    "eth0",
    "--max-flows",
    "400",
    "--max-series",
    "100",
    "--max-hosts",
    "200",
    "--max-host-series",
    "40",
    "--idle-timeout",
    "2s",
    "-localNetworks",
    "10.128.0.0/9",
];
const ROUNDS: u64 = 150;
/// Rounds without traffic at both ends, so that rows enter before it and have stood still behind it.
const QUIET: u64 = 8;
/// So many rows must come and go.
const ENOUGH_WENT: usize = 50;
const MOST_ROUNDS: u64 = 2_000;
const ADDRESS: &str = "127.0.0.1:8888";

/// The families that add up to the total: rows with `other`, retired rows, and pending bytes.
const FAMILIES: [[&str; 3]; 2] = [
    ["trafficmonitor_flow_bytes_total", "trafficmonitor_flow_retired_bytes_total", "trafficmonitor_flow_pending_bytes"],
    ["trafficmonitor_host_bytes_total", "trafficmonitor_host_retired_bytes_total", "trafficmonitor_host_pending_bytes"],
];

type Labels = Vec<(String, String)>;

/// One that scrapes, from an address of its own.
struct Scraper<'a> {
    pair: &'a Pair,
    source: Ipv4Addr,
    /// By family: each series' value at the last scrape that held it, and whether that was the last scrape of all.
    last: [BTreeMap<Labels, u64>; 2],
    /// Growth of all series from scrape to scrape, as `increase()` has it.
    gained: [u64; 2],
    /// At the first scrape: the total without pending bytes, of flows and of hosts.
    first_shown: Option<[u64; 2]>,
    total: u64,
    pending: [u64; 2],
    went: usize,
}

impl<'a> Scraper<'a> {
    fn new(pair: &'a Pair, source: Ipv4Addr) -> Self {
        let last = [BTreeMap::new(), BTreeMap::new()];
        Self { pair, source, last, gained: [0; 2], first_shown: None, total: 0, pending: [0; 2], went: 0 }
    }

    fn scrape(&mut self) {
        let families = parse(&scrape_from(self.pair, self.source));
        let total = sum(&families, "trafficmonitor_traffic_bytes_total", None);
        assert!(total >= self.total);
        self.total = total;
        for (number, [rows, retired, pending]) in FAMILIES.into_iter().enumerate() {
            self.pending[number] = sum(&families, pending, None);
            let adds_up = sum(&families, rows, None) + sum(&families, retired, None) + self.pending[number];
            assert_eq!(adds_up, total, "{rows}: rows, other, retired and pending against the total");
            self.follow(number, family(&families, rows));
        }
        self.first_shown.get_or_insert(self.pending.map(|pending| total - pending));
        budgets_hold(&families);
    }

    fn follow(&mut self, number: usize, family: &Family) {
        let now: BTreeMap<Labels, u64> =
            family.samples.iter().map(|sample| (sample.labels.clone(), sample.count())).collect();
        for (labels, &value) in &now {
            match self.last[number].get(labels) {
                Some(&before) => {
                    assert!(value >= before, "{labels:?} fell from {before} to {value}");
                    self.gained[number] += value - before;
                }
                // A series that is new, or comes back, gains nothing at first: `increase()` does not see it.
                None => assert!(value == 0 || self.first_shown.is_none(), "{labels:?}: {value}"),
            }
        }
        self.went += self.last[number].keys().filter(|labels| !now.contains_key(*labels)).count();
        self.last[number] = now;
    }

    /// True if the series gained the whole traffic since its first scrape, except for pending bytes.
    fn is_exact(&self) {
        let first = self.first_shown.unwrap();
        let passed = [0, 1].map(|number| self.total - self.pending[number] - first[number]);
        assert_eq!(self.gained, passed, "gained by flows and by hosts, against the traffic");
    }
}

fn is_other(labels: &Labels) -> bool {
    labels.iter().any(|(_, value)| value == "other")
}

fn connected(pair: &Pair, source: Ipv4Addr) -> TcpStream {
    connect(open(pair), source)
}

/// A connection on which as little waits in the kernel as possible. Reading a whole page from it may take long.
fn connected_with_small_buffer(pair: &Pair, source: Ipv4Addr) -> TcpStream {
    let socket = open(pair);
    socket.set_recv_buffer_size(1).unwrap();
    connect(socket, source)
}

fn open(pair: &Pair) -> Socket {
    pair.host.enter(|| Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)).unwrap()
}

fn connect(socket: Socket, source: Ipv4Addr) -> TcpStream {
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&ADDRESS.parse::<SocketAddr>().unwrap().into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// One scrape, to the last byte of it.
fn scrape_from(pair: &Pair, source: Ipv4Addr) -> String {
    let mut stream = connected(pair, source);
    ask(&mut stream);
    let answer = client::read_answer(&mut stream).unwrap();
    assert_eq!(answer.status, 200);
    answer.body
}

/// Reads a page to its end and then resets the connection: the exporter cannot know that it was read.
fn look(pair: &Pair, source: Ipv4Addr) -> Vec<Family> {
    let mut stream = connected(pair, source);
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n").unwrap();
    let mut page = Vec::new();
    while !page.ends_with(b"\r\n0\r\n\r\n") {
        let mut bytes = [0; 16_384];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the page has an end");
        page.extend_from_slice(&bytes[..count]);
    }
    parse(&client::parse(&page).unwrap().body)
}

fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\nConnection: close\r\n\r\n").unwrap();
}

/// Asks, reads a little of the answer and goes. The answer is far larger than the buffers on this side.
fn break_off(pair: &Pair, source: Ipv4Addr) {
    let mut stream = connected_with_small_buffer(pair, source);
    ask(&mut stream);
    stream.read_exact(&mut [0; 600]).unwrap();
}

fn budgets_hold(families: &[Family]) {
    for (gauge, limit) in [("flows", HELD), ("series", SHOWN), ("hosts", HOSTS_HELD)] {
        let value = sum(families, &format!("trafficmonitor_{gauge}"), None);
        assert!(value <= limit, "{gauge}: {value}");
    }
    for (rows, limit) in [(FAMILIES[0][0], SHOWN), (FAMILIES[1][0], HOSTS_SHOWN)] {
        let samples = family(families, rows).samples.iter();
        let shown = samples.filter(|sample| !is_other(&sample.labels)).count() as u64;
        assert!(shown <= limit, "{rows}: {shown}");
    }
}

/// Traffic of round `number`: some old flows, heavier each time, and many new ones. Gives its IP bytes.
fn churn(socket: &UdpSocket, number: u64) -> u64 {
    let flows: BTreeSet<u64> = (0..60).map(|flow| number * 28 + flow).collect();
    let mut bytes = 0;
    for flow in flows {
        let payload = 20 + (flow * 37 + number * 11) % 700;
        let to = Ipv4Addr::from_bits(Ipv4Addr::new(10, 128, 0, 0).to_bits() + u32::try_from(flow).unwrap());
        socket.send_to(&vec![0x55; payload as usize], (to, 53)).unwrap();
        bytes += UDP_4 + payload;
    }
    bytes
}

/// A second client beside the one that scrapes in every round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    None,
    /// Scrapes in every third round.
    Slower,
    /// Scrapes in the first rounds and then no more.
    Stops,
    /// Breaks every scrape off.
    BreaksOff,
}

/// Rounds in which a client that stops still scrapes.
const UNTIL_STOP: u64 = 60;

impl Second {
    fn scrapes_in(self, round: u64) -> bool {
        match self {
            Self::Slower => round.is_multiple_of(3),
            Self::Stops => round < UNTIL_STOP,
            Self::None | Self::BreaksOff => false,
        }
    }
}

/// Follows the series that each client sees, while flows come and go.
fn adds_up(second: Second) {
    let pair = Pair::new();
    // The host is no router: it drops them silently.
    pair.other.ip("route add 10.128.0.0/9 via 10.1.0.1");
    let monitor = Monitor::start(&pair.host, &BUDGETS);
    let socket = pair.other.udp("10.1.0.2:40053");
    let (mut first, mut other) = (Scraper::new(&pair, ONE), Scraper::new(&pair, TWO));
    let (mut sent, mut broken) = (0, 0);
    // On a busy machine fewer of the scrapes show something new: then there are more of them.
    let mut quiet_at_the_end = 0;
    for number in 0.. {
        let is_enough = number >= QUIET + ROUNDS && first.went > ENOUGH_WENT;
        if is_enough || number >= MOST_ROUNDS {
            quiet_at_the_end += 1;
        } else if number >= QUIET {
            sent += churn(&socket, number);
        }
        if quiet_at_the_end > QUIET {
            break;
        }
        if second == Second::BreaksOff && number % 3 == 0 {
            break_off(&pair, TWO);
            broken += 1;
        }
        std::thread::sleep(Duration::from_millis(if number % 5 == 0 { 20 } else { 110 }));
        first.scrape();
        if second.scrapes_in(number) {
            other.scrape();
        }
    }
    monitor.wait_for("all that was sent", |metrics| metrics.sum("trafficmonitor_traffic_bytes_total") == sent);
    first.scrape();
    assert_eq!(first.total, sent);
    first.is_exact();
    assert!(first.went > ENOUGH_WENT, "rows came and went: {}", first.went);
    if second == Second::Slower {
        other.scrape();
    }
    if second.scrapes_in(0) {
        other.is_exact();
        assert!(other.gained.iter().all(|&gained| gained > 0));
    }
    let result = |result| [("result", result)];
    monitor.wait_for("all that were broken off", |metrics| {
        metrics.value("trafficmonitor_scrapes_total", &result("broken")) == Some(broken)
    });
    monitor.stop();
}

const ONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const TWO: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 12);

#[test]
fn series_of_one_scraper_gain_the_traffic() {
    adds_up(Second::None);
}

#[test]
fn series_of_two_scrapers_at_different_intervals_gain_the_traffic() {
    adds_up(Second::Slower);
}

#[test]
fn scraper_that_stops_spoils_nothing() {
    adds_up(Second::Stops);
}

#[test]
fn scraper_that_breaks_off_spoils_nothing() {
    adds_up(Second::BreaksOff);
}

#[test]
fn bytes_of_rows_are_pending_until_the_first_scraper_comes() {
    let pair = Pair::new();
    pair.other.ip("route add 10.128.0.0/9 via 10.1.0.1");
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    let socket = pair.other.udp("10.1.0.2:40053");
    let sent = churn(&socket, 0);
    let families = wait_for("all that was sent", || {
        let families = look(&pair, ONE);
        (sum(&families, "trafficmonitor_traffic_bytes_total", None) == sent).then_some(families)
    });
    for [rows, _, pending] in FAMILIES {
        assert_eq!((sum(&families, rows, None), sum(&families, pending, None)), (0, sent), "{rows}");
    }
    let mut scraper = Scraper::new(&pair, TWO);
    scraper.scrape();
    let counted = wait_for("rows that count", || {
        scraper.scrape();
        (scraper.pending == [0; 2]).then_some(scraper.gained)
    });
    assert_eq!(counted, [sent; 2]);
    monitor.stop();
}
