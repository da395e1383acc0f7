//! The program's own filter, by which each packet counts once: it leaves the copies of forwarded packets out. Takes the
//! [`Network`] and the captured interfaces; gives a filter in the syntax of pcap-filter(7). Must not know pcap.
//!
//! **One interface**: every frame counts, on a gateway too. The loopback device, captured or not, makes no
//! difference: no packet is forwarded to it.
//!
//! **Several interfaces**: a packet that this host forwards between two of them shows on both. The incoming frame
//! counts. The outgoing one is left out if it came in by a captured interface, which [`Origins`] infers from its
//! source: the filter is `inbound or not (ip or ip6) or (source is ours or not from there)`. For named handles only
//! the kernel knows the direction of a frame, so this filter must be attached to the socket; libpcap would run it
//! again in user space, where `inbound` has no meaning.
//!
//! **Loopback**: each packet shows twice, on its way out and in; `inbound` counts.
//!
//! **`any`**: unwanted interfaces are left out by number, and so are outgoing loopback frames. [`is_copy`] leaves out
//! copies after the capture, because on `any` each frame says whether it was outgoing.
//!
//! Consequences:
//!
//! - Multicast and broadcast packets count like any other: the first interface that they come in by counts them;
//!   forwarded copies are left out by their source, however many there are.
//! - Frames that are not IP count at each interface, forwarded (MPLS, bridged ARP) or not. IP inside of PPPoE or MPLS
//!   is not IP in this sense, nor is IP that libpcap does not find behind the first link header.
//! - A VLAN tag is not among the bytes that the filter sees of an incoming frame, nor of an outgoing one if the
//!   device adds tags itself. If it does not (virtio), or if tags are nested, the tags are there and `ip` does not
//!   match. So on an interface that carries VLANs of this host, the sources behind one and two tags are compared as
//!   well, by offset. libpcap's `vlan` cannot be used: it moves the offsets of all later terms.
//! - For that reason too the user's filter is compiled by itself: it may contain `vlan 5`.
//! - Frames that a bridge passes from port to port come in by a port, whatever the routes say. If two ports of one
//!   bridge are both captured by name, a frame may show twice; the expression comes with a notice.
//! - Packets whose source is translated (masquerade) leave with our own address, and count on both sides; see
//!   [`super::masquerade`].

pub mod origins;
mod terms;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::packet::IpVersion;

use super::network::{Link, LinkKind, MAX_ROUTES, Network, Route};
pub use origins::Origins;
use origins::PrefixBlock;
use terms::{TagDepth, counted, joined};

/// The most networks that a filter names. Each takes at most about ten of BPF's 4,096 instructions; the user's
/// filter needs some.
pub(crate) const MAX_NETWORKS: usize = 256;

/// The most interfaces that the filter of `any` leaves out, two instructions each.
pub(crate) const MAX_LEFT_OUT: usize = 1024;

/// Prefix lengths to cut to if there are too many networks: from a subnet's length down.
const CUTS: [u8; 14] = [64, 56, 48, 40, 32, 28, 24, 22, 20, 18, 16, 12, 8, 0];

/// The kind of handle that a filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandleKind {
    /// The interface with this index, not a loopback device.
    Named(u32),
    /// A loopback device.
    Loopback,
    /// libpcap's pseudo-device, as cooked frames (SLL2).
    Any,
}

/// A filter for one handle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OnceFilter {
    /// The filter in the syntax of pcap-filter(7); nothing where every frame counts.
    pub text: Option<String>,
    /// Notices for the user, each a sentence: packets that may count twice.
    pub notices: Vec<String>,
}

/// The filter with which each packet counts once on `handle`, while the interfaces with the indexes `captured` are
/// captured. On `any` these are the interfaces whose frames are wanted.
///
/// It does not include the user's filter ([`super::filter`]). Read again and compare whenever the network changes.
pub fn filter_expression(network: &Network, captured: &[u32], handle: HandleKind) -> OnceFilter {
    let (text, notices) = match handle {
        HandleKind::Loopback => (Some("inbound".to_owned()), Vec::new()),
        HandleKind::Any => wanted_interfaces(network, captured),
        HandleKind::Named(index) if several(network, captured) => without_copies(network, captured, index),
        HandleKind::Named(_) => (None, Vec::new()),
    };
    OnceFilter { text, notices }
}

/// True if a frame is a copy of one that came in by a captured interface; for frames of `any`.
#[inline]
pub fn is_copy(outgoing: bool, source: IpAddr, origins: &Origins) -> bool {
    outgoing && origins.came_in_captured(source)
}

fn several(network: &Network, captured: &[u32]) -> bool {
    links(network, captured).filter(|link| !link.loopback).count() > 1
}

fn links<'a>(network: &'a Network, indexes: &'a [u32]) -> impl Iterator<Item = &'a Link> {
    network.links.iter().filter(|link| indexes.contains(&link.index))
}

