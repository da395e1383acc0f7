//! The program as a whole: whichever way a capture goes through it, the same flows come out, to the byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use common::client::get;
use common::exporter::{Exporter, program};
use common::exposition::{Family, family, parse};
use common::flows::{Flows, of_exposition, of_json_lines};
use common::ip::{Ipv4, Ipv6, icmp, icmpv6, tcp, udp};
use common::link::{Link, Sample};
use common::mix;
use common::savefile::Savefile;

/// The output of a run.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The flows that an exporter serves once it has read its file.
fn served(command: &mut Command) -> Flows {
    let exporter = Exporter::spawn(command, 1);
    exporter.is_ready();
    of_exposition(&parse(&get(exporter.address(), "/metrics")))
}

#[test]
fn every_way_through_the_program_shows_the_same_flows() {
    let folder = tempfile::tempdir().unwrap();
    let file = mix::write(folder.path(), "mix.pcap");
    let path = file.to_str().unwrap();
    let input = || Stdio::from(File::open(&file).unwrap());

    let flows = of_json_lines(&printed(&mut program(["replay", path, "--output", "jsonl"])));
    assert!(flows.len() > 10, "{flows:?}");
    let exposition = printed(&mut program(["replay", path, "--output", "prometheus"]));
    assert_eq!(of_exposition(&parse(&exposition)), flows);
    let exposition = printed(program(["replay", "-", "--output", "prometheus"]).stdin(input()));
    assert_eq!(of_exposition(&parse(&exposition)), flows);
    assert_eq!(served(&mut program(["-r", path, "-promHTTP", "127.0.0.1:0"])), flows);
    assert_eq!(served(program(["-r", "-", "-promHTTP", "127.0.0.1:0"]).stdin(input())), flows);
}

/// A packet of TCP, UDP and ICMP from a host of the loopback, one of the office, one of another office and a stranger,
/// and two of IPv6.
fn of_all_protocols() -> Vec<Sample> {
    let sources = [[127, 0, 0, 1], [192, 168, 1, 5], [192, 168, 2, 5], [198, 51, 100, 7]];
    let above = || [tcp(40_000, 22, 2, b""), udp(40_000, 53, b"name?"), icmp(8)];
    let v4 = sources.into_iter().flat_map(|source| {
        above().map(|above| {
            Link::ethernet().carrying(&Ipv4::carrying(above).between(source.into(), [192, 168, 1, 1].into()).build())
        })
    });
    let v6 = [Ipv6::carrying(udp(40_000, 53, b"name?")), Ipv6::carrying(icmpv6(128))];
    v4.chain(v6.map(|packet| Link::ethernet().carrying(&packet.build()))).collect()
}

/// The packets of an exposition by verdict: permitted, not permitted.
fn judged(page: &[Family]) -> Vec<u64> {
    family(page, "trafficmonitor_policy_packets_total").samples.iter().map(common::exposition::Sample::count).collect()
}

#[test]
fn lists_of_the_repository_judge_the_packets_of_each_protocol_in_every_way_through_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = Savefile::new(1).frames(&of_all_protocols()).write(folder.path(), "protocols.pcap");
    let path = file.to_str().unwrap();
    let input = || Stdio::from(File::open(&file).unwrap());
    for (list, expected) in [("default.json", [9, 5]), ("strict.json", [6, 8])] {
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(list);
        let config = ["--config", list.to_str().unwrap()];
        let outputs = [
            printed(program(["replay", path, "--output", "prometheus"]).args(config)),
            printed(program(["replay", "-", "--output", "prometheus"]).args(config).stdin(input())),
            printed(program(["replay", path, "--output", "prometheus", "--workers", "2"]).args(config)),
        ];
        outputs.iter().for_each(|page| assert_eq!(judged(&parse(page)), expected));
        let exporter = Exporter::spawn(program(["-r", path, "-promHTTP", "127.0.0.1:0"]).args(config), 1);
        exporter.is_ready();
        assert_eq!(judged(&parse(&get(exporter.address(), "/metrics"))), expected);
        let alerts = printed(program(["replay", path, "--output", "alerts"]).args(config));
        let subjects = if expected[1] == 5 { 2 } else { 3 };
        assert_eq!(alerts.lines().filter(|line| line.contains("\"firing\"")).count(), subjects, "{alerts}");
    }
}
