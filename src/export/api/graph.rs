//! The graph of hosts: nodes by traffic and directed edges between them. Takes the flows of a range; gives a bounded
//! graph as JSON. Must not know how it is drawn.
//!
//! Hosts with little traffic fold into two nodes: one of other local hosts, one of other remote hosts. Edges from such a
//! node to itself, and the lightest edges past the limit, are left out and summed.

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
use super::role::AddressRole;
use super::sums::{AddressKey, map, pairs, single_ends};
use super::traffic::{RangeTraffic, TimeRange, TrafficQuery};
use super::words::{port_number, protocol_text, service_text};
use crate::account::flow::Counters;
use crate::names::HostNames;
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
    /// None for the default of the range.
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
        let default = if self.traffic.range == TimeRange::All { inputs.settings.chart_min_bytes } else { 0 };
        let min_bytes = self.min_bytes.unwrap_or(default);
        let mut nodes = Nodes::of(&traffic.flows, min_bytes, self.nodes);
        let ends: Vec<EdgeKey> = traffic.flows.iter().map(|flow| nodes.ends(flow)).collect();
        let (edges, left_out) = heaviest(&traffic.flows, &ends, self.edges);
        let answer = GraphAnswer {
            range: self.traffic.range.label(),
            seconds: traffic.seconds,
            number: inputs.number,
            min_bytes,
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
    /// True for an address that no host has, such as a multicast group.
    is_group: bool,
    bytes: u64,
    alerts: u64,
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
    has_sent: bool,
    bytes: u64,
}

impl NodeSum {
    fn role(&self, names: &HostNames) -> AddressRole {
        let of = |address| AddressRole::of(address, self.is_local, self.has_sent, names);
        self.address.map_or(AddressRole::Host, of)
    }
}

/// The nodes, and their positions by address.
struct Nodes {
    sums: Vec<NodeSum>,
    positions: HashMap<AddressKey, usize, State>,
    /// The positions of the other hosts, local ones first; none while there are none.
    others: [Option<usize>; 2],
}

impl Nodes {
    fn of(flows: &[RangeFlow], min_bytes: u64, most: usize) -> Self {
        let mut hosts: HashMap<AddressKey, NodeSum, State> = map();
        for pair in pairs(flows) {
            for (address, is_local, _) in pair.ends() {
                let new = NodeSum { address: Some(address), is_local: false, has_sent: false, bytes: 0 };
                let host = hosts.entry(AddressKey(address)).or_insert(new);
                host.bytes += pair.both().counters.bytes;
                host.is_local |= is_local;
                host.has_sent |= pair.sent_and_received(address).0.packets > 0;
            }
        }
        for sum in single_ends(flows) {
            let new = NodeSum { address: Some(sum.end), is_local: false, has_sent: false, bytes: 0 };
            let host = hosts.entry(AddressKey(sum.end)).or_insert(new);
            host.bytes += sum.both().counters.bytes;
            host.is_local |= sum.is_local;
            host.has_sent |= sum.sent.counters.packets > 0;
        }
        let heavy = hosts.into_values().filter(|host| host.bytes >= min_bytes);
        let order =
            |one: &NodeSum, other: &NodeSum| other.bytes.cmp(&one.bytes).then_with(|| one.address.cmp(&other.address));
        let sums = top_n(heavy, most, order);
        let mut positions = map();
        for (position, address) in
            sums.iter().enumerate().filter_map(|(position, node)| Some((position, node.address?)))
        {
            positions.insert(AddressKey(address), position);
        }
        Self { sums, positions, others: [None; 2] }
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
        if let Some(&position) = address.and_then(|address| self.positions.get(&AddressKey(address))) {
            return position;
        }
        let next = self.sums.len();
        let position = *self.others[usize::from(!is_local)].get_or_insert(next);
        if position == next {
            self.sums.push(NodeSum { address: None, is_local, has_sent: true, bytes: 0 });
        }
        position
    }

    fn answer<'a>(&self, inputs: &ApiInputs<'a>) -> Vec<GraphNode<'a>> {
        let alerts = firing_of(&inputs.report.alerts);
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
                bytes: sum.bytes,
                alerts: sum.address.and_then(|address| alerts.get(&address).copied()).unwrap_or_default(),
            }
        };
        self.sums.iter().enumerate().map(node).collect()
    }
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
