//! The targets of contacts: hosts and ports. Takes addresses, protocols and ports; gives keys of the sets. Must not know
//! sources.

use std::net::IpAddr;

use crate::packet::Protocol;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    Hosts,
    /// TCP and UDP destination ports, each protocol's own.
    Ports,
}

impl Aspect {
    pub const BOTH: [Self; 2] = [Self::Hosts, Self::Ports];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    pub address: IpAddr,
    pub protocol: Protocol,
    /// The port; 0 where there is none.
    pub port: u16,
}

impl HostPort {
    /// The number under which a question for a link address counts: IANA reserves it (protocol 255).
    pub const LINK: Protocol = Protocol(255);

    /// The target of a question for the link address of a host.
    pub const fn on_link(address: IpAddr) -> Self {
        Self { address, protocol: Self::LINK, port: 0 }
    }

    /// True if the target is a link address.
    pub fn is_on_link(&self) -> bool {
        self.protocol == Self::LINK
    }
}
