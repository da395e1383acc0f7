//! The cost of a packet: in the kernel and for reading, by libpcap and by the kernel path in each mode, in one run.
//!
//! `cargo bench --bench kernel`, as root: it makes network namespaces, and no frame leaves them. The sender's thread does
//! the kernel's work for its packets, so the kernel's cost is what a packet costs it beyond the same without a capture.
//! CPU time of threads counts, so other work on the machine shows little. Fails if tc costs as much as libpcap, or if
//! permitted networks cost much.

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

/// Packets of a measurement, and the packets that are sent together.
const PACKETS: u64 = 1_000_000;
const BURST: usize = 100;
const ROUNDS: usize = 5;
/// Sources of ordinary traffic, and those of a flood: most packets of a second begin a conversation.
const FEW: u32 = 5_000;
const MANY: u32 = 60_000;
/// The permitted networks of the measurements with a policy.
const NETWORKS: u32 = 10_000;
/// The bound of the part that a policy with [`NETWORKS`] adds to the cost of a packet by tc.
const MOST_GROWTH: f64 = 0.2;
/// Threads that read what the kernel has captured or counted.
const READERS: [&str; 2] = ["capture-eth0", "kernel"];

/// The measurements: what is captured, by which arguments, and the sources of the packets.
const MEASURED: [(&str, &[&str], u32); 11] = [
    (LIBPCAP, &["-daq", "libpcap"], FEW),
    (TC, &["-daq", "tc"], FEW),
    (TC_NETWORKS, &["-daq", "tc", "-c", PERMITTED], FEW),
    ("tc, not permitted", &["-daq", "tc", "-c", OTHERS], FEW),
    ("xdp generic", &["-daq", "xdp", "--xdp.mode", "generic"], FEW),
    ("xdp native", &["-daq", "xdp", "--xdp.mode", "native"], FEW),
    ("xdp native, dropped", &["-daq", "xdp", "--xdp.mode", "native", "--drop-packets", "-c", OTHERS], FEW),
    ("libpcap, 10,000 networks", &["-daq", "libpcap", "-c", PERMITTED], FEW),
    (TC_MANY, &["-daq", "tc"], MANY),
    (TC_MANY_NETWORKS, &["-daq", "tc", "-c", PERMITTED], MANY),
    ("tc, 60,000 sources, not permitted", &["-daq", "tc", "-c", OTHERS], MANY),
];
const LIBPCAP: &str = "libpcap";
const TC: &str = "tc";
const TC_NETWORKS: &str = "tc, 10,000 networks";
const TC_MANY: &str = "tc, 60,000 sources";
const TC_MANY_NETWORKS: &str = "tc, 60,000 sources, 10,000 networks";

/// Names in [`MEASURED`] for the files with [`NETWORKS`]: of the sources and of others, or of others alone.
const PERMITTED: &str = "permitted.json";
const OTHERS: &str = "others.json";

/// Nanoseconds of CPU time a packet.
#[derive(Debug, Clone, Copy)]
struct Cost {
    kernel: f64,
    reading: f64,
}

impl Cost {
    const UNKNOWN: Self = Self { kernel: f64::INFINITY, reading: f64::INFINITY };

    fn total(self) -> f64 {
        self.kernel + self.reading
    }

    fn lower(self, other: Self) -> Self {
        if other.total() < self.total() { other } else { self }
    }
}

fn main() -> ExitCode {
    let is_root = Command::new("unshare").args(["--net", "true"]).output().is_ok_and(|output| output.status.success());
    if !is_root {
        println!("kernel: SKIPPED, it needs root and leave to make network namespaces");
        return ExitCode::SUCCESS;
    }
    let costs = measure_all();
    let cost = |name| MEASURED.iter().position(|measured| measured.0 == name).map(|at| costs[at].total());
    let cost = |name| cost(name).expect("it is measured");
    for ((name, ..), cost_of_row) in MEASURED.iter().zip(&costs) {
        let Cost { kernel, reading } = cost_of_row;
        let (total, ratio) = (cost_of_row.total(), cost_of_row.total() / cost(LIBPCAP));
        println!("kernel/{name}: {kernel:.0} in the kernel + {reading:.0} reading = {total:.0}, {ratio:.2} of libpcap");
    }
    let growth =
        [(TC, TC_NETWORKS), (TC_MANY, TC_MANY_NETWORKS)].map(|(none, networks)| cost(networks) / cost(none) - 1.0);
    println!(
        "kernel: 10,000 permitted networks cost {:+.1} % with {FEW} sources, {:+.1} % with {MANY}",
        growth[0] * 100.0,
        growth[1] * 100.0
    );
    judge(cost(LIBPCAP), cost(TC), growth)
}

