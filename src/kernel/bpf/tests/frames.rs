//! Frames for the tests of the program. Takes headers and payloads; gives frames. Must not know the program.

pub(super) const V4: u16 = 0x0800;
pub(super) const V6: u16 = 0x86dd;

pub(super) fn ethernet(types: &[u16], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for (at, ether_type) in types.iter().enumerate() {
        if at > 0 {
            frame.extend([0, 5]);
        }
        frame.extend(ether_type.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

/// An IPv4 packet from 10.0.0.`source` to 8.8.8.`destination` with options and a fragment field.
pub(super) fn v4(source: u8, destination: u8, protocol: u8, fragment: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header_bytes = 20 + options.len();
    let mut packet = vec![0x40 | (header_bytes / 4) as u8, 0];
    packet.extend(((header_bytes + payload.len()) as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 0, 0, source, 8, 8, 8, destination]);
    packet.extend(options);
    packet.extend(payload);
    packet
}

pub(super) fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend(payload);
    packet
}

pub(super) fn tcp(ports: [u16; 2], flags: u8, data: &[u8]) -> Vec<u8> {
    let mut segment: Vec<u8> = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0, 9, 0, 0, 0, 0]);
    segment.extend(data);
    segment
}

pub(super) fn udp(ports: [u16; 2], data: &[u8]) -> Vec<u8> {
    let mut datagram: Vec<u8> = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
    datagram.extend([0, 8 + data.len() as u8, 0, 0]);
    datagram.extend(data);
    datagram
}

/// A DNS query from 10.0.0.`source`, with 33 IP bytes.
pub(super) fn query_from(source: u8) -> Vec<u8> {
    ethernet(&[V4], &v4(source, 8, 17, 0, &[], &udp([40_000, 53], b"query")))
}

/// Extension headers, each with the number of the next one.
pub(super) fn extended(headers: &[(u8, &[u8])], last: u8, payload: &[u8]) -> Vec<u8> {
    let mut chain = Vec::new();
    for (at, (_, body)) in headers.iter().enumerate() {
        chain.push(headers.get(at + 1).map_or(last, |(next, _)| *next));
        chain.extend(*body);
    }
    chain.extend(payload);
    v6(headers.first().map_or(last, |(first, _)| *first), &chain)
}

pub(super) type NamedFrame = (&'static str, Vec<u8>);

/// Frames of every form that the program tells apart, with their names.
pub(super) fn frames() -> Vec<NamedFrame> {
    [frames_of_packets(), frames_of_links(), frames_with_faults(), frames_of_v6()].concat()
}

fn query() -> Vec<u8> {
    udp([40_000, 53], b"query")
}

/// A query over IPv4.
fn plain() -> Vec<u8> {
    v4(1, 8, 17, 0, &[], &query())
}

fn frames_of_packets() -> Vec<NamedFrame> {
    let query = query();
    let mut backward = v4(1, 8, 6, 0, &[], &tcp([443, 50_000], 0x12, &[]));
    backward[12..20].copy_from_slice(&[8, 8, 8, 8, 10, 0, 0, 1]);
    let mut error = vec![3, 3, 0, 0, 0, 0, 0, 0];
    let mut quoted = plain();
    quoted[12..20].copy_from_slice(&[10, 0, 0, 9, 8, 8, 8, 8]);
    error.extend(quoted);
    let mut refusal = v4(3, 1, 1, 0, &[], &error);
    refusal[16..20].copy_from_slice(&[10, 0, 0, 9]);
    vec![
        ("udp", ethernet(&[V4], &plain())),
        ("tcp syn", ethernet(&[V4], &v4(1, 8, 6, 0, &[], &tcp([50_000, 443], 0x02, &[])))),
        ("tcp answer", ethernet(&[V4], &backward)),
        ("tcp data", ethernet(&[V4], &v4(1, 8, 6, 0, &[], &tcp([50_000, 443], 0x18, b"data")))),
        ("tcp cut", ethernet(&[V4], &v4(1, 8, 6, 0, &[], &tcp([50_000, 443], 0x18, &[])[..8]))),
        ("tcp cut before its ports", ethernet(&[V4], &v4(1, 8, 6, 0, &[], &[1, 2, 3]))),
        ("padding", [ethernet(&[V4], &v4(1, 8, 6, 0, &[], &tcp([1, 2], 0x10, &[]))), vec![0; 20]].concat()),
        ("echo", ethernet(&[V4], &v4(1, 8, 1, 0, &[], &[8, 0, 0, 0, 0, 1, 0, 1]))),
        ("refusal", ethernet(&[V4], &refusal)),
        ("gre", ethernet(&[V4], &v4(1, 8, 47, 0, &[], &[0; 8]))),
        ("options", ethernet(&[V4], &v4(1, 8, 17, 0, &[1; 12], &query))),
        ("first fragment", ethernet(&[V4], &v4(1, 8, 17, 0x2000, &[], &query))),
        ("later fragment", ethernet(&[V4], &v4(1, 8, 17, 0x2001, &[], &query))),
        ("last fragment", ethernet(&[V4], &v4(1, 8, 6, 0x0100, &[], &query))),
        ("empty", ethernet(&[V4], &v4(1, 8, 17, 0, &[], &[]))),
    ]
}

fn frames_of_links() -> Vec<NamedFrame> {
    let plain = plain();
    let pppoe = [&[0x11, 0, 0, 1, 0, (plain.len() + 2) as u8, 0, 0x21][..], &plain].concat();
    let mpls = [&[0, 1, 0, 0xff][..], &[0, 1, 1, 0xff][..], &plain].concat();
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &plain].concat();
    vec![
        ("vlan", ethernet(&[0x8100, V4], &plain)),
        ("qinq", ethernet(&[0x88a8, 0x8100, V4], &plain)),
        ("old qinq", ethernet(&[0x9100, 0x8100, V6], &v6(17, &query()))),
        ("four tags", ethernet(&[0x8100, 0x8100, 0x8100, 0x8100, V4], &plain)),
        ("five tags", ethernet(&[0x8100, 0x8100, 0x8100, 0x8100, 0x8100, V4], &plain)),
        ("cut tag", ethernet(&[0x8100], &[0, 5])),
        ("pppoe", ethernet(&[0x8864], &pppoe)),
        ("pppoe discovery", ethernet(&[0x8863], &[0; 40])),
        ("mpls", ethernet(&[0x8847], &mpls)),
        ("snap", ethernet(&[(plain.len() + 8) as u16], &snap)),
        ("spanning tree", ethernet(&[38], &[0x42, 0x42, 3, 0, 0, 0])),
        ("lldp", ethernet(&[0x88cc], &[0; 40])),
        (
            "arp",
            ethernet(
                &[0x0806],
                &[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2],
            ),
        ),
        ("rarp", ethernet(&[0x8035], &[0; 28])),
    ]
}

