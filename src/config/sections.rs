//! One layer of the configuration: every setting may be there or not.
//!
//! The sections are the rooms, and what is looked for in `detect`; the fields are their keys in the YAML file.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};

use super::limits::{Bound, ByteLimit, Bytes, ContactLimit, Probability, Sensitivity, Wait, Window};
use super::quantities::{Entries, IdleTimeout, ReadTimeout, Refresh, RingBytes, SnapLength, Workers};
use super::settings::Setting;
use super::value::List;
use super::values::InterfaceName;
use super::{LogFormat, LogLevel};
use crate::account::FlowKeying;
use crate::alert::{Exclusion, SeverityRule};
use crate::detect::anomaly::Method;
use crate::detect::bandwidth::{BandwidthDirection, NetworkLimit};
use crate::detect::scan;
use crate::http::ListenAddress;

/// Declares a section: its fields are settings, and a layer is laid over another field by field.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $value:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Setting<$value>,)*
        }

        impl $name {
            /// The keys of this section.
            pub const KEYS: &[&str] = &[$(stringify!($field)),*];

            fn under(self, upper: Self) -> Self {
                Self { $($field: self.$field.under(upper.$field),)* }
            }
        }
    };
}

section! {
    /// What is captured, and how.
    CaptureSettings {
        /// `all`, `any` or names.
        interfaces: List<InterfaceName>,
        /// Never captured by `all`.
        excluded_interfaces: List<InterfaceName>,
        /// A BPF filter.
        filter: String,
        /// Whether frames for others are captured too.
        promiscuous: bool,
        /// Bytes kept of a packet.
        snap_length: SnapLength,
        /// The kernel ring of a handle.
        buffer_size: RingBytes,
        /// Capture threads an interface.
        workers: Workers,
        /// How long libpcap may hold packets back.
        read_timeout: ReadTimeout,
        /// A capture file instead of interfaces.
        pcap_file: PathBuf,
    }
}

section! {
    /// What is local.
    LocalitySettings {
        /// The local networks.
        networks: List<IpNet>,
        /// More addresses of this host.
        own_addresses: List<IpAddr>,
    }
}

section! {
    /// How flows are counted.
    AccountSettings {
        /// What tells flows apart.
        flow_key: FlowKeying,
        /// Flows held at once.
        max_flows: Entries,
        /// Flows shown to Prometheus.
        max_series: Entries,
        /// Hosts held at once.
        max_hosts: Entries,
        /// Hosts shown to Prometheus.
        max_host_series: Entries,
        /// After how long a rest a flow or host leaves.
        idle_timeout: IdleTimeout,
    }
}

section! {
    /// Who may send or receive how much.
    BandwidthSettings {
        /// Bytes in a window.
        limit: ByteLimit,
        /// The length of the window.
        interval: Window,
        /// Whose bytes.
        direction: BandwidthDirection,
        /// Limits for some networks.
        networks: List<NetworkLimit>,
    }
}

section! {
    /// What is a scan.
    ScanSettings {
        /// What counts.
        rule: scan::Rule,
        /// The window of contacted hosts.
        interval: Window,
        /// Whether scans of hosts are looked for.
        analyze_hosts: bool,
        /// Hosts that may be contacted.
        contacted_ips: ContactLimit,
        /// Whether scans of ports are looked for.
        analyze_ports: bool,
        /// Ports that may be contacted.
        contacted_ports: ContactLimit,
        /// The window of contacted ports.
        port_interval: Window,
    }
}

section! {
    /// What is held and shown of what is found.
    DetectSettings {
        /// Whether anything is looked for.
        enabled: bool,
        /// Whether destinations are not kept.
        no_destinations: bool,
        /// From how many bytes on a source is charted.
        chart_min_bytes: Bytes,
        /// How many sources are shown.
        top_sources: Entries,
    }
}

