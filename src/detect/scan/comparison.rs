//! The targets of a source by group, and the group that most clearly shows a scan.
//!
//! Takes the targets of one source that count; gives the group whose failed and touched targets exceed the limit and the used
//! ones. A source that uses many hosts is no reason to overlook a sweep of another network, and a hundred dead peers in a
//! hundred networks are no sweep. Must not know times or marks.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use super::config::Factors;
use super::contacts::{Aspect, HostPort, Mark, TargetOutcome, Tried};
use super::networks;
use crate::detect::{Level, ScanEvidence};
use crate::packet::Protocol;
use crate::tables::hashing::{self, State};

/// Targets that are compared with each other. The order decides between equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum TargetGroup {
    /// One port of the hosts of a network.
    NetworkPort(IpAddr, (Protocol, u16)),
    /// The hosts of a network of which three or more ports were tried.
    NetworkManyPorts(IpAddr),
    /// The hosts of a network by any ports.
    Network(IpAddr),
    /// One port of any hosts.
    Port(Protocol, u16),
    /// Any hosts of which three or more ports were tried.
    ManyPorts,
    /// The hosts of a site.
    Site(IpAddr),
    /// All hosts.
    Everything,
    /// The ports that were tried in a network, which is known by its number.
    PortsOfNetwork(u32),
    /// The ports that were each tried in three or more networks.
    PortsOfManyNetworks,
}

/// A target and all that a comparison needs of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ComparedTarget {
    pub(super) target: HostPort,
    pub(super) tried: Tried,
    /// Failed, touched or used.
    pub(super) relation: TargetOutcome,
    /// The number of targets that it stands for.
    pub(super) weight: u64,
}

impl ComparedTarget {
    /// The link address of the host, which is there.
    pub(super) fn as_used_link(self) -> Self {
        let target = HostPort::on_link(self.target.address);
        let mut tried = Tried::NONE;
        tried.add_port(target.protocol, target.port);
        Self { target, tried, relation: TargetOutcome::Used, ..self }
    }

    /// Calls `each` for each group in which it is compared. A link address is compared with its neighbours' alone.
    fn each_group(&self, aspect: Aspect, mut each: impl FnMut(TargetGroup)) {
        if aspect == Aspect::Ports {
            self.tried.iter().for_each(|network| each(TargetGroup::PortsOfNetwork(network)));
            if self.tried.are_many() {
                each(TargetGroup::PortsOfManyNetworks);
            }
            return;
        }
        let network = networks::nearby(self.target.address);
        if self.target.is_on_link() {
            return each(TargetGroup::NetworkPort(network, (HostPort::LINK, 0)));
        }
        for (protocol, port) in self.tried.ports() {
            each(TargetGroup::NetworkPort(network, (protocol, port)));
            each(TargetGroup::Port(protocol, port));
        }
        if self.tried.are_many() {
            each(TargetGroup::NetworkManyPorts(network));
            each(TargetGroup::ManyPorts);
        }
        each(TargetGroup::Network(network));
        each(TargetGroup::Site(networks::site(self.target.address)));
        each(TargetGroup::Everything);
    }

    /// True if it is compared in a group.
    fn is_in(&self, group: TargetGroup, aspect: Aspect) -> bool {
        let mut is_in = false;
        self.each_group(aspect, |other| is_in |= other == group);
        is_in
    }
}

/// A target with what its mark says of it.
pub(super) type MarkedTarget<'a> = (&'a Mark, ComparedTarget);

pub(super) fn has_failed((_, target): &MarkedTarget<'_>) -> bool {
    target.relation == TargetOutcome::Failed
}

/// The numbers of targets by relation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OutcomeSums {
    pub(super) failed: u64,
    pub(super) touched: u64,
    pub(super) used: u64,
    /// The variance of the estimate of failed and touched targets: 0 if all are held.
    variance: u64,
}

impl OutcomeSums {
    /// Targets that answered.
    pub(super) const fn answered(self) -> u64 {
        self.used + self.touched
    }

    fn add(&mut self, target: &ComparedTarget) {
        if matches!(target.relation, TargetOutcome::Failed | TargetOutcome::Touched) {
            self.variance += target.weight * (target.weight - 1);
        }
        let sum = match target.relation {
            TargetOutcome::Failed => &mut self.failed,
            TargetOutcome::Touched => &mut self.touched,
            TargetOutcome::Used => &mut self.used,
            TargetOutcome::Known => return,
        };
        *sum += target.weight;
    }
}

