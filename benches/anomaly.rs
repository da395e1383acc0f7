//! What judging pairs costs: CPU time of one transfer interval with 10,000 of them, all due at its end.
//!
//! `cargo bench --bench anomaly`. The thread's own CPU time is read from the kernel, so other programs disturb it little.
//! Each line is the median, lowest and highest of several intervals, each with other values.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use trafficmonitor::detect::anomaly::generator::SplitMix64;
use trafficmonitor::detect::anomaly::{Config, Criteria, Fence, Method, Methods, Pair, Pairs, Verdict};

const PAIRS: u32 = 10_000;
const INTERVALS: i64 = 7;

/// How the bytes of an interval are drawn.
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

/// The pairs with series of `length` values, all due for the last of them `INTERVALS` times over: CPU of observing and
/// closing, and of judging, for each interval.
fn measured(config: Config, length: usize, traffic: Traffic) -> [Vec<f64>; 2] {
    let [mut observing, mut judging] = [Vec::new(), Vec::new()];
    for round in 0..INTERVALS {
        let mut generator = SplitMix64::new(round as u64);
        let mut pairs = Pairs::new(Config { transfer_interval: config.transfer_interval, ..config });
        let mut take = |verdict: Verdict| {
            black_box(verdict);
        };
        // Judged on the way with the cheapest test there is nothing to wait for; the last interval is measured.
        for interval in 0..length as i64 {
            if interval + 1 == length as i64 {
                pairs.evaluate(1, &mut take);
            }
            let before = cpu_milliseconds();
            (0..PAIRS).for_each(|number| pairs.observe(pair(number), traffic(&mut generator), interval, &mut take));
            if interval + 1 == length as i64 {
                pairs.advance(interval + 1, &mut take);
                observing.push(cpu_milliseconds() - before);
            }
        }
        let before = cpu_milliseconds();
        pairs.evaluate(1, &mut take);
        judging.push(cpu_milliseconds() - before);
    }
    [observing, judging]
}

fn spread(mut milliseconds: Vec<f64>) -> String {
    milliseconds.sort_by(f64::total_cmp);
    let [lowest, median, highest] = [0, milliseconds.len() / 2, milliseconds.len() - 1].map(|at| milliseconds[at]);
    format!("{median:.1} ms ({lowest:.1} to {highest:.1})")
}

fn report(name: &str, methods: &[Method], length: usize, traffic: Traffic) {
    let fence = Fence::new(None, 1e6).expect("a bound");
    let criteria = Criteria { methods: Methods::of(methods), fence: Some(fence), ..Config::default().criteria };
    let [observing, judging] = measured(Config { criteria, ..Config::default() }, length, traffic);
    println!("{name}, {length} values: judging {}; observing and closing {}", spread(judging), spread(observing));
}

fn main() {
    let default: Vec<Method> = Config::default().criteria.methods.iter().collect();
    for (kind, traffic) in [("busy", busy as Traffic), ("quiet", quiet)] {
        // Seven different values have the most arrangements that are still counted; ten are what a pair keeps.
        for length in [7, 10] {
            report(&format!("{kind}, default methods"), &default, length, traffic);
            report(&format!("{kind}, all seven"), &Method::ALL, length, traffic);
        }
    }
    for method in Method::ALL {
        for length in [7, 10] {
            report(&format!("busy, {}", method.name()), &[method], length, busy);
        }
    }
}
