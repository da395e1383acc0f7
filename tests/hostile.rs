//! Clients that mean no good: they take connections, memory and descriptors, and cost no scrape of another client.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, reason = "figures are for people that run the tests")]

mod common;

use std::collections::VecDeque;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::client::{self, connect, read_answer};
use common::exporter::{DEADLINE, Exporter, program, wait_for};
use common::exposition::{parse, sum};
use common::memory::kibibytes;
use common::mix;
use socket2::{Domain, Socket, Type};

const HEAD_LIMIT: usize = 16 << 10;
/// Connections in all, and the addresses that they come from.
const CONNECTIONS: u32 = 10_000;
const ADDRESSES: u32 = 200;
/// Connections that are kept open at once where there are fewer descriptors than for all.
const KEPT: usize = 600;
/// Connections that they open one after the other before they pause: some thousand a second.
const TURN: u32 = 20;
const TURN_PAUSE: Duration = Duration::from_millis(8);
/// Scrapes meanwhile.
const SCRAPES: usize = 200;
/// A generous deadline, since other tests run beside these: 250 ms are asked of a machine of its own.
const SLOWEST_P99: Duration = Duration::from_secs(3);
const SCRAPE_INTERVAL: Duration = Duration::from_millis(20);

fn serving() -> Exporter {
    served_by(&mut program(["-r", "mix.pcap", "-promHTTP", "127.0.0.1:0"]))
}

/// The exporter run by `command` with a file in its folder.
fn served_by(command: &mut Command) -> Exporter {
    let folder = tempfile::tempdir().unwrap();
    mix::write(folder.path(), "mix.pcap");
    let exporter = Exporter::spawn(command.current_dir(folder.path()), 1);
    exporter.is_ready();
    exporter
}

/// The same with so many file descriptors.
fn limited(descriptors: u32) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={descriptors}:{descriptors}")).arg(env!("CARGO_BIN_EXE_trafficmonitor"));
    command.args(["-r", "mix.pcap", "-promHTTP", "127.0.0.1:0"]);
    command
}

fn connect_from(client: Ipv4Addr, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((client, 0)).into()).unwrap();
    socket.connect_timeout(&server.into(), DEADLINE).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.into()
}

#[test]
fn head_over_16_kib_is_refused() {
    let exporter = serving();
    let path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(HEAD_LIMIT));
    let line = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(HEAD_LIMIT));
    let endless = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}", "b".repeat(1 << 20));
    for head in [path, line, endless] {
        let mut stream = connect(exporter.address());
        // The server may have answered before all is sent.
        stream.write_all(head.as_bytes()).ok();
        assert_eq!(read_answer(&mut stream).unwrap().status, 431);
    }
    let invalid = || cut(&exporter, "invalid");
    wait_for("three are counted", || (invalid() == 3).then_some(()));
    let fits = format!("GET /-/healthy HTTP/1.1\r\nconnection: close\r\na: {}\r\n\r\n", "b".repeat(HEAD_LIMIT - 100));
    let mut stream = connect(exporter.address());
    stream.write_all(fits.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
}

#[test]
fn heads_without_end_take_at_most_16_mib() {
    let exporter = serving();
    assert_eq!(client::request(exporter.address(), "GET", "/metrics").status, 200);
    let resident = || kibibytes(exporter.id(), "VmRSS").unwrap();
    let before = resident();
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}", "b".repeat(HEAD_LIMIT - 200));
    let mut kept = Vec::new();
    for number in 0..3 * KEPT as u32 {
        let mut stream = connect_from(address(number), exporter.address());
        stream.write_all(head.as_bytes()).ok();
        kept.push(stream);
        if kept.len() > KEPT {
            kept.remove(0);
        }
    }
    assert_eq!(client::request(exporter.address(), "GET", "/-/healthy").status, 200);
    let taken = resident().saturating_sub(before);
    println!("{taken} KiB for heads without end");
    assert!(taken <= 16 << 10, "{taken} KiB");
}

/// One of the addresses from which attacks come.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number % ADDRESSES)
}

const SCRAPER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// Scrapes one after the other; fails if one of them does. Prints how long they took.
fn scrape_all(server: SocketAddr, of: &str) {
    let mut took: Vec<Duration> = (0..SCRAPES).map(|number| scrape(server, number)).collect();
    took.sort_unstable();
    let (p99, slowest) = (took[took.len() * 99 / 100 - 1], took[took.len() - 1]);
    assert!(p99 <= SLOWEST_P99, "{of}: p99 {p99:?}");
    println!("{of}: {SCRAPES} scrapes, median {:.1?}, p99 {p99:.1?}, slowest {slowest:.1?}", took[took.len() / 2]);
}

