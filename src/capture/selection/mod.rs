//! Decides which interfaces are captured, and tells why the others are not. Takes the [`Network`] and the room's
//! [`Config`]; gives a [`Decision`] for each link. Must not know handles.
//!
//! A link is left out if another captured link shows its frames too, or they would count twice: a VLAN or macvlan
//! beside its parent, a bridge's port beside the bridge, a bond's member beside the bond. It is left out only for a
//! link that is itself captured: with the bridge down or excluded, its ports are captured.
//!
//! A bridge shows the frames that this host itself sends, receives and routes, but not those that go from port to
//! port: with `all`, no interface shows them. To count them, name a port instead of the bridge.
//!
//! Two cases are not in the kernel's tables, so `all` captures both interfaces although they show frames twice: the
//! internal port of an Open vSwitch bridge, and a PPPoE session beside its Ethernet interface. Exclude one of them.

mod names;

use std::fmt;

use super::names::is_of_libpcap;
use super::network::{DEEPEST_STACK, Link, LinkKind, Network};
use super::{Config, Selection, printable};
pub use names::as_they_stand;

/// The most interfaces that a message lists.
const MOST_LISTED: usize = 32;

/// The decision about one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The link's index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Captured, or why not.
    pub outcome: LinkOutcome,
}

/// Captured or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkOutcome {
    /// It is. On `any`: its frames are wanted.
    Captured,
    /// It is not.
    NotCaptured(Reason),
}

/// The reason why a link is not captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The user named others.
    NotNamed,
    /// The configuration excludes it.
    Excluded,
    /// A loopback device; `all` has none.
    Loopback,
    /// A VRF device: its members show its frames.
    Vrf,
    /// It has the name of a device of libpcap's own.
    NameOfLibpcap,
    /// It is down.
    Down,
    /// It is not Ethernet, and only such interfaces can be captured in this way.
    NotEthernet,
    /// Another captured link shows its frames.
    ShownElsewhere {
        /// Its relation to the next link.
        relation: Relation,
        /// The next link's name.
        next: String,
        /// The captured link that shows its frames.
        shown_on: String,
    },
}

/// The relation of a link to the one that shows its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// A port of a bridge.
    BridgePort,
    /// A member of a bond.
    BondMember,
    /// A member of a team.
    TeamMember,
    /// A VLAN of its parent.
    Vlan,
    /// A macvlan or macvtap on its parent.
    Macvlan,
    /// An ipvlan or ipvtap on its parent.
    Ipvlan,
}

/// The reason why interfaces that the user named cannot be captured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No link has this name.
    #[error("{}: no such interface (have: {})", printable(name), printable(have))]
    UnknownInterface {
        /// The name.
        name: String,
        /// The names that there are.
        have: String,
    },
    /// A link that is named has the name of a device of libpcap's own.
    #[error(
        "{0}: libpcap has a device of its own with this name, so the interface cannot be captured; give it another name \
         (ip link set dev {0} name NAME)",
        printable(name)
    )]
    NameOfLibpcap {
        /// The name.
        name: String,
    },
    /// A link is named beside one that shows its frames.
    #[error(
        "{0} and {1} are both named, but {0} is a {relation} {2}: its frames would be counted twice; name only one of them",
        printable(name),
        printable(shown_on),
        printable(next)
    )]
    ShownTwice {
        /// The link's name.
        name: String,
        /// Its relation to the next link.
        relation: Relation,
        /// The next link's name.
        next: String,
        /// The name of the other that is named.
        shown_on: String,
    },
}

/// A decision for each link, in the network's order. Names without a link are ignored: an interface may come back.
pub fn decide(network: &Network, config: &Config) -> Vec<Decision> {
    let config = &*names::resolved(network, config);
    let decision =
        |link: &Link| Decision { index: link.index, name: link.name.clone(), outcome: outcome(network, config, link) };
    network.links.iter().map(decision).collect()
}

