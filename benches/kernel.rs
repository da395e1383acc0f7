//! The cost of a packet: in the kernel and for reading, by libpcap and by the kernel path in each mode, in one run.
//!
//! `cargo bench --bench kernel`, as root: it makes network namespaces, and no frame leaves them. The sender's thread does
//! the kernel's work for its packets, so the kernel's cost is what a packet costs it beyond one by an interface that is
//! not captured; the sender goes to and fro between both. CPU time of threads counts, so other work on the machine shows
//! little. A cost is the median of all pieces of all rounds. Fails if permitted networks
//! cost much, or if tc costs as much as libpcap; only in a flood it may.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "support/tasks.rs"]
mod tasks;
#[path = "support/wire.rs"]
mod wire;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use common::ip::{Ipv4, udp};
use common::link::Link;
use common::monitor::{Monitor, PROGRAM};
use common::namespace::{End, Namespace, connect, wait_for};
use tasks::{difference, times};
use wire::{Pieces, Wire};

/// Packets of a measurement by each interface, of one piece of it, and those that are sent together.
const PACKETS: usize = 400_000;
const PIECE: usize = 10_000;
const BURST: usize = 100;
const ROUNDS: usize = 3;
/// The permitted networks of the measurements with a policy.
const NETWORKS: u32 = 10_000;
/// The bound of the part that a policy with [`NETWORKS`] adds to the cost of a packet by tc.
const MOST_GROWTH: f64 = 0.2;
/// Threads that read what the kernel has captured or counted.
const READERS: [&str; 2] = ["capture-eth0", "kernel"];

/// The packets that are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traffic {
    /// Packets of three sizes from 5,000 sources: the n-th source sends 1/n of what the first one sends.
    Mixed,
    /// Small packets from 5,000 sources in turn: each packet finds its conversation's memory out of the processor's caches.
    InTurn,
    /// Small packets from 60,000 sources in turn: most packets of a second begin a conversation.
    Flood,
}

impl Traffic {
    const ALL: [Self; 3] = [Self::Mixed, Self::InTurn, Self::Flood];

    fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::InTurn => "small, in turn",
            Self::Flood => "flood",
        }
    }

    fn sources(self) -> u32 {
        match self {
            Self::Mixed | Self::InTurn => 5_000,
            Self::Flood => 60_000,
        }
    }

    /// One frame of each source.
    fn frames(self) -> Vec<Vec<u8>> {
        let payload = |number: u32| match (self, number % 12) {
            (Self::Mixed, 0) => 1_472,
            (Self::Mixed, 1..=4) => 548,
            _ => 20,
        };
        let frame = |number: u32| {
            let source = std::net::Ipv4Addr::from_bits(0x0a80_0000 + number);
            let query = udp(40_000, 53, &vec![0; payload(number)]);
            Link::ethernet().carrying(&Ipv4::carrying(query).between(source, [10, 1, 0, 1].into()).build()).bytes
        };
        (0..self.sources()).map(frame).collect()
    }

    /// The order in which the sources send, as positions in [`Traffic::frames`].
    fn order(self) -> Vec<u32> {
        let sources = self.sources();
        if self != Self::Mixed {
            return (0..sources).collect();
        }
        let mut order: Vec<u32> = (1..=sources).flat_map(|nth| (0..sources / nth).map(move |_| nth - 1)).collect();
        let mut state = 1_u64;
        for at in (1..order.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(at, (state >> 33) as usize % (at + 1));
        }
        order
    }
}

/// The measurements: what captures, by which arguments.
const CAPTURES: [(&str, &[&str]); 8] = [
    (LIBPCAP, &["-daq", "libpcap"]),
    ("libpcap, 10,000 networks", &["-daq", "libpcap", "-c", PERMITTED]),
    (TC, &["-daq", "tc"]),
    (TC_NETWORKS, &["-daq", "tc", "-c", PERMITTED]),
    ("tc, not permitted", &["-daq", "tc", "-c", OTHERS]),
    ("xdp generic", &["-daq", "xdp", "--xdp.mode", "generic"]),
    ("xdp native", &["-daq", "xdp", "--xdp.mode", "native"]),
    ("xdp native, dropped", &["-daq", "xdp", "--xdp.mode", "native", "--drop-packets", "-c", OTHERS]),
];
const LIBPCAP: &str = "libpcap";
const TC: &str = "tc";
const TC_NETWORKS: &str = "tc, 10,000 networks";

/// Names in [`CAPTURES`] for the files with [`NETWORKS`]: of the sources and of others, or of others alone.
const PERMITTED: &str = "permitted.json";
const OTHERS: &str = "others.json";

/// Nanoseconds of CPU time a packet.
#[derive(Debug, Clone, Copy)]
struct Cost {
    kernel: f64,
    reading: f64,
}

impl Cost {
    fn total(self) -> f64 {
        self.kernel + self.reading
    }

    /// The median of each part.
    fn median(rounds: &[Self]) -> Self {
        let median = |part: fn(&Self) -> f64| {
            let mut parts: Vec<f64> = rounds.iter().map(part).collect();
            parts.sort_by(f64::total_cmp);
            parts[parts.len() / 2]
        };
        Self { kernel: median(|cost| cost.kernel), reading: median(|cost| cost.reading) }
    }
}

