//! The second evidence rule by brute force: it keeps the packets of every conversation and all outcomes of every target.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;

use super::harness::*;
use super::model::{Over, Windows, cut, over, run, until};
use crate::detect::Kind;
use crate::detect::scan::config::Factors;
use crate::detect::scan::{Config, Rule};
use crate::packet::Protocol;
use crate::time_grid::Cell as GridCell;

// ---- Scripts -------------------------------------------------------------------------------------------------------

/// A step of a conversation.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// The source's SYN, probe, datagram or echo request.
    Ask,
    /// The target's SYN with ACK, ACK, datagram or echo reply.
    Answer,
    /// The target's RST, or an ICMP error.
    Refuse,
    /// The source's ACK.
    Continue,
    /// The source's data.
    Send,
    /// The target's data: IP bytes.
    Give(u32),
    CloseBySource,
    CloseByTarget,
    /// The source's RST without ACK.
    Reset,
}

/// A conversation with all its packets, in the order of time.
#[derive(Debug, Clone)]
struct Conversation {
    source: IpAddr,
    source_port: u16,
    host: IpAddr,
    protocol: Protocol,
    port: u16,
    is_probe: bool,
    /// Another interface shows the answers.
    is_split: bool,
    steps: Vec<(f64, Step)>,
}

/// The story of a conversation, before it has times.
#[derive(Debug, Clone)]
enum Story {
    /// Unanswered, refused or answered; milliseconds until a second SYN, and until the reply (true: an answer).
    Tcp {
        retry: Option<u16>,
        reply: Option<(bool, u16)>,
        after: Vec<(u16, Step)>,
    },
    /// Requests, each with the milliseconds since the first and until its answer.
    Udp {
        requests: Vec<(u16, Option<u16>)>,
        refusal: Option<u16>,
    },
    Ping {
        requests: Vec<(u16, Option<u16>)>,
    },
    Probe {
        from_one_port: bool,
        reply: Option<(bool, u16)>,
    },
    /// The host contacts the source, with a datagram or a SYN.
    Peer {
        is_udp: bool,
    },
}

#[derive(Debug, Clone)]
struct Draft {
    source: u8,
    host: (u8, u8),
    port: u16,
    tenths: u16,
    is_split: bool,
    story: Story,
}

