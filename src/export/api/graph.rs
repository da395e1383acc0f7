//! The graph of hosts: nodes by traffic and directed edges between them. Takes the flows of a range; gives a bounded
//! graph as JSON. Must not know how it is drawn.
//!
//! Hosts with little traffic fold into two nodes: one of other local hosts, one of other remote hosts. Edges from such a
//! node to itself, and the lightest edges past the limit, are left out and summed.

use std::cmp::Reverse;
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
use super::sums::{AddressKey, map, pairs};
use super::traffic::{RangeTraffic, TimeRange, TrafficQuery};
use super::words::{port_number, protocol_text};
use crate::account::flow::Counters;
use crate::packet::Protocol;
use crate::services::service_name;
use crate::tables::hashing::State;
use crate::tables::top::top_n;

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
        let mut edges = Edges::default();
        for flow in &traffic.flows {
            let [source, target] = nodes.ends(flow);
            edges.add(source, target, flow);
        }
        let (edges, left_out) = edges.heaviest(self.edges);
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
    bytes: u64,
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
                let new = NodeSum { address: Some(address), is_local: false, bytes: 0 };
                let host = hosts.entry(AddressKey(address)).or_insert(new);
                host.bytes += pair.both().counters.bytes;
                host.is_local |= is_local;
            }
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
    fn ends(&mut self, flow: &RangeFlow) -> [usize; 2] {
        let source = self.position(flow.source, flow.is_source_local());
        let target = self.position(flow.destination, flow.is_destination_local());
        for other in self.others.into_iter().flatten().filter(|other| [source, target].contains(other)) {
            self.sums[other].bytes += flow.counters.bytes;
        }
        [source, target]
    }

    fn position(&mut self, address: IpAddr, is_local: bool) -> usize {
        if let Some(&position) = self.positions.get(&AddressKey(address)) {
            return position;
        }
        let next = self.sums.len();
        let position = *self.others[usize::from(!is_local)].get_or_insert(next);
        if position == next {
            self.sums.push(NodeSum { address: None, is_local, bytes: 0 });
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
                bytes: sum.bytes,
                alerts: sum.address.and_then(|address| alerts.get(&address).copied()).unwrap_or_default(),
            }
        };
        self.sums.iter().enumerate().map(node).collect()
    }
}

/// The traffic of edges, by their ends and services.
#[derive(Default)]
struct Edges {
    sums: BTreeMap<(usize, usize), EdgeSum>,
}

#[derive(Default)]
struct EdgeSum {
    counters: Counters,
    services: BTreeMap<(Protocol, u16), u64>,
}

impl Edges {
    fn add(&mut self, source: usize, target: usize, flow: &RangeFlow) {
        let edge = self.sums.entry((source, target)).or_default();
        edge.counters.add(flow.counters);
        *edge.services.entry((flow.protocol, flow.port)).or_default() += flow.counters.bytes;
    }

    /// The heaviest edges, and the sum of the others.
    fn heaviest(self, most: usize) -> (Vec<GraphEdge>, LeftOut) {
        let mut left_out = LeftOut::default();
        let mut all = Counters::default();
        self.sums.values().for_each(|edge| all.add(edge.counters));
        let count = self.sums.len();
        let between = self.sums.into_iter().filter(|((source, target), _)| source != target);
        let order = |one: &((usize, usize), EdgeSum), other: &((usize, usize), EdgeSum)| {
            other.1.counters.bytes.cmp(&one.1.counters.bytes).then_with(|| one.0.cmp(&other.0))
        };
        let edges: Vec<GraphEdge> = top_n(between, most, order).into_iter().map(GraphEdge::from).collect();
        edges.iter().for_each(|edge| all = all.less(Counters { packets: edge.packets, bytes: edge.bytes }));
        left_out.edges = count - edges.len();
        left_out.amount = all.into();
        (edges, left_out)
    }
}

impl From<((usize, usize), EdgeSum)> for GraphEdge {
    fn from(((source, target), EdgeSum { counters, services }): ((usize, usize), EdgeSum)) -> Self {
        let heaviest = top_n(services.into_iter(), MAXIMUM_SERVICES, |one, other| {
            (Reverse(one.1), one.0).cmp(&(Reverse(other.1), other.0))
        });
        let service = |((protocol, port), bytes)| EdgeService {
            protocol: protocol_text(protocol),
            port: port_number(port),
            service: service_name(protocol, port),
            bytes,
        };
        let top = heaviest.into_iter().map(service).collect();
        Self { source, target, bytes: counters.bytes, packets: counters.packets, top }
    }
}
