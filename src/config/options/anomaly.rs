//! Options of the anomaly detector, named as wherefore has them.

use crate::config::option::{Kind, OptionDefinition};

/// What is tested, on what, and from when on it is an anomaly.
pub(super) static OPTIONS: &[OptionDefinition] = &[
    OptionDefinition {
        kind: Kind::Switch,
        default: "false",
        help: "Enable anomaly alerts (implied by any other -anom_ or --anom. option)",
        keys: &[("anomaly", "alerts")],
        variable: Some("TRAFFICMONITOR_ANOM_ALERTS"),
        ..OptionDefinition::setting("anom.alerts", |settings, texts| settings.anomaly.alerts.set(texts))
    },
    OptionDefinition {
        value: "METHOD,...",
        kind: Kind::List,
        default: "diff,fence,highrank,lowrank,magnitude",
        help: "Anomaly tests to use: cdf, diff, fence (needs a bound), highrank, ks, lowrank, magnitude",
        keys: &[("anomaly", "methods")],
        variable: Some("TRAFFICMONITOR_ANOM_METHODS"),
        ..OptionDefinition::setting("anom_methods", |settings, texts| settings.anomaly.methods.set(texts))
    },
    OptionDefinition {
        value: "N",
        default: "1",
        help: "Size of the active window: how many of a pair's latest values are judged",
        keys: &[("anomaly", "active_size")],
        variable: Some("TRAFFICMONITOR_ANOM_ACTIVE_SIZE"),
        ..OptionDefinition::setting("anom_active_size", |settings, texts| settings.anomaly.active_size.set(texts))
    },
    OptionDefinition {
        value: "N",
        default: "4",
        help: "Size of the reference window, in multiples of the active window; at least 4 values",
        keys: &[("anomaly", "seasons")],
        variable: Some("TRAFFICMONITOR_ANOM_N_SEASONS"),
        ..OptionDefinition::setting("anom_n_seasons", |settings, texts| settings.anomaly.seasons.set(texts))
    },
    OptionDefinition {
        value: "N",
        default: "10",
        help: "How many values to keep per pair",
        keys: &[("anomaly", "capacity")],
        variable: Some("TRAFFICMONITOR_ANOM_GV_CAP"),
        ..OptionDefinition::setting("anom_gv_cap", |settings, texts| settings.anomaly.capacity.set(texts))
    },
    OptionDefinition {
        value: "BYTES",
        default: "5e-324",
        help: "Fence test: fewer bytes per transfer interval than this are unusual; 5e-324 means no lower bound",
        keys: &[("anomaly", "lower_bound")],
        variable: Some("TRAFFICMONITOR_ANOM_LOWER_BOUND"),
        ..OptionDefinition::setting("anom_lower_bound", |settings, texts| settings.anomaly.lower_bound.set(texts))
    },
    OptionDefinition {
        value: "BYTES",
        default: "",
        help: "Fence test: this many bytes per transfer interval or more are unusual; 5 if only a lower bound is given",
        keys: &[("anomaly", "upper_bound")],
        variable: Some("TRAFFICMONITOR_ANOM_UPPER_BOUND"),
        ..OptionDefinition::setting("anom_upper_bound", |settings, texts| settings.anomaly.upper_bound.set(texts))
    },
    OptionDefinition {
        value: "P",
        default: "2",
        help: "If the magnitude test scores below this, no anomaly is reported; values above 1 disable that",
        keys: &[("anomaly", "sensitivity")],
        variable: Some("TRAFFICMONITOR_ANOM_SENSITIVITY"),
        ..OptionDefinition::setting("anom_sensitivity", |settings, texts| settings.anomaly.sensitivity.set(texts))
    },
    OptionDefinition {
        value: "P",
        default: "0.6",
        help: "Score above which traffic is an anomaly",
        keys: &[("anomaly", "threshold")],
        variable: Some("TRAFFICMONITOR_ANOM_THRESHOLD"),
        ..OptionDefinition::setting("anom.threshold", |settings, texts| settings.anomaly.threshold.set(texts))
    },
    OptionDefinition {
        value: "BYTES",
        default: "0",
        help: "Report no anomaly if the active window has fewer bytes than this",
        keys: &[("anomaly", "min_bytes")],
        variable: Some("TRAFFICMONITOR_ANOM_MIN_BYTES"),
        ..OptionDefinition::setting("anom.min_bytes", |settings, texts| settings.anomaly.min_bytes.set(texts))
    },
    OptionDefinition {
        value: "DURATION",
        default: "5s",
        help: "Length of one measuring interval: 100ms to 1d",
        keys: &[("anomaly", "transfer_interval")],
        variable: Some("TRAFFICMONITOR_TRANSFER_INTERVAL"),
        ..OptionDefinition::setting("transfer_interval", |settings, texts| {
            settings.anomaly.transfer_interval.set(texts)
        })
    },
    OptionDefinition {
        value: "CIDR",
        default: "0.0.0.0/0",
        help: "Network for -filter_src and -filter_dst; 0.0.0.0/0 matches every address, IPv6 included",
        keys: &[("anomaly", "filter_network")],
        variable: Some("TRAFFICMONITOR_FILTER_IP_CIDR"),
        ..OptionDefinition::setting("filter_ip_CIDR", |settings, texts| settings.anomaly.filter_network.set(texts))
    },
    OptionDefinition {
        kind: Kind::Switch,
        default: "true",
        help: "Make -filter_src and -filter_dst accept addresses inside the network; false: addresses outside it",
        keys: &[("anomaly", "filter_inside")],
        variable: Some("TRAFFICMONITOR_FILTER_BOOL"),
        ..OptionDefinition::setting("filter_bool", |settings, texts| settings.anomaly.filter_inside.set(texts))
    },
    OptionDefinition {
        kind: Kind::Switch,
        default: "false",
        help: "Detect anomalies only in traffic whose source address -filter_ip_CIDR accepts",
        keys: &[("anomaly", "filter_source")],
        variable: Some("TRAFFICMONITOR_FILTER_SRC"),
        ..OptionDefinition::setting("filter_src", |settings, texts| settings.anomaly.filter_source.set(texts))
    },
    OptionDefinition {
        kind: Kind::Switch,
        default: "false",
        help: "Detect anomalies only in traffic whose destination address -filter_ip_CIDR accepts",
        keys: &[("anomaly", "filter_destination")],
        variable: Some("TRAFFICMONITOR_FILTER_DST"),
        ..OptionDefinition::setting("filter_dst", |settings, texts| settings.anomaly.filter_destination.set(texts))
    },
];
