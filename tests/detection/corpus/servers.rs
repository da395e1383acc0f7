//! Benign servers and gateways: what they ask themselves, and what they send to clients.

use super::super::common::ip::UDP;
use super::super::host::Host;
use super::super::traffic::{ACK, PUSH, RST, SYN, Time, later};
use super::clients;
use super::pollers::{self, check};
use super::scene::{Addresses, Scene};
use super::{Class, pooled};

/// Passes connections of many clients on to a few servers, which it checks; one of them is down.
fn load_balancer(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(40, 140) {
        let (time, client) = (later(start, host.dice.within(0.0, 60.0)), scene.addresses.anywhere(number));
        let from = (client, host.dice.from(1_024, 65_000) as u16);
        host.serves(time, from, 443, [700, 5_000]);
        let server = scene.addresses.site(1, 100 + number % 24);
        host.used(later(time, 0.001), (server, 8_080), [700, 5_000]);
    }
    let servers = pollers::targets(scene, &mut host, 24, 1, 0.1);
    pollers::poll(scene, &mut host, &servers, (6, 5.0), check);
    host.contacts.clear();
    scene.benign(host);
}

/// Serves pages to clients that vanish: what it still sends them is lost or refused.
fn web_server(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(40, 160) {
        let (time, client) = (later(start, host.dice.within(0.0, 100.0)), scene.addresses.anywhere(number));
        let (own, theirs, trip) = ((host.address, 443), (client, host.port()), host.trip(client));
        if host.dice.chance(0.5) {
            host.traffic.conversation(time, theirs, own, trip, [500, 9_000]);
            continue;
        }
        let open = host.traffic.handshake(time, theirs, own, trip);
        host.traffic.request(open, theirs, own, trip, [500, 2_800]);
        for delay in [1.0, 1.4, 2.2, 3.8] {
            host.traffic.tcp(later(open, delay), own, theirs, PUSH | ACK, 1_400);
        }
        if host.dice.chance(0.3) {
            host.traffic.tcp(later(open, 3.9), theirs, own, RST, 0);
        }
    }
    scene.benign(host);
}

/// Delivers to many exchangers, up to half of which are dead.
pub fn deliver(host: &mut Host, addresses: Addresses, start: Time, count: u32, dead: f64) {
    let resolver = addresses.lan(1);
    for number in 0..count {
        let (time, to) = (later(start, host.dice.within(0.0, 120.0)), addresses.anywhere(20_000 + number));
        host.looks_up(later(time, -0.4), resolver);
        if host.dice.chance(dead) {
            if host.dice.chance(0.7) { host.dead_connection(time, to, 25) } else { host.refused(time, (to, 25)) }
        } else {
            host.used(time, (to, 25), [3_000, 700]);
        }
    }
}

fn mail_server(scene: &mut Scene) {
    let (start, mut host, count) = (scene.start(), scene.host(), scene.count(40, 240));
    let dead = scene.dice.within(0.1, 0.5);
    deliver(&mut host, scene.addresses, start, count, dead);
    scene.benign(host);
}

/// Servers of names that a resolver asks often, like those of the root. They answer.
const OFTEN_ASKED: u32 = 13;

/// Asks servers of names. Of those that are not asked often, the share `dead` is dead or refuses; a question to a dead one is
/// repeated.
pub fn resolve_many(host: &mut Host, addresses: Addresses, start: Time, questions: u32, dead: f64) {
    for number in 0..questions {
        let is_often_asked = host.dice.chance(0.4);
        let server =
            if is_often_asked { number % OFTEN_ASKED } else { host.dice.from(OFTEN_ASKED, questions + OFTEN_ASKED) };
        let (time, to) = (later(start, host.dice.within(0.0, 120.0)), (addresses.anywhere(30_000 + server), 53));
        let port = host.dice.from(1_024, 65_000) as u16;
        let is_dead = server >= OFTEN_ASKED && server % 100 < (dead * 100.0) as u32;
        match (is_dead, server % 7) {
            (false, _) => {
                let answer = host.dice.from(80, 900) as u16;
                host.asks(time, port, to, [50, answer]);
            }
            (true, 0) => host.asks_closed(time, port, to, 50),
            (true, _) => {
                host.asks_in_vain(time, port, to, 50, (1, 1.0));
                let again = host.dice.from(1_024, 65_000) as u16;
                host.asks_in_vain(later(time, 0.4), again, to, 50, (1, 1.0));
            }
        }
    }
}

fn resolver(scene: &mut Scene) {
    let (start, mut host, questions) = (scene.start(), scene.host(), scene.count(80, 600));
    let dead = scene.dice.within(0.05, 0.4);
    resolve_many(&mut host, scene.addresses, start, questions, dead);
    scene.benign(host);
}

