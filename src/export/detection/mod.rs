//! Metric families of detection and of alerts. Takes a report; gives samples. Must not know the detectors.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use super::Report;
use super::family::{self, Family};
use super::text::{SampleWriter, TextWriter};
use super::words::push_address;
use crate::account::snapshot::Snapshot;
use crate::alert::{self, Alert, Side};
use crate::detect::{self, Kind, Subject};

/// The most alerts with a row.
const MAXIMUM_FIRING_ROWS: usize = 1_000;

pub(super) fn write<W: Write>(report: &Report, writer: &mut TextWriter<W>) -> io::Result<()> {
    let Report { accounts, detection, alerts, .. } = report;
    write_sources(detection, writer)?;
    write_anomalies(detection, writer)?;
    write_sight(detection, accounts, writer)?;
    write_tables(detection, writer)?;
    write_limits(detection, writer)?;
    write_alerts(alerts, writer)
}

fn write_sources<W: Write>(view: &detect::View, writer: &mut TextWriter<W>) -> io::Result<()> {
    let source = |(subject, bytes): &(Subject, u64)| match subject {
        Subject::Source(source) => Some((*source, *bytes)),
        _ => None,
    };
    let destination = |(subject, bytes): &(Subject, u64)| match subject {
        Subject::Destination(destination) => Some((*destination, *bytes)),
        _ => None,
    };
    write_hosts(&family::SOURCE_WINDOW_BYTES, view.window_bytes.iter().filter_map(source), writer)?;
    write_hosts(&family::DESTINATION_WINDOW_BYTES, view.window_bytes.iter().filter_map(destination), writer)?;
    write_hosts(&family::SOURCE_CONTACTED_HOSTS, view.contacted_hosts.iter().copied(), writer)?;
    write_hosts(&family::SOURCE_CONTACTED_PORTS, view.contacted_ports.iter().copied(), writer)?;
    write_hosts(&family::SOURCE_UNANSWERED_CONTACTS, view.unanswered_contacts.iter().copied(), writer)
}

/// A family with a host as its only label.
fn write_hosts<W: Write>(
    family: &Family,
    rows: impl Iterator<Item = (IpAddr, u64)>,
    writer: &mut TextWriter<W>,
) -> io::Result<()> {
    writer.family(family)?;
    for (host, value) in rows {
        writer.sample(family.name).label_with(family.labels[0], |buffer| push_address(buffer, host)).value(value)?;
    }
    Ok(())
}

fn write_anomalies<W: Write>(view: &detect::View, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::ANOMALY_PROBABILITY)?;
    for &((source, destination), probability) in &view.anomalies {
        writer
            .sample(family::ANOMALY_PROBABILITY.name)
            .label_with("source", |buffer| push_address(buffer, source))
            .label_with("destination", |buffer| push_address(buffer, destination))
            .value_f64(probability)?;
    }
    Ok(())
}

fn write_sight<W: Write>(view: &detect::View, accounts: &Snapshot, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::ANSWERS_VISIBLE)?;
    for &(interface, is_visible) in &view.answers_visible {
        if let Some(interface) = accounts.interface(interface).filter(|interface| interface.gone_since.is_none()) {
            let sample = writer.sample(family::ANSWERS_VISIBLE.name).label("interface", &interface.name);
            sample.value(u64::from(is_visible))?;
        }
    }
    writer.single(&family::UNKNOWN_CONTACTS, view.unknown_contacts)
}

fn write_tables<W: Write>(view: &detect::View, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::DETECTION_ENTRIES)?;
    for table in &view.tables {
        writer
            .sample(family::DETECTION_ENTRIES.name)
            .label_word("table", table.table.label())
            .value(table.entries as u64)?;
    }
    writer.family(&family::DETECTION_LIMIT)?;
    for table in &view.tables {
        writer
            .sample(family::DETECTION_LIMIT.name)
            .label_word("table", table.table.label())
            .value(table.limit as u64)?;
    }
    writer.family(&family::DETECTION_EVICTED)?;
    for table in &view.tables {
        writer.sample(family::DETECTION_EVICTED.name).label_word("table", table.table.label()).value(table.evicted)?;
    }
    Ok(())
}

/// The limits that hold, where something is looked for.
fn write_limits<W: Write>(view: &detect::View, writer: &mut TextWriter<W>) -> io::Result<()> {
    writer.family(&family::BANDWIDTH_LIMIT)?;
    if let Some(limit) = view.bandwidth_limit_bytes {
        writer.sample(family::BANDWIDTH_LIMIT.name).value(limit)?;
    }
    writer.family(&family::SCAN_LIMIT)?;
    for (kind, limit) in &view.scan_limits {
        writer.sample(family::SCAN_LIMIT.name).label_word("kind", kind.label()).value(*limit)?;
    }
    writer.family(&family::ANOMALY_ALERTS)?;
    if let Some(alert) = view.anomalies_alert {
        writer.sample(family::ANOMALY_ALERTS.name).value(u64::from(alert))?;
    }
    Ok(())
}

