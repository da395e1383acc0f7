//! `trafficmonitor replay` over captures that the tests write themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "replay/alerts.rs"]
mod alerts;
mod common;
#[path = "replay/forms.rs"]
mod forms;
#[path = "replay/input.rs"]
mod input;
#[path = "replay/table.rs"]
mod table;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use common::ip::{ALICE, BOB, Ipv4, Ipv6, icmp, tcp, udp};
use common::link::{Link, Sample};
use common::pcapng::Pcapng;
use common::replay::{Run, number, replay, replay_reading};
use common::savefile::{ByteOrder, Savefile};
use serde_json::{Value, json};
use tempfile::TempDir;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;

/// A folder that lives as long as the test.
fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// `replay FILE… --flow-key dst-port --output jsonl OPTION…`
fn by_destination_port<P: AsRef<Path>>(files: &[P], options: &[&str]) -> Run {
    let fixed = ["--flow-key", "dst-port", "--output", "jsonl"].map(PathBuf::from);
    let files = files.iter().map(|file| file.as_ref().to_owned());
    replay(files.chain(fixed).chain(options.iter().map(PathBuf::from)))
}

fn on_ethernet(packet: &Ipv4) -> Sample {
    Link::ethernet().carrying(&packet.build())
}

fn query(port: u16) -> Sample {
    on_ethernet(&Ipv4::carrying(udp(40_000, port, b"name")))
}

/// Two queries, an echo request and an ARP frame.
fn little_of_everything() -> Vec<Sample> {
    let echo = on_ethernet(&Ipv4::carrying(icmp(8)));
    let arp = Link::ethernet().carrying_ether_type(0x0806, &[0; 46]);
    vec![query(53), echo, arp, query(53)]
}

/// The expected lines for [`little_of_everything`], in any order.
fn is_little_of_everything(run: &Run) {
    let mut lines = run.lines();
    assert_eq!(lines.pop(), Some(sums(1, [0, 0, 0, 92])));
    let series = |protocol, port, packets, bytes| {
        json!({
            "src": ALICE.to_string(), "dst": BOB.to_string(), "proto": protocol, "dst_port": port,
            "packets": packets, "bytes": bytes
        })
    };
    let mut lines: Vec<Value> = lines.iter().map(counted).collect();
    lines.sort_by_key(|line| number(line, "proto"));
    assert_eq!(lines, [series(1, 0, 1, 28), series(17, 53, 2, 64)]);
}

/// The last line: frames that are not IP, then bytes incoming, outgoing, local and transit.
fn sums(not_ip: u64, [incoming, outgoing, local, transit]: [u64; 4]) -> Value {
    json!({
        "type": "sums", "non_ip_packets": not_ip, "incoming_bytes": incoming, "outgoing_bytes": outgoing,
        "local_bytes": local, "transit_bytes": transit
    })
}

/// The key and the counters of a flow's line, without the fields that tests/replay/forms.rs checks.
fn counted(line: &Value) -> Value {
    let mut line = line.clone();
    let fields = line.as_object_mut().expect("an object");
    assert_eq!(fields.remove("type"), Some(json!("flow")));
    for name in ["direction", "service", "first", "last"] {
        assert!(fields.remove(name).is_some(), "no {name}: {fields:?}");
    }
    line
}

/// The program ended with status 1, a message that holds all of `words`, and nothing but JSON lines on its output.
fn failed_saying(run: &Run, words: &[&str]) {
    assert_eq!(run.status, Some(1), "messages: {}", run.messages);
    for word in words {
        assert!(run.messages.contains(word), "no {word:?} in: {}", run.messages);
    }
    assert!(!run.messages.contains("panicked"), "{}", run.messages);
    run.lines_before_the_fault();
}

// ---- Files of every kind ---------------------------------------------------------------------------------------------

#[test]
fn savefiles_of_both_byte_orders_and_both_clocks_are_read() {
    let folder = folder();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        for nanoseconds in [false, true] {
            let savefile = Savefile::with(1, order, nanoseconds, 262_144).frames(&little_of_everything());
            let file = savefile.write(folder.path(), &format!("{order:?}-{nanoseconds}.pcap"));
            is_little_of_everything(&by_destination_port(&[file], &[]));
        }
    }
}

