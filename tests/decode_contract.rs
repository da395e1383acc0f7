//! The counting contract, rule by rule, with the numbers written out; among them the places where the packet crate
//! reads a header otherwise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::agreement::{decode, refusal, refused_as, resolution, resolved_as};
use common::ip::{
    ALICE, ALICE_6, AUTHENTICATION, BOB, BOB_6, DESTINATION_OPTIONS, HOP_BY_HOP, ICMP, ICMPV6, Ipv4, Ipv6,
    NO_NEXT_HEADER, ROUTING, arp, authentication_header, fragment_header, icmp, icmp_error, icmpv6, neighbor,
    options_header, other, port_unreachable, port_unreachable_6, tcp, tcp_with_options, udp,
};
use common::link::{Link, Sample};
use common::{corpus, hand};
use trafficmonitor::decode::{Decoder, NotIp};
use trafficmonitor::packet::{LinkType, Packet, TcpFlags};

fn read(sample: &Sample) -> Result<Packet, NotIp> {
    decode(sample.link_type, &sample.bytes, sample.wire_bytes)
}

fn packet(sample: &Sample) -> Packet {
    read(sample).unwrap_or_else(|reason| panic!("not IP: {reason:?}: {sample:x?}"))
}

fn ipv4(packet: &Ipv4) -> Sample {
    Link::ethernet().carrying_ipv4(&packet.build())
}

fn ipv6(packet: &Ipv6) -> Sample {
    Link::ethernet().carrying_ipv6(&packet.build())
}

/// Protocol, source port, destination port.
fn protocol_and_ports(packet: &Packet) -> (u8, u16, u16) {
    (packet.protocol.0, packet.source_port, packet.destination_port)
}

// ---- Rules 1 and 2: the frame, and the way to the IP header ----------------------------------------------------------

#[test]
fn captured_bytes_past_the_wire_length_do_not_exist() {
    let sample = ipv4(&Ipv4::carrying(udp(1_000, 53, b""))).on_wire(14 + 23);
    assert_eq!(protocol_and_ports(&packet(&sample)), (17, 0, 0));
    assert_eq!(packet(&sample).bytes, 23);
}

#[test]
fn every_link_leads_to_the_same_packet() {
    let request = Ipv4::carrying(tcp(40_000, 443, 0x12, b"abc")).build();
    for (name, link) in corpus::links() {
        let packet = packet(&link.carrying(&request));
        assert_eq!((packet.addresses.source(), packet.addresses.destination()), (ALICE.into(), BOB.into()), "{name}");
        assert_eq!(protocol_and_ports(&packet), (6, 40_000, 443), "{name}");
        assert_eq!((packet.bytes, packet.tcp_flags), (43, TcpFlags(0x12)), "{name}");
    }
}

#[test]
fn every_link_leads_to_the_same_ipv6_packet() {
    let query = Ipv6::carrying(udp(5_353, 53, b"abc")).build();
    for (name, link) in corpus::links() {
        let packet = packet(&link.carrying(&query));
        let addresses = (packet.addresses.source(), packet.addresses.destination());
        assert_eq!(addresses, (ALICE_6.into(), BOB_6.into()), "{name}");
        assert_eq!(protocol_and_ports(&packet), (17, 5_353, 53), "{name}");
        assert_eq!(packet.bytes, 51, "{name}");
    }
}

#[test]
fn five_vlan_tags_lead_to_ip() {
    let tagged = [0x88a8, 0x8100, 0x9100, 0x8100, 0x8100].into_iter().fold(Link::ethernet(), Link::vlan);
    assert_eq!(protocol_and_ports(&packet(&tagged.carrying(&Ipv4::carrying(udp(7, 9, b"")).build()))), (17, 7, 9));
}

#[test]
fn pppoe_may_leave_out_the_first_byte_of_the_protocol() {
    for (packet, bytes) in [(Ipv4::carrying(udp(7, 9, b"")).build(), 28), (Ipv6::carrying(udp(7, 9, b"")).build(), 48)]
    {
        let read = self::packet(&Link::ethernet().pppoe().compressed().carrying(&packet));
        assert_eq!((protocol_and_ports(&read), read.bytes), ((17, 7, 9), bytes));
    }
    let control = Link::ethernet().pppoe().compressed().carrying_ppp(0x2b, &[0; 60]);
    assert_eq!(read(&control), Err(NotIp::Ppp));
}

#[test]
fn a_tag_that_a_cooked_header_does_not_announce_is_skipped() {
    for link in [Link::cooked(0), Link::cooked_v2(0)] {
        for control in [5, 0x2fff, 0x4500, 0x4fff, 0x6000] {
            let tagged = link.clone().hidden_tag(control);
            let four = packet(&tagged.clone().carrying(&Ipv4::carrying(udp(7, 9, &[0; 72])).build()));
            assert_eq!((four.addresses.source(), four.bytes), (ALICE.into(), 100), "{control:04x}");
            let six = packet(&tagged.clone().carrying(&Ipv6::carrying(udp(7, 9, b"")).build()));
            assert_eq!((six.addresses.source(), six.bytes), (ALICE_6.into(), 48), "{control:04x}");
            let twice = tagged.hidden_tag(control).carrying(&Ipv4::carrying(udp(7, 9, b"")).build());
            assert_eq!(packet(&twice).bytes, 28, "{control:04x}");
        }
    }
}

