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
use std::process::{Command, ExitCode};

use common::ip::{Ipv4, udp};
use common::link::Link;
use common::monitor::{Monitor, PROGRAM};
use common::namespace::{End, Namespace, connect, wait_for};
use tasks::{difference, times};
use wire::{Pieces, Wire};

/// Packets of a measurement, their conversations, and the packets that are sent together.
const PACKETS: u64 = 1_000_000;
const FLOWS: u32 = 5_000;
const BURST: usize = 100;
const ROUNDS: usize = 5;
/// The permitted networks of the measurement with a policy.
const NETWORKS: u32 = 10_000;
/// The bound of the part that a policy with [`NETWORKS`] adds to the cost of a packet by tc.
const MOST_GROWTH: f64 = 0.2;
/// Threads that read what the kernel has captured or counted.
const READERS: [&str; 2] = ["capture-eth0", "kernel"];

/// Nanoseconds of CPU time a packet.
#[derive(Debug, Clone, Copy)]
struct Cost {
    sending: f64,
    reading: f64,
}

fn main() -> ExitCode {
    let is_root = Command::new("unshare").args(["--net", "true"]).output().is_ok_and(|output| output.status.success());
    if !is_root {
        println!("kernel: SKIPPED, it needs root and leave to make network namespaces");
        return ExitCode::SUCCESS;
    }
    let policy = policy_file();
    let policy = ["-c", policy.path().to_str().expect("a path of letters")];
    let captures: [(&str, &[&str]); 6] = [
        ("libpcap", &["-daq", "libpcap"]),
        ("tc", &["-daq", "tc"]),
        ("tc, 10,000 networks", &["-daq", "tc", policy[0], policy[1]]),
        ("xdp generic", &["-daq", "xdp", "--xdp.mode", "generic"]),
        ("xdp native", &["-daq", "xdp", "--xdp.mode", "native"]),
        ("libpcap, 10,000 networks", &["-daq", "libpcap", policy[0], policy[1]]),
    ];
    let mut idle = f64::INFINITY;
    let mut costs = captures.map(|_| Cost { sending: f64::INFINITY, reading: f64::INFINITY });
    for _ in 0..ROUNDS {
        idle = idle.min(measure(None).sending);
        for (cost, (_, arguments)) in costs.iter_mut().zip(captures) {
            let measured = measure(Some(arguments));
            if measured.sending + measured.reading < cost.sending + cost.reading {
                *cost = measured;
            }
        }
    }
    println!(
        "kernel: {PACKETS} packets of {FLOWS} conversations; CPU ns a packet, the best of {ROUNDS} rounds; sending alone {idle:.0}"
    );
    let total = |cost: &Cost| cost.sending - idle + cost.reading;
    for ((name, _), cost) in captures.iter().zip(&costs) {
        let (kernel, ratio) = (cost.sending - idle, total(cost) / total(&costs[0]));
        println!(
            "kernel/{name}: {kernel:.0} in the kernel + {:.0} reading = {:.0}, {ratio:.2} of libpcap",
            cost.reading,
            total(cost)
        );
    }
    let growth = total(&costs[2]) / total(&costs[1]) - 1.0;
    println!("kernel: 10,000 permitted networks cost {:+.1} %", growth * 100.0);
    let [libpcap, tc] = [&costs[0], &costs[1]].map(total);
    judge(libpcap, tc, growth)
}

/// Success if tc costs less than libpcap, and permitted networks little.
fn judge(libpcap: f64, tc: f64, growth: f64) -> ExitCode {
    let is_cheaper = tc < libpcap;
    if !is_cheaper {
        println!("kernel: FAILED, tc costs {tc:.0} ns a packet and libpcap {libpcap:.0}; tc must cost less");
    }
    let grows_little = growth < MOST_GROWTH;
    if !grows_little {
        println!("kernel: FAILED, 10,000 permitted networks must cost less than {:.0} % more", MOST_GROWTH * 100.0);
    }
    if is_cheaper && grows_little { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A configuration with [`NETWORKS`] permitted networks, of which one has all sources.
fn policy_file() -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().expect("a temporary file");
    let network = |number: u32| format!("\"{}/24\"", std::net::Ipv4Addr::from_bits(0x0b00_0000 + (number << 8)));
    let networks: Vec<String> = (1..NETWORKS).map(network).chain(["\"10.0.0.0/8\"".to_owned()]).collect();
    write!(file, "{{\"permitted_cidrs\": [{}]}}", networks.join(",")).expect("it is written");
    file
}

/// Sends all packets, while the program captures with these arguments or not at all.
fn measure(arguments: Option<&[&str]>) -> Cost {
    let [host, other] = [Namespace::new(), Namespace::new()];
    connect(&End::new(&host, "eth0", "10.1.0.1/24"), &End::new(&other, "eth0", "10.1.0.2/24"));
    let options = ["-iface", "eth0", "-promRefresh", "5", "--detect.enabled=false"];
    let monitor = arguments.map(|arguments| {
        Monitor::spawn(&host, Command::new(PROGRAM), &[&options, arguments].concat()).wait_until_ready()
    });
    let before = monitor.as_ref().map(|monitor| times(monitor.pid()));
    let sending = send(&other);
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
    Cost { sending, reading }
}

/// Sends all packets; gives the CPU time of the thread in nanoseconds a packet.
fn send(namespace: &Namespace) -> f64 {
    let wire = namespace.enter(|| Wire::open("eth0")).expect("it may send");
    let packet = |flow: u32| {
        let source = std::net::Ipv4Addr::from_bits(0x0a80_0000 + flow);
        let query = Ipv4::carrying(udp(40_000, 53, &[0; 20])).between(source, [10, 1, 0, 1].into());
        Link::ethernet().carrying(&query.build()).bytes
    };
    let frames: Vec<Vec<u8>> = (0..FLOWS).map(packet).collect();
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
