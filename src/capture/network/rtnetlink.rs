//! Asks the kernel by rtnetlink (rtnetlink(7)) and reads its answers. Takes nothing; gives links, addresses and
//! routes. Must not know captures.
//!
//! Only the attributes in use are read, so additions of other kernels cannot break the reading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLA_HEADER_SIZE, NLM_F_DUMP, NetlinkSerializable, NlasIterator};
use netlink_packet_route::address::{AddressHeader, AddressMessage};
use netlink_packet_route::link::{LinkFlags, LinkHeader, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteFlags, RouteHeader, RouteMessage, RouteNextHopFlags, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::super::names;
use super::request::NetlinkRequest;
use super::{Error, Link, LinkKind, MAX_ROUTES, Network, Route};

/// Most attempts for a dump that changes keep interrupting.
const ATTEMPTS: usize = 5;

/// `struct ifinfomsg`, `struct ifaddrmsg`, `struct rtmsg` and `struct rtnexthop`: attributes follow them.
pub(super) const LINK_HEADER_BYTES: usize = 16;
const ADDRESS_HEADER_BYTES: usize = 8;
pub(super) const ROUTE_HEADER_BYTES: usize = 12;
pub(super) const NEXT_HOP_HEADER_BYTES: usize = 8;

pub(super) fn read() -> Result<Network, Error> {
    let mut links = dump("links", &[RouteNetlinkMessage::GetLink(LinkMessage::default())], read_links)?;
    let addresses = dump("addresses", &[RouteNetlinkMessage::GetAddress(AddressMessage::default())], read_addresses)?;
    let table = dump("routes", &[routes_of(AddressFamily::Inet), routes_of(AddressFamily::Inet6)], read_routes)?;
    for (index, address) in addresses {
        if let Some(link) = links.get_mut(&index) {
            link.addresses.push(address);
        }
    }
    Ok(Network {
        links: links.into_values().map(in_order).collect(),
        routes_cut: table.cut,
        local: table.local.iter().copied().collect(),
        routes: table.into_routes(),
        forwarding: forwarding()?,
        translating: translating()?,
    })
}

fn in_order(mut link: Link) -> Link {
    link.addresses.sort_unstable();
    link.addresses.dedup();
    link
}

pub(super) fn routes_of(family: AddressFamily) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    RouteNetlinkMessage::GetRoute(message)
}

/// Reads the kernel's answers to `requests` into one value. Repeats this if the network has changed meanwhile.
pub(super) fn dump<T: Default>(
    what: &'static str,
    requests: &[impl NetlinkSerializable + Clone],
    read: impl Fn(&mut T, &[u8]) -> Option<()>,
) -> Result<T, Error> {
    let kernel = |source| Error::Kernel { what, source };
    let mut answer = T::default();
    for _ in 0..ATTEMPTS {
        answer = T::default();
        let mut whole = true;
        for request in requests {
            let mut exchange = NetlinkRequest::start(request.clone(), NLM_F_DUMP).map_err(kernel)?;
            while let Some(payload) = exchange.next(what)? {
                read(&mut answer, &payload)
                    .ok_or(Error::Answer { what, reason: "a message is truncated".to_owned() })?;
            }
            whole &= !exchange.is_interrupted();
        }
        if whole {
            break;
        }
    }
    // Interrupted every time, so the answer may mix two states. The last change will cause another reading.
    Ok(answer)
}

/// The attributes after a header of `header_bytes`, as (type, value); one that is cut off at the end is left out.
pub(super) fn attributes(message: &[u8], header_bytes: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let attributes = message.get(header_bytes..).unwrap_or_default();
    NlasIterator::new(attributes).map_while(|attribute| {
        let attribute = attribute.ok()?;
        let (kind, length) = (attribute.kind(), usize::from(attribute.length()));
        Some((kind, attribute.into_inner().get(NLA_HEADER_SIZE..length)?))
    })
}

/// The value of the first attribute of this type.
pub(super) fn attribute(message: &[u8], header_bytes: usize, wanted: u16) -> Option<&[u8]> {
    attributes(message, header_bytes).find(|&(kind, _)| kind == wanted).map(|(_, value)| value)
}

pub(super) fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*value.first_chunk()?))
}

fn before_zero(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    &value[..end]
}