/// A group with the value that is compared with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TargetComparison {
    pub(super) group: TargetGroup,
    pub(super) sums: OutcomeSums,
    /// True if touched targets count as well as failed ones.
    pub(super) counts_touched: bool,
    pub(super) value: u64,
    /// The value less two standard errors, if it is an estimate.
    pub(super) least_value: u64,
    /// A scan has more.
    pub(super) threshold: u64,
    /// The part of the threshold that the limit gives, however many targets answered, and the part that these give.
    parts: [u64; 2],
    /// The least limit with which no comparison of the source shows a scan.
    silencing_limit: u64,
}

impl TargetComparison {
    /// Nothing to compare.
    pub(super) fn none(limit: u64) -> Self {
        let (group, sums) = (TargetGroup::Everything, OutcomeSums::default());
        let parts = [limit, 0];
        Self {
            group,
            sums,
            counts_touched: false,
            value: 0,
            least_value: 0,
            threshold: limit,
            parts,
            silencing_limit: 0,
        }
    }

    fn new(group: TargetGroup, sums: OutcomeSums, counts_touched: bool, parts: [u64; 2]) -> Self {
        let threshold = parts[0].max(parts[1]);
        let value = sums.failed + if counts_touched { sums.touched } else { 0 };
        let least_value = value.saturating_sub(2 * sums.variance.isqrt());
        Self { group, sums, counts_touched, value, least_value, threshold, parts, silencing_limit: 0 }
    }

    /// The multiple of the limit that must be exceeded.
    fn times(&self, limit: u64) -> u64 {
        (self.parts[0] / limit.max(1)).max(1)
    }

    /// The least limit with which this comparison shows no scan: none if other targets outnumber its own.
    fn own_silencing_limit(&self, limit: u64) -> u64 {
        if self.value > self.parts[1] { self.value.div_ceil(self.times(limit)) } else { 0 }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.least_value > self.threshold
    }

    /// The level of the value. An estimate that may be over its threshold by chance is near it.
    pub(super) fn level(&self) -> Level {
        match Level::of(self.value, self.threshold) {
            Level::Over if !self.is_over() => Level::Near,
            level => level,
        }
    }

    /// The rank of a comparison: over its threshold, then by value; else by the share of its threshold.
    fn rank(&self) -> (bool, u64, u128) {
        let share = (u128::from(self.value) << 56) / u128::from(self.threshold.max(1));
        (self.is_over(), if self.is_over() { self.value } else { 0 }, share)
    }

    /// The evidence for people. `targets` are addresses of some that count, and `setting` is the name of the setting of which
    /// the limit is `unit` times the value.
    pub(super) fn evidence(
        &self,
        targets: &[IpAddr],
        limit: u64,
        (setting, unit): (&'static str, u64),
    ) -> ScanEvidence {
        let OutcomeSums { failed, touched, used, .. } = self.sums;
        let (network, port) = match self.group {
            TargetGroup::NetworkPort(network, port) => (Some(networks::nearby_net(network)), Some(port)),
            TargetGroup::NetworkManyPorts(network) | TargetGroup::Network(network) => {
                (Some(networks::nearby_net(network)), None)
            }
            TargetGroup::Port(protocol, port) => (None, Some((protocol, port))),
            TargetGroup::Site(network) => (Some(networks::site_net(network)), None),
            TargetGroup::PortsOfNetwork(number) => {
                let of_network = targets.iter().find(|address| networks::tag(**address) == number);
                (of_network.map(|address| networks::nearby_net(networks::nearby(*address))), None)
            }
            TargetGroup::ManyPorts | TargetGroup::Everything | TargetGroup::PortsOfManyNetworks => (None, None),
        };
        ScanEvidence {
            network,
            port,
            counts_ports: matches!(self.group, TargetGroup::PortsOfNetwork(_) | TargetGroup::PortsOfManyNetworks),
            failed,
            touched,
            used,
            counts_touched: self.counts_touched,
            limit,
            times: if self.threshold == self.parts[0] { self.times(limit) } else { 0 },
            setting,
            silencing_value: self.silencing_limit.div_ceil(unit.max(1)),
        }
    }

    /// True if a target is of the group.
    pub(super) fn has(&self, target: &HostPort, aspect: Aspect) -> bool {
        let mut tried = Tried::NONE;
        match aspect {
            Aspect::Hosts => tried.add_port(target.protocol, target.port),
            Aspect::Ports => tried.add(networks::tag(target.address)),
        }
        let target = ComparedTarget { target: *target, tried, relation: TargetOutcome::Failed, weight: 1 };
        let is_of_many = matches!(
            self.group,
            TargetGroup::ManyPorts | TargetGroup::NetworkManyPorts(_) | TargetGroup::PortsOfManyNetworks
        );
        is_of_many || target.is_in(self.group, aspect)
    }

    /// The contact to show for a target of the group: by the group's port, if it has one.
    pub(super) fn shown(&self, target: HostPort) -> HostPort {
        match self.group {
            TargetGroup::NetworkPort(_, (protocol, port)) | TargetGroup::Port(protocol, port) => {
                HostPort { protocol, port, ..target }
            }
            _ => target,
        }
    }

    /// True if a target counts in its value.
    pub(super) fn counts(&self, target: &ComparedTarget, aspect: Aspect) -> bool {
        let is_evidence = target.relation == TargetOutcome::Failed
            || self.counts_touched && target.relation == TargetOutcome::Touched;
        is_evidence && target.is_in(self.group, aspect)
    }
}

/// The limits of one aspect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) limit: u64,
    pub(super) factors: Factors,
}

