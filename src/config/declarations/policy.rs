//! Declarations: the permitted networks, and what is reported about other sources. Gives the declarations. Must not
//! know where a value comes from.

use super::access;
use crate::config::declaration::{Access, Arity, Declaration, setting};
use crate::config::kinds::addresses::{FREE_TEXT, WholeNetwork};
use crate::config::kinds::durations::WINDOW;
use crate::config::kinds::numbers::{ENTRIES, FEW, PACKETS};
use crate::config::kinds::{ListOf, ValueKind as _};

/// In the order of the help.
pub(super) static DECLARATIONS: &[Declaration] = &[
    setting(&[("policy", "permitted")], access!(ListOf(WholeNetwork), optional config.policy.permitted))
        .named("policy.permitted", "TRAFFICMONITOR_POLICY_PERMITTED", "CIDR,...", "")
        .taking(Arity::Repeatable)
        .live()
        .help("Networks whose addresses may send, besides this host's own; packets of all other sources are violations. An \
               empty list in the file permits nothing, and without a list there is no policy"),
    setting(&[("policy", "denied")], access!(ListOf(WholeNetwork), config.policy.denied))
        .named("policy.denied", "TRAFFICMONITOR_POLICY_DENIED", "CIDR,...", "")
        .taking(Arity::Repeatable)
        .live()
        .help("Networks inside permitted ones whose addresses may not send; the most specific network of both lists decides"),
    setting(&[("policy", "limit_packets")], access!(PACKETS, config.policy.limit_packets))
        .named("policy.limit_packets", "TRAFFICMONITOR_POLICY_LIMIT_PACKETS", "N", "0")
        .live()
        .help("Alert when a source that is not permitted sends more packets than this within --policy.interval"),
    setting(&[("policy", "interval")], access!(WINDOW, config.policy.interval))
        .named("policy.interval", "TRAFFICMONITOR_POLICY_INTERVAL", "SECONDS", "60")
        .live()
        .help("Length of the window in which the packets of a source that is not permitted are counted"),
    setting(&[("policy", "rule")], access!(FREE_TEXT, config.policy.rule))
        .value("NAME", "policy")
        .live()
        .help("Name of the rule in alerts about sources that are not permitted"),
    setting(&[("policy", "max_sources")], access!(ENTRIES, config.policy.max_sources))
        .value("N", "16384")
        .live()
        .help("Maximum number of sources that are not permitted whose packets are counted for alerts; further sources \
               raise no alert until others have sent nothing for a window"),
    setting(&[("policy", "events_burst")], access!(FEW, config.policy.events.burst))
        .named("policy.events_burst", "TRAFFICMONITOR_POLICY_EVENTS_BURST", "N", "10")
        .help("Events of violations that one source may cause at once; further packets are only counted"),
    setting(&[("policy", "events_per_second")], access!(FEW, config.policy.events.per_second))
        .named("policy.events_per_second", "TRAFFICMONITOR_POLICY_EVENTS_PER_SECOND", "N", "1")
        .help("Events of violations that one source may cause per second in the long run"),
];
