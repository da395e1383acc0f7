//! The role of an address: a host, or an address that no host has. Takes an address and what it did; gives its role.
//! Must not know tables.
//!
//! The broadcast addresses of other links are not known. A local address that ends in 255 and has sent nothing counts as
//! one, unless the address of its interface is known: hosts with such an address are rare, and they send.

use std::net::IpAddr;

use crate::names::HostNames;

/// The role of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressRole {
    Host,
    /// The receivers of a multicast group.
    Multicast,
    /// All hosts of a link.
    Broadcast,
    /// A sender that has no address yet.
    Unspecified,
}

impl AddressRole {
    pub(super) fn of(address: IpAddr, is_local: bool, has_sent: bool, names: &HostNames) -> Self {
        let is_silent = is_local && !has_sent;
        match address {
            _ if address.is_multicast() => Self::Multicast,
            _ if address.is_unspecified() => Self::Unspecified,
            IpAddr::V4(v4) if v4.is_broadcast() || names.broadcasts.contains(&address) => Self::Broadcast,
            IpAddr::V4(v4) if v4.octets()[3] == u8::MAX && is_silent && !has_interface(address, names) => {
                Self::Broadcast
            }
            IpAddr::V4(_) | IpAddr::V6(_) => Self::Host,
        }
    }

    /// The words for an address that no host has.
    pub(super) const fn words(self) -> Option<&'static str> {
        match self {
            Self::Host => None,
            Self::Multicast => Some("multicast group"),
            Self::Broadcast => Some("broadcast"),
            Self::Unspecified => Some("no address yet"),
        }
    }
}

fn has_interface(address: IpAddr, names: &HostNames) -> bool {
    names.host(address).is_some_and(|host| host.mac.is_some())
}
