//! The cost of judging pairs: CPU time of one transfer interval with 10,000 pairs, all due at its end.
//!
//! `cargo bench --bench anomaly`. The thread's own CPU time is read from the kernel, so other programs disturb it
//! little. Each line is the median, lowest and highest of five intervals with full series, and one with seven values.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use trafficmonitor::detect::anomaly::generator::SplitMix64;
use trafficmonitor::detect::anomaly::{Config, Criteria, Fence, Method, Methods, Pair, PairVerdict, Pairs};
use trafficmonitor::tables::index::NOWHERE;

const PAIRS: u32 = 10_000;
/// Ten until the series are full, and some to take the median of.
const INTERVALS: i64 = 14;

/// Draws the bytes of an interval.
type Traffic = fn(&mut SplitMix64) -> u64;

/// Every value another: most arrangements.
fn busy(generator: &mut SplitMix64) -> u64 {
    1 + generator.below(1_000_000_000) as u64
}

/// Two intervals in three without bytes, as between a host and a service that it asks now and then.
fn quiet(generator: &mut SplitMix64) -> u64 {
    if generator.below(3) == 0 { busy(generator) } else { 0 }
}

fn cpu_milliseconds() -> f64 {
    // One number of nanoseconds first: this thread's time on a CPU.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel's own count");
    text.split(' ').next().and_then(|first| first.parse().ok()).map_or(0.0, |nanoseconds: f64| nanoseconds / 1e6)
}

fn pair(number: u32) -> Pair {
    let host = |number| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number));
    Pair { source: host(number), destination: host(number / 7) }
}

/// One table over all intervals: for each, the CPU of observing and closing, and of judging.
fn measured(config: Config, traffic: Traffic) -> Vec<[f64; 2]> {
    let mut generator = SplitMix64::new(1);
    let mut pairs = Pairs::new(config);
    let mut take = |verdict: PairVerdict| {
        black_box(verdict);
    };
    let one = |interval| {
        let start = cpu_milliseconds();
        (0..PAIRS).for_each(|number| {
            pairs.observe(&mut { NOWHERE }, pair(number), traffic(&mut generator), interval, &mut take)
        });
        pairs.advance(interval + 1, &mut take);
        let closed = cpu_milliseconds();
        pairs.evaluate(1, &mut take);
        [closed - start, cpu_milliseconds() - closed]
    };
    (0..INTERVALS).map(one).collect()
}

fn spread(mut milliseconds: Vec<f64>) -> String {
    milliseconds.sort_by(f64::total_cmp);
    let [lowest, median, highest] = [0, milliseconds.len() / 2, milliseconds.len() - 1].map(|at| milliseconds[at]);
    format!("{median:.1} ms ({lowest:.1} to {highest:.1})")
}

fn report(name: &str, methods: &[Method], traffic: Traffic) {
    let fence = Fence::new(None, 1e6).expect("a bound");
    let criteria = Criteria { methods: Methods::of(methods), fence: Some(fence), ..Config::default().criteria };
    let intervals = measured(Config { criteria, ..Config::default() }, traffic);
    // Seven different values have the most arrangements that are still counted; ten are what a pair keeps.
    let (seventh, full) = (intervals[6], &intervals[9..]);
    let [observing, judging] = [0, 1].map(|part| spread(full.iter().map(|interval| interval[part]).collect()));
    println!("{name}: judging {judging}, seven values {:.1} ms; observing and closing {observing}", seventh[1]);
}

fn main() {
    let default: Vec<Method> = Config::default().criteria.methods.iter().collect();
    for (kind, traffic) in [("busy", busy as Traffic), ("quiet", quiet)] {
        report(&format!("{kind}, default methods"), &default, traffic);
        report(&format!("{kind}, all seven"), &Method::ALL, traffic);
    }
    for method in Method::ALL {
        report(&format!("busy, {}", method.name()), &[method], busy);
    }
}
