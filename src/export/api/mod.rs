//! The JSON API of the dashboard: tables, graph, rates over time, alerts and health. Takes the path and the query of a
//! request, and the latest report and history; gives JSON or comma-separated values. Must not know HTTP.
//!
//! `docs/openapi.yaml` describes every answer, `docs/api.md` the filter language.

mod alerts;
mod amount;
mod cell;
mod check;
mod filter;
mod filter_address;
mod filter_word;
mod flow;
mod graph;
mod health;
mod history;
mod memory;
mod moment;
mod query;
mod role;
mod search;
mod snapshot;
mod sums;
mod tables;
mod traffic;
mod uncovered;
mod words;

use std::io::{self, Write};
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use super::Report;
use super::process::SelfMetrics;
use crate::alert::EvidenceIndex;
use crate::history::HistoryView;
use crate::names::HostNames;
use crate::packet::Timestamp;
use alerts::AlertQuery;
use graph::GraphQuery;
use history::HistoryQuery;
pub use memory::ApiMemory;
pub use query::BadParameter;
use query::Parameters;
use search::SearchQuery;
use tables::{Table, TableQuery};

/// The fixed facts that answers name.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The program's version.
    pub version: &'static str,
    /// True if interfaces are captured, false if a file is read.
    pub is_live: bool,
    /// True if a detector looks for something, so that there can be alerts.
    pub detects: bool,
    /// Start of the program.
    pub started: Timestamp,
    /// Interval between two snapshots.
    pub refresh: Duration,
    /// The configured local networks.
    pub local_networks: Vec<IpNet>,
    /// Hosts with fewer bytes in the range fold into others in the graph.
    pub chart_min_bytes: u64,
    /// The address of Prometheus, for links.
    pub prometheus_url: Option<String>,
    /// The address of the runbooks, with its placeholders.
    pub runbooks: String,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            is_live: false,
            detects: true,
            started: Timestamp::from_nanoseconds(0),
            refresh: Duration::from_secs(5),
            local_networks: Vec::new(),
            chart_min_bytes: 0,
            prometheus_url: None,
            runbooks: "/runbooks#{alert}".to_owned(),
        }
    }
}

impl ApiSettings {
    /// True if all addresses of the network are local.
    fn is_local(&self, network: &IpNet) -> bool {
        self.local_networks.iter().any(|local| local.contains(network))
    }
}

/// The inputs of answers, all of one moment.
#[derive(Clone, Copy)]
pub struct ApiInputs<'a> {
    /// The latest report.
    pub report: &'a Report,
    /// The number of the report.
    pub number: u64,
    /// The latest history.
    pub history: &'a HistoryView,
    /// The known names.
    pub names: &'a HostNames,
    /// The evidence files of alerts.
    pub evidence: &'a EvidenceIndex,
    /// The program's own figures.
    pub program: &'a SelfMetrics,
    /// Figures of earlier answers.
    pub memory: &'a ApiMemory,
    /// The fixed facts.
    pub settings: &'a ApiSettings,
    /// True once every interface is captured, or the file is read.
    pub is_ready: bool,
    /// The present time of the host.
    pub now: Timestamp,
    /// The time since the start. A clock that is set does not change it.
    pub running: Duration,
}

