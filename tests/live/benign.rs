//! Real programs that talk to many hosts, some of which are gone, on one local network. None of them is a scanner.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::common::monitor::Monitor;
use super::common::namespace::{Namespace, wait_for};
use super::lan::{
    BRIDGE, Lan, Running, dns_answer, dns_question, keep_capture, living, local, mortal, serve_metrics, serve_names,
    silent,
};
use super::scanners::{firing, scan};

const MDNS: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5_353);
const SSDP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1_900);
/// Time in which a host of the same network surely answers.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// Time after which a client gives up a silent server.
const GIVES_UP_AFTER: Duration = Duration::from_millis(600);

/// The hosts of the network, by the last byte of their address.
const RESPONDER: u8 = 2;
const DHCP_SERVER: u8 = 3;
const RESOLVER: u8 = 4;
const POLLER: u8 = 5;
const NEW_POLLER: u8 = 6;
const PINGER: u8 = 7;
const BROWSER: u8 = 8;
const SCANNER: u8 = 9;

/// The clients that ask groups of hosts.
const ASKERS: std::ops::Range<u8> = 20..60;
const DHCP_CLIENTS: usize = 40;
/// Living targets of the pollers, and addresses that no host has.
const TARGETS: std::ops::Range<u8> = 100..140;
const DEAD: std::ops::Range<u8> = 140..156;
const CONNECTIONS: u8 = 45;

/// Number of times that the pollers ask each target.
const SCRAPES: usize = 14;

// ---- A television and a printer, which answer questions to groups ------------------------------------------------------

/// Answers each question to a group, to the asker alone: from the group's port, or from another of its own.
fn respond(responder: &Namespace, group: (Ipv4Addr, u16), from_own_port: bool) {
    let socket = responder.udp(&format!("0.0.0.0:{}", group.1));
    socket.join_multicast_v4(&group.0, &local(RESPONDER)).unwrap();
    let other = responder.udp(&format!("{}:0", local(RESPONDER)));
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, asker)) = socket.recv_from(&mut question) {
            let from = if from_own_port { &other } else { &socket };
            from.send_to(&dns_answer(&question[..length]), asker).ok();
        }
    });
}

/// Asks a group from every address; each second asker does not wait for the answer.
fn ask(askers: &Namespace, group: (Ipv4Addr, u16)) {
    for number in ASKERS {
        let socket = askers.udp(&format!("{}:0", local(number)));
        socket.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
        socket.send_to(&dns_question("printer.local"), group).unwrap();
        if number % 2 == 0 {
            socket.recv_from(&mut [0; 512]).unwrap_or_else(|error| panic!("{group:?} does not answer: {error}"));
        }
    }
}

// ---- A DHCP server -----------------------------------------------------------------------------------------------------

fn dnsmasq(namespace: &Namespace, folder: &Path, arguments: &[&str]) -> Running {
    let pid_file = format!("--pid-file={}", folder.join("dnsmasq.pid").display());
    let common =
        ["--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-hosts", "--no-resolv", &pid_file];
    Running::start(namespace, "dnsmasq", &[&common, arguments].concat())
}

fn dhcp_server(namespace: &Namespace, folder: &Path) -> Running {
    let leases = format!("--dhcp-leasefile={}", folder.join("leases").display());
    let range = "--dhcp-range=10.1.0.200,10.1.0.250,1h";
    // A ping to an address before it is given away would take three seconds, and all clients wait meanwhile.
    dnsmasq(namespace, folder, &["--port=0", "--interface=eth0", "--no-ping", range, &leases])
}

/// As many clients of their own hardware addresses get an address from the server, all at once.
fn get_addresses(clients: &Namespace, folder: &Path) {
    let script = folder.join("bound.sh");
    std::fs::write(&script, "#!/bin/sh\n[ \"$1\" != bound ] || ip address add \"$ip/24\" dev \"$interface\"\n")
        .unwrap();
    Command::new("chmod").arg("+x").arg(&script).status().unwrap();
    let names: Vec<String> = (0..DHCP_CLIENTS).map(|number| format!("client{number}")).collect();
    for name in &names {
        clients.ip(&format!("link add link eth0 name {name} type macvlan mode bridge"));
        clients.ip(&format!("link set {name} up"));
    }
    let start = |name: &String| {
        let mut command = Command::new("busybox");
        command.args(["udhcpc", "-i", name, "-q", "-n", "-f", "-t", "10", "-T", "2", "-s"]).arg(&script);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        clients.enter(|| command.spawn()).expect("the tests need busybox")
    };
    for child in names.iter().map(start).collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "no address: {}", String::from_utf8_lossy(&output.stderr));
    }
}