/// The cost of each measurement in its best round.
fn measure_all() -> Vec<Cost> {
    let (permitted, others) = (policy_file("10.0.0.0/8"), policy_file("172.16.0.0/12"));
    let path = |argument: &&'static str| match *argument {
        PERMITTED => permitted.path().to_owned(),
        OTHERS => others.path().to_owned(),
        argument => argument.into(),
    };
    let mut costs = vec![Cost::UNKNOWN; MEASURED.len()];
    for _ in 0..ROUNDS {
        let idle = [FEW, MANY].map(|sources| (sources, measure(None, sources)));
        for (cost, (_, arguments, sources)) in costs.iter_mut().zip(MEASURED) {
            let arguments: Vec<PathBuf> = arguments.iter().map(path).collect();
            let measured = measure(Some(&arguments), sources);
            let idle = idle.iter().find(|idle| idle.0 == sources).map_or(0.0, |idle| idle.1.kernel);
            *cost = cost.lower(Cost { kernel: measured.kernel - idle, ..measured });
        }
        println!(
            "kernel: {PACKETS} packets; CPU ns a packet to send them alone: {:?}",
            idle.map(|idle| idle.1.kernel as u64)
        );
    }
    costs
}

/// Success if tc costs less than libpcap, and permitted networks little.
fn judge(libpcap: f64, tc: f64, growth: [f64; 2]) -> ExitCode {
    let is_cheaper = tc < libpcap;
    if !is_cheaper {
        println!("kernel: FAILED, tc costs {tc:.0} ns a packet and libpcap {libpcap:.0}; tc must cost less");
    }
    let grows_little = growth.iter().all(|growth| *growth < MOST_GROWTH);
    if !grows_little {
        println!("kernel: FAILED, 10,000 permitted networks must cost less than {:.0} % more", MOST_GROWTH * 100.0);
    }
    if is_cheaper && grows_little { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A list of [`NETWORKS`] permitted networks, of which the last is `last`.
fn policy_file(last: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().expect("a temporary file");
    let network = |number: u32| format!("\"{}/24\"", std::net::Ipv4Addr::from_bits(0x0b00_0000 + (number << 8)));
    let networks: Vec<String> = (1..NETWORKS).map(network).chain([format!("\"{last}\"")]).collect();
    write!(file, "{{\"permitted_cidrs\": [{}]}}", networks.join(",")).expect("it is written");
    file
}

/// Sends all packets, while the program captures with these arguments or not at all.
fn measure(arguments: Option<&[PathBuf]>, sources: u32) -> Cost {
    let [host, other] = [Namespace::new(), Namespace::new()];
    connect(&End::new(&host, "eth0", "10.1.0.1/24"), &End::new(&other, "eth0", "10.1.0.2/24"));
    let options = ["-iface", "eth0", "-promRefresh", "5", "--detect.enabled=false"];
    let monitor = arguments.map(|arguments| {
        let mut program = Command::new(PROGRAM);
        program.args(arguments);
        Monitor::spawn(&host, program, &options).wait_until_ready()
    });
    let before = monitor.as_ref().map(|monitor| times(monitor.pid()));
    let sending = send(&other, sources);
    let reading = monitor.map_or(0.0, |monitor| {
        wait_for("all is counted", || {
            let answer = monitor.ask("GET", "/metrics")?;
            let line = answer.body.lines().find(|line| line.starts_with("trafficmonitor_interface_frames_total{"))?;
            (line.rsplit(' ').next()?.parse::<u64>().ok()? >= PACKETS).then_some(())
        });
        let spent = difference(&times(monitor.pid()), &before.unwrap_or_default());
        let reading = spent.iter().filter(|(name, _)| READERS.contains(&name.as_str())).map(|(_, seconds)| seconds);
        let reading = reading.sum::<f64>() * 1e9 / PACKETS as f64;
        monitor.stop();
        reading
    });
    Cost { kernel: sending, reading }
}

/// Sends all packets; gives the CPU time of the thread in nanoseconds a packet.
fn send(namespace: &Namespace, sources: u32) -> f64 {
    let wire = namespace.enter(|| Wire::open("eth0")).expect("it may send");
    let packet = |number: u32| {
        let source = std::net::Ipv4Addr::from_bits(0x0a80_0000 + number);
        let query = Ipv4::carrying(udp(40_000, 53, &[0; 20])).between(source, [10, 1, 0, 1].into());
        Link::ethernet().carrying(&query.build()).bytes
    };
    let frames: Vec<Vec<u8>> = (0..sources).map(packet).collect();
    let pieces: Vec<Pieces<'_>> = frames.iter().map(|frame| [frame.as_slice(), &[][..]]).collect();
    let start = thread_nanoseconds();
    for burst in pieces.chunks(BURST).cycle().take(PACKETS as usize / BURST) {
        wire.send(burst).expect("it sends");
        // Below the rate at which libpcap's ring would lose packets.
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
    (thread_nanoseconds() - start) / PACKETS as f64
}

/// CPU time of this thread.
fn thread_nanoseconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this thread runs");
    text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}
