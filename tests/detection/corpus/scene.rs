//! A scene: the hosts of one case, their addresses, their traffic, and what each of them is.
//!
//! Takes dice and a size, gives addresses to the generators and collects what they make. Knows no class.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::super::dice::Dice;
use super::super::host::Host;
use super::super::labels::Kind;
use super::super::traffic::{Time, Traffic, Wrapping, at, later};

/// The size of a case: its hosts, targets and contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    Small,
    Medium,
    Large,
}

impl Size {
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];
}

/// Seconds from the earlier period, in which hosts got to know each other, to the scene: longer than all windows.
const EARLIER: f64 = 1_100.0;
/// First bytes of public networks.
const PUBLIC: [u8; 16] = [23, 31, 45, 52, 64, 77, 80, 93, 104, 118, 130, 142, 151, 163, 178, 185];

/// The addresses of a scene.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    is_version_6: bool,
    salt: u64,
}

impl Addresses {
    fn hash(self, number: u32) -> u64 {
        Dice::seeded(self.salt ^ (u64::from(number) + 1).wrapping_mul(0x2545_f491_4f6c_dd1d)).next()
    }

    /// Host `number`, from 1, of the local network; those above 254 are in the networks that follow.
    pub fn lan(self, number: u32) -> IpAddr {
        self.site(0, number)
    }

    /// Host `number`, from 1, of local network `network`.
    pub fn site(self, network: u32, number: u32) -> IpAddr {
        let [first, second, third, fourth, ..] = self.salt.to_be_bytes();
        if self.is_version_6 {
            let prefix = u16::from_be_bytes([first, second]);
            return [0x2001, 0xdb8, prefix, network as u16, 0, 0, (number >> 16) as u16, number as u16].into();
        }
        let network = u32::from_be_bytes([0, 10, first ^ third, second ^ fourth]) + network + (number - 1) / 254;
        Ipv4Addr::from_bits(network << 8 | ((number - 1) % 254 + 1)).into()
    }

    /// The last address of the local network, to which broadcasts go; over IPv6, the group of all hosts.
    pub fn broadcast(self) -> IpAddr {
        match self.lan(1) {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() | 0xff).into(),
            IpAddr::V6(_) => [0xff02, 0, 0, 0, 0, 0, 0, 1].into(),
        }
    }

    /// Host `number` of the far network `network`: a /24 or a /64 anywhere.
    pub fn far(self, network: u32, number: u32) -> IpAddr {
        let [first, second, third, fourth, ..] = self.hash(network).to_be_bytes();
        if self.is_version_6 {
            let [site, subnet] = [[second, third], [fourth, first]].map(u16::from_be_bytes);
            return [0x2a00, site, subnet, 0, 0, 0, (number >> 16) as u16, number as u16 + 1].into();
        }
        [PUBLIC[usize::from(first) % PUBLIC.len()], second, third, (number % 254 + 1) as u8].into()
    }

    /// Address `number` of the Internet: each in a network of its own.
    pub fn anywhere(self, number: u32) -> IpAddr {
        self.far(number | 0x8000_0000, self.hash(!number) as u32 % 60_000)
    }
}

/// The result of a contact, by full knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused, broken off or never answered.
    Failed,
    /// It was answered, and no use was made of it.
    Touched,
    /// Payload went over it.
    Used,
}

/// A contact of a scan.
#[derive(Debug, Clone, Copy)]
pub struct Probed {
    pub began: Time,
    pub host: IpAddr,
    /// The protocol and the port.
    pub port: Option<(u8, u16)>,
    pub outcome: Outcome,
}

/// A host with its label.
#[derive(Debug, Clone)]
pub struct Actor {
    pub host: Host,
    /// Its role among the hosts of its case; empty where its class says all.
    pub role: &'static str,
    /// The scans for which it must be found; none if it is benign.
    pub kinds: Vec<Kind>,
    /// The contacts of its scans; none if it is benign.
    pub probed: Vec<Probed>,
}

impl Actor {
    /// The first packet of the contact with which the scan is over a limit, by full knowledge: more than the limit of
    /// failed targets, or more than twice the limit of failed and touched ones, within the window.
    pub fn deciding(&self, kind: Kind) -> Option<Time> {
        match kind {
            Kind::HostScan => self.over(170.0, 15, |probed| Some((probed.host, (0, 0)))),
            Kind::PortScan => self.over(600.0, 100, |probed| Some((self.host.address, probed.port?))),
        }
    }

