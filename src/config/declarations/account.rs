//! Declarations: local networks, and how flows are counted.

use ipnet::IpNet;

use super::access;
use crate::config::declaration::{Access, Arity, Declaration};
use crate::config::kinds::addresses::{ADDRESS, NETWORK};
use crate::config::kinds::durations::IDLE_TIMEOUT;
use crate::config::kinds::keywords::FLOW_KEY;
use crate::config::kinds::numbers::ENTRIES;
use crate::config::kinds::{ListOf, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    Declaration {
        value: "CIDR,...",
        arity: Arity::List,
        default: "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        help: "Local networks; replaces the default list. A single address is a network of one host",
        keys: &[("locality", "networks")],
        variable: Some("TRAFFICMONITOR_LOCAL_NETWORKS"),
        ..Declaration::setting("localNetworks", NETWORKS)
    },
    Declaration {
        value: "ADDR[/BITS],...",
        arity: Arity::List,
        help: "Further addresses of this host, in addition to those of its interfaces",
        keys: &[("locality", "own_addresses")],
        variable: Some("TRAFFICMONITOR_LOCAL_IPS"),
        ..Declaration::setting("localIPs", access!(ListOf(ADDRESS), config.locality.own_addresses))
    },
    Declaration {
        value: "KEY",
        default: "service",
        help: "What identifies a flow: service (ephemeral ports merged), dst-port (every destination port) or pair (no ports)",
        keys: &[("account", "flow_key")],
        variable: Some("TRAFFICMONITOR_FLOW_KEY"),
        ..Declaration::setting("flow-key", access!(FLOW_KEY, config.account.flow_keying))
    },
    Declaration {
        value: "N",
        default: "65536",
        help: "Capacity of the flow table; traffic of further flows is counted as `other`",
        keys: &[("account", "max_flows")],
        variable: Some("TRAFFICMONITOR_MAX_FLOWS"),
        ..Declaration::setting("max-flows", access!(ENTRIES, config.account.max_flows))
    },
    Declaration {
        value: "N",
        default: "10000",
        help: "Maximum number of flows exported as series, heaviest first; not more than --max-flows",
        keys: &[("account", "max_series")],
        variable: Some("TRAFFICMONITOR_MAX_SERIES"),
        ..Declaration::setting("max-series", access!(ENTRIES, config.account.max_series))
    },
    Declaration {
        value: "N",
        default: "16384",
        help: "Capacity of the host table; each direction of a host is one entry",
        keys: &[("account", "max_hosts")],
        variable: Some("TRAFFICMONITOR_MAX_HOSTS"),
        ..Declaration::setting("max-hosts", access!(ENTRIES, config.account.max_hosts))
    },
    Declaration {
        value: "N",
        default: "1000",
        help: "Maximum number of hosts exported as series, heaviest first; not more than --max-hosts",
        keys: &[("account", "max_host_series")],
        variable: Some("TRAFFICMONITOR_MAX_HOST_SERIES"),
        ..Declaration::setting("max-host-series", access!(ENTRIES, config.account.max_host_series))
    },
    Declaration {
        value: "DURATION",
        default: "15m",
        help: "Remove flows and hosts idle for this long (live capture only)",
        keys: &[("account", "idle_timeout")],
        variable: Some("TRAFFICMONITOR_IDLE_TIMEOUT"),
        reloadable: true,
        ..Declaration::setting("idle-timeout", access!(IDLE_TIMEOUT, config.account.idle_timeout))
    },
];

const NETWORKS: Access = Access {
    apply: |config, given| {
        let networks = ListOf(NETWORK).read(given)?;
        config.locality.networks = networks.iter().map(IpNet::trunc).collect();
        config.notices.extend(networks.iter().filter_map(|network| super::host_bits(given, network)));
        Ok(())
    },
    ..access!(ListOf(NETWORK), config.locality.networks)
};
