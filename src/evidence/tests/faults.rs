//! Full disks, and processes that are killed while they write.

use std::fs;
use std::io::Write as _;
use std::time::Instant;

use super::*;
use crate::os::rerun;

const SCANNER: [u8; 4] = [10, 0, 0, 5];
const OTHER: [u8; 4] = [10, 0, 0, 6];
/// Number of kills in a test; more with this variable.
const KILLS: (&str, u32) = ("EVIDENCE_TEST_KILLS", 12);
/// Packets of a chunk in the test with kills.
const AT_ONCE: usize = 50;
/// Bytes of a packet of 54 bytes in a logged file, and in an evidence file.
const LOGGED_BYTES: usize = 16 + 54;
const WRITTEN_BYTES: usize = 32 + 56;

fn scan() -> Alert {
    alert(Kind::HostScan, Subject::Source(address(5)))
}

/// Fills the disk of a directory, but for a few bytes.
fn fill(directory: &Path) -> PathBuf {
    let path = directory.join("filler");
    let mut file = fs::File::create(&path).unwrap();
    let block = [1; 4_096];
    while file.write_all(&block).is_ok() {}
    path
}

/// Runs the test `name` again, with a directory on a disk of 1 MiB.
fn on_a_small_disk(name: &str) {
    rerun::on_disk(1_024, &rerun::path(module_path!(), name));
}

#[test]
#[ignore = "needs root: mounts a file system"]
fn writing_goes_on_once_a_full_disk_has_space() {
    let Some(disk) = rerun::directory() else { return on_a_small_disk("writing_goes_on_once_a_full_disk_has_space") };
    let lines = LogLines::of_process();
    let mut run = Run::start(&disk.join("archive"), Config::default());
    run.send(90, SCANNER, OTHER);
    run.fire(&scan());
    run.wait_until("written", |figures| figures.written_packets == 1);
    let filler = fill(&disk);
    // Another alert finds no space for its file, and packets none in the open file.
    let other = alert(Kind::PortScan, Subject::Source(address(5)));
    run.fire(&other);
    (0..200).for_each(|_| run.send(101, SCANNER, OTHER));
    let full = run.wait_until("a failure", |figures| figures.write_errors >= 3);
    assert_eq!((full.kept_packets, full.lost_packets), (201, 0), "the ring goes on");
    run.resolve(&scan(), 110);
    fs::remove_file(filler).unwrap();
    let freed = Instant::now();
    run.wait_until("all written", |figures| figures.written_packets == 402);
    assert!(freed.elapsed() < Duration::from_secs(5), "{:?}", freed.elapsed());
    run.resolve(&other, 110);
    let figures = run.finish();
    assert_eq!((figures.written_files, figures.refused_files, figures.missed_packets), (2, 0, 0));
    for file in files(&disk.join("archive"), ".pcapng") {
        assert_eq!(times(&file).len(), 201, "{}", file.display());
    }
    for verdict in files(&disk.join("archive"), ".json") {
        assert!(fs::read_to_string(verdict).unwrap().contains("\"complete\": true"));
    }
    let lines = lines.lock().unwrap();
    // A failure may be logged for either work; its end is logged once.
    let works = [
        ("packets could not be written; they are tried again", "packets are written to evidence files again"),
        ("an evidence file could not be begun; it is tried again", "evidence files are begun again"),
    ];
    let position = |text: &str| lines.iter().position(|line| line == text);
    let failed: Vec<_> = works.into_iter().filter(|(failure, _)| position(failure).is_some()).collect();
    assert!(!failed.is_empty(), "{lines:?}");
    for (failure, success) in failed {
        assert!(position(failure) < position(success), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| *line == success).count(), 1, "{lines:?}");
    }
}

#[test]
#[ignore = "needs root: mounts a file system"]
fn failed_writes_give_their_bytes_back_to_the_quota() {
    let Some(disk) = rerun::directory() else {
        return on_a_small_disk("failed_writes_give_their_bytes_back_to_the_quota");
    };
    let packet_log = PacketLogConfig { is_on: true, dir: Some(disk.join("log")), ..PacketLogConfig::default() };
    let config = Config { quota_bytes: 300_000, packet_log, ..Config::default() };
    let mut run = Run::start(&disk.join("archive"), config);
    run.send(90, SCANNER, OTHER);
    run.fire(&scan());
    run.wait_until("written", |figures| figures.written_packets == 1 && figures.log_archived_files == 1);
    let filler = fill(&disk);
    // Each try of these takes a third of the quota. Another alert finds no space for its file.
    (0..1_000).for_each(|_| run.record(101, &frame(5)));
    run.recorder.hand_over();
    let other = alert(Kind::PortScan, Subject::Source(address(5)));
    run.fire(&other);
    let before = run.wait_until("a failure", |figures| figures.write_errors >= 1);
    let tried = run.wait_until("three tries each", |figures| figures.write_errors >= 7);
    assert_eq!((tried.archive_bytes, tried.removed_files), (before.archive_bytes, 0));
    assert_eq!((tried.log_lost_packets, tried.log_bytes), (1_000, 0));
    fs::remove_file(filler).unwrap();
    [&scan(), &other].into_iter().for_each(|alert| run.resolve(alert, 110));
    let figures = run.wait_until("finished", |figures| figures.written_files == 2);
    assert_eq!((figures.written_packets, figures.removed_files), (2_002, 0));
    let bytes = |name: &str| files(&disk.join(name), "").iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    let on_disk = bytes("archive");
    run.finish();
    assert!(figures.archive_bytes.abs_diff(on_disk) < 10_000, "{} of {on_disk}", figures.archive_bytes);
}

