//! Logged conversations and their files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;
use crate::detect::Kind;
use crate::evidence::tests::{FIN, LogLines, SYN, alert, chunk, files, read, tcp};
use crate::evidence::writer::ArchiveSpace;
use crate::evidence::writer::quota::ByteLimit;

const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 5], 50_000);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 6], 80);
const RST: u8 = 0x04;

/// Settings with limits that no test reaches.
fn setup(directory: &Path, archive: &Path, counters: &Arc<EvidenceCounters>) -> LogSetup {
    let index = crate::alert::EvidenceIndex::default();
    LogSetup {
        directory: directory.to_owned(),
        archive: archive.to_owned(),
        archive_space: Arc::new(ArchiveSpace::new(archive, ByteLimit::new(1 << 30), Arc::clone(counters), index)),
        limit: ByteLimit::new(1 << 20),
        max_file_bytes: 1 << 20,
        max_rotations: 10,
    }
}

struct Logged {
    log: PacketLog,
    counters: Arc<EvidenceCounters>,
    directory: PathBuf,
    archive: PathBuf,
    folder: tempfile::TempDir,
}

impl Logged {
    fn new(max_file_bytes: u64, max_rotations: u32) -> Self {
        Self::with(max_file_bytes, max_rotations, 1 << 20)
    }

    fn with(max_file_bytes: u64, max_rotations: u32, quota_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("archive");
        Self::archiving(folder, archive, max_file_bytes, max_rotations, quota_bytes)
    }

    fn archiving(
        folder: tempfile::TempDir,
        archive: PathBuf,
        max_file_bytes: u64,
        max_rotations: u32,
        quota_bytes: u64,
    ) -> Self {
        let directory = folder.path().join("log");
        [&directory, &archive].into_iter().for_each(|path| std::fs::create_dir_all(path).unwrap());
        let counters = Arc::<EvidenceCounters>::default();
        let limit = ByteLimit::new(quota_bytes);
        let setup = LogSetup { limit, max_file_bytes, max_rotations, ..setup(&directory, &archive, &counters) };
        Self { log: PacketLog::new(setup, Arc::clone(&counters)), counters, directory, archive, folder }
    }

    /// The same directories after the end of this run, which finished its files or was killed.
    fn restart(mut self, is_killed: bool) -> Self {
        if !is_killed {
            self.log.finish(|| false);
        }
        let mut next = self.begin_again();
        while next.log.files.leftovers.count() > 0 {
            next.log.tidy_up(true);
        }
        next
    }

    /// The same directories at the start of the next run.
    fn begin_again(self) -> Self {
        let Self { log, archive, folder, .. } = self;
        drop(log);
        Self::archiving(folder, archive, 1 << 20, 10, 1 << 20)
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        let packets: Vec<(i64, &[u8])> = frames.iter().map(|frame| (90, frame.as_slice())).collect();
        self.log.take_chunk(&chunk("eth0", &packets));
    }

    fn sweep_after(&mut self, seconds: u64) {
        self.log.sweep(Instant::now() + Duration::from_secs(seconds));
    }

    fn logged(&self) -> Vec<String> {
        names(&self.directory)
    }

    fn archived(&self) -> Vec<String> {
        names(&self.archive)
    }
}

fn names(directory: &Path) -> Vec<String> {
    if !directory.exists() {
        return Vec::new();
    }
    let names = files(directory, "").into_iter();
    let names = names.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| name.ends_with(".pcap") || name.ends_with(".pcap.part")).collect()
}

fn from_client(flags: u8) -> Vec<u8> {
    tcp(CLIENT, SERVER, flags)
}

fn from_server(flags: u8) -> Vec<u8> {
    tcp(SERVER, CLIENT, flags)
}

fn scanner() -> Alert {
    alert(Kind::HostScan, Subject::Source([10, 0, 0, 5].into()))
}

#[test]
fn both_directions_of_a_conversation_are_in_one_file() {
    let mut logged = Logged::new(1 << 20, 10);
    let other = tcp((CLIENT.0, 50_001), SERVER, SYN);
    let sent = [from_client(SYN), other.clone(), from_server(SYN), from_client(0)];
    logged.send(&sent);
    assert_eq!(
        logged.logged(),
        ["tcp_10.0.0.5_50000_10.0.0.6_80-0.pcap.part", "tcp_10.0.0.5_50001_10.0.0.6_80-0.pcap.part"]
    );
    let bytes = |name: &str| -> Vec<Vec<u8>> {
        read(&logged.directory.join(name)).into_iter().map(|(_, _, bytes, _)| bytes).collect()
    };
    assert_eq!(bytes(&logged.logged()[0]), [from_client(SYN), from_server(SYN), from_client(0)]);
    assert_eq!(bytes(&logged.logged()[1]), [other]);
    assert_eq!((logged.counters.log.packets.value(), logged.counters.log.conversations.value()), (4, 2));
}

