//! Sends known traffic or writes it to a capture file, and prints the figures that trafficmonitor must show.
//!
//! ```text
//! cargo run --example test-traffic                          # on lo, as root or with CAP_NET_RAW
//! cargo run --example test-traffic -- --iface veth0 --rounds 20 --pause 50
//! cargo run --example test-traffic -- --write mix.pcap --jsonl
//! ```
//!
//! A round is a TCP connection, DNS over IPv4 and IPv6, a one-way UDP stream, echo requests with their replies and,
//! but on `lo`, a tagged frame. All addresses are reserved for documentation (RFC 5737, RFC 3849), no machine has the
//! hardware addresses and no checksum is right: no machine answers.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

#[path = "../tests/common/ip.rs"]
#[allow(dead_code)]
mod ip;
#[path = "../tests/common/link.rs"]
#[allow(dead_code)]
mod link;
#[path = "../tests/common/savefile.rs"]
#[allow(dead_code, clippy::expect_used)]
mod savefile;

use ip::{Ipv4, Ipv6, Transport, icmp, icmpv6, tcp, udp};
use link::{Link, Sample};
use savefile::Savefile;

const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);
const CLIENT_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0x10);
const SERVER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 0x20);

/// More rounds, or a longer run, are not a test.
const ROUNDS: std::ops::RangeInclusive<i64> = 1..=1_000;
const LONGEST_RUN: Duration = Duration::from_secs(60);

const ETHERNET: i32 = 1;

fn main() -> ExitCode {
    let asked_for = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(message) => message.exit(),
    };
    match run(&asked_for) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "test-traffic: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let milliseconds = value_parser!(u64).range(0..=1_000);
    Command::new("test-traffic")
        .about(
            "Sends known traffic or writes it to a capture file, and prints the figures that trafficmonitor must show",
        )
        .arg(Arg::new("iface").long("iface").value_name("NAME").default_value("lo").help("Interface to send on"))
        .arg(Arg::new("write").long("write").value_name("FILE").help("Write a capture file instead of sending"))
        .arg(
            Arg::new("rounds")
                .long("rounds")
                .value_name("N")
                .default_value("3")
                .value_parser(value_parser!(u32).range(ROUNDS))
                .help("How many times to send the mix, 1 to 1000"),
        )
        .arg(
            Arg::new("pause")
                .long("pause")
                .value_name("MS")
                .default_value("20")
                .value_parser(milliseconds)
                .help("Pause between two rounds in milliseconds, at most 1000"),
        )
        .arg(Arg::new("jsonl").long("jsonl").action(ArgAction::SetTrue).help(
            "Print the flows as `trafficmonitor replay --output jsonl` does, without times, services and directions",
        ))
}

fn run(asked_for: &ArgMatches) -> anyhow::Result<()> {
    let rounds = *asked_for.get_one::<u32>("rounds").context("no rounds")?;
    let pause = Duration::from_millis(*asked_for.get_one::<u64>("pause").context("no pause")?);
    let interface = asked_for.get_one::<String>("iface").context("no interface")?;
    let file = asked_for.get_one::<String>("write");
    let tagged = file.is_some() || interface != "lo";
    let mix = mix(tagged);
    match file {
        Some(file) => write(Path::new(file), &mix, rounds)?,
        None => send(interface, &mix, rounds, pause)?,
    }
    report(&flows(&mix, rounds), asked_for.get_flag("jsonl")).context("cannot write the report")
}

// ---- The traffic -------------------------------------------------------------------------------------------------------

/// A flow as the monitor names it: a service, and a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Flow {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    /// The port of the service, where the protocol has ports.
    port: Option<u16>,
    reply: bool,
}

/// One frame of the mix, its flow, and its bytes of IP.
#[derive(Debug, Clone)]
struct Planned {
    frame: Sample,
    flow: Flow,
    bytes: u64,
}

impl Planned {
    /// A packet of a conversation with the service at `port`, on Ethernet unless told otherwise.
    fn new(link: Link, port: Option<u16>, reply: bool, ipv6: bool, above: Transport) -> Self {
        let protocol = above.protocol;
        let (source, destination, packet): (IpAddr, IpAddr, Vec<u8>) = if ipv6 {
            let (source, destination) = if reply { (SERVER_6, CLIENT_6) } else { (CLIENT_6, SERVER_6) };
            (source.into(), destination.into(), Ipv6::carrying(above).between(source, destination).build())
        } else {
            let (source, destination) = if reply { (SERVER, CLIENT) } else { (CLIENT, SERVER) };
            (source.into(), destination.into(), Ipv4::carrying(above).between(source, destination).build())
        };
        // Without ports there is no server: both directions are flows of their own.
        let flow = Flow { source, destination, protocol, port, reply: reply && port.is_some() };
        Self { frame: link.carrying(&packet), flow, bytes: packet.len() as u64 }
    }
}

/// One round.
fn mix(tagged: bool) -> Vec<Planned> {
    let mut mix = connection();
    mix.extend([false, true].into_iter().flat_map(name_lookup));
    mix.extend(
        (0..4).map(|_| Planned::new(Link::ethernet(), Some(5_004), false, false, udp(40_004, 5_004, &[0; 172]))),
    );
    mix.extend(echo());
    if tagged {
        let link = Link::ethernet().vlan(0x8100);
        mix.push(Planned::new(link, Some(514), false, false, udp(40_514, 514, b"<14>test-traffic: tagged")));
    }
    mix
}

