//! The graph of hosts: nodes by traffic and directed edges between them. Takes the flows of a range; gives a bounded
//! graph as JSON. Must not know how it is drawn.
//!
//! Hosts with little traffic fold into two nodes: one of other local hosts, one of other remote hosts. Edges from such a
//! node to itself, and the lightest edges past the limit, are left out and summed. `-ChartMinBytes` says what is little,
//! unless the request does.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use hashbrown::HashMap;
use serde::Serialize;

use super::ApiInputs;
use super::alerts::firing_of;
use super::amount::Amount;
use super::flow::RangeFlow;
use super::query::{BadParameter, Parameters};
use super::sums::{AddressKey, map, pairs, single_ends};
use super::traffic::{RangeTraffic, TrafficQuery};
use super::words::{port_number, protocol_text, service_text};
use crate::account::flow::Counters;
use crate::packet::Protocol;
use crate::tables::hashing::State;
use crate::tables::top::{heaviest_first, top_n};

/// Nodes and edges of an answer if it asks for no other number, and the most.
const DEFAULT_NODES: usize = 100;
const MAXIMUM_NODES: usize = 500;
const DEFAULT_EDGES: usize = 400;
const MAXIMUM_EDGES: usize = 2_000;
/// The heaviest services that an edge names.
const MAXIMUM_SERVICES: usize = 3;

pub(super) const PARAMETERS: [&str; 5] = ["range", "filter", "min_bytes", "nodes", "edges"];

/// A request for the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GraphQuery {
    traffic: TrafficQuery,
    /// None for `-ChartMinBytes`.
    min_bytes: Option<u64>,
    nodes: usize,
    edges: usize,
}

impl GraphQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, BadParameter> {
        let min_bytes = parameters.number("min_bytes", 0, 0, u64::MAX)?;
        Ok(Self {
            traffic: TrafficQuery::parse(parameters)?,
            min_bytes: parameters.text("min_bytes").map(|_| min_bytes),
            nodes: parameters.number("nodes", DEFAULT_NODES, 1, MAXIMUM_NODES)?,
            edges: parameters.number("edges", DEFAULT_EDGES, 1, MAXIMUM_EDGES)?,
        })
    }

    pub(super) fn write<W: Write>(&self, inputs: &ApiInputs<'_>, out: W) -> io::Result<()> {
        let traffic = RangeTraffic::of(inputs, &self.traffic);
        let min_bytes = self.min_bytes.unwrap_or(inputs.settings.chart_min_bytes);
        let mut nodes = Nodes::of(&traffic.flows, min_bytes, self.nodes);
        let ends: Vec<EdgeKey> = traffic.flows.iter().map(|flow| nodes.ends(flow)).collect();
        let (edges, left_out) = heaviest(&traffic.flows, &ends, self.edges);
        let answer = GraphAnswer {
            range: self.traffic.range.label(),
            seconds: traffic.seconds,
            number: inputs.number,
            min_bytes,
            folded: nodes.folded,
            nodes: nodes.answer(inputs),
            edges,
            left_out,
        };
        Ok(serde_json::to_writer(out, &answer)?)
    }
}

#[derive(Serialize)]
struct GraphAnswer<'a> {
    range: &'static str,
    seconds: f64,
    number: u64,
    min_bytes: u64,
    folded: Folded,
    nodes: Vec<GraphNode<'a>>,
    edges: Vec<GraphEdge>,
    left_out: LeftOut,
}

#[derive(Serialize)]
struct GraphNode<'a> {
    id: usize,
    address: Option<IpAddr>,
    name: Option<&'a str>,
    is_local: bool,
    is_other: bool,
    hosts: usize,
    bytes: u64,
    alerts: u64,
}

/// Hosts without a node of their own, by the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Folded {
    below_min_bytes: usize,
    past_nodes: usize,
}

#[derive(Serialize)]
struct GraphEdge {
    source: usize,
    target: usize,
    bytes: u64,
    packets: u64,
    top: Vec<EdgeService>,
}

