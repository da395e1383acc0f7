//! A local network: hosts on a bridge of a router, which sees all their frames, and servers behind the router.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::common::namespace::{End, Namespace, connect};

/// The bridge, on which the router's capture sees every frame of the network.
pub const BRIDGE: &str = "lan0";

/// Networks behind the router: all of them answers, all of them answers until [`Lan::silence`], and nothing is there.
const LIVING: &str = "10.20.0.0/16";
const MORTAL: &str = "10.21.0.0/16";
const SILENT: &str = "10.30.0.0/16";

/// A router with the network 10.1.0.0/24 on its bridge. The hosts ask each other's hardware addresses over ARP.
pub struct Lan {
    pub router: Namespace,
    pub servers: Namespace,
    ports: Cell<usize>,
}

/// Host `number` of the local network.
pub fn local(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 0, number)
}

/// Address `host` of network `network` behind the router.
pub fn living(network: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 20, network, host)
}

pub fn mortal(network: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 21, network, host)
}

pub fn silent(network: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 30, network, host)
}

impl Lan {
    pub fn new() -> Self {
        let lan = Self { router: Namespace::router(), servers: Namespace::new(), ports: Cell::new(0) };
        let Self { router, servers, .. } = &lan;
        connect(&End::new(router, "uplink", "10.2.0.1/24"), &End::new(servers, "eth0", "10.2.0.2/24"));
        servers.ip("route add default via 10.2.0.1");
        for network in [LIVING, MORTAL] {
            servers.ip(&format!("route add local {network} dev lo"));
            router.ip(&format!("route add {network} via 10.2.0.2"));
        }
        router.ip(&format!("route add blackhole {SILENT}"));
        router.ip(&format!("link add {BRIDGE} address 06:00:00:01:00:01 type bridge mcast_snooping 0"));
        router.ip(&format!("address add {}/24 dev {BRIDGE}", local(1)));
        router.ip(&format!("link set {BRIDGE} up"));
        lan
    }

    /// A host of the local network with the addresses of `numbers`; without one it has no route either.
    pub fn host(&self, numbers: impl IntoIterator<Item = u8>) -> Namespace {
        let host = Namespace::new();
        let port = self.ports.replace(self.ports.get() + 1);
        let (here, there) = (format!("port{port}"), End::new(&host, "eth0", ""));
        there.wire_to(&self.router, &here);
        self.router.ip(&format!("link set {here} master {BRIDGE} up"));
        there.up();
        there.wait_for_carrier();
        let mut numbers = numbers.into_iter().peekable();
        let has_address = numbers.peek().is_some();
        numbers.for_each(|number| {
            host.ip(&format!("address add {}/24 dev eth0", local(number)));
        });
        if has_address {
            host.ip(&format!("route add default via {}", local(1)));
        }
        host
    }

    /// Ends all hosts of [`MORTAL`].
    pub fn silence(&self) {
        self.router.ip(&format!("route replace blackhole {MORTAL}"));
    }
}

/// A program of its own process, killed when it is dropped or the test ends.
pub struct Running(Child);

impl Running {
    /// Starts `program` in a namespace.
    pub fn start(namespace: &Namespace, program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(namespace.enter(|| command.spawn()).unwrap_or_else(|error| panic!("{program}: {error}")))
    }

    /// Fails if the program has ended.
    pub fn is_there(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "a program of the test ended");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Writes what an interface shows to a file of its own, where `LIVE_FOLDER` names a folder for it.
pub fn keep_capture(namespace: &Namespace, interface: &str, name: &str) -> Option<Running> {
    let folder = std::env::var("LIVE_FOLDER").ok()?;
    let file = format!("{folder}/{}.pcap", name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"));
    Some(Running::start(namespace, "tcpdump", &["-i", interface, "-s", "128", "-U", "-w", &file]))
}

/// Serves a page of metrics at a port of all addresses of a namespace; gives the number of pages served so far.
pub fn serve_metrics(namespace: &Namespace, port: u16) -> Arc<AtomicUsize> {
    let listener = namespace.enter(|| TcpListener::bind(("0.0.0.0", port))).unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let count = Arc::clone(&count);
            std::thread::spawn(move || answer_requests(&stream, &count).ok());
        }
    });
    served
}

/// Answers the requests of a connection until the client closes it.
fn answer_requests(mut stream: &TcpStream, served: &AtomicUsize) -> std::io::Result<()> {
    let body = "up 1\n";
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next().transpose()? {
        if line.is_empty() {
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{body}")?;
            served.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Answers every DNS question at port 53 of the addresses with the same address.
pub fn serve_names(namespace: &Namespace, addresses: impl IntoIterator<Item = Ipv4Addr>) {
    for address in addresses {
        let socket = namespace.enter(|| UdpSocket::bind((address, 53))).unwrap();
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut question) {
                socket.send_to(&dns_answer(&question[..length]), client).ok();
            }
        });
    }
}

/// A question for the address of a name, `multicast` or of a resolver.
pub fn dns_question(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    let header = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    header.into_iter().chain(labels).chain([0, 0, 1, 0, 1]).collect()
}

/// The answer to a question without additional records: 192.0.2.1.
pub fn dns_answer(question: &[u8]) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let header = [question[0], question[1], 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
    [&header, &question[12..end], &record].concat()
}