    fn over<T: Ord>(&self, window: f64, limit: usize, name: impl Fn(&Probed) -> Option<T>) -> Option<Time> {
        let mut ordered: Vec<&Probed> = self.probed.iter().collect();
        ordered.sort_by_key(|probed| probed.began);
        let (mut first, mut targets) = (0, BTreeMap::<T, [usize; 2]>::new());
        for deciding in &ordered {
            if deciding.outcome == Outcome::Used {
                continue;
            }
            let Some(target) = name(deciding) else { continue };
            targets.entry(target).or_default()[deciding.outcome as usize] += 1;
            while ordered[first].began <= later(deciding.began, -window) {
                let leaving = ordered[first];
                if let Some(counts) = name(leaving).and_then(|target| targets.get_mut(&target))
                    && leaving.outcome != Outcome::Used
                {
                    counts[leaving.outcome as usize] -= 1;
                }
                first += 1;
            }
            let failed = targets.values().filter(|counts| counts[0] > 0).count();
            let reached = targets.values().filter(|counts| counts[0] + counts[1] > 0).count();
            if failed > limit || reached > 2 * limit {
                return Some(deciding.began);
            }
        }
        None
    }
}

/// The hosts of a case and their traffic.
#[derive(Debug)]
pub struct Scene {
    pub dice: Dice,
    pub size: Size,
    pub addresses: Addresses,
    /// True if its hosts spoke with each other in an earlier period.
    pub is_known: bool,
    /// True if the earlier period makes a difference.
    pub has_past: bool,
    pub actors: Vec<Actor>,
    /// The traffic of hosts without a label; an alert about any of them is wrong.
    pub other: Traffic,
    next_host: u32,
}

impl Scene {
    pub fn new(mut dice: Dice, size: Size, is_version_6: bool) -> Self {
        let addresses = Addresses { is_version_6, salt: dice.next() };
        let next_host = dice.from(10, 60);
        Self {
            dice,
            size,
            addresses,
            is_known: false,
            has_past: false,
            actors: Vec::new(),
            other: Traffic::default(),
            next_host,
        }
    }

    /// A number about `low` in a small scene, about `high` in a large one.
    pub fn count(&mut self, low: u32, high: u32) -> u32 {
        let middle = (f64::from(low) * f64::from(high)).sqrt();
        let about = [f64::from(low), middle, f64::from(high)][self.size as usize];
        (about * self.dice.within(0.95, 1.05)).round().max(1.0) as u32
    }

    /// A moment shortly after the scene begins.
    pub fn start(&mut self) -> Time {
        at(self.dice.within(1.0, 20.0))
    }

    /// The beginnings of the periods in which pollers work: with an earlier one if they are known. True marks that one.
    pub fn periods(&mut self) -> Vec<(Time, bool)> {
        let start = self.start();
        self.has_past = true;
        let earlier = self.is_known.then(|| (later(start, -EARLIER), true));
        earlier.into_iter().chain([(start, false)]).collect()
    }

    /// The next host of the local network.
    pub fn host(&mut self) -> Host {
        self.next_host += 1;
        let number = self.next_host;
        self.at_address(self.addresses.lan(number))
    }

    /// A host of the Internet.
    pub fn far_host(&mut self) -> Host {
        self.next_host += 1;
        let number = self.next_host;
        self.at_address(self.addresses.far(0x4000_0000 | number, number))
    }

    /// A host at an address.
    pub fn at_address(&mut self, address: IpAddr) -> Host {
        Host::new(address, self.dice.fork())
    }

    /// Adds a host that must stay silent.
    pub fn benign(&mut self, host: Host) {
        self.benign_as("", host);
    }

    /// Adds a host that must stay silent, with what it is.
    pub fn benign_as(&mut self, role: &'static str, host: Host) {
        self.actors.push(Actor { host, role, kinds: Vec::new(), probed: Vec::new() });
    }

    /// Adds a host that must be found.
    pub fn scanner(&mut self, actor: Actor) {
        self.actors.push(actor);
    }

    /// All frames in the order of their times; the hosts keep none.
    pub fn take_traffic(&mut self) -> Traffic {
        let mut traffic = std::mem::take(&mut self.other);
        for actor in &mut self.actors {
            traffic.join(std::mem::take(&mut actor.host.traffic));
        }
        traffic.wrapping = Wrapping::Plain;
        traffic.seen.clear();
        traffic.sorted()
    }
}
