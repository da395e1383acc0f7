//! The exporter's standard output and standard error, where no capture of an interface is needed: no root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;

use common::client::get;
use common::exporter::{Exporter, program, wait_for};
use common::exposition::{parse, sum};
use common::ip::{Ipv4, udp};
use common::link::{Link, Sample};
use common::mix;
use common::outputs::{bytes_in, full_pipe, limit_file_size, non_blocking_pipe};
use common::savefile::Savefile;
use tempfile::TempDir;

/// Sources that each send more than the limit.
const SOURCES: u32 = 6_000;

/// A capture with an alert for each of the sources.
fn many_alerts() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let to_one = |source: u32| {
        let packet = Ipv4::carrying(udp(40_000, 9, &[0; 100]));
        let packet = packet.between(Ipv4Addr::from(0x0a08_0000 + source), Ipv4Addr::new(10, 9, 0, 1));
        Link::ethernet().carrying(&packet.build())
    };
    let frames: Vec<Sample> = (0..SOURCES).map(to_one).collect();
    let mut savefile = Savefile::new(1);
    for frame in &frames {
        savefile = savefile.frame_at(1_700_000_000, 0, frame);
    }
    let file = savefile.write(folder.path(), "many.pcap");
    (folder, file)
}

#[test]
fn a_file_is_read_to_its_end_though_its_alerts_are_not_read() {
    let (_folder, file) = many_alerts();
    let (_reader, out) = full_pipe();
    let options = ["-promHTTP", "127.0.0.1:0", "-ByteLimit", "10", "-r"];
    let mut command = program(options.iter().map(std::ffi::OsStr::new).chain([file.as_os_str()]));
    let exporter = Exporter::spawn_onto(&mut command, 1, out);
    exporter.is_ready();
    let families = || parse(&get(exporter.address(), "/metrics"));
    assert_eq!(sum(&families(), "trafficmonitor_interface_frames_total", None), u64::from(SOURCES));
    let alerts = sum(&families(), "trafficmonitor_alerts_total", None);
    assert_eq!(alerts, u64::from(SOURCES));
    // Those that the queue of events has taken are lost a little later than the file is read.
    let lost = wait_for("lost lines", || {
        let lost = sum(&families(), "trafficmonitor_queue_dropped_total", Some(("queue", "alerts")));
        (lost > 0).then_some(lost)
    });
    assert!(lost < alerts, "{lost}");
    exporter.signal("TERM");
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
    assert!(messages.contains("alert lines were lost at the end: standard output is blocked"), "{messages}");
}

#[test]
fn a_closed_standard_output_is_reported_and_its_lines_count_as_lost() {
    let (_folder, file) = many_alerts();
    let (reader, out) = std::io::pipe().unwrap();
    drop(reader);
    let options = ["-promHTTP", "127.0.0.1:0", "-ByteLimit", "10", "-r"];
    let mut command = program(options.iter().map(std::ffi::OsStr::new).chain([file.as_os_str()]));
    let mut exporter = Exporter::spawn_onto(&mut command, 1, Stdio::from(out));
    exporter.line_with("the reader of standard output has closed it");
    exporter.is_ready();
    wait_for("all lines are lost", || {
        let families = parse(&get(exporter.address(), "/metrics"));
        let lost = sum(&families, "trafficmonitor_queue_dropped_total", Some(("queue", "alerts")));
        (lost == u64::from(SOURCES)).then_some(())
    });
    exporter.signal("TERM");
    assert_eq!(exporter.ended().0.code(), Some(0));
}

#[test]
fn a_closed_terminal_does_not_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = mix::write(folder.path(), "mix.pcap");
    let exporter = Exporter::start(["-promHTTP", "127.0.0.1:0", "-r", file.to_str().unwrap()]);
    exporter.is_ready();
    exporter.signal("HUP");
    exporter.signal("HUP");
    assert_eq!(get(exporter.address(), "/-/healthy"), "healthy\n");
    exporter.signal("TERM");
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
}

