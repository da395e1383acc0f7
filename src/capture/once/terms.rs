//! The terms of the program's own filter, in the syntax of pcap-filter(7). Takes networks of [`super::origins`]; gives
//! text. Must not know routes.
//!
//! In that syntax `and` and `or` have the same precedence, so every term is in parentheses.

use ipnet::IpNet;

use crate::capture::network::{Link, LinkKind, Network};
use crate::packet::IpVersion;

use super::origins::{Origins, PrefixBlock};

/// The most VLAN tags before an IP header that is compared.
const MAX_TAGS: usize = 2;

/// From the start of an Ethernet frame to its EtherType.
const TYPE_OFFSET: usize = 12;

/// The length of a VLAN tag.
const TAG_BYTES: usize = 4;
const ETHERNET_HEADER_BYTES: usize = 14;

/// The filter for the frames that count; none if all count.
pub(super) fn counted(origins: &Origins, layers: &[TagDepth]) -> Option<String> {
    let mut is_ip = Vec::new();
    let mut no_copy = Vec::new();
    for version in IpVersion::ALL {
        let regions = origins.regions(version);
        let (all, blocks) = regions.blocks();
        if all || !blocks.is_empty() {
            is_ip.extend(layers.iter().map(|layer| layer.holds(version)));
            no_copy.extend(layers.iter().filter_map(|layer| layer.no_copy(version, all, &blocks)));
        }
    }
    let is_ip = joined(&is_ip, " or ")?;
    let terms = [vec!["inbound".to_owned(), format!("not ({is_ip})")], no_copy].concat();
    joined(&terms, " or ")
}

/// The terms joined by `word`; none if there is no term.
pub(super) fn joined(terms: &[String], word: &str) -> Option<String> {
    (!terms.is_empty()).then(|| terms.join(word))
}

/// The position of an IP header: behind the link header and a number of VLAN tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TagDepth {
    tags: usize,
}

impl TagDepth {
    /// The layers in which frames that leave by an interface can hold IP.
    pub(super) fn all_on(network: &Network, index: u32) -> Vec<Self> {
        let tags = network.link(index).map_or(0, |link| tags_on(network, link, MAX_TAGS));
        (0..=tags).map(|tags| Self { tags }).collect()
    }

    /// The term for frames that hold IP of this version here.
    fn holds(self, version: IpVersion) -> String {
        if self.tags == 0 {
            return protocol(version).to_owned();
        }
        let type_at = |tags: usize| format!("ether[{}:2]", TYPE_OFFSET + tags * TAG_BYTES);
        let tag = |tags| format!("({0} = 0x8100 or {0} = 0x88a8)", type_at(tags));
        let mut terms: Vec<String> = (0..self.tags).map(tag).collect();
        terms.push(format!("{} = {}", type_at(self.tags), ether_type(version)));
        format!("({})", terms.join(" and "))
    }

    /// The term for frames of this IP version that came in by no captured interface. If `all`, all sources but those in
    /// `blocks` came in by one; otherwise only those in `blocks`.
    fn no_copy(self, version: IpVersion, all: bool, blocks: &[PrefixBlock]) -> Option<String> {
        let terms: Vec<String> = blocks.iter().map(|block| self.block(block)).collect();
        let named = joined(&terms, " or ");
        match (all, named) {
            (true, None) => None,
            (true, Some(named)) if self.tags == 0 => Some(named),
            (true, Some(named)) => Some(format!("({} and ({named}))", self.holds(version))),
            (false, None) => Some(self.holds(version)),
            (false, Some(named)) => Some(format!("({} and not ({named}))", self.holds(version))),
        }
    }

    fn block(self, block: &PrefixBlock) -> String {
        let network = self.source_in(block.network);
        let inside: Vec<String> = block.inside.iter().map(|block| self.block(block)).collect();
        match joined(&inside, " or ") {
            Some(inside) => format!("({network} and not ({inside}))"),
            None => network,
        }
    }

    fn source_in(self, network: IpNet) -> String {
        if self.tags > 0 {
            return self.source_bytes_in(network);
        }
        let version = if matches!(network, IpNet::V4(_)) { IpVersion::V4 } else { IpVersion::V6 };
        if network.prefix_len() == network.max_prefix_len() {
            format!("{} src host {}", protocol(version), network.addr())
        } else {
            format!("{} src net {network}", protocol(version))
        }
    }

    /// The source compared word by word, because `src` finds an IP header only directly behind the link header.
    fn source_bytes_in(self, network: IpNet) -> String {
        let header = ETHERNET_HEADER_BYTES + self.tags * TAG_BYTES;
        let (offset, address) = match network {
            IpNet::V4(network) => (header + 12, vec![network.network().to_bits()]),
            IpNet::V6(network) => (header + 8, words(network.network().to_bits())),
        };
        let lengths = (0..).map(|word| network.prefix_len().saturating_sub(32 * word).min(32));
        let compared = address.into_iter().zip(lengths).enumerate().filter(|(_, (_, length))| *length > 0);
        let terms: Vec<String> = compared.map(|(at, (word, length))| word_is(offset + 4 * at, word, length)).collect();
        joined(&terms, " and ").map_or_else(|| "ether[0] >= 0".to_owned(), |terms| format!("({terms})"))
    }
}

fn words(address: u128) -> Vec<u32> {
    address.to_be_bytes().chunks_exact(4).filter_map(|word| Some(u32::from_be_bytes(*word.first_chunk()?))).collect()
}

fn word_is(offset: usize, word: u32, length: u8) -> String {
    match length {
        32 => format!("ether[{offset}:4] = {word:#x}"),
        _ => format!("ether[{offset}:4] & {:#x} = {word:#x}", !(u32::MAX >> length)),
    }
}

const fn protocol(version: IpVersion) -> &'static str {
    match version {
        IpVersion::V4 => "ip",
        IpVersion::V6 => "ip6",
    }
}

const fn ether_type(version: IpVersion) -> &'static str {
    match version {
        IpVersion::V4 => "0x0800",
        IpVersion::V6 => "0x86dd",
    }
}

/// Number of tags that this host itself puts on frames that leave by `link`, at most `most`.
fn tags_on(network: &Network, link: &Link, most: usize) -> usize {
    let Some(fewer) = most.checked_sub(1) else { return 0 };
    let by_child = |child: &Link| match child.kind {
        Some(LinkKind::Vlan) => 1 + tags_on(network, child, fewer),
        _ => tags_on(network, child, fewer),
    };
    let by_children = network.children(link).map(by_child).max().unwrap_or(0);
    let by_controller = network.controller(link).map_or(0, |controller| match controller.kind {
        // A bridge can tag frames that leave by a port, by the port's VLANs.
        Some(LinkKind::Bridge) => tags_on(network, controller, most).max(1),
        _ => tags_on(network, controller, most),
    });
    by_children.max(by_controller)
}
