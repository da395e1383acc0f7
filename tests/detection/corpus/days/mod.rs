//! Modelled days: 24 hours of packet time with realistic hosts and contacts, and fewer packets than there were.
//!
//! No host of a day scans; each alert is wrong.

mod carrier;
mod containers;
mod nat;
mod rooms;

use super::super::host::Host;
use super::super::traffic::{Time, at};
use super::scene::Addresses;
use super::{Class, clients, pooled_v4};

/// The moment so many hours after midnight.
fn hour(hours: f64) -> Time {
    at(hours * 3_600.0)
}

/// The hours of the day in which a host is used.
#[derive(Debug, Clone, Copy)]
struct Hours {
    from: f64,
    to: f64,
}

const AWAKE: Hours = Hours { from: 7.0, to: 23.5 };
const AT_WORK: Hours = Hours { from: 8.0, to: 18.0 };
const ALWAYS: Hours = Hours { from: 0.1, to: 23.9 };

impl Hours {
    fn moment(self, host: &mut Host) -> Time {
        hour(host.dice.within(self.from, self.to))
    }
}

/// So many sessions of browsing in a day, each of a page or two among the 120 servers that this host knows.
fn browse(host: &mut Host, addresses: Addresses, hours: Hours, sessions: u32) {
    let resolver = addresses.lan(1);
    let own = host.dice.from(0, 1 << 20);
    for _ in 0..sessions {
        let (time, servers, first) = (hours.moment(host), host.dice.from(4, 25), own + host.dice.from(0, 100));
        clients::page(host, addresses, resolver, time, servers, first);
    }
}

/// A small device that tells its maker and asks for the time.
fn report(host: &mut Host, addresses: Addresses, maker: u32, reports: u32) {
    for number in 0..reports {
        let time = ALWAYS.moment(host);
        host.used(time, (addresses.far(500 + maker, number % 3), 8_883), [120, 60]);
        let (clock, port) = ((addresses.anywhere(40_000 + number % 4), 123), host.port());
        host.asks(time, port, clock, [48, 48]);
    }
}

/// The six days.
pub const CLASSES: [Class; 6] = [
    pooled_v4("a home", rooms::home),
    pooled_v4("an office", rooms::office),
    pooled_v4("a Docker host", containers::docker),
    pooled_v4("a Kubernetes node", containers::kubernetes),
    pooled_v4("a NAT router", nat::router),
    pooled_v4("an ISP's edge", carrier::edge),
];
