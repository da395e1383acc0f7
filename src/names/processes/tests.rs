use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};

use super::*;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn own() -> HashSet<IpAddr> {
    HashSet::from([LOCALHOST])
}

fn flow(port: u16, protocol: Protocol) -> ShownFlow {
    ShownFlow { client: LOCALHOST, server: LOCALHOST, protocol, port }
}

/// A process of another name that inherits the socket as its standard input, which this process then closes.
fn child_with(socket: impl Into<std::os::fd::OwnedFd>) -> Child {
    Command::new("sleep").arg("60").stdin(Stdio::from(socket.into())).spawn().unwrap()
}

/// The process of the flow with `port`, found within some passes: a pass has little time, and sees processes that other
/// tests start before they close what they inherit.
fn found_if(port: u16, protocol: Protocol, is_it: impl Fn(&LocalProcess) -> bool) -> LocalProcess {
    let deadline = Instant::now() + Duration::from_secs(60);
    let ends = (LOCALHOST, LOCALHOST, protocol, port);
    loop {
        let pass = Processes::default().find(&[flow(port, protocol)], &own()).unwrap();
        match pass.processes.get(&ends) {
            Some(process) if is_it(process) => return process.clone(),
            _ => assert!(Instant::now() < deadline, "{pass:?}"),
        }
    }
}

/// The child `pid`, which has the name of this process until its exec.
fn found_child(port: u16, protocol: Protocol, pid: u32) -> LocalProcess {
    found_if(port, protocol, |process| process.pid == pid && &*process.name == "sleep")
}

#[test]
fn process_of_a_connection_of_a_listener_and_of_datagrams_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut child = child_with(listener);
    assert_eq!(found_child(port, Protocol::TCP, child.id()).container, own_container());
    child.kill().unwrap();
    child.wait().unwrap();

    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut child = child_with(socket);
    found_child(port, Protocol::UDP, child.id());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The container of this process, which a child shares.
fn own_container() -> Option<Box<str>> {
    containers::container(&std::fs::read_to_string("/proc/self/cgroup").unwrap())
}

#[test]
fn client_and_server_of_a_connection_have_their_own_processes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let flow = flow(port, Protocol::TCP);
    let mut sockets = FlowSockets::of(&[flow], &own());
    read_sockets(|socket| sockets.take(&socket)).unwrap();
    // Both ends are the same addresses, so one of the two sockets counts; each belongs to this process.
    assert_eq!(sockets.inodes().len(), 1);
    found_if(port, Protocol::TCP, |process| process.pid == std::process::id());
    drop((client, accepted));
}

#[test]
fn process_that_ended_is_looked_for_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let flow = flow(port, Protocol::TCP);
    let mut sockets = FlowSockets::of(&[flow], &own());
    read_sockets(|socket| sockets.take(&socket)).unwrap();
    let inode = sockets.inodes().into_values().next().unwrap();
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let mut processes = Processes::default();
    let of_child = LocalProcess { pid: ended.id(), name: "true".into(), container: None };
    processes.known.insert(inode, of_child.clone());
    processes.find(&[flow], &own()).unwrap();
    assert_ne!(processes.known.get(&inode), Some(&of_child));
}

#[test]
fn sockets_match_the_end_that_serves() {
    let [here, there, other] = [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]].map(IpAddr::from);
    let tcp = |local, local_port, remote, remote_port, inode| OpenSocket {
        protocol: Protocol::TCP,
        local,
        local_port,
        remote,
        remote_port,
        inode,
    };
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let all = [
        tcp(here, 443, there, 50_000, 1),
        tcp(here, 50_001, there, 443, 2),
        tcp(any, 443, any, 0, 3),
        tcp(here, 22, other, 50_000, 4),
    ];
    let served = ShownFlow { client: there, server: here, protocol: Protocol::TCP, port: 443 };
    let inode = |flow: ShownFlow| {
        let mut sockets = FlowSockets::of(&[flow], &HashSet::from([here]));
        all.iter().for_each(|socket| sockets.take(socket));
        sockets.inodes().into_values().next()
    };
    assert_eq!(inode(served), Some(1));
    assert_eq!(inode(ShownFlow { client: here, server: there, ..served }), Some(2));
    assert_eq!(inode(ShownFlow { client: other, ..served }), Some(3), "the connection is over; the listener stays");
    assert_eq!(inode(ShownFlow { client: here, server: other, ..served }), None);
    assert_eq!(inode(ShownFlow { port: 22, client: other, ..served }), Some(4));
    assert_eq!(inode(ShownFlow { client: other, server: there, ..served }), None, "not of this host");
}

#[test]
fn socket_that_no_process_has_is_not_looked_for_again_at_once() {
    let mut processes = Processes::default();
    let wanted = HashSet::from([u32::MAX]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !processes.missing.contains_key(&u32::MAX) {
        processes.search_for(&wanted);
        assert!(Instant::now() < deadline);
    }
    processes.search_for(&wanted);
    assert!(processes.known.is_empty());
    processes.search_for(&HashSet::new());
    assert!(processes.missing.is_empty());
}

#[test]
fn flow_without_a_socket_has_no_process_and_flows_of_other_hosts_are_not_looked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = flow(listener.local_addr().unwrap().port(), Protocol::TCP);
    let closed = {
        let closing = TcpListener::bind("127.0.0.1:0").unwrap();
        flow(closing.local_addr().unwrap().port(), Protocol::TCP)
    };
    let [here, there] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
    let foreign = ShownFlow { client: here, server: there, protocol: Protocol::TCP, port: 22 };
    let mut processes = Processes::default();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let pass = processes.find(&[open, closed, foreign], &own()).unwrap();
        assert_eq!(pass.result(&closed), Some(false));
        assert_eq!(pass.result(&foreign), None);
        match pass.result(&open) {
            Some(is_found) => break assert!(is_found),
            None => assert!(Instant::now() < deadline, "{pass:?}"),
        }
    }
}
