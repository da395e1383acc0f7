//! Frames by hand.

pub(in crate::evidence) const ETHERNET: i32 = 1;
pub(in crate::evidence) const FIN: u8 = 0x01;
pub(in crate::evidence) const SYN: u8 = 0x02;
pub(in crate::evidence) const ACK: u8 = 0x10;

/// An Ethernet frame with a TCP segment without data.
pub(in crate::evidence) fn tcp(from: ([u8; 4], u16), to: ([u8; 4], u16), flags: u8) -> Vec<u8> {
    let mut segment = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    ethernet(0x0800, &ipv4(from.0, to.0, 6, &segment))
}

/// A port unreachable error about a datagram.
pub(in crate::evidence) fn unreachable(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    let quoted = ipv4(to, from, 17, &[0, 9, 0, 9, 0, 8, 0, 0]);
    let message = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted].concat();
    ethernet(0x0800, &ipv4(from, to, 1, &message))
}

/// The question of one host for another.
pub(in crate::evidence) fn arp(sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, 1];
    message.extend([2; 6]);
    message.extend(sender);
    message.extend([0; 6]);
    message.extend(target);
    ethernet(0x0806, &message)
}

/// A neighbor solicitation of one host for another, by the last bytes of their addresses in `fd00::/64`.
pub(in crate::evidence) fn solicitation(sender: u8, target: u8) -> Vec<u8> {
    let address = |host: u8| [&[0xfd][..], &[0; 14], &[host]].concat();
    let group = [&[0xff, 2][..], &[0; 9], &[1, 0xff, 0, 0, target]].concat();
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &address(target)].concat();
    let mut packet = vec![0x60, 0, 0, 0, 0, message.len() as u8, 58, 255];
    packet.extend([address(sender), group, message].concat());
    ethernet(0x86dd, &packet)
}

fn ipv4(from: [u8; 4], to: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len() as u16).to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    packet.extend(from);
    packet.extend(to);
    packet.extend(payload);
    packet
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}
