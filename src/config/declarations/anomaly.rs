//! Declarations: the anomaly detector. The options have wherefore's names.

use super::{access, detector};
use crate::config::Config;
use crate::config::declaration::{Access, Arity, Declaration};
use crate::config::given::Content;
use crate::config::kinds::addresses::NETWORK;
use crate::config::kinds::durations::WINDOW;
use crate::config::kinds::keywords::{METHOD, TruthValue};
use crate::config::kinds::numbers::{BOUND, BYTES, ENTRIES, PROBABILITY, SENSITIVITY};
use crate::config::kinds::{ListOf, ValueKind as _};
use crate::detect::anomaly::{Criteria, Fence};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    Declaration {
        default: "false",
        help: "Enable anomaly alerts (implied by any other -anom_ or --anom. option)",
        keys: &[("anomaly", "alerts")],
        variable: Some("TRAFFICMONITOR_ANOM_ALERTS"),
        reloadable: true,
        ..Declaration::switch("anom.alerts", detector!(TruthValue, anomaly.alerts))
    },
    Declaration {
        value: "METHOD,...",
        arity: Arity::List,
        default: "diff,fence,highrank,lowrank,magnitude",
        help: "Anomaly tests to use: cdf, diff, fence (needs a bound), highrank, ks, lowrank, magnitude",
        keys: &[("anomaly", "methods")],
        variable: Some("TRAFFICMONITOR_ANOM_METHODS"),
        reloadable: true,
        ..Declaration::setting("anom_methods", METHODS)
    },
    Declaration {
        value: "N",
        default: "1",
        help: "Size of the active window: how many of a pair's latest values are judged",
        keys: &[("anomaly", "active_size")],
        variable: Some("TRAFFICMONITOR_ANOM_ACTIVE_SIZE"),
        ..Declaration::setting("anom_active_size", detector!(ENTRIES, anomaly.criteria.active_size))
    },
    Declaration {
        value: "N",
        default: "4",
        help: "Size of the reference window, in multiples of the active window; at least 4 values",
        keys: &[("anomaly", "seasons")],
        variable: Some("TRAFFICMONITOR_ANOM_N_SEASONS"),
        ..Declaration::setting("anom_n_seasons", detector!(ENTRIES, anomaly.criteria.seasons))
    },
    Declaration {
        value: "N",
        default: "10",
        help: "How many values to keep per pair",
        keys: &[("anomaly", "capacity")],
        variable: Some("TRAFFICMONITOR_ANOM_GV_CAP"),
        ..Declaration::setting("anom_gv_cap", detector!(ENTRIES, anomaly.capacity))
    },
    Declaration {
        value: "BYTES",
        default: "5e-324",
        help: "Fence test: fewer bytes per transfer interval than this are unusual; 5e-324 means no lower bound",
        keys: &[("anomaly", "lower_bound")],
        variable: Some("TRAFFICMONITOR_ANOM_LOWER_BOUND"),
        reloadable: true,
        ..Declaration::setting("anom_lower_bound", LOWER_BOUND)
    },
    Declaration {
        value: "BYTES",
        help: "Fence test: this many bytes per transfer interval or more are unusual; 5 if only a lower bound is given",
        keys: &[("anomaly", "upper_bound")],
        variable: Some("TRAFFICMONITOR_ANOM_UPPER_BOUND"),
        reloadable: true,
        ..Declaration::setting("anom_upper_bound", UPPER_BOUND)
    },
    Declaration {
        value: "P",
        default: "2",
        help: "If the magnitude test scores below this, no anomaly is reported; values above 1 disable that",
        keys: &[("anomaly", "sensitivity")],
        variable: Some("TRAFFICMONITOR_ANOM_SENSITIVITY"),
        reloadable: true,
        ..Declaration::setting("anom_sensitivity", detector!(SENSITIVITY, anomaly.criteria.sensitivity))
    },
    Declaration {
        value: "P",
        default: "0.6",
        help: "Score above which traffic is an anomaly",
        keys: &[("anomaly", "threshold")],
        variable: Some("TRAFFICMONITOR_ANOM_THRESHOLD"),
        reloadable: true,
        ..Declaration::setting("anom.threshold", detector!(PROBABILITY, anomaly.threshold))
    },
    Declaration {
        value: "BYTES",
        default: "0",
        help: "Report no anomaly if the active window has fewer bytes than this",
        keys: &[("anomaly", "min_bytes")],
        variable: Some("TRAFFICMONITOR_ANOM_MIN_BYTES"),
        reloadable: true,
        ..Declaration::setting("anom.min_bytes", detector!(BYTES, anomaly.min_bytes))
    },
    Declaration {
        value: "DURATION",
        default: "5s",
        help: "Length of one measuring interval: 100ms to 1d",
        keys: &[("anomaly", "transfer_interval")],
        variable: Some("TRAFFICMONITOR_TRANSFER_INTERVAL"),
        ..Declaration::setting("transfer_interval", detector!(WINDOW, anomaly.transfer_interval))
    },
    Declaration {
        default: "10000",
        help: "Maximum number of pairs of hosts in the table",
        keys: &[("anomaly", "max_pairs")],
        ..Declaration::unnamed(detector!(ENTRIES, anomaly.max_pairs))
    },
    Declaration {
        value: "CIDR",
        default: "0.0.0.0/0",
        help: "Network for -filter_src and -filter_dst; 0.0.0.0/0 matches every address, IPv6 included",
        keys: &[("anomaly", "filter_network")],
        variable: Some("TRAFFICMONITOR_FILTER_IP_CIDR"),
        reloadable: true,
        ..Declaration::setting("filter_ip_CIDR", FILTER_NETWORK)
    },
    Declaration {
        default: "true",
        help: "Make -filter_src and -filter_dst accept addresses inside the network; false: addresses outside it",
        keys: &[("anomaly", "filter_inside")],
        variable: Some("TRAFFICMONITOR_FILTER_BOOL"),
        reloadable: true,
        ..Declaration::switch("filter_bool", detector!(TruthValue, anomaly.filter.is_inside))
    },
    Declaration {
        default: "false",
        help: "Detect anomalies only in traffic whose source address -filter_ip_CIDR accepts",
        keys: &[("anomaly", "filter_source")],
        variable: Some("TRAFFICMONITOR_FILTER_SRC"),
        reloadable: true,
        ..Declaration::switch("filter_src", detector!(TruthValue, anomaly.filter.by_source))
    },
    Declaration {
        default: "false",
        help: "Detect anomalies only in traffic whose destination address -filter_ip_CIDR accepts",
        keys: &[("anomaly", "filter_destination")],
        variable: Some("TRAFFICMONITOR_FILTER_DST"),
        reloadable: true,
        ..Declaration::switch("filter_dst", detector!(TruthValue, anomaly.filter.by_destination))
    },
];

