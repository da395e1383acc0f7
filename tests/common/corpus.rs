//! Every link stack and every shape of packet that the contract names, once.

use super::ip::{
    AUTHENTICATION, DESTINATION_OPTIONS, HOP_BY_HOP, Ipv4, Ipv6, NO_NEXT_HEADER, ROUTING, authentication_header,
    fragment_header, icmp, icmp_error, icmpv6, options_header, other, port_unreachable, port_unreachable_6, tcp, udp,
};
use super::link::{Link, Sample};

/// The link stacks that lead to an IP header, by name.
pub fn links() -> Vec<(&'static str, Link)> {
    let mut links = ethernet_links();
    links.extend(host_links());
    links.extend(serial_and_wireless_links());
    links
}

/// Ethernet and the headers that may stand between it and IP.
pub fn ethernet_links() -> Vec<(&'static str, Link)> {
    let ethernet = Link::ethernet;
    vec![
        ("ethernet", ethernet()),
        ("vlan", ethernet().vlan(0x8100)),
        ("qinq", ethernet().vlan(0x88a8).vlan(0x8100)),
        ("old qinq", ethernet().vlan(0x9100).vlan(0x8100)),
        ("five vlan tags", (0..5).fold(ethernet(), |link, _| link.vlan(0x8100))),
        ("mpls", ethernet().mpls(1)),
        ("deep mpls in vlan", ethernet().vlan(0x8100).mpls(7)),
        ("pppoe", ethernet().pppoe()),
        ("pppoe in vlan", ethernet().vlan(0x8100).pppoe()),
        ("pppoe, protocol in one byte", ethernet().pppoe().compressed()),
        ("snap", ethernet().snap()),
        ("snap in vlan", ethernet().vlan(0x8100).snap()),
        ("vlan in snap", ethernet().snap().vlan(0x8100)),
        ("mpls in snap", ethernet().snap().mpls(2)),
    ]
}

/// Cooked, raw and loopback link types.
pub fn host_links() -> Vec<(&'static str, Link)> {
    vec![
        ("cooked, incoming", Link::cooked(0)),
        ("cooked, outgoing", Link::cooked(4)),
        ("cooked, vlan", Link::cooked(0).vlan(0x8100)),
        ("cooked, mpls", Link::cooked(0).mpls(1)),
        ("cooked v2, incoming", Link::cooked_v2(0)),
        ("cooked v2, outgoing", Link::cooked_v2(4)),
        ("cooked v2, vlan", Link::cooked_v2(4).vlan(0x88a8)),
        ("cooked, hidden tag", Link::cooked(0).hidden_tag(5)),
        ("cooked v2, hidden tag", Link::cooked_v2(4).hidden_tag(5)),
        ("cooked v2, two hidden tags", Link::cooked_v2(0).hidden_tag(0x2007).hidden_tag(5)),
        ("cooked, hidden tag like IPv4", Link::cooked(0).hidden_tag(0x4500)),
        ("cooked v2, hidden tag like IPv4", Link::cooked_v2(0).hidden_tag(0x4fff)),
        ("cooked v2, hidden tag like IPv6", Link::cooked_v2(0).hidden_tag(0x6000)),
        ("cooked v2, hidden tags like IPv4", Link::cooked_v2(0).hidden_tag(0x4500).hidden_tag(0x4500)),
        ("raw (12)", Link::none(12)),
        ("raw (14)", Link::none(14)),
        ("raw (101)", Link::none(101)),
        ("null, 10", Link::loopback(0, true, 10)),
        ("null, 24", Link::loopback(0, true, 24)),
        ("null, 28, big endian", Link::loopback(0, false, 28)),
        ("loop, 30", Link::loopback(108, false, 30)),
        ("loop, 10, little endian", Link::loopback(108, true, 10)),
    ]
}

