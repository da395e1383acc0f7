//! The table for people.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::alerts::sweep;
use super::common::ip::{ALICE, BOB, Ipv4, Ipv6, icmp, other, tcp, udp};
use super::common::link::{Link, Sample};
use super::common::replay::{Run, replay};
use super::common::savefile::Savefile;
use super::{CLIENT, SERVER, busy, conversation, folder, on_ethernet, query};

const WIDTH: usize = 80;

/// The table of one file.
fn table(file: &Path, options: &[&str]) -> String {
    said(&replay([&[file.to_str().unwrap()], options].concat()))
}

fn said(run: &Run) -> String {
    assert_eq!(run.status, Some(0), "{}", run.messages);
    run.output.clone()
}

/// The part of the table behind the line that begins with `head`, up to the next empty line.
fn section<'a>(table: &'a str, head: &str) -> Vec<&'a str> {
    let lines = table.lines().skip_while(|line| !line.starts_with(head)).skip(1);
    lines.take_while(|line| !line.is_empty()).collect()
}

/// The words of a line.
fn cells(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn is_narrow(what: &str, table: &str) {
    for line in table.lines() {
        assert!(line.chars().count() <= WIDTH, "{what}: {} columns: {line}", line.chars().count());
        assert_eq!(line.trim_end(), line, "{what}: a blank at the end");
    }
}

/// Pairs of addresses from short to as long as they can be, with services that have long names and long numbers.
fn addresses_of_all_lengths(folder: &Path, of: impl Fn(usize) -> bool) -> std::path::PathBuf {
    let longest = |host: u16| Ipv6Addr::new(0x2001, 0xdb8, 0x85a3, 0x18d3, 0x1319, 0x8a2e, 0x1370, 0x7300 + host);
    let pairs = [
        (Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED),
        (Ipv6Addr::new(0xfe80, 0, 0, 0, 0x9154, 0xc66f, 0x8d0e, 0x33cb), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 3)),
        (longest(1), Ipv6Addr::LOCALHOST),
        (Ipv6Addr::LOCALHOST, longest(1)),
        (longest(1), longest(2)),
    ];
    let mut frames = Vec::new();
    for port in [53, 445, 51_820] {
        for (source, destination) in pairs {
            let packet = Ipv6::carrying(udp(60_000, port, &[0; 1_200])).between(source, destination);
            frames.push(Link::ethernet().carrying(&packet.build()));
        }
        let packet = Ipv4::carrying(udp(60_000, port, &[0; 1_200]));
        let far = Ipv4Addr::new(192, 168, 100, 100);
        frames.push(on_ethernet(&packet.clone().between(far, Ipv4Addr::new(203, 200, 113, 200))));
        frames.push(on_ethernet(&packet.between(CLIENT, SERVER)).on_wire(u32::MAX));
    }
    frames.push(Link::ethernet().carrying(&Ipv6::carrying(other(135, &[])).between(longest(1), longest(2)).build()));
    let frames = frames.iter().enumerate().filter(|(at, _)| of(*at)).map(|(_, frame)| frame);
    Savefile::new(1).frames(frames).write(folder, "lengths.pcap")
}

#[test]
fn no_line_is_wider_than_80_columns() {
    let folder = folder();
    let files = [
        busy(folder.path()),
        sweep(folder.path()),
        addresses_of_all_lengths(folder.path(), |_| true),
        addresses_of_all_lengths(folder.path(), |at| at % 7 == 4),
        addresses_of_all_lengths(folder.path(), |at| at % 7 > 4),
    ];
    for file in files {
        for key in ["service", "dst-port", "pair"] {
            for form in ["--bytes=false", "--bytes"] {
                let what = format!("{} by {key} {form}", file.display());
                is_narrow(&what, &table(&file, &["--flow-key", key, form, "--top", "all"]));
            }
        }
    }
}

