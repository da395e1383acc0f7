use proptest::prelude::*;

use super::*;
use crate::packet::Timestamp;

/// Filters that use every kind of instruction that libpcap makes.
const FILTERS: [&str; 16] = [
    "ip",
    "ip6 and not tcp",
    "udp port 53",
    "tcp portrange 1-1023 or udp portrange 5000-6000",
    "host 192.0.2.1",
    "src net 10.0.0.0/8 and dst host 198.51.100.2",
    "ip6 host 2001:db8::1",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
    "ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) != 0",
    "ether[0] & 1 != 0",
    "vlan and udp",
    "ip[8] / ip[9] > 1",
    "ip[8] % 7 = 1 or ip[8] * 3 > 200 or ip[8] ^ 5 = 1",
    "ether[ether[0]] = 0",
    "icmp or icmp6",
    "-ip[8] < 10",
];

fn frame_bytes() -> impl Strategy<Value = Vec<u8>> {
    let ether_type = prop_oneof![Just([0x08, 0x00]), Just([0x86, 0xdd]), Just([0x81, 0x00])];
    let head = prop_oneof![Just(0x45_u8), Just(0x60), any::<u8>()];
    let protocol = prop_oneof![Just(6_u8), Just(17), Just(1), any::<u8>()];
    (prop::collection::vec(any::<u8>(), 0..90), ether_type, head, protocol).prop_map(
        |(mut bytes, ether_type, head, protocol)| {
            let mut set = |at: usize, value| bytes.get_mut(at).map_or((), |byte| *byte = value);
            set(12, ether_type[0]);
            set(13, ether_type[1]);
            set(14, head);
            set(20, 0);
            set(23, protocol);
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn frames_pass_as_they_do_in_libpcap(bytes in frame_bytes(), which in 0..FILTERS.len()) {
        let ethernet = LinkType(1);
        let compiled = libpcap::empty(ethernet).unwrap().compile(FILTERS[which], true).unwrap();
        let frame = Frame::new(Timestamp::default(), &bytes, bytes.len() as u32);
        let passes = SavefileFilter::new(FILTERS[which], ethernet).unwrap().passes(ethernet, &frame).unwrap();
        prop_assert_eq!(passes, compiled.filter(&bytes), "{}", FILTERS[which]);
    }

    #[test]
    fn any_program_ends(
        words in prop::collection::vec((any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>()), 0..60),
        packet in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let program: Vec<_> = words.into_iter().map(|(code, jt, jf, k)| sock_filter { code, jt, jf, k }).collect();
        run(&program, &packet, 40);
    }
}

#[test]
fn length_is_that_on_the_wire() {
    let mut filter = SavefileFilter::new("greater 100", LinkType(1)).unwrap();
    let frame = |wire_bytes| Frame::new(Timestamp::default(), &[0; 60], wire_bytes);
    assert!(filter.passes(LinkType(1), &frame(100)).unwrap());
    assert!(!filter.passes(LinkType(1), &frame(99)).unwrap());
}

#[test]
fn each_link_type_has_its_program() {
    let mut filter = SavefileFilter::new("udp", LinkType(1)).unwrap();
    let datagram = [&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0][..], &[10; 16]].concat();
    let ethernet = [&[2; 12][..], &[8, 0], &datagram].concat();
    for _ in 0..2 {
        for (link_type, bytes) in [(1, &ethernet), (101, &datagram)] {
            let frame = Frame::new(Timestamp::default(), bytes, bytes.len() as u32);
            assert!(filter.passes(LinkType(link_type), &frame).unwrap(), "{link_type}");
        }
    }
    assert_eq!(filter.programs.len(), 2);
}

#[test]
fn link_type_for_which_it_does_not_compile_is_named() {
    let mut filter = SavefileFilter::new("ether host 02:00:00:00:00:01", LinkType(1)).unwrap();
    let refused = filter.passes(LinkType(101), &Frame::new(Timestamp::default(), &[0x45; 20], 20));
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("an interface of link type 101"), "{words}");
}

#[test]
fn direction_of_a_frame_is_unknown_in_an_ethernet_file() {
    assert!(SavefileFilter::new("inbound", LinkType(1)).is_err());
}
