//! A scan hidden among a million invented sources, also while others try to blind the interface.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::alerts;
use super::common::ip::{Ipv4, tcp};
use super::common::link::{Link, Sample};
use super::common::savefile::Savefile;
use super::dice::Dice;
use super::host::Host;
use super::labels::Kind;
use super::traffic::{ACK, FIN, PUSH, SYN, Time, Traffic, at, later};

const SPOOFED: u32 = 1_000_000;
const SECONDS: u32 = 100;
/// One of so many packets is the scanner's.
const SCANNER_EVERY: u32 = 8_000;
const SCANNER: Ipv4Addr = Ipv4Addr::new(10, 66, 6, 6);
const VICTIM: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);

/// Offsets of the addresses in an Ethernet frame, and of the source port.
const SOURCE: usize = 14 + 12;
const DESTINATION: usize = 14 + 16;
const SOURCE_PORT: usize = 14 + 20;

/// The sizes of the means to blind the interface: pairs of stray ACKs, ACKs of invented sources, dead connections.
const PAIRS: u32 = 2_000;
const ACKS: u32 = 30_000;
const DEAD: u32 = 400;

/// Writes SYNs to one server, each from another source, those of the scanner between them, and `other` traffic.
fn write(path: &Path, dice: &mut Dice, other: Traffic) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&Savefile::new(1).build()).unwrap();
    let mut syn = Link::ethernet().carrying(&Ipv4::carrying(tcp(40_000, 80, SYN, &[])).build());
    let multiplier = dice.next() as u32 | 1;
    let mut other = other.sorted().frames.into_iter().peekable();
    for number in 0..SPOOFED {
        let time = later(at(0.0), f64::from(number) * f64::from(SECONDS) / f64::from(SPOOFED));
        while let Some((time, sample)) = other.next_if(|(other, _)| *other <= time) {
            write_frame(&mut file, time, &sample);
        }
        let is_scanner = number % SCANNER_EVERY == SCANNER_EVERY / 2;
        // An odd factor gives each number another address; those of no host are moved among those of hosts.
        let spoofed = Ipv4Addr::from(number.wrapping_mul(multiplier) % 0x6000_0000 + 0x1400_0000);
        let scanned = Ipv4Addr::from(u32::from(Ipv4Addr::new(203, 0, 0, 0)) + number / SCANNER_EVERY);
        let (source, destination) = if is_scanner { (SCANNER, scanned) } else { (spoofed, VICTIM) };
        syn.bytes[SOURCE..SOURCE + 4].copy_from_slice(&source.octets());
        syn.bytes[DESTINATION..DESTINATION + 4].copy_from_slice(&destination.octets());
        syn.bytes[SOURCE_PORT..SOURCE_PORT + 2].copy_from_slice(&(number as u16 | 0x8000).to_be_bytes());
        write_frame(&mut file, time, &syn);
    }
    file.flush().unwrap();
}

fn write_frame(file: &mut impl Write, time: Time, sample: &Sample) {
    let (seconds, microseconds) = (time / 1_000_000_000, time % 1_000_000_000 / 1_000);
    for field in [seconds as u32, microseconds as u32, sample.bytes.len() as u32, sample.wire_bytes] {
        file.write_all(&field.to_le_bytes()).unwrap();
    }
    file.write_all(&sample.bytes).unwrap();
}

/// Ordinary clients, whose connections show that the interface sees both directions.
fn work(dice: &mut Dice) -> Traffic {
    let mut traffic = Traffic::default();
    for client in 0..20 {
        let mut host = Host::new(Ipv4Addr::new(10, 66, 7, 1 + client).into(), dice.fork());
        for number in 0..20 {
            let (time, to) = (at(5.0 * f64::from(number) + host.dice.within(0.0, 5.0)), host.target(number));
            host.connection(time, to, 443, 3.0);
        }
        traffic.join(host.traffic);
    }
    traffic
}

/// Two ACKs or FINs without an answer to each of many hosts, from ever other ports.
fn stray_pairs(dice: &mut Dice) -> Traffic {
    let mut host = Host::new(Ipv4Addr::new(10, 66, 8, 1).into(), dice.fork());
    for number in 0..PAIRS {
        let time = at(f64::from(number) * f64::from(SECONDS) / f64::from(PAIRS));
        let (from, to) = ((host.address, host.port()), (host.target(number), 80));
        let flags = host.dice.pick(&[ACK, FIN | ACK]);
        for delay in [0.0, 2.0] {
            host.traffic.tcp(later(time, delay), from, to, flags, 0);
        }
    }
    host.traffic
}

/// ACKs from ever other invented sources to one host.
fn ack_flood(dice: &mut Dice) -> Traffic {
    let (mut traffic, victim) = (Traffic::default(), (VICTIM.into(), 443));
    for number in 0..ACKS {
        let source = Ipv4Addr::from_bits(0x6400_0000 | (dice.next() as u32 & 0x00ff_ffff));
        let time = at(f64::from(number) * f64::from(SECONDS) / f64::from(ACKS));
        traffic.tcp(time, (source.into(), dice.from(1_024, 65_535) as u16), victim, ACK, 0);
    }
    traffic
}

/// A laptop that wakes again and again with connections to servers that have forgotten them or are gone.
fn dead_connections(dice: &mut Dice) -> Traffic {
    let mut host = Host::new(Ipv4Addr::new(10, 66, 9, 1).into(), dice.fork());
    for number in 0..DEAD {
        let woken = at(f64::from(number / 40) * 10.0 + host.dice.within(0.0, 1.0));
        let (from, to) = ((host.address, host.port()), (host.target(number), 443));
        for delay in [0.0, 0.3, 0.9, 2.1, 4.5] {
            host.traffic.tcp(later(woken, delay), from, to, PUSH | ACK, 40);
        }
    }
    host.traffic
}

/// Checks that over this traffic and the flood the scanner alone is found.
fn only_the_scanner_is_found(dice: &mut Dice, other: Traffic) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flood.pcap");
    write(&file, dice, other);
    let found = alerts::found(&alerts::lines(&file, &[]));
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [(IpAddr::from(SCANNER), Kind::HostScan)]);
}

#[test]
fn a_scan_among_a_million_invented_sources_is_found_and_none_of_them_is() {
    only_the_scanner_is_found(&mut Dice::seeded(Dice::seed()), Traffic::default());
}

#[test]
fn a_scan_among_a_million_invented_sources_is_found_while_others_try_to_blind_the_interface() {
    let mut dice = Dice::seeded(Dice::seed());
    let mut other = work(&mut dice);
    for blinding in [stray_pairs, ack_flood, dead_connections] {
        other.join(blinding(&mut dice));
    }
    only_the_scanner_is_found(&mut dice, other);
}