#[test]
fn header_that_passes_is_no_tag_and_neither_are_bytes_that_lead_to_no_header() {
    // A total length of 0x0800 stands where a tag would say IPv4.
    let inner = Ipv4::carrying(udp(7, 9, &[0; 2_004])).build();
    let large = Ipv4::carrying(other(47, &inner)).total_length(0x0800).build();
    assert_eq!(packet(&Link::cooked_v2(0).carrying(&large)).bytes, 0x0800);
    let lying = Ipv4::carrying(udp(7, 9, b"")).total_length(0x0800).wrong_checksum().build();
    assert_eq!(packet(&Link::cooked(0).carrying(&lying)).bytes, 28);
    let tagged = Link::cooked(0).hidden_tag(5).carrying(&Ipv4::carrying(udp(7, 9, b"")).version(5).build());
    assert_eq!(read(&tagged), Err(NotIp::MalformedIp));
}

#[test]
fn pseudowires_invent_no_hosts() {
    for (name, sample) in corpus::pseudowires() {
        assert_eq!(read(&sample), Err(NotIp::Mpls), "{name}");
    }
}

#[test]
fn behind_labels_the_length_or_the_checksum_proves_an_ipv4_header() {
    let link = || Link::ethernet().mpls(1);
    let packet = |total: u16| Ipv4::carrying(udp(7, 9, &[0; 72])).total_length(total).wrong_checksum().build();
    for (total, padding, is_ip) in [
        (100, 0, true),
        (100, 4, true),
        (100, 3, false),
        (100, 5, false),
        (99, 0, false),
        (101, 0, false),
        (0, 0, false),
    ] {
        assert_eq!(read(&link().carrying(&packet(total)).padded(padding)).is_ok(), is_ip, "{total} and {padding}");
    }
    for total in [0, 20, 99, 101, 65_535] {
        let right = Ipv4::carrying(udp(7, 9, &[0; 72])).total_length(total).build();
        assert!(read(&link().carrying(&right)).is_ok(), "{total}");
    }
}

#[test]
fn behind_labels_the_length_proves_an_ipv6_header() {
    let link = || Link::ethernet().mpls(1);
    for (payload, padding, is_ip) in
        [(80, 0, true), (80, 4, true), (80, 3, false), (79, 0, false), (81, 0, false), (0, 0, true), (0, 9, true)]
    {
        let packet = Ipv6::carrying(udp(7, 9, &[0; 72])).payload_length(payload).build();
        assert_eq!(read(&link().carrying(&packet).padded(padding)).is_ok(), is_ip, "{payload} and {padding}");
    }
}

#[test]
fn a_frame_of_at_most_64_bytes_may_be_padded_behind_labels() {
    let packet = Ipv4::carrying(udp(7, 9, b"")).wrong_checksum().build();
    let of = |bytes: usize| Link::ethernet().mpls(1).carrying(&packet).padded(bytes - 18 - packet.len());
    assert!(read(&of(60)).is_ok() && read(&of(64)).is_ok());
    assert_eq!(read(&of(65)), Err(NotIp::Mpls));
}

#[test]
fn header_cut_before_its_proof_counts_as_truncated() {
    let four = Ipv4::carrying(udp(7, 9, &[0; 72])).total_length(99).build();
    let six = Ipv6::carrying(udp(7, 9, &[0; 72])).build();
    for (packet, proof) in [(four, 12), (six, 40)] {
        let sample = Link::ethernet().mpls(1).carrying(&packet);
        for kept in 0..proof {
            assert_eq!(read(&sample.cut(18 + kept)), Err(NotIp::TruncatedIp), "{kept}");
        }
    }
}

#[test]
fn link_layer_lengths_are_not_used() {
    let query = Ipv4::carrying(udp(7, 9, b"0123456789")).build();
    assert_eq!(packet(&Link::ethernet().snap().carrying(&query)).bytes, 38);
    assert_eq!(packet(&Link::ethernet().pppoe().carrying(&query)).bytes, 38);
}

#[test]
fn cooked_headers_tell_a_packet_on_its_way_out() {
    let request = Ipv4::carrying(icmp(8)).build();
    for link in [Link::cooked, Link::cooked_v2] {
        assert!(packet(&link(4).carrying(&request)).outgoing);
        for packet_type in 0..4 {
            assert!(!packet(&link(packet_type).carrying(&request)).outgoing);
        }
    }
}

#[test]
fn frames_without_ip_are_not_ip() {
    for ether_type in [0x0806, 0x8035, 0x88cc, 0x88e5, 0x894f, 0x6558, 0x8863] {
        assert!(read(&Link::ethernet().carrying_ether_type(ether_type, &[0x45; 60])).is_err(), "{ether_type:04x}");
    }
    assert!(read(&Link::ethernet().carrying_ether_type(60, &[0x42, 0x42, 3, 0, 0, 0, 0, 0])).is_err());
}

#[test]
fn snap_of_another_organisation_is_not_ip() {
    let mut sample = Link::ethernet().snap().carrying(&Ipv4::carrying(icmp(8)).build());
    assert!(read(&sample).is_ok());
    sample.bytes[19] = 0xf8;
    assert!(read(&sample).is_err());
}

#[test]
fn a_prism_header_has_144_bytes_in_whichever_byte_order_it_says_so() {
    let mut sample = Link::wireless().behind_prism().carrying(&Ipv4::carrying(icmp(8)).build());
    sample.bytes[..8].reverse();
    assert_eq!(packet(&sample).protocol, trafficmonitor::packet::Protocol::ICMP);
}

#[test]
fn a_ppi_header_shorter_than_its_fixed_part_leads_nowhere() {
    let mut sample = Link::wireless().behind_ppi().carrying(&Ipv4::carrying(icmp(8)).build());
    sample.bytes[2] = 7;
    assert_eq!(read(&sample), Err(NotIp::Link));
}

