//! A host that sends: its packets, their answers, and the outcome of each of its contacts.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::common::ip::{ICMP, TCP, UDP};
use super::dice::Dice;
use super::traffic::{ACK, FIN, PUSH, RST, SYN, Time, Traffic, URGENT, Wrapping, at, later};

/// The beginning of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A SYN; the source breaks off an answered contact, without a packet of its own stack for it.
    HalfOpen,
    /// A whole connection, closed at once.
    Connect,
    Fin,
    Null,
    Xmas,
    Datagram,
    Echo,
}

/// The state of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Open,
    /// Refused by the target.
    Closed,
    /// Refused by a router on the way.
    Rejected,
    Silent,
}

/// A contact as its source knows it.
#[derive(Debug, Clone, Copy)]
pub struct Contact {
    pub began: Time,
    pub host: IpAddr,
    pub port: Option<(u8, u16)>,
    /// Time at which the monitor sees that it was refused, broken off or timed out; none when it was answered.
    pub failed: Option<Time>,
}

/// Seconds without an answer after which a contact has failed.
const TIMEOUT: f64 = 1.0;
/// The share of answers that are lost on the way.
const LOST: f64 = 0.01;

/// A source and its traffic.
#[derive(Debug, Clone)]
pub struct Host {
    pub address: IpAddr,
    pub dice: Dice,
    pub traffic: Traffic,
    pub contacts: Vec<Contact>,
    next_port: u16,
    /// Targets by number are spread over a space of their own by this.
    space: u32,
}

impl Host {
    pub fn new(address: IpAddr, mut dice: Dice) -> Self {
        let (next_port, space) = (dice.from(32_768, 60_999) as u16, dice.next() as u32);
        Self { address, dice, traffic: Traffic::default(), contacts: Vec::new(), next_port, space }
    }

    pub fn wrapped(mut self, wrapping: Wrapping) -> Self {
        self.traffic.wrapping = wrapping;
        self
    }

    /// A port that this host has not used lately.
    pub fn port(&mut self) -> u16 {
        self.next_port = if self.next_port >= 60_999 { 32_768 } else { self.next_port + 1 };
        self.next_port
    }

    /// The target of a number, far away: in a network of this host's own, no two numbers the same.
    pub fn target(&self, number: u32) -> IpAddr {
        // An odd factor permutes the 65,536 addresses.
        let [high, low] = (number.wrapping_mul(0x9e35).wrapping_add(self.space) as u16).to_be_bytes();
        let [_, _, first, second] = self.space.to_be_bytes();
        match self.address {
            IpAddr::V4(_) => Ipv4Addr::new(20 + first % 80, second, high, low).into(),
            IpAddr::V6(_) => {
                let [first, second, high, low] = [first, second, high, low].map(u16::from);
                Ipv6Addr::new(0x3fff, first, second, high, 0, 0, 0, low).into()
            }
        }
    }

    /// Seconds that a packet and its answer take.
    pub fn round_trip(&mut self) -> f64 {
        self.dice.within(0.001, 0.4)
    }

    /// Contacts a target from a port of this host's own, `ports` being that and the target's.
    pub fn probe_from(&mut self, probe: Probe, time: Time, to: IpAddr, ports: (u16, u16), fate: Fate) {
        let (source, target) = ((self.address, ports.0), (to, ports.1));
        let protocol = match probe {
            Probe::Datagram => UDP,
            Probe::Echo => ICMP,
            _ => TCP,
        };
        self.open(probe, time, source, target);
        let answered = later(time, self.round_trip());
        let fate = if self.dice.chance(LOST) { Fate::Silent } else { fate };
        let failed = match fate {
            Fate::Silent => Some(later(time, TIMEOUT)),
            Fate::Rejected => {
                let router = self.router();
                self.traffic.unreachable(answered, router, source, target, protocol);
                Some(answered)
            }
            Fate::Closed => self.refuse(probe, time, answered, source, target),
            Fate::Open => self.answer(probe, time, answered, source, target),
        };
        let port = (protocol != ICMP).then_some((protocol, ports.1));
        self.contacts.push(Contact { began: time, host: to, port, failed });
    }

