//! Alerts of files.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;

use super::common::exporter::{program, signal};
use super::common::ip::{Ipv4, tcp};
use super::common::replay::replay;
use super::common::savefile::Savefile;
use super::{CLIENT, SYN, folder, on_ethernet};

/// A file in which the client tries 40 hosts, a tenth of a second apart, and none answers.
pub fn sweep(folder: &Path) -> PathBuf {
    let syn = || Ipv4::carrying(tcp(50_000, 22, SYN, &[]));
    let probe = |host: u8| on_ethernet(&syn().between(CLIENT, [10, 0, 1, host].into()));
    let file = (0..40_u8).fold(Savefile::new(1), |file, host| {
        file.frame_at(1_700_000_000 + u32::from(host) / 10, u32::from(host) % 10 * 100_000, &probe(host))
    });
    file.write(folder, "sweep.pcap")
}

#[test]
fn alerts_are_lines_of_json_whatever_the_workers() {
    let folder = folder();
    let file = sweep(folder.path());
    let file = file.to_str().unwrap();
    let run = |workers| replay([file, "--output", "alerts", "--workers", workers]);
    let alone = run("1");
    let lines = alone.lines();
    let said: Vec<_> = lines.iter().map(|line| json!([line["src"], line["kind"], line["state"]])).collect();
    let expected = ["firing", "resolved"].map(|state| json!([CLIENT.to_string(), "host_scan", state]));
    assert_eq!(said, expected, "{lines:?}");
    // The sixteenth of them was sent 1.5 s after the first, and stayed unanswered for a second.
    assert_eq!(lines[0]["ts"].as_f64(), Some(1_700_000_002.5));
    // The capture cuts it off: it ends with the last packet.
    assert_eq!(lines[1]["ends_at"].as_f64(), Some(1_700_000_003.9));
    for workers in ["2", "3"] {
        assert_eq!(run(workers).output, alone.output);
    }
}

