//! The decoder against a second parser, written by hand from the counting contract: generated frames, damaged frames,
//! noise, and every frame of a corpus cut, flipped and relabelled in every way that is few enough to try.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::agreement::disagreement;
use common::ip::{
    ALICE, ALICE_6, BOB, BOB_6, DESTINATION_OPTIONS, HOP_BY_HOP, ICMP, ICMPV6, Ipv4, Ipv6, ROUTING, arp,
    fragment_header, icmp_error, neighbor, options_header, other, port_unreachable, port_unreachable_6, tcp,
    tcp_with_options, udp,
};
use common::link::{Link, Sample};
use common::{corpus, generate, hand};
use proptest::prelude::*;

/// Fails with both readings when decoder and hand parser differ.
fn agree(sample: &Sample) -> Result<(), TestCaseError> {
    match disagreement(sample.link_type, &sample.bytes, sample.wire_bytes) {
        None => Ok(()),
        Some(difference) => Err(TestCaseError::fail(difference)),
    }
}

/// The same outside a property.
fn must_agree(name: &str, sample: &Sample) {
    if let Some(difference) = disagreement(sample.link_type, &sample.bytes, sample.wire_bytes) {
        panic!("{name}: {difference}");
    }
}

/// 30,000 frames a property, or as many as `PROPTEST_CASES` says.
fn many() -> ProptestConfig {
    let asked_for = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked_for.unwrap_or(30_000), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn generated_frames_are_read_alike(sample in generate::frame()) {
        agree(&sample)?;
    }

    #[test]
    fn damaged_frames_are_read_alike(sample in generate::damaged_frame()) {
        agree(&sample)?;
    }

    #[test]
    fn noise_is_read_alike(sample in generate::noise()) {
        agree(&sample)?;
    }

    #[test]
    fn noise_behind_a_link_header_is_read_alike(sample in generate::noise_behind_a_link()) {
        agree(&sample)?;
    }
}

#[test]
fn the_corpus_is_read_alike_and_is_ip_but_for_lengths_that_lie_where_they_are_the_proof() {
    // An IPv6 header with wrong lengths has no other proof where one is needed. A tag that begins like one is then
    // taken for the header itself.
    let needs_proof = |name: &str| name.contains("mpls") || (name.contains("hidden tag") && !name.ends_with("IPv6"));
    let is_doubted = |name: &str| name.starts_with("payload length") && !name.contains("length 0") && needs_proof(name);
    for (name, sample) in corpus::samples() {
        must_agree(&name, &sample);
        let is_ip = hand::read(sample.link_type, &sample.bytes, sample.wire_bytes).is_ok();
        assert_eq!(is_ip, !is_doubted(&name), "{name}");
    }
}

#[test]
fn pseudowires_are_read_alike_cut_at_any_byte_and_of_any_length_on_the_wire() {
    for (name, sample) in corpus::pseudowires() {
        for kept in 0..=sample.bytes.len() {
            for change in -30..30_i64 {
                let wire_bytes = u32::try_from(i64::from(sample.wire_bytes) + change).unwrap();
                must_agree(name, &sample.cut(kept).on_wire(wire_bytes));
            }
        }
    }
}

#[test]
fn every_length_field_behind_labels_and_hidden_tags_is_read_alike() {
    let links = [Link::ethernet().mpls(1), Link::cooked(0).hidden_tag(0x4500), Link::cooked_v2(0).hidden_tag(5)];
    for link in links {
        for length in 0..=u16::MAX {
            let short = Ipv4::carrying(udp(1, 2, b"")).total_length(length).wrong_checksum();
            must_agree("short IPv4", &link.clone().carrying(&short.build()).padded(4));
            let long = Ipv4::carrying(udp(1, 2, &[0; 60])).total_length(length).wrong_checksum();
            must_agree("IPv4", &link.clone().carrying(&long.build()).padded(4));
            let packet = Ipv6::carrying(udp(1, 2, b"")).payload_length(length).build();
            must_agree("IPv6", &link.clone().carrying(&packet).padded(4));
        }
    }
}

#[test]
fn every_hidden_tag_is_read_alike_whatever_type_it_says() {
    for (ipv4, link) in [(true, Link::cooked_v2(0)), (false, Link::cooked(0))] {
        let packet = if ipv4 { &corpus::ipv4_packets()[0].1 } else { &corpus::ipv6_packets()[0].1 };
        let sample = link.hidden_tag(0x4500).carrying(packet);
        let tag = sample.bytes.len() - packet.len() - 4;
        for field in 0..=u16::MAX {
            for at in [tag, tag + 2] {
                let mut other = sample.clone();
                other.bytes[at..at + 2].copy_from_slice(&field.to_be_bytes());
                must_agree("tag", &other);
            }
        }
    }
}

