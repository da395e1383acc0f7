//! Light flows are added up by what they have in common, so that hosts, services and protocols are seen.

use proptest::prelude::*;

use super::*;

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// A packet over TCP to a port of the server.
fn request(second: i64, source: Ipv4Addr, destination: Ipv4Addr, port: u16, bytes: u32) -> Packet {
    let udp = packet(second * SECOND, source, destination, bytes);
    Packet { protocol: Protocol::TCP, destination_port: port, ..udp }
}

/// Ten heavy flows of other hosts a second, beside those of `flows`, for two minutes.
fn two_minutes(flows: impl Fn(i64) -> Vec<Packet>) -> HistoryView {
    let mut run = Traffic::of(1);
    for second in START..START + 120 {
        let heavy = (0..10).map(|host| request(second, local(900 + host), SERVER, 443, 1_400));
        run.take(heavy.chain(flows(second)));
        run.advance(second + 1);
    }
    run.view()
}

/// The bytes of all rows for which `is_it` is true.
fn bytes_of(view: &HistoryView, range: HistoryRange, is_it: impl Fn(&RangeRow<'_>) -> bool) -> u64 {
    view.rows_of(range).rows.iter().filter(|row| is_it(row)).map(|row| row.bytes).sum()
}

/// Seconds that a range has seen.
fn seconds(range: HistoryRange) -> u64 {
    if range == Live { 60 } else { 120 }
}

#[test]
fn host_with_thousands_of_small_flows_has_all_of_its_bytes() {
    let crawler = local(1);
    let view = two_minutes(|second| {
        let first = (second - START) as u32 * 2_000;
        (0..2_000)
            .map(|page| request(second, crawler, Ipv4Addr::from_bits(0xc612_0000 + first + page), 443, 60))
            .collect()
    });
    for range in HistoryRange::ALL {
        let sent = bytes_of(&view, range, |row| row.source == Some(crawler.into()) && row.port == Some(443));
        assert_eq!(sent, seconds(range) * 2_000 * 60, "{range:?}");
        assert_eq!(view.rows_of(range).unlisted, DirectionSums::default(), "{range:?}");
    }
}

#[test]
fn server_of_thousands_of_clients_has_all_of_its_bytes() {
    let view = two_minutes(|second| {
        let first = (second - START) as u32 * 2_000;
        (0..2_000)
            .map(|client| request(second, Ipv4Addr::from_bits(0xc612_0000 + first + client), local(7), 22, 60))
            .collect()
    });
    for range in HistoryRange::ALL {
        let received = bytes_of(&view, range, |row| row.destination == Some(local(7).into()) && row.port == Some(22));
        assert_eq!(received, seconds(range) * 2_000 * 60, "{range:?}");
    }
}

#[test]
fn service_that_many_hosts_use_a_little_has_all_of_its_bytes() {
    let view = two_minutes(|second| {
        // Each of 5,000 hosts asks one of 5,000 name servers.
        let asks = |host| packet(second * SECOND, local(host), Ipv4Addr::from_bits(0xc612_0000 + host), 60);
        (10_000..15_000).map(asks).collect()
    });
    for range in HistoryRange::ALL {
        let asked = bytes_of(&view, range, |row| row.port == Some(53) && row.protocol == Protocol::UDP);
        assert_eq!(asked, seconds(range) * 5_000 * 60, "{range:?}");
    }
}

#[test]
fn scan_of_all_ports_leaves_the_scanner_its_bytes_and_the_protocol_its_own() {
    let scanner = Ipv4Addr::new(203, 0, 113, 9);
    let view = two_minutes(|second| {
        let first = (second - START) as u16 * 500;
        (0..500).map(|port| request(second, scanner, local(7), 1 + first + port, 60)).collect()
    });
    for range in HistoryRange::ALL {
        let all = seconds(range) * 500 * 60;
        let sent = bytes_of(&view, range, |row| row.source == Some(scanner.into()));
        assert!(sent >= all * 99 / 100, "{sent} of {all}, {range:?}");
        let of_protocol = bytes_of(&view, range, |row| row.protocol == Protocol::TCP);
        assert_eq!(of_protocol, all + seconds(range) * 14_000, "{range:?}");
    }
}

#[test]
fn heavy_flows_stay_as_they_are_beside_light_ones() {
    let view = two_minutes(|second| {
        (0..3_000)
            .map(|host| request(second, local(10_000 + host), Ipv4Addr::from_bits(0xc612_0000 + host), 80, 60))
            .collect()
    });
    for range in HistoryRange::ALL {
        for host in 0..10 {
            let of_flow = |row: &RangeRow<'_>| {
                (row.source, row.destination, row.port)
                    == (Some(local(900 + host).into()), Some(SERVER.into()), Some(443))
            };
            assert_eq!(bytes_of(&view, range, of_flow), seconds(range) * 1_400, "{range:?}");
        }
    }
}

