use std::fs::File;
use std::io::Write as _;

use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;
use crate::capture::savefile::libpcap::LibpcapReader;

/// Bytes of a file in the making.
struct Writer {
    big: bool,
    bytes: Vec<u8>,
}

/// A block as a file has it.
#[derive(Debug, Clone)]
enum Written {
    Enhanced { units: u64, captured: Vec<u8>, wire_bytes: u32 },
    Simple { bytes: Vec<u8> },
    Obsolete { units: u64, captured: Vec<u8>, wire_bytes: u32 },
    Other { kind: u32, body: Vec<u8> },
    Section,
}

impl Writer {
    fn word(&self, word: u32) -> [u8; 4] {
        if self.big { word.to_be_bytes() } else { word.to_le_bytes() }
    }

    fn half(&self, half: u16) -> [u8; 2] {
        if self.big { half.to_be_bytes() } else { half.to_le_bytes() }
    }

    fn block(&mut self, kind: u32, mut body: Vec<u8>) {
        body.resize(body.len().next_multiple_of(4), 0);
        let length = self.word(body.len() as u32 + 12);
        self.bytes.extend([&self.word(kind)[..], &length, &body, &length].concat());
    }

    fn section(&mut self) {
        let version = [self.half(1), self.half(0)].concat();
        let body = [&self.word(BYTE_ORDER)[..], &version, &[0xff; 8]].concat();
        self.block(SECTION_HEADER, body);
    }