/// Answers clients from port 123; the way of some questions does not pass here.
fn ntp_server(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(200, 1_200) {
        let (time, client) = (later(start, host.dice.within(0.0, 100.0)), scene.addresses.anywhere(number));
        let theirs = (client, if host.dice.chance(0.3) { 123 } else { host.port() });
        if host.dice.chance(0.98) {
            host.traffic.udp(time, theirs, (host.address, 123), 48);
        }
        host.traffic.udp(later(time, 0.000_1), (host.address, 123), theirs, 48);
    }
    scene.benign(host);
}

/// Keeps the ways to telephones open, many of which are switched off.
fn sip_keepalives(scene: &mut Scene) {
    let (mut host, count) = (scene.host(), scene.count(30, 250));
    let telephones: Vec<(u16, bool)> =
        (0..count).map(|_| (host.dice.from(1_024, 65_000) as u16, host.dice.chance(0.35))).collect();
    for (start, is_earlier) in scene.periods() {
        for round in 0..3 {
            for (number, &(port, is_off)) in telephones.iter().enumerate() {
                let time = later(start, 30.0 * f64::from(round) + 0.1 * number as f64);
                let to = (scene.addresses.anywhere(number as u32), if number % 3 == 0 { 5_060 } else { port });
                if is_off && !is_earlier {
                    host.asks_in_vain(time, 5_060, to, 4, (1, 1.0));
                } else {
                    host.asks(time, 5_060, to, [380, 420]);
                }
            }
        }
    }
    scene.benign(host);
}

/// A server in whose flood of invented clients each gets an answer that it did not ask for.
fn backscatter(scene: &mut Scene) {
    let (start, mut host, way) = (scene.start(), scene.far_host(), scene.dice.from(0, 3));
    let port = scene.dice.pick(&[80, 443, 53, 22]);
    for number in 0..scene.count(60, 800) {
        let client =
            if number % 4 == 0 { scene.addresses.lan(1 + number % 250) } else { scene.addresses.anywhere(number) };
        let (time, own) = (later(start, 0.05 * f64::from(number)), (host.address, port));
        let theirs = (client, host.dice.from(1_024, 65_000) as u16);
        match way {
            0 => {
                for delay in [0.0, 1.0, 3.0] {
                    host.traffic.tcp(later(time, delay), own, theirs, SYN | ACK, 0);
                }
                if host.dice.chance(0.5) {
                    host.traffic.tcp(later(time, 0.1), theirs, own, RST, 0);
                }
            }
            1 => host.traffic.tcp(time, own, theirs, RST | ACK, 0),
            2 => host.traffic.unreachable(time, own.0, theirs, own, UDP),
            _ => host.traffic.echo(time, own.0, client, false),
        }
    }
    scene.benign(host);
}

/// A server whose passwords many hosts guess: it refuses, answers, and resets.
fn brute_force_victim(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(60, 200) {
        let client = (scene.addresses.anywhere(number % 90), host.port());
        let time = later(start, 0.25 * f64::from(number));
        if host.dice.chance(0.8) {
            host.serves(time, client, 22, [900, 1_500]);
        } else {
            let own = (host.address, 22);
            let open = host.traffic.handshake(time, client, own, 0.08);
            host.traffic.tcp(later(open, 0.001), own, client, RST, 0);
        }
    }
    scene.benign(host);
}

/// 500 users behind one address: browsing, torrents, telephones, and what each of them finds dead.
fn carrier_nat(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.far_host());
    for user in 0..scene.count(60, 500) {
        let (begin, resolver) = (later(start, host.dice.within(0.0, 150.0)), scene.addresses.far(1, 1));
        match user % 10 {
            0 => {
                let swarm = super::peers::Swarm { peers: 12, dead: 0.5, seconds: 60.0 };
                super::peers::torrent(&mut host, scene.addresses, begin, swarm);
            }
            1..=3 => {
                let to = (scene.addresses.anywhere(user % 40), 443);
                host.used(begin, to, [600, 5_000]);
            }
            _ => {
                let first = host.dice.from(0, 399);
                clients::page(&mut host, scene.addresses, resolver, begin, 3, first);
            }
        }
    }
    scene.benign(host);
}

/// Benign classes of servers.
pub const CLASSES: [Class; 9] = [
    pooled("load balancer", load_balancer),
    pooled("web server", web_server),
    pooled("mail server", mail_server),
    pooled("resolver", resolver),
    pooled("NTP pool server", ntp_server),
    pooled("SIP keep-alives", sip_keepalives),
    pooled("backscatter", backscatter),
    pooled("brute-force victim", brute_force_victim),
    pooled("CGNAT", carrier_nat),
];
