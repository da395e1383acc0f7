//! Starting on hosts of different kinds: the log lines, the warnings, and the addresses that it serves on.

#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::common::client;
use super::common::memory::kibibytes;
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::traffic::Pair;

/// The one line of its own log with these words.
fn line_with(monitor: &Monitor<'_>, words: &str) -> String {
    let messages = monitor.messages();
    let mut lines = messages.lines().filter(|line| line.contains(words));
    let line = lines.next().unwrap_or_else(|| panic!("no {words}: {messages}")).to_owned();
    assert_eq!(lines.next(), None, "said twice: {messages}");
    line
}

#[test]
fn two_lines_describe_the_start_and_the_limits() {
    let pair = Pair::new();
    let monitor = Monitor::start(
        &pair.host,
        &["-localNetworks", "10.0.0.0/8,fc00::/7", "--max-flows", "77", "-filter", "udp", "-ByteLimit", "5G"],
    );
    let start = line_with(&monitor, "trafficmonitor starts");
    for words in [
        concat!("version=\"", env!("CARGO_PKG_VERSION"), " ("),
        " daq=libpcap ",
        "interfaces=\"all (eth0)\"",
        "filter=udp",
        "local_networks=\"10.0.0.0/8, fc00::/7\"",
    ] {
        assert!(start.contains(words), "no {words}: {start}");
    }
    let limits = line_with(&monitor, "msg=limits");
    for words in [
        "flows=\"77, 77 as series\"",
        "hosts=\"16384, 1000 as series\"",
        "bandwidth=\"5.00 GB in 170 s\"",
        "scans=\"15 hosts in 170 s, 100 ports in 600 s\"",
        "alerts=\"on standard output, /metrics and /active\"",
    ] {
        assert!(limits.contains(words), "no {words}: {limits}");
    }
    monitor.stop();
}

/// The budgets of a start: packets count soon, and little memory is taken. `--no-capture` prints the figures of this build.
#[test]
fn start_takes_little_time_and_memory() {
    const PAUSE: Duration = Duration::from_millis(1);
    let pair = Pair::new();
    let (client, _server) = pair.resolver();
    client.connect("10.1.0.1:53").unwrap();
    let is_over = AtomicBool::new(false);
    let (started, sent, counted, anonymous) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = Vec::new();
            while !is_over.load(Ordering::Acquire) {
                sent.push(Instant::now());
                client.send(&[0x55; 31]).unwrap();
                sleep(PAUSE);
            }
            sent
        });
        sleep(100 * PAUSE);
        let started = Instant::now();
        let monitor = Monitor::start(&pair.host, &["-iface", "eth0"]);
        sleep(100 * PAUSE);
        is_over.store(true, Ordering::Release);
        let sent = sender.join().unwrap();
        let anonymous = kibibytes(monitor.pid(), "RssAnon").unwrap();
        (started, sent, monitor.stop().closing().captured, anonymous)
    });
    // All packets count from the first one on.
    let first = sent[sent.len() - usize::try_from(counted).unwrap()].duration_since(started);
    eprintln!("the first packet {first:?} after the start; {anonymous} KiB besides files and rings");
    assert!(counted > 0 && first < Duration::from_secs(2), "{first:?}");
    // Of 48 MiB, 12 are for the code of a release.
    assert!(anonymous < 36 << 10, "{anonymous} KiB");
}

// ---- A gateway -----------------------------------------------------------------------------------------------------------

const OPEN: &str = "serves /metrics at all its addresses (:9999) without authentication";

/// A host between the networks 10.1 and 10.2, the first of which is the way out.
fn between_two_networks(host: &Namespace) -> [Namespace; 2] {
    let others = [Namespace::new(), Namespace::new()];
    for (number, other) in (1..).zip(&others) {
        let (name, near, far) = (format!("net{number}"), format!("10.{number}.0.1/24"), format!("10.{number}.0.2/24"));
        connect(&End::new(host, &name, &near), &End::new(other, "eth0", &far));
    }
    host.ip("route add default via 10.1.0.2");
    others
}

#[test]
fn a_gateway_that_serves_all_its_addresses_is_warned_with_the_one_to_take() {
    let gateway = Namespace::router();
    let _others = between_two_networks(&gateway);
    let monitor = Monitor::start(&gateway, &["-promHTTP", ":9999"]);
    let warning = line_with(&monitor, OPEN);
    assert!(warning.contains("level=warn") && warning.contains("forwards packets between net1, net2"), "{warning}");
    assert!(warning.contains("--web.listen-address 10.2.0.1:9999"), "{warning}");
    monitor.stop();
    // That is served, and needs no warning.
    let monitor = Monitor::start(&gateway, &["--web.listen-address", "10.2.0.1:9999"]);
    gateway.enter(|| TcpStream::connect("10.2.0.1:9999")).unwrap();
    assert!(!monitor.messages().contains("without authentication"), "{}", monitor.messages());
    monitor.stop();
}