fn story() -> impl Strategy<Value = Story> {
    let reply = || {
        prop_oneof![
            2 => Just(None),
            2 => (Just(true), 1_u16..1_500).prop_map(Some),
            2 => (Just(false), 1_u16..1_500).prop_map(Some),
        ]
    };
    let act = prop_oneof![
        3 => Just(Step::Send),
        2 => Just(Step::Give(100)),
        2 => Just(Step::Give(600)),
    ];
    let close = prop_oneof![Just(Step::CloseBySource), Just(Step::CloseByTarget), Just(Step::Reset)];
    let soon_or_late = || prop_oneof![3 => 30_u16..1_500, 1 => 8_000_u16..13_000];
    let after = (
        prop::option::weighted(0.9, Just(Step::Continue)),
        prop::collection::vec((soon_or_late(), act), 0..3),
        prop::option::of((soon_or_late(), close)),
    );
    let tcp = (prop::option::weighted(0.3, 1_u16..2_500), reply(), after).prop_map(|(retry, reply, after)| {
        let (accept, acts, close) = after;
        let retry = retry.filter(|&retry| reply.is_none_or(|(_, replied)| retry < replied));
        let mut steps: Vec<(u16, Step)> = accept.into_iter().map(|step| (0, step)).collect();
        if accept.is_some() {
            steps.extend(acts);
            // Nothing comes behind the end of a connection.
            let last = steps.iter().map(|(at, _)| *at).max().unwrap_or(0);
            steps.extend(close.map(|(at, step)| (last + at, step)));
        } else {
            steps.extend(close.filter(|(_, step)| *step == Step::Reset));
        }
        Story::Tcp { retry, reply, after: steps }
    });
    let request = (0_u16..14_000, prop::option::of(1_u16..1_400));
    let datagrams = (
        prop::option::of(1_u16..1_400),
        prop::collection::vec(request.clone(), 0..4),
        prop::option::weighted(0.2, 1_u16..1_400),
    )
        .prop_map(|(first, mut others, refusal)| {
            // A second datagram within the time of the first, or after anything else happened.
            others.iter_mut().for_each(|(at, _)| *at = if *at < 2_000 { *at % 800 } else { *at });
            let requests: Vec<_> = [(0, first)].into_iter().chain(others).collect();
            let is_quiet = requests.iter().all(|(at, answer)| answer.is_none() && *at < 800);
            Story::Udp { requests, refusal: refusal.filter(|_| is_quiet) }
        });
    let ping =
        (prop::option::of(1_u16..900), prop::collection::vec((300_u16..1_500, prop::option::of(1_u16..900)), 0..4))
            .prop_map(|(first, others)| {
                let mut at = 0;
                let others = others.into_iter().map(|(gap, answer)| {
                    at += gap;
                    (at, answer)
                });
                Story::Ping { requests: [(0, first)].into_iter().chain(others).collect() }
            });
    prop_oneof![
        5 => tcp,
        2 => datagrams,
        2 => ping,
        2 => (any::<bool>(), reply()).prop_map(|(from_one_port, reply)| Story::Probe { from_one_port, reply }),
        1 => any::<bool>().prop_map(|is_udp| Story::Peer { is_udp }),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    (0_u8..3, (0_u8..3, 1_u8..8), 1_u16..5, 0_u16..400, any::<bool>(), story()).prop_map(
        |(source, host, port, tenths, is_split, story)| {
            // The order of threads matters to what is late, and to conversations that only a first packet begins.
            let may_split = match story {
                Story::Tcp { reply, .. } => reply.is_none_or(|(_, at)| at < 900),
                Story::Ping { .. } => true,
                _ => false,
            };
            Draft { source, host, port, tenths, is_split: is_split && may_split, story }
        },
    )
}

/// Hosts in three networks of two sites.
fn host((network, number): (u8, u8)) -> IpAddr {
    [v4(203, 0, 113, number), v4(203, 0, 114, number), v4(198, 51, 100, number)][usize::from(network)]
}

impl Draft {
    /// The conversation, with times without ties and never at the edge of a cell.
    fn conversation(&self, number: usize) -> Conversation {
        let began = f64::from(self.tenths) / 10.0 + 0.000_01 * (number as f64 + 1.0);
        let (source, host, own_port) = (v4(10, 0, 0, self.source), host(self.host), 20_000 + number as u16);
        let mut steps = vec![(0.0, Step::Ask)];
        let after = |milliseconds: u16, place: usize| f64::from(milliseconds) / 1e3 + 0.000_000_1 * place as f64;
        let conversation = |protocol, port, source_port, is_probe, mut steps: Vec<(f64, Step)>| {
            steps.sort_by(|left, right| left.0.total_cmp(&right.0));
            let steps = steps.into_iter().map(|(at, step)| (began + at, step)).collect();
            Conversation { source, source_port, host, protocol, port, is_probe, is_split: self.is_split, steps }
        };
        let reply_of = |reply: Option<(bool, u16)>| {
            reply.map(|(is_answer, at)| (after(at, 1), if is_answer { Step::Answer } else { Step::Refuse }))
        };
        match &self.story {
            Story::Tcp { retry, reply, after: then } => {
                steps.extend(retry.map(|at| (after(at, 0), Step::Ask)));
                steps.extend(reply_of(*reply));
                if let Some((true, at)) = reply {
                    steps.extend(
                        then.iter().enumerate().map(|(place, (later, step))| (after(at + later, 2 + place), *step)),
                    );
                }
                conversation(Protocol::TCP, self.port, own_port, false, steps)
            }
            Story::Udp { requests, refusal } => {
                steps.clear();
                for (place, (at, answer)) in requests.iter().enumerate() {
                    steps.push((after(*at, 3 * place), Step::Ask));
                    steps.extend(answer.map(|delay| (after(at + delay, 3 * place + 1), Step::Answer)));
                }
                steps.extend(refusal.map(|at| (after(at, 2), Step::Refuse)));
                conversation(Protocol::UDP, self.port, own_port, false, steps)
            }
            Story::Ping { requests } => {
                steps.clear();
                for (place, (at, answer)) in requests.iter().enumerate() {
                    steps.push((after(*at, 3 * place), Step::Ask));
                    steps.extend(answer.map(|delay| (after(at + delay, 3 * place + 1), Step::Answer)));
                }
                conversation(Protocol::ICMP, 0, 0, false, steps)
            }
            Story::Probe { from_one_port, reply } => {
                steps.extend(reply_of(*reply));
                conversation(Protocol::TCP, self.port, if *from_one_port { 19_999 } else { own_port }, true, steps)
            }
            Story::Peer { is_udp } => Conversation {
                source: host,
                source_port: own_port,
                host: source,
                protocol: if *is_udp { Protocol::UDP } else { Protocol::TCP },
                port: 19_998,
                is_probe: false,
                is_split: false,
                steps: vec![(began, Step::Ask)],
            },
        }
    }
}

/// The conversations of drafts. Of several with the same ends the first one stays.
fn conversations(drafts: &[Draft]) -> Vec<Conversation> {
    let mut ends = BTreeSet::new();
    let all = drafts.iter().enumerate().map(|(number, draft)| draft.conversation(number));
    all.filter(|made| ends.insert((made.source, made.source_port, made.host, made.protocol.0, made.port))).collect()
}

fn script_of(conversations: &[Conversation]) -> Script {
    let mut script = Script::default();
    // A host of its own is answered all the time, so that answers are visible on each interface.
    for interface in 0..2 {
        let (asker, target) = (v4(10, 9, 9, interface), v4(10, 9, 8, 8));
        let mut answers = Script::default();
        (0..20).for_each(|number| answers.query(f64::from(number) * 4.0 - 1.0, asker, target, 53, 0.01));
        script = script.and(answers.seen_by(interface.into()));
    }
    for Conversation { source, source_port, host, protocol, port, is_probe, is_split, steps } in conversations {
        let (there, back) = ((*source_port, *port), (*port, *source_port));
        for &(time, step) in steps {
            let (is_back, flags, bytes) = match step {
                Step::Ask => (false, if *is_probe { ACK } else { SYN }, 40),
                Step::Answer => (true, if *is_probe { ACK } else { SYN | ACK }, 40),
                Step::Refuse => (true, RST | ACK, 40),
                Step::Continue => (false, ACK, 40),
                Step::Send => (false, PUSH | ACK, 90),
                Step::Give(bytes) => (true, PUSH | ACK, bytes),
                Step::CloseBySource => (false, FIN | ACK, 40),
                Step::CloseByTarget => (true, FIN | ACK, 40),
                Step::Reset => (false, RST, 40),
            };
            let (from, to, ports) = if is_back { (*host, *source, back) } else { (*source, *host, there) };
            match *protocol {
                Protocol::UDP if step == Step::Refuse => script.unreachable(time, *source, *host, *protocol, there),
                Protocol::UDP => script.udp(time, from, to, ports),
                Protocol::ICMP => {
                    let mut echo = packet(time, from, to, Protocol::ICMP, (0, 0), 0, 84);
                    echo.icmp_type = Some(if is_back { 0 } else { 8 });
                    script.0.push((0, ScriptEvent::Packet(echo)));
                }
                _ => script.packet(time, from, to, *protocol, ports, flags, bytes),
            }
            script.0.last_mut().unwrap().0 = usize::from(is_back && *is_split);
        }
    }
    script
}

// ---- Outcomes ------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// `is_silent`: a datagram had no answer.
    Failed {
        is_silent: bool,
    },
    Touched,
    /// Used in this cell, which may be before the one in which that is known.
    Used(i64),
}

