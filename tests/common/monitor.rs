//! The program running in a network namespace.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::client::{self, Answer};
use super::metrics::{Counted, Metrics};
use super::namespace::{DEADLINE, Namespace, wait_for};

/// Its address inside its namespace, and that of a second one beside it.
const ADDRESS: &str = "127.0.0.1:8888";
const SECOND_ADDRESS: &str = "127.0.0.1:8889";
/// Longest time to stop.
pub const STOPS_WITHIN: Duration = Duration::from_secs(2);

/// The program's path.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_trafficmonitor");

/// The program, running.
#[derive(Debug)]
pub struct Monitor<'a> {
    namespace: &'a Namespace,
    process: Child,
    address: &'static str,
    messages: NamedTempFile,
    events: NamedTempFile,
}

/// The end of the program.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// All that it wrote to standard error.
    pub messages: String,
    /// Time from the first signal.
    pub took: Duration,
}

/// The numbers of the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    pub captured: u64,
    pub received: u64,
    pub dropped: u64,
    /// Packets that the policy dropped, where it may drop.
    pub by_policy: Option<u64>,
}

fn text(of: &NamedTempFile) -> String {
    let mut text = String::new();
    File::open(of.path()).expect("it is there").read_to_string(&mut text).expect("it is UTF-8");
    text
}

impl<'a> Monitor<'a> {
    /// Started with `arguments` in `namespace`, serving, with every capture open.
    pub fn start(namespace: &'a Namespace, arguments: &[&str]) -> Self {
        let monitor = Self::spawn(namespace, Command::new(PROGRAM), arguments);
        monitor.wait_until_ready()
    }

    /// Started in a namespace where one is running, nothing more.
    pub fn spawn_beside(namespace: &'a Namespace, arguments: &[&str]) -> Self {
        Self::spawn_at(SECOND_ADDRESS, namespace, Command::new(PROGRAM), arguments, [None, None])
    }

    /// Started, nothing more. `command` may be another program that runs this one.
    pub fn spawn(namespace: &'a Namespace, command: Command, arguments: &[&str]) -> Self {
        Self::spawn_onto(namespace, command, arguments, [None, None])
    }

    /// Started, with its standard output and standard error somewhere else than in the files of [`Self::events`] and
    /// [`Self::messages`].
    pub fn spawn_onto(
        namespace: &'a Namespace,
        command: Command,
        arguments: &[&str],
        outputs: [Option<Stdio>; 2],
    ) -> Self {
        Self::spawn_at(ADDRESS, namespace, command, arguments, outputs)
    }

    fn spawn_at(
        address: &'static str,
        namespace: &'a Namespace,
        mut command: Command,
        arguments: &[&str],
        outputs: [Option<Stdio>; 2],
    ) -> Self {
        let [messages, events] = [(); 2].map(|()| NamedTempFile::new().expect("a temporary file"));
        let into = |file: &NamedTempFile| Stdio::from(file.reopen().expect("it opens twice"));
        let [stdout, stderr] = outputs;
        command.args(["-promHTTP", address, "-promRefresh", "0.1"]).args(arguments).env_clear();
        command.stdin(Stdio::null()).stdout(stdout.unwrap_or_else(|| into(&events)));
        command.stderr(stderr.unwrap_or_else(|| into(&messages)));
        // SAFETY: prctl is a system call without pointers here, safe between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let process = namespace.enter(|| command.spawn()).expect("the program starts");
        Self { namespace, process, address, messages, events }
    }

