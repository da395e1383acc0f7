//! The expected verdict on a source.

use std::net::IpAddr;

use super::dice::Dice;
use super::host::Host;
use super::traffic::{Time, Traffic};
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
    /// True if a contact failed at `time`. Times that were written as seconds are good to a microsecond.
    pub fn fails_at(&self, time: Time) -> bool {
        self.host.contacts.iter().any(|contact| contact.failed.is_some_and(|failed| (failed - time).abs() <= 1_000))
    }

    /// By evidence: when the deciding contact began, and when it failed. None where there is no such moment.
    pub fn crossing(&self, kind: Kind) -> Option<(Time, Time)> {
        match kind {
            Kind::HostScan => self.host.crossing(170.0, 15, |contact| Some(contact.host)),
            Kind::PortScan => self.host.crossing(600.0, 100, |contact| contact.port),
        }
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