/// The filter of `any`. It names the unwanted interfaces, not the wanted ones, so that a new interface counts at once.
fn wanted_interfaces(network: &Network, wanted: &[u32]) -> (Option<String>, Vec<String>) {
    let unwanted = network.links.iter().filter(|link| !wanted.contains(&link.index));
    let mut terms: Vec<String> = unwanted.map(|link| format!("not ifindex {}", link.index)).collect();
    let mut notices = Vec::new();
    if terms.len() > MAX_LEFT_OUT {
        notices.push(format!(
            "{} interfaces would have to be left out of any, but a filter has room for {MAX_LEFT_OUT}: frames of the rest \
             are counted and may be counted twice; name the interfaces to capture (-iface)",
            terms.len()
        ));
        terms.truncate(MAX_LEFT_OUT);
    }
    let loopback = links(network, wanted).filter(|link| link.loopback);
    terms.extend(loopback.map(|link| format!("not (outbound and ifindex {})", link.index)));
    (joined(&terms, " and "), notices)
}

/// The filter of one interface of several.
fn without_copies(network: &Network, captured: &[u32], index: u32) -> (Option<String>, Vec<String>) {
    let layers = TagDepth::all_on(network, index);
    let mut notices = doubts(network, captured);
    let (origins, notice) = bounded_origins(network, captured, MAX_NETWORKS / layers.len());
    notices.extend(notice);
    (origins.and_then(|origins| counted(&origins, &layers)), notices)
}

/// The origins as at most `limit` networks, with a notice if the routes with the longest prefixes are ignored. No
/// origins if this host's own addresses alone are more: then packets count twice, rather than being lost.
fn bounded_origins(network: &Network, captured: &[u32], limit: usize) -> (Option<Origins>, Option<String>) {
    let fits = |origins: &Origins| networks_of(origins) <= limit;
    let exact = Origins::new(network, captured);
    if fits(&exact) {
        return (Some(exact), None);
    }
    let needed = networks_of(&exact);
    let mut shorter = CUTS.into_iter().map(|longest| (longest, Origins::of_prefixes_up_to(network, captured, longest)));
    match shorter.find(|(_, origins)| fits(origins)) {
        Some((longest, origins)) => (
            Some(origins),
            Some(format!(
                "the routes need {needed} networks, but a filter has room for {limit}: networks longer than /{longest} are \
                 ignored, and packets forwarded between captured interfaces may be counted twice or not at all; \
                 capture a single interface"
            )),
        ),
        None => (
            None,
            Some(format!(
                "this host's addresses need {needed} networks, but a filter has room for {limit}: packets forwarded \
                 between captured interfaces are counted twice; capture a single interface"
            )),
        ),
    }
}

fn networks_of(origins: &Origins) -> usize {
    let blocks = IpVersion::ALL.map(|version| origins.regions(version).blocks().1);
    blocks.iter().flatten().map(PrefixBlock::networks).sum()
}

/// Notices about packets that may count twice.
fn doubts(network: &Network, captured: &[u32]) -> Vec<String> {
    let shown = network.shown_by(captured);
    let split = network.routes.iter().find_map(|route| split_route(network, &shown, route));
    let bridged = network.links.iter().filter_map(|bridge| bridged(network, captured, bridge));
    let cut = network.routes_cut.then(|| {
        format!(
            "there are more than {MAX_ROUTES} routes: packets forwarded between captured interfaces may be counted twice \
             or not at all; capture a single interface"
        )
    });
    split.into_iter().chain(bridged).chain(cut).collect()
}

/// A route of which some next hops are captured and some are not.
fn split_route(network: &Network, shown: &BTreeSet<u32>, route: &Route) -> Option<String> {
    // Link-local networks such as fe80::/64 have a route by every interface, and are never forwarded.
    if matches!(route.destination, IpNet::V6(network) if network.addr().is_unicast_link_local()) {
        return None;
    }
    let hop = |is_shown: bool| {
        let index = route.interfaces.iter().find(|index| shown.contains(index) == is_shown)?;
        network.link(*index).map(|link| &link.name)
    };
    let (captured, missing) = (hop(true)?, hop(false)?);
    Some(format!(
        "{} is reachable via {captured} and via {missing}, which is not captured: packets from there that this host \
         forwards may be counted twice; capture {missing} too",
        route.destination
    ))
}

/// A bridge of which two ports are captured, and not the bridge.
fn bridged(network: &Network, captured: &[u32], bridge: &Link) -> Option<String> {
    let is_bridge = bridge.kind == Some(LinkKind::Bridge);
    let mut ports = network.members(bridge).filter(|port| is_bridge && captured.contains(&port.index));
    let (one, other) = (ports.next()?, ports.next()?);
    Some(format!(
        "{} and {} are ports of {}: a frame bridged from one to the other may be counted twice; capture {} or only one \
         of them",
        one.name, other.name, bridge.name, bridge.name
    ))
}

#[cfg(test)]
mod tests;
