//! The addresses without which this host is cut off: default gateways and peers of SSH sessions. Takes the kernel's
//! tables under `/proc/net`; gives addresses. Must not know the permitted networks.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Error;

/// The port of the SSH server (IANA).
const SSH: u16 = 22;
/// TCP_ESTABLISHED in the kernel's tables.
const ESTABLISHED: &str = "01";

/// An address without which this host is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lifeline {
    /// A default gateway. Gateways with link-local addresses are none: neighbour discovery always passes.
    Gateway(IpAddr),
    /// The other side of an established SSH session.
    SshPeer(IpAddr),
}

impl Lifeline {
    /// Its address.
    pub fn address(self) -> IpAddr {
        match self {
            Self::Gateway(address) | Self::SshPeer(address) => address,
        }
    }
}

impl fmt::Display for Lifeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(address) => write!(f, "the default gateway {address} is not permitted"),
            Self::SshPeer(address) => write!(f, "{address}, which has an SSH session with this host, is not permitted"),
        }
    }
}

/// Fails if a lifeline of this host is not permitted.
///
/// # Errors
/// With the first lifeline that would be cut.
pub fn check(is_permitted: impl Fn(IpAddr) -> bool) -> Result<(), Error> {
    let cut = lifelines().into_iter().find(|lifeline| !is_permitted(lifeline.address()));
    cut.map_or(Ok(()), |lifeline| Err(Error::Lockout(lifeline.to_string())))
}

/// The lifelines of this host, in the current network namespace.
fn lifelines() -> Vec<Lifeline> {
    let read = |name: &str| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    let gateways = gateways_v4(&read("route")).into_iter().chain(gateways_v6(&read("ipv6_route")));
    let peers = ["tcp", "tcp6"].into_iter().flat_map(|table| ssh_peers(&read(table)));
    let own = std::env::var("SSH_CONNECTION").ok().and_then(|connection| connection.split(' ').next()?.parse().ok());
    let mut lifelines: Vec<Lifeline> = gateways.map(Lifeline::Gateway).collect();
    lifelines.extend(peers.chain(own).map(Lifeline::SshPeer));
    lifelines.sort_unstable();
    lifelines.dedup();
    lifelines
}

/// The default gateways of `/proc/net/route`: interface, destination, gateway, flags, and the mask in the eighth field.
fn gateways_v4(table: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_default = fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000");
        let address = word(fields.get(2).filter(|_| is_default)?)?;
        (address != 0).then(|| IpAddr::V4(Ipv4Addr::from(address.to_ne_bytes())))
    };
    table.lines().skip(1).filter_map(gateway).collect()
}

/// The default gateways of `/proc/net/ipv6_route`: destination, length, source, length, gateway, …
fn gateways_v6(table: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_default = u128::from_str_radix(fields.first()?, 16) == Ok(0) && fields.get(1) == Some(&"00");
        let bits = u128::from_str_radix(fields.get(4).filter(|_| is_default)?, 16).ok()?;
        let address = Ipv6Addr::from_bits(bits);
        (!address.is_unspecified() && !address.is_unicast_link_local()).then_some(IpAddr::V6(address))
    };
    table.lines().filter_map(gateway).collect()
}

/// The peers of established connections to the SSH port, of `/proc/net/tcp` or `tcp6`: number, local end, remote end,
/// state, …
fn ssh_peers(table: &str) -> Vec<IpAddr> {
    let peer = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (_, port) = local.split_once(':')?;
        let (address, _) = remote.split_once(':')?;
        (state == ESTABLISHED && u16::from_str_radix(port, 16) == Ok(SSH)).then(|| address_of(address))?
    };
    table.lines().skip(1).filter_map(peer).collect()
}

/// An address as words of the machine's byte order, in hexadecimal. An IPv4 address in IPv6 form is an IPv4 address.
fn address_of(text: &str) -> Option<IpAddr> {
    if text.len() == 8 {
        return Some(IpAddr::V4(Ipv4Addr::from(word(text)?.to_ne_bytes())));
    }
    let words = (0..4).map(|at| word(text.get(at * 8..at * 8 + 8)?)).collect::<Option<Vec<u32>>>()?;
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    Some(address.to_canonical())
}

fn word(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn default_gateways_are_read() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(gateways_v4(table), addresses(&["10.0.2.1"]));
        let zero = "0".repeat(32);
        let table = format!(
            "{zero} 00 {zero} 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n\
             {zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n\
             20010db8000000000000000000000000 40 {zero} 00 20010db8000000000000000000000002 0 0 0 0 eth0\n"
        );
        assert_eq!(gateways_v6(&table), addresses(&["2001:db8::1"]));
    }

    #[test]
    fn peers_of_ssh_sessions_are_read() {
        let table = "  sl  local_address rem_address   st\n\
                     0: 0A02000A:0016 0500A8C0:C350 01 00000000:00000000\n\
                     1: 0A02000A:0016 0600A8C0:C350 06 00000000:00000000\n\
                     2: 0A02000A:01BB 0700A8C0:C350 01 00000000:00000000\n\
                     3: 00000000:0016 00000000:0000 0A 00000000:00000000\n";
        assert_eq!(ssh_peers(table), addresses(&["192.168.0.5"]));
        let table = "  sl  local_address remote_address st\n\
                     0: 0000000000000000FFFF00000A02000A:0016 0000000000000000FFFF00000500A8C0:C350 01 x\n\
                     1: B80D0120000000000000000001000000:0016 B80D0120000000000000000002000000:C350 01 x\n";
        assert_eq!(ssh_peers(table), addresses(&["192.168.0.5", "2001:db8::2"]));
    }
}
