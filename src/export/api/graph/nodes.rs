//! The nodes of the graph. Takes the flows of a range; gives the hosts that a [`NodeChoice`] draws, and one node for the
//! others of each side. Must not know edges.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;
use serde::Serialize;

use crate::export::api::ApiInputs;
use crate::export::api::flow::RangeFlow;
use crate::export::api::role::AddressRole;
use crate::export::api::sums::{AddressKey, map, pairs, single_ends};
use crate::names::HostNames;
use crate::tables::hashing::State;
use crate::tables::top::top_n;

/// An edge by the positions of its ends.
pub(super) type EdgeKey = (usize, usize);

#[derive(Serialize)]
pub(super) struct GraphNode<'a> {
    id: usize,
    address: Option<IpAddr>,
    name: Option<&'a str>,
    is_local: bool,
    is_other: bool,
    /// True for an address that no host has, such as a multicast group.
    is_group: bool,
    hosts: usize,
    bytes: u64,
    alerts: u64,
}

/// The hosts that have a node of their own.
///
/// The addresses that the filter names come first, then hosts with firing alerts: neither folds while there are nodes.
/// The heaviest hosts have the nodes that are left.
pub(super) struct NodeChoice<'a> {
    /// Lighter hosts fold,
    pub min_bytes: u64,
    /// but not so many of the heaviest ones.
    pub least: usize,
    /// The most nodes, those of others aside.
    pub most: usize,
    /// The addresses that the filter names.
    pub named: Vec<IpAddr>,
    /// The number of firing alerts about each address.
    pub alerts: &'a BTreeMap<IpAddr, u64>,
}

impl NodeChoice<'_> {
    /// The hosts with a node, the heaviest first.
    fn of(&self, hosts: &HashMap<AddressKey, ChartedHost, State>) -> Vec<ChartedHost> {
        let is_named = |host: &ChartedHost| self.named.contains(&host.address);
        let named_first = |one: &ChartedHost, other: &ChartedHost| {
            is_named(other).cmp(&is_named(one)).then_with(|| heaviest(one, other))
        };
        let all = || hosts.values().copied();
        let kept = top_n(all().filter(|host| self.is_kept(host)), self.most, named_first);
        let others = top_n(all().filter(|host| !self.is_kept(host)), self.most - kept.len(), heaviest);
        let is_drawn = |(position, host): &(usize, ChartedHost)| *position < self.least || host.bytes >= self.min_bytes;
        let heavy = others.into_iter().enumerate().filter(is_drawn).map(|(_, host)| host);
        let mut charted: Vec<ChartedHost> = kept.into_iter().chain(heavy).collect();
        charted.sort_unstable_by(heaviest);
        charted
    }

    fn is_kept(&self, host: &ChartedHost) -> bool {
        self.named.contains(&host.address) || self.alerts.contains_key(&host.address)
    }

    fn alerts_of(&self, host: &ChartedHost) -> u64 {
        self.alerts.get(&host.address).copied().unwrap_or_default()
    }
}

/// Hosts without a node of their own, by the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Folded {
    below_min_bytes: usize,
    past_nodes: usize,
}

/// A node: a host, or the other hosts of one side.
#[derive(Debug, Clone, Copy)]
struct NodeSum {
    address: Option<IpAddr>,
    is_local: bool,
    has_sent: bool,
    /// The hosts that it stands for, as far as their addresses are known.
    hosts: usize,
    bytes: u64,
    /// Firing alerts about the hosts.
    alerts: u64,
}

/// A host before it has a node: its traffic, and the sides on which flows have it.
#[derive(Debug, Clone, Copy)]
struct ChartedHost {
    address: IpAddr,
    is_local: bool,
    is_remote: bool,
    has_sent: bool,
    bytes: u64,
}

/// Orders hosts by their bytes, the most first, and equal ones by address.
fn heaviest(one: &ChartedHost, other: &ChartedHost) -> Ordering {
    other.bytes.cmp(&one.bytes).then_with(|| one.address.cmp(&other.address))
}

impl NodeSum {
    fn of(host: &ChartedHost, alerts: u64) -> Self {
        let ChartedHost { address, is_local, has_sent, bytes, .. } = *host;
        Self { address: Some(address), is_local, has_sent, hosts: 1, bytes, alerts }
    }

    fn role(&self, names: &HostNames) -> AddressRole {
        let of = |address| AddressRole::of(address, self.is_local, self.has_sent, names);
        self.address.map_or(AddressRole::Host, of)
    }
}

/// The nodes, and their positions by address.
pub(super) struct Nodes {
    sums: Vec<NodeSum>,
    positions: HashMap<AddressKey, usize, State>,
    /// The positions of the other hosts, local ones first; none while there are none.
    others: [Option<usize>; 2],
    pub(super) folded: Folded,
}

