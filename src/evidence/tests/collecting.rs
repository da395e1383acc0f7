//! The packets that files get, and what verdicts say of them.

use super::frames::{ACK, arp, solicitation, unreachable};
use super::*;
use crate::detect::Span;

const SCANNER: [u8; 4] = [10, 0, 0, 5];
const OTHER: [u8; 4] = [10, 0, 0, 6];
const THIRD: [u8; 4] = [10, 0, 0, 7];

fn scan() -> Alert {
    alert(Kind::HostScan, Subject::Source(address(5)))
}

/// The reasons why the window is not complete.
fn reasons(directory: &Path) -> Vec<String> {
    let verdict = verdict(directory);
    let reasons = verdict["window"]["reasons"].as_array().unwrap();
    assert_eq!(verdict["window"]["complete"], reasons.is_empty());
    reasons.iter().map(|reason| reason.as_str().unwrap().to_owned()).collect()
}

#[test]
fn file_has_packets_from_before_the_alert_until_it_resolves() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config::default());
    for second in [10, 29, 31, 90] {
        run.send(second, SCANNER, OTHER);
        run.send(second, OTHER, THIRD);
    }
    run.fire(&scan());
    run.send(101, OTHER, SCANNER);
    run.resolve(&scan(), 120);
    run.send(150, SCANNER, THIRD);
    let figures = run.finish();
    let file = only(folder.path(), ".pcapng");
    assert_eq!(times(&file), [31, 90, 101], "from 10 s before the window of 60 s");
    let verdict = verdict(folder.path());
    assert_eq!(verdict["file"]["packets"], 3);
    assert_eq!(verdict["file"]["bytes"], file.metadata().unwrap().len());
    assert_eq!(verdict["file"]["interfaces"][0]["name"], "eth0");
    assert_eq!(verdict["alert"]["fingerprint"], scan().fingerprint.to_string());
    assert_eq!([&verdict["window"]["start"], &verdict["window"]["fired"]], [30.0, 100.0]);
    assert_eq!([&verdict["file"]["first_packet"], &verdict["file"]["last_packet"]], [31.0, 101.0]);
    assert_eq!(reasons(folder.path()), [""; 0]);
    assert_eq!((figures.written_files, figures.written_packets, figures.open_files), (1, 3, 0));
    let configuration = folder.path().join(verdict["configuration"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(configuration).unwrap(), "scan: {}\n");
}

#[test]
fn index_has_the_file_and_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config::default());
    run.send(90, SCANNER, OTHER);
    run.fire(&scan());
    run.wait_until("one file open", |figures| figures.open_files == 1);
    let (index, fingerprint) = (run.index.clone(), scan().fingerprint);
    let begun = index.find(fingerprint).unwrap();
    assert_eq!((begun.is_finished, begun.sha256.as_str()), (false, ""));
    let part = PathBuf::from(format!("{}.part", begun.path.display()));
    assert!(part.exists() && !begun.path.exists());
    run.resolve(&scan(), 110);
    run.finish();
    let finished = index.find(fingerprint).unwrap();
    assert_eq!((finished.is_finished, finished.packets, finished.is_complete), (true, 1, true));
    assert_eq!(finished.path, begun.path);
    let expected = std::process::Command::new("sha256sum").arg(&finished.path).output().unwrap().stdout;
    assert!(String::from_utf8(expected).unwrap().starts_with(&finished.sha256));
    assert_eq!(verdict(folder.path())["file"]["sha256"], finished.sha256);
}

/// The packets, of all those sent, that are in the file about this subject.
fn concerning(kind: Kind, subject: Subject) -> Vec<i64> {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config::default());
    run.send(71, SCANNER, OTHER);
    run.send(72, OTHER, SCANNER);
    run.send(73, OTHER, THIRD);
    run.record(74, &arp(SCANNER, OTHER));
    run.record(75, &unreachable(THIRD, SCANNER));
    run.record(76, &solicitation(5, 6));
    run.record(77, &[0; 20]);
    run.recorder.hand_over();
    let alert = alert(kind, subject);
    run.fire(&alert);
    run.resolve(&alert, 110);
    run.finish();
    times(&only(folder.path(), ".pcapng"))
}

