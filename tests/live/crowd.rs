//! Capture beside a crowd of clients that mean no good.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::common::ip::{Ipv4, tcp};
use super::common::link::{Link, Sample};
use super::common::metrics::{Counted, Packets};
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::{DEADLINE, End, Namespace, connect as link, wait_for};
use super::traffic::{Flood, Pair, send};

/// Connections that the crowd makes, and how many it holds at once.
const CONNECTIONS: usize = 10_000;
const HELD: usize = 700;
/// The crowd's source address inside the host; the scraper has another one.
const CROWD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8888);

fn connect() -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((CROWD, 0)).into()).unwrap();
    socket.connect_timeout(&SERVER.into(), DEADLINE).expect("the server accepts");
    socket.into()
}

/// Connections that ask and do not read, or say nothing: more than the server keeps. Between them a scraper asks, and is
/// answered each time.
fn throng(monitor: &Monitor<'_>, pair: &Pair) {
    for _ in 0..CONNECTIONS / HELD {
        let mut held: Vec<TcpStream> = pair.host.enter(|| (0..HELD).map(|_| connect()).collect());
        for stream in held.iter_mut().step_by(2) {
            if let Err(error) = stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n") {
                // It was refused before it had asked.
                assert!([ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind()), "{error}");
            }
        }
        monitor.metrics();
    }
}

/// CPU time of the threads whose names begin with `name`.
pub(super) fn cpu_time(process: u32, name: &str) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let of_name = threads.filter(|thread| read(thread.path().join("comm")).starts_with(name));
    let nanoseconds = |text: String| text.split(' ').next().and_then(|field| field.parse::<u64>().ok());
    of_name.filter_map(|thread| nanoseconds(read(thread.path().join("schedstat")))).map(Duration::from_nanos).sum()
}

#[test]
fn ten_thousand_connections_cost_capture_no_packet() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    let (client, server) = pair.resolver();
    let to = server.local_addr().unwrap();
    let flood = Flood::start(move |_| assert_eq!(client.send_to(&[0x55; 100], to).unwrap(), 100));
    let spent = || (flood.sent(), cpu_time(monitor.pid(), "capture-"));
    let start = spent();
    flood.wait_for_more(40_000);
    let alone = spent();
    throng(&monitor, &pair);
    let beside = spent();
    let sent = flood.stop();
    for (what, from, to) in [("alone", start, alone), ("beside 10,000 connections", alone, beside)] {
        let (packets, time) = (to.0 - from.0, to.1 - from.1);
        let million = time.as_secs_f64() * 1e6 / packets as f64;
        println!("{what}: {packets} packets, {time:?} CPU of the capture thread, {million:.2} s a million");
    }
    let crowded = monitor.metrics().value("trafficmonitor_http_connections_cut_total", &[("reason", "crowded")]);
    assert!(crowded.is_some_and(|crowded| crowded > 0), "{crowded:?}");
    let flow = "10.1.0.2->10.1.0.1 udp/53(domain)";
    let expected = Counted::default().and(flow, "eth0", Packets::udp(sent, 100));
    wait_for("the crowd has gone", || monitor.ask("GET", "/-/healthy").filter(|answer| answer.status == 200));
    monitor.finish(&expected);
}

/// With 64 descriptors and 100 clients that say nothing, an interface that comes later is captured too, and the monitor
/// answers.
#[test]
fn silent_connections_leave_descriptors_for_capture() {
    let pair = Pair::new();
    let mut limited = Command::new("prlimit");
    limited.arg("--nofile=64:64").arg(PROGRAM);
    let monitor = Monitor::spawn(&pair.host, limited, &[]).wait_until_ready();
    let silent: Vec<TcpStream> = pair.host.enter(|| (0..100).map(|_| connect()).collect());
    let late = Namespace::new();
    link(&End::new(&pair.host, "eth1", "10.5.0.1/24"), &End::new(&late, "eth0", "10.5.0.2/24"));
    monitor.wait_until_up("eth1", true);
    send(&late.udp("10.5.0.2:40053"), &pair.host.udp("10.5.0.1:53"), Packets::udp(17, 40));
    let flow = "10.5.0.2->10.5.0.1 udp/53(domain)";
    monitor.expect(&Counted::default().and(flow, "eth1", Packets::udp(17, 40)));
    drop(silent);
    monitor.stop();
}

/// SYNs that no client goes on from, and the addresses that they come from.
const SYNS: u16 = 10_000;
const SYN_SOURCES: u16 = 200;
const SYN: u8 = 2;
/// The state SYN_RECV in `/proc/net/tcp`.
const HALF_OPEN: &str = "03";

/// One of many SYNs for the server, from an address that no host has.
fn syn(number: u16) -> Sample {
    let source = Ipv4Addr::new(10, 99, 0, (number % SYN_SOURCES) as u8);
    let destination = Ipv4Addr::new(10, 1, 0, 1);
    let mut segment = tcp(20_000 + number, 8888, SYN, &[]);
    let pseudo_header = [&source.octets()[..], &destination.octets(), &[0, segment.protocol, 0, 20]].concat();
    let words = pseudo_header.chunks(2).chain(segment.bytes.chunks(2));
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    segment.bytes[16..18].copy_from_slice(&checksum.to_be_bytes());
    Link::ethernet().carrying(&Ipv4::carrying(segment).between(source, destination).build())
}

/// Half-open connections are the kernel's: it keeps some, and answers the others with cookies.
#[test]
fn half_open_connections_cost_no_scrape() {
    let pair = Pair::new();
    pair.host.ip("link set eth0 address 02:00:00:00:00:02");
    // The answers go to a host that knows nothing of these addresses.
    pair.host.ip("route add 10.99.0.0/16 via 10.1.0.2");
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "-promHTTP", "10.1.0.1:8888"]);
    let mut wire = pair.other.enter(|| pcap::Capture::from_device("eth0").unwrap().open().unwrap());
    let half_open = || {
        let table = pair.host.enter(|| fs::read_to_string("/proc/thread-self/net/tcp")).unwrap();
        table.lines().filter(|line| line.split_whitespace().nth(3) == Some(HALF_OPEN)).count()
    };
    let mut most = 0;
    let mut took = Vec::new();
    for number in 0..SYNS {
        wire.sendpacket(syn(number).bytes).unwrap();
        if number % SYN_SOURCES == 0 {
            let start = Instant::now();
            monitor.metrics();
            took.push(start.elapsed());
            most = most.max(half_open());
        }
    }
    took.sort_unstable();
    println!("{SYNS} SYNs, {most} half-open at once, the slowest of {} scrapes {:?}", took.len(), took[took.len() - 1]);
    assert!(most > 0, "no connection was half-open");
    let refused = monitor.metrics().value("trafficmonitor_http_connections_refused_total", &[("reason", "accept")]);
    assert_eq!(refused.unwrap_or_default(), 0);
    monitor.stop();
}
