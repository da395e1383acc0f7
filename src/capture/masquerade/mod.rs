//! Finds out whether packets probably count twice because this host translates addresses. Takes the [`Network`] and the
//! captured interfaces; gives a notice for the user. Must not know packets.
//!
//! A packet that this host masquerades leaves with the host's own address and looks like a new packet. So it counts on
//! both sides (see [`super::once`]). Only root may read the rules of the translation, so their presence is inferred.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::network::{Link, Network};

/// RFC 1918 and RFC 6598 (carrier-grade translation).
const PRIVATE_V4: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
];

/// RFC 4193, unique local addresses.
const PRIVATE_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7);

/// The notice at start, with both interfaces and the advice to choose one. None unless this host forwards packets,
/// captures its route to the Internet and a private network, and probably translates addresses.
pub fn likely_masquerade(network: &Network, captured: &[u32]) -> Option<String> {
    if !network.forwarding {
        return None;
    }
    let is_captured = |link: &&Link| captured.contains(&link.index) && !link.loopback;
    let outside: Vec<&Link> = defaults(network).filter_map(|link| shown(network, captured, link)).collect();
    let is_outside = |link: &Link| outside.iter().any(|outside| outside.index == link.index);
    let translates = network.translating || outside.iter().any(|link| public_v4(network, link));
    let inside = network.links.iter().filter(is_captured).filter(|link| !is_outside(link));
    let private: Vec<(&Link, IpNet)> =
        inside.filter_map(|link| Some((link, private_network(network, link)?))).collect();
    let first = outside.first().filter(|_| translates)?;
    (!private.is_empty()).then(|| sentence(first, &private))
}

fn sentence(outside: &Link, private: &[(&Link, IpNet)]) -> String {
    let inside: Vec<String> = private.iter().map(|(link, network)| format!("{} ({network})", link.name)).collect();
    let names: Vec<&str> = private.iter().map(|(link, _)| link.name.as_str()).collect();
    format!(
        "this host forwards from {} to {} (default route) and captures both: if it masquerades, outgoing packets are \
         counted twice, once per source address, and scans by hosts inside may not be judged \
         (trafficmonitor_answers_visible 0); capture only the inside: -iface {}",
        inside.join(" and "),
        outside.name,
        names.join(","),
    )
}

/// The links of the default routes.
fn defaults(network: &Network) -> impl Iterator<Item = &Link> {
    let routes = network.routes.iter().filter(|route| route.destination.prefix_len() == 0);
    routes.flat_map(|route| &route.interfaces).filter_map(|&index| network.link(index))
}

/// The captured link that shows the frames of `link`.
fn shown<'a>(network: &'a Network, captured: &[u32], link: &'a Link) -> Option<&'a Link> {
    let above = network.shown_on(link);
    let index = std::iter::once(link.index).chain(above).find(|index| captured.contains(index))?;
    network.link(index)
}

/// The addresses of a link and of the links whose frames it shows.
fn addresses<'a>(network: &'a Network, link: &'a Link) -> impl Iterator<Item = IpNet> + 'a {
    let is_shown = |other: &&Link| other.index == link.index || network.shown_on(other).contains(&link.index);
    network.links.iter().filter(is_shown).flat_map(|link| link.addresses.iter().copied())
}

fn public_v4(network: &Network, link: &Link) -> bool {
    addresses(network, link).any(|address| match address {
        IpNet::V4(v4) => is_public(v4.addr()),
        IpNet::V6(_) => false,
    })
}

fn is_public(address: Ipv4Addr) -> bool {
    let is_special = address.is_loopback() || address.is_link_local() || address.is_unspecified();
    !is_special && !PRIVATE_V4.iter().any(|private| private.contains(&address))
}

fn private_network(network: &Network, link: &Link) -> Option<IpNet> {
    let is_private = |address: &IpNet| match address {
        IpNet::V4(v4) => PRIVATE_V4.iter().any(|private| private.contains(&v4.addr())),
        IpNet::V6(v6) => PRIVATE_V6.contains(&v6.addr()),
    };
    addresses(network, link).find(is_private).map(|address| address.trunc())
}

#[cfg(test)]
mod tests;
