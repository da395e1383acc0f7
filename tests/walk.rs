//! One address on its way through the house, room by room: from a capture file to `/metrics`, and on to an alert line.
//! ARCHITECTURE.md describes the same ways.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::client;
use common::ip::{Ipv4, tcp};
use common::link::{Link, Sample};
use trafficmonitor::account::delivery::Delivery;
use trafficmonitor::account::flow::{Counters, FlowKey};
use trafficmonitor::account::interval::Interval;
use trafficmonitor::account::ledger::Ledger;
use trafficmonitor::account::snapshot::Snapshot;
use trafficmonitor::account::snapshot_builder::SnapshotBuilder;
use trafficmonitor::alert::AlertSink;
use trafficmonitor::alert::{self, Change};
use trafficmonitor::capture::savefile::Savefile;
use trafficmonitor::decode::Decoder;
use trafficmonitor::detect::{self, Detectors, Notes, bandwidth};
use trafficmonitor::events::console;
use trafficmonitor::export::Published;
use trafficmonitor::export::chart::Capabilities;
use trafficmonitor::export::process::SelfMetrics;
use trafficmonitor::http::access::WebAccess;
use trafficmonitor::http::{self, Capacity, Listeners, Server, Site};
use trafficmonitor::locality::{self, Classifier, Direction};
use trafficmonitor::packet::{LinkType, Packet, Protocol, TcpFlags, Timestamp};
use trafficmonitor::pipeline::alarms::Alarms;
use trafficmonitor::pipeline::clock::ClockObserver as _;
use trafficmonitor::pipeline::replay::Replay;
use trafficmonitor::{account, export};

/// The address that is followed.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 124);
/// The server that it talks to.
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;

#[test]
fn an_address_goes_from_a_capture_file_to_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let file = common::savefile::Savefile::new(1).frames(&on_the_wire()).write(folder.path(), "walk.pcap");
    let packets = captured_and_decoded(&file);
    let interval = observed(&packets);
    let (mut ledger, alarms) = merged(&interval);
    let page = served(snapshot(&mut ledger));
    assert!(page.contains("\nhosts_src_dst{addr=\"10.0.0.124->198.51.100.20, proto: tcp\","), "{page}");
    let lines = judged(alarms, packets[1].time);
    assert!(lines.contains(" src=10.0.0.124 "), "{lines}");
    assert!(through_the_accountant(&file).starts_with(&lines), "{lines}");
}

/// The same stations on the threads of `pipeline`: two workers count, and the thread `accountant` merges what they hand
/// over. The lines of the ends of alerts follow.
fn through_the_accountant(file: &Path) -> String {
    let classifier = Arc::new(Classifier::new(&locality::Config::default(), []));
    let ledger = Ledger::new(&account::Config::default(), 0);
    let mut replay = Replay::new(ledger, alarms(), || Interval::new(Arc::clone(&classifier), 0), 2).unwrap();
    replay.read(file, None, |_| ControlFlow::Continue(())).unwrap();
    let (_, alarms) = replay.finish().unwrap();
    alarms.resolve().0
}

/// On the wire: a connection is opened. 14 bytes of Ethernet, 20 of IPv4, 20 of TCP; the answer has 6 bytes of padding.
fn on_the_wire() -> [Sample; 2] {
    let request = Ipv4::carrying(tcp(50_000, 443, SYN, b"")).between(CLIENT, SERVER);
    let answer = Ipv4::carrying(tcp(443, 50_000, SYN_ACK, b"")).between(SERVER, CLIENT);
    [Link::ethernet().carrying(&request.build()), Link::ethernet().carrying(&answer.build()).padded(6)]
}

/// `capture` hands each frame over as it was captured; `decode` makes a `Packet` of it. From here on the address is
/// typed, and the bytes are those of IP, without the Ethernet header.
fn captured_and_decoded(file: &Path) -> [Packet; 2] {
    let mut savefile = Savefile::open(file, None).unwrap();
    assert_eq!(savefile.link_type(), LinkType(1));
    let decoder = Decoder::new(savefile.link_type()).unwrap();
    let (mut wire_bytes, mut packets) = (Vec::new(), Vec::new());
    let read = savefile.read(10, |_, frame| {
        wire_bytes.push(frame.wire_bytes);
        packets.push(decoder.decode(&frame).unwrap());
    });
    assert_eq!(read.unwrap().frames, 2);
    assert_eq!(wire_bytes, [54, 60]);

    let [request, answer] = packets.try_into().unwrap();
    assert_eq!((request.addresses.source(), request.addresses.destination()), (CLIENT.into(), SERVER.into()));
    assert_eq!((request.source_port, request.destination_port), (50_000, 443));
    assert_eq!((request.protocol, request.tcp_flags), (Protocol::TCP, TcpFlags::SYN));
    assert_eq!(request.time, Timestamp::from_seconds_and_nanoseconds(1_700_000_000, 0));
    assert_eq!((request.bytes, answer.bytes), (40, 40));
    [request, answer]
}

/// `locality` gives the direction of a packet. `account::interval` has one row for the conversation, both directions
/// in it.
fn observed(packets: &[Packet; 2]) -> Interval {
    let classifier = Arc::new(Classifier::new(&locality::Config::default(), []));
    let directions = packets.map(|packet| classifier.direction(&packet.addresses));
    assert_eq!(directions, [Direction::Outgoing, Direction::Incoming]);

    let mut interval = Interval::new(classifier, 0);
    interval.observe(&packets[0], 54);
    interval.observe(&packets[1], 60);
    interval.settle();
    assert_eq!((interval.rows_v4().len(), interval.rows_v6().len()), (1, 0));
    assert_eq!((interval.frames().frames, interval.frames().bytes), (2, 114));
    interval
}