#[test]
fn pcapng_of_both_byte_orders_is_read() {
    let folder = folder();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let empty = Pcapng::new(order).interface(1, 65_535).interface(1, 65_535);
        let frames = little_of_everything().into_iter().enumerate();
        let full = frames.fold(empty, |file, (at, sample)| file.frame(at as u32 % 2, &sample));
        is_little_of_everything(&by_destination_port(&[full.write(folder.path(), &format!("{order:?}.pcapng"))], &[]));
    }
}

#[test]
fn standard_input_is_read() {
    let capture = Savefile::new(1).frames(&little_of_everything()).build();
    is_little_of_everything(&replay_reading(["-", "--flow-key", "dst-port", "--output", "jsonl"], &capture));
}

#[test]
fn a_capture_without_frames_has_no_series() {
    let folder = folder();
    let run = by_destination_port(&[Savefile::new(1).write(folder.path(), "quiet.pcap")], &[]);
    assert_eq!(run.lines(), [sums(0, [0; 4])]);
}

#[test]
fn every_link_type_is_read_through_libpcap() {
    let folder = folder();
    for (name, link) in common::corpus::links() {
        // A file says 101 for raw IP whatever the number on the machine that captured it.
        let link_type = if matches!(link.link_type(), 12 | 14) { 101 } else { link.link_type() };
        let sample = link.carrying(&Ipv4::carrying(udp(40_000, 53, b"name")).build());
        let run = by_destination_port(&[Savefile::new(link_type).frame(&sample).write(folder.path(), "one.pcap")], &[]);
        let expected = json!({
            "src": ALICE.to_string(), "dst": BOB.to_string(), "proto": 17, "dst_port": 53, "packets": 1, "bytes": 32
        });
        assert_eq!(run.lines().first().map(counted), Some(expected), "{name}");
    }
}

#[test]
fn a_frame_cut_by_the_snap_length_counts_in_full() {
    let folder = folder();
    let long = on_ethernet(&Ipv4::carrying(tcp(40_000, 443, 0x10, &[0; 1_400])));
    let file = Savefile::with(1, ByteOrder::Little, false, 96).frame(&long.cut(96)).write(folder.path(), "cut.pcap");
    let lines = by_destination_port(&[file], &[]).lines();
    assert_eq!((number(&lines[0], "bytes"), number(&lines[0], "dst_port")), (1_440, 443));
}

// ---- Several files -----------------------------------------------------------------------------------------------------

#[test]
fn several_files_add_up_whatever_their_link_types() {
    let folder = folder();
    let packet = Ipv4::carrying(udp(40_000, 53, b"name")).build();
    let files = [
        Savefile::new(1).frame(&Link::ethernet().carrying(&packet)).write(folder.path(), "a.pcap"),
        Savefile::new(101).frame(&Link::none(101).carrying(&packet)).write(folder.path(), "b.pcap"),
        Savefile::new(276).frame(&Link::cooked_v2(4).carrying(&packet)).write(folder.path(), "c.pcap"),
    ];
    let run = by_destination_port(&files, &[]);
    assert_eq!(run.lines().len(), 2);
    assert_eq!((number(&run.lines()[0], "packets"), number(&run.lines()[0], "bytes")), (3, 96));
}

#[test]
fn several_files_are_read_in_the_order_given() {
    let folder = folder();
    let question = on_ethernet(&Ipv4::carrying(udp(5_000, 6_000, b"?")).between(CLIENT, SERVER));
    let answer = on_ethernet(&Ipv4::carrying(udp(6_000, 5_000, b"!")).between(SERVER, CLIENT));
    let question = Savefile::new(1).frame(&question).write(folder.path(), "question.pcap");
    let answer = Savefile::new(1).frame(&answer).write(folder.path(), "answer.pcap");
    let port_of = |files: [&PathBuf; 2]| {
        let lines = replay([files[0].to_str().unwrap(), files[1].to_str().unwrap(), "--output", "jsonl"]).lines();
        assert_eq!(lines.len(), 3, "a flow and its replies: {lines:?}");
        number(&lines[0], "port")
    };
    assert_eq!(port_of([&question, &answer]), 6_000, "the server was spoken to first");
    assert_eq!(port_of([&answer, &question]), 5_000, "the client was spoken to first");
}