/// The indexes of the captured links; on `any`, of those whose frames are wanted.
pub fn captured(network: &Network, config: &Config) -> Vec<u32> {
    let config = &*names::resolved(network, config);
    let links = network.links.iter().filter(|link| outcome(network, config, link) == LinkOutcome::Captured);
    links.map(|link| link.index).collect()
}

/// The existing links that the user named, by any of their names, each once. Links with the name of a libpcap device
/// are left out: opened by that name, libpcap's own device would be captured.
pub fn named<'a>(network: &'a Network, config: &Config) -> Vec<&'a Link> {
    match &names::resolved(network, config).selection {
        Selection::Named(names) => {
            names.iter().filter_map(|name| network.named(name)).filter(|link| !is_of_libpcap(&link.name)).collect()
        }
        Selection::All | Selection::Any => Vec::new(),
    }
}

/// Checks, at start, the names that the user gave.
///
/// # Errors
/// A name that no link has or that is libpcap's, or a link named beside another that shows its frames.
pub fn check_names(network: &Network, config: &Config) -> Result<(), SelectionError> {
    let config = &*names::resolved(network, config);
    let Selection::Named(names) = &config.selection else { return Ok(()) };
    for name in names {
        let link = network.named(name).ok_or_else(|| unknown(network, name))?;
        if is_of_libpcap(&link.name) {
            return Err(SelectionError::NameOfLibpcap { name: name.clone() });
        }
        if let LinkOutcome::NotCaptured(Reason::ShownElsewhere { relation, next, shown_on }) =
            outcome(network, config, link)
        {
            return Err(SelectionError::ShownTwice { name: name.clone(), relation, next, shown_on });
        }
    }
    Ok(())
}

fn unknown(network: &Network, name: &str) -> SelectionError {
    let mut have: Vec<&str> = network.links.iter().map(|link| link.name.as_str()).collect();
    have.sort_unstable();
    let more = if have.len() > MOST_LISTED { ", …" } else { "" };
    have.truncate(MOST_LISTED);
    SelectionError::UnknownInterface { name: name.to_owned(), have: have.join(", ") + more }
}

fn outcome(network: &Network, config: &Config, link: &Link) -> LinkOutcome {
    match unwanted(config, link).or_else(|| shown_elsewhere(network, config, link, DEEPEST_STACK)) {
        Some(reason) => LinkOutcome::NotCaptured(reason),
        None => LinkOutcome::Captured,
    }
}

/// The reason why a link is not wanted, apart from other links that show its frames. A named link is wanted even if it
/// is excluded or down. On `any` a link that is down is wanted too, because it may come up later.
fn unwanted(config: &Config, link: &Link) -> Option<Reason> {
    let excluded = config.excluded.contains(&link.name).then_some(Reason::Excluded);
    let vrf = (link.kind == Some(LinkKind::Vrf)).then_some(Reason::Vrf);
    let of_libpcap = is_of_libpcap(&link.name).then_some(Reason::NameOfLibpcap);
    match &config.selection {
        Selection::Named(names) => (!names.contains(&link.name)).then_some(Reason::NotNamed).or(of_libpcap),
        Selection::Any => excluded.or(vrf),
        Selection::All => {
            let down = (!link.up).then_some(Reason::Down);
            let not_ethernet = (config.ethernet_only && !link.ethernet).then_some(Reason::NotEthernet);
            let loopback = link.loopback.then_some(Reason::Loopback);
            excluded.or(loopback).or(vrf).or(of_libpcap).or(down).or(not_ethernet)
        }
    }
}

/// The reason if a captured link shows this link's frames. The links in between need not be captured.
fn shown_elsewhere(network: &Network, config: &Config, link: &Link, deepest: usize) -> Option<Reason> {
    let deeper = deepest.checked_sub(1)?;
    let is_captured =
        |above: &&Link| unwanted(config, above).is_none() && shown_elsewhere(network, config, above, deeper).is_none();
    let above = network.shown_on(link);
    let shown_on = above.into_iter().filter_map(|index| network.link(index)).find(is_captured)?;
    let (relation, next) = nearest(network, link, shown_on)?;
    Some(Reason::ShownElsewhere { relation, next: next.name.clone(), shown_on: shown_on.name.clone() })
}