    /// The same from the next port.
    pub fn probe(&mut self, probe: Probe, time: Time, to: IpAddr, port: u16, fate: Fate) {
        let source_port = self.port();
        self.probe_from(probe, time, to, (source_port, port), fate);
    }

    fn open(&mut self, probe: Probe, time: Time, source: (IpAddr, u16), target: (IpAddr, u16)) {
        let flags = match probe {
            Probe::HalfOpen | Probe::Connect => SYN,
            Probe::Fin => FIN,
            Probe::Null => 0,
            Probe::Xmas => FIN | PUSH | URGENT,
            Probe::Datagram => return self.traffic.udp(time, source, target, 20),
            Probe::Echo => return self.traffic.echo(time, source.0, target.0, true),
        };
        self.traffic.tcp(time, source, target, flags, 0);
    }

    fn refuse(
        &mut self,
        probe: Probe,
        began: Time,
        time: Time,
        source: (IpAddr, u16),
        target: (IpAddr, u16),
    ) -> Option<Time> {
        match probe {
            Probe::Datagram => self.traffic.unreachable(time, target.0, source, target, UDP),
            // Echo requests are never refused.
            Probe::Echo => return Some(later(began, TIMEOUT)),
            _ => self.traffic.tcp(time, target, source, RST | ACK, 0),
        }
        Some(time)
    }

    fn answer(
        &mut self,
        probe: Probe,
        began: Time,
        time: Time,
        source: (IpAddr, u16),
        target: (IpAddr, u16),
    ) -> Option<Time> {
        match probe {
            Probe::HalfOpen => {
                self.traffic.tcp(time, target, source, SYN | ACK, 0);
                let broken_off = later(time, 0.000_2);
                self.traffic.tcp(broken_off, source, target, RST, 0);
                Some(broken_off)
            }
            Probe::Connect => {
                self.traffic.tcp(time, target, source, SYN | ACK, 0);
                self.traffic.tcp(later(time, 0.000_1), source, target, ACK, 0);
                self.traffic.tcp(later(time, 0.000_2), source, target, RST | ACK, 0);
                None
            }
            // An open port says nothing to packets of no connection.
            Probe::Fin | Probe::Null | Probe::Xmas => Some(later(began, TIMEOUT)),
            Probe::Datagram => {
                self.traffic.udp(time, target, source, 80);
                None
            }
            Probe::Echo => {
                self.traffic.echo(time, target.0, source.0, false);
                None
            }
        }
    }

