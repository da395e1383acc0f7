//! The settings of detection and of alerts → the configurations of their rooms, and what only shows between them.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::super::limits::{Bound, ByteLimit, Bytes, ContactLimit, Probability, Sensitivity, Wait, Window};
use super::super::quantities::Entries;
use super::super::sections::{AnomalySettings, BandwidthSettings, ScanSettings};
use super::super::settings::Setting;
use super::super::value::List;
use super::super::{ConfigError, Settings};
use crate::detect::anomaly::{self, Criteria, Fence, Method, PairFilter};
use crate::detect::{bandwidth, scan};
use crate::{alert, detect};

/// What is looked for.
///
/// # Errors
/// [`ConfigError::Invalid`] for settings that contradict each other.
pub(super) fn detect_config(settings: &Settings) -> Result<detect::Config, ConfigError> {
    let default = detect::Config::default();
    let no_destinations = settings.detect.no_destinations.value().copied().unwrap_or(default.no_destinations);
    let chart_min_bytes =
        settings.detect.chart_min_bytes.value().map_or(default.chart_min_bytes, |&Bytes(bytes)| bytes);
    let bandwidth = bandwidth_config(&settings.bandwidth);
    let bandwidth = bandwidth::Config { chart_min_bytes, no_destinations, ..bandwidth };
    // Limits and windows of nothing were refused as they were read; what is left to find is between the networks.
    bandwidth.validate().map_err(|error| at(settings, &settings.bandwidth.networks, error))?;
    let scan = scan_config(&settings.scan);
    let scan = scan::Config {
        analyze_hosts: scan.analyze_hosts && !no_destinations,
        excluded_ports: excluded_ports(settings),
        ..scan
    };
    let looked_for = detect::Config {
        bandwidth: Some(bandwidth),
        scan: Some(scan),
        anomaly: Some(anomaly_config(settings)?),
        top_sources: entries(&settings.detect.top_sources, default.top_sources),
        chart_min_bytes,
        no_destinations,
    };
    Ok(match settings.detect.enabled.value() {
        Some(false) => detect::Config { bandwidth: None, scan: None, anomaly: None, ..looked_for },
        _ => looked_for,
    })
}

/// How alerts live.
///
/// # Errors
/// [`ConfigError::Invalid`] for an exclusion that leaves nothing.
pub(super) fn alert_config(all: &Settings) -> Result<alert::Config, ConfigError> {
    let settings = &all.alert;
    let default = alert::Config::default();
    let config = alert::Config {
        pending: settings.pending.value().map_or(default.pending, |&Wait(wait)| wait),
        hold: settings.hold.value().map_or(default.hold, |&Wait(wait)| wait),
        max_alerts: entries(&settings.max_alerts, default.max_alerts),
        exclusions: settings.exclusions.value().map_or(default.exclusions, |List(exclusions)| exclusions.clone()),
        severities: settings.severity.value().map_or(default.severities, |List(rules)| default.severities.with(rules)),
    };
    config.validate().map_err(|error| at(all, &settings.exclusions, error))?;
    Ok(config)
}

fn at<T>(settings: &Settings, setting: &Setting<T>, error: impl ToString) -> ConfigError {
    ConfigError::invalid(settings.place(setting), error.to_string())
}

fn entries(setting: &Setting<Entries>, default: usize) -> usize {
    setting.value().map_or(default, |&Entries(entries)| entries)
}

fn bandwidth_config(settings: &BandwidthSettings) -> bandwidth::Config {
    let default = bandwidth::Config::default();
    bandwidth::Config {
        limit_bytes: settings.limit.value().map_or(default.limit_bytes, |&ByteLimit(bytes)| bytes),
        interval: settings.interval.value().map_or(default.interval, |&Window(interval)| interval),
        direction: settings.direction.value().copied().unwrap_or(default.direction),
        networks: settings.networks.value().map_or_else(Vec::new, |List(networks)| networks.clone()),
        ..default
    }
}

fn scan_config(settings: &ScanSettings) -> scan::Config {
    let default = scan::Config::default();
    let window = |setting: &Setting<Window>, default| setting.value().map_or(default, |&Window(interval)| interval);
    let limit =
        |setting: &Setting<ContactLimit>, default| setting.value().map_or(default, |&ContactLimit(limit)| limit);
    scan::Config {
        rule: settings.rule.value().copied().unwrap_or(default.rule),
        interval: window(&settings.interval, default.interval),
        port_interval: window(&settings.port_interval, default.port_interval),
        contacted_ips: limit(&settings.contacted_ips, default.contacted_ips),
        contacted_ports: limit(&settings.contacted_ports, default.contacted_ports),
        analyze_hosts: settings.analyze_hosts.value().copied().unwrap_or(default.analyze_hosts),
        analyze_ports: settings.analyze_ports.value().copied().unwrap_or(default.analyze_ports),
        ..default
    }
}

/// Ports that are excluded for everyone and everything do not count as contacts in the first place.
fn excluded_ports(settings: &Settings) -> BTreeSet<u16> {
    let exclusions = settings.alert.exclusions.value().into_iter().flat_map(|List(exclusions)| exclusions);
    let for_all = exclusions.filter(|exclusion| exclusion.network.is_none() && exclusion.kind.is_none());
    for_all.filter_map(|exclusion| exclusion.port).collect()
}