/// The begin of each alert about the sweep with these exclusions, and the first target.
fn found_with(exclusions: &str) -> Vec<(f64, String)> {
    let folder = folder();
    let file = sweep(folder.path());
    let settings = folder.path().join("t.yml");
    std::fs::write(&settings, format!("alert: {{exclusions: [{exclusions}]}}\n")).unwrap();
    let run = replay([file.to_str().unwrap(), "-c", settings.to_str().unwrap(), "--output", "alerts"]);
    let lines = run.lines();
    let fired = lines.iter().filter(|line| line["state"] == "firing");
    fired
        .map(|line| (line["ts"].as_f64().unwrap(), line["first_targets"][0]["dst"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn excluded_contacts_do_not_count_and_others_of_the_same_source_do() {
    let whole = [(1_700_000_002.5, "10.0.1.0".to_owned())];
    assert_eq!(found_with("{source_port: 50001}"), whole);
    assert_eq!(found_with("{source_port: 50000}"), []);
    assert_eq!(found_with("{source_port: 50000, port: 23}"), whole);
    assert_eq!(found_with("{source_port: 50000, port: 22}"), []);
    assert_eq!(found_with("{source_port: 50000, kind: host_scan}"), []);
    assert_eq!(found_with("{source_port: 50000, kind: port_scan}"), whole);
    assert_eq!(found_with("{source: 10.0.0.1, destination: 10.0.1.0/24}"), []);
    assert_eq!(found_with("{source: 10.0.0.2, destination: 10.0.1.0/24}"), whole);
    assert_eq!(found_with("{source: 10.0.1.0/24, destination: 10.0.0.0/24}"), whole, "the other direction");
    // Without the first sixteen hosts, the thirty-second is the sixteenth.
    let others = [(1_700_000_004.1, "10.0.1.16".to_owned())];
    assert_eq!(found_with("{source: 10.0.0.0/24, destination: 10.0.1.0/28}"), others);
    assert_eq!(found_with("{destination: 10.0.1.0/28}, {destination: 10.0.1.32/28}"), others);
    assert_eq!(found_with("{source: 10.0.0.0/24, destination: 10.0.1.0/27}"), []);
}

/// The time of the last line's end; the file has `frames`, each with its time in milliseconds.
fn end_of_the_last(name: &str, frames: impl Iterator<Item = (u32, [u8; 4])>) -> (f64, f64) {
    let folder = folder();
    let probe =
        |target: [u8; 4]| on_ethernet(&Ipv4::carrying(tcp(50_000, 22, SYN, &[])).between(CLIENT, target.into()));
    let file = frames.fold(Savefile::new(1), |file, (time, target)| {
        file.frame_at(1_700_000_000 + time / 1_000, time % 1_000 * 1_000, &probe(target))
    });
    let file = file.write(folder.path(), name);
    let run = replay([file.to_str().unwrap(), "--output", "alerts"]);
    let lines = run.lines();
    let last = lines.last().expect(&run.messages);
    assert_eq!(last["state"], "resolved", "{last}");
    (last["ts"].as_f64().unwrap(), last["ends_at"].as_f64().unwrap())
}

#[test]
fn alert_that_the_end_of_a_file_cuts_off_ends_with_the_last_packet() {
    let sweep = || (0..20_u8).map(|host| (u32::from(host) * 100, [10, 0, 1, host]));
    let began = 1_700_000_002.5;
    // Another host a little later.
    assert_eq!(end_of_the_last("later.pcap", sweep().chain([(30_250, [10, 0, 2, 1])])), (began, 1_700_000_030.25));
    // The rule became true after the last packet, when answers were waited for in vain.
    assert_eq!(end_of_the_last("short.pcap", sweep()), (began, began));
    // The clock was set back before the last packet: that is when it ends, but not before it began.
    assert_eq!(
        end_of_the_last("set.pcap", sweep().chain([(3_000, [10, 0, 2, 1]), (500, [10, 0, 2, 2])])),
        (began, began)
    );
}

/// A table and metrics show the alert as it stands; the lines end it, with the same figures.
#[test]
fn outputs_agree_on_an_alert_that_fires_at_the_end() {
    let folder = folder();
    let file = sweep(folder.path());
    let run = |arguments: &[&str]| replay([file.to_str().unwrap()].iter().chain(arguments)).output;
    let table = run(&[]);
    assert!(table.contains("host_scan") && table.contains("still firing"), "{table}");
    let metrics = run(&["--output", "prometheus"]);
    let firing = |line: &&str| line.starts_with("trafficmonitor_alert_firing{") && line.ends_with(" 1");
    assert_eq!(metrics.lines().filter(firing).count(), 1, "{metrics}");
    let lines = run(&["--output", "alerts"]);
    assert_eq!(lines.lines().filter(|line| line.contains("\"state\":\"resolved\"")).count(), 1, "{lines}");
    for counts in ["jsonl", "csv"] {
        let counted = run(&["--output", counts]);
        assert!(!counted.contains("host_scan"), "{counted}");
    }
}

/// One source with so many targets that only a sample of them is kept.
#[test]
fn past_the_limits_the_same_capture_gives_the_same_alerts() {
    let folder = folder();
    let probe = |number: u32| {
        let (source, target) =
            if number.is_multiple_of(2) { (CLIENT, number) } else { ((0x0b00_0000 + number * 7).into(), 1) };
        let packet = Ipv4::carrying(tcp(50_000, 22, SYN, &[])).between(source, (0x0a01_0000 + target).into());
        on_ethernet(&packet)
    };
    let frames = (0..12_000).map(|number| (1_700_000_000 + number / 2_000, number % 2_000 * 500, probe(number)));
    let file = frames.fold(Savefile::new(1), |file, (second, micros, probe)| file.frame_at(second, micros, &probe));
    let file = file.write(folder.path(), "flood.pcap");
    let run = |workers| replay([file.to_str().unwrap(), "--output", "alerts", "--anom.alerts", "--workers", workers]);
    let first = run("1");
    assert!(first.lines().iter().any(|line| line["src"] == CLIENT.to_string()), "{}", first.messages);
    for workers in ["1", "2", "3"] {
        assert_eq!(run(workers).output, first.output);
    }
}

/// As a live capture does; a log line then says how many there were.
#[test]
fn a_file_that_is_served_has_its_alerts_on_standard_output() {
    let folder = folder();
    let file = sweep(folder.path());
    let mut command = program(["-r", file.to_str().unwrap(), "-promHTTP", "127.0.0.1:0", "--explain"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let read = said.into_iter().find(|line| line.contains("firing=")).expect("a line when the file is read");
    assert!(read.contains("frames=40 alerts=1 firing=1"), "{read}");
    signal(child.id(), "TERM");
    let printed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(printed.contains("host_scan") && printed.contains("10.0.0.1 tried "), "{printed}");
}

/// Packets of 12,000 strangers, then the sweep.
fn flood_and_sweep(folder: &Path) -> PathBuf {
    let syn = || Ipv4::carrying(tcp(50_000, 22, SYN, &[]));
    let stranger = |number: u32| on_ethernet(&syn().between((0xc612_0000 + number).into(), [10, 0, 2, 1].into()));
    let probe = |host: u8| on_ethernet(&syn().between(CLIENT, [10, 0, 1, host].into()));
    let flood = (0..12_000).fold(Savefile::new(1), |file, number| {
        file.frame_at(1_700_000_000 + number / 6_000, number % 6_000, &stranger(number))
    });
    let file = (0..40_u8).fold(flood, |file, host| {
        file.frame_at(1_700_000_010 + u32::from(host) / 10, u32::from(host) % 10 * 100_000, &probe(host))
    });
    file.write(folder, "flood.pcap")
}

#[test]
fn flood_of_sources_that_are_not_permitted_silences_no_other_alert() {
    let folder = folder();
    let file = flood_and_sweep(folder.path());
    let run = replay([file.to_str().unwrap(), "--policy.permitted", "10.0.0.0/8", "--output", "alerts"]);
    let lines = run.lines();
    let fired = |kind: &str| lines.iter().filter(|line| line["kind"] == kind && line["state"] == "firing").count();
    assert_eq!([fired("host_scan"), fired("policy")], [1, 100]);
    let told = "no space for further alerts of this kind: these detections are only counted\" kind=policy detections=";
    assert!(run.messages.contains(told), "{}", run.messages);
}
