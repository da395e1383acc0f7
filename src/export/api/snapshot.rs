//! The figures of the first view: rates, totals, alerts and health. Takes the latest report and history; gives JSON.
//! Must not know tables.

use std::io::{self, Write};

use hashbrown::HashSet;
use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::ApiInputs;
use super::amount::Amount;
use super::check::Status;
use super::health;
use super::moment::Rfc3339;
use super::sums::{AddressKey, set};
use super::traffic::per_second;
use crate::account::snapshot::Snapshot;
use crate::alert::Severity;
use crate::history::{HistoryRange, TotalsCell};
use crate::locality::Direction;
use crate::packet::Timestamp;
use crate::tables::hashing::State;

/// Seconds that the present rates are measured over.
const RATE_SECONDS: usize = 5;

/// The version of the API.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct SnapshotAnswer<'a> {
    api: u32,
    program: &'a str,
    number: u64,
    history: u64,
    time: Rfc3339,
    mode: &'static str,
    started: Rfc3339,
    refresh_seconds: f64,
    rate_seconds: usize,
    rates: ByDirectionOf<DirectionRate>,
    totals: ByDirectionOf<Amount>,
    flows: usize,
    hosts: u64,
    alerts: AlertCounts,
    health: HealthLine,
    interfaces: Vec<&'a str>,
    local_networks: &'a [IpNet],
    chart_min_bytes: u64,
    prometheus_url: Option<&'a str>,
}

/// A value for each direction, in the order of [`Direction::ALL`].
struct ByDirectionOf<T>([T; Direction::ALL.len()]);

impl<T: Serialize> Serialize for ByDirectionOf<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Direction::ALL.into_iter().map(Direction::label).zip(&self.0))
    }
}

#[derive(Serialize)]
struct DirectionRate {
    bytes_per_second: f64,
    packets_per_second: f64,
}

#[derive(Serialize)]
struct AlertCounts {
    detects: bool,
    pending: usize,
    firing: usize,
    severity: Option<&'static str>,
}

#[derive(Serialize)]
struct HealthLine {
    status: Status,
    sentence: String,
}

/// Writes the figures.
pub(super) fn write<W: Write>(inputs: &ApiInputs<'_>, out: W) -> io::Result<()> {
    let ApiInputs { report, settings, .. } = inputs;
    let accounts = &report.accounts;
    let totals = Direction::ALL.map(|direction| accounts.totals.direction(direction).into());
    let (status, sentence) = health::summary(inputs);
    let severity = report.alerts.firing.iter().map(|alert| alert.severity).max().map(Severity::label);
    let answer = SnapshotAnswer {
        api: VERSION,
        program: settings.version,
        number: inputs.number,
        history: inputs.history.number,
        time: Rfc3339(time(inputs)),
        mode: if settings.is_live { "live" } else { "file" },
        started: Rfc3339(settings.started),
        refresh_seconds: settings.refresh.as_secs_f64(),
        rate_seconds: RATE_SECONDS,
        rates: ByDirectionOf(rates(inputs)),
        totals: ByDirectionOf(totals),
        flows: accounts.flows.figures.entries,
        hosts: inputs.memory.hosts(inputs.number, || hosts(accounts)),
        alerts: AlertCounts {
            detects: settings.detects,
            pending: report.alerts.pending.len(),
            firing: report.alerts.firing.len(),
            severity,
        },
        health: HealthLine { status, sentence },
        interfaces: health::present(accounts).map(|interface| interface.name.as_str()).collect(),
        local_networks: &settings.local_networks,
        chart_min_bytes: settings.chart_min_bytes,
        prometheus_url: settings.prometheus_url.as_deref(),
    };
    Ok(serde_json::to_writer(out, &answer)?)
}

/// The packets' time: the end of the history. Without a history, the time of the last packet of a file, or the host's.
fn time(inputs: &ApiInputs<'_>) -> Timestamp {
    let last = || inputs.report.accounts.flows.rows.iter().filter_map(|row| row.last_seen).max();
    let without = || if inputs.settings.is_live { inputs.now } else { last().unwrap_or(inputs.settings.started) };
    inputs.history.end().unwrap_or_else(without)
}

/// The rates over the last seconds, by direction.
fn rates(inputs: &ApiInputs<'_>) -> [DirectionRate; Direction::ALL.len()] {
    let cells: Vec<&TotalsCell> = inputs.history.totals(HistoryRange::Live).iter().rev().take(RATE_SECONDS).collect();
    let seconds: u32 = cells.iter().map(|cell| cell.seconds).sum();
    Direction::ALL.map(|direction| {
        let sum = |value: fn(&TotalsCell, usize) -> u64| cells.iter().map(|cell| value(cell, direction as usize)).sum();
        DirectionRate {
            bytes_per_second: per_second(sum(|cell, direction| cell.traffic[direction].bytes), seconds.into()),
            packets_per_second: per_second(sum(|cell, direction| cell.traffic[direction].packets), seconds.into()),
        }
    })
}

/// The addresses at the ends of flows.
fn hosts(accounts: &Snapshot) -> u64 {
    let mut seen: HashSet<AddressKey, State> = set();
    for row in &accounts.flows.rows {
        seen.insert(AddressKey(row.key.source));
        seen.insert(AddressKey(row.key.destination));
    }
    seen.len() as u64
}
