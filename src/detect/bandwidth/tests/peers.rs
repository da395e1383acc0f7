//! The largest peers of subjects over their limits, and their bytes.

use super::*;

/// The address and the bytes of the largest peer in the last detection that has one, and the bytes of all peers.
fn largest(found: &[Detection]) -> (IpAddr, u64, u64) {
    let last = found.iter().rev().find_map(|found| found.figures.largest_peer).unwrap();
    assert_eq!((last.bytes, last.known_bytes), (last.least_bytes, last.of_bytes), "{last:?}");
    (last.address, last.bytes, last.of_bytes)
}

#[test]
fn peers_are_those_of_the_bytes_as_they_move_on() {
    let mut bandwidth = Bandwidth::new(&limited(1_000), 7);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.5", 1.0, 1_100);
    let found = bandwidth.advance(at(2.0));
    assert_eq!(largest(&found), (address("10.0.0.5"), 1_100, 1_100));
    assert!(found[0].figures.largest_peer.unwrap().has_most());
    for host in 1..=50 {
        send(&mut bandwidth, "203.0.113.9", &format!("10.0.1.{host}"), 2.0, 1_000);
    }
    let found = bandwidth.advance(at(3.0));
    assert_eq!(largest(&found), (address("10.0.0.5"), 1_100, 51_100));
    assert!(!found[0].figures.largest_peer.unwrap().has_most(), "{found:?}");
    assert_eq!(found[0].figures.largest_peer.unwrap().peers, 51);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.6", 60.0, 90_000);
    let found = bandwidth.advance(at(61.0));
    assert_eq!(largest(&found), (address("10.0.0.6"), 90_000, 141_100));
}

#[test]
fn peers_are_those_of_the_window_that_was_over_its_limit() {
    let mut bandwidth = Bandwidth::new(&limited(1_000), 7);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.5", 1.0, 1_100);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.6", 9_000.0, 10);
    // All cells up to the last packet are judged at once, as after a pause in a file.
    let found = bandwidth.advance(at(9_001.0));
    assert_eq!(largest(&found), (address("10.0.0.5"), 1_100, 1_110));
}

#[test]
fn bytes_of_a_cell_that_the_window_has_only_a_part_of_are_not_certain() {
    let mut bandwidth = Bandwidth::new(&limited(1_000), 7);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.5", 1.0, 900);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.5", 9.0, 100);
    bandwidth.advance(at(10.0));
    send(&mut bandwidth, "203.0.113.9", "10.0.0.6", 175.0, 950);
    let found = bandwidth.advance(at(176.0));
    let largest = found.iter().rev().find_map(|found| found.figures.largest_peer).unwrap();
    assert_eq!((largest.address, largest.bytes, largest.least_bytes), (address("10.0.0.5"), 1_000, 0));
    assert_eq!((largest.of_bytes, largest.has_most()), (1_050, false));
}

#[test]
fn known_subjects_are_measured_once_a_second() {
    let config = Config { interval: Duration::from_secs(2), ..limited(1_000) };
    let mut bandwidth = Bandwidth::new(&config, 7);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.5", 1.0, 1_100);
    let mut measured = Vec::new();
    for tenth in 11..=31 {
        let found = bandwidth.advance(at(f64::from(tenth) / 10.0));
        measured.extend(found.iter().filter(|found| found.figures.largest_peer.is_some()).map(|found| found.at));
    }
    assert_eq!(measured, [at(1.1), at(2.1)]);
}

#[test]
fn without_destinations_no_peer_is_named() {
    let mut bandwidth = Bandwidth::new(&Config { no_destinations: true, ..limited(1_000) }, 7);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.5", 1.0, 1_001);
    assert_eq!(first_peers(&bandwidth.advance(at(2.0)), source("203.0.113.9")), []);
}
