//! The traffic that is shown, and so needs names. Takes nothing; gives plain values. Must not know who shows it.

use std::net::IpAddr;

use crate::packet::Protocol;

/// A flow whose process may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShownFlow {
    /// The end that asks.
    pub client: IpAddr,
    /// The end that serves.
    pub server: IpAddr,
    /// TCP or UDP; others have no sockets here.
    pub protocol: Protocol,
    /// The port of the service.
    pub port: u16,
}

/// The hosts and flows to name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShownTraffic {
    /// The most important ones first, each once.
    pub hosts: Vec<IpAddr>,
    /// The flows with the most bytes.
    pub flows: Vec<ShownFlow>,
}