impl Nodes {
    /// The hosts that `choice` draws, the heaviest first, and the others.
    pub(super) fn of(flows: &[RangeFlow], choice: &NodeChoice<'_>) -> Self {
        let hosts = hosts(flows);
        let charted = choice.of(&hosts);
        let mut positions = map();
        positions.extend(charted.iter().enumerate().map(|(position, host)| (AddressKey(host.address), position)));
        let sums = charted.iter().map(|host| NodeSum::of(host, choice.alerts_of(host))).collect();
        let folded = Folded { below_min_bytes: 0, past_nodes: 0 };
        let mut nodes = Self { sums, positions, others: [None; 2], folded };
        nodes.add_others(&hosts, choice);
        nodes
    }

    /// Adds the nodes of other hosts, local ones first. A host that changed sides has flows on both.
    fn add_others(&mut self, hosts: &HashMap<AddressKey, ChartedHost, State>, choice: &NodeChoice<'_>) {
        let (mut counts, mut alerts) = ([0; 2], [0; 2]);
        let is_folded = |host: &&ChartedHost| !self.positions.contains_key(&AddressKey(host.address));
        for host in hosts.values().filter(is_folded) {
            for (side, _) in [host.is_local, host.is_remote].into_iter().enumerate().filter(|(_, is_there)| *is_there) {
                counts[side] += 1;
                alerts[side] += choice.alerts_of(host);
            }
            match host.bytes < choice.min_bytes {
                true => self.folded.below_min_bytes += 1,
                false => self.folded.past_nodes += 1,
            }
        }
        for (side, is_local) in [true, false].into_iter().enumerate().filter(|(side, _)| counts[*side] > 0) {
            let position = self.other(is_local);
            (self.sums[position].hosts, self.sums[position].alerts) = (counts[side], alerts[side]);
        }
    }

    /// The positions of both ends of a flow, which counts for those that are other hosts.
    pub(super) fn ends(&mut self, flow: &RangeFlow) -> EdgeKey {
        let source = self.position(flow.source, flow.is_source_local());
        let target = self.position(flow.destination, flow.is_destination_local());
        for other in self.others.into_iter().flatten().filter(|other| [source, target].contains(other)) {
            self.sums[other].bytes += flow.counters.bytes;
        }
        (source, target)
    }

    fn position(&mut self, address: Option<IpAddr>, is_local: bool) -> usize {
        match address.and_then(|address| self.positions.get(&AddressKey(address))) {
            Some(&position) => position,
            None => self.other(is_local),
        }
    }

    /// The position of the other hosts of one side.
    fn other(&mut self, is_local: bool) -> usize {
        let next = self.sums.len();
        let position = *self.others[usize::from(!is_local)].get_or_insert(next);
        if position == next {
            self.sums.push(NodeSum { address: None, is_local, has_sent: true, hosts: 0, bytes: 0, alerts: 0 });
        }
        position
    }

    /// The nodes as the answer has them.
    pub(super) fn answer<'a>(&self, inputs: &ApiInputs<'a>) -> Vec<GraphNode<'a>> {
        let node = |(id, sum): (usize, &NodeSum)| {
            let of_other = if sum.is_local { "other local hosts" } else { "other remote hosts" };
            let role = sum.role(inputs.names);
            let name =
                sum.address.map_or(Some(of_other), |address| inputs.names.best(address).or_else(|| role.words()));
            GraphNode {
                id,
                address: sum.address,
                name,
                is_local: sum.is_local,
                is_other: sum.address.is_none(),
                is_group: role != AddressRole::Host,
                hosts: sum.hosts,
                bytes: sum.bytes,
                alerts: sum.alerts,
            }
        };
        self.sums.iter().enumerate().map(node).collect()
    }
}

/// The hosts of the flows.
fn hosts(flows: &[RangeFlow]) -> HashMap<AddressKey, ChartedHost, State> {
    let mut hosts: HashMap<AddressKey, ChartedHost, State> = map();
    let mut add = |address, is_local: bool, has_sent: bool, bytes: u64| {
        let new = ChartedHost { address, is_local: false, is_remote: false, has_sent: false, bytes: 0 };
        let host = hosts.entry(AddressKey(address)).or_insert(new);
        host.bytes += bytes;
        host.is_local |= is_local;
        host.is_remote |= !is_local;
        host.has_sent |= has_sent;
    };
    for pair in pairs(flows) {
        for (address, is_local, _) in pair.ends() {
            let has_sent = pair.sent_and_received(address).0.packets > 0;
            add(address, is_local, has_sent, pair.both().counters.bytes);
        }
    }
    for sum in single_ends(flows) {
        add(sum.end, sum.is_local, sum.sent.counters.packets > 0, sum.both().counters.bytes);
    }
    hosts
}