#[test]
fn a_pair_of_long_addresses_takes_two_lines_and_each_address_is_whole() {
    let folder = folder();
    let table = table(&addresses_of_all_lengths(folder.path(), |_| true), &["--top", "all"]);
    let lines = section(&table, "CLIENT");
    let ends = |pair: &[&str]| (pair[0].to_owned(), cells(pair[1])[0].to_owned());
    let longest = ["2001:db8:85a3:18d3:1319:8a2e:1370:7301 ->", "2001:db8:85a3:18d3:1319:8a2e:1370:7302"];
    let found = lines.windows(2).filter(|pair| ends(pair) == (longest[0].to_owned(), longest[1].to_owned()));
    assert_eq!(found.count(), 4, "{table}");
    // Whatever is in front of them, figures stand under their heads.
    let figures: Vec<&&str> = lines.iter().filter(|line| line.contains("  ")).collect();
    assert_eq!(figures.len(), 22, "{table}");
    assert!(figures.iter().all(|line| line.len() == WIDTH), "{table}");
    // Addresses that fit stand in one line, if need be in the place of the service's name.
    let link_local =
        figures.iter().find(|line| line.starts_with("fe80::9154:c66f:8d0e:33cb  ff02::1:3  445/udp ")).unwrap();
    assert!(!link_local.contains("microsoft-ds"), "{table}");
}

#[test]
fn both_directions_of_a_conversation_are_one_line() {
    let folder = folder();
    let file = conversation(folder.path());
    let service = table(&file, &["--bytes"]);
    let lines = section(&service, "CLIENT");
    assert_eq!(
        lines.iter().map(|line| cells(line)).collect::<Vec<_>>(),
        [["10.0.0.1", "10.0.0.2", "443/tcp", "https", "85", "82", "4"]]
    );
    let pair = table(&file, &["--bytes", "--flow-key", "pair"]);
    assert_eq!(cells(section(&pair, "HOST")[0]), ["10.0.0.1", "10.0.0.2", "tcp", "85", "82", "4"]);
    // Nothing says which port answers which.
    let port = table(&file, &["--bytes", "--flow-key", "dst-port"]);
    let lines: Vec<_> = section(&port, "SOURCE").into_iter().map(cells).collect();
    assert_eq!(lines[0], ["10.0.0.1", "10.0.0.2", "443/tcp", "https", "85", "2"]);
    assert_eq!(lines[1], ["10.0.0.2", "10.0.0.1", "50000/tcp", "82", "2"]);
}

#[test]
fn without_ports_the_first_to_send_stands_first() {
    let folder = folder();
    let echo = |kind, source, destination| on_ethernet(&Ipv4::carrying(icmp(kind)).between(source, destination));
    for (client, server) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
        let frames = [echo(8, client, server), echo(0, server, client), echo(0, server, client)];
        let file = Savefile::new(1).frames(&frames).write(folder.path(), "echo.pcap");
        let table = table(&file, &["--bytes"]);
        let expected = [client.to_string(), server.to_string()];
        let lines = section(&table, "CLIENT");
        assert_eq!(cells(lines[0]), [expected[0].as_str(), &expected[1], "icmp", "28", "56", "3"]);
        assert_eq!(lines.len(), 1);
    }
}

#[test]
fn the_heaviest_stand_first_and_the_rest_is_counted() {
    let folder = folder();
    let frames: Vec<Sample> = (1..=30)
        .map(|port| on_ethernet(&Ipv4::carrying(udp(40_000, port, &vec![0; 100 - usize::from(port)]))))
        .collect();
    let file = Savefile::new(1).frames(&frames).write(folder.path(), "many.pcap");
    let ports = |table: &str| -> Vec<String> {
        section(table, "CLIENT")
            .iter()
            .filter(|line| line.starts_with("192"))
            .map(|line| cells(line)[2].to_owned())
            .collect()
    };
    let heaviest: Vec<String> = (1..=30).map(|port| format!("{port}/udp")).collect();
    let default = table(&file, &[]);
    assert_eq!(ports(&default), heaviest[..20]);
    assert!(
        default.contains("20 of 30 conversations; 10 more carry 1.02 kB (30 %). --top all lists all.\n"),
        "{default}"
    );
    assert_eq!(ports(&table(&file, &["--top", "3"])), heaviest[..3]);
    let one_left = table(&file, &["--top", "29", "--bytes"]);
    assert!(one_left.contains("29 of 30 conversations; 1 more carries 98 bytes (3 %)."), "{one_left}");
    let all = table(&file, &["--top", "all"]);
    assert_eq!(ports(&all), heaviest);
    assert!(!all.contains("--top"), "{all}");
}

#[test]
fn flows_without_a_row_are_mentioned() {
    let folder = folder();
    let frames: Vec<Sample> = (1..=50).map(query).collect();
    let file = Savefile::new(1).frames(&frames).write(folder.path(), "many.pcap");
    let table = table(&file, &["--max-flows", "10", "--bytes"]);
    let words = "\nNot listed: 40 packets with 1280 bytes (80 %) of flows past --max-flows 10.\n";
    assert!(table.contains(words), "{table}");
}

