//! Threats in a log: scanners, floods, sweeps, sources that return. Takes activities; gives threats with the figures
//! that prove them. Must not know formats.

use std::net::IpAddr;

use super::activity::Activity;

/// Different targets, or ports, from which a source counts as a scanner.
const SCANNED: u64 = 15;
/// Packets in one second from which they count as a flood.
const FLOOD_PACKETS: u64 = 1_000;
/// Periods of activity, each after a pause, from which a source counts as one that returns.
const VISITS: u64 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ThreatKind {
    /// Many targets on several ports.
    HostScan,
    /// Many ports of few targets.
    PortScan,
    /// Many targets on one port.
    SinglePortSweep,
    /// Many packets per second from one source.
    Flood,
    /// Many packets per second towards one target.
    FloodedTarget,
    /// Activity after several pauses.
    RepeatOffender,
}

impl ThreatKind {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::HostScan => "host_scan",
            Self::PortScan => "port_scan",
            Self::SinglePortSweep => "single_port_sweep",
            Self::Flood => "flood",
            Self::FloodedTarget => "flooded_target",
            Self::RepeatOffender => "repeat_offender",
        }
    }
}

/// A threat, with the activity that proves it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Threat<'a> {
    pub(super) kind: ThreatKind,
    pub(super) address: IpAddr,
    pub(super) activity: &'a Activity,
    /// The figure over the threshold: targets, ports, packets per second, or visits.
    pub(super) value: u64,
    pub(super) threshold: u64,
}

/// The threats of all sources and targets: by kind, those with the highest values first, at most `most` of each kind.
pub(super) fn find<'a>(
    sources: impl Iterator<Item = (&'a IpAddr, &'a Activity)>,
    targets: impl Iterator<Item = (&'a IpAddr, &'a Activity)>,
    most: usize,
) -> Vec<Threat<'a>> {
    let of_sources = sources.flat_map(|(source, activity)| of_source(*source, activity));
    let of_targets = targets.filter_map(|(target, activity)| {
        threat(ThreatKind::FloodedTarget, *target, activity, activity.busiest.peak, FLOOD_PACKETS)
    });
    let mut threats: Vec<Threat<'a>> = of_sources.chain(of_targets).collect();
    threats.sort_by(|one, other| {
        one.kind.cmp(&other.kind).then(other.value.cmp(&one.value)).then(one.address.cmp(&other.address))
    });
    let mut listed: (Option<ThreatKind>, usize) = (None, 0);
    threats.retain(|threat| {
        listed = if listed.0 == Some(threat.kind) { (listed.0, listed.1 + 1) } else { (Some(threat.kind), 1) };
        listed.1 <= most
    });
    threats
}

fn of_source(source: IpAddr, activity: &Activity) -> impl Iterator<Item = Threat<'_>> {
    let (targets, ports) = (activity.peers.count(), activity.ports.count());
    let hosts = if ports == 1 { ThreatKind::SinglePortSweep } else { ThreatKind::HostScan };
    let found = [
        threat(hosts, source, activity, targets, SCANNED),
        threat(ThreatKind::PortScan, source, activity, ports, SCANNED),
        threat(ThreatKind::Flood, source, activity, activity.busiest.peak, FLOOD_PACKETS),
        threat(ThreatKind::RepeatOffender, source, activity, activity.visits, VISITS),
    ];
    found.into_iter().flatten()
}

fn threat(kind: ThreatKind, address: IpAddr, activity: &Activity, value: u64, threshold: u64) -> Option<Threat<'_>> {
    (value >= threshold).then_some(Threat { kind, address, activity, value, threshold })
}