#[test]
fn conversation_that_ends_quietly_leaves_no_file() {
    for (ending, seconds, expected) in [
        (vec![], 59, 1),
        (vec![], 61, 0),
        (vec![from_client(FIN)], 59, 1),
        (vec![from_client(FIN), from_server(FIN)], 4, 1),
        (vec![from_client(FIN), from_server(FIN)], 6, 0),
        (vec![from_server(RST)], 6, 0),
        (vec![from_server(RST), from_client(SYN)], 59, 1),
    ] {
        let mut logged = Logged::new(1 << 20, 10);
        logged.send(&[&[from_client(SYN), from_server(SYN)][..], &ending].concat());
        logged.sweep_after(seconds);
        assert_eq!(logged.logged().len(), expected, "{ending:?} after {seconds} s");
        assert_eq!(logged.log.conversations.len(), expected);
        assert_eq!(logged.archived(), [""; 0]);
    }
}

#[test]
fn files_move_to_the_archive_with_an_alert_about_an_end() {
    let mut logged = Logged::new(1 << 20, 10);
    let stranger = tcp(([10, 0, 0, 9], 1), SERVER, SYN);
    logged.send(&[from_client(SYN), stranger.clone()]);
    logged.log.take_alert(&scanner());
    assert_eq!(logged.logged(), ["tcp_10.0.0.6_80_10.0.0.9_1-0.pcap.part"]);
    let stem = names::stem(&scanner());
    assert_eq!(logged.archived(), [format!("{stem}-tcp_10.0.0.5_50000_10.0.0.6_80.0.pcap")]);
    assert!(super::names::is_ours(&logged.archived()[0]), "the quota of the archive knows it");
    // The rest of the conversation follows at its end, and so do new ones while the alert fires.
    let new = tcp((CLIENT.0, 50_001), SERVER, SYN);
    logged.send(&[from_server(SYN), new]);
    logged.sweep_after(61);
    assert_eq!(logged.logged(), [""; 0]);
    let packets: Vec<usize> = logged.archived().iter().map(|name| read(&logged.archive.join(name)).len()).collect();
    assert_eq!(packets, [1, 1, 1]);
    // After the alert, conversations end quietly again.
    logged.log.firing.remove(&scanner().fingerprint);
    logged.send(&[from_client(SYN)]);
    logged.sweep_after(200);
    assert_eq!((logged.logged().len(), logged.archived().len()), (0, 3));
    let bytes = |name: &String| logged.archive.join(name).metadata().unwrap().len();
    assert_eq!(logged.counters.archive_bytes.value(), logged.archived().iter().map(bytes).sum::<u64>());
}

#[test]
fn files_rotate_and_the_oldest_go() {
    // A header of 24 bytes, and 70 bytes a packet.
    let mut logged = Logged::new(24 + 2 * 70, 3);
    logged.send(&vec![from_client(SYN); 5]);
    (0..4).for_each(|_| logged.send(&[from_client(SYN)]));
    let name = |number: u32| format!("tcp_10.0.0.5_50000_10.0.0.6_80-{number}.pcap");
    let current = format!("{}.part", name(4));
    assert_eq!(logged.logged(), [name(2), name(3), current.clone()], "full files are finished");
    let packets = |name: String| read(&logged.directory.join(name)).len();
    assert_eq!([name(2), name(3), current].map(packets), [2, 2, 1]);
    assert_eq!(logged.counters.log.bytes.value(), 3 * 24 + 5 * 70);
    let mut tiny = Logged::new(1, 3);
    tiny.send(&vec![from_client(SYN); 4]);
    assert_eq!(tiny.logged().len(), 3, "a packet in each");
}

#[test]
fn few_files_are_open_and_all_are_written() {
    let mut logged = Logged::new(1 << 20, 10);
    let frame = |port: u16| tcp((CLIENT.0, port), SERVER, SYN);
    for _ in 0..2 {
        logged.send(&(1..=600).map(frame).collect::<Vec<_>>());
    }
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let is_of_log = |path: PathBuf| path.parent() == Some(&logged.directory);
    let open = open.filter(|entry| entry.path().read_link().is_ok_and(is_of_log)).count();
    assert!(open <= 256, "{open} open files");
    assert_eq!(logged.logged().len(), 600);
    for name in logged.logged() {
        assert_eq!(read(&logged.directory.join(&name)).len(), 2, "{name}");
    }
}

