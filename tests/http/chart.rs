//! The requests of TrafficAlerted's own pages and scripts: sources with their destinations, and the limits.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use super::common::client::{self, Answer, request};
use super::common::exporter::{Exporter, program};
use super::common::ip::{Ipv4, tcp, udp};
use super::common::link::{Link, Sample};
use super::common::savefile::Savefile;

const SCANNER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
const HEAVY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
const SYN: u8 = 0x02;
/// More than a source may contact by default.
const TARGETS: u8 = 40;
const HEAVY_PACKETS: u32 = 5_000;
const PAYLOAD: usize = 1_400;
const SYN_BYTES: u64 = 40;

fn frame(packet: Ipv4) -> Sample {
    Link::ethernet().carrying(&packet.build())
}

/// A host that scans, and one that sends more than it takes to be charted, within a few seconds.
fn capture() -> Savefile {
    let mut file = Savefile::new(1);
    for target in 1..=TARGETS {
        let to = Ipv4Addr::new(203, 0, 113, target);
        let syn = Ipv4::carrying(tcp(40_000, 22, SYN, b"")).between(SCANNER, to);
        file = file.frame_at(1_700_000_000, u32::from(target), &frame(syn));
    }
    let heavy = frame(Ipv4::carrying(udp(50_000, 5_001, &[0; PAYLOAD])).between(HEAVY, SERVER));
    (0..HEAVY_PACKETS).fold(file, |file, number| file.frame_at(1_700_000_001, number, &heavy))
}

fn serving(listen: &[&str]) -> Exporter {
    let folder = tempfile::tempdir().unwrap();
    let file = capture().write(folder.path(), "chart.pcap");
    let options = listen.iter().flat_map(|address| ["-promHTTP", address]);
    let exporter =
        Exporter::spawn(&mut program(["-r", file.to_str().unwrap()].into_iter().chain(options)), listen.len());
    exporter.is_ready();
    exporter
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

fn at(address: SocketAddr, path: &str) -> Value {
    json_of(&request(address, "GET", path))
}

#[test]
fn sources_that_alert_and_sources_that_send_much_are_listed_at_every_address() {
    let exporter = serving(&["127.0.0.1:0", "[::1]:0"]);
    for &address in &exporter.addresses {
        let active = at(address, "/active");
        let scanner = &active[0];
        assert_eq!(active.as_array().map(Vec::len), Some(1), "{active}");
        assert_eq!((&scanner["EventType"], &scanner["SourceIP"]), (&json!("SCANNING"), &json!(SCANNER)));
        assert_eq!(scanner["TotalBytes"], json!(u64::from(TARGETS) * SYN_BYTES));

        let bytes = u64::from(HEAVY_PACKETS) * (PAYLOAD as u64 + 28);
        let heavy = json!([{
            "EventType": "",
            "SourceIP": HEAVY,
            "DestinationIP": [{"IP": SERVER, "Bytes": bytes}],
            "TotalBytes": bytes,
        }]);
        assert_eq!(at(address, "/all"), heavy);

        let limits = at(address, "/capabilities");
        let [interval, limit, chart] = ["TrafficInterval", "ByteLimit", "ChartMinBytes"].map(|key| &limits[key]);
        assert_eq!((interval, limit, chart), (&json!(170), &json!(1_000_000_000), &json!(5_000_000)));
        assert_eq!(limits.as_object().map(serde_json::Map::len), Some(10), "{limits}");
        assert!(client::get(address, "/metrics").contains("\ntrafficmonitor_alerts_active{rule=\"host_scan\"} 1\n"));
    }
}

#[test]
fn the_lists_are_asked_for_as_other_pages_are() {
    let exporter = serving(&["127.0.0.1:0"]);
    let landing = client::get(exporter.address(), "/");
    for path in ["/active", "/all", "/capabilities"] {
        let whole = request(exporter.address(), "GET", path);
        let head = request(exporter.address(), "HEAD", path);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), "application/json", "{path}");
        let post = request(exporter.address(), "POST", path);
        assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"), "{path}");
        assert!(landing.contains(&format!("<a href=\"{}\">", &path[1..])), "{landing}");
        assert_eq!(json_of(&request(exporter.address(), "GET", &format!("{path}?x=1"))), json_of(&whole), "{path}");
    }
    for path in ["/active", "/all"] {
        let whole = request(exporter.address(), "GET", path);
        let compressed = client::ask(exporter.address(), "GET", path, &["accept-encoding: gzip"]).unwrap();
        assert_eq!((compressed.header("content-encoding"), compressed.header("vary")), ("gzip", "accept-encoding"));
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&compressed.bytes[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, whole.body, "{path}");
    }
}