// ---- Broken files ------------------------------------------------------------------------------------------------------

#[test]
fn truncated_file_is_reported_after_the_frames_before_the_fault() {
    let folder = folder();
    let whole = Savefile::new(1).frames(&little_of_everything()).frame(&query(99)).build();
    for missing in [1, 20, 46, 47, 60] {
        let file = folder.path().join("truncated.pcap");
        std::fs::write(&file, &whole[..whole.len() - missing]).unwrap();
        let run = by_destination_port(&[&file], &[]);
        failed_saying(&run, &["truncated.pcap"]);
        let mut series = run.series().into_iter();
        assert_eq!(series.next().map(|((.., port), sum)| (port, sum)), Some((0, (1, 28))), "{missing} missing");
        assert_eq!(series.next().map(|((.., port), sum)| (port, sum)), Some((53, (2, 64))), "{missing} missing");
        assert_eq!(series.next(), None, "{missing} missing");
        assert_eq!(number(&run.sums(), "non_ip_packets"), 1);
    }
}

#[test]
fn truncated_pcapng_is_reported_after_the_frames_before_the_fault() {
    let folder = folder();
    let whole = Pcapng::new(ByteOrder::Little).interface(1, 65_535).frame(0, &query(53)).frame(0, &query(99)).build();
    let file = folder.path().join("truncated.pcapng");
    std::fs::write(&file, &whole[..whole.len() - 30]).unwrap();
    let run = by_destination_port(&[&file], &[]);
    failed_saying(&run, &["truncated.pcapng"]);
    assert_eq!(run.series().into_values().collect::<Vec<_>>(), [(1, 32)]);
}

#[test]
fn a_file_that_is_broken_among_others_ends_the_run_there() {
    let folder = folder();
    let good = Savefile::new(1).frame(&query(53)).write(folder.path(), "good.pcap");
    let broken = folder.path().join("broken.pcap");
    std::fs::write(&broken, "no capture at all, but long enough to look for one").unwrap();
    let run = by_destination_port(&[&good, &broken, &good], &[]);
    failed_saying(&run, &["broken.pcap"]);
    assert_eq!(run.series().into_values().collect::<Vec<_>>(), [(1, 32)]);
}

#[test]
fn file_that_is_no_capture_is_refused_by_name() {
    let folder = folder();
    for (name, content) in
        [("empty.pcap", &b""[..]), ("short.pcap", b"\xd4\xc3"), ("words.pcap", b"These are words, not packets.")]
    {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        failed_saying(&by_destination_port(&[file], &[]), &[name]);
    }
    failed_saying(&by_destination_port(&[folder.path().join("missing.pcap")], &[]), &["missing.pcap"]);
    failed_saying(&by_destination_port(&[folder.path()], &[]), &[folder.path().to_str().unwrap()]);
    failed_saying(&replay_reading(["-", "--output", "jsonl"], b""), &["standard input"]);
}

#[test]
fn an_unsupported_link_type_is_refused_in_words() {
    let folder = folder();
    for (link_type, shown) in [(147, "147"), (227, "227 (CAN_SOCKETCAN)")] {
        let file = Savefile::new(link_type).frame(&query(53)).write(folder.path(), "odd.pcap");
        let words =
            format!("odd.pcap: link type {shown} is not supported; supported link types: NULL (0), EN10MB (1), ");
        failed_saying(&by_destination_port(&[file], &[]), &[&words, "LINUX_SLL2 (276)"]);
    }
}

#[test]
fn frame_that_claims_gigabytes_counts_the_length_of_its_ip_header() {
    let folder = folder();
    let liar = query(53).on_wire(u32::MAX);
    let offloaded = on_ethernet(&Ipv4::carrying(tcp(40_000, 443, 0x10, b"data")).total_length(0)).on_wire(u32::MAX);
    let file = Savefile::new(1).frame(&liar).frame(&offloaded).write(folder.path(), "liar.pcap");
    let series = by_destination_port(&[file], &[]).series();
    let bytes: Vec<u64> = series.into_values().map(|(_, bytes)| bytes).collect();
    assert_eq!(bytes, [u64::from(u32::MAX) - 14, 32]);
}