    /// The router that refuses on the way to hosts that do not exist.
    fn router(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 254).into(),
            IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xfe).into(),
        }
    }

    /// A connection with requests and answers for so many seconds; how the two part is left to chance.
    pub fn connection(&mut self, time: Time, to: IpAddr, port: u16, seconds: f64) {
        let (source, target) = ((self.address, self.port()), (to, port));
        let trip = self.round_trip();
        let mut now = later(time, trip);
        self.traffic.tcp(time, source, target, SYN, 0);
        self.traffic.tcp(now, target, source, SYN | ACK, 0);
        now = later(now, 0.000_1);
        self.traffic.tcp(now, source, target, ACK, 0);
        let end = later(time, seconds);
        loop {
            let request = self.dice.from(60, 900) as u16;
            self.traffic.tcp(now, source, target, PUSH | ACK, request);
            for _ in 0..self.dice.from(1, 3) {
                self.traffic.tcp(later(now, trip), target, source, ACK, 1_400);
            }
            self.traffic.tcp(later(now, trip + 0.001), source, target, ACK, 0);
            now = later(now, trip + self.dice.within(0.2, 6.0));
            if now > end {
                break;
            }
        }
        if self.dice.chance(0.7) {
            self.traffic.tcp(now, source, target, FIN | ACK, 0);
            self.traffic.tcp(later(now, trip), target, source, FIN | ACK, 0);
            self.traffic.tcp(later(now, trip + 0.000_1), source, target, ACK, 0);
        } else {
            self.traffic.tcp(now, source, target, RST | ACK, 0);
        }
        self.contacts.push(Contact { began: time, host: to, port: Some((TCP, port)), failed: None });
    }

    /// A connection without an answer, tried again as kernels do.
    pub fn dead_connection(&mut self, time: Time, to: IpAddr, port: u16) {
        let source = (self.address, self.port());
        let tries = self.dice.from(1, 4);
        for delay in [0.0, 1.0, 3.0, 7.0].into_iter().take(tries as usize) {
            self.traffic.tcp(later(time, delay), source, (to, port), SYN, 0);
        }
        self.contacts.push(Contact {
            began: time,
            host: to,
            port: Some((TCP, port)),
            failed: Some(later(time, TIMEOUT)),
        });
    }

    /// A question and its answer over UDP; without one it is asked again from the same port.
    pub fn question(&mut self, time: Time, to: IpAddr, ports: (u16, u16), is_answered: bool) {
        let (source, target) = ((self.address, ports.0), (to, ports.1));
        let size = self.dice.from(20, 60) as u16;
        self.traffic.udp(time, source, target, size);
        if is_answered {
            let answered = later(time, self.round_trip());
            let size = self.dice.from(40, 480) as u16;
            self.traffic.udp(answered, target, source, size);
        }
        let failed = (!is_answered).then(|| later(time, TIMEOUT));
        self.contacts.push(Contact { began: time, host: to, port: Some((UDP, ports.1)), failed });
    }

    /// Datagrams both ways for so many seconds, as QUIC and telephony send them.
    pub fn exchange(&mut self, time: Time, to: IpAddr, port: u16, seconds: f64) {
        let (source, target) = ((self.address, self.port()), (to, port));
        let trip = self.round_trip();
        let (mut now, end) = (time, later(time, seconds));
        while now < end {
            self.traffic.udp(now, source, target, 1_200);
            for _ in 0..self.dice.from(1, 3) {
                self.traffic.udp(later(now, trip), target, source, 1_200);
            }
            now = later(now, trip + self.dice.within(0.05, 4.0));
        }
        self.contacts.push(Contact { began: time, host: to, port: Some((UDP, port)), failed: None });
    }

    /// The time at which the rule of evidence becomes true by this host's own records, and still is at the end of the cell:
    /// rules are judged there. The failed names must outnumber the answered ones by the factor that `outnumbering` gives for
    /// the failed ones. Gives the start of the deciding contact, and the time at which it failed.
    pub fn crossing<T: Ord>(
        &self,
        window: f64,
        limit: usize,
        name: impl Fn(&Contact) -> Option<T>,
        outnumbering: impl Fn(&BTreeSet<T>) -> usize,
    ) -> Option<(Time, Time)> {
        let mut failures: Vec<(Time, &Contact)> =
            self.contacts.iter().filter_map(|contact| Some((contact.failed?, contact))).collect();
        failures.sort_by_key(|(failed, _)| *failed);
        let is_true = |now: Time| {
            let since = later(now, -window);
            let [first, end] = [since, now].map(|time| failures.partition_point(|(failed, _)| *failed <= time));
            let failed = &failures[first..end];
            if failed.len() <= limit {
                return false;
            }
            let answered = self.contacts.iter().filter(|contact| contact.failed.is_none());
            let answered: BTreeSet<T> =
                answered.filter(|contact| contact.began > since && contact.began <= now).filter_map(&name).collect();
            // The window has the contacts that began in it.
            let names =
                failed.iter().filter(|(_, contact)| contact.began > since).filter_map(|(_, contact)| name(contact));
            let failing: BTreeSet<T> = names.filter(|name| !answered.contains(name)).collect();
            failing.len() > limit && failing.len() > outnumbering(&failing) * answered.len()
        };
        let decides = |time: Time| is_true(time) && is_true(cell_end(time));
        failures.iter().find(|(failed, _)| decides(*failed)).map(|(failed, contact)| (contact.began, *failed))
    }
}

/// The end of the cell of a second.
fn cell_end(time: Time) -> Time {
    (time.div_euclid(1_000_000_000) + 1) * 1_000_000_000
}

/// The moment so many seconds after the captures begin, and a bit, so that nothing stands at the edge of a cell.
pub fn moment(dice: &mut Dice, low: f64, high: f64) -> Time {
    at(dice.within(low, high))
}
