//! A router that masquerades, seen on its inside and its outside.

use std::net::{IpAddr, Ipv4Addr};

use super::super::clients;
use super::super::damage::ends;
use super::super::peers::{self, Swarm};
use super::super::scene::Scene;
use super::super::servers;
use super::{AWAKE, browse, hour, report};
use crate::common::link::Sample;
use crate::traffic::{Traffic, later};

/// Bytes before the addresses of an IPv4 header in an Ethernet frame, and from one end to the other.
const SOURCE: usize = 14 + 12;
const DESTINATION: usize = 14 + 16;
/// Bytes before the source address in the packet that an ICMP error quotes.
const QUOTED_SOURCE: usize = 14 + 20 + 8 + 12;

/// The frame as it is outside: the inner address is replaced by the router's.
fn outside(frame: &Sample, at: usize, public: Ipv4Addr) -> Sample {
    let mut outer = frame.clone();
    outer.bytes[at..at + 4].copy_from_slice(&public.octets());
    let quotes = at == DESTINATION && outer.bytes[14 + 9] == 1 && outer.bytes[14 + 20] == 3;
    if quotes && outer.bytes.len() >= QUOTED_SOURCE + 4 {
        outer.bytes[QUOTED_SOURCE..QUOTED_SOURCE + 4].copy_from_slice(&public.octets());
    }
    outer
}

/// Adds what passes outside for each frame between inside and outside. Ports stay, as Linux keeps those that are free.
fn masqueraded(inside: &Traffic, public: Ipv4Addr) -> Traffic {
    let mut traffic = Traffic::default();
    let is_inner = |address: IpAddr| matches!(address, IpAddr::V4(address) if address.octets()[0] == 10);
    for (time, frame) in &inside.frames {
        match ends(&frame.bytes).map(|[from, to]| (is_inner(from), is_inner(to))) {
            Some((true, false)) => traffic.frames.push((later(*time, 0.000_02), outside(frame, SOURCE, public))),
            Some((false, true)) => traffic.frames.push((later(*time, -0.000_02), outside(frame, DESTINATION, public))),
            _ => {}
        }
    }
    traffic
}

/// 14 hosts behind one address, which asks for names itself, and at which the Internet's noise arrives.
pub fn router(scene: &mut Scene) {
    let addresses = scene.addresses;
    let IpAddr::V4(public) = addresses.far(900, 7) else { panic!("an address of IPv6") };
    let mut outer = scene.at_address(public.into());
    for number in 0..14_u32 {
        let mut host = scene.host();
        if number < 8 {
            browse(&mut host, addresses, AWAKE, 14);
        } else {
            report(&mut host, addresses, number, 30);
        }
        match number {
            0 | 1 => clients::sleeper(&mut host, addresses, hour(8.0 + f64::from(number)), 40),
            2 => peers::torrent(&mut host, addresses, hour(20.0), Swarm { peers: 180, dead: 0.5, seconds: 900.0 }),
            3 => servers::deliver(&mut host, addresses, hour(11.0), 60, 0.25),
            4 => peers::hash_table(&mut host, addresses, hour(21.0), Swarm { peers: 250, dead: 0.45, seconds: 600.0 }),
            _ => {}
        }
        outer.traffic.join(masqueraded(&host.traffic, public));
        scene.benign_as("host inside", host);
    }
    for number in 0..400 {
        let (time, to) = (AWAKE.moment(&mut outer), addresses.far(650, number % 2));
        outer.looks_up(time, to);
    }
    // Others ask one port each, and are refused.
    for number in 0..600 {
        let (time, from) = (super::ALWAYS.moment(&mut outer), (addresses.anywhere(70_000 + number), outer.port()));
        let port = [22, 23, 445, 3_389][number as usize % 4];
        let own = (outer.address, port);
        outer.traffic.tcp(time, from, own, crate::traffic::SYN, 0);
        if number % 2 == 0 {
            outer.traffic.tcp(later(time, 0.000_1), own, from, crate::traffic::RST | crate::traffic::ACK, 0);
        }
    }
    scene.benign_as("address outside", outer);
}