const METHODS: Access = Access {
    apply: |config, given| {
        criteria(config).methods = ListOf(METHOD).read(given)?.into_iter().collect();
        Ok(())
    },
    show: |config| match &config.detect.anomaly {
        Some(anomaly) => ListOf(METHOD).show(&anomaly.criteria.methods.iter().collect()),
        None => Content::Null,
    },
    ..access!(ListOf(METHOD))
};

/// The two bounds make one fence once both are known.
const LOWER_BOUND: Access = Access { show: |config| bound(config, Fence::lower), ..access!(BOUND) };
const UPPER_BOUND: Access = Access { show: |config| bound(config, |fence| Some(fence.upper())), ..access!(BOUND) };

fn bound(config: &Config, of: impl FnOnce(Fence) -> Option<f64>) -> Content {
    let fence = config.detect.anomaly.as_ref().and_then(|anomaly| anomaly.criteria.fence);
    fence.and_then(of).map_or(Content::Null, |bound| BOUND.show(&bound))
}

fn criteria(config: &mut Config) -> &mut Criteria {
    &mut config.detect.anomaly.get_or_insert_default().criteria
}

const FILTER_NETWORK: Access = Access {
    apply: |config, given| {
        let network = NETWORK.read(given)?;
        config.detect.anomaly.get_or_insert_default().filter.network = network.trunc();
        config.notices.extend(super::host_bits(given, &network));
        Ok(())
    },
    ..detector!(NETWORK, anomaly.filter.network)
};
