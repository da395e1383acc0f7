//! Real scanners, and a real client that fetches from as many hosts, through a router that watches them: Debian's
//! nmap against hosts that answer, and behind routes that drop or refuse packets, and hosts of the
//! scanner's own network that do not exist.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::common::monitor::Monitor;
use super::common::namespace::{DEADLINE, End, Namespace, connect};
use super::lan::{BRIDGE, Lan, keep_capture, local, serve_metrics};

/// Hosts that answer: port 80 is open, all others refuse.
const ALIVE: &str = "10.20.0";
/// Hosts that do not exist, without any error.
const SILENT: &str = "10.30.0";
/// Hosts that do not exist, and the router says so: unreachable, prohibited.
const UNREACHABLE: &str = "10.40.0";
const PROHIBITED: &str = "10.50.0";

/// Addresses that the client fetches from, how often from each, and how many at the same time.
const SERVERS: u8 = 200;
const FETCHES: usize = 3;
const AT_ONCE: usize = 20;
const BODY: &[u8] = &[b'x'; 20_000];

/// A run of nmap.
struct Scanner {
    /// Its options besides the common ones, with blanks between.
    options: &'static str,
    /// The kind of alert that it must be found for.
    kind: &'static str,
}

const fn hosts(options: &'static str) -> Scanner {
    Scanner { options, kind: "host_scan" }
}

const fn ports(options: &'static str) -> Scanner {
    Scanner { kind: "port_scan", ..hosts(options) }
}

/// Scanner number N is 10.1.N.2.
const SCANNERS: [Scanner; 15] = [
    ports("--send-ip -sS -Pn -p1-150 --max-retries 1 10.20.0.1 10.30.0.1 10.40.0.1 10.50.0.1"),
    ports("--send-ip -sT -Pn -p1-150 --max-retries 1 10.20.0.2 10.30.0.2 10.40.0.2 10.50.0.2"),
    ports("--send-ip -sU -Pn -p1000-1199 --min-rate 100 --max-retries 1 10.30.0.3 10.40.0.3"),
    ports("--send-ip -sF -Pn -p1-150 --max-retries 1 10.20.0.4 10.30.0.4 10.50.0.4"),
    ports("--send-ip -sS -Pn -T2 -p1-120 --max-retries 0 10.50.0.5"),
    hosts("--send-ip -sn --max-retries 1 10.30.0.0/26 10.40.0.0/28"),
    hosts("--send-ip -sS -Pn -p22 --max-retries 1 10.20.0.0/28 10.30.0.0/27 10.40.0.0/28"),
    hosts("--send-ip -sU -Pn -p161 --max-retries 1 10.30.0.0/27 10.40.0.0/28"),
    // Packets that look like those of connections whose beginning was not seen.
    ports("--send-ip -sA -Pn -p1-150 --max-retries 1 10.20.0.6 10.30.0.6 10.50.0.6"),
    hosts("--send-ip -sA -Pn -p80 --max-retries 1 10.20.0.0/28 10.30.0.0/27"),
    ports("--send-ip -sM -Pn -p1-150 --max-retries 1 10.20.0.7 10.30.0.7 10.50.0.7"),
    hosts("--send-ip -sM -Pn -p80 --max-retries 1 10.20.0.0/28 10.30.0.0/27"),
    // All targets answer, and nothing is done with the answers.
    hosts("--send-ip -sT -Pn -p80 10.20.0.0/26"),
    hosts("--send-ip -sn -PE 10.20.0.0/26"),
    // ICMP timestamp requests.
    hosts("--send-ip -sn -PP --max-retries 1 10.30.0.0/26"),
];

/// A router, servers behind it, and hosts in front of it, each in a network of its own.
struct Networks {
    router: Namespace,
    servers: Namespace,
    hosts: Vec<Namespace>,
}

/// The address of a host in front of the router.
fn address(host: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, host as u8, 2)
}

impl Networks {
    fn new(hosts: usize) -> Self {
        let networks = Self {
            router: Namespace::router(),
            servers: Namespace::new(),
            hosts: (0..hosts).map(|_| Namespace::new()).collect(),
        };
        let Self { router, servers, .. } = &networks;
        connect(&End::new(router, "inside", "10.2.0.1/24"), &End::new(servers, "eth0", "10.2.0.2/24"));
        servers.ip("route add default via 10.2.0.1");
        servers.ip(&format!("route add local {ALIVE}.0/24 dev lo"));
        router.ip(&format!("route add {ALIVE}.0/24 via 10.2.0.2"));
        for (kind, network) in [("blackhole", SILENT), ("unreachable", UNREACHABLE), ("prohibit", PROHIBITED)] {
            router.ip(&format!("route add {kind} {network}.0/24"));
        }
        for (number, host) in networks.hosts.iter().enumerate() {
            let (interface, near, far) =
                (format!("host{number}"), format!("10.1.{number}.1/24"), format!("{}/24", address(number)));
            connect(&End::new(router, &interface, &near), &End::new(host, "eth0", &far));
            host.ip(&format!("route add default via 10.1.{number}.1"));
        }
        networks
    }

    /// Answers each connection to port 80 with a page, as long as the test runs.
    fn serve(&self) {
        let listener = self.servers.enter(|| TcpListener::bind("0.0.0.0:80")).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A scanner breaks off its own connection.
                std::thread::spawn(move || answer(stream).ok());
            }
        });
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 1_024];
    if stream.read(&mut request)? == 0 {
        return Ok(());
    }
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", BODY.len());
    stream.write_all(&[head.as_bytes(), BODY].concat())
}

