//! The source addresses that come in by a captured interface, as the routes have it.
//!
//! An outgoing frame is a copy if it came in on a captured interface, where it was counted. The frame does not say
//! how it came in, so that is inferred from its source: the route back to the source leaves by a captured interface,
//! as in reverse path filtering (RFC 3704). All other frames are no copies and count:
//!
//! - this host's own addresses and networks (route type local), 0.0.0.0 and `::` (DHCP, neighbour discovery),
//!   127.0.0.0/8, and fe80::/10, which no router forwards;
//! - sources without a route, or with one that refuses (blackhole): there is no sign that they came in captured;
//! - sources whose route has several next hops of which not all are captured. Some such frames count twice; the other
//!   choice would lose some, and [`super::filter_expression`] gives a notice.
//!
//! So asymmetric routing, a main table overruled by policy rules, and translated addresses are beyond it. Must not know
//! packets or the form of a filter.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::capture::network::{Network, Route};
use crate::packet::IpVersion;

/// Tells for every source address whether a frame that leaves this host came in by a captured interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    v4: Regions,
    v6: Regions,
}

impl Origins {
    /// The origins of outgoing frames, while `captured` are the indexes of the captured interfaces.
    pub fn new(network: &Network, captured: &[u32]) -> Self {
        Self::of_prefixes_up_to(network, captured, u8::MAX)
    }

    /// As [`Origins::new`], but without routes whose prefix is longer than `longest` bits: their addresses count like
    /// the network around them. This host's own addresses are never left out.
    pub(super) fn of_prefixes_up_to(network: &Network, captured: &[u32], longest: u8) -> Self {
        let shown = network.shown_by(captured);
        let table = |version| Regions::new(version, &entries(network, &shown, version, longest));
        Self { v4: table(IpVersion::V4), v6: table(IpVersion::V6) }
    }

    /// True if an outgoing frame from `source` came in by a captured interface.
    pub(in crate::capture) fn came_in_captured(&self, source: IpAddr) -> bool {
        let regions = self.regions(if source.is_ipv4() { IpVersion::V4 } else { IpVersion::V6 });
        regions.came_in_captured(bits(source))
    }

    pub(super) fn regions(&self, version: IpVersion) -> &Regions {
        match version {
            IpVersion::V4 => &self.v4,
            IpVersion::V6 => &self.v6,
        }
    }
}

/// A prefix, looked up by its longest match. Addresses are aligned to the left: one code for both versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Prefix {
    bits: u128,
    length: u8,
}

impl Prefix {
    fn new(network: IpNet) -> Self {
        Self { bits: bits(network.network()), length: network.prefix_len() }
    }

    fn contains(self, other: Self) -> bool {
        other.length >= self.length && (self.length == 0 || (self.bits ^ other.bits) >> (128 - self.length) == 0)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn network_of(version: IpVersion, prefix: Prefix) -> IpNet {
    match version {
        IpVersion::V4 => Ipv4Net::new_assert(Ipv4Addr::from_bits((prefix.bits >> 96) as u32), prefix.length).into(),
        IpVersion::V6 => Ipv6Net::new_assert(Ipv6Addr::from_bits(prefix.bits), prefix.length).into(),
    }
}

/// The prefixes of one IP version in order, each with true if its sources came in by a captured interface. The kernel
/// asks the local table first, so a prefix in a local network is local, whatever the main table says.
fn entries(network: &Network, shown: &BTreeSet<u32>, version: IpVersion, longest: u8) -> Vec<(Prefix, bool)> {
    let is_version = |network: &IpNet| matches!(network, IpNet::V4(_)) == (version == IpVersion::V4);
    let local: Vec<Prefix> = local_networks(network).filter(is_version).map(Prefix::new).collect();
    let wide: Vec<Prefix> = local.iter().copied().filter(|prefix| prefix.length < address_bits(version)).collect();
    let mut entries = BTreeMap::new();
    for route in network.routes.iter().filter(|route| is_version(&route.destination)) {
        let prefix = Prefix::new(route.destination);
        if prefix.length <= longest && !wide.iter().any(|local| local.contains(prefix)) {
            entries.insert(prefix, leaves_captured(route, shown));
        }
    }
    entries.extend(local.into_iter().map(|prefix| (prefix, false)));
    entries.into_iter().collect()
}

const fn address_bits(version: IpVersion) -> u8 {
    match version {
        IpVersion::V4 => 32,
        IpVersion::V6 => 128,
    }
}

/// The addresses that this host itself may send from.
fn local_networks(network: &Network) -> impl Iterator<Item = IpNet> + '_ {
    let unspecified = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let never_forwarded = [
        Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
        Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10).into(),
    ];
    let addresses = network.own_addresses().chain(unspecified).map(IpNet::from);
    addresses.chain(never_forwarded).chain(network.local.iter().copied())
}

/// True if all packets that can come back by `route` show on a captured interface.
fn leaves_captured(route: &Route, shown: &BTreeSet<u32>) -> bool {
    !route.interfaces.is_empty() && route.interfaces.iter().all(|index| shown.contains(index))
}

