//! A scan hidden among a million invented sources.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::alerts;
use super::common::ip::{Ipv4, tcp};
use super::common::link::Link;
use super::common::savefile::Savefile;
use super::dice::Dice;
use super::labels::Kind;
use super::traffic::{START, SYN};

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

/// SYNs to one server, each from another source, and between them those of scanners.
fn write(path: &Path, dice: &mut Dice) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&Savefile::new(1).build()).unwrap();
    let mut frame = Link::ethernet().carrying(&Ipv4::carrying(tcp(40_000, 80, SYN, &[])).build()).bytes;
    let multiplier = dice.next() as u32 | 1;
    for number in 0..SPOOFED {
        let is_scanner = number % SCANNER_EVERY == SCANNER_EVERY / 2;
        // An odd factor gives each number another address; those of no host are moved among those of hosts.
        let spoofed = Ipv4Addr::from(number.wrapping_mul(multiplier) % 0x6000_0000 + 0x1400_0000);
        let scanned = Ipv4Addr::from(u32::from(Ipv4Addr::new(203, 0, 0, 0)) + number / SCANNER_EVERY);
        let (source, destination) = if is_scanner { (SCANNER, scanned) } else { (spoofed, VICTIM) };
        frame[SOURCE..SOURCE + 4].copy_from_slice(&source.octets());
        frame[DESTINATION..DESTINATION + 4].copy_from_slice(&destination.octets());
        frame[SOURCE_PORT..SOURCE_PORT + 2].copy_from_slice(&(number as u16 | 0x8000).to_be_bytes());
        let microseconds = u64::from(number) * u64::from(SECONDS) * 1_000_000 / u64::from(SPOOFED);
        let time = [START as u32 + (microseconds / 1_000_000) as u32, (microseconds % 1_000_000) as u32];
        for field in time.into_iter().chain([frame.len() as u32; 2]) {
            file.write_all(&field.to_le_bytes()).unwrap();
        }
        file.write_all(&frame).unwrap();
    }
    file.flush().unwrap();
}

#[test]
fn a_scan_among_a_million_invented_sources_is_found_and_none_of_them_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flood.pcap");
    write(&file, &mut Dice::seeded(Dice::seed()));
    let found = alerts::found(&alerts::lines(&file, &[]));
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [(IpAddr::from(SCANNER), Kind::HostScan)]);
}
