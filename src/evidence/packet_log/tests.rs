//! Logged conversations and their files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;
use crate::detect::Kind;
use crate::evidence::tests::{FIN, SYN, alert, chunk, files, read, tcp};

const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 5], 50_000);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 6], 80);
const RST: u8 = 0x04;

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
        let [directory, archive] = ["log", "archive"].map(|name| folder.path().join(name));
        std::fs::create_dir(&archive).unwrap();
        let setup = LogSetup {
            directory: directory.clone(),
            archive: Some(archive.clone()),
            archive_quota: None,
            quota_bytes,
            max_file_bytes,
            max_rotations,
        };
        let counters = Arc::<EvidenceCounters>::default();
        Self { log: PacketLog::new(setup, Arc::clone(&counters)), counters, directory, archive, folder }
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
    let names = files(directory, ".pcap").into_iter();
    names.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
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
    assert_eq!(logged.logged(), ["tcp_10.0.0.5_50000_10.0.0.6_80-0.pcap", "tcp_10.0.0.5_50001_10.0.0.6_80-0.pcap"]);
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
    assert_eq!(logged.logged(), ["tcp_10.0.0.6_80_10.0.0.9_1-0.pcap"]);
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
}

#[test]
fn files_rotate_and_the_oldest_go() {
    // A header of 24 bytes, and 70 bytes a packet.
    let mut logged = Logged::new(24 + 2 * 70, 3);
    logged.send(&vec![from_client(SYN); 5]);
    (0..4).for_each(|_| logged.send(&[from_client(SYN)]));
    let name = |number: u32| format!("tcp_10.0.0.5_50000_10.0.0.6_80-{number}.pcap");
    assert_eq!(logged.logged(), [name(2), name(3), name(4)]);
    let packets = |number| read(&logged.directory.join(name(number))).len();
    assert_eq!([2, 3, 4].map(packets), [2, 2, 1]);
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
    let directory = logged.directory.to_str().unwrap();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open = open.filter(|entry| entry.path().read_link().is_ok_and(|path| path.starts_with(directory))).count();
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
    let total: u64 = files(&logged.directory, ".pcap").iter().map(|path| path.metadata().unwrap().len()).sum();
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
