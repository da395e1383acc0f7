//! Files as other programs read them, and archives that fail.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const SCANNER: [u8; 4] = [10, 0, 0, 5];
const OTHER: [u8; 4] = [10, 0, 0, 6];

fn scan() -> Alert {
    alert(Kind::HostScan, Subject::Source(address(5)))
}

fn of_one_interface(folder: &Path) -> PathBuf {
    let mut run = Run::start(folder, Config::default());
    run.send(90, SCANNER, OTHER);
    run.fire(&scan());
    run.finish();
    only(folder, ".pcapng")
}

/// A file with packets of two interfaces, of Ethernet and of raw IP.
fn of_two_interfaces(folder: &Path) -> PathBuf {
    let mut run = Run::start(folder, Config::default());
    run.send(90, SCANNER, OTHER);
    let tunnel =
        PacketSource { interface: "tun0".to_owned(), link_type: crate::packet::LinkType(12), snap_length: 1_500 };
    let mut recorder = PacketRecorder::new(tunnel, 65_535, run.evidence.sender());
    let frame = tcp((SCANNER, 1), (OTHER, 22), SYN);
    recorder.note(address(5));
    let time = Timestamp::from_nanoseconds(91_123_456_789);
    recorder.record_other(RecordedPacket { time, bytes: &frame[14..], wire_bytes: 40 });
    recorder.hand_over();
    run.fire(&scan());
    run.resolve(&scan(), 110);
    run.finish();
    only(folder, ".pcapng")
}

#[test]
fn each_interface_has_its_name_and_link_type() {
    let folder = tempfile::tempdir().unwrap();
    let file = of_two_interfaces(folder.path());
    let link_types: Vec<i32> = read(&file).iter().map(|(link_type, ..)| *link_type).collect();
    assert_eq!(link_types, [1, 101]);
    let verdict = verdict(folder.path());
    let interfaces = verdict["file"]["interfaces"].as_array().unwrap();
    assert_eq!([&interfaces[0]["name"], &interfaces[1]["name"]], ["eth0", "tun0"]);
    assert_eq!([&interfaces[0]["link_type"], &interfaces[1]["link_type"]], [1, 101]);
}

#[test]
fn other_programs_read_the_files() {
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    // libpcap, and so tcpdump, reads no file with two link types.
    match output("tcpdump", &["-nn", "-tt", "-r", of_one_interface(one.path()).to_str().unwrap(), "tcp"]) {
        Some(lines) => assert!(lines.contains("90.000000 IP 10.0.0.5.1000 > 10.0.0.6.80"), "{lines}"),
        None => println!("tcpdump is not installed"),
    }
    let file = of_two_interfaces(two.path());
    let file = file.to_str().unwrap();
    let fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "ip.src"];
    match output("tshark", &[&["-nr", file][..], &fields].concat()) {
        Some(lines) => assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            ["90.000000000\teth0\t10.0.0.5", "91.123456789\ttun0\t10.0.0.5"],
        ),
        None => println!("tshark is not installed"),
    }
    match output("capinfos", &["-k", "-c", file]) {
        Some(text) => assert!(text.contains("window complete") && text.contains("host_scan"), "{text}"),
        None => println!("capinfos is not installed"),
    }
}

#[test]
fn file_without_packets_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), Config::default());
    run.fire(&scan());
    run.finish();
    let file = only(folder.path(), ".pcapng");
    assert_eq!(read(&file), []);
    let verdict = verdict(folder.path());
    assert_eq!(verdict["file"]["bytes"], file.metadata().unwrap().len());
    assert!(verdict["file"]["first_packet"].is_null());
    output("tcpdump", &["-r", file.to_str().unwrap()]);
}

#[test]
fn files_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a/b");
    let mut run = Run::start(&archive, Config::default());
    run.send(90, SCANNER, OTHER);
    run.fire(&scan());
    run.finish();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(&archive), mode(archive.parent().unwrap())], [0o700; 2]);
    for entry in std::fs::read_dir(&archive).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    assert_eq!(std::fs::read_dir(&archive).unwrap().count(), 3, "packets, verdict and configuration");
}

#[test]
fn directories_that_cannot_be_used_are_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let setup = || EvidenceSetup {
        host: String::new(),
        version: String::new(),
        detection: RunningDetection::default(),
        index: EvidenceIndex::default(),
        kept_bytes: 256,
        describe_alert: |_| String::new(),
    };
    let refused = |config: Config| Evidence::start(config, setup()).unwrap_err().to_string();
    let archived = |path: &Path| Config { archive_dir: Some(path.to_owned()), ..Config::default() };
    for path in [file.clone(), file.join("below"), PathBuf::from("/proc/trafficmonitor")] {
        let message = refused(archived(&path));
        let expected = format!("archive_dir {}: ", path.display());
        assert!(message.starts_with(&expected) && message.contains("can write to"), "{message}");
    }
    let packet_log = PacketLogConfig { is_on: true, ..PacketLogConfig::default() };
    assert_eq!(refused(Config { packet_log, ..Config::default() }), "log_packets has no directory; give one with -l");
}

