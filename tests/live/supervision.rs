//! The program on a host that withholds its resources: descriptors, memory for rings, CPU time of a thread.

#![allow(unsafe_code)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use trafficmonitor::account::ledger::Ledger;
use trafficmonitor::account::snapshot_builder::SnapshotBuilder;
use trafficmonitor::alert::AlertSink;
use trafficmonitor::alert::Change;
use trafficmonitor::config::Config;
use trafficmonitor::detect::Detectors;
use trafficmonitor::export::vitals::Vitals;
use trafficmonitor::pipeline::alarms::Alarms;
use trafficmonitor::pipeline::settings;
use trafficmonitor::pipeline::supervisor::{self, Setup};
use trafficmonitor::{capture, http};

use super::alerts::sweep;
use super::common::client;
use super::common::metrics::{Metrics, Packets};
use super::common::monitor::Monitor;
use super::common::namespace::{DEADLINE, End, Namespace, connect, wait_for};
use super::held::Held;
use super::traffic::{Flood, Pair, send};

const STALE: &str = "trafficmonitor_network_stale";
const RING_BYTES: &str = "trafficmonitor_ring_memory_bytes";
const RINGS_LIMIT: u64 = 512 << 20;

// ---- Descriptors ---------------------------------------------------------------------------------------------------------

fn process(monitor: &Monitor<'_>) -> libc::pid_t {
    libc::pid_t::try_from(monitor.pid()).unwrap()
}

/// Sets how many descriptors the program may have; gives how many it could have before.
fn allow_descriptors(monitor: &Monitor<'_>, number: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let ask = |new: *const libc::rlimit, old: *mut libc::rlimit| {
        // SAFETY: both are null or point to limits that outlive the call; the process is a child.
        assert_eq!(unsafe { libc::prlimit(process(monitor), libc::RLIMIT_NOFILE, new, old) }, 0);
    };
    ask(std::ptr::null(), &mut limit);
    let before = limit.rlim_cur;
    limit.rlim_cur = number;
    ask(&limit, std::ptr::null_mut());
    before
}

/// The lowest number of a descriptor that is free: with this limit the program gets no more.
fn lowest_free_descriptor(monitor: &Monitor<'_>) -> u64 {
    let open = fs::read_dir(format!("/proc/{}/fd", monitor.pid())).unwrap().flatten();
    let open: Vec<u64> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    (0..).find(|number| !open.contains(number)).unwrap()
}

/// The metrics, asked for over a connection that is open already.
fn metrics_over(stream: &mut TcpStream) -> Metrics {
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n").unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 65_536]);
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the connection was closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
    }
    Metrics::parse(&client::parse(&answer).unwrap().body)
}

#[test]
fn change_of_the_network_without_free_descriptors_is_followed_later() {
    let pair = Pair::new();
    let late = Namespace::new();
    let monitor = Monitor::start(&pair.host, &[]);
    assert_eq!(monitor.metrics().value(STALE, &[]), Some(0));
    let mut stream = pair.host.enter(|| TcpStream::connect("127.0.0.1:8888")).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    metrics_over(&mut stream);

    let before = allow_descriptors(&monitor, lowest_free_descriptor(&monitor));
    pair.host.ip("address add 10.9.0.1/32 dev lo");
    wait_for("the view is stale", || (metrics_over(&mut stream).value(STALE, &[]) == Some(1)).then_some(()));
    let messages = monitor.messages();
    assert_eq!(messages.matches("cannot read interfaces and routes; retrying").count(), 1, "{messages}");
    connect(&End::new(&pair.host, "eth1", "10.2.0.1/24"), &End::new(&late, "eth0", "10.2.0.2/24"));
    allow_descriptors(&monitor, before);

    monitor.wait_until_up("eth1", true);
    assert_eq!(monitor.metrics().value(STALE, &[]), Some(0));
    monitor.stop();
}

// ---- Rings ---------------------------------------------------------------------------------------------------------------

/// The memory that the process shares with packet sockets.
fn mapped_ring_bytes(monitor: &Monitor<'_>) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{}/maps", monitor.pid())).unwrap();
    let length = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        Some(u64::from_str_radix(end, 16).ok()? - u64::from_str_radix(start, 16).ok()?)
    };
    maps.lines().filter(|line| line.contains("socket:[")).filter_map(length).sum()
}