/// An outcome, with the cell from which on it is known.
#[derive(Debug, Clone, Copy)]
struct Known {
    cell: i64,
    source: IpAddr,
    host: IpAddr,
    protocol: Protocol,
    port: u16,
    probe_port: u16,
    outcome: Outcome,
}

/// A contact that waits for its outcome.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    first: f64,
    last: f64,
    requests: u32,
    replies: u32,
    reply_bytes: u32,
    is_answered: bool,
    is_accepted: bool,
    /// The cell at the end of which it is judged.
    due: i64,
}

struct Outcomes<'a> {
    config: &'a Config,
    windows: Windows,
    /// Cells in an eighth of the window.
    part: i64,
    known: Vec<Known>,
    /// The cells at the end of which contacts waited for their outcome: source, host and cell.
    waited: BTreeSet<(IpAddr, IpAddr, i64)>,
}

impl Outcomes<'_> {
    fn cell(&self, seconds: f64) -> i64 {
        self.windows.grid.cell(at(seconds)).0
    }

    fn all(config: &Config, conversations: &[Conversation]) -> (Vec<Known>, BTreeSet<(IpAddr, IpAddr, i64)>) {
        let windows = Windows::of(config);
        let part = i64::from(windows.cells[0]) / 8;
        let mut outcomes = Outcomes { config, windows, part, known: Vec::new(), waited: BTreeSet::new() };
        conversations.iter().for_each(|conversation| outcomes.add(conversation));
        outcomes.known.sort_by_key(|known| known.cell);
        (outcomes.known, outcomes.waited)
    }

    fn add(&mut self, of: &Conversation) {
        let (first, last) = (of.steps[0].0, of.steps[of.steps.len() - 1].0);
        let mut waiting: Option<Waiting> = None;
        let (mut has_begun, mut is_answered) = (false, false);
        for cell in self.cell(first)..=self.cell(last + 11.0) {
            let mut is_refused = false;
            for &(time, step) in &of.steps {
                if self.cell(time) != cell {
                    continue;
                }
                is_answered |= matches!(step, Step::Answer);
                match step {
                    Step::Refuse if of.protocol == Protocol::UDP => is_refused = true,
                    _ => waiting = self.take(of, cell, (time, step), waiting, (has_begun, is_answered)),
                }
                has_begun = true;
            }
            if is_refused && waiting.is_some_and(|waiting| !waiting.is_answered) {
                self.push(of, cell, Outcome::Failed { is_silent: false });
                waiting = None;
            }
            waiting = waiting.and_then(|waiting| self.judge(of, cell, waiting));
            if waiting.is_some() {
                self.waited.insert((of.source, of.host, cell));
            }
        }
    }

    fn push(&mut self, of: &Conversation, cell: i64, outcome: Outcome) {
        let Conversation { source, host, protocol, port, .. } = *of;
        let probe_port = if of.is_probe { of.source_port } else { 0 };
        self.known.push(Known { cell, source, host, protocol, port, probe_port, outcome });
    }

    /// Takes a packet; gives the contact as it waits afterwards.
    fn take(
        &mut self,
        of: &Conversation,
        cell: i64,
        (time, step): (f64, Step),
        waiting: Option<Waiting>,
        (has_begun, is_answered): (bool, bool),
    ) -> Option<Waiting> {
        let part = cell.div_euclid(self.part) * self.part;
        let Some(mut contact) = waiting else {
            let begins = step == Step::Ask && !(has_begun && of.protocol == Protocol::UDP);
            if begins {
                let due = self.cell(time + 1.0);
                return Some(Waiting { first: time, last: time, requests: 1, due, ..Waiting::default() });
            }
            match step {
                Step::Ask if is_answered => self.push(of, cell, Outcome::Used(part)),
                Step::Answer if of.protocol == Protocol::UDP => self.push(of, cell, Outcome::Used(part)),
                Step::Send => self.push(of, cell, Outcome::Used(part)),
                Step::Give(bytes) if bytes > self.config.used_bytes => self.push(of, cell, Outcome::Used(part)),
                _ => {}
            }
            return None;
        };
        match step {
            Step::Ask => {
                contact.requests += 1;
                contact.last = time;
            }
            Step::Answer => {
                contact.replies += 1;
                contact.reply_bytes += 40;
                contact.is_answered = true;
            }
            Step::Continue | Step::Send => {
                contact.is_accepted = true;
                contact.last = time;
            }
            Step::Give(bytes) => contact.reply_bytes += bytes,
            Step::Refuse | Step::CloseBySource | Step::CloseByTarget | Step::Reset => {}
        }
        let outcome = match of.protocol {
            Protocol::TCP if contact.is_answered => match step {
                _ if of.is_probe => Some(Outcome::Used(cell)),
                Step::Send => Some(Outcome::Used(cell)),
                _ if contact.reply_bytes > self.config.used_bytes => Some(Outcome::Used(cell)),
                Step::Reset if !contact.is_accepted => Some(Outcome::Failed { is_silent: false }),
                Step::Reset | Step::CloseBySource | Step::CloseByTarget => Some(Outcome::Touched),
                _ => None,
            },
            Protocol::ICMP if contact.is_answered && contact.requests >= 3 => Some(Outcome::Used(cell)),
            _ if step == Step::Refuse => Some(Outcome::Failed { is_silent: false }),
            _ => None,
        };
        match outcome {
            Some(outcome) => {
                self.push(of, cell, outcome);
                None
            }
            None => Some(contact),
        }
    }

    /// Judges a contact at the end of a cell; gives it back if it still waits.
    fn judge(&mut self, of: &Conversation, cell: i64, mut waiting: Waiting) -> Option<Waiting> {
        if cell < waiting.due {
            return Some(waiting);
        }
        if !waiting.is_answered {
            self.push(of, cell, Outcome::Failed { is_silent: of.protocol == Protocol::UDP });
            let due = self.cell(waiting.last + 1.0);
            return (due > cell).then_some(Waiting { first: waiting.last, due, ..waiting });
        }
        let wait = match of.protocol {
            Protocol::TCP if waiting.is_accepted => 10.0,
            Protocol::ICMP => 3.5,
            _ => 1.0,
        };
        waiting.due = self.cell(waiting.first + wait);
        if of.protocol == Protocol::UDP && waiting.requests.max(waiting.replies) > 2 {
            self.push(of, cell, Outcome::Used(cell));
        } else if waiting.due > cell {
            return Some(waiting);
        } else {
            self.push(of, cell, Outcome::Touched);
        }
        None
    }
}

