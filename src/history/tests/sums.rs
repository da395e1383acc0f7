//! No packet is lost or counted twice, in whatever order intervals come.

use proptest::prelude::*;

use super::*;

/// A step of a capture with three interfaces.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A packet between two of few hosts, so many nanoseconds before the present moment.
    Packet { interface: usize, ends: [u8; 2], late: i64, bytes: u32 },
    /// A frame that is not IP.
    NotIp(usize),
    /// The interval of an interface is merged.
    Merge(usize),
    /// So many nanoseconds pass.
    Pass(i64),
    /// Packet time advances to the present moment, less so many nanoseconds.
    Advance(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_usize, [0..9_u8, 0..9_u8], 0..3 * SECOND, 20..1_500_u32)
            .prop_map(|(interface, ends, late, bytes)| Step::Packet { interface, ends, late, bytes }),
        1 => (0..3_usize).prop_map(Step::NotIp),
        3 => (0..3_usize).prop_map(Step::Merge),
        3 => (0..2 * SECOND).prop_map(Step::Pass),
        2 => (0..4 * SECOND).prop_map(Step::Advance),
    ]
}

/// Hosts of both IP versions, some of them local, so that all directions occur.
fn host(number: u8, is_v6: bool) -> IpAddr {
    match (number % 3, is_v6) {
        (0, false) => Ipv4Addr::new(198, 51, 100, number).into(),
        (0, true) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()).into(),
        (_, false) => Ipv4Addr::new(10, 0, 0, number).into(),
        (_, true) => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()).into(),
    }
}

fn run(steps: &[Step]) -> Traffic {
    let mut traffic = Traffic::of(3);
    let mut now = START * SECOND;
    traffic.advance(START - 2);
    for step in steps {
        match *step {
            Step::Packet { interface, ends: [source, destination], late, bytes } => {
                let is_v6 = bytes % 2 == 0;
                let packet = packet(now - late, host(source, is_v6), host(destination, is_v6), bytes);
                traffic.count(interface, &packet);
            }
            Step::NotIp(interface) => traffic.intervals[interface].observe_not_ip(NotIp::Arp, 60),
            Step::Merge(interface) => traffic.merge(interface),
            Step::Pass(nanoseconds) => now += nanoseconds,
            Step::Advance(lag) => traffic.history().advance(Timestamp::from_nanoseconds(now - lag)),
        }
    }
    (0..3).for_each(|interface| traffic.merge(interface));
    // The seconds that are ahead of packet time end too.
    traffic.history().finish(Timestamp::from_nanoseconds(now + 4 * SECOND));
    traffic
}

proptest! {
    #[test]
    fn cells_sum_up_to_the_totals_of_the_ledger(steps in proptest::collection::vec(step(), 0..250)) {
        let run = run(&steps);
        let (view, totals) = (run.view(), run.ledger.totals());
        let expected = Direction::ALL.map(|direction| totals.direction(direction));
        for range in [FiveMinutes, Hour] {
            let sum = view.totals_sum(range).unwrap();
            prop_assert_eq!((sum.traffic, sum.not_ip), (expected, totals.not_ip()), "{:?}", range);
        }
        prop_assert_eq!(traffic(&view, Hour), expected);
        let ranged = view.rows_of(Hour);
        prop_assert_eq!(ranged.unlisted, DirectionSums::default(), "few rows all have a place");
        let mut summed = DirectionSums::default();
        for row in &ranged.rows {
            summed[row.direction as usize].add(row.counters());
            prop_assert!(row.first_seen <= row.last_seen);
        }
        prop_assert_eq!(summed, expected);
        prop_assert_eq!(ranged.covered.as_secs(), u64::from(view.totals_sum(Hour).unwrap().seconds));
    }

    #[test]
    fn cells_follow_each_other_without_a_gap_and_ranges_reach_to_the_last_second(
        steps in proptest::collection::vec(step(), 1..250), length in 0..200_i64,
    ) {
        let mut run = run(&steps);
        let end = run.view().end().unwrap();
        run.advance(end.seconds() + length);
        let view = run.view();
        prop_assert_eq!(view.end(), Some(end + Duration::from_secs(length as u64)));
        for range in HistoryRange::ALL {
            let rows: Vec<&RowsCell> = view.all_rows(range).collect();
            prop_assert!(rows.windows(2).all(|pair| pair[0].end() == pair[1].start), "{:?}", range);
            prop_assert_eq!(rows.last().map(|cell| cell.end()), view.end());
            let totals = view.totals(range);
            prop_assert!(totals.windows(2).all(|pair| pair[0].end() == pair[1].start), "{:?}", range);
        }
    }
}

#[test]
fn packets_without_a_row_in_a_full_interval_count_as_unlisted() {
    let mut run = Traffic::of(1);
    run.take((0..40_000).map(|host| packet(START * SECOND + 5, local(host), Ipv4Addr::new(192, 0, 2, 1), 60)));
    assert!(run.ledger.totals().ip().packets == 40_000);
    run.advance(START + 1);
    let view = run.view();
    let [cell] = view.rows(Live) else { panic!("{} cells", view.rows(Live).len()) };
    let outgoing = Direction::Outgoing as usize;
    let in_interval = cell.rows.iter().map(|row| row.packets).sum::<u64>();
    assert!((30_000..40_000).contains(&in_interval), "{in_interval}");
    let without_row = 40_000 - in_interval;
    assert_eq!(cell.unlisted[outgoing], Counters { packets: without_row, bytes: without_row * 60 });
}

#[test]
fn drops_count_in_the_second_of_the_rows_that_were_merged_before() {
    let mut run = Traffic::of(1);
    run.take([local_packet(START * SECOND, 100)]);
    run.take([local_packet((START + 1) * SECOND, 100)]);
    run.history().count_dropped(5, 2);
    // Without a row, the oldest open second.
    run.take([]);
    run.history().count_dropped(1, 0);
    run.advance(START + 2);
    let cells = run.view().totals(Live).to_vec();
    let drops: Vec<_> = cells.iter().map(|cell| (cell.dropped_by_kernel, cell.dropped_by_interface)).collect();
    assert_eq!(drops, [(1, 0), (5, 2)]);
    assert_eq!(run.view().totals_sum(Hour).unwrap().dropped(), 8);
}
