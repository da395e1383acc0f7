//! Declarations: the limits of the evidence rule, besides those that TrafficAlerted has too. Gives the declarations. Must
//! not know where a value comes from.

use super::{access, detector};
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::kinds::addresses::ADDRESS;
use crate::config::kinds::durations::{MEMORY, TIMEOUT};
use crate::config::kinds::numbers::{FEW, FEW_OR_NONE, PACKET_BYTES};
use crate::config::kinds::{ListOf, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("scan", "timeout")], detector!(TIMEOUT, scan.timeout))
        .named("scan.timeout", "TRAFFICMONITOR_SCAN_TIMEOUT", "DURATION", "1s")
        .live()
        .help("Time without an answer after which a contact has failed"),
    setting(&[("scan", "use_timeout")], detector!(TIMEOUT, scan.use_timeout))
        .named("scan.use_timeout", "TRAFFICMONITOR_SCAN_USE_TIMEOUT", "DURATION", "10s")
        .live()
        .help("Time without data after which an answered TCP contact only touched its target; not less than --scan.timeout"),
    setting(&[("scan", "used_bytes")], detector!(PACKET_BYTES, scan.used_bytes))
        .named("scan.used_bytes", "TRAFFICMONITOR_SCAN_USED_BYTES", "BYTES", "512")
        .live()
        .help("A TCP contact used its target if the target sent more IP bytes than this, or the source any data"),
    setting(&[("scan", "echo_requests")], detector!(FEW, scan.echo_requests))
        .named("scan.echo_requests", "TRAFFICMONITOR_SCAN_ECHO_REQUESTS", "N", "3")
        .live()
        .help("An answering host is used from this many echo requests within --scan.echo_window on; fewer only touch it"),
    setting(&[("scan", "echo_window")], detector!(TIMEOUT, scan.echo_window))
        .named("scan.echo_window", "TRAFFICMONITOR_SCAN_ECHO_WINDOW", "DURATION", "3.5s")
        .live()
        .help("Time in which the echo requests to an answering host are counted; not less than --scan.timeout"),
    setting(&[("scan", "touching_datagrams")], detector!(FEW_OR_NONE, scan.touching_datagrams))
        .named("scan.touching_datagrams", "TRAFFICMONITOR_SCAN_TOUCHING_DATAGRAMS", "N", "2")
        .live()
        .help("An answered UDP contact used its target if either side sent more datagrams than this, and only touched it otherwise"),
    setting(&[("scan", "memory")], detector!(MEMORY, scan.memory))
        .named("scan.memory", "TRAFFICMONITOR_SCAN_MEMORY", "DURATION", "1h")
        .live()
        .help("Least time for which a source's targets that answered stay known, and at most twice as long; failures of known hosts \
               are no evidence; not less than the windows of scans"),
    setting(&[("scan", "question_timeout")], detector!(TIMEOUT, scan.question_timeout))
        .named("scan.question_timeout", "TRAFFICMONITOR_SCAN_QUESTION_TIMEOUT", "DURATION", "30s")
        .live()
        .help("Time in which datagrams to a host that asked a multicast or broadcast address are answers and no contacts"),
    setting(&[("scan", "link_answers")], detector!(FEW_OR_NONE, scan.link_answers))
        .named("scan.link_answers", "TRAFFICMONITOR_SCAN_LINK_ANSWERS", "N", "3")
        .live()
        .help("Unanswered ARP requests and neighbour solicitations of a source count if at least this many hosts of its link \
               are seen to be there"),
    setting(&[("scan", "routers")], detector!(ListOf(ADDRESS), scan.routers))
        .named("scan.routers", "TRAFFICMONITOR_SCAN_ROUTERS", "ADDR[/BITS],...", "")
        .taking(Arity::List)
        .live()
        .help("Routers of the captured links, whose ARP requests and neighbour solicitations are no contacts, because they are \
               made for others; this host's own addresses are added where it forwards packets"),
    setting(&[("scan", "group_factor")], detector!(FEW_OR_NONE, scan.group_factor))
        .named("scan.group_factor", "TRAFFICMONITOR_SCAN_GROUP_FACTOR", "N", "8")
        .live()
        .help("Alert when sources of one /24 (IPv6: /64) outside together exceed a limit of scans this many times; 0 disables it"),
    setting(&[("scan", "touched_factor")], detector!(FEW, scan.factors.touched))
        .named("scan.touched_factor", "TRAFFICMONITOR_SCAN_TOUCHED_FACTOR", "N", "2")
        .live()
        .help("Failed and touched targets together must exceed this many times the limit"),
    setting(&[("scan", "any_port_factor")], detector!(FEW, scan.factors.any_port))
        .named("scan.any_port_factor", "TRAFFICMONITOR_SCAN_ANY_PORT_FACTOR", "N", "4")
        .live()
        .help("Failed hosts of one /24 (IPv6: /112) by different ports must exceed this many times the limit"),
    setting(&[("scan", "site_factor")], detector!(FEW, scan.factors.site))
        .named("scan.site_factor", "TRAFFICMONITOR_SCAN_SITE_FACTOR", "N", "4")
        .live()
        .help("Failed hosts of one /16 (IPv6: /64) must exceed this many times the limit"),
    setting(&[("scan", "everywhere_factor")], detector!(FEW, scan.factors.everywhere))
        .named("scan.everywhere_factor", "TRAFFICMONITOR_SCAN_EVERYWHERE_FACTOR", "N", "16")
        .live()
        .help("Failed hosts anywhere must exceed this many times the limit"),
    setting(&[("scan", "answered_factor")], detector!(FEW, scan.factors.answered))
        .named("scan.answered_factor", "TRAFFICMONITOR_SCAN_ANSWERED_FACTOR", "N", "3")
        .live()
        .help("Failed hosts of one /16 (IPv6: /64), or of one port, must exceed this many times the answered ones"),
    setting(&[("scan", "answered_everywhere_factor")], detector!(FEW, scan.factors.answered_everywhere))
        .named("scan.answered_everywhere_factor", "TRAFFICMONITOR_SCAN_ANSWERED_EVERYWHERE_FACTOR", "N", "9")
        .live()
        .help("Failed hosts anywhere must exceed this many times the answered ones"),
    setting(&[("scan", "port_share")], detector!(FEW, scan.factors.port_share))
        .named("scan.port_share", "TRAFFICMONITOR_SCAN_PORT_SHARE", "N", "4")
        .live()
        .help("Hosts anywhere are compared by one port if it is that of at least one in this many failed hosts"),
];