/// PPP, C-HDLC, 802.11 and NFLOG.
pub fn serial_and_wireless_links() -> Vec<(&'static str, Link)> {
    vec![
        ("ppp", Link::ppp()),
        ("ppp, protocol in one byte", Link::ppp().compressed()),
        ("framed ppp (50), protocol in one byte", Link::ppp_framed(50).compressed()),
        ("framed ppp (9)", Link::ppp_framed(9)),
        ("framed ppp (50)", Link::ppp_framed(50)),
        ("cisco hdlc", Link::cisco_hdlc()),
        ("802.11", Link::wireless()),
        ("802.11 qos", Link::wireless_with(true, false)),
        ("802.11 four addresses", Link::wireless_with(false, true)),
        ("802.11 qos, four addresses", Link::wireless_with(true, true)),
        ("radiotap", Link::wireless().behind_radiotap(8)),
        ("longer radiotap, qos", Link::wireless_with(true, false).behind_radiotap(26)),
        ("radiotap that says padded", padded_qos().behind_radiotap_with(&[2], &[0x20])),
        ("radiotap with a clock", padded_qos().behind_radiotap_with(&[3], &[0, 0, 0, 0, 0, 0, 0, 0, 0x30])),
        (
            "radiotap with more words",
            padded_qos().behind_radiotap_with(&[0x8000_0003, 0], &two_words_clock_and_flags()),
        ),
        ("prism", Link::wireless().behind_prism()),
        ("avs", Link::wireless().behind_avs()),
        ("ppi", Link::wireless().behind_ppi()),
        ("nflog", Link::nflog()),
    ]
}

/// An 802.11 QoS header, 26 bytes, filled up to 28.
fn padded_qos() -> Link {
    Link::wireless_with(true, false).with_padded_header()
}

/// Four bytes up to the clock's boundary, the clock, the flags.
fn two_words_clock_and_flags() -> Vec<u8> {
    [&[0; 4][..], &[0x11; 8], &[0x20]].concat()
}

/// Ethernet pseudowires without a control word (RFC 4448): frames behind MPLS labels with a destination address that
/// begins with 4 or 6, by name.
pub fn pseudowires() -> Vec<(&'static str, Sample)> {
    let inside = |address: [u8; 6], packet: &[u8]| {
        let frame = [&address[..], &[2, 0, 0, 0, 0, 1, 0x08, 0x00], packet].concat();
        Link::ethernet().mpls(2).carrying_ether_type(0, &frame)
    };
    let packet = Ipv4::carrying(tcp(40_000, 443, 0x18, &[b'd'; 100])).build();
    vec![
        ("4c, as in many", inside([0x4c, 0x5e, 0x0c, 0x12, 0x10, 0x00], &packet)),
        ("45", inside([0x45, 0, 0x0c, 0x12, 0x10, 0x00], &packet)),
        ("4f, with a header longer than the frame", inside([0x4f, 0, 0, 61, 0, 0], &packet[..24])),
        ("45, with a total length one too small", inside([0x45, 0, 0, 153, 0, 0], &packet)),
        ("45, with a total length past the end", inside([0x45, 0, 0, 155, 0, 0], &packet)),
        ("64", inside([0x64, 0, 0, 0, 0x10, 0x00], &packet)),
        ("60, with a payload length past the end", inside([0x60, 0, 0, 0, 0, 115], &packet)),
        ("60, with a payload length one too small", inside([0x60, 0, 0, 0, 0, 113], &packet)),
    ]
}

/// The shapes of an IPv4 packet, by name.
pub fn ipv4_packets() -> Vec<(&'static str, Vec<u8>)> {
    let request = || tcp(40_000, 443, 0x18, b"hello");
    let query = || udp(50_000, 53, b"name?");
    vec![
        ("tcp", Ipv4::carrying(request()).build()),
        ("udp", Ipv4::carrying(query()).build()),
        ("icmp", Ipv4::carrying(icmp(8)).build()),
        ("options", Ipv4::carrying(query()).options(3).build()),
        ("longest options", Ipv4::carrying(request()).options(10).build()),
        ("first fragment", Ipv4::carrying(query()).fragment(0, true).build()),
        ("later fragment", Ipv4::carrying(query()).fragment(185, true).build()),
        ("last fragment", Ipv4::carrying(request()).fragment(1, false).build()),
        ("authentication header", Ipv4::carrying(other(AUTHENTICATION, &[6; 40])).build()),
        ("gre", Ipv4::carrying(other(47, &[0; 30])).build()),
        ("ip in ip", Ipv4::carrying(other(4, &Ipv4::carrying(request()).build())).build()),
        ("nothing above", Ipv4::carrying(other(17, &[])).build()),
        ("three bytes of udp", Ipv4::carrying(other(17, &[1, 2, 3])).build()),
        ("four bytes of tcp", Ipv4::carrying(other(6, &[1, 2, 3, 4])).build()),
        ("total length 0", Ipv4::carrying(request()).total_length(0).build()),
        ("total length past the end", Ipv4::carrying(query()).total_length(60_000).build()),
        ("total length of the header", Ipv4::carrying(query()).total_length(20).build()),
        ("total length inside the ports", Ipv4::carrying(query()).total_length(23).build()),
        ("wrong checksum", Ipv4::carrying(request()).wrong_checksum().build()),
        ("port unreachable", port_unreachable(&Ipv4::carrying(query()).build(), 28).build()),
        ("echo request unreachable", port_unreachable(&Ipv4::carrying(icmp(8)).build(), 28).build()),
    ]
}

