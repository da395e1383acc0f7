//! The violation: packets of a source that is not permitted, in one direction of one conversation. Takes nothing; gives
//! the types that the event log writes. Must not know formats.

use std::net::IpAddr;
use std::sync::Arc;

use crate::packet::{Addresses, Protocol, TcpFlags, Timestamp};

/// The treatment of the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// They went on.
    Logged,
    /// The kernel dropped them.
    Dropped,
}

impl Action {
    /// As written in event logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Logged => "logged",
            Self::Dropped => "dropped",
        }
    }
}

/// The events of violations, and the packets that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventCounts {
    /// Number of events.
    pub events: u64,
    /// Packets of these events.
    pub packets: u64,
    /// Packets of sources that are not permitted without an event.
    pub suppressed_packets: u64,
}

/// Packets that are not permitted and that no violation tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuppressedPackets {
    /// Their source; none for packets of several or unknown sources.
    pub source: Option<IpAddr>,
    /// Time of the last packet.
    pub last: Timestamp,
    /// Number of packets.
    pub packets: u64,
}

/// Packets of a source that is not permitted: those of one direction of a conversation in one time cell, or one packet
/// that the kernel reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Time of the first packet.
    pub first: Timestamp,
    /// Time of the last packet.
    pub last: Timestamp,
    /// Interface that captured them.
    pub interface: Arc<str>,
    /// Source and destination.
    pub addresses: Addresses,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The TCP or UDP source port; 0 if there is none.
    pub source_port: u16,
    /// The TCP or UDP destination port; 0 if there is none.
    pub destination_port: u16,
    /// The union of the TCP flags.
    pub tcp_flags: TcpFlags,
    /// Number of packets.
    pub packets: u64,
    /// IP bytes.
    pub bytes: u64,
    /// Their treatment.
    pub action: Action,
    /// Packets of this source that had no event of their own since its last event.
    pub suppressed: u64,
}
