//! The names of the traffic that is shown. Takes the configuration and what is published; gives the threads that find
//! names. Must not know the sources of names.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::account::flow::FlowKey;
use crate::alert::{Alert, AlertView, Conversation};
use crate::config::Config;
use crate::detect::Subject;
use crate::export::{Published, Report};
use crate::history::{HistoryRange, HistoryRow, HistoryView};
use crate::names::{Names, ShownFlow, ShownTraffic, sees_all_processes};
use crate::packet::Protocol;
use crate::tables::top::{heaviest_first, top_n};

/// The most flows whose processes are looked for.
const MOST_FLOWS: usize = 4_096;

/// The part of the hosts and flows that may be those of the targets of alerts: one in so many.
const TARGET_PART: usize = 8;

/// Starts to find names, if a source of them is configured.
pub(super) fn start(config: &Config, published: &Arc<Published>) -> anyhow::Result<Option<Names>> {
    let settings = config.names.clone();
    let settings = if config.source.is_some() { settings.of_file() } else { settings };
    if settings.is_off() {
        return Ok(None);
    }
    if settings.processes && !sees_all_processes() {
        tracing::warn!(
            "only processes of this user are found: those of other users need CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; grant them, or set --names.processes=false"
        );
    }
    let (published, most_hosts) = (Arc::clone(published), settings.max_hosts);
    Ok(Some(Names::start(&settings, move || shown(&published, most_hosts))?))
}

/// The hosts of alerts and those with the most bytes lately and since the start; the conversations of alerts and the
/// flows with the most bytes lately.
fn shown(published: &Published, most_hosts: usize) -> ShownTraffic {
    let (report, history) = (published.latest(), published.history());
    let recent = recent(&history);
    let mut hosts: Vec<IpAddr> = subjects(&report.alerts).collect();
    hosts.extend(targets(&report.alerts, most_hosts / TARGET_PART));
    hosts.extend(heaviest(recent.iter().map(|row| ([row.source(), row.destination()], row.bytes)), most_hosts));
    hosts.extend(heaviest(of_report(&report), most_hosts));
    let of_alerts = conversations(&report.alerts);
    let heaviest = heaviest_flows(&recent).into_iter().filter(|flow| !of_alerts.contains(flow));
    let flows = of_alerts.iter().copied().chain(heaviest).take(MOST_FLOWS).collect();
    ShownTraffic { hosts, flows }
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

/// The targets of alerts that the page shows, each once, those of firing alerts first.
fn targets(alerts: &AlertView, most: usize) -> Vec<IpAddr> {
    let latest = alerts.resolved.iter().rev().map(Arc::as_ref);
    let alerts = alerts.firing.iter().chain(&alerts.pending).chain(latest);
    let all = alerts.flat_map(|alert| alert.figures.first_targets.iter().chain(&alert.figures.last_targets));
    let mut seen = HashSet::new();
    all.map(|target| target.address).filter(|address| seen.insert(*address)).take(most).collect()
}

/// The conversations of active alerts over TCP and UDP, each once.
fn conversations(alerts: &AlertView) -> HashSet<ShownFlow> {
    let active = alerts.firing.iter().chain(&alerts.pending);
    let flows = active.flat_map(Alert::conversations).filter_map(|Conversation { ends: (client, server), port }| {
        let (protocol, port) = port.filter(|(protocol, _)| matches!(*protocol, Protocol::TCP | Protocol::UDP))?;
        Some(ShownFlow { client, server, protocol, port })
    });
    let mut found = HashSet::new();
    for flow in flows {
        if found.len() == MOST_FLOWS / TARGET_PART {
            break;
        }
        found.insert(flow);
    }
    found
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
fn heaviest_flows(rows: &[HistoryRow]) -> Vec<ShownFlow> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::alert;
    use crate::detect::{Figures, Kind, Target};

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn scan(source: u8, targets: std::ops::Range<u8>) -> Alert {
        let target = |host| Target { address: ip(host), protocol: Some(Protocol::TCP), port: Some(22) };
        let figures = Figures { first_targets: targets.map(target).collect(), ..Figures::default() };
        alert(Kind::HostScan, Subject::Source(ip(source)), figures)
    }

    #[test]
    fn targets_of_alerts_have_names_each_once_and_within_their_part() {
        let alerts = AlertView { firing: vec![scan(1, 10..13), scan(2, 11..15)], ..AlertView::default() };
        assert_eq!(targets(&alerts, 100), [10, 11, 12, 13, 14].map(ip));
        assert_eq!(targets(&alerts, 4), [10, 11, 12, 13].map(ip));
    }

    #[test]
    fn conversations_of_alerts_have_processes_within_their_part() {
        let alerts =
            AlertView { firing: vec![scan(1, 10..12)], pending: vec![scan(2, 10..11)], ..AlertView::default() };
        let flow =
            |client, server| ShownFlow { client: ip(client), server: ip(server), protocol: Protocol::TCP, port: 22 };
        assert_eq!(conversations(&alerts), HashSet::from([flow(1, 10), flow(1, 11), flow(2, 10)]));
        let many = (1..=255).flat_map(|source| [scan(source, 0..8)]).collect();
        let alerts = AlertView { firing: many, ..AlertView::default() };
        assert_eq!(conversations(&alerts).len(), MOST_FLOWS / TARGET_PART);
    }
}