#[test]
#[ignore = "needs root: mounts a file system"]
fn logging_goes_on_once_a_full_disk_has_space() {
    let Some(disk) = rerun::directory() else { return on_a_small_disk("logging_goes_on_once_a_full_disk_has_space") };
    let lines = LogLines::of_process();
    let log = disk.join("log");
    let packet_log = PacketLogConfig { is_on: true, dir: Some(log.clone()), ..PacketLogConfig::default() };
    let mut run = Run::start(&disk.join("archive"), Config { packet_log, ..Config::default() });
    run.send(90, SCANNER, OTHER);
    run.wait_until("logged", |figures| figures.logged_packets == 1);
    let filler = fill(&disk);
    (0..1_000).for_each(|_| run.record(91, &frame(5)));
    run.recorder.hand_over();
    let is_full = |figures: &EvidenceFigures| (figures.kept_packets, figures.log_lost_packets) == (1_001, 1_000);
    let full = run.wait_until("a failure", is_full);
    assert_eq!((full.logged_packets, full.lost_packets), (1, 0));
    fs::remove_file(filler).unwrap();
    run.send(92, SCANNER, OTHER);
    run.wait_until("logged", |figures| figures.logged_packets == 2);
    run.finish();
    let logged: Vec<i64> = files(&log, ".pcap").iter().flat_map(|file| times(file)).collect();
    assert_eq!(logged, [90, 92]);
    assert_eq!(*lines.lock().unwrap(), ["packets could not be logged", "packets are logged again"]);
}

/// A frame of the source that is written about.
fn frame(source: u8) -> Vec<u8> {
    tcp(([10, 0, 0, source], 1), (OTHER, 80), SYN)
}

/// Archive and directory of the packet log below a directory.
fn directories(folder: &Path) -> [PathBuf; 2] {
    ["archive", "log"].map(|name| folder.join(name))
}

/// Threads that write evidence files and log packets below a directory.
fn writing(folder: &Path) -> Run {
    let [archive, log] = directories(folder);
    let max_file_bytes = 24 + 150 * LOGGED_BYTES as u64;
    let packet_log = PacketLogConfig { is_on: true, dir: Some(log), max_file_bytes, ..PacketLogConfig::default() };
    Run::start(&archive, Config { packet_log, ..Config::default() })
}

/// Writes files until it is killed.
#[test]
#[ignore = "needs root: is run by another test, which kills it"]
fn writes_until_it_is_killed() {
    let Some(folder) = rerun::directory() else { return };
    let mut run = writing(&folder);
    println!("{}", rerun::BEGINS);
    let send = |run: &mut Run, source: u8| {
        for _ in 0..4 {
            (0..AT_ONCE).for_each(|_| run.record(101, &frame(source)));
            run.recorder.hand_over();
        }
    };
    for number in 0_u64.. {
        let source = (number % 200) as u8;
        let alert = alert(Kind::HostScan, Subject::Source(address(source)));
        send(&mut run, source);
        run.fire(&alert);
        send(&mut run, source);
        run.resolve(&alert, 110);
        // The files of this alert are finished about when those of the next one are begun.
        run.wait_until("little open", |figures| figures.written_files >= number && figures.open_files < 2);
    }
}

