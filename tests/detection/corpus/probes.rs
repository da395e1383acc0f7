//! Probes of scanners with the reactions of their targets, and sweeps made of them.
//!
//! Takes a scanner and a plan, gives frames and the contacts with their outcomes.

use std::net::IpAddr;

use super::super::common::ip::{ICMP, TCP, UDP};
use super::super::host::Host;
use super::super::labels::Kind;
use super::super::traffic::{ACK, FIN, PUSH, RST, SYN, Time, URGENT, later};
use super::scene::{Actor, Outcome, Probed};
use super::wire::{End, router};

/// The packet with which a target is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Technique {
    /// A SYN; the scanner's system resets what is answered.
    Syn,
    /// A whole connection, reset by the scanner once it is open.
    Connect,
    Ack,
    /// FIN with ACK, named after Uriel Maimon.
    FinAck,
    Fin,
    Null,
    Xmas,
    /// A datagram of the size that scanners use for the port.
    Datagram,
    /// An ICMP request of this type: 8 (echo), 13 (timestamp), 15 (information) or 17 (address mask).
    Icmp(u8),
}

/// The reaction of a target to a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    Silent,
    /// It refuses.
    Closed,
    /// The router of its network refuses for it.
    Rejected,
    /// It answers.
    Open,
    /// It answers and sends a greeting.
    Greets,
    /// It accepts each connection and never lets go.
    Tarpit,
    /// A proxy answers for it, and resets the connection when no server is there.
    Proxy,
}

/// The reactions of targets with their weights.
pub type Mix = &'static [(Reaction, u32)];

pub const DEAD: Mix = &[(Reaction::Silent, 1)];
pub const REFUSING: Mix = &[(Reaction::Closed, 1)];
/// The Internet: most addresses are silent.
pub const SPARSE: Mix = &[
    (Reaction::Silent, 70),
    (Reaction::Closed, 14),
    (Reaction::Rejected, 10),
    (Reaction::Open, 4),
    (Reaction::Greets, 2),
];

/// A sweep over targets.
#[derive(Debug, Clone)]
pub struct Sweep {
    pub technique: Technique,
    pub targets: Vec<End>,
    pub reactions: Mix,
    pub start: Time,
    /// Mean seconds between two probes.
    pub gap: f64,
    /// The source port of all probes, if it is one.
    pub from: Option<u16>,
    /// The number of probes that a silent target gets.
    pub tries: u32,
    /// Refusals per second that pass the rate limit of routers and hosts.
    pub refusals_per_second: Option<f64>,
}

impl Sweep {
    pub fn new(technique: Technique, targets: Vec<End>, start: Time, gap: f64) -> Self {
        Self { technique, targets, reactions: SPARSE, start, gap, from: None, tries: 1, refusals_per_second: None }
    }

    /// Probes one address a step, on one port.
    pub fn hosts(
        technique: Technique,
        hosts: impl IntoIterator<Item = IpAddr>,
        port: u16,
        start: Time,
        gap: f64,
    ) -> Self {
        Self::new(technique, hosts.into_iter().map(|host| (host, port)).collect(), start, gap)
    }

    pub fn reacting(self, reactions: Mix) -> Self {
        Self { reactions, ..self }
    }

    pub fn from(self, port: u16) -> Self {
        Self { from: Some(port), ..self }
    }

    pub fn tries(self, tries: u32) -> Self {
        Self { tries, ..self }
    }
}

/// Seconds after the first probe at which a silent target is tried again.
const RETRIES: [f64; 4] = [0.0, 1.0, 3.0, 7.0];

/// The type that answers an ICMP request of `kind`.
fn reply(kind: u8) -> u8 {
    if kind == 8 { 0 } else { kind + 1 }
}

/// Payload bytes of a probe for a UDP port.
fn probe_bytes(port: u16) -> u16 {
    match port {
        53 => 30,
        123 => 48,
        137 => 50,
        161 => 60,
        1_900 => 94,
        5_353 => 46,
        _ => 0,
    }
}

impl Actor {
    /// A scanner that must be found for these kinds of scans.
    pub fn scanning(host: Host, kinds: &[Kind]) -> Self {
        Self { host, role: "", kinds: kinds.to_vec(), probed: Vec::new() }
    }

    /// Probes all targets in their order.
    pub fn sweep(mut self, sweep: &Sweep) -> Self {
        let total: u32 = sweep.reactions.iter().map(|(_, weight)| weight).sum();
        let mut allowed_from = sweep.start;
        for (number, &to) in sweep.targets.iter().enumerate() {
            let jitter = self.host.dice.within(0.0, 0.8);
            let time = later(sweep.start, sweep.gap * (number as f64 + jitter));
            let mut drawn = self.host.dice.from(1, total);
            let drawn_reaction = sweep.reactions.iter().find(|(_, weight)| {
                let is_it = drawn <= *weight;
                drawn = drawn.saturating_sub(*weight);
                is_it
            });
            let mut reaction = drawn_reaction.map_or(Reaction::Silent, |(reaction, _)| *reaction);
            if let Some(rate) = sweep.refusals_per_second
                && matches!(reaction, Reaction::Closed | Reaction::Rejected)
            {
                if time < allowed_from {
                    reaction = Reaction::Silent;
                } else {
                    allowed_from = later(time, 1.0 / rate);
                }
            }
            let mut from = sweep.from.unwrap_or_else(|| self.host.port());
            let tries = if reaction == Reaction::Silent { sweep.tries } else { 1 };
            for delay in RETRIES.into_iter().take(tries as usize) {
                self.probe(sweep.technique, later(time, delay), from, to, reaction);
                // A kernel tries again from the same port, a scanner that makes its own packets from the next.
                if sweep.from.is_none() && sweep.technique == Technique::Syn {
                    from = self.host.port();
                }
            }
        }
        self
    }

