//! `trafficmonitor test` over captures and cases that the tests write themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "cases/example.rs"]
mod example;
#[path = "cases/junit.rs"]
mod junit;
#[path = "cases/refused.rs"]
mod refused;

use std::fs;
use std::path::Path;

use common::compress::Form;
use common::exporter::program;
use common::ip::{Ipv4, tcp, udp};
use common::link::{Link, Sample};
use common::pcapng::Pcapng;
use common::savefile::{ByteOrder, Savefile};
use tempfile::TempDir;

/// The host that sweeps.
const SCANNER: [u8; 4] = [10, 0, 0, 1];
/// The host that sends much.
const BACKUP: [u8; 4] = [10, 0, 0, 2];
const BEGIN: u32 = 1_700_000_000;
const SYN: u8 = 0x02;

/// The end of a run.
#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    output: String,
    messages: String,
}

/// A folder with captures and files of cases.
struct Cases(TempDir);

impl Cases {
    /// With `sweep.pcap`, `quiet.pcap` and `both.pcap`, and these cases in `cases.yml`.
    fn new(cases: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        sweep(BEGIN).write(folder.path(), "sweep.pcap");
        Savefile::new(1).frame_at(BEGIN, 0, &heavy(BACKUP)).write(folder.path(), "quiet.pcap");
        let both = (0..40).fold(sweep(BEGIN), |file, number| file.frame_at(BEGIN + 5, number, &heavy(BACKUP)));
        both.write(folder.path(), "both.pcap");
        folder.with("cases.yml", cases)
    }

    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path().join(name), text).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// `trafficmonitor test` with these arguments, in the folder.
    fn run(&self, arguments: &[&str]) -> Ended {
        let output = program(["test"].iter().chain(arguments)).current_dir(self.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ended { status: output.status.code(), output: text(output.stdout), messages: text(output.stderr) }
    }
}

/// The scanner tries 40 hosts, a tenth of a second apart, and none answers. Its alert begins 2.5 s after the first frame:
/// the sixteenth contact stays unanswered for a second.
fn sweep(begin: u32) -> Savefile {
    (0..40_u8).fold(Savefile::new(1), |file, host| {
        let probe = Ipv4::carrying(tcp(50_000, 22, SYN, &[])).between(SCANNER.into(), [10, 0, 1, host].into());
        file.frame_at(begin + u32::from(host) / 10, u32::from(host) % 10 * 100_000, &on_ethernet(&probe))
    })
}

/// A packet of 1,028 bytes from this host.
fn heavy(source: [u8; 4]) -> Sample {
    let packet = Ipv4::carrying(udp(40_000, 9, &[0; 1_000])).between(source.into(), [192, 0, 2, 1].into());
    on_ethernet(&packet)
}

fn on_ethernet(packet: &Ipv4) -> Sample {
    Link::ethernet().carrying(&packet.build())
}

/// A case by the name `x` about a capture, with more lines of its own, each of which is indented as keys of the case are.
fn case(capture: &str, lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {}\n", line.trim_start_matches('|'))).collect();
    format!("cases:\n  - name: x\n    capture: {capture}\n{lines}")
}

const PASSED: &str = "cases.yml\n  ok    x (";

/// One case that passes.
#[track_caller]
fn passes(capture: &str, lines: &str) {
    let ended = Cases::new(&case(capture, lines)).run(&["cases.yml"]);
    assert_eq!((ended.status, ended.messages.as_str()), (Some(0), ""), "{}", ended.output);
    assert!(ended.output.starts_with(PASSED), "{}", ended.output);
    assert!(ended.output.ends_with(")\n1 case: 1 passed, 0 failed\n"), "{}", ended.output);
}

