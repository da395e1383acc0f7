use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;
use crate::packet::Timestamp;

/// A record as a file has it.
#[derive(Debug, Clone)]
struct Record {
    seconds: u32,
    fraction: u32,
    captured: Vec<u8>,
    wire_bytes: u32,
}

fn record() -> impl Strategy<Value = Record> {
    let fraction = prop_oneof![8 => 0_u32..1_000_000, 1 => any::<u32>()];
    let captured = prop_oneof![8 => 0_usize..100, 1 => 100_usize..140_000];
    (any::<u32>(), fraction, captured, any::<u32>(), any::<u8>()).prop_map(
        |(seconds, fraction, length, wire_bytes, fill)| Record {
            seconds,
            fraction,
            captured: vec![fill; length],
            wire_bytes,
        },
    )
}

fn file(magic: u32, version: [u16; 2], snap_length: u32, records: &[Record]) -> Vec<u8> {
    file_in_order(false, magic, version, snap_length, records)
}

/// The file as this machine writes it, or one of the other byte order.
fn file_in_order(swapped: bool, magic: u32, version: [u16; 2], snap_length: u32, records: &[Record]) -> Vec<u8> {
    let word = |word: u32| if swapped { word.swap_bytes() } else { word }.to_ne_bytes();
    let half = |half: u16| if swapped { half.swap_bytes() } else { half }.to_ne_bytes();
    let mut file = word(magic).to_vec();
    file.extend(version.map(half).concat());
    file.extend([0, 0, snap_length, 1].map(word).concat());
    for Record { seconds, fraction, captured, wire_bytes } in records {
        file.extend([*seconds, *fraction, captured.len() as u32, *wire_bytes].map(word).concat());
        file.extend(captured);
    }
    file
}

/// All frames, in calls of `count`, before each of which up to `plain` are taken one by one, and how it ended.
fn outcome(opened: Result<Savefile, Error>, plain: usize, count: usize) -> (Vec<(Timestamp, Vec<u8>, u32)>, String) {
    let copy = |frame: Frame<'_>| (frame.time, frame.captured.to_vec(), frame.wire_bytes);
    let mut frames = Vec::new();
    let mut savefile = match opened {
        Ok(savefile) => savefile,
        Err(error) => return (frames, error.to_string()),
    };
    loop {
        let before = frames.len();
        frames.extend((0..plain).map_while(|_| savefile.next_plain().map(copy)));
        let taken = frames.len();
        let read = savefile.read(count, |_, frame| frames.push(copy(frame)));
        match read {
            Ok(read) if read.stop == StopReason::End => return (frames, "end".to_owned()),
            Ok(read) => assert_eq!(frames.len() - taken, read.frames),
            Err(error) => return (frames, error.to_string()),
        }
        assert!(frames.len() > before);
    }
}

/// The file as libpcap reads it from the beginning on.
fn by_libpcap(path: &Path) -> Result<Savefile, Error> {
    let handed = LibpcapReader::over(Vec::new(), Input::of_file(File::open(path).unwrap()));
    let reader = handed.map_err(|error| Error::NotACapture { path: path.to_owned(), reason: words(&error) })?;
    let link_types = vec![reader.link_type()];
    let reader = Reader::Libpcap(reader);
    Ok(Savefile { path: path.to_owned(), reader, link_types, filter: None, frames: 0, consumed: None })
}

