//! The pages, as a browser, Prometheus and an orchestrator ask for them.

use super::common::client;
use super::common::exposition;
use super::common::labels;
use super::common::metrics::Packets;
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::traffic::{Pair, send};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn pages_answer_and_the_rest_is_refused() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    let status = |method, path| monitor.ask(method, path).unwrap().status;
    for path in ["/", "/metrics", "/active", "/all", "/capabilities", "/-/healthy", "/-/ready"] {
        assert_eq!(status("GET", path), 200, "{path}");
        assert_eq!(status("HEAD", path), 200, "{path}");
        assert_eq!(status("POST", path), 405, "{path}");
    }
    assert_eq!(status("GET", "/metric"), 404);
    let landing = monitor.ask("GET", "/").unwrap().body;
    for link in ["href=\"metrics\"", "href=\"-/healthy\"", "href=\"-/ready\"", env!("CARGO_PKG_VERSION")] {
        assert!(landing.contains(link), "{landing}");
    }
    let metrics = monitor.ask("GET", "/metrics").unwrap();
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"), "{metrics:?}");
    let metrics = metrics.body;
    assert!(metrics.contains("\ntrafficmonitor_build_info{"), "{metrics}");
    let page = exposition::parse(&metrics);
    assert!(labels::unlisted_values(&page).is_empty(), "{:?}", labels::unlisted_values(&page));
    assert!(labels::values_never_shown(&page, true).is_empty(), "{:?}", labels::values_never_shown(&page, true));
    monitor.stop();
}

#[test]
fn it_is_ready_when_every_capture_is_open() {
    let (host, other) = (Namespace::new(), Namespace::new());
    let (near, far) = (End::new(&host, "eth0", "10.1.0.1/24"), End::new(&other, "eth0", "10.1.0.2/24"));
    connect(&near, &far);
    host.ip("link set eth0 down");
    let monitor = Monitor::spawn(&host, Command::new(PROGRAM), &["-iface", "eth0"]);
    let healthy = || monitor.ask("GET", "/-/healthy").map(|answer| answer.status);
    assert_eq!(wait_for("it answers", healthy), 200);
    let not_ready = || monitor.ask("GET", "/-/ready").filter(|answer| answer.status == 503);
    let answer = wait_for("it is not ready", not_ready);
    assert!(answer.body.contains("not ready: not every interface is being captured yet"), "{answer:?}");
    near.up();
    let monitor = monitor.wait_until_ready();
    monitor.wait_until_up("eth0", true);
    monitor.stop();
}

#[test]
fn a_port_without_a_host_takes_clients_of_both_versions_whatever_the_default() {
    let host = Namespace::with_ipv6();
    host.set("net/ipv6/bindv6only", "1");
    let monitor = Monitor::start(&host, &["-iface", "lo", "-promHTTP", ":9999"]);
    for address in ["127.0.0.1:9999", "[::1]:9999"] {
        host.enter(|| TcpStream::connect(address)).unwrap_or_else(|error| panic!("{address}: {error}"));
    }
    monitor.stop();
}

/// Clients of TrafficAlerted find the answers at its port.
#[test]
fn with_the_words_of_trafficalerted_its_port_answers_too() {
    let pair = Pair::new();
    let words = ["60", "5000", "false", "7", "true", "100", "600"];
    let monitor = Monitor::start(&pair.host, &[&["-iface", "eth0"][..], &words].concat());
    let (client, server) = pair.resolver();
    send(&client, &server, Packets::udp(10, 1_000));
    let at = |path: &str| pair.host.enter(|| client::get("127.0.0.1:8698".parse().unwrap(), path));
    let active = || Some(at("/active")).filter(|active| active.contains("\"TRAFFIC\""));
    let active = wait_for("a source is over its limit", active);
    let source = client.local_addr().unwrap().ip();
    assert!(active.contains(&format!("\"SourceIP\":\"{source}\"")), "{active}");
    assert!(at("/capabilities").contains("\"TrafficInterval\":60,\"ByteLimit\":5000,"), "{}", at("/capabilities"));
    assert_eq!(monitor.ask("GET", "/capabilities").unwrap().body, at("/capabilities"));
    assert!(at("/metrics").contains("\ntrafficmonitor_build_info{"));
    assert!(at("/dashboard").contains("<title>trafficmonitor</title>"));
    assert!(at("/api/v1/alerts").contains(&format!("\"source\":\"{source}\"")));
    monitor.stop();
}

/// The numbers of all threads of a monitor.
fn threads(monitor: &Monitor<'_>) -> BTreeSet<String> {
    let entries = fs::read_dir(format!("/proc/{}/task", monitor.pid())).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// An idle thread of tokio's pool ends after ten seconds unless it is told to stay.
#[test]
fn threads_that_render_stay_between_two_scrapes() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
    let scrape = || {
        assert_eq!(monitor.ask("GET", "/metrics").unwrap().status, 200);
        threads(&monitor)
    };
    let before = scrape();
    sleep(Duration::from_secs(12));
    assert_eq!(scrape(), before);
    monitor.stop();
}
