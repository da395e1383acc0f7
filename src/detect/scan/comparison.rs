//! Like with like: the targets of a source by group, and the group that most clearly shows a scan.
//!
//! Takes the targets of one source that count; gives the group whose failed and touched targets exceed the limit and the used
//! ones. A source that uses many hosts is no reason to overlook a sweep of another network, and a hundred dead peers in a
//! hundred networks are no sweep. Must not know times or marks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::config::Factors;
use super::contacts::{Aspect, HostPort, Relation, TriedPorts};
use super::networks;
use crate::detect::Level;
use crate::packet::Protocol;

/// Targets that are compared with each other. The order decides between equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// One port of the hosts of a network.
    NetworkPort(IpAddr, (Protocol, u16)),
    /// The hosts of a network of which three or more ports were tried.
    NetworkManyPorts(IpAddr),
    /// The hosts of a network by any ports; or its ports.
    Network(IpAddr),
    /// One port of any hosts.
    Port(Protocol, u16),
    /// The hosts of a site.
    Site(IpAddr),
    /// All hosts.
    Everything,
}

/// A target and all that a comparison needs of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ComparedTarget {
    pub(super) target: HostPort,
    pub(super) ports: TriedPorts,
    /// Failed, touched or used.
    pub(super) relation: Relation,
    /// The number of targets that it stands for.
    pub(super) weight: u64,
}

impl ComparedTarget {
    /// The link address of the host, which is there.
    pub(super) fn as_used_link(self) -> Self {
        let target = HostPort::on_link(self.target.address);
        let mut ports = TriedPorts::NONE;
        ports.add(target.protocol, target.port);
        Self { target, ports, relation: Relation::Used, ..self }
    }

    /// The groups in which it is compared. A link address is compared with its neighbours' alone.
    fn groups(&self, aspect: Aspect) -> impl Iterator<Item = Group> {
        let network = networks::nearby(self.target.address);
        let is_of_hosts = aspect == Aspect::Hosts && !self.target.is_on_link();
        let is_on_link = self.target.is_on_link();
        let link = is_on_link.then_some(Group::NetworkPort(network, (HostPort::LINK, 0)));
        let ports = self.ports.iter().filter(move |_| is_of_hosts);
        let by_port =
            ports.flat_map(move |port| [Group::NetworkPort(network, port), Group::Port(port.0, port.1)].into_iter());
        let many = (is_of_hosts && self.ports.are_many()).then_some(Group::NetworkManyPorts(network));
        let wide = is_of_hosts.then_some([Group::Site(networks::site(self.target.address)), Group::Everything]);
        let whole = (!is_on_link).then_some(Group::Network(network));
        link.into_iter().chain(by_port).chain(many).chain(whole).chain(wide.into_iter().flatten())
    }

    pub(super) fn is_in(&self, group: Group, aspect: Aspect) -> bool {
        self.groups(aspect).any(|other| other == group)
    }
}

/// The numbers of targets by relation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) failed: u64,
    pub(super) touched: u64,
    pub(super) used: u64,
    /// The variance of the estimate of failed and touched targets: 0 if all are held.
    variance: u64,
}

impl Sums {
    fn add(&mut self, target: &ComparedTarget) {
        if matches!(target.relation, Relation::Failed | Relation::Touched) {
            self.variance += target.weight * (target.weight - 1);
        }
        let sum = match target.relation {
            Relation::Failed => &mut self.failed,
            Relation::Touched => &mut self.touched,
            Relation::Used => &mut self.used,
            Relation::Known => return,
        };
        *sum += target.weight;
    }
}

/// A group with the value that is compared with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) group: Group,
    pub(super) sums: Sums,
    /// True if touched targets count as well as failed ones.
    pub(super) counts_touched: bool,
    pub(super) value: u64,
    /// The value less two standard errors, if it is an estimate.
    pub(super) least_value: u64,
    /// A scan has more.
    pub(super) threshold: u64,
}

impl Comparison {
    /// Nothing to compare.
    pub(super) fn none(limit: u64) -> Self {
        let (group, sums) = (Group::Everything, Sums::default());
        Self { group, sums, counts_touched: false, value: 0, least_value: 0, threshold: limit }
    }

    fn new(group: Group, sums: Sums, counts_touched: bool, threshold: u64) -> Self {
        let value = sums.failed + if counts_touched { sums.touched } else { 0 };
        let least_value = value.saturating_sub(2 * sums.variance.isqrt());
        Self { group, sums, counts_touched, value, least_value, threshold }
    }

    const fn is_over(&self) -> bool {
        self.least_value > self.threshold
    }

    /// The level of the value. An estimate that may be over its threshold by chance is near it.
    pub(super) fn level(&self) -> Level {
        match Level::of(self.value, self.threshold) {
            Level::Over if !self.is_over() => Level::Near,
            level => level,
        }
    }

    /// Those over their threshold first, the largest first; else the nearest to its threshold.
    fn rank(&self) -> (bool, u64, u128) {
        let share = u128::from(self.value) << 64 >> 8;
        (self.is_over(), if self.is_over() { self.value } else { 0 }, share / u128::from(self.threshold.max(1)))
    }

    /// True if a target counts in its value.
    pub(super) fn counts(&self, target: &ComparedTarget, aspect: Aspect) -> bool {
        let is_evidence =
            target.relation == Relation::Failed || self.counts_touched && target.relation == Relation::Touched;
        is_evidence && target.is_in(self.group, aspect)
    }
}

/// The limits of one aspect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) limit: u64,
    pub(super) factors: Factors,
}

/// The comparison that most clearly shows a scan.
pub(super) fn clearest(targets: &[ComparedTarget], aspect: Aspect, limits: &Limits) -> Comparison {
    let mut groups: BTreeMap<Group, Sums> = BTreeMap::new();
    let mut all = Sums::default();
    for target in targets {
        all.add(target);
        target.groups(aspect).for_each(|group| groups.entry(group).or_default().add(target));
    }
    let mut clearest = Comparison::none(limits.limit);
    for (group, sums) in groups {
        for comparison in compare(group, sums, all, aspect, limits).into_iter().flatten() {
            if comparison.rank() > clearest.rank() {
                clearest = comparison;
            }
        }
    }
    clearest
}

/// The comparisons of one group: its failed targets, and where a sweep meets neighbours also the touched ones.
fn compare(group: Group, sums: Sums, all: Sums, aspect: Aspect, limits: &Limits) -> [Option<Comparison>; 2] {
    let Limits { limit, factors } = *limits;
    let Sums { failed, touched, used, .. } = sums;
    let times = |factor: u32| limit * u64::from(factor);
    let of_failed = |least: u64, outnumbered: u64| Some(Comparison::new(group, sums, false, least.max(outnumbered)));
    let of_both = |least: u64| Some(Comparison::new(group, sums, true, least.max(used)));
    let answered = used + touched;
    match group {
        Group::Network(_) if aspect == Aspect::Hosts => {
            [of_failed(times(factors.any_port), used), of_both(times(factors.any_port * factors.touched))]
        }
        Group::NetworkPort(..) | Group::NetworkManyPorts(_) | Group::Network(_) => {
            [of_failed(limit, used), of_both(times(factors.touched))]
        }
        Group::Port(..) if failed * u64::from(factors.port_share) >= all.failed => {
            [of_failed(limit, answered * u64::from(factors.answered)), None]
        }
        Group::Port(..) => [None, None],
        Group::Site(_) => [of_failed(times(factors.site), answered * u64::from(factors.answered)), None],
        Group::Everything => {
            [of_failed(times(factors.everywhere), answered * u64::from(factors.answered_everywhere)), None]
        }
    }
}