/// The relation of `link` to the next link on the way to `shown_on`.
fn nearest<'a>(network: &'a Network, link: &Link, shown_on: &Link) -> Option<(Relation, &'a Link)> {
    let is_on_the_way = |next: &&Link| next.index == shown_on.index || network.shown_on(next).contains(&shown_on.index);
    let controller = network.controller(link).filter(is_on_the_way);
    controller.map(|next| (Relation::of_member(next), next)).or_else(|| {
        let parent = network.parent(link).filter(is_on_the_way)?;
        Some((Relation::of_child(link), parent))
    })
}

impl Relation {
    fn of_member(controller: &Link) -> Self {
        match controller.kind {
            Some(LinkKind::Bond) => Self::BondMember,
            Some(LinkKind::Team) => Self::TeamMember,
            _ => Self::BridgePort,
        }
    }

    fn of_child(child: &Link) -> Self {
        match child.kind {
            Some(LinkKind::Macvlan) => Self::Macvlan,
            Some(LinkKind::Ipvlan) => Self::Ipvlan,
            _ => Self::Vlan,
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BridgePort => "bridge port of",
            Self::BondMember => "bond member of",
            Self::TeamMember => "team member of",
            Self::Vlan => "VLAN of",
            Self::Macvlan => "macvlan on",
            Self::Ipvlan => "ipvlan on",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNamed => f.write_str("not named"),
            Self::Excluded => f.write_str("excluded by configuration"),
            Self::Loopback => f.write_str("loopback"),
            Self::Vrf => f.write_str("VRF: its frames are captured on its members"),
            Self::NameOfLibpcap => f.write_str("libpcap has a device of its own with this name; rename the interface"),
            Self::Down => f.write_str("down"),
            Self::NotEthernet => f.write_str("not an Ethernet interface; libpcap can capture it (-daq libpcap)"),
            Self::ShownElsewhere { relation, next, shown_on } if next == shown_on => {
                write!(f, "{relation} {next}, where its frames are captured")
            }
            Self::ShownElsewhere { relation, next, shown_on } => {
                write!(f, "{relation} {next}; its frames are captured on {shown_on}")
            }
        }
    }
}

/// The table of all links for the user: name, state, addresses, and whether it is captured or why not.
pub fn table(network: &Network, config: &Config) -> String {
    let config = &*names::resolved(network, config);
    let head = ["NAME", "STATE", "ADDRESSES", "CAPTURED"].map(str::to_owned);
    let rows: Vec<[String; 4]> =
        std::iter::once(head).chain(network.links.iter().map(|link| row(network, config, link))).collect();
    let widths = [0, 1, 2].map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |[name, state, addresses, captured]: &[String; 4]| {
        let [a, b, c] = widths;
        format!("{name:a$}  {state:b$}  {addresses:c$}  {captured}\n")
    };
    rows.iter().map(line).collect()
}

fn row(network: &Network, config: &Config, link: &Link) -> [String; 4] {
    let addresses: Vec<String> = link.addresses.iter().map(ToString::to_string).collect();
    let captured = match outcome(network, config, link) {
        LinkOutcome::Captured => "yes".to_owned(),
        LinkOutcome::NotCaptured(reason) => format!("no: {reason}"),
    };
    [printable(&link.name), state(link).to_owned(), addresses.join(", "), printable(&captured)]
}

fn state(link: &Link) -> &'static str {
    match (link.up, link.running) {
        (false, _) => "down",
        (true, false) => "no carrier",
        (true, true) => "up",
    }
}

#[cfg(test)]
mod tests;
