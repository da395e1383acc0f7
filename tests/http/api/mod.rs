//! The JSON API, its stream of snapshots and the dashboard's files, over a capture with known traffic.

mod answers;
mod dashboard;
mod limits;
mod small_flows;
mod stream;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde_json::Value;

use super::common::client::{self, Answer, request};
use super::common::exporter::{Exporter, program};
use super::common::ip::{Ipv4, Ipv6, icmp, tcp, udp};
use super::common::link::{Link, Sample};
use super::common::savefile::Savefile;

const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const NEIGHBOR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
const SCANNER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
const HOST_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 5);
const SERVER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// The last second of the capture.
const END: u32 = 1_700_003_600;
const PAYLOAD: usize = 960;
/// IP bytes of a packet with that payload over TCP and IPv4.
const PACKET_BYTES: u64 = PAYLOAD as u64 + 40;
/// Targets of the scan.
const TARGETS: u8 = 40;

fn v4(packet: Ipv4) -> Sample {
    Link::ethernet().carrying(&packet.build())
}

fn request_frame() -> Sample {
    v4(Ipv4::carrying(tcp(50_000, 443, ACK, &[0; PAYLOAD])).between(HOST, SERVER))
}

fn answer_frame() -> Sample {
    v4(Ipv4::carrying(tcp(443, 50_000, ACK, &[0; PAYLOAD])).between(SERVER, HOST))
}

/// A packet of each direction in the last minute, some minutes before, and an hour before the end; and a scan.
fn capture() -> Savefile {
    let ping = v4(Ipv4::carrying(icmp(8)).between(HOST, NEIGHBOR));
    let passing = v4(Ipv4::carrying(udp(1_000, 53, b"x")).between(SERVER, SCANNER));
    let over_6 =
        Link::ethernet().carrying(&Ipv6::carrying(udp(40_000, 443, b"quic")).between(HOST_6, SERVER_6).build());
    let mut file = Savefile::new(1).frame_at(END - 3_500, 0, &request_frame());
    for target in 1..=TARGETS {
        let syn = v4(Ipv4::carrying(tcp(40_000, 22, SYN, b"")).between(SCANNER, Ipv4Addr::new(203, 0, 113, target)));
        file = file.frame_at(END - 3_000, u32::from(target), &syn);
    }
    file = file.frame_at(END - 200, 0, &request_frame()).frame_at(END - 200, 5, &answer_frame());
    for second in 0..10 {
        file = file.frame_at(END - 30 + second, 0, &request_frame()).frame_at(END - 30 + second, 7, &answer_frame());
    }
    [ping, passing, over_6].iter().fold(file, |file, frame| file.frame_at(END - 10, 0, frame)).frame_at(
        END,
        0,
        &request_frame(),
    )
}

/// An exporter that has read `file` in `folder` and serves it.
fn serving_file(folder: &Path, file: &str) -> Exporter {
    let mut command = program(["-r", file, "-promHTTP", "127.0.0.1:0"]);
    command.current_dir(folder);
    let exporter = Exporter::spawn(&mut command, 1);
    exporter.is_ready();
    exporter
}

fn serving() -> Exporter {
    let folder = tempfile::tempdir().unwrap();
    capture().write(folder.path(), "office.pcap");
    serving_file(folder.path(), "office.pcap")
}

fn path(resource: &str) -> String {
    format!("/api/v1/{resource}")
}

fn ask(exporter: &Exporter, resource: &str, headers: &[&str]) -> Answer {
    client::ask(exporter.address(), "GET", &path(resource), headers).unwrap()
}

fn json(exporter: &Exporter, resource: &str) -> Value {
    json_at(exporter.address(), resource)
}

fn json_at(address: SocketAddr, resource: &str) -> Value {
    let answer = request(address, "GET", &path(resource));
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json"),
        "{resource}: {}",
        answer.body
    );
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{resource}: {error}: {}", answer.body))
}

/// The sum of a number over a list.
fn sum(list: &Value, key: &str) -> u64 {
    list.as_array().unwrap().iter().map(|row| row[key].as_u64().unwrap()).sum()
}