fn write_alerts<W: Write>(view: &alert::AlertView, writer: &mut TextWriter<W>) -> io::Result<()> {
    let mut rules: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for ((_, rule), fired) in &view.fired_total {
        rules.entry(rule).or_default().1 += fired;
    }
    for alert in &view.firing {
        rules.entry(&alert.rule).or_default().0 += 1;
    }
    writer.family(&family::ALERTS_ACTIVE)?;
    for (rule, (active, _)) in &rules {
        writer.sample(family::ALERTS_ACTIVE.name).label("rule", rule).value(*active)?;
    }
    writer.family(&family::ALERTS_TOTAL)?;
    for (rule, (_, fired)) in &rules {
        writer.sample(family::ALERTS_TOTAL.name).label("rule", rule).value(*fired)?;
    }
    write_firing(&view.firing, writer)?;
    writer.single(&family::ALERTS_PENDING, view.pending.len() as u64)?;
    writer.single(&family::ALERTS_LIMIT, view.limit as u64)?;
    writer.family(&family::ALERTS_DROPPED)?;
    // Each kind that has a rule, from 0 on.
    let has_rule = |kind: &Kind| view.fired_total.keys().any(|(of_rule, _)| of_rule == kind);
    for kind in Kind::ALL.into_iter().filter(has_rule) {
        let dropped = view.dropped_total[kind as usize];
        writer.sample(family::ALERTS_DROPPED.name).label_word("kind", kind.label()).value(dropped)?;
    }
    writer.single(&family::ALERTS_EXCLUDED, view.excluded_total)
}

/// The families with a row for each alert. The labels of an alert are the same in all of them and as long as it lives.
fn write_firing<W: Write>(firing: &[Alert], writer: &mut TextWriter<W>) -> io::Result<()> {
    let latest = latest_of_each_class(firing);
    let mut write = |family: &Family, value: &dyn Fn(&Alert) -> f64| {
        writer.family(family)?;
        latest.iter().try_for_each(|alert| describe(alert, writer.sample(family.name)).value_f64(value(alert)))
    };
    write(&family::ALERT_FIRING, &|_| 1.0)?;
    write(&family::ALERT_VALUE, &|alert| alert.figures.value)?;
    write(&family::ALERT_LIMIT, &|alert| alert.figures.limit)?;
    write(&family::ALERT_WINDOW, &|alert| alert.figures.window.as_secs_f64())?;
    writer.family(&family::ALERT_TARGET)?;
    for alert in &latest {
        if let Some(target) = alert.figures.first_targets.first() {
            describe(alert, writer.sample(family::ALERT_TARGET.name)).label("target", &target.to_string()).value(1)?;
        }
    }
    Ok(())
}

/// The alerts with a row: of each kind on each side those that began last, so that a flood of one kind hides no other.
fn latest_of_each_class(firing: &[Alert]) -> Vec<&Alert> {
    let mut latest: Vec<&Alert> = firing.iter().collect();
    latest.sort_by_key(|alert| Reverse(alert.starts_at));
    let mut classes: BTreeMap<(Kind, Side), usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, &Alert)> = latest
        .into_iter()
        .map(|alert| {
            let rank = classes.entry((alert.kind, alert.side)).or_default();
            *rank += 1;
            (*rank, alert)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.truncate(MAXIMUM_FIRING_ROWS);
    let mut shown: Vec<&Alert> = ranked.into_iter().map(|(_, alert)| alert).collect();
    shown.sort_by_key(|alert| Reverse(alert.starts_at));
    shown
}

fn describe<'a, W: Write>(alert: &Alert, sample: SampleWriter<'a, W>) -> SampleWriter<'a, W> {
    let (source, destination, network) = match alert.subject {
        Subject::Source(source) => (Some(source), None, None),
        Subject::Destination(destination) => (None, Some(destination), None),
        Subject::Pair { source, destination } => (Some(source), Some(destination), None),
        Subject::Network(network) => (None, None, Some(network)),
    };
    let address = |address: Option<IpAddr>| {
        move |buffer: &mut Vec<u8>| address.into_iter().for_each(|address| push_address(buffer, address))
    };
    sample
        .label_word("kind", alert.kind.label())
        .label("rule", &alert.rule)
        .label_with("source", address(source))
        .label_with("destination", address(destination))
        .label("network", &network.map(|network| network.to_string()).unwrap_or_default())
        .label_word("severity", alert.severity.label())
        .label_word("side", alert.side.label())
}

#[cfg(test)]
mod tests;