#[test]
fn head_shows_traffic_time_and_rate() {
    let folder = folder();
    let arp = Link::ethernet().carrying_ether_type(0x0806, &[0; 46]);
    let file = Savefile::new(1)
        .frame_at(1_700_000_000, 250_000, &query(53))
        .frame_at(1_700_000_002, 250_000, &query(53))
        .frame_at(1_700_000_004, 250_000, &arp)
        .write(folder.path(), "head.pcap");
    let table = table(&file, &["--bytes"]);
    let lines: Vec<&str> = table.lines().skip(1).take(4).collect();
    assert_eq!(
        lines,
        [
            "Time      2023-11-14 22:13:20.250 to 22:13:24.250 UTC (4 s)",
            "Frames    3, 152 bytes on the wire, 0.8 frames/s, 304 bit/s",
            "Not IP    1 frame (arp 1)",
            "",
        ]
    );
    let directions: Vec<_> = section(&table, "DIRECTION").into_iter().map(cells).collect();
    assert_eq!(directions[3], ["transit", "2", "64", "100", "%", "128", "bit/s"]);
    assert_eq!(directions[4], ["all", "IP", "2", "64", "100", "%", "128", "bit/s"]);
}

#[test]
fn frames_out_of_order_widen_the_time() {
    let folder = folder();
    let late = Savefile::new(1).frame_at(1_700_086_400, 0, &query(53)).write(folder.path(), "late.pcap");
    let early = Savefile::new(1).frame_at(1_700_000_000, 0, &query(53)).write(folder.path(), "early.pcap");
    for workers in ["1", "2"] {
        let run = replay([late.to_str().unwrap(), early.to_str().unwrap(), "--workers", workers]);
        let time = "Time      2023-11-14 22:13:20.000 to 2023-11-15 22:13:20.000 UTC (1 d 0 h)\n";
        assert!(said(&run).contains(time), "{}", run.output);
    }
}

#[test]
fn local_networks_are_hinted_at_where_all_is_transit() {
    let folder = folder();
    let strangers = Savefile::new(1).frames(&[query(53)]).write(folder.path(), "strangers.pcap");
    let hint = "-localNetworks 192.0.2.0/24.\n";
    assert!(table(&strangers, &[]).contains(hint));
    let multicast = Ipv4::carrying(udp(5_353, 5_353, b"?")).between(ALICE, Ipv4Addr::new(224, 0, 0, 251));
    let file = Savefile::new(1).frames(&[query(53), on_ethernet(&multicast)]).write(folder.path(), "multicast.pcap");
    assert!(table(&file, &[]).contains(hint), "packets to a group do not show which hosts are local");
    assert!(!table(&strangers, &["-localNetworks", "192.0.2.0/24"]).contains("Hint"));
    assert!(!table(&conversation(folder.path()), &[]).contains("Hint"));
    let both = on_ethernet(&Ipv4::carrying(udp(1, 2, b"")).between(CLIENT, BOB));
    let router = Savefile::new(1).frames(&[query(53), query(53), both]).write(folder.path(), "router.pcap");
    assert!(!table(&router, &[]).contains("Hint"), "there is a local host");
}

#[test]
fn alerts_stand_at_the_end() {
    let folder = folder();
    let quiet = table(&conversation(folder.path()), &[]);
    assert!(quiet.ends_with("\n\nAlerts\nnone\n"), "{quiet}");
    let file = sweep(folder.path());
    let loud = table(&file, &[]);
    let lines = section(&loud, "Alerts");
    assert_eq!(lines[0], "2023-11-14 22:13:22.500 UTC  host_scan, warning, inside, still firing at the end");
    assert!(lines[1].starts_with("    10.0.0.1 tried 40 hosts "), "the latest figures: {loud}");
    assert!(loud.ends_with(&format!("{}\n", lines[lines.len() - 1])), "nothing behind them");
    // Much later it is over.
    let file = std::fs::read(&file).unwrap();
    let late = Savefile::new(1).frame_at(1_700_001_000, 0, &on_ethernet(&Ipv4::carrying(icmp(8)).between(SERVER, BOB)));
    let over = folder.path().join("over.pcap");
    std::fs::write(&over, [&file[..], &late.build()[24..]].concat()).unwrap();
    let lines = table(&over, &[]);
    assert_eq!(section(&lines, "Alerts")[0], "2023-11-14 22:13:22.500 UTC  host_scan, warning, inside");
}

