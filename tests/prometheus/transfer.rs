//! Downloads through a gateway, scraped by a real Prometheus every 15 s as the example has it: each row shows all bytes of
//! its transfer, from its second sample on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect};
use super::{Prometheus, value};

const OPTIONS: [&str; 4] = ["-promRefresh", "5", "-localNetworks", "10.1.0.0/16"];
const LARGE: usize = 100_000_000;
const SMALL: usize = 3_000_000;
const SMALL_SERVERS: u8 = 40;
const PORT: u16 = 80;
const WINDOW: &str = "30m";
/// Three intervals and the time that a busy machine takes for anything.
const DEADLINE: Duration = Duration::from_secs(120);
const ETHERNET: u64 = 14;

fn address(server: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, 100 + server)
}

/// A client, a gateway that is monitored, and many servers: number 0 has a large file, the others small ones.
struct Networks {
    client: Namespace,
    gateway: Namespace,
    servers: Namespace,
}

impl Networks {
    fn new() -> Self {
        let networks = Self { client: Namespace::new(), gateway: Namespace::router(), servers: Namespace::new() };
        let Self { client, gateway, servers } = &networks;
        connect(&End::new(gateway, "eth0", "10.1.0.1/24"), &End::new(client, "eth0", "10.1.0.2/24"));
        connect(&End::new(gateway, "eth1", "10.9.0.1/24"), &End::new(servers, "eth0", "10.9.0.2/24"));
        client.ip("route add default via 10.1.0.1");
        servers.ip("route add default via 10.9.0.1");
        // The gateway need not ask for each of the servers' addresses.
        for server in 0..=SMALL_SERVERS {
            servers.ip(&format!("address add {}/32 dev eth0", address(server)));
            gateway.ip(&format!("route add {}/32 via 10.9.0.2", address(server)));
        }
        networks
    }

    fn serve(&self) {
        for server in 0..=SMALL_SERVERS {
            let at = SocketAddr::from((address(server), PORT));
            let listener = self.servers.enter(|| TcpListener::bind(at)).unwrap();
            let bytes = if server == 0 { LARGE } else { SMALL };
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(&vec![0x55; bytes]).unwrap();
            });
        }
    }

    fn download(&self, server: u8) {
        let at = SocketAddr::from((address(server), PORT));
        let mut stream = self.client.enter(|| TcpStream::connect(at)).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), if server == 0 { LARGE } else { SMALL });
    }

    /// The IP bytes that the servers' and the client's kernels have sent.
    fn sent(&self) -> u64 {
        [&self.servers, &self.client].map(sent).iter().sum()
    }
}

/// The IP bytes that eth0 of a namespace has sent.
fn sent(namespace: &Namespace) -> u64 {
    let table = namespace.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev")).unwrap();
    let line = table.lines().find_map(|line| line.trim().strip_prefix("eth0:")).unwrap();
    let fields: Vec<u64> = line.split_whitespace().map(|field| field.parse().unwrap()).collect();
    let (bytes, packets) = (fields[8], fields[9]);
    bytes - ETHERNET * packets
}

/// The samples of each row from the servers, by source; and the sum of what all `other` rows show.
#[derive(Debug, Default)]
struct Seen {
    rows: Vec<(String, Vec<u64>)>,
    other: u64,
}

impl Seen {
    fn read(prometheus: &Prometheus<'_>) -> Self {
        let mut seen = Self::default();
        for result in prometheus.query(&format!("trafficmonitor_flow_bytes_total[{WINDOW}]")) {
            let number = |pair: &Value| pair[1].as_str().unwrap().parse::<f64>().unwrap() as u64;
            let samples: Vec<u64> = result["values"].as_array().unwrap().iter().map(number).collect();
            match result["metric"]["source"].as_str().unwrap() {
                "other" => seen.other += samples.last().unwrap(),
                source => seen.rows.push((source.to_owned(), samples)),
            }
        }
        seen
    }

    fn gained(&self) -> u64 {
        self.rows.iter().map(|(_, samples)| samples.last().unwrap() - samples[0]).sum()
    }

