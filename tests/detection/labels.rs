//! The expected verdict on a source.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::common::ip::UDP;
use super::dice::Dice;
use super::host::Host;
use super::traffic::{Time, Traffic, later};
use super::{benign, scanners};

/// The kind of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    HostScan,
    PortScan,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::HostScan, Self::PortScan];

    /// The word for it in the lines of alerts.
    pub fn word(self) -> &'static str {
        match self {
            Self::HostScan => "host_scan",
            Self::PortScan => "port_scan",
        }
    }
}

/// A source with its expected verdict.
#[derive(Debug, Clone)]
pub struct Labelled {
    pub class: &'static str,
    pub host: Host,
    /// Kinds that it must be found for; none for a benign source.
    pub kinds: Vec<Kind>,
    /// True if it counts in the sums; false if it shows a limit that is stated.
    pub is_pooled: bool,
}

impl Labelled {
    /// True if a contact failed at `time`, or is known then to have touched its target: a host that was pinged once after
    /// 3.5 s, UDP after a second, and TCP when it is closed. Times that were written as seconds are good to a microsecond.
    pub fn proves_at(&self, time: Time) -> bool {
        let is_at = |moment: Time| (moment - time).abs() <= 1_000;
        self.host.contacts.iter().any(|contact| match (contact.failed, contact.port) {
            (Some(failed), _) => is_at(failed),
            (None, None) => is_at(later(contact.began, 3.5)),
            (None, Some((UDP, _))) => is_at(later(contact.began, 1.0)),
            (None, Some(_)) => (0..1_000_000_000).contains(&(time - contact.began)),
        })
    }

    /// By evidence: when the deciding contact began, and when it failed. None where there is no such moment.
    pub fn crossing(&self, kind: Kind) -> Option<(Time, Time)> {
        let enough = match kind {
            Kind::HostScan => self.host.crossing(170.0, 15, |contact| Some(contact.host), factor_of_hosts),
            Kind::PortScan => self.host.crossing(600.0, 100, |contact| contact.port, |_| 1),
        };
        let alike = self.alike(kind);
        enough.zip(alike).map(|(enough, alike)| if alike.1 > enough.1 { alike } else { enough })
    }

    /// The contact with which enough targets are alike: hosts by one port, or of which three ports were tried; ports of one
    /// network, or each in three of them. A block that is scanned in random order comes to that later.
    fn alike(&self, kind: Kind) -> Option<(Time, Time)> {
        let mut contacts: Vec<_> = self.host.contacts.iter().filter(|contact| contact.failed.is_some()).collect();
        contacts.sort_by_key(|contact| contact.failed);
        let mut alike: BTreeMap<u128, BTreeSet<u128>> = BTreeMap::new();
        let mut tried: BTreeMap<u128, BTreeSet<u128>> = BTreeMap::new();
        for contact in contacts {
            let (protocol, number) = contact.port.unwrap_or_default();
            let port = u128::from(protocol) << 16 | u128::from(number);
            let (target, likeness, limit) = match kind {
                Kind::HostScan => (bits(contact.host), port, 15),
                Kind::PortScan => (port, bits(contact.host) >> if contact.host.is_ipv4() { 8 } else { 16 }, 100),
            };
            alike.entry(likeness).or_default().insert(target);
            tried.entry(target).or_default().insert(likeness);
            let of_many = tried.values().filter(|likenesses| likenesses.len() >= 3).count();
            if alike[&likeness].len().max(of_many) > limit {
                return Some((contact.began, contact.failed?));
            }
        }
        None
    }
}

/// Failed hosts must outnumber the answered ones, or be three times as many where no network has more than the limit of
/// them: a /24, or a /112 of IPv6.
fn factor_of_hosts(failed: &BTreeSet<IpAddr>) -> usize {
    let mut networks: BTreeMap<u128, usize> = BTreeMap::new();
    for host in failed {
        *networks.entry(bits(*host) >> if host.is_ipv4() { 8 } else { 16 }).or_default() += 1;
    }
    if networks.values().any(|hosts| *hosts > 15) { 1 } else { 3 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// A class of benign hosts: its name, its behaviour, and the version of IP if only one will do.
pub type Class = (&'static str, fn(&mut Host), Option<u8>);

/// Labelled sources and all of their traffic together.
pub struct Corpus {
    pub sources: Vec<Labelled>,
    pub traffic: Traffic,
}

impl Corpus {
    /// `rounds` times each class of scanners on each side of the limits, and as much that is benign, in one capture.
    pub fn new(seed: u64, rounds: usize) -> Self {
        let mut dice = Dice::seeded(seed);
        let mut next = 0_u16;
        let mut address = |is_version_6: bool| -> IpAddr {
            next += 1;
            let [high, low] = next.to_be_bytes();
            if is_version_6 { [0x2001, 0xdb8, 1, 0, 0, 0, 0, next].into() } else { [10, 77, high, low].into() }
        };
        let mut sources = scanners::all(&mut dice, rounds, &mut address);
        sources.extend(benign::all(&mut dice, rounds, &mut address));
        let mut traffic = Traffic::default();
        for source in &mut sources {
            traffic.join(std::mem::take(&mut source.host.traffic));
        }
        Self { sources, traffic: traffic.sorted() }
    }
}
