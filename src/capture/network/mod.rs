//! The links, addresses and routes of the current network namespace. Takes nothing; gives a [`Network`], and
//! [`Changes`], which tells when to read it again. Two readings of an unchanged kernel are equal. Must not know which
//! interfaces are captured, nor pcap.

mod changes;
mod drops;
mod gateways;
#[cfg(test)]
pub(crate) mod made;
mod neighbours;
mod request;
mod rtnetlink;
mod sockets;
mod xdp;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

pub use changes::Changes;
pub(super) use drops::dropped_frames;
pub use gateways::default_gateways;
pub use neighbours::{MAX_NEIGHBOURS, Neighbour, Neighbours, own_addresses};
pub use sockets::{MAX_SOCKETS, OpenSocket, read_sockets};
pub use xdp::{XdpPlace, xdp_place};

/// The deepest stack of links that is followed. The kernel allows eight (`MAX_NEST_DEV`).
pub(super) const DEEPEST_STACK: usize = 8;

/// The most routes that are kept, about 16 MiB; a router that holds the Internet's whole table has more.
pub const MAX_ROUTES: usize = 1 << 18;

/// The reason why the kernel's network could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused, or the netlink socket failed.
    #[error("cannot query {what} from the kernel: {source}")]
    Kernel {
        /// The subject of the question: links, addresses, routes or changes.
        what: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
    /// The kernel's answer could not be read.
    #[error("cannot parse the kernel's list of {what}: {reason}")]
    Answer {
        /// The subject of the question.
        what: &'static str,
        /// The mistake in the answer.
        reason: String,
    },
}

/// The kind of a link, as far as it decides which other links show its frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// An IEEE 802.1Q or 802.1ad VLAN of its parent.
    Vlan,
    /// A MAC address of its own on its parent, with a tap or without.
    Macvlan,
    /// An IP address of its own on its parent, with a tap or without.
    Ipvlan,
    /// A bridge; its ports have it for a controller.
    Bridge,
    /// A bond; its members have it for a controller.
    Bond,
    /// A team; its members have it for a controller.
    Team,
    /// A routing domain; its members show its frames too.
    Vrf,
    /// One end of a pair; the other end is no parent.
    Veth,
    /// Another kind, by the kernel's name.
    Other(String),
}

impl LinkKind {
    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "vlan" => Self::Vlan,
            "macvlan" | "macvtap" => Self::Macvlan,
            "ipvlan" | "ipvtap" => Self::Ipvlan,
            "bridge" => Self::Bridge,
            "bond" => Self::Bond,
            "team" => Self::Team,
            "vrf" => Self::Vrf,
            "veth" => Self::Veth,
            other => Self::Other(other.to_owned()),
        }
    }

    /// True if every frame of such a link also passes its parent. Only for these kinds is the kernel's `IFLA_LINK` a
    /// parent: for a veth it is the peer, for a tunnel the link of its outer packets.
    pub(super) fn is_child(&self) -> bool {
        matches!(self, Self::Vlan | Self::Macvlan | Self::Ipvlan)
    }

    /// True if the members of such a controller pass their frames to it.
    fn takes_over(&self) -> bool {
        matches!(self, Self::Bridge | Self::Bond | Self::Team)
    }
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number; never 0, not used again while the link exists.
    pub index: u32,
    /// Its name, as [`names::to_text`](super::names::to_text) writes it.
    pub name: String,
    /// Its alternative names (`ip link property add`), in order.
    pub alternative_names: Vec<String>,
    /// Set up by its administrator.
    pub up: bool,
    /// Up and able to carry frames (there is a carrier).
    pub running: bool,
    /// The loopback device.
    pub loopback: bool,
    /// Its frames begin with an Ethernet header.
    pub ethernet: bool,
    /// The kind of link; none for hardware.
    pub kind: Option<LinkKind>,
    /// The link below, for the kinds that are children, if it is in this network namespace.
    pub parent: Option<u32>,
    /// The bridge, bond, team, VRF or such that it belongs to.
    pub controller: Option<u32>,
    /// Its own addresses with the length of their network, in order.
    pub addresses: Vec<IpNet>,
}

/// The best route of the main table to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The network.
    pub destination: IpNet,
    /// By which interfaces, in order: several with multipath, none where packets are refused or dropped
    /// (blackhole, unreachable, prohibit, throw).
    pub interfaces: Vec<u32>,
}

/// A snapshot of the kernel's links, addresses and routes, in a network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Every link, by index.
    pub links: Vec<Link>,
    /// The main table, one route a destination, by destination. Other tables and the rules that choose them are
    /// not read.
    pub routes: Vec<Route>,
    /// There were more than [`MAX_ROUTES`] routes; the others are missing.
    pub routes_cut: bool,
    /// Networks whose every address belongs to this host: the routes of type local, own addresses among them.
    pub local: Vec<IpNet>,
    /// This host forwards packets, of IPv4 or of IPv6.
    pub forwarding: bool,
    /// Something that translates addresses is loaded (`nf_nat`, or an iptables table `nat`).
    pub translating: bool,
}