/// A path of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Flows.
    Flows,
    /// Hosts.
    Hosts,
    /// Local devices.
    Devices,
    /// Pairs of hosts.
    Pairs,
    /// Protocols with ports.
    Services,
    /// Protocols above IP.
    Protocols,
    /// The figures of the first view.
    Snapshot,
    /// Rates over time.
    History,
    /// Hosts and the edges between them.
    Graph,
    /// Alerts.
    Alerts,
    /// The state of the program.
    Health,
    /// Completion of the filter box.
    Search,
    /// The stream of snapshots.
    Events,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Snapshot,
        Self::Events,
        Self::History,
        Self::Graph,
        Self::Flows,
        Self::Hosts,
        Self::Devices,
        Self::Pairs,
        Self::Services,
        Self::Protocols,
        Self::Alerts,
        Self::Health,
        Self::Search,
    ];

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Flows => "/api/v1/flows",
            Self::Hosts => "/api/v1/hosts",
            Self::Devices => "/api/v1/devices",
            Self::Pairs => "/api/v1/pairs",
            Self::Services => "/api/v1/services",
            Self::Protocols => "/api/v1/protocols",
            Self::Snapshot => "/api/v1/snapshot",
            Self::History => "/api/v1/history",
            Self::Graph => "/api/v1/graph",
            Self::Alerts => "/api/v1/alerts",
            Self::Health => "/api/v1/health",
            Self::Search => "/api/v1/search",
            Self::Events => "/api/v1/events",
        }
    }

    /// The resource at `path`.
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.path() == path)
    }

    /// The names of its parameters.
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Flows | Self::Hosts | Self::Devices | Self::Pairs | Self::Services | Self::Protocols => {
                &tables::PARAMETERS
            }
            Self::History => &history::PARAMETERS,
            Self::Graph => &graph::PARAMETERS,
            Self::Alerts => &alerts::PARAMETERS,
            Self::Search => &search::PARAMETERS,
            Self::Snapshot | Self::Health | Self::Events => &[],
        }
    }
}

/// A request whose parameters are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest(Query);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Query {
    Table(TableQuery),
    Snapshot,
    History(HistoryQuery),
    Graph(GraphQuery),
    Alerts(AlertQuery),
    Health,
    Search(SearchQuery),
}

impl ApiRequest {
    /// Reads the parameters of a request.
    ///
    /// # Errors
    /// At a parameter that is unknown, given twice or out of its bounds.
    pub fn parse(resource: Resource, query: &str) -> Result<Self, BadParameter> {
        let parameters = Parameters::parse(query, resource.parameters())?;
        let table = |table| TableQuery::parse(table, &parameters).map(Query::Table);
        Ok(Self(match resource {
            Resource::Flows => table(Table::Flows)?,
            Resource::Hosts => table(Table::Hosts)?,
            Resource::Devices => table(Table::Devices)?,
            Resource::Pairs => table(Table::Pairs)?,
            Resource::Services => table(Table::Services)?,
            Resource::Protocols => table(Table::Protocols)?,
            Resource::Snapshot | Resource::Events => Query::Snapshot,
            Resource::History => Query::History(HistoryQuery::parse(&parameters)?),
            Resource::Graph => Query::Graph(GraphQuery::parse(&parameters)?),
            Resource::Alerts => Query::Alerts(AlertQuery::parse(&parameters)?),
            Resource::Health => Query::Health,
            Resource::Search => Query::Search(SearchQuery::parse(&parameters)?),
        }))
    }

    /// True if the answer depends on more than the report, the history and the names: on the time or on files.
    pub fn is_volatile(&self) -> bool {
        matches!(self.0, Query::Snapshot | Query::Alerts(_) | Query::Health)
    }

    /// The name of the file if the answer is to be saved: comma-separated values. All other answers are JSON.
    pub fn file_name(&self) -> Option<String> {
        match &self.0 {
            Query::Table(query) => query.file_name(),
            _ => None,
        }
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write<W: Write>(&self, inputs: &ApiInputs<'_>, out: W) -> io::Result<()> {
        match &self.0 {
            Query::Table(query) => query.write(inputs, out),
            Query::Snapshot => snapshot::write(inputs, out),
            Query::History(query) => query.write(inputs, out),
            Query::Graph(query) => query.write(inputs, out),
            Query::Alerts(query) => query.write(inputs, out),
            Query::Health => health::write(inputs, out),
            Query::Search(query) => query.write(inputs, out),
        }
    }
}

/// A mistake as JSON.
pub fn error_json(problem: &str) -> String {
    #[derive(Serialize)]
    struct Problem<'a> {
        error: &'a str,
    }
    serde_json::to_string(&Problem { error: problem }).unwrap_or_default()
}

#[cfg(test)]
mod tests;
