//! Conversations drawn at random, and the script of their packets.

use proptest::prelude::*;

use super::super::harness::*;
use super::*;

/// A step of a conversation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
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
pub(super) struct Conversation {
    pub(super) source: IpAddr,
    pub(super) source_port: u16,
    pub(super) host: IpAddr,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) is_probe: bool,
    /// Another interface shows the answers.
    pub(super) is_split: bool,
    pub(super) steps: Vec<(f64, Step)>,
}

/// The story of a conversation, before it has times.
#[derive(Debug, Clone)]
pub(super) enum Story {
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
pub(super) struct Draft {
    pub(super) source: u8,
    pub(super) host: (u8, u8),
    pub(super) port: u16,
    pub(super) tenths: u16,
    pub(super) is_split: bool,
    pub(super) story: Story,
}

/// An answer (true), a refusal (false) or silence; milliseconds until it comes.
pub(super) fn reply() -> impl Strategy<Value = Option<(bool, u16)>> {
    prop_oneof![
        2 => Just(None),
        2 => (Just(true), 1_u16..1_500).prop_map(Some),
        2 => (Just(false), 1_u16..1_500).prop_map(Some),
    ]
}

pub(super) fn tcp_story() -> impl Strategy<Value = Story> {
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
    (prop::option::weighted(0.3, 1_u16..2_500), reply(), after).prop_map(|(retry, reply, after)| {
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
    })
}

pub(super) fn udp_story() -> impl Strategy<Value = Story> {
    let request = (0_u16..14_000, prop::option::of(1_u16..1_400));
    let datagrams = (
        prop::option::of(1_u16..1_400),
        prop::collection::vec(request, 0..4),
        prop::option::weighted(0.2, 1_u16..1_400),
    );
    datagrams.prop_map(|(first, mut others, refusal)| {
        // A second datagram within the time of the first, or after anything else happened.
        others.iter_mut().for_each(|(at, _)| *at = if *at < 2_000 { *at % 800 } else { *at });
        let requests: Vec<_> = [(0, first)].into_iter().chain(others).collect();
        let is_quiet = requests.iter().all(|(at, answer)| answer.is_none() && *at < 800);
        Story::Udp { requests, refusal: refusal.filter(|_| is_quiet) }
    })
}

/// The length of the longest rows, in milliseconds.
const LONGEST_ROW: u16 = 100;

pub(super) fn ping_story() -> impl Strategy<Value = Story> {
    let answer = || prop::option::of(1_u16..900);
    (answer(), prop::collection::vec((300_u16..1_500, answer()), 0..4)).prop_map(|(first, others)| {
        let mut requests = vec![(0, first)];
        for (gap, answer) in others {
            let asked = requests.last().map_or(0, |(before, _)| before + gap);
            let replies = requests.iter().filter_map(|(at, delay)| Some(at + (*delay)?));
            // A row that has the reply before a request and the reply to it does not tell that one came before.
            let before = replies.filter(|replied| *replied <= asked).max();
            let is_of_one_row = |delay: u16| before.is_some_and(|replied| asked + delay < replied + LONGEST_ROW);
            requests.push((asked, answer.filter(|delay| !is_of_one_row(*delay))));
        }
        Story::Ping { requests }
    })
}

pub(super) fn story() -> impl Strategy<Value = Story> {
    prop_oneof![
        5 => tcp_story(),
        2 => udp_story(),
        2 => ping_story(),
        2 => (any::<bool>(), reply()).prop_map(|(from_one_port, reply)| Story::Probe { from_one_port, reply }),
        1 => any::<bool>().prop_map(|is_udp| Story::Peer { is_udp }),
    ]
}

pub(super) fn draft() -> impl Strategy<Value = Draft> {
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
pub(super) fn host((network, number): (u8, u8)) -> IpAddr {
    [v4(203, 0, 113, number), v4(203, 0, 114, number), v4(198, 51, 100, number)][usize::from(network)]
}

impl Draft {
    /// The conversation, with times without ties and never at the edge of a cell.
    pub(super) fn conversation(&self, number: usize) -> Conversation {
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
pub(super) fn conversations(drafts: &[Draft]) -> Vec<Conversation> {
    let mut ends = BTreeSet::new();
    let all = drafts.iter().enumerate().map(|(number, draft)| draft.conversation(number));
    all.filter(|made| ends.insert((made.source, made.source_port, made.host, made.protocol.0, made.port))).collect()
}

pub(super) fn script_of(conversations: &[Conversation]) -> Script {
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
