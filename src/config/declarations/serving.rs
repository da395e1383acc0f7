//! Declarations: the exported metrics, the HTTP server and the program's own log.

use super::access;
use crate::config::declaration::{Access, Arity, Declaration};
use crate::config::kinds::addresses::LISTEN_ADDRESS;
use crate::config::kinds::durations::REFRESH;
use crate::config::kinds::keywords::{LOG_FORMAT, LOG_LEVEL, TruthValue};
use crate::config::kinds::{ListOf, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    Declaration {
        default: "true",
        help: "Export hosts_src_dst, total_incoming and total_outgoing",
        keys: &[("export", "seed_families")],
        variable: Some("TRAFFICMONITOR_METRICS_SEED"),
        reloadable: true,
        ..Declaration::switch("metrics.seed", access!(TruthValue, config.export.seed_families))
    },
    Declaration {
        default: "false",
        help: "Also export packets per flow; doubles the number of flow series",
        keys: &[("export", "flow_packets")],
        variable: Some("TRAFFICMONITOR_METRICS_FLOW_PACKETS"),
        reloadable: true,
        ..Declaration::switch("metrics.flow_packets", access!(TruthValue, config.export.flow_packets))
    },
    Declaration {
        default: "false",
        help: "Add the _created time of each counter to OpenMetrics output; Prometheus 2 stores these as extra series",
        keys: &[("export", "created")],
        variable: Some("TRAFFICMONITOR_METRICS_CREATED"),
        reloadable: true,
        ..Declaration::switch("metrics.created", access!(TruthValue, config.export.created))
    },
    Declaration {
        aliases: &["web.listen-address"],
        value: "[HOST]:PORT",
        arity: Arity::Repeatable,
        default: ":8888",
        help: "Address to serve /metrics on; :8888 means all addresses, IPv6 and IPv4",
        keys: &[("http", "listen")],
        variable: Some("TRAFFICMONITOR_PROM_HTTP"),
        ..Declaration::setting("promHTTP", LISTEN)
    },
    Declaration {
        value: "SECONDS",
        default: "5",
        help: "How often the exported figures are refreshed: seconds (5, 0.5) or a duration (5s)",
        keys: &[("pipeline", "refresh")],
        variable: Some("TRAFFICMONITOR_PROM_REFRESH"),
        reloadable: true,
        ..Declaration::setting("promRefresh", access!(REFRESH, config.pipeline.refresh))
    },
    Declaration {
        aliases: &["loglevel"],
        value: "LEVEL",
        default: "info",
        help: "Level of the program's own log: error, warn, info, debug or trace",
        keys: &[("log", "level")],
        variable: Some("TRAFFICMONITOR_LOG_LEVEL"),
        reloadable: true,
        ..Declaration::setting("log.level", access!(LOG_LEVEL, config.log.level))
    },
    Declaration {
        value: "FORMAT",
        default: "logfmt",
        help: "Format of the log on standard error and of the alert lines on standard output: logfmt or json",
        keys: &[("log", "format")],
        variable: Some("TRAFFICMONITOR_LOG_FORMAT"),
        ..Declaration::setting("log.format", access!(LOG_FORMAT, config.log.format))
    },
];

const LISTEN: Access = Access {
    apply: |config, given| {
        config.http.listen = super::without_repeats(ListOf(LISTEN_ADDRESS).read(given)?);
        Ok(())
    },
    ..access!(ListOf(LISTEN_ADDRESS), config.http.listen)
};
