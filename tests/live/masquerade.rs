//! A router that masquerades the hosts behind it. Its outer side shows their packets with the router's own address and
//! other ports, and the answers to them too.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::common::metrics::Metrics;
use super::common::monitor::Monitor;
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::lan::{dns_question, keep_capture, serve_metrics, serve_names};
use super::scanners::{firing, scan};

/// The sides of the router.
const OUTER: &str = "eth0";
const INNER: &str = "eth1";
const OUTER_ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// Hosts inside, by the last byte of their address, all in one namespace.
const CLIENT: u8 = 2;
const SCANNER: u8 = 3;
const OTHER_CLIENTS: std::ops::RangeInclusive<u8> = 4..=6;

/// Servers outside, which all answer, and their number.
const SERVERS: &str = "198.51.100";
const COUNT: u8 = 200;
/// Nothing is there, and nothing says so.
const SILENT: &str = "198.18.0.0/26";
const SCANNED: u64 = 64;
const SCAN: &str = "--send-ip -sS -Pn -p22 --max-retries 1 --min-rate 200 -e eth0 -S 192.168.1.3 198.18.0.0/26";

fn inside(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, number)
}

struct Networks {
    router: Namespace,
    inside: Namespace,
    _outside: Namespace,
}

impl Networks {
    /// `masquerade` is the kernel's statement, with its flags.
    fn new(masquerade: &str) -> Self {
        let [router, clients, outside] = [Namespace::router(), Namespace::new(), Namespace::new()];
        connect(&End::new(&router, OUTER, "203.0.113.2/24"), &End::new(&outside, "eth0", "203.0.113.1/24"));
        let inner = End::new(&router, INNER, "192.168.1.1/24");
        connect(&inner, &End::new(&clients, "eth0", "192.168.1.2/24"));
        router.ip("route add default via 203.0.113.1");
        clients.ip("route add default via 192.168.1.1");
        outside.ip(&format!("route add local {SERVERS}.0/24 dev lo"));
        outside.ip(&format!("route add blackhole {SILENT}"));
        for number in [SCANNER].into_iter().chain(OTHER_CLIENTS) {
            clients.ip(&format!("address add {}/24 dev eth0", inside(number)));
        }
        translate(&router, masquerade);
        serve_metrics(&outside, 80);
        serve_names(&outside, (1..=COUNT).map(server));
        Self { router, inside: clients, _outside: outside }
    }

    /// Asks every server some questions by UDP and pings a part of them, from one client.
    fn ask(&self) {
        for number in 1..=COUNT {
            let socket = self.inside.udp(&format!("{}:0", inside(CLIENT)));
            socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            // One question alone would be like a sweep of services.
            for name in ["www.test", "mail.test", "ftp.test"] {
                socket.send_to(&dns_question(name), (server(number), 53)).unwrap();
                socket.recv(&mut [0; 512]).expect("the server answers");
            }
        }
        let mut command = Command::new("fping");
        let source = inside(CLIENT).to_string();
        command.args(["-q", "-c", "3", "-p", "300", "-S", &source, "-g", &server(1).to_string()]);
        let pinged = self.inside.enter(|| command.arg(server(60).to_string()).stderr(Stdio::null()).status());
        assert!(pinged.expect("the tests need fping").success());
    }

    /// Fetches a page from half of the servers, from each of the clients.
    fn browse(&self, clients: impl IntoIterator<Item = u8> + Clone) {
        for number in 1..=COUNT / 2 {
            clients.clone().into_iter().for_each(|client| fetch(&self.inside, inside(client), server(number)));
        }
    }

