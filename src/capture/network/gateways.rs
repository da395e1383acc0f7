//! The default gateways of this host. Takes nothing; gives addresses. Must not know captures, nor which route a packet
//! takes.
//!
//! Routes of all tables count, because rules may send packets to each of them (ip-rule(8)).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink_packet_core::NetlinkSerializable;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteHeader, RouteType};

use super::Error;
use super::rtnetlink::{
    NEXT_HOP_HEADER_BYTES, ROUTE_HEADER_BYTES, address, attribute, attributes, dump, hops, number, routes_of,
};

// linux/nexthop.h and linux/rtnetlink.h.
const RTM_GETNEXTHOP: u16 = 106;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GATEWAY: u16 = 6;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;
/// `struct nhmsg`: family, scope, protocol, unused, flags.
const OBJECT_HEADER_BYTES: usize = 8;
/// `struct nexthop_grp`: the number of an object, its weight, unused.
const GROUP_MEMBER_BYTES: usize = 8;
/// The family of the address in `struct rtvia`.
const VIA_FAMILY_BYTES: usize = 2;

/// The gateways of the default routes of both IP versions, in all tables.
///
/// # Errors
/// When the kernel refuses, or its answer cannot be read.
pub fn default_gateways() -> Result<BTreeSet<IpAddr>, Error> {
    let families = [AddressFamily::Inet, AddressFamily::Inet6];
    let DefaultRoutes { mut gateways, objects } = dump("routes", &families.map(routes_of), read_default_route)?;
    if !objects.is_empty() {
        let table: BTreeMap<u32, NextHopObject> = dump("next hops", &[NextHopQuestion], read_object)?;
        let of_routes: Vec<&NextHopObject> = objects.iter().filter_map(|id| table.get(id)).collect();
        let members = of_routes.iter().flat_map(|object| &object.members).filter_map(|id| table.get(id));
        gateways.extend(of_routes.iter().copied().chain(members).filter_map(|object| object.gateway));
    }
    Ok(gateways)
}

#[derive(Debug, Default)]
struct DefaultRoutes {
    gateways: BTreeSet<IpAddr>,
    /// The next-hop objects that the routes name. Their gateways are not in the routes if the sysctl
    /// `nexthop_compat_mode` is off.
    objects: BTreeSet<u32>,
}

fn read_default_route(found: &mut DefaultRoutes, message: &[u8]) -> Option<()> {
    let header = RouteHeader::parse(message).ok()?;
    if header.destination_prefix_length != 0 || header.kind != RouteType::Unicast {
        return Some(());
    }
    found.gateways.extend(gateway(message, ROUTE_HEADER_BYTES));
    found.objects.extend(attribute(message, ROUTE_HEADER_BYTES, RTA_NH_ID).and_then(number));
    let multipath = attribute(message, ROUTE_HEADER_BYTES, libc::RTA_MULTIPATH).unwrap_or_default();
    found.gateways.extend(hops(multipath).filter_map(|hop| gateway(hop, NEXT_HOP_HEADER_BYTES)));
    Some(())
}

/// The gateway among the attributes after a header. The one of an IPv4 route may be an IPv6 address (RFC 8950).
fn gateway(message: &[u8], header_bytes: usize) -> Option<IpAddr> {
    attributes(message, header_bytes).find_map(|(kind, value)| match kind {
        libc::RTA_GATEWAY => address(value),
        RTA_VIA => address(value.get(VIA_FAMILY_BYTES..)?),
        _ => None,
    })
}

/// A next hop that routes share (ip-nexthop(8)), or a group of them.
#[derive(Debug, Default)]
struct NextHopObject {
    gateway: Option<IpAddr>,
    members: Vec<u32>,
}

fn read_object(objects: &mut BTreeMap<u32, NextHopObject>, message: &[u8]) -> Option<()> {
    let of = |kind| attribute(message, OBJECT_HEADER_BYTES, kind);
    let id = of(NHA_ID).and_then(number)?;
    let members = of(NHA_GROUP).unwrap_or_default().chunks_exact(GROUP_MEMBER_BYTES).filter_map(number).collect();
    objects.insert(id, NextHopObject { gateway: of(NHA_GATEWAY).and_then(address), members });
    Some(())
}

/// The question for all next-hop objects, which `netlink-packet-route` lacks.
#[derive(Debug, Clone, Copy)]
struct NextHopQuestion;

impl NetlinkSerializable for NextHopQuestion {
    fn message_type(&self) -> u16 {
        RTM_GETNEXTHOP
    }

    fn buffer_len(&self) -> usize {
        OBJECT_HEADER_BYTES
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::rerun;

    /// The default gateways in a new network namespace, after `ip` has been given each line of `setup`.
    fn in_namespace(name: &str, setup: &str, expected: &[&str]) {
        if rerun::parameter().is_none() {
            let links = "ip link set lo up\nip link add e0 type veth peer name e1\nip link set e0 up\nip link set e1 up\n\
                         ip addr add 10.1.0.1/24 dev e0\nip -6 addr add fd00:1::1/64 dev e0 nodad\n";
            let lines: String = setup.lines().map(|line| format!("{}\n", line.trim())).collect();
            rerun::unshared("--net", &format!("{links}{lines}"), &rerun::path(module_path!(), name), "inside");
            return;
        }
        let expected: BTreeSet<IpAddr> = expected.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(default_gateways().unwrap(), expected);
    }

    #[test]
    #[ignore = "needs root: makes a network namespace"]
    fn gateways_of_all_tables_and_all_hops_are_read() {
        in_namespace(
            "gateways_of_all_tables_and_all_hops_are_read",
            "ip route add default nexthop via 10.1.0.2 nexthop via 10.1.0.3
             ip route add default via 10.1.0.4 table 100
             ip route add default via 10.1.0.5 metric 500
             ip route add default via inet6 fd00:1::6 table 101
             ip -6 route add default nexthop via fd00:1::7 nexthop via fd00:1::8
             ip -6 route add default via fe80::9 dev e0 table 70000
             ip route add 10.2.0.0/16 via 10.1.0.10
             ip route add unreachable default metric 9000
             ip route add default dev e0 table 102",
            &["10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "fd00:1::6", "fd00:1::7", "fd00:1::8", "fe80::9"],
        );
    }

    #[test]
    #[ignore = "needs root: makes a network namespace"]
    fn gateways_of_next_hop_objects_are_read_where_routes_do_not_show_them() {
        in_namespace(
            "gateways_of_next_hop_objects_are_read_where_routes_do_not_show_them",
            "echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode
             ip nexthop add id 1 via 10.1.0.2 dev e0
             ip nexthop add id 2 via 10.1.0.3 dev e0
             ip nexthop add id 3 via 10.1.0.4 dev e0
             ip nexthop add id 4 via fd00:1::5 dev e0
             ip nexthop add id 5 via 10.1.0.6 dev e0
             ip nexthop add id 10 group 1/2
             ip route add default nhid 10
             ip route add default nhid 3 table 100
             ip -6 route add default nhid 4",
            &["10.1.0.2", "10.1.0.3", "10.1.0.4", "fd00:1::5"],
        );
    }
}