#[test]
fn captured_bytes_past_the_wire_length_do_not_exist() {
    let folder = folder();
    let short = query(53).on_wire(14 + 23);
    let file = Savefile::new(1).frame(&short).write(folder.path(), "short.pcap");
    let line = &by_destination_port(&[file], &[]).lines()[0];
    assert_eq!((number(line, "dst_port"), number(line, "bytes")), (0, 23));
}

// ---- Filters, keys, directions, caps -----------------------------------------------------------------------------------

#[test]
fn filter_chooses_the_counted_packets() {
    let folder = folder();
    let file = Savefile::new(1).frames(&little_of_everything()).write(folder.path(), "all.pcap");
    let run = by_destination_port(&[&file], &["--filter", "udp port 53"]);
    assert_eq!(run.series().into_values().collect::<Vec<_>>(), [(2, 64)]);
    assert_eq!(number(&run.sums(), "non_ip_packets"), 0);
    let run = by_destination_port(&[&file], &["-f", "arp"]);
    assert_eq!((run.series().len(), number(&run.sums(), "non_ip_packets")), (0, 1));
}

#[test]
fn a_filter_that_does_not_compile_is_refused_in_words() {
    let folder = folder();
    let file = Savefile::new(1).frames(&little_of_everything()).write(folder.path(), "all.pcap");
    let run = by_destination_port(&[&file], &["--filter", "udp prot 53"]);
    assert!(matches!(run.status, Some(1 | 2)), "status {:?}: {}", run.status, run.messages);
    assert!(run.messages.contains("udp prot 53"), "{}", run.messages);
    assert_eq!(run.output, "");
}

/// A connection to port 443, both ways, and a query.
fn conversation(folder: &Path) -> PathBuf {
    let from_client =
        |flags, payload: &[u8]| on_ethernet(&Ipv4::carrying(tcp(50_000, 443, flags, payload)).between(CLIENT, SERVER));
    let from_server =
        |flags, payload: &[u8]| on_ethernet(&Ipv4::carrying(tcp(443, 50_000, flags, payload)).between(SERVER, CLIENT));
    let frames =
        [from_client(SYN, b""), from_server(SYN_ACK, b""), from_client(0x18, b"hello"), from_server(0x18, b"hi")];
    Savefile::new(1).frames(&frames).write(folder, "conversation.pcap")
}

fn lines_by_key(file: &Path, key: &[&str]) -> Vec<Value> {
    let mut lines = replay([file.to_str().unwrap(), "--output", "jsonl"].iter().chain(key)).lines();
    lines.pop();
    let mut lines: Vec<Value> = lines.iter().map(counted).collect();
    lines.sort_by_key(Value::to_string);
    lines
}

#[test]
fn by_default_replies_are_the_same_flow_the_other_way() {
    let folder = folder();
    let file = conversation(folder.path());
    let mut expected = [
        json!({"src": "10.0.0.1", "dst": "10.0.0.2", "proto": 6, "port": 443, "reply": false, "packets": 2, "bytes": 85}),
        json!({"src": "10.0.0.2", "dst": "10.0.0.1", "proto": 6, "port": 443, "reply": true, "packets": 2, "bytes": 82}),
    ];
    expected.sort_by_key(Value::to_string);
    assert_eq!(lines_by_key(&file, &[]), expected);
    assert_eq!(lines_by_key(&file, &["--flow-key", "service"]), expected);
}

#[test]
fn by_destination_port_both_ports_stand_as_they_are() {
    let folder = folder();
    let mut expected = [
        json!({"src": "10.0.0.1", "dst": "10.0.0.2", "proto": 6, "dst_port": 443, "packets": 2, "bytes": 85}),
        json!({"src": "10.0.0.2", "dst": "10.0.0.1", "proto": 6, "dst_port": 50000, "packets": 2, "bytes": 82}),
    ];
    expected.sort_by_key(Value::to_string);
    assert_eq!(lines_by_key(&conversation(folder.path()), &["--flow-key=dst-port"]), expected);
}