// ---- A resolver some of whose servers are gone -------------------------------------------------------------------------

/// Servers of one domain each: living ones and silent ones.
const LIVING_SERVERS: u8 = 40;
const SILENT_SERVERS: u8 = 20;

fn resolver(namespace: &Namespace, folder: &Path) -> Running {
    let living = (1..=LIVING_SERVERS).map(|number| format!("--server=/living{number}.test/{}", living(number, 53)));
    let silent = (1..=SILENT_SERVERS).map(|number| format!("--server=/silent{number}.test/{}", silent(number, 53)));
    let servers: Vec<String> = living.chain(silent).collect();
    dnsmasq(namespace, folder, &servers.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Asks the resolver for a name of every domain; a question without an answer is asked again.
fn resolve(client: &Namespace) {
    let socket = client.udp(&format!("{}:0", local(ASKERS.start)));
    socket.connect((local(RESOLVER), 53)).unwrap();
    let mut answer = [0; 512];
    socket.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
    for number in 1..=LIVING_SERVERS {
        socket.send(&dns_question(&format!("www.living{number}.test"))).unwrap();
        let length = socket.recv(&mut answer).expect("the resolver answers");
        assert!(answer[..length].ends_with(&[192, 0, 2, 1]), "{:?}", &answer[..length]);
    }
    for _ in 0..2 {
        for number in 1..=SILENT_SERVERS {
            socket.send(&dns_question(&format!("www.silent{number}.test"))).unwrap();
        }
        socket.set_read_timeout(Some(GIVES_UP_AFTER)).unwrap();
        assert!(socket.recv(&mut answer).is_err(), "a silent server answered");
    }
}

// ---- Prometheus --------------------------------------------------------------------------------------------------------

/// A Prometheus that asks all targets each second.
fn prometheus(namespace: &Namespace, folder: &Path, targets: impl IntoIterator<Item = String>) -> Running {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/bin/prometheus");
    assert!(program.exists(), "{} is missing; run scripts/unpack.sh prometheus", program.display());
    let targets: Vec<String> = targets.into_iter().map(|target| format!("\"{target}\"")).collect();
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: many\n  static_configs:\n  - \
         targets: [{}]\n",
        targets.join(",")
    );
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, text).unwrap();
    let file = format!("--config.file={}", file.display());
    let data = format!("--storage.tsdb.path={}", folder.join("data").display());
    let listen = "--web.listen-address=127.0.0.1:9090";
    Running::start(namespace, program.to_str().unwrap(), &[&file, &data, listen])
}

/// Waits until so many targets were asked each [`SCRAPES`] more times.
fn wait_for_scrapes(served: &AtomicUsize, targets: usize) {
    for _ in 0..SCRAPES {
        let enough = served.load(Ordering::Relaxed) + targets;
        wait_for("the targets are asked", || (served.load(Ordering::Relaxed) >= enough).then_some(()));
    }
}

// ---- A smokeping and a browser -----------------------------------------------------------------------------------------

/// Five pings to each host, as smokeping has fping send them.
fn ping(namespace: &Namespace, hosts: &[String]) {
    let mut command = Command::new("fping");
    command.args(["-q", "-C", "5", "-p", "300", "-t", "300", "-B", "1", "-r", "0"]).args(hosts);
    let output = namespace.enter(|| command.output()).expect("the tests need fping");
    // Each host has a line with the times, `-` for a lost answer.
    let lines = String::from_utf8(output.stderr).unwrap();
    let answered = lines.lines().filter(|line| !line.contains(" - -")).count();
    assert_eq!(answered, TARGETS.len() / 2, "{lines}");
}

