//! Scanners are found while others try to make the interface blind. And where an interface shows a part of the packets
//! only, no host is taken for a scanner.

use std::net::{IpAddr, Ipv4Addr};

use super::alerts;
use super::dice::Dice;
use super::host::{Host, moment};
use super::labels::{Kind, Labelled};
use super::traffic::{ACK, FIN, Traffic, at, later};
use super::{benign, local, scanners};

/// A way to try to make an interface blind.
#[derive(Debug, Clone, Copy)]
enum Means {
    /// Two ACKs to each of many hosts.
    StrayPairs,
    /// ACKs from ever other invented sources to one host.
    Flood,
    /// A laptop that wakes with dead connections.
    Laptop,
    /// All of them.
    All,
}

const MEANS: [Means; 4] = [Means::StrayPairs, Means::Flood, Means::Laptop, Means::All];
const SIZES: [u32; 3] = [60, 400, 2_000];
/// The most dead connections of the laptop, or pairs, where all means are tried at once.
const MOST_DEAD: u32 = 90;

fn stray_pairs(host: &mut Host, count: u32) {
    for number in 0..count {
        let (time, to) = (later(at(1.0), f64::from(number) * 20.0 / f64::from(count)), (host.target(number), 80));
        let (source, flags) = ((host.address, host.port()), host.dice.pick(&[ACK, FIN | ACK]));
        host.traffic.tcp(time, source, to, flags, 0);
        host.traffic.tcp(later(time, 2.0), source, to, flags, 0);
    }
}

fn flood(host: &mut Host, count: u32) {
    let victim = (host.target(0), 443);
    for number in 0..count {
        let source = Ipv4Addr::from_bits(0x6400_0000 | (host.dice.next() as u32 & 0x00ff_ffff));
        let time = later(at(1.0), f64::from(number) * 1_300.0 / f64::from(count));
        let port = host.dice.from(1_024, 65_535) as u16;
        host.traffic.tcp(time, (source.into(), port), victim, ACK, 0);
    }
}

fn laptop(host: &mut Host) {
    // Wakes again and again, so that some of it is always in the window.
    for _ in 0..8 {
        local::woken(host);
    }
}

/// The packets that are to make the interface blind, during all of the time that scans take.
fn blinding(means: Means, count: u32, dice: &mut Dice) -> Traffic {
    let mut host = Host::new([10, 88, 0, 1].into(), dice.fork());
    match means {
        Means::StrayPairs => (0..8).for_each(|_| repeated(&mut host, count)),
        Means::Flood => flood(&mut host, 8 * count),
        Means::Laptop => laptop(&mut host),
        Means::All => {
            (0..8).for_each(|_| repeated(&mut host, count.min(MOST_DEAD)));
            flood(&mut host, 8 * count);
            laptop(&mut host);
        }
    }
    host.traffic
}

/// Stray pairs from some moment on.
fn repeated(host: &mut Host, count: u32) {
    let mut again = Host::new(host.address, host.dice.fork());
    stray_pairs(&mut again, count);
    let offset = moment(&mut host.dice, 0.0, 1_300.0) - at(0.0);
    again.traffic.frames.iter_mut().for_each(|(time, _)| *time += offset);
    host.traffic.join(again.traffic);
}

/// The alerts over labelled sources and other traffic together.
fn differences(sources: &mut [Labelled], other: Traffic, thin: impl FnOnce(&mut Traffic)) -> Vec<String> {
    let mut traffic = other;
    for source in sources.iter_mut() {
        traffic.join(std::mem::take(&mut source.host.traffic));
    }
    let mut traffic = traffic.sorted();
    thin(&mut traffic);
    let folder = tempfile::tempdir().unwrap();
    let found = alerts::found(&alerts::lines(&traffic.write(folder.path(), "blinding.pcap"), &[]));
    let is_known = |address: &IpAddr| sources.iter().any(|source| source.host.address == *address);
    let strangers = found.keys().filter(|(address, _)| !is_known(address)).map(|found| format!("{found:?}"));
    super::judge::Scores::differences(sources, &found).into_iter().chain(strangers).collect()
}

/// Numbers each host by itself.
fn addresses() -> impl FnMut(bool) -> IpAddr {
    let mut next = 0_u16;
    move |is_version_6| {
        next += 1;
        let [high, low] = next.to_be_bytes();
        if is_version_6 { [0x2001, 0xdb8, 1, 0, 0, 0, 0, next].into() } else { [10, 77, high, low].into() }
    }
}

#[test]
fn scanners_are_found_while_others_try_to_blind_the_interface() {
    let mut dice = Dice::seeded(Dice::seed());
    let (mut scanning, mut missed) = (0, Vec::new());
    for means in MEANS {
        for count in SIZES {
            let mut sources = scanners::all(&mut dice, 1, addresses());
            sources.retain(|source| source.is_pooled);
            scanning += sources.iter().filter(|source| !source.kinds.is_empty()).count();
            let blinding = blinding(means, count, &mut dice);
            let found = differences(&mut sources, blinding, |_| ());
            missed.extend(found.into_iter().map(|difference| format!("{means:?}, {count}: {difference}")));
        }
    }
    println!("{scanning} scanners while others try to blind the interface: {missed:#?}");
    assert!(scanning > 300, "{scanning}");
    assert!(missed.len() * 100 <= scanning, "{} of {scanning}: {missed:#?}", missed.len());
}

#[test]
fn lone_scanner_is_found_while_others_try_to_blind_the_interface() {
    // No other host works on this interface.
    let mut dice = Dice::seeded(Dice::seed());
    for means in [Means::StrayPairs, Means::Flood, Means::Laptop] {
        let mut all = scanners::all(&mut dice, 1, addresses());
        // Some that are drawn stay below their limit, because much of what they try answers.
        let is_over = |source: &Labelled| source.crossing(Kind::HostScan).is_some();
        all.retain(|source| source.is_pooled && source.kinds.contains(&Kind::HostScan) && is_over(source));
        assert!(all.len() >= 12, "{} scanners", all.len());
        for mut scanner in all.drain(..12) {
            let differences = differences(std::slice::from_mut(&mut scanner), blinding(means, 60, &mut dice), |_| ());
            assert!(differences.is_empty(), "{means:?}: {differences:?}");
        }
    }
}

/// In a sample that shows most conversations both ways, nothing tells that the missing answers were sent: of 100 runs,
/// about nine report one or two hosts of 36.
#[test]
fn samples_of_ordinary_traffic_raise_hardly_an_alert() {
    let mut dice = Dice::seeded(Dice::seed());
    let mut wrong = Vec::new();
    for one_in in [8, 16, 64] {
        let mut sources = benign::work(&mut dice, 12, addresses());
        let mut chance = dice.fork();
        wrong.extend(differences(&mut sources, Traffic::default(), |traffic| {
            traffic.frames.retain(|_| chance.chance(1.0 / f64::from(one_in)));
        }));
    }
    assert!(wrong.len() <= 3, "of 36 hosts: {wrong:#?}");
}