#[test]
fn control_characters_in_file_names_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let name = "a\u{9b}31m\u{202e}\u{200b}.pcap";
    mix::write(folder.path(), name);
    let escaped = "a\\u{9b}31m\\u{202e}\\u{200b}.pcap";
    let is_safe = |text: &str| !text.contains(['\u{9b}', '\u{202e}', '\u{200b}']);
    let mut command = program(["-promHTTP", "127.0.0.1:0", "-r", name]);
    let exporter = Exporter::spawn(command.current_dir(folder.path()), 1);
    exporter.is_ready();
    exporter.signal("TERM");
    let (_, messages) = exporter.ended();
    assert!(messages.contains(&format!("frames read from {escaped}")) && is_safe(&messages), "{messages:?}");
    let output = program(["replay", name]).current_dir(folder.path()).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains(escaped) && is_safe(&table), "{table:?}");
    let output = program(["replay", "missing\u{9b}\u{2066}"]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("missing\\u{9b}\\u{2066}"), "{message:?}");
    let output = program(["repla\u{9b}\u{202e}"]).output().unwrap();
    assert!(is_safe(&String::from_utf8(output.stderr).unwrap()));
}

/// Its limit is 0 until it has said that it cannot write.
#[test]
fn a_file_that_may_not_grow_does_not_end_it() {
    let (folder, file) = many_alerts();
    let path = folder.path().join("alerts");
    let (mut input, input_end) = {
        let (reader, writer) = std::io::pipe().unwrap();
        (writer, Stdio::from(reader))
    };
    let mut command = program(["-promHTTP", "127.0.0.1:0", "-ByteLimit", "10", "-r", "-"]);
    let out = Stdio::from(std::fs::File::create(&path).unwrap());
    let mut exporter = Exporter::spawn_onto(command.stdin(input_end), 1, out);
    limit_file_size(exporter.id(), 0);
    let bytes = std::fs::read(file).unwrap();
    std::thread::spawn(move || input.write_all(&bytes).unwrap());
    exporter.line_with("cannot write alerts to standard output; retrying");
    limit_file_size(exporter.id(), 1 << 30);
    wait_for("the alerts", || {
        let written = std::fs::read_to_string(&path).unwrap().lines().count();
        let families = parse(&get(exporter.address(), "/metrics"));
        let lost = sum(&families, "trafficmonitor_queue_dropped_total", Some(("queue", "alerts")));
        // A line says how many are lost.
        let gaps = usize::from(lost > 0);
        (written == SOURCES as usize - usize::try_from(lost).unwrap() + gaps).then_some(())
    });
    exporter.signal("TERM");
    assert_eq!(exporter.ended().0.code(), Some(0));
}

#[test]
fn a_filter_waits_for_its_reader_also_where_the_pipe_does_not() {
    let (_folder, file) = many_alerts();
    let expected = program(["replay", "--output", "jsonl"]).arg(&file).output().unwrap().stdout;
    assert!(expected.len() > 1 << 18, "{} bytes are less than a pipe takes", expected.len());
    let (mut reader, out) = non_blocking_pipe();
    let mut command = program(["replay", "--output", "jsonl"]);
    let mut replay = command.arg(&file).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    // It has filled the pipe, and waits or has given up.
    let status = format!("/proc/{}/stat", replay.id());
    wait_for("a full pipe", || {
        let status = std::fs::read_to_string(&status).unwrap();
        let rests = [") S ", ") Z "].iter().any(|state| status.contains(state));
        (rests && bytes_in(&reader) >= 1 << 16).then_some(())
    });
    let mut written = Vec::new();
    reader.read_to_end(&mut written).unwrap();
    assert!(replay.wait().unwrap().success());
    assert!(written == expected, "{} of {} bytes", written.len(), expected.len());
}

#[test]
fn refusal_to_start_does_not_wait_for_a_reader() {
    let (_reader, error) = full_pipe();
    let mut child = program(["--no-such-option"]).stderr(error).spawn().unwrap();
    let status = wait_for("the program ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(2));
}
