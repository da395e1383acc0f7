//! The comparisons of a source's targets: like with like.

use super::targets::{History, Name, State, Targets, network};
use super::*;

/// A target in the window of a source.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) name: Name,
    pub(super) state: State,
    pub(super) history: &'a History,
}

/// A comparison that holds or does not: failed targets, or failed and touched ones, with the least number that they exceed.
pub(super) struct Compared {
    pub(super) value: u64,
    pub(super) threshold: u64,
    pub(super) is_fresh: bool,
}

/// All comparisons of a source, in the order of `docs/detection.md`.
pub(super) struct Comparisons<'a> {
    pub(super) limit: u64,
    pub(super) factors: &'a Factors,
    pub(super) targets: &'a [Placed<'a>],
    pub(super) cell: i64,
    pub(super) found: Vec<Compared>,
}

/// The number of targets in a state.
pub(super) fn count(state: State, of: &[&Placed<'_>]) -> u64 {
    of.iter().filter(|target| target.state == state).count() as u64
}

impl<'a> Comparisons<'a> {
    const fn times(&self, factor: u32) -> u64 {
        self.limit * factor as u64
    }

    pub(super) fn of_all(&self, holds: impl Fn(&Placed<'a>) -> bool) -> Vec<&'a Placed<'a>> {
        self.targets.iter().filter(|target| holds(target)).collect()
    }

    /// Compares some targets: the failed ones with a least number and with the answered ones, so many times; the failed and
    /// touched ones together with a least number and with the used ones.
    pub(super) fn compare(&mut self, of: &[&Placed<'_>], of_failed: Option<(u64, u64)>, of_both: Option<u64>) {
        let (failed, touched, used) = (count(State::Failed, of), count(State::Touched, of), count(State::Used, of));
        let cell = self.cell;
        let is_fresh = |counts: &dyn Fn(State) -> bool| {
            of.iter().any(|target| counts(target.state) && target.history.evidence.iter().any(|entry| entry.0 == cell))
        };
        if let Some((least, times_answered)) = of_failed {
            let outnumbered = if times_answered == 0 { used } else { (used + touched) * (times_answered - 1) };
            let is_fresh = is_fresh(&|state| state == State::Failed);
            self.found.push(Compared { value: failed, threshold: least.max(outnumbered), is_fresh });
        }
        if let Some(least) = of_both {
            let is_fresh = is_fresh(&|state| matches!(state, State::Failed | State::Touched));
            self.found.push(Compared { value: failed + touched, threshold: least.max(used), is_fresh });
        }
    }

    /// A group in which the limit itself decides.
    pub(super) fn compare_closely(&mut self, of: &[&Placed<'_>]) {
        self.compare(of, Some((self.limit, 0)), Some(self.times(self.factors.touched)));
    }

    pub(super) fn of_ports(&mut self) {
        let networks: BTreeSet<IpAddr> = self.targets.iter().flat_map(Placed::tried_networks).collect();
        for network in &networks {
            self.compare_closely(&self.of_all(|target| target.tried_networks().contains(network)));
        }
        self.compare_closely(&self.of_all(|target| target.history.networks.len() >= 3));
    }

    pub(super) fn of_hosts(&mut self) {
        let networks: BTreeSet<IpAddr> = self.targets.iter().map(|target| network(target.host(), 8)).collect();
        let ports: BTreeSet<(u8, u16)> = self.targets.iter().flat_map(Placed::tried_ports).collect();
        for of in &networks {
            for port in &ports {
                self.compare_closely(
                    &self.of_all(|target| target.is_within(8, *of) && target.tried_ports().contains(port)),
                );
            }
        }
        for of in &networks {
            self.compare_closely(&self.of_all(|target| target.is_within(8, *of) && target.has_many_ports()));
        }
        let (any, any_touched) =
            (self.times(self.factors.any_port), self.times(self.factors.any_port * self.factors.touched));
        for of in &networks {
            self.compare(&self.of_all(|target| target.is_within(8, *of)), Some((any, 0)), Some(any_touched));
        }
        for port in &ports {
            self.compare_share(&self.of_all(|target| target.tried_ports().contains(port)));
        }
        self.compare_share(&self.of_all(|target| target.has_many_ports()));
        let answered = 1 + u64::from(self.factors.answered);
        let sites: BTreeSet<IpAddr> = self.targets.iter().map(|target| network(target.host(), 16)).collect();
        for of in sites {
            let site = self.times(self.factors.site);
            self.compare(&self.of_all(|target| target.is_within(16, of)), Some((site, answered)), None);
        }
        let everywhere = (self.times(self.factors.everywhere), 1 + u64::from(self.factors.answered_everywhere));
        self.compare(&self.of_all(|_| true), Some(everywhere), None);
    }

    /// Compares hosts of any network, if they are a good share of all that failed.
    pub(super) fn compare_share(&mut self, of: &[&Placed<'_>]) {
        let all_failed = count(State::Failed, &self.of_all(|_| true));
        if count(State::Failed, of) * u64::from(self.factors.port_share) >= all_failed {
            self.compare(of, Some((self.limit, 1 + u64::from(self.factors.answered))), None);
        }
    }
}

impl Placed<'_> {
    pub(super) fn host(&self) -> IpAddr {
        self.name.0.unwrap()
    }

    pub(super) fn is_within(&self, bits: u32, of: IpAddr) -> bool {
        network(self.host(), bits) == of
    }

    /// No more than three ports of a host are told apart.
    pub(super) fn tried_ports(&self) -> Vec<(u8, u16)> {
        self.history.ports.iter().take(3).copied().collect()
    }

    /// No more than three networks of a port are told apart.
    pub(super) fn tried_networks(&self) -> Vec<IpAddr> {
        self.history.networks.iter().take(3).copied().collect()
    }

    pub(super) fn has_many_ports(&self) -> bool {
        self.history.ports.len() >= 3
    }
}

/// All comparisons of a source's targets, in order.
pub(super) fn comparisons(
    kind: Kind,
    limit: u64,
    factors: &Factors,
    targets: &[Placed<'_>],
    cell: i64,
) -> Vec<Compared> {
    let mut comparisons = Comparisons { limit, factors, targets, cell, found: Vec::new() };
    if kind == Kind::PortScan {
        comparisons.of_ports()
    } else {
        comparisons.of_hosts()
    }
    comparisons.found
}

/// The targets of a source that count in a cell: without ACKs from many ports, and for hosts without peers.
pub(super) fn counting<'a>(
    all: &'a Targets<'_>,
    source: IpAddr,
    limit: u64,
    cell: i64,
    is_peer: impl Fn(IpAddr) -> bool,
) -> Vec<Placed<'a>> {
    let from = all.first(cell);
    let of_source = all.histories.iter().filter(|((of, _), _)| *of == source);
    let mut targets: Vec<Placed<'_>> = of_source
        .filter_map(|((_, name), history)| Some(Placed { name: *name, state: history.state(from)?, history }))
        .collect();
    let probe_port = |target: &Placed<'_>| {
        let port = target.history.evidence.iter().map(|entry| entry.2).min().unwrap_or(0);
        if target.state == State::Failed { port } else { 0 }
    };
    let mut by_port: BTreeMap<u16, u64> = BTreeMap::new();
    targets.iter().for_each(|target| *by_port.entry(probe_port(target)).or_default() += 1);
    targets.retain(|target| probe_port(target) == 0 || by_port[&probe_port(target)] > limit);
    if all.kind == Kind::HostScan {
        let is_silent = |target: &Placed<'_>| target.history.evidence.iter().all(|entry| entry.3);
        targets
            .retain(|target| target.state != State::Failed || !is_silent(target) || !is_peer(target.name.0.unwrap()));
    }
    targets
}
