//! A logged conversation, and how it ends.
//!
//! Takes packets; gives its key, its name, and true once it is over. Must not know files.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::conversation_files::ConversationFiles;
use crate::evidence::names;
use crate::packet::{Packet, Protocol, TcpFlags};
use crate::services::protocol_name;

/// The flag of the last segment of a sender, RFC 9293 section 3.1.
const FIN: TcpFlags = TcpFlags(0x01);
/// Time without packets after which a conversation is over.
const IDLE: Duration = Duration::from_secs(60);
/// The same once it was closed or reset: the last acknowledgement and copies may follow.
const IDLE_CLOSED: Duration = Duration::from_secs(5);
/// Time without packets after which files stay that cannot be moved to the archive.
const GIVEN_UP: Duration = Duration::from_secs(120);

/// Both ends of a conversation, the smaller one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LoggedEnds {
    /// A pcap file has one link type.
    link_type: i32,
    /// None for address resolution.
    protocol: Option<Protocol>,
    /// Protocols without ports have port 0.
    ends: [SocketAddr; 2],
}

impl LoggedEnds {
    /// The conversation of a packet between two addresses.
    pub(super) fn of(link_type: i32, addresses: [IpAddr; 2], packet: Option<&Packet>) -> Self {
        let ports = packet.map_or([0; 2], |packet| [packet.source_port, packet.destination_port]);
        let mut ends = [SocketAddr::new(addresses[0], ports[0]), SocketAddr::new(addresses[1], ports[1])];
        ends.sort_unstable();
        Self { link_type, protocol: packet.map(|packet| packet.protocol), ends }
    }

    pub(super) fn addresses(&self) -> [IpAddr; 2] {
        self.ends.map(|end| end.ip())
    }

    /// `tcp_10.0.0.1_1234_10.0.0.2_80`.
    fn name(&self) -> String {
        let protocol = match self.protocol {
            Some(protocol) => protocol_name(protocol).map_or_else(|| protocol.0.to_string(), str::to_owned),
            None => "link".to_owned(),
        };
        let [one, other] = self.ends.map(|end| match end.port() {
            0 => end.ip().to_string(),
            port => format!("{}_{port}", end.ip()),
        });
        names::safe(&format!("{protocol}_{one}_{other}")).replace('-', "_")
    }

    /// 0 if a packet comes from the first end, else 1.
    fn side(&self, packet: &Packet) -> usize {
        let source = SocketAddr::new(packet.addresses.source(), packet.source_port);
        usize::from(source != self.ends[0])
    }
}

/// A conversation with its files.
#[derive(Debug)]
pub(super) struct LoggedConversation {
    pub(super) files: ConversationFiles,
    /// The beginning of the names in the archive, once an alert is about one of its ends.
    pub(super) archived: Option<String>,
    finished: [bool; 2],
    is_reset: bool,
    last_packet: Instant,
}

impl LoggedConversation {
    pub(super) fn new(ends: &LoggedEnds, archived: Option<String>, now: Instant) -> Self {
        Self {
            files: ConversationFiles::named(ends.name()),
            archived,
            finished: [false; 2],
            is_reset: false,
            last_packet: now,
        }
    }

    /// Notes a packet, which may close the conversation or open it again.
    pub(super) fn note(&mut self, key: &LoggedEnds, packet: Option<&Packet>, now: Instant) {
        self.last_packet = now;
        let Some(packet) = packet.filter(|packet| packet.protocol == Protocol::TCP) else { return };
        if packet.tcp_flags.contains(TcpFlags::SYN) {
            (self.finished, self.is_reset) = ([false; 2], false);
        }
        self.finished[key.side(packet)] |= packet.tcp_flags.contains(FIN);
        self.is_reset |= packet.tcp_flags.contains(TcpFlags::RST);
    }

    /// True if it was closed or reset a moment ago, or is idle.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let is_closed = self.is_reset || self.finished == [true; 2];
        now.duration_since(self.last_packet) >= if is_closed { IDLE_CLOSED } else { IDLE }
    }

    /// True if the last packet is so old that files which cannot be moved stay in the log directory.
    pub(super) fn is_given_up(&self, now: Instant) -> bool {
        now.duration_since(self.last_packet) >= GIVEN_UP
    }
}