/// The shapes of an IPv6 packet, by name.
pub fn ipv6_packets() -> Vec<(&'static str, Vec<u8>)> {
    let request = || tcp(40_000, 443, 0x02, b"hello");
    let query = || udp(50_000, 53, b"name?");
    let through = |extension| Ipv6::carrying(query()).through(extension);
    vec![
        ("tcp", Ipv6::carrying(request()).build()),
        ("udp", Ipv6::carrying(query()).build()),
        ("icmpv6", Ipv6::carrying(icmpv6(128)).build()),
        ("hop-by-hop", through(options_header(HOP_BY_HOP, 0)).build()),
        ("hop-by-hop late", through(options_header(ROUTING, 1)).through(options_header(HOP_BY_HOP, 0)).build()),
        ("destination options", through(options_header(DESTINATION_OPTIONS, 2)).build()),
        ("first fragment", through(fragment_header(0, true)).build()),
        ("later fragment", through(fragment_header(5, true)).build()),
        ("options after a first fragment", {
            through(fragment_header(0, true)).through(options_header(DESTINATION_OPTIONS, 0)).build()
        }),
        ("options after a later fragment", {
            through(fragment_header(9, false)).through(options_header(DESTINATION_OPTIONS, 0)).build()
        }),
        ("authentication header", through(authentication_header(4)).build()),
        ("authentication header of length 0", through(authentication_header(0)).build()),
        ("no next header", Ipv6::carrying(other(NO_NEXT_HEADER, &[9; 5])).build()),
        ("nothing at all", Ipv6::carrying(other(NO_NEXT_HEADER, &[])).build()),
        ("encrypted", Ipv6::carrying(other(50, &[7; 24])).build()),
        ("payload length 0", Ipv6::carrying(request()).payload_length(0).build()),
        ("payload length past the end", Ipv6::carrying(request()).payload_length(60_000).build()),
        ("payload length inside a header", through(options_header(ROUTING, 2)).payload_length(11).build()),
        ("payload length inside the ports", through(options_header(ROUTING, 0)).payload_length(11).build()),
        ("port unreachable", {
            let packet = through(options_header(ROUTING, 0)).build();
            port_unreachable_6(&packet, packet.len()).through(options_header(HOP_BY_HOP, 0)).build()
        }),
        ("echo request unreachable", port_unreachable_6(&Ipv6::carrying(icmpv6(128)).build(), 48).build()),
    ]
}

/// An error about every shape of packet, and about those errors, from Bob to Alice.
pub fn errors() -> Vec<(String, Vec<u8>)> {
    let error_4 = |(name, packet): (&str, Vec<u8>)| (name.to_owned(), port_unreachable(&packet, packet.len()).build());
    let error_6 =
        |(name, packet): (&str, Vec<u8>)| (name.to_owned(), port_unreachable_6(&packet, packet.len()).build());
    let behind_options = |(name, packet): (&str, Vec<u8>)| {
        let error = port_unreachable(&packet, packet.len()).options(2).build();
        (format!("{name}, behind options"), error)
    };
    let of_the_other_version = |(name, packet): (&str, Vec<u8>)| {
        (format!("{name}, in IPv6"), Ipv6::carrying(icmp_error(super::ip::ICMP, 3, 3, &packet)).build())
    };
    let errors = ipv4_packets().into_iter().map(error_4).chain(ipv6_packets().into_iter().map(error_6));
    let others =
        ipv4_packets().into_iter().flat_map(|named| [behind_options(named.clone()), of_the_other_version(named)]);
    errors.chain(others).collect()
}

/// Every packet on every link.
pub fn samples() -> Vec<(String, Sample)> {
    let packets = [ipv4_packets(), ipv6_packets()].concat();
    let on = |(link_name, link): (&str, Link)| {
        let framed =
            |(name, packet): &(&str, Vec<u8>)| (format!("{name} on {link_name}"), link.clone().carrying(packet));
        packets.iter().map(framed).collect::<Vec<_>>()
    };
    let mut samples: Vec<_> = links().into_iter().flat_map(on).collect();
    let raw = |link_type| {
        move |(name, packet): (&str, Vec<u8>)| {
            (format!("{name} on raw ({link_type})"), Link::none(link_type).carrying(&packet))
        }
    };
    samples.extend(ipv4_packets().into_iter().map(raw(228)));
    samples.extend(ipv6_packets().into_iter().map(raw(229)));
    samples
}