pub(super) fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(IpAddr::V4(Ipv4Addr::from(*value.first_chunk::<4>()?))),
        16 => Some(IpAddr::V6(Ipv6Addr::from(*value.first_chunk::<16>()?))),
        _ => None,
    }
}

pub(super) fn read_links(links: &mut BTreeMap<u32, Link>, message: &[u8]) -> Option<()> {
    let header = LinkHeader::parse(message).ok()?;
    let up = header.flags.contains(LinkFlags::Up);
    let mut link = Link {
        index: header.index,
        name: String::new(),
        alternative_names: Vec::new(),
        up,
        running: up && header.flags.contains(LinkFlags::Running),
        loopback: header.flags.contains(LinkFlags::Loopback),
        ethernet: matches!(header.link_layer_type, LinkLayerType::Ether | LinkLayerType::Loopback),
        kind: None,
        parent: None,
        controller: None,
        addresses: Vec::new(),
    };
    let mut parent_is_elsewhere = false;
    for (kind, value) in attributes(message, LINK_HEADER_BYTES) {
        match kind {
            libc::IFLA_IFNAME => link.name = names::to_text(before_zero(value)),
            libc::IFLA_PROP_LIST => link.alternative_names = alternative_names(value),
            libc::IFLA_LINK => link.parent = number(value).filter(|&parent| parent != 0 && parent != link.index),
            libc::IFLA_LINK_NETNSID => parent_is_elsewhere = true,
            libc::IFLA_MASTER => link.controller = number(value),
            libc::IFLA_LINKINFO => link.kind = kind_of(value),
            _ => {}
        }
    }
    if parent_is_elsewhere || !link.kind.as_ref().is_some_and(LinkKind::is_child) {
        link.parent = None;
    }
    links.insert(link.index, link);
    Some(())
}

/// The alternative names in a list of properties, which may have other properties.
fn alternative_names(properties: &[u8]) -> Vec<String> {
    let names = attributes(properties, 0).filter(|&(kind, _)| kind == libc::IFLA_ALT_IFNAME);
    let mut names: Vec<String> = names.map(|(_, name)| names::to_text(before_zero(name))).collect();
    names.sort_unstable();
    names
}

fn kind_of(link_details: &[u8]) -> Option<LinkKind> {
    let name = attribute(link_details, 0, libc::IFLA_INFO_KIND)?;
    Some(LinkKind::from_name(&String::from_utf8_lossy(before_zero(name))))
}

pub(super) fn read_addresses(addresses: &mut Vec<(u32, IpNet)>, message: &[u8]) -> Option<()> {
    let header = AddressHeader::parse(message).ok()?;
    let address_of = |wanted| attribute(message, ADDRESS_HEADER_BYTES, wanted).map(address);
    // With a peer, IFA_ADDRESS is the peer's address and IFA_LOCAL our own; IPv6 has no IFA_LOCAL without one.
    let own = address_of(libc::IFA_LOCAL).or_else(|| address_of(libc::IFA_ADDRESS)).flatten();
    // Other families (MCTP, Phonet) have no IP address.
    if let Some(network) = own.and_then(|own| IpNet::new(own, header.prefix_len).ok()) {
        addresses.push((header.index, network));
    }
    Some(())
}

/// The routes of the main table, and this host's own networks from the local table.
#[derive(Debug, Default)]
pub(super) struct RouteTable {
    best: BTreeMap<IpNet, Best>,
    local: BTreeSet<IpNet>,
    cut: bool,
}

/// The route to a destination that has the lowest metric.
#[derive(Debug)]
struct Best {
    metric: u32,
    interfaces: BTreeSet<u32>,
}

/// Reads one route into `table`.
///
/// Routes for a type of service or a source network, and cached ones, are exceptions that do not say where a
/// network is; they are left out.
pub(super) fn read_routes(table: &mut RouteTable, message: &[u8]) -> Option<()> {
    let header = RouteHeader::parse(message).ok()?;
    let number_of = |wanted| attribute(message, ROUTE_HEADER_BYTES, wanted).and_then(number);
    let exception = header.tos != 0 || header.source_prefix_length != 0 || header.flags.contains(RouteFlags::Cloned);
    let Some(destination) = destination(&header, message).filter(|_| !exception) else { return Some(()) };
    let table_number = number_of(libc::RTA_TABLE).unwrap_or(u32::from(header.table));
    if table_number == u32::from(libc::RT_TABLE_LOCAL) && header.kind == RouteType::Local {
        table.local.insert(destination);
    } else if table_number == u32::from(libc::RT_TABLE_MAIN) {
        let metric = number_of(libc::RTA_PRIORITY).unwrap_or(0);
        let interfaces = if header.kind == RouteType::Unicast { next_hops(message) } else { BTreeSet::new() };
        table.insert(destination, Best { metric, interfaces });
    }
    Some(())
}

