//! The lease file of dnsmasq. Takes its lines; gives leases. Must not know other servers.
//!
//! A line has the end in seconds since the epoch (0 for never), the Ethernet address or the number of the IPv6
//! association, the address, the name (`*` for none) and the client's identifier.

use std::net::IpAddr;

use super::super::text::parse_mac;
use super::{Lease, Leases, name};

/// True for a line that has a lease of dnsmasq, or its server's identifier.
pub(super) fn is_lease(line: &str) -> bool {
    line.starts_with("duid ") || lease(line).is_some()
}

pub(super) fn parse(text: &str) -> Leases {
    let mut leases = Leases::default();
    text.lines().filter_map(lease).for_each(|(address, lease)| leases.put(address, lease));
    leases
}

fn lease(line: &str) -> Option<(IpAddr, Lease)> {
    let mut words = line.split_ascii_whitespace();
    let ends: u64 = words.next()?.parse().ok()?;
    let hardware = words.next()?;
    let address = words.next()?.parse().ok()?;
    let host = words.next()?;
    // The type of other hardware than Ethernet stands before the address: `06-00:1b:…`.
    let mac = parse_mac(hardware.strip_prefix("01-").unwrap_or(hardware));
    let name = name(host).filter(|name| &**name != "*");
    Some((address, Lease { name, mac, ends: (ends != 0).then_some(ends) }))
}
