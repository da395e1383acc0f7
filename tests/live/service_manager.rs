//! The program as a service: the service manager learns when it is ready, reloads and stops, and its watchdog is fed
//! only while the pipeline makes progress. The tests stand in for the manager.

use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::common::metrics::{Counted, Packets};
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::{DEADLINE, Namespace, wait_for};
use super::held::Held;
use super::sandbox::{NET_RAW, have_only};
use super::traffic::{Pair, send};

/// The socket of a service manager.
struct Manager {
    _folder: TempDir,
    socket: UnixDatagram,
    address: String,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { _folder: folder, socket, address: path.to_str().unwrap().to_owned() }
    }

    /// At an abstract address. Each network namespace has its own.
    fn abstract_in(namespace: &Namespace) -> Self {
        let address = SocketAddr::from_abstract_name("trafficmonitor/notify").unwrap();
        let socket = namespace.enter(|| UnixDatagram::bind_addr(&address)).unwrap();
        Self { _folder: tempfile::tempdir().unwrap(), socket, address: "@trafficmonitor/notify".to_owned() }
    }

    /// The program as its service, with a watchdog of this time.
    fn start<'a>(&self, namespace: &'a Namespace, watchdog: Duration, arguments: &[&str]) -> Monitor<'a> {
        let watchdog = format!("WATCHDOG_USEC={}", watchdog.as_micros());
        start(namespace, &[&format!("NOTIFY_SOCKET={}", self.address), &watchdog], arguments)
    }

    /// The next message, if there is one within this time.
    fn next(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within.max(Duration::from_millis(1)))).unwrap();
        let mut message = [0; 4_096];
        let received = loop {
            // A process that is stopped and goes on has its waiting cut short.
            match self.socket.recv(&mut message) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                received => break received,
            }
        };
        let length = received.ok()?;
        Some(String::from_utf8(message[..length].to_vec()).unwrap())
    }

    /// Waits for a message that begins with this word; gives it.
    fn wait_for(&self, word: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        let mut before = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.next(left).unwrap_or_else(|| panic!("no {word}, but {before:?}"));
            if message.starts_with(word) {
                return message;
            }
            assert!(!left.is_zero(), "no {word}, but {before:?}");
            before.push(message);
        }
    }

    /// The messages that begin with this word, and their times, in all that come within `time`.
    fn messages_of(&self, word: &str, time: Duration) -> Vec<Instant> {
        let end = Instant::now() + time;
        let mut times = Vec::new();
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.next(left).is_some_and(|message| message.starts_with(word)) {
                times.push(Instant::now());
            }
        }
        times
    }
}

/// The program with these variables, as the manager's own child.
fn start<'a>(namespace: &'a Namespace, variables: &[&str], arguments: &[&str]) -> Monitor<'a> {
    let mut command = Command::new("/usr/bin/env");
    command.args(variables).arg(PROGRAM);
    Monitor::spawn(namespace, command, arguments)
}

const WATCHDOG: &str = "WATCHDOG=1\n";
const TIME: Duration = Duration::from_secs(8);
/// The least time in which a stuck thread is found.
const LEAST_PATIENCE: Duration = Duration::from_secs(3);

fn monotonic_microseconds() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    (seconds * 1e6) as u64
}

#[test]
fn manager_learns_of_the_start_the_reload_and_the_stop_and_is_fed_in_a_quiet_network() {
    let pair = Pair::new();
    for manager in [Manager::new(), Manager::abstract_in(&pair.host)] {
        let monitor = manager.start(&pair.host, TIME, &["-iface", "eth0", "--sandbox", "strict"]);
        assert_eq!(manager.next(DEADLINE).as_deref(), Some("READY=1\n"), "{}", monitor.messages());
        // The sandbox is closed, and the thread that reports has no right.
        wait_for("the thread that reports", || has_manager(&monitor).then_some(()));
        have_only(&monitor, &[("capture-eth0", NET_RAW), ("supervisor", NET_RAW), ("manager", 0)], NET_RAW);
        // What is sent now is counted: the capture is open, and the pages are served.
        let (client, server) = pair.resolver();
        let there = Packets::udp(37, 31);
        send(&client, &server, there);
        monitor.expect(&Counted::default().and("10.1.0.2->10.1.0.1 udp/53(domain)", "eth0", there));

        let start = Instant::now();
        let fed = manager.messages_of(WATCHDOG, TIME * 3 / 2);
        let gaps = fed.windows(2).map(|pair| pair[1] - pair[0]).chain(fed.first().map(|first| *first - start));
        let longest = gaps.max().expect("the watchdog is fed");
        assert!(longest <= TIME / 2 && fed.len() >= 3, "{longest:?} between two of {} feeds", fed.len());

        let before = monotonic_microseconds();
        monitor.signal(libc::SIGHUP);
        let reloading = manager.wait_for("RELOADING=1\n");
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").map(str::trim_end).unwrap();
        // The uptime has hundredths of a second, and counts the time of a suspended machine too.
        assert!(time.parse::<u64>().unwrap() + 10_000 >= before, "{time} after {before}");
        manager.wait_for("READY=1\n");

        monitor.stop();
        manager.wait_for("STOPPING=1\n");
        assert!(manager.messages_of("", Duration::from_millis(100)).is_empty(), "nothing follows");
    }
}