/// Offsets of the NFLOG attributes: the packet's header, the prefix, the packet.
const NFLOG_ATTRIBUTES: [usize; 3] = [4, 12, 20];

#[test]
fn nflog_attributes_are_read_in_the_byte_order_of_either_host() {
    let sample = Link::nflog().carrying(&Ipv4::carrying(icmp(8)).build());
    let mut swapped = sample.clone();
    for at in NFLOG_ATTRIBUTES {
        swapped.bytes[at..at + 2].reverse();
        swapped.bytes[at + 2..at + 4].reverse();
    }
    assert_ne!(swapped.bytes, sample.bytes);
    assert_eq!(packet(&swapped), packet(&sample));
}

#[test]
fn nflog_attributes_shorter_than_their_header_lead_nowhere() {
    for at in NFLOG_ATTRIBUTES {
        for length in 0..4_u16 {
            let mut sample = Link::nflog().carrying(&Ipv4::carrying(icmp(8)).build());
            sample.bytes[at..at + 2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(read(&sample), Err(NotIp::Link), "attribute at {at} of length {length}");
        }
    }
}

#[test]
fn protected_wireless_frames_are_not_ip() {
    let mut sample = Link::wireless().carrying(&Ipv4::carrying(icmp(8)).build());
    assert!(read(&sample).is_ok());
    sample.bytes[1] |= 0x40;
    assert!(read(&sample).is_err());
}

#[test]
fn link_types_that_must_or_should_work_do_and_others_are_refused() {
    for link_type in hand::MUST.into_iter().chain(hand::SHOULD) {
        assert!(Decoder::new(LinkType(link_type)).is_ok(), "{link_type}");
    }
    for link_type in [2, 6, 117, 147, 189, 220, 249, 65_535, -1] {
        assert!(Decoder::new(LinkType(link_type)).is_err(), "{link_type}");
    }
}

// ---- Rule 3: only the outermost IP header counts ----------------------------------------------------------------------

#[test]
fn tunnelled_packets_stay_inside() {
    let inner = Ipv6::carrying(tcp(1, 2, 2, b"")).build();
    assert_eq!(protocol_and_ports(&packet(&ipv4(&Ipv4::carrying(other(41, &inner))))), (41, 0, 0));
    let inner = Ipv4::carrying(tcp(1, 2, 2, b"")).build();
    assert_eq!(protocol_and_ports(&packet(&ipv4(&Ipv4::carrying(other(4, &inner))))), (4, 0, 0));
    let geneve = udp(1_000, 6_081, &[&[0, 0, 0x65, 0x58, 0, 0, 1, 0][..], &inner].concat());
    assert_eq!(protocol_and_ports(&packet(&ipv4(&Ipv4::carrying(geneve)))), (17, 1_000, 6_081));
}

// ---- Rule 4: IPv4 and IPv6 headers ------------------------------------------------------------------------------------

#[test]
fn a_header_that_is_not_captured_whole_is_truncated() {
    let optioned = ipv4(&Ipv4::carrying(udp(1, 2, b"")).options(2));
    assert_eq!(read(&optioned.cut(14 + 19)), Err(NotIp::TruncatedIp));
    assert_eq!(read(&optioned.cut(14 + 27)), Err(NotIp::TruncatedIp));
    assert!(read(&optioned.cut(14 + 28)).is_ok());
    let query = ipv6(&Ipv6::carrying(udp(1, 2, b"")));
    assert_eq!(read(&query.cut(14 + 39)), Err(NotIp::TruncatedIp));
    assert!(read(&query.cut(14 + 40)).is_ok());
}

#[test]
fn truncated_comes_before_malformed() {
    let both = ipv4(&Ipv4::carrying(udp(1, 2, b"")).version(6).header_words(15).total_length(1)).cut(14 + 40);
    assert_eq!(read(&both), Err(NotIp::TruncatedIp));
    let short = ipv6(&Ipv6::carrying(udp(1, 2, b"")).version(4)).cut(14 + 39);
    assert_eq!(read(&short), Err(NotIp::TruncatedIp));
}

#[test]
fn a_total_length_below_the_headers_is_malformed() {
    let request = |total| ipv4(&Ipv4::carrying(tcp(1, 2, 2, b"")).options(1).total_length(total));
    assert_eq!(read(&request(23)), Err(NotIp::MalformedIp));
    assert_eq!(read(&request(1)), Err(NotIp::MalformedIp));
    assert_eq!(packet(&request(24)).bytes, 24);
}

#[test]
fn a_header_length_below_five_words_is_malformed() {
    for words in 0..5 {
        let sample = ipv4(&Ipv4::carrying(tcp(1, 2, 2, b"")).header_words(words));
        assert_eq!(read(&sample), Err(NotIp::MalformedIp), "{words}");
    }
}

#[test]
fn the_ether_type_decides_the_version_and_the_nibble_must_agree() {
    let (four, six) = (Ipv4::carrying(udp(1, 2, &[0; 40])).build(), Ipv6::carrying(udp(1, 2, b"")).build());
    assert_eq!(read(&Link::ethernet().carrying_ipv4(&six)), Err(NotIp::MalformedIp));
    assert_eq!(read(&Link::ethernet().carrying_ipv6(&four)), Err(NotIp::MalformedIp));
    assert_eq!(read(&Link::none(228).carrying_ipv4(&six)), Err(NotIp::MalformedIp));
    assert_eq!(read(&Link::none(229).carrying_ipv6(&four)), Err(NotIp::MalformedIp));
}

#[test]
fn the_first_nibble_decides_for_raw_and_mpls() {
    for link in [Link::none(12), Link::none(14), Link::none(101), Link::ethernet().mpls(3)] {
        assert_eq!(packet(&link.clone().carrying(&Ipv4::carrying(udp(1, 2, b"")).build())).bytes, 28);
        assert_eq!(packet(&link.clone().carrying(&Ipv6::carrying(udp(1, 2, b"")).build())).bytes, 48);
        for version in [0, 1, 5, 7, 15] {
            let strange = Ipv4::carrying(udp(1, 2, &[0; 40])).version(version).build();
            assert!(read(&link.clone().carrying(&strange)).is_err(), "{version}");
        }
    }
}

#[test]
fn total_length_of_0_means_the_length_on_the_wire() {
    let offloaded = ipv4(&Ipv4::carrying(tcp(1, 443, 0x10, &[0; 100])).total_length(0));
    assert_eq!(packet(&offloaded).bytes, 140);
    assert_eq!(packet(&offloaded.clone().on_wire(80_014)).bytes, 80_000);
    assert_eq!(protocol_and_ports(&packet(&offloaded.cut(14 + 24))), (6, 1, 443));
}

#[test]
fn payload_length_of_0_means_the_length_on_the_wire_unless_nothing_follows() {
    let jumbo = ipv6(&Ipv6::carrying(tcp(1, 443, 0x10, &[0; 100])).payload_length(0)).on_wire(80_014);
    assert_eq!(packet(&jumbo).bytes, 80_000);
    let empty = ipv6(&Ipv6::carrying(other(NO_NEXT_HEADER, &[0; 6])).payload_length(0));
    assert_eq!(packet(&empty).bytes, 40);
}

// ---- Rule 5: IP bytes -------------------------------------------------------------------------------------------------

#[test]
fn padding_is_not_counted_and_a_lying_length_is_bounded_by_the_wire() {
    assert_eq!(packet(&ipv4(&Ipv4::carrying(tcp(1, 2, 2, b""))).padded(6)).bytes, 40);
    assert_eq!(packet(&ipv4(&Ipv4::carrying(tcp(1, 2, 2, b"")).total_length(65_535))).bytes, 40);
    assert_eq!(packet(&ipv6(&Ipv6::carrying(tcp(1, 2, 2, b"")).payload_length(65_535))).bytes, 60);
    assert_eq!(packet(&ipv6(&Ipv6::carrying(tcp(1, 2, 2, b"")).payload_length(20)).padded(9)).bytes, 60);
}

#[test]
fn a_packet_cut_by_the_snap_length_counts_in_full() {
    assert_eq!(packet(&ipv4(&Ipv4::carrying(tcp(1, 2, 2, &[0; 1_000]))).cut(96)).bytes, 1_040);
}

// ---- Rule 6: the protocol ---------------------------------------------------------------------------------------------

#[test]
fn an_authentication_header_in_ipv4_is_not_walked() {
    let mut authenticated = authentication_header(4).bytes;
    authenticated[0] = 6;
    authenticated.extend(tcp(1, 2, 2, b"").bytes);
    let packet = packet(&ipv4(&Ipv4::carrying(other(AUTHENTICATION, &authenticated))));
    assert_eq!((protocol_and_ports(&packet), packet.tcp_flags), ((51, 0, 0), TcpFlags(0)));
}

#[test]
fn an_authentication_header_in_ipv6_is_walked_whatever_its_length() {
    for length in [0, 1, 2, 3, 4, 7, 100, 255] {
        let sample = ipv6(&Ipv6::carrying(udp(7, 9, b"")).through(authentication_header(length)));
        assert_eq!(protocol_and_ports(&packet(&sample)), (17, 7, 9), "length {length}");
    }
}

#[test]
fn a_hop_by_hop_header_that_is_not_first_is_walked() {
    let chain = [ROUTING, HOP_BY_HOP, DESTINATION_OPTIONS, HOP_BY_HOP, HOP_BY_HOP];
    let chain = chain.into_iter().map(|number| options_header(number, 1));
    let sample = ipv6(&chain.fold(Ipv6::carrying(tcp(7, 9, 0x10, b"")), Ipv6::through));
    assert_eq!(protocol_and_ports(&packet(&sample)), (6, 7, 9));
}

#[test]
fn any_number_of_extension_headers_is_walked() {
    for depth in 0..=40 {
        let chain = (0..depth).map(|at| options_header([HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS][at % 3], 0));
        let sample = ipv6(&chain.fold(Ipv6::carrying(udp(7, 9, b"")), Ipv6::through));
        assert_eq!(protocol_and_ports(&packet(&sample)), (17, 7, 9), "{depth} headers");
    }
}

#[test]
fn an_extension_header_that_is_not_whole_ends_the_walk_with_its_own_number() {
    let sample = ipv6(
        &Ipv6::carrying(udp(7, 9, b""))
            .through(options_header(ROUTING, 0))
            .through(options_header(DESTINATION_OPTIONS, 1)),
    );
    assert_eq!(packet(&sample.cut(14 + 40)).protocol.0, 43);
    assert_eq!(packet(&sample.cut(14 + 47)).protocol.0, 43);
    assert_eq!(packet(&sample.cut(14 + 48)).protocol.0, 60);
    assert_eq!(packet(&sample.cut(14 + 63)).protocol.0, 60);
    assert_eq!(packet(&sample.cut(14 + 64)).protocol.0, 17);
    let lying = Ipv6::carrying(udp(7, 9, b"")).through(options_header(ROUTING, 1)).payload_length(15);
    assert_eq!(protocol_and_ports(&packet(&ipv6(&lying))), (43, 0, 0));
}

#[test]
fn values_that_linux_does_not_walk_are_the_protocol() {
    for number in [50, 59, 135, 139, 140, 253, 254, 255] {
        assert_eq!(packet(&ipv6(&Ipv6::carrying(other(number, &[17; 32])))).protocol.0, number);
    }
}

#[test]
fn later_fragments_are_not_walked_and_have_no_ports() {
    let later = Ipv6::carrying(udp(7, 9, b"")).through(fragment_header(1, true));
    assert_eq!(protocol_and_ports(&packet(&ipv6(&later))), (17, 0, 0));
    let looks_like_options = later.through(options_header(DESTINATION_OPTIONS, 0));
    assert_eq!(protocol_and_ports(&packet(&ipv6(&looks_like_options))), (60, 0, 0));
    let later = packet(&ipv4(&Ipv4::carrying(tcp(7, 9, 0x12, b"")).fragment(1, false)));
    assert_eq!((protocol_and_ports(&later), later.tcp_flags), ((6, 0, 0), TcpFlags(0)));
}

// ---- Rule 7: ports ----------------------------------------------------------------------------------------------------

#[test]
fn first_fragments_have_ports() {
    assert_eq!(protocol_and_ports(&packet(&ipv4(&Ipv4::carrying(udp(7, 9, b"")).fragment(0, true)))), (17, 7, 9));
    let first = Ipv6::carrying(tcp(7, 9, 2, b""))
        .through(fragment_header(0, true))
        .through(options_header(DESTINATION_OPTIONS, 0));
    assert_eq!(protocol_and_ports(&packet(&ipv6(&first))), (6, 7, 9));
}

#[test]
fn a_tcp_header_cut_below_20_bytes_still_has_ports_when_4_are_there() {
    let request = ipv4(&Ipv4::carrying(tcp(7, 9, 2, b"")));
    for kept in 4..20 {
        let packet = packet(&request.cut(34 + kept));
        assert_eq!(protocol_and_ports(&packet), (6, 7, 9), "{kept}");
        assert_eq!(packet.tcp_flags.contains(TcpFlags::SYN), kept >= 14, "{kept}");
    }
    for kept in 0..4 {
        assert_eq!(protocol_and_ports(&packet(&request.cut(34 + kept))), (6, 0, 0), "{kept}");
    }
}

#[test]
fn ports_must_lie_inside_the_ip_length() {
    for (total, ports) in [(20, (17, 0, 0)), (23, (17, 0, 0)), (24, (17, 7, 9))] {
        let sample = ipv4(&Ipv4::carrying(udp(7, 9, b"data")).total_length(total));
        assert_eq!(protocol_and_ports(&packet(&sample)), ports, "{total}");
    }
}

#[test]
fn ports_do_not_depend_on_the_rest_of_the_header() {
    let mut broken = tcp(7, 9, 2, b"");
    broken.bytes[12] = 0xf0;
    assert_eq!(protocol_and_ports(&packet(&ipv4(&Ipv4::carrying(broken.clone())))), (6, 7, 9));
    broken.bytes[12] = 0;
    assert_eq!(protocol_and_ports(&packet(&ipv4(&Ipv4::carrying(broken)))), (6, 7, 9));
}

#[test]
fn icmp_types_are_read_and_no_other_protocol_has_ports() {
    let echo = packet(&ipv4(&Ipv4::carrying(icmp(8))));
    assert_eq!((protocol_and_ports(&echo), echo.icmp_type), ((1, 0, 0), Some(8)));
    let unreachable = packet(&ipv6(&Ipv6::carrying(icmpv6(1))));
    assert_eq!((protocol_and_ports(&unreachable), unreachable.icmp_type), ((58, 0, 0), Some(1)));
    assert_eq!(protocol_and_ports(&packet(&ipv4(&Ipv4::carrying(other(132, &[1; 12]))))), (132, 0, 0));
    assert_eq!(protocol_and_ports(&packet(&ipv4(&Ipv4::carrying(other(136, &[1; 12]))))), (136, 0, 0));
}

// ---- Packets that an ICMP error refuses
// -----------------------------------------------------------------------------

/// Protocol and ports of the refused packet.
fn refused(sample: &Sample) -> Option<(u8, u16, u16)> {
    let refused = refusal(sample.link_type, &sample.bytes, sample.wire_bytes)?;
    Some((refused.protocol.0, refused.source_port, refused.destination_port))
}

#[test]
fn a_port_unreachable_refuses_the_conversation_that_it_quotes() {
    let packet = Ipv4::carrying(udp(50_000, 33_434, b"anybody?")).build();
    let sample = Link::ethernet().vlan(0x8100).carrying(&port_unreachable(&packet, 28).build());
    let refusal = refusal(sample.link_type, &sample.bytes, sample.wire_bytes).unwrap();
    let expected = hand::Refused {
        source: ALICE.into(),
        destination: BOB.into(),
        protocol: 17,
        source_port: 50_000,
        destination_port: 33_434,
    };
    assert_eq!(refused_as(&refusal), expected);
    // The error itself counts: its addresses, its bytes.
    let packet = self::packet(&sample);
    assert_eq!((packet.addresses.source(), packet.bytes, packet.icmp_type), (BOB.into(), 20 + 8 + 28, Some(3)));
}

#[test]
fn on_every_link_the_same_is_refused() {
    let request = Ipv4::carrying(tcp(40_000, 22, 0x02, b"")).build();
    let error = port_unreachable(&request, 28).build();
    let request_6 = Ipv6::carrying(tcp(40_000, 22, 0x02, b"")).build();
    let error_6 = port_unreachable_6(&request_6, request_6.len()).build();
    for (name, link) in corpus::links() {
        assert_eq!(refused(&link.clone().carrying(&error)), Some((6, 40_000, 22)), "{name}");
        assert_eq!(refused(&link.carrying(&error_6)), Some((6, 40_000, 22)), "{name}");
    }
}

#[test]
fn a_quote_needs_its_ports_and_no_more() {
    let packet = Ipv4::carrying(tcp(40_000, 22, 0x02, b"")).options(2).build();
    for quoted in 0..=packet.len() {
        let expected = (quoted >= 28 + 4).then_some((6, 40_000, 22));
        assert_eq!(refused(&ipv4(&port_unreachable(&packet, quoted))), expected, "{quoted} bytes");
    }
    let packet = Ipv6::carrying(udp(40_000, 53, b"")).through(options_header(ROUTING, 1)).build();
    for quoted in 0..=packet.len() {
        let expected = (quoted >= 40 + 16 + 4).then_some((17, 40_000, 53));
        assert_eq!(refused(&ipv6(&port_unreachable_6(&packet, quoted))), expected, "{quoted} bytes");
    }
}

#[test]
fn refused_ping_is_distinguished_from_an_error_about_an_error() {
    let about = |kind| refused(&ipv4(&port_unreachable(&Ipv4::carrying(icmp(kind)).build(), 28)));
    for request_or_answer in [0, 8, 13, 14, 15, 16, 17, 18] {
        assert_eq!(about(request_or_answer), Some((1, 0, 0)), "{request_or_answer}");
    }
    for error in [3, 4, 5, 11, 12] {
        assert_eq!(about(error), None, "{error}");
    }
    let about = |kind| refused(&ipv6(&port_unreachable_6(&Ipv6::carrying(icmpv6(kind)).build(), 48)));
    assert_eq!((about(128), about(129)), (Some((58, 0, 0)), Some((58, 0, 0))));
    assert_eq!([1, 2, 3, 4, 127, 137].map(about), [None; 6]);
}

#[test]
fn not_every_error_refuses() {
    let quoted = Ipv4::carrying(tcp(40_000, 22, 0x02, b"")).build();
    let error = |kind, code| Ipv4::carrying(icmp_error(ICMP, kind, code, &quoted)).between(BOB, ALICE);
    let refuses = |kind, code| refused(&ipv4(&error(kind, code))).is_some();
    assert!((0..=15).all(|code| refuses(3, code) == (code != 4)), "4 asks for smaller packets");
    assert!([0, 4, 5, 8, 11, 12].iter().all(|&kind| !refuses(kind, 0) && !refuses(kind, 1)));

    let quoted = Ipv6::carrying(tcp(40_000, 22, 0x02, b"")).build();
    let error = |kind, code| Ipv6::carrying(icmp_error(ICMPV6, kind, code, &quoted)).between(BOB_6, ALICE_6);
    let refuses = |kind, code| refused(&ipv6(&error(kind, code))).is_some();
    assert!((0..=6).all(|code| refuses(1, code)));
    assert!([0, 2, 3, 5, 128, 137].iter().all(|&kind| !refuses(kind, 0) && !refuses(kind, 1)));
    assert_eq!([0, 1, 2].map(|code| refuses(4, code)), [false, true, false], "no such next header");
}

#[test]
fn error_to_another_host_than_the_sender_refuses_nothing() {
    let packet = Ipv4::carrying(udp(1, 2, b"")).build();
    assert_eq!(refused(&ipv4(&port_unreachable(&packet, 28).between(BOB, BOB))), None);
    let packet = Ipv6::carrying(udp(1, 2, b"")).build();
    assert_eq!(refused(&ipv6(&port_unreachable_6(&packet, 48).between(BOB_6, BOB_6))), None);
}

#[test]
fn later_fragments_and_the_other_version_refuse_nothing() {
    let later = Ipv4::carrying(udp(1, 2, b"")).fragment(3, false).build();
    assert_eq!(refused(&ipv4(&port_unreachable(&later, 28))), None);
    let error_6_in_4 = Ipv4::carrying(icmp_error(ICMPV6, 1, 4, &Ipv4::carrying(udp(1, 2, b"")).build()));
    assert_eq!(refused(&ipv4(&error_6_in_4.between(BOB, ALICE))), None);
    let quotes_6 = Ipv4::carrying(icmp_error(ICMP, 3, 3, &Ipv6::carrying(udp(1, 2, b"")).build()));
    assert_eq!(refused(&ipv4(&quotes_6.between(BOB, ALICE))), None);
}

#[test]
fn the_lengths_of_a_quote_may_lie() {
    for length in [0, 1, 19, 20, 22, 28, 60_000] {
        let packet = Ipv4::carrying(udp(7, 9, b"")).total_length(length).build();
        assert_eq!(refused(&ipv4(&port_unreachable(&packet, 28))), Some((17, 7, 9)), "{length}");
        let packet = Ipv6::carrying(udp(7, 9, b"")).payload_length(length).build();
        assert_eq!(refused(&ipv6(&port_unreachable_6(&packet, 48))), Some((17, 7, 9)), "{length}");
    }
}

// ---- Data of TCP -----------------------------------------------------------------------------------------------------

fn has_payload(sample: &Sample) -> bool {
    packet(sample).has_payload
}

#[test]
fn data_begin_behind_the_tcp_header_and_its_options() {
    for words in 0..=10 {
        for (payload, expected) in [(&b""[..], false), (b"x", true)] {
            let segment = tcp_with_options(words, 0x18, payload);
            assert_eq!(has_payload(&ipv4(&Ipv4::carrying(segment.clone()))), expected, "{words} words of options");
            assert_eq!(has_payload(&ipv4(&Ipv4::carrying(segment.clone()).options(3))), expected, "and options of IP");
            assert_eq!(has_payload(&ipv6(&Ipv6::carrying(segment))), expected, "IPv6, {words} words of options");
        }
    }
    assert!(!has_payload(&ipv4(&Ipv4::carrying(udp(1_000, 53, b"data")))), "UDP");
    assert!(!has_payload(&ipv4(&Ipv4::carrying(other(132, &[7; 60])))), "SCTP");
}

#[test]
fn padding_of_ethernet_is_no_data() {
    let acknowledgement = Ipv4::carrying(tcp(40_000, 443, 0x10, b"")).build();
    assert!(!has_payload(&Link::ethernet().carrying(&acknowledgement).padded(6)));
    assert!(!has_payload(&Link::ethernet().vlan(0x8100).carrying(&acknowledgement).padded(60)));
    let data = Ipv4::carrying(tcp(40_000, 443, 0x18, b"x")).build();
    assert!(has_payload(&Link::ethernet().carrying(&data).padded(5)));
    let acknowledgement = Ipv6::carrying(tcp(40_000, 443, 0x10, b"")).build();
    assert!(!has_payload(&Link::ethernet().carrying(&acknowledgement).padded(4)));
}

#[test]
fn data_that_were_cut_off_are_data() {
    // Snapshot lengths of 64 and 96 bytes show headers alone.
    let data = ipv4(&Ipv4::carrying(tcp(40_000, 443, 0x18, &[7; 1_400])));
    assert!([54, 64, 96].into_iter().all(|captured| has_payload(&data.cut(captured))));
    let with_options = ipv4(&Ipv4::carrying(tcp_with_options(10, 0x18, b"x")));
    let without_data = ipv4(&Ipv4::carrying(tcp_with_options(10, 0x10, b"")));
    for captured in 14 + 20 + 14..=14 + 20 + 60 {
        assert!(has_payload(&with_options.cut(captured)), "{captured} bytes");
        assert!(!has_payload(&without_data.cut(captured)), "{captured} bytes");
    }
    for captured in 14 + 20..14 + 20 + 14 {
        assert!(!has_payload(&data.cut(captured)), "{captured} bytes: without the flags nothing is known");
    }
    let data = ipv6(&Ipv6::carrying(tcp(40_000, 443, 0x18, &[7; 1_400])));
    assert!(has_payload(&data.cut(14 + 40 + 14)) && !has_payload(&data.cut(14 + 40 + 13)));
    // A frame of segmentation offload says no length of its own.
    assert!(has_payload(&ipv4(&Ipv4::carrying(tcp(40_000, 443, 0x18, b"data")).total_length(0))));
    assert!(!has_payload(&ipv4(&Ipv4::carrying(tcp(40_000, 443, 0x10, b"")).total_length(0))));
}

#[test]
fn extension_headers_are_no_data() {
    for (payload, expected) in [(&b""[..], false), (b"x", true)] {
        let segment = || Ipv6::carrying(tcp(40_000, 443, 0x18, payload));
        let packets = [
            segment().through(options_header(HOP_BY_HOP, 0)),
            segment().through(options_header(DESTINATION_OPTIONS, 3)).through(options_header(ROUTING, 2)),
            segment().through(authentication_header(4)),
            segment().through(fragment_header(0, true)),
        ];
        for packet in packets {
            let sample = ipv6(&packet);
            assert_eq!(has_payload(&sample), expected, "{packet:?}");
            assert_eq!(has_payload(&sample.clone().padded(9)), expected, "padded: {packet:?}");
            assert!(!has_payload(&sample.cut(14 + 40 + 3)), "cut in an extension header: {packet:?}");
        }
    }
}

#[test]
fn first_fragments_have_data_and_later_ones_have_no_header() {
    assert!(has_payload(&ipv4(&Ipv4::carrying(tcp(40_000, 443, 0x18, &[7; 40])).fragment(0, true))));
    assert!(!has_payload(&ipv4(&Ipv4::carrying(tcp(40_000, 443, 0x18, &[7; 40])).fragment(8, false))));
    assert!(!has_payload(&ipv6(&Ipv6::carrying(tcp(40_000, 443, 0x18, &[7; 40])).through(fragment_header(8, false)))));
    // A tiny first fragment has no flags.
    assert!(!has_payload(&ipv4(&Ipv4::carrying(other(6, &[0x9c, 0x40, 0, 22, 0, 0, 0, 1])).fragment(0, true))));
}

// ---- Address resolution ----------------------------------------------------------------------------------------------

fn resolved(sample: &Sample) -> Option<hand::Resolved> {
    resolution(sample.link_type, &sample.bytes, sample.wire_bytes).as_ref().map(resolved_as)
}

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// The link headers that ARP is read behind.
fn links_of_arp() -> Vec<(&'static str, Link)> {
    vec![
        ("Ethernet", Link::ethernet()),
        ("VLAN", Link::ethernet().vlan(0x8100)),
        ("QinQ", Link::ethernet().vlan(0x88a8).vlan(0x8100)),
        ("cooked", Link::cooked(0)),
        ("cooked v2", Link::cooked_v2(4)),
        ("VLAN in cooked v2", Link::cooked_v2(0).vlan(0x8100)),
    ]
}

fn of_arp(operation: u8, sender: std::net::Ipv4Addr, target: std::net::Ipv4Addr) -> Option<hand::Resolved> {
    resolved(&Link::ethernet().carrying_ether_type(0x0806, &arp(operation, sender, target)))
}

fn question<A: Into<std::net::IpAddr>>(asker: A, target: A, is_answer: bool) -> Option<hand::Resolved> {
    Some(hand::Resolved { asker: asker.into(), target: target.into(), is_answer })
}

#[test]
fn arp_request_asks_and_its_reply_answers() {
    for (name, link) in links_of_arp() {
        let frame =
            |operation, sender, target| link.clone().carrying_ether_type(0x0806, &arp(operation, sender, target));
        assert_eq!(resolved(&frame(REQUEST, ALICE, BOB)), question(ALICE, BOB, false), "{name}");
        assert_eq!(resolved(&frame(REPLY, BOB, ALICE)), question(ALICE, BOB, true), "{name}");
        // Ethernet pads the 28 bytes; a shorter snapshot length cuts them.
        assert_eq!(resolved(&frame(REQUEST, ALICE, BOB).padded(18)), question(ALICE, BOB, false), "{name}");
        let whole = frame(REQUEST, ALICE, BOB);
        for captured in 0..whole.bytes.len() {
            assert_eq!(resolved(&whole.cut(captured)), None, "{name}: {captured} bytes");
        }
    }
}

#[test]
fn announcements_and_probes_of_arp_ask_for_nothing() {
    let nobody = std::net::Ipv4Addr::UNSPECIFIED;
    assert_eq!(of_arp(REQUEST, ALICE, ALICE), None, "a gratuitous request");
    assert_eq!(of_arp(REPLY, ALICE, ALICE), None, "a gratuitous reply");
    assert_eq!(of_arp(REQUEST, nobody, BOB), None, "a probe for an address in use");
    assert_eq!(of_arp(REPLY, BOB, nobody), None, "the answer to a probe");
    assert_eq!(of_arp(REQUEST, ALICE, std::net::Ipv4Addr::new(224, 0, 0, 1)), None, "a group");
    for operation in [0, 3, 4, 8, 9, 255] {
        assert_eq!(of_arp(operation, ALICE, BOB), None, "operation {operation}");
    }
}

#[test]
fn other_hardware_and_protocols_are_not_read() {
    let message = arp(REQUEST, ALICE, BOB);
    for (at, value) in [(0, 1), (1, 6), (2, 0x86), (3, 0xdd), (4, 8), (5, 16), (6, 1)] {
        let mut changed = message.clone();
        changed[at] = value;
        assert_eq!(resolved(&Link::ethernet().carrying_ether_type(0x0806, &changed)), None, "byte {at}");
    }
    assert_eq!(resolved(&Link::ethernet().carrying_ether_type(0x8035, &message)), None, "RARP");
    assert_eq!(resolved(&Link::ethernet().carrying_ether_type(0x0842, &message)), None, "wake on LAN");
    assert_eq!(resolved(&Link::cisco_hdlc().carrying_ether_type(0x0806, &message)), None, "no addresses to ask for");
}

#[test]
fn neighbor_solicitation_asks_and_its_advertisement_answers() {
    let solicitation = Ipv6::carrying(neighbor(SOLICITATION, BOB_6)).build();
    let advertisement = Ipv6::carrying(neighbor(ADVERTISEMENT, BOB_6)).between(BOB_6, ALICE_6).build();
    for (name, link) in corpus::links() {
        assert_eq!(resolved(&link.clone().carrying(&solicitation)), question(ALICE_6, BOB_6, false), "{name}");
        assert_eq!(resolved(&link.carrying(&advertisement)), question(ALICE_6, BOB_6, true), "{name}");
    }
    let behind_options = Ipv6::carrying(neighbor(SOLICITATION, BOB_6)).through(options_header(HOP_BY_HOP, 0));
    assert_eq!(resolved(&ipv6(&behind_options)), question(ALICE_6, BOB_6, false));
    let whole = ipv6(&Ipv6::carrying(neighbor(SOLICITATION, BOB_6)));
    for captured in 0..=whole.bytes.len() {
        let expected = if captured >= 14 + 40 + 24 { question(ALICE_6, BOB_6, false) } else { None };
        assert_eq!(resolved(&whole.cut(captured)), expected, "{captured} bytes");
    }
}

#[test]
fn messages_of_neighbors_that_answer_no_question_are_ignored() {
    let nobody = std::net::Ipv6Addr::UNSPECIFIED;
    let all_nodes = std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let read = |kind, target, source, destination| {
        resolved(&ipv6(&Ipv6::carrying(neighbor(kind, target)).between(source, destination)))
    };
    let group = std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 2);
    assert_eq!(read(SOLICITATION, BOB_6, ALICE_6, group), question(ALICE_6, BOB_6, false), "to the solicited group");
    assert_eq!(read(SOLICITATION, BOB_6, nobody, group), None, "a probe for a duplicate address");
    assert_eq!(read(SOLICITATION, ALICE_6, ALICE_6, group), None, "a host that asks for itself");
    assert_eq!(read(ADVERTISEMENT, BOB_6, BOB_6, all_nodes), None, "an advertisement to all");
    assert_eq!(read(SOLICITATION, all_nodes, ALICE_6, group), None, "a group");
    for kind in [133, 134, 137, 128] {
        assert_eq!(read(kind, BOB_6, ALICE_6, BOB_6), None, "type {kind}");
    }
    let later = Ipv6::carrying(neighbor(SOLICITATION, BOB_6)).through(fragment_header(8, false));
    assert_eq!(resolved(&ipv6(&later)), None, "a later fragment");
    let over_ipv4 = ipv4(&Ipv4::carrying(neighbor(SOLICITATION, BOB_6)));
    assert_eq!(resolved(&over_ipv4), None, "ICMPv6 over IPv4");
}
