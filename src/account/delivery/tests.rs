use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanoseconds(seconds * 1_000_000_000)
}

/// A report of http; the scrapes of one snapshot by one client are one.
fn report(client: u32, snapshot: u64, progress: ScrapeProgress) -> ScrapeReport {
    ScrapeReport { client: IpAddr::V4(client.into()), snapshot, scrape: snapshot, progress }
}

fn begun(client: u32, snapshot: u64) -> ScrapeReport {
    report(client, snapshot, ScrapeProgress::Begun)
}

fn complete(client: u32, snapshot: u64) -> ScrapeReport {
    report(client, snapshot, ScrapeProgress::Complete)
}

fn broken(client: u32, snapshot: u64) -> ScrapeReport {
    report(client, snapshot, ScrapeProgress::Broken)
}

#[test]
fn without_a_scraper_nothing_is_delivered() {
    assert_eq!(Deliveries::default().delivery(at(0)), Delivery { to_all: None, to_any: 0 });
}

#[test]
fn one_that_has_only_asked_has_nothing() {
    let mut deliveries = Deliveries::default();
    deliveries.record(begun(1, 7), at(0));
    assert_eq!(deliveries.delivery(at(0)), Delivery { to_all: None, to_any: 7 });
}

#[test]
fn all_have_what_the_slowest_has() {
    let mut deliveries = Deliveries::default();
    deliveries.record(complete(1, 7), at(0));
    deliveries.record(complete(2, 5), at(1));
    deliveries.record(begun(2, 9), at(2));
    assert_eq!(deliveries.delivery(at(3)), Delivery { to_all: Some(5), to_any: 9 });
}

#[test]
fn a_late_report_does_not_set_a_scraper_back() {
    let mut deliveries = Deliveries::default();
    deliveries.record(complete(1, 7), at(0));
    deliveries.record(complete(1, 6), at(1));
    assert_eq!(deliveries.delivery(at(1)).to_all, Some(7));
}

#[test]
fn a_first_scrape_is_waited_for_as_if_it_were_complete() {
    let mut deliveries = Deliveries::default();
    deliveries.record(begun(2, 3), at(0));
    for snapshot in 1..50 {
        deliveries.record(complete(1, snapshot), at(1));
        assert_eq!(deliveries.delivery(at(1)).to_all, Some(snapshot.min(3)));
    }
    deliveries.record(complete(2, 3), at(2));
    assert_eq!(deliveries.delivery(at(2)).to_all, Some(3));
    deliveries.record(complete(2, 48), at(3));
    assert_eq!(deliveries.delivery(at(3)).to_all, Some(48));
}

#[test]
fn rows_wait_for_all_of_several_first_scrapes() {
    let mut deliveries = Deliveries::default();
    deliveries.record(complete(1, 9), at(0));
    deliveries.record(begun(2, 3), at(0));
    deliveries.record(begun(2, 5), at(0));
    deliveries.record(broken(2, 3), at(0));
    assert_eq!(deliveries.delivery(at(0)).to_all, Some(5));
    deliveries.record(broken(2, 5), at(0));
    assert_eq!(deliveries.delivery(at(0)).to_all, Some(9));
}

/// Scrapes that were completed at these times, in seconds, and how long rows wait after the last one.
fn wait(completed: &[i64]) -> i64 {
    let mut deliveries = Deliveries::default();
    for (&second, snapshot) in completed.iter().zip(1..) {
        deliveries.delivery(at(second));
        deliveries.record(complete(1, snapshot), at(second));
    }
    let last = completed.last().copied().unwrap_or_default();
    (0..1_000).find(|&wait| deliveries.delivery(at(last + wait + 1)).to_all.is_none()).unwrap_or(i64::MAX)
}

#[test]
fn client_with_a_single_scrape_is_waited_for_one_minute() {
    assert_eq!(wait(&[0]), 60);
}

#[test]
fn scraper_is_waited_for_three_of_its_intervals() {
    assert_eq!(wait(&[0, 15]), 45);
    assert_eq!(wait(&[0, 60, 120]), 180);
    assert_eq!(wait(&[0, 1]), 30, "at least");
    assert_eq!(wait(&[0, 110]), 300, "at most");
    assert_eq!(wait(&[0, 250]), 300, "its first scrape was not waited for so long, but remembered");
    assert_eq!(wait(&[0, 301]), 60, "an interval that is too long to be waited for");
}

#[test]
fn scrape_in_between_does_not_shorten_the_interval() {
    assert_eq!(wait(&[0, 60, 120, 125]), 180);
    assert_eq!(wait(&[0, 60, 120, 125, 126, 180]), 180);
}

#[test]
fn an_interval_that_was_shortened_is_followed() {
    assert_eq!(wait(&[0, 60, 70, 80, 90, 100]), 30);
}

#[test]
fn a_single_scrape_delays_others_for_a_minute() {
    let mut deliveries = Deliveries::default();
    deliveries.record(complete(1, 7), at(0));
    for (second, snapshot) in (0..120).step_by(15).zip(9..) {
        deliveries.record(complete(2, snapshot), at(second));
        let expected = if second <= 60 { 7 } else { snapshot };
        assert_eq!(deliveries.delivery(at(second)).to_all, Some(expected), "{second} s");
    }
}