#[test]
fn every_frame_of_the_corpus_is_read_alike_when_cut_at_any_byte() {
    for (name, sample) in corpus::samples() {
        for kept in 0..sample.bytes.len() {
            must_agree(&name, &sample.cut(kept));
        }
    }
}

#[test]
fn every_frame_of_the_corpus_is_read_alike_when_it_ended_at_any_byte_on_the_wire() {
    for (name, sample) in corpus::samples() {
        for wire_bytes in 0..sample.wire_bytes {
            must_agree(&name, &sample.clone().on_wire(wire_bytes));
        }
    }
}

#[test]
fn every_bit_of_every_header_may_flip() {
    let (tcp_4, udp_6) = (&corpus::ipv4_packets()[0].1, &corpus::ipv6_packets()[3].1);
    let links = corpus::links().into_iter().flat_map(|(_, link)| [link.clone().carrying(tcp_4), link.carrying(udp_6)]);
    let packets = [corpus::ipv4_packets(), corpus::ipv6_packets()].concat().into_iter();
    let packets = packets.map(|(_, packet)| Link::ethernet().carrying(&packet));
    for sample in links.chain(packets) {
        for bit in 0..sample.bytes.len() * 8 {
            let mut flipped = sample.clone();
            flipped.bytes[bit / 8] ^= 1 << (bit % 8);
            must_agree("flipped", &flipped);
        }
    }
}

#[test]
fn every_quote_is_read_alike_cut_at_any_byte() {
    let mut refused = 0;
    for (name, packet) in corpus::errors() {
        let sample = Link::ethernet().vlan(0x8100).carrying(&packet);
        for kept in 0..=sample.bytes.len() {
            must_agree(&name, &sample.cut(kept));
            must_agree(&name, &sample.clone().on_wire(kept as u32));
        }
        refused += u32::from(hand::refused(sample.link_type, &sample.bytes, sample.wire_bytes).is_some());
    }
    assert!(refused > 30, "only {refused} of the errors refuse anything");
}

#[test]
fn every_bit_of_every_error_may_flip() {
    for (name, packet) in corpus::errors() {
        let sample = Link::none(101).carrying(&packet);
        for bit in 0..sample.bytes.len() * 8 {
            let mut flipped = sample.clone();
            flipped.bytes[bit / 8] ^= 1 << (bit % 8);
            must_agree(&name, &flipped);
        }
    }
}

#[test]
fn every_icmp_type_and_code_is_read_alike() {
    let (packet_4, packet_6) = (&corpus::ipv4_packets()[0].1, &corpus::ipv6_packets()[0].1);
    for (kind, code) in (0..=u8::MAX).flat_map(|kind| (0..=u8::MAX).map(move |code| (kind, code))) {
        let error = Ipv4::carrying(icmp_error(ICMP, kind, code, packet_4)).between(BOB, ALICE).build();
        must_agree("icmp", &Link::none(101).carrying(&error));
        let error = Ipv6::carrying(icmp_error(ICMPV6, kind, code, packet_6)).between(BOB_6, ALICE_6).build();
        must_agree("icmpv6", &Link::none(101).carrying(&error));
    }
}

#[test]
fn every_quoted_protocol_with_every_first_byte_is_read_alike() {
    for (number, first) in (0..=u8::MAX).flat_map(|number| (0..=u8::MAX).map(move |first| (number, first))) {
        let above = other(number, &[first, 0, 0, 53, 0, 9, 0, 0]);
        let error = port_unreachable(&Ipv4::carrying(above.clone()).build(), 28).build();
        must_agree("ipv4", &Link::none(101).carrying(&error));
        let error = port_unreachable_6(&Ipv6::carrying(above).build(), 48).build();
        must_agree("ipv6", &Link::none(101).carrying(&error));
    }
}