    fn interface(&mut self, link_type: u16, snap_length: u32, options: &[(u16, Vec<u8>)]) {
        let mut body = [&self.half(link_type)[..], &[0, 0], &self.word(snap_length)].concat();
        for (code, value) in options {
            body.extend([self.half(*code), self.half(value.len() as u16)].concat());
            body.extend(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(INTERFACE_DESCRIPTION, body);
    }

    fn packet(&mut self, kind: u32, first: [u8; 4], units: u64, captured: &[u8], wire_bytes: u32) {
        let words = [(units >> 32) as u32, units as u32, captured.len() as u32, wire_bytes];
        let body = [&first[..], &words.map(|word| self.word(word)).concat(), captured].concat();
        self.block(kind, body);
    }

    fn write(&mut self, block: &Written, interface: (u16, u32, &[(u16, Vec<u8>)])) {
        match block {
            Written::Enhanced { units, captured, wire_bytes } => {
                self.packet(ENHANCED_PACKET, self.word(0), *units, captured, *wire_bytes);
            }
            Written::Obsolete { units, captured, wire_bytes } => {
                let first = [self.half(0), self.half(9)].concat();
                self.packet(PACKET, first.try_into().unwrap(), *units, captured, *wire_bytes);
            }
            Written::Simple { bytes } => {
                let body = [&self.word(bytes.len() as u32)[..], bytes].concat();
                self.block(SIMPLE_PACKET, body);
            }
            Written::Other { kind, body } => self.block(*kind, body.clone()),
            Written::Section => {
                self.section();
                self.interface(interface.0, interface.1, interface.2);
            }
        }
    }
}

const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// A time as far as libpcap's arithmetic is comparable with ours.
///
/// Times that do not fit 64 bits of nanoseconds are saturated by us and wrap around in libpcap: here all of them are one.
/// Fractions are left out of files with a clock that libpcap's arithmetic is too narrow for.
fn comparable(time: Timestamp, file: &[u8]) -> Timestamp {
    const FAR: i64 = 9_000_000_000 * 1_000_000_000;
    match time.nanoseconds().unsigned_abs() {
        nanoseconds if nanoseconds >= FAR.unsigned_abs() => Timestamp::from_nanoseconds(FAR),
        _ if fractions_overflow(file) => Timestamp::from_seconds_and_nanoseconds(time.seconds(), 0),
        _ => time,
    }
}

/// True if a clock of the file may have units of 2^-35 s or less. libpcap multiplies the fraction of a second by 10^9 in
/// 64 bits, which overflow from 18,446,744,074 units on, and then gives a moment of the same second that is wrong.
fn fractions_overflow(file: &[u8]) -> bool {
    file.windows(5).any(|option| option[..4] == [9, 0, 1, 0] && (0x80 + 35..0xc0).contains(&option[4]))
}

type Frames = Vec<(Timestamp, Vec<u8>, u32)>;

fn written(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// All frames, and the fault at the end.
fn walked(bytes: &[u8]) -> (Frames, Option<Fault>) {
    let file = written(bytes);
    let mut frames = Vec::new();
    let Ok(mut blocks) = Blocks::of(Input::of_file(File::open(file.path()).unwrap())) else { return (frames, None) };
    loop {
        match blocks.next() {
            Ok(NextPacket::Frame(_, frame)) => {
                frames.push((comparable(frame.time, bytes), frame.captured.to_vec(), frame.wire_bytes))
            }
            Ok(NextPacket::Waiting) => panic!("a file never waits"),
            Ok(NextPacket::End) => return (frames, None),
            Err(fault) => return (frames, Some(fault)),
        }
    }
}

fn by_libpcap(bytes: &[u8]) -> (Frames, bool) {
    let file = written(bytes);
    let mut frames = Vec::new();
    let Ok(mut handed) = LibpcapReader::over(Vec::new(), Input::of_file(File::open(file.path()).unwrap())) else {
        return (frames, false);
    };
    loop {
        match handed
            .read(100, |frame| frames.push((comparable(frame.time, bytes), frame.captured.to_vec(), frame.wire_bytes)))
        {
            Ok(0) => return (frames, true),
            Ok(_) => {}
            Err(_) => return (frames, false),
        }
    }
}

fn block() -> impl Strategy<Value = Written> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..70);
    // Seconds that libpcap's 32 bits and our 64 bits of nanoseconds both hold, whatever the clock.
    let units = || 0_u64..1 << 40;
    prop_oneof![
        5 => (units(), bytes(), any::<u32>()).prop_map(|(units, captured, wire_bytes)| Written::Enhanced { units, captured, wire_bytes }),
        1 => (units(), bytes(), any::<u32>()).prop_map(|(units, captured, wire_bytes)| Written::Obsolete { units, captured, wire_bytes }),
        1 => bytes().prop_map(|bytes| Written::Simple { bytes }),
        1 => (4_u32..6, bytes()).prop_map(|(kind, body)| Written::Other { kind, body }),
        1 => (0x8000_0000_u32..0x8000_0010, bytes()).prop_map(|(kind, body)| Written::Other { kind, body }),
        1 => Just(Written::Section),
    ]
}

fn options() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let resolution = prop_oneof![4 => 0_u8..13, 3 => 0x80_u8..0xc0, 1 => 13_u8..0x80, 1 => 0xc0_u8..];
    let option = prop_oneof![
        (any::<u8>()).prop_map(|letter| (2_u16, vec![letter; 5])),
        (0_i64..1_000).prop_map(|seconds| (14, seconds.to_le_bytes().to_vec())),
    ];
    (prop::option::of(resolution), prop::collection::vec(option, 0..2)).prop_map(|(resolution, mut options)| {
        options.extend(resolution.map(|exponent| (9_u16, vec![exponent])));
        options
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn files_that_libpcap_reads_are_read_as_it_reads_them(
        blocks in prop::collection::vec(block(), 0..12),
        options in options(),
        snap_length in prop_oneof![Just(65_535_u32), Just(0), Just(40), Just(262_144)],
        cut in prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
    ) {
        let mut writer = Writer { big: false, bytes: Vec::new() };
        writer.write(&Written::Section, (1, snap_length, &options));
        blocks.iter().for_each(|block| writer.write(block, (1, snap_length, &options)));
        let mut bytes = writer.bytes;
        changes.iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = *byte);
        bytes.truncate(cut.map_or(bytes.len(), |at| at.index(bytes.len())));
        let (frames, fault) = walked(&bytes);
        let (expected, is_whole) = by_libpcap(&bytes);
        prop_assert!(frames.starts_with(&expected), "{:?}, not {:?}", frames, expected);
        if is_whole {
            prop_assert_eq!((frames.len(), fault.map(|fault| fault.to_string())), (expected.len(), None));
        }
    }

    #[test]
    fn noise_behind_a_section_header_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..200), big in any::<bool>()) {
        let mut writer = Writer { big, bytes: Vec::new() };
        writer.section();
        writer.interface(1, 0, &[]);
        writer.bytes.extend(noise);
        walked(&writer.bytes);
    }
}