#[derive(Serialize)]
struct EdgeService {
    protocol: String,
    port: Option<u16>,
    service: Option<&'static str>,
    bytes: u64,
}

/// Traffic of edges that the answer has not.
#[derive(Debug, Default, Serialize)]
struct LeftOut {
    edges: usize,
    #[serde(flatten)]
    amount: Amount,
}

/// A node: a host, or the other hosts of one side.
#[derive(Debug, Clone, Copy)]
struct NodeSum {
    address: Option<IpAddr>,
    is_local: bool,
    /// The hosts that it stands for, as far as their addresses are known.
    hosts: usize,
    bytes: u64,
}

/// A host before it has a node: its traffic, and the sides on which flows have it.
#[derive(Debug, Clone, Copy)]
struct ChartedHost {
    address: IpAddr,
    is_local: bool,
    is_remote: bool,
    bytes: u64,
}

/// The nodes, and their positions by address.
struct Nodes {
    sums: Vec<NodeSum>,
    positions: HashMap<AddressKey, usize, State>,
    /// The positions of the other hosts, local ones first; none while there are none.
    others: [Option<usize>; 2],
    folded: Folded,
}

impl Nodes {
    fn of(flows: &[RangeFlow], min_bytes: u64, most: usize) -> Self {
        let hosts = hosts(flows);
        let heavy = hosts.values().copied().filter(|host| host.bytes >= min_bytes);
        let order = |one: &ChartedHost, other: &ChartedHost| {
            other.bytes.cmp(&one.bytes).then_with(|| one.address.cmp(&other.address))
        };
        let charted = top_n(heavy, most, order);
        let mut positions = map();
        positions.extend(charted.iter().enumerate().map(|(position, host)| (AddressKey(host.address), position)));
        let light = hosts.values().filter(|host| host.bytes < min_bytes).count();
        let folded = Folded { below_min_bytes: light, past_nodes: hosts.len() - light - charted.len() };
        let sums = charted.iter().map(NodeSum::from).collect();
        let mut nodes = Self { sums, positions, others: [None; 2], folded };
        nodes.add_others(&hosts);
        nodes
    }

    /// Adds the nodes of other hosts, local ones first. A host that changed sides has flows on both.
    fn add_others(&mut self, hosts: &HashMap<AddressKey, ChartedHost, State>) {
        let mut counts = [0; 2];
        let is_folded = |host: &&ChartedHost| !self.positions.contains_key(&AddressKey(host.address));
        for host in hosts.values().filter(is_folded) {
            counts[0] += usize::from(host.is_local);
            counts[1] += usize::from(host.is_remote);
        }
        for (is_local, count) in [true, false].into_iter().zip(counts).filter(|(_, count)| *count > 0) {
            let position = self.other(is_local);
            self.sums[position].hosts = count;
        }
    }

    /// The positions of both ends of a flow, which counts for those that are other hosts.
    fn ends(&mut self, flow: &RangeFlow) -> EdgeKey {
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
            self.sums.push(NodeSum { address: None, is_local, hosts: 0, bytes: 0 });
        }
        position
    }

    fn answer<'a>(&self, inputs: &ApiInputs<'a>) -> Vec<GraphNode<'a>> {
        let alerts = firing_of(&inputs.report.alerts);
        let node = |(id, sum): (usize, &NodeSum)| {
            let of_other = if sum.is_local { "other local hosts" } else { "other remote hosts" };
            let name = sum.address.map_or(Some(of_other), |address| inputs.names.best(address));
            GraphNode {
                id,
                address: sum.address,
                name,
                is_local: sum.is_local,
                is_other: sum.address.is_none(),
                hosts: sum.hosts,
                bytes: sum.bytes,
                alerts: sum.address.and_then(|address| alerts.get(&address).copied()).unwrap_or_default(),
            }
        };
        self.sums.iter().enumerate().map(node).collect()
    }
}

