//! IANA's names of ports and protocols. Takes numbers; gives names. Must not know flows or labels.
//!
//! The list of ports is compiled in (`ports.tsv`, made by `scripts/services.mjs`; source and licence in NOTICE). So a
//! capture has the same names on every machine, whatever its `/etc/services` says.

mod ports;

use crate::packet::Protocol;

/// The name of the service that IANA gives `port`, in lower case: `https` for TCP and UDP port 443.
///
/// None where IANA names no service, for port 0 and for protocols other than TCP and UDP. Where it lists several names,
/// the first one. A name is made of `a-z`, `0-9` and `-` only, so that it needs no escaping anywhere.
/// Costs one table look-up; the tables are parsed at the first call.
pub fn service_name(protocol: Protocol, port: u16) -> Option<&'static str> {
    match protocol {
        Protocol::TCP => ports::TABLES.tcp.name(port),
        Protocol::UDP => ports::TABLES.udp.name(port),
        _ => None,
    }
}

/// IANA's keyword of `protocol` in lower case: `tcp`, `ipv6-icmp`. None where IANA has assigned none.
pub fn protocol_name(protocol: Protocol) -> Option<&'static str> {
    PROTOCOLS.get(usize::from(protocol.0)).copied().filter(|keyword| !keyword.is_empty())
}

