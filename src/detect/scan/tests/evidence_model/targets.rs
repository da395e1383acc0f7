//! All that happened between each source and its targets.

use super::outcomes::{Known, Outcome};
use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Failed,
    Touched,
    Used,
    /// Answered before the window: neither evidence nor use.
    Known,
}

/// All that happened between a source and a target.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    /// The cells in which it was used.
    pub(super) uses: Vec<i64>,
    /// The outcomes since they are evidence: cell, true if touched, probe port, true if silent.
    pub(super) evidence: Vec<(i64, bool, u16, bool)>,
    /// The cells of failures that prove nothing, because the target is known.
    pub(super) failures: Vec<i64>,
    /// The target was used or met again since the evidence began.
    pub(super) is_known: bool,
    pub(super) ports: BTreeSet<(u8, u16)>,
    pub(super) networks: BTreeSet<IpAddr>,
}

impl History {
    pub(super) fn last(&self) -> Option<i64> {
        let evidence = self.evidence.iter().map(|entry| entry.0);
        self.uses.iter().copied().chain(evidence).chain(self.failures.iter().copied()).max()
    }

    /// The state in the window that begins with a cell.
    pub(super) fn state(&self, from: i64) -> Option<State> {
        if self.uses.iter().any(|cell| *cell >= from) {
            return Some(State::Used);
        }
        if self.last().is_none_or(|cell| cell < from) {
            return None;
        }
        let touched: Vec<i64> = self.evidence.iter().filter(|entry| entry.1).map(|entry| entry.0).collect();
        Some(match (touched.iter().min(), touched.iter().max()) {
            // Known since the first touch left the window, and used by the later ones.
            (Some(first), Some(last)) if *first < from && *last >= from => State::Used,
            (Some(first), _) if *first < from => State::Known,
            _ if self.is_known => State::Known,
            (Some(_), _) => State::Touched,
            (None, _) => State::Failed,
        })
    }

    pub(super) fn is_evidence(&self, from: i64) -> bool {
        matches!(self.state(from), Some(State::Failed | State::Touched))
    }

    pub(super) fn use_in(&mut self, cell: i64) {
        self.uses.push(cell);
        self.is_known = true;
    }
}

/// The name of a target: the host, or protocol and port.
pub(super) type Name = (Option<IpAddr>, u8, u16);

pub(super) fn network(host: IpAddr, bits: u32) -> IpAddr {
    let IpAddr::V4(host) = host else { panic!("{host}") };
    IpAddr::from((host.to_bits() >> bits << bits).to_be_bytes())
}

pub(super) fn name(kind: Kind, known: &Known) -> Name {
    match kind {
        Kind::HostScan => (Some(known.host), 0, 0),
        _ => (None, known.protocol.0, known.port),
    }
}

/// The targets of all sources for one kind of scan.
pub(super) struct Targets<'a> {
    pub(super) kind: Kind,
    pub(super) config: &'a Config,
    pub(super) cells: i64,
    pub(super) histories: BTreeMap<(IpAddr, Name), History>,
    /// The first cell in which a target is known that answered.
    pub(super) answered: BTreeMap<(IpAddr, IpAddr, u8, u16), i64>,
}

impl Targets<'_> {
    pub(super) fn first(&self, cell: i64) -> i64 {
        cell - self.cells + 1
    }

    pub(super) fn add(&mut self, known: &Known) {
        let (kind, from) = (self.kind, self.first(known.cell));
        let detail = if kind == Kind::HostScan { (0, 0) } else { (known.protocol.0, known.port) };
        let key = (known.source, known.host, detail.0, detail.1);
        let has_answered = self.answered.get(&key).is_some_and(|cell| *cell < known.cell);
        let history = self.histories.entry((known.source, name(kind, known))).or_default();
        let outcome = known.outcome;
        if history.last().is_none_or(|cell| cell < from) {
            *history = History::default();
        }
        history.ports.insert((known.protocol.0, known.port));
        history.networks.insert(network(known.host, 8));
        let state = history.state(from);
        let is_known = match (kind, state) {
            (_, Some(State::Used)) | (Kind::HostScan, Some(State::Known)) => true,
            (Kind::HostScan, Some(_)) => false,
            _ => has_answered,
        };
        match outcome {
            Outcome::Used(cell) => history.use_in(cell),
            Outcome::Touched if is_known => history.use_in(known.cell),
            Outcome::Failed { .. } if is_known && history.is_evidence(from) => {}
            Outcome::Failed { .. } if is_known => {
                history.is_known = true;
                history.failures.push(known.cell);
            }
            Outcome::Failed { .. } | Outcome::Touched => {
                if !history.is_evidence(from) {
                    history.evidence.clear();
                    history.is_known = false;
                }
                let is_silent = outcome == Outcome::Failed { is_silent: true };
                history.evidence.push((known.cell, outcome == Outcome::Touched, known.probe_port, is_silent));
            }
        }
        if !matches!(outcome, Outcome::Failed { .. }) {
            self.answered.entry(key).or_insert(known.cell);
        }
    }
}