fn anomaly_config(all: &Settings) -> Result<anomaly::Config, ConfigError> {
    let settings = &all.anomaly;
    let default = anomaly::Config::default();
    let config = anomaly::Config {
        criteria: criteria(settings, default.criteria).map_err(|error| refused(all, error))?,
        capacity: entries(&settings.capacity, default.capacity),
        transfer_interval: settings.transfer_interval.value().map_or(default.transfer_interval, |&Window(of)| of),
        threshold: settings.threshold.value().map_or(default.threshold, |&Probability(threshold)| threshold),
        min_bytes: settings.min_bytes.value().map_or(default.min_bytes, |&Bytes(bytes)| bytes),
        alerts: settings.alerts.value().copied().unwrap_or(default.alerts),
        filter: filter(settings, default.filter),
        max_pairs: entries(&settings.max_pairs, default.max_pairs),
    };
    config.validate().map_err(|error| refused(all, error))?;
    Ok(config)
}

fn criteria(settings: &AnomalySettings, default: Criteria) -> Result<Criteria, anomaly::Error> {
    let bound = |setting: &Setting<Bound>| setting.value().map(|&Bound(bound)| bound);
    Ok(Criteria {
        methods: settings.methods.value().map_or(default.methods, |List(methods)| methods.iter().copied().collect()),
        active_size: entries(&settings.active_size, default.active_size),
        seasons: entries(&settings.seasons, default.seasons),
        fence: Fence::of_given(bound(&settings.lower_bound), bound(&settings.upper_bound))?,
        sensitivity: settings.sensitivity.value().map_or(default.sensitivity, |&Sensitivity(of)| of),
        ..default
    })
}

fn filter(settings: &AnomalySettings, default: PairFilter) -> PairFilter {
    let truth = |setting: &Setting<bool>, default| setting.value().copied().unwrap_or(default);
    PairFilter {
        network: settings.filter_network.value().map_or(default.network, IpNet::trunc),
        is_inside: truth(&settings.filter_inside, default.is_inside),
        by_source: truth(&settings.filter_source, default.by_source),
        by_destination: truth(&settings.filter_destination, default.by_destination),
    }
}

/// Says of which setting the anomaly detector complains: the first that was given of those that it may be.
fn refused(all: &Settings, error: anomaly::Error) -> ConfigError {
    use anomaly::Error;
    let of = &all.anomaly;
    let [lower, upper] = [&of.lower_bound, &of.upper_bound].map(|bound| bound.origin().map(|_| all.place(bound)));
    let place = match error {
        Error::NoMethod | Error::FenceWithoutBound => all.place(&of.methods),
        Error::BoundNoNumber(_) | Error::BoundsCross { .. } => {
            let given: Vec<_> = [lower, upper].into_iter().flatten().collect();
            given.join(", ")
        }
        Error::UpperBoundNotPositive(_) => all.place(&of.upper_bound),
        Error::NoActiveValue => all.place(&of.active_size),
        Error::NoSeason => all.place(&of.seasons),
        Error::CapacityTooSmall { .. } | Error::CapacityTooLarge(_) => {
            let given = [&of.capacity, &of.active_size, &of.seasons].into_iter().find(|size| size.origin().is_some());
            all.place(given.unwrap_or(&of.capacity))
        }
        Error::Sensitivity(_) => all.place(&of.sensitivity),
        Error::Threshold(_) => all.place(&of.threshold),
        Error::TransferInterval(_) => all.place(&of.transfer_interval),
        Error::Pairs(_) => all.place(&of.max_pairs),
        Error::Shuffles(_) => "the default".to_owned(),
    };
    ConfigError::invalid(place, error.to_string())
}

/// What is taken otherwise than it was written, or without effect.
pub(super) fn remarks(all: &Settings, config: &anomaly::Config) -> Vec<String> {
    let of_tests = if config.alerts { remarks_on_tests(all, &config.criteria) } else { Vec::new() };
    of_tests.into_iter().chain(remarks_on_filter(all, config.filter)).collect()
}

fn remarks_on_tests(all: &Settings, criteria: &Criteria) -> Vec<String> {
    let of = &all.anomaly;
    let has_no_veto = criteria.methods.contains(Method::Magnitude) && !criteria.has_veto();
    let asks_for_fence = of.methods.value().is_some_and(|List(methods)| methods.contains(&Method::Fence));
    let no_veto = has_no_veto.then(|| {
        let sensitivity = match of.sensitivity.origin() {
            Some(_) => format!("{}: a sensitivity of {}", all.place(&of.sensitivity), criteria.sensitivity),
            None => format!("-anom_sensitivity {} (the default)", criteria.sensitivity),
        };
        format!("{sensitivity} is above any possible magnitude; the magnitude test will not suppress the others")
    });
    let no_fence = (asks_for_fence && criteria.fence.is_none()).then(|| {
        format!("{}: the fence test has no bound and is skipped; give an upper bound", all.place(&of.methods))
    });
    no_veto.into_iter().chain(no_fence).collect()
}

fn remarks_on_filter(all: &Settings, filter: PairFilter) -> Vec<String> {
    let given = &all.anomaly.filter_network;
    let Some(network) = given.value() else { return Vec::new() };
    let place = all.place(given);
    let host_bits = (network.trunc() != *network)
        .then(|| format!("{place}: {network} has host bits set; using {}", network.trunc()));
    let is_idle = network.prefix_len() > 0 && !filter.by_source && !filter.by_destination;
    let idle = is_idle.then(|| format!("{place}: no effect without -filter_src or -filter_dst"));
    host_bits.into_iter().chain(idle).collect()
}
