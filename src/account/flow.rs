//! What makes a flow: its key in each of the three keyings, its counters.

use std::net::IpAddr;

use crate::packet::Protocol;

/// What tells flows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlowKeying {
    /// Source, destination, protocol and the port of the service; ephemeral ports are folded away, and replies are the
    /// same flow the other way with the reply mark.
    #[default]
    Service,
    /// Source, destination, protocol and destination port as it stands in the packet.
    DestinationPort,
    /// Source, destination and protocol.
    Pair,
}

/// What a flow is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// Who sends.
    pub source: IpAddr,
    /// Who receives.
    pub destination: IpAddr,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The port that the keying takes; 0 where there is none.
    pub port: u16,
    /// The packets answer: `port` is the source's. Only the service keying sets it.
    pub reply: bool,
}

/// Packets and their IP bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// The number of packets.
    pub packets: u64,
    /// The sum of their IP bytes (RFC 7011 `octetDeltaCount`).
    pub bytes: u64,
}

impl Counters {
    /// Counts one packet of `bytes` IP bytes.
    #[inline]
    pub fn count(&mut self, bytes: u32) {
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }

    /// Adds what another counted.
    #[inline]
    pub fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }

    /// What was counted beyond `base`, which was counted before.
    #[must_use]
    pub const fn less(self, base: Self) -> Self {
        Self { packets: self.packets - base.packets, bytes: self.bytes - base.bytes }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.packets == 0
    }
}