#[test]
fn a_host_that_forwards_nothing_is_not_warned() {
    let host = Namespace::new();
    let _others = between_two_networks(&host);
    let monitor = Monitor::start(&host, &["-promHTTP", ":9999"]);
    assert!(!monitor.messages().contains("without authentication"), "{}", monitor.messages());
    monitor.stop();
}

// ---- localhost -----------------------------------------------------------------------------------------------------------

/// The program where the host's table of names is `names`.
fn with_names(folder: &std::path::Path, names: &str) -> Command {
    let hosts = folder.join("hosts");
    fs::write(&hosts, names).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]).arg(&hosts).arg(PROGRAM);
    command
}

#[test]
fn localhost_is_served_where_ipv6_is_off_whatever_the_table_of_names_says() {
    let folder = tempfile::tempdir().unwrap();
    for names in
        ["::1 localhost\n127.0.0.1 localhost\n", "::1 localhost ip6-localhost\n", "127.0.0.1 localhost\n", "\n"]
    {
        let host = Namespace::new();
        let command = with_names(folder.path(), names);
        let monitor = Monitor::spawn(&host, command, &["-iface", "lo", "-promHTTP", "localhost:9999"]);
        let monitor = monitor.wait_until_ready();
        let page = host.enter(|| client::get("127.0.0.1:9999".parse().unwrap(), "/"));
        assert!(page.contains("trafficmonitor"), "{names}: {page}");
        monitor.stop();
    }
}

#[test]
fn localhost_is_both_loopback_addresses_where_ipv6_is_on() {
    let host = Namespace::with_ipv6();
    let monitor = Monitor::start(&host, &["-iface", "lo", "-promHTTP", "localhost:9999"]);
    for address in ["127.0.0.1:9999", "[::1]:9999"] {
        host.enter(|| TcpStream::connect(address)).unwrap_or_else(|error| panic!("{address}: {error}"));
    }
    monitor.stop();
}

/// A kernel without IPv6 (`ipv6.disable=1`) has no sockets of that family.
#[test]
fn localhost_and_all_addresses_are_served_where_the_kernel_has_no_ipv6() {
    for (listen, reached) in [("localhost:9999", "127.0.0.1:9999"), (":9999", "10.1.0.1:9999")] {
        let pair = Pair::new();
        let mut command = Command::new(PROGRAM);
        // SAFETY: system calls on memory of the stack, safe between fork and exec.
        unsafe { command.pre_exec(refuse_ipv6_sockets) };
        let monitor = Monitor::spawn(&pair.host, command, &["-iface", "eth0", "-promHTTP", listen]).wait_until_ready();
        pair.host.enter(|| TcpStream::connect(reached)).unwrap_or_else(|error| panic!("{listen}: {error}"));
        monitor.stop();
    }
}

/// Lets `socket(AF_INET6, …)` fail with EAFNOSUPPORT in this process from here on.
fn refuse_ipv6_sockets() -> io::Result<()> {
    const NUMBER: u32 = 0;
    const FIRST_ARGUMENT: u32 = 16;
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let jump =
        |k: u32, jf: u8| libc::sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt: 0, jf, k };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let error = libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32;
    let mut filter = [
        statement(load, NUMBER),
        jump(libc::SYS_socket as u32, 3),
        statement(load, FIRST_ARGUMENT),
        jump(libc::AF_INET6 as u32, 1),
        statement(libc::BPF_RET | libc::BPF_K, error),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its filter live until the calls have returned.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
    };
    if refused { Err(io::Error::last_os_error()) } else { Ok(()) }
}

// ---- The unit ------------------------------------------------------------------------------------------------------------

/// The value of a key of the unit that is shipped.
fn of_unit(key: &str) -> String {
    let unit = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/trafficmonitor.service")).unwrap();
    let value = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {key}: {unit}")).to_owned()
}

/// With the unit's command line and environment, on a host with unusual interface names.
#[test]
fn the_unit_runs_on_a_host_as_it_stands() {
    let (host, other) = (Namespace::new(), Namespace::new());
    connect(&End::new(&host, "enp0s31f6", "10.1.0.1/24"), &End::new(&other, "eth0", "10.1.0.2/24"));
    let command_line = of_unit("ExecStart");
    let arguments: Vec<&str> = command_line.split(' ').skip(1).collect();
    let environment = of_unit("Environment");
    let (variable, address) = environment.split_once('=').unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().env(variable, address).stderr(std::process::Stdio::null());
    let mut process = host.enter(|| command.spawn()).unwrap();
    let ready = wait_for("it is ready", || {
        host.enter(|| TcpStream::connect(address)).ok()?;
        let page = host.enter(|| client::get(address.parse().unwrap(), "/metrics"));
        page.contains("trafficmonitor_capture_up{interface=\"enp0s31f6\"} 1").then_some(page)
    });
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(!ready.contains("interface=\"lo\""));
}