/// The keyword of each protocol number, up to the last that has one, in lower case; empty where IANA gives none.
///
/// From the registry "Assigned Internet Protocol Numbers"; characters that a label should not hold are hyphens here
/// (`A/N`, `ISIS over IPv4`, `Mobility Header`).
#[rustfmt::skip]
const PROTOCOLS: [&str; 148] = [
    "hopopt", "icmp", "igmp", "ggp", "ipv4", "st", "tcp", "cbt", // 0
    "egp", "igp", "bbn-rcc-mon", "nvp-ii", "pup", "argus", "emcon", "xnet", // 8
    "chaos", "udp", "mux", "dcn-meas", "hmp", "prm", "xns-idp", "trunk-1", // 16
    "trunk-2", "leaf-1", "leaf-2", "rdp", "irtp", "iso-tp4", "netblt", "mfe-nsp", // 24
    "merit-inp", "dccp", "3pc", "idpr", "xtp", "ddp", "idpr-cmtp", "tp++", // 32
    "il", "ipv6", "sdrp", "ipv6-route", "ipv6-frag", "idrp", "rsvp", "gre", // 40
    "dsr", "bna", "esp", "ah", "i-nlsp", "swipe", "narp", "min-ipv4", // 48
    "tlsp", "skip", "ipv6-icmp", "ipv6-nonxt", "ipv6-opts", "", "cftp", "", // 56
    "sat-expak", "kryptolan", "rvd", "ippc", "", "sat-mon", "visa", "ipcv", // 64
    "cpnx", "cphb", "wsn", "pvp", "br-sat-mon", "sun-nd", "wb-mon", "wb-expak", // 72
    "iso-ip", "vmtp", "secure-vmtp", "vines", "iptm", "nsfnet-igp", "dgp", "tcf", // 80
    "eigrp", "ospfigp", "sprite-rpc", "larp", "mtp", "ax.25", "ipip", "micp", // 88
    "scc-sp", "etherip", "encap", "", "gmtp", "ifmp", "pnni", "pim", // 96
    "aris", "scps", "qnx", "a-n", "ipcomp", "snp", "compaq-peer", "ipx-in-ip", // 104
    "vrrp", "pgm", "", "l2tp", "ddx", "iatp", "stp", "srp", // 112
    "uti", "smp", "sm", "ptp", "isis-over-ipv4", "fire", "crtp", "crudp", // 120
    "sscopmce", "iplt", "sps", "pipe", "sctp", "fc", "rsvp-e2e-ignore", "mobility-header", // 128
    "udplite", "mpls-in-ip", "manet", "hip", "shim6", "wesp", "rohc", "ethernet", // 136
    "aggfrag", "nsh", "homa", "bit-emu", // 144
];

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(port: u16) -> Option<&'static str> {
        service_name(Protocol::TCP, port)
    }

    fn udp(port: u16) -> Option<&'static str> {
        service_name(Protocol::UDP, port)
    }

    #[test]
    fn well_known_tcp_ports_have_the_names_people_use() {
        let expected = [
            (20, "ftp-data"),
            (21, "ftp"),
            (22, "ssh"),
            (23, "telnet"),
            (25, "smtp"),
            (53, "domain"),
            (80, "http"),
            (110, "pop3"),
            (143, "imap"),
            (443, "https"),
            (445, "microsoft-ds"),
            (465, "submissions"),
            (587, "submission"),
            (631, "ipp"),
            (853, "domain-s"),
            (993, "imaps"),
            (2049, "nfs"),
            (3306, "mysql"),
            (3389, "ms-wbt-server"),
            (5432, "postgresql"),
            (6000, "x11"),
            (6379, "redis"),
            (6667, "ircu"),
            (8080, "http-alt"),
            (9100, "pdl-datastream"),
        ];
        for (port, name) in expected {
            assert_eq!(tcp(port), Some(name), "TCP port {port}");
        }
    }

    #[test]
    fn well_known_udp_ports_have_the_names_people_use() {
        let expected = [
            (53, "domain"),
            (67, "bootps"),
            (68, "bootpc"),
            (69, "tftp"),
            (123, "ntp"),
            (137, "netbios-ns"),
            (161, "snmp"),
            (443, "https"),
            (500, "isakmp"),
            (514, "syslog"),
            (546, "dhcpv6-client"),
            (1900, "ssdp"),
            (3478, "stun"),
            (4500, "ipsec-nat-t"),
            (4789, "vxlan"),
            (5353, "mdns"),
            (5355, "llmnr"),
        ];
        for (port, name) in expected {
            assert_eq!(udp(port), Some(name), "UDP port {port}");
        }
    }

    #[test]
    fn one_port_may_serve_different_things_over_tcp_and_udp() {
        assert_eq!((tcp(514), udp(514)), (Some("shell"), Some("syslog")));
        assert_eq!((tcp(6379), udp(6379)), (Some("redis"), None));
    }

    #[test]
    fn ports_without_a_service_have_no_name() {
        for port in [0, 4, 50000, 65535] {
            assert_eq!((tcp(port), udp(port)), (None, None), "port {port}");
        }
    }

    #[test]
    fn only_tcp_and_udp_have_services() {
        for protocol in [Protocol::ICMP, Protocol::ICMPV6, Protocol(132), Protocol(0), Protocol(255)] {
            assert_eq!(service_name(protocol, 80), None, "protocol {}", protocol.0);
        }
    }

    #[test]
    fn protocols_have_their_iana_keywords() {
        let expected = [
            (0, "hopopt"),
            (1, "icmp"),
            (2, "igmp"),
            (4, "ipv4"),
            (6, "tcp"),
            (17, "udp"),
            (33, "dccp"),
            (41, "ipv6"),
            (43, "ipv6-route"),
            (44, "ipv6-frag"),
            (47, "gre"),
            (50, "esp"),
            (51, "ah"),
            (58, "ipv6-icmp"),
            (59, "ipv6-nonxt"),
            (60, "ipv6-opts"),
            (88, "eigrp"),
            (89, "ospfigp"),
            (97, "etherip"),
            (103, "pim"),
            (112, "vrrp"),
            (115, "l2tp"),
            (132, "sctp"),
            (136, "udplite"),
            (143, "ethernet"),
            (147, "bit-emu"),
        ];
        for (number, keyword) in expected {
            assert_eq!(protocol_name(Protocol(number)), Some(keyword), "protocol {number}");
        }
    }

    #[test]
    fn protocols_without_a_keyword_have_no_name() {
        for number in [61, 63, 68, 99, 114, 200, 253, 254, 255] {
            assert_eq!(protocol_name(Protocol(number)), None, "protocol {number}");
        }
    }

    #[test]
    fn names_need_no_escaping() {
        let services = (0..=u16::MAX).flat_map(|port| [tcp(port), udp(port)]).flatten();
        let protocols = (0..=u8::MAX).filter_map(|number| protocol_name(Protocol(number)));
        for name in services.chain(protocols) {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._+-".contains(&byte);
            assert!(!name.is_empty() && name.bytes().all(plain), "{name:?}");
        }
    }
}
