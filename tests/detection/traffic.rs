//! Packets with their times, on their way into a savefile.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::common::ip::{self, ICMP, ICMPV6, Ipv4, Ipv6, TCP, Transport, UDP, fragment_header};
use super::common::link::{Link, Sample};
use super::common::savefile::{ByteOrder, Savefile};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PUSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
pub const URGENT: u8 = 0x20;

/// Start of the captures, in seconds since the epoch.
pub const START: i64 = 1_700_000_000;
/// Captured bytes of a packet; bytes behind its headers do not matter.
const CAPTURED: usize = 128;

/// A moment, in nanoseconds since the epoch.
pub type Time = i64;

/// The moment so many seconds after the captures begin.
pub fn at(seconds: f64) -> Time {
    START * 1_000_000_000 + (seconds * 1e9) as i64
}

/// So many seconds later.
pub fn later(time: Time, seconds: f64) -> Time {
    time + (seconds * 1e9) as i64
}

/// The headers around the packets of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrapping {
    #[default]
    Plain,
    /// In one VLAN tag.
    Tagged,
    /// In two.
    TwiceTagged,
    /// The header of a new connection in fragments of eight bytes.
    Fragments,
}

/// A packet as the models see it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub time: Time,
    pub source: IpAddr,
    pub destination: IpAddr,
    /// The protocol and the destination port, of TCP and UDP.
    pub port: Option<(u8, u16)>,
}

/// Frames with their times, in any order until they are written.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    pub frames: Vec<(Time, Sample)>,
    /// The packets, for a reader that keeps all of them.
    pub seen: Vec<Seen>,
    pub wrapping: Wrapping,
}

impl Traffic {
    pub fn tcp(&mut self, time: Time, from: (IpAddr, u16), to: (IpAddr, u16), flags: u8, payload: u16) {
        self.send(time, (from.0, to.0), ip::tcp(from.1, to.1, flags, &[]), payload);
    }

    pub fn udp(&mut self, time: Time, from: (IpAddr, u16), to: (IpAddr, u16), payload: u16) {
        let mut header = ip::udp(from.1, to.1, &[]);
        header.bytes[4..6].copy_from_slice(&(8 + payload).to_be_bytes());
        self.send(time, (from.0, to.0), header, payload);
    }

    /// An echo request or its answer.
    pub fn echo(&mut self, time: Time, from: IpAddr, to: IpAddr, is_request: bool) {
        let message = match (from, is_request) {
            (IpAddr::V4(_), true) => ip::icmp(8),
            (IpAddr::V4(_), false) => ip::icmp(0),
            (IpAddr::V6(_), true) => ip::icmpv6(128),
            (IpAddr::V6(_), false) => ip::icmpv6(129),
        };
        self.send(time, (from, to), message, 56);
    }

    /// Any other message of ICMP or ICMPv6.
    pub fn icmp(&mut self, time: Time, from: IpAddr, to: IpAddr, kind: u8) {
        self.send(time, (from, to), if from.is_ipv4() { ip::icmp(kind) } else { ip::icmpv6(kind) }, 24);
    }

    /// The error of `router` to `source` that its packet to `to` was refused: port, host or administratively.
    pub fn unreachable(&mut self, time: Time, router: IpAddr, source: (IpAddr, u16), to: (IpAddr, u16), protocol: u8) {
        let above = match protocol {
            TCP => ip::tcp(source.1, to.1, SYN, &[]),
            UDP => ip::udp(source.1, to.1, &[0; 12]),
            _ if source.0.is_ipv4() => ip::icmp(8),
            _ => ip::icmpv6(128),
        };
        let quote = packet((source.0, to.0), above, 0);
        let is_from_target = router == to.0;
        let message = if source.0.is_ipv4() {
            ip::icmp_error(ICMP, 3, if is_from_target { 3 } else { 1 }, &quote)
        } else {
            ip::icmp_error(ICMPV6, 1, if is_from_target { 4 } else { 0 }, &quote)
        };
        self.send(time, (router, source.0), message, 0);
    }

    fn send(&mut self, time: Time, ends: (IpAddr, IpAddr), above: Transport, payload: u16) {
        let port = matches!(above.protocol, TCP | UDP)
            .then(|| (above.protocol, u16::from_be_bytes([above.bytes[2], above.bytes[3]])));
        self.seen.push(Seen { time, source: ends.0, destination: ends.1, port });
        if self.wrapping == Wrapping::Fragments && begins_connection(&above) {
            for (number, fragment) in fragments(ends, &above).into_iter().enumerate() {
                self.frames.push((time + number as i64 * 1_000, Link::ethernet().carrying(&fragment)));
            }
            return;
        }
        let link = match self.wrapping {
            Wrapping::Tagged => Link::ethernet().vlan(0x8100),
            Wrapping::TwiceTagged => Link::ethernet().vlan(0x88a8).vlan(0x8100),
            Wrapping::Plain | Wrapping::Fragments => Link::ethernet(),
        };
        let sample = link.carrying(&packet(ends, above, payload));
        let wire_bytes = sample.wire_bytes + u32::from(payload);
        self.frames.push((time, sample.cut(CAPTURED).on_wire(wire_bytes)));
    }

    pub fn join(&mut self, other: Self) {
        self.frames.extend(other.frames);
        self.seen.extend(other.seen);
    }

    /// In the order of their times.
    pub fn sorted(mut self) -> Self {
        self.frames.sort_by_key(|(time, _)| *time);
        self
    }

    /// In the order in which they are, as `name` in `folder`.
    pub fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let file = Savefile::with(1, ByteOrder::Little, true, 65_535);
        let add = |file: Savefile, (time, sample): &(Time, Sample)| {
            let (seconds, fraction) = (time.div_euclid(1_000_000_000), time.rem_euclid(1_000_000_000));
            file.frame_at(seconds as u32, fraction as u32, sample)
        };
        self.frames.iter().fold(file, add).write(folder, name)
    }
}

/// True if it is TCP that neither answers nor ends a connection.
fn begins_connection(above: &Transport) -> bool {
    above.protocol == TCP && above.bytes[13] & (ACK | RST) == 0
}

/// A packet whose length counts `payload` bytes that are not there.
fn packet(ends: (IpAddr, IpAddr), above: Transport, payload: u16) -> Vec<u8> {
    let length = above.bytes.len() as u16 + payload;
    match ends {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Ipv4::carrying(above).between(source, destination).total_length(20 + length).build()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            Ipv6::carrying(above).between(source, destination).payload_length(length).build()
        }
        _ => panic!("two versions of IP in a packet"),
    }
}

/// The packet in fragments of eight bytes: the first has the ports and no flags.
fn fragments(ends: (IpAddr, IpAddr), above: &Transport) -> Vec<Vec<u8>> {
    let count = above.bytes.len().div_ceil(8);
    let pieces = above.bytes.chunks(8).enumerate();
    pieces
        .map(|(number, piece)| {
            let (offset, more_follow) = (number as u16, number + 1 < count);
            let piece = Transport { protocol: above.protocol, bytes: piece.to_vec() };
            match ends {
                (IpAddr::V4(source), IpAddr::V4(destination)) => {
                    Ipv4::carrying(piece).between(source, destination).fragment(offset, more_follow).build()
                }
                (IpAddr::V6(source), IpAddr::V6(destination)) => Ipv6::carrying(piece)
                    .between(source, destination)
                    .through(fragment_header(offset, more_follow))
                    .build(),
                _ => panic!("two versions of IP in a packet"),
            }
        })
        .collect()
}