    /// Probes one target from a port.
    pub fn probe(&mut self, technique: Technique, time: Time, from: u16, to: End, reaction: Reaction) {
        let from = (self.host.address, from);
        let trip = self.host.trip(to.0);
        self.send_probe(technique, time, from, to);
        let answered = later(time, trip);
        let outcome = match reaction {
            Reaction::Silent => Outcome::Failed,
            Reaction::Rejected => {
                let protocol = protocol(technique);
                self.host.traffic.unreachable(answered, router(to.0), from, to, protocol);
                Outcome::Failed
            }
            Reaction::Closed => {
                self.refuse(technique, answered, from, to);
                Outcome::Failed
            }
            _ => self.answer(technique, answered, from, to, reaction),
        };
        let protocol = protocol(technique);
        let port = (protocol != ICMP).then_some((protocol, to.1));
        self.probed.push(Probed { began: time, host: to.0, port, outcome });
    }

    fn send_probe(&mut self, technique: Technique, time: Time, from: End, to: End) {
        let traffic = &mut self.host.traffic;
        let flags = match technique {
            Technique::Syn | Technique::Connect => SYN,
            Technique::Ack => ACK,
            Technique::FinAck => FIN | ACK,
            Technique::Fin => FIN,
            Technique::Null => 0,
            Technique::Xmas => FIN | PUSH | URGENT,
            Technique::Datagram => return traffic.udp(time, from, to, probe_bytes(to.1)),
            Technique::Icmp(8) => return traffic.echo(time, from.0, to.0, true),
            Technique::Icmp(kind) => return traffic.icmp(time, from.0, to.0, kind),
        };
        traffic.tcp(time, from, to, flags, 0);
    }

    fn refuse(&mut self, technique: Technique, time: Time, from: End, to: End) {
        let traffic = &mut self.host.traffic;
        match technique {
            Technique::Datagram => traffic.unreachable(time, to.0, from, to, UDP),
            // No host refuses an ICMP request.
            Technique::Icmp(_) => {}
            Technique::Ack | Technique::FinAck => traffic.tcp(time, to, from, RST, 0),
            _ => traffic.tcp(time, to, from, RST | ACK, 0),
        }
    }

    fn answer(&mut self, technique: Technique, time: Time, from: End, to: End, reaction: Reaction) -> Outcome {
        let traffic = &mut self.host.traffic;
        match technique {
            Technique::Syn => {
                traffic.tcp(time, to, from, SYN | ACK, 0);
                traffic.tcp(later(time, 0.000_2), from, to, RST, 0);
                Outcome::Failed
            }
            Technique::Connect => self.connected(time, from, to, reaction),
            // Open ports reset an ACK and ignore the others (RFC 9293, 3.10.7.2).
            Technique::Ack | Technique::FinAck => {
                traffic.tcp(time, to, from, RST, 0);
                Outcome::Failed
            }
            Technique::Fin | Technique::Null | Technique::Xmas => Outcome::Failed,
            Technique::Datagram => {
                traffic.udp(time, to, from, probe_bytes(to.1) + 60);
                Outcome::Touched
            }
            Technique::Icmp(8) => {
                traffic.echo(time, to.0, from.0, false);
                Outcome::Touched
            }
            Technique::Icmp(kind) => {
                traffic.icmp(time, to.0, from.0, reply(kind));
                Outcome::Touched
            }
        }
    }

    /// A connection that the target, or a proxy in its place, accepts.
    fn connected(&mut self, time: Time, from: End, to: End, reaction: Reaction) -> Outcome {
        let patience = self.host.dice.within(3.0, 6.0);
        let traffic = &mut self.host.traffic;
        traffic.tcp(time, to, from, SYN | ACK, 0);
        traffic.tcp(later(time, 0.000_1), from, to, ACK, 0);
        match reaction {
            Reaction::Greets => {
                traffic.tcp(later(time, 0.002), to, from, PUSH | ACK, 42);
                traffic.tcp(later(time, 0.003), from, to, RST | ACK, 0);
            }
            // The tarpit does not let go: the scanner's system sends its FIN again.
            Reaction::Tarpit => {
                for delay in [0.0, 0.2, 0.6] {
                    traffic.tcp(later(time, patience + delay), from, to, FIN | ACK, 0);
                }
            }
            Reaction::Proxy => traffic.tcp(later(time, 0.4 * patience), to, from, RST | ACK, 0),
            _ => traffic.tcp(later(time, 0.000_2), from, to, RST | ACK, 0),
        }
        Outcome::Touched
    }
}

fn protocol(technique: Technique) -> u8 {
    match technique {
        Technique::Datagram => UDP,
        Technique::Icmp(_) => ICMP,
        _ => TCP,
    }
}