#[test]
fn every_ether_type_is_read_alike() {
    for packet in [&corpus::ipv4_packets()[0].1, &corpus::ipv6_packets()[0].1] {
        for ether_type in 0..=u16::MAX {
            must_agree("ethernet", &Link::ethernet().carrying_ether_type(ether_type, packet));
            must_agree("vlan", &Link::ethernet().vlan(0x88a8).carrying_ether_type(ether_type, packet));
            must_agree("cooked", &Link::cooked(0).carrying_ether_type(ether_type, packet));
            must_agree("cooked v2", &Link::cooked_v2(0).carrying_ether_type(ether_type, packet));
            must_agree("snap", &Link::ethernet().snap().carrying_ether_type(ether_type, packet));
            must_agree("cisco hdlc", &Link::cisco_hdlc().carrying_ether_type(ether_type, packet));
            must_agree("802.11", &Link::wireless().carrying_ether_type(ether_type, packet));
        }
    }
}

#[test]
fn every_ppp_protocol_is_read_alike() {
    for packet in [&corpus::ipv4_packets()[0].1, &corpus::ipv6_packets()[0].1] {
        for protocol in 0..=u16::MAX {
            must_agree("ppp", &Link::ppp().carrying_ppp(protocol, packet));
            must_agree("framed ppp", &Link::ppp_framed(50).carrying_ppp(protocol, packet));
            must_agree("pppoe", &Link::ethernet().pppoe().carrying_ppp(protocol, packet));
            must_agree("compressed", &Link::ethernet().pppoe().compressed().carrying_ppp(protocol, packet));
        }
    }
}

#[test]
fn every_address_family_is_read_alike_in_both_byte_orders() {
    for (link_type, ipv6) in [(0, false), (0, true), (108, false), (108, true)] {
        let packet = if ipv6 { &corpus::ipv6_packets()[0].1 } else { &corpus::ipv4_packets()[0].1 };
        for family in 0..=u16::MAX {
            let [high, low] = family.to_be_bytes();
            for order in [[0, 0, high, low], [low, high, 0, 0], [high, 0, 0, low], [0, high, low, 0]] {
                let bytes = [&order[..], packet].concat();
                must_agree("family", &Sample { link_type, wire_bytes: bytes.len() as u32, bytes });
            }
        }
    }
}

#[test]
fn every_frame_control_of_802_11_is_read_alike() {
    let packet = &corpus::ipv4_packets()[0].1;
    for link in [Link::wireless(), Link::wireless_with(true, false), Link::wireless_with(true, true)] {
        let mut sample = link.carrying(packet);
        for control in 0..=u16::MAX {
            sample.bytes[..2].copy_from_slice(&control.to_be_bytes());
            must_agree("frame control", &sample);
        }
    }
}

#[test]
fn every_radiotap_flag_is_read_alike_wherever_it_stands() {
    let packet = &corpus::ipv4_packets()[0].1;
    for present in [[0, 0, 0], [2, 0, 0], [3, 0, 0], [0x8000_0002, 0, 0], [0x8000_0003, 0x8000_0000, 0]] {
        for flags in 0..=u8::MAX {
            for words in 1..=3 {
                let link = Link::wireless_with(true, false).with_padded_header();
                must_agree("flags", &link.behind_radiotap_with(&present[..words], &[flags; 20]).carrying(packet));
            }
        }
    }
}

#[test]
fn every_header_length_with_every_short_total_length_is_read_alike() {
    for words in 0..16 {
        for total in 0..120 {
            let packet = Ipv4::carrying(tcp(1, 2, 2, b"data")).options(10).header_words(words).total_length(total);
            must_agree("exact", &Link::ethernet().carrying(&packet.build()));
            must_agree("padded", &Link::ethernet().carrying(&packet.build()).padded(18));
            must_agree("cut", &Link::ethernet().carrying(&packet.build()).cut(14 + 44));
        }
    }
}

#[test]
fn every_short_payload_length_of_ipv6_is_read_alike() {
    for length in 0..120 {
        for extension in [options_header(HOP_BY_HOP, 1), options_header(ROUTING, 3), fragment_header(0, true)] {
            let packet = Ipv6::carrying(udp(1, 2, b"data")).through(extension).payload_length(length).build();
            must_agree("exact", &Link::none(101).carrying(&packet));
            must_agree("padded", &Link::none(101).carrying(&packet).padded(18));
        }
    }
}

#[test]
fn every_protocol_number_is_read_alike_whatever_follows() {
    for number in 0..=u8::MAX {
        for filling in [0, 1, 6, 17, 43, 44, 51, 0xff] {
            let above = other(number, &[filling; 70]);
            must_agree("ipv4", &Link::ethernet().carrying(&Ipv4::carrying(above.clone()).build()));
            must_agree("ipv6", &Link::ethernet().carrying(&Ipv6::carrying(above.clone()).build()));
            let behind = Ipv6::carrying(above).through(options_header(DESTINATION_OPTIONS, 0));
            must_agree("ipv6 behind options", &Link::ethernet().carrying(&behind.build()));
        }
    }
}

