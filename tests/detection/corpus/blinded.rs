//! Traffic that tries to blind the interface while a scanner scans.

use super::super::traffic::{ACK, FIN, at, later};
use super::clients::sleeper;
use super::scene::Scene;

/// A way to try to blind an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blinding {
    /// Two ACKs without an answer to each of many hosts.
    StrayPairs,
    /// ACKs from ever new addresses to one host.
    Flood,
    /// A laptop that wakes with dead connections.
    Laptop,
}

impl Blinding {
    pub const ALL: [Self; 3] = [Self::StrayPairs, Self::Flood, Self::Laptop];

    /// The class of scanners that are found or missed under it.
    pub fn class(self) -> &'static str {
        match self {
            Self::StrayPairs => "blinded by stray ACK pairs",
            Self::Flood => "blinded by an ACK flood",
            Self::Laptop => "blinded by a laptop that wakes",
        }
    }

    /// Adds its packets to a scene, from its beginning on.
    pub fn add(self, scene: &mut Scene) {
        match self {
            Self::StrayPairs => {
                let mut host = scene.host();
                for number in 0..scene.count(60, 240) {
                    let (time, to) = (later(at(0.5), 0.02 * f64::from(number)), scene.addresses.anywhere(number));
                    let (from, flags) = (host.end(), host.dice.pick(&[ACK, FIN | ACK]));
                    for delay in [0.0, 2.0] {
                        host.traffic.tcp(later(time, delay), from, (to, 80), flags, 0);
                    }
                }
                scene.other.join(host.traffic);
            }
            Self::Flood => {
                let victim = (scene.addresses.lan(7), 443);
                for number in 0..scene.count(300, 900) {
                    let from = scene.addresses.anywhere(scene.dice.next() as u32);
                    let port = scene.dice.from(1_024, 65_535) as u16;
                    scene.other.tcp(later(at(0.5), 0.1 * f64::from(number % 600)), (from, port), victim, ACK, 0);
                }
            }
            Self::Laptop => {
                let mut host = scene.host();
                sleeper(&mut host, scene.addresses, at(1.0), 40);
                scene.benign(host);
            }
        }
    }
}