#[test]
fn flows_of_a_quiet_host_beside_a_scan_stay_as_they_are() {
    let quiet = local(8);
    let view = two_minutes(|second| {
        let first = (second - START) as u32 * 3_000;
        let scan =
            (0..3_000).map(|host| request(second, local(1), Ipv4Addr::from_bits(0xc612_0000 + first + host), 22, 60));
        let own = [(123, 76), (443, 52), (5_222, 40)].map(|(port, bytes)| request(second, quiet, SERVER, port, bytes));
        scan.chain(own).collect()
    });
    for range in HistoryRange::ALL {
        for (port, bytes) in [(123, 76), (443, 52), (5_222, 40)] {
            let of_flow = |row: &RangeRow<'_>| {
                (row.source, row.destination, row.port) == (Some(quiet.into()), Some(SERVER.into()), Some(port))
            };
            assert_eq!(bytes_of(&view, range, of_flow), seconds(range) * bytes, "port {port}, {range:?}");
        }
    }
}

#[test]
fn protocols_without_ports_have_no_open_port() {
    let view = two_minutes(|second| {
        let pings = (0..3_000).map(|host| Packet {
            protocol: Protocol::ICMP,
            source_port: 0,
            destination_port: 0,
            ..packet(second * SECOND, local(host % 50), Ipv4Addr::from_bits(0xc612_0000 + host), 60)
        });
        pings.collect()
    });
    let ports: Vec<_> =
        view.rows_of(Live).rows.iter().filter(|row| row.protocol == Protocol::ICMP).map(|row| row.port).collect();
    assert!(!ports.is_empty() && ports.iter().all(|port| *port == Some(0)), "{ports:?}");
}

/// Bytes of a few hosts and ports, so that rows have much in common.
fn light() -> impl Strategy<Value = Vec<(u32, u32, u16, u32)>> {
    proptest::collection::vec((0..60_u32, 0..60_u32, 1..30_u16, 20..1_500_u32), 0..3_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn condensing_loses_no_byte_and_keeps_keys_apart(flows in light(), most in 1..400_usize) {
        let mut run = Traffic::of(1);
        run.take(flows.iter().map(|&(from, to, port, bytes)| request(START, local(from), local(1_000 + to), port, bytes)));
        run.advance(START + 1);
        let state = Sampling::new(1);
        let mut rows = run.view().rows(Live).first().map(|cell| cell.rows.to_vec()).unwrap_or_default();
        let before: u64 = rows.iter().map(|row| row.bytes).sum();
        let left = condense::condense(&mut rows, most, [most / 2, most * 3 / 4, most * 7 / 8], &state);
        let after: u64 = rows.iter().map(|row| row.bytes).sum();
        let left: u64 = left.into_iter().map(|counters| counters.bytes).sum();
        prop_assert_eq!(after + left, before);
        prop_assert!(rows.len() <= most);
        let mut keys: Vec<_> = rows.iter().map(|row| row.key).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), rows.len(), "the keys differ");
        // One direction of one protocol on one interface: its row holds whatever no other does.
        prop_assert!(most < 2 || left == 0, "{left} bytes have no row");
    }
}
