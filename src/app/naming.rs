//! The names of the traffic that is shown. Takes the configuration and what is published; gives the threads that find
//! names. Must not know the sources of names.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::account::flow::FlowKey;
use crate::alert::AlertView;
use crate::config::Config;
use crate::detect::Subject;
use crate::export::{Published, Report};
use crate::history::{HistoryRange, HistoryRow, HistoryView};
use crate::names::{Names, ShownFlow, ShownTraffic, sees_all_processes};
use crate::packet::Protocol;
use crate::tables::top::{heaviest_first, top_n};

/// The most flows whose processes are looked for.
const MOST_FLOWS: usize = 4_096;

/// Starts to find names, if a source of them is configured.
pub(super) fn start(config: &Config, published: &Arc<Published>) -> anyhow::Result<Option<Names>> {
    let settings = config.names.clone();
    let settings = if config.source.is_some() { settings.of_file() } else { settings };
    if settings.is_off() {
        return Ok(None);
    }
    if settings.processes && !sees_all_processes() {
        tracing::warn!(
            "only processes of this user are found: those of other users need CAP_SYS_PTRACE; grant it, or set --names.processes=false"
        );
    }
    let (published, most_hosts) = (Arc::clone(published), settings.max_hosts);
    Ok(Some(Names::start(&settings, move || shown(&published, most_hosts))?))
}

/// The hosts of alerts and those with the most bytes lately and since the start, and the flows with the most bytes lately.
fn shown(published: &Published, most_hosts: usize) -> ShownTraffic {
    let (report, history) = (published.latest(), published.history());
    let recent = recent(&history);
    let mut hosts: Vec<IpAddr> = subjects(&report.alerts).collect();
    hosts.extend(heaviest(recent.iter().map(|row| ([row.source(), row.destination()], row.bytes)), most_hosts));
    hosts.extend(heaviest(of_report(&report), most_hosts));
    ShownTraffic { hosts, flows: flows(&recent) }
}

/// The rows of the last hour.
fn recent(history: &HistoryView) -> Vec<HistoryRow> {
    history.all_rows(HistoryRange::Hour).flat_map(|cell| cell.rows.iter().copied()).collect()
}

/// The addresses that alerts are about, the firing ones first.
fn subjects(alerts: &AlertView) -> impl Iterator<Item = IpAddr> {
    let active = alerts.firing.iter().chain(&alerts.pending).map(|alert| alert.subject);
    active
        .chain(alerts.resolved.iter().map(|alert| alert.subject))
        .flat_map(|subject| match subject {
            Subject::Source(address) | Subject::Destination(address) => [Some(address), None],
            Subject::Pair { source, destination } => [Some(source), Some(destination)],
            Subject::Network(_) => [None, None],
        })
        .flatten()
}

fn of_report(report: &Report) -> impl Iterator<Item = ([Option<IpAddr>; 2], u64)> {
    report.accounts.flows.rows.iter().map(|row| {
        let FlowKey { source, destination, .. } = row.key;
        ([Some(source), Some(destination)], row.lifetime.bytes)
    })
}

/// The addresses with the most bytes at either end, the heaviest first.
fn heaviest(flows: impl Iterator<Item = ([Option<IpAddr>; 2], u64)>, most: usize) -> Vec<IpAddr> {
    let mut bytes_of: HashMap<IpAddr, u64> = HashMap::new();
    for (ends, bytes) in flows {
        for end in ends.into_iter().flatten() {
            *bytes_of.entry(end).or_default() += bytes;
        }
    }
    top_n(bytes_of.into_iter(), most, heaviest_first).into_iter().map(|(address, _)| address).collect()
}

/// The flows over TCP and UDP with the most bytes, both directions of one together.
fn flows(rows: &[HistoryRow]) -> Vec<ShownFlow> {
    let mut bytes_of: HashMap<ShownFlow, u64> = HashMap::new();
    for row in rows {
        if let Some(flow) = shown_flow(row) {
            *bytes_of.entry(flow).or_default() += row.bytes;
        }
    }
    top_n(bytes_of.into_iter(), MOST_FLOWS, heaviest_first).into_iter().map(|(flow, _)| flow).collect()
}

/// The flow of a row whose ends may have sockets; none of a sum of several flows.
fn shown_flow(row: &HistoryRow) -> Option<ShownFlow> {
    let (protocol, port) = (row.protocol(), row.port().filter(|&port| port != 0)?);
    let (source, destination) = (row.source()?, row.destination()?);
    let (client, server) = if row.is_reply() { (destination, source) } else { (source, destination) };
    matches!(protocol, Protocol::TCP | Protocol::UDP).then_some(ShownFlow { client, server, protocol, port })
}