    fn scan(&self) {
        let output = scan(&self.inside, SCAN).wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn server(number: u8) -> Ipv4Addr {
    format!("{SERVERS}.{number}").parse().unwrap()
}

/// Has the kernel translate what leaves by the outer side.
fn translate(router: &Namespace, masquerade: &str) {
    let rules = format!(
        "table ip nat {{\nchain post {{\ntype nat hook postrouting priority srcnat; policy accept;\noifname \"{OUTER}\" \
         {masquerade}\n}}\n}}\n"
    );
    let start = || Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn();
    let mut nft = router.enter(start).expect("the tests need nft (nftables)");
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "the kernel cannot masquerade (CONFIG_NFT_MASQ)");
}

fn fetch(namespace: &Namespace, from: Ipv4Addr, to: Ipv4Addr) {
    let mut stream = namespace.enter(|| bound(from, (to, 80).into()));
    stream.write_all(b"GET / HTTP/1.1\r\nhost: server\r\n\r\n").unwrap();
    assert!(stream.read(&mut [0; 512]).unwrap() > 0, "{to} does not answer");
}

/// A connection from an address.
fn bound(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// The hosts inside that fire, without the router's own address: outside, the scanner has that one.
fn firing_inside(monitor: &Monitor<'_>) -> BTreeSet<IpAddr> {
    let firing = firing(monitor).into_iter().map(|(source, _)| source);
    firing.filter(|source| *source != OUTER_ADDRESS).collect()
}

fn wait_until_found(monitor: &Monitor<'_>) {
    let scanner = IpAddr::from(inside(SCANNER));
    wait_for("the scanner fires", || firing_inside(monitor).contains(&scanner).then_some(()));
}

/// No alert of the router's own address is due to contacts that were answered.
fn router_fires_for_the_scan_alone(monitor: &Monitor<'_>) {
    let events = monitor.events();
    let router = format!(" src={OUTER_ADDRESS} ");
    for alert in events.lines().filter(|line| line.contains(&router)) {
        assert!(alert.contains(" first_target=198.18.0."), "{alert}");
    }
}

#[test]
fn on_the_inner_side_alone_clients_are_no_scanners_and_a_scanner_is_found() {
    let networks = Networks::new("masquerade");
    let monitor = Monitor::start(&networks.router, &["-iface", INNER]);
    networks.browse([CLIENT].into_iter().chain(OTHER_CLIENTS));
    networks.ask();
    networks.scan();
    wait_until_found(&monitor);
    assert_eq!(firing_inside(&monitor), BTreeSet::from([inside(SCANNER).into()]));
    monitor.stop();
}

#[test]
fn on_the_outer_side_alone_the_router_is_no_scanner_until_a_host_behind_it_scans() {
    let networks = Networks::new("masquerade");
    let monitor = Monitor::start(&networks.router, &["-iface", OUTER]);
    networks.ask();
    networks.scan();
    let router = IpAddr::from(OUTER_ADDRESS);
    wait_for("the router fires", || firing(&monitor).iter().any(|(source, _)| *source == router).then_some(()));
    router_fires_for_the_scan_alone(&monitor);
    assert_eq!(firing_inside(&monitor), BTreeSet::new());
    monitor.stop();
}

/// Both sides are captured. The answers come in by the outer side, and the capture leaves out their copies on the
/// inner side. With `is_judged` the scanner inside is found; else nothing is judged there.
fn both_sides(masquerade: &str, captured: &[&str], work: impl Fn(&Networks), is_judged: bool) {
    let networks = Networks::new(masquerade);
    let _capture = keep_capture(&networks.router, "any", &format!("{masquerade} {}", captured.concat()));
    let monitor = Monitor::start(&networks.router, captured);
    work(&networks);
    networks.scan();
    if is_judged {
        wait_until_found(&monitor);
        let expected = BTreeSet::from([inside(SCANNER).into()]);
        assert_eq!(firing_inside(&monitor), expected, "{masquerade}, {captured:?}: {}", monitor.events());
    } else {
        let is_unknown = |metrics: &Metrics| metrics.sum("trafficmonitor_unknown_contacts_total") >= SCANNED;
        monitor.wait_for("the scanner's contacts are unknown", is_unknown);
        assert_eq!(firing_inside(&monitor), BTreeSet::new(), "{masquerade}, {captured:?}: {}", monitor.events());
        let visible = monitor.metrics().value("trafficmonitor_answers_visible", &[("interface", INNER)]);
        assert_eq!(visible, Some(0));
    }
    router_fires_for_the_scan_alone(&monitor);
    monitor.stop();
}

#[test]
fn answers_on_the_outer_side_count_for_a_client_on_the_inner_side() {
    // Without its answers the client is a scanner.
    let both: &[&str] = &["-iface", "eth0,eth1"];
    for (masquerade, captured) in [
        ("masquerade", both),
        ("masquerade fully-random", both),
        ("masquerade", &[]),
        ("masquerade", &["-iface", "any", "-filter", "not host 127.0.0.1"]),
    ] {
        both_sides(masquerade, captured, Networks::ask, true);
    }
}

#[test]
fn connections_of_several_clients_leave_the_inner_side_without_a_verdict() {
    // Without the answers most conversations on the inner side have one direction only.
    let browse = |networks: &Networks| networks.browse([CLIENT].into_iter().chain(OTHER_CLIENTS));
    both_sides("masquerade", &["-iface", "eth0,eth1"], browse, false);
}
