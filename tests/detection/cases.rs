//! Small captures after public reports, with the right verdict for each. They are not part of this repository: they lie in
//! `../shared/cases`, and where that is not there, there is nothing to test.

use std::path::{Path, PathBuf};

use super::alerts;
use super::labels::Kind;

fn case(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases").join(name);
    let is_there = path.is_file();
    if !is_there {
        println!("{} is not there", path.display());
    }
    is_there.then_some(path)
}

pub fn raises_no_alert(name: &str) {
    let Some(path) = case(name) else { return };
    for workers in ["1", "2", "4"] {
        assert_eq!(alerts::lines(&path, &["--workers", workers]), "", "{name}, {workers} workers");
    }
}

/// The capture has one scanner of hosts, and nothing else is found.
pub fn raises_one_host_scan(name: &str) {
    let Some(path) = case(name) else { return };
    let found = alerts::found(&alerts::lines(&path, &[]));
    assert_eq!(found.keys().map(|(_, kind)| *kind).collect::<Vec<_>>(), [Kind::HostScan], "{name}: {found:?}");
}

#[test]
fn dhcp_server_is_no_scanner() {
    raises_no_alert("d01-dhcp-server.pcap");
}

#[test]
fn television_that_answers_searches_is_no_scanner() {
    raises_no_alert("d03-ssdp-answers.pcap");
}

#[test]
fn station_that_wakes_networks_is_no_scanner() {
    raises_no_alert("d23-directed-broadcasts.pcap");
}

#[test]
fn sampled_capture_gives_no_verdict() {
    raises_no_alert("n03-sampled.pcap");
}

#[test]
fn conversations_of_one_packet_give_no_verdict() {
    raises_no_alert("oneway-seen-once.pcap");
}
