//! The cells that rows count in, and what readers see of them.

use super::*;

#[test]
fn idle_seconds_have_cells_of_0() {
    let mut run = Traffic::of(1);
    run.take([local_packet(START * SECOND + 5, 500)]);
    run.advance(START + 100);
    let view = run.view();
    assert_eq!(bytes(view.totals(FiveMinutes)), [&[500][..], &[0; 99]].concat());
    assert_eq!(bytes(view.totals(Live)), [0; 60]);
    assert_eq!(bytes(view.totals(Hour)), [&[500][..], &[0; 9]].concat());
    assert_eq!([Live, FiveMinutes, Hour].map(|range| view.rows(range).len()), [60, 10, 1]);
    assert_eq!([Live, FiveMinutes, Hour].map(|range| view.covered(range).as_secs()), [60, 100, 100]);
    let rows = [Live, FiveMinutes, Hour].map(|range| view.rows_of(range).rows.len());
    assert_eq!(rows, [0, 1, 1]);
}

#[test]
fn rings_keep_so_many_cells_and_forget_older_ones() {
    let mut run = Traffic::of(1);
    for second in START..START + 3_700 {
        run.take([local_packet(second * SECOND, 100)]);
        run.advance(second + 1);
    }
    let view = run.view();
    assert_eq!(HistoryRange::ALL.map(|range| view.rows(range).len()), [60, 30, 60]);
    assert_eq!(HistoryRange::ALL.map(|range| view.totals(range).len()), [60, 300, 360]);
    // 3,700 s end 40 s behind the last minute.
    assert_eq!(HistoryRange::ALL.map(|range| view.covered(range).as_secs()), [60, 300, 3_640]);
    assert_eq!(HistoryRange::ALL.map(|range| view.rows_of(range).rows[0].bytes), [6_000, 30_000, 364_000]);
}

#[test]
fn rows_of_threads_that_are_ahead_and_of_late_packets_count_in_open_seconds() {
    let mut run = Traffic::of(2);
    run.take([local_packet(START * SECOND, 1)]);
    run.advance(START + 10);
    // In its own second, late, one second ahead, and farther ahead than seconds are open.
    for (seconds, bytes) in [(10, 20), (7, 300), (11, 4_000), (20, 50_000)] {
        run.take([local_packet((START + seconds) * SECOND, bytes)]);
    }
    run.advance(START + 13);
    assert_eq!(bytes(run.view().totals(Live)), [&[1][..], &[0; 9], &[320, 4_000, 50_000]].concat());
}

#[test]
fn row_has_the_fields_of_its_flow_and_is_summed_up_over_a_range() {
    let mut run = Traffic::of(2);
    let (client, server): (IpAddr, IpAddr) = ("fd00::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let reply = |nanoseconds, bytes| {
        let back = packet(nanoseconds, server, client, bytes);
        Packet { source_port: 53, destination_port: 50_000, ..back }
    };
    let start = START * SECOND;
    run.take([packet(start + 1_500_000, client, server, 80), reply(start + 2_000_000, 900)]);
    run.advance(START + 30);
    run.take([reply(start + 30 * SECOND + 7_000_999, 700), reply(start + 30 * SECOND + 9_000_000, 50)]);
    run.count(1, &packet(start + 30 * SECOND, client, server, 80));
    run.merge(1);
    run.advance(START + 75);
    let view = run.view();
    let mut rows = view.rows_of(Hour).rows;
    rows.sort_by_key(|row| (row.interface, row.is_reply));
    let asked = RangeRow {
        source: Some(client),
        destination: Some(server),
        protocol: Protocol::UDP,
        port: Some(53),
        is_reply: false,
        direction: Direction::Outgoing,
        interface: "eth0",
        bytes: 80,
        packets: 1,
        first_seen: at(START),
        last_seen: Timestamp::from_nanoseconds(start + 1_500_000),
    };
    let answered = RangeRow {
        source: Some(server),
        destination: Some(client),
        is_reply: true,
        direction: Direction::Incoming,
        bytes: 900 + 700 + 50,
        packets: 3,
        first_seen: at(START),
        last_seen: Timestamp::from_nanoseconds(start + 30 * SECOND + 9_000_000),
        ..asked
    };
    let elsewhere = Timestamp::from_nanoseconds(start + 30 * SECOND);
    let other = RangeRow { interface: "eth1", first_seen: elsewhere, last_seen: elsewhere, ..asked };
    assert_eq!(rows, [asked, answered, other]);
}

#[test]
fn addresses_of_both_versions_are_different_keys_and_come_back_as_they_were() {
    let mut run = Traffic::of(1);
    let ends: [(IpAddr, IpAddr); 4] = [
        (Ipv4Addr::new(0, 0, 0, 1).into(), Ipv4Addr::new(0, 0, 0, 2).into()),
        ("::1".parse().unwrap(), "::2".parse().unwrap()),
        ("::ffff:0.0.0.1".parse().unwrap(), "::ffff:0.0.0.2".parse().unwrap()),
        (Ipv4Addr::BROADCAST.into(), Ipv4Addr::UNSPECIFIED.into()),
    ];
    run.take(ends.map(|(source, destination)| packet(START * SECOND, source, destination, 100)));
    run.advance(START + 1);
    let mut rows: Vec<_> = run.view().rows(Live)[0].rows.iter().map(|row| (row.source(), row.destination())).collect();
    rows.sort_unstable();
    let mut expected = ends.map(|(source, destination)| (Some(source), Some(destination))).to_vec();
    expected.sort_unstable();
    assert_eq!(rows, expected);
}

#[test]
fn rows_of_a_cell_come_heaviest_first() {
    let mut run = Traffic::of(1);
    run.take((0..1_000).map(|host| packet(START * SECOND, local(host), local(5_000), 40 + host * 7 % 1_000)));
    run.advance(START + 60);
    let view = run.view();
    for range in HistoryRange::ALL {
        let rows = &view.rows(range)[0].rows;
        let (kept, is_condensed) = [(160, true), (1_000, false), (320, true)][range as usize];
        assert_eq!(rows.len(), kept + usize::from(is_condensed), "{range:?}");
        assert!(rows.windows(2).all(|pair| pair[0].bytes >= pair[1].bytes));
        // All others have one row together, which is the heaviest: they have the receiver in common.
        let together = &rows[0];
        assert_eq!(
            (together.source().is_none(), together.packets),
            (is_condensed, if is_condensed { 1_000 - kept as u64 } else { 1 })
        );
        assert_eq!(rows.last().unwrap().bytes, 40 + 1_000 - kept as u64, "the heaviest of all have their own");
    }
}

#[test]
fn views_share_cells_and_stay_as_they_were() {
    let mut run = Traffic::of(1);
    run.take([local_packet(START * SECOND, 100)]);
    run.advance(START + 10);
    let before = run.view();
    let copy = before.clone();
    run.take([local_packet((START + 11) * SECOND, 100)]);
    run.advance(START + 12);
    let after = run.view();
    assert!(before == copy && before.number < after.number);
    let shared = |range| before.rows(range).iter().zip(after.rows(range)).all(|(one, other)| Arc::ptr_eq(one, other));
    assert!(HistoryRange::ALL.into_iter().all(shared));
}
