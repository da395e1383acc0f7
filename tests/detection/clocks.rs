//! Clocks that jump during a scan.

use std::net::IpAddr;

use super::alerts;
use super::common::replay::{number, replay};
use super::dice::Dice;
use super::host::{Fate, Host, Probe};
use super::labels::Kind;
use super::traffic::{START, Traffic};

/// The clock's ways, in seconds since the epoch: an hour back, ten years forward, to 0.
const CLOCKS: [i64; 4] = [START, START - 3_600, START + 10 * 365 * 86_400, 0];
const HOSTS: u32 = 40;
const LASTING: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 66, 0, 1));

/// The scanner of one clock alone.
fn passing(clock: usize) -> IpAddr {
    [10, 66, 1, clock as u8].into()
}

/// 40 seconds under each clock, in which one scans on and another begins; in the order in which they are captured.
fn traffic(dice: &mut Dice) -> Traffic {
    let mut traffic = Traffic::default();
    for (number, start) in CLOCKS.into_iter().enumerate() {
        let mut part = Traffic::default();
        for address in [LASTING, passing(number)] {
            let mut host = Host::new(address, dice.fork());
            for target in 0..HOSTS {
                let time = start * 1_000_000_000 + i64::from(target) * 1_000_000_000 + 300_000_000;
                let to = host.target(target);
                host.probe(Probe::HalfOpen, time, to, 22, Fate::Silent);
            }
            part.join(host.traffic);
        }
        traffic.join(part.sorted());
    }
    traffic
}

#[test]
fn a_clock_that_jumps_neither_hides_a_scan_nor_repeats_an_alert() {
    let folder = tempfile::tempdir().unwrap();
    let traffic = traffic(&mut Dice::seeded(Dice::seed()));
    let file = traffic.write(folder.path(), "clocks.pcap");
    for rule in ["evidence", "contacts"] {
        let times = alerts::times(&alerts::lines(&file, &["--scan.rule", rule]));
        let everyone = (0..CLOCKS.len()).map(passing).chain([LASTING]);
        let mut expected: Vec<_> = everyone.map(|address| ((address, Kind::HostScan), 1)).collect();
        expected.sort_unstable();
        assert_eq!(times.into_iter().collect::<Vec<_>>(), expected, "{rule}");
    }
}

#[test]
fn a_clock_that_jumps_loses_no_frame() {
    let folder = tempfile::tempdir().unwrap();
    let traffic = traffic(&mut Dice::seeded(Dice::seed()));
    let file = traffic.write(folder.path(), "clocks.pcap");
    let run = replay([file.to_str().unwrap(), "--output", "jsonl"]);
    let lines = run.lines();
    let flows = lines.iter().filter(|line| line.get("packets").is_some());
    let counted = flows.map(|line| number(line, "packets")).sum::<u64>() + number(&run.sums(), "non_ip_packets");
    assert_eq!(counted, traffic.frames.len() as u64);
}
