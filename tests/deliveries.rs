//! What is told of scrapes: complete is only what its client has read to the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use common::client::connect;
use common::exporter::DEADLINE;
use tokio::runtime::Runtime;
use trafficmonitor::account::scrapes::ScrapeReport;
use trafficmonitor::account::snapshot::{Interface, Published, Snapshot};
use trafficmonitor::export::{self, process::SelfMetrics};
use trafficmonitor::http::{self, Listeners, Reports, Server, Site, WAITING_REPORTS};

/// A server of snapshot 7, which is larger than what the kernel takes of an answer, and what it tells of scrapes.
struct Served {
    address: SocketAddr,
    reports: Receiver<ScrapeReport>,
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
            (0..interfaces).map(|number| Interface { name: name(number), ..Interface::default() }).collect();
        let published = Arc::new(Published::default());
        published.publish(Snapshot { number: 7, interfaces, ..Snapshot::default() });
        let (sender, reports) = sync_channel(WAITING_REPORTS);
        let program = SelfMetrics::new("1.2.3", "abc", "libpcap").unwrap();
        let config = export::Config::default();
        let site = Site::new(published, config, program, "1.2.3".to_owned(), Some(Reports::to(sender)));
        let listeners = Listeners::bind(&http::Config { listen: vec!["127.0.0.1:0".parse().unwrap()] }).unwrap();
        let address = listeners.addresses()[0];
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = {
            let _in_runtime = runtime.enter();
            Server::new(listeners, Arc::new(site)).unwrap()
        };
        runtime.spawn(server.run(std::future::pending()));
        Self { address, reports, _runtime: runtime }
    }

    /// A client that asks for the metrics.
    fn asked(&self, method: &str, headers: &str) -> TcpStream {
        let mut stream = connect(self.address);
        write!(stream, "{method} /metrics HTTP/1.1\r\nhost: x\r\n{headers}\r\n").unwrap();
        stream
    }

    /// The next report: whether it is complete.
    fn told(&self) -> bool {
        let report = self.reports.recv_timeout(DEADLINE).expect("a report");
        assert_eq!((report.snapshot, report.client), (7, self.address.ip()));
        report.is_complete
    }

    /// Nothing more is told, although other requests are answered.
    fn is_silent(&self) {
        assert_eq!(common::client::get(self.address, "/-/healthy"), "healthy\n");
        let next = self.reports.recv_timeout(Duration::from_millis(300));
        assert_eq!(next, Err(RecvTimeoutError::Timeout));
    }
}

const ASK_METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
const ASK_HEALTH: &[u8] = b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n";
const CODINGS: [&str; 2] = ["", "accept-encoding: gzip\r\n"];

#[test]
fn what_was_read_to_the_end_is_complete() {
    let served = Served::start();
    for coding in CODINGS {
        let mut stream = served.asked("GET", &format!("connection: close\r\n{coding}"));
        assert!(!served.told());
        stream.read_to_end(&mut Vec::new()).unwrap();
        drop(stream);
        assert!(served.told());
    }
}

#[test]
fn what_was_not_read_to_the_end_is_not() {
    let served = Served::start();
    for headers in ["", "connection: close\r\n"] {
        for coding in CODINGS {
            let stream = served.asked("GET", &format!("{headers}{coding}"));
            assert!(!served.told());
            assert_eq!(stream.peek(&mut [0]).unwrap(), 1, "the answer has begun");
            drop(stream);
            served.is_silent();
        }
    }
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
    assert!(!served.told());
    read_one(&mut stream);
    served.is_silent();
    stream.write_all(ASK_HEALTH).unwrap();
    assert!(served.told());
}

/// The second request is there before the first answer is: it says nothing of it, however small the answer is.
#[test]
fn a_request_that_was_sent_ahead_says_nothing_of_the_answer_before() {
    let served = Served::holding(10);
    let mut stream = connect(served.address);
    stream.write_all(&[ASK_METRICS, ASK_HEALTH].concat()).unwrap();
    assert!(!served.told());
    read_one(&mut stream);
    let mut health = vec![0; "HTTP/1.1 200 OK".len()];
    stream.read_exact(&mut health).unwrap();
    served.is_silent();
    // Only when all was read does it close in order.
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert!(served.told());
}

#[test]
fn many_requests_at_once_that_are_never_read_complete_nothing() {
    for interfaces in [10, 1_000] {
        let served = Served::holding(interfaces);
        let mut stream = connect(served.address);
        stream.write_all(&ASK_METRICS.repeat(3)).unwrap();
        assert!(!served.told());
        assert_eq!(stream.peek(&mut [0]).unwrap(), 1, "the answer has begun");
        drop(stream);
        while let Ok(report) = served.reports.recv_timeout(Duration::from_millis(300)) {
            assert!(!report.is_complete);
        }
    }
}

/// The server closes a connection that rests; its client closes it too, as all do that keep connections.
#[test]
fn a_connection_that_rests_until_it_is_closed_was_read() {
    let served = Served::holding(10);
    let mut stream = served.asked("GET", "");
    assert!(!served.told());
    read_one(&mut stream);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the server closes it");
    drop(stream);
    assert!(served.told());
}

#[test]
fn who_asks_for_the_head_alone_is_no_scraper() {
    let served = Served::start();
    let mut answer = String::new();
    served.asked("HEAD", "connection: close\r\n").read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    served.is_silent();
}