// ---- Targets -------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Failed,
    Touched,
    Used,
    /// Answered before the window: neither evidence nor use.
    Known,
}

/// All that happened between a source and a target.
#[derive(Debug, Clone, Default)]
struct History {
    /// The cells in which it was used.
    uses: Vec<i64>,
    /// The outcomes since they are evidence: cell, true if touched, probe port, true if silent.
    evidence: Vec<(i64, bool, u16, bool)>,
    /// The cells of failures that prove nothing, because the target is known.
    failures: Vec<i64>,
    /// The target was used or met again since the evidence began.
    is_known: bool,
    ports: BTreeSet<(u8, u16)>,
    networks: BTreeSet<IpAddr>,
}

impl History {
    fn last(&self) -> Option<i64> {
        let evidence = self.evidence.iter().map(|entry| entry.0);
        self.uses.iter().copied().chain(evidence).chain(self.failures.iter().copied()).max()
    }

    /// The state in the window that begins with a cell.
    fn state(&self, from: i64) -> Option<State> {
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

    fn is_evidence(&self, from: i64) -> bool {
        matches!(self.state(from), Some(State::Failed | State::Touched))
    }

    fn use_in(&mut self, cell: i64) {
        self.uses.push(cell);
        self.is_known = true;
    }
}

/// The name of a target: the host, or protocol and port.
type Name = (Option<IpAddr>, u8, u16);

fn network(host: IpAddr, bits: u32) -> IpAddr {
    let IpAddr::V4(host) = host else { panic!("{host}") };
    IpAddr::from((host.to_bits() >> bits << bits).to_be_bytes())
}

fn name(kind: Kind, known: &Known) -> Name {
    match kind {
        Kind::HostScan => (Some(known.host), 0, 0),
        _ => (None, known.protocol.0, known.port),
    }
}

/// The targets of all sources for one kind of scan.
struct Targets<'a> {
    kind: Kind,
    config: &'a Config,
    cells: i64,
    histories: BTreeMap<(IpAddr, Name), History>,
    /// The first cell in which a target is known that answered.
    answered: BTreeMap<(IpAddr, IpAddr, u8, u16), i64>,
}