fn main() -> ExitCode {
    let is_root = Command::new("unshare").args(["--net", "true"]).output().is_ok_and(|output| output.status.success());
    if !is_root {
        println!("kernel: SKIPPED, it needs root and leave to make network namespaces");
        return ExitCode::SUCCESS;
    }
    let verdicts = Traffic::ALL.map(|traffic| judge(traffic, &measure_all(traffic)));
    if verdicts.iter().all(|is_met| *is_met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The cost of each capture.
fn measure_all(traffic: Traffic) -> Vec<Cost> {
    let (permitted, others) = (policy_file("10.0.0.0/8"), policy_file("172.16.0.0/12"));
    let path = |argument: &&'static str| match *argument {
        PERMITTED => permitted.path().to_owned(),
        OTHERS => others.path().to_owned(),
        argument => argument.into(),
    };
    let (frames, order) = (traffic.frames(), traffic.order());
    let pieces: Vec<Pieces<'_>> = order.iter().map(|source| [&frames[*source as usize][..], &[]]).collect();
    let mut rounds = vec![Vec::new(); CAPTURES.len()];
    for _ in 0..ROUNDS {
        for (costs, (_, arguments)) in rounds.iter_mut().zip(CAPTURES) {
            let arguments: Vec<PathBuf> = arguments.iter().map(path).collect();
            costs.push(measure(&arguments, &pieces));
        }
    }
    rounds.iter().map(|costs| Cost::median(costs)).collect()
}

/// Prints the costs; false if a bound is not met.
fn judge(traffic: Traffic, costs: &[Cost]) -> bool {
    let cost = |name| CAPTURES.iter().position(|capture| capture.0 == name).map(|at| costs[at].total());
    let [libpcap, tc, networks] = [LIBPCAP, TC, TC_NETWORKS].map(|name| cost(name).expect("it is measured"));
    for ((capture, _), cost) in CAPTURES.iter().zip(costs) {
        let Cost { kernel, reading } = cost;
        let (total, ratio, name) = (cost.total(), cost.total() / libpcap, traffic.name());
        println!("kernel/{name}/{capture}: {kernel:.0} + {reading:.0} reading = {total:.0}, {ratio:.2} of libpcap");
    }
    let growth = networks / tc - 1.0;
    println!("kernel/{}: 10,000 permitted networks cost {:+.1} % by tc", traffic.name(), growth * 100.0);
    let is_cheaper = traffic == Traffic::Flood || tc < libpcap;
    if !is_cheaper {
        println!("kernel: FAILED, tc costs {tc:.0} ns a packet and libpcap {libpcap:.0}; tc must cost less");
    }
    let grows_little = growth < MOST_GROWTH;
    if !grows_little {
        println!("kernel: FAILED, 10,000 permitted networks must cost less than {:.0} % more", MOST_GROWTH * 100.0);
    }
    is_cheaper && grows_little
}

/// A list of [`NETWORKS`] permitted networks, of which the last is `last`.
fn policy_file(last: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().expect("a temporary file");
    let network = |number: u32| format!("\"{}/24\"", std::net::Ipv4Addr::from_bits(0x0b00_0000 + (number << 8)));
    let networks: Vec<String> = (1..NETWORKS).map(network).chain([format!("\"{last}\"")]).collect();
    write!(file, "{{\"permitted_cidrs\": [{}]}}", networks.join(",")).expect("it is written");
    file
}

/// Sends all packets by an interface that the program captures with these arguments, and by one that it does not.
fn measure(arguments: &[PathBuf], pieces: &[Pieces<'_>]) -> Cost {
    let [host, other] = [Namespace::new(), Namespace::new()];
    connect(&End::new(&host, "eth0", "10.1.0.1/24"), &End::new(&other, "eth0", "10.1.0.2/24"));
    connect(&End::new(&host, "eth1", "10.1.1.1/24"), &End::new(&other, "eth1", "10.1.1.2/24"));
    let mut program = Command::new(PROGRAM);
    program.args(arguments);
    let options = ["-iface", "eth0", "-promRefresh", "1", "--detect.enabled=false"];
    let monitor = Monitor::spawn(&host, program, &options).wait_until_ready();
    let before = times(monitor.pid());
    let kernel = send(&other, pieces);
    wait_for("all is counted", || {
        let answer = monitor.ask("GET", "/metrics")?;
        let line = answer.body.lines().find(|line| line.starts_with("trafficmonitor_interface_frames_total{"))?;
        (line.rsplit(' ').next()?.parse::<u64>().ok()? >= PACKETS as u64).then_some(())
    });
    let spent = difference(&times(monitor.pid()), &before);
    let reading = spent.iter().filter(|(name, _)| READERS.contains(&name.as_str())).map(|(_, seconds)| seconds);
    Cost { kernel, reading: reading.sum::<f64>() * 1e9 / PACKETS as f64 }
}

/// Sends all packets by both interfaces; gives how much more CPU time of this thread those by `eth0` take, in nanoseconds
/// a packet.
fn send(namespace: &Namespace, pieces: &[Pieces<'_>]) -> f64 {
    let wires = ["eth0", "eth1"].map(|interface| namespace.enter(|| Wire::open(interface)).expect("it may send"));
    let mut bursts = pieces.chunks_exact(BURST).cycle();
    let mut differences: Vec<f64> = (0..PACKETS / PIECE)
        .map(|_| {
            let [captured, other] = wires.each_ref().map(|wire| send_piece(wire, bursts.by_ref()));
            captured - other
        })
        .collect();
    differences.sort_by(f64::total_cmp);
    differences[differences.len() / 2]
}

/// Sends a piece; gives its CPU time in nanoseconds a packet.
fn send_piece<'a>(wire: &Wire, bursts: &mut impl Iterator<Item = &'a [Pieces<'a>]>) -> f64 {
    let start = thread_nanoseconds();
    for burst in bursts.take(PIECE / BURST) {
        wire.send(burst).expect("it sends");
        // Below the rate at which libpcap's ring would lose packets.
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
    (thread_nanoseconds() - start) / PIECE as f64
}

/// CPU time of this thread.
fn thread_nanoseconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this thread runs");
    text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}
