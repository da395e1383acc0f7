//! Declarations: local networks and the counting of flows. Gives the declarations. Must not know where a value comes
//! from.

use ipnet::IpNet;

use super::access;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::kinds::addresses::{ADDRESS, NETWORK};
use crate::config::kinds::durations::IDLE_TIMEOUT;
use crate::config::kinds::keywords::FLOW_KEY;
use crate::config::kinds::numbers::ENTRIES;
use crate::config::kinds::{ListOf, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("locality", "networks")], NETWORKS)
        .named("localNetworks", "TRAFFICMONITOR_LOCAL_NETWORKS", "CIDR,...", "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7")
        .taking(Arity::List)
        .live()
        .help("Local networks; replaces the default list. A single address is a network of one host"),
    setting(&[("locality", "own_addresses")], access!(ListOf(ADDRESS), config.locality.own_addresses))
        .named("localIPs", "TRAFFICMONITOR_LOCAL_IPS", "ADDR[/BITS],...", "")
        .taking(Arity::List)
        .live()
        .help("Further addresses of this host, in addition to those of its interfaces"),
    setting(&[("account", "flow_key")], access!(FLOW_KEY, config.account.flow_keying))
        .named("flow-key", "TRAFFICMONITOR_FLOW_KEY", "KEY", "service")
        .help("What identifies a flow: service (ephemeral ports merged), dst-port (every destination port) or pair (no ports)"),
    setting(&[("account", "max_flows")], access!(ENTRIES, config.account.max_flows))
        .named("max-flows", "TRAFFICMONITOR_MAX_FLOWS", "N", "65536")
        .live()
        .help("Capacity of the flow table; traffic of further flows is counted as `other`"),
    setting(&[("account", "max_series")], access!(ENTRIES, config.account.max_series))
        .named("max-series", "TRAFFICMONITOR_MAX_SERIES", "N", "10000")
        .live()
        .help("Maximum number of flows exported as series, heaviest first; not more than --max-flows"),
    setting(&[("account", "max_hosts")], access!(ENTRIES, config.account.max_hosts))
        .named("max-hosts", "TRAFFICMONITOR_MAX_HOSTS", "N", "16384")
        .live()
        .help("Capacity of the host table; each direction of a host is one entry"),
    setting(&[("account", "max_host_series")], access!(ENTRIES, config.account.max_host_series))
        .named("max-host-series", "TRAFFICMONITOR_MAX_HOST_SERIES", "N", "1000")
        .live()
        .help("Maximum number of hosts exported as series, heaviest first; not more than --max-hosts"),
    setting(&[("account", "idle_timeout")], access!(IDLE_TIMEOUT, config.account.idle_timeout))
        .named("idle-timeout", "TRAFFICMONITOR_IDLE_TIMEOUT", "DURATION", "15m")
        .live()
        .help("Remove flows and hosts idle for this long, once they were in 30 scrapes (live capture only)"),
];

const NETWORKS: Access = Access {
    apply: |config, given| {
        let networks = ListOf(NETWORK).parse_given(given)?;
        config.locality.networks = networks.iter().map(IpNet::trunc).collect();
        config.notices.extend(networks.iter().filter_map(|network| super::host_bits(given, network)));
        Ok(())
    },
    ..access!(ListOf(NETWORK), config.locality.networks)
};