impl From<&ChartedHost> for NodeSum {
    fn from(host: &ChartedHost) -> Self {
        Self { address: Some(host.address), is_local: host.is_local, hosts: 1, bytes: host.bytes }
    }
}

/// The hosts of the flows.
fn hosts(flows: &[RangeFlow]) -> HashMap<AddressKey, ChartedHost, State> {
    let mut hosts: HashMap<AddressKey, ChartedHost, State> = map();
    let mut add = |address, is_local: bool, bytes: u64| {
        let new = ChartedHost { address, is_local: false, is_remote: false, bytes: 0 };
        let host = hosts.entry(AddressKey(address)).or_insert(new);
        host.bytes += bytes;
        host.is_local |= is_local;
        host.is_remote |= !is_local;
    };
    for pair in pairs(flows) {
        pair.ends().for_each(|(address, is_local, _)| add(address, is_local, pair.both().counters.bytes));
    }
    for sum in single_ends(flows) {
        add(sum.end, sum.is_local, sum.both().counters.bytes);
    }
    hosts
}

/// An edge by the positions of its ends.
type EdgeKey = (usize, usize);

/// The heaviest edges of the flows, each with its ends, and the sum of all other traffic.
fn heaviest(flows: &[RangeFlow], ends: &[EdgeKey], most: usize) -> (Vec<GraphEdge>, LeftOut) {
    let mut sums: HashMap<EdgeKey, Counters, State> = map();
    let mut left_out = Counters::default();
    for (flow, &edge) in flows.iter().zip(ends) {
        sums.entry(edge).or_default().add(flow.counters);
        left_out.add(flow.counters);
    }
    let count = sums.len();
    let between = sums.into_iter().filter(|((source, target), _)| source != target);
    let order = |one: &(EdgeKey, Counters), other: &(EdgeKey, Counters)| {
        other.1.bytes.cmp(&one.1.bytes).then_with(|| one.0.cmp(&other.0))
    };
    let top = top_n(between, most, order);
    let mut services = services(flows, ends, &top);
    let edge = |(position, (ends, counters)): (usize, (EdgeKey, Counters))| {
        left_out = left_out.less(counters);
        GraphEdge::new(ends, counters, services.remove(&position).unwrap_or_default())
    };
    let edges: Vec<GraphEdge> = top.into_iter().enumerate().map(edge).collect();
    let left_out = LeftOut { edges: count - edges.len(), amount: left_out.into() };
    (edges, left_out)
}

/// Bytes by protocol and port.
type ServiceBytes = BTreeMap<(Protocol, Option<u16>), u64>;

/// The services of the edges `top`, by the position of the edge.
fn services(flows: &[RangeFlow], ends: &[EdgeKey], top: &[(EdgeKey, Counters)]) -> HashMap<usize, ServiceBytes, State> {
    let mut positions: HashMap<EdgeKey, usize, State> = map();
    positions.extend(top.iter().enumerate().map(|(position, (ends, _))| (*ends, position)));
    let mut services: HashMap<usize, ServiceBytes, State> = map();
    for (flow, edge) in flows.iter().zip(ends) {
        if let Some(&position) = positions.get(edge) {
            let of_edge = services.entry(position).or_default();
            *of_edge.entry((flow.protocol, flow.port)).or_default() += flow.counters.bytes;
        }
    }
    services
}

impl GraphEdge {
    fn new((source, target): EdgeKey, counters: Counters, services: ServiceBytes) -> Self {
        let heaviest = top_n(services.into_iter(), MAXIMUM_SERVICES, heaviest_first);
        let service = |((protocol, port), bytes): ((Protocol, Option<u16>), u64)| EdgeService {
            protocol: protocol_text(protocol),
            port: port.and_then(port_number),
            service: service_text(protocol, port),
            bytes,
        };
        let top = heaviest.into_iter().map(service).collect();
        Self { source, target, bytes: counters.bytes, packets: counters.packets, top }
    }
}
