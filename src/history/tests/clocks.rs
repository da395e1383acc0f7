//! Clocks that are set, and times at the ends of what can be written.

use super::*;

#[test]
fn clock_that_is_set_starts_the_history_again() {
    for to in [START - 7_200, START + 7_200, 0] {
        let mut run = Traffic::of(1);
        run.take([local_packet(START * SECOND, 100)]);
        run.advance(START + 70);
        let before = run.view().number;
        run.history().restart(at(to));
        let view = run.view();
        assert!(view.number > before);
        assert_eq!((view.end(), view.covered(Hour), view.rows_of(Hour).rows.len()), (None, Duration::ZERO, 0));
        run.take([local_packet(to * SECOND, 70)]);
        // Counted before the clock was set: late, or ahead.
        run.take([local_packet(START * SECOND, 3)]);
        run.advance(to + 20);
        let view = run.view();
        assert_eq!(view.totals(Live).first().map(|cell| cell.start), Some(at(to)));
        assert_eq!(bytes(view.totals(Live)).iter().sum::<u64>(), 73);
        assert_eq!(view.totals(Live).len(), 20);
    }
}

#[test]
fn pause_of_more_than_an_hour_starts_the_history_again() {
    let mut run = Traffic::of(1);
    run.take([local_packet(START * SECOND, 100)]);
    run.advance(START + 3_600);
    assert_eq!(run.view().totals_sum(Hour).map(|sum| (sum.seconds, sum.ip().bytes)), Some((3_600, 100)));
    run.advance(START + 2 * 3_600 + 1);
    assert_eq!(run.view().end(), None);
}

#[test]
fn history_that_begins_within_a_cell_covers_only_a_part_of_it() {
    let mut run = Traffic::of(1);
    run.take([local_packet((START + 57) * SECOND + 5, 100)]);
    run.advance(START + 60);
    let view = run.view();
    for range in [FiveMinutes, Hour] {
        let [cell] = view.rows(range) else { panic!("{:?}", view.rows(range)) };
        assert_eq!((cell.start, cell.seconds), (at(START + 57), 3));
        assert_eq!(view.covered(range).as_secs(), 3);
    }
    let [cell] = view.totals(Hour) else { panic!("{:?}", view.totals(Hour)) };
    assert_eq!((cell.start, cell.seconds), (at(START + 57), 3));
}

#[test]
fn times_before_the_epoch_and_at_the_ends_are_counted() {
    for nanoseconds in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
        let mut run = Traffic::of(1);
        run.take([local_packet(nanoseconds, 100)]);
        let time = Timestamp::from_nanoseconds(nanoseconds);
        run.history().advance(time);
        run.history().finish(GRID.end(GRID.cell(time)) + Duration::from_secs(1));
        for far in [i64::MIN, i64::MAX, nanoseconds].map(Timestamp::from_nanoseconds) {
            run.history().advance(far);
            run.history().restart(far);
            run.take([local_packet(nanoseconds, 100)]);
        }
        assert!(run.view().totals_sum(Hour).is_none_or(|sum| sum.ip().bytes <= 100));
    }
}

#[test]
fn end_of_the_packets_closes_the_last_second() {
    let mut run = Traffic::of(1);
    run.take([local_packet(START * SECOND + 5, 100)]);
    run.history().finish(at(START) + Duration::from_millis(100));
    assert_eq!(bytes(run.view().totals(Live)), [100]);
    assert_eq!(run.view().rows_of(Live).rows.len(), 1);
}
