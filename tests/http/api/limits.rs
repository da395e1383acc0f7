//! Clients that ask for too much, and those that suffer it.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use socket2::{Domain, Socket, Type};

use super::super::common::exporter::{DEADLINE, wait_for};
use super::super::{GREEDY, is_counted, many_flows};
use super::*;

/// An exporter of so many flows.
fn serving_flows(flows: u16) -> Exporter {
    let folder = tempfile::tempdir().unwrap();
    let file = many_flows(flows).write(folder.path(), "many.pcap");
    let rows = flows.to_string();
    let options = ["-promHTTP", "127.0.0.1:0", "--max-series", rows.as_str()];
    let exporter = Exporter::start(["-r", file.to_str().unwrap()].iter().chain(&options));
    exporter.is_ready();
    exporter
}

/// A client that takes as little as it may before it reads.
fn slow_reader(exporter: &Exporter) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    socket.bind(&SocketAddr::from((GREEDY, 0)).into()).unwrap();
    socket.connect_timeout(&exporter.address().into(), DEADLINE).expect("the server accepts");
    socket.into()
}

/// Each request asks for another answer, so that none is kept.
#[test]
fn flood_of_requests_does_not_keep_metrics_from_being_answered() {
    let exporter = serving_flows(5_000);
    let (address, is_over, answered) = (exporter.address(), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for client in 0..16 {
            let (is_over, answered) = (&is_over, &answered);
            scope.spawn(move || {
                for number in (client..).step_by(16).take_while(|_| !is_over.load(Ordering::Relaxed)) {
                    let resource = path(&format!("hosts?range=all&offset={number}"));
                    if let Ok(answer) = client::try_request(address, "GET", &resource) {
                        assert!(matches!(answer.status, 200 | 503), "{}: {}", answer.status, answer.body);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for _ in 0..10 {
            let page = client::get(address, "/metrics");
            assert!(page.contains("\ntrafficmonitor_build_info{"));
            assert_eq!(client::get(address, "/-/healthy"), "healthy\n");
        }
        wait_for("answers meanwhile", || (answered.load(Ordering::Relaxed) >= 16).then_some(()));
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn clients_that_do_not_read_large_answers_leave_some_slots_for_others() {
    let exporter = serving_flows(20_000);
    let stalling: Vec<TcpStream> = (0..30)
        .map(|number| {
            let mut stream = slow_reader(&exporter);
            write!(stream, "GET /api/v1/flows?range=all&limit=10000&offset={number} HTTP/1.1\r\nhost: x\r\n\r\n")
                .unwrap();
            stream
        })
        .collect();
    is_counted(&exporter, "api_refused", "share", 1);
    let answer = wait_for("a whole answer for another client", || {
        let answer = client::ask(exporter.address(), "GET", &path("flows?range=all&limit=10000"), &[]).ok()?;
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["rows"].as_array().unwrap().len(), 10_000);
    drop(stalling);
}

#[test]
fn requests_to_the_api_refused_or_not_are_no_scrapes() {
    let exporter = serving();
    for resource in ["flows", "snapshot", "x", "flows?limit=0"] {
        ask(&exporter, resource, &[]);
    }
    let page = client::get(exporter.address(), "/metrics");
    for family in ["trafficmonitor_http_scrapes_refused_total", "trafficmonitor_http_api_refused_total"] {
        for reason in ["full", "share"] {
            assert!(page.contains(&format!("\n{family}{{reason=\"{reason}\"}} 0\n")), "{family}");
        }
    }
}