#[test]
fn quota_removes_the_oldest_files() {
    let mut logged = Logged::with(1 << 20, 10, 50 * 94);
    let frame = |port: u16| tcp((CLIENT.0, port), SERVER, SYN);
    (1..=200).for_each(|port| logged.send(&[frame(port)]));
    let total: u64 = files(&logged.directory, ".pcap.part").iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(total <= 51 * 94, "{total} bytes");
    assert!(logged.logged().iter().any(|name| name.contains("_200_")), "the latest stays");
    assert!(logged.counters.removed_files.value() >= 140);
    // A conversation whose file was removed begins another.
    logged.send(&[frame(1)]);
    assert!(logged.logged().iter().any(|name| name.contains("_1_10.0.0.6")), "{:?}", logged.logged());
    assert_eq!(logged.counters.log.lost_packets.value(), 0);
}

#[test]
fn conversations_past_the_limit_are_counted() {
    let mut logged = Logged::new(1 << 20, 10);
    let now = Instant::now();
    for number in 0..MOST_CONVERSATIONS as u32 {
        let ends = [IpAddr::from(number.to_be_bytes()), IpAddr::from([255; 4])];
        assert!(logged.log.follow(LoggedEnds::of(1, ends, None), None, now));
    }
    logged.send(&[from_client(SYN), from_server(SYN)]);
    assert_eq!((logged.counters.log.lost_packets.value(), logged.logged().len()), (2, 0));
}

#[test]
fn directory_that_vanishes_loses_packets_and_logging_goes_on() {
    let mut logged = Logged::new(24 + 70, 10);
    logged.send(&[from_client(SYN)]);
    std::fs::remove_dir_all(&logged.directory).unwrap();
    std::fs::write(&logged.directory, "in the way").unwrap();
    logged.send(&[from_client(SYN)]);
    assert_eq!(logged.counters.log.lost_packets.value(), 1);
    assert!(logged.counters.write_errors.value() > 0);
    std::fs::remove_file(&logged.directory).unwrap();
    logged.send(&[from_client(SYN)]);
    assert_eq!((logged.logged().len(), logged.counters.log.lost_packets.value()), (1, 1));
    assert!(logged.folder.path().exists());
}

#[test]
fn conversation_that_comes_again_does_not_take_the_place_of_its_archived_file() {
    let mut logged = Logged::new(1 << 20, 10);
    logged.log.take_alert(&scanner());
    for _ in 0..3 {
        logged.send(&[from_client(SYN), from_server(RST)]);
        logged.sweep_after(6);
    }
    let stem = names::stem(&scanner());
    let name = |ending: &str| format!("{stem}-tcp_10.0.0.5_50000_10.0.0.6_80.0{ending}.pcap");
    assert_eq!(logged.archived(), [name("-2"), name("-3"), name("")]);
    assert_eq!((logged.logged().len(), logged.counters.write_errors.value()), (0, 0));
}

#[test]
fn files_of_a_conversation_keep_the_name_of_its_first_alert() {
    let mut logged = Logged::new(1 << 20, 10);
    let later = Alert { starts_at: scanner().starts_at + Duration::from_secs(5), ..scanner() };
    let second = Alert { kind: Kind::PortScan, fingerprint: Fingerprint(2), ..later };
    logged.send(&[from_client(SYN)]);
    for alert in [&scanner(), &second] {
        logged.log.take_alert(alert);
        logged.send(&[from_server(SYN)]);
    }
    // A conversation that begins while both fire has the name of the older one too.
    logged.send(&[tcp((CLIENT.0, 50_001), SERVER, SYN)]);
    logged.sweep_after(61);
    let stem = names::stem(&scanner());
    assert_eq!(logged.archived().len(), 4);
    assert!(logged.archived().iter().all(|name| name.starts_with(&format!("{stem}-tcp_"))), "{:?}", logged.archived());
}

#[test]
fn file_moves_to_an_archive_on_another_file_system() {
    let [folder, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap()];
    let mut logged = Logged::archiving(folder, other.path().join("archive"), 1 << 20, 10, 1 << 20);
    logged.send(&vec![from_client(SYN); 2_000]);
    logged.log.take_alert(&scanner());
    assert_eq!((logged.logged(), files(&logged.archive, ".part")), (vec![], vec![]));
    let [name] = logged.archived().try_into().unwrap();
    assert_eq!(read(&logged.archive.join(name)).len(), 2_000);
}

