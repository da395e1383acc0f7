//! Floods, and memory.

use super::*;

/// Heavy flows of the tests; more than 1 in 100,000 sources, fewer than a cell keeps.
const HEAVY: u32 = 100;
const HEAVY_BYTES: u64 = 20 * 1_000;

/// A second with 100,000 spoofed sources, and with heavy flows whose packets come among them.
fn flood(run: &mut Traffic, second: i64) {
    for part in 0..20_u32 {
        let time = second * SECOND + i64::from(part) * SECOND / 20;
        let spoofed = (0..5_000).map(|number| {
            let source = Ipv4Addr::from_bits(0xc612_0000 + second as u32 % 3 * 100_000 + part * 5_000 + number);
            packet(time, source, local(0), 60)
        });
        let heavy = (0..HEAVY).map(|host| packet(time, local(1 + host), Ipv4Addr::new(192, 0, 2, 1), 1_000));
        run.take(spoofed.chain(heavy));
    }
    run.advance(second + 1);
}

#[test]
fn heavy_rows_survive_a_flood_of_100_000_sources_with_almost_all_of_their_bytes() {
    let mut run = Traffic::of(1);
    let flooded = [START, START + 1, START + 2];
    flooded.into_iter().for_each(|second| flood(&mut run, second));
    run.advance(START + 60);
    let view = run.view();
    let longest = view.rows(Hour)[0].as_ref();
    let cells = [(view.rows(Live)[0].as_ref(), 1), (view.rows(FiveMinutes)[0].as_ref(), 3), (longest, 3)];
    for (cell, seconds) in cells {
        let heavy = cell.rows.iter().filter(|row| row.direction() == Direction::Outgoing);
        let least = heavy.clone().map(|row| row.bytes).min().unwrap();
        assert_eq!(heavy.count(), HEAVY as usize);
        // What a row lacks is at most the weight with which it entered.
        assert!(least >= seconds * HEAVY_BYTES * 95 / 100, "{least} in {seconds} s");
        let sent = u64::from(HEAVY) * seconds * HEAVY_BYTES;
        assert_eq!(cell.traffic()[Direction::Outgoing as usize].bytes, sent);
        assert_eq!(cell.traffic()[Direction::Incoming as usize].bytes, seconds * 100_000 * 60);
        let (target, all) = (Some(local(0).into()), seconds * 100_000 * 60);
        let flooded = cell.rows.iter().filter(|row| row.destination() == target).map(|row| row.bytes).sum::<u64>();
        assert!(flooded >= all * 99 / 100, "{flooded} of {all} bytes of the flood have its target");
    }
}

#[test]
fn memory_of_a_full_history_is_at_most_8_mib() {
    let mut run = Traffic::of(1);
    let empty = run.history().memory_bytes();
    // So many flows a second, with nothing in common, that each cell of any length is full.
    for second in START..START + 3_660 {
        let flows = match START + 3_660 - second {
            ..=60 => 320,
            61..=300 => 103,
            _ => 11,
        };
        let first = (second - START) as u32 * 320;
        let flow = |number| {
            let sent = packet(second * SECOND, local(2 * number), local(2 * number + 1), 60);
            Packet { destination_port: number as u16, ..sent }
        };
        run.take((first..first + flows).map(flow));
        run.advance(second + 1);
    }
    let view = run.view();
    // Of more rows than there is room for, the last eighth becomes the row of their protocol.
    for (range, rows) in HistoryRange::ALL.into_iter().zip([320, 1_024, 640]) {
        assert!(view.rows(range).iter().all(|cell| cell.rows.len() >= rows * 7 / 8), "{range:?}");
    }
    assert_eq!(HistoryRange::ALL.map(|range| view.rows(range).len()), [60, 30, 60]);
    let full = run.history().memory_bytes();
    println!("{empty} bytes empty, {full} full");
    assert!(full <= 8 << 20, "{full} bytes");
    assert_eq!(view.memory_bytes, full as u64);
    let [shorter, minutes] = [(60 * 320 + 30 * 1_024) * 7 / 8, 60 * 640].map(|rows| rows * size_of::<HistoryRow>());
    assert!(full - empty >= shorter, "the cells are counted");
    assert!(empty >= minutes, "the cells of minutes have their memory from the start");
}
