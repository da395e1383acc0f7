//! Decodes a frame and compares the result with the hand parser's and with invariants of every packet.

use trafficmonitor::decode::{Decoder, NotIp};
use trafficmonitor::packet::{Frame, LinkType, Packet, Refusal, Resolution, Timestamp};

use super::hand::{self, Counted, NotCounted, Refused, Resolved};

/// Time of every frame of these tests.
const TIME: Timestamp = Timestamp::from_nanoseconds(1_700_000_000_123_456_789);

/// The decoder's reading of a frame.
pub fn decode(link_type: i32, captured: &[u8], wire_bytes: u32) -> Result<Packet, NotIp> {
    let decoder = Decoder::new(LinkType(link_type)).expect("a link type that is read");
    decoder.decode(&Frame::new(TIME, captured, wire_bytes))
}

/// The packet that a frame refuses, by the decoder.
pub fn refusal(link_type: i32, captured: &[u8], wire_bytes: u32) -> Option<Refusal> {
    let decoder = Decoder::new(LinkType(link_type)).expect("a link type that is read");
    let frame = Frame::new(TIME, captured, wire_bytes);
    decoder.refusal(&frame, &decoder.decode(&frame).ok()?)
}

/// The message of address resolution that a frame is, by the decoder.
pub fn resolution(link_type: i32, captured: &[u8], wire_bytes: u32) -> Option<Resolution> {
    let decoder = Decoder::new(LinkType(link_type)).expect("a link type that is read");
    let frame = Frame::new(TIME, captured, wire_bytes);
    match decoder.decode(&frame) {
        Ok(packet) => decoder.neighbor_resolution(&frame, packet.protocol, packet.icmp_type?),
        Err(reason) => decoder.arp_resolution(&frame, reason),
    }
}

/// The difference between decoder and hand parser on a frame, or the invariant that the packet breaks; none when all
/// is well.
pub fn disagreement(link_type: i32, captured: &[u8], wire_bytes: u32) -> Option<String> {
    let decoded = decode(link_type, captured, wire_bytes);
    let by_hand = hand::read(link_type, captured, wire_bytes);
    let agree = match (&decoded, &by_hand) {
        (Ok(packet), Ok(counted)) => counted_as(packet) == *counted && invariants_hold(packet, wire_bytes),
        (Err(reason), Err(by_hand)) => same_reason(*reason, *by_hand),
        _ => false,
    };
    let refusal = refusal(link_type, captured, wire_bytes);
    let refused = hand::refused(link_type, captured, wire_bytes);
    let agree =
        agree && refusal.as_ref().map(refused_as) == refused && refusal.is_none_or(|refusal| refusal.time == TIME);
    let resolution = resolution(link_type, captured, wire_bytes);
    let resolved = hand::resolved(link_type, captured, wire_bytes);
    let agree = agree
        && resolution.as_ref().map(resolved_as) == resolved
        && resolution.is_none_or(|resolution| resolution.time == TIME);
    (!agree).then(|| {
        let kept = captured.len().min(wire_bytes as usize);
        format!(
            "link type {link_type}, {kept} bytes captured of {wire_bytes}: {}\n decoder: {decoded:?}, {refusal:?}, {resolution:?}\n by hand: {by_hand:?}, {refused:?}, {resolved:?}",
            hexadecimal(&captured[..kept])
        )
    })
}

/// A packet in the hand parser's words.
pub fn counted_as(packet: &Packet) -> Counted {
    Counted {
        source: packet.addresses.source(),
        destination: packet.addresses.destination(),
        protocol: packet.protocol.0,
        source_port: packet.source_port,
        destination_port: packet.destination_port,
        tcp_flags: packet.tcp_flags.0,
        has_payload: packet.has_payload,
        icmp_type: packet.icmp_type,
        outgoing: packet.outgoing,
        bytes: packet.bytes,
    }
}

/// A message of address resolution in the hand parser's words.
pub fn resolved_as(resolution: &Resolution) -> Resolved {
    Resolved { asker: resolution.asker, target: resolution.target, is_answer: resolution.is_answer }
}

/// A refusal in the hand parser's words.
pub fn refused_as(refusal: &Refusal) -> Refused {
    Refused {
        source: refusal.addresses.source(),
        destination: refusal.addresses.destination(),
        protocol: refusal.protocol.0,
        source_port: refusal.source_port,
        destination_port: refusal.destination_port,
    }
}

/// The contract tells truncated and malformed IP headers apart by the order of its checks; the other reasons are the
/// decoder's own.
fn same_reason(decoder: NotIp, by_hand: NotCounted) -> bool {
    match by_hand {
        NotCounted::Truncated => decoder == NotIp::TruncatedIp,
        NotCounted::Malformed => decoder == NotIp::MalformedIp,
        NotCounted::NoWay => NotIp::ALL.contains(&decoder),
    }
}

fn invariants_hold(packet: &Packet, wire_bytes: u32) -> bool {
    let has_ports = packet.source_port != 0 || packet.destination_port != 0;
    packet.time == TIME
        && packet.bytes <= wire_bytes
        && packet.bytes >= 20
        && (matches!(packet.protocol.0, 6 | 17) || !has_ports)
        && (packet.protocol.0 == 6 || packet.tcp_flags.0 == 0)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
