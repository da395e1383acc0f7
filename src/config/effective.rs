//! A [`Config`] as the [`Settings`] that would give it.

use super::Config;
use super::limits::{Bound, ByteLimit, Bytes, ContactLimit, Probability, Sensitivity, Wait, Window};
use super::quantities::{Entries, IdleTimeout, ReadTimeout, Refresh, RingBytes, SnapLength, Workers};
use super::sections::{
    AccountSettings, AlertSettings, AnomalySettings, BandwidthSettings, CaptureSettings, DetectSettings,
    ExportSettings, HttpSettings, LocalitySettings, LogSettings, PipelineSettings, ScanSettings, Settings,
};
use super::settings::Setting;
use super::value::List;
use super::values::InterfaceName;
use crate::capture::Selection;
use crate::detect::anomaly::Fence;
use crate::detect::{anomaly, bandwidth, scan};

impl From<&Config> for Settings {
    /// Every setting, as the effective configuration has it.
    fn from(config: &Config) -> Self {
        let capture = &config.capture;
        Self {
            capture: CaptureSettings {
                interfaces: Setting::of(interfaces(&capture.selection)),
                excluded_interfaces: Setting::of(names(&capture.excluded)),
                filter: Setting::of_some(capture.filter.clone()),
                promiscuous: Setting::of(capture.promiscuous),
                snap_length: Setting::of(SnapLength(capture.snap_length)),
                buffer_size: Setting::of(RingBytes(capture.buffer_bytes)),
                workers: Setting::of(Workers(capture.workers)),
                read_timeout: Setting::of(ReadTimeout(capture.read_timeout)),
                pcap_file: Setting::of_some(config.source.clone()),
            },
            locality: LocalitySettings {
                networks: Setting::of(List(config.locality.networks.clone())),
                own_addresses: Setting::of(List(config.locality.own_addresses.clone())),
            },
            account: AccountSettings {
                flow_key: Setting::of(config.account.flow_keying),
                max_flows: Setting::of(Entries(config.account.max_flows)),
                max_series: Setting::of(Entries(config.account.max_series)),
                max_hosts: Setting::of(Entries(config.account.max_hosts)),
                max_host_series: Setting::of(Entries(config.account.max_host_series)),
                idle_timeout: Setting::of(IdleTimeout(config.account.idle_timeout)),
            },
            bandwidth: config.detect.bandwidth.as_ref().map(bandwidth).unwrap_or_default(),
            scan: config.detect.scan.as_ref().map(scan).unwrap_or_default(),
            detect: DetectSettings {
                enabled: Setting::of(config.detect.looks_for_something()),
                no_destinations: Setting::of(config.detect.no_destinations),
                chart_min_bytes: Setting::of(Bytes(config.detect.chart_min_bytes)),
                top_sources: Setting::of(Entries(config.detect.top_sources)),
            },
            anomaly: config.detect.anomaly.as_ref().map(anomaly).unwrap_or_default(),
            alert: AlertSettings {
                pending: Setting::of(Wait(config.alert.pending)),
                hold: Setting::of(Wait(config.alert.hold)),
                max_alerts: Setting::of(Entries(config.alert.max_alerts)),
                exclusions: Setting::of(List(config.alert.exclusions.clone())),
                severity: Setting::of(List(config.alert.severities.rules())),
                explain: Setting::of(config.explain),
            },
            export: ExportSettings {
                seed_families: Setting::of(config.export.seed_families),
                flow_packets: Setting::of(config.export.flow_packets),
                created: Setting::of(config.export.created),
            },
            http: HttpSettings { listen: Setting::of(List(config.http.listen.clone())) },
            pipeline: PipelineSettings { refresh: Setting::of(Refresh(config.pipeline.refresh)) },
            log: LogSettings { level: Setting::of(config.log.level), format: Setting::of(config.log.format) },
            ..Self::default()
        }
    }
}

fn bandwidth(config: &bandwidth::Config) -> BandwidthSettings {
    BandwidthSettings {
        limit: Setting::of(ByteLimit(config.limit_bytes)),
        interval: Setting::of(Window(config.interval)),
        direction: Setting::of(config.direction),
        networks: Setting::of(List(config.networks.clone())),
    }
}

fn scan(config: &scan::Config) -> ScanSettings {
    ScanSettings {
        rule: Setting::of(config.rule),
        interval: Setting::of(Window(config.interval)),
        analyze_hosts: Setting::of(config.analyze_hosts),
        contacted_ips: Setting::of(ContactLimit(config.contacted_ips)),
        analyze_ports: Setting::of(config.analyze_ports),
        contacted_ports: Setting::of(ContactLimit(config.contacted_ports)),
        port_interval: Setting::of(Window(config.port_interval)),
    }
}

fn anomaly(config: &anomaly::Config) -> AnomalySettings {
    let anomaly::Config { criteria, filter, .. } = config;
    AnomalySettings {
        alerts: Setting::of(config.alerts),
        methods: Setting::of(List(criteria.methods.iter().collect())),
        active_size: Setting::of(Entries(criteria.active_size)),
        seasons: Setting::of(Entries(criteria.seasons)),
        capacity: Setting::of(Entries(config.capacity)),
        lower_bound: Setting::of_some(criteria.fence.and_then(Fence::lower).map(Bound)),
        upper_bound: Setting::of_some(criteria.fence.map(Fence::upper).map(Bound)),
        sensitivity: Setting::of(Sensitivity(criteria.sensitivity)),
        threshold: Setting::of(Probability(config.threshold)),
        min_bytes: Setting::of(Bytes(config.min_bytes)),
        transfer_interval: Setting::of(Window(config.transfer_interval)),
        max_pairs: Setting::of(Entries(config.max_pairs)),
        filter_network: Setting::of(filter.network),
        filter_inside: Setting::of(filter.is_inside),
        filter_source: Setting::of(filter.by_source),
        filter_destination: Setting::of(filter.by_destination),
    }
}

fn interfaces(selection: &Selection) -> List<InterfaceName> {
    match selection {
        Selection::All => names(&["all"]),
        Selection::Any => names(&["any"]),
        Selection::Named(named) => names(named),
    }
}

fn names(names: &[impl AsRef<str>]) -> List<InterfaceName> {
    List(names.iter().map(|name| InterfaceName(name.as_ref().to_owned())).collect())
}