#[test]
fn interfaces_have_their_own_link_types_clocks_and_snap_lengths() {
    for big in [false, true] {
        let mut writer = Writer { big, bytes: Vec::new() };
        writer.section();
        writer.interface(1, 65_535, &[]);
        writer.interface(101, 100, &[(9, vec![9])]);
        let offset = if big { 7_i64.to_be_bytes() } else { 7_i64.to_le_bytes() };
        writer.interface(276, 0, &[(9, vec![0x81]), (14, offset.to_vec())]);
        for (interface, units) in [(0, 1_500_000), (1, 1_500_000_000), (2, 3)] {
            writer.packet(ENHANCED_PACKET, writer.word(interface), units, &[7; 20], 60);
        }
        let file = written(&writer.bytes);
        let mut blocks = Blocks::of(Input::of_file(File::open(file.path()).unwrap())).ok().unwrap();
        assert_eq!(blocks.link_types().unwrap(), [1, 101, 276].map(LinkType));
        let mut read = Vec::new();
        while let NextPacket::Frame(link_type, frame) = blocks.next().unwrap() {
            read.push((link_type.0, frame.time));
        }
        let time = |seconds| Timestamp::from_seconds_and_nanoseconds(seconds, 500_000_000);
        assert_eq!(read, [(1, time(1)), (101, time(1)), (276, time(8))], "big endian: {big}");
    }
}

/// The least units that overflow in libpcap's arithmetic, in a clock of 2^-35 s: 0.536870912 s.
#[test]
fn fractions_that_overflow_in_libpcap_are_read_right() {
    for (units, nanoseconds) in [(18_446_744_073, 536_870_911), (18_446_744_074, 536_870_912)] {
        let mut writer = Writer { big: false, bytes: Vec::new() };
        writer.write(&Written::Section, (1, 65_535, &[(9, vec![0x80 + 35])]));
        writer.packet(ENHANCED_PACKET, [0; 4], units, &[0; 13], 13);
        let mut blocks = Blocks::of(Input::of_file(File::open(written(&writer.bytes).path()).unwrap())).ok().unwrap();
        let Ok(NextPacket::Frame(_, frame)) = blocks.next() else { panic!("no frame of {units} units") };
        assert_eq!(frame.time.nanoseconds(), nanoseconds);
        assert_eq!(walked(&writer.bytes).0, by_libpcap(&writer.bytes).0);
    }
}

#[test]
fn sections_may_differ_in_byte_order_and_each_has_its_own_interfaces() {
    let mut bytes = Vec::new();
    for (big, link_type) in [(false, 1), (true, 101)] {
        let mut writer = Writer { big, bytes };
        writer.section();
        writer.interface(link_type, 65_535, &[]);
        writer.packet(ENHANCED_PACKET, writer.word(0), 5, &[7; 20], 20);
        bytes = writer.bytes;
    }
    assert_eq!(walked(&bytes).0.len(), 2);
    let mut writer = Writer { big: false, bytes };
    writer.section();
    writer.packet(ENHANCED_PACKET, writer.word(0), 5, &[7; 20], 20);
    let (frames, fault) = walked(&writer.bytes);
    assert_eq!(frames.len(), 2);
    assert!(fault.unwrap().to_string().contains("interface 0"));
}

#[test]
fn faults_are_described_in_words() {
    let fault = |spoil: fn(&mut Writer)| {
        let mut writer = Writer { big: false, bytes: Vec::new() };
        writer.section();
        writer.interface(1, 100, &[]);
        spoil(&mut writer);
        walked(&writer.bytes).1.map(|fault| fault.to_string()).unwrap_or_default()
    };
    let packet = |writer: &mut Writer| writer.packet(ENHANCED_PACKET, [0; 4], 0, &[7; 20], 20);
    assert_eq!(fault(packet), "");
    for (spoil, words) in [
        ((|writer| writer.bytes.extend([6, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0])) as fn(&mut Writer), "13 bytes"),
        (|writer| writer.bytes.extend([6, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0]), "16 MiB"),
        (|writer| writer.bytes.extend([9, 0, 0, 0, 12, 0, 0, 0, 16, 0, 0, 0]), "12 bytes at its start and 16"),
        (|writer| writer.block(ENHANCED_PACKET, vec![0; 8]), "too short"),
        (|writer| writer.packet(ENHANCED_PACKET, [3, 0, 0, 0], 0, &[7; 20], 20), "interface 3"),
        (|writer| writer.packet(ENHANCED_PACKET, [0; 4], 0, &[7; 101], 101), "101 captured bytes: at most 100"),
        (|writer| writer.interface(1, 0, &[(9, vec![60])]), "resolution"),
        (|writer| writer.bytes.extend([6, 0, 0]), "ends inside a block"),
        (|writer| writer.block(SECTION_HEADER, vec![1; 16]), "byte order"),
        (|writer| writer.block(SECTION_HEADER, [&BYTE_ORDER.to_le_bytes()[..], &[2; 12]].concat()), "version"),
    ] {
        assert!(fault(spoil).contains(words), "{words}: {}", fault(spoil));
    }
}