#[test]
fn scraper_that_comes_back_late_is_waited_for_from_its_request_on() {
    let mut deliveries = Deliveries::default();
    deliveries.record(complete(1, 1), at(0));
    deliveries.record(complete(2, 9), at(100));
    assert_eq!(deliveries.delivery(at(100)).to_all, Some(9));
    deliveries.record(begun(1, 9), at(120));
    deliveries.record(complete(2, 12), at(125));
    assert_eq!(deliveries.delivery(at(125)).to_all, Some(9));
}

#[test]
fn clock_set_back_prolongs_no_stage() {
    let mut deliveries = Deliveries::default();
    deliveries.record(complete(1, 7), at(100_000));
    assert_eq!(deliveries.delivery(at(0)).to_all, Some(7));
    assert_eq!(deliveries.delivery(at(61)).to_all, None);
}

#[test]
fn scraper_that_breaks_off_is_not_waited_for_until_it_completes() {
    let mut deliveries = Deliveries::default();
    for second in 0..1_000 {
        let snapshot = second as u64 + 1;
        deliveries.record(complete(1, snapshot), at(second));
        deliveries.record(begun(2, snapshot), at(second));
        deliveries.record(broken(2, snapshot), at(second));
        deliveries.record(begun(2, snapshot), at(second));
        assert_eq!(deliveries.delivery(at(second)).to_all, Some(snapshot));
    }
    deliveries.record(complete(2, 1_000), at(1_000));
    deliveries.record(complete(1, 1_001), at(1_000));
    assert_eq!(deliveries.delivery(at(1_000)).to_all, Some(1_000));
}

#[test]
fn client_that_completes_once_and_then_breaks_off_for_ever_is_waited_for_one_minute() {
    let mut deliveries = Deliveries::default();
    deliveries.record(complete(2, 1), at(0));
    for second in 0..1_000 {
        let snapshot = second as u64 + 1;
        deliveries.record(complete(1, snapshot), at(second));
        deliveries.record(begun(2, snapshot), at(second));
        deliveries.record(broken(2, snapshot), at(second));
        let expected = if second <= 60 { 1 } else { snapshot };
        assert_eq!(deliveries.delivery(at(second)).to_all, Some(expected), "{second}");
    }
}

#[test]
fn a_first_scrape_without_end_is_waited_for_a_minute() {
    let mut deliveries = Deliveries::default();
    for second in 0..1_000 {
        let snapshot = second as u64 + 1;
        deliveries.record(complete(1, snapshot), at(second));
        deliveries.record(begun(2, snapshot), at(second));
        let expected = if second <= 60 { 1 } else { snapshot };
        assert_eq!(deliveries.delivery(at(second)).to_all, Some(expected), "{second}");
    }
}

#[test]
fn however_many_addresses_break_off_rows_are_held_back_for_minutes_an_hour() {
    let mut deliveries = Deliveries::default();
    let mut held_back = 0;
    for second in 0..3_600 {
        let snapshot = second as u64 + 1;
        deliveries.record(complete(1, snapshot), at(second));
        deliveries.record(begun(1_000 + second as u32, snapshot), at(second));
        held_back += i64::from(deliveries.delivery(at(second)).to_all != Some(snapshot));
    }
    assert!((1..=60 * (MAXIMUM_BROKEN as i64 + 1)).contains(&held_back), "{held_back} s");
}

#[test]
fn the_number_of_scrapers_is_bounded() {
    for known in [begun, complete] {
        let mut deliveries = Deliveries::default();
        for client in 0..1_000 {
            deliveries.record(known(client, 5), at(0));
        }
        assert_eq!(deliveries.scrapers.len(), MAXIMUM_SCRAPERS);
        deliveries.record(complete(1, 5), at(0));
        assert_eq!(deliveries.delivery(at(0)).to_all, Some(5));
        deliveries.record(begun(1_000, 5), at(61));
        deliveries.record(complete(1_000, 5), at(61));
        assert!(deliveries.scrapers.len() <= MAXIMUM_SCRAPERS);
    }
}

#[test]
fn scrapes_for_which_there_is_no_place_are_counted() {
    let mut deliveries = Deliveries::default();
    let most = MAXIMUM_SCRAPERS as u32;
    (0..most).for_each(|client| deliveries.record(complete(client, 5), at(0)));
    assert_eq!(deliveries.ended().untracked, 0);
    (0..2 * most).for_each(|client| deliveries.record(complete(client, 6), at(0)));
    assert_eq!(deliveries.ended().untracked, u64::from(most));
}

#[test]
fn the_scrapes_of_one_that_are_told_apart_are_bounded() {
    let mut deliveries = Deliveries::default();
    (1..1_000).for_each(|snapshot| deliveries.record(begun(1, snapshot), at(0)));
    let scraper = deliveries.scrapers.values().next().unwrap();
    assert!(matches!(&scraper.stage, Stage::New { under_way } if under_way.len() == MAXIMUM_UNDER_WAY));
}