#[test]
fn by_pair_there_are_no_ports() {
    let folder = folder();
    let mut expected = [
        json!({"src": "10.0.0.1", "dst": "10.0.0.2", "proto": 6, "packets": 2, "bytes": 85}),
        json!({"src": "10.0.0.2", "dst": "10.0.0.1", "proto": 6, "packets": 2, "bytes": 82}),
    ];
    expected.sort_by_key(Value::to_string);
    assert_eq!(lines_by_key(&conversation(folder.path()), &["--flow-key", "pair"]), expected);
}

/// One packet of 20, 21, 22 and 23 bytes of IP: incoming, outgoing, local, transit by the default networks.
fn one_packet_each_way(folder: &Path) -> PathBuf {
    let packet = |source, destination, payload: usize| {
        let above = common::ip::other(253, &vec![0; payload]);
        on_ethernet(&Ipv4::carrying(above).between(source, destination))
    };
    let frames = [packet(ALICE, CLIENT, 0), packet(CLIENT, ALICE, 1), packet(CLIENT, SERVER, 2), packet(ALICE, BOB, 3)];
    Savefile::new(1).frames(&frames).write(folder, "ways.pcap")
}

#[test]
fn the_last_line_has_the_sums_by_direction() {
    let folder = folder();
    let file = one_packet_each_way(folder.path());
    let sums = |options: &[&str]| {
        let sums = by_destination_port(&[&file], options).sums();
        ["incoming_bytes", "outgoing_bytes", "local_bytes", "transit_bytes"].map(|name| number(&sums, name))
    };
    assert_eq!(sums(&[]), [20, 21, 22, 23]);
    assert_eq!(sums(&["-localNetworks", "192.0.2.0/24"]), [21, 20 + 23, 0, 22]);
    assert_eq!(sums(&["-localIPs", "192.0.2.1/24"]), [0, 23, 20 + 21 + 22, 0]);
}

#[test]
fn flows_past_the_limit_are_counted_under_other() {
    let folder = folder();
    let frames: Vec<Sample> = (1..=50).map(query).collect();
    let file = Savefile::new(1).frames(&frames).write(folder.path(), "many.pcap");
    let mut lines = by_destination_port(&[file], &["--max-flows", "10"]).lines();
    lines.pop();
    let total: u64 = lines.iter().map(|line| number(line, "packets")).sum();
    assert_eq!(total, 50, "no packet is lost: {lines:?}");
    let (other, flows): (Vec<Value>, Vec<Value>) = lines.into_iter().partition(|line| line["src"] == "other");
    assert!(flows.len() <= 10, "{} flows", flows.len());
    let packets = 50 - flows.len() as u64;
    let expected = json!({
        "type": "flow", "src": "other", "dst": "other", "proto": 17, "direction": "transit", "packets": packets,
        "bytes": packets * 32
    });
    assert_eq!(other, [expected]);
}

// ---- Determinism -------------------------------------------------------------------------------------------------------

/// Some thousand flows, IPv4 and IPv6, in an order that is no order.
fn busy(folder: &Path) -> PathBuf {
    let frame = |at: u32| {
        let (low, high) = ((at * 7_919 % 251) as u8, (at * 104_729 % 241) as u8);
        let above = udp(1_024 + (at * 31 % 5_000) as u16, 1 + (at * 17 % 700) as u16, &vec![0; at as usize % 90]);
        if at.is_multiple_of(3) {
            let source = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, u16::from(low), u16::from(high));
            Link::ethernet().carrying(&Ipv6::carrying(above).between(source, common::ip::BOB_6).build())
        } else {
            let source = Ipv4Addr::new(10, 1, low, high);
            on_ethernet(&Ipv4::carrying(above).between(source, Ipv4Addr::new(198, 51, 100, high)))
        }
    };
    let frames: Vec<Sample> = (0..6_000).map(frame).collect();
    Savefile::new(1).frames(&frames).write(folder, "busy.pcap")
}

