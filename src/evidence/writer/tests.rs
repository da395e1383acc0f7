//! The formats, read back by `capture`.

use proptest::prelude::*;

use super::*;
use crate::evidence::RecordedPacket;
use crate::evidence::tests::{read, source};
use crate::packet::Timestamp;

/// Times after 1970 and before 2038, bytes, and the length on the wire.
fn packets() -> impl Strategy<Value = Vec<(i64, Vec<u8>, u32)>> {
    let packet = (0..2_147_483_647_999_999_999_i64, prop::collection::vec(any::<u8>(), 0..300), 0..70_000_u32);
    let longer = |(time, bytes, more): (i64, Vec<u8>, u32)| {
        let wire_bytes = bytes.len() as u32 + more;
        (time, bytes, wire_bytes)
    };
    prop::collection::vec(packet.prop_map(longer), 1..20)
}

fn check_read_back(name: &str, file: &[u8], link_type: i32, packets: &[(i64, Vec<u8>, u32)]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, file).unwrap();
    let expected: Vec<_> = packets
        .iter()
        .map(|(time, bytes, wire)| (link_type, Timestamp::from_nanoseconds(*time), bytes.clone(), *wire))
        .collect();
    assert_eq!(read(&path), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn written_packets_are_read_back_as_they_were(
        packets in packets(), link_type in prop::sample::select(vec![(1, 1), (113, 113), (12, 101), (276, 276)]),
    ) {
        let source = source(link_type.0);
        let recorded = |(time, bytes, wire_bytes): &(i64, Vec<u8>, u32)| {
            (Timestamp::from_nanoseconds(*time), bytes.clone(), *wire_bytes)
        };
        let (mut newer, mut older) = (pcapng::section_header("a comment of odd length", "test"), savefile::file_header(&source));
        pcapng::put_interface(&mut newer, &source);
        for (time, bytes, wire_bytes) in packets.iter().map(recorded) {
            let packet = RecordedPacket { time, bytes: &bytes, wire_bytes };
            let before = newer.len();
            pcapng::put_packet(&mut newer, 0, &packet);
            prop_assert_eq!(newer.len() - before, pcapng::packet_bytes(bytes.len()));
            savefile::put_packet(&mut older, &packet);
        }
        check_read_back("a.pcapng", &newer, link_type.1, &packets);
        check_read_back("a.pcap", &older, link_type.1, &packets);
    }
}

#[test]
fn comment_of_any_length_takes_the_same_space() {
    for comment in ["", "é", "a longer comment than there is space for", "ééééééééé"] {
        assert_eq!(pcapng::padded(comment, 9).len(), 9, "{comment}");
    }
    let lengths: Vec<usize> =
        ["", "abc"].map(|text| pcapng::section_header(&pcapng::padded(text, 8), "x").len()).into();
    assert_eq!(lengths[0], lengths[1]);
}
