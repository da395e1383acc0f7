//! Detection: rules over the rows that the ledger merges.
//!
//! Takes merged rows and packet time; gives [`Detection`]s with their figures. Must not know alerts.

pub mod anomaly;
pub mod bandwidth;
mod config;
pub mod detectors;
mod ends;
mod notes;
pub mod policy;
mod rules;
pub mod scan;
pub mod view;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::packet::{Protocol, Timestamp};
pub use config::Config;
pub use detectors::Detectors;
pub use notes::{LastReport, Notes, SlotHints};
pub use view::{DetectionTable, TableUse, Talker, View};

/// The kinds of detections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One source contacts many hosts.
    HostScan,
    /// One source contacts many ports.
    PortScan,
    /// Sources of one network together contact many hosts or ports, each of them few.
    GroupScan,
    /// More bytes in a window than a limit.
    Bandwidth,
    /// Traffic between two hosts that differs from its past.
    Anomaly,
    /// A source that is not permitted sends.
    Policy,
}

impl Kind {
    /// All, in order.
    pub const ALL: [Self; 6] =
        [Self::HostScan, Self::PortScan, Self::GroupScan, Self::Bandwidth, Self::Anomaly, Self::Policy];

    /// True for the kinds of scans.
    pub const fn is_scan(self) -> bool {
        matches!(self, Self::HostScan | Self::PortScan | Self::GroupScan)
    }

    /// Its name in alerts and in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::HostScan => "host_scan",
            Self::PortScan => "port_scan",
            Self::GroupScan => "group_scan",
            Self::Bandwidth => "bandwidth",
            Self::Anomaly => "anomaly",
            Self::Policy => "policy",
        }
    }
}

/// The subject of a detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A sender.
    Source(IpAddr),
    /// A receiver.
    Destination(IpAddr),
    /// A sender and one of its receivers.
    Pair {
        /// The sender.
        source: IpAddr,
        /// The receiver.
        destination: IpAddr,
    },
    /// All addresses of a network together.
    Network(IpNet),
}

/// The relation of a value to its limit, with hysteresis: a subject near its limit neither begins nor ends an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The rule holds.
    Over,
    /// The rule does not hold, but the value is not clearly below its limit.
    Near,
    /// The value is below nine tenths of its limit, or 0.
    Under,
}

impl Level {
    /// The level of a value under the rule that it must not exceed `limit`.
    pub(crate) const fn of(value: u64, limit: u64) -> Self {
        if value > limit {
            Self::Over
        } else if value == 0 || (value as u128) * 10 < (limit as u128) * 9 {
            Self::Under
        } else {
            Self::Near
        }
    }

    /// The level of a score under a rule that has further conditions. `is_over` is true if the rule holds.
    pub(crate) fn of_score(is_over: bool, score: f64, limit: f64) -> Self {
        if is_over {
            Self::Over
        } else if score < 0.9 * limit {
            Self::Under
        } else {
            Self::Near
        }
    }
}

/// A host, or a port of it, that a source contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The host.
    pub address: IpAddr,
    /// The protocol, if the rule tells protocols apart.
    pub protocol: Option<Protocol>,
    /// The port, if the protocol has ports and the rule tells them apart.
    pub port: Option<u16>,
}

/// The targets of a scan that were compared with each other, and how they were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanEvidence {
    /// The network of the targets; none if they may be anywhere.
    pub network: Option<IpNet>,
    /// The protocol and the port of the contacts; none if they may be any.
    pub port: Option<(Protocol, u16)>,
    /// True if the targets are ports, false if they are hosts.
    pub counts_ports: bool,
    /// Targets that did not answer, or refused.
    pub failed: u64,
    /// Targets that answered, and that the source did not use.
    pub touched: u64,
    /// Targets that the source used.
    pub used: u64,
    /// True if touched targets count as well as failed ones.
    pub counts_touched: bool,
    /// The limit of the configuration.
    pub limit: u64,
    /// The multiple of the limit that the value exceeds; 0 if targets that answered make more of it necessary.
    pub times: u64,
    /// The setting that would have silenced the alert.
    pub setting: &'static str,
    /// The least value of the setting that would have.
    pub silencing_value: u64,
}

/// The peer with the most bytes of a subject over its bandwidth limit. All figures are of one moment, the measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargestPeer {
    /// The peer.
    pub address: IpAddr,
    /// Bytes of the subject with this peer in the window. Too many by those of one cell of pairs at most, because pairs
    /// have coarser cells than subjects.
    pub bytes: u64,
    /// Bytes that were certainly in the window.
    pub least_bytes: u64,
    /// Bytes of the subject in the window, with all of its peers.
    pub of_bytes: u64,
    /// Peers that are known.
    pub peers: usize,
    /// Bytes of all known peers; fewer than `of_bytes` if the table of pairs had no entry for some.
    pub known_bytes: u64,
}

impl LargestPeer {
    /// True if the peer has more than half of the bytes.
    pub const fn has_most(&self) -> bool {
        self.least_bytes > self.of_bytes / 2 || (self.peers == 1 && self.knows_all())
    }

    /// True if all peers are known.
    pub const fn knows_all(&self) -> bool {
        self.known_bytes >= self.of_bytes
    }
}

/// The figures behind a detection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// The value that is compared: bytes, packets, hosts, ports, or a probability.
    pub value: f64,
    /// The limit, in the same unit.
    pub limit: f64,
    /// The window of the value.
    pub window: Duration,
    /// IP bytes of the subject in the window, as far as they are known.
    pub bytes: u64,
    /// Targets that answered in the window, of those that are compared; none for other rules.
    pub answered: Option<u64>,
    /// The targets that a scan is found by; none for other rules.
    pub scan: Option<ScanEvidence>,
    /// True if `value` and `answered` are estimates: the table holds only a sample of the targets.
    pub is_estimate: bool,
    /// The time of the packets that count in the window, if it is known.
    pub span: Option<Span>,
    /// The largest peer of a subject over its bandwidth limit, if peers were measured.
    pub largest_peer: Option<LargestPeer>,
    /// The first targets that counted, at most [`MAXIMUM_TARGETS`]. For bandwidth: the peers with the most bytes, measured
    /// together with `largest_peer`.
    pub first_targets: Vec<Target>,
    /// The last targets that counted, at most as many, the latest last. Empty for bandwidth.
    pub last_targets: Vec<Target>,
}

/// The time from the first to the last packet that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The time of the first packet.
    pub first: Timestamp,
    /// The time of the last packet.
    pub last: Timestamp,
    /// The precision of both times: zero for packet times, else the length of the cells that the rule counts in.
    pub precision: Duration,
}

/// The most first targets, and the most last targets, of a detection.
pub(crate) const MAXIMUM_TARGETS: usize = 8;

/// The verdict of a rule on a subject.
///
/// A detector reports a subject while it is over the limit, and then until it has once reported it [`Level::Under`].
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// The kind.
    pub kind: Kind,
    /// The configured rule's name.
    pub rule: Arc<str>,
    /// The subject.
    pub subject: Subject,
    /// The relation of the value to the limit.
    pub level: Level,
    /// The moment on the packets' clock at which the rule became true.
    pub since: Timestamp,
    /// The moment on the packets' clock of this verdict.
    pub at: Timestamp,
    /// The figures behind it.
    pub figures: Figures,
}