impl Network {
    /// The addresses of the host's interfaces.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.links.iter().flat_map(|link| &link.addresses).map(IpNet::addr)
    }

    /// The same if the host forwards packets; none if it does not.
    pub fn router_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses().filter(|_| self.forwarding)
    }

    /// Reads the network of the current namespace.
    ///
    /// # Errors
    /// The kernel refuses (no netlink in a sandbox), or its answer cannot be read.
    pub fn read() -> Result<Self, Error> {
        rtnetlink::read()
    }

    /// The link with this index.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.binary_search_by_key(&index, |link| link.index).ok().map(|at| &self.links[at])
    }

    /// The link with this name, be it an alternative one.
    pub fn named(&self, name: &str) -> Option<&Link> {
        let has_other_name = |link: &&Link| link.alternative_names.iter().any(|alternative| alternative == name);
        self.links.iter().find(|link| link.name == name).or_else(|| self.links.iter().find(has_other_name))
    }

    /// This host's own addresses, of all interfaces.
    pub fn own_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.links.iter().flat_map(|link| &link.addresses).map(IpNet::addr)
    }

    /// The networks from which this host alone sends: each address, and the whole networks of loopback links, such as
    /// 127.0.0.0/8.
    pub fn own_networks(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.links.iter().flat_map(|link| {
            let own = |network: &IpNet| if link.loopback { network.trunc() } else { network.addr().into() };
            link.addresses.iter().map(own)
        })
    }

    /// Every link that shows the frames of `link` too, nearest first.
    ///
    /// A bridge or bond does not show the frames of a VLAN on its port or member: the kernel takes the VLAN's
    /// frames away first. Of a bridge's port, the bridge shows what this host itself sends, receives and routes,
    /// not what goes from port to port.
    pub(super) fn shown_on(&self, link: &Link) -> Vec<u32> {
        let controllers = follow(self.controller(link), |above| self.controller(above));
        let parents = follow(self.parent(link), |above| self.parent(above));
        controllers.chain(parents).map(|above| above.index).collect()
    }

    /// True if each frame that comes in by `link` shows on one of the `captured`: on itself, above it, or on every
    /// link that passes frames to it.
    pub fn shows(&self, captured: &[u32], link: &Link) -> bool {
        follow(Some(link), |above| self.controller(above)).any(|above| self.passes(captured, above, DEEPEST_STACK))
    }

    /// The indexes of all links of which [`Network::shows`] holds.
    pub(super) fn shown_by(&self, captured: &[u32]) -> BTreeSet<u32> {
        self.links.iter().filter(|link| self.shows(captured, link)).map(|link| link.index).collect()
    }

    /// True if the frames that come in by `link` pass one of the `captured` links.
    fn passes(&self, captured: &[u32], link: &Link, deepest: usize) -> bool {
        if captured.contains(&link.index) {
            return true;
        }
        let Some(deeper) = deepest.checked_sub(1) else { return false };
        if let Some(parent) = self.parent(link) {
            return self.passes(captured, parent, deeper);
        }
        let mut members = self.members(link).filter(|member| member.up).peekable();
        members.peek().is_some() && members.all(|member| self.passes(captured, member, deeper))
    }

    /// The ports or members of a bridge, bond or team.
    pub fn members<'a>(&'a self, controller: &Link) -> impl Iterator<Item = &'a Link> + use<'a> {
        let index = controller.kind.as_ref().is_some_and(LinkKind::takes_over).then_some(controller.index);
        self.links.iter().filter(move |link| index.is_some() && link.controller == index)
    }

    pub(super) fn children<'a>(&'a self, link: &Link) -> impl Iterator<Item = &'a Link> + use<'a> {
        let index = link.index;
        self.links.iter().filter(move |child| child.parent == Some(index))
    }

    /// The bridge, bond or team that takes over the frames of `link`.
    pub(super) fn controller(&self, link: &Link) -> Option<&Link> {
        let controller = self.link(link.controller?)?;
        controller.kind.as_ref().is_some_and(LinkKind::takes_over).then_some(controller)
    }

    /// The link below a child, if it is in this namespace.
    pub fn parent(&self, link: &Link) -> Option<&Link> {
        self.link(link.parent?)
    }
}

/// The links from `first` on, each followed by its `next`. Ends even if a snapshot that was read amid changes has a
/// circle.
fn follow<'a>(first: Option<&'a Link>, next: impl Fn(&Link) -> Option<&'a Link>) -> impl Iterator<Item = &'a Link> {
    std::iter::successors(first, move |link| next(link)).take(DEEPEST_STACK)
}

#[cfg(test)]
mod tests;