#[test]
fn every_finished_file_of_a_killed_process_can_be_read() {
    let kills = std::env::var(KILLS.0).ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS.1);
    let folder = tempfile::tempdir().unwrap();
    let [archive, log] = directories(folder.path());
    let test = rerun::path(module_path!(), "writes_until_it_is_killed");
    let mut state = u64::from(std::process::id());
    println!("seed {state}");
    for _ in 0..kills {
        state = crate::tables::sampling::mixed(state.wrapping_add(1));
        rerun::kill_after(Duration::from_micros(state % 200_000), &test, folder.path());
        lack_at_most_a_record(&files(&archive, ".pcapng.part"), whole_blocks, WRITTEN_BYTES);
        lack_at_most_a_record(&files(&log, ".pcap.part"), whole_records, LOGGED_BYTES);
    }
    writing(folder.path()).finish();
    assert_eq!((files(&archive, ".part"), files(&log, ".part")), (vec![], vec![]));
    let evidence = files(&archive, ".pcapng");
    assert!(evidence.len() > kills as usize, "{} files", evidence.len());
    for file in &evidence {
        let packets = read(file).len();
        let is_cut = file.to_str().unwrap().contains("-cut");
        // A source that comes again has the packets of its last file in this one too.
        assert!(is_cut || packets > 0 && packets.is_multiple_of(AT_ONCE), "{}: {packets} packets", file.display());
        let verdict: Value = serde_json::from_str(&fs::read_to_string(file.with_extension("json")).unwrap()).unwrap();
        assert_eq!(verdict["file"]["packets"], packets, "{}", file.display());
        assert!(!is_cut || verdict["window"]["complete"] == false, "{}", file.display());
    }
    for verdict in files(&archive, ".json") {
        serde_json::from_str::<Value>(&fs::read_to_string(&verdict).unwrap()).unwrap();
    }
    let logged = [files(&archive, ".pcap"), files(&log, ".pcap")];
    assert!(logged.iter().all(|files| files.len() > kills as usize / 2), "{logged:?}");
    println!("{kills} kills, {} evidence files, {:?} logged files", evidence.len(), logged.each_ref().map(Vec::len));
    other_programs_read([evidence, logged.concat()].concat());
}

/// Checks that unfinished files end within a record, or before the first one.
fn lack_at_most_a_record(parts: &[PathBuf], whole: fn(&[u8]) -> usize, record_bytes: usize) {
    for part in parts {
        let bytes = fs::read(part).unwrap();
        let whole = whole(&bytes);
        assert!(whole == 0 || whole + record_bytes > bytes.len(), "{}: {whole} of {}", part.display(), bytes.len());
    }
}

/// Checks that tcpdump and tshark find the packets in each file that this program finds.
fn other_programs_read(files: Vec<PathBuf>) {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for some in files.chunks(files.len().div_ceil(workers)) {
            scope.spawn(|| some.iter().for_each(|file| other_programs_read_one(file)));
        }
    });
}

fn other_programs_read_one(file: &Path) {
    let (packets, path) = (read(file).len(), file.to_str().unwrap());
    for (program, arguments) in
        [("tcpdump", &["-nn", "-r"][..]), ("tshark", &["-n", "-T", "fields", "-e", "frame.number", "-r"])]
    {
        match output(program, &[arguments, &[path]].concat()) {
            Some(lines) => assert_eq!(lines.lines().count(), packets, "{program}: {path}"),
            None => println!("{program} is not installed"),
        }
    }
}

/// The length of the whole records at the start of a pcap file; 0 without a whole file header.
fn whole_records(bytes: &[u8]) -> usize {
    let mut at = 24;
    while let Some(captured) = bytes.get(at + 8..at + 12) {
        let end = at + 16 + u32::from_le_bytes(captured.try_into().unwrap()) as usize;
        if end > bytes.len() {
            break;
        }
        at = end;
    }
    if at <= bytes.len() { at } else { 0 }
}

/// The length of the whole blocks at the start of a file, by their lengths at both ends.
fn whole_blocks(bytes: &[u8]) -> usize {
    let word = |at: usize| bytes.get(at..at + 4).map(|word| u32::from_le_bytes(word.try_into().unwrap()) as usize);
    let mut at = 0;
    while let Some(length) = word(at + 4)
        && length >= 12
        && word(at + length - 4) == Some(length)
    {
        at += length;
    }
    at
}

#[test]
#[ignore = "needs root: mounts a file system"]
fn packets_that_leave_the_ring_while_the_disk_is_full_are_counted() {
    const NAME: &str = "packets_that_leave_the_ring_while_the_disk_is_full_are_counted";
    let Some(disk) = rerun::directory() else { return on_a_small_disk(NAME) };
    let mut run = Run::start(&disk.join("archive"), Config { ring_bytes: Some(20_000), ..Config::default() });
    run.send(90, SCANNER, OTHER);
    run.fire(&scan());
    run.wait_until("written", |figures| figures.written_packets == 1);
    let filler = fill(&disk);
    (0..400).for_each(|_| run.send(101, SCANNER, OTHER));
    run.wait_until("missed", |figures| figures.kept_packets == 401 && figures.missed_packets > 0);
    fs::remove_file(filler).unwrap();
    run.resolve(&scan(), 110);
    let figures = run.wait_until("finished", |figures| figures.written_files == 1);
    run.finish();
    let packets = times(&only(&disk.join("archive"), ".pcapng")).len() as u64;
    assert_eq!((packets, packets + figures.missed_packets), (figures.written_packets, 401));
}