/// Fails with the first line that differs; the whole of both would fill the screen.
fn same_lines(what: &str, first: &Run, second: &Run) {
    assert_eq!((first.status, second.status), (Some(0), Some(0)), "{what}: {}{}", first.messages, second.messages);
    let different = first.output.lines().zip(second.output.lines()).find(|(left, right)| left != right);
    assert_eq!(different, None, "{what}");
    assert!(first.output == second.output, "{what}: one output is longer");
    assert!(first.output.lines().count() > 10, "{what}: hardly any output");
}

#[test]
fn the_same_capture_gives_the_same_bytes() {
    let folder = folder();
    let file = busy(folder.path());
    for output in ["jsonl", "csv", "table", "prometheus"] {
        for key in ["service", "dst-port", "pair"] {
            let run = || replay([file.to_str().unwrap(), "--output", output, "--flow-key", key]);
            same_lines(&format!("{output} by {key}"), &run(), &run());
        }
    }
}

#[test]
fn the_same_flows_overflow_every_time() {
    let folder = folder();
    let file = busy(folder.path());
    let run = || replay([file.to_str().unwrap(), "--output", "jsonl", "--max-flows", "100"]);
    same_lines("past the cap", &run(), &run());
}

#[test]
fn the_number_of_workers_does_not_show() {
    let folder = folder();
    let file = busy(folder.path());
    let many: &[&[&str]] = &[
        &["--output", "jsonl"],
        &["--output", "csv"],
        &["--output", "table", "--top", "all", "--bytes"],
        &["--output", "prometheus"],
        &["--output", "prometheus", "--flow-key", "dst-port"],
        // Past the limits the order of the packets decides which flows are admitted.
        &["--output", "jsonl", "--max-flows", "100"],
        &["--output", "prometheus", "--max-flows", "1000", "--max-hosts", "50", "--max-series", "900"],
    ];
    for options in many {
        let file = file.to_str().unwrap();
        let run = |workers| replay([&[file, file, "--workers", workers], *options].concat());
        let alone = run("1");
        for workers in ["2", "3", "4"] {
            same_lines(&format!("{options:?} with {workers} workers"), &alone, &run(workers));
        }
    }
}

#[test]
fn a_truncated_file_counts_the_same_with_workers() {
    let folder = folder();
    let whole = std::fs::read(busy(folder.path())).unwrap();
    let path = folder.path().join("cut.pcap");
    std::fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
    let run = |workers| replay([path.to_str().unwrap(), "--output", "jsonl", "--workers", workers]);
    let (alone, two) = (run("1"), run("2"));
    assert_eq!((alone.status, two.status), (Some(1), Some(1)), "{}{}", alone.messages, two.messages);
    assert!(alone.output == two.output && !alone.output.is_empty());
}

#[test]
fn the_refresh_does_not_show() {
    let folder = folder();
    let file = busy(folder.path());
    let run = |refresh| replay([file.to_str().unwrap(), "--output", "jsonl", "-promRefresh", refresh]);
    same_lines("refresh", &run("0.5"), &run("60"));
}

#[test]
fn output_none_prints_nothing() {
    let folder = folder();
    let file = Savefile::new(1).frames(&little_of_everything()).write(folder.path(), "all.pcap");
    let run = replay([file.to_str().unwrap(), "--output", "none"]);
    assert_eq!((run.status, run.output.as_str()), (Some(0), ""), "{}", run.messages);
}

#[test]
fn same_flows_are_admitted_for_every_output() {
    let folder = folder();
    let file = busy(folder.path());
    let flows = |output| {
        let run = replay([file.to_str().unwrap(), "--output", output, "--max-flows", "100", "--flow-key", "pair"]);
        assert_eq!(run.status, Some(0), "{}", run.messages);
        run.output
    };
    let shown = flows("prometheus");
    let lines = flows("jsonl");
    let held =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(|line| !line["src"].is_null());
    let missing = held.filter(|line| {
        let pair = format!("{}->{},", line["src"].as_str().unwrap(), line["dst"].as_str().unwrap());
        !shown.contains(&pair)
    });
    assert_eq!(missing.count(), 0);
}