#[test]
fn file_that_cannot_be_moved_is_tried_again() {
    let mut logged = Logged::new(1 << 20, 10);
    logged.send(&[from_client(SYN)]);
    std::fs::remove_dir(&logged.archive).unwrap();
    std::fs::write(&logged.archive, "in the way").unwrap();
    logged.log.take_alert(&scanner());
    assert_eq!((logged.logged().len(), logged.counters.write_errors.value()), (1, 1));
    logged.sweep_after(61);
    assert_eq!((logged.logged().len(), logged.counters.write_errors.value()), (1, 2));
    std::fs::remove_file(&logged.archive).unwrap();
    logged.sweep_after(62);
    assert_eq!((logged.logged().len(), logged.archived().len(), logged.log.conversations.len()), (0, 1, 0));
}

#[test]
fn file_that_cannot_be_moved_for_long_is_finished_and_stays() {
    let mut logged = Logged::new(1 << 20, 10);
    logged.send(&[from_client(SYN)]);
    logged.log.take_alert(&alert(Kind::HostScan, Subject::Source([10, 0, 0, 5].into())));
    logged.send(&[from_server(SYN)]);
    std::fs::remove_dir_all(&logged.archive).unwrap();
    std::fs::write(&logged.archive, "in the way").unwrap();
    for (seconds, expected) in
        [(119, "tcp_10.0.0.5_50000_10.0.0.6_80-1.pcap.part"), (121, "tcp_10.0.0.5_50000_10.0.0.6_80-1.pcap")]
    {
        logged.sweep_after(seconds);
        assert_eq!(logged.logged(), [expected]);
    }
    assert_eq!(logged.log.conversations.len(), 0);
}

#[test]
fn files_of_conversations_that_go_on_are_finished_at_the_end() {
    let mut logged = Logged::new(24 + 2 * 70, 10);
    logged.send(&vec![from_client(SYN); 3]);
    let logged = logged.restart(false);
    let names = [0, 1].map(|number| format!("tcp_10.0.0.5_50000_10.0.0.6_80-{number}.pcap"));
    assert_eq!(logged.logged(), names);
    let packets: Vec<usize> = names.iter().map(|name| read(&logged.directory.join(name)).len()).collect();
    assert_eq!(packets, [2, 1]);
}

#[test]
fn files_of_a_killed_run_are_cut_to_their_last_whole_record() {
    let mut logged = Logged::new(1 << 20, 10);
    let frame = |port: u16| tcp((CLIENT.0, port), SERVER, SYN);
    (1..=5).for_each(|port| logged.send(&vec![frame(port); 3]));
    let part = |port: u16| logged.directory.join(format!("tcp_10.0.0.5_{port}_10.0.0.6_80-0.pcap.part"));
    let cut = |port: u16, bytes: u64| {
        std::fs::OpenOptions::new().write(true).open(part(port)).unwrap().set_len(bytes).unwrap();
    };
    // Whole; in the header of the third record; in the first record; in the header of the file; zeros of a power cut.
    cut(2, 24 + 2 * 70 + 5);
    cut(3, 24 + 69);
    cut(4, 10);
    cut(5, 24 + 70);
    cut(5, 24 + 70 + 100);
    std::fs::write(logged.directory.join("other.pcap.part"), "not ours").unwrap();
    let mut logged = logged.restart(true);
    let name = |port: u16| format!("tcp_10.0.0.5_{port}_10.0.0.6_80-0.pcap");
    assert_eq!(logged.logged(), ["other.pcap.part".to_owned(), name(1), name(2), name(5)]);
    let packets = [1, 2, 5].map(|port| read(&logged.directory.join(name(port))).len());
    assert_eq!(packets, [3, 2, 1]);
    // A conversation that goes on begins a file beside it.
    logged.send(&[frame(1)]);
    assert!(logged.logged().contains(&"tcp_10.0.0.5_1_10.0.0.6_80-1.pcap.part".to_owned()), "{:?}", logged.logged());
}

/// Conversations of the client, by its ports.
fn conversations(count: u16) -> Vec<Vec<u8>> {
    (1..=count).map(|port| tcp((CLIENT.0, port), SERVER, SYN)).collect()
}

