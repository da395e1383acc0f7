//! Declarations: the anomaly detector. The options have wherefore's names. Gives the declarations. Must not know where
//! a value comes from.

use super::{access, detector};
use crate::config::Config;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::given::Content;
use crate::config::kinds::addresses::NETWORK;
use crate::config::kinds::durations::WINDOW;
use crate::config::kinds::keywords::{BOOLEAN, METHOD};
use crate::config::kinds::numbers::{BOUND, BYTES, ENTRIES, PROBABILITY, SENSITIVITY};
use crate::config::kinds::{ListOf, ValueKind as _};
use crate::detect::anomaly::{Criteria, Fence};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("anomaly", "alerts")], detector!(BOOLEAN, anomaly.alerts))
        .switch("anom.alerts", "TRAFFICMONITOR_ANOM_ALERTS", "false")
        .live()
        .help("Enable anomaly alerts (implied by any other -anom_ or --anom. option)"),
    setting(&[("anomaly", "methods")], METHODS)
        .named("anom_methods", "TRAFFICMONITOR_ANOM_METHODS", "METHOD,...", "diff,fence,highrank,lowrank,magnitude")
        .taking(Arity::List)
        .live()
        .help("Anomaly tests to use: cdf, diff, fence (needs a bound), highrank, ks, lowrank, magnitude"),
    setting(&[("anomaly", "active_size")], detector!(ENTRIES, anomaly.criteria.active_size))
        .named("anom_active_size", "TRAFFICMONITOR_ANOM_ACTIVE_SIZE", "N", "1")
        .live()
        .help("Size of the active window: how many of a pair's latest values are judged"),
    setting(&[("anomaly", "seasons")], detector!(ENTRIES, anomaly.criteria.seasons))
        .named("anom_n_seasons", "TRAFFICMONITOR_ANOM_N_SEASONS", "N", "4")
        .live()
        .help("Size of the reference window, in multiples of the active window; at least 4 values"),
    setting(&[("anomaly", "capacity")], detector!(ENTRIES, anomaly.capacity))
        .named("anom_gv_cap", "TRAFFICMONITOR_ANOM_GV_CAP", "N", "10")
        .live()
        .help("How many values to keep per pair"),
    setting(&[("anomaly", "lower_bound")], LOWER_BOUND)
        .named("anom_lower_bound", "TRAFFICMONITOR_ANOM_LOWER_BOUND", "BYTES", "5e-324")
        .live()
        .help("Fence test: fewer bytes per transfer interval than this are unusual; 5e-324 means no lower bound"),
    setting(&[("anomaly", "upper_bound")], UPPER_BOUND)
        .named("anom_upper_bound", "TRAFFICMONITOR_ANOM_UPPER_BOUND", "BYTES", "")
        .live()
        .help(
            "Fence test: this many bytes per transfer interval or more are unusual; 5 if only a lower bound is given",
        ),
    setting(&[("anomaly", "sensitivity")], detector!(SENSITIVITY, anomaly.criteria.sensitivity))
        .named("anom_sensitivity", "TRAFFICMONITOR_ANOM_SENSITIVITY", "P", "2")
        .live()
        .help("If the magnitude test scores below this, no anomaly is reported; values above 1 disable that"),
    setting(&[("anomaly", "threshold")], detector!(PROBABILITY, anomaly.threshold))
        .named("anom.threshold", "TRAFFICMONITOR_ANOM_THRESHOLD", "P", "0.6")
        .live()
        .help("Score above which traffic is an anomaly"),
    setting(&[("anomaly", "min_bytes")], detector!(BYTES, anomaly.min_bytes))
        .named("anom.min_bytes", "TRAFFICMONITOR_ANOM_MIN_BYTES", "BYTES", "0")
        .live()
        .help("Report no anomaly if the active window has fewer bytes than this"),
    setting(&[("anomaly", "transfer_interval")], detector!(WINDOW, anomaly.transfer_interval))
        .named("transfer_interval", "TRAFFICMONITOR_TRANSFER_INTERVAL", "DURATION", "5s")
        .live()
        .help("Length of one measuring interval: 100ms to 1d"),
    setting(&[("anomaly", "max_pairs")], detector!(ENTRIES, anomaly.max_pairs))
        .value("N", "10000")
        .live()
        .help("Maximum number of pairs of hosts in the table"),
    setting(&[("anomaly", "filter_network")], FILTER_NETWORK)
        .named("filter_ip_CIDR", "TRAFFICMONITOR_FILTER_IP_CIDR", "CIDR", "0.0.0.0/0")
        .live()
        .help("Network for -filter_src and -filter_dst; 0.0.0.0/0 matches every address, IPv6 included"),
    setting(&[("anomaly", "filter_inside")], detector!(BOOLEAN, anomaly.filter.is_inside))
        .switch("filter_bool", "TRAFFICMONITOR_FILTER_BOOL", "true")
        .live()
        .help("Make -filter_src and -filter_dst accept addresses inside the network; false: addresses outside it"),
    setting(&[("anomaly", "filter_source")], detector!(BOOLEAN, anomaly.filter.by_source))
        .switch("filter_src", "TRAFFICMONITOR_FILTER_SRC", "false")
        .live()
        .help("Detect anomalies only in traffic whose source address -filter_ip_CIDR accepts"),
    setting(&[("anomaly", "filter_destination")], detector!(BOOLEAN, anomaly.filter.by_destination))
        .switch("filter_dst", "TRAFFICMONITOR_FILTER_DST", "false")
        .live()
        .help("Detect anomalies only in traffic whose destination address -filter_ip_CIDR accepts"),
];

const METHODS: Access = Access {
    apply: |config, given| {
        criteria(config).methods = ListOf(METHOD).parse_given(given)?.into_iter().collect();
        Ok(())
    },
    show: |config| match &config.detect.anomaly {
        Some(anomaly) => ListOf(METHOD).show(&anomaly.criteria.methods.iter().collect()),
        None => Content::Null,
    },
    is_same: |one, other| match (&one.detect.anomaly, &other.detect.anomaly) {
        (Some(one), Some(other)) => one.criteria.methods == other.criteria.methods,
        _ => true,
    },
    ..access!(ListOf(METHOD))
};

/// The two bounds make one fence once both are known.
const LOWER_BOUND: Access = Access {
    show: |config| bound(config, Fence::lower),
    is_same: |one, other| bound(one, Fence::lower) == bound(other, Fence::lower),
    ..access!(BOUND)
};
const UPPER_BOUND: Access = Access {
    show: |config| bound(config, |fence| Some(fence.upper())),
    is_same: |one, other| {
        let upper = |config| bound(config, |fence: Fence| Some(fence.upper()));
        upper(one) == upper(other)
    },
    ..access!(BOUND)
};

fn bound(config: &Config, of: impl FnOnce(Fence) -> Option<f64>) -> Content {
    let fence = config.detect.anomaly.as_ref().and_then(|anomaly| anomaly.criteria.fence);
    fence.and_then(of).map_or(Content::Null, |bound| BOUND.show(&bound))
}

fn criteria(config: &mut Config) -> &mut Criteria {
    &mut config.detect.anomaly.get_or_insert_default().criteria
}

const FILTER_NETWORK: Access = Access {
    apply: |config, given| {
        let network = NETWORK.parse_given(given)?;
        config.detect.anomaly.get_or_insert_default().filter.network = network.trunc();
        config.notices.extend(super::host_bits(given, &network));
        Ok(())
    },
    ..detector!(NETWORK, anomaly.filter.network)
};