    /// Waits until `/-/ready` says so.
    pub fn wait_until_ready(mut self) -> Self {
        wait_for("the program is ready", || {
            if let Some(status) = self.process.try_wait().expect("it can be waited for") {
                panic!("the program ended, {status}: {}", self.messages());
            }
            self.ask("GET", "/-/ready").filter(|answer| answer.status == 200)
        });
        self
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Standard error so far.
    pub fn messages(&self) -> String {
        text(&self.messages)
    }

    /// Standard output so far.
    pub fn events(&self) -> String {
        text(&self.events)
    }

    /// The answer to a request; none if the port is closed.
    pub fn ask(&self, method: &str, path: &str) -> Option<Answer> {
        let mut stream = self.namespace.enter(|| TcpStream::connect(self.address)).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).expect("the time is not 0");
        let request = format!("{method} {path} HTTP/1.1\r\nHost: monitor\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        client::parse(&answer).ok()
    }

    /// `/metrics` now.
    pub fn metrics(&self) -> Metrics {
        let answer = self.ask("GET", "/metrics").expect("/metrics answers");
        assert_eq!(answer.status, 200);
        Metrics::parse(&answer.body)
    }

    /// Waits until `is_so` holds for `/metrics`.
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&Metrics) -> bool) -> Metrics {
        let look = || Some(self.metrics()).filter(&is_so);
        wait_for(what, look)
    }

    /// Waits until the interface is captured, or is not any more.
    pub fn wait_until_up(&self, interface: &str, up: bool) {
        self.wait_for(&format!("{interface}: capture_up is {up}"), |metrics| metrics.is_up(interface) == Some(up));
    }

    /// Waits until nothing says that the interface was ever there.
    pub fn wait_until_gone(&self, interface: &str) {
        self.wait_for(&format!("{interface} is gone"), |metrics| metrics.is_up(interface).is_none());
    }

    /// Waits until exactly `expected` is counted, and the kernel's numbers agree.
    pub fn expect(&self, expected: &Counted) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let metrics = self.metrics();
            let is_over = Instant::now() > deadline;
            if is_over {
                assert_eq!(metrics.counted(), *expected, "{}", self.messages());
                assert_eq!(metrics.delivered(), expected.delivered(), "what the kernel says: {}", self.messages());
            }
            if is_over || metrics.counted() == *expected && metrics.delivered() == expected.delivered() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until exactly `expected` is counted, then stops the program: its last line says the same, and that nothing
    /// was dropped.
    pub fn finish(self, expected: &Counted) -> Ended {
        self.expect(expected);
        let ended = self.stop();
        let delivered = expected.delivered();
        assert_eq!(ended.closing(), Closing { captured: delivered, received: delivered, dropped: 0, by_policy: None });
        ended
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        let process = libc::pid_t::try_from(self.pid()).expect("a process number");
        // SAFETY: no pointers; the process is a child that was not waited for.
        assert_eq!(unsafe { libc::kill(process, signal) }, 0);
    }

    /// Ends it with TERM: in time and with status 0.
    pub fn stop(self) -> Ended {
        self.stop_with(libc::SIGTERM)
    }

    /// The same with any signal.
    pub fn stop_with(self, signal: i32) -> Ended {
        self.signal(signal);
        let ended = self.wait();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.messages);
        assert!(ended.took < STOPS_WITHIN, "it took {:?} to stop", ended.took);
        ended
    }

    /// Waits for its end.
    pub fn wait(self) -> Ended {
        self.wait_while(|_| {})
    }

    /// The same; calls `meanwhile` some hundred times a second.
    pub fn wait_while(mut self, meanwhile: impl Fn(&Self)) -> Ended {
        let start = Instant::now();
        let status = wait_for("the program ends", || {
            meanwhile(&self);
            self.process.try_wait().expect("it can be waited for")
        });
        Ended { status, messages: self.messages(), took: start.elapsed() }
    }
}

impl Drop for Monitor<'_> {
    fn drop(&mut self) {
        // It may have ended already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Runs it with arguments that it must refuse; gives its status and its message.
pub fn refused(namespace: &Namespace, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = Monitor::spawn(namespace, Command::new(PROGRAM), arguments).wait();
    assert_eq!(ended.status.signal(), None, "{ended:?}");
    (ended.status.code(), ended.messages)
}

impl Ended {
    /// The numbers of the last line: `N captured, N received by filter, N dropped by kernel`, and with `--drop-packets`
    /// also `N dropped by policy`.
    pub fn closing(&self) -> Closing {
        let line = self.messages.lines().last().unwrap_or_default();
        let number = |part: Option<&str>, words: &str| {
            let number = part.and_then(|part| part.trim().strip_suffix(words)?.trim().parse().ok());
            number.unwrap_or_else(|| panic!("no `N {words}` in the last line: {}", self.messages))
        };
        let mut parts = line.split(',');
        let closing = Closing {
            captured: number(parts.next(), "captured"),
            received: number(parts.next(), "received by filter"),
            dropped: number(parts.next(), "dropped by kernel"),
            by_policy: None,
        };
        let by_policy = parts.next().map(|part| number(Some(part), "dropped by policy"));
        assert_eq!(parts.next(), None, "{line}");
        Closing { by_policy, ..closing }
    }
}
