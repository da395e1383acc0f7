use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;
use crate::account::conversation::Way;
use crate::locality::{self, Classifier, Direction};
use crate::packet::{Addresses, Packet, Protocol, TcpFlags};
use crate::policy::{Networks, Verdict};
use crate::time_grid::TimeGrid;

/// The next interval that was handed over, if there is one.
fn next(messages: &Receiver<WorkerMessage>) -> Option<FullInterval> {
    match messages.try_recv().ok()? {
        WorkerMessage::Interval(handed) => Some(handed),
        WorkerMessage::Left { interface, .. } => panic!("{interface} was left"),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds_and_nanoseconds(seconds, 0)
}

fn exchange(full: Sender<WorkerMessage>) -> Exchange {
    let grids = vec![TimeGrid::of(Duration::from_secs(1))];
    Exchange::new(("eth0".to_owned(), 0), full, &Arc::default(), grids, 0)
}

fn count(exchange: &mut Exchange, time: Timestamp) {
    exchange.filling_at(time).0.observe_not_ip(crate::decode::NotIp::Arp, 60);
}

#[test]
fn an_interval_that_is_full_between_two_ticks_waits_without_being_counted_as_late() {
    let (full, intervals) = channel();
    let mut exchange = exchange(full);
    exchange.hand_over();
    let first = next(&intervals).unwrap();
    // The accountant is late: polls ask, only the tick counts.
    (0..5).for_each(|_| assert!(!exchange.has_empty()));
    exchange.hand_over();
    first.give_back();
    assert!(exchange.has_empty());
    exchange.hand_over();
    assert_eq!(next(&intervals).unwrap().delays, 1);
}

#[test]
fn an_interval_is_handed_over_when_its_cell_ends() {
    let (full, intervals) = channel();
    let mut exchange = exchange(full);
    let taken = || {
        std::iter::from_fn(|| next(&intervals))
            .map(|handed| {
                let frames = handed.interval.frames().frames;
                let time = handed.time;
                handed.give_back();
                (time, frames)
            })
            .collect::<Vec<_>>()
    };
    [10, 10, 9].map(at).into_iter().for_each(|time| count(&mut exchange, time));
    assert!(!exchange.has_ended_cell());
    count(&mut exchange, at(11));
    assert!(exchange.has_ended_cell() && !exchange.has_ended_cell());
    assert_eq!(taken(), [(Some(at(11)), 3)]);
    exchange.hand_over_last();
    assert_eq!(taken(), [(None, 1)]);
}

#[test]
fn silence_ends_cells_too() {
    let (full, intervals) = channel();
    let mut exchange = exchange(full);
    count(&mut exchange, at(10));
    exchange.pass(at(12), Duration::from_secs(2));
    assert!(next(&intervals).is_none(), "the cell may still get some");
    exchange.pass(at(13), Duration::from_secs(2));
    let handed = next(&intervals).unwrap();
    assert_eq!((handed.time, handed.interval.frames().frames), (Some(at(11)), 1));
}

#[test]
fn while_the_accountant_is_late_filling_goes_on_through_cells() {
    let (full, intervals) = channel();
    let mut exchange = exchange(full);
    [10, 11, 11, 12].map(at).into_iter().for_each(|time| count(&mut exchange, time));
    let first = next(&intervals).unwrap();
    assert_eq!((first.time, first.interval.frames().frames), (Some(at(11)), 1));
    first.give_back();
    count(&mut exchange, at(13));
    let second = next(&intervals).unwrap();
    assert_eq!((second.time, second.interval.frames().frames, second.delays), (Some(at(13)), 3, 1));
}

#[test]
fn frames_before_a_rename_count_under_the_old_name() {
    let (full, intervals) = channel();
    let mut exchange = exchange(full);
    let taken = || {
        let handed = next(&intervals).unwrap();
        let taken = (handed.interface.clone(), handed.interval.frames().frames, handed.capture.up);
        handed.give_back();
        taken
    };
    let is_left =
        |name| matches!(intervals.try_recv(), Ok(WorkerMessage::Left { interface, worker: 0 }) if interface == name);
    count(&mut exchange, at(10));
    exchange.set_up(true);
    exchange.rename("wan0");
    assert_eq!(taken(), ("eth0".to_owned(), 1, false));
    assert!(is_left("eth0"));
    count(&mut exchange, at(10));
    assert!(exchange.set_up(true), "it is up under the new name");
    exchange.hand_over();
    assert_eq!(taken(), ("wan0".to_owned(), 1, true));
    drop(exchange);
    assert!(is_left("wan0"), "when the thread ends, however it does");
}

#[test]
fn news_of_an_interface_go_along_once() {
    let (full, intervals) = channel();
    let mut exchange = exchange(full);
    assert!(exchange.set_up(true));
    exchange.hand_over();
    assert!(!exchange.set_up(true));
    let first = next(&intervals).unwrap();
    assert!(first.capture.up);
    // The accountant is late: the change waits for an empty interval.
    assert!(exchange.set_up(false));
    exchange.hand_over();
    assert!(exchange.set_up(false));
    first.give_back();
    exchange.hand_over();
    let second = next(&intervals).unwrap();
    assert!(!second.capture.up && !exchange.set_up(false));
    second.give_back();
    assert!(exchange.set_up(true));
    exchange.hand_over();
    next(&intervals).unwrap().give_back();
    exchange.hand_over_last();
    assert!(!next(&intervals).unwrap().capture.up && exchange.set_up(true));
}

/// A datagram from 10.0.0.1 to 10.0.0.2.
fn packet() -> Packet {
    Packet {
        time: at(10),
        addresses: Addresses::V4 { source: [10, 0, 0, 1].into(), destination: [10, 0, 0, 2].into() },
        protocol: Protocol::UDP,
        source_port: 40_000,
        destination_port: 53,
        tcp_flags: TcpFlags(0),
        has_payload: false,
        icmp_type: None,
        outgoing: false,
        bytes: 60,
    }
}

#[test]
fn each_interval_counts_by_the_local_networks_of_its_exchange() {
    let (full, intervals) = channel();
    let mut exchange = exchange(full);
    let directions = || {
        let handed = std::iter::from_fn(|| next(&intervals));
        let directions = handed.map(|handed| {
            let direction = handed.interval.rows_v4().iter().next().map(|row| row.direction(Way::Forward));
            handed.give_back();
            direction
        });
        directions.collect::<Vec<_>>()
    };
    exchange.filling().observe(&packet(), 60);
    exchange.hand_over();
    assert_eq!(directions(), [Some(Direction::Transit)]);
    // Another interval is being filled, and the first one is back, when the networks change.
    exchange.filling().observe(&packet(), 60);
    assert!(exchange.has_empty());
    exchange.classify_by(&Arc::new(Classifier::new(&locality::Config::default(), [])));
    assert_eq!(directions(), [Some(Direction::Transit)], "handed over before the change");
    for _ in 0..3 {
        exchange.filling().observe(&packet(), 60);
        exchange.hand_over();
        assert_eq!(directions(), [Some(Direction::Local)]);
    }
}

#[test]
fn each_interval_is_judged_by_the_policy_of_its_exchange() {
    let (full, intervals) = channel();
    let nothing = Arc::new(Networks::new(&[], &[]));
    let everything = Arc::new(Networks::new(&["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()], &[]));
    let packet = packet();
    let mut exchange = exchange(full).judged_by(Some(&nothing));
    let judged = |exchange: &mut Exchange| {
        exchange.filling().observe(&packet, packet.bytes);
        exchange.hand_over();
        let handed = next(&intervals).unwrap();
        let verdicts = Verdict::ALL.map(|verdict| handed.interval.verdicts().of(verdict).packets);
        handed.give_back();
        verdicts
    };
    // The second interval is one that came back.
    assert_eq!([judged(&mut exchange), judged(&mut exchange), judged(&mut exchange)], [[0, 1]; 3]);
    exchange.judge_by(Some(&everything));
    assert_eq!([judged(&mut exchange), judged(&mut exchange), judged(&mut exchange)], [[1, 0]; 3]);
}