section! {
    /// What is an anomaly.
    AnomalySettings {
        /// Whether anomalies alert.
        alerts: bool,
        /// The tests.
        methods: List<Method>,
        /// How many of the last values are judged.
        active_size: Entries,
        /// How many times as many they are compared with.
        seasons: Entries,
        /// How many values a pair keeps.
        capacity: Entries,
        /// The lower bound of the fence.
        lower_bound: Bound,
        /// The upper bound of the fence.
        upper_bound: Bound,
        /// The magnitude below which the others are silent.
        sensitivity: Sensitivity,
        /// The probability above which traffic is an anomaly.
        threshold: Probability,
        /// Fewer bytes are no anomaly.
        min_bytes: Bytes,
        /// What a value is the sum of.
        transfer_interval: Window,
        /// How many pairs are held.
        max_pairs: Entries,
        /// The network of the filter.
        filter_network: IpNet,
        /// Whether what lies in it passes.
        filter_inside: bool,
        /// Whether sources are looked at.
        filter_source: bool,
        /// Whether destinations are looked at.
        filter_destination: bool,
    }
}

section! {
    /// How alerts live.
    AlertSettings {
        /// For how long a rule must hold.
        pending: Wait,
        /// For how long an alert fires at least.
        hold: Wait,
        /// How many are held.
        max_alerts: Entries,
        /// What does not alert.
        exclusions: List<Exclusion>,
        /// The severity by kind and side.
        severity: List<SeverityRule>,
        /// Whether each is explained.
        explain: bool,
    }
}

section! {
    /// What is exported.
    ExportSettings {
        /// Whether `hosts_src_dst` and its two totals are written.
        seed_families: bool,
        /// Whether flows are written in packets too.
        flow_packets: bool,
        /// Whether OpenMetrics says when counters began.
        created: bool,
    }
}

section! {
    /// Where is served.
    HttpSettings {
        /// Addresses to listen at.
        listen: List<ListenAddress>,
    }
}

section! {
    /// How often is published.
    PipelineSettings {
        /// Between two snapshots.
        refresh: Refresh,
    }
}

section! {
    /// The program's own log.
    LogSettings {
        /// The least grave lines written.
        level: LogLevel,
        /// How a line is written.
        format: LogFormat,
    }
}

/// Declares the whole: the sections in the order of the rooms.
macro_rules! sections {
    ($($(#[$doc:meta])* $field:ident: $section:ty,)*) => {
        /// One layer of settings, and what was noticed while it was read.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Settings {
            $($(#[$doc])* #[serde(deserialize_with = "null_is_empty")] pub $field: $section,)*
            /// The file that was read, if one was.
            #[serde(skip)]
            pub path: Option<PathBuf>,
            /// Whether TrafficAlerted's port is served too, because its configuration was given.
            #[serde(skip)]
            pub serves_trafficalerted: bool,
            /// What is to be said once, in words for the log.
            #[serde(skip)]
            pub notices: Vec<String>,
        }

        impl Settings {
            /// Each section and its keys, in order.
            pub const KEYS: &[(&str, &[&str])] = &[$((stringify!($field), <$section>::KEYS)),*];

            /// This layer with `upper` laid over it: what both give, `upper` decides.
            #[must_use]
            pub fn merge(self, upper: Self) -> Self {
                let notices = self.notices.into_iter().chain(upper.notices).collect();
                Self {
                    $($field: self.$field.under(upper.$field),)*
                    path: upper.path.or(self.path),
                    serves_trafficalerted: self.serves_trafficalerted || upper.serves_trafficalerted,
                    notices,
                }
            }
        }
    };
}

sections! {
    /// What is captured, and how.
    capture: CaptureSettings,
    /// What is local.
    locality: LocalitySettings,
    /// How flows are counted.
    account: AccountSettings,
    /// Who may send or receive how much.
    bandwidth: BandwidthSettings,
    /// What is a scan.
    scan: ScanSettings,
    /// What is held and shown of what is found.
    detect: DetectSettings,
    /// What is an anomaly.
    anomaly: AnomalySettings,
    /// How alerts live.
    alert: AlertSettings,
    /// What is exported.
    export: ExportSettings,
    /// Where is served.
    http: HttpSettings,
    /// How often is published.
    pipeline: PipelineSettings,
    /// The program's own log.
    log: LogSettings,
}

/// A section whose keys are all commented out is null.
fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
