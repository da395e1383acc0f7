//! The exporter as a process of its own: started, read from, stopped.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::client;

/// Longest time for any short operation on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A running exporter; killed when it is dropped.
pub struct Exporter {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    /// Addresses that it serves on.
    pub addresses: Vec<SocketAddr>,
}

/// The program with `arguments` and an empty environment.
pub fn program<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trafficmonitor"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    command
}

impl Exporter {
    /// Starts the program with `arguments`, which give it one address of port 0, and waits until it serves.
    pub fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::spawn(&mut program(arguments), 1)
    }

    /// Starts `command` and waits until it serves at so many addresses.
    pub fn spawn(command: &mut Command, addresses: usize) -> Self {
        Self::spawn_onto(command, addresses, Stdio::piped())
    }

    /// The same with a standard output of the test's own.
    pub fn spawn_onto(command: &mut Command, addresses: usize, stdout: Stdio) -> Self {
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = lines_of(child.stderr.take().expect("its standard error"));
        let mut exporter = Self { child, lines, said: Vec::new(), addresses: Vec::new() };
        while exporter.addresses.len() < addresses {
            let line = exporter.line_with("serving /metrics");
            let address = line.rsplit("address=").next().and_then(|address| address.trim_matches('"').parse().ok());
            exporter.addresses.push(address.unwrap_or_else(|| panic!("no address in {line}")));
        }
        exporter
    }

    /// Waits until every capture is open, or the file read.
    pub fn is_ready(&self) {
        wait_for("ready", || (client::request(self.address(), "GET", "/-/ready").status == 200).then_some(()));
    }

    /// The one address that it serves at.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next line on its standard error that holds `words`.
    pub fn line_with(&mut self, words: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(words) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no line with {words:?} in time: {:?}", self.said),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {words:?}: {:?}", self.said),
            }
        }
    }

    /// Sends a signal, `TERM` or `INT`.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Waits for its end; gives its status and all that it wrote on standard error.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = end_of(&mut self.child).unwrap_or_else(|| panic!("it did not end in time: {:?}", self.said));
        self.said.extend(self.lines.iter());
        (status, self.said.join("\n"))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sends a signal to one process.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "kill", name, &process.to_string()]).status();
    assert!(sent.expect("sh runs").success(), "cannot send {name} to {process}");
}

/// Waits until a condition gives something, or fails with the message that `what` did not come.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(met) = condition() {
            return met;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        thread::sleep(Duration::from_millis(20));
    }
}

fn end_of(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("its state") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Read on a thread, so that the program never waits for a reader.
fn lines_of(stderr: ChildStderr) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        let lines = BufReader::new(stderr).lines().map_while(Result::ok);
        lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
    });
    lines
}