fn scrape(server: SocketAddr, number: usize) -> Duration {
    let start = Instant::now();
    let mut stream = connect_from(SCRAPER, server);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let answer = read_answer(&mut stream).unwrap_or_else(|error| panic!("scrape {number}: {error}"));
    assert_eq!(answer.status, 200, "scrape {number}");
    let took = start.elapsed();
    thread::sleep(SCRAPE_INTERVAL);
    took
}

/// The connections that an attack keeps open at once: all of them where the tests may have as many descriptors.
fn kept_at_once() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let soft: usize = line.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap_or(usize::MAX);
    // Two attacks may run at the same time.
    (soft.saturating_sub(1_000) / 13 * 10).clamp(KEPT, CONNECTIONS as usize)
}

/// Clients that open `connections` and more at a steady rate until they are stopped, each from the address that `from`
/// gives, and keep so many: silent ones, ones that have begun a request, ones that go on with it slowly, and half-closed
/// ones.
struct Attack {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<u32>>,
}

impl Attack {
    fn start(server: SocketAddr, connections: u32, from: impl Fn(u32) -> Ipv4Addr + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let (mut kept, most) = (VecDeque::new(), kept_at_once().min(connections as usize));
            for number in 0.. {
                kept.push_back(open(server, number, from(number)));
                if kept.len() > most {
                    kept.pop_front();
                }
                if number % TURN == 0 {
                    kept.iter_mut().skip(2).step_by(4).for_each(drip);
                    thread::sleep(TURN_PAUSE);
                }
                if stop.load(Ordering::Acquire) && number >= connections {
                    return number;
                }
            }
            unreachable!("it ends when it is told to")
        });
        Self { is_over, thread: Some(thread) }
    }

    fn stop(mut self) {
        self.is_over.store(true, Ordering::Release);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn open(server: SocketAddr, number: u32, from: Ipv4Addr) -> TcpStream {
    let mut stream = connect_from(from, server);
    match number % 4 {
        0 => {}
        1 => stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: ").unwrap_or_default(),
        2 => stream.write_all(b"G").unwrap_or_default(),
        _ => stream.shutdown(Shutdown::Write).unwrap_or_default(),
    }
    stream
}

/// One more byte, if the connection is still there.
fn drip(stream: &mut TcpStream) {
    stream.write_all(b"x").unwrap_or_default();
}

#[test]
fn ten_thousand_idle_connections_of_others_cost_no_scrape() {
    let exporter = serving();
    let attack = Attack::start(exporter.address(), CONNECTIONS, address);
    scrape_all(exporter.address(), "10,000 connections from 200 addresses");
    attack.stop();
    assert!(cut(&exporter, "crowded") > 0, "no connection had to make room");
}

#[test]
fn two_thousand_idle_connections_from_the_same_address_cost_no_scrape() {
    let exporter = serving();
    let attack = Attack::start(exporter.address(), 2_000, |_| SCRAPER);
    scrape_all(exporter.address(), "2,000 connections from the scraper's address");
    attack.stop();
    assert!(cut(&exporter, "crowded") > 0, "no connection had to make room");
}

#[test]
fn silent_connections_do_not_use_up_few_descriptors() {
    let exporter = served_by(&mut limited(64));
    let silent: Vec<TcpStream> = (0..100).map(|_| connect(exporter.address())).collect();
    for number in 0..50 {
        let answer = client::request(exporter.address(), "GET", "/metrics");
        assert_eq!(answer.status, 200, "scrape {number}");
    }
    drop(silent);
}

#[test]
fn idle_connections_that_make_room_are_counted() {
    let exporter = served_by(&mut limited(64));
    let idle: Vec<TcpStream> = (0..50).map(|_| connect(exporter.address())).collect();
    assert!(cut(&exporter, "crowded") >= 20);
    drop(idle);
}

/// The connections that the server has cut for this reason.
fn cut(exporter: &Exporter, reason: &str) -> u64 {
    let page = client::request(exporter.address(), "GET", "/metrics").body;
    sum(&parse(&page), "trafficmonitor_http_connections_cut_total", Some(("reason", reason)))
}

#[test]
fn too_few_descriptors_are_refused_in_words() {
    for descriptors in [7, 8, 12, 20, 39] {
        let output = limited(descriptors).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{descriptors}: {message}");
        assert!(message.contains(&format!("{descriptors} are allowed, 40 are needed")), "{message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    drop(served_by(&mut limited(40)));
}
