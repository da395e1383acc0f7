//! The graph of hosts: nodes by traffic and directed edges between them. Takes the flows of a range; gives a bounded
//! graph as JSON. Must not know how it is drawn.
//!
//! Hosts with little traffic fold into two nodes: one of other local hosts, one of other remote hosts. Edges from such a
//! node to itself, and the lightest edges past the limit, are left out and summed. `-ChartMinBytes` says what is little,
//! unless the request does; it leaves the heaviest hosts in, as a quiet network would have no node otherwise.

mod nodes;

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
use super::sums::map;
use super::traffic::{RangeTraffic, TrafficQuery};
use super::words::{port_number, protocol_text, service_text};
use crate::account::flow::Counters;
use crate::packet::Protocol;
use crate::tables::hashing::State;
use crate::tables::top::{heaviest_first, top_n};
use nodes::{EdgeKey, Folded, GraphNode, NodeChoice, Nodes};

/// Nodes and edges of an answer if it asks for no other number, and the most.
const DEFAULT_NODES: usize = 100;
const MAXIMUM_NODES: usize = 500;
const DEFAULT_EDGES: usize = 400;
const MAXIMUM_EDGES: usize = 2_000;
/// The heaviest hosts that have a node whatever `-ChartMinBytes` says. It is there for crowded charts: the page has room
/// for about so many names, and a home network has hardly more hosts.
const LEAST_NODES: usize = 15;
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
        let alerts = firing_of(&inputs.report.alerts);
        let choice = self.choice(inputs.settings.chart_min_bytes, &alerts);
        let mut nodes = Nodes::of(&traffic.flows, &choice);
        let ends: Vec<EdgeKey> = traffic.flows.iter().map(|flow| nodes.ends(flow)).collect();
        let (edges, left_out) = heaviest(&traffic.flows, &ends, self.edges);
        let answer = GraphAnswer {
            range: self.traffic.range.label(),
            seconds: traffic.seconds,
            number: inputs.number,
            min_bytes: choice.min_bytes,
            folded: nodes.folded,
            nodes: nodes.answer(inputs),
            edges,
            left_out,
        };
        Ok(serde_json::to_writer(out, &answer)?)
    }

    /// A limit of the request is exact; `-ChartMinBytes` leaves the heaviest hosts in.
    fn choice<'a>(&self, chart_min_bytes: u64, alerts: &'a BTreeMap<IpAddr, u64>) -> NodeChoice<'a> {
        NodeChoice {
            min_bytes: self.min_bytes.unwrap_or(chart_min_bytes),
            least: if self.min_bytes.is_none() { LEAST_NODES } else { 0 },
            most: self.nodes,
            named: self.traffic.filter.addresses().collect(),
            alerts,
        }
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