    fn of(&self, source: Ipv4Addr) -> &[u64] {
        let rows = self.rows.iter().filter(|(of, _)| *of == source.to_string());
        let [(_, samples)] = &rows.collect::<Vec<_>>()[..] else { panic!("one row of {source}: {:?}", self.rows) };
        samples
    }
}

/// Downloads everything once Prometheus scrapes, and waits until rows and `other` hold all that was sent.
fn transfer(networks: &Networks, prometheus: &Prometheus<'_>) -> Seen {
    prometheus.gives("up", &vec![1], super::values);
    networks.serve();
    let start = Instant::now();
    networks.download(0);
    let large = start.elapsed();
    (1..=SMALL_SERVERS).for_each(|server| networks.download(server));
    let end = Instant::now();
    loop {
        let seen = Seen::read(prometheus);
        let (shown, sent) = (seen.gained() + seen.other, networks.sent());
        if shown == sent {
            println!("{LARGE} bytes in {large:.1?}; all rows right {:.1?} after the last transfer", end.elapsed());
            return seen;
        }
        assert!(end.elapsed() < DEADLINE, "shown {shown} of {sent}: {seen:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn start(networks: &Networks) -> (Monitor<'_>, Prometheus<'_>) {
    let monitor = Monitor::start(&networks.gateway, &OPTIONS);
    (monitor, Prometheus::of_the_example(&networks.gateway))
}

/// The bytes that the older family shows of a source: plain values, without any waiting.
fn plain(prometheus: &Prometheus<'_>, source: Ipv4Addr) -> u64 {
    let results = prometheus.query(&format!(r#"hosts_src_dst{{addr=~"{source}->.*"}}"#));
    results.iter().map(value).sum()
}

#[test]
fn rows_show_all_bytes_of_short_transfers_from_their_second_sample_on() {
    let networks = Networks::new();
    let (monitor, prometheus) = start(&networks);
    let seen = transfer(&networks, &prometheus);
    for server in 0..=SMALL_SERVERS {
        let source = address(server);
        let samples = seen.of(source);
        let (payload, bytes) = (if server == 0 { LARGE } else { SMALL } as u64, plain(&prometheus, source));
        assert!((payload..payload + payload / 10).contains(&bytes), "{source}: {bytes}");
        assert_eq!(samples[..2], [0, bytes], "{source}: first 0, then all of the transfer");
    }
    let (other, sent) = (seen.other, networks.sent());
    println!("other has {other} of {sent} bytes");
    assert!(other * 1_000 <= sent, "other has {other} of {sent} bytes");
    monitor.stop();
}

/// For `make soak`: `increase()` over five minutes extrapolates by half an interval at most.
#[test]
fn soak_increase_of_a_transfer_is_its_bytes_within_six_percent() {
    let networks = Networks::new();
    let (monitor, prometheus) = start(&networks);
    transfer(&networks, &prometheus);
    let samples = format!(r#"count_over_time(trafficmonitor_flow_bytes_total{{source="{}"}}[5m])"#, address(0));
    let end = Instant::now() + Duration::from_secs(600);
    // All 20 samples of five minutes are there.
    while prometheus.query(&samples).first().is_none_or(|count| value(count) < 20) {
        assert!(Instant::now() < end, "Prometheus has not scraped for five minutes");
        std::thread::sleep(Duration::from_secs(1));
    }
    for server in 0..=SMALL_SERVERS {
        let row = format!(r#"trafficmonitor_flow_bytes_total{{source="{}"}}"#, address(server));
        let increase = prometheus.query(&format!("increase({row}[5m])"));
        let increase = increase[0]["value"][1].as_str().unwrap().parse::<f64>().unwrap();
        let beyond = 100.0 * (increase / plain(&prometheus, address(server)) as f64 - 1.0);
        println!("{}: increase() is {beyond:+.2} % off", address(server));
        assert!(beyond.abs() <= 6.0, "{beyond} %");
    }
    monitor.stop();
}
