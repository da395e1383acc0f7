//! The cost of answers of the API over 65,536 flows, as times and as ratios to the exposition of the same snapshot.
//!
//! `cargo bench --bench api` fails if an answer with the default number of rows costs more than the exposition and half as
//! much again. The ratio holds on every machine; the time says whether it is 20 ms on this one.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant, SystemTime};

use trafficmonitor::account::flow::{Counters, FlowKey};
use trafficmonitor::account::snapshot::{ShownRow, Snapshot};
use trafficmonitor::alert::EvidenceIndex;
use trafficmonitor::export::api::{ApiInputs, ApiMemory, ApiRequest, ApiSettings, Resource};
use trafficmonitor::export::process::SelfMetrics;
use trafficmonitor::export::{self, Format, Report};
use trafficmonitor::history::HistoryView;
use trafficmonitor::locality::Direction;
use trafficmonitor::names::HostNames;
use trafficmonitor::packet::{Protocol, Timestamp};

const FLOWS: u32 = 65_536;
/// The least of so many times counts.
const RUNS: u32 = 11;
/// The most that an answer may cost, in expositions.
const MAXIMUM_RATIO: f64 = 1.5;

const ANSWERS: [(Resource, &str); 12] = [
    (Resource::Flows, "range=all"),
    (Resource::Flows, "range=all&filter=10.0.0.0/16+-port:53+protocol:tcp"),
    (Resource::Flows, "range=all&sort=source&order=asc&offset=5000"),
    (Resource::Hosts, "range=all"),
    (Resource::Devices, "range=all"),
    (Resource::Pairs, "range=all"),
    (Resource::Services, "range=all"),
    (Resource::Protocols, "range=all"),
    (Resource::Graph, "range=all&min_bytes=0&nodes=500&edges=2000"),
    (Resource::Search, "q=10.0"),
    (Resource::Snapshot, ""),
    (Resource::Health, ""),
];

fn main() {
    let report = Report::from(snapshot());
    let exposition = least(|| {
        let mut text = Vec::new();
        export::write(&export::Config::default(), Format::Text, &report, None, &mut text).expect("memory takes all");
        text.len()
    });
    println!("api/exposition of {FLOWS} flows: {exposition:.2?}");
    let (names, evidence, settings) = (HostNames::default(), EvidenceIndex::default(), ApiSettings::default());
    let (history, program) = (HistoryView::default(), SelfMetrics::new("1", "c", "l").expect("metrics"));
    let mut slow = Vec::new();
    for (resource, query) in ANSWERS {
        let request = ApiRequest::parse(resource, query).expect("a right request");
        let time = least(|| {
            let inputs = ApiInputs {
                report: &report,
                number: 1,
                history: &history,
                names: &names,
                evidence: &evidence,
                program: &program,
                // Without memory of the number of hosts.
                memory: &ApiMemory::default(),
                settings: &settings,
                is_ready: true,
                now: Timestamp::from(SystemTime::now()),
                running: Duration::from_secs(3_600),
            };
            let mut text = Vec::new();
            request.write(&inputs, &mut text).expect("memory takes all");
            text.len()
        });
        let ratio = time.as_secs_f64() / exposition.as_secs_f64();
        println!("api{}?{query}: {time:.2?}, {ratio:.2} of the exposition", &resource.path()[7..]);
        if ratio > MAXIMUM_RATIO {
            slow.push(resource.path());
        }
    }
    assert!(slow.is_empty(), "more than {MAXIMUM_RATIO} expositions: {slow:?}");
}

/// The least time of some runs.
fn least(mut run: impl FnMut() -> usize) -> Duration {
    let time = |_| {
        let begun = Instant::now();
        black_box(run());
        begun.elapsed()
    };
    (0..RUNS).map(time).min().unwrap_or_default()
}

/// Flows of 8,192 local hosts with servers, each way, of three services.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.flows.rows = (0..FLOWS).map(row).collect();
    for row in &snapshot.flows.rows {
        snapshot.totals.traffic[row.key.direction as usize][0].add(row.lifetime);
    }
    snapshot
}

fn row(number: u32) -> ShownRow<FlowKey> {
    let conversation = number / 2;
    let local = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + conversation % 8_192));
    let remote = IpAddr::V4(Ipv4Addr::from_bits(0xc612_0000 + conversation.wrapping_mul(0x9e37_79b1) % 0x1_ffff));
    let is_reply = number % 2 == 1;
    let (source, destination) = if is_reply { (remote, local) } else { (local, remote) };
    let direction = if is_reply { Direction::Incoming } else { Direction::Outgoing };
    let port = [443, 53, 60_002][conversation as usize % 3];
    let protocol = if port == 53 { Protocol::UDP } else { Protocol::TCP };
    let bytes = u64::from(number.wrapping_mul(0x85eb_ca6b) % 1_000_000) + 60;
    let lifetime = Counters { packets: bytes / 700 + 1, bytes };
    let first_seen = Timestamp::from_seconds_and_nanoseconds(1_700_000_000, i64::from(number));
    let last_seen = Some(first_seen + Duration::from_secs(60));
    let key = FlowKey { source, destination, protocol, port, reply: is_reply, direction };
    ShownRow { key, first_seen, last_seen, shown_since: first_seen, value: lifetime, lifetime }
}