/// One case that fails with these differences, without the sentences of alerts.
#[track_caller]
fn fails(capture: &str, lines: &str, differences: &[&str]) -> String {
    let ended = Cases::new(&case(capture, lines)).run(&["cases.yml"]);
    assert_eq!((ended.status, ended.messages.as_str()), (Some(1), ""), "{}", ended.output);
    assert!(ended.output.starts_with("cases.yml\n  FAIL  x ("), "{}", ended.output);
    assert!(ended.output.ends_with("\n1 case: 0 passed, 1 failed\n"), "{}", ended.output);
    let said: Vec<&str> = ended.output.lines().skip(2).filter_map(|line| line.strip_prefix("        ")).collect();
    let said: Vec<&str> = said.into_iter().filter(|line| !line.starts_with("  ")).collect();
    assert_eq!(said, differences);
    ended.output
}

const SWEEP: &str = "alerts:\n|  - {kind: host_scan, source: 10.0.0.1}";

// ---- What passes ---------------------------------------------------------------------------------------------------------

#[test]
fn expected_alert_passes() {
    passes("sweep.pcap", SWEEP);
    let all = "alerts:\n|  - {kind: host_scan, source: 10.0.0.0/24, rule: host_scan, severity: warning, side: inside, \
               min_value: 16, after: 2, before: 2.5}";
    passes("sweep.pcap", all);
    passes("sweep.pcap", "alerts:\n|  - {kind: host_scan, source: 10.0.0.1, before: 2023-11-14T22:13:22.5Z}");
    passes("sweep.pcap", "alerts:\n|  - {kind: host_scan, source: 10.0.0.1, after: 2s500ms, before: 1m}");
}

#[test]
fn capture_without_alerts_passes_if_none_is_expected() {
    passes("quiet.pcap", "");
    passes("quiet.pcap", "alerts: []");
    passes("quiet.pcap", "absent:\n|  - kind: host_scan");
}

