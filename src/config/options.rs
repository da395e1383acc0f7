//! The options that are settings, each declared once.
//!
//! The parser, `--help`, the man page, the README's table, the environment and the hints of the YAML reader are all made from here.

use super::option::{Kind, OptionDefinition, Role};

/// Every setting, in the order of the rooms.
pub static SETTINGS: &[OptionDefinition] = &[
    OptionDefinition {
        long: Some("iface"),
        aliases: &["interface"],
        short: Some('i'),
        value: "NAME,...",
        kind: Kind::Repeatable,
        default: "all",
        help: "Interfaces to capture: names, `all` (every one that is up and not loopback, as they come and go) or `any` \
               (libpcap's pseudo-device)",
        key: Some(("capture", "interfaces")),
        variable: Some("TRAFFICMONITOR_IFACE"),
        role: Role::Setting(|settings, texts| settings.capture.interfaces.collect(texts)),
    },
    OptionDefinition {
        long: Some("ExcludedInterfaces"),
        aliases: &[],
        short: None,
        value: "NAME,...",
        kind: Kind::List,
        default: "",
        help: "Interfaces that `all` leaves out; names may stand in double quotes",
        key: Some(("capture", "excluded_interfaces")),
        variable: Some("TRAFFICMONITOR_EXCLUDED_INTERFACES"),
        role: Role::Setting(|settings, texts| settings.capture.excluded_interfaces.set(texts)),
    },
    OptionDefinition {
        long: Some("filter"),
        aliases: &[],
        short: Some('f'),
        value: "EXPR",
        kind: Kind::Value,
        default: "",
        help: "BPF filter (pcap-filter(7)); may also stand as words behind the options",
        key: Some(("capture", "filter")),
        variable: Some("TRAFFICMONITOR_FILTER"),
        role: Role::Setting(|settings, texts| settings.capture.filter.set(texts)),
    },
    OptionDefinition {
        long: Some("promisc"),
        aliases: &[],
        short: None,
        value: "",
        kind: Kind::Switch,
        default: "false",
        help: "Promiscuous mode: capture frames for other hosts too; not with `any`",
        key: Some(("capture", "promiscuous")),
        variable: Some("TRAFFICMONITOR_PROMISC"),
        role: Role::Setting(|settings, texts| settings.capture.promiscuous.set(texts)),
    },
    OptionDefinition {
        long: Some("snaplen"),
        aliases: &[],
        short: Some('s'),
        value: "BYTES",
        kind: Kind::Value,
        default: "1500",
        help: "Bytes kept of a packet, 0 to 65535; 0 and 65536 mean 65535",
        key: Some(("capture", "snap_length")),
        variable: Some("TRAFFICMONITOR_SNAPLEN"),
        role: Role::Setting(|settings, texts| settings.capture.snap_length.set(texts)),
    },
    OptionDefinition {
        long: Some("buffer-size"),
        aliases: &[],
        short: None,
        value: "SIZE",
        kind: Kind::Value,
        default: "32MiB",
        help: "Kernel ring of a capture handle, such as 32MiB, 32M or plain bytes",
        key: Some(("capture", "buffer_size")),
        variable: Some("TRAFFICMONITOR_BUFFER_SIZE"),
        role: Role::Setting(|settings, texts| settings.capture.buffer_size.set(texts)),
    },
    OptionDefinition {
        long: Some("capture.workers"),
        aliases: &[],
        short: None,
        value: "N",
        kind: Kind::Value,
        default: "1",
        help: "Capture threads an interface, each with a ring of its own, that share its packets: 1 to 64, at most four a core",
        key: Some(("capture", "workers")),
        variable: Some("TRAFFICMONITOR_CAPTURE_WORKERS"),
        role: Role::Setting(|settings, texts| settings.capture.workers.set(texts)),
    },
    OptionDefinition {
        long: None,
        aliases: &[],
        short: Some('w'),
        value: "DURATION",
        kind: Kind::Value,
        default: "100ms",
        help: "Read timeout: how long libpcap may hold packets back; above 500ms it is taken as 500ms",
        key: Some(("capture", "read_timeout")),
        variable: Some("TRAFFICMONITOR_READ_TIMEOUT"),
        role: Role::Setting(|settings, texts| settings.capture.read_timeout.set(texts)),
    },
    OptionDefinition {
        long: Some("pcapfile"),
        aliases: &[],
        short: Some('r'),
        value: "FILE",
        kind: Kind::Value,
        default: "",
        help: "Read this capture file instead of interfaces, on packet time, and go on serving its final state; `-` is \
               standard input",
        key: Some(("capture", "pcap_file")),
        variable: Some("TRAFFICMONITOR_PCAPFILE"),
        role: Role::Setting(|settings, texts| settings.capture.pcap_file.set(texts)),
    },
    OptionDefinition {
        long: Some("localNetworks"),
        aliases: &[],
        short: None,
        value: "CIDR,...",
        kind: Kind::List,
        default: "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        help: "Local networks; a given list replaces the default. An address alone is a network of one host",
        key: Some(("locality", "networks")),
        variable: Some("TRAFFICMONITOR_LOCAL_NETWORKS"),
        role: Role::Setting(|settings, texts| settings.locality.networks.set(texts)),
    },
    OptionDefinition {
        long: Some("localIPs"),
        aliases: &[],
        short: None,
        value: "ADDR[/BITS],...",
        kind: Kind::List,
        default: "",
        help: "Addresses that are this host's, besides those of its interfaces",
        key: Some(("locality", "own_addresses")),
        variable: Some("TRAFFICMONITOR_LOCAL_IPS"),
        role: Role::Setting(|settings, texts| settings.locality.own_addresses.set(texts)),
    },
    OptionDefinition {
        long: Some("flow-key"),
        aliases: &[],
        short: None,
        value: "KEY",
        kind: Kind::Value,
        default: "service",
        help: "What tells flows apart: service (ephemeral ports folded away), dst-port or pair (no ports)",
        key: Some(("account", "flow_key")),
        variable: Some("TRAFFICMONITOR_FLOW_KEY"),
        role: Role::Setting(|settings, texts| settings.account.flow_key.set(texts)),
    },
    OptionDefinition {
        long: Some("max-flows"),
        aliases: &[],
        short: None,
        value: "N",
        kind: Kind::Value,
        default: "65536",
        help: "Flows held at once; what comes beyond is counted as `other`",
        key: Some(("account", "max_flows")),
        variable: Some("TRAFFICMONITOR_MAX_FLOWS"),
        role: Role::Setting(|settings, texts| settings.account.max_flows.set(texts)),
    },
    OptionDefinition {
        long: Some("max-series"),
        aliases: &[],
        short: None,
        value: "N",
        kind: Kind::Value,
        default: "10000",
        help: "Flows shown to Prometheus, the heaviest; at most as many as are held",
        key: Some(("account", "max_series")),
        variable: Some("TRAFFICMONITOR_MAX_SERIES"),
        role: Role::Setting(|settings, texts| settings.account.max_series.set(texts)),
    },
    OptionDefinition {
        long: Some("max-hosts"),
        aliases: &[],
        short: None,
        value: "N",
        kind: Kind::Value,
        default: "16384",
        help: "Hosts held at once, each direction by itself",
        key: Some(("account", "max_hosts")),
        variable: Some("TRAFFICMONITOR_MAX_HOSTS"),
        role: Role::Setting(|settings, texts| settings.account.max_hosts.set(texts)),
    },
    OptionDefinition {
        long: Some("max-host-series"),
        aliases: &[],
        short: None,
        value: "N",
        kind: Kind::Value,
        default: "1000",
        help: "Hosts shown to Prometheus, the heaviest; at most as many as are held",
        key: Some(("account", "max_host_series")),
        variable: Some("TRAFFICMONITOR_MAX_HOST_SERIES"),
        role: Role::Setting(|settings, texts| settings.account.max_host_series.set(texts)),
    },
    OptionDefinition {
        long: Some("idle-timeout"),
        aliases: &[],
        short: None,
        value: "DURATION",
        kind: Kind::Value,
        default: "15m",
        help: "Live, a flow or host that rested for so long leaves",
        key: Some(("account", "idle_timeout")),
        variable: Some("TRAFFICMONITOR_IDLE_TIMEOUT"),
        role: Role::Setting(|settings, texts| settings.account.idle_timeout.set(texts)),
    },
    OptionDefinition {
        long: Some("metrics.seed"),
        aliases: &[],
        short: None,
        value: "",
        kind: Kind::Switch,
        default: "true",
        help: "Export hosts_src_dst, total_incoming and total_outgoing",
        key: Some(("export", "seed_families")),
        variable: Some("TRAFFICMONITOR_METRICS_SEED"),
        role: Role::Setting(|settings, texts| settings.export.seed_families.set(texts)),
    },
    OptionDefinition {
        long: Some("metrics.flow_packets"),
        aliases: &[],
        short: None,
        value: "",
        kind: Kind::Switch,
        default: "false",
        help: "Export flows in packets too: as many series again as flows are shown",
        key: Some(("export", "flow_packets")),
        variable: Some("TRAFFICMONITOR_METRICS_FLOW_PACKETS"),
        role: Role::Setting(|settings, texts| settings.export.flow_packets.set(texts)),
    },
    OptionDefinition {
        long: Some("metrics.created"),
        aliases: &[],
        short: None,
        value: "",
        kind: Kind::Switch,
        default: "false",
        help: "Say in OpenMetrics when each counter began at 0; Prometheus 2 stores that as series of their own",
        key: Some(("export", "created")),
        variable: Some("TRAFFICMONITOR_METRICS_CREATED"),
        role: Role::Setting(|settings, texts| settings.export.created.set(texts)),
    },
    OptionDefinition {
        long: Some("promHTTP"),
        aliases: &["web.listen-address"],
        short: None,
        value: "[HOST]:PORT",
        kind: Kind::Repeatable,
        default: ":8888",
        help: "Where to serve /metrics; :8888 means all addresses, IPv6 and IPv4",
        key: Some(("http", "listen")),
        variable: Some("TRAFFICMONITOR_PROM_HTTP"),
        role: Role::Setting(|settings, texts| settings.http.listen.collect(texts)),
    },
    OptionDefinition {
        long: Some("promRefresh"),
        aliases: &[],
        short: None,
        value: "SECONDS",
        kind: Kind::Value,
        default: "5",
        help: "How often the published snapshot is renewed: seconds (5, 0.5) or a duration (5s)",
        key: Some(("pipeline", "refresh")),
        variable: Some("TRAFFICMONITOR_PROM_REFRESH"),
        role: Role::Setting(|settings, texts| settings.pipeline.refresh.set(texts)),
    },
    OptionDefinition {
        long: Some("log.level"),
        aliases: &["loglevel"],
        short: None,
        value: "LEVEL",
        kind: Kind::Value,
        default: "info",
        help: "The program's own log: error, warn, info, debug or trace",
        key: Some(("log", "level")),
        variable: Some("TRAFFICMONITOR_LOG_LEVEL"),
        role: Role::Setting(|settings, texts| settings.log.level.set(texts)),
    },
    OptionDefinition {
        long: Some("log.format"),
        aliases: &[],
        short: None,
        value: "FORMAT",
        kind: Kind::Value,
        default: "logfmt",
        help: "The form of its lines on standard error: logfmt or json",
        key: Some(("log", "format")),
        variable: Some("TRAFFICMONITOR_LOG_FORMAT"),
        role: Role::Setting(|settings, texts| settings.log.format.set(texts)),
    },
];

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::option::{Origin, Text};
    use super::super::{Config, Settings};
    use super::*;

    fn apply(settings: &mut Settings, definition: &OptionDefinition, text: &str) {
        let Role::Setting(apply) = definition.role else { panic!("{} is no setting", definition.id()) };
        let text = Text { value: OsString::from(text), origin: Origin::Option(definition.id()) };
        apply(settings, &[text]).unwrap();
    }

    #[test]
    fn the_defaults_as_text_are_the_defaults_of_the_rooms() {
        let mut settings = Settings::default();
        for definition in SETTINGS {
            apply(&mut settings, definition, definition.default);
        }
        assert_eq!(settings.validate().unwrap(), Config::default());
    }

    #[test]
    fn every_key_of_the_file_is_an_option_and_every_option_a_key() {
        let mut of_options: Vec<_> = SETTINGS.iter().filter_map(|definition| definition.key).collect();
        let mut of_file: Vec<_> =
            Settings::KEYS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key))).collect();
        of_options.sort_unstable();
        of_file.sort_unstable();
        assert_eq!(of_options, of_file);
    }

    #[test]
    fn an_option_fills_the_key_it_names_and_no_other() {
        for definition in SETTINGS {
            let Some((section, key)) = definition.key else { panic!("{} has no key", definition.id()) };
            let example = match key {
                "excluded_interfaces" => "lo",
                "filter" => "tcp",
                "pcap_file" => "a.pcap",
                "own_addresses" => "192.0.2.1",
                _ => definition.default,
            };
            let mut settings = Settings::default();
            apply(&mut settings, definition, example);
            let json = serde_json::to_value(&settings).unwrap();
            for (other_section, keys) in Settings::KEYS {
                for other in *keys {
                    let filled = !json[other_section][other].is_null();
                    assert_eq!(filled, (*other_section, *other) == (section, key), "{} and {other}", definition.id());
                }
            }
        }
    }
}