#[test]
fn file_has_the_packets_of_its_subject_alone() {
    let (source, destination) = (address(5), address(6));
    assert_eq!(concerning(Kind::HostScan, Subject::Source(source)), [71, 72, 74, 75]);
    assert_eq!(concerning(Kind::Bandwidth, Subject::Destination(address(7))), [73, 75]);
    assert_eq!(concerning(Kind::Bandwidth, Subject::Pair { source, destination }), [71, 72, 74]);
    let network = |text: &str| Subject::Network(text.parse().unwrap());
    assert_eq!(concerning(Kind::Bandwidth, network("10.0.0.6/31")), [71, 72, 73, 74, 75]);
    assert_eq!(concerning(Kind::Bandwidth, network("10.0.0.0/8")), [71, 72, 73, 74, 75]);
    assert_eq!(concerning(Kind::Bandwidth, network("fd00::/64")), [76]);
    assert_eq!(concerning(Kind::HostScan, Subject::Source("fd00::6".parse().unwrap())), [76]);
}

#[test]
fn answered_conversations_of_others_prove_that_answers_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config::default());
    for second in [80, 81, 82] {
        run.record(second, &tcp((SCANNER, 1), ([10, 0, 1, second as u8], 22), SYN));
        run.record(second, &tcp((OTHER, 1_000), (THIRD, 80), SYN));
        run.record(second, &tcp((THIRD, 80), (OTHER, 1_000), SYN | ACK));
        run.recorder.hand_over();
    }
    run.fire(&scan());
    run.resolve(&scan(), 110);
    run.finish();
    // A sixteenth of the window, 3.75 s, lies between two witnesses.
    assert_eq!(times(&only(folder.path(), ".pcapng")), [80, 80, 80, 81, 82]);
}

#[test]
fn window_that_left_the_ring_is_not_complete() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config { ring_bytes: Some(2_000), ..Config::default() });
    (60..100).for_each(|second| run.send(second, SCANNER, OTHER));
    run.fire(&scan());
    run.resolve(&scan(), 110);
    let figures = run.finish();
    let times = times(&only(folder.path(), ".pcapng"));
    assert!(times.last() == Some(&99) && times[0] > 80, "{times:?}");
    let reach = 100 - times[0] + 1;
    assert_eq!(reasons(folder.path()), [format!("the ring reached back {reach}.0 s of 70.0 s")]);
    assert!(figures.ring_bytes <= 2_000 && figures.ring_span < Duration::from_secs(20), "{figures:?}");
}

#[test]
fn lost_packets_in_the_window_are_named() {
    for (second, expected) in [(20, 0), (50, 1), (105, 1), (200, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::start(folder.path(), Config::default());
        run.send(90, SCANNER, OTHER);
        run.evidence.sender().note_lost(7, seconds(second));
        run.fire(&scan());
        run.resolve(&scan(), 110);
        let figures = run.finish();
        assert_eq!(figures.lost_packets, 7);
        let expected = vec!["7 packets were lost in the window".to_owned(); expected];
        assert_eq!(reasons(folder.path()), expected, "second {second}");
    }
}

#[test]
fn full_file_ends_and_says_so_if_the_alert_had_not_fired() {
    for (before, after, expected) in [(40, 0, 1), (2, 40, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::start(folder.path(), Config { max_bytes: 1_000, ..Config::default() });
        (0..before).for_each(|_| run.send(90, SCANNER, OTHER));
        run.fire(&scan());
        (0..after).for_each(|_| run.send(101, SCANNER, OTHER));
        run.wait_until("finished", |figures| figures.written_files == 1);
        run.resolve(&scan(), 200);
        run.finish();
        // Each packet takes 88 bytes.
        assert_eq!(times(&only(folder.path(), ".pcapng")).len(), 11);
        assert_eq!(reasons(folder.path()), vec!["the file was full before the alert fired"; expected]);
    }
}

#[test]
fn file_ends_after_the_longest_time_though_the_alert_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config { longest: Duration::from_secs(30), ..Config::default() });
    run.send(90, SCANNER, OTHER);
    run.fire(&scan());
    [129, 131].into_iter().for_each(|second| run.send(second, SCANNER, OTHER));
    run.wait_until("finished", |figures| figures.written_files == 1);
    run.send(132, SCANNER, OTHER);
    run.finish();
    assert_eq!(times(&only(folder.path(), ".pcapng")), [90, 129]);
    assert_eq!(reasons(folder.path()), [""; 0]);
}