/// A TCP connection to port 443, opened, used and closed.
fn connection() -> Vec<Planned> {
    const FIN_ACK: u8 = 0x11;
    const SYN: u8 = 0x02;
    const SYN_ACK: u8 = 0x12;
    const ACK: u8 = 0x10;
    const PUSH_ACK: u8 = 0x18;
    let there = |flags, payload: usize| (false, tcp(40_443, 443, flags, &vec![0; payload]));
    let back = |flags, payload: usize| (true, tcp(443, 40_443, flags, &vec![0; payload]));
    let segments = [
        there(SYN, 0),
        back(SYN_ACK, 0),
        there(ACK, 0),
        there(PUSH_ACK, 317),
        back(PUSH_ACK, 1_400),
        back(PUSH_ACK, 600),
        there(ACK, 0),
        there(FIN_ACK, 0),
        back(FIN_ACK, 0),
        there(ACK, 0),
    ];
    let planned = |(reply, segment)| Planned::new(Link::ethernet(), Some(443), reply, false, segment);
    segments.into_iter().map(planned).collect()
}

/// A question for the address of example.test, and an answer.
fn name_lookup(ipv6: bool) -> [Planned; 2] {
    const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x04test\x00\x00\x01\x00\x01";
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x04test\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x01";
    [
        Planned::new(Link::ethernet(), Some(53), false, ipv6, udp(40_053, 53, QUESTION)),
        Planned::new(Link::ethernet(), Some(53), true, ipv6, udp(53, 40_053, ANSWER)),
    ]
}

/// An echo request and its reply, of either version.
fn echo() -> [Planned; 4] {
    let planned = |reply, ipv6, message| Planned::new(Link::ethernet(), None, reply, ipv6, message);
    [
        planned(false, false, icmp(8)),
        planned(true, false, icmp(0)),
        planned(false, true, icmpv6(128)),
        planned(true, true, icmpv6(129)),
    ]
}

// ---- Out it goes -------------------------------------------------------------------------------------------------------

fn write(file: &Path, mix: &[Planned], rounds: u32) -> anyhow::Result<()> {
    let frames = (0..rounds).flat_map(|_| mix).map(|planned| &planned.frame);
    let capture = Savefile::new(ETHERNET).frames(frames).build();
    std::fs::write(file, capture).with_context(|| format!("cannot write {}", file.display()))
}

fn send(interface: &str, mix: &[Planned], rounds: u32, pause: Duration) -> anyhow::Result<()> {
    let longest = pause * rounds;
    ensure!(longest <= LONGEST_RUN, "{rounds} rounds with {pause:?} between them take longer than {LONGEST_RUN:?}");
    let mut handle = open(interface)?;
    for round in 0..rounds {
        if round > 0 {
            sleep(pause);
        }
        for planned in mix {
            handle.sendpacket(planned.frame.bytes.as_slice()).with_context(|| format!("cannot send on {interface}"))?;
        }
    }
    Ok(())
}

fn open(interface: &str) -> anyhow::Result<pcap::Capture<pcap::Active>> {
    let handle = pcap::Capture::from_device(interface)
        .and_then(pcap::Capture::open)
        .with_context(|| format!("cannot open {interface} (sending needs root or CAP_NET_RAW)"))?;
    let link_type = handle.get_datalink().0;
    if link_type != ETHERNET {
        bail!("{interface} has link type {link_type}, but Ethernet is needed");
    }
    Ok(handle)
}

// ---- The expected figures
// -----------------------------------------------------------------------------------------------

/// Packets and bytes of IP.
type Sums = BTreeMap<Flow, (u64, u64)>;

fn flows(mix: &[Planned], rounds: u32) -> Sums {
    let mut flows = Sums::new();
    for planned in mix {
        let (packets, bytes) = flows.entry(planned.flow).or_default();
        *packets += u64::from(rounds);
        *bytes += planned.bytes * u64::from(rounds);
    }
    flows
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.protocol {
            ip::TCP => "tcp",
            ip::UDP => "udp",
            ip::ICMP => "icmp",
            _ => "ipv6-icmp",
        };
        let port = self.port.map(|port| format!("/{port}")).unwrap_or_default();
        let service = format!("{}{name}{port}", if self.reply { "reply_" } else { "" });
        write!(f, "{:<20} {:<20} {service:<16}", self.source.to_string(), self.destination.to_string())
    }
}

fn report(flows: &Sums, json_lines: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json_lines {
        return flows.iter().try_for_each(|(flow, sums)| writeln!(out, "{}", json_line(flow, *sums)));
    }
    writeln!(out, "{:<20} {:<20} {:<16} {:>8} {:>10}", "source", "destination", "service", "packets", "IP bytes")?;
    for (flow, (packets, bytes)) in flows {
        writeln!(out, "{flow} {packets:>8} {bytes:>10}")?;
    }
    let all = flows.values().fold((0, 0), |(packets, bytes), sums| (packets + sums.0, bytes + sums.1));
    writeln!(out, "{:<58} {:>8} {:>10}", "all (transit by default: neither end is local)", all.0, all.1)
}

fn json_line(flow: &Flow, (packets, bytes): (u64, u64)) -> serde_json::Value {
    serde_json::json!({
        "src": flow.source.to_string(), "dst": flow.destination.to_string(), "proto": flow.protocol,
        "port": flow.port.unwrap_or(0), "reply": flow.reply, "packets": packets, "bytes": bytes
    })
}