#[test]
fn packets_are_logged_before_the_files_of_a_killed_run_are_finished() {
    let mut logged = Logged::new(1 << 20, 10);
    logged.send(&conversations(100));
    let mut logged = logged.begin_again();
    let unfinished = |logged: &Logged| files(&logged.directory, ".part").len();
    assert_eq!((unfinished(&logged), logged.counters.unfinished_files()), (100, 100), "the start waits for none");
    logged.send(&[from_client(SYN)]);
    logged.log.tidy_up(false);
    assert_eq!((unfinished(&logged), logged.counters.log.packets.value()), (101, 1), "live packets come first");
    let lines = LogLines::of(|| {
        let mut before = 101;
        while logged.log.files.leftovers.count() > 0 {
            logged.log.tidy_up(true);
            let now = unfinished(&logged);
            assert!((1..=32).contains(&(before - now)), "{before} files, then {now}");
            before = now;
        }
    });
    assert_eq!(lines, ["finished the files that an earlier run left"]);
    assert_eq!(logged.logged().len(), 101);
    assert_eq!((unfinished(&logged), logged.counters.unfinished_files()), (1, 1), "that of the live conversation");
}

#[test]
fn fault_of_the_disk_that_stops_the_files_of_a_killed_run_is_counted_and_told_once() {
    let mut logged = Logged::new(1 << 20, 10);
    logged.send(&conversations(3));
    let mut logged = logged.begin_again();
    std::fs::rename(&logged.directory, logged.folder.path().join("away")).unwrap();
    std::fs::write(&logged.directory, "in the way").unwrap();
    let lines = LogLines::of(|| logged.log.files.finish_leftovers(true));
    assert_eq!(lines, ["a file of an earlier run could not be finished"]);
    assert_eq!(logged.counters.write_errors.value(), 3);
}

#[test]
fn files_with_an_alert_come_first_at_the_end_and_the_others_are_counted() {
    let mut logged = Logged::new(1 << 20, 10);
    logged.send(&conversations(40));
    let others: Vec<Vec<u8>> = (1..=40).map(|port| tcp(([10, 0, 0, 9], port), SERVER, SYN)).collect();
    logged.send(&others);
    // The alert fires, and the conversations go on.
    logged.log.take_alert(&scanner());
    logged.send(&conversations(40));
    assert_eq!(logged.archived().len(), 40);
    let looks = std::cell::Cell::new(0);
    logged.log.finish(|| looks.replace(looks.get() + 1) >= 50);
    assert_eq!(logged.archived().len(), 80);
    let unfinished = files(&logged.directory, ".part").len();
    assert_eq!((unfinished, files(&logged.directory, ".pcap").len()), (30, 10));
    assert_eq!(logged.counters.unfinished_files(), 30);
}

#[test]
fn files_of_an_earlier_run_stay_for_a_day() {
    let mut logged = Logged::new(24 + 70, 10);
    logged.send(&vec![from_client(SYN); 3]);
    let mut logged = logged.restart(false);
    logged.send(&[from_client(SYN)]);
    std::fs::write(logged.directory.join("other-0.pcap"), "not ours").unwrap();
    let day = Duration::from_secs(24 * 3_600);
    logged.log.tidy(SystemTime::now() + day - Duration::from_secs(60));
    assert_eq!(logged.logged().len(), 5);
    logged.log.tidy(SystemTime::now() + day + Duration::from_secs(60));
    assert_eq!(logged.logged(), ["other-0.pcap", "tcp_10.0.0.5_50000_10.0.0.6_80-3.pcap.part"]);
}

#[test]
fn files_of_another_process_stay_as_they_are() {
    let mut logged = Logged::new(1 << 20, 10);
    logged.send(&[from_client(SYN)]);
    let counters = Arc::default();
    let mut other = PacketLog::new(setup(&logged.directory, &logged.archive, &counters), counters);
    other.tidy(SystemTime::now() + Duration::from_secs(48 * 3_600));
    assert_eq!(logged.logged(), ["tcp_10.0.0.5_50000_10.0.0.6_80-0.pcap.part"]);
}

#[test]
fn file_that_someone_removed_is_begun_anew() {
    let mut logged = Logged::new(1 << 20, 10);
    let frame = |port: u16| tcp((CLIENT.0, port), SERVER, SYN);
    // Many others close the file of the first.
    logged.send(&[frame(1)]);
    logged.send(&(2..=400).map(frame).collect::<Vec<_>>());
    for name in logged.logged() {
        std::fs::remove_file(logged.directory.join(name)).unwrap();
    }
    logged.send(&[frame(1)]);
    assert_eq!(logged.logged(), ["tcp_10.0.0.5_1_10.0.0.6_80-1.pcap.part"]);
    assert_eq!(logged.counters.log.lost_packets.value(), 0);
}