impl RouteTable {
    pub(super) fn into_routes(self) -> Vec<Route> {
        let route =
            |(destination, best): (IpNet, Best)| Route { destination, interfaces: Vec::from_iter(best.interfaces) };
        self.best.into_iter().map(route).collect()
    }

    fn insert(&mut self, destination: IpNet, route: Best) {
        if self.best.len() >= MAX_ROUTES && !self.best.contains_key(&destination) {
            self.cut = true;
            return;
        }
        match self.best.get_mut(&destination) {
            // IPv6 gives the hops of a multipath route as routes of one metric.
            Some(best) if best.metric == route.metric => best.interfaces.extend(route.interfaces),
            Some(best) if best.metric < route.metric => {}
            _ => _ = self.best.insert(destination, route),
        }
    }
}

/// The network of the destination; a default route has no attribute for it. None for families other than IP.
fn destination(header: &RouteHeader, message: &[u8]) -> Option<IpNet> {
    let unspecified = match header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let base = attribute(message, ROUTE_HEADER_BYTES, libc::RTA_DST).map_or(Some(unspecified), address)?;
    IpNet::new(base, header.destination_prefix_length).ok().map(|network| network.trunc())
}

/// The interfaces of a route's living next hops. Next-hop objects show as plain hops, unless the sysctl
/// `nexthop_compat_mode` is off.
fn next_hops(message: &[u8]) -> BTreeSet<u32> {
    let mut interfaces = BTreeSet::new();
    for (kind, value) in attributes(message, ROUTE_HEADER_BYTES) {
        match kind {
            libc::RTA_OIF => interfaces.extend(number(value)),
            libc::RTA_MULTIPATH => interfaces.extend(living_hops(value)),
            _ => {}
        }
    }
    interfaces
}

fn living_hops(multipath: &[u8]) -> impl Iterator<Item = u32> {
    hops(multipath).filter_map(|hop| {
        let &[_, _, flags, _, a, b, c, d] = hop.first_chunk::<NEXT_HOP_HEADER_BYTES>()?;
        let is_dead = RouteNextHopFlags::from_bits_retain(flags).contains(RouteNextHopFlags::Dead);
        (!is_dead).then(|| u32::from_ne_bytes([a, b, c, d]))
    })
}

/// Each `struct rtnexthop` of a multipath route: length (u16), flags (u8), hops (u8), interface (i32), attributes.
pub(super) fn hops(mut multipath: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let &[low, high, ..] = multipath.first_chunk::<NEXT_HOP_HEADER_BYTES>()?;
        let length = usize::from(u16::from_ne_bytes([low, high])).max(NEXT_HOP_HEADER_BYTES);
        let hop = multipath.get(..length).unwrap_or(multipath);
        multipath = multipath.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(hop)
    })
}

/// True if packets are forwarded in this network namespace. A kernel without IPv6 has no such file for it.
fn forwarding() -> Result<bool, Error> {
    let [v4, v6] = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"].map(content);
    Ok([v4?, v6?].into_iter().flatten().any(|value| value.trim() != "0"))
}

/// True if a module that translates addresses is loaded, as far as can be seen: it may be built in, and only root may
/// read the list of iptables' tables.
fn translating() -> Result<bool, Error> {
    let [modules, v4, v6] = ["/proc/modules", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"].map(content);
    let is_listed = [modules?, v4?, v6?].into_iter().flatten().any(|list| list.lines().any(names_translation));
    Ok(is_listed || fs::exists("/sys/module/nf_nat").unwrap_or(false))
}

/// The content of a file of the kernel; none if the kernel has no such file or does not show it. Fails without a free
/// file descriptor, because the network would then be read wrongly.
fn content(path: &str) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(content) => Ok(Some(content)),
        Err(source) if matches!(source.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)) => {
            Err(Error::Kernel { what: "settings", source })
        }
        Err(_) => Ok(None),
    }
}

fn names_translation(line: &str) -> bool {
    matches!(line.split_whitespace().next(), Some("nf_nat" | "nat"))
}
