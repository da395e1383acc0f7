//! IANA's keywords of the protocol numbers.

/// The keyword of each protocol number in lower case; empty where IANA gives none.
///
/// From the registry "Assigned Internet Protocol Numbers"; characters that a label should not hold are hyphens here
/// (`A/N`, `ISIS over IPv4`, `Mobility Header`).
pub(super) const KEYWORDS: [&str; 256] = {
    let mut keywords = [""; 256];
    let mut number = 0;
    while number < ASSIGNED.len() {
        keywords[number] = ASSIGNED[number];
        number += 1;
    }
    keywords
};

/// The numbers from 0 on to the last that has a keyword, eight a line.
#[rustfmt::skip]
const ASSIGNED: [&str; 148] = [
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
