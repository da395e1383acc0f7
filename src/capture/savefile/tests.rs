use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;

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
    let mut file = magic.to_ne_bytes().to_vec();
    version.iter().for_each(|part| file.extend(part.to_ne_bytes()));
    [0, 0, snap_length, 1].iter().for_each(|word| file.extend(word.to_ne_bytes()));
    for Record { seconds, fraction, captured, wire_bytes } in records {
        let words = [*seconds, *fraction, captured.len() as u32, *wire_bytes];
        words.iter().for_each(|word| file.extend(word.to_ne_bytes()));
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
        let read = savefile.read(count, |frame| frames.push(copy(frame)));
        match read {
            Ok(read) => assert_eq!(frames.len() - taken, read),
            Err(error) => return (frames, error.to_string()),
        }
        if frames.len() == before {
            return (frames, "end".to_owned());
        }
    }
}

fn by_libpcap(path: &Path) -> Result<Savefile, Error> {
    Ok(Savefile { records: None, ..Savefile::open(path, None)? })
}

fn written(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_a_file_holds_is_read_as_libpcap_reads_it(
        records in prop::collection::vec(record(), 0..12),
        magic in prop_oneof![
            6 => Just(0xa1b2_c3d4_u32), 2 => Just(0xa1b2_3c4d), 1 => Just(0xd4c3_b2a1), 1 => Just(0xa1b2_cd34), 1 => any::<u32>()
        ],
        version in prop_oneof![9 => Just([2, 4]), 1 => Just([2, 3]), 1 => any::<[u16; 2]>()],
        snap_length in prop_oneof![6 => Just(262_144_u32), 2 => 0_u32..200, 1 => any::<u32>()],
        cut in prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        plain in 0_usize..4,
        count in 1_usize..7,
    ) {
        let mut bytes = file(magic, version, snap_length, &records);
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

#[test]
fn a_plain_file_is_not_left_to_libpcap_before_it_is_odd() {
    let mut bytes = file(NANOSECONDS_MAGIC, [2, 4], 65_535, &records(10));
    let whole = written(&bytes);
    let mut savefile = Savefile::open(whole.path(), None).unwrap();
    assert_eq!(savefile.read(100, |_| {}).unwrap(), 10);
    assert!(savefile.records.is_some());
    bytes.truncate(bytes.len() - 1);
    let cut = written(&bytes);
    let savefile = Savefile::open(cut.path(), None).unwrap();
    assert!(savefile.records.is_some());
    let (frames, end) = outcome(Ok(savefile), 0, 4);
    assert_eq!(frames.len(), 9);
    assert!(end.contains("truncated") && end.contains("after 9 frames"), "{end}");
}

#[test]
fn with_a_filter_libpcap_reads() {
    let file = written(&file(NANOSECONDS_MAGIC, [2, 4], 65_535, &records(10)));
    let savefile = Savefile::open(file.path(), Some("greater 61")).unwrap();
    assert!(savefile.records.is_none());
    assert_eq!(outcome(Ok(savefile), 0, 4).0.len(), 0);
}

#[test]
fn a_file_that_another_has_taken_the_place_of_is_left_to_libpcap() {
    let [one, other] = [1, 2].map(|count| written(&file(NANOSECONDS_MAGIC, [2, 4], 65_535, &records(count))));
    let opened = || File::open(one.path()).unwrap();
    assert!(plain(opened(), one.path()).is_some());
    assert!(plain(opened(), other.path()).is_none());
}

const NANOSECONDS_MAGIC: u32 = 0xa1b2_3c4d;
