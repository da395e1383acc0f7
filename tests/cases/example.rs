//! The worked example: `examples/cases.yml` and its capture, which is made here.

use std::fs;
use std::path::{Path, PathBuf};

use super::common::golden::is_in_document;
use super::common::ip::{Ipv4, tcp};
use super::common::savefile::Savefile;
use super::{SYN, on_ethernet, program};

const SECURITY_SCANNER: [u8; 4] = [10, 20, 0, 9];
const INFECTED: [u8; 4] = [10, 20, 0, 66];
const WORKSTATION: [u8; 4] = [10, 20, 0, 5];
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
/// Noon of a Wednesday.
const NOON: u32 = 1_700_049_600;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A segment from one port to another; its time is in tenths of a second after noon.
type Segment = (u32, [u8; 4], [u8; 4], [u16; 2], u8, usize);

/// A minute of an office: a security scanner of its own and, from second 30 on, an infected host try hosts without an
/// answer; a workstation fetches pages.
fn minute() -> Vec<Segment> {
    let scan = (0..40).map(|host: u8| (u32::from(host) * 2, SECURITY_SCANNER, [10, 20, 1, host], [40_000, 22], SYN, 0));
    let worm = (0..30).map(|host: u8| (300 + u32::from(host) * 2, INFECTED, [10, 20, 2, host], [50_000, 445], SYN, 0));
    let pages = (0..12).flat_map(|page: u8| {
        let (time, server, port) = (u32::from(page) * 50, [198, 51, 100, page], 60_000 + u16::from(page));
        [
            (time, WORKSTATION, server, [port, 443], SYN, 0),
            (time, server, WORKSTATION, [443, port], SYN_ACK, 0),
            (time + 1, WORKSTATION, server, [port, 443], ACK, 20),
            (time + 2, server, WORKSTATION, [443, port], ACK, 40),
        ]
    });
    let mut minute: Vec<Segment> = scan.chain(worm).chain(pages).collect();
    minute.sort_by_key(|(time, ..)| *time);
    minute
}

fn capture() -> Vec<u8> {
    let file = minute().into_iter().fold(Savefile::new(1), |file, (time, source, destination, ports, flags, bytes)| {
        let segment = tcp(ports[0], ports[1], flags, &vec![0; bytes]);
        let frame = on_ethernet(&Ipv4::carrying(segment).between(source.into(), destination.into()));
        file.frame_at(NOON + time / 10, time % 10 * 100_000, &frame)
    });
    file.build()
}

#[test]
fn capture_of_the_example_is_made_here() {
    let path = examples().join("cases.pcap");
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, capture()).unwrap();
    }
    assert!(fs::read(&path).unwrap() == capture(), "{}: run with UPDATE_GOLDEN=1 if it is meant", path.display());
}

/// The output of the example, as the document shows it.
#[test]
fn example_passes_and_the_document_shows_its_output() {
    let arguments = ["test", "examples/cases.yml"];
    let output = program(arguments).current_dir(examples().parent().unwrap()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
    is_in_document("docs/testing-rules.md", "cases", &indented);
}

#[test]
fn document_shows_the_example() {
    let text = fs::read_to_string(examples().join("cases.yml")).unwrap();
    is_in_document("docs/testing-rules.md", "example", &format!("```yaml\n{text}```\n"));
}

/// With a limit that is too high the first case of the example fails.
#[test]
fn document_shows_a_case_that_fails() {
    let text = fs::read_to_string(examples().join("cases.yml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::copy(examples().join("cases.pcap"), folder.path().join("cases.pcap")).unwrap();
    let raised = text.replace("config_file: trafficmonitor.yml", "options: -NumberContactedIPs 35");
    assert_ne!(raised, text);
    fs::write(folder.path().join("cases.yml"), raised).unwrap();
    let output = program(["test", "cases.yml"]).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("missing: host_scan of 10.20.0.66 (line "), "{said}");
    let shown: String = said.lines().skip(1).take(2).map(|line| format!("    {line}\n")).collect();
    is_in_document("docs/testing-rules.md", "raised", &shown);
}