#[test]
fn files_of_a_killed_process_are_finished_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = of_two_interfaces(folder.path());
    let bytes = std::fs::read(&file).unwrap();
    let name = |second: u32| format!("20231114T22132{second}.000Z-host_scan-10.0.0.5-00000000000000ab");
    let part = |second: u32, ending: &str| folder.path().join(format!("{}{ending}.part", name(second)));
    std::fs::write(part(1, ".pcapng"), &bytes).unwrap();
    std::fs::write(part(2, ".pcapng"), &bytes[..bytes.len() - 5]).unwrap();
    std::fs::write(part(3, ".json"), b"{").unwrap();
    let header = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    std::fs::write(part(6, ".pcapng"), &bytes[..header + 10]).unwrap();
    let locked = super::super::writer::files::create(&part(4, ".pcapng")).unwrap();
    let link = part(5, ".pcapng");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    std::fs::write(folder.path().join("other.pcapng.part"), b"").unwrap();
    let run = Run::start(folder.path(), Config::default());
    let index = run.index.clone();
    assert_eq!(run.finish().write_errors, 0);
    let cut = |second| folder.path().join(format!("{}-cut.pcapng", name(second)));
    assert_eq!((read(&cut(1)).len(), read(&cut(2)).len()), (2, 1), "the last record was broken");
    // Their names tell the verdict what it has.
    let found = index.find(crate::alert::Fingerprint(0xab)).unwrap();
    assert_eq!((found.path, found.packets, found.is_complete), (cut(2), 1, false), "the latest");
    assert_eq!(found.starts_at, seconds(1_700_000_002));
    let verdict: Value = json(&cut(1));
    assert_eq!([&verdict["alert"]["kind"], &verdict["alert"]["fingerprint"]], ["host_scan", "00000000000000ab"]);
    assert!(!part(6, ".pcapng").exists() && !cut(6).exists(), "it has no packets");
    assert!(part(4, ".pcapng").exists(), "another process writes it");
    assert!(link.symlink_metadata().is_ok() && !cut(5).exists() && folder.path().join("other.pcapng.part").exists());
    assert_eq!(files(folder.path(), ".part").len(), 3);
    drop(locked);
}

/// The verdict of a file.
fn json(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file.with_extension("json")).unwrap()).unwrap()
}

#[test]
fn file_of_a_killed_process_has_the_verdict_of_its_beginning_and_can_be_found() {
    let [folder, after] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut run = Run::start(folder.path(), Config::default());
    run.send(90, SCANNER, OTHER);
    run.send(91, OTHER, SCANNER);
    run.fire(&scan());
    run.wait_until("written", |figures| figures.written_packets == 2);
    // Copies are what a killed process leaves: no lock is held.
    for part in files(folder.path(), ".part") {
        std::fs::copy(&part, after.path().join(part.file_name().unwrap())).unwrap();
    }
    run.finish();
    let whole = verdict(folder.path());
    let run = Run::start(after.path(), Config::default());
    let index = run.index.clone();
    run.finish();
    let file = only(after.path(), "-cut.pcapng");
    assert_eq!((times(&file), files(after.path(), ".part")), (vec![90, 91], vec![]));
    let cut = verdict(after.path());
    assert_eq!(cut["window"]["complete"], false);
    assert_eq!(cut["window"]["reasons"], serde_json::json!(["the program was killed"]));
    assert_eq!([&cut["window"]["start"], &cut["window"]["fired"]], [30.0, 100.0]);
    for key in ["form", "version", "host", "explanation", "alert", "configuration"] {
        assert_eq!(cut[key], whole[key], "{key}");
    }
    for key in ["packets", "interfaces", "first_packet", "last_packet", "bytes"] {
        assert_eq!(cut["file"][key], whole["file"][key], "{key}");
    }
    let found = index.find(scan().fingerprint).unwrap();
    assert_eq!((found.path, found.packets, found.is_complete), (file.clone(), 2, false));
    assert_eq!((found.starts_at, found.is_finished), (scan().starts_at, true));
    let digest = std::process::Command::new("sha256sum").arg(&file).output().unwrap().stdout;
    assert!(String::from_utf8(digest).unwrap().starts_with(&found.sha256));
}

#[test]
fn file_of_an_earlier_run_that_cannot_be_finished_counts_as_a_failed_write() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(of_one_interface(folder.path())).unwrap();
    // The name of the file just fits. That of its verdict is too long.
    let around = "20231114T221320.000Z-host_scan--00000000000000ab.pcapng.part".len();
    let name = format!("20231114T221320.000Z-host_scan-{}-00000000000000ab.pcapng.part", "a".repeat(255 - around));
    std::fs::write(folder.path().join(&name), bytes).unwrap();
    assert_eq!(Run::start(folder.path(), Config::default()).finish().write_errors, 1);
    assert!(folder.path().join(name).exists());
}

