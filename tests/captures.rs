//! The public captures through the real program, against the numbers that the counting contract gives.
//!
//! The captures are not part of this repository: they lie in `../shared/captures`, or in the folder that
//! `TRAFFICMONITOR_CAPTURES` names. Without the folder these tests fail; they can be skipped by name.
//!
//! The hand parser that judges the decoder elsewhere is itself checked against the same numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::OnceLock;

use common::hand;
use common::replay::{PacketsAndBytes, Run, SeriesKey, number, replay};
use serde_json::Value;

const DIRECTIONS: [&str; 4] = ["incoming", "outgoing", "local", "transit"];

/// The number of a series that neither side shows.
const NOTHING: PacketsAndBytes = (0, 0);

fn folder() -> PathBuf {
    std::env::var_os("TRAFFICMONITOR_CAPTURES")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/captures")), PathBuf::from)
}

fn expected() -> &'static Value {
    static EXPECTED: OnceLock<Value> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let path = folder().join("expected.json");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; set TRAFFICMONITOR_CAPTURES to the folder of the captures", path.display())
        });
        serde_json::from_str(&text).expect("expected.json is JSON")
    })
}

/// Replays one capture by destination port and reports every number that is not the expected one.
fn replayed_as_expected(name: &str) {
    let expected = &expected()[name];
    assert!(expected.is_object(), "{name} is not in expected.json");
    let path = folder().join(name);
    let run = replay(["--flow-key", "dst-port", "--output", "jsonl", path.to_str().unwrap()]);
    assert_eq!(run.status, Some(0), "{name}: {}", run.messages);
    let mut differences = series_that_differ(&run.series(), expected);
    differences.extend(sums_that_differ(&run, expected));
    assert!(differences.is_empty(), "{name}: {} differences\n{}", differences.len(), differences.join("\n"));
}

fn series_that_differ(shown: &BTreeMap<SeriesKey, PacketsAndBytes>, expected: &Value) -> Vec<String> {
    let expected = expected_series(expected);
    let keys: BTreeSet<&SeriesKey> = shown.keys().chain(expected.keys()).collect();
    let of = |series: &BTreeMap<SeriesKey, PacketsAndBytes>, key| series.get(key).copied().unwrap_or(NOTHING);
    keys.into_iter()
        .filter(|key| of(shown, key) != of(&expected, key))
        .map(|key| {
            let ((packets, bytes), (right_packets, right_bytes)) = (of(shown, key), of(&expected, key));
            let (source, destination, protocol, port) = key;
            format!(
                "  {source} -> {destination} protocol {protocol} port {port}: {packets} packets, {bytes} bytes; \
                 should be {right_packets} packets, {right_bytes} bytes"
            )
        })
        .collect()
}

/// Rows of source, destination, protocol, destination port, packets, frame bytes, IP bytes.
fn expected_series(expected: &Value) -> BTreeMap<SeriesKey, PacketsAndBytes> {
    let row = |row: &Value| {
        let text = |at: usize| row[at].as_str().expect("an address").to_owned();
        let number = |at: usize| row[at].as_u64().expect("a number");
        ((text(0), text(1), number(2), number(3)), (number(4), number(6)))
    };
    expected["series"].as_array().expect("the expected series").iter().map(row).collect()
}

fn sums_that_differ(run: &Run, expected: &Value) -> Vec<String> {
    let sums = run.sums();
    let directions =
        DIRECTIONS.map(|direction| (format!("{direction}_bytes"), &expected["direction"][direction]["ip_bytes"]));
    let non_ip = ("non_ip_packets".to_owned(), &expected["non_ip"]["packets"]);
    directions
        .into_iter()
        .chain([non_ip])
        .map(|(name, right)| (number(&sums, &name), right.as_u64().expect("a number"), name))
        .filter(|(shown, right, _)| shown != right)
        .map(|(shown, right, name)| format!("  {name}: {shown}; should be {right}"))
        .collect()
}