fn written(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn every_pcap_file_is_read_as_libpcap_reads_it(
        records in prop::collection::vec(record(), 0..12),
        magic in prop_oneof![
            6 => Just(0xa1b2_c3d4_u32), 2 => Just(0xa1b2_3c4d), 1 => Just(0xd4c3_b2a1), 1 => Just(0xa1b2_cd34), 1 => any::<u32>()
        ],
        version in prop_oneof![9 => Just([2, 4]), 1 => Just([2, 3]), 1 => any::<[u16; 2]>()],
        snap_length in prop_oneof![6 => Just(262_144_u32), 2 => 0_u32..200, 1 => any::<u32>()],
        cut in prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        swapped in any::<bool>(),
        plain in 0_usize..4,
        count in 1_usize..7,
    ) {
        let mut bytes = file_in_order(swapped, magic, version, snap_length, &records);
        changes.iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = *byte);
        bytes.truncate(cut.map_or(bytes.len(), |at| at.index(bytes.len())));
        let file = written(&bytes);
        let (frames, end) = outcome(Savefile::open(file.path(), None), plain, count);
        prop_assert_eq!((frames, end), outcome(by_libpcap(file.path()), 0, count));
    }
}

fn records(count: usize) -> Vec<Record> {
    let record = |number: usize| Record {
        seconds: 1_700_000_000 + number as u32,
        fraction: 5,
        captured: vec![number as u8; 60],
        wire_bytes: 60,
    };
    (0..count).map(record).collect()
}

fn is_plain(savefile: &Savefile) -> bool {
    matches!(&savefile.reader, Reader::Records(records) if !records.is_odd())
}

#[test]
fn plain_file_is_left_to_libpcap_only_where_it_is_odd() {
    for swapped in [false, true] {
        let mut bytes = file_in_order(swapped, NANOSECONDS_MAGIC, [2, 4], 65_535, &records(10));
        let whole = written(&bytes);
        let mut savefile = Savefile::open(whole.path(), None).unwrap();
        assert_eq!(savefile.read(100, |_, _| {}).unwrap(), FramesRead { frames: 10, stop: StopReason::End });
        assert!(is_plain(&savefile));
        bytes.truncate(bytes.len() - 1);
        let cut = written(&bytes);
        let savefile = Savefile::open(cut.path(), None).unwrap();
        assert!(is_plain(&savefile));
        let (frames, end) = outcome(Ok(savefile), 0, 4);
        assert_eq!(frames.len(), 9);
        assert!(end.contains("truncated") && end.contains("after 9 frames"), "{end}");
    }
}

#[test]
fn filter_leaves_frames_out_and_its_frames_count_as_read() {
    let mut records = records(10);
    records[3].wire_bytes = 61;
    let file = written(&file(NANOSECONDS_MAGIC, [2, 4], 65_535, &records));
    let mut savefile = Savefile::open(file.path(), Some("greater 61")).unwrap();
    let mut kept = Vec::new();
    let read = savefile.read(100, |_, frame| kept.push(frame.captured[0])).unwrap();
    assert_eq!((read, kept), (FramesRead { frames: 10, stop: StopReason::End }, vec![3]));
}

#[test]
fn input_that_is_still_to_come_is_waited_for_in_between() {
    let bytes = file(NANOSECONDS_MAGIC, [2, 4], 65_535, &records(3));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let (give, more) = std::sync::mpsc::channel::<Vec<u8>>();
    let writer = {
        let path = path.clone();
        std::thread::spawn(move || {
            let mut pipe = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            more.iter().for_each(|bytes| pipe.write_all(&bytes).unwrap());
        })
    };
    // A header, a record and a half.
    give.send(bytes[..24 + 76 + 30].to_vec()).unwrap();
    let mut savefile = Savefile::open(&path, None).unwrap();
    let mut seen = 0;
    while seen < 1 {
        seen += savefile.read(10, |_, _| {}).unwrap().frames;
    }
    assert_eq!(savefile.read(10, |_, _| {}).unwrap(), FramesRead { frames: 0, stop: StopReason::Waiting });
    give.send(bytes[24 + 76 + 30..].to_vec()).unwrap();
    drop(give);
    loop {
        let read = savefile.read(10, |_, _| {}).unwrap();
        seen += read.frames;
        if read.stop == StopReason::End {
            break;
        }
    }
    assert_eq!(seen, 3);
    writer.join().unwrap();
}

const NANOSECONDS_MAGIC: u32 = 0xa1b2_3c4d;