#[test]
fn configuration_that_a_killed_process_left_unfinished_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    of_one_interface(folder.path());
    let configuration = only(folder.path(), ".yml");
    std::fs::rename(&configuration, format!("{}.part", configuration.display())).unwrap();
    let mut run = Run::start(folder.path(), Config::default());
    run.send(90, SCANNER, OTHER);
    run.fire(&alert(Kind::PortScan, Subject::Source(address(5))));
    let figures = run.finish();
    assert_eq!((figures.written_files, figures.write_errors), (1, 0));
    assert_eq!(std::fs::read_to_string(only(folder.path(), ".yml")).unwrap(), "scan: {}\n");
    assert_eq!(files(folder.path(), ".part").len(), 0);
}

#[test]
fn logged_packets_of_an_alert_move_to_the_archive_and_others_stay_while_they_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let [archive, log] = ["archive", "log"].map(|name| folder.path().join(name));
    let packet_log = PacketLogConfig { is_on: true, dir: Some(log.clone()), ..PacketLogConfig::default() };
    let mut run = Run::start(&archive, Config { packet_log, ..Config::default() });
    run.send(90, SCANNER, OTHER);
    run.send(91, OTHER, [10, 0, 0, 7]);
    run.fire(&scan());
    run.wait_until("archived", |figures| figures.log_archived_files == 1);
    run.send(101, SCANNER, OTHER);
    let figures = run.finish();
    assert_eq!((figures.logged_packets, figures.log_lost_packets, figures.log_archived_files), (3, 0, 2));
    assert_eq!(files(&archive, ".pcap").iter().map(|file| times(file)).collect::<Vec<_>>(), [[90], [101]]);
    assert_eq!(times(&only(&log, ".pcap")), [91]);
    assert_eq!(times(&only(&archive, ".pcapng")), [90, 101]);
}

#[test]
fn quota_removes_the_oldest_files_and_their_entries() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config { quota_bytes: 20_000, ..Config::default() });
    let index = run.index.clone();
    let alerts: Vec<Alert> = (0..30).map(|host| alert(Kind::HostScan, Subject::Source(address(host)))).collect();
    for (number, alert) in (1..).zip(&alerts) {
        run.send(90, SCANNER, OTHER);
        run.fire(alert);
        run.resolve(alert, 110);
        run.wait_until("finished", |figures| figures.written_files == number);
    }
    let figures = run.finish();
    let total: u64 = files(folder.path(), "").iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(total <= 20_100 && figures.removed_files > 10, "{total} bytes, {figures:?}");
    let known = alerts.iter().filter_map(|alert| index.find(alert.fingerprint)).collect::<Vec<_>>();
    assert!(!known.is_empty() && known.len() < 30 && known.iter().all(|file| file.path.exists()), "{known:?}");
    assert!(index.find(alerts[29].fingerprint).is_some(), "the latest stays");
}

#[test]
fn smaller_quota_removes_the_oldest_files_at_once_and_a_larger_one_keeps_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), Config::default());
    let index = run.index.clone();
    let alerts: Vec<Alert> = (0..30).map(|host| alert(Kind::HostScan, Subject::Source(address(host)))).collect();
    let write = |run: &mut Run, alerts: &[Alert]| {
        for alert in alerts {
            let number = run.evidence.figures().read().written_files + 1;
            run.send(90, SCANNER, OTHER);
            run.fire(alert);
            run.resolve(alert, 110);
            run.wait_until("finished", |figures| figures.written_files == number);
        }
    };
    let bytes = || files(folder.path(), "").iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    write(&mut run, &alerts[..10]);
    let each = bytes() / 10;
    run.evidence.quota().replace(4 * each);
    assert!(bytes() <= 4 * each && bytes() >= 2 * each, "{} bytes, {each} each", bytes());
    assert!(index.find(alerts[0].fingerprint).is_none() && index.find(alerts[9].fingerprint).is_some());
    run.evidence.quota().replace(100 * each);
    write(&mut run, &alerts[10..]);
    assert!(bytes() >= 22 * each, "{} bytes, {each} each", bytes());
    let figures = run.finish();
    assert!(figures.archive_bytes.abs_diff(bytes()) < each, "{} of {}", figures.archive_bytes, bytes());
}

#[test]
fn archive_that_vanishes_is_made_again_and_the_file_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    let mut run = Run::start(&archive, Config::default());
    run.send(90, SCANNER, OTHER);
    run.fire(&scan());
    run.wait_until("one file open", |figures| figures.open_files == 1);
    std::fs::remove_dir_all(&archive).unwrap();
    run.send(101, SCANNER, OTHER);
    run.resolve(&scan(), 110);
    let figures = run.wait_until("finished", |figures| figures.written_files == 1);
    assert!(figures.write_errors > 0);
    run.finish();
    assert_eq!(times(&only(&archive, ".pcapng")), [90, 101]);
    assert_eq!(run_reasons(&archive), 0);
}

fn run_reasons(archive: &Path) -> usize {
    verdict(archive)["window"]["reasons"].as_array().unwrap().len()
}