fn captured(metrics: &Metrics) -> u64 {
    metrics.sum("trafficmonitor_capture_up")
}

/// Each wire has both ends on the host, and both are captured.
#[test]
fn rings_of_interfaces_that_come_one_by_one_stay_within_their_bound() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["--log.level", "debug"]);
    let (client, server) = pair.resolver();
    let to = server.local_addr().unwrap();
    let flood = Flood::start(move |_| assert_eq!(client.send_to(&[0x55; 100], to).unwrap(), 100));
    for number in 1..=25 {
        pair.host.ip(&format!("link add near{number} type veth peer name far{number}"));
        for end in ["near", "far"] {
            pair.host.ip(&format!("link set {end}{number} up"));
        }
        let mapped = mapped_ring_bytes(&monitor);
        assert!(mapped <= RINGS_LIMIT, "{mapped} bytes of rings with {number} wires");
    }
    let metrics = monitor.wait_for("all are captured", |metrics| captured(metrics) == 51);
    assert_eq!(metrics.value("trafficmonitor_rings_refused_total", &[]), Some(0));
    let settled = monitor
        .wait_for("all rings have their share", |metrics| metrics.value(RING_BYTES, &[]) == Some(51 * (8 << 20)));
    assert_eq!(mapped_ring_bytes(&monitor), settled.value(RING_BYTES, &[]).unwrap());

    let sent = flood.stop();
    let closing = monitor.stop().closing();
    println!("{sent} packets sent while rings became smaller: {closing:?}");
    assert_eq!(closing.captured, closing.received - closing.dropped, "what the kernel delivered is counted");
    // Between the old handle and the new one a few frames pass.
    assert!(closing.captured + sent / 1_000 >= sent, "{sent} sent: {closing:?}");
}

/// Each worker of an interface has a ring, of 1 MiB at least.
#[test]
fn interface_without_memory_for_its_ring_is_refused_and_counted() {
    let host = Namespace::new();
    for number in 0..32 {
        host.ip(&format!("link add near{number} type veth peer name far{number}"));
        for end in ["near", "far"] {
            host.ip(&format!("link set {end}{number} up"));
        }
    }
    let workers = 4 * std::thread::available_parallelism().unwrap().get().min(2);
    let handles = 64 * workers as u64;
    assert_eq!(handles, 512, "the tests need two cores");
    let monitor = Monitor::start(&host, &["--capture.workers", &workers.to_string()]);
    let metrics = monitor
        .wait_for("one is refused", |metrics| metrics.value("trafficmonitor_rings_refused_total", &[]) == Some(1));
    assert_eq!(metrics.value(RING_BYTES, &[]), Some(511 << 20));
    assert!(mapped_ring_bytes(&monitor) <= RINGS_LIMIT);
    assert!(monitor.messages().contains("no memory is left for its capture ring"), "{}", monitor.messages());
    // Another interface goes, and there is memory for it.
    host.ip("link delete near0");
    monitor.wait_for("all are captured", |metrics| captured(metrics) == 62);
    monitor.stop();
}

// ---- Threads -------------------------------------------------------------------------------------------------------------

/// As in a driver that hangs. Kubernetes asks for health, and restarts the container.
#[test]
fn capture_that_hangs_is_unhealthy_until_it_goes_on() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    let up = [("thread", "capture")];
    assert_eq!(monitor.metrics().value("trafficmonitor_thread_up", &up), Some(1));
    let held = Held::hold(monitor.pid(), "capture-eth0");
    let health = || monitor.ask("GET", "/-/healthy").expect("it still answers").status;
    wait_for("it is not healthy", || (health() == 503).then_some(()));
    assert_eq!(monitor.metrics().value("trafficmonitor_thread_up", &up), Some(0));
    assert!(monitor.messages().contains("made no progress for 30 s"), "{}", monitor.messages());
    held.release();
    wait_for("it is healthy again", || (health() == 200).then_some(()));
    monitor.stop();
}