#[test]
fn alerts_past_the_top_are_counted() {
    let folder = folder();
    let probe = |source: u8, host: u8| {
        on_ethernet(
            &Ipv4::carrying(tcp(50_000, 22, 2, &[])).between([10, 0, 9, source].into(), [10, 0, 1, host].into()),
        )
    };
    let frames = (0..120_u8).map(|at| (at / 3, probe(at % 3, at / 3)));
    let file = frames.fold(Savefile::new(1), |file, (at, probe)| {
        file.frame_at(1_700_000_000 + u32::from(at) / 10, u32::from(at) % 10 * 100_000, &probe)
    });
    let file = file.write(folder.path(), "three.pcap");
    let sources = |table: &str| section(table, "Alerts").iter().filter(|line| line.contains("host_scan")).count();
    let two = table(&file, &["--top", "2"]);
    assert_eq!(sources(&two), 2, "{two}");
    assert!(two.ends_with("\nand 1 more; --output alerts lists all.\n"), "{two}");
    assert_eq!(sources(&table(&file, &["--top", "all"])), 3);
}

#[test]
fn several_files_are_named_with_their_frames() {
    let folder = folder();
    let one = Savefile::new(1).frames(&[query(53)]).write(folder.path(), "one.pcap");
    let two = Savefile::new(1).frames(&[query(53), query(53)]).write(folder.path(), "two.pcap");
    let run = replay([one.to_str().unwrap(), two.to_str().unwrap()]);
    let said = said(&run);
    let named: Vec<&str> = said.lines().take(2).collect();
    assert!(named[0].starts_with("Files     ") && named[0].ends_with("one.pcap (1 frame)"), "{said}");
    assert!(named[1].starts_with("          ") && named[1].ends_with("two.pcap (2 frames)"), "{said}");
    assert_eq!(cells(section(&said, "CLIENT")[0])[4..], ["96", "B", "0", "B", "3"]);
}

#[test]
fn a_capture_without_frames_says_so() {
    let folder = folder();
    let empty = Savefile::new(1).write(folder.path(), "empty.pcap");
    let said = table(&empty, &[]);
    assert!(said.ends_with("/empty.pcap\nFrames    0: there is no frame in it\n\nAlerts\nnone\n"), "{said}");
    let filtered = Savefile::new(1).frames(&[query(53)]).write(folder.path(), "filtered.pcap");
    let said = table(&filtered, &["-filter", "tcp port 80"]);
    assert!(said.contains("\nFrames    0: no frame passes the filter tcp port 80\n"), "{said}");
}

#[test]
fn capture_without_ip_shows_its_other_frames() {
    let folder = folder();
    let arp = Link::ethernet().carrying_ether_type(0x0806, &[0; 46]);
    let file = Savefile::new(1).frames(&[arp.clone(), arp]).write(folder.path(), "arp.pcap");
    let said = table(&file, &[]);
    assert!(
        said.contains(" to 22:13:21.000 UTC (1.000 s)\nFrames    2, 120 B on the wire, 2.0 frames/s, 960 bit/s\n"),
        "{said}"
    );
    assert!(said.contains("\nNot IP    all: no frame holds an IP packet (arp 2)\n\nAlerts\n"), "{said}");
}

#[test]
fn control_characters_in_a_file_name_are_escaped() {
    let folder = folder();
    let file = Savefile::new(1).frames(&[query(53)]).write(folder.path(), "a\u{1b}[31m\nb.pcap");
    let said = table(&file, &[]);
    assert!(said.lines().next().unwrap().ends_with("a\\u{1b}[31m\\nb.pcap"), "{said}");
}

#[test]
fn the_part_before_a_fault_is_shown() {
    let folder = folder();
    let whole = Savefile::new(1).frames(&[query(53), query(99)]).build();
    let file = folder.path().join("cut.pcap");
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let run = replay([file.to_str().unwrap()]);
    assert_eq!(run.status, Some(1));
    assert!(run.messages.contains("cut.pcap"), "{}", run.messages);
    assert_eq!(section(&run.output, "CLIENT").len(), 1, "{}", run.output);
}
