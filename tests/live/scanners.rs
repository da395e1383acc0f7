//! Real scanners, and a real client that fetches from as many hosts, through a router that watches them: Debian's
//! nmap against hosts that answer, and behind routes that drop or refuse packets.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect, wait_for};

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

/// The options of each scanner besides the common ones, with blanks between, and the kinds that it must be found for.
const SCANNERS: [(&str, &str); 7] = [
    ("-sS -Pn -p1-150 --max-retries 1 10.20.0.1 10.30.0.1 10.40.0.1 10.50.0.1", "port_scan"),
    ("-sT -Pn -p1-150 --max-retries 1 10.20.0.2 10.30.0.2 10.40.0.2 10.50.0.2", "port_scan"),
    ("-sU -Pn -p1000-1199 --min-rate 100 --max-retries 1 10.30.0.3 10.40.0.3", "port_scan"),
    ("-sF -Pn -p1-150 --max-retries 1 10.20.0.4 10.30.0.4 10.50.0.4", "port_scan"),
    ("-sS -Pn -T2 -p1-120 --max-retries 0 10.50.0.5", "port_scan"),
    ("-sn --max-retries 1 10.30.0.0/26 10.40.0.0/28", "host_scan"),
    ("-sS -Pn -p22 --max-retries 1 10.20.0.0/28 10.30.0.0/27 10.40.0.0/28", "host_scan"),
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
fn scan(namespace: &Namespace, options: &str) -> Child {
    let mut command = Command::new("nmap");
    command.args(["--send-ip", "-n"]).args(options.split_whitespace());
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
fn firing(monitor: &Monitor<'_>) -> BTreeSet<(IpAddr, String)> {
    let alerts = monitor.metrics().labelled("trafficmonitor_alert_firing", &["source", "kind"]);
    let firing = alerts.into_iter().filter(|(_, value)| *value > 0.0);
    firing.map(|(labels, _)| (labels[0].parse().expect("a source"), labels[1].clone())).collect()
}

#[test]
fn real_scanners_are_found_and_a_client_of_many_servers_is_not() {
    let networks = Networks::new(SCANNERS.len() + 1);
    networks.serve();
    let monitor = Monitor::start(&networks.router, &[]);
    let (client, scanners) = networks.hosts.split_last().unwrap();
    let scans: Vec<Child> =
        scanners.iter().zip(SCANNERS).map(|(scanner, (options, _))| scan(scanner, options)).collect();
    browse(client);
    for (child, (options, _)) in scans.into_iter().zip(SCANNERS) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "nmap {options}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let expected: BTreeSet<(IpAddr, String)> =
        SCANNERS.iter().enumerate().map(|(number, (_, kind))| (address(number).into(), (*kind).to_owned())).collect();
    wait_for("every scanner fires", || {
        let missing: Vec<_> = expected.difference(&firing(&monitor)).cloned().collect();
        missing.is_empty().then_some(())
    });
    assert_eq!(firing(&monitor), expected, "and no other source");
    monitor.stop();
}