/// The alert lines so far.
#[derive(Default)]
struct AlertLines(String);

impl AlertSink for AlertLines {
    fn notify(&mut self, change: &Change) {
        self.0 += &console::line(change, console::Style::default());
    }
}

/// Detection of each source that sends more than 39 bytes.
fn alarms() -> Alarms<AlertLines> {
    let bandwidth = bandwidth::Config { limit_bytes: 39, ..bandwidth::Config::default() };
    let config = detect::Config { bandwidth: Some(bandwidth), ..detect::Config::nothing() };
    Alarms::new(Detectors::new(&config, 0, None), &alert::Config::default(), AlertLines::default())
}

/// The accountant merges the interval into `account::ledger`, which finds out which side serves: the conversation becomes
/// a flow and its replies, under the port of the service. The ledger reports the merged row to the detectors.
fn merged(interval: &Interval) -> (Ledger<Notes>, Alarms<AlertLines>) {
    let mut alarms = alarms();
    let mut ledger = Ledger::new(&account::Config::default(), 0);
    let interface = ledger.interface("walk.pcap");
    ledger.merge(interface, interval, alarms.rows());
    (ledger, alarms)
}

/// `account::snapshot_builder` shows each flow with 0 at first, and counts once a scraper has read that 0.
fn snapshot(ledger: &mut Ledger<Notes>) -> Snapshot {
    let mut builder = SnapshotBuilder::new(&account::Config::default());
    let now = Timestamp::from_seconds_and_nanoseconds(1_700_000_010, 0);
    let values =
        |snapshot: &Snapshot| snapshot.flows.rows.iter().map(|flow| (flow.key, flow.value)).collect::<Vec<_>>();
    let first = builder.next(ledger, Delivery { to_all: Some(0), to_any: 0 }, now);
    assert!(values(&first).iter().all(|(_, value)| *value == Counters::default()), "{first:?}");
    let snapshot = builder.next(ledger, Delivery { to_all: Some(1), to_any: 1 }, now);

    let (source, destination) = (CLIENT.into(), SERVER.into());
    let direction = Direction::Outgoing;
    let request = FlowKey { source, destination, protocol: Protocol::TCP, port: 443, reply: false, direction };
    let direction = Direction::Incoming;
    let reply = FlowKey { source: destination, destination: source, reply: true, direction, ..request };
    let of_one_packet = Counters { packets: 1, bytes: 40 };
    assert_eq!(values(&snapshot), [(request, of_one_packet), (reply, of_one_packet)]);
    assert_eq!(snapshot.totals.direction(Direction::Outgoing), of_one_packet);
    assert_eq!(snapshot.totals.ip(), Counters { packets: 2, bytes: 80 });
    snapshot
}

/// `detect` judges once packet time has passed, `alert` makes an alert of the detection, and `events` a line of the alert.
fn judged(mut alarms: Alarms<AlertLines>, last: Timestamp) -> String {
    alarms.advance(last + Duration::from_secs(5));
    let (detection, alerts) = alarms.view();
    assert_eq!(alerts.firing.len(), 2, "{detection:?}");
    let lines = alarms.sink().0.clone();
    let of_client = lines.lines().find(|line| line.contains(" src=10.0.0.124 ")).unwrap_or_default();
    for field in ["msg=\"alert firing\"", "kind=bandwidth", "side=inside", "value=40 limit=39"] {
        assert!(of_client.contains(field), "no {field} in {lines}");
    }
    lines
}

/// `export` writes the snapshot as text, and `http` answers a scrape with it.
fn served(snapshot: Snapshot) -> String {
    let published = Arc::new(Published::default());
    published.publish(snapshot);
    let page = scraped(published);
    for line in [
        "hosts_src_dst{addr=\"10.0.0.124->198.51.100.20, proto: tcp\",dstPort=\"tcp/443(https)\",\
         firstSeen=\"2023 11 14 22:13:20\",port=\"tcp/443(https)\"} 40",
        "hosts_src_dst{addr=\"198.51.100.20->10.0.0.124, proto: tcp\",dstPort=\"reply_tcp/443(https)\",\
         firstSeen=\"2023 11 14 22:13:21\",port=\"reply_tcp/443(https)\"} 40",
        "total_incoming 40",
        "total_outgoing 40",
        "trafficmonitor_traffic_bytes_total{direction=\"outgoing\",ip_version=\"4\"} 40",
        "trafficmonitor_interface_frames_total{interface=\"walk.pcap\"} 2",
        "trafficmonitor_interface_frame_bytes_total{interface=\"walk.pcap\"} 114",
    ] {
        assert!(page.lines().any(|given| given == line), "no {line} in:\n{page}");
    }
    page
}

fn scraped(published: Arc<Published>) -> String {
    let program = SelfMetrics::new("1.2.3", "abc", "libpcap").unwrap();
    let site = Arc::new(Site::new(
        published,
        export::Config::default(),
        Capabilities::default(),
        program,
        "1.2.3".to_owned(),
        None,
    ));
    let listeners =
        Listeners::bind(&http::Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..http::Config::default() })
            .unwrap();
    let address = listeners.addresses()[0];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = {
        let _in_runtime = runtime.enter();
        Server::new(listeners, site, WebAccess::new(None).unwrap(), Capacity::within(1_000)).unwrap()
    };
    runtime.spawn(server.run(std::future::pending()));
    client::get(address, "/metrics")
}