/// Starts nmap with `options` in a namespace.
pub fn scan(namespace: &Namespace, options: &str) -> Child {
    let mut command = Command::new("nmap");
    command.arg("-n").args(options.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    namespace.enter(|| command.spawn()).expect("the tests need nmap: scripts/install.sh test")
}

/// Fetches a page from every server, many at once, as often as a browser comes back to them.
fn browse(namespace: &Namespace) {
    let fetch = |server: u8| {
        let to = SocketAddr::from((format!("{ALIVE}.{server}").parse::<Ipv4Addr>().unwrap(), 80));
        let mut stream = namespace.enter(|| TcpStream::connect(to)).unwrap();
        // In one segment, as the server reads it.
        stream.write_all(format!("GET / HTTP/1.1\r\nhost: {to}\r\n\r\n").as_bytes()).unwrap();
        let mut page = Vec::new();
        stream.read_to_end(&mut page).unwrap();
        assert!(page.ends_with(BODY), "{} bytes from {to}", page.len());
    };
    let servers: Vec<u8> = (0..FETCHES).flat_map(|_| 1..=SERVERS).collect();
    std::thread::scope(|scope| {
        for part in servers.chunks(servers.len().div_ceil(AT_ONCE)) {
            scope.spawn(move || part.iter().copied().for_each(fetch));
        }
    });
}

/// The sources that fire, and the kinds.
pub fn firing(monitor: &Monitor<'_>) -> BTreeSet<(IpAddr, String)> {
    let alerts = monitor.metrics().labelled("trafficmonitor_alert_firing", &["source", "kind"]);
    let firing = alerts.into_iter().filter(|(_, value)| *value > 0.0);
    firing.map(|(labels, _)| (labels[0].parse().expect("a source"), labels[1].clone())).collect()
}

/// The sources that fire as soon as all that are expected do, or after the longest time to wait.
fn firing_in_time(monitor: &Monitor<'_>, expected: &BTreeSet<(IpAddr, String)>) -> BTreeSet<(IpAddr, String)> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let found = firing(monitor);
        if found.is_superset(expected) || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A source with the options of its scanner.
fn named((source, kind): &(IpAddr, String)) -> String {
    let number = (0..SCANNERS.len()).find(|number| IpAddr::from(address(*number)) == *source);
    format!("{source} {kind}: {}", number.map_or("no scanner", |number| SCANNERS[number].options))
}

#[test]
fn real_scanners_are_found_and_a_client_of_many_servers_is_not() {
    let networks = Networks::new(SCANNERS.len() + 1);
    networks.serve();
    let _capture = keep_capture(&networks.router, "any", "scanners");
    let monitor = Monitor::start(&networks.router, &[]);
    let (client, scanners) = networks.hosts.split_last().unwrap();
    let scans: Vec<Child> =
        scanners.iter().zip(&SCANNERS).map(|(namespace, scanner)| scan(namespace, scanner.options)).collect();
    browse(client);
    for (child, Scanner { options, .. }) in scans.into_iter().zip(&SCANNERS) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "nmap {options}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let expected: BTreeSet<(IpAddr, String)> = SCANNERS
        .iter()
        .enumerate()
        .map(|(number, scanner)| (address(number).into(), scanner.kind.to_owned()))
        .collect();
    let found = firing_in_time(&monitor, &expected);
    let named = |sources: Vec<&(IpAddr, String)>| -> Vec<String> { sources.into_iter().map(named).collect() };
    let (missed, wrong) = (named(expected.difference(&found).collect()), named(found.difference(&expected).collect()));
    assert!(missed.is_empty() && wrong.is_empty(), "missed: {missed:#?}, wrong: {wrong:#?}");
    monitor.stop();
}

/// A host of the own network that does not exist is a question for its link address without an answer, of nmap or of
/// the kernel.
#[test]
fn sweeps_of_the_own_network_are_found() {
    let lan = Lan::new();
    let targets = lan.host(30..40);
    serve_metrics(&targets, 80);
    let (client, sweeper, connecting) = (lan.host([2]), lan.host([3]), lan.host([4]));
    let _capture = keep_capture(&lan.router, BRIDGE, "own-network");
    let monitor = Monitor::start(&lan.router, &["-iface", BRIDGE, "-promisc"]);
    for number in 30..40 {
        let mut stream = client.enter(|| TcpStream::connect((local(number), 80))).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(stream.read(&mut [0; 512]).unwrap() > 0);
    }
    let scans = [
        scan(&sweeper, "-sn --max-retries 1 10.1.0.0/25"),
        scan(&connecting, "--unprivileged -sT -Pn -p445 --max-retries 0 10.1.0.0/25"),
    ];
    for child in scans {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let scanners = [local(3), local(4)].map(|source| (source.into(), "host_scan".to_owned()));
    let expected = BTreeSet::from(scanners);
    assert_eq!(firing_in_time(&monitor, &expected), expected);
    monitor.stop();
}

#[test]
fn sweep_of_the_own_network_over_ipv6_is_found() {
    let (scanner, router) = (Namespace::with_ipv6(), Namespace::with_ipv6());
    connect(&End::new(&router, "eth0", "2001:db8:1::1/64"), &End::new(&scanner, "eth0", "2001:db8:1::2/64"));
    for living in 0x120..0x130 {
        router.ip(&format!("address add 2001:db8:1::{living:x}/64 dev eth0 nodad"));
    }
    let monitor = Monitor::start(&router, &["-iface", "eth0"]);
    let output = scan(&scanner, "-6 -sn --max-retries 1 2001:db8:1::100/122").wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    monitor.wait_for("it is seen", |metrics| metrics.sum("trafficmonitor_interface_frames_total") > 64);
    let found = (IpAddr::from([0x2001, 0xdb8, 1, 0, 0, 0, 0, 2_u16]), "host_scan".to_owned());
    let expected = BTreeSet::from([found]);
    assert_eq!(firing_in_time(&monitor, &expected), expected);
    monitor.stop();
}