#[test]
fn thread_that_hangs_ends_the_program() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    for thread in ["accountant", "supervisor"] {
        assert_eq!(monitor.metrics().value("trafficmonitor_thread_up", &[("thread", thread)]), Some(1));
    }
    let start = Instant::now();
    let held = Held::hold(monitor.pid(), "accountant");
    let deadline = start + Duration::from_secs(60);
    let health = loop {
        let answer = monitor.ask("GET", "/-/healthy").expect("it still answers");
        if answer.status != 200 || Instant::now() > deadline {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(
        (health.status, health.body.as_str()),
        (503, "not healthy: the thread accountant does not work any more\n")
    );
    assert!(start.elapsed() > Duration::from_secs(29), "{:?}", start.elapsed());
    let metrics = monitor.metrics();
    let is_up = |thread| metrics.value("trafficmonitor_thread_up", &[("thread", thread)]);
    assert_eq!((is_up("accountant"), is_up("supervisor")), (Some(0), Some(1)));
    let path = format!("/proc/{}/task/{}", monitor.pid(), held.thread);
    wait_for("the thread has ended", || {
        held.reap();
        (!fs::exists(&path).unwrap()).then_some(())
    });
    let ended = monitor.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.messages);
    assert!(ended.messages.contains("thread=accountant"), "{}", ended.messages);
}

/// Panics on the accountant's thread at the first alert.
struct Panicking;

impl AlertSink for Panicking {
    fn notify(&mut self, _: &Change) {
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}

/// A live pipeline on eth0 with an accountant that panics at the first alert.
fn panicking(vitals: &Vitals) -> Setup<Panicking> {
    let config = Config::default();
    let selection = capture::Selection::Named(vec!["eth0".to_owned()]);
    let detectors = Detectors::new(&config.detect, 1, Some(settings::tick(&config.pipeline)));
    Setup {
        kernel: None,
        capture: capture::Config { selection, ..config.capture },
        filter: None,
        locality: config.locality,
        policy: None,
        pipeline: config.pipeline,
        ledger: Ledger::new(&config.account, 1),
        alarms: Alarms::new(detectors, &config.alert, Panicking),
        recording: None,
        snapshot_builder: SnapshotBuilder::new(&config.account),
        scraped: http::reports().1,
        published: Arc::default(),
        vitals: vitals.clone(),
        stop: Arc::default(),
        seed: 1,
    }
}

#[test]
fn panic_of_the_accountant_is_reported_as_a_death() {
    let pair = Pair::new();
    let vitals = Vitals::new().unwrap();
    let (died, death) = channel();
    let start = || supervisor::start(panicking(&vitals), || {}, move || died.send(()).unwrap());
    let running = pair.host.enter(start).unwrap();
    sweep(&pair, 30);
    death.recv_timeout(DEADLINE).expect("the death is reported");
    assert_eq!(vitals.dead_thread().as_deref(), Some("accountant"));
    running.stop();
    assert!(running.join().is_err());
}

#[test]
fn pipeline_that_was_asked_to_stop_has_not_died() {
    let pair = Pair::new();
    let vitals = Vitals::new().unwrap();
    let (died, death) = channel();
    let start = || supervisor::start(panicking(&vitals), || {}, move || died.send(()).unwrap());
    let running = pair.host.enter(start).unwrap();
    running.stop();
    running.join().unwrap();
    // The watchdog ends at its next look, and with it the sender.
    assert!(death.recv_timeout(DEADLINE).is_err());
    assert_eq!(vitals.dead_thread(), None);
}

/// Several workers cannot be exchanged one by one: they close, and open smaller rings together.
#[test]
fn rings_of_several_workers_shrink_together() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["--capture.workers", "4"]);
    let ring_bytes = |metrics: &Metrics| metrics.value(RING_BYTES, &[]);
    assert_eq!(ring_bytes(&monitor.metrics()), Some(4 * (32 << 20)));
    for number in 1..=2 {
        pair.host.ip(&format!("link add near{number} type veth peer name far{number}"));
        for end in ["near", "far"] {
            pair.host.ip(&format!("link set {end}{number} up"));
        }
    }
    let settled = |metrics: &Metrics| captured(metrics) == 5 && ring_bytes(metrics) == Some(20 * (16 << 20));
    monitor.wait_for("all have smaller rings", settled);
    let (client, server) = pair.resolver();
    send(&client, &server, Packets::udp(100, 100));
    let flow = "10.1.0.2->10.1.0.1 udp/53(domain)";
    monitor.wait_for("all packets count", |metrics| metrics.flows().get(flow) == Some(&(100 * 128)));
    monitor.stop();
}
