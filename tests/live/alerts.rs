//! Alerts are written while they happen.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::common::ip::{Ipv4, tcp};
use super::common::link::Link;
use super::common::monitor::Monitor;
use super::common::namespace::wait_for;
use super::traffic::{Pair, send_frame};

const SYN: u8 = 0x02;

#[test]
fn a_scan_is_reported_though_nothing_follows_it_and_another_interface_is_silent() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0,lo"]);
    sweep(&pair, 30);
    let line = wait_for("the scan is said", || {
        monitor.events().lines().find(|line| line.contains("kind=host_scan")).map(str::to_owned)
    });
    assert!(line.contains(" state=firing ") && line.contains(" src=10.1.0.2 "), "{line}");
    assert!(monitor.stop().status.success());
}

/// A SYN to each of so many hosts, none of which answers.
pub fn sweep(pair: &Pair, hosts: u8) {
    for host in 1..=hosts {
        let syn = Ipv4::carrying(tcp(50_000, 22, SYN, &[]));
        let probe = syn.between(Ipv4Addr::new(10, 1, 0, 2), Ipv4Addr::new(10, 9, 0, host));
        send_frame(&pair.other, "eth0", &Link::ethernet().carrying(&probe.build()), 1);
    }
}

/// The names of the fields with which each line begins.
const BEGINNING: [&str; 3] = ["ts", "level", "msg"];

/// True if a text is a time as in RFC 3339, in UTC.
fn is_utc(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000000Z"
}

#[test]
fn log_and_alert_lines_have_one_form() {
    let pair = Pair::new();
    for (format, explain) in [("json", false), ("logfmt", true)] {
        let mut arguments = vec!["-iface", "eth0", "--log.format", format];
        arguments.extend(explain.then_some("-explain"));
        let monitor = Monitor::start(&pair.host, &arguments);
        sweep(&pair, 30);
        let events =
            wait_for("the scan is said", || Some(monitor.events()).filter(|events| events.contains("host_scan")));
        let ended = monitor.stop();
        // The last line is the counts, as tcpdump ends.
        let log: Vec<&str> = ended.messages.lines().collect();
        let lines = log[..log.len() - 1].iter().copied().chain(events.lines());
        for line in lines {
            let time = match format {
                "json" => {
                    let object: Value = serde_json::from_str(line).expect(line);
                    BEGINNING.iter().for_each(|name| assert!(object[name].is_string(), "{line}"));
                    object["ts"].as_str().unwrap().to_owned()
                }
                _ => {
                    let names: Vec<&str> =
                        line.split(' ').take(3).map(|field| field.split_once('=').unwrap().0).collect();
                    assert_eq!(names, BEGINNING, "{line}");
                    line[3..].split(' ').next().unwrap().to_owned()
                }
            };
            assert!(is_utc(&time), "{line}");
        }
        assert!(log.iter().any(|line| line.contains("on standard output, /metrics and /active")), "{log:?}");
        let sentence = "10.1.0.2 tried ";
        assert_eq!(events.contains(sentence), explain, "{events}");
    }
}

#[test]
fn without_detection_the_start_message_says_that_nothing_alerts() {
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "--detect.enabled=false"]);
    let ended = monitor.stop();
    assert!(ended.messages.contains("alerts=\"none (--detect.enabled=false)\""), "{}", ended.messages);
}
