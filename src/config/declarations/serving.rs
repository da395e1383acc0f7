//! Declarations: the exported metrics, the HTTP server, the program's own log and its rights. Gives the declarations.
//! Must not know where a value comes from.

use super::access;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::kinds::addresses::{FILE_NAME, LISTEN_ADDRESS, PAGES_URL};
use crate::config::kinds::durations::REFRESH;
use crate::config::kinds::keywords::{BOOLEAN, LOG_FORMAT, LOG_LEVEL, SANDBOX};
use crate::config::kinds::{ListOf, ValueKind as _};
use crate::config::without_repeats;

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("export", "seed_families")], access!(BOOLEAN, config.export.seed_families))
        .switch("metrics.seed", "TRAFFICMONITOR_METRICS_SEED", "true")
        .live()
        .help("Export hosts_src_dst, total_incoming and total_outgoing"),
    setting(&[("export", "flow_packets")], access!(BOOLEAN, config.export.flow_packets))
        .switch("metrics.flow_packets", "TRAFFICMONITOR_METRICS_FLOW_PACKETS", "false")
        .live()
        .help("Also export packets per flow; doubles the number of flow series"),
    setting(&[("export", "created")], access!(BOOLEAN, config.export.created))
        .switch("metrics.created", "TRAFFICMONITOR_METRICS_CREATED", "false")
        .live()
        .help("Add the _created time of each counter to OpenMetrics output; Prometheus 2 stores these as extra series"),
    setting(&[("http", "listen")], LISTEN)
        .named("promHTTP", "TRAFFICMONITOR_PROM_HTTP", "[HOST]:PORT", ":8888")
        .aliases(&["web.listen-address"])
        .taking(Arity::Repeatable)
        .help("Address to serve /metrics on; :8888 means all addresses, IPv6 and IPv4"),
    setting(&[("http", "prometheus_url")], access!(PAGES_URL, optional config.http.prometheus_url))
        .named("web.prometheus-url", "TRAFFICMONITOR_WEB_PROMETHEUS_URL", "URL", "")
        .live()
        .help("URL of the Prometheus that reads these metrics, for links of the dashboard"),
    setting(&[("http", "web_config_file")], access!(FILE_NAME, optional config.http.web_config_file))
        .named("web.config.file", "TRAFFICMONITOR_WEB_CONFIG_FILE", "FILE", "")
        .help("File with TLS, users and headers of the HTTP server, as Prometheus' exporters have it; it is read again when it changes"),
    setting(&[("http", "enable_lifecycle")], access!(BOOLEAN, config.http.enables_lifecycle))
        .switch("web.enable-lifecycle", "TRAFFICMONITOR_WEB_ENABLE_LIFECYCLE", "false")
        .help("Reload the configuration on POST /-/reload too, not only on SIGHUP; clients need the same access as for other pages"),
    setting(&[("pipeline", "refresh")], access!(REFRESH, config.pipeline.refresh))
        .named("promRefresh", "TRAFFICMONITOR_PROM_REFRESH", "SECONDS", "5")
        .live()
        .help("How often the exported figures are refreshed: seconds (5, 0.5) or a duration (5s)"),
    setting(&[("log", "level")], access!(LOG_LEVEL, config.log.level))
        .named("log.level", "TRAFFICMONITOR_LOG_LEVEL", "LEVEL", "info")
        .aliases(&["loglevel"])
        .live()
        .help("Level of the program's own log: error, warn, info, debug or trace"),
    setting(&[("log", "format")], access!(LOG_FORMAT, config.log.format))
        .named("log.format", "TRAFFICMONITOR_LOG_FORMAT", "FORMAT", "logfmt")
        .help("Format of the log on standard error and of the alert lines on standard output: logfmt or json"),
    setting(&[("process", "sandbox")], access!(SANDBOX, config.sandbox))
        .named("sandbox", "TRAFFICMONITOR_SANDBOX", "MODE", "auto")
        .help("Give up rights that are not needed: off, auto (as many as the kernel and the configuration allow) or strict (all, or refuse to start)"),
];

const LISTEN: Access = Access {
    apply: |config, given| {
        config.http.listen = without_repeats(ListOf(LISTEN_ADDRESS).parse_given(given)?);
        Ok(())
    },
    ..access!(ListOf(LISTEN_ADDRESS), config.http.listen)
};