/// Connections to so many servers, each of which served a page.
fn browse(namespace: &Namespace, server: impl Fn(u8, u8) -> Ipv4Addr) -> Vec<TcpStream> {
    let open = |number: u8| {
        let to = SocketAddr::from((server(number, 80), 80));
        let mut stream = namespace.enter(|| TcpStream::connect(to)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: server\r\n\r\n").unwrap();
        assert!(stream.read(&mut [0; 512]).unwrap() > 0, "{to} does not answer");
        stream
    };
    (1..=CONNECTIONS).map(open).collect()
}

// ---- The tests ---------------------------------------------------------------------------------------------------------

/// A scan by another host, and its alert. With it, the moments of all earlier contacts are over.
fn real_scan(lan: &Lan, monitor: &Monitor<'_>) -> (IpAddr, String) {
    let scanner = lan.host([SCANNER]);
    let output = scan(&scanner, "--send-ip -sS -Pn -p22 --max-retries 1 --min-rate 200 10.30.0.64/26")
        .wait_with_output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = (local(SCANNER).into(), "host_scan".to_owned());
    wait_for("the scanner fires", || firing(monitor).contains(&found).then_some(()));
    found
}

/// Number of hosts that a source sent packets to.
fn peers_of(monitor: &Monitor<'_>, source: Ipv4Addr) -> usize {
    let flows = monitor.metrics().labelled("trafficmonitor_flow_bytes_total", &["source", "destination"]);
    let from_there = flows.into_iter().filter(|(labels, _)| labels[0] == source.to_string());
    from_there.map(|(labels, _)| labels[1].clone()).collect::<BTreeSet<_>>().len()
}

/// Number of alerts that fired so far, by source.
fn alerts(monitor: &Monitor<'_>) -> BTreeMap<IpAddr, usize> {
    let mut alerts = BTreeMap::new();
    for line in monitor.events().lines().filter(|line| line.contains(" state=firing ")) {
        let source = line.split(' ').find_map(|field| field.strip_prefix("src="));
        *alerts.entry(source.unwrap().parse().unwrap()).or_default() += 1;
    }
    alerts
}

/// The port of the metrics of each host.
fn targets(hosts: impl IntoIterator<Item = Ipv4Addr>) -> impl Iterator<Item = String> {
    hosts.into_iter().map(|host| format!("{host}:9100"))
}

fn folder(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir(&path).unwrap();
    path
}

#[test]
fn real_programs_that_talk_to_many_hosts_raise_no_alert() {
    let (lan, temporary) = (Lan::new(), tempfile::tempdir().unwrap());
    let host = |number| lan.host([number]);
    let targeted = lan.host(TARGETS);
    let served = serve_metrics(&targeted, 9_100);
    serve_metrics(&lan.servers, 80);
    serve_names(&lan.servers, (1..=LIVING_SERVERS).map(|number| living(number, 53)));
    let browser = host(BROWSER);
    let forgotten = browse(&browser, mortal);
    let (responder, askers) = (host(RESPONDER), lan.host(ASKERS));
    for namespace in [&responder, &askers] {
        namespace.ip("route add 224.0.0.0/4 dev eth0");
    }
    let (dhcp, clients, resolving, polling, pinging) =
        (host(DHCP_SERVER), lan.host([]), host(RESOLVER), host(POLLER), host(PINGER));
    let _capture = keep_capture(&lan.router, BRIDGE, "programs");
    let monitor = Monitor::start(&lan.router, &["-iface", BRIDGE, "-promisc"]);

    // A third is dead: in this network, and behind the router.
    let all = targets(TARGETS.chain(DEAD).map(local).chain((1..=4).map(|number| silent(0, number))));
    let mut programs = [
        prometheus(&polling, &folder(&temporary, "prometheus"), all),
        dhcp_server(&dhcp, &folder(&temporary, "dhcp")),
        resolver(&resolving, &folder(&temporary, "resolver")),
    ];
    // The servers are gone when the browser closes its connections.
    lan.silence();
    drop(forgotten);
    drop(browse(&browser, living));
    for (group, from_own_port) in [(MDNS, false), (SSDP, true)] {
        respond(&responder, group, from_own_port);
        ask(&askers, group);
    }
    get_addresses(&clients, &folder(&temporary, "clients"));
    resolve(&askers);
    let dead = DEAD.take(5).map(local).chain((1..=5).map(|number| silent(0, number)));
    let pinged: Vec<String> = TARGETS.step_by(2).map(local).chain(dead).map(|host| host.to_string()).collect();
    (0..2).for_each(|_| ping(&pinging, &pinged));
    wait_for_scrapes(&served, TARGETS.len());
    programs.iter_mut().for_each(Running::is_there);

    let found = real_scan(&lan, &monitor);
    let peers = [(RESPONDER, 20), (DHCP_SERVER, 30), (RESOLVER, 40), (POLLER, 44), (PINGER, 25), (BROWSER, 90)];
    for (number, fewest) in peers {
        assert!(peers_of(&monitor, local(number)) >= fewest, "10.1.0.{number} talks to many hosts");
    }
    assert_eq!(firing(&monitor), BTreeSet::from([found]), "no other host");
    let visible = monitor.metrics().value("trafficmonitor_answers_visible", &[("interface", BRIDGE)]);
    assert_eq!(visible, Some(1), "none of it blinds the interface");
    monitor.stop();
}

#[test]
fn poller_whose_targets_die_is_no_scanner_and_a_new_one_alerts_once_at_most() {
    let (lan, temporary) = (Lan::new(), tempfile::tempdir().unwrap());
    let (targeted, known, new) = (lan.host(TARGETS), lan.host([POLLER]), lan.host([NEW_POLLER]));
    let served = serve_metrics(&targeted, 9_100);
    let remote = serve_metrics(&lan.servers, 9_100);
    let _capture = keep_capture(&lan.router, BRIDGE, "pollers");
    let monitor = Monitor::start(&lan.router, &["-iface", BRIDGE, "-promisc", "--scan.interval", "10"]);
    let mortal = targets(TARGETS.take(10).map(local).chain((1..=30).map(|number| mortal(0, number))));
    let never = targets(TARGETS.take(20).map(local).chain((1..=40).map(|number| silent(0, number))));
    let mut programs =
        [prometheus(&known, &folder(&temporary, "known"), mortal), prometheus(&new, &folder(&temporary, "new"), never)];
    wait_for("all of them lived", || (remote.load(Ordering::Relaxed) >= 2 * 30).then_some(()));
    lan.silence();
    // Longer than the interval, so that only failures are left in it.
    wait_for_scrapes(&served, 10 + 20);
    programs.iter_mut().for_each(Running::is_there);

    real_scan(&lan, &monitor);
    let mut alerts = alerts(&monitor);
    assert!(alerts.remove(&local(NEW_POLLER).into()).is_none_or(|alerts| alerts <= 1), "{}", monitor.events());
    let expected = BTreeMap::from([(IpAddr::from(local(SCANNER)), 1)]);
    assert_eq!(alerts, expected, "{}", monitor.events());
    monitor.stop();
}

#[test]
fn router_that_asks_for_dead_hosts_on_behalf_of_a_remote_scanner_is_no_scanner() {
    let lan = Lan::new();
    let _host = lan.host(TARGETS);
    let _capture = keep_capture(&lan.router, BRIDGE, "router");
    // The scanner's packets to hosts that do not exist never reach this network; the router's ARP requests do.
    let monitor = Monitor::start(&lan.router, &["-iface", BRIDGE, "-promisc"]);
    let asked = || monitor.metrics().sum("trafficmonitor_undecoded_packets_total");
    let before = asked();
    let output =
        scan(&lan.servers, "--send-ip -sS -Pn -p22 --max-retries 1 --min-rate 200 10.1.0.128/25").wait_with_output();
    assert!(output.unwrap().status.success());
    wait_for("the router's requests", || (asked() > before + 100).then_some(()));
    let found = real_scan(&lan, &monitor);
    assert_eq!(firing(&monitor), BTreeSet::from([found]), "no other host");
    monitor.stop();
}