#[test]
fn anomaly_is_complete_only_if_nothing_has_left_the_ring() {
    let anomaly = alert(Kind::Anomaly, Subject::Pair { source: address(5), destination: address(6) });
    for (ring_bytes, expected) in
        [(1 << 20, &[][..]), (3_000, &["the rule compares with traffic from before the ring"])]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::start(folder.path(), Config { ring_bytes: Some(ring_bytes), ..Config::default() });
        (0..40).for_each(|second| run.send(second / 4, SCANNER, OTHER));
        run.send(90, SCANNER, OTHER);
        run.fire(&anomaly);
        run.resolve(&anomaly, 110);
        run.finish();
        assert_eq!(reasons(folder.path()), expected);
        let packets = times(&only(folder.path(), ".pcapng")).len();
        assert_eq!(packets, if expected.is_empty() { 41 } else { 1 }, "all of the history, if it is there");
        let start = &verdict(folder.path())["window"]["start"];
        assert_eq!(*start, if expected.is_empty() { Value::Null } else { 30.0.into() });
        let bytes = std::fs::read(only(folder.path(), ".pcapng")).unwrap();
        let comment = String::from_utf8_lossy(&bytes[..1_500]).into_owned();
        let start = if expected.is_empty() { "the start of the capture" } else { "1970-01-01T00:00:30" };
        assert!(comment.contains(&format!("\nfrom {start}")), "{comment}");
    }
}

#[test]
fn estimate_is_not_complete() {
    let folder = tempfile::tempdir().unwrap();
    let mut alert = scan();
    alert.figures.is_estimate = true;
    let mut run = Run::start(folder.path(), Config::default());
    run.send(90, SCANNER, OTHER);
    run.fire(&alert);
    run.finish();
    assert_eq!(reasons(folder.path()), ["the figures are estimates"]);
}

#[test]
fn earlier_packets_that_count_belong_to_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut alert = scan();
    alert.figures.span = Some(Span { first: seconds(20), last: seconds(100), precision: Duration::ZERO });
    let mut run = Run::start(folder.path(), Config::default());
    [9, 11, 90].into_iter().for_each(|second| run.send(second, SCANNER, OTHER));
    run.fire(&alert);
    run.resolve(&alert, 110);
    run.finish();
    assert_eq!(times(&only(folder.path(), ".pcapng")), [11, 90]);
}

#[test]
fn each_episode_has_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config::default());
    run.send(90, SCANNER, OTHER);
    run.fire(&scan());
    run.resolve(&scan(), 110);
    run.wait_until("finished", |figures| figures.written_files == 1);
    run.fire(&scan());
    run.resolve(&scan(), 120);
    run.finish();
    let names: Vec<String> = files(folder.path(), ".pcapng")
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let stem = "19700101T000140.000Z-host_scan-10.0.0.5-";
    assert!(names.len() == 2 && names.iter().all(|name| name.starts_with(stem)), "{names:?}");
    assert!(names[0].ends_with("-2.pcapng"), "{names:?}");
}

#[test]
fn more_alerts_than_open_files_all_get_their_file() {
    const ALERTS: u16 = 600;
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config::default());
    let subject = |number: u16| [10, 1, number.to_be_bytes()[0], number.to_be_bytes()[1]];
    let alerts: Vec<Alert> =
        (0..ALERTS).map(|number| alert(Kind::HostScan, Subject::Source(subject(number).into()))).collect();
    (0..ALERTS).for_each(|number| run.record(90, &tcp((subject(number), 1), (OTHER, 80), SYN)));
    run.recorder.hand_over();
    alerts.iter().for_each(|alert| run.fire(alert));
    let figures = run.wait_until("as many open as can be", |figures| figures.open_files == 256);
    assert_eq!(figures.refused_files, 0);
    alerts.iter().for_each(|alert| run.resolve(alert, 110));
    let figures = run.finish();
    assert_eq!((figures.written_files, figures.written_packets), (ALERTS.into(), ALERTS.into()));
    assert_eq!(files(folder.path(), ".pcapng").len(), usize::from(ALERTS));
}

#[test]
fn without_an_archive_packets_are_kept_and_no_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), Config::default());
    let setup = EvidenceSetup {
        host: String::new(),
        version: String::new(),
        detection: RunningDetection::default(),
        index: run.index.clone(),
        kept_bytes: 256,
        describe_alert: |_| String::new(),
    };
    let evidence = Evidence::start(Config { ring_bytes: Some(1 << 20), ..Config::default() }, setup).unwrap();
    let mut alone = Run { recorder: PacketRecorder::new(source(1), 256, evidence.sender()), evidence, ..run };
    alone.send(90, SCANNER, OTHER);
    alone.fire(&scan());
    let figures = alone.finish();
    assert_eq!((figures.kept_packets, figures.written_files, figures.refused_files), (1, 0, 0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