#[test]
fn status_names_what_is_captured_and_what_is_waited_for() {
    let pair = Pair::new();
    let manager = Manager::new();
    pair.host.ip("link set eth0 down");
    let monitor = manager.start(&pair.host, TIME, &["-iface", "eth0"]);
    // An interface that is down does not hold up the start.
    assert_eq!(manager.next(DEADLINE).as_deref(), Some("READY=1\n"), "{}", monitor.messages());
    assert_eq!(monitor.ask("GET", "/-/ready").map(|answer| answer.status), Some(503));
    let status = manager.wait_for("STATUS=");
    assert_eq!(status, "STATUS=waiting for an interface to capture; 0 packets dropped by the kernel\n");
    pair.host.ip("link set eth0 up");
    let status = manager.wait_for("STATUS=");
    assert_eq!(status, "STATUS=capturing eth0; 0 packets dropped by the kernel\n");
    monitor.stop();
}

#[test]
fn refused_reload_shows_in_the_status_with_its_place() {
    let (pair, manager, folder) = (Pair::new(), Manager::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("monitor.yml");
    fs::write(&file, "bandwidth:\n  limit: 5G\n").unwrap();
    let monitor = manager.start(&pair.host, TIME, &["-iface", "eth0", "-c", file.to_str().unwrap()]);
    manager.wait_for("READY=1\n");
    for (text, reason) in [
        ("bandwidth:\n  limit: five\n", format!("{}:2:10: five: expected ", file.display())),
        ("# Half written\n", format!("{}: the file has no setting; restart", file.display())),
    ] {
        fs::write(&file, text).unwrap();
        monitor.signal(libc::SIGHUP);
        let status = manager.wait_for("STATUS=reload refused: ");
        assert!(status.starts_with(&format!("STATUS=reload refused: {reason}")), "{status}");
        manager.wait_for("READY=1\n");
    }
    fs::write(&file, "bandwidth:\n  limit: 6G\n").unwrap();
    monitor.signal(libc::SIGHUP);
    manager.wait_for("STATUS=capturing eth0; ");
    monitor.stop();
}

/// A tunnel comes later than the service while a host boots. Status 2 would keep the unit down.
#[test]
fn absent_interface_ends_a_service_as_a_failure_that_may_pass() {
    let (pair, manager) = (Pair::new(), Manager::new());
    let ended = manager.start(&pair.host, TIME, &["-iface", "wg0"]).wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.messages);
    assert!(ended.messages.contains("wg0: no such interface"), "{}", ended.messages);
}

/// A thread is stopped as a debugger does it. The program's own watchdog would end the program after 30 s.
#[test]
fn watchdog_is_not_fed_while_a_thread_of_the_pipeline_hangs() {
    let watchdog = Duration::from_secs(2);
    let pair = Pair::new();
    let manager = Manager::new();
    let monitor = manager.start(&pair.host, watchdog, &["-iface", "eth0", "--log.level", "debug"]);
    manager.wait_for("READY=1\n");
    for thread in ["accountant", "capture-eth0", "supervisor"] {
        // After the start, and again after the last thread went on.
        manager.wait_for(WATCHDOG);
        let held = Held::hold(monitor.pid(), thread);
        let stopped = Instant::now();
        let status = manager.wait_for("STATUS=stuck");
        assert_eq!(status, format!("STATUS=stuck: the thread {thread} makes no progress\n"));
        assert!(stopped.elapsed() >= LEAST_PATIENCE - watchdog / 4, "{thread}: {:?}", stopped.elapsed());
        // Longer than the manager waits before it restarts the service.
        let fed = manager.messages_of(WATCHDOG, watchdog * 3 / 2);
        assert!(fed.is_empty(), "{thread} hangs, and the watchdog was fed {} times", fed.len());
        assert_eq!(monitor.ask("GET", "/-/healthy").map(|answer| answer.status), Some(200), "the process lives");
        assert!(monitor.messages().contains(&format!("is not fed\" thread={thread}")), "{}", monitor.messages());
        held.release();
        manager.wait_for("STATUS=capturing eth0");
    }
    monitor.stop();
}