/// The address space of one IP version as regions with alternating answers: came in by a captured interface, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Regions {
    version: IpVersion,
    /// The first address of each region but the first one, in order.
    borders: Vec<u128>,
    /// The answer of the first region.
    first: bool,
    tree: Tree,
}

impl Regions {
    fn new(version: IpVersion, entries: &[(Prefix, bool)]) -> Self {
        let tree = Tree::new(entries, 0, false);
        let first = tree.answer_at_start();
        let mut regions = Self { version, borders: Vec::new(), first, tree: Tree::Uniform(first) };
        tree.append_borders(Prefix { bits: 0, length: 0 }, &mut regions);
        regions.tree = tree;
        regions
    }

    fn came_in_captured(&self, source: u128) -> bool {
        let crossed = self.borders.partition_point(|&border| border <= source);
        self.first ^ (crossed % 2 == 1)
    }

    /// The same answers as the fewest nested blocks: the answer of the whole space, and the blocks that differ from it.
    pub(super) fn blocks(&self) -> (bool, Vec<PrefixBlock>) {
        let all = !self.tree.accepts(false);
        let mut inside = Vec::new();
        self.tree.append_blocks(self.version, Prefix { bits: 0, length: 0 }, all, &mut inside);
        (all, inside)
    }
}

/// A network whose sources have another answer than the network around it, except for the blocks inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrefixBlock {
    pub(super) network: IpNet,
    pub(super) inside: Vec<PrefixBlock>,
}

impl PrefixBlock {
    pub(super) fn networks(&self) -> usize {
        1 + self.inside.iter().map(Self::networks).sum::<usize>()
    }
}

/// A part of the address space, halved bit by bit as far as its answers differ. At most 128 deep.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tree {
    Uniform(bool),
    Halves {
        /// The answer of the surroundings with which this part needs fewer blocks; none if both need the same number.
        best: Option<bool>,
        halves: Box<[Tree; 2]>,
    },
}

impl Tree {
    /// The tree of the sorted `entries`, all of which share their first `depth` bits.
    fn new(entries: &[(Prefix, bool)], depth: u8, inherited: bool) -> Self {
        match entries {
            [] => Self::Uniform(inherited),
            [(prefix, own), rest @ ..] if prefix.length == depth => Self::new(rest, depth, *own),
            _ => {
                let middle = entries.partition_point(|(prefix, _)| prefix.bits << depth >> 127 == 0);
                let (low, high) = entries.split_at(middle);
                Self::join(Self::new(low, depth + 1, inherited), Self::new(high, depth + 1, inherited))
            }
        }
    }

    fn join(low: Self, high: Self) -> Self {
        if let (Self::Uniform(a), Self::Uniform(b)) = (&low, &high)
            && a == b
        {
            return low;
        }
        let best = match (low.best(), high.best()) {
            (Some(a), Some(b)) => (a == b).then_some(a),
            (either, None) | (None, either) => either,
        };
        Self::Halves { best, halves: Box::new([low, high]) }
    }

    fn best(&self) -> Option<bool> {
        match self {
            Self::Uniform(answer) => Some(*answer),
            Self::Halves { best, .. } => *best,
        }
    }

    /// True if the part needs no more blocks when the surroundings have this answer.
    fn accepts(&self, answer: bool) -> bool {
        self.best().is_none_or(|best| best == answer)
    }

    fn answer_at_start(&self) -> bool {
        match self {
            Self::Uniform(answer) => *answer,
            Self::Halves { halves, .. } => halves[0].answer_at_start(),
        }
    }

    fn append_borders(&self, at: Prefix, regions: &mut Regions) {
        match self {
            Self::Uniform(answer) => {
                if regions.first ^ (regions.borders.len() % 2 == 1) != *answer {
                    regions.borders.push(at.bits);
                }
            }
            Self::Halves { halves, .. } => {
                for (half, at) in halves.iter().zip(halves_of(at)) {
                    half.append_borders(at, regions);
                }
            }
        }
    }

    fn append_blocks(&self, version: IpVersion, at: Prefix, around: bool, blocks: &mut Vec<PrefixBlock>) {
        if !self.accepts(around) {
            let mut inside = Vec::new();
            self.append_inside(version, at, !around, &mut inside);
            blocks.push(PrefixBlock { network: network_of(version, at), inside });
        } else {
            self.append_inside(version, at, around, blocks);
        }
    }

    fn append_inside(&self, version: IpVersion, at: Prefix, around: bool, blocks: &mut Vec<PrefixBlock>) {
        if let Self::Halves { halves, .. } = self {
            for (half, at) in halves.iter().zip(halves_of(at)) {
                half.append_blocks(version, at, around, blocks);
            }
        }
    }
}

fn halves_of(at: Prefix) -> [Prefix; 2] {
    let length = at.length + 1;
    [Prefix { length, ..at }, Prefix { bits: at.bits | 1 << (128 - length), length }]
}

#[cfg(test)]
mod tests;