/// Reads a capture with the hand parser: its series, and how many frames are not IP.
fn read_by_hand(name: &str) -> (BTreeMap<SeriesKey, PacketsAndBytes>, u64) {
    let mut capture = pcap::Capture::from_file(folder().join(name)).expect("libpcap reads the capture");
    let link_type = capture.get_datalink().0;
    let (mut series, mut not_ip) = (BTreeMap::new(), 0);
    while let Ok(frame) = capture.next_packet() {
        let Ok(counted) = hand::read(link_type, frame.data, frame.header.len) else {
            not_ip += 1;
            continue;
        };
        let addresses = (counted.source.to_string(), counted.destination.to_string());
        let key = (addresses.0, addresses.1, counted.protocol.into(), counted.destination_port.into());
        let sum: &mut PacketsAndBytes = series.entry(key).or_default();
        *sum = (sum.0 + 1, sum.1 + u64::from(counted.bytes));
    }
    (series, not_ip)
}

#[test]
fn the_hand_parser_gives_the_expected_series() {
    for (name, expected) in expected().as_object().expect("an object") {
        let (series, not_ip) = read_by_hand(name);
        let differences = series_that_differ(&series, expected);
        assert!(differences.is_empty(), "{name}:\n{}", differences.join("\n"));
        assert_eq!(Some(not_ip), expected["non_ip"]["packets"].as_u64(), "{name}: frames that are not IP");
    }
}

/// A capture of ../shared/cases replayed by destination port; none where the folder is not there.
fn replayed_case(name: &str) -> Option<Run> {
    let path = folder().join("../cases").join(name);
    path.exists().then(|| replay(["--flow-key", "dst-port", "--output", "jsonl", path.to_str().unwrap()]))
}

#[test]
fn an_ethernet_pseudowire_shows_no_hosts() {
    let Some(run) = replayed_case("m06-pw-mac-4c.pcap") else { return };
    assert_eq!((run.series().len(), number(&run.sums(), "non_ip_packets")), (0, 50));
}

#[test]
fn qinq_as_linux_6_18_shows_it_on_any_counts_at_its_hosts() {
    let Some(run) = replayed_case("c02-sll2-qinq-as-kernel-6.18.pcap") else { return };
    assert_eq!(number(&run.sums(), "non_ip_packets"), 0);
    let sources: BTreeSet<String> = run.series().into_keys().map(|(source, ..)| source).collect();
    assert_eq!(sources, BTreeSet::from(["10.0.0.1".to_owned()]));
    assert_eq!(run.series().into_values().map(|(packets, _)| packets).sum::<u64>(), 6);
}

/// One test a capture, named by its number, so that a failure names the file.
macro_rules! captures {
    ($($test:ident: $file:literal,)*) => {
        $(
            #[test]
            fn $test() {
                replayed_as_expected($file);
            }
        )*

        #[test]
        fn every_capture_has_its_test() {
            let tested = BTreeSet::from([$($file),*]);
            let expected = expected().as_object().expect("an object").keys().map(String::as_str).collect::<BTreeSet<_>>();
            assert_eq!(tested, expected);
        }
    };
}

captures! {
    d01_a_port_scan: "d01-port_scan.pcap",
    d02_a_scan_with_zero_windows: "d02-scan_with_zero_windows.pcap",
    d03_web_traffic: "d03-wikipedia.pcap",
    d04_dns: "d04-dns_ipv4_udp.pcap",
    d05_ftp_data: "d05-output-eve-ftp-data.pcap",
    d06_qinq: "d06-http-qinq-0.pcap",
    d07_mpls_in_vlan: "d07-mpls-in-vlan.pcap",
    d08_pppoe: "d08-pppoe.pcap",
    d09_ipv6_in_ipv4: "d09-6in4.pcap",
    d10_vxlan: "d10-vxlan.pcap",
    d11_ipv4_fragments: "d11-ip4_fragments.pcap",
    d12_ipv6_fragments: "d12-ip6_fragments.pcap",
    d13_ipv6_extension_headers: "d13-ipv6_ext_headers.pcap",
    d14_cooked: "d14-sll.pcap",
    d15_cooked_v2: "d15-linux_dlt_sll2.pcap",
    d16_raw_ip: "d16-raw_ip.pcap",
    d17_null: "d17-contentline-irc-5k-line.pcap",
    d18_an_invalid_total_length: "d18-ipv4_invalid_total_length.pcap",
    d19_an_invalid_payload_length: "d19-ipv6_invalid_length_2.pcap",
    d20_a_truncated_header: "d20-ip4-trunc.pcap",
    d21_pcapng_big_endian: "d21-test001.pcapng",
    d22_nfs: "d22-nfs3-01.pcap",
    d23_big_tcp: "d23-bigtcp-ipv4-geneve-ipv4.pcap",
}
