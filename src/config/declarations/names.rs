//! Declarations: the sources of names. Gives the declarations. Must not know where a value comes from.

use super::access;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::kinds::addresses::{FILE_NAME, RESOLVER};
use crate::config::kinds::keywords::BOOLEAN;
use crate::config::kinds::numbers::ENTRIES;
use crate::config::kinds::{ListOf, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("names", "reverse_dns")], access!(BOOLEAN, config.names.reverse_dns))
        .switch("names.reverse_dns", "TRAFFICMONITOR_NAMES_REVERSE_DNS", "false")
        .help("Ask DNS for the names of the hosts that are displayed; this sends their addresses to the resolver"),
    setting(&[("names", "resolver")], access!(RESOLVER, optional config.names.resolver))
        .named("names.resolver", "TRAFFICMONITOR_NAMES_RESOLVER", "ADDRESS[:PORT]", "")
        .help("DNS server to ask, instead of those in /etc/resolv.conf"),
    setting(&[("names", "lease_files")], access!(ListOf(FILE_NAME), config.names.lease_files))
        .named("names.lease_files", "TRAFFICMONITOR_NAMES_LEASE_FILES", "FILE", "")
        .taking(Arity::List)
        .help("Lease files of dnsmasq, ISC dhcpd or Kea, with the names that hosts gave; read again when they change"),
    setting(&[("names", "hosts_file")], access!(FILE_NAME, optional config.names.hosts_file))
        .named("names.hosts_file", "TRAFFICMONITOR_NAMES_HOSTS_FILE", "FILE", "")
        .help("File with addresses and names, such as /etc/hosts"),
    setting(&[("names", "neighbours")], access!(BOOLEAN, config.names.neighbours))
        .switch("names.neighbours", "TRAFFICMONITOR_NAMES_NEIGHBOURS", "true")
        .help("Read the MAC addresses of local devices from the kernel, and show all addresses of a device together"),
    setting(&[("names", "oui_file")], access!(FILE_NAME, optional config.names.oui_file))
        .named("names.oui_file", "TRAFFICMONITOR_NAMES_OUI_FILE", "FILE", "")
        .help("List of the vendors of MAC addresses: IEEE's oui.csv or oui.txt, or Wireshark's manuf; without it the one that \
               the system has"),
    setting(&[("names", "country_file")], access!(FILE_NAME, optional config.names.country_file))
        .named("names.country_file", "TRAFFICMONITOR_NAMES_COUNTRY_FILE", "FILE", "")
        .help("Database of countries in MaxMind's format (.mmdb); read again when it is replaced"),
    setting(&[("names", "asn_file")], access!(FILE_NAME, optional config.names.asn_file))
        .named("names.asn_file", "TRAFFICMONITOR_NAMES_ASN_FILE", "FILE", "")
        .help("Database of autonomous systems in MaxMind's format (.mmdb); read again when it is replaced"),
    setting(&[("names", "processes")], access!(BOOLEAN, config.names.processes))
        .switch("names.processes", "TRAFFICMONITOR_NAMES_PROCESSES", "false")
        .help("Show the process and the container of this host's flows; those of other users need CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"),
    setting(&[("names", "max_hosts")], access!(ENTRIES, config.names.max_hosts))
        .named("names.max_hosts", "TRAFFICMONITOR_NAMES_MAX_HOSTS", "N", "8192")
        .help("Maximum number of hosts with names, and of names in the cache of reverse DNS; the hosts with the most bytes have them"),
];