fn frames_with_faults() -> Vec<NamedFrame> {
    let plain = plain();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = ethernet(&[V4], &plain);
        change(&mut frame);
        frame
    };
    vec![
        ("header cut", ethernet(&[V4], &plain[..19])),
        ("options cut", ethernet(&[V4], &v4(1, 8, 17, 0, &[1; 12], &query())[..30])),
        ("wrong version", with(&|frame| frame[14] = 0x65)),
        ("short header", with(&|frame| frame[14] = 0x44)),
        ("total length 0", with(&|frame| frame[16..18].copy_from_slice(&[0, 0]))),
        ("total length in the header", with(&|frame| frame[16..18].copy_from_slice(&[0, 19]))),
        ("total length past the end", with(&|frame| frame[16..18].copy_from_slice(&[9, 0]))),
    ]
}

fn frames_of_v6() -> Vec<NamedFrame> {
    let query = query();
    let options = [0_u8, 0, 1, 4, 0, 0, 0];
    let hop_by_hop: (u8, &[u8]) = (0, &options);
    let authentication: (u8, &[u8]) = (51, &[2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9]);
    let mut solicitation = vec![135, 0, 0, 0, 0, 0, 0, 0];
    solicitation.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    vec![
        ("v6 udp", ethernet(&[V6], &v6(17, &query))),
        ("v6 tcp", ethernet(&[V6], &v6(6, &tcp([50_000, 443], 0x18, b"data")))),
        ("v6 solicitation", ethernet(&[V6], &v6(58, &solicitation))),
        ("v6 hop by hop", ethernet(&[V6], &extended(&[hop_by_hop], 17, &query))),
        (
            "v6 chain",
            ethernet(
                &[V6],
                &extended(&[hop_by_hop, (60, &options), (43, &options), authentication], 6, &tcp([5, 6], 2, b"x")),
            ),
        ),
        ("v6 eight headers", ethernet(&[V6], &extended(&[(60, &options[..]); 8], 17, &query))),
        ("v6 nine headers", ethernet(&[V6], &extended(&[(60, &options[..]); 9], 17, &query))),
        ("v6 first fragment", ethernet(&[V6], &extended(&[(44, &[0, 0, 1, 0, 0, 0, 1])], 17, &query))),
        ("v6 later fragment", ethernet(&[V6], &extended(&[(44, &[0, 0, 8, 0, 0, 0, 1])], 17, &query))),
        ("v6 header cut", ethernet(&[V6], &extended(&[hop_by_hop], 17, &query)[..45])),
        ("v6 no next header", ethernet(&[V6], &v6(59, &[]))),
        ("v6 jumbo", ethernet(&[V6], &[&v6(17, &[])[..], &query].concat())),
        ("v6 cut", ethernet(&[V6], &v6(17, &query)[..39])),
        ("v6 wrong version", ethernet(&[V6], &plain())),
        ("v6 mobility", ethernet(&[V6], &v6(135, &query))),
    ]
}