#[test]
fn every_length_field_of_an_extension_header_is_read_alike() {
    for number in [0, 43, 44, 51, 60] {
        for length in 0..=u8::MAX {
            let mut bytes = vec![0x11; 300];
            (bytes[0], bytes[1]) = (17, length);
            must_agree("short", &Link::none(229).carrying(&Ipv6::carrying(other(number, &bytes)).build()));
            bytes.resize(3_000, 0x11);
            must_agree("long", &Link::none(229).carrying(&Ipv6::carrying(other(number, &bytes)).build()));
        }
    }
}

#[test]
fn chains_of_forty_headers_are_read_alike_cut_at_any_byte() {
    let numbers = [ROUTING, DESTINATION_OPTIONS, HOP_BY_HOP];
    for depth in 0..=40_usize {
        let chain = (0..depth).map(|at| options_header(numbers[at % 3], (at % 4) as u8));
        let packet = chain.fold(Ipv6::carrying(udp(53, 5_353, b"deep")), Ipv6::through).build();
        let sample = Link::ethernet().carrying(&packet);
        for kept in 0..=sample.bytes.len() {
            must_agree("deep chain", &sample.cut(kept));
        }
    }
}

#[test]
fn stacks_of_tags_and_labels_of_any_depth_are_read_alike() {
    let packet = &corpus::ipv4_packets()[1].1;
    for depth in 0..=100 {
        let tagged = (0..depth).fold(Link::ethernet(), |link, _| link.vlan(0x8100));
        must_agree("tags", &tagged.carrying(packet));
        must_agree("labels", &Link::ethernet().mpls(depth).carrying(packet));
    }
}

/// Cut at each byte, with any byte changed to some values, and of other lengths on the wire.
fn must_agree_however_damaged(name: &str, sample: &Sample) {
    for captured in 0..=sample.bytes.len() {
        must_agree(name, &sample.cut(captured));
    }
    for at in 0..sample.bytes.len() {
        for value in [0, 1, 2, 4, 6, 8, 0x45, 0x60, 0x81, 135, 136, 0xff] {
            let mut changed = sample.clone();
            changed.bytes[at] = value;
            must_agree(name, &changed);
        }
    }
    for wire_bytes in 0..sample.wire_bytes + 40 {
        must_agree(name, &sample.clone().on_wire(wire_bytes));
    }
}

#[test]
fn messages_of_address_resolution_are_read_alike_however_damaged() {
    let links = [
        ("Ethernet", Link::ethernet()),
        ("VLAN", Link::ethernet().vlan(0x8100)),
        ("cooked", Link::cooked(4)),
        ("cooked v2", Link::cooked_v2(0).vlan(0x88a8)),
        ("SNAP", Link::ethernet().snap()),
    ];
    let mut read = 0;
    for (name, link) in links {
        let solicitation = Ipv6::carrying(neighbor(135, BOB_6)).build();
        let advertisement = Ipv6::carrying(neighbor(136, BOB_6)).through(options_header(HOP_BY_HOP, 0));
        let samples = [
            link.clone().carrying_ether_type(0x0806, &arp(1, ALICE, BOB)),
            link.clone().carrying_ether_type(0x0806, &arp(2, BOB, ALICE)),
            link.clone().carrying(&solicitation),
            link.carrying(&advertisement.between(BOB_6, ALICE_6).build()),
        ];
        for sample in samples {
            must_agree_however_damaged(name, &sample);
            read += u32::from(hand::resolved(sample.link_type, &sample.bytes, sample.wire_bytes).is_some());
        }
    }
    assert_eq!(read, 18, "all but ARP behind SNAP");
}

#[test]
fn data_of_tcp_are_read_alike_however_damaged() {
    for payload in [&b""[..], b"x", &[7; 90]] {
        for words in [0, 3, 10] {
            let segment = tcp_with_options(words, 0x18, payload);
            let v4 = Ipv4::carrying(segment.clone()).options(1).build();
            let v6 = Ipv6::carrying(segment).through(options_header(DESTINATION_OPTIONS, 1)).build();
            for packet in [v4, v6] {
                must_agree_however_damaged("Ethernet", &Link::ethernet().carrying(&packet));
                must_agree_however_damaged("padded", &Link::ethernet().carrying(&packet).padded(11));
            }
        }
    }
}
