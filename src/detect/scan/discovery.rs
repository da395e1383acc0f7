//! Questions to many hosts at once, and their answers: multicast, broadcast, and the ports of discovery protocols.
//!
//! Takes addresses and ports; tells which datagrams are questions to many or answers to such. Must not know earlier ones.

use std::net::IpAddr;

/// Ports from which discovery protocols answer: NetBIOS names, SSDP, WS-Discovery, NAT-PMP and PCP, mDNS, LLMNR.
const DISCOVERY: [u16; 6] = [137, 1_900, 3_702, 5_351, 5_353, 5_355];
/// DHCP (RFC 2131) and DHCPv6 (RFC 8415): the port of servers and relays, and that of clients.
const DHCP: [(u16, u16); 2] = [(67, 68), (547, 546)];
/// The first port that a client may be given by its system.
const FIRST_OF_CLIENTS: u16 = 1_024;

/// True if one host can have the address.
#[inline]
pub(super) fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !(address.is_multicast() || address.is_broadcast() || address.is_unspecified()),
        IpAddr::V6(address) => !(address.is_multicast() || address.is_unspecified()),
    }
}

#[inline]
pub(super) fn are_hosts(source: IpAddr, target: IpAddr) -> bool {
    source != target && is_host(source) && is_host(target)
}

/// True if a datagram may be a question to many hosts: to a multicast or broadcast address, to the last address of a /24,
/// or to the last address of a smaller block in which the source itself lies.
#[inline]
pub(super) fn may_ask_many(source: IpAddr, target: IpAddr) -> bool {
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(address)) => {
            let ones = address.to_bits().trailing_ones();
            let is_in_block = || ones >= 2 && (source.to_bits() ^ address.to_bits()) >> ones == 0;
            !is_host(target) || ones >= 8 || is_in_block()
        }
        _ => !is_host(target),
    }
}

/// True if the target is the last address of the source's own /24: its broadcast address, or that of a larger network.
#[inline]
pub(super) fn is_own_broadcast(source: IpAddr, target: IpAddr) -> bool {
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            target.to_bits().trailing_ones() >= 8 && (source.to_bits() ^ target.to_bits()) >> 8 == 0
        }
        _ => false,
    }
}

/// True if datagrams to a UDP port are those of traceroute: 33434 (IANA) and the hundred ports after it. They are meant for
/// the routers on the way.
#[inline]
pub(super) const fn is_traceroute(port: u16) -> bool {
    matches!(port, 33_434..=33_534)
}

/// True if a datagram between two ports is the answer of a discovery protocol. Answers go to the port that asked, which is
/// the protocol's own or one of a client; a datagram to another service is none.
#[inline]
pub(super) fn is_discovery_answer(from: u16, to: u16) -> bool {
    let is_to_asker = to == from || to >= FIRST_OF_CLIENTS && !DISCOVERY.contains(&to);
    DISCOVERY.contains(&from) && is_to_asker
        || DHCP.iter().any(|&(server, client)| from == server && (to == client || to == server))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
        [a, b, c, d].into()
    }

    #[test]
    fn discovery_answers_go_to_clients_and_to_their_own_port() {
        for from in DISCOVERY {
            assert!(is_discovery_answer(from, 50_000) && is_discovery_answer(from, from), "{from}");
            assert!(!is_discovery_answer(from, 161) && !is_discovery_answer(50_000, from), "{from}");
        }
        assert!(!is_discovery_answer(5_353, 1_900), "another service is asked, not answered");
        assert!([(67, 68), (67, 67), (547, 546), (547, 547)].iter().all(|&(from, to)| is_discovery_answer(from, to)));
        assert!([(68, 67), (67, 53), (53, 68), (546, 547)].iter().all(|&(from, to)| !is_discovery_answer(from, to)));
    }

    #[test]
    fn traceroute_has_a_hundred_ports() {
        assert!([33_434, 33_500, 33_534].into_iter().all(is_traceroute));
        assert!(![161, 33_433, 33_535].into_iter().any(is_traceroute));
    }

    #[test]
    fn questions_go_to_groups_and_to_the_end_of_a_network() {
        let source = v4(10, 1, 2, 5);
        let asks = |target| may_ask_many(source, target);
        assert!([[239, 255, 255, 250], [255; 4], [224, 0, 0, 251]].into_iter().all(|target| asks(target.into())));
        assert!(asks(v4(10, 1, 2, 255)) && asks(v4(10, 9, 9, 255)), "the last address of any /24");
        assert!(asks(v4(10, 1, 2, 63)) && !asks(v4(10, 1, 3, 63)), "of a smaller block only to its own hosts");
        assert!(!asks(v4(10, 1, 2, 9)) && !asks(v4(10, 1, 2, 4)));
        let source = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]);
        assert!(may_ask_many(source, [0xff02, 0, 0, 0, 0, 0, 0, 0xfb].into()));
        assert!(!may_ask_many(source, [0xfe80, 0, 0, 0, 0, 0, 0, 0xff].into()));
    }

    #[test]
    fn own_broadcast_address_is_the_last_of_the_sources_network() {
        assert!(is_own_broadcast(v4(10, 1, 2, 5), v4(10, 1, 2, 255)));
        assert!(!is_own_broadcast(v4(10, 1, 2, 5), v4(10, 1, 3, 255)));
        assert!(!is_own_broadcast(v4(10, 1, 2, 5), v4(10, 1, 2, 127)));
    }
}