impl Targets<'_> {
    fn first(&self, cell: i64) -> i64 {
        cell - self.cells + 1
    }

    fn add(&mut self, known: &Known) {
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

// ---- Comparisons ---------------------------------------------------------------------------------------------------

/// A target in the window of a source.
#[derive(Debug)]
struct Placed<'a> {
    name: Name,
    state: State,
    history: &'a History,
}

/// A comparison that holds or does not: failed targets, or failed and touched ones, with the least number that they exceed.
struct Compared {
    value: u64,
    threshold: u64,
    is_fresh: bool,
}

/// All comparisons of SCANS.md, point 5, in order.
fn comparisons(kind: Kind, limit: u64, factors: &Factors, targets: &[Placed<'_>], cell: i64) -> Vec<Compared> {
    let times = |factor: u32| limit * u64::from(factor);
    let count = |state: State, of: &[&Placed<'_>]| of.iter().filter(|target| target.state == state).count() as u64;
    let all_failed = targets.iter().filter(|target| target.state == State::Failed).count() as u64;
    let mut found = Vec::new();
    let mut compare = |of: &[&Placed<'_>], of_failed: Option<(u64, u64)>, of_both: Option<u64>| {
        let (failed, touched, used) = (count(State::Failed, of), count(State::Touched, of), count(State::Used, of));
        let is_fresh = |counts: &dyn Fn(State) -> bool| {
            of.iter().any(|target| counts(target.state) && target.history.evidence.iter().any(|entry| entry.0 == cell))
        };
        if let Some((least, times_answered)) = of_failed {
            let outnumbered = if times_answered == 0 { used } else { (used + touched) * (times_answered - 1) };
            let is_fresh = is_fresh(&|state| state == State::Failed);
            found.push(Compared { value: failed, threshold: least.max(outnumbered), is_fresh });
        }
        if let Some(least) = of_both {
            let is_fresh = is_fresh(&|state| matches!(state, State::Failed | State::Touched));
            found.push(Compared { value: failed + touched, threshold: least.max(used), is_fresh });
        }
    };
    if kind == Kind::PortScan {
        // No more than three networks of a port are told apart.
        let tried = |target: &Placed<'_>| -> Vec<IpAddr> { target.history.networks.iter().take(3).copied().collect() };
        let networks: BTreeSet<IpAddr> = targets.iter().flat_map(tried).collect();
        for network in &networks {
            let of: Vec<_> = targets.iter().filter(|target| tried(target).contains(network)).collect();
            compare(&of, Some((limit, 0)), Some(times(factors.touched)));
        }
        let many: Vec<_> = targets.iter().filter(|target| target.history.networks.len() >= 3).collect();
        compare(&many, Some((limit, 0)), Some(times(factors.touched)));
        return found;
    }
    let host = |target: &Placed<'_>| target.name.0.unwrap();
    let networks: BTreeSet<IpAddr> = targets.iter().map(|target| network(host(target), 8)).collect();
    let within = |bits: u32, of: IpAddr| -> Vec<&Placed<'_>> {
        targets.iter().filter(|target| network(host(target), bits) == of).collect()
    };
    // No more than three ports of a host are told apart.
    let tried = |target: &Placed<'_>| -> Vec<(u8, u16)> { target.history.ports.iter().take(3).copied().collect() };
    let ports: BTreeSet<(u8, u16)> = targets.iter().flat_map(tried).collect();
    for of in &networks {
        for port in &ports {
            let mut of_port = within(8, *of);
            of_port.retain(|target| tried(target).contains(port));
            compare(&of_port, Some((limit, 0)), Some(times(factors.touched)));
        }
    }
    for of in &networks {
        let many: Vec<_> = within(8, *of).into_iter().filter(|target| target.history.ports.len() >= 3).collect();
        compare(&many, Some((limit, 0)), Some(times(factors.touched)));
    }
    for of in &networks {
        compare(&within(8, *of), Some((times(factors.any_port), 0)), Some(times(factors.any_port * factors.touched)));
    }
    for port in &ports {
        let of: Vec<_> = targets.iter().filter(|target| tried(target).contains(port)).collect();
        if count(State::Failed, &of) * u64::from(factors.port_share) >= all_failed {
            compare(&of, Some((limit, 1 + u64::from(factors.answered))), None);
        }
    }
    let many: Vec<_> = targets.iter().filter(|target| target.history.ports.len() >= 3).collect();
    if count(State::Failed, &many) * u64::from(factors.port_share) >= all_failed {
        compare(&many, Some((limit, 1 + u64::from(factors.answered))), None);
    }
    let sites: BTreeSet<IpAddr> = targets.iter().map(|target| network(host(target), 16)).collect();
    for of in sites {
        compare(&within(16, of), Some((times(factors.site), 1 + u64::from(factors.answered))), None);
    }
    let everything: Vec<_> = targets.iter().collect();
    compare(&everything, Some((times(factors.everywhere), 1 + u64::from(factors.answered_everywhere))), None);
    found
}

/// The targets of a source that count in a cell: without ACKs from many ports, and for hosts without peers.
fn counting<'a>(
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

fn model(config: &Config, conversations: &[Conversation], last: i64) -> Over {
    let (known, waited) = Outcomes::all(config, conversations);
    let windows = Windows::of(config);
    let Some(first) = known.first().map(|known| known.cell) else { return Over::new() };
    let [mut hosts, mut ports] = [(Kind::HostScan, 0), (Kind::PortScan, 1)].map(|(kind, place)| Targets {
        kind,
        config,
        cells: windows.cells[place].into(),
        histories: BTreeMap::new(),
        answered: BTreeMap::new(),
    });
    let sources: BTreeSet<IpAddr> = known.iter().map(|known| known.source).collect();
    let (mut over, mut reported) = (Over::new(), BTreeSet::new());
    for cell in first..last {
        for known in known.iter().filter(|known| known.cell == cell) {
            hosts.add(known);
            if known.port != 0 {
                ports.add(known);
            }
        }
        for all in [&hosts, &ports] {
            let limit =
                u64::from(if all.kind == Kind::HostScan { config.contacted_ips } else { config.contacted_ports });
            for source in &sources {
                let is_peer = |peer: IpAddr| {
                    let history = hosts.histories.get(&(peer, (Some(*source), 0, 0)));
                    history.is_some_and(|history| history.state(hosts.first(cell)).is_some())
                        || waited.contains(&(peer, *source, cell))
                };
                judge(all, *source, limit, cell, is_peer, &mut reported, &mut over, &windows);
            }
        }
    }
    over
}

#[allow(clippy::too_many_arguments, reason = "all of a verdict")]
fn judge(
    all: &Targets<'_>,
    source: IpAddr,
    limit: u64,
    cell: i64,
    is_peer: impl Fn(IpAddr) -> bool,
    reported: &mut BTreeSet<(Kind, IpAddr)>,
    over: &mut Over,
    windows: &Windows,
) {
    let is_of_source =
        |((of, _), history): &(&(IpAddr, Name), &History)| *of == source && history.is_evidence(all.first(cell));
    let evidence = all.histories.iter().filter(is_of_source).count() as u64;
    let subject = (all.kind, source);
    let clearest = if evidence * 10 < limit * 9 {
        None
    } else {
        let targets = counting(all, source, limit, cell, is_peer);
        let mut compared = comparisons(all.kind, limit, &all.config.factors, &targets, cell);
        compared.retain(|compared| compared.value > 0);
        let is_near = compared.iter().any(|compared| compared.value * 10 >= compared.threshold * 9);
        compared.retain(|compared| compared.value > compared.threshold);
        // The largest value; of equal ones that with the lowest threshold, then the first.
        compared.reverse();
        let best = compared.into_iter().max_by_key(|compared| (compared.value, std::cmp::Reverse(compared.threshold)));
        is_near.then_some(best)
    };
    let Some(clearest) = clearest else {
        reported.remove(&subject);
        return;
    };
    if let Some(best) = clearest.filter(|best| best.is_fresh || reported.contains(&subject)) {
        reported.insert(subject);
        over.insert((windows.grid.end(GridCell(cell)).nanoseconds(), all.kind, source), best.value);
    }
}

// ---- The test ------------------------------------------------------------------------------------------------------

/// Small limits and factors, so that each comparison can decide.
fn config() -> impl Strategy<Value = Config> {
    let factors = (1_u32..3, 1_u32..3, 1_u32..3, 1_u32..4, 0_u32..3, 0_u32..3, 1_u32..5);
    (factors, 1_u32..5, 1_u32..5).prop_map(|(factors, contacted_ips, contacted_ports)| {
        let (touched, any_port, site, everywhere, answered, answered_everywhere, port_share) = factors;
        Config {
            contacted_ips,
            contacted_ports,
            // Grouped scanners are judged elsewhere.
            group_factor: 10_000,
            factors: Factors { touched, any_port, site, everywhere, answered, answered_everywhere, port_share },
            ..super::model::config(Rule::Evidence)
        }
    })
}

/// As many scripts as `PROPTEST_CASES` says, or 128.
fn many() -> ProptestConfig {
    let asked_for = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked_for.unwrap_or(128), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn evidence_finds_what_every_packet_says(drafts in prop::collection::vec(draft(), 1..90), config in config(), cut in cut()) {
        let conversations = conversations(&drafts);
        let script = script_of(&conversations);
        let last = Windows::of(&config).grid.cell(until(&script)).0;
        let (found, expected) = (over(&run(&config, &script, cut)), model(&config, &conversations, last));
        let differs = |from: &Over, to: &Over| from.iter().find(|(key, value)| to.get(key) != Some(value)).map(|(key, value)| (*key, *value));
        let first = differs(&found, &expected).into_iter().chain(differs(&expected, &found)).min();
        prop_assert_eq!(first, None, "of {} and {}", found.len(), expected.len());
    }
}
