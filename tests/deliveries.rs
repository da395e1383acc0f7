//! Reports of scrapes: a scrape is complete only if its client has read it to the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::client::connect;
use common::exporter::wait_for;
use tokio::runtime::Runtime;
use trafficmonitor::account::delivery::ScrapeProgress;
use trafficmonitor::account::snapshot::{InterfaceEntry, Snapshot};
use trafficmonitor::export::Published;
use trafficmonitor::export::chart::Capabilities;
use trafficmonitor::export::{self, process::SelfMetrics};
use trafficmonitor::http::access::WebAccess;
use trafficmonitor::http::{self, Capacity, Listeners, ScrapeReports, Server, Site};

/// A server of snapshot 7, which is larger than the kernel's buffers of an answer, and its reports of scrapes.
struct Served {
    address: SocketAddr,
    reports: RefCell<ScrapeReports>,
    _runtime: Runtime,
}

impl Served {
    fn start() -> Self {
        Self::holding(1_000)
    }

    /// The same with so many interfaces, each of which takes tens of kilobytes.
    fn holding(interfaces: usize) -> Self {
        let name = |number| format!("{number}-{}", "x".repeat(10_000));
        let interfaces =
            (0..interfaces).map(|number| InterfaceEntry { name: name(number), ..InterfaceEntry::default() }).collect();
        let published = Arc::new(Published::default());
        published.publish(Snapshot { number: 7, interfaces, ..Snapshot::default() });
        let (sender, reports) = http::reports();
        let program = SelfMetrics::new("1.2.3", "abc", "libpcap").unwrap();
        let config = export::Config::default();
        let site = Site::new(published, config, Capabilities::default(), program, "1.2.3".to_owned(), Some(sender));
        let listeners =
            Listeners::bind(&http::Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..http::Config::default() })
                .unwrap();
        let address = listeners.addresses()[0];
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = {
            let _in_runtime = runtime.enter();
            Server::new(listeners, Arc::new(site), WebAccess::new(None).unwrap(), Capacity::within(1_000)).unwrap()
        };
        runtime.spawn(server.run(std::future::pending()));
        Self { address, reports: RefCell::new(reports), _runtime: runtime }
    }

    /// A client that asks for the metrics.
    fn asked(&self, method: &str, headers: &str) -> TcpStream {
        let mut stream = connect(self.address);
        write!(stream, "{method} /metrics HTTP/1.1\r\nhost: x\r\n{headers}\r\n").unwrap();
        stream
    }

    /// The same by one that takes as little as it may before it reads.
    fn asked_by_a_slow_reader(&self) -> TcpStream {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        socket.connect(&self.address.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        stream
    }

    /// True if the server has ended its side of the connection, and the kernel still has to send that.
    fn has_sent_its_end_to(&self, client: &TcpStream) -> bool {
        const FIN_WAIT_1: &str = "04";
        let ends = [self.address, client.local_addr().unwrap()].map(|end| format!(":{:04X}", end.port()));
        let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
        connections.lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[1].ends_with(&ends[0]) && fields[2].ends_with(&ends[1]) && fields[3] == FIN_WAIT_1
        })
    }

    /// The next report: how far a scrape has come.
    fn reported(&self) -> ScrapeProgress {
        let report = wait_for("a report", || self.reports.borrow_mut().try_next());
        assert_eq!((report.snapshot, report.client), (7, self.address.ip()));
        report.progress
    }

    /// No further report comes, although other requests are answered.
    fn is_silent(&self) {
        assert_eq!(common::client::get(self.address, "/-/healthy"), "healthy\n");
        let end = Instant::now() + Duration::from_millis(300);
        while Instant::now() < end {
            assert_eq!(self.reports.borrow_mut().try_next(), None);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

const ASK_METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
const ASK_HEALTH: &[u8] = b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n";
const CODINGS: [&str; 2] = ["", "accept-encoding: gzip\r\n"];

#[test]
fn pages_and_requests_to_the_api_are_no_scrapes() {
    let served = Served::holding(1);
    for path in ["/dashboard", "/api/v1/flows", "/api/v1/snapshot", "/api/v1/health", "/api/v1/x", "/active"] {
        common::client::request(served.address, "GET", path);
    }
    served.is_silent();
}

#[test]
fn request_to_the_api_shows_that_the_exposition_before_it_was_read() {
    let served = Served::holding(10);
    let mut stream = served.asked("GET", "");
    assert_eq!(served.reported(), ScrapeProgress::Begun);
    read_one(&mut stream);
    served.is_silent();
    stream.write_all(b"GET /api/v1/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(served.reported(), ScrapeProgress::Complete);
    served.is_silent();
}

#[test]
fn scrape_read_to_the_end_is_complete() {
    let served = Served::start();
    for headers in ["", "connection: close\r\n"] {
        for coding in CODINGS {
            let mut stream = served.asked("GET", &format!("{headers}{coding}"));
            assert_eq!(served.reported(), ScrapeProgress::Begun);
            stream.read_to_end(&mut Vec::new()).unwrap();
            drop(stream);
            assert_eq!(served.reported(), ScrapeProgress::Complete);
        }
    }
    served.is_silent();
}

#[test]
fn scrape_not_read_to_the_end_is_broken() {
    let served = Served::start();
    for headers in ["", "connection: close\r\n"] {
        for coding in CODINGS {
            let stream = served.asked("GET", &format!("{headers}{coding}"));
            assert_eq!(served.reported(), ScrapeProgress::Begun);
            assert_eq!(stream.peek(&mut [0]).unwrap(), 1, "the answer has begun");
            drop(stream);
            assert_eq!(served.reported(), ScrapeProgress::Broken);
        }
    }
    served.is_silent();
}

/// The kernel has all of the answer, and all of it has arrived but for the reading.
#[test]
fn a_small_answer_that_was_not_read_is_broken() {
    let served = Served::holding(0);
    for headers in ["", "connection: close\r\n"] {
        let stream = served.asked("GET", headers);
        assert_eq!(served.reported(), ScrapeProgress::Begun);
        assert_eq!(stream.peek(&mut [0]).unwrap(), 1, "the answer has begun");
        drop(stream);
        assert_eq!(served.reported(), ScrapeProgress::Broken);
    }
}

/// All of the answer is sent, and the client's own end has come; but most of the answer waits for the client to read.
#[test]
fn client_that_ends_its_side_first_still_has_to_read_the_answer() {
    let served = Served::holding(0);
    for reads in [true, false] {
        let mut stream = served.asked_by_a_slow_reader();
        assert_eq!(served.reported(), ScrapeProgress::Begun);
        wait_for("the server's end", || served.has_sent_its_end_to(&stream).then_some(()));
        stream.shutdown(Shutdown::Write).unwrap();
        served.is_silent();
        if reads {
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
        drop(stream);
        assert_eq!(served.reported(), if reads { ScrapeProgress::Complete } else { ScrapeProgress::Broken });
    }
}

#[test]
fn scrapes_whose_end_could_not_be_reported_are_refused() {
    let served = Served::holding(0);
    let mut answers = [0, 0];
    for _ in 0..700 {
        let mut stream = served.asked("GET", "");
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        answers[usize::from(&status == b"HTTP/1.1 503")] += 1;
    }
    let mut counts = [0; 3];
    while let Some(report) = served.reports.borrow_mut().try_next() {
        counts[report.progress as usize] += 1;
    }
    assert!(answers[0] > 100 && answers[1] > 100, "served and refused: {answers:?}");
    assert_eq!(counts[0], answers[0], "begun");
}

/// Reads one answer in chunks off a connection that stays open.
fn read_one(stream: &mut TcpStream) {
    let mut end = [0; 5];
    while &end != b"0\r\n\r\n" {
        end.rotate_left(1);
        stream.read_exact(&mut end[4..]).unwrap();
    }
}

#[test]
fn the_next_request_says_that_the_answer_before_was_read() {
    let served = Served::holding(10);
    let mut stream = served.asked("GET", "");
    assert_eq!(served.reported(), ScrapeProgress::Begun);
    read_one(&mut stream);
    served.is_silent();
    stream.write_all(ASK_HEALTH).unwrap();
    assert_eq!(served.reported(), ScrapeProgress::Complete);
}

/// The second request is there before the first answer is: it says nothing of it, however small the answer is.
#[test]
fn a_request_that_was_sent_ahead_says_nothing_of_the_answer_before() {
    let served = Served::holding(10);
    let mut stream = connect(served.address);
    stream.write_all(&[ASK_METRICS, ASK_HEALTH].concat()).unwrap();
    assert_eq!(served.reported(), ScrapeProgress::Begun);
    read_one(&mut stream);
    let mut health = vec![0; "HTTP/1.1 200 OK".len()];
    stream.read_exact(&mut health).unwrap();
    served.is_silent();
    // Only when all was read does it close in order.
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(served.reported(), ScrapeProgress::Complete);
}

#[test]
fn many_requests_at_once_that_are_never_read_complete_nothing() {
    for interfaces in [10, 1_000] {
        let served = Served::holding(interfaces);
        let mut stream = connect(served.address);
        stream.write_all(&ASK_METRICS.repeat(3)).unwrap();
        assert_eq!(served.reported(), ScrapeProgress::Begun);
        assert_eq!(stream.peek(&mut [0]).unwrap(), 1, "the answer has begun");
        drop(stream);
        let mut ended = ScrapeProgress::Begun;
        while ended == ScrapeProgress::Begun {
            ended = served.reported();
        }
        assert_eq!(ended, ScrapeProgress::Broken);
    }
}

/// The server closes a connection that rests; its client closes it too, as all do that keep connections.
#[test]
fn a_connection_that_rests_until_it_is_closed_was_read() {
    let served = Served::holding(10);
    let mut stream = served.asked("GET", "");
    assert_eq!(served.reported(), ScrapeProgress::Begun);
    read_one(&mut stream);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the server closes it");
    drop(stream);
    assert_eq!(served.reported(), ScrapeProgress::Complete);
}

#[test]
fn client_that_asks_for_the_head_alone_is_no_scraper() {
    let served = Served::start();
    let mut answer = String::new();
    served.asked("HEAD", "connection: close\r\n").read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    served.is_silent();
}