#[test]
fn several_captures_are_read_in_their_order() {
    let later = sweep(BEGIN + 60);
    let text = case(
        "[quiet.pcap, later.pcap]",
        "alerts:\n|  - {kind: host_scan, source: 10.0.0.1, after: 62.5, before: 62.5}",
    );
    let cases = Cases::new(&text).with("later.pcap", later.build());
    let ended = cases.run(&["cases.yml"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(ended.output, "cases.yml\n  ok    x (41 frames, 1 alert)\n1 case: 1 passed, 0 failed\n");
}

#[test]
fn captures_may_have_every_form_that_replay_reads() {
    let frame = |host: u8| {
        on_ethernet(&Ipv4::carrying(tcp(50_000, 22, SYN, &[])).between(SCANNER.into(), [10, 0, 1, host].into()))
    };
    let blocks = Pcapng::new(ByteOrder::Big).interface(1, 65_535);
    let blocks = (0..40).fold(blocks, |file, host| file.frame(0, &frame(host))).build();
    let mut files = vec![("x.pcapng", blocks)];
    files.extend(["gzip.x", "zstd.x", "xz.x"].into_iter().zip(Form::ALL.map(|form| form.of(&sweep(BEGIN).build()))));
    for (name, bytes) in files {
        let ended = Cases::new(&case(name, SWEEP)).with(name, bytes).run(&["cases.yml"]);
        assert_eq!((ended.status, ended.messages.as_str()), (Some(0), ""), "{name}: {}", ended.output);
        assert!(ended.output.contains("(40 frames, 1 alert)"), "{name}: {}", ended.output);
    }
}

#[test]
fn files_are_named_relative_to_the_file_of_cases() {
    let text = "cases:\n  - {name: x, capture: ../quiet.pcap, config_file: own.yml}\n";
    let cases = Cases::new("");
    fs::create_dir(cases.path().join("below")).unwrap();
    let cases = cases.with("below/cases.yml", text).with("below/own.yml", "bandwidth: {limit: 1M}\n");
    assert_eq!(cases.run(&["below/cases.yml"]).status, Some(0));
    let whole = cases.path().join("below/cases.yml");
    assert_eq!(cases.run(&[whole.to_str().unwrap()]).status, Some(0));
}

#[test]
fn settings_of_a_case_lie_over_those_of_file_and_command_line() {
    let limits = "config: {bandwidth: {limit: 30K}}";
    let alert =
        "alerts:\n|  - {kind: bandwidth, source: 10.0.0.2, min_value: 41K}\n|  - {kind: host_scan, source: 10.0.0.1}";
    passes("both.pcap", &format!("{limits}\n{alert}"));
    passes("both.pcap", &format!("options: -ByteLimit 30K\n{alert}"));
    passes("both.pcap", &format!("options: [-ByteLimit, 30000]\nconfig: {{bandwidth: {{limit: 90K}}}}\n{alert}"));
    let own = "cases:\n  - name: x\n    capture: both.pcap\n    config: {bandwidth: {limit: 90K}}\n    alerts:\n      - {kind: host_scan, source: 10.0.0.1}\n";
    let defaults = format!("defaults: {{config_file: own.yml, capture: quiet.pcap}}\n{own}");
    let cases = Cases::new(own).with("own.yml", "bandwidth: {limit: 30K}\n").with("defaults.yml", defaults);
    for arguments in [&["cases.yml", "-ByteLimit", "30K"][..], &["-c", "own.yml", "cases.yml"], &["defaults.yml"]] {
        let ended = cases.run(arguments);
        assert_eq!((ended.status, ended.messages.as_str()), (Some(0), ""), "{arguments:?}: {}", ended.output);
    }
}

#[test]
fn exclusions_and_filters_of_a_case_are_used() {
    passes("sweep.pcap", "config: {alert: {exclusions: [{network: 10.0.0.1/32}]}}");
    passes("both.pcap", "options: -filter udp");
}

#[test]
fn others_may_be_allowed() {
    passes("both.pcap", "others: allow\noptions: -ByteLimit 30K\nalerts:\n|  - {kind: bandwidth, source: 10.0.0.2}");
    passes("sweep.pcap", "others: allow\nabsent:\n|  - {kind: port_scan}\n|  - {source: 10.0.0.2}");
}

#[test]
fn cases_run_in_their_order_and_a_part_of_their_names_chooses_them() {
    let text = format!("defaults:\n  capture: quiet.pcap\n{}", "cases:\n  - name: b\n  - name: a\n  - name: ab\n");
    let cases = Cases::new(&text).with("more.yml", "cases:\n  - {name: c, capture: quiet.pcap}\n");
    let names = |arguments: &[&str]| -> Vec<String> {
        let ended = cases.run(arguments);
        assert_eq!(ended.status, Some(0), "{ended:?}");
        ended
            .output
            .lines()
            .map(|line| line.split(" (").next().unwrap().trim_start_matches("  ok    ").to_owned())
            .collect()
    };
    assert_eq!(
        names(&["cases.yml", "more.yml"]),
        ["cases.yml", "b", "a", "ab", "more.yml", "c", "4 cases: 4 passed, 0 failed"]
    );
    assert_eq!(
        names(&["cases.yml", "more.yml", "--run", "a"]),
        ["cases.yml", "a", "ab", "2 cases: 2 passed, 0 failed"]
    );
}

// ---- What fails ----------------------------------------------------------------------------------------------------------

#[test]
fn missing_alert_fails() {
    fails("quiet.pcap", SWEEP, &["missing: host_scan of 10.0.0.1 (line 5)"]);
    fails(
        "quiet.pcap",
        "alerts:\n|  - {kind: anomaly, source: 10.0.0.1, destination: 10.0.0.0/8, rule: mine}\n|  - {kind: bandwidth, network: 10.0.0.0/8}",
        &[
            "missing: anomaly of 10.0.0.1 to 10.0.0.0/8 by rule mine (line 5)",
            "missing: bandwidth of network 10.0.0.0/8 (line 6)",
        ],
    );
}

#[test]
fn unexpected_alert_fails_with_its_sentence() {
    let output = fails("sweep.pcap", "", &["unexpected: host_scan of 10.0.0.1 at 2.5 s (2023-11-14T22:13:22.500000Z)"]);
    let sentence = "          10.0.0.1 tried 20 hosts of 10.0.1.0/24 at 22/tcp in the last 170 s, 20 failed (limit 15): first 10.0.1.0:22/tcp";
    assert!(output.contains(sentence), "{output}");
}

#[test]
fn alert_at_the_wrong_time_fails() {
    let began = "host_scan of 10.0.0.1 (line 5): it began at 2.5 s (2023-11-14T22:13:22.500000Z), expected at";
    let with = |limit: &str| format!("alerts:\n|  - {{kind: host_scan, source: 10.0.0.1, {limit}}}");
    fails("sweep.pcap", &with("before: 2.4"), &[&format!("late: {began} 2.4 s at the latest")]);
    fails("sweep.pcap", &with("after: 3"), &[&format!("early: {began} 3 s at the earliest")]);
    let absolute = format!("late: {began} 2023-11-14T22:13:22.000000Z at the latest");
    fails("sweep.pcap", &with("before: 2023-11-14T22:13:22Z"), &[&absolute]);
}

#[test]
fn alert_with_other_properties_fails() {
    let lines = "alerts:\n|  - {kind: host_scan, source: 10.0.0.1, severity: critical, side: outside, min_value: 41}";
    let of = "host_scan of 10.0.0.1 (line 5):";
    let differences = [
        format!("severity: {of} it is warning, expected critical"),
        format!("side: {of} it is inside, expected outside"),
        format!("value: {of} it reached 40, expected 41 at least"),
    ];
    fails("sweep.pcap", lines, &differences.each_ref().map(String::as_str));
}

#[test]
fn alert_that_must_be_absent_fails() {
    let at = "host_scan of 10.0.0.1 at 2.5 s (2023-11-14T22:13:22.500000Z)";
    fails(
        "sweep.pcap",
        "others: allow\nabsent:\n|  - {source: 10.0.0.0/30}",
        &[&format!("not absent: {at}, absent is any alert of 10.0.0.0/30 (line 6)")],
    );
}

#[test]
fn damaged_capture_fails_its_case_alone() {
    let mut broken = sweep(BEGIN).build();
    broken.truncate(broken.len() - 10);
    let text = "cases:\n  - {name: broken, capture: broken.pcap, others: allow, absent: [{kind: anomaly}]}\n  \
                - {name: text, capture: cases.yml}\n  - {name: empty, capture: empty.pcap}\n  - {name: whole, capture: quiet.pcap}\n  \
                - {name: filter, capture: quiet.pcap, options: -filter nonsense}\n";
    let cases = Cases::new(text).with("broken.pcap", broken).with("empty.pcap", Savefile::new(1).build());
    let ended = cases.run(&["cases.yml"]);
    assert_eq!((ended.status, ended.messages.as_str()), (Some(1), ""), "{ended:?}");
    let has = |text: &str| assert!(ended.output.contains(text), "no {text:?}: {}", ended.output);
    has("  FAIL  broken\n        broken.pcap: file is broken after 39 frames: ");
    has("  FAIL  text\n        cases.yml: not a capture file");
    has("  FAIL  empty\n        no frame was read; ");
    has("  ok    whole (1 frame, 0 alerts)\n");
    has("  FAIL  filter\n        filter `nonsense` does not compile: ");
    has("5 cases: 1 passed, 4 failed\n");
}

#[test]
fn names_cannot_command_a_terminal() {
    let text = "cases:\n  - {name: \"a\\e[31m\\nb\\u202ec\", capture: sweep.pcap}\n";
    let ended = Cases::new(text).run(&["cases.yml"]);
    assert!(ended.output.contains("  FAIL  a\\u{1b}[31m\\nb\\u{202e}c (40 frames"), "{}", ended.output);
}

#[test]
fn same_cases_give_the_same_bytes() {
    let cases = Cases::new(&case("both.pcap", "options: -ByteLimit 30K"));
    let runs = [(); 2].map(|()| cases.run(&["cases.yml", "--junit", "out.xml"]).output);
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0].matches("unexpected: ").count(), 2, "{}", runs[0]);
}
