//! What readers see of detection: the largest of each kind, and how full the tables are.

use std::net::IpAddr;

use super::bandwidth::Talker;
use super::{Kind, Subject, TableUse};
use crate::account::interface::InterfaceId;

/// The state of detection at one moment, bounded; the largest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// Bytes in their windows of sources and, where these have a limit, of destinations.
    pub window_bytes: Vec<(Subject, u64)>,
    /// How many hosts a source contacted in its window.
    pub contacted_hosts: Vec<(IpAddr, u64)>,
    /// How many ports a source contacted in its window.
    pub contacted_ports: Vec<(IpAddr, u64)>,
    /// How many of its contacts were refused or stayed unanswered.
    pub unanswered_contacts: Vec<(IpAddr, u64)>,
    /// How unusual the traffic from one host to another is.
    pub anomalies: Vec<((IpAddr, IpAddr), f64)>,
    /// Whether each interface shows both ways of conversations.
    pub answers_visible: Vec<(InterfaceId, bool)>,
    /// The sources that are charted, with their destinations.
    pub chart: Vec<Talker>,
    /// The tables.
    pub tables: Vec<TableUse>,
    /// Contacts whose outcome is unknown: one-way sight, streams, no room.
    pub unknown_contacts: u64,
    /// The limit for addresses without a limit of their own, where bandwidth is looked at.
    pub bandwidth_limit_bytes: Option<u64>,
    /// The limits on hosts and ports that a source may contact, for the kinds that are looked for.
    pub scan_limits: Vec<(Kind, u64)>,
    /// Tells whether anomalies raise alerts, where they are looked for.
    pub anomalies_alert: Option<bool>,
    /// The memory of it all, in bytes.
    pub memory_bytes: u64,
}