/// The comparison that most clearly shows a scan; of equal ones that of the first group.
pub(super) fn clearest(targets: &[ComparedTarget], aspect: Aspect, limits: &Limits) -> TargetComparison {
    let mut groups: HashMap<TargetGroup, OutcomeSums, State> = HashMap::with_hasher(hashing::state(0));
    let mut all = OutcomeSums::default();
    for target in targets {
        all.add(target);
        target.each_group(aspect, |group| groups.entry(group).or_default().add(target));
    }
    let compared = || groups.iter().flat_map(|(group, sums)| compare(*group, *sums, all, limits).into_iter().flatten());
    let clearest =
        compared().max_by_key(|comparison| (comparison.rank(), Reverse(comparison.group), !comparison.counts_touched));
    let silencing_limit = compared().map(|comparison| comparison.own_silencing_limit(limits.limit)).max();
    let silencing_limit = silencing_limit.unwrap_or_default();
    let clearest = clearest.filter(|comparison| comparison.value > 0);
    clearest.map_or_else(
        || TargetComparison::none(limits.limit),
        |comparison| TargetComparison { silencing_limit, ..comparison },
    )
}

/// The comparisons of one group: its failed targets, and where a sweep meets neighbours also the touched ones.
fn compare(group: TargetGroup, sums: OutcomeSums, all: OutcomeSums, limits: &Limits) -> [Option<TargetComparison>; 2] {
    let Limits { limit, factors } = *limits;
    let OutcomeSums { failed, used, .. } = sums;
    let times = |factor: u32| limit * u64::from(factor);
    let of_failed =
        |least: u64, outnumbered: u64| Some(TargetComparison::new(group, sums, false, [least, outnumbered]));
    let of_both = |least: u64| (sums.touched > 0).then(|| TargetComparison::new(group, sums, true, [least, used]));
    let answered = sums.answered();
    match group {
        TargetGroup::Network(_) => {
            [of_failed(times(factors.any_port), used), of_both(times(factors.any_port * factors.touched))]
        }
        TargetGroup::NetworkPort(..)
        | TargetGroup::NetworkManyPorts(_)
        | TargetGroup::PortsOfNetwork(_)
        | TargetGroup::PortsOfManyNetworks => [of_failed(limit, used), of_both(times(factors.touched))],
        TargetGroup::Port(..) | TargetGroup::ManyPorts if failed * u64::from(factors.port_share) >= all.failed => {
            [of_failed(limit, answered * u64::from(factors.answered)), None]
        }
        TargetGroup::Port(..) | TargetGroup::ManyPorts => [None, None],
        TargetGroup::Site(_) => [of_failed(times(factors.site), answered * u64::from(factors.answered)), None],
        TargetGroup::Everything => {
            [of_failed(times(factors.everywhere), answered * u64::from(factors.answered_everywhere)), None]
        }
    }
}