/// True once the thread that reports to the manager runs. It starts after the pages are served.
fn has_manager(monitor: &Monitor<'_>) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", monitor.pid())).unwrap().flatten();
    threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok()).any(|name| name == "manager\n")
}

#[test]
fn watchdog_without_a_manager_is_harmless() {
    let pair = Pair::new();
    const UNUSABLE: &str = "NOTIFY_SOCKET cannot be used";
    const NOT_TOLD: &str = "the service manager was not told that the program is ready";
    for (variables, warning) in [
        (&["WATCHDOG_USEC=1000"][..], None),
        (&["WATCHDOG_USEC=1000", "NOTIFY_SOCKET="], None),
        (&["WATCHDOG_USEC=1000", "NOTIFY_SOCKET=relative"], Some(UNUSABLE)),
        (&["WATCHDOG_USEC=1000", "NOTIFY_SOCKET=@"], Some(UNUSABLE)),
        (&["WATCHDOG_USEC=1000", "NOTIFY_SOCKET=vsock:2:1234"], Some(UNUSABLE)),
        (&["WATCHDOG_USEC=100000", "NOTIFY_SOCKET=/nonexistent/notify"], Some(NOT_TOLD)),
    ] {
        let monitor = start(&pair.host, variables, &["-iface", "eth0"]).wait_until_ready();
        let has_address = warning == Some(NOT_TOLD);
        if has_address {
            wait_for("the thread that reports", || has_manager(&monitor).then_some(()));
        }
        monitor.signal(libc::SIGHUP);
        assert_eq!(monitor.metrics().is_up("eth0"), Some(true));
        let has_manager = has_manager(&monitor);
        let ended = monitor.stop();
        assert_eq!(has_manager, has_address, "{variables:?}");
        let lines: Vec<_> = ended.messages.lines().filter(|line| line.contains("service manager")).collect();
        assert_eq!(lines.len(), usize::from(warning.is_some()), "{variables:?}: {}", ended.messages);
        assert!(warning.is_none_or(|warning| lines[0].contains(warning)), "{lines:?}");
        assert!(!ended.messages.contains("level=error"), "{variables:?}: {}", ended.messages);
    }
}

#[test]
fn watchdog_of_another_process_or_of_no_time_is_not_fed() {
    let pair = Pair::new();
    for nonsense in
        [["WATCHDOG_USEC=100000", "WATCHDOG_PID=1"], ["WATCHDOG_USEC=-1", "A=B"], ["WATCHDOG_USEC=0", "A=B"]]
    {
        let manager = Manager::new();
        let address = format!("NOTIFY_SOCKET={}", manager.address);
        let monitor = start(&pair.host, &[&address, nonsense[0], nonsense[1]], &["-iface", "eth0"]);
        assert_eq!(manager.next(DEADLINE).as_deref(), Some("READY=1\n"), "{}", monitor.messages());
        let fed = manager.messages_of(WATCHDOG, Duration::from_secs(2));
        assert!(fed.is_empty(), "{nonsense:?}: {} feeds", fed.len());
        monitor.stop();
        manager.wait_for("STOPPING=1\n");
    }
}

#[test]
fn file_that_is_served_is_a_service_as_well() {
    let namespace = Namespace::new();
    let manager = Manager::new();
    let captures = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cases.pcap");
    let monitor = manager.start(&namespace, Duration::from_secs(2), &["-r", captures]);
    manager.wait_for("READY=1\n");
    assert_eq!(manager.wait_for("STATUS="), format!("STATUS=serving the accounts of {captures}\n"));
    assert!(manager.messages_of(WATCHDOG, Duration::from_secs(2)).len() >= 2);
    monitor.stop();
    manager.wait_for("STOPPING=1\n");
}
